#include <unicode/uloc.h>

#include "core/video/mux.h"
#include "core/video/video.h"

enum { TICKS_PER_FRAME = 15360 / STORY_FPS };

struct join {
    const struct join_spec *spec;
    struct mux mux;
    struct media_watch watch;
    AVFormatContext *sound;
    int sound_stream;
    AVStream *video, *audio;
    AVPacket *packet, *heard; /* heard: the next sound packet */
    bool heard_any;           /* heard holds one */
    int64_t frames;           /* joined so far */
    int64_t last_dts;
    int64_t total; /* frames of all segments */
};

/* This part has to be made again; segment_count: the sound. */
static bool bad_part(struct err *e, size_t part, const char *path, const char *why)
{
    char arg[24];
    snprintf(arg, sizeof(arg), "%zu", part);
    return err_set_arg(e, ERR_CONFLICT, "make.render_failed", arg, "%s: %s", path, why);
}

static bool open_part(struct join *j, size_t part, const char *path, AVFormatContext **ret,
                      struct err *e)
{
    bool still;
    if (media_open(path, &j->watch, ret, &still, e))
        return true;
    /* Ours: it went away, or its disk has lost it. */
    return e->code == ERR_INPUT ? bad_part(e, part, path, "cannot be read") : false;
}

/* NULL: e says why. */
static AVFormatContext *open_segment(struct join *j, size_t index, int *ret_stream, struct err *e)
{
    const char *path = j->spec->segments[index];
    AUTO(avformat_close_input) AVFormatContext *fmt = NULL;
    if (!open_part(j, index, path, &fmt, e))
        return NULL;
    int stream = media_picture_stream(fmt);
    if (stream < 0 || fmt->streams[stream]->codecpar->codec_id != AV_CODEC_ID_H264) {
        bad_part(e, index, path, "no H.264 in it");
        return NULL;
    }
    *ret_stream = stream;
    return TAKE(fmt);
}

static bool same_header(const AVCodecParameters *a, const AVCodecParameters *b)
{
    return a->width == b->width && a->height == b->height && a->extradata_size > 0 &&
           a->extradata_size == b->extradata_size &&
           memcmp(a->extradata, b->extradata, (size_t)a->extradata_size) == 0;
}

static bool add_video(struct join *j, const AVStream *from, struct err *e)
{
    AVStream *st = j->video = avformat_new_stream(j->mux.ctx, NULL);
    if (!st || avcodec_parameters_copy(st->codecpar, from->codecpar) < 0)
        return media_fail(e, AVERROR(ENOMEM), "join", j->mux.path);
    st->codecpar->codec_tag = 0;
    st->time_base = (AVRational){1, 15360};
    st->avg_frame_rate = (AVRational){STORY_FPS, 1};
    st->sample_aspect_ratio = (AVRational){1, 1};
    st->disposition = AV_DISPOSITION_DEFAULT;
    return true;
}

