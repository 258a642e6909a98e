#include "core/video/cover.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "core/video/tone.h"

struct cover {
    int width, height;
    bool fine;
    struct SwsContext *scaler;
    struct tone *tone;
    enum tone_kind tone_kind;
    /* What scaler and tone were made for. */
    int in_w, in_h, out_w, out_h, format;
    enum AVColorSpace space;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic trc;
    enum AVColorRange range;
    AVFrame *deep;  /* 10 bits, before the tone table */
    AVFrame *lying; /* before rotation */
};

static AVFrame *make(int width, int height, enum AVPixelFormat format)
{
    AUTO(av_frame_free) AVFrame *f = av_frame_alloc();
    if (!f)
        return NULL;
    f->format = format;
    f->width = width;
    f->height = height;
    f->color_range = AVCOL_RANGE_MPEG;
    f->colorspace = AVCOL_SPC_BT709;
    f->color_primaries = AVCOL_PRI_BT709;
    f->color_trc = AVCOL_TRC_BT709;
    return av_frame_get_buffer(f, 0) < 0 ? NULL : TAKE(f);
}

AVFrame *cover_frame_make(int width, int height)
{
    return make(width, height, AV_PIX_FMT_YUV420P);
}

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_INTERNAL, "make.render_failed", "scale: no memory");
}

bool cover_create(int width, int height, bool fine, struct cover **ret, struct err *e)
{
    struct cover *c = calloc(1, sizeof(*c));
    if (!c)
        return no_memory(e);
    c->width = width;
    c->height = height;
    c->fine = fine;
    *ret = c;
    return true;
}

/* The largest part with the target's aspect, a little above the middle. */
static struct cover_window choose(const AVFrame *f, int orientation, AVRational sar, int width,
                                  int height)
{
    double aspect = (double)width / height;
    if (orientation >= 5)
        aspect = 1 / aspect;
    if (sar.num > 0 && sar.den > 0 && sar.num < 100 * sar.den && sar.den < 100 * sar.num)
        aspect *= (double)sar.den / sar.num; /* aspect of stored pixels that will look right */
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    int step_x = 1 << (d ? d->log2_chroma_w : 1), step_y = 1 << (d ? d->log2_chroma_h : 1);
    double w = MIN((double)f->width, f->height * aspect), h = MIN((double)f->height, w / aspect);
    struct cover_window v = {.w = (int)(w + 0.5), .h = (int)(h + 0.5)};
    v.w = CLAMP(v.w, MIN(step_x, f->width), f->width);
    v.h = CLAMP(v.h, MIN(step_y, f->height), f->height);
    /* Faces are in the upper part; upright pictures only, others are centred. */
    v.x = (f->width - v.w) / 2 / step_x * step_x;
    v.y = (int)((f->height - v.h) * (orientation <= 2 ? 0.42 : 0.5)) / step_y * step_y;
    return v;
}

static bool is_full_range(const AVFrame *f)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    return f->color_range == AVCOL_RANGE_JPEG || (d && (d->flags & AV_PIX_FMT_FLAG_RGB)) ||
           f->format == AV_PIX_FMT_YUVJ420P || f->format == AV_PIX_FMT_YUVJ422P ||
           f->format == AV_PIX_FMT_YUVJ444P || f->format == AV_PIX_FMT_YUVJ440P ||
           (d && d->nb_components < 3 && f->color_range == AVCOL_RANGE_UNSPECIFIED);
}

static bool is_fit(const struct cover *c, const AVFrame *f, const struct cover_window *v, int out_w,
                   int out_h)
{
    return c->scaler && c->in_w == v->w && c->in_h == v->h && c->out_w == out_w &&
           c->out_h == out_h && c->format == f->format && c->space == f->colorspace &&
           c->primaries == f->color_primaries && c->trc == f->color_trc &&
           c->range == f->color_range;
}

static void forget(struct cover *c)
{
    sws_freeContext(c->scaler);
    tone_destroy(c->tone);
    av_frame_free(&c->deep);
    av_frame_free(&c->lying);
    c->scaler = NULL;
    c->tone = NULL;
}

/* Range is the scaler's work; its matrix work would go through RGB at full size, so it is told that
   both sides have the same, and tone does the rest on the small result. */
