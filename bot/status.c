#define LOG_MODULE "status"
#include "bot/status.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bot/reply.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"

enum {
    ENTRIES_MAX = 256, /* jobs shown at once; more run without a moving card */
    LOOK_MS = 300,     /* until the card has been sent */
    PLACE_MS = 3000,   /* place in the queue */
    ALIVE_MS = 15000,  /* a job that runs: is it still ours to show */
    RETRY_MS = 5000,
};

struct entry {
    char id[UUID_TEXT];
    struct job job; /* topic owned; story unused */
    struct pipeline_progress progress;
    bool filled, has_progress, dirty, busy, ended;
    int64_t next_look, next_edit;
    struct entry *next;
};

struct status {
    struct bot *bot;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    struct entry *entries;
    size_t count;
    bool stopping;
};

void status_card(struct card_doc *doc, const struct job *job, const struct pipeline_progress *p,
                 bool buttons)
{
    const char *lang = job->lang;
    card_begin(doc, lang);
    doc->card.title = card_excerpt(doc, job->topic ? job->topic : "", 60);
    static const struct pipeline_progress none = {.left_ms = -1};
    bool is_next = job->state != JOB_WAITING && job->place <= 1;
    if (!p)
        card_line(doc, lang, is_next ? "status.starting" : "status.queued",
                  I18N_NUM("place", job->place));
    if (job->payer[0])
        card_line(doc, lang, "payer.by_group");
    const struct pipeline_progress *shown = p ? p : &none;
    for (int i = 0; i < PIPE_STAGES; i++) {
        char key[32];
        snprintf(key, sizeof(key), "stage.%s", pipeline_stage_name((enum pipeline_stage)i));
        doc->card.stages[doc->card.stage_count++] = (struct card_stage){
            .label = card_text(doc, lang, key),
            .state = shown->stages[i] == PIPE_DONE      ? STAGE_DONE
                     : shown->stages[i] == PIPE_RUNNING ? STAGE_RUNNING
                                                        : STAGE_WAITING,
        };
    }
    doc->card.percent = CLAMP(shown->percent, 0, 100);
    if (p && p->left_ms >= 0)
        doc->card.eta = card_text(doc, lang, "status.left",
                                  I18N_TEXT("time", card_duration(doc, lang, p->left_ms)));
    card_button(doc, lang, "button.cancel", true, "/cancel %s",
                buttons ? job->id : job_short(job->id));
}

static void entry_free(struct entry *entry)
{
    free(entry->job.topic);
    free(entry);
}

/* Lock held. */
static struct entry *entry_find(struct status *s, const char *id)
{
    for (struct entry *entry = s->entries; entry; entry = entry->next)
        if (strcmp(entry->id, id) == 0 && !entry->ended)
            return entry;
    return NULL;
}

/* Lock held. */
static struct entry *entry_add(struct status *s, const char *id)
{
    if (s->count >= ENTRIES_MAX || s->stopping)
        return NULL;
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    str_copy(entry->id, sizeof(entry->id), id);
    entry->next = s->entries;
    s->entries = entry;
    s->count++;
    return entry;
}

/* Lock held; the entry is not busy. */
static void entry_remove(struct status *s, struct entry *entry)
{
    struct entry **at = &s->entries;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    s->count--;
    entry_free(entry);
}

/* What a card shows of a job; lock held. */
static void entry_fill(struct entry *entry, const struct job *job)
{
    char *topic = entry->job.topic ? entry->job.topic : str_dup(job->topic ? job->topic : "");
    int place_before = entry->job.place;
    bool first = !entry->filled;
    entry->job = *job;
    entry->job.topic = topic;
    entry->job.story = NULL;
    entry->filled = true;
    if (!entry->has_progress) /* once it runs, whoever makes it shows it: perhaps another process */
        entry->dirty =
            job->state != JOB_RUNNING && (entry->dirty || first || place_before != job->place);
}

void status_watch(struct status *s, const char *job_id)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    if (!entry_find(s, job_id))
        (void)entry_add(s, job_id);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void status_progress(struct status *s, const struct job *job, const struct pipeline_progress *p)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    struct entry *entry = entry_find(s, job->id);
    if (!entry)
        entry = entry_add(s, job->id);
    if (entry && !entry->filled)
        entry_fill(entry, job);
    if (entry) {
        entry->dirty |= !entry->has_progress || memcmp(&entry->progress, p, sizeof(*p)) != 0;
        entry->progress = *p;
        entry->has_progress = true;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

void status_end(struct status *s, const char *job_id)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    struct entry *entry = entry_find(s, job_id);
    if (entry) {
        entry->ended = true;
        while (entry->busy)
            pthread_cond_wait(&s->changed, &s->lock);
        entry_remove(s, entry);
    }
    pthread_mutex_unlock(&s->lock);
}

struct look {
    const char *id;
    struct job job;
};

static bool look_body(struct db_tx *tx, void *data, struct err *e)
{
    struct look *look = data;
    job_free(&look->job);
    return job_get(tx, look->id, &look->job, e);
}

