#include "core/video/mux.h"

#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"

bool mux_open(struct mux *m, const char *path, const struct cancel *cancel, struct err *e)
{
    uint32_t tag;
    random_bytes(&tag, sizeof(tag)); /* two renders of one artifact do not meet */
    m->watch = (struct media_watch){.cancel = cancel};
    m->path = str_dup(path);
    m->part = str_printf("%s.%08x.part", path, tag);
    int r = avformat_alloc_output_context2(&m->ctx, NULL, str_ends(path, ".ogg") ? "ogg" : "mp4",
                                           m->part);
    if (r < 0)
        return media_fail(e, r, "writer for", path);
    m->ctx->interrupt_callback = (AVIOInterruptCB){media_interrupt, &m->watch};
    m->ctx->flags |= AVFMT_FLAG_BITEXACT;
    r = avio_open2(&m->ctx->pb, m->part, AVIO_FLAG_WRITE, &m->ctx->interrupt_callback, NULL);
    if (r < 0)
        return media_fail(e, r, "create", m->part);
    return true;
}

bool mux_begin(struct mux *m, const char *movflags, struct err *e)
{
    AUTO(av_dict_free) AVDictionary *opts = NULL;
    if (movflags)
        av_dict_set(&opts, "movflags", movflags, 0);
    av_dict_set(&opts, "video_track_timescale", "15360", 0);
    int r = avformat_write_header(m->ctx, &opts);
    if (r < 0)
        return media_fail(e, r, "header", m->part);
    m->header = true;
    return true;
}

bool mux_write(struct mux *m, AVPacket *pkt, struct err *e)
{
    int r = av_interleaved_write_frame(m->ctx, pkt);
    if (r >= 0 && m->ctx->pb->error < 0)
        r = m->ctx->pb->error; /* the buffered write failed, the muxer did not notice */
    if (r < 0)
        return media_fail(e, r, "write", m->part);
    return true;
}

bool mux_finish(struct mux *m, struct err *e)
{
    int r = av_write_trailer(m->ctx);
    m->header = false;
    if (r >= 0 && m->ctx->pb->error < 0)
        r = m->ctx->pb->error;
    int closed = avio_closep(&m->ctx->pb);
    if (r < 0)
        return media_fail(e, r, "trailer", m->part);
    if (closed < 0)
        return media_fail(e, closed, "close", m->part);
    if (media_stopped(&m->watch))
        return media_cancelled(e);
    if (!fs_publish(m->part, m->path, e))
        return false;
    m->published = true;
    return true;
}

void mux_free(struct mux *m)
{
    if (m->ctx) {
        /* The muxer frees what its header made only in the trailer or here. */
        avio_closep(&m->ctx->pb);
        avformat_free_context(m->ctx);
    }
    if (m->part && !m->published)
        unlink(m->part);
    free(m->part);
    free(m->path);
    *m = (struct mux){0};
}
