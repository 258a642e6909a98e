#include "core/video/decoder.h"

#include "core/story/storyboard.h"

enum { BURST_MAX = 20, SILENT_PACKETS_MAX = 3000 };

struct decoder {
    const char *path;
    struct media_watch *watch;
    AVFormatContext *fmt;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *now, *next; /* shown, and the one after it; empty when they have no buffer */
    int64_t in_us;       /* in-point on the stream's own clock, in microseconds */
    int64_t last_us;     /* of the frame decoded last */
    int64_t frame_us;    /* usual distance of frames */
    bool steady;         /* constant rate above ours: packets can be told to be unseen */
    bool drained, ended;
    int failures;  /* in a row */
    int silent;    /* packets since a frame came out */
    int64_t shown; /* frames decoded in all */
};

static const AVRational us = {1, 1000000};

static int64_t stream_start(const struct decoder *d)
{
    return d->stream->start_time == AV_NOPTS_VALUE
               ? 0
               : av_rescale_q(d->stream->start_time, d->stream->time_base, us);
}

static int64_t stream_length(const struct decoder *d)
{
    if (d->stream->duration != AV_NOPTS_VALUE)
        return av_rescale_q(d->stream->duration, d->stream->time_base, us);
    return d->fmt->duration == AV_NOPTS_VALUE ? 0 : d->fmt->duration;
}

static bool seek(struct decoder *d, struct err *e)
{
    int64_t at = av_rescale_q(d->in_us, us, d->stream->time_base);
    int r = av_seek_frame(d->fmt, d->stream->index, at, AVSEEK_FLAG_BACKWARD);
    if (r < 0 && d->in_us <= stream_start(d))
        r = av_seek_frame(d->fmt, -1, 0, AVSEEK_FLAG_BYTE); /* no index: from the first byte */
    if (r < 0)
        return media_broken(e, d->watch, r, "seek", d->path);
    avcodec_flush_buffers(d->codec);
    av_frame_unref(d->now);
    av_frame_unref(d->next);
    d->drained = d->ended = false;
    d->last_us = AV_NOPTS_VALUE;
    return true;
}

static bool start(struct decoder *d, int64_t in_ms, int64_t need_ms, struct err *e)
{
    AVRational rate = d->stream->avg_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){25, 1};
    d->frame_us = CLAMP(av_rescale(1000000, rate.den, rate.num), 1000, 1000000);
    d->steady = av_cmp_q(d->stream->avg_frame_rate, d->stream->r_frame_rate) == 0 &&
                av_q2d(rate) > STORY_FPS * 1.3;
    int64_t length = stream_length(d), in = MAX(in_ms, 0) * 1000;
    if (length > 0 && in + need_ms * 1000 > length)
        in = MAX(length - need_ms * 1000 - 2 * d->frame_us, 0);
    d->in_us = stream_start(d) + in;
    d->last_us = AV_NOPTS_VALUE;
    return in == 0 || seek(d, e);
}

bool decoder_create(const char *path, int64_t in_ms, int64_t need_ms, struct media_watch *w,
                    struct decoder **ret, struct err *e)
{
    bool still, ok = false;
    struct decoder *d = calloc(1, sizeof(*d));
    if (!d)
        return media_fail(e, AVERROR(ENOMEM), "decoder of", path);
    d->path = path;
    d->watch = w;
    d->packet = av_packet_alloc();
    d->now = av_frame_alloc();
    d->next = av_frame_alloc();
    if (!d->packet || !d->now || !d->next)
        media_fail(e, AVERROR(ENOMEM), "decoder of", path);
    else if (media_open(path, w, &d->fmt, &still, e)) {
        int index = media_picture_stream(d->fmt);
        if (index < 0) {
            media_broken(e, w, AVERROR_STREAM_NOT_FOUND, "no picture in", path);
        } else {
            d->stream = d->fmt->streams[index];
            for (unsigned i = 0; i < d->fmt->nb_streams; i++)
                d->fmt->streams[i]->discard = i == (unsigned)index ? AVDISCARD_NONE : AVDISCARD_ALL;
            int64_t pixels = (int64_t)d->stream->codecpar->width * d->stream->codecpar->height;
            ok = media_open_decoder(d->fmt, index, pixels > 2560LL * 1600 ? 2 : 1, 0, still,
                                    &d->codec, e) &&
                 start(d, in_ms, need_ms, e);
        }
    }
    if (!ok) {
        decoder_destroy(d);
        return false;
    }
    *ret = d;
    return true;
}

/* Would a frame that stands from `from` for `length` be picked at any moment n/30 s? Frame n shows
   what is there half a frame later, which is the nearest one. */
