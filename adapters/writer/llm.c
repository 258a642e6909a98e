/* The writer: one answer, one repair, then the next writer's turn. */
#include "adapters/writer/llm.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/story/text.h"

#define LOG_MODULE "writer"

enum {
    TRIES_MAX = 3,          /* answers that failed for the service's own reasons */
    ADAPTS_MAX = 10,        /* rungs that one question may move */
    WAIT_MAX_MS = 60000,    /* longer waits are for the queue */
    REST_RETRY_MS = 10000,  /* a service that is down is not asked for each job */
    REST_CONFIG_MS = 60000, /* nor one that wants another key or money */
};

/* --- one question --- */

struct question {
    struct llm *w;
    const struct llm_prompt *prompt;
    const struct script_request *request;
    int tokens;
    int failures, adapts;
    bool plain;  /* without JSON mode: it blanked the answer */
    bool longer; /* the limit was raised */
    int64_t begun_ms;
};

static struct llm_caps caps_now(struct llm *w)
{
    pthread_mutex_lock(&w->lock);
    struct llm_caps c = w->caps;
    pthread_mutex_unlock(&w->lock);
    return c;
}

/* Another job may have learnt the same in the meantime; then it is known already. */
static bool caps_learn(struct llm *w, const struct llm_caps *used, const struct llm_answer *a)
{
    pthread_mutex_lock(&w->lock);
    bool known = w->caps.moves != used->moves;
    bool ok = known || llm_caps_move(&w->caps, a->field, a->gone);
    pthread_mutex_unlock(&w->lock);
    return ok;
}

/* One line per call: what came of it, and what it cost. */
static void tell_operator(const struct llm *w, const struct llm_answer *a, int64_t ms,
                          const char *request)
{
    char tokens[64] = "";
    if (a->tokens_in >= 0 || a->tokens_out >= 0)
        snprintf(tokens, sizeof(tokens), ", %lld tokens in, %lld out",
                 (long long)MAX(a->tokens_in, 0), (long long)MAX(a->tokens_out, 0));
    log_info("%s %s: %s%s%s%s, %lld ms%s%.64s", w->profile->name, w->model,
             llm_class_name(a->class), a->why[0] ? ", " : "", a->why, tokens, (long long)ms,
             request[0] ? ", request " : "", request);
}

/* The same for whoever ordered the script. */
static void tell_caller(const struct question *q, const struct llm_answer *a, int64_t ms)
{
    struct script_call call = {
        .writer = q->w->profile->name,
        .model = q->w->model,
        .outcome = llm_class_name(a->class),
        .tokens_in = a->tokens_in,
        .tokens_out = a->tokens_out,
        .ms = (int)MIN(ms, INT32_MAX),
        .text = a->text ? a->text : a->why,
        .text_len = strlen(a->text ? a->text : a->why),
    };
    if (q->request->on_call)
        q->request->on_call(q->request->ctx, &call);
}

/* False when the call was cancelled. */
static bool exchange(const struct question *q, const struct llm_caps *caps, struct llm_answer *a,
                     struct err *e)
{
    struct llm *w = q->w;
    char log_name[64];
    const char *headers[] = {"Content-Type: application/json", w->auth};
    AUTO(net_reply_free) struct net_reply reply = {0};
    AUTO(free_ptr) char *body = llm_request_body(caps, w->model, q->prompt, q->tokens);
    AUTO(free_ptr) char *url = str_printf("%s/chat/completions", w->url);
    if (!body)
        return err_set(e, ERR_RETRY, "writer.down", "out of memory for a request");
    snprintf(log_name, sizeof(log_name), "%s chat", w->profile->name);
    struct net_request r = {
        .log_name = log_name,
        .url = url,
        .headers = headers,
        .header_count = COUNT(headers),
        .body = body,
        .body_len = strlen(body),
        .reply_max = LLM_REPLY_MAX,
        .total_ms = llm_total_ms(w->profile, w->model),
        .cancel = q->request->cancel,
    };
    int64_t sent_ms = clock_mono_ms();
    if (!net_call(w->net, &r, &reply, e) && e->code == ERR_CANCELLED)
        return false;
    llm_answer_read(&reply, a);
    if (reply.outcome != NET_REPLY)
        str_copy(a->why, sizeof(a->why), e->detail);
    log_redact(a->why); /* some services repeat the key that they refuse */
    int64_t ms = clock_mono_ms() - sent_ms;
    tell_operator(w, a, ms, net_reply_header(&reply, "x-request-id"));
    tell_caller(q, a, ms);
    return true;
}

