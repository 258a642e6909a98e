#include <fontconfig/fontconfig.h>
#include <hb-ot.h>
#include <hb.h>
#include <libavcodec/avcodec.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <pthread.h>
#include <unicode/uchar.h>

#include "core/base/utf8.h"
#include "core/video/font.h"

#define LOG_MODULE "font"
#include "core/base/log.h"

/* One colour font for the program, immutable and so for any thread; NULL when there is none. */
static hb_font_t *emoji_font;
static pthread_once_t emoji_once = PTHREAD_ONCE_INIT;

bool font_is_emoji(const char *cluster, size_t len)
{
    size_t pos = 0;
    int32_t base = utf8_next(cluster, len, &pos);
    int32_t last = base;
    while (pos < len) {
        int32_t cp = utf8_next(cluster, len, &pos);
        if (cp == 0xFE0E)
            return false;
        if (cp == 0xFE0F || cp == 0x20E3)
            return u_hasBinaryProperty(base, UCHAR_EMOJI);
        last = cp;
    }
    if (u_hasBinaryProperty(base, UCHAR_REGIONAL_INDICATOR))
        return last != base || pos > 4; /* two make a flag */
    return u_hasBinaryProperty(base, UCHAR_EMOJI_PRESENTATION);
}

static hb_font_t *open_color_font(const char *file)
{
    hb_blob_t *blob = hb_blob_create_from_file(file);
    hb_face_t *face = hb_face_create(blob, 0);
    hb_font_t *font = NULL;
    if (hb_ot_color_has_png(face)) {
        font = hb_font_create(face);
        /* The picture strike nearest this size is taken; Noto has one, of 109. */
        hb_font_set_ppem(font, 109, 109);
        hb_font_make_immutable(font);
    }
    hb_face_destroy(face);
    hb_blob_destroy(blob);
    return font;
}

static void emoji_open(void)
{
    FcPattern *p = FcInit() ? FcPatternCreate() : NULL;
    if (!p)
        return;
    FcPatternAddString(p, FC_FAMILY, (const FcChar8 *)"Noto Color Emoji");
    FcPatternAddBool(p, FC_COLOR, FcTrue);
    FcConfigSubstitute(NULL, p, FcMatchPattern);
    FcDefaultSubstitute(p);
    FcResult result;
    FcPattern *found = FcFontMatch(NULL, p, &result);
    FcChar8 *file = NULL;
    if (found && FcPatternGetString(found, FC_FILE, 0, &file) == FcResultMatch)
        emoji_font = open_color_font((const char *)file);
    if (!emoji_font)
        log_warn("no colour emoji font (package fonts-noto-color-emoji): emoji are drawn in one "
                 "colour or left out");
    if (found)
        FcPatternDestroy(found);
    FcPatternDestroy(p);
}

/* The one glyph that the whole cluster becomes; 0 when the font has none. */
static unsigned cluster_glyph(const char *cluster, size_t len)
{
    hb_buffer_t *buffer = hb_buffer_create();
    hb_buffer_add_utf8(buffer, cluster, (int)len, 0, (int)len);
    hb_buffer_guess_segment_properties(buffer);
    hb_shape(emoji_font, buffer, NULL, 0);
    unsigned count = 0, glyph = 0, inked = 0;
    const hb_glyph_info_t *glyphs = hb_buffer_get_glyph_infos(buffer, &count);
    const hb_glyph_position_t *places = hb_buffer_get_glyph_positions(buffer, &count);
    for (unsigned i = 0; i < count; i++) {
        if (places[i].x_advance == 0) /* an invisible selector */
            continue;
        glyph = inked++ ? glyph : glyphs[i].codepoint;
    }
    hb_buffer_destroy(buffer);
    return glyph;
}

/* The picture as straight RGBA in its own size; NULL when it cannot be read. */
static AVFrame *decode_png(const char *bytes, unsigned len)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_PNG);
    AUTO(avcodec_free_context) AVCodecContext *ctx = codec ? avcodec_alloc_context3(codec) : NULL;
    AUTO(av_packet_free) AVPacket *packet = av_packet_alloc();
    AUTO(av_frame_free) AVFrame *raw = av_frame_alloc();
    AUTO(av_frame_free) AVFrame *rgba = av_frame_alloc();
    if (!ctx || !packet || !raw || !rgba || av_new_packet(packet, (int)len) < 0)
        return NULL;
    memcpy(packet->data, bytes, len);
    ctx->thread_count = 1;
    if (avcodec_open2(ctx, codec, NULL) < 0 || avcodec_send_packet(ctx, packet) < 0 ||
        avcodec_receive_frame(ctx, raw) < 0)
        return NULL;
    rgba->width = raw->width;
    rgba->height = raw->height;
    rgba->format = AV_PIX_FMT_RGBA;
    struct SwsContext *sws =
        sws_getContext(raw->width, raw->height, raw->format, raw->width, raw->height,
                       AV_PIX_FMT_RGBA, SWS_POINT, NULL, NULL, NULL);
    bool ok = sws && av_frame_get_buffer(rgba, 0) >= 0 &&
              sws_scale(sws, (const uint8_t *const *)raw->data, raw->linesize, 0, raw->height,
                        rgba->data, rgba->linesize) == raw->height;
    sws_freeContext(sws);
    return ok ? TAKE(rgba) : NULL;
}

/* Mean of the source pixels under one target pixel, weighted by their alpha. */
static void sample_box(const AVFrame *f, double x0, double y0, double step, uint8_t out[4])
{
    double sum[3] = {0}, alpha = 0, area = 0;
    int top = (int)floor(y0), left = (int)floor(x0);
    for (int y = top; y < y0 + step; y++) {
        double wy = fmin(y + 1, y0 + step) - fmax(y, y0);
        for (int x = left; x < x0 + step; x++) {
            double w = wy * (fmin(x + 1, x0 + step) - fmax(x, x0));
            area += w;
            if (x < 0 || y < 0 || x >= f->width || y >= f->height)
                continue;
            const uint8_t *p = f->data[0] + (ptrdiff_t)y * f->linesize[0] + 4 * (ptrdiff_t)x;
            for (int c = 0; c < 3; c++)
                sum[c] += w * p[3] * p[c];
            alpha += w * p[3];
        }
    }
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)lrint(alpha > 0 ? fmin(255, sum[c] / alpha) : 0);
    out[3] = (uint8_t)lrint(fmin(255, alpha / area));
}

bool font_emoji_draw(const char *cluster, size_t len, int size, uint8_t *ret_rgba)
{
    pthread_once(&emoji_once, emoji_open);
    unsigned glyph = emoji_font && size > 0 ? cluster_glyph(cluster, len) : 0;
    if (!glyph)
        return false;
    hb_blob_t *png = hb_ot_color_glyph_reference_png(emoji_font, glyph);
    unsigned bytes = 0;
    const char *data = hb_blob_get_data(png, &bytes);
    AUTO(av_frame_free) AVFrame *picture = bytes ? decode_png(data, bytes) : NULL;
    hb_blob_destroy(png);
    if (!picture)
        return false;
    double extent = MAX(picture->width, picture->height), step = extent / size;
    double left = (picture->width - extent) / 2, top = (picture->height - extent) / 2;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++)
            sample_box(picture, left + x * step, top + y * step, step,
                       ret_rgba + 4 * ((ptrdiff_t)y * size + x));
    return true;
}
