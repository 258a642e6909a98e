#include <assert.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/net/json.h"
#include "core/story/storyboard.h"
#include "core/story/storyboard_names.h"

/* Bounds of a loaded document that the limits in storyboard.h do not already give. */
enum {
    JSON_DEPTH = 10,
    JSON_NODES = 600000,
    TITLE_BYTES = 400,
    TERM_BYTES = 200,
    FILE_BYTES = 1023,
    SPEECH_MS_MAX = 600000,
    SIDE_MAX = 16384, /* pixels */
};
#define MS_MAX INT64_C(86400000) /* of a clip */

/* The first fault stops all further reads; it names its field. */
struct reader {
    struct err *e;
    bool ok;
    char where[48]; /* "scenes[2].speech." */
};

static bool fault(struct reader *r, const char *name, const char *why)
{
    char path[128];
    snprintf(path, sizeof(path), "%s%s", r->where, name);
    if (r->ok)
        err_set_arg(r->e, ERR_INPUT, "make.bad_story", path, "storyboard: %s: %s", path, why);
    r->ok = false;
    return false;
}

static const cJSON *item_of(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool text_is_plain(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\n') || *text == 0x7F)
            return false;
    return true;
}

/* The item's text, checked; NULL after a fault. */
static const char *check_text(struct reader *r, const cJSON *item, const char *name, size_t max)
{
    if (!r->ok)
        return NULL;
    if (!cJSON_IsString(item) || !item->valuestring) {
        fault(r, name, item ? "not a text" : "missing");
        return NULL;
    }
    if (strlen(item->valuestring) > max || !text_is_plain(item->valuestring)) {
        fault(r, name, "too long, or control characters in it");
        return NULL;
    }
    return item->valuestring;
}

/* Into an array; an absent one leaves it empty. */
static void read_array_text(struct reader *r, const cJSON *object, const char *name, char *ret,
                            size_t size)
{
    const cJSON *item = item_of(object, name);
    const char *text = item ? check_text(r, item, name, size - 1) : NULL;
    if (text)
        str_copy(ret, size, text);
}
#define READ_ARRAY(r, object, name, array) read_array_text(r, object, name, array, sizeof(array))

static char *read_text(struct reader *r, const cJSON *object, const char *name, size_t max)
{
    const char *text = check_text(r, item_of(object, name), name, max);
    return text ? str_dup(text) : NULL;
}

static int64_t check_int(struct reader *r, const cJSON *item, const char *name, int64_t low,
                         int64_t high)
{
    int64_t value = 0;
    if (!r->ok)
        return low;
    if (!json_item_int(item, &value))
        fault(r, name, item ? "not a whole number" : "missing");
    else if (value < low || value > high)
        fault(r, name, "out of bounds");
    return r->ok ? value : low;
}

/* An absent number is 0. */
static int64_t read_int(struct reader *r, const cJSON *object, const char *name, int64_t low,
                        int64_t high)
{
    const cJSON *item = item_of(object, name);
    return item ? check_int(r, item, name, low, high) : 0;
}

static uint64_t read_seed(struct reader *r, const cJSON *object)
{
    const cJSON *item = item_of(object, "seed");
    if (!item)
        return 0;
    const char *text = check_text(r, item, "seed", 20);
    if (!text)
        return 0;
    uint64_t value = 0;
    bool good = *text != '\0';
    for (; *text && good; text++)
        good = *text >= '0' && *text <= '9' && !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value);
    if (!good)
        fault(r, "seed", "not a decimal number of 64 bits");
    return value;
}

/* The object's member, which must be an object; NULL when absent or after a fault. */
static const cJSON *read_object(struct reader *r, const cJSON *object, const char *name)
{
    const cJSON *item = item_of(object, name);
    if (!r->ok || !item)
        return NULL;
    if (!cJSON_IsObject(item)) {
        fault(r, name, "not an object");
        return NULL;
    }
    return item;
}

