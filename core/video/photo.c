#include "core/video/photo.h"

#include <math.h>

#include "core/base/rng.h"
#include "core/story/storyboard.h"
#include "core/video/cover.h"
#include "core/video/resample.h"

struct photo {
    int width, height; /* of the target */
    int frames;
    struct photo_view from, to; /* in pixels of the kept picture */
    struct plane16 kept[3];
    struct axis across, down;
    int16_t *row, *scratch;
    struct dither dither;
};

/* Kept pixels per shown pixel before zooming: enough to zoom into, little enough to filter fast. */
static const double oversize = 1.3;

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_INTERNAL, "make.render_failed", "photo: no memory");
}

/* --- decoding --- */

/* One picture of the file at 1/2^lowres (JPEG only). *ret_full: its real size. */
static bool decode_at(const char *path, int lowres, struct media_watch *w, AVFrame *frame,
                      int ret_full[2], int *ret_orientation, struct err *e)
{
    AUTO(avformat_close_input) AVFormatContext *fmt = NULL;
    AUTO(avcodec_free_context) AVCodecContext *codec = NULL;
    bool still;
    if (!media_open(path, w, &fmt, &still, e))
        return false;
    int stream = media_picture_stream(fmt);
    if (stream < 0)
        return media_broken(e, w, AVERROR_STREAM_NOT_FOUND, "no picture in", path);
    if (!media_open_decoder(fmt, stream, 1, lowres, still, &codec, e) ||
        !media_first_frame(fmt, codec, stream, w, path, frame, e))
        return false;
    ret_full[0] = codec->lowres ? codec->coded_width : frame->width;
    ret_full[1] = codec->lowres ? codec->coded_height : frame->height;
    *ret_orientation = media_orientation(fmt->streams[stream], frame);
    return true;
}

/* Large JPEGs are decoded at the smallest eighth, quarter or half that still has enough pixels. */
static bool decode(const char *path, int need_w, int need_h, struct media_watch *w, AVFrame *frame,
                   int *ret_orientation, struct err *e)
{
    int full[2] = {0}, lowres = 3;
    if (!decode_at(path, lowres, w, frame, full, ret_orientation, e))
        return false;
    if (frame->width == full[0] && frame->height == full[1])
        return true; /* this codec has no reduced sizes */
    if (*ret_orientation >= 5) {
        int keep = need_w;
        need_w = need_h;
        need_h = keep;
    }
    while (lowres > 0 && MIN((double)full[0] / need_w, (double)full[1] / need_h) < 1 << lowres)
        lowres--;
    if (lowres == 3)
        return true;
    av_frame_unref(frame);
    return decode_at(path, lowres, w, frame, full, ret_orientation, e);
}

/* --- the move --- */

/* Plans the move over a picture of iw x ih (as seen): two windows of the target's aspect. */
static void plan(struct photo *p, double iw, double ih, uint64_t seed)
{
    struct rng r = rng_make(seed, 0x6b62);
    double aspect = (double)p->width / p->height, seconds = (double)p->frames / STORY_FPS;
    double w = MIN(iw, ih * aspect), h = w / aspect;
    double zoom = 1 + MIN(0.05 + 0.011 * seconds, 0.17);
    /* Along the side that is cropped the view travels, at most 3.5 % of itself a second. */
    double free_x = iw - w, free_y = ih - h;
    double go_x = MIN(free_x * 0.8, 0.035 * seconds * w) * (rng_below(&r, 2) ? 1 : -1);
    double go_y = MIN(free_y * 0.8, 0.035 * seconds * h) * (rng_below(&r, 2) ? 1 : -1);
    bool inward = rng_below(&r, 3) != 0;
    /* When zoomed there is a little room in the other direction too. */
    double lean_x = rng_range(&r, -0.3, 0.3), lean_y = rng_range(&r, -0.3, 0.1);
    struct photo_view near = {.w = w / zoom, .h = h / zoom}, wide = {.w = w, .h = h};
    wide.x = free_x / 2 - go_x / 2;
    wide.y = free_y * 0.42 - go_y / 2;
    wide.x = CLAMP(wide.x, 0, free_x);
    wide.y = CLAMP(wide.y, 0, free_y);
    near.x = wide.x + go_x + (w - near.w) * (0.5 + lean_x);
    near.y = wide.y + go_y + (h - near.h) * (0.5 + lean_y);
    near.x = CLAMP(near.x, 0, iw - near.w);
    near.y = CLAMP(near.y, 0, ih - near.h);
    p->from = inward ? wide : near;
    p->to = inward ? near : wide;
}

