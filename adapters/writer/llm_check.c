/* Is it in the asked language, and is it as long as asked? */
#include <string.h>
#include <strings.h>

#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

enum {
    SCRIPT_SHARE_MIN = 60,  /* per cent of the letters */
    GOOD_PER_MILLE = 100,   /* asked once more beyond this */
    FAIR_PER_MILLE = 250,   /* not used beyond this */
    ENGLISH_WORDS_MIN = 12, /* too few words say nothing */
    CODES_MAX = 8,
};

/* --- script --- */

/* The scripts that a language is written in; 0 when ICU does not know. */
static int scripts_of(const char *lang, UScriptCode ret[static CODES_MAX])
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t count = uscript_getCode(lang, ret, CODES_MAX, &status);
    if (U_FAILURE(status) || count <= 0)
        return 0;
    for (int32_t i = 0; i < count; i++)
        if (ret[i] == USCRIPT_SIMPLIFIED_HAN || ret[i] == USCRIPT_TRADITIONAL_HAN)
            ret[i] = USCRIPT_HAN;
    return count;
}

static bool in_list(const UScriptCode *list, int count, UScriptCode code)
{
    for (int i = 0; i < count; i++)
        if (list[i] == code)
            return true;
    return false;
}

int llm_script_share(const char *text, const char *lang)
{
    UScriptCode codes[CODES_MAX];
    int count = scripts_of(lang, codes);
    size_t len = strlen(text), letters = 0, own = 0;
    int32_t cp;
    if (count == 0)
        return 100;
    for (size_t at = 0; (cp = utf8_next(text, len, &at)) >= 0;) {
        UErrorCode status = U_ZERO_ERROR;
        if (!u_isalpha(cp))
            continue;
        UScriptCode code = uscript_getScript(cp, &status);
        if (code == USCRIPT_COMMON || code == USCRIPT_INHERITED)
            continue;
        letters++;
        own += in_list(codes, count, code);
    }
    return letters ? (int)(own * 100 / letters) : 0;
}

/* --- language --- */

static bool same_code(const char *a, size_t a_len, const char *b)
{
    return strlen(b) == a_len && strncasecmp(a, b, a_len) == 0;
}

/* One language, several codes. */
static const char *main_code(const char *code, size_t len)
{
    static const char *const twins[][2] = {
        {"cmn", "zh" },
        {"nb",  "no" },
        {"nn",  "no" },
        {"iw",  "he" },
        {"in",  "id" },
        {"tl",  "fil"},
        {"arb", "ar" },
        {"pes", "fa" },
        {"yue", "zh" },
    };
    for (size_t i = 0; i < COUNT(twins); i++)
        if (same_code(code, len, twins[i][0]))
            return twins[i][1];
    return NULL;
}

static bool code_is(const char *claimed, size_t len, const char *lang)
{
    size_t lang_len = strcspn(lang, "-_");
    const char *a = main_code(claimed, len), *b = main_code(lang, lang_len);
    size_t a_len = a ? strlen(a) : len, b_len = b ? strlen(b) : lang_len;
    return a_len == b_len && strncasecmp(a ? a : claimed, b ? b : lang, a_len) == 0;
}

static bool is_code(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z')))
            return false;
    return len == 2 || len == 3;
}

bool llm_language_is(const char *claimed, const char *lang)
{
    size_t len = strcspn(claimed, "-_");
    if (!is_code(claimed, len))
        return true; /* "German", "Deutsch", "": the letters have to tell */
    return code_is(claimed, len, lang);
}

/* English where another Latin language was asked for: "the" is a word of no other large one. */
static bool sounds_english(const char *text)
{
    size_t words = 0, the = 0;
    for (const char *p = text; *p;) {
        p += strspn(p, " ");
        size_t n = strcspn(p, " ");
        words += n > 0;
        the += n == 3 && strncasecmp(p, "the", 3) == 0;
        p += n;
    }
    return words >= ENGLISH_WORDS_MIN && the >= 2 && the * 100 >= words * 3;
}

/* Japanese without a single kana is Chinese. */
static bool has_kana(const char *text)
{
    size_t len = strlen(text);
    int32_t cp;
    for (size_t at = 0; (cp = utf8_next(text, len, &at)) >= 0;)
        if (cp >= 0x3041 && cp <= 0x30FF)
            return true;
    return false;
}

static bool right_language(struct llm_draft *d, const char *all, const struct llm_wish *w)
{
    char name[LLM_LANG_NAME_MAX];
    int share = llm_script_share(all, w->lang);
    bool english = code_is("en", 2, w->lang);
    bool ok = share >= SCRIPT_SHARE_MIN && llm_language_is(d->language, w->lang) &&
              (english || !sounds_english(all)) && (!code_is("ja", 2, w->lang) || has_kana(all));
    llm_lang_name(w->lang, name);
    if (!ok)
        strbuf_addf(&d->faults, "- it is not in the asked language, %s\n", name);
    return ok;
}

/* --- length --- */

static int64_t film_ms(const struct script *s, const struct llm_wish *w, size_t *ret_units)
{
    size_t units = 0;
    for (size_t i = 0; i < s->scene_count; i++)
        units += text_units(s->scenes[i].narration, w->lang);
    *ret_units = units;
    return (int64_t)units * 60000 / w->rate + (int64_t)s->scene_count * LLM_SCENE_PAUSE_MS +
           LLM_END_MS;
}

static enum llm_grade judge_length(struct llm_draft *d, const struct llm_wish *w)
{
    size_t units = 0;
    int64_t ms = film_ms(&d->script, w, &units), want = (int64_t)w->seconds * 1000;
    d->off = (int)MIN(llabs(ms - want) * 1000 / want, 1000000);
    bool over = w->seconds_max > 0 && ms > (int64_t)w->seconds_max * 1000;
    if (d->off <= GOOD_PER_MILLE && !over)
        return GRADE_GOOD;
    /* What the model has to add or leave out, in the unit that it can count. */
    int64_t spoken = want - (ms - (int64_t)units * 60000 / w->rate);
    int64_t goal = MAX(spoken * w->rate / 60000, w->units / 2);
    strbuf_addf(&d->faults, "- it is too %s: %zu %s instead of %lld\n",
                ms > want ? "long" : "short", units, w->characters ? "characters" : "words",
                (long long)goal);
    return d->off <= FAIR_PER_MILLE && !over ? GRADE_FAIR : GRADE_BAD;
}

enum llm_grade llm_draft_judge(struct llm_draft *d, const struct llm_wish *w)
{
    struct strbuf all = STRBUF(LLM_REPLY_MAX);
    const struct script *s = &d->script;
    if (s->scene_count == 0) {
        strbuf_adds(&d->faults, "- there is nothing to narrate in it\n");
        return GRADE_BAD;
    }
    for (size_t i = 0; i < s->scene_count; i++)
        strbuf_addf(&all, "%s%s", i ? " " : "", s->scenes[i].narration);
    bool language = right_language(d, strbuf_text(&all), w);
    strbuf_free(&all);
    enum llm_grade grade = judge_length(d, w);
    if (d->terms_lost * 2 > s->scene_count) {
        strbuf_adds(&d->faults, "- most search_terms are missing or not English\n");
        grade = MIN(grade, GRADE_FAIR);
    }
    return language ? grade : GRADE_BAD;
}
