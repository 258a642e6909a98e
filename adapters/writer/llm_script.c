/* From the model's document to a script: texts that can be spoken, terms that can be searched. */
#include <string.h>
#include <strings.h>

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/utf8.h"
#include "core/net/json.h"
#include "core/story/text.h"

enum {
    SCENE_LETTERS_MAX = 400, /* longer ones are split at sentences */
    DIRECTION_MAX = 120,     /* bytes inside brackets that are taken for a direction */
    TERMS_MAX = 5,
    TERM_BYTES_MAX = 60,
    TERM_WORDS_MAX = 4,
    TITLE_WORDS_MAX = 8,
    ANSWER_SCENES_MAX = 200, /* looked at; more than allowed is a fault */
};

const char *const llm_moods[] = {"calm",       "upbeat",  "dramatic", "inspiring",
                                 "mysterious", "playful", NULL};

/* --- spoken text --- */

static bool is_closing(int32_t open, int32_t cp)
{
    return (open == '(' && cp == ')') || (open == '[' && cp == ']') ||
           (open == 0xFF08 && cp == 0xFF09) || (open == 0x3010 && cp == 0x3011);
}

/* Bytes of a bracketed direction at the start, 0 when it is none. */
static size_t direction_len(const char *text, size_t len)
{
    size_t at = 0;
    int32_t open = utf8_next(text, len, &at);
    if (open != '(' && open != '[' && open != 0xFF08 && open != 0x3010)
        return 0;
    while (at < len && at <= DIRECTION_MAX)
        if (is_closing(open, utf8_next(text, len, &at)))
            return at;
    return 0;
}

/* "Narrator: ", "Scene 2: ", "旁白：" */
static size_t label_len(const char *text)
{
    static const char *const labels[] = {
        "narrator", "voiceover", "voice-over", "voice over", "vo",    "speaker",
        "host",     "narration", "hook",       "intro",      "outro", "旁白",
        "解说",     "画外音",    "الراوي",     "المعلق",     NULL};
    size_t digits = 0;
    for (size_t i = 0; labels[i]; i++) {
        size_t n = strlen(labels[i]);
        if (strncasecmp(text, labels[i], n) != 0)
            continue;
        if (text[n] == ':')
            return n + 1;
        if (strncmp(text + n, "：", strlen("：")) == 0)
            return n + strlen("：");
    }
    if (strncasecmp(text, "scene ", 6) != 0 || (digits = strspn(text + 6, "0123456789")) == 0)
        return 0;
    return text[6 + digits] == ':' ? 7 + digits : 0;
}

static bool ends_with_space(const struct strbuf *b)
{
    return b->len == 0 || b->text[b->len - 1] == ' ';
}

static void add_and(struct strbuf *out, const char *lang)
{
    if (!ends_with_space(out))
        strbuf_addc(out, ' ');
    strbuf_adds(out, llm_and(lang));
    strbuf_addc(out, ' ');
}

char *llm_spoken(const char *text, const char *lang)
{
    AUTO(free_ptr) char *clean = text_clean(text);
    struct strbuf out = STRBUF(2 * strlen(clean) + 64 + 8 * strlen(clean));
    const char *p = clean + label_len(clean);
    size_t len = strlen(p);
    bool emoji = false; /* the last character was one: a joiner behind it goes too */
    for (size_t at = 0; at < len;) {
        size_t next = at + direction_len(p + at, len - at);
        if (next > at) {
            at = next;
            continue;
        }
        int32_t cp = utf8_next(p, len, &next);
        emoji = text_is_emoji(cp) || (emoji && cp == 0x200D);
        if (cp == '&')
            add_and(&out, lang);
        else if (u_isUWhiteSpace(cp) && !ends_with_space(&out))
            strbuf_addc(&out, ' ');
        else if (!u_isUWhiteSpace(cp) && !emoji && cp != 0xFFFD)
            strbuf_add(&out, p + at, next - at);
        at = next;
    }
    char *ret = strbuf_take(&out);
    if (!ret)
        abort(); /* room for every & was counted; only memory can fail */
    size_t end = strlen(ret);
    while (end && ret[end - 1] == ' ')
        ret[--end] = '\0';
    return ret;
}

/* --- search terms --- */

static bool is_english(const char *term)
{
    size_t len = strlen(term), letters = 0;
    int32_t cp;
    for (size_t at = 0; (cp = utf8_next(term, len, &at)) >= 0;) {
        UErrorCode status = U_ZERO_ERROR;
        if (!u_isalpha(cp))
            continue;
        if (uscript_getScript(cp, &status) != USCRIPT_LATIN)
            return false;
        letters++;
    }
    return letters >= 2;
}

static size_t words_in(const char *text)
{
    size_t words = 0;
    for (const char *p = text + strspn(text, " "); *p; p += strspn(p, " ")) {
        words++;
        p += strcspn(p, " ");
    }
    return words;
}

/* At most `max` words. In place. */
static void keep_words(char *text, size_t max)
{
    size_t words = 0;
    for (char *p = text; *p; p += strcspn(p, " ")) {
        if (words++ == max) {
            *p = '\0';
            break;
        }
        p += strspn(p, " ");
    }
    size_t len = strlen(text);
    while (len && text[len - 1] == ' ')
        text[--len] = '\0';
}

static bool is_known(const struct script *s, size_t scenes, const char *term)
{
    for (size_t i = 0; i < scenes; i++)
        for (size_t k = 0; k < s->scenes[i].term_count; k++)
            if (strcasecmp(s->scenes[i].terms[k], term) == 0)
                return true;
    return false;
}

