#include "core/video/qr.h"

#include <errno.h>
#include <qrencode.h>

#include "core/video/media.h"
#include "core/video/picture.h"

enum { QUIET = 4, LEAST_PIXELS = 4, DARK = 0, LIGHT = 255 };

static void code_free(QRcode **code)
{
    QRcode_free(*code);
}

/* Byte mode: the denser alphanumeric mode knows no lower case. */
static bool encode(const char *text, QRcode **ret, struct err *e)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
    if (!code)
        return err_set(e, errno == ERANGE ? ERR_LIMIT : ERR_INTERNAL, "error.internal",
                       "QR code of %zu bytes: %m", strlen(text));
    *ret = code;
    return true;
}

static AVFrame *draw(const QRcode *code, int pixels)
{
    AUTO(av_frame_free) AVFrame *f = av_frame_alloc();
    if (!f)
        return NULL;
    f->format = AV_PIX_FMT_GRAY8;
    f->color_range = AVCOL_RANGE_JPEG;
    f->width = f->height = (code->width + 2 * QUIET) * pixels;
    if (av_frame_get_buffer(f, 0) < 0)
        return NULL;
    for (int y = 0; y < f->height; y++) {
        uint8_t *line = f->data[0] + (ptrdiff_t)y * f->linesize[0];
        int row = y / pixels - QUIET;
        memset(line, LIGHT, (size_t)f->width);
        if (row < 0 || row >= code->width)
            continue;
        for (int column = 0; column < code->width; column++)
            if (code->data[row * code->width + column] & 1)
                memset(line + (ptrdiff_t)(column + QUIET) * pixels, DARK, (size_t)pixels);
    }
    return TAKE(f);
}

bool qr_write(const char *text, int side, const char *path, struct err *e)
{
    AUTO(code_free) QRcode *code = NULL;
    AUTO(av_frame_free) AVFrame *frame = NULL;
    if (!encode(text, &code, e))
        return false;
    int pixels = side / (code->width + 2 * QUIET);
    if (pixels < LEAST_PIXELS)
        return err_set(e, ERR_LIMIT, "error.internal", "QR code of %d modules in %d pixels",
                       code->width, side);
    frame = draw(code, pixels);
    if (!frame)
        return media_fail(e, AVERROR(ENOMEM), "qr", path);
    return picture_write(frame, AV_CODEC_ID_PNG, "qr", path, e);
}
