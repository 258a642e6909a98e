#include "core/story/storyboard.h"

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/story/text.h"

enum { TITLE_MAX = 200, TERM_MAX = 100, SPLIT_RATE = 150 };

const char *const story_styles[] = {"clean", "bold", "neon", "paper", NULL};
const char *const story_scripts[] = {"explainer", "story",   "news", "motivational",
                                     "listicle",  "product", "kids", NULL};
const char *const story_moods[] = {"calm",       "upbeat",  "dramatic", "inspiring",
                                   "mysterious", "playful", NULL};

static const char *const aspect_names[] = {
    [ASPECT_9_16] = "9:16", [ASPECT_16_9] = "16:9", [ASPECT_1_1] = "1:1"};
static const char *const tier_names[] = {
    [TIER_BASIC] = "basic", [TIER_HD] = "hd", [TIER_PREMIUM] = "premium"};

/* --- names and sizes --- */

static bool name_parse(const char *const *names, size_t count, const char *text, int *ret)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(names[i], text) == 0) {
            *ret = (int)i;
            return true;
        }
    return false;
}

const char *story_aspect_name(enum story_aspect a)
{
    return aspect_names[a];
}

bool story_aspect_parse(const char *text, enum story_aspect *ret)
{
    int i;
    if (!name_parse(aspect_names, COUNT(aspect_names), text, &i))
        return false;
    *ret = (enum story_aspect)i;
    return true;
}

int story_speed(const struct story_settings *s)
{
    return s->speed > 0 ? s->speed : 100;
}

const char *story_tier_name(enum story_tier t)
{
    return tier_names[t];
}

bool story_tier_parse(const char *text, enum story_tier *ret)
{
    int i;
    if (!name_parse(tier_names, COUNT(tier_names), text, &i))
        return false;
    *ret = (enum story_tier)i;
    return true;
}

void story_size(enum story_aspect a, enum story_tier t, int *ret_width, int *ret_height)
{
    int small = t == TIER_BASIC ? 720 : 1080, large = t == TIER_BASIC ? 1280 : 1920;
    *ret_width = a == ASPECT_16_9 ? large : small;
    *ret_height = a == ASPECT_9_16 ? large : small;
}

/* --- from a script --- */

static bool is_mood(const char *text)
{
    for (size_t i = 0; story_moods[i]; i++)
        if (text && strcmp(story_moods[i], text) == 0)
            return true;
    return false;
}

static void flatten(char *text)
{
    for (; *text; text++)
        if (*text == '\n')
            *text = ' ';
}

/* Cleaned, on one line, at most max bytes; NULL when nothing is left. Caller frees. */
static char *line_of(const char *text, size_t max)
{
    if (!text)
        return NULL;
    char *clean = text_clean(text);
    flatten(clean);
    size_t len = strlen(clean);
    if (len > max)
        clean[utf8_cut(clean, max)] = '\0';
    if (*clean == '\0') {
        free(clean);
        return NULL;
    }
    return clean;
}

static void scene_free(struct scene *s)
{
    free(s->narration);
    free(s->title);
    for (size_t i = 0; i < s->term_count; i++)
        free(s->terms[i]);
    free(s->speech.file);
    free(s->speech.words);
}

void storyboard_free(struct storyboard *s)
{
    for (size_t i = 0; i < s->scene_count; i++)
        scene_free(&s->scenes[i]);
    free(s->scenes);
    free(s->title);
    free(s->caption);
    *s = (struct storyboard){0};
}

static void scene_add(struct storyboard *s, const char *narration, const struct script_scene *from,
                      bool first_part)
{
    struct scene *it = &s->scenes[s->scene_count++];
    snprintf(it->id, sizeof(it->id), "s%zu", s->scene_count);
    it->narration = str_dup(narration);
    it->title = first_part ? line_of(from->on_screen, TITLE_MAX) : NULL;
    for (size_t i = 0; i < from->term_count && it->term_count < STORY_TERMS_MAX; i++) {
        char *term = line_of(from->terms[i], TERM_MAX);
        if (term)
            it->terms[it->term_count++] = term;
    }
}

