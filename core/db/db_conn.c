#include "core/db/db_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/log.h"
#include "core/base/strbuf.h"

#define LOG_MODULE "db"

enum { SLICE_MS = 100 };

int64_t db_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- what to connect to --- */

static void params_add(struct db_params *p, const char *key, const char *value)
{
    p->keys[p->count] = str_dup(key);
    p->values[p->count] = str_dup(value);
    p->count++;
}

static bool params_have(const struct db_params *p, const char *key)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->keys[i], key) == 0)
            return true;
    return false;
}

void db_params_free(struct db_params *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->keys[i]);
        free(p->values[i]);
    }
    free(p->keys);
    free(p->values);
    *p = (struct db_params){0};
}

bool db_params_make(const char *url, struct db_params *ret, struct err *e)
{
    /* A dead peer is noticed after about 20 s instead of the kernel's 15 minutes. */
    static const char *const ours[][2] = {
        {"application_name",    "nanotik"},
        {"client_encoding",     "UTF8"   },
        {"keepalives",          "1"      },
        {"keepalives_idle",     "10"     },
        {"keepalives_interval", "3"      },
        {"keepalives_count",    "3"      },
        {"tcp_user_timeout",    "10000"  },
    };
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &why);
    if (!options) {
        /* libpq's words may quote the address with its password: they are not passed on. */
        PQfreemem(why);
        return err_set(e, ERR_CONFIG, "start.database_url", "DATABASE_URL cannot be read");
    }
    size_t total = 0;
    while (options[total].keyword)
        total++;
    struct db_params p = {
        .keys = calloc(total + COUNT(ours) + 1, sizeof(char *)),
        .values = calloc(total + COUNT(ours) + 1, sizeof(char *)),
    };
    if (!p.keys || !p.values)
        abort();
    for (size_t i = 0; i < total; i++) {
        if (!options[i].val || !*options[i].val)
            continue;
        params_add(&p, options[i].keyword, options[i].val);
        if (strcmp(options[i].keyword, "password") == 0)
            log_secret(options[i].val);
    }
    PQconninfoFree(options);
    for (size_t i = 0; i < COUNT(ours); i++)
        if (!params_have(&p, ours[i][0]))
            params_add(&p, ours[i][0], ours[i][1]);
    *ret = p;
    return true;
}

/* --- waiting --- */

enum wait { WAIT_READY, WAIT_LATE, WAIT_CANCELLED };

static enum wait wait_socket(PGconn *pg, short events, int64_t deadline,
                             const struct cancel *cancel)
{
    for (;;) {
        if (cancel_fired(cancel))
            return WAIT_CANCELLED;
        int64_t left = deadline - db_now_ms();
        if (left <= 0)
            return WAIT_LATE;
        struct pollfd p = {.fd = PQsocket(pg), .events = events};
        if (p.fd < 0 || poll(&p, 1, (int)MIN(left, SLICE_MS)) > 0)
            return WAIT_READY;
    }
}

/* libpq's texts end with a newline and may have several lines. */
static void one_line(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
}

static bool fail_retry(struct err *e, const char *what, PGconn *pg)
{
    char why[240];
    str_copy(why, sizeof(why), pg ? PQerrorMessage(pg) : "");
    one_line(why);
    return err_set(e, ERR_RETRY, "error.database", "%s: %s", what, why);
}

static bool fail_wait(struct err *e, enum wait w, const char *what, PGconn *pg)
{
    if (w == WAIT_CANCELLED)
        return err_set(e, ERR_CANCELLED, "error.stopping", "%s: stopped", what);
    return fail_retry(e, what, pg);
}

static void on_notice(void *ctx, const char *text)
{
    (void)ctx;
    char line[240];
    str_copy(line, sizeof(line), text);
    one_line(line);
    log_debug("%s", line);
}

/* --- connecting --- */

static bool finish_connecting(PGconn *pg, const struct cancel *cancel, struct err *e)
{
    int64_t deadline = db_now_ms() + DB_CONNECT_MS;
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step != PGRES_POLLING_OK) {
        if (step == PGRES_POLLING_FAILED)
            return fail_retry(e, "connect", pg);
        short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        enum wait w = wait_socket(pg, events, deadline, cancel);
        if (w != WAIT_READY)
            return fail_wait(e, w, "connect timed out", pg);
        step = PQconnectPoll(pg);
    }
    return true;
}

/* Money over an open network is the operator's choice, but not a silent one. */
static void warn_if_open(PGconn *pg)
{
    const char *host = PQhost(pg);
    bool local = !host || !*host || *host == '/' || str_starts(host, "127.") ||
                 strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0;
    if (!local && !PQsslInUse(pg))
        log_warn("the connection to the database is not encrypted; set sslmode=verify-full");
}

