#include "adapters/writer/own_words.h"

#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>

#include "core/base/utf8.h"
#include "core/story/text.h"

enum { TITLE_LETTERS = 60, TERMS = 3, TOLERANCE_PERCENT = 115 };

/* --- title --- */

/* Byte offset behind at most `letters` code points. */
static size_t skip_letters(const char *text, size_t letters)
{
    size_t at = 0, len = strlen(text);
    while (at < len && letters-- > 0)
        utf8_next(text, len, &at);
    return at;
}

/* Where a line may be broken at or before byte `limit`; 0 when nowhere. */
static size_t break_before(const char *text, size_t limit, const char *lang)
{
    UErrorCode status = U_ZERO_ERROR;
    UText ut = UTEXT_INITIALIZER;
    size_t next = limit;
    if (u_isUWhiteSpace(utf8_next(text, strlen(text), &next)))
        return limit;
    UBreakIterator *it = ubrk_open(UBRK_LINE, lang, NULL, 0, &status);
    utext_openUTF8(&ut, text, -1, &status);
    if (it)
        ubrk_setUText(it, &ut, &status);
    int32_t at = U_SUCCESS(status) ? ubrk_preceding(it, (int32_t)next) : 0;
    utext_close(&ut);
    if (it)
        ubrk_close(it);
    return at > 0 ? (size_t)at : 0;
}

static int32_t last_cp(const char *text, size_t len)
{
    size_t at = utf8_cut(text, len - 1);
    return utf8_next(text, len, &at);
}

/* The first sentence without its full stop, shortened at a word. */
static const char *title_of(struct arena *a, const char *text, const char *lang)
{
    size_t count;
    const char **sentences = text_sentences(a, text, lang, 1000, &count);
    const char *first = count ? sentences[0] : text;
    size_t len = strlen(first), limit = skip_letters(first, TITLE_LETTERS);
    bool cut = limit < len;
    if (cut) {
        size_t at = break_before(first, limit, lang);
        len = at ? at : limit;
    }
    while (len > 0) { /* "!" and "?" belong to a title, a full stop or comma at its end does not */
        int32_t cp = last_cp(first, len);
        bool stop = cp == '.' || cp == 0x3002 || cp == ',' || cp == 0x060C || cp == 0xFF0C ||
                    cp == ';' || cp == ':' || cp == 0x061B || cp == 0x0964;
        if (!stop && !u_isUWhiteSpace(cp))
            break;
        len = utf8_cut(first, len - 1);
    }
    return arena_printf(a, "%.*s%s", (int)len, first, cut ? "…" : "");
}

/* --- mood --- */

/* Only what the person spells out: guessing a mood from a topic is wrong more often than calm is. */
static const char *mood_of(const char *text)
{
    size_t len = strlen(text), cheers = 0, ends = 0;
    int32_t cp;
    for (size_t at = 0; (cp = utf8_next(text, len, &at)) >= 0;) {
        cheers += cp == '!' || cp == 0xFF01;
        ends += cp == '.' || cp == '?' || cp == 0x3002 || cp == 0xFF1F || cp == 0x061F;
    }
    return cheers >= 3 && cheers > ends ? "upbeat" : "calm";
}

/* --- the slots --- */

static bool check_length(const struct script_request *r, const char *text, struct err *e)
{
    int64_t ms = text_duration_ms(text, r->lang, r->units_per_minute);
    if (r->seconds <= 0 || ms * 100 <= (int64_t)r->seconds * 1000 * TOLERANCE_PERCENT)
        return true;
    char length[32];
    snprintf(length, sizeof(length), "%lld s", (long long)(ms + 500) / 1000);
    return err_set_arg(e, ERR_LIMIT, "make.text_longer_than_seconds", length,
                       "own words take %s, %d s wanted", length, r->seconds);
}

static bool own_words_write(void *self, const struct script_request *request,
                            struct script *ret_script, struct err *e)
{
    (void)self;
    struct arena *a = &ret_script->arena;
    *ret_script = (struct script){0};
    AUTO(free_ptr) char *text = text_clean(request->topic);
    if (!text_has_words(text))
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "topic without words");
    if (!check_length(request, text, e))
        return false;
    const char **scenes =
        text_scenes(a, text, request->lang, request->units_per_minute, &ret_script->scene_count);
    ret_script->scenes = arena_alloc(a, ret_script->scene_count * sizeof(*ret_script->scenes));
    for (size_t i = 0; i < ret_script->scene_count; i++) {
        struct script_scene *s = &ret_script->scenes[i];
        s->narration = scenes[i];
        s->terms = text_terms(a, scenes[i], request->lang, TERMS, &s->term_count);
    }
    ret_script->title = title_of(a, text, request->lang);
    ret_script->mood = mood_of(text);
    return true;
}

static void own_words_destroy(void *self)
{
    (void)self;
}

bool own_words_create(struct script_writer *ret)
{
    static const struct script_writer_ops ops = {
        .name = "own-words",
        .write = own_words_write,
        .destroy = own_words_destroy,
        .own_words = true,
    };
    *ret = (struct script_writer){.ops = &ops};
    return true;
}
