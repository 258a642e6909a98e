/* SPEAK: scene after scene, each artifact a WAV and a small text with the word times. The text is
 * published last, so that a pair whose text is there is whole. */
#include "core/job/pipeline_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/story/text.h"

#define LOG_MODULE "speak"

enum {
    WORDS_FILE_MAX = 1 << 20,
    HEARD_PART = 4,   /* the first quarter of the words says how fast a voice is */
    NEAR_PERCENT = 3, /* of the length: nothing is changed for less */
};

static const char words_head[] = "nanotik-words 1";

static void speech_key(const struct story_settings *s, const char *voice, const char *engine,
                       const char *text, int pace, char ret_key[static HASH_HEX])
{
    struct hash h;
    hash_begin(&h, "speech");
    hash_int(&h, "revision", SPEECH_REVISION);
    hash_text(&h, "text", text);
    hash_text(&h, "lang", s->lang);
    hash_text(&h, "voice", voice);
    hash_text(&h, "engine", engine);
    hash_int(&h, "speed", story_speed(s));
    if (pace && pace != 100)
        hash_int(&h, "pace", pace);
    hash_end(&h, ret_key);
}

static bool words_save(const char *path, const struct speech_result *r, struct err *e)
{
    struct strbuf text AUTO(strbuf_free) = STRBUF(WORDS_FILE_MAX);
    strbuf_addf(&text, "%s %d %zu\n", words_head, r->duration_ms, r->word_count);
    for (size_t i = 0; i < r->word_count; i++) {
        const struct speech_word *w = &r->words[i];
        strbuf_addf(&text, "%zu %zu %d %d\n", w->at, w->len, w->start_ms, w->end_ms);
    }
    if (text.failed)
        return err_set(e, ERR_LIMIT, "make.too_long", "word times of one scene: too many");
    char temp[CACHE_PATH_MAX];
    return cache_temp(path, temp, e) && fs_write(temp, text.text, text.len, e) &&
           cache_publish(temp, path, e);
}

static bool next_number(const char **at, int64_t max, int64_t *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(*at, &end, 10);
    if (end == *at || errno != 0 || value < 0 || value > max)
        return false;
    *at = end;
    *ret = value;
    return true;
}

static bool words_parse(const char *text, size_t narration_len, struct speech_result *ret)
{
    int64_t duration, count;
    if (!str_starts(text, words_head))
        return false;
    text += sizeof words_head - 1;
    if (!next_number(&text, INT32_MAX, &duration) ||
        !next_number(&text, (int64_t)narration_len, &count))
        return false;
    struct speech_word *words AUTO(free_ptr) = calloc((size_t)count + 1, sizeof *words);
    size_t reached = 0;
    int last_ms = 0;
    for (int64_t i = 0; words && i < count; i++) {
        int64_t at, len, start, end;
        if (!next_number(&text, (int64_t)narration_len, &at) ||
            !next_number(&text, (int64_t)narration_len, &len) ||
            !next_number(&text, INT32_MAX, &start) || !next_number(&text, INT32_MAX, &end))
            return false;
        if ((size_t)at < reached || (size_t)(at + len) > narration_len || start < last_ms ||
            end < start)
            return false;
        words[i] = (struct speech_word){(size_t)at, (size_t)len, (int)start, (int)end};
        reached = (size_t)(at + len);
        last_ms = (int)start;
    }
    if (!words)
        return false;
    *ret = (struct speech_result){(int)duration, TAKE(words), (size_t)count};
    return true;
}

/* True when the cache has the spoken scene. */
static bool speech_load(const char *wav, const char *words_path, size_t narration_len,
                        struct speech_result *ret)
{
    if (!cache_touch(wav) || !cache_touch(words_path))
        return false;
    struct err ignored;
    char *text AUTO(free_ptr) = NULL;
    size_t len;
    if (!fs_read(words_path, WORDS_FILE_MAX, &text, &len, &ignored))
        return false;
    return words_parse(text, narration_len, ret);
}

