/* WRITE, and what can be known before anything is made: length and voice. */
#include "core/job/pipeline_internal.h"

#include <stdlib.h>

#include "core/base/strbuf.h"
#include "core/story/text.h"

#define LOG_MODULE "write"

enum {
    DEFAULT_RATE = 150,
    WANTED_SECONDS = 60, /* of a script, when nobody named a length */
    NEAR_PERCENT = 10,
    FAIR_PERCENT = 30,       /* what a writer may be off; more was meant so */
    NARRATION_MIN_MS = 6000, /* a topic that is shorter is no narration */
};

static bool same_language(const char *a, const char *b)
{
    size_t len_a = strcspn(a, "-_"), len_b = strcspn(b, "-_");
    return len_a == len_b && strncasecmp(a, b, len_a) == 0;
}

/* Units a minute, at the speed that is asked for. */
static int speaking_rate(const struct toolbox *t, const struct story_settings *s)
{
    for (size_t i = 0; i < t->engine_count; i++) {
        int rate = t->engines[i].ops->rate(t->engines[i].self, s->lang, s->voice);
        if (rate > 0)
            return rate * story_speed(s) / 100;
    }
    return DEFAULT_RATE * story_speed(s) / 100;
}

/* 0: as long as the person's own words take. */
static int wanted_seconds(const struct toolbox *t, const struct story_settings *s)
{
    bool invents = t->writer_count > 0 && !t->writers[0].ops->own_words;
    if (s->seconds > 0 || !invents)
        return s->seconds;
    return t->seconds_max > 0 ? MIN(WANTED_SECONDS, t->seconds_max) : WANTED_SECONDS;
}

int64_t pipeline_estimate_ms(const struct toolbox *t, const char *topic,
                             const struct story_settings *s)
{
    bool invents = t->writer_count > 0 && !t->writers[0].ops->own_words;
    if (invents)
        return (int64_t)wanted_seconds(t, s) * 1000;
    int64_t ms = text_duration_ms(topic, s->lang, speaking_rate(t, s)) + STORY_END_MS;
    /* Own words stop at the wanted length too. */
    return s->seconds > 0 ? MIN(ms, (int64_t)s->seconds * 1000) : ms;
}

bool pipeline_has_voice(const struct speech_engine *engine, const char *lang, const char *voice)
{
    size_t count = 0;
    const struct speech_voice *voices = engine->ops->voices(engine->self, &count);
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(voices[i].name, voice) == 0 && same_language(voices[i].lang, lang))
            return true;
    return false;
}

const struct speech_voice *pipeline_find_voice(const struct toolbox *t, const char *name,
                                               const struct speech_engine **ret_engine)
{
    for (size_t i = 0; i < t->engine_count; i++) {
        const struct speech_engine *engine = &t->engines[i];
        size_t count = 0;
        const struct speech_voice *voices = engine->ops->voices(engine->self, &count);
        for (size_t k = 0; k < count; k++)
            if (strcasecmp(voices[k].name, name) == 0) {
                if (ret_engine)
                    *ret_engine = engine;
                return &voices[k];
            }
    }
    return NULL;
}

bool pipeline_check_voice(const struct toolbox *t, const struct story_settings *s, struct err *e)
{
    bool speaks = false;
    for (size_t i = 0; i < t->engine_count; i++) {
        const struct speech_engine *engine = &t->engines[i];
        if (engine->ops->rate(engine->self, s->lang, "") <= 0)
            continue;
        speaks = true;
        if (s->voice[0] == '\0' || pipeline_has_voice(engine, s->lang, s->voice))
            return true;
    }
    if (!speaks)
        return err_set_arg(e, ERR_UNSUPPORTED, "make.no_voice_for_language", s->lang,
                           "no engine speaks %s", s->lang);
    return err_set_arg(e, ERR_UNSUPPORTED, "make.unknown_voice", s->voice, "no voice %s for %s",
                       s->voice, s->lang);
}

static bool write_with(struct storyboard *board, const struct script_writer *writer,
                       const struct script_request *request, struct err *e)
{
    struct script script = {0};
    struct storyboard story = {0};
    const struct story_settings settings = board->settings;
    bool ok = writer->ops->write(writer->self, request, &script, e) &&
              storyboard_from_script(&story, &script, &settings, e);
    arena_free(&script.arena);
    if (!ok) {
        storyboard_free(&story);
        return false;
    }
    storyboard_free(board);
    *board = story;
    return true;
}