bool conn_open(struct db_conn *c, const struct db_params *p, const struct cancel *cancel,
               struct err *e)
{
    conn_close(c);
    PGconn *pg =
        PQconnectStartParams((const char *const *)p->keys, (const char *const *)p->values, 0);
    if (!pg)
        abort();
    if (PQstatus(pg) == CONNECTION_BAD) {
        fail_retry(e, "connect", pg);
        PQfinish(pg);
        return false;
    }
    PQsetNoticeProcessor(pg, on_notice, NULL);
    if (!finish_connecting(pg, cancel, e)) {
        PQfinish(pg);
        return false;
    }
    PQsetnonblocking(pg, 1);
    c->pg = pg;
    enum tx_state s =
        conn_simple(c,
                    "set statement_timeout='10s'; set idle_in_transaction_session_timeout='15s';"
                    "set lock_timeout='8s'; set timezone='UTC'; set datestyle='ISO'; "
                    "set client_min_messages=warning",
                    DB_CONNECT_MS, cancel, NULL, e);
    if (s != TX_GOOD) {
        conn_close(c);
        return false;
    }
    warn_if_open(pg);
    return true;
}

void conn_close(struct db_conn *c)
{
    PQfinish(c->pg);
    c->pg = NULL;
    for (size_t i = 0; i < c->statement_count; i++)
        free(c->statements[i].sql);
    free(c->statements);
    c->statements = NULL;
    c->statement_count = 0;
}

/* --- errors --- */

struct sqlstate_rule {
    const char *prefix;
    enum tx_state state;
    enum err_code code;
};

/* First match wins; facts sheet, section 7. */
static const struct sqlstate_rule rules[] = {
    {"40001", TX_RERUN,  ERR_RETRY   }, /* serialization */
    {"40P01", TX_RERUN,  ERR_RETRY   }, /* deadlock */
    {"23505", TX_FAILED, ERR_CONFLICT}, /* unique */
    {"55P03", TX_FAILED, ERR_RETRY   }, /* lock not available in time */
    {"57014", TX_FAILED, ERR_RETRY   }, /* statement took too long */
    {"57P",   TX_LOST,   ERR_RETRY   }, /* shutdown, crash, starting up */
    {"08",    TX_LOST,   ERR_RETRY   }, /* connection */
    {"25006", TX_LOST,   ERR_RETRY   }, /* read-only: we talk to a former primary */
    {"25P03", TX_LOST,   ERR_RETRY   }, /* idle in transaction */
    {"26000", TX_LOST,   ERR_RETRY   }, /* prepared statement is not there: a pooler in between */
    {"0A000", TX_LOST,   ERR_RETRY   }, /* cached plan of an older schema */
    {"53",    TX_FAILED, ERR_RETRY   }, /* disk full, memory, connections */
    {"58030", TX_FAILED, ERR_RETRY   }, /* I/O */
    {"",      TX_FAILED, ERR_INTERNAL},
};

static enum tx_state fail_result(PGconn *pg, const PGresult *res, struct err *e)
{
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    if (!state) {
        fail_retry(e, "connection lost", pg);
        return TX_LOST;
    }
    const struct sqlstate_rule *r = rules;
    while (!str_starts(state, r->prefix))
        r++;
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *rule = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
    err_set(e, r->code, r->code == ERR_INTERNAL ? "error.internal" : "error.database",
            "SQLSTATE %s: %s%s%s", state, text ? text : "", rule ? " / " : "", rule ? rule : "");
    return PQstatus(pg) == CONNECTION_BAD ? TX_LOST : r->state;
}

/* --- statements --- */

static enum tx_state lost(struct db_conn *c, enum wait w, const char *what, struct err *e)
{
    fail_wait(e, w, what, c->pg);
    conn_close(c); /* an answer that comes later must not meet the next statement */
    return w == WAIT_CANCELLED ? TX_FAILED : TX_LOST;
}

static enum wait flush_all(PGconn *pg, int64_t deadline, const struct cancel *cancel)
{
    int left;
    while ((left = PQflush(pg)) == 1) {
        enum wait w = wait_socket(pg, POLLIN | POLLOUT, deadline, cancel);
        if (w != WAIT_READY)
            return w;
        if (!PQconsumeInput(pg))
            return WAIT_LATE;
    }
    return left == 0 ? WAIT_READY : WAIT_LATE;
}