/* The zoom grows by the same factor each frame, which the eye sees as a steady speed. */
static struct photo_view view_at(const struct photo *p, int n)
{
    double t = p->frames > 1 ? (double)n / (p->frames - 1) : 0, ratio = p->to.w / p->from.w;
    double zoom = pow(ratio, t);
    double done = fabs(ratio - 1) < 1e-9 ? t : (zoom - 1) / (ratio - 1);
    return (struct photo_view){p->from.x + (p->to.x - p->from.x) * done,
                               p->from.y + (p->to.y - p->from.y) * done, p->from.w * zoom,
                               p->from.h * zoom};
}

struct photo_view photo_view_at(const struct photo *p, int n)
{
    struct photo_view v = view_at(p, n);
    double w = p->kept[0].width, h = p->kept[0].height;
    return (struct photo_view){v.x / w, v.y / h, v.w / w, v.h / h};
}

/* --- the kept picture --- */

static bool allocate(struct photo *p, int width, int height)
{
    for (int i = 0; i < 3; i++) {
        int w = i ? width / 2 : width, h = i ? height / 2 : height;
        p->kept[i] = (struct plane16){calloc((size_t)w * (size_t)h, sizeof(int16_t)), w, h};
        if (!p->kept[i].data)
            return false;
    }
    p->row = calloc((size_t)p->width + 16, sizeof(int16_t));
    p->scratch = calloc((size_t)width + 2 * (size_t)RESAMPLE_PAD + 16, sizeof(int16_t));
    dither_make(&p->dither);
    return p->row && p->scratch;
}

static void keep(struct photo *p, const AVFrame *f)
{
    for (int i = 0; i < 3; i++) {
        struct plane16 *k = &p->kept[i];
        for (int y = 0; y < k->height; y++) {
            const uint8_t *from = f->data[i] + (ptrdiff_t)y * f->linesize[i];
            int16_t *to = k->data + (ptrdiff_t)y * k->width;
            for (int x = 0; x < k->width; x++)
                to[x] = (int16_t)(from[x] * 64);
        }
    }
}

/* A window on the seen picture as one on the stored picture of w x h. */
static struct cover_window stored_window(struct cover_window v, int orientation, int w, int h)
{
    switch (orientation) {
    case 2:
        return (struct cover_window){w - v.x - v.w, v.y, v.w, v.h};
    case 3:
        return (struct cover_window){w - v.x - v.w, h - v.y - v.h, v.w, v.h};
    case 4:
        return (struct cover_window){v.x, h - v.y - v.h, v.w, v.h};
    case 5:
        return (struct cover_window){v.y, v.x, v.h, v.w};
    case 6:
        return (struct cover_window){v.y, h - v.x - v.w, v.h, v.w};
    case 7:
        return (struct cover_window){w - v.y - v.h, h - v.x - v.w, v.h, v.w};
    case 8:
        return (struct cover_window){w - v.y - v.h, v.x, v.h, v.w};
    default:
        return v;
    }
}

/* Crops to what the move can reach, reduces it, and moves the plan's windows along. */
static bool reduce(struct photo *p, const AVFrame *f, int orientation, struct err *e)
{
    int iw = orientation >= 5 ? f->height : f->width, ih = orientation >= 5 ? f->width : f->height;
    struct cover_window v;
    v.x = (int)floor(MIN(p->from.x, p->to.x));
    v.y = (int)floor(MIN(p->from.y, p->to.y));
    /* Even corners, so that chroma is cut at the same place; odd ends are given up. */
    v.x = v.x / 4 * 4;
    v.y = v.y / 4 * 4;
    v.w = MIN((int)ceil(MAX(p->from.x + p->from.w, p->to.x + p->to.w)), iw) - v.x;
    v.h = MIN((int)ceil(MAX(p->from.y + p->from.h, p->to.y + p->to.h)), ih) - v.y;
    double scale = p->width * oversize / MAX(p->from.w, p->to.w);
    int w = MAX((int)(v.w * scale / 2) * 2, 16), h = MAX((int)(v.h * scale / 2) * 2, 16);
    struct cover *c = NULL;
    AUTO(av_frame_free) AVFrame *small = cover_frame_make(w, h);
    if (!small || !allocate(p, w, h))
        return no_memory(e);
    struct cover_window stored = stored_window(v, orientation, f->width, f->height);
    stored.x &= ~1;
    stored.y &= ~1;
    bool ok =
        cover_create(w, h, true, &c, e) && cover_draw_window(c, f, &stored, orientation, small, e);
    cover_destroy(c);
    if (!ok)
        return false;
    keep(p, small);
    struct photo_view *ends[] = {&p->from, &p->to};
    double sx = (double)w / v.w, sy = (double)h / v.h;
    for (int i = 0; i < 2; i++)
        *ends[i] = (struct photo_view){(ends[i]->x - v.x) * sx, (ends[i]->y - v.y) * sy,
                                       ends[i]->w * sx, ends[i]->h * sy};
    return true;
}

