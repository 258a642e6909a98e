#include "core/video/caption_draw.h"

#include "core/base/strbuf.h"
#include "core/story/text.h"
#include "core/video/caption_draw_layout.h"
#include "core/video/caption_draw_paint.h"

enum { TITLE_IN_MS = 220, TITLE_OUT_MS = 320 };

/* Text laid out and painted; kept while it is on screen. */
struct drawn {
    bool there;
    size_t page;
    int lit;
    struct layout lay;
    struct overlay overlay;
};

struct caption_draw {
    int width, height;
    double em, width_max, center_y, title_top;
    const struct caption_look *look;
    const struct caption_track *captions;
    char *title; /* wrapped; NULL: none */
    char title_lang[16];
    double title_em;
    struct layouter *layouter;
    struct drawn page_drawn, title_drawn;
};

/* Where text may stand. 9:16 leaves the buttons and texts of the apps free: nearly a fifth at the
   bottom. */
static void set_places(struct caption_draw *d)
{
    double w = d->width, h = d->height;
    bool tall = h > w * 1.2, wide = w > h * 1.2;
    d->width_max = w * (tall ? 0.88 : wide ? 0.80 : 0.88);
    d->em = (tall   ? 0.86 * w
             : wide ? 0.64 * w
                    : 0.86 * w) /
            caption_line_width(d->width, d->height);
    d->center_y = h * (tall ? 0.70 : wide ? 0.835 : 0.80);
    d->title_top = h * (tall ? 0.115 : 0.075);
}

/* Up to three lines of about equal width, in letters as large as they allow. */
static bool wrap_title(struct caption_draw *d, const char *title, struct err *e)
{
    if (!title || !*title)
        return true;
    double width = caption_width(title, strlen(title));
    double room = d->width_max / d->em;
    d->title_em = d->em * CLAMP(2.6 * room / MAX(width, 1), 0.6, 0.95);
    return caption_wrap(title, d->title_lang, room * d->em / d->title_em, 3, &d->title, e);
}

bool caption_draw_create(int width, int height, const char *style,
                         const struct caption_track *captions, const char *title,
                         struct caption_draw **ret, struct err *e)
{
    struct caption_draw *d = calloc(1, sizeof(*d));
    if (!d)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "captions: out of memory");
    d->width = width;
    d->height = height;
    d->look = caption_look_find(style);
    d->captions = captions;
    set_places(d);
    str_copy(d->title_lang, sizeof(d->title_lang),
             captions ? captions->lang
             : title  ? text_script_lang(title)
                      : "");
    if (!wrap_title(d, title, e) || !layouter_create(width, height, &d->layouter, e)) {
        caption_draw_destroy(d);
        return false;
    }
    *ret = d;
    return true;
}

static void drawn_free(struct drawn *k)
{
    layout_free(&k->lay);
    overlay_free(&k->overlay);
    *k = (struct drawn){0};
}

void caption_draw_destroy(struct caption_draw *d)
{
    if (!d)
        return;
    drawn_free(&d->page_drawn);
    drawn_free(&d->title_drawn);
    layouter_destroy(d->layouter);
    free(d->title);
    free(d);
}

static bool draw_text(struct caption_draw *d, struct drawn *k, const struct layout_text *text,
                      bool title, struct err *e)
{
    drawn_free(k);
    if (!layouter_lay(d->layouter, text, &k->lay, e))
        return false;
    if (!overlay_begin(&k->overlay, &k->lay, d->look, title)) {
        drawn_free(k);
        return err_set(e, ERR_INTERNAL, "make.render_failed", "captions: out of memory");
    }
    k->there = true;
    k->lit = INT32_MIN; /* not painted yet */
    return true;
}

static bool paint(struct caption_draw *d, struct drawn *k, int lit, struct err *e)
{
    if (k->lit == lit)
        return true;
    if (!overlay_paint(&k->overlay, &k->lay, d->look, lit))
        return err_set(e, ERR_INTERNAL, "make.render_failed", "captions: out of memory");
    k->lit = lit;
    return true;
}

