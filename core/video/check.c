#include "core/base/strbuf.h"
#include "core/video/media.h"
#include "core/video/video.h"

enum { OFF_BY_MS = 50 };

static bool wrong(struct err *e, const char *path, const char *what)
{
    return err_set(e, ERR_INTERNAL, "make.render_failed", "%s: %s", path, what);
}

static bool check_streams(const AVFormatContext *fmt, int width, int height, const char *path,
                          struct err *e)
{
    if (fmt->nb_streams != 2)
        return wrong(e, path, "not one picture and one sound stream");
    const AVStream *v = fmt->streams[0], *a = fmt->streams[1];
    const AVCodecParameters *vp = v->codecpar, *ap = a->codecpar;
    if (vp->codec_id != AV_CODEC_ID_H264 || vp->profile != FF_PROFILE_H264_HIGH)
        return wrong(e, path, "picture is not H.264 High");
    if (vp->format != AV_PIX_FMT_YUV420P || vp->color_range != AVCOL_RANGE_MPEG ||
        vp->color_space != AVCOL_SPC_BT709)
        return wrong(e, path, "picture is not yuv420p in bt709 limited range");
    if (vp->width != width || vp->height != height)
        return wrong(e, path, "picture has another size");
    if (av_cmp_q(v->avg_frame_rate, (AVRational){STORY_FPS, 1}) != 0)
        return wrong(e, path, "not 30 frames a second");
    if (ap->codec_id != AV_CODEC_ID_AAC || ap->profile != FF_PROFILE_AAC_LOW ||
        ap->sample_rate != VIDEO_RATE)
        return wrong(e, path, "sound is not AAC-LC at 48 kHz");
    return true;
}

static bool check_length(const AVFormatContext *fmt, int frames, const char *path, struct err *e)
{
    int64_t planned = frames * 1000LL / STORY_FPS;
    int64_t whole = fmt->duration / 1000;
    if (llabs(whole - planned) > OFF_BY_MS)
        return wrong(e, path, "the film has another length");
    for (unsigned i = 0; i < 2; i++) {
        const AVStream *st = fmt->streams[i];
        int64_t ms = av_rescale_q(st->duration, st->time_base, (AVRational){1, 1000});
        if (llabs(ms - planned) > OFF_BY_MS)
            return wrong(e, path,
                         i ? "the sound has another length" : "the picture has another length");
    }
    return true;
}

/* Every frame number from 0 to frames - 1 exactly once, the first a key frame. */
static bool check_frames(AVFormatContext *fmt, int frames, const struct media_watch *w,
                         const char *path, struct err *e)
{
    AUTO(free_ptr) unsigned char *seen = calloc((size_t)frames, 1);
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    if (!seen || !packet)
        return media_fail(e, AVERROR(ENOMEM), "check", path);
    int64_t count = 0;
    AVRational frame = {1, STORY_FPS};
    while (av_read_frame(fmt, packet) >= 0) {
        if (media_stopped(w))
            return media_cancelled(e);
        if (packet->stream_index == 0) {
            int64_t n = av_rescale_q(packet->pts, fmt->streams[0]->time_base, frame);
            if (av_compare_ts(n, frame, packet->pts, fmt->streams[0]->time_base) != 0 || n < 0 ||
                n >= frames || seen[n])
                return wrong(e, path, "a frame is not at its place");
            if (count == 0 && (n != 0 || !(packet->flags & AV_PKT_FLAG_KEY)))
                return wrong(e, path, "does not start with a key frame");
            seen[n] = 1;
            count++;
        }
        av_packet_unref(packet);
    }
    if (count != frames)
        return wrong(e, path, "frames are missing");
    return true;
}

bool video_check(const char *path, int width, int height, int frames, const struct cancel *cancel,
                 struct err *e)
{
    struct media_watch w = {.cancel = cancel};
    struct media_info info;
    AUTO(avformat_close_input) AVFormatContext *fmt = NULL;
    bool still;
    if (frames <= 0)
        return wrong(e, path, "a film without frames");
    if (!video_probe(path, cancel, &info, e)) {
        if (e->code == ERR_CANCELLED)
            return false;
        char why[sizeof(e->detail)];
        str_copy(why, sizeof(why), e->detail);
        return err_set(e, ERR_INTERNAL, "make.render_failed", "%s", why);
    }
    if (!info.moov_first)
        return wrong(e, path, "moov is not before mdat");
    return media_open(path, &w, &fmt, &still, e) && check_streams(fmt, width, height, path, e) &&
           check_length(fmt, frames, path, e) && check_frames(fmt, frames, &w, path, e);
}
