#include "core/db/store_ledger.h"

#include <assert.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/store_admin.h"
#include "core/db/store_util.h"

enum { GRANT_MAX = 1000000, KEY_TEXT = 216 };

bool ledger_balance(struct db_tx *tx, const char *account, struct balance *ret, struct err *e)
{
    if (!uuid_valid(account))
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "not an id");
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select avail, held from wallets where user_id = $1", params, 1, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "no wallet of %s", account);
    ret->available = db_int(rows, 0, 0);
    ret->held = db_int(rows, 0, 1);
    return true;
}

/* --- one movement: its transfer, its lines, the wallet, together --- */

struct move {
    const char *key, *verb, *account, *job; /* job may be NULL */
    int64_t amount;                         /* of the transfer */
    int64_t avail, held;                    /* what the wallet gains */
    const char *other;                      /* the account of the other side, or NULL */
    int64_t other_gain;
};

/* What a wallet has after a movement, and who inherits it. */
struct after {
    bool done; /* false: the key is there already and nothing was changed */
    int64_t avail;
    char heir[UUID_TEXT];
};

static bool post_lines(struct db_tx *tx, const struct move *m, struct after *ret, struct err *e)
{
    assert(m->avail + m->held + m->other_gain == 0);
    struct num amount = num_make(m->amount), avail = num_make(m->avail), held = num_make(m->held),
               other = num_make(m->other_gain);
    const char *transfer[] = {m->key, m->verb, m->account, m->job, amount.text};
    int64_t rows;
    if (!exec_change(tx,
                     "insert into transfers(key, verb, user_id, job_id, amount)"
                     " values ($1, $2, $3, $4, $5) on conflict (key) do nothing",
                     transfer, 5, &rows, e))
        return false;
    *ret = (struct after){.done = rows == 1};
    if (!ret->done)
        return true;
    const char *wallet[] = {m->account, avail.text, held.text};
    AUTO(db_rows_free) struct db_rows *now = NULL;
    if (!db_exec(tx,
                 "update wallets set avail = avail + $2, held = held + $3 where user_id = $1"
                 " returning avail, heir",
                 wallet, 3, &now, e))
        return false;
    assert(db_count(now) == 1); /* the caller holds its lock */
    ret->avail = db_int(now, 0, 0);
    str_copy(ret->heir, sizeof(ret->heir), row_text(now, 0, 1));
    const char *lines[] = {m->key, m->account, avail.text, held.text, m->other, other.text};
    return exec_change(tx,
                       "insert into entries(key, account, user_id, amount)"
                       " select $1, account, user_id::uuid, amount from (values"
                       "  ('avail', $2, $3::bigint), ('held', $2, $4::bigint),"
                       "  ($5::text, null, $6::bigint)) as line(account, user_id, amount)"
                       " where amount <> 0",
                       lines, 6, NULL, e);
}

/* All that is there goes to the heir, because of the movement with this key. */
static bool hand_on(struct db_tx *tx, const char *key, const char *account, const struct after *has,
                    struct err *e)
{
    char gone[KEY_TEXT], came[KEY_TEXT];
    struct wallet w;
    struct after a;
    if (has->avail == 0)
        return true;
    snprintf(gone, sizeof(gone), "gone:%s", key);
    snprintf(came, sizeof(came), "came:%s", key);
    struct move out = {.key = gone,
                       .verb = "gone",
                       .account = account,
                       .amount = has->avail,
                       .avail = -has->avail,
                       .other = "heirs",
                       .other_gain = has->avail};
    struct move in = {.key = came,
                      .verb = "came",
                      .account = has->heir,
                      .amount = has->avail,
                      .avail = has->avail,
                      .other = "heirs",
                      .other_gain = -has->avail};
    return post_lines(tx, &out, &a, e) && wallet_lock(tx, has->heir, &w, e) &&
           post_lines(tx, &in, &a, e);
}

/* *ret_done false: the key is there already and nothing was changed. */
static bool post(struct db_tx *tx, const struct move *m, bool *ret_done, struct err *e)
{
    struct after a;
    if (!post_lines(tx, m, &a, e))
        return false;
    *ret_done = a.done;
    return !a.heir[0] || hand_on(tx, m->key, m->account, &a, e);
}

