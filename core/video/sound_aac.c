#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/video/mux.h"
#include "core/video/sound_priv.h"

enum {
    OPUS_BITS = 32000,   /* mono speech */
    FAST_BITS = 96000,   /* from here on AAC's fast search is the better one, in 2/5 of the time */
    DECODED_MAX = 8192,  /* samples of one decoded frame; AAC has 1024 or 2048 */
    PEAK_WINDOW = 48000, /* samples looked at together when peaks are measured */
    PEAK_OVERLAP = 32,   /* so that no peak hides between two windows */
};

/* How a mix is written. */
struct aac_form {
    const char *encoder;
    int64_t bits_s;
    const char *search; /* of the AAC encoder; NULL: its own choice */
    int profile;
    enum AVSampleFormat format;
    int channels; /* 1: the left one, for voices */
};

struct aac {
    struct mux mux;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *frame;
};

static void aac_free(struct aac *a)
{
    mux_free(&a->mux);
    avcodec_free_context(&a->codec);
    av_packet_free(&a->packet);
    av_frame_free(&a->frame);
}

static bool aac_open(struct aac *a, const struct aac_form *form, const char *path,
                     const struct cancel *cancel, struct err *e)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(form->encoder);
    a->codec = codec ? avcodec_alloc_context3(codec) : NULL;
    a->packet = av_packet_alloc();
    a->frame = av_frame_alloc();
    if (!a->codec || !a->packet || !a->frame)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "no %s encoder", form->encoder);
    if (!mux_open(&a->mux, path, cancel, e))
        return false;
    AVCodecContext *c = a->codec;
    c->sample_rate = VIDEO_RATE;
    c->sample_fmt = form->format;
    c->bit_rate = form->bits_s;
    c->profile = form->profile;
    c->time_base = (AVRational){1, VIDEO_RATE};
    c->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    c->thread_count = 1;
    av_channel_layout_default(&c->ch_layout, form->channels);
    if (form->search)
        av_opt_set(c->priv_data, "aac_coder", form->search, 0);
    int r = avcodec_open2(c, codec, NULL);
    if (r < 0)
        return media_fail(e, r, "sound encoder for", path);
    a->stream = avformat_new_stream(a->mux.ctx, NULL);
    if (!a->stream)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "sound: out of memory");
    a->stream->time_base = c->time_base;
    r = avcodec_parameters_from_context(a->stream->codecpar, c);
    if (r < 0)
        return media_fail(e, r, "sound parameters for", path);
    return mux_begin(&a->mux, NULL, e);
}

/* NULL drains. The first packet's time is minus the priming: the muxer makes an edit list of it. */
static bool aac_push(struct aac *a, const AVFrame *frame, struct err *e)
{
    int r = avcodec_send_frame(a->codec, frame);
    while (r >= 0) {
        r = avcodec_receive_packet(a->codec, a->packet);
        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return true;
        if (r < 0)
            break;
        a->packet->stream_index = a->stream->index;
        av_packet_rescale_ts(a->packet, a->codec->time_base, a->stream->time_base);
        if (!mux_write(&a->mux, a->packet, e))
            return false;
    }
    return media_fail(e, r, "sound encoder for", a->mux.path);
}

static bool aac_frame(struct aac *a, const struct mix *mix, int64_t at, struct err *e)
{
    AVFrame *f = a->frame;
    int count = (int)MIN(mix->samples - at, (int64_t)a->codec->frame_size);
    f->format = a->codec->sample_fmt;
    f->sample_rate = VIDEO_RATE;
    f->nb_samples = count;
    f->pts = at;
    av_channel_layout_copy(&f->ch_layout, &a->codec->ch_layout);
    int r = av_frame_get_buffer(f, 0);
    if (r < 0)
        return media_fail(e, r, "frame for", a->mux.path);
    for (int k = 0; k < f->ch_layout.nb_channels; k++)
        for (int i = 0; i < count; i++)
            ((float *)f->data[k])[i] = mix->lr[2 * (at + i) + k];
    bool ok = aac_push(a, f, e);
    av_frame_unref(f);
    return ok;
}

static bool write_form(const struct mix *mix, const struct aac_form *form, const char *path,
                       struct err *e)
{
    AUTO(aac_free) struct aac a = {0};
    if (!aac_open(&a, form, path, mix->cancel, e))
        return false;
    for (int64_t at = 0; at < mix->samples; at += a.codec->frame_size)
        if (sound_cancelled(mix->cancel, e) || !aac_frame(&a, mix, at, e))
            return false;
    return aac_push(&a, NULL, e) && mux_finish(&a.mux, e);
}

