/*
 * What must outlive the process is written down here, many at once: interactions before they are
 * acknowledged, sessions soon after they moved. One thread, so that neither a frame nor the bot
 * ever waits for it.
 */
#include <stdarg.h>

#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"

enum {
    BATCH = 128,       /* interactions of one transaction */
    SESSIONS_MS = 200, /* a session that moves all the time is written so often */
    AWAY_MS = 200,     /* pause while nothing can be written */
    LOOK_MS = 1000,
};

/* --- notes --- */

void dc_notes_add(struct dc_notes *n, int seconds, const char *value, const char *key_fmt, ...)
{
    va_list args;
    char key[80];
    if (n->count == DC_NOTES_MAX)
        return;
    va_start(args, key_fmt);
    vsnprintf(key, sizeof(key), key_fmt, args);
    va_end(args);
    n->list[n->count++] = (struct discord_note){
        .key = arena_dup(&n->arena, key), .value = arena_dup(&n->arena, value), .seconds = seconds};
}

void dc_notes_free(struct dc_notes *n)
{
    arena_free(&n->arena);
    n->count = 0;
}

bool dc_keep(struct discord *d, const struct dc_notes *notes, bool sure)
{
    return !d->o.keep || notes->count == 0 || d->o.keep(d->o.ctx, notes->list, notes->count, sure);
}

/* --- the thread --- */

/* Takes what is not written yet; ret has room for BATCH. */
static size_t take(struct discord *d, struct dc_inter *ret)
{
    size_t count = 0;
    pthread_mutex_lock(&d->lock);
    d->pen_called = false;
    for (size_t i = 0; i < DC_INTERS_MAX && count < BATCH; i++) {
        struct dc_inter *in = &d->inters[(d->inter_next + i) % DC_INTERS_MAX]; /* oldest first */
        if (!in->unwritten)
            continue;
        in->unwritten = false;
        ret[count++] = *in;
    }
    d->pen_called |= count == BATCH;
    pthread_mutex_unlock(&d->lock);
    return count;
}

static void give_back(struct discord *d, const struct dc_inter *list, size_t count)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < DC_INTERS_MAX; i++)
        for (size_t k = 0; k < count; k++)
            if (!d->inters[i].follow && strcmp(d->inters[i].id, list[k].id) == 0)
                d->inters[i].unwritten = true;
    pthread_mutex_unlock(&d->lock);
}

static bool write_inters(struct discord *d, const struct dc_inter *list, size_t count)
{
    AUTO(dc_notes_free) struct dc_notes notes = {.count = 0};
    for (size_t i = 0; i < count; i++)
        dc_inter_note(&list[i], &notes);
    return dc_keep(d, &notes, true);
}

static void write_sessions(struct discord *d, int64_t *saved_ms)
{
    int64_t now = clock_mono_ms();
    if (!dc_link_is_ours(d)) { /* it may be again: nothing is forgotten meanwhile */
        *saved_ms = now;
        return;
    }
    pthread_mutex_lock(&d->lock);
    bool due = d->sessions_new || (d->sessions_moved && now - *saved_ms >= SESSIONS_MS);
    if (due)
        d->sessions_moved = d->sessions_new = false;
    pthread_mutex_unlock(&d->lock);
    if (!due)
        return;
    dc_sessions_save(d);
    *saved_ms = now;
}

/* Until there is something to write; true when it is over. */
static bool rest(struct discord *d, bool away, int64_t saved_ms)
{
    struct timespec until = clock_until(AWAY_MS);
    pthread_mutex_lock(&d->lock);
    if (!away && d->sessions_moved)
        until = clock_until(CLAMP(saved_ms + SESSIONS_MS - clock_mono_ms(), 1, SESSIONS_MS));
    else if (!away)
        until = clock_until(LOOK_MS);
    int r = 0;
    while (!d->pen_stops && (away || !d->pen_called) && r == 0)
        r = pthread_cond_clockwait(&d->pen_changed, &d->lock, CLOCK_MONOTONIC, &until);
    bool over = d->pen_stops;
    pthread_mutex_unlock(&d->lock);
    return over;
}

static void *pen_main(void *arg)
{
    struct discord *d = arg;
    struct dc_inter *list = calloc(BATCH, sizeof(*list));
    int64_t saved_ms = 0;
    for (bool ok = true; list && !rest(d, !ok, saved_ms);) {
        size_t count = take(d, list);
        ok = write_inters(d, list, count);
        for (size_t i = 0; i < count && ok; i++)
            dc_ack(d, list[i].id);
        if (!ok)
            give_back(d, list, count);
        else
            write_sessions(d, &saved_ms);
    }
    free(list);
    return NULL;
}

bool dc_pen_start(struct discord *d, struct err *e)
{
    pthread_mutex_lock(&d->lock);
    d->pen_stops = false;
    pthread_mutex_unlock(&d->lock);
    d->pen_runs = pthread_create(&d->pen, NULL, pen_main, d) == 0;
    if (!d->pen_runs)
        return err_set(e, ERR_INTERNAL, "error.internal", "no thread for discord");
    pthread_setname_np(d->pen, "discord-pen");
    return true;
}

void dc_pen_stop(struct discord *d)
{
    if (!d->pen_runs)
        return;
    pthread_mutex_lock(&d->lock);
    d->pen_stops = true;
    pthread_cond_signal(&d->pen_changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->pen, NULL);
    d->pen_runs = false;
}

/* With lock held. */
void dc_pen_call(struct discord *d)
{
    d->pen_called = true;
    pthread_cond_signal(&d->pen_changed);
}