static bool worth_another_writer(const struct err *e)
{
    return e->code == ERR_RETRY || e->code == ERR_UNSUPPORTED || e->code == ERR_CONFIG;
}

/* May the topic itself be narrated when nobody can write about it? Only where it is a text: a film
   that says "cats" is not what anybody paid for. */
static bool can_stand_alone(const struct script_request *request)
{
    AUTO(arena_free) struct arena a = {0};
    AUTO(free_ptr) char *clean = text_clean(request->topic);
    size_t sentences = 0;
    text_sentences(&a, clean, request->lang, STORY_NARRATION_MAX, &sentences);
    return sentences >= 2 &&
           text_duration_ms(clean, request->lang, request->units_per_minute) >= NARRATION_MIN_MS;
}

/* Tries the writers in order. Own words behind others are the way out when all of those failed;
   then `fell_back` says so, for the caption and the price. */
static bool write_any(const struct toolbox *t, struct storyboard *story,
                      const struct script_request *request, struct err *e)
{
    struct err worst = {0}; /* what may pass later counts more than what will not */
    for (size_t i = 0; i < t->writer_count; i++) {
        const struct script_writer *writer = &t->writers[i];
        bool instead = writer->ops->own_words && i > 0;
        if (instead && !can_stand_alone(request))
            break;
        if (write_with(story, writer, request, e)) {
            story->fell_back = instead;
            return true;
        }
        if (!instead && !worth_another_writer(e))
            return false;
        if (i + 1 < t->writer_count)
            log_err(e->code == ERR_CONFIG ? LOG_ERROR : LOG_WARN, LOG_MODULE, e);
        if (i == 0 || (!instead && worst.code != ERR_RETRY))
            worst = *e;
    }
    *e = worst;
    return false;
}

/* --- what is not made --- */

/* A guard that cannot be asked is no reason to refuse anybody, unless the operator wants it so. */
static bool guard_allows(const struct toolbox *t, const char *text, const struct cancel *cancel,
                         struct err *e)
{
    struct err why = {0};
    if (!t->guard.ops || t->guard.ops->check(t->guard.self, text, cancel, &why))
        return true;
    if (why.code != ERR_REFUSED && why.code != ERR_CANCELLED) {
        log_err(why.code == ERR_CONFIG ? LOG_ERROR : LOG_WARN, LOG_MODULE, &why);
        if (!t->guard_strict)
            return true;
        err_set(&why, ERR_RETRY, "guard.down", "%s cannot be asked", t->guard.ops->name);
    }
    *e = why;
    return false;
}

/* The person's own words. */
static bool words_allowed(const struct toolbox *t, const char *text, const struct cancel *cancel,
                          struct err *e)
{
    const char *category = rules_match(t->rules, text);
    if (category)
        return err_set_arg(e, ERR_REFUSED, "guard.refused", category, "rules: %s", category);
    return guard_allows(t, text, cancel, e);
}

/* All that is said and shown, with the wish that led to it. Caller frees. */
static char *words_of(const struct storyboard *story)
{
    struct strbuf out = STRBUF(STORY_JSON_MAX);
    strbuf_addf(&out, "%s\n%s", story->title ? story->title : "",
                story->caption ? story->caption : "");
    for (size_t i = 0; i < story->scene_count; i++)
        strbuf_addf(&out, "\n%s\n%s", story->scenes[i].title ? story->scenes[i].title : "",
                    story->scenes[i].narration);
    char *text = strbuf_take(&out);
    return text ? text : str_dup("");
}

/* What a writer made of an allowed topic is not the person's fault. */
static bool script_allowed(const struct toolbox *t, const struct storyboard *story,
                           const struct cancel *cancel, struct err *e)
{
    AUTO(free_ptr) char *text = words_of(story);
    if (words_allowed(t, text, cancel, e))
        return true;
    return e->code != ERR_REFUSED
               ? false
               : err_set_arg(e, ERR_REFUSED, "guard.script", e->arg, "script: %.60s", e->arg);
}

/* What WRITE is asked for. Caller frees. */
static char *asked_words(const char *topic, const char *wish)
{
    return str_printf("%s\n%s", topic, wish);
}