bool aac_write(const struct mix *mix, int64_t bits_s, const char *path, struct err *e)
{
    struct aac_form form = {.encoder = "aac",
                            .bits_s = bits_s,
                            .profile = FF_PROFILE_AAC_LOW,
                            .format = AV_SAMPLE_FMT_FLTP,
                            .channels = 2};
    if (bits_s >= FAST_BITS) {
        form.search = "fast";
        form.bits_s = bits_s * 10 / 11; /* it always takes that much more than it is asked to */
    }
    return write_form(mix, &form, path, e);
}

bool opus_write(const struct mix *mix, const char *path, struct err *e)
{
    const struct aac_form form = {.encoder = "libopus",
                                  .bits_s = OPUS_BITS,
                                  .profile = FF_PROFILE_UNKNOWN,
                                  .format = AV_SAMPLE_FMT_FLT,
                                  .channels = 1};
    return write_form(mix, &form, path, e);
}

/* --- listening to what was written --- */

struct listener {
    AVFormatContext *fmt;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    float *lr; /* PEAK_WINDOW + DECODED_MAX samples, the end of the last window first */
    int64_t filled;
    double peak;
    struct mix *into;         /* NULL: only peaks are wanted */
    struct media_watch watch; /* fmt points to it */
};

static void listener_free(struct listener *l)
{
    avformat_close_input(&l->fmt);
    avcodec_free_context(&l->codec);
    av_packet_free(&l->packet);
    av_frame_free(&l->frame);
    free(l->lr);
}

static void listen_window(struct listener *l)
{
    double peak = true_peak(l->lr, l->filled);
    l->peak = MAX(l->peak, peak);
    int64_t keep = MIN(l->filled, (int64_t)PEAK_OVERLAP);
    memmove(l->lr, l->lr + 2 * (l->filled - keep), 2 * (size_t)keep * sizeof(float));
    l->filled = keep;
}

/* Into the mix, or looked at for peaks. */
static void listen_samples(struct listener *l, const AVFrame *f)
{
    const float *left = (const float *)f->data[0], *right = (const float *)f->data[1];
    if (l->into) {
        int64_t room = l->into->samples - l->filled;
        for (int i = 0; i < f->nb_samples && i < room; i++, l->filled++) {
            l->into->lr[2 * l->filled] = left[i];
            l->into->lr[2 * l->filled + 1] = right[i];
        }
        return;
    }
    if (l->filled >= PEAK_WINDOW)
        listen_window(l);
    for (int i = 0; i < f->nb_samples; i++, l->filled++) {
        l->lr[2 * l->filled] = left[i];
        l->lr[2 * l->filled + 1] = right[i];
    }
}

static bool listen_frames(struct listener *l, const AVPacket *packet, const char *path,
                          struct err *e)
{
    int r = avcodec_send_packet(l->codec, packet);
    while (r >= 0) {
        r = avcodec_receive_frame(l->codec, l->frame);
        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return true;
        const AVFrame *f = l->frame;
        if (r < 0 || f->format != AV_SAMPLE_FMT_FLTP || f->ch_layout.nb_channels != 2 ||
            f->nb_samples > DECODED_MAX)
            break;
        listen_samples(l, f);
        av_frame_unref(l->frame);
    }
    return media_fail(e, r < 0 ? r : AVERROR_INVALIDDATA, "decode", path);
}

static bool listen(struct listener *l, const char *path, struct err *e)
{
    bool still = false;
    if (!media_open(path, &l->watch, &l->fmt, &still, e))
        return false;
    int stream = av_find_best_stream(l->fmt, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (stream < 0)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "%s: no sound in it", path);
    if (!media_open_decoder(l->fmt, stream, 1, 0, false, &l->codec, e))
        return false;
    l->packet = av_packet_alloc();
    l->frame = av_frame_alloc();
    l->lr = malloc(2 * sizeof(float) * (PEAK_WINDOW + DECODED_MAX));
    if (!l->packet || !l->frame || !l->lr)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "sound: out of memory");
    int r;
    while ((r = av_read_frame(l->fmt, l->packet)) >= 0) {
        bool ok = !sound_cancelled(l->watch.cancel, e) &&
                  (l->packet->stream_index != stream || listen_frames(l, l->packet, path, e));
        av_packet_unref(l->packet);
        if (!ok)
            return false;
    }
    if (r != AVERROR_EOF)
        return media_fail(e, r, "read", path);
    return listen_frames(l, NULL, path, e);
}

bool aac_peak(const char *path, const struct cancel *cancel, double *ret_peak, struct err *e)
{
    AUTO(listener_free) struct listener l = {.watch = {.cancel = cancel}};
    if (!listen(&l, path, e))
        return false;
    listen_window(&l);
    *ret_peak = l.peak;
    return true;
}

bool aac_read(const char *path, struct mix *mix, struct err *e)
{
    AUTO(listener_free) struct listener l = {.watch = {.cancel = mix->cancel}, .into = mix};
    return listen(&l, path, e);
}
