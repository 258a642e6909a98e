/* Names of languages for the prompt, and what & is called in them. */
#include <string.h>
#include <strings.h>

#include <unicode/uloc.h>
#include <unicode/ustring.h>

#include "adapters/writer/llm_internal.h"

static bool name_in(const char *lang, const char *display, char *ret, size_t size)
{
    UChar wide[64];
    UErrorCode status = U_ZERO_ERROR;
    int32_t len = 0;
    int32_t n = uloc_getDisplayName(lang, display, wide, COUNT(wide), &status);
    u_strToUTF8(ret, (int32_t)size, &len, wide, n, &status);
    return U_SUCCESS(status) && status != U_STRING_NOT_TERMINATED_WARNING && len > 0;
}

static bool primary_is(const char *lang, const char *code)
{
    size_t n = strcspn(lang, "-_");
    return strlen(code) == n && strncasecmp(lang, code, n) == 0;
}

void llm_lang_name(const char *lang, char ret[static LLM_LANG_NAME_MAX])
{
    /* What people call the language is not always one that is written. */
    static const struct {
        const char *code, *note;
    } notes[] = {
        {"ar", ", Modern Standard Arabic"                 },
        {"zh", ", Mandarin, written in Chinese characters"},
    };
    char name[40];
    const char *note = "";
    if (!name_in(lang, "en", name, sizeof(name)))
        str_copy(name, sizeof(name), lang);
    for (size_t i = 0; i < COUNT(notes); i++)
        if (primary_is(lang, notes[i].code))
            note = notes[i].note;
    snprintf(ret, LLM_LANG_NAME_MAX, "%.30s (%.12s)%s", name, lang, note);
}

const char *llm_and(const char *lang)
{
    static const struct {
        const char *code, *word;
    } words[] = {
        {"en", "and"      },
        {"de", "und"      },
        {"fr", "et"       },
        {"es", "y"        },
        {"pt", "e"        },
        {"it", "e"        },
        {"nl", "en"       },
        {"pl", "i"        },
        {"ru", "и"       },
        {"uk", "і"       },
        {"tr", "ve"       },
        {"ar", "و"       },
        {"fa", "و"       },
        {"hi", "और"   },
        {"id", "dan"      },
        {"vi", "và"      },
        {"zh", "和"      },
        {"ja", "と"      },
        {"ko", "그리고"},
        {"th", "และ"},
        {"he", "ו"       },
        {"sv", "och"      },
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (primary_is(lang, words[i].code))
            return words[i].word;
    return " ";
}