static bool add_audio(struct join *j, struct err *e)
{
    const size_t sound = j->spec->segment_count;
    if (!open_part(j, sound, j->spec->sound, &j->sound, e))
        return false;
    j->sound_stream = av_find_best_stream(j->sound, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (j->sound_stream < 0)
        return bad_part(e, sound, j->spec->sound, "no sound in it");
    const AVStream *from = j->sound->streams[j->sound_stream];
    AVStream *st = j->audio = avformat_new_stream(j->mux.ctx, NULL);
    if (!st || avcodec_parameters_copy(st->codecpar, from->codecpar) < 0)
        return media_fail(e, AVERROR(ENOMEM), "join", j->mux.path);
    st->codecpar->codec_tag = 0;
    st->time_base = (AVRational){1, from->codecpar->sample_rate};
    st->disposition = AV_DISPOSITION_DEFAULT;
    const char *code = j->spec->lang ? uloc_getISO3Language(j->spec->lang) : "";
    av_dict_set(&st->metadata, "language", code[0] ? code : "und", 0);
    return true;
}

static bool begin(struct join *j, const AVStream *first, const char *path, struct err *e)
{
    if (!mux_open(&j->mux, path, j->spec->cancel, e) || !add_video(j, first, e) || !add_audio(j, e))
        return false;
    AVDictionary **tags = &j->mux.ctx->metadata;
    av_dict_set(tags, "encoding_tool", "NanoTik", 0);
    if (j->spec->title && j->spec->title[0])
        av_dict_set(tags, "title", j->spec->title, 0);
    if (j->spec->comment && j->spec->comment[0])
        av_dict_set(tags, "comment", j->spec->comment, 0);
    return mux_begin(&j->mux, "+faststart", e);
}

/* Fetches the next sound packet into `heard`; at the end of the sound nothing is heard any more. */
static bool sound_next(struct join *j, struct err *e)
{
    j->heard_any = false;
    for (;;) {
        int r = av_read_frame(j->sound, j->heard);
        if (r == AVERROR_EOF)
            return true;
        if (r < 0)
            return media_fail(e, r, "read", j->spec->sound);
        if (j->heard->stream_index == j->sound_stream)
            break;
        av_packet_unref(j->heard);
    }
    av_packet_rescale_ts(j->heard, j->sound->streams[j->sound_stream]->time_base,
                         j->audio->time_base);
    j->heard_any = true;
    return true;
}

/* Writes the sound up to this moment (in frames), cut at the end of the film. */
static bool sound_until(struct join *j, int64_t frame, struct err *e)
{
    int64_t rate = j->audio->codecpar->sample_rate;
    int64_t until = frame * rate / STORY_FPS, end = j->total * rate / STORY_FPS;
    while (j->heard_any && j->heard->dts <= until) {
        if (j->heard->dts < end) {
            j->heard->duration = MIN(j->heard->duration, end - j->heard->pts);
            j->heard->stream_index = j->audio->index;
            j->heard->pos = -1;
            if (!mux_write(&j->mux, j->heard, e))
                return false;
        }
        av_packet_unref(j->heard);
        if (!sound_next(j, e))
            return false;
    }
    return true;
}

static bool join_packet(struct join *j, const AVStream *from, struct err *e)
{
    AVPacket *p = j->packet;
    int64_t shift = j->frames * TICKS_PER_FRAME;
    av_packet_rescale_ts(p, from->time_base, j->video->time_base);
    p->pts += shift;
    p->dts += shift;
    if (j->last_dts != AV_NOPTS_VALUE && p->dts <= j->last_dts)
        p->dts = j->last_dts + 1; /* a segment shorter than the encoder's delay */
    if (p->dts > p->pts)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "%s: times do not ascend",
                       j->mux.path);
    j->last_dts = p->dts;
    p->duration = TICKS_PER_FRAME;
    p->stream_index = j->video->index;
    p->pos = -1;
    return mux_write(&j->mux, p, e);
}

static bool join_segment(struct join *j, AVFormatContext *fmt, int stream, struct err *e)
{
    int64_t count = 0;
    for (;;) {
        if (media_stopped(&j->watch))
            return media_cancelled(e);
        int r = av_read_frame(fmt, j->packet);
        if (r == AVERROR_EOF)
            break;
        if (r < 0)
            return media_fail(e, r, "read", fmt->url);
        if (j->packet->stream_index != stream) {
            av_packet_unref(j->packet);
            continue;
        }
        if (!join_packet(j, fmt->streams[stream], e))
            return false;
        count++;
        if (!sound_until(j, j->frames + count, e))
            return false;
    }
    j->frames += count;
    return true;
}

/* Headers are compared before anything is written, and the length becomes known. */
static bool survey(struct join *j, struct err *e)
{
    AUTO(avformat_close_input) AVFormatContext *first = NULL;
    int first_stream = -1;
    for (size_t i = 0; i < j->spec->segment_count; i++) {
        int stream = -1;
        AUTO(avformat_close_input) AVFormatContext *fmt = open_segment(j, i, &stream, e);
        if (!fmt)
            return false;
        j->total += fmt->streams[stream]->nb_frames;
        if (!first) {
            first = TAKE(fmt);
            first_stream = stream;
            continue;
        }
        if (!same_header(first->streams[first_stream]->codecpar, fmt->streams[stream]->codecpar))
            return bad_part(e, i, j->spec->segments[i],
                            "encoder header differs from the first segment's");
    }
    return true;
}

static bool join_all(struct join *j, const char *path, struct err *e)
{
    for (size_t i = 0; i < j->spec->segment_count; i++) {
        int stream = -1;
        AUTO(avformat_close_input) AVFormatContext *fmt = open_segment(j, i, &stream, e);
        if (!fmt)
            return false;
        if (i == 0 && (!begin(j, fmt->streams[stream], path, e) || !sound_next(j, e)))
            return false;
        if (!join_segment(j, fmt, stream, e))
            return false;
    }
    return sound_until(j, INT32_MAX, e) && mux_finish(&j->mux, e);
}

bool video_join(const struct join_spec *spec, const char *path, struct err *e)
{
    if (!spec->segment_count)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "join of nothing");
    struct join j = {.spec = spec, .watch = {.cancel = spec->cancel}, .last_dts = AV_NOPTS_VALUE};
    j.packet = av_packet_alloc();
    j.heard = av_packet_alloc();
    bool ok = j.packet && j.heard ? survey(&j, e) && join_all(&j, path, e)
                                  : media_fail(e, AVERROR(ENOMEM), "join", path);
    av_packet_free(&j.packet);
    av_packet_free(&j.heard);
    avformat_close_input(&j.sound);
    mux_free(&j.mux);
    return ok;
}