bool photo_create(const char *path, int width, int height, int frames, uint64_t seed,
                  struct media_watch *w, struct photo **ret, struct err *e)
{
    AUTO(av_frame_free) AVFrame *frame = av_frame_alloc();
    struct photo *p = calloc(1, sizeof(*p));
    int orientation = 1;
    if (!frame || !p) {
        free(p);
        return no_memory(e);
    }
    p->width = width;
    p->height = height;
    p->frames = frames;
    int need_w = (int)(width * oversize), need_h = (int)(height * oversize);
    bool ok = decode(path, need_w, need_h, w, frame, &orientation, e);
    if (ok) {
        bool lying = orientation >= 5;
        plan(p, lying ? frame->height : frame->width, lying ? frame->width : frame->height, seed);
        ok = reduce(p, frame, orientation, e);
        if (!ok && e->code == ERR_INPUT)
            media_broken(e, w, AVERROR_INVALIDDATA, "cannot scale", path);
    }
    if (!ok) {
        photo_destroy(p);
        return false;
    }
    *ret = p;
    return true;
}

bool photo_of_frame(const AVFrame *frame, int frames, struct photo **ret, struct err *e)
{
    struct photo *p = calloc(1, sizeof(*p));
    if (!p)
        return no_memory(e);
    p->width = frame->width;
    p->height = frame->height;
    p->frames = frames;
    if (!allocate(p, frame->width, frame->height)) {
        photo_destroy(p);
        return no_memory(e);
    }
    keep(p, frame);
    double zoom = 1 + MIN(0.012 * frames / STORY_FPS, 0.25);
    p->from = (struct photo_view){0, 0, frame->width, frame->height};
    p->to = (struct photo_view){.w = frame->width / zoom, .h = frame->height / zoom};
    p->to.x = (frame->width - p->to.w) / 2;
    p->to.y = (frame->height - p->to.h) * 0.45;
    *ret = p;
    return true;
}

bool photo_draw(struct photo *p, AVFrame *frame, int n, struct err *e)
{
    struct photo_view v = view_at(p, CLAMP(n, 0, p->frames - 1));
    for (int i = 0; i < 3; i++) {
        double part = i ? 0.5 : 1;
        int w = i ? p->width / 2 : p->width, h = i ? p->height / 2 : p->height;
        double step_x = v.w * part / w, step_y = v.h * part / h;
        /* Chroma sits on the left luma column of each pair, in both pictures. */
        double left = i ? 0.25 - 0.25 * step_x : 0;
        if (!axis_set(&p->across, w, v.x * part + left, step_x, KERNEL_SHARP) ||
            !axis_set(&p->down, h, v.y * part, step_y, KERNEL_SHARP))
            return no_memory(e);
        for (int y = 0; y < h; y++) {
            resample_row(&p->kept[i], &p->across, &p->down, y, p->scratch, p->row);
            dither_row(&p->dither, p->row, w, y,
                       frame->data[i] + (ptrdiff_t)y * frame->linesize[i]);
        }
    }
    return true;
}

void photo_destroy(struct photo *p)
{
    if (!p)
        return;
    for (int i = 0; i < 3; i++)
        free(p->kept[i].data);
    axis_free(&p->across);
    axis_free(&p->down);
    free(p->row);
    free(p->scratch);
    free(p);
}
