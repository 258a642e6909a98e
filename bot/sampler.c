#define LOG_MODULE "sampler"
#include "bot/sampler.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bot/outbox.h"
#include "bot/reply.h"
#include "core/base/clock.h"
#include "core/base/embed.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/job/cache.h"
#include "core/net/json.h"
#include "core/video/video.h"

EMBED(voice_samples, "assets/voice_samples.json");

enum { QUEUE = 16, WAITING_EACH = 4, REVISION = 1, SENTENCE_MAX = 600 };
/* What may be newly spoken in a day: a service counts each letter. Sentences that are in the cache
   are free. */
enum { DAY_MS = 24 * 3600 * 1000, DAY_EACH = 20, DAY_ALL = 400 };

struct sampler {
    struct bot *bot;
    pthread_t thread;
    struct cancel stop;
    /* --- the sampler's thread only --- */
    int64_t day_began; /* monotonic */
    char spoken_for[DAY_ALL][UUID_TEXT];
    size_t spoken;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- with lock held --- */
    struct sampler_wish queue[QUEUE];
    size_t count;
};

/* Who speaks, and what. */
struct sample {
    const struct speech_engine *engine;
    const struct speech_voice *voice;
    char text[SENTENCE_MAX];
};

/* A sentence of the voice's own language. */
static bool find_sentence(struct sample *s, struct err *e)
{
    AUTO(json_free) cJSON *all = NULL;
    char primary[16];
    str_copy(primary, MIN(sizeof(primary), strcspn(s->voice->lang, "-") + 1), s->voice->lang);
    if (!json_parse(voice_samples, EMBED_SIZE(voice_samples), NULL, &all, e))
        return false;
    const char *text = json_text(all, primary, NULL);
    if (!text)
        return err_set_arg(e, ERR_UNSUPPORTED, "make.no_voice_for_language", s->voice->lang,
                           "no sentence in %s", s->voice->lang);
    return str_copy(s->text, sizeof(s->text), text) ||
           err_set(e, ERR_INTERNAL, "error.internal", "sentence of %s is too long", primary);
}

static bool speak(struct sampler *s, const struct sample *sample, int speed, const char *path,
                  struct err *e)
{
    char wav[CACHE_PATH_MAX], note[CACHE_PATH_MAX];
    struct speech_result spoken = {0};
    if (!cache_temp(path, note, e))
        return false;
    if (snprintf(wav, sizeof(wav), "%s.wav", note) >= (int)sizeof(wav))
        return err_set(e, ERR_INTERNAL, "error.disk", "sampler: path too long");
    const struct speech_request request = {.text = sample->text,
                                           .lang = sample->voice->lang,
                                           .voice = sample->voice->name,
                                           .speed = speed / 100.0,
                                           .wav_path = wav,
                                           .cancel = &s->stop};
    bool ok = sample->engine->ops->speak(sample->engine->self, &request, &spoken, e) &&
              sound_voice_note(wav, spoken.duration_ms, note, &s->stop, e) &&
              cache_publish(note, path, e);
    free(spoken.words);
    unlink(wav);
    if (!ok)
        unlink(note);
    return ok;
}

/* One more sentence for this person today. */
static bool count_spoken(struct sampler *s, const char *user, struct err *e)
{
    int64_t now = clock_mono_ms();
    int each = 0;
    if (now - s->day_began >= DAY_MS) {
        s->day_began = now;
        s->spoken = 0;
    }
    for (size_t i = 0; i < s->spoken; i++)
        each += strcmp(s->spoken_for[i], user) == 0;
    if (each >= DAY_EACH || s->spoken == DAY_ALL)
        return err_set(e, ERR_LIMIT, "error.internal", "%d samples for one person, %zu for all",
                       each, s->spoken);
    str_copy(s->spoken_for[s->spoken++], UUID_TEXT, user);
    return true;
}

