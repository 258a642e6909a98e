#include "adapters/speech/espeak.h"

#include <limits.h>
#include <unistd.h>

#include "adapters/speech/espeak_parts.h"
#include "core/base/strbuf.h"

enum { TEXT_MAX = 4000 };

/* Female is variant f2 everywhere: of the 40 variants it has the clearest harmonics among those
   that neither clip nor lose their intonation. Rates: units a minute at speed 1, pauses included,
   measured over the paragraphs of tests/test_speech.c. */
static const struct language {
    const char *lang;    /* BCP 47 */
    const char *voice;   /* espeak-ng's own name */
    const char *male[2]; /* name, label */
    const char *female[2];
    int pace; /* espeak-ng's nominal words a minute that sound unhurried */
    int rate;
} languages[] = {
    {"en",    "en-us",           {"en-tom", "Tom"},                  {"en-anna", "Anna"},                145, 164},
    {"en-GB", "en",              {"gb-jack", "Jack"},                {"gb-emma", "Emma"},                145, 166},
 /* Not "cmn": that one reads its own pinyin as English letters. */
    {"zh",    "cmn-latn-pinyin", {"zh-wei", "伟"},                  {"zh-mei", "美"},                  180, 224},
    {"zh-HK", "yue",             {"yue-ming", "明"},                {"yue-ling", "玲"},                165, 232},
    {"ar",    "ar",              {"ar-omar", "عمر"},              {"ar-layla", "ليلى"},           160, 104},
    {"es",    "es",              {"es-diego", "Diego"},              {"es-lucia", "Lucía"},             150, 174},
    {"es-MX", "es-419",          {"mx-luis", "Luis"},                {"mx-maria", "María"},             150, 159},
    {"fr",    "fr",              {"fr-louis", "Louis"},              {"fr-claire", "Claire"},            138, 188},
    {"de",    "de",              {"de-jonas", "Jonas"},              {"de-lena", "Lena"},                150, 167},
    {"pt-BR", "pt-br",           {"pt-bruno", "Bruno"},              {"pt-ana", "Ana"},                  145, 171},
    {"pt-PT", "pt",              {"pt-rui", "Rui"},                  {"pt-ines", "Inês"},               145, 171},
    {"it",    "it",              {"it-marco", "Marco"},              {"it-giulia", "Giulia"},            155, 174},
    {"ru",    "ru",              {"ru-ivan", "Иван"},            {"ru-olga", "Ольга"},          152, 166},
    {"uk",    "uk",              {"uk-taras", "Тарас"},         {"uk-oksana", "Оксана"},      152, 161},
    {"hi",    "hi",              {"hi-arjun", "अर्जुन"}, {"hi-priya", "प्रिया"}, 148, 171},
    {"ko",    "ko",              {"ko-minho", "민호"},             {"ko-jisu", "지수"},              160, 107},
    {"tr",    "tr",              {"tr-emre", "Emre"},                {"tr-elif", "Elif"},                160, 123},
    {"pl",    "pl",              {"pl-jan", "Jan"},                  {"pl-zofia", "Zofia"},              160, 132},
    {"nl",    "nl",              {"nl-daan", "Daan"},                {"nl-sanne", "Sanne"},              150, 165},
    {"id",    "id",              {"id-budi", "Budi"},                {"id-sari", "Sari"},                160, 146},
    {"vi",    "vi",              {"vi-nam", "Nam"},                  {"vi-lan", "Lan"},                  148, 214},
    {"fa",    "fa",              {"fa-reza", "رضا"},              {"fa-sara", "سارا"},            160, 157},
};

enum { VOICES = 2 * COUNT(languages) };

struct espeak {
    struct speak_pool *pool;
    struct speech_voice voices[VOICES]; /* language i has 2i and 2i + 1 */
};

/* --- which voice --- */

static size_t primary_len(const char *tag)
{
    return strcspn(tag, "-_");
}

static bool same_primary(const char *a, const char *b)
{
    size_t n = primary_len(a);
    return n == primary_len(b) && strncasecmp(a, b, n) == 0;
}

/* The row for a BCP 47 tag: its region's when there is one, else its language's first; NULL. */
static const struct language *find_language(const char *tag)
{
    static const struct {
        const char *tag, *row;
    } aliases[] = {
        {"yue",        "zh-HK"},
        {"zh-Hant-HK", "zh-HK"},
        {"zh-MO",      "zh-HK"},
        {"cmn",        "zh"   },
        {"pt",         "pt-BR"},
        {"es-419",     "es-MX"},
        {"es-AR",      "es-MX"},
        {"es-CO",      "es-MX"},
        {"es-US",      "es-MX"},
        {"en-AU",      "en-GB"},
        {"en-IE",      "en-GB"},
        {"en-NZ",      "en-GB"}
    };
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (strcasecmp(aliases[i].tag, tag) == 0)
            tag = aliases[i].row;
    for (size_t i = 0; i < COUNT(languages); i++)
        if (strcasecmp(languages[i].lang, tag) == 0)
            return &languages[i];
    for (size_t i = 0; i < COUNT(languages); i++)
        if (same_primary(languages[i].lang, tag))
            return &languages[i];
    return NULL;
}

/* The row that has this voice; NULL. */
static const struct language *find_voice(const char *name, bool *ret_female)
{
    for (size_t i = 0; i < COUNT(languages); i++) {
        *ret_female = strcasecmp(languages[i].female[0], name) == 0;
        if (*ret_female || strcasecmp(languages[i].male[0], name) == 0)
            return &languages[i];
    }
    return NULL;
}

