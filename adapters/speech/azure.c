#include "adapters/speech/azure.h"

#include <stdarg.h>

#include "adapters/speech/azure_parts.h"
#include "core/base/clock.h"
#include "core/story/text.h"

enum {
    TEXT_MAX = 4000,
    TURNS = 2,
    STALE_MAX = 4,
    REST_TRIES = 2,
    QUOTA_RESTS = 5,
    WAIT_MAX_MS = 20000
};

struct azure {
    struct azure_service service;
};

/* --- faults --- */

enum azure_fault azure_fault_set(struct err *e, enum azure_fault fault, const char *fmt, ...)
{
    char detail[sizeof(e->detail)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    if (fault == AZURE_STOPPED)
        err_set(e, ERR_CANCELLED, "make.cancelled", "%s", detail);
    else
        err_set(e,
                fault == AZURE_CONFIG || fault == AZURE_QUOTA || fault == AZURE_VOICE ? ERR_CONFIG
                                                                                      : ERR_RETRY,
                "make.voice_failed", "%s", detail);
    return fault;
}

/* After a refusal that the next scene would get too. */
static void rest_begin(struct azure_service *s, enum azure_fault fault, const struct err *why)
{
    if (fault != AZURE_CONFIG && fault != AZURE_QUOTA)
        return;
    pthread_mutex_lock(&s->lock);
    s->rest_until =
        clock_mono_ms() + s->limits.rest_ms * (int64_t)(fault == AZURE_QUOTA ? QUOTA_RESTS : 1);
    s->rest_why = *why;
    pthread_mutex_unlock(&s->lock);
}

static bool is_resting(struct azure_service *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool resting = clock_mono_ms() < s->rest_until;
    if (resting)
        *e = s->rest_why;
    pthread_mutex_unlock(&s->lock);
    return resting;
}

/* --- speaking --- */

struct saying {
    const struct speech_request *r;
    struct spoken spoken;
    struct azure_job job;
    struct speech_result *ret;
};

/* Sound and times of a whole turn, saved. A silent one counts as failed. */
static enum azure_fault finish(struct saying *y, const struct azure_turn *t, struct err *e)
{
    AUTO(utterance_free) struct utterance u = {0};
    AUTO(free_ptr) struct speech_word *words = NULL;
    size_t count = 0;
    if (!azure_sound(t, y->job.expected_ms, &u, e))
        return AZURE_AGAIN;
    if (!azure_times(&u, t, &y->spoken, y->r->text, y->r->lang, &words, &count, e) ||
        !utterance_save(&u, y->r->wav_path, e))
        return AZURE_STOPPED; /* memory or disk: no other way helps */
    y->ret->duration_ms = (int)((int64_t)u.count * 1000 / u.sample_rate);
    y->ret->words = TAKE(words);
    y->ret->word_count = count;
    return AZURE_OK;
}

/* One way of asking until it works, is refused, or has failed `tries` times. */
static enum azure_fault try_way(struct azure_service *s, struct saying *y,
                                enum azure_fault (*way)(struct azure_service *,
                                                        const struct azure_job *,
                                                        struct azure_turn *, struct err *),
                                int tries, struct err *e)
{
    enum azure_fault fault = AZURE_AGAIN;
    for (int failed = 0, stale = 0; failed < tries;) {
        struct azure_turn t;
        azure_turn_init(&t);
        fault = way(s, &y->job, &t, e);
        if (fault == AZURE_OK)
            fault = finish(y, &t, e);
        int wanted = t.wait_ms;
        azure_turn_free(&t);
        if (fault == AZURE_STALE && ++stale <= STALE_MAX)
            continue;
        if (fault != AZURE_AGAIN && fault != AZURE_STALE)
            return fault;
        if (wanted > WAIT_MAX_MS) /* the next engine is sooner */
            return fault;
        int pause = s->limits.backoff_ms ? s->limits.backoff_ms : net_backoff_ms(failed);
        if (++failed < tries && cancel_wait(y->job.cancel, MAX(pause, wanted)))
            return azure_fault_set(e, AZURE_STOPPED, "cancelled while speaking");
    }
    return fault;
}

static bool say(struct azure_service *s, struct saying *y, struct err *e)
{
    enum azure_fault fault = try_way(s, y, azure_link_speak, TURNS, e);
    if (fault == AZURE_AGAIN || fault == AZURE_STALE || fault == AZURE_REST)
        fault = try_way(s, y, azure_rest_speak, REST_TRIES, e);
    rest_begin(s, fault, e);
    return fault == AZURE_OK;
}

static void saying_free(struct saying *y)
{
    spoken_free(&y->spoken);
}

static bool azure_speak(void *self, const struct speech_request *request,
                        struct speech_result *ret_result, struct err *e)
{
    struct azure *a = self;
    AUTO(saying_free) struct saying y = {.r = request, .ret = ret_result};
    AUTO(strbuf_free) struct strbuf ssml = STRBUF(AZURE_SSML_MAX);
    if (cancel_fired(request->cancel))
        return err_set(e, ERR_CANCELLED, "make.cancelled", "cancelled before speaking");
    struct azure_member *m =
        azure_voice_choose(a->service.roster, request->lang, request->voice, e);
    if (!m)
        return false;
    const struct azure_voice *v = &m->voice;
    if (strlen(request->text) > TEXT_MAX)
        return err_set_arg(e, ERR_LIMIT, "make.too_long", "600", "scene of %zu bytes",
                           strlen(request->text));
    azure_spoken_make(&y.spoken, request->text, v->lang);
    if (!y.spoken.has_words)
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "nothing in the scene can be spoken");
    if (is_resting(&a->service, e))
        return false;
    double speed = request->speed > 0 ? CLAMP(request->speed, 0.5, 2.0) : 1.0;
    azure_ssml(&ssml, v, &y.spoken, speed);
    if (ssml.failed)
        return err_set_arg(e, ERR_LIMIT, "make.too_long", "600", "markup over %d bytes",
                           AZURE_SSML_MAX);
    y.job = (struct azure_job){
        .ssml = ssml.text,
        .expected_ms =
            (int64_t)((double)text_units(request->text, v->lang) * 60000 / v->rate / speed),
        .cancel = request->cancel,
    };
    if (!say(&a->service, &y, e))
        return false;
    azure_member_spoke(m, (int64_t)text_units(request->text, v->lang),
                       (int64_t)(ret_result->duration_ms * speed));
    azure_rates_keep(&a->service);
    return true;
}

