#include "adapters/speech/azure_parts.h"

#include <strings.h>

#include "core/base/strbuf.h"

enum {
    VOICES_MAX = 2000,
    NAME_ROOM = 64, /* story_settings.voice */
    LANG_ROOM = 16,
    LABEL_ROOM = 41,
    PRIOR_MS = 60000, /* what the documented rate weighs against measured ones */
};

/* --- making one --- */

static void add(struct azure_roster *r, const struct azure_voice *v)
{
    r->members[r->count].voice = *v;
    r->shown[r->count++] = (struct speech_voice){
        .name = v->name, .lang = v->lang, .label = v->label, .female = v->female};
}

static const cJSON *find_listed(const cJSON *list, const char *service)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (strcmp(json_text(item, "ShortName", ""), service) == 0 &&
            strcmp(json_text(item, "Status", "GA"), "Deprecated") != 0)
            return item;
    }
    return NULL;
}

/* WordsPerMinute, unless it is far from what the language is known for: it may count other units. */
static int listed_rate(const cJSON *item, int known)
{
    int64_t rate = 0;
    if (!str_to_int(json_text(item, "WordsPerMinute", ""), 1, 2000, &rate) ||
        (known && (rate * 2 < known || rate > 2 * (int64_t)known)))
        return known;
    return (int)rate;
}

static void add_ours(struct azure_roster *r, const cJSON *list)
{
    size_t count;
    const struct azure_voice *ours = azure_voices(&count);
    for (size_t i = 0; i < count; i++) {
        const cJSON *item = list ? find_listed(list, ours[i].service) : NULL;
        if (list && !item)
            continue;
        struct azure_voice v = ours[i];
        v.rate = listed_rate(item, v.rate);
        add(r, &v);
    }
}

static bool same_primary(const char *a, const char *b)
{
    size_t n = strcspn(a, "-_");
    return n == strcspn(b, "-_") && strncasecmp(a, b, n) == 0;
}

static int known_rate(const char *lang)
{
    size_t count;
    const struct azure_voice *ours = azure_voices(&count);
    for (size_t i = 0; i < count; i++)
        if (same_primary(ours[i].lang, lang))
            return ours[i].rate;
    return 0;
}

static bool is_ours(const char *service)
{
    size_t count;
    const struct azure_voice *ours = azure_voices(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(ours[i].service, service) == 0)
            return true;
    return false;
}

/* Voices whose word times can be had (sheet 2.2: those with a colon in their name send none), under the
   service's own name. */
static void add_other(struct azure_roster *r, const cJSON *item)
{
    const char *name = json_text(item, "ShortName", ""), *lang = json_text(item, "Locale", "");
    size_t len = strlen(name);
    bool female = strcmp(json_text(item, "Gender", "Female"), "Female") == 0;
    bool fits = len > 6 && len < NAME_ROOM && strcmp(name + len - 6, "Neural") == 0 &&
                !strpbrk(name, ": \t\r\n\"<>&'") && *lang && strlen(lang) < LANG_ROOM;
    int rate = listed_rate(item, known_rate(lang));
    if (!fits || rate <= 0 || is_ours(name) ||
        strcmp(json_text(item, "Status", "GA"), "Deprecated") == 0)
        return;
    char label[LABEL_ROOM];
    str_copy(label, sizeof(label), json_text(item, "LocalName", name));
    const char *own = arena_dup(&r->arena, name);
    struct azure_voice v = {
        .name = own,
        .lang = arena_dup(&r->arena, lang),
        .service = own,
        .label = arena_dup(&r->arena, label),
        .female = female,
        .rate = rate,
    };
    add(r, &v);
}

static void take_measures(struct azure_roster *r, const struct azure_roster *before)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < before->count; k++)
            if (strcmp(r->members[i].voice.service, before->members[k].voice.service) == 0) {
                r->members[i].units = before->members[k].units;
                r->members[i].ms = before->members[k].ms;
            }
}