/* voice "": the engine's own for the language. */
static bool speak_with(struct run_state *r, const struct speech_engine *engine, const char *voice,
                       const char *text, struct scene_work *w, struct err *e)
{
    const struct story_settings *s = &r->story->settings;
    char key[HASH_HEX], words_path[CACHE_PATH_MAX], temp[CACHE_PATH_MAX];
    speech_key(s, voice, engine->ops->name, text, w->pace, key);
    if (!cache_path(r->tools->cache, key, "wav", w->wav, e) ||
        !cache_path(r->tools->cache, key, "words", words_path, e))
        return false;
    str_copy(w->engine, sizeof w->engine, engine->ops->name);
    if (speech_load(w->wav, words_path, strlen(text), &w->spoken))
        return true;
    if (!cache_temp(w->wav, temp, e))
        return false;
    struct speech_request request = {.text = text,
                                     .lang = s->lang,
                                     .voice = voice,
                                     .speed = story_speed(s) * (w->pace ? w->pace : 100) / 10000.0,
                                     .wav_path = temp,
                                     .cancel = &r->stop};
    if (!engine->ops->speak(engine->self, &request, &w->spoken, e)) {
        unlink(temp);
        return false;
    }
    if (cache_publish(temp, w->wav, e) && words_save(words_path, &w->spoken, e))
        return true;
    free(w->spoken.words);
    w->spoken = (struct speech_result){0};
    return false;
}

/* ERR_INPUT: letters that one voice cannot read may be another's. */
static bool worth_another_engine(const struct err *e)
{
    return e->code == ERR_RETRY || e->code == ERR_UNSUPPORTED || e->code == ERR_CONFIG ||
           e->code == ERR_INPUT;
}

static bool has_wanted_voice(const struct run_state *r, const struct speech_engine *engine)
{
    const struct story_settings *s = &r->story->settings;
    return s->voice[0] == '\0' || pipeline_has_voice(engine, s->lang, s->voice);
}

/* The engine's voice nearest to the one asked for: a woman's for a woman's. */
static const char *stand_in_voice(const struct run_state *r, const struct speech_engine *engine)
{
    const struct story_settings *s = &r->story->settings;
    const struct speech_voice *wanted = pipeline_find_voice(r->tools, s->voice, NULL);
    size_t count = 0;
    const struct speech_voice *voices = engine->ops->voices(engine->self, &count);
    for (size_t i = 0; wanted && i < count; i++)
        if (voices[i].female == wanted->female &&
            pipeline_has_voice(engine, s->lang, voices[i].name))
            return voices[i].name;
    return "";
}

/* One round over the engines. As themselves: with the voice that was asked for. As stand-ins: those
   that do not have it, with their own; a film in another voice is better than none. */
static bool speak_round(struct run_state *r, size_t scene, struct narrator *n, bool stand_in,
                        struct err *worst, struct err *e)
{
    const char *text = r->story->scenes[scene].narration;
    size_t count = r->tools->engine_count;
    for (size_t tried = 0; tried < count; tried++) {
        size_t at = (n->engine + tried) % count;
        const struct speech_engine *engine = &r->tools->engines[at];
        if (stand_in && has_wanted_voice(r, engine))
            continue;
        const char *voice = stand_in ? stand_in_voice(r, engine) : r->story->settings.voice;
        if (speak_with(r, engine, voice, text, &r->scenes[scene], e)) {
            *n = (struct narrator){at, stand_in};
            return true;
        }
        if (!worth_another_engine(e)) {
            *worst = *e;
            return false;
        }
        log_err(LOG_WARN, LOG_MODULE, e);
        /* "Try later" of one engine weighs more than "cannot" of the next. */
        if (worst->code == ERR_NONE || (worst->code != ERR_RETRY && e->code == ERR_RETRY))
            *worst = *e;
    }
    return false;
}

/* *n stays with the engine and voice that worked: one film, one narrator. */
static bool speak_scene(struct run_state *r, size_t scene, struct narrator *n, struct err *e)
{
    struct err worst = {0};
    bool first = n->stand_in;
    if (speak_round(r, scene, n, first, &worst, e))
        return true;
    /* Who has the voice is down: the others. Nobody has it: that is the answer. */
    bool down = worst.code == ERR_RETRY || worst.code == ERR_CONFIG || first;
    if (down && worth_another_engine(&worst) && speak_round(r, scene, n, !first, &worst, e))
        return true;
    if (worst.code == ERR_NONE)
        return err_set(e, ERR_CONFIG, "make.no_voice_for_language", "no speech engine at all");
    *e = worst;
    return false;
}

