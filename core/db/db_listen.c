#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/db/db.h"
#include "core/db/db_internal.h"

#define LOG_MODULE "db.listen"

enum { PING_MS = 10000, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000 };

struct db_listener {
    const struct db_params *params; /* the db's, which outlives us */
    const struct cancel *db_cancel;
    void (*on_hint)(void *ctx);
    void *ctx;
    int poll_ms;
    int stop_fd; /* readable once we shall stop */
    struct cancel cancel;
    char sql[80];
    pthread_t thread;
    struct db_conn conn; /* the thread's own */
};

static bool stopping(const struct db_listener *l)
{
    return cancel_fired(&l->cancel) || cancel_fired(l->db_cancel);
}

/* False when the connection must be made anew. */
static bool drain_notifications(struct db_listener *l, bool *ret_any)
{
    if (!PQconsumeInput(l->conn.pg))
        return false;
    for (PGnotify *n; (n = PQnotifies(l->conn.pg)); PQfreemem(n))
        *ret_any = true;
    return PQstatus(l->conn.pg) == CONNECTION_OK;
}

/* Sleeps until a notification, the time is up, or stop. */
static void wait_for_news(struct db_listener *l, int ms)
{
    struct pollfd p[2] = {
        {.fd = l->stop_fd,                             .events = POLLIN},
        {.fd = l->conn.pg ? PQsocket(l->conn.pg) : -1, .events = POLLIN},
    };
    poll(p, 2, ms);
}

static bool reconnect(struct db_listener *l, int *backoff_ms)
{
    struct err e = {0};
    if (conn_open(&l->conn, l->params, &l->cancel, &e) &&
        conn_simple(&l->conn, l->sql, DB_CONNECT_MS, &l->cancel, NULL, &e) == TX_GOOD) {
        *backoff_ms = BACKOFF_FIRST_MS;
        return true;
    }
    conn_close(&l->conn);
    if (*backoff_ms == BACKOFF_FIRST_MS && !stopping(l))
        log_err(LOG_WARN, LOG_MODULE, &e);
    *backoff_ms = MIN(*backoff_ms * 2, BACKOFF_MAX_MS);
    return false;
}

/* A dead link is silent: asked every ten seconds. */
static bool still_there(struct db_listener *l)
{
    struct err e = {0};
    return conn_simple(&l->conn, "select 1", DB_CONNECT_MS, &l->cancel, NULL, &e) == TX_GOOD;
}

static void *listen_main(void *arg)
{
    struct db_listener *l = arg;
    int backoff_ms = BACKOFF_FIRST_MS;
    int64_t next_ping = 0;
    while (!stopping(l)) {
        if (!l->conn.pg) {
            if (reconnect(l, &backoff_ms))
                next_ping = db_now_ms() + PING_MS;
            l->on_hint(l->ctx); /* what was sent meanwhile is lost: look now */
            wait_for_news(l, l->conn.pg ? 0 : MIN(backoff_ms, l->poll_ms));
            continue;
        }
        wait_for_news(l, l->poll_ms);
        if (stopping(l))
            break;
        bool any = false;
        bool alive = drain_notifications(l, &any);
        if (alive && db_now_ms() >= next_ping) {
            alive = still_there(l);
            next_ping = db_now_ms() + PING_MS;
        }
        if (alive)
            l->on_hint(l->ctx);
        else
            conn_close(&l->conn);
    }
    conn_close(&l->conn);
    return NULL;
}

static bool valid_channel(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789");
    return n > 0 && n < 60 && name[n] == '\0';
}

bool db_listen(struct db *db, const char *channel, int poll_ms, void (*on_hint)(void *ctx),
               void *ctx, struct db_listener **ret, struct err *e)
{
    assert(valid_channel(channel) && poll_ms > 0);
    struct db_listener *l = calloc(1, sizeof(*l));
    if (!l)
        abort();
    l->params = db_conn_params(db);
    l->db_cancel = db_cancel(db);
    l->on_hint = on_hint;
    l->ctx = ctx;
    l->poll_ms = poll_ms;
    cancel_init(&l->cancel, l->db_cancel);
    snprintf(l->sql, sizeof(l->sql), "listen \"%s\"", channel);
    l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->stop_fd < 0) {
        free(l);
        return err_set(e, ERR_INTERNAL, "error.internal", "eventfd: %m");
    }
    int r = pthread_create(&l->thread, NULL, listen_main, l);
    if (r != 0) {
        close(l->stop_fd);
        free(l);
        errno = r;
        return err_set(e, ERR_INTERNAL, "error.internal", "listen thread: %m");
    }
    *ret = l;
    return true;
}

void db_listen_stop(struct db_listener *l)
{
    if (!l)
        return;
    cancel_fire(&l->cancel);
    uint64_t one = 1;
    if (write(l->stop_fd, &one, sizeof(one)) < 0)
        log_warn("waking the listener: %m");
    pthread_join(l->thread, NULL);
    close(l->stop_fd);
    free(l);
}
