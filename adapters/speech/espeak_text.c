#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include "adapters/speech/espeak_parts.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

static void *bigger(void *list, size_t wanted, size_t *room, size_t size)
{
    if (wanted <= *room)
        return list;
    *room = MAX(2 * *room, wanted + 256);
    list = realloc(list, *room * size);
    if (!list)
        abort(); /* texts are a few kB */
    return list;
}

void spoken_put(struct spoken *s, int32_t cp, size_t origin)
{
    s->text = bigger(s->text, s->len + 8, &s->room, 1);
    s->origin = bigger(s->origin, s->count + 1, &s->origin_room, sizeof(*s->origin));
    s->len += utf8_put(s->text + s->len, cp);
    s->text[s->len] = '\0';
    s->origin[s->count++] = (uint32_t)origin;
    s->has_words = s->has_words || u_isalnum(cp);
}

void spoken_free(struct spoken *s)
{
    free(s->text);
    free(s->origin);
    *s = (struct spoken){0};
}

/* Which letters a voice can read; of others it says "Chinese letter" for each. */
struct reader {
    bool chinese, korean;
};

static bool is_unspeakable(int32_t cp, int32_t before, const struct reader *r)
{
    UErrorCode status = U_ZERO_ERROR;
    if (text_is_emoji(cp) || cp == 0xFFFD || (cp == 0x200D && text_is_emoji(before)))
        return true;
    switch (u_charType(cp)) {
    case U_CONTROL_CHAR:
    case U_PRIVATE_USE_CHAR:
    case U_UNASSIGNED:
    case U_SURROGATE:
    case U_MODIFIER_SYMBOL:
        return true;
    case U_OTHER_SYMBOL: /* arrows, boxes, stars; the degree, copyright and number signs are read */
        return cp > 0xFF && cp != 0x2103 && cp != 0x2109 && cp != 0x2116 && cp != 0x2122;
    case U_FORMAT_CHAR: /* joiners shape Persian and Indic words */
        return cp != 0x200C && cp != 0x200D;
    case U_OTHER_LETTER:
        break;
    default:
        return cp == '*' || cp == '_' || cp == '~' || cp == '|' || cp == '\\' || cp == '^';
    }
    switch (uscript_getScript(cp, &status)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_BOPOMOFO:
        return !r->chinese;
    case USCRIPT_HANGUL:
        return !r->korean;
    default:
        return false;
    }
}

/* In Chinese: a word of two to five capitals is spelled ("AI", "NASA"): its letters get spaces.
   Returns the bytes it took. */
static size_t put_capitals(struct spoken *s, const char *text, size_t len, size_t at)
{
    size_t n = 0;
    while (at + n < len && text[at + n] >= 'A' && text[at + n] <= 'Z')
        n++;
    int32_t before = at ? (unsigned char)text[at - 1] : ' ';
    int32_t after = at + n < len ? (unsigned char)text[at + n] : ' ';
    if (n < 2 || n > 5 || (after < 0x80 && u_isalpha(after)) ||
        (before < 0x80 && u_isalpha(before)))
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (i)
            spoken_put(s, ' ', at + i);
        spoken_put(s, text[at + i], at + i);
    }
    return n;
}

static void put_word(struct spoken *s, const char *word, size_t origin)
{
    int32_t cp;
    for (size_t at = 0, len = strlen(word); (cp = utf8_next(word, len, &at)) >= 0;)
        spoken_put(s, cp, origin);
}

/* What the Mandarin and Cantonese voices read wrong or pass over in silence. */
static size_t put_chinese(struct spoken *s, const char *text, size_t len, size_t at)
{
    static const struct {
        const char *sign, *word;
    } signs[] = {
        {"℃", "摄氏度"},
        {"°C", "摄氏度"},
        {"°",  "度"      },
        {"&",   "和"      },
        {"%",   "百分号"}
    };
    size_t n = spoken_put_chinese_number(s, text, len, at);
    if (n == 0)
        n = put_capitals(s, text, len, at);
    for (size_t i = 0; n == 0 && i < COUNT(signs); i++)
        if (strncmp(text + at, signs[i].sign, strlen(signs[i].sign)) == 0) {
            put_word(s, signs[i].word, at);
            n = strlen(signs[i].sign);
        }
    return n;
}

void spoken_make(struct spoken *ret, const char *text, const char *lang)
{
    *ret = (struct spoken){0};
    struct reader r = {
        .chinese = strncmp(lang, "zh", 2) == 0 || strncmp(lang, "yue", 3) == 0,
        .korean = strncmp(lang, "ko", 2) == 0,
    };
    size_t len = strlen(text);
    int32_t before = ' ';
    for (size_t at = 0; at < len;) {
        size_t n = r.chinese ? put_chinese(ret, text, len, at) : 0;
        if (n) {
            before = ' ';
            at += n;
            continue;
        }
        size_t from = at;
        int32_t cp = utf8_next(text, len, &at);
        bool blank = is_unspeakable(cp, before, &r) || (cp == '\n');
        spoken_put(ret, blank ? ' ' : cp, from);
        before = cp;
    }
}
