/* WRITE of a film in another language: new words, scene by scene the pictures that are there. */
#include "core/job/pipeline_internal.h"

#include <stdlib.h>

#include "core/base/strbuf.h"

static const char translate[] =
    "This is the narration of a finished film, one scene a line. Do not write about it: translate "
    "it. "
    "Same scenes, same order, same meaning, as a native speaker would say it aloud.";

/* Nobody translates a person's own words: then the topic is the translation. */
static bool translates(const struct toolbox *t)
{
    return t->writer_count > 0 && !t->writers[0].ops->own_words;
}

static char *narrations(const struct storyboard *s)
{
    struct strbuf out = STRBUF(STORY_JSON_MAX);
    for (size_t i = 0; i < s->scene_count; i++)
        strbuf_addf(&out, "%s%s", i ? "\n" : "", s->scenes[i].narration);
    char *text = strbuf_take(&out);
    return text ? text : str_dup("");
}

/* Each picture goes to the scene at the same place of the film, and to one scene only. */
static void take_pictures(const struct storyboard *from, struct storyboard *to)
{
    size_t used = 0;
    for (size_t i = 0; i < to->scene_count; i++) {
        size_t k = i * from->scene_count / to->scene_count;
        if (k < used && i > 0)
            continue; /* more scenes than pictures: these are searched */
        used = k + 1;
        to->scenes[i].footage = from->scenes[k].footage;
        to->scenes[i].second = from->scenes[k].second;
    }
}

char *dub_topic(const struct toolbox *t, const char *topic, const struct storyboard *story,
                const char **ret_wish)
{
    if (!translates(t))
        return str_dup(topic ? topic : "");
    *ret_wish = translate;
    return narrations(story);
}

bool dub_story(struct run_state *r, struct err *e)
{
    struct storyboard *old = r->story;
    AUTO(storyboard_free) struct storyboard fresh = {.settings = old->settings};
    const char *wish = fresh.settings.wish;
    AUTO(free_ptr) char *topic = dub_topic(r->tools, r->run->topic, old, &wish);
    struct pipeline_order order = {
        .topic = topic,
        .person = r->run->person,
        .cancel = &r->stop,
        .on_call = r->run->on_call,
        .ctx = r->run->ctx,
    };
    if (wish != fresh.settings.wish)
        str_copy(fresh.settings.wish, sizeof(fresh.settings.wish), wish);
    if (!pipeline_write(r->tools, &order, &fresh, e))
        return false;
    if (fresh.fell_back) /* the old language with a voice of the new one is no film */
        return err_set(e, ERR_RETRY, "writer.down", "nobody translates now");
    take_pictures(old, &fresh);
    fresh.settings = old->settings;
    str_copy(fresh.mood, sizeof(fresh.mood), old->mood); /* and the music */
    storyboard_free(old);
    *old = fresh;
    fresh = (struct storyboard){0};
    r->dirty = true;
    return true;
}