bool ledger_inherit(struct db_tx *tx, const char *account, const char *heir, struct err *e)
{
    const char *params[] = {account, heir};
    char key[KEY_TEXT];
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "update wallets set heir = $2 where user_id = $1 or heir = $1"
                 " returning user_id, avail",
                 params, 2, &rows, e))
        return false;
    for (size_t i = 0; i < db_count(rows); i++) {
        struct after has = {.avail = db_int(rows, i, 1)};
        str_copy(has.heir, sizeof(has.heir), heir);
        snprintf(key, sizeof(key), "heir:%s", row_text(rows, i, 0));
        if (!hand_on(tx, key, row_text(rows, i, 0), &has, e))
            return false;
    }
    return true;
}

/* --- giving --- */

static bool same_gift(struct db_tx *tx, const char *key, const char *verb, const char *account,
                      int64_t credits, struct err *e)
{
    struct num amount = num_make(credits);
    const char *params[] = {key, verb, account, amount.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select 1 from transfers where key = $1 and verb = $2 and user_id = $3"
                 " and amount = $4",
                 params, 4, &rows, e))
        return false;
    if (db_count(rows) == 0)
        return err_set(e, ERR_CONFLICT, "grant.key_reused", "this key stands for another transfer");
    return true;
}

bool ledger_give(struct db_tx *tx, const char *key, const char *verb, const char *account,
                 int64_t credits, enum ledger_result *ret, struct err *e)
{
    struct wallet w;
    if (!wallet_lock(tx, account, &w, e))
        return false;
    bool paid = strcmp(verb, "buy") == 0 || strcmp(verb, "unrefund") == 0;
    struct move m = {.key = key,
                     .verb = verb,
                     .account = account,
                     .amount = credits,
                     .avail = credits,
                     .other = paid ? "world" : "promo",
                     .other_gain = -credits};
    bool done;
    if (!post(tx, &m, &done, e))
        return false;
    *ret = done ? LEDGER_DONE : LEDGER_REPEATED;
    return done || same_gift(tx, key, verb, account, credits, e);
}

bool ledger_grant(struct db_tx *tx, const char *key, const char *account, int64_t credits,
                  const char *actor, const char *why, enum ledger_result *ret, struct err *e)
{
    if (credits < 1 || credits > GRANT_MAX)
        return err_set_arg(e, ERR_INPUT, "grant.bad_amount", "1 - 1000000", "%lld credits",
                           (long long)credits);
    if (!uuid_valid(account))
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "not an id");
    if (!*key || strlen(key) > 150)
        return err_set(e, ERR_INPUT, "grant.bad_key", "a key has 1 to 150 bytes");
    char full[KEY_TEXT];
    snprintf(full, sizeof(full), "grant:%s", key);
    if (!ledger_give(tx, full, "grant", account, credits, ret, e))
        return false;
    if (*ret == LEDGER_REPEATED)
        return true;
    struct num amount = num_make(credits);
    DB_CRASH(tx, "grant");
    return admin_note(tx,
                      &(struct admin_act){.actor = actor,
                                          .action = "grant",
                                          .account = account,
                                          .amount = amount.text,
                                          .why = why},
                      e);
}

static bool have_transfer(struct db_tx *tx, const char *key, bool *ret, struct err *e)
{
    const char *params[] = {key};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select 1 from transfers where key = $1", params, 1, &rows, e))
        return false;
    *ret = db_count(rows) > 0;
    return true;
}

bool ledger_refund(struct db_tx *tx, const char *key, const char *account, int64_t credits,
                   enum ledger_result *ret, struct err *e)
{
    assert(credits > 0);
    struct wallet w;
    bool repeated, done;
    if (!wallet_lock(tx, account, &w, e) || !have_transfer(tx, key, &repeated, e))
        return false;
    *ret = repeated ? LEDGER_REPEATED : w.available < credits ? LEDGER_SHORT : LEDGER_DONE;
    if (*ret != LEDGER_DONE)
        return true;
    struct move m = {.key = key,
                     .verb = "refund",
                     .account = account,
                     .amount = credits,
                     .avail = -credits,
                     .other = "world",
                     .other_gain = credits};
    return post(tx, &m, &done, e);
}

/* --- hold, then capture or release: a hold is resolved once --- */

bool ledger_hold(struct db_tx *tx, const char *job, const char *account, int64_t credits,
                 enum ledger_result *ret, struct err *e)
{
    assert(credits > 0);
    char key[KEY_TEXT];
    snprintf(key, sizeof(key), "hold:%s", job);
    struct wallet w;
    bool repeated, done;
    if (!wallet_lock(tx, account, &w, e) || !have_transfer(tx, key, &repeated, e))
        return false;
    *ret = repeated ? LEDGER_REPEATED : w.available < credits ? LEDGER_SHORT : LEDGER_DONE;
    if (*ret != LEDGER_DONE)
        return true;
    struct move m = {.key = key,
                     .verb = "hold",
                     .account = account,
                     .job = job,
                     .amount = credits,
                     .avail = -credits,
                     .held = credits};
    if (!post(tx, &m, &done, e))
        return false;
    struct num amount = num_make(credits);
    const char *params[] = {job, account, amount.text};
    return exec_change(tx,
                       "insert into holds(job_id, user_id, amount, state)"
                       " values ($1, $2, $3, 'open')",
                       params, 3, NULL, e);
}