/* Adds a term of the last scene; false when it is of no use. */
static bool add_term(struct script *s, const char *text)
{
    struct script_scene *scene = &s->scenes[s->scene_count - 1];
    AUTO(free_ptr) char *clean = text_clean(text);
    for (char *p = clean; *p; p++)
        if (strchr("\n\"'.,;:!?()[]{}", *p))
            *p = ' ';
    keep_words(clean, TERM_WORDS_MAX);
    const char *term = clean + strspn(clean, " ");
    if (scene->term_count == TERMS_MAX || strlen(term) > TERM_BYTES_MAX || !is_english(term))
        return false;
    if (!is_known(s, s->scene_count, term))
        scene->terms[scene->term_count++] = arena_dup(&s->arena, term);
    return true;
}

/* A list, or one text with commas. */
static void add_terms(struct script *s, const cJSON *item)
{
    struct script_scene *scene = &s->scenes[s->scene_count - 1];
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(item, "search_terms");
    const cJSON *term;
    scene->terms = arena_alloc(&s->arena, TERMS_MAX * sizeof(*scene->terms));
    if (cJSON_IsString(list)) {
        for (const char *p = list->valuestring; *p;) {
            size_t n = strcspn(p, ",;\n");
            add_term(s, arena_dup_n(&s->arena, p, n));
            p += n + (p[n] != '\0');
        }
        return;
    }
    int looked = 0;
    cJSON_ArrayForEach(term, list)
    {
        if (cJSON_IsString(term) && looked++ < 16)
            add_term(s, term->valuestring);
    }
}

/* Where the model named nothing usable: pictures that suit any words, different in each scene. */
static void add_mood_terms(struct script *s, size_t index)
{
    static const char *const fallback[] = {
        "nature aerial",    "city night lights",     "ocean waves",        "forest sunlight",
        "clouds timelapse", "people walking street", "mountain landscape", "abstract light"};
    struct script_scene *scene = &s->scenes[index];
    scene->terms[scene->term_count++] = fallback[index % COUNT(fallback)];
}

/* --- scenes --- */

static const char *on_screen(struct script *s, const cJSON *item, const char *lang)
{
    AUTO(free_ptr) char *text = llm_spoken(json_text(item, "on_screen", ""), lang);
    if (!text_has_words(text) || words_in(text) > TITLE_WORDS_MAX || utf8_count(text) > 80)
        return NULL;
    return arena_dup(&s->arena, text);
}

static void add_scene(struct llm_draft *d, const cJSON *item, const struct llm_wish *w)
{
    struct script *s = &d->script;
    const char *raw = cJSON_IsString(item) ? item->valuestring : json_text(item, "narration", "");
    AUTO(free_ptr) char *text = llm_spoken(raw, w->lang);
    if (!text_has_words(text))
        return;
    size_t parts = 1;
    const char *whole = arena_dup(&s->arena, text);
    const char **list = &whole;
    if (utf8_count(text) > SCENE_LETTERS_MAX)
        list = text_scenes(&s->arena, text, w->lang, w->rate, &parts);
    for (size_t i = 0; i < parts && s->scene_count < LLM_SCENES_MAX; i++) {
        struct script_scene *scene = &s->scenes[s->scene_count++];
        scene->narration = list[i];
        if (i == 0) {
            scene->on_screen = on_screen(s, item, w->lang);
            add_terms(s, item);
            if (scene->term_count == 0) {
                d->terms_lost++;
                add_mood_terms(s, s->scene_count - 1);
            }
        } else { /* the parts are about the same things */
            scene->terms = scene[-1].terms;
            scene->term_count = scene[-1].term_count;
        }
    }
}

static void read_head(struct llm_draft *d, const cJSON *doc, const struct llm_wish *w)
{
    struct script *s = &d->script;
    AUTO(free_ptr) char *title = llm_spoken(json_text(doc, "title", ""), w->lang);
    const char *mood = json_text(doc, "mood", "");
    s->mood = "calm";
    for (size_t i = 0; llm_moods[i]; i++)
        if (strcasecmp(llm_moods[i], mood) == 0)
            s->mood = llm_moods[i];
    s->title = text_has_words(title) ? arena_dup(&s->arena, title) : NULL;
    s->caption = llm_post(&s->arena, doc, w->lang);
    str_copy(d->language, sizeof(d->language), json_text(doc, "language", ""));
}

static const char *title_of(const struct script *s)
{
    for (size_t i = 0; i < s->scene_count; i++)
        if (s->scenes[i].on_screen)
            return s->scenes[i].on_screen;
    return s->scene_count ? s->scenes[0].narration : "";
}

void llm_draft_read(struct llm_draft *d, const char *text, const struct llm_wish *w)
{
    const char *why = "";
    AUTO(json_free) cJSON *doc = llm_extract(text, strlen(text), &why);
    const cJSON *scenes = json_array(doc, "scenes");
    const cJSON *item;
    d->grade = GRADE_BAD;
    if (!scenes) {
        strbuf_addf(&d->faults, "- %s\n", why[0] ? why : "there is no list of scenes");
        return;
    }
    int count = cJSON_GetArraySize(scenes);
    d->script.scenes = arena_alloc(&d->script.arena, LLM_SCENES_MAX * sizeof(*d->script.scenes));
    read_head(d, doc, w);
    int looked = 0;
    cJSON_ArrayForEach(item, scenes)
    {
        if (looked++ < ANSWER_SCENES_MAX)
            add_scene(d, item, w);
    }
    if (!d->script.title)
        d->script.title = title_of(&d->script);
    if (count > llm_scenes_max(w)) {
        strbuf_addf(&d->faults, "- %d scenes are too many\n", count);
        return;
    }
    d->grade = llm_draft_judge(d, w);
}

void llm_draft_free(struct llm_draft *d)
{
    arena_free(&d->script.arena);
    strbuf_free(&d->faults);
}