/* Asks the database; lock not held. False: nothing more to show. */
static bool look_at(struct status *s, struct look *look, bool *ret_known)
{
    struct err e;
    *ret_known = db_run_soft(s->bot->db, look_body, look, &e);
    if (!*ret_known && e.code != ERR_NOT_FOUND)
        return true; /* the database is away: look later */
    return *ret_known && job_state_is_live(look->job.state) && look->job.state != JOB_DELIVERING &&
           look->job.state != JOB_KEPT;
}

struct set_card {
    const char *id, *ref;
};

static bool set_card_body(struct db_tx *tx, void *data, struct err *e)
{
    const struct set_card *set = data;
    return job_set_card(tx, set->id, set->ref, e);
}

/* Lock not held; `shown` is a copy. False: try again later. */
static bool edit_card(struct status *s, const struct entry *shown, char ret_ref[CHAT_REF_MAX])
{
    const struct chat_adapter *adapter = bot_adapter(s->bot, shown->job.addr.network);
    if (!adapter)
        return true;
    AUTO(card_doc_free) struct card_doc doc;
    status_card(&doc, &shown->job, shown->has_progress ? &shown->progress : NULL,
                adapter->ops->abilities(adapter->self)->buttons);
    struct err e;
    if (adapter->ops->edit(adapter->self, &shown->job.addr, shown->job.card_ref, &doc.card, &e))
        return true;
    if (e.code != ERR_NOT_FOUND)
        return e.code != ERR_RETRY;
    /* The card is gone (deleted, or of an earlier terminal): a new one takes its place. */
    if (!adapter->ops->send(adapter->self, &shown->job.addr, &doc.card, ret_ref, &e))
        return e.code != ERR_RETRY;
    struct set_card set = {shown->id, ret_ref};
    if (!db_run(s->bot->db, set_card_body, &set, &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
    return true;
}

/* Lock held on entry and exit, released while the database or the network works. */
static void entry_look(struct status *s, struct entry *entry, int64_t now)
{
    struct look look = {.id = entry->id};
    bool known = false;
    entry->busy = true;
    pthread_mutex_unlock(&s->lock);
    bool live = look_at(s, &look, &known);
    pthread_mutex_lock(&s->lock);
    entry->busy = false;
    if (known && live)
        entry_fill(entry, &look.job);
    job_free(&look.job);
    entry->next_look = now + (!entry->job.card_ref[0] ? LOOK_MS
                              : !entry->has_progress  ? PLACE_MS
                                                      : ALIVE_MS);
    if (entry->ended)
        pthread_cond_broadcast(&s->changed);
    else if (!live)
        entry_remove(s, entry);
}

static void entry_edit(struct status *s, struct entry *entry, int64_t now)
{
    int interval = bot_abilities(s->bot, entry->job.addr.network)->edit_interval_ms;
    struct entry shown = *entry;
    char ref[CHAT_REF_MAX] = "";
    entry->busy = true;
    entry->dirty = false;
    pthread_mutex_unlock(&s->lock);
    /* The topic is only freed when the entry is not busy. */
    bool done = edit_card(s, &shown, ref);
    pthread_mutex_lock(&s->lock);
    entry->busy = false;
    entry->dirty |= !done;
    entry->next_edit = now + (done ? interval : RETRY_MS);
    if (ref[0])
        str_copy(entry->job.card_ref, sizeof(entry->job.card_ref), ref);
    if (entry->ended)
        pthread_cond_broadcast(&s->changed);
}

/* Lock held. The next thing to do, or when to look again. */
static bool entry_due(const struct entry *entry, int64_t now, bool *ret_edit, int64_t *wake_at)
{
    if (entry->ended)
        return false;
    bool shows = entry->filled && entry->job.card_ref[0] && entry->dirty;
    *ret_edit = shows && now >= entry->next_edit;
    if (*ret_edit || now >= entry->next_look)
        return true;
    *wake_at = MIN(*wake_at, entry->next_look);
    if (shows)
        *wake_at = MIN(*wake_at, entry->next_edit);
    return false;
}

static void *status_main(void *data)
{
    struct status *s = data;
    pthread_setname_np(pthread_self(), "status");
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        int64_t now = clock_mono_ms(), wake_at = now + 60000;
        bool edit = false;
        struct entry *due = NULL;
        for (struct entry *entry = s->entries; entry && !due; entry = entry->next)
            due = entry_due(entry, now, &edit, &wake_at) ? entry : NULL;
        if (due && edit) {
            entry_edit(s, due, now);
        } else if (due) {
            entry_look(s, due, now);
        } else {
            struct timespec until = clock_until(MAX(wake_at - now, 1));
            pthread_cond_timedwait(&s->changed, &s->lock, &until);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

bool status_start(struct bot *bot, struct status **ret, struct err *e)
{
    struct status *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, ERR_INTERNAL, "error.internal", "status: no memory");
    s->bot = bot;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    int r = pthread_create(&s->thread, NULL, status_main, s);
    if (r != 0) {
        pthread_cond_destroy(&s->changed);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return err_set_io(e, r, "status thread", "start");
    }
    *ret = s;
    return true;
}

void status_stop(struct status *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    while (s->entries)
        entry_remove(s, s->entries);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
