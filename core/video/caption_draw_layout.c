#include "core/video/caption_draw_layout.h"

#include <ass/ass.h>
#include <math.h>
#include <stdatomic.h>
#include <unicode/ubrk.h>
#include <unicode/utext.h>

#include "core/base/strbuf.h"
#include "core/video/caption_draw_ink.h"
#include "core/video/font.h"

#define LOG_MODULE "caption"
#include "core/base/log.h"

enum { LINE_TEXT_MAX = 65536, FIT_TRIES = 4 };

#define EMOJI_SIZE 1.08    /* em */
#define EMOJI_ADVANCE 1.20 /* em */

struct layouter {
    int width, height;
    ASS_Library *library;
    ASS_Renderer *renderer;
    UBreakIterator *clusters;
};

/* One line while its override text is written. */
struct line_writer {
    struct strbuf out;
    const struct font_list *fonts;
    const struct font *font;
    double em, outline;
    size_t word;    /* of the tags written last; SIZE_MAX: none yet */
    double descent; /* deepest of the fonts used, in em */
    double height;  /* tallest, in em */
    bool left_out;
};

static void on_ass_message(int level, const char *fmt, va_list args, void *data)
{
    (void)data;
    if (level > 1 || log_level() > LOG_WARN)
        return;
    char text[256];
    vsnprintf(text, sizeof(text), fmt, args);
    log_warn("libass: %s", text);
}

bool layouter_create(int width, int height, struct layouter **ret, struct err *e)
{
    struct layouter *l = calloc(1, sizeof(*l));
    UErrorCode status = U_ZERO_ERROR;
    if (l) {
        l->width = width;
        l->height = height;
        l->library = ass_library_init();
        l->clusters = ubrk_open(UBRK_CHARACTER, "", NULL, 0, &status);
    }
    if (l && l->library) {
        ass_set_message_cb(l->library, on_ass_message, NULL);
        l->renderer = ass_renderer_init(l->library);
    }
    if (!l || !l->renderer || U_FAILURE(status)) {
        layouter_destroy(l);
        return err_set(e, ERR_INTERNAL, "make.render_failed", "libass does not start");
    }
    /* Twice as wide as the frame, so that a line too long is measured and not clipped. The cold
       start of the font provider measured 2 ms. */
    ass_set_frame_size(l->renderer, 2 * width, height);
    ass_set_storage_size(l->renderer, 2 * width, height);
    ass_set_fonts(l->renderer, NULL, "Noto Sans", ASS_FONTPROVIDER_FONTCONFIG, NULL, 0);
    *ret = l;
    return true;
}

void layouter_destroy(struct layouter *l)
{
    if (!l)
        return;
    if (l->renderer)
        ass_renderer_done(l->renderer);
    if (l->library)
        ass_library_done(l->library);
    ubrk_close(l->clusters);
    free(l);
}

void layout_free(struct layout *lay)
{
    for (size_t i = 0; i < lay->emoji_count; i++)
        free(lay->emoji[i].rgba);
    free(lay->fill);
    free(lay->edge);
    free(lay->owner);
    free(lay->words);
    free(lay->word_lines);
    *lay = (struct layout){0};
}

/* Word that byte `at` of the text belongs to; word_count for none. */
static size_t word_at(const struct layout_text *t, size_t at)
{
    size_t i = 0;
    while (i < t->word_count && at >= t->words[i].at + t->words[i].len)
        i++;
    return i < t->word_count && at >= t->words[i].at ? i : t->word_count;
}

static void write_tags(struct line_writer *w, const struct font *font, size_t word, size_t count)
{
    bool other_font = font != w->font, other_word = word != w->word;
    if (!other_font && !other_word)
        return;
    strbuf_adds(&w->out, "{");
    if (other_font)
        strbuf_addf(&w->out, "\\fn%s\\fs%.3f", font->family, w->em * font->height);
    if (other_word) {
        unsigned id = word < count ? (unsigned)word + 1 : 0;
        strbuf_addf(&w->out, "\\1c&H0000%02X&\\3c&H0000%02X&", id, id);
    }
    strbuf_adds(&w->out, "}");
    w->font = font;
    w->word = word;
    w->descent = MAX(w->descent, font->descent);
    w->height = MAX(w->height, font->height);
}

/* Braces and backslashes are syntax to libass: the first are escaped, a backslash is kept apart
   from the letter behind it by an invisible word joiner. */
