#include "core/video/encoder.h"

#include <libavutil/opt.h>

#include "core/video/mux.h"

struct encoder {
    struct mux mux;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    int64_t next; /* number of the next frame */
};

/* Rate ceilings keep a clip of pure noise from filling the disk; ordinary pictures stay below. */
static const struct quality {
    const char *preset;
    double crf;
    int kbit_max;
} qualities[] = {
    [TIER_BASIC] = {"veryfast", 23, 8000 },
    [TIER_HD] = {"veryfast", 22, 14000},
    [TIER_PREMIUM] = {"fast",     19, 24000},
};

enum { PEAK_OVER_MEAN = 3, PEAK_SECONDS = 2, PIXELS_SMALL = 720 * 1280 };

/* As good as the tier promises, or as good as that many bits a second can be. */
static void set_rate(AVCodecContext *c, const struct encoder_spec *spec, AVDictionary **opts)
{
    const struct quality *q = &qualities[spec->tier];
    av_dict_set(opts, "profile", "high", 0);
    if (spec->bits_s <= 0) {
        char number[32];
        snprintf(number, sizeof(number), "%.1f", q->crf - (spec->painted ? 5 : 0));
        c->rc_max_rate = (int64_t)q->kbit_max * 1000;
        c->rc_buffer_size = q->kbit_max * 2000;
        av_dict_set(opts, "preset", q->preset, 0);
        av_dict_set(opts, "crf", number, 0);
        return;
    }
    c->bit_rate = spec->bits_s;
    c->rc_max_rate = MIN(spec->bits_s * PEAK_OVER_MEAN, (int64_t)q->kbit_max * 1000);
    c->rc_max_rate = MAX(c->rc_max_rate, spec->bits_s);
    c->rc_buffer_size = (int)MIN(c->rc_max_rate * PEAK_SECONDS, INT32_MAX);
    c->flags |= spec->pass == 1 ? AV_CODEC_FLAG_PASS1 : AV_CODEC_FLAG_PASS2;
    /* Few bits are worth some more looking, where the picture is small enough to afford it. */
    bool small = spec->width * spec->height <= PIXELS_SMALL;
    av_dict_set(opts, "preset", small ? "fast" : q->preset, 0);
    av_dict_set(opts, "stats", spec->stats, 0);
}

static bool codec_open(struct encoder *enc, const struct encoder_spec *spec, struct err *e)
{
    const AVCodec *x264 = avcodec_find_encoder_by_name("libx264");
    if (!x264)
        return err_set(e, ERR_CONFIG, "make.render_failed", "libavcodec has no libx264");
    AVCodecContext *c = enc->codec = avcodec_alloc_context3(x264);
    if (!c)
        return media_fail(e, AVERROR(ENOMEM), "encoder", enc->mux.path);
    c->width = spec->width;
    c->height = spec->height;
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){1, STORY_FPS};
    c->framerate = (AVRational){STORY_FPS, 1};
    c->sample_aspect_ratio = (AVRational){1, 1};
    c->color_range = AVCOL_RANGE_MPEG;
    c->colorspace = AVCOL_SPC_BT709;
    c->color_primaries = AVCOL_PRI_BT709;
    c->color_trc = AVCOL_TRC_BT709;
    c->chroma_sample_location = AVCHROMA_LOC_LEFT;
    c->gop_size = 5 * STORY_FPS;
    c->thread_count = MAX(spec->threads, 1);
    c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP | AV_CODEC_FLAG_BITEXACT;

    AUTO(av_dict_free) AVDictionary *opts = NULL;
    set_rate(c, spec, &opts);
    av_dict_set(&opts, "x264-params",
                "open-gop=0:scenecut=40:force-cfr=1:stitchable=1:vbv-init=0.5:aq-mode=3", 0);
    int r = avcodec_open2(c, x264, &opts);
    if (r < 0)
        return media_fail(e, r, "encoder", enc->mux.path);
    if (av_dict_count(opts))
        return err_set(e, ERR_INTERNAL, "make.render_failed", "encoder option %s is not used",
                       av_dict_get(opts, "", NULL, AV_DICT_IGNORE_SUFFIX)->key);
    return true;
}

static bool stream_open(struct encoder *enc, struct err *e)
{
    enc->stream = avformat_new_stream(enc->mux.ctx, NULL);
    if (!enc->stream || avcodec_parameters_from_context(enc->stream->codecpar, enc->codec) < 0)
        return media_fail(e, AVERROR(ENOMEM), "stream", enc->mux.path);
    enc->stream->time_base = (AVRational){1, 15360};
    enc->stream->avg_frame_rate = enc->codec->framerate;
    enc->stream->sample_aspect_ratio = enc->codec->sample_aspect_ratio;
    return mux_begin(&enc->mux, NULL, e);
}

bool encoder_create(const struct encoder_spec *spec, const char *path, struct encoder **ret,
                    struct err *e)
{
    struct encoder *enc = calloc(1, sizeof(*enc));
    if (!enc)
        return media_fail(e, AVERROR(ENOMEM), "encoder", path);
    enc->packet = av_packet_alloc();
    if (!enc->packet || !mux_open(&enc->mux, path, spec->cancel, e) || !codec_open(enc, spec, e) ||
        !stream_open(enc, e)) {
        if (!enc->packet)
            media_fail(e, AVERROR(ENOMEM), "encoder", path);
        encoder_destroy(enc);
        return false;
    }
    *ret = enc;
    return true;
}

/* NULL drains. */
static bool encoder_feed(struct encoder *enc, const AVFrame *frame, struct err *e)
{
    int r = avcodec_send_frame(enc->codec, frame);
    if (r < 0)
        return media_fail(e, r, "encode", enc->mux.path);
    for (;;) {
        r = avcodec_receive_packet(enc->codec, enc->packet);
        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return true;
        if (r < 0)
            return media_fail(e, r, "encode", enc->mux.path);
        enc->packet->stream_index = enc->stream->index;
        enc->packet->duration = 1;
        av_packet_rescale_ts(enc->packet, enc->codec->time_base, enc->stream->time_base);
        if (!mux_write(&enc->mux, enc->packet, e))
            return false;
    }
}

bool encoder_push(struct encoder *enc, AVFrame *frame, struct err *e)
{
    frame->pts = enc->next++;
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    return encoder_feed(enc, frame, e);
}

bool encoder_finish(struct encoder *enc, struct err *e)
{
    return encoder_feed(enc, NULL, e) && mux_finish(&enc->mux, e);
}

void encoder_destroy(struct encoder *enc)
{
    if (!enc)
        return;
    av_packet_free(&enc->packet);
    avcodec_free_context(&enc->codec);
    mux_free(&enc->mux);
    free(enc);
}
