/*
 * Helper processes and the threads that own them. A helper belongs to one thread for its whole
 * life: that thread starts it (the parent-death signal is tied to the thread), talks to it, and
 * ends it. Callers only hand over a task and wait.
 *
 * Each text gets a fresh helper (8 ms): the library's noise goes on from text to text, so a reused
 * one would speak the same text 10-50 ms longer or shorter each time, and a voice that was made
 * again after the cache was emptied would no longer fit its storyboard's word times.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "adapters/speech/espeak_parts.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"

#define LOG_MODULE "speech"

enum { HELPERS_MAX = 8, SLICE_MS = 50, MS_PER_KB = 2000, HELPER_MEMORY = 512 << 20 };

/* One text on its way through; lives on its caller's stack. */
struct task {
    const char *voice;
    unsigned rate;
    const char *text;
    size_t len;
    const struct cancel *cancel;
    char job[48]; /* for the log lines of the helper's thread */
    struct utterance result;
    struct err err;
    bool ok;
    enum task_state { TASK_QUEUED, TASK_TAKEN, TASK_DONE } state;
    struct task *next;
};

struct helper {
    struct speak_pool *pool;
    pthread_t thread;
    struct proc proc; /* its thread's own */
};

struct speak_pool {
    char *program;
    int deadline_ms;
    struct helper helpers[HELPERS_MAX];
    int helper_count; /* threads that run */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    struct task *first;
    bool stopping;
};

/* --- talking to one helper --- */

enum talk { TALK_OK, TALK_LOST, TALK_LATE, TALK_NONSENSE, TALK_CANCELLED };

static const char *const talk_names[] = {"ok", "it ended", "it hangs", "it sent nonsense",
                                         "cancelled"};

struct wire {
    const struct proc *proc;
    const struct cancel *cancel;
    int64_t deadline;
};

/* Real time, also when a test has set the clock. */
static int64_t real_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum talk wait_ready(const struct wire *w, int fd, short events)
{
    for (;;) {
        int64_t left = w->deadline - real_ms();
        if (cancel_fired(w->cancel))
            return TALK_CANCELLED;
        if (left <= 0)
            return TALK_LATE;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, (int)MIN(left, (int64_t)SLICE_MS));
        if (n > 0)
            return TALK_OK;
        if (n < 0 && errno != EINTR)
            return TALK_LOST;
    }
}

/* Moves len bytes one way: from memory to the helper, or from it to memory. */
static enum talk move(const struct wire *w, bool sending, void *bytes, size_t len)
{
    int fd = sending ? w->proc->to : w->proc->from;
    for (size_t done = 0; done < len;) {
        enum talk t = wait_ready(w, fd, sending ? POLLOUT : POLLIN);
        if (t != TALK_OK)
            return t;
        char *at = (char *)bytes + done;
        ssize_t n = sending ? write(fd, at, len - done) : read(fd, at, len - done);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            return TALK_LOST;
        done += n > 0 ? (size_t)n : 0;
    }
    return TALK_OK;
}

static enum talk send_task(const struct wire *w, const struct task *t)
{
    size_t voice_len = strlen(t->voice);
    struct wire_request ask = {.magic = WIRE_ASK,
                               .voice_len = (uint32_t)voice_len,
                               .text_len = (uint32_t)t->len,
                               .rate = t->rate};
    struct strbuf out = STRBUF(sizeof(ask) + WIRE_VOICE_MAX + WIRE_TEXT_MAX);
    strbuf_add(&out, &ask, sizeof(ask));
    strbuf_add(&out, t->voice, voice_len);
    strbuf_add(&out, t->text, t->len);
    enum talk r = out.failed ? TALK_NONSENSE : move(w, true, out.text, out.len);
    strbuf_free(&out);
    return r;
}

static enum talk receive(const struct wire *w, struct utterance *ret, enum wire_status *ret_status)
{
    struct wire_reply reply;
    enum talk t = move(w, false, &reply, sizeof(reply));
    if (t != TALK_OK)
        return t;
    bool sane = reply.magic == WIRE_ANSWER && reply.samples <= WIRE_SAMPLES_MAX &&
                reply.events <= WIRE_EVENTS_MAX && reply.sample_rate >= 8000 &&
                reply.sample_rate <= 48000 && reply.status <= WIRE_BROKEN;
    if (!sane)
        return TALK_NONSENSE;
    *ret_status = (enum wire_status)reply.status;
    ret->sample_rate = reply.sample_rate;
    ret->samples = calloc((size_t)reply.samples + 1, sizeof(*ret->samples));
    ret->events = calloc((size_t)reply.events + 1, sizeof(*ret->events));
    if (!ret->samples || !ret->events)
        return TALK_LOST;
    t = move(w, false, ret->samples, reply.samples * sizeof(*ret->samples));
    if (t == TALK_OK)
        t = move(w, false, ret->events, reply.events * sizeof(*ret->events));
    ret->count = reply.samples;
    ret->event_count = reply.events;
    return t;
}

void utterance_free(struct utterance *u)
{
    free(u->samples);
    free(u->events);
    *u = (struct utterance){0};
}

static bool helper_start(struct helper *h, struct err *e)
{
    const char *const argv[] = {h->pool->program, NULL};
    /* Although nothing is played, the library looks for a sound server and would start one. */
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                      "PULSE_SERVER=unix:/nonexistent", NULL};
    struct proc_options o = {.env = env, .pipe_in = true, .pipe_out = true};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they map terabytes */
    o.max_memory = HELPER_MEMORY;
#endif
    if (!proc_start(&h->proc, argv, &o, e))
        return false;
    fcntl(h->proc.to, F_SETFL, O_NONBLOCK);
    fcntl(h->proc.from, F_SETFL, O_NONBLOCK);
    return true;
}