struct hold {
    bool exists;
    char account[UUID_TEXT];
    char state[16];
    int64_t amount;
};

/* Wallet first, then hold. */
static bool hold_lock(struct db_tx *tx, const char *job, struct hold *ret, struct err *e)
{
    const char *params[] = {job};
    AUTO(db_rows_free) struct db_rows *owner = NULL;
    *ret = (struct hold){0};
    if (!db_exec(tx, "select user_id from holds where job_id = $1", params, 1, &owner, e))
        return false;
    if (db_count(owner) == 0)
        return true;
    struct wallet w;
    str_copy(ret->account, sizeof(ret->account), row_text(owner, 0, 0));
    if (!wallet_lock(tx, ret->account, &w, e))
        return false;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx, "select state, amount from holds where job_id = $1 for update", params, 1,
                 &rows, e))
        return false;
    assert(db_count(rows) == 1);
    ret->exists = true;
    str_copy(ret->state, sizeof(ret->state), row_text(rows, 0, 0));
    ret->amount = db_int(rows, 0, 1);
    return true;
}

static bool resolve(struct db_tx *tx, const char *job, int64_t captured, enum ledger_result *ret,
                    struct err *e)
{
    struct hold h;
    if (!hold_lock(tx, job, &h, e))
        return false;
    *ret = LEDGER_DONE;
    if (!h.exists)
        return true;
    captured = MIN(captured, h.amount);
    const char *state = captured > 0 ? "captured" : "released";
    if (strcmp(h.state, "open") != 0) {
        *ret = LEDGER_REPEATED;
        if (strcmp(h.state, state) == 0)
            return true;
        return err_set(e, ERR_CONFLICT, "error.internal", "the hold of %s is already %s", job,
                       h.state);
    }
    struct num amount = num_make(captured);
    const char *params[] = {job, state, amount.text};
    if (!exec_change(tx, "update holds set state = $2, captured = $3 where job_id = $1", params, 3,
                     NULL, e))
        return false;
    char key[KEY_TEXT];
    snprintf(key, sizeof(key), "%s:%s", captured > 0 ? "cap" : "rel", job);
    struct move m = {.key = key,
                     .verb = captured > 0 ? "capture" : "release",
                     .account = h.account,
                     .job = job,
                     .amount = captured > 0 ? captured : h.amount,
                     .avail = h.amount - captured,
                     .held = -h.amount,
                     .other = "revenue",
                     .other_gain = captured};
    bool done;
    if (!post(tx, &m, &done, e))
        return false;
    assert(done); /* the hold was open, so its key is new */
    return true;
}

bool ledger_capture(struct db_tx *tx, const char *job, int64_t credits, enum ledger_result *ret,
                    struct err *e)
{
    return resolve(tx, job, MAX(credits, 0), ret, e);
}

bool ledger_release(struct db_tx *tx, const char *job, enum ledger_result *ret, struct err *e)
{
    return resolve(tx, job, 0, ret, e);
}

bool ledger_history(struct db_tx *tx, const char *account, struct ledger_line *ret_lines,
                    size_t max, size_t *ret_count, struct err *e)
{
    if (!uuid_valid(account))
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "not an id");
    struct num limit = num_make((int64_t)max);
    const char *params[] = {account, limit.text};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(
            tx,
            "select t.verb, (select coalesce(sum(amount), 0) from entries e where e.key = t.key"
            "  and e.user_id is not null), " ISO(
                "t.at") ", t.job_id"
                        " from transfers t where t.user_id = $1 order by t.at desc, t.key limit $2",
            params, 2, &rows, e))
        return false;
    *ret_count = db_count(rows);
    for (size_t i = 0; i < *ret_count; i++) {
        struct ledger_line *l = &ret_lines[i];
        str_copy(l->verb, sizeof(l->verb), row_text(rows, i, 0));
        l->credits = db_int(rows, i, 1);
        str_copy(l->at, sizeof(l->at), row_text(rows, i, 2));
        str_copy(l->job, sizeof(l->job), row_text(rows, i, 3));
    }
    return true;
}