/* What a job with this storyboard is judged by when it begins. Caller frees. */
static char *first_words(const struct toolbox *t, const char *topic, const struct storyboard *story)
{
    if (story->scene_count > 0 && !story->dub)
        return words_of(story);
    const char *wish = story->settings.wish;
    AUTO(free_ptr) char *said = story->dub ? dub_topic(t, topic, story, &wish) : NULL;
    return asked_words(said ? said : topic ? topic : "", wish);
}

bool pipeline_must_check(const struct toolbox *t, const char *topic, const struct storyboard *story)
{
    if (!t->guard.ops)
        return false;
    AUTO(free_ptr) char *text = first_words(t, topic, story);
    return !t->guard.ops->let_pass || !t->guard.ops->let_pass(t->guard.self, text);
}

bool pipeline_check(const struct toolbox *t, const char *topic, const struct storyboard *story,
                    const struct cancel *cancel, struct err *e)
{
    AUTO(free_ptr) char *text = first_words(t, topic, story);
    return words_allowed(t, text, cancel, e);
}

bool pipeline_write(const struct toolbox *t, const struct pipeline_order *o,
                    struct storyboard *story, struct err *e)
{
    AUTO(storyboard_free) struct storyboard made = {.settings = story->settings};
    const struct story_settings *s = &made.settings;
    if (!o->topic || !text_has_words(o->topic))
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "no letter or digit in the topic");
    struct script_request request = {
        .topic = o->topic,
        .lang = s->lang,
        .seconds = wanted_seconds(t, s),
        .seconds_max = t->seconds_max,
        .units_per_minute = speaking_rate(t, s),
        .style = s->script,
        .wish = s->wish,
        .person = o->person,
        .cancel = o->cancel,
        .on_call = o->on_call,
        .ctx = o->ctx,
    };
    if (t->writer_count == 0)
        return err_set(e, ERR_CONFIG, "error.internal", "no script writer");
    AUTO(free_ptr) char *asked = asked_words(o->topic, s->wish);
    if (!words_allowed(t, asked, o->cancel, e) || !write_any(t, &made, &request, e))
        return false;
    if (!script_allowed(t, &made, o->cancel, e))
        return false;
    storyboard_free(story);
    *story = made;
    made = (struct storyboard){0};
    return true;
}

int64_t pipeline_scene_ms(const struct toolbox *t, const struct story_settings *s,
                          const char *narration)
{
    return text_duration_ms(narration, s->lang, speaking_rate(t, s));
}

int64_t pipeline_script_ms(const struct toolbox *t, const struct storyboard *story)
{
    const struct story_settings *s = &story->settings;
    int rate = speaking_rate(t, s);
    int64_t want = (int64_t)wanted_seconds(t, s) * 1000, ms = STORY_END_MS;
    for (size_t i = 0; i < story->scene_count; i++)
        ms += text_duration_ms(story->scenes[i].narration, s->lang, rate);
    return want > 0 && llabs(ms - want) * 100 <= want * NEAR_PERCENT ? want : ms;
}

int64_t plan_target_ms(const struct toolbox *t, const struct storyboard *story, bool is_new)
{
    bool invents = t->writer_count > 0 && !t->writers[0].ops->own_words;
    int64_t want = (int64_t)wanted_seconds(t, &story->settings) * 1000;
    int64_t off = llabs(pipeline_script_ms(t, story) - want);
    bool near = off * 100 <= want * (is_new ? FAIR_PERCENT : 0);
    return invents && !story->fell_back && near ? want : 0;
}

bool write_story(struct run_state *r, struct err *e)
{
    struct pipeline_order order = {
        .topic = r->run->topic,
        .person = r->run->person,
        .cancel = &r->stop,
        .on_call = r->run->on_call,
        .ctx = r->run->ctx,
    };
    if (!pipeline_write(r->tools, &order, r->story, e))
        return false;
    r->dirty = true;
    return true;
}

void plan_needs(struct run_state *r)
{
    int rate = speaking_rate(r->tools, &r->story->settings);
    for (size_t i = 0; i < r->count; i++)
        r->scenes[i].need_ms =
            (int)MIN(text_duration_ms(r->story->scenes[i].narration, r->story->settings.lang, rate),
                     INT32_MAX / 2) +
            STORY_HEAD_MS + STORY_TAIL_MS;
}