/* One try, with a helper that is started for it and ended after it. */
static enum talk helper_try(struct helper *h, struct task *t, enum wire_status *ret_status)
{
    struct wire w = {
        .proc = &h->proc,
        .cancel = t->cancel,
        .deadline = real_ms() + h->pool->deadline_ms + (int64_t)t->len * MS_PER_KB / 1024,
    };
    utterance_free(&t->result);
    enum talk r = send_task(&w, t);
    if (r == TALK_OK)
        r = receive(&w, &t->result, ret_status);
    if (r != TALK_OK)
        utterance_free(&t->result);
    proc_end(&h->proc);
    h->proc = (struct proc){.to = -1, .from = -1};
    return r;
}

static bool status_ok(enum wire_status status, const struct task *t, struct err *e)
{
    switch (status) {
    case WIRE_OK:
        return true;
    case WIRE_NO_VOICE:
        return err_set_arg(e, ERR_UNSUPPORTED, "make.unknown_voice", t->voice,
                           "espeak-ng has no voice %s", t->voice);
    case WIRE_TOO_LONG:
        return err_set_arg(e, ERR_LIMIT, "make.too_long", "600", "speech of over %d s",
                           WIRE_SECONDS_MAX);
    default:
        return err_set(e, ERR_RETRY, "make.voice_failed", "espeak-ng could not speak %zu bytes",
                       t->len);
    }
}

/* On the helper's thread: a failed try costs one more with a fresh helper. */
static bool task_run(struct helper *h, struct task *t, struct err *e)
{
    enum talk r = TALK_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        enum wire_status status = WIRE_OK;
        struct err why = {0};
        if (!helper_start(h, &why))
            return err_set(e, ERR_RETRY, "make.voice_failed", "%s", why.detail);
        r = helper_try(h, t, &status);
        if (r == TALK_OK)
            return status_ok(status, t, e);
        if (r == TALK_CANCELLED)
            return err_set(e, ERR_CANCELLED, "make.cancelled", "cancelled while speaking");
        log_warn("voice helper: %s (try %d)", talk_names[r], attempt + 1);
    }
    return err_set(e, ERR_RETRY, "make.voice_failed", "voice helper failed twice: %s",
                   talk_names[r]);
}

/* --- the queue --- */

static void *helper_main(void *arg)
{
    struct helper *h = arg;
    struct speak_pool *p = h->pool;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->first && !p->stopping)
            pthread_cond_wait(&p->changed, &p->lock);
        struct task *t = p->first;
        if (!t)
            break;
        p->first = t->next;
        t->state = TASK_TAKEN;
        pthread_mutex_unlock(&p->lock);
        log_job(t->job);
        t->ok = task_run(h, t, &t->err);
        log_job(NULL);
        pthread_mutex_lock(&p->lock);
        t->state = TASK_DONE;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void queue_add(struct speak_pool *p, struct task *t)
{
    struct task **end = &p->first;
    while (*end)
        end = &(*end)->next;
    *end = t;
}

static void queue_drop(struct speak_pool *p, const struct task *t)
{
    for (struct task **at = &p->first; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            return;
        }
}

bool speak_pool_say(struct speak_pool *p, const char *voice, unsigned rate, const char *text,
                    size_t len, const struct cancel *cancel, struct utterance *ret, struct err *e)
{
    struct task t = {.voice = voice, .rate = rate, .text = text, .len = len, .cancel = cancel};
    if (len > WIRE_TEXT_MAX)
        return err_set_arg(e, ERR_LIMIT, "make.too_long", "600", "scene of %zu bytes to speak",
                           len);
    str_copy(t.job, sizeof(t.job), log_job_current() ? log_job_current() : "");
    pthread_mutex_lock(&p->lock);
    queue_add(p, &t);
    pthread_cond_broadcast(&p->changed);
    while (t.state != TASK_DONE) {
        struct timespec until = clock_until(SLICE_MS);
        pthread_cond_timedwait(&p->changed, &p->lock, &until);
        if (t.state == TASK_QUEUED && cancel_fired(cancel)) {
            queue_drop(p, &t);
            pthread_mutex_unlock(&p->lock);
            return err_set(e, ERR_CANCELLED, "make.cancelled", "cancelled before speaking");
        }
    }
    pthread_mutex_unlock(&p->lock);
    if (!t.ok) {
        utterance_free(&t.result);
        *e = t.err;
        return false;
    }
    *ret = t.result;
    return true;
}

bool speak_pool_create(const char *helper, int helpers, int deadline_ms, struct speak_pool **ret,
                       struct err *e)
{
    struct speak_pool *p = calloc(1, sizeof(*p));
    if (!p)
        return err_set(e, ERR_RETRY, "error.internal", "out of memory");
    p->program = str_dup(helper);
    p->deadline_ms = deadline_ms > 0 ? deadline_ms : 10000;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    /* No signals on these threads: writing to a dead helper must not be ours. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int wanted = helpers > 0 ? MIN(helpers, (int)HELPERS_MAX) : 2;
    for (; p->helper_count < wanted; p->helper_count++) {
        struct helper *h = &p->helpers[p->helper_count];
        *h = (struct helper){
            .pool = p, .proc = {.to = -1, .from = -1}
        };
        if (pthread_create(&h->thread, NULL, helper_main, h) != 0)
            break;
        pthread_setname_np(h->thread, "speak");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->helper_count == 0) {
        speak_pool_destroy(p);
        return err_set(e, ERR_RETRY, "error.internal", "no thread for the voice: %m");
    }
    *ret = p;
    return true;
}

void speak_pool_destroy(struct speak_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->helper_count; i++)
        pthread_join(p->helpers[i].thread, NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->program);
    free(p);
}
