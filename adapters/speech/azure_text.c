#include <strings.h>

#include <unicode/uchar.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

/* "&" as it is said. An entity in its place spoils the word events of some voices. */
static const char *word_for_and(const char *lang)
{
    static const struct {
        const char *lang, *word;
    } words[] = {
        {"en", "and"      },
        {"zh", "和"      },
        {"ar", "و"       },
        {"es", "y"        },
        {"fr", "et"       },
        {"de", "und"      },
        {"pt", "e"        },
        {"it", "e"        },
        {"ru", "и"       },
        {"uk", "і"       },
        {"hi", "और"   },
        {"id", "dan"      },
        {"ja", "と"      },
        {"ko", "그리고"},
        {"tr", "ve"       },
        {"pl", "i"        },
        {"vi", "và"      },
        {"th", "และ"},
        {"nl", "en"       },
        {"fa", "و"       },
        {"he", "ו"       }
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (strncasecmp(words[i].lang, lang, 2) == 0)
            return words[i].word;
    return "";
}

static void put_and(struct spoken *s, const char *lang, size_t origin)
{
    const char *word = word_for_and(lang);
    size_t len = strlen(word), at = 0;
    spoken_put(s, ' ', origin);
    while (at < len)
        spoken_put(s, utf8_next(word, len, &at), origin);
    spoken_put(s, ' ', origin);
}

/* What no voice reads, XML forbids, or markup would be made of. Quotes stay as they are. */
static bool is_blank(int32_t cp, int32_t before)
{
    if (cp < 0x20 || cp == '<' || cp == '>' || cp == 0xFFFD || cp == 0xFFFE || cp == 0xFFFF)
        return true;
    if (text_is_emoji(cp) || (cp == 0x200D && text_is_emoji(before)))
        return true;
    switch (u_charType(cp)) {
    case U_CONTROL_CHAR:
    case U_PRIVATE_USE_CHAR:
    case U_UNASSIGNED:
    case U_SURROGATE:
        return true;
    case U_FORMAT_CHAR: /* joiners shape Persian and Indic words */
        return cp != 0x200C && cp != 0x200D;
    default:
        return cp == '*' || cp == '_' || cp == '~' || cp == '|' || cp == '\\' || cp == '^' ||
               cp == '`';
    }
}

void azure_spoken_make(struct spoken *ret, const char *text, const char *lang)
{
    size_t len = strlen(text);
    int32_t before = 0;
    *ret = (struct spoken){0};
    for (size_t at = 0; at < len;) {
        size_t from = at;
        int32_t cp = utf8_next(text, len, &at);
        if (cp == '&')
            put_and(ret, lang, from);
        else
            spoken_put(ret, is_blank(cp, before) ? ' ' : cp, from);
        before = cp;
    }
}

/* No <break>: it spoils the word events. Pauses are put between the scenes by the mixer. */
void azure_ssml(struct strbuf *out, const struct azure_voice *v, const struct spoken *s,
                double speed)
{
    int percent = (int)(CLAMP(speed > 0 ? speed : 1.0, 0.5, 2.0) * 100 + 0.5) - 100;
    strbuf_addf(out,
                "<speak version=\"1.0\" xmlns=\"http://www.w3.org/2001/10/synthesis\" "
                "xmlns:mstts=\"http://www.w3.org/2001/mstts\" xml:lang=\"%s\"><voice name=\"%s\">",
                v->lang, v->service);
    if (percent)
        strbuf_addf(out, "<prosody rate=\"%+d%%\">", percent);
    for (size_t i = 0; i < s->len; i++)
        if (s->text[i] == '&') /* none is left by azure_spoken_make; whoever calls may differ */
            strbuf_adds(out, "&amp;");
        else if (s->text[i] == '<')
            strbuf_adds(out, "&lt;");
        else if (s->text[i] == '>')
            strbuf_adds(out, "&gt;");
        else
            strbuf_addc(out, s->text[i]);
    strbuf_adds(out, percent ? "</prosody></voice></speak>" : "</voice></speak>");
}