static void write_escaped(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '{' || text[i] == '}')
            strbuf_addc(out, '\\');
        strbuf_addc(out, text[i]);
        if (text[i] == '\\')
            strbuf_adds(out, "\xE2\x81\xA0");
    }
}

/* An emoji is an empty drawing of its width; the picture is put there later. */
static bool write_emoji(struct line_writer *w, const char *cluster, size_t len, struct layout *lay)
{
    if (lay->emoji_count == LAYOUT_EMOJI_MAX || !font_is_emoji(cluster, len))
        return false;
    int size = (int)lrint(w->em * EMOJI_SIZE);
    uint8_t *rgba = malloc(4 * (size_t)size * (size_t)size);
    if (!rgba || !font_emoji_draw(cluster, len, size, rgba)) {
        free(rgba);
        return false;
    }
    lay->emoji[lay->emoji_count++] = (struct layout_emoji){.size = size, .rgba = rgba};
    unsigned id = w->word < LAYOUT_WORDS_MAX ? (unsigned)w->word + 1 : 0;
    int room = (int)lrint(w->em * EMOJI_ADVANCE);
    strbuf_addf(&w->out,
                "{\\bord0\\p1\\1c&H00%02X%02X&}m 0 0 l %d 0 l %d 2 l 0 2"
                "{\\p0\\bord%.3f\\1c&H0000%02X&}",
                (unsigned)lay->emoji_count, id, room, room, w->outline * w->em, id);
    return true;
}

static void write_cluster(struct line_writer *w, const struct layout_text *t, const char *cluster,
                          size_t len, struct layout *lay)
{
    size_t word = word_at(t, (size_t)(cluster - t->text));
    const struct font *font = font_for_cluster(w->fonts, cluster, len, w->font);
    if (font_is_emoji(cluster, len)) {
        const struct font *carrier = w->font ? w->font : font;
        if (!carrier)
            carrier = font_for_cluster(w->fonts, "0", 1, NULL);
        if (carrier)
            write_tags(w, carrier, word, t->word_count);
        if (carrier && write_emoji(w, cluster, len, lay))
            return;
    }
    if (!font) {
        w->left_out = true;
        return;
    }
    write_tags(w, font, word, t->word_count);
    write_escaped(&w->out, cluster, len);
}

static bool write_line(struct layouter *l, const struct layout_text *t, size_t at, size_t len,
                       struct line_writer *w, struct layout *lay)
{
    UErrorCode status = U_ZERO_ERROR;
    UText text = UTEXT_INITIALIZER;
    utext_openUTF8(&text, t->text + at, (int64_t)len, &status);
    ubrk_setUText(l->clusters, &text, &status);
    if (U_SUCCESS(status)) {
        const struct font *first = font_for_cluster(w->fonts, "0", 1, NULL);
        if (t->rtl && first) { /* the line runs right to left whatever its first letter is */
            write_tags(w, first, t->word_count, t->word_count);
            strbuf_adds(&w->out, "\xE2\x80\x8F");
            w->font = NULL;
        }
        int32_t from = ubrk_first(l->clusters);
        for (int32_t to = ubrk_next(l->clusters); to != UBRK_DONE; to = ubrk_next(l->clusters)) {
            write_cluster(w, t, t->text + at + from, (size_t)(to - from), lay);
            from = to;
        }
    }
    utext_close(&text);
    return U_SUCCESS(status) && !w->out.failed;
}

static void find_word_lines(const struct layout_text *t, struct layout *lay)
{
    size_t line = 0, at = 0;
    for (size_t i = 0; i < lay->word_count; i++) {
        for (; at < t->words[i].at && t->text[at]; at++)
            line += t->text[at] == '\n';
        lay->word_lines[i] = (uint8_t)MIN(line, (size_t)LAYOUT_LINES_MAX - 1);
    }
}

static void add_style(ASS_Track *track, double outline)
{
    int i = ass_alloc_style(track);
    ASS_Style *s = &track->styles[i];
    s->Name = strdup("Default");
    s->FontName = strdup("Noto Sans");
    s->FontSize = 20;
    s->Bold = 1;
    s->ScaleX = s->ScaleY = 1;
    s->Outline = outline;
    s->BorderStyle = 1;
    s->Alignment = 2;
    s->Encoding = -1; /* bidi direction from the text itself */
    track->default_style = i;
}