/* The last word about a question that got no answer. */
static bool give_up(struct llm *w, const struct llm_answer *a, struct err *e)
{
    enum llm_class c = a->class;
    bool config = c == LLM_FATAL_CONFIG || c == LLM_FATAL_QUOTA;
    enum err_code code = config                                     ? ERR_CONFIG
                         : c == LLM_REFUSED                         ? ERR_REFUSED
                         : c == LLM_FATAL_REQUEST || c == LLM_ADAPT ? ERR_UNSUPPORTED
                                                                    : ERR_RETRY;
    const char *key = code == ERR_REFUSED       ? "make.refused"
                      : code == ERR_UNSUPPORTED ? "writer.bad_script"
                                                : "writer.down";
    if (config || c == LLM_RETRY || c == LLM_RETRY_AFTER) {
        int rest = config ? REST_CONFIG_MS : MAX(REST_RETRY_MS, MIN(a->wait_ms, 600000));
        pthread_mutex_lock(&w->lock);
        w->rest_until_ms = clock_mono_ms() + rest;
        w->rest_class = c;
        pthread_mutex_unlock(&w->lock);
    }
    return err_set(e, code, key, "%s (%s, model %s): %s%s", w->profile->name, llm_class_name(c),
                   w->model, c == LLM_FATAL_QUOTA ? "no money at the provider: " : "", a->why);
}

/* Not asked again so soon after it failed for reasons that last. */
static bool is_resting(struct llm *w, struct err *e)
{
    pthread_mutex_lock(&w->lock);
    bool resting = clock_mono_ms() < w->rest_until_ms;
    enum llm_class c = w->rest_class;
    pthread_mutex_unlock(&w->lock);
    if (!resting)
        return false;
    bool config = c == LLM_FATAL_CONFIG || c == LLM_FATAL_QUOTA;
    err_set(e, config ? ERR_CONFIG : ERR_RETRY, "writer.down", "%s rests after %s",
            w->profile->name, llm_class_name(c));
    return true;
}

/* Waits before another try. False: there is none. */
static bool may_try_again(struct question *q, const struct llm_answer *a)
{
    struct llm *w = q->w;
    int64_t spent = clock_mono_ms() - q->begun_ms;
    int wait = a->class == LLM_BLANK ? 0 : net_backoff_ms(q->failures);
    q->failures++;
    if (a->class == LLM_RETRY_AFTER && a->wait_ms >= 0)
        wait = a->wait_ms;
    if (a->last || q->failures >= TRIES_MAX || wait > WAIT_MAX_MS ||
        spent + wait >= llm_total_ms(w->profile, w->model))
        return false;
    if (w->pause_ms > 0)
        wait = MIN(wait, w->pause_ms);
    return !cancel_wait(q->request->cancel, wait);
}

/* After an answer that is not the last word: changes what can be changed. False: give up. */
static bool change(struct question *q, const struct llm_caps *used, const struct llm_answer *a)
{
    switch (a->class) {
    case LLM_ADAPT:
        return q->adapts++ < ADAPTS_MAX && caps_learn(q->w, used, a);
    case LLM_CUT: /* once */
        if (q->longer)
            return false;
        q->longer = true;
        q->tokens *= 3;
        return true;
    case LLM_BLANK:
        q->plain = true;
        return may_try_again(q, a);
    case LLM_RETRY:
    case LLM_RETRY_AFTER:
        return may_try_again(q, a);
    default:
        return false;
    }
}

/* The text of an answer, whatever it is worth. *ret_text is the caller's. */
static bool ask(struct llm *w, const struct llm_prompt *prompt, const struct llm_wish *wish,
                const struct script_request *request, char **ret_text, struct err *e)
{
    const struct cancel *cancel = request->cancel;
    struct question q = {
        .w = w,
        .prompt = prompt,
        .request = request,
        .tokens = llm_tokens_max(wish, w->model),
        .begun_ms = clock_mono_ms(),
    };
    for (;;) {
        AUTO(llm_answer_free) struct llm_answer a = {.wait_ms = -1};
        struct llm_caps caps = caps_now(w);
        struct llm_caps used = caps;
        if (q.plain)
            used.format = FORMAT_PROMPT;
        if (cancel_fired(cancel))
            return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped while writing");
        if (!exchange(&q, &used, &a, e))
            return false;
        if (a.class == LLM_OK || (a.class == LLM_CUT && q.longer)) {
            *ret_text = TAKE(a.text);
            return true;
        }
        if (!change(&q, &caps, &a)) {
            if (cancel_fired(cancel))
                return err_set(e, ERR_CANCELLED, "make.cancelled", "stopped while writing");
            return give_up(w, &a, e);
        }
    }
}