/* Reads to the end of the answer; the first failed result wins, else the last good one is kept. */
static enum wait read_results(struct db_conn *c, int64_t deadline, const struct cancel *cancel,
                              PGresult **kept, enum tx_state *state, struct err *e)
{
    enum wait w = flush_all(c->pg, deadline, cancel);
    while (w == WAIT_READY) {
        if (PQisBusy(c->pg)) {
            w = wait_socket(c->pg, POLLIN, deadline, cancel);
            if (w == WAIT_READY && !PQconsumeInput(c->pg))
                w = WAIT_LATE;
            continue;
        }
        PGresult *res = PQgetResult(c->pg);
        if (!res)
            return WAIT_READY;
        ExecStatusType s = PQresultStatus(res);
        bool good = s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_EMPTY_QUERY;
        if (!good && *state == TX_GOOD)
            *state = fail_result(c->pg, res, e);
        PQclear(*kept);
        *kept = res;
    }
    return w;
}

static void free_result(PGresult **res)
{
    PQclear(*res);
}

static enum tx_state collect(struct db_conn *c, int wait_ms, const struct cancel *cancel,
                             PGresult **ret_result, struct err *e)
{
    AUTO(free_result) PGresult *kept = NULL;
    enum tx_state state = TX_GOOD;
    enum wait w = read_results(c, db_now_ms() + wait_ms, cancel, &kept, &state, e);
    if (ret_result)
        *ret_result = NULL;
    if (w != WAIT_READY) {
        /* A reason that came before the line broke says more than "no answer". */
        struct err first = *e;
        enum tx_state after = lost(c, w, "no answer", e);
        if (state != TX_GOOD)
            *e = first;
        return after;
    }
    if (PQstatus(c->pg) == CONNECTION_BAD) {
        if (state == TX_GOOD)
            fail_retry(e, "connection lost", c->pg);
        return TX_LOST;
    }
    if (state == TX_GOOD && ret_result)
        *ret_result = TAKE(kept);
    return state;
}

enum tx_state conn_simple(struct db_conn *c, const char *sql, int wait_ms,
                          const struct cancel *cancel, PGresult **ret_result, struct err *e)
{
    if (!c->pg || !PQsendQuery(c->pg, sql)) {
        fail_retry(e, "send", c->pg);
        return TX_LOST;
    }
    return collect(c, wait_ms, cancel, ret_result, e);
}

static uint64_t sql_hash(const char *sql)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *sql; sql++)
        h = (h ^ (unsigned char)*sql) * 1099511628211u;
    return h;
}

enum prepared { PREPARED, NOT_PREPARED, PREPARE_FAILED };

/* The statement's name on this connection; the server parses and plans each text once. */
static enum prepared prepare(struct db_conn *c, const char *sql, const struct cancel *cancel,
                             char ret_name[static 24], enum tx_state *ret_state, struct err *e)
{
    uint64_t hash = sql_hash(sql);
    snprintf(ret_name, 24, "q%016llx", (unsigned long long)hash);
    for (size_t i = 0; i < c->statement_count; i++)
        if (c->statements[i].hash == hash)
            return strcmp(c->statements[i].sql, sql) == 0 ? PREPARED : NOT_PREPARED;
    if (c->statement_count >= DB_STATEMENTS_MAX)
        return NOT_PREPARED;
    if (!c->statements) {
        c->statements = calloc(DB_STATEMENTS_MAX, sizeof(*c->statements));
        if (!c->statements)
            abort();
    }
    if (!PQsendPrepare(c->pg, ret_name, sql, 0, NULL)) {
        fail_retry(e, "send", c->pg);
        *ret_state = TX_LOST;
        return PREPARE_FAILED;
    }
    *ret_state = collect(c, DB_STATEMENT_MS, cancel, NULL, e);
    if (*ret_state != TX_GOOD)
        return PREPARE_FAILED;
    c->statements[c->statement_count].hash = hash;
    c->statements[c->statement_count++].sql = str_dup(sql);
    return PREPARED;
}

enum tx_state conn_query(struct db_conn *c, const char *sql, const char *const *params,
                         size_t count, const struct cancel *cancel, PGresult **ret_result,
                         struct err *e)
{
    char name[24];
    enum tx_state state = TX_LOST;
    if (!c->pg) {
        fail_retry(e, "send", NULL);
        return TX_LOST;
    }
    enum prepared p = prepare(c, sql, cancel, name, &state, e);
    if (p == PREPARE_FAILED)
        return state;
    int sent = p == PREPARED
                   ? PQsendQueryPrepared(c->pg, name, (int)count, params, NULL, NULL, 0)
                   : PQsendQueryParams(c->pg, sql, (int)count, NULL, params, NULL, NULL, 0);
    if (!sent) {
        fail_retry(e, "send", c->pg);
        return TX_LOST;
    }
    return collect(c, DB_STATEMENT_MS, cancel, ret_result, e);
}