static void add_event(ASS_Track *track, const char *text)
{
    int i = ass_alloc_event(track);
    ASS_Event *ev = &track->events[i];
    ev->Start = 0;
    ev->Duration = 1000;
    ev->Style = track->default_style;
    ev->Layer = i;
    ev->ReadOrder = i;
    ev->Text = strdup(text);
}

/* Writes the lines of the text as events; where each baseline is goes to lay->lines. */
static bool write_events(struct layouter *l, const struct layout_text *t, double em,
                         ASS_Track *track, struct layout *lay)
{
    struct line_writer w[LAYOUT_LINES_MAX];
    size_t at = 0, count = 0;
    double height = 0;
    bool ok = true, left_out = false;
    for (; ok && count < LAYOUT_LINES_MAX && t->text[at]; count++) {
        size_t len = strcspn(t->text + at, "\n");
        w[count] = (struct line_writer){.out = STRBUF(LINE_TEXT_MAX),
                                        .fonts = font_list_get(t->lang),
                                        .em = em,
                                        .outline = t->outline,
                                        .word = SIZE_MAX};
        ok = write_line(l, t, at, len, &w[count], lay);
        height = MAX(height, w[count].height);
        left_out = left_out || w[count].left_out;
        at += len + (t->text[at + len] == '\n');
    }
    lay->line_count = count;
    lay->spacing = em * CLAMP(0.9 * height, 1.2, 1.44);
    double first = t->top > 0 ? t->top + 0.95 * em
                              : t->center_y + 0.34 * em - lay->spacing * ((double)count - 1) / 2;
    for (size_t i = 0; i < count; i++) {
        double baseline = floor(first + (double)i * lay->spacing);
        lay->lines[i].baseline = (int)baseline;
        char *text = str_printf("{\\an2\\q2\\pos(%d,%.3f)}%s", l->width,
                                baseline + w[i].descent * em, strbuf_text(&w[i].out));
        add_event(track, text);
        free(text);
        strbuf_free(&w[i].out);
    }
    static atomic_flag told = ATOMIC_FLAG_INIT;
    if (left_out && !atomic_flag_test_and_set(&told))
        log_warn("a character that no installed font covers was left out of a caption");
    return ok;
}

/* One try at this size. *ret_images lives until the next render. */
static bool try_size(struct layouter *l, const struct layout_text *t, double em, ASS_Track *track,
                     struct layout *lay, const ASS_Image **ret_images)
{
    lay->em = em;
    lay->word_count = MIN(t->word_count, (size_t)LAYOUT_WORDS_MAX);
    lay->words = calloc(lay->word_count + 1, sizeof(lay->words[0]));
    lay->word_lines = calloc(lay->word_count + 1, 1);
    track->PlayResX = 2 * l->width;
    track->PlayResY = l->height;
    track->ScaledBorderAndShadow = 1;
    track->WrapStyle = 2;
    ass_track_set_feature(track, ASS_FEATURE_WHOLE_TEXT_LAYOUT, 1);
    ass_track_set_feature(track, ASS_FEATURE_BIDI_BRACKETS, 1);
    add_style(track, t->outline * em);
    if (!lay->words || !lay->word_lines || !write_events(l, t, em, track, lay))
        return false;
    find_word_lines(t, lay);
    *ret_images = ass_render_frame(l->renderer, track, 0, NULL);
    ink_measure(*ret_images, l->width, lay);
    return true;
}

bool layouter_lay(struct layouter *l, const struct layout_text *text, struct layout *ret,
                  struct err *e)
{
    double em = text->em;
    bool ok = true;
    struct layout lay = {0};
    for (int i = 0; ok && i < FIT_TRIES; i++) {
        layout_free(&lay);
        ASS_Track *track = ass_new_track(l->library);
        const ASS_Image *images = NULL;
        ok = track && try_size(l, text, em, track, &lay, &images);
        int width = ok ? ink_widest_line(&lay) : 0;
        bool fits = width <= text->width_max || i + 1 == FIT_TRIES;
        if (ok && fits && lay.line_count) {
            ink_set_region(l->width, l->height, (text->pad + text->outline) * em, &lay);
            ok = ink_copy_masks(images, l->width, &lay);
        }
        if (track)
            ass_free_track(track);
        if (fits)
            break;
        em *= 0.99 * text->width_max / width;
    }
    if (!ok) {
        layout_free(&lay);
        return err_set(e, ERR_INTERNAL, "make.render_failed", "captions: libass or memory failed");
    }
    *ret = lay;
    return true;
}