static bool make_note(struct sampler *s, const struct sampler_wish *w,
                      char ret_path[static CACHE_PATH_MAX], struct err *e)
{
    struct sample sample = {0};
    char key[HASH_HEX];
    struct hash h;
    sample.voice = pipeline_find_voice(s->bot->tools, w->voice, &sample.engine);
    if (!sample.voice)
        return err_set_arg(e, ERR_UNSUPPORTED, "make.unknown_voice", w->voice, "voice is gone");
    if (!find_sentence(&sample, e))
        return false;
    hash_begin(&h, "voice-note");
    hash_int(&h, "revision", REVISION);
    hash_text(&h, "engine", sample.engine->ops->name);
    hash_text(&h, "voice", sample.voice->name);
    hash_int(&h, "speed", w->speed);
    hash_text(&h, "text", sample.text);
    hash_end(&h, key);
    if (!cache_path(s->bot->tools->cache, key, "ogg", ret_path, e))
        return false;
    return cache_touch(ret_path) ||
           (count_spoken(s, w->user, e) && speak(s, &sample, w->speed, ret_path, e));
}

/* --- the card --- */

struct telling {
    const struct sampler_wish *wish;
    const char *label; /* as the settings call the voice */
    const char *path;  /* NULL: it could not be had */
};

static bool tell_body(struct db_tx *tx, void *data, struct err *e)
{
    const struct telling *t = data;
    const struct sampler_wish *w = t->wish;
    AUTO(card_doc_free) struct card_doc doc;
    char name[80];
    card_begin(&doc, w->lang);
    card_line(&doc, w->lang, t->path ? "voice.sample" : "voice.no_sample",
              I18N_TEXT("value", t->label));
    snprintf(name, sizeof(name), "%s.ogg", w->voice);
    if (t->path) {
        doc.card.file = t->path;
        doc.card.file_name = name;
        doc.card.is_voice_note = true;
    }
    return outbox_put(tx, &w->addr, &doc, NULL, NULL, false, e);
}

static void tell(struct sampler *s, const struct sampler_wish *w, const char *path)
{
    struct err e = {0};
    const struct speech_voice *voice = pipeline_find_voice(s->bot->tools, w->voice, NULL);
    struct telling t = {.wish = w, .label = voice ? voice->label : w->voice, .path = path};
    if (!db_run(s->bot->db, tell_body, &t, &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
    outbox_wake(s->bot->outbox);
}

static void serve(struct sampler *s, const struct sampler_wish *w)
{
    char path[CACHE_PATH_MAX];
    struct err e = {0};
    bool ok = !cancel_fired(&s->stop) && make_note(s, w, path, &e);
    if (!ok && !cancel_fired(&s->stop))
        log_err(LOG_WARN, LOG_MODULE, &e);
    tell(s, w, ok ? path : NULL);
}

/* Ends when stopped and nobody waits: those who do are told that it cannot be heard now. */
static void *sampler_main(void *data)
{
    struct sampler *s = data;
    pthread_setname_np(pthread_self(), "sampler");
    for (;;) {
        pthread_mutex_lock(&s->lock);
        while (s->count == 0 && !cancel_fired(&s->stop))
            pthread_cond_wait(&s->changed, &s->lock);
        struct sampler_wish wish = s->queue[0];
        bool over = s->count == 0;
        if (!over)
            memmove(s->queue, s->queue + 1, --s->count * sizeof(*s->queue));
        pthread_mutex_unlock(&s->lock);
        if (over)
            return NULL;
        serve(s, &wish);
    }
}

static bool is_same(const struct sampler_wish *a, const struct sampler_wish *b)
{
    return strcmp(a->voice, b->voice) == 0 && a->speed == b->speed &&
           strcmp(a->addr.chat, b->addr.chat) == 0 && strcmp(a->addr.network, b->addr.network) == 0;
}

void sampler_ask(struct sampler *s, const struct sampler_wish *wish)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    bool there = false;
    int each = 0;
    for (size_t i = 0; i < s->count; i++) {
        there |= is_same(&s->queue[i], wish);
        each += strcmp(s->queue[i].user, wish->user) == 0;
    }
    bool room = s->count < QUEUE && each < WAITING_EACH;
    if (!there && room)
        s->queue[s->count++] = *wish;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (!there && !room)
        tell(s, wish, NULL);
}

bool sampler_start(struct bot *bot, struct sampler **ret, struct err *e)
{
    struct sampler *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, ERR_INTERNAL, "error.internal", "sampler: no memory");
    s->bot = bot;
    s->day_began = clock_mono_ms();
    cancel_init(&s->stop, NULL);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    int r = pthread_create(&s->thread, NULL, sampler_main, s);
    if (r != 0) {
        pthread_cond_destroy(&s->changed);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return err_set_io(e, r, "sampler thread", "start");
    }
    *ret = s;
    return true;
}

void sampler_stop(struct sampler *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    cancel_fire(&s->stop);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