struct azure_roster *azure_roster_make(const cJSON *list, struct azure_roster *before)
{
    size_t ours;
    azure_voices(&ours);
    size_t listed = list ? (size_t)cJSON_GetArraySize(list) : 0;
    size_t room = ours + MIN(listed, (size_t)VOICES_MAX);
    struct azure_roster *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->members = calloc(room, sizeof(*r->members));
    r->shown = calloc(room, sizeof(*r->shown));
    if (r->members && r->shown)
        add_ours(r, list);
    if (r->count == 0) { /* no list of the service's that we could do anything with */
        azure_roster_free(r);
        return NULL;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (r->count < room)
            add_other(r, item);
    }
    if (before)
        take_measures(r, before);
    r->older = before;
    return r;
}

void azure_roster_free(struct azure_roster *r)
{
    while (r) {
        struct azure_roster *older = r->older;
        arena_free(&r->arena);
        free(r->members);
        free(r->shown);
        free(r);
        r = older;
    }
}

/* --- choosing --- */

/* The first voice for a BCP 47 tag: its region's, else its language's; NULL. */
static struct azure_member *find_language(const struct azure_roster *r, const char *tag)
{
    static const struct {
        const char *tag, *lang;
    } aliases[] = {
        {"zh-Hant",    "zh-TW"},
        {"zh-Hant-TW", "zh-TW"},
        {"zh-Hant-HK", "zh-HK"},
        {"zh-MO",      "zh-HK"},
        {"yue",        "zh-HK"},
        {"cmn",        "zh-CN"},
        {"es-419",     "es-MX"},
        {"es-US",      "es-MX"},
        {"es-AR",      "es-MX"},
        {"es-CO",      "es-MX"},
        {"en-AU",      "en-GB"},
        {"en-IE",      "en-GB"},
        {"en-NZ",      "en-GB"},
        {"iw",         "he-IL"},
        {"in",         "id-ID"}
    };
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (strcasecmp(aliases[i].tag, tag) == 0)
            tag = aliases[i].lang;
    for (size_t i = 0; i < r->count; i++)
        if (strcasecmp(r->members[i].voice.lang, tag) == 0)
            return &r->members[i];
    for (size_t i = 0; i < r->count; i++)
        if (same_primary(r->members[i].voice.lang, tag))
            return &r->members[i];
    return NULL;
}

struct azure_member *azure_voice_choose(const struct azure_roster *r, const char *lang,
                                        const char *name, struct err *e)
{
    struct azure_member *own = find_language(r, lang);
    if (!own) {
        err_set_arg(e, ERR_UNSUPPORTED, "make.no_voice_for_language", lang,
                    "azure: no voice for %s", lang);
        return NULL;
    }
    if (!name || !name[0])
        return own;
    for (size_t i = 0; i < r->count; i++)
        if (strcasecmp(r->members[i].voice.name, name) == 0 &&
            same_primary(r->members[i].voice.lang, own->voice.lang))
            return &r->members[i];
    err_set_arg(e, ERR_UNSUPPORTED, "make.unknown_voice", name, "azure: no voice %s for %s", name,
                lang);
    return NULL;
}

bool azure_voice_is_default(const struct azure_voice *v)
{
    size_t count;
    const struct azure_voice *ours = azure_voices(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(ours[i].lang, v->lang) == 0)
            return strcmp(ours[i].service, v->service) == 0;
    return false;
}

/* --- how fast it speaks --- */

int azure_member_rate(const struct azure_member *m)
{
    int64_t units = m->units, ms = m->ms;
    return (int)(((int64_t)m->voice.rate * PRIOR_MS / 60000 + units) * 60000 / (PRIOR_MS + ms));
}

void azure_member_spoke(struct azure_member *m, int64_t units, int64_t ms)
{
    if (units <= 0 || ms <= 0)
        return;
    m->units += units;
    m->ms += ms;
}