static bool is_picked(const struct decoder *d, int64_t from, int64_t length)
{
    int64_t half = 500000 / STORY_FPS;
    int64_t a = from - d->in_us - half, b = a + length;
    if (b <= 0)
        return false;
    /* Is there a whole number n with a <= n * 1e6 / 30 < b ? */
    int64_t n = a <= 0 ? 0 : (a * STORY_FPS + 999999) / 1000000;
    return n * 1000000 < b * STORY_FPS;
}

/* A frame nobody refers to and nobody will see need not be decoded. */
static enum AVDiscard discard_of(const struct decoder *d)
{
    if (d->packet->pts == AV_NOPTS_VALUE)
        return AVDISCARD_DEFAULT;
    int64_t from = av_rescale_q(d->packet->pts, d->stream->time_base, us);
    bool before = from + 4 * d->frame_us < d->in_us;
    bool between = d->steady && from > d->in_us && !is_picked(d, from, d->frame_us);
    return before || between ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
}

static bool send_packet(struct decoder *d, struct err *e)
{
    int r;
    do {
        if (media_stopped(d->watch))
            return media_broken(e, d->watch, AVERROR_EXIT, "read", d->path);
        av_packet_unref(d->packet);
        r = av_read_frame(d->fmt, d->packet);
    } while (r >= 0 && d->packet->stream_index != d->stream->index);
    if (r < 0) { /* the end, or a place where nothing can be read any more */
        d->drained = true;
        if (media_stopped(d->watch))
            return media_broken(e, d->watch, r, "read", d->path);
        avcodec_send_packet(d->codec, NULL);
        return true;
    }
    d->codec->skip_frame = discard_of(d);
    r = avcodec_send_packet(d->codec, d->packet);
    av_packet_unref(d->packet);
    if (r < 0 && r != AVERROR(EAGAIN))
        d->failures++;
    if (d->failures >= BURST_MAX || ++d->silent > SILENT_PACKETS_MAX)
        return media_broken(e, d->watch, AVERROR_INVALIDDATA, "too many damaged frames in",
                            d->path);
    return true;
}

/* The next frame into d->next; at the end it stays empty. */
static bool decode(struct decoder *d, struct err *e)
{
    av_frame_unref(d->next);
    for (;;) {
        int r = avcodec_receive_frame(d->codec, d->next);
        if (r == 0)
            break;
        if (r == AVERROR_EOF || (r == AVERROR(EAGAIN) && d->drained)) {
            d->ended = true;
            return true;
        }
        if (r != AVERROR(EAGAIN) && ++d->failures >= BURST_MAX)
            return media_broken(e, d->watch, r, "too many damaged frames in", d->path);
        if (!d->drained && !send_packet(d, e))
            return false;
    }
    d->failures = d->silent = 0;
    d->shown++;
    int64_t ts = d->next->best_effort_timestamp;
    int64_t at = ts == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : av_rescale_q(ts, d->stream->time_base, us);
    if (at == AV_NOPTS_VALUE || (d->last_us != AV_NOPTS_VALUE && at <= d->last_us))
        at = d->last_us == AV_NOPTS_VALUE ? d->in_us : d->last_us + d->frame_us;
    d->last_us = at;
    d->next->pts = at; /* from here on in microseconds */
    return true;
}

bool decoder_at(struct decoder *d, int n, const AVFrame **ret_frame, struct err *e)
{
    int64_t at = d->in_us + n * 1000000LL / STORY_FPS + 500000 / STORY_FPS;
    if (!d->now->buf[0] && !d->ended) {
        if (!decode(d, e))
            return false;
        av_frame_move_ref(d->now, d->next);
        if (d->ended && !d->shown)
            return media_broken(e, d->watch, AVERROR_INVALIDDATA, "no picture in", d->path);
    }
    while (!d->ended) {
        if (!d->next->buf[0] && !decode(d, e))
            return false;
        if (d->ended || d->next->pts > at)
            break;
        av_frame_unref(d->now);
        av_frame_move_ref(d->now, d->next);
    }
    bool over =
        !d->now->buf[0] || (d->ended && d->now->pts + d->frame_us <= at - 500000 / STORY_FPS);
    *ret_frame = over ? NULL : d->now;
    return true;
}

bool decoder_rewind(struct decoder *d, struct err *e)
{
    d->in_us = stream_start(d);
    return seek(d, e);
}

int decoder_orientation(const struct decoder *d, const AVFrame *frame)
{
    return media_orientation(d->stream, frame);
}

AVRational decoder_sar(const struct decoder *d, const AVFrame *frame)
{
    return av_guess_sample_aspect_ratio(d->fmt, d->stream, (AVFrame *)frame);
}

void decoder_destroy(struct decoder *d)
{
    if (!d)
        return;
    av_packet_free(&d->packet);
    av_frame_free(&d->now);
    av_frame_free(&d->next);
    avcodec_free_context(&d->codec);
    avformat_close_input(&d->fmt);
    free(d);
}