/* Page on screen; page_count when there is none. */
static size_t page_at(const struct caption_track *t, int64_t time_ms)
{
    size_t low = 0, high = t->page_count; /* first page that ends later */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (t->pages[mid].end_ms <= time_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low < t->page_count && t->pages[low].start_ms <= time_ms ? low : t->page_count;
}

/* The last word that has begun. */
static int lit_word(const struct caption_page *page, int64_t time_ms)
{
    int lit = OVERLAY_UNLIT;
    for (size_t i = 0; i < page->word_count && page->words[i].start_ms <= time_ms; i++)
        lit = (int)i;
    return lit;
}

static bool lay_page(struct caption_draw *d, size_t index, struct err *e)
{
    struct drawn *k = &d->page_drawn;
    if (k->there && k->page == index)
        return true;
    const struct caption_page *page = &d->captions->pages[index];
    struct layout_text text = {
        .text = page->text,
        .words = page->words,
        .word_count = page->word_count,
        .lang = d->captions->lang,
        .rtl = d->captions->rtl,
        .em = d->em,
        .outline = d->look->outline,
        .pad = caption_look_pad(d->look),
        .width_max = d->width_max,
        .center_y = d->center_y,
    };
    if (!draw_text(d, k, &text, false, e))
        return false;
    k->page = index;
    return true;
}

static int title_opacity(int64_t time_ms)
{
    if (time_ms < 0 || time_ms >= CAPTION_TITLE_MS)
        return 0;
    int64_t in = 255 * (time_ms + 1) / TITLE_IN_MS;
    int64_t out = 255 * (CAPTION_TITLE_MS - time_ms) / TITLE_OUT_MS;
    return (int)MIN(255, MIN(in, out));
}

static bool draw_title(struct caption_draw *d, AVFrame *frame, int64_t time_ms, struct err *e)
{
    int opacity = title_opacity(time_ms);
    if (!d->title || !opacity)
        return true;
    struct drawn *k = &d->title_drawn;
    struct layout_text text = {
        .text = d->title,
        .lang = d->title_lang,
        .rtl = text_is_rtl(d->title_lang),
        .em = d->title_em,
        .outline = d->look->outline,
        .pad = caption_look_pad(d->look) + 0.2,
        .width_max = d->width_max,
        .top = d->title_top,
    };
    if ((!k->there && !draw_text(d, k, &text, true, e)) || !paint(d, k, OVERLAY_UNLIT, e))
        return false;
    overlay_blend(&k->overlay, frame, opacity);
    return true;
}

bool caption_draw_frame(struct caption_draw *d, AVFrame *frame, int64_t time_ms, struct err *e)
{
    if (frame->width != d->width || frame->height != d->height ||
        frame->format != AV_PIX_FMT_YUV420P)
        return err_set(e, ERR_INTERNAL, "make.render_failed", "captions: frame %dx%d is not %dx%d",
                       frame->width, frame->height, d->width, d->height);
    if (!draw_title(d, frame, time_ms, e))
        return false;
    size_t index = d->captions ? page_at(d->captions, time_ms) : 0;
    if (!d->captions || index == d->captions->page_count)
        return true;
    if (!lay_page(d, index, e) ||
        !paint(d, &d->page_drawn, lit_word(&d->captions->pages[index], time_ms), e))
        return false;
    overlay_blend(&d->page_drawn.overlay, frame, 255);
    return true;
}

bool caption_draw_word_box(struct caption_draw *d, int64_t time_ms, size_t word,
                           struct caption_box *ret)
{
    struct err e;
    size_t index = d->captions ? page_at(d->captions, time_ms) : 0;
    if (!d->captions || index == d->captions->page_count || !lay_page(d, index, &e))
        return false;
    const struct layout *lay = &d->page_drawn.lay;
    if (word >= lay->word_count || lay->words[word].w == 0)
        return false;
    *ret = lay->words[word];
    return true;
}