/* Adds one scene of the script, in several parts when it is too long to be one. */
static bool script_scene_add(struct storyboard *s, const struct script_scene *from,
                             const char *lang, struct err *e)
{
    AUTO(arena_free) struct arena a = {0};
    AUTO(free_ptr) char *clean = text_clean(from->narration ? from->narration : "");
    if (!text_has_words(clean))
        return true;
    size_t count = 1;
    const char *whole = clean;
    const char **parts = &whole;
    if (strlen(clean) > STORY_NARRATION_MAX) /* at a rate that makes parts of a usual length */
        parts = text_scenes(&a, clean, lang, SPLIT_RATE, &count);
    else
        flatten(clean);
    for (size_t i = 0; i < count; i++) {
        if (s->scene_count == STORY_SCENES_MAX)
            return err_set_arg(e, ERR_LIMIT, "make.too_long", "3600", "script of over %d scenes",
                               STORY_SCENES_MAX);
        scene_add(s, parts[i], from, i == 0);
    }
    return true;
}

/* Not text_clean: it would take the hashtags apart. Caller frees. */
static char *post_caption(const char *text)
{
    char line[STORY_CAPTION_MAX + 1];
    str_copy(line, sizeof(line), text ? text : "");
    utf8_clean(line);
    for (char *p = line; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    return line[strspn(line, " \t")] ? str_dup(line) : NULL;
}

bool storyboard_from_script(struct storyboard *s, const struct script *script,
                            const struct story_settings *settings, struct err *e)
{
    AUTO(storyboard_free) struct storyboard made = {.settings = *settings};
    made.scenes = calloc(STORY_SCENES_MAX, sizeof(*made.scenes));
    if (!made.scenes)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory");
    for (size_t i = 0; i < script->scene_count; i++)
        if (!script_scene_add(&made, &script->scenes[i], settings->lang, e))
            return false;
    if (made.scene_count == 0)
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "script without words");
    made.title = line_of(script->title, TITLE_MAX);
    if (!made.title)
        made.title = line_of(made.scenes[0].narration, TITLE_MAX);
    made.caption = post_caption(script->caption);
    str_copy(made.mood, sizeof(made.mood), is_mood(script->mood) ? script->mood : "calm");
    *s = made;
    made = (struct storyboard){0};
    return true;
}

/* --- timeline --- */

/* The silence after a scene is rounded up to a whole frame, so that a scene's length does not
 * depend on the ones before it: an edit elsewhere leaves its finished segment valid. */
static int frames_of(int64_t ms)
{
    return (int)((ms * STORY_FPS + 999) / 1000);
}

size_t storyboard_cut(struct storyboard *s)
{
    int64_t frame = 0;
    size_t cut = 0;
    for (; cut < s->scene_count && s->scenes[cut].speech.file; cut++) {
        struct scene *it = &s->scenes[cut];
        int64_t ms = STORY_HEAD_MS + (int64_t)it->speech.duration_ms + STORY_TAIL_MS;
        if (cut + 1 == s->scene_count)
            ms += STORY_END_MS;
        it->cut.start_ms = (int)((frame * 1000 + STORY_FPS / 2) / STORY_FPS);
        it->cut.first_frame = (int)frame;
        it->cut.frames = frames_of(ms);
        frame += it->cut.frames;
    }
    for (size_t i = cut; i < s->scene_count; i++)
        memset(&s->scenes[i].cut, 0, sizeof(s->scenes[i].cut));
    return cut;
}

int storyboard_frames(const struct storyboard *s)
{
    if (s->scene_count == 0 || s->scenes[s->scene_count - 1].cut.frames == 0)
        return 0;
    const struct scene *last = &s->scenes[s->scene_count - 1];
    return last->cut.first_frame + last->cut.frames;
}
