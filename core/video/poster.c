#include <libswscale/swscale.h>

#include "core/video/decoder.h"
#include "core/video/picture.h"
#include "core/video/video.h"

enum { QUALITY = 3 * FF_QP2LAMBDA };

static void scaler_free(struct SwsContext **s)
{
    sws_freeContext(*s);
}

/* JPEG has full range and bt601 colours; the film has neither. */
static AVFrame *to_jpeg_colours(const AVFrame *f, int max_side)
{
    int longest = MAX(f->width, f->height);
    int width = f->width;
    int height = f->height;
    if (max_side > 0 && longest > max_side) {
        width = MAX((int)((int64_t)width * max_side / longest), 1);
        height = MAX((int)((int64_t)height * max_side / longest), 1);
    }
    AUTO(scaler_free)
    struct SwsContext *scaler =
        sws_getContext(f->width, f->height, f->format, width, height, AV_PIX_FMT_YUVJ420P,
                       SWS_BICUBIC | SWS_ACCURATE_RND, NULL, NULL, NULL);
    AUTO(av_frame_free) AVFrame *out = av_frame_alloc();
    if (!scaler || !out)
        return NULL;
    bool is_jpeg = f->colorspace == AVCOL_SPC_BT470BG || f->colorspace == AVCOL_SPC_SMPTE170M;
    sws_setColorspaceDetails(scaler, sws_getCoefficients(is_jpeg ? SWS_CS_ITU601 : SWS_CS_ITU709),
                             f->color_range == AVCOL_RANGE_JPEG, sws_getCoefficients(SWS_CS_ITU601),
                             1, 0, 1 << 16, 1 << 16);
    out->format = AV_PIX_FMT_YUVJ420P;
    out->width = width;
    out->height = height;
    out->color_range = AVCOL_RANGE_JPEG;
    if (av_frame_get_buffer(out, 0) < 0 ||
        sws_scale(scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height, out->data,
                  out->linesize) <= 0)
        return NULL;
    return TAKE(out);
}

static void decoder_free(struct decoder **d)
{
    decoder_destroy(*d);
}

static bool picture_of(const char *path, int64_t at_ms, int max_side, const char *jpeg_path,
                       const struct cancel *cancel, struct err *e)
{
    struct media_watch w = {.cancel = cancel};
    AUTO(decoder_free) struct decoder *d = NULL;
    AUTO(av_frame_free) AVFrame *jpeg = NULL;
    const AVFrame *frame;
    if (!decoder_create(path, MAX(at_ms, 0), 40, &w, &d, e) || !decoder_at(d, 0, &frame, e))
        return false;
    if (!frame)
        return media_broken(e, &w, AVERROR_EOF, "no frame for the poster in", path);
    jpeg = to_jpeg_colours(frame, max_side);
    if (!jpeg)
        return media_fail(e, AVERROR(ENOMEM), "poster", path);
    jpeg->quality = QUALITY;
    return picture_write(jpeg, AV_CODEC_ID_MJPEG, "poster", jpeg_path, e);
}

bool video_poster(const char *path, int64_t at_ms, const char *jpeg_path,
                  const struct cancel *cancel, struct err *e)
{
    return picture_of(path, at_ms, 0, jpeg_path, cancel, e);
}

bool video_thumb(const char *picture, int max_side, const char *jpeg_path,
                 const struct cancel *cancel, struct err *e)
{
    return picture_of(picture, 0, max_side, jpeg_path, cancel, e);
}
