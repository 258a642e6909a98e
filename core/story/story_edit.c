#include "core/story/story_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/story/text.h"

enum { TERMS = 3, TERM_MAX = 120 };

static bool no_scene(int scene, struct err *e)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", scene);
    return err_set_arg(e, ERR_INPUT, "script.no_scene", number, "scene %d", scene);
}

static bool is_scene(const struct storyboard *s, int scene)
{
    return scene >= 1 && (size_t)scene <= s->scene_count;
}

/* One line that can be spoken; the caller's. NULL after an error. */
static char *narration_of(const char *text, struct err *e)
{
    AUTO(free_ptr) char *clean = text_clean(text);
    if (!clean || !text_has_words(clean)) {
        err_set(e, ERR_INPUT, "make.nothing_to_say", "scene without words");
        return NULL;
    }
    if (strlen(clean) > STORY_NARRATION_MAX) {
        err_set(e, ERR_LIMIT, "script.scene_too_long", "scene of %zu bytes", strlen(clean));
        return NULL;
    }
    for (char *p = clean; *p; p++)
        if (*p == '\n')
            *p = ' ';
    return TAKE(clean);
}

/* What was made from the old words is of no use. */
static void forget_work(struct scene *it)
{
    free(TAKE(it->speech.file));
    free(TAKE(it->speech.words));
    it->speech.word_count = 0;
    it->speech.duration_ms = 0;
    it->cut.frames = 0;
}

static void drop_terms(struct scene *it)
{
    for (size_t i = 0; i < it->term_count; i++)
        free(it->terms[i]);
    it->term_count = 0;
}

static void terms_from_text(struct scene *it, const char *lang)
{
    AUTO(arena_free) struct arena a = {0};
    size_t count = 0;
    const char **terms = text_terms(&a, it->narration, lang, TERMS, &count);
    for (size_t i = 0; i < count; i++)
        it->terms[it->term_count++] = str_dup(terms[i]);
}

bool story_edit_text(struct storyboard *s, int scene, const char *text, struct err *e)
{
    if (!is_scene(s, scene))
        return no_scene(scene, e);
    char *narration = narration_of(text, e);
    if (!narration)
        return false;
    struct scene *it = &s->scenes[scene - 1];
    free(it->narration);
    it->narration = narration;
    forget_work(it);
    return true;
}

bool story_edit_terms(struct storyboard *s, int scene, const char *terms, struct err *e)
{
    if (!is_scene(s, scene))
        return no_scene(scene, e);
    AUTO(free_ptr) char *clean = text_clean(terms);
    if (!clean || !text_has_words(clean))
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "no search terms");
    struct scene *it = &s->scenes[scene - 1];
    drop_terms(it);
    for (const char *at = clean; *at && it->term_count < STORY_TERMS_MAX;) {
        at += strspn(at, " ");
        size_t len = strcspn(at, ",;\n");
        AUTO(free_ptr) char *whole = strndup(at, len);
        char term[TERM_MAX];
        str_copy(term, sizeof(term), whole ? whole : "");
        if (text_has_words(term))
            it->terms[it->term_count++] = str_dup(term);
        at += len + (at[len] != '\0');
    }
    it->footage = it->second = (struct footage){0};
    it->cut.frames = 0;
    return true;
}

static void scene_clear(struct scene *it)
{
    forget_work(it);
    drop_terms(it);
    free(it->narration);
    free(it->title);
    *it = (struct scene){0};
}

bool story_edit_drop(struct storyboard *s, int scene, struct err *e)
{
    if (!is_scene(s, scene))
        return no_scene(scene, e);
    if (s->scene_count == 1)
        return err_set(e, ERR_INPUT, "script.last_scene", "the only scene");
    scene_clear(&s->scenes[scene - 1]);
    size_t behind = s->scene_count - (size_t)scene;
    memmove(&s->scenes[scene - 1], &s->scenes[scene], behind * sizeof(*s->scenes));
    s->scene_count--;
    return true;
}

bool story_edit_move(struct storyboard *s, int scene, int to, struct err *e)
{
    if (!is_scene(s, scene) || !is_scene(s, to))
        return no_scene(is_scene(s, scene) ? to : scene, e);
    struct scene moved = s->scenes[scene - 1];
    if (to > scene)
        memmove(&s->scenes[scene - 1], &s->scenes[scene],
                (size_t)(to - scene) * sizeof(*s->scenes));
    else
        memmove(&s->scenes[to], &s->scenes[to - 1], (size_t)(scene - to) * sizeof(*s->scenes));
    s->scenes[to - 1] = moved;
    return true;
}

/* "s12": one more than the highest, so that no id ever means another scene. */
static void new_id(const struct storyboard *s, char ret[static 16])
{
    int most = 0;
    for (size_t i = 0; i < s->scene_count; i++) {
        int64_t value = 0;
        if (s->scenes[i].id[0] == 's' && str_to_int(s->scenes[i].id + 1, 0, 1000000, &value))
            most = MAX(most, (int)value);
    }
    snprintf(ret, 16, "s%d", most + 1);
}

bool story_edit_add(struct storyboard *s, int scene, const char *text, struct err *e)
{
    if (scene < 1 || (size_t)scene > s->scene_count + 1)
        return no_scene(scene, e);
    if (s->scene_count == STORY_SCENES_MAX)
        return err_set(e, ERR_LIMIT, "script.too_many_scenes", "%d scenes", STORY_SCENES_MAX);
    struct scene made = {.narration = narration_of(text, e)};
    if (!made.narration)
        return false;
    struct scene *list = realloc(s->scenes, (s->scene_count + 1) * sizeof(*list));
    if (!list) {
        free(made.narration);
        return err_set(e, ERR_INTERNAL, "error.internal", "out of memory");
    }
    s->scenes = list;
    new_id(s, made.id);
    terms_from_text(&made, s->settings.lang);
    size_t behind = s->scene_count - (size_t)(scene - 1);
    memmove(&list[scene], &list[scene - 1], behind * sizeof(*list));
    list[scene - 1] = made;
    s->scene_count++;
    return true;
}