/* --- a script --- */

static void say_faults(const struct llm *w, const char *which, const struct llm_draft *d)
{
    AUTO(free_ptr) char *line = str_dup(strbuf_text(&d->faults));
    for (char *p = line; *p; p++)
        if (*p == '\n')
            *p = ' ';
    log_info("%s %s: %s answer %s", w->profile->name, w->model, which, line);
}

/* Asks once more, telling what was wrong; d becomes the better of the two. A service that fails now
   leaves the first answer as it is. */
static bool repair(struct llm *w, struct llm_prompt *prompt, const struct llm_wish *wish,
                   const struct script_request *request, const char *text, struct llm_draft *d,
                   struct err *e)
{
    AUTO(free_ptr) char *again = NULL;
    AUTO(llm_draft_free) struct llm_draft second = LLM_DRAFT;
    struct err why = {0};
    if (!llm_prompt_repair(prompt, text, strbuf_text(&d->faults)))
        return true;
    if (!ask(w, prompt, wish, request, &again, &why)) {
        if (why.code == ERR_CANCELLED || d->grade == GRADE_BAD) {
            *e = why;
            return false;
        }
        return true;
    }
    llm_draft_read(&second, again, wish);
    if (second.grade != GRADE_GOOD)
        say_faults(w, "repaired", &second);
    if (second.grade > d->grade || (second.grade == d->grade && second.off < d->off)) {
        struct llm_draft first = *d;
        *d = second;
        second = first;
    }
    return true;
}

static bool write_wish(struct llm *w, const struct llm_wish *wish,
                       const struct script_request *request, struct script *ret, struct err *e)
{
    AUTO(llm_prompt_free) struct llm_prompt prompt = {0};
    AUTO(llm_draft_free) struct llm_draft d = LLM_DRAFT;
    AUTO(free_ptr) char *text = NULL;
    if (!llm_prompt_make(wish, &prompt))
        return err_set(e, ERR_RETRY, "writer.down", "out of memory for a prompt");
    prompt.person = request->person;
    if (!ask(w, &prompt, wish, request, &text, e))
        return false;
    llm_draft_read(&d, text, wish);
    if (d.grade != GRADE_GOOD) {
        say_faults(w, "first", &d);
        if (!repair(w, &prompt, wish, request, text, &d, e))
            return false;
    }
    if (d.grade == GRADE_BAD)
        return err_set(e, ERR_RETRY, "writer.bad_script", "%s, model %s: %s", w->profile->name,
                       w->model, strbuf_text(&d.faults));
    *ret = d.script;
    d.script = (struct script){0};
    return true;
}

static bool llm_write(void *self, const struct script_request *request, struct script *ret_script,
                      struct err *e)
{
    struct llm *w = self;
    struct llm_wish wish;
    *ret_script = (struct script){0};
    AUTO(free_ptr) char *topic = text_clean(request->topic);
    if (!text_has_words(topic))
        return err_set(e, ERR_INPUT, "make.nothing_to_say", "topic without words");
    if (is_resting(w, e))
        return false;
    llm_wish_make(request, topic, &wish);
    return write_wish(w, &wish, request, ret_script, e);
}

/* --- life --- */

static void llm_destroy(void *self)
{
    struct llm *w = self;
    if (!w)
        return;
    pthread_mutex_destroy(&w->lock);
    free(w->url);
    free(w->auth);
    free(w->model);
    free(w);
}

char *llm_base(const char *base)
{
    char *url = str_dup(base);
    size_t len = strlen(url);
    while (len && url[len - 1] == '/')
        url[--len] = '\0';
    return url;
}

char *llm_auth(const char *key)
{
    return str_printf("Authorization: Bearer %s", key[0] ? key : "none");
}

bool llm_create(const struct llm_options *o, struct script_writer *ret, struct err *e)
{
    if (!net_trust_base(o->net, o->base_url, e))
        return false;
    struct llm *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(e, ERR_INTERNAL, "error.internal", "writer: no memory");
    w->net = o->net;
    w->profile = o->profile;
    w->url = llm_base(o->base_url);
    w->auth = llm_auth(o->key);
    w->model = str_dup(o->model);
    w->pause_ms = o->pause_ms;
    w->caps = llm_caps_start(o->profile, o->model);
    w->ops = (struct script_writer_ops){
        .name = o->profile->name,
        .write = llm_write,
        .destroy = llm_destroy,
    };
    pthread_mutex_init(&w->lock, NULL);
    *ret = (struct script_writer){.ops = &w->ops, .self = w};
    return true;
}
