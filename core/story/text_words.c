#include "core/story/text.h"

#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>
#include <unicode/utext.h>

#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/story/text_break.h"

void text_break_open(struct text_break *b, UBreakIteratorType type, const char *lang)
{
    UErrorCode status = U_ZERO_ERROR;
    b->it = ubrk_open(type, lang, NULL, 0, &status);
    if (U_FAILURE(status)) {
        log_line(LOG_ERROR, "text", "ICU break iterator: %s", u_errorName(status));
        abort();
    }
}

void text_break_set(struct text_break *b, const char *text, size_t len)
{
    UErrorCode status = U_ZERO_ERROR;
    UText ut = UTEXT_INITIALIZER;
    utext_openUTF8(&ut, text, (int64_t)len, &status);
    ubrk_setUText(b->it, &ut, &status); /* keeps its own shallow copy */
    utext_close(&ut);
    if (U_FAILURE(status)) {
        log_line(LOG_ERROR, "text", "ICU text of %zu bytes: %s", len, u_errorName(status));
        abort();
    }
}

void text_break_close(struct text_break *b)
{
    if (b->it)
        ubrk_close(b->it);
    b->it = NULL;
}

static bool primary_is(const char *lang, const char *primary)
{
    size_t n = strlen(primary);
    return strncmp(lang, primary, n) == 0 && (lang[n] == '\0' || lang[n] == '-' || lang[n] == '_');
}

bool text_lang_unspaced(const char *lang)
{
    static const char *const langs[] = {"zh", "cmn", "yue", "wuu", "ja", "th", "lo", "km", "my"};
    for (size_t i = 0; i < COUNT(langs); i++)
        if (primary_is(lang, langs[i]))
            return true;
    return false;
}

static UScriptCode cp_script(int32_t cp)
{
    UErrorCode status = U_ZERO_ERROR;
    return uscript_getScript(cp, &status);
}

bool text_cp_unspaced(int32_t cp)
{
    if (cp < 0xE00)
        return false;
    switch (cp_script(cp)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_BOPOMOFO:
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
        return true;
    default:
        return false;
    }
}

bool text_cp_wide(int32_t cp)
{
    if (cp < 0x1100)
        return false;
    if (cp >= 0x3000 && cp <= 0x303F) /* CJK punctuation */
        return true;
    if (cp >= 0xFF01 && cp <= 0xFF65) /* full-width forms */
        return true;
    UScriptCode s = cp_script(cp);
    return s == USCRIPT_HAN || s == USCRIPT_HIRAGANA || s == USCRIPT_KATAKANA ||
           s == USCRIPT_BOPOMOFO;
}

int32_t text_cp_at(const char *text, size_t len, size_t at)
{
    return utf8_next(text, len, &at);
}

int32_t text_cp_before(const char *text, size_t at)
{
    if (at == 0)
        return -1;
    size_t start = utf8_cut(text, at - 1);
    return utf8_next(text, at, &start);
}

static bool counts_as_unit(int32_t cp)
{
    return u_isalnum(cp) || u_charType(cp) == U_LETTER_NUMBER;
}

size_t text_units_with(struct text_break *words, const char *text, size_t len, bool unspaced)
{
    size_t count = 0;
    if (unspaced) {
        int32_t cp;
        for (size_t at = 0; (cp = utf8_next(text, len, &at)) >= 0;)
            count += counts_as_unit(cp);
        return count;
    }
    text_break_set(words, text, len);
    while (ubrk_next(words->it) != UBRK_DONE)
        count += ubrk_getRuleStatus(words->it) >= UBRK_WORD_NONE_LIMIT;
    return count;
}

size_t text_units(const char *text, const char *lang)
{
    if (text_lang_unspaced(lang))
        return text_units_with(NULL, text, strlen(text), true);
    AUTO(text_break_close) struct text_break words = {0};
    text_break_open(&words, UBRK_WORD, lang);
    return text_units_with(&words, text, strlen(text), false);
}

bool text_has_words(const char *text)
{
    size_t len = strlen(text);
    int32_t cp;
    for (size_t at = 0; (cp = utf8_next(text, len, &at)) >= 0;)
        if (counts_as_unit(cp))
            return true;
    return false;
}