/* Who should speak: NULL, when nobody has that voice. */
static const struct speech_engine *meant_engine(const struct toolbox *t,
                                                const struct story_settings *s)
{
    const struct speech_engine *engine = NULL;
    if (s->voice[0])
        pipeline_find_voice(t, s->voice, &engine);
    for (size_t i = 0; !s->voice[0] && !engine && i < t->engine_count; i++)
        if (t->engines[i].ops->rate(t->engines[i].self, s->lang, "") > 0)
            engine = &t->engines[i];
    return engine;
}

bool pipeline_other_voice(const struct toolbox *t, const struct storyboard *story)
{
    const struct speech_engine *meant = meant_engine(t, &story->settings);
    for (size_t i = 0; meant && i < story->scene_count; i++) {
        const char *spoke = story->scenes[i].speech.engine;
        if (spoke[0] && strcmp(spoke, meant->ops->name) != 0)
            return true;
    }
    return false;
}

/* Who spoke the scenes that are there already. */
static struct narrator first_narrator(const struct run_state *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct scene *s = &r->story->scenes[i];
        for (size_t k = 0; s->speech.file && k < r->tools->engine_count; k++)
            if (strcmp(r->tools->engines[k].ops->name, s->speech.engine) == 0)
                return (struct narrator){k, !has_wanted_voice(r, &r->tools->engines[k])};
    }
    return (struct narrator){0};
}

/* How fast the rest has to be spoken, once enough was heard to know this voice: a script fits by an
   average rate, a voice has its own. Decided once for a film and kept with its scenes, so that an
   edited or resumed one does not change what is there. */
static void choose_pace(struct run_state *r, size_t at)
{
    const char *lang = r->story->settings.lang;
    int64_t spoken_ms = 0, spoken = 0, rest = 0;
    struct scene_work *w = &r->scenes[at];
    if (at == 0 || w->pace)
        return;
    w->pace = r->scenes[at - 1].pace;
    if (w->pace || r->target_ms <= 0)
        return;
    for (size_t i = 0; i < r->count; i++) {
        int64_t units = (int64_t)text_units(r->story->scenes[i].narration, lang);
        *(i < at ? &spoken : &rest) += units;
        spoken_ms += i < at ? r->scenes[i].spoken.duration_ms : 0;
    }
    if (spoken == 0 || spoken * HEARD_PART < spoken + rest)
        return;
    int64_t pauses = (int64_t)r->count * (STORY_HEAD_MS + STORY_TAIL_MS) + STORY_END_MS;
    int64_t rest_ms = spoken_ms * rest / spoken;
    int64_t room_ms = MAX(r->target_ms - pauses - spoken_ms, 1);
    int64_t off_ms = llabs(rest_ms - room_ms);
    w->pace = off_ms * 100 <= r->target_ms * NEAR_PERCENT
                  ? 100
                  : (int)CLAMP(rest_ms * 100 / room_ms, STORY_PACE_LOW, STORY_PACE_HIGH);
    if (w->pace != 100)
        log_info("the rest is spoken at %d %% to last %lld ms", w->pace, (long long)r->target_ms);
}

void *speaker_main(void *run_state)
{
    struct run_state *r = run_state;
    log_job(r->job_id);
    struct narrator narrator = r->narrator;
    for (size_t i = 0; i < r->count && !cancel_fired(&r->stop); i++) {
        struct err e = {0};
        choose_pace(r, i);
        if (!speak_scene(r, i, &narrator, &e)) {
            run_fail(r, &e);
            break;
        }
        pthread_mutex_lock(&r->lock);
        r->scenes[i].spoken_ready = true;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
    }
    log_job(NULL);
    return NULL;
}

void speak_prepare(struct run_state *r, size_t count)
{
    r->narrator = first_narrator(r, count);
}