static bool adapt(struct cover *c, const AVFrame *f, const struct cover_window *v, int out_w,
                  int out_h, struct err *e)
{
    forget(c);
    c->tone_kind = tone_needed(f);
    enum AVPixelFormat format =
        c->tone_kind == TONE_TABLE ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
    bool far = c->fine && (int64_t)v->w * v->h > 2LL * out_w * out_h;
    c->scaler =
        sws_getContext(v->w, v->h, f->format, out_w, out_h, format,
                       (far ? SWS_LANCZOS : SWS_BICUBIC) | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!c->scaler)
        return err_set(e, ERR_INPUT, "footage.broken", "no scaler for %s %dx%d",
                       av_get_pix_fmt_name(f->format), v->w, v->h);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    bool rgb = d && (d->flags & AV_PIX_FMT_FLAG_RGB);
    const int *table = sws_getCoefficients(SWS_CS_ITU709);
    sws_setColorspaceDetails(c->scaler, table, is_full_range(f) || rgb, table, 0, 0, 1 << 16,
                             1 << 16);
    if (c->tone_kind != TONE_NONE && !(c->tone = tone_create(f, c->tone_kind)))
        return no_memory(e);
    if (c->tone_kind == TONE_TABLE && !(c->deep = make(out_w, out_h, format)))
        return no_memory(e);
    if (!(c->lying = cover_frame_make(out_w, out_h)))
        return no_memory(e);
    c->in_w = v->w;
    c->in_h = v->h;
    c->out_w = out_w;
    c->out_h = out_h;
    c->format = f->format;
    c->space = f->colorspace;
    c->primaries = f->color_primaries;
    c->trc = f->color_trc;
    c->range = f->color_range;
    return true;
}

static bool scale(struct cover *c, const AVFrame *f, const struct cover_window *v, AVFrame *to,
                  struct err *e)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    const uint8_t *data[4] = {NULL};
    int lines[4] = {0}, steps[4] = {0};
    av_image_fill_max_pixsteps(steps, NULL, d);
    for (int p = 0; p < 4 && f->data[p]; p++) {
        bool chroma = p == 1 || p == 2;
        int x = chroma ? v->x >> d->log2_chroma_w : v->x;
        int y = chroma ? v->y >> d->log2_chroma_h : v->y;
        if (p == 1 && (d->flags & AV_PIX_FMT_FLAG_PAL))
            x = y = 0;
        data[p] = f->data[p] + (ptrdiff_t)y * f->linesize[p] + (ptrdiff_t)x * steps[p];
        lines[p] = f->linesize[p];
    }
    int r = sws_scale(c->scaler, data, lines, 0, v->h, to->data, to->linesize);
    if (r <= 0)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "scale: %s", av_err2str(r));
    return true;
}

/* to(x, y) = from(...) for one of the eight orientations; sizes are of `to`. */
static void turn_plane(const uint8_t *from, int from_line, uint8_t *to, int to_line, int w, int h,
                       int orientation)
{
    /* Where to(0,0), one step right and one step down lie in `from`. */
    bool across = orientation >= 5;
    int fw = across ? h : w, fh = across ? w : h;
    bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    ptrdiff_t step_x = flip_x ? -1 : 1, step_y = flip_y ? -(ptrdiff_t)from_line : from_line;
    const uint8_t *origin =
        from + (flip_x ? fw - 1 : 0) + (flip_y ? (ptrdiff_t)(fh - 1) * from_line : 0);
    ptrdiff_t right = across ? step_y : step_x, down = across ? step_x : step_y;
    /* In tiles, so that walking across lines stays in the cache. */
    for (int ty = 0; ty < h; ty += 32) {
        for (int tx = 0; tx < w; tx += 32) {
            for (int y = ty; y < MIN(ty + 32, h); y++) {
                const uint8_t *s = origin + y * down + tx * right;
                uint8_t *t = to + (ptrdiff_t)y * to_line;
                for (int x = tx; x < MIN(tx + 32, w); x++, s += right)
                    t[x] = *s;
            }
        }
    }
}

bool cover_draw_window(struct cover *c, const AVFrame *source, const struct cover_window *v,
                       int orientation, AVFrame *target, struct err *e)
{
    int out_w = orientation >= 5 ? c->height : c->width;
    int out_h = orientation >= 5 ? c->width : c->height;
    if (!is_fit(c, source, v, out_w, out_h) && !adapt(c, source, v, out_w, out_h, e))
        return false;
    AVFrame *flat = orientation == 1 ? target : c->lying;
    if (!scale(c, source, v, c->tone_kind == TONE_TABLE ? c->deep : flat, e))
        return false;
    if (c->tone_kind == TONE_TABLE)
        tone_table(c->tone, c->deep, flat);
    else if (c->tone_kind == TONE_MATRIX)
        tone_matrix(c->tone, flat);
    for (int p = 0; p < 3 && orientation != 1; p++)
        turn_plane(flat->data[p], flat->linesize[p], target->data[p], target->linesize[p],
                   p ? c->width / 2 : c->width, p ? c->height / 2 : c->height, orientation);
    return true;
}

bool cover_draw(struct cover *c, const AVFrame *source, int orientation, AVRational sar,
                AVFrame *target, struct err *e)
{
    struct cover_window v = choose(source, orientation, sar, c->width, c->height);
    return cover_draw_window(c, source, &v, orientation, target, e);
}

void cover_destroy(struct cover *c)
{
    if (!c)
        return;
    forget(c);
    free(c);
}