static bool in_list(const char *const *list, const char *text)
{
    for (size_t i = 0; list[i]; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

static void read_settings(struct reader *r, const cJSON *doc, struct story_settings *s)
{
    const cJSON *o = read_object(r, doc, "settings");
    if (!o) {
        fault(r, "settings", "missing");
        return;
    }
    str_copy(r->where, sizeof(r->where), "settings.");
    const char *aspect = check_text(r, item_of(o, "aspect"), "aspect", 8);
    if (aspect && !story_aspect_parse(aspect, &s->aspect))
        fault(r, "aspect", "unknown");
    const char *tier = check_text(r, item_of(o, "tier"), "tier", 16);
    if (tier && !story_tier_parse(tier, &s->tier))
        fault(r, "tier", "unknown");
    READ_ARRAY(r, o, "lang", s->lang);
    if (r->ok && !s->lang[0])
        fault(r, "lang", "missing");
    READ_ARRAY(r, o, "voice", s->voice);
    s->seconds = (int)read_int(r, o, "seconds", 0, 86400);
    if (item_of(o, "speed"))
        s->speed = (int)read_int(r, o, "speed", STORY_SPEED_MIN, STORY_SPEED_MAX);
    READ_ARRAY(r, o, "style", s->style);
    if (s->style[0] && !in_list(story_styles, s->style))
        fault(r, "style", "unknown");
    READ_ARRAY(r, o, "script", s->script);
    if (s->script[0] && !in_list(story_scripts, s->script))
        fault(r, "script", "unknown");
    READ_ARRAY(r, o, "wish", s->wish);
    READ_ARRAY(r, o, "music", s->music);
    if (s->music[0] && strcmp(s->music, "off") != 0 && !in_list(story_moods, s->music))
        fault(r, "music", "unknown");
    s->seed = read_seed(r, o);
    s->byte_limit = read_int(r, o, "byte_limit", 0, INT64_C(1) << 50);
    r->where[0] = '\0';
}

/* Word number `index`, which must follow the one before it and lie inside the narration. */
static void read_word(struct reader *r, const cJSON *item, struct scene *s, size_t index)
{
    assert(s->speech.words);
    const struct speech_word *before = index ? &s->speech.words[index - 1] : NULL;
    int64_t bytes = (int64_t)strlen(s->narration);
    int64_t least_at = before ? (int64_t)(before->at + before->len) : 0;
    int64_t v[4] = {0};
    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != 4) {
        fault(r, "words", "a word is not [at, len, start, end]");
        return;
    }
    v[0] = check_int(r, item->child, "words", least_at, bytes);
    v[1] = check_int(r, item->child->next, "words", 1, bytes - v[0]);
    v[2] = check_int(r, item->child->next->next, "words", before ? before->start_ms : 0,
                     s->speech.duration_ms);
    v[3] = check_int(r, item->child->next->next->next, "words", v[2], s->speech.duration_ms);
    if (r->ok && (utf8_cut(s->narration, (size_t)v[0]) != (size_t)v[0] ||
                  utf8_cut(s->narration, (size_t)(v[0] + v[1])) != (size_t)(v[0] + v[1])))
        fault(r, "words", "splits a character");
    s->speech.words[index] = (struct speech_word){(size_t)v[0], (size_t)v[1], (int)v[2], (int)v[3]};
}

static void read_words(struct reader *r, const cJSON *list, size_t count, struct scene *s)
{
    s->speech.words = calloc(count, sizeof(*s->speech.words));
    if (!s->speech.words) {
        fault(r, "words", "out of memory");
        return;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (!r->ok)
            return;
        read_word(r, item, s, s->speech.word_count);
        s->speech.word_count++;
    }
}

static void read_speech(struct reader *r, const cJSON *scene, struct scene *s)
{
    const cJSON *o = read_object(r, scene, "speech");
    if (!o)
        return;
    size_t base = strlen(r->where);
    snprintf(r->where + base, sizeof(r->where) - base, "speech.");
    s->speech.file = read_text(r, o, "file", FILE_BYTES);
    if (s->speech.file && !s->speech.file[0])
        fault(r, "file", "empty");
    READ_ARRAY(r, o, "engine", s->speech.engine);
    s->speech.duration_ms =
        (int)check_int(r, item_of(o, "duration_ms"), "duration_ms", 1, SPEECH_MS_MAX);
    const cJSON *words = item_of(o, "words");
    if (words && !cJSON_IsArray(words))
        fault(r, "words", "not a list");
    int count = r->ok && words ? cJSON_GetArraySize(words) : 0;
    if (count > STORY_NARRATION_MAX)
        fault(r, "words", "too many");
    if (r->ok && count > 0)
        read_words(r, words, (size_t)count, s);
    r->where[base] = '\0';
}

static void read_footage(struct reader *r, const cJSON *scene, const char *name, struct footage *f)
{
    const cJSON *o = read_object(r, scene, name);
    if (!o)
        return;
    size_t base = strlen(r->where);
    snprintf(r->where + base, sizeof(r->where) - base, "%s.", name);
    const char *kind = check_text(r, item_of(o, "kind"), "kind", 16);
    size_t i = 0;
    while (kind && i < STORY_KINDS && strcmp(kind, story_kind_names[i]) != 0)
        i++;
    if (i == STORY_KINDS)
        fault(r, "kind", "unknown");
    else
        f->kind = (enum footage_kind)i;
    READ_ARRAY(r, o, "provider", f->provider);
    READ_ARRAY(r, o, "id", f->id);
    READ_ARRAY(r, o, "author", f->author);
    READ_ARRAY(r, o, "page", f->page);
    READ_ARRAY(r, o, "licence", f->licence);
    READ_ARRAY(r, o, "file", f->path);
    READ_ARRAY(r, o, "look", f->look);
    f->seed = read_seed(r, o);
    f->in_ms = read_int(r, o, "in_ms", 0, MS_MAX);
    f->duration_ms = read_int(r, o, "duration_ms", 0, MS_MAX);
    f->width = (int)read_int(r, o, "width", 0, SIDE_MAX);
    f->height = (int)read_int(r, o, "height", 0, SIDE_MAX);
    r->where[base] = '\0';
}

/* A timeline without gaps: each scene starts where the one before it ends. */
static void read_cut(struct reader *r, const cJSON *scene, struct scene *s,
                     const struct scene *last)
{
    const cJSON *o = read_object(r, scene, "cut");
    if (!o)
        return;
    int64_t first = last ? last->cut.first_frame + last->cut.frames : 0;
    const int64_t most = (int64_t)SPEECH_MS_MAX * STORY_FPS / 1000 + INT64_C(10) * STORY_FPS;
    if (!s->speech.file || (last && last->cut.frames == 0))
        fault(r, "cut", "before the scene is spoken, or after one that is not cut");
    s->cut.first_frame =
        (int)check_int(r, item_of(o, "first_frame"), "cut.first_frame", first, first);
    s->cut.frames = (int)check_int(r, item_of(o, "frames"), "cut.frames", 1, most);
    s->cut.start_ms = (int)check_int(r, item_of(o, "start_ms"), "cut.start_ms",
                                     first * 1000 / STORY_FPS - 34, first * 1000 / STORY_FPS + 34);
}

static void read_terms(struct reader *r, const cJSON *scene, struct scene *s)
{
    const cJSON *list = item_of(scene, "search"), *item;
    if (list && !cJSON_IsArray(list))
        fault(r, "search", "not a list");
    if (r->ok && cJSON_GetArraySize(list) > STORY_TERMS_MAX)
        fault(r, "search", "too many");
    if (!r->ok)
        return;
    cJSON_ArrayForEach(item, list)
    {
        const char *term = check_text(r, item, "search", TERM_BYTES);
        if (!term)
            return;
        s->terms[s->term_count++] = str_dup(term);
    }
}

static void read_scene(struct reader *r, const cJSON *item, struct storyboard *s)
{
    struct scene *it = &s->scenes[s->scene_count];
    snprintf(r->where, sizeof(r->where), "scenes[%zu]", s->scene_count);
    s->scene_count++; /* from here on storyboard_free frees what it gets */
    if (!cJSON_IsObject(item)) {
        fault(r, "", "not an object");
        return;
    }
    str_copy(r->where + strlen(r->where), 2, ".");
    READ_ARRAY(r, item, "id", it->id);
    if (r->ok && !it->id[0])
        fault(r, "id", "missing");
    it->narration = read_text(r, item, "narration", STORY_NARRATION_MAX);
    if (it->narration && !it->narration[strspn(it->narration, " \n")])
        fault(r, "narration", "blank");
    if (item_of(item, "title"))
        it->title = read_text(r, item, "title", TITLE_BYTES);
    for (size_t i = 0; r->ok && i + 1 < s->scene_count; i++)
        if (strcmp(s->scenes[i].id, it->id) == 0)
            fault(r, "id", "the same as of an earlier scene");
    if (r->ok) {
        it->pace = (int)read_int(r, item, "pace", 0, STORY_PACE_HIGH);
        if (it->pace && it->pace < STORY_PACE_LOW)
            fault(r, "pace", "out of bounds");
        read_terms(r, item, it);
        read_speech(r, item, it);
        read_footage(r, item, "footage", &it->footage);
        read_footage(r, item, "second", &it->second);
        read_cut(r, item, it, s->scene_count > 1 ? it - 1 : NULL);
    }
    r->where[0] = '\0';
}

static void read_scenes(struct reader *r, const cJSON *doc, struct storyboard *s)
{
    const cJSON *list = item_of(doc, "scenes"), *item;
    if (!r->ok)
        return;
    if (!cJSON_IsArray(list)) {
        fault(r, "scenes", list ? "not a list" : "missing");
        return;
    }
    int count = cJSON_GetArraySize(list);
    if (count > STORY_SCENES_MAX) {
        fault(r, "scenes", "too many");
        return;
    }
    s->scenes = calloc((size_t)count + 1, sizeof(*s->scenes));
    if (!s->scenes)
        fault(r, "scenes", "out of memory");
    cJSON_ArrayForEach(item, list)
    {
        if (!r->ok)
            return;
        read_scene(r, item, s);
    }
}

bool storyboard_from_json(const char *json, size_t len, struct storyboard *ret, struct err *e)
{
    static const struct json_limits limits = {
        .bytes = STORY_JSON_MAX, .depth = JSON_DEPTH, .nodes = JSON_NODES};
    AUTO(json_free) cJSON *doc = NULL;
    AUTO(storyboard_free) struct storyboard s = {0};
    struct reader r = {.e = e, .ok = true};
    if (len > STORY_JSON_MAX)
        return err_set_arg(e, ERR_LIMIT, "make.bad_story", "JSON", "storyboard of %zu bytes", len);
    if (!utf8_valid(json, len))
        return fault(&r, "JSON", "not UTF-8");
    struct err why = {0};
    if (!json_parse(json, len, &limits, &doc, &why))
        return fault(&r, "JSON", why.detail);
    if (!cJSON_IsObject(doc))
        return fault(&r, "JSON", "not an object");
    check_int(&r, item_of(doc, "version"), "version", STORY_VERSION, STORY_VERSION);
    s.title = r.ok ? read_text(&r, doc, "title", TITLE_BYTES) : NULL;
    if (item_of(doc, "caption"))
        s.caption = read_text(&r, doc, "caption", STORY_CAPTION_MAX);
    READ_ARRAY(&r, doc, "mood", s.mood);
    if (s.mood[0] && !in_list(story_moods, s.mood))
        fault(&r, "mood", "unknown");
    s.dub = read_int(&r, doc, "dub", 0, 1) == 1;
    s.fell_back = read_int(&r, doc, "fell_back", 0, 1) == 1;
    s.own_lost = (int)read_int(&r, doc, "own_lost", 0, 1000);
    if (r.ok)
        read_settings(&r, doc, &s.settings);
    read_scenes(&r, doc, &s);
    if (!r.ok)
        return false;
    *ret = s;
    s = (struct storyboard){0};
    return true;
}