/* --- the other slots --- */

static const struct speech_voice *list_voices(void *self, size_t *ret_count)
{
    const struct azure *a = self;
    const struct azure_roster *r = a->service.roster;
    *ret_count = r->count;
    return r->shown;
}

static int rate(void *self, const char *lang, const char *voice)
{
    const struct azure *a = self;
    struct err ignored = {0};
    const struct azure_member *m = azure_voice_choose(a->service.roster, lang, voice, &ignored);
    return m ? azure_member_rate(m) : 0;
}

static void destroy(void *self)
{
    struct azure *a = self;
    if (!a)
        return;
    azure_refresh_stop(&a->service);
    azure_rates_save(&a->service);
    azure_links_free(&a->service);
    ws_engine_destroy(a->service.own_ws);
    pthread_mutex_destroy(&a->service.lock);
    pthread_cond_destroy(&a->service.stopped);
    azure_roster_free(a->service.roster);
    free(a);
}

static const struct speech_engine_ops azure_ops = {
    .name = "azure",
    .voices = list_voices,
    .speak = azure_speak,
    .rate = rate,
    .destroy = destroy,
    .price_rank = 5,
};

/* --- making it --- */

bool azure_region_base(const char *region, char ret[static AZURE_URL_MAX])
{
    size_t len = strlen(region);
    if (len == 0 || len >= 64 || strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
        return false;
    const char *host = str_starts(region, "china")   ? "azure.cn"
                       : str_starts(region, "usgov") ? "azure.us"
                                                     : "microsoft.com";
    snprintf(ret, AZURE_URL_MAX, "https://%s.tts.speech.%s", region, host);
    return true;
}

static bool make_base(struct azure_service *s, const struct azure_options *o, struct err *e)
{
    if (o->url && o->url[0]) {
        if (strlen(o->url) >= sizeof(s->base) || strncmp(o->url, "http", 4) != 0)
            return err_set_arg(e, ERR_CONFIG, "start.bad_config", "AZURE_SPEECH_URL",
                               "azure: AZURE_SPEECH_URL is no http address");
        str_copy(s->base, sizeof(s->base), o->url);
        for (size_t n = strlen(s->base); n && s->base[n - 1] == '/'; n--)
            s->base[n - 1] = '\0';
        s->trusted = true;
        return net_trust_base(s->net, s->base, e);
    }
    if (!o->region || !azure_region_base(o->region, s->base))
        return err_set_arg(e, ERR_CONFIG, "start.bad_config",
                           "AZURE_SPEECH_REGION: like westeurope",
                           "azure: AZURE_SPEECH_REGION is missing or no region's name");
    return true;
}

static int limit(int given, int fallback)
{
    return given > 0 ? given : fallback;
}

static bool need_ws(struct azure_service *s, const struct azure_options *o, struct err *e)
{
    if (!o->ws && !ws_engine_create(o->allow_plain, &s->own_ws, e))
        return false;
    s->ws = o->ws ? o->ws : s->own_ws;
    return true;
}

bool azure_create(const struct azure_options *o, struct speech_engine *ret, struct err *e)
{
    struct azure *a = calloc(1, sizeof(*a));
    if (!a)
        return err_set(e, ERR_INTERNAL, "error.internal", "azure: no memory");
    struct azure_service *s = &a->service;
    s->net = o->net;
    s->limits = (struct azure_limits){
        .connect_ms = limit(o->limits.connect_ms, 10000),
        .first_ms = limit(o->limits.first_ms, 15000),
        .between_ms = limit(o->limits.between_ms, 10000),
        .total_ms = limit(o->limits.total_ms, 60000),
        .backoff_ms = o->limits.backoff_ms,
        .check_ms = limit(o->limits.check_ms, 5000),
        .rest_ms = limit(o->limits.rest_ms, 60000),
    };
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->stopped, NULL);
    cancel_init(&s->stop, NULL);
    str_copy(s->list_path, sizeof(s->list_path), o->list_path ? o->list_path : "");
    str_copy(s->rates_path, sizeof(s->rates_path), o->rates_path ? o->rates_path : "");
    bool ok = str_copy(s->key, sizeof(s->key), o->key) && s->key[0] && !strpbrk(s->key, "\r\n");
    if (!ok)
        err_set_arg(e, ERR_CONFIG, "start.bad_config", "AZURE_SPEECH_KEY",
                    "azure: AZURE_SPEECH_KEY is no key");
    else
        s->roster = azure_roster_make(NULL, NULL);
    if (ok && !atomic_load(&s->roster))
        ok = err_set(e, ERR_INTERNAL, "error.internal", "azure: no memory");
    if (ok) {
        azure_list_load(s);
        azure_rates_load(s);
    }
    ok = ok && make_base(s, o, e) && need_ws(s, o, e) && azure_refresh_start(s, e);
    if (!ok) {
        destroy(a);
        return false;
    }
    *ret = (struct speech_engine){.ops = &azure_ops, .self = a};
    return true;
}

bool azure_check(const struct speech_engine *engine, const struct cancel *cancel, struct err *e)
{
    struct azure *a = engine->self;
    return azure_rest_check(&a->service, cancel, e);
}