bool text_is_emoji(int32_t cp)
{
    if (cp < 0x200D)
        return false;
    if (cp == 0xFE0F || cp == 0x20E3 || (cp >= 0xE0020 && cp <= 0xE007F))
        return true; /* parts that mean nothing outside an emoji */
    if (u_hasBinaryProperty(cp, UCHAR_EMOJI_PRESENTATION) ||
        u_hasBinaryProperty(cp, UCHAR_REGIONAL_INDICATOR) ||
        u_hasBinaryProperty(cp, UCHAR_EMOJI_MODIFIER))
        return true;
    /* Below are signs that text fonts have and voices read: trade mark, double exclamation. */
    return cp > 0x2139 && u_hasBinaryProperty(cp, UCHAR_EXTENDED_PICTOGRAPHIC);
}

bool text_is_rtl(const char *lang)
{
    return lang[0] && uloc_isRightToLeft(lang);
}

/* Scripts that one language, or by far the most of their readers' texts, are written in. */
static const struct script_lang {
    UScriptCode script;
    char lang[4];
} script_langs[] = {
    {USCRIPT_HAN,        "zh"},
    {USCRIPT_ARABIC,     "ar"},
    {USCRIPT_CYRILLIC,   "ru"},
    {USCRIPT_HANGUL,     "ko"},
    {USCRIPT_DEVANAGARI, "hi"},
    {USCRIPT_THAI,       "th"},
    {USCRIPT_HEBREW,     "he"},
    {USCRIPT_GREEK,      "el"},
    {USCRIPT_BENGALI,    "bn"},
    {USCRIPT_TAMIL,      "ta"},
    {USCRIPT_TELUGU,     "te"},
    {USCRIPT_GUJARATI,   "gu"},
    {USCRIPT_GURMUKHI,   "pa"},
    {USCRIPT_KANNADA,    "kn"},
    {USCRIPT_MALAYALAM,  "ml"},
    {USCRIPT_SINHALA,    "si"},
    {USCRIPT_GEORGIAN,   "ka"},
    {USCRIPT_ARMENIAN,   "hy"},
    {USCRIPT_ETHIOPIC,   "am"},
    {USCRIPT_KHMER,      "km"},
    {USCRIPT_LAO,        "lo"},
    {USCRIPT_MYANMAR,    "my"},
};

struct script_count {
    size_t latin, kana, by_script[COUNT(script_langs)];
    size_t persian, urdu, ukrainian; /* letters that only those languages use */
};

static void count_letter(struct script_count *c, int32_t cp)
{
    UScriptCode s = cp_script(cp);
    if (s == USCRIPT_LATIN)
        c->latin++;
    if (s == USCRIPT_HIRAGANA || s == USCRIPT_KATAKANA)
        c->kana++;
    for (size_t i = 0; i < COUNT(script_langs); i++)
        if (script_langs[i].script == s)
            c->by_script[i] += s == USCRIPT_HAN || s == USCRIPT_HANGUL ? 3 : 1;
    c->persian += cp == 0x67E || cp == 0x686 || cp == 0x698 || cp == 0x6AF;
    c->urdu += cp == 0x679 || cp == 0x688 || cp == 0x691 || cp == 0x6D2 || cp == 0x6BA;
    c->ukrainian += cp == 0x456 || cp == 0x457 || cp == 0x454 || cp == 0x491 || cp == 0x406 ||
                    cp == 0x407 || cp == 0x404 || cp == 0x490;
}

const char *text_script_lang(const char *text)
{
    struct script_count c = {0};
    size_t len = strlen(text), best = 0;
    int32_t cp;
    for (size_t at = 0; (cp = utf8_next(text, len, &at)) >= 0;)
        if (u_isalpha(cp))
            count_letter(&c, cp);
    for (size_t i = 1; i < COUNT(script_langs); i++)
        if (c.by_script[i] > c.by_script[best])
            best = i;
    size_t most = c.by_script[best] + (best == 0 ? 3 * c.kana : 0);
    if (best != 0 && 3 * c.kana > most)
        return "ja";
    if (most <= c.latin)
        return "";
    switch (script_langs[best].script) {
    case USCRIPT_HAN: /* Japanese always has kana; a stray one in Chinese is a name or a joke */
        return c.kana * 3 * 10 > most ? "ja" : "zh";
    case USCRIPT_ARABIC:
        if (c.urdu * 50 > most)
            return "ur";
        return c.persian * 50 > most ? "fa" : "ar";
    case USCRIPT_CYRILLIC:
        return c.ukrainian * 50 > most ? "uk" : "ru";
    default:
        return script_langs[best].lang;
    }
}
