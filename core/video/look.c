/* What a picture looks like, in 64 bits: the signs of the brightness steps of a tiny copy. Another
 * size, bitrate or format of the same picture changes few of them. */
#include <libswscale/swscale.h>

#include "core/video/decoder.h"
#include "core/video/video.h"

/* A copy of CELL times the size first: no scaler shrinks 4K to 9 pixels in one step. */
enum { ACROSS = 9, DOWN = 8, CELL = 8, STRIDE = 128, FLAT = 16, SAME_BITS = 6 };

static void scaler_free(struct SwsContext **s)
{
    sws_freeContext(*s);
}

static void decoder_free(struct decoder **d)
{
    decoder_destroy(*d);
}

static int cell(const uint8_t *pixels, int x, int y)
{
    int sum = 0;
    for (int i = 0; i < CELL; i++)
        for (int k = 0; k < CELL; k++)
            sum += pixels[(y * CELL + i) * STRIDE + x * CELL + k];
    return sum / (CELL * CELL);
}

/* 0 for a picture in which there is next to nothing, such as a fade from black. */
static uint64_t steps(const uint8_t *pixels)
{
    uint64_t bits = 0;
    int low = 255, high = 0;
    for (int y = 0; y < DOWN; y++)
        for (int x = 0; x < ACROSS; x++) {
            int v = cell(pixels, x, y);
            low = MIN(low, v);
            high = MAX(high, v);
            if (x > 0)
                bits = bits << 1 | (v > cell(pixels, x - 1, y));
        }
    return high - low < FLAT ? 0 : bits;
}

bool video_look(const char *path, int64_t at_ms, const struct cancel *cancel, uint64_t *ret,
                struct err *e)
{
    struct media_watch w = {.cancel = cancel};
    AUTO(decoder_free) struct decoder *d = NULL;
    const AVFrame *f;
    /* The scaler may write a little beyond a row. */
    _Alignas(64) uint8_t pixels[(DOWN * CELL + 1) * STRIDE] = {0};
    uint8_t *const planes[4] = {pixels};
    const int strides[4] = {STRIDE};
    if (!decoder_create(path, MAX(at_ms, 0), 40, &w, &d, e) || !decoder_at(d, 0, &f, e))
        return false;
    if (!f)
        return media_broken(e, &w, AVERROR_EOF, "no frame to look at in", path);
    AUTO(scaler_free)
    struct SwsContext *scaler =
        sws_getContext(f->width, f->height, f->format, ACROSS * CELL, DOWN * CELL, AV_PIX_FMT_GRAY8,
                       SWS_AREA, NULL, NULL, NULL);
    if (!scaler || sws_scale(scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height,
                             planes, strides) <= 0)
        return media_fail(e, AVERROR(ENOMEM), "look", path);
    *ret = steps(pixels);
    return true;
}

bool video_looks_alike(uint64_t a, uint64_t b)
{
    return a != 0 && b != 0 && __builtin_popcountll(a ^ b) <= SAME_BITS;
}