/* The row to speak with; NULL: refused. */
static const struct language *choose(const char *lang, const char *voice, bool *ret_female,
                                     struct err *e)
{
    const struct language *own = find_language(lang);
    *ret_female = false;
    if (!own) {
        err_set_arg(e, ERR_UNSUPPORTED, "make.no_voice_for_language", lang,
                    "espeak-ng: no usable voice for %s", lang);
        return NULL;
    }
    if (!voice || !voice[0])
        return own;
    const struct language *named = find_voice(voice, ret_female);
    if (named && same_primary(named->lang, own->lang))
        return named;
    err_set_arg(e, ERR_UNSUPPORTED, "make.unknown_voice", voice, "voice %s is not of language %s",
                voice, lang);
    return NULL;
}

/* --- the slots --- */

static const struct speech_voice *espeak_voices(void *self, size_t *ret_count)
{
    const struct espeak *es = self;
    *ret_count = VOICES;
    return es->voices;
}

static int espeak_rate(void *self, const char *lang, const char *voice)
{
    (void)self;
    bool female;
    struct err ignored = {0};
    const struct language *row = choose(lang, voice, &female, &ignored);
    return row ? row->rate : 0;
}

static bool say(struct espeak *es, const struct speech_request *r, const struct language *row,
                bool female, struct speech_result *ret, struct err *e)
{
    AUTO(spoken_free) struct spoken s;
    AUTO(utterance_free) struct utterance u = {0};
    char voice[WIRE_VOICE_MAX + 1];
    spoken_make(&s, r->text, row->lang);
    if (!s.has_words)
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "nothing in the scene can be spoken");
    snprintf(voice, sizeof(voice), "%s%s", row->voice, female ? "+f2" : "");
    double speed = r->speed > 0 ? CLAMP(r->speed, 0.5, 2.0) : 1.0;
    if (!speak_pool_say(es->pool, voice, (unsigned)(row->pace * speed + 0.5), s.text, s.len,
                        r->cancel, &u, e))
        return false;
    if (!utterance_trim(&u))
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "the voice stayed silent");
    AUTO(free_ptr) struct speech_word *words = NULL;
    size_t count;
    if (!utterance_times(&u, &s, r->text, r->lang, &words, &count, e) ||
        !utterance_save(&u, r->wav_path, e))
        return false;
    ret->duration_ms = (int)((int64_t)u.count * 1000 / u.sample_rate);
    ret->words = TAKE(words);
    ret->word_count = count;
    return true;
}

static bool espeak_speak(void *self, const struct speech_request *request,
                         struct speech_result *ret_result, struct err *e)
{
    bool female;
    if (cancel_fired(request->cancel))
        return err_set(e, ERR_CANCELLED, "make.cancelled", "cancelled before speaking");
    const struct language *row = choose(request->lang, request->voice, &female, e);
    if (!row)
        return false;
    if (strlen(request->text) > TEXT_MAX)
        return err_set_arg(e, ERR_LIMIT, "make.too_long", "600", "scene of %zu bytes",
                           strlen(request->text));
    return say(self, request, row, female, ret_result, e);
}

static void espeak_destroy(void *self)
{
    struct espeak *es = self;
    if (!es)
        return;
    speak_pool_destroy(es->pool);
    free(es);
}

static const struct speech_engine_ops espeak_ops = {
    .name = "espeak",
    .voices = espeak_voices,
    .speak = espeak_speak,
    .rate = espeak_rate,
    .destroy = espeak_destroy,
    .price_rank = 10,
};

/* --- making it --- */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

/* Beside our own program: in its folder, above it (tests), or where `make install` puts it. */
static bool find_helper(const char *given, char ret_path[static PATH_MAX])
{
    static const char *const places[] = {"nanotik-speak", "../nanotik-speak",
                                         "../lib/nanotik/nanotik-speak",
                                         "../libexec/nanotik/nanotik-speak"};
    const char *named = given ? given : getenv("NANOTIK_SPEAK");
    if (named && *named) {
        str_copy(ret_path, PATH_MAX, named);
        return is_program(ret_path);
    }
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[MAX(n, 0)] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < COUNT(places); i++) {
        int len = snprintf(ret_path, PATH_MAX, "%s/%s", self, places[i]);
        if (len < PATH_MAX && is_program(ret_path))
            return true;
    }
    snprintf(ret_path, PATH_MAX, "%.2000s/nanotik-speak", self);
    return false;
}

static void list_voices(struct espeak *es)
{
    for (size_t i = 0; i < VOICES; i++) {
        const struct language *l = &languages[i / 2];
        bool female = i % 2;
        const char *const *who = female ? l->female : l->male;
        es->voices[i] = (struct speech_voice){
            .name = who[0], .lang = l->lang, .label = who[1], .female = female};
    }
}

bool espeak_create_with(const struct espeak_options *options, struct speech_engine *ret,
                        struct err *e)
{
    char path[PATH_MAX];
    if (!find_helper(options->helper, path))
        return err_set_arg(e, ERR_CONFIG, "doctor.no_speak_helper", path,
                           "voice helper %s: no such program", path);
    struct espeak *es = calloc(1, sizeof(*es));
    if (!es)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory");
    list_voices(es);
    if (!speak_pool_create(path, options->helpers, options->deadline_ms, &es->pool, e)) {
        free(es);
        return false;
    }
    *ret = (struct speech_engine){.ops = &espeak_ops, .self = es};
    return true;
}

bool espeak_create(const char *helper, struct speech_engine *ret, struct err *e)
{
    struct espeak_options options = {.helper = helper};
    return espeak_create_with(&options, ret, e);
}
