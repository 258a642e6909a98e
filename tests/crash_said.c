#include "tests/crash_said.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/store_account.h"
#include "core/db/store_chat.h"
#include "core/db/store_group.h"
#include "core/db/store_inbox.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "core/db/store_order.h"
#include "core/db/store_refund.h"

enum { WORD_MAX = 32, DAY_XNO = 100 };

static const struct chat_addr chat = {.network = "test", .chat = "c"};

/* What people say, in their order. WHO is a person, or "group": ann orders, the group pays. */
static const char *const events[] = {
    "wait ann done 2 2",   /* a quote that the first payment starts */
    "pay ann 2",           /* XNO, with a bonus of 20 */
    "pay group 1",         /* into its purse */
    "make ann done 3 2",   /* quoted 3, charged 2: the rest comes back */
    "make group done 2 2", /* the purse pays */
    "make group fail 2 0", /* and gets its credits back */
    "pair ann done 1 1",   /* one runs, one waits, a third is cancelled while it waits */
    "make ann keep 4 4",   /* nobody can be reached ... */
    "send ann",            /* ... and then somebody can */
    "refund ann 10",       /* asked ... */
    "yes ann",             /* ... agreed to, sent, confirmed */
    "refund ann 5",
    "yes ann", /* this block can never be confirmed: the credits come back */
    "gift bob 1",
    "make bob keep 1 1",
    "forget bob", /* with a film that is kept */
};

struct raw crash_xno(const char *text)
{
    struct raw r = RAW_ZERO;
    if (!raw_from_xno(text, &r))
        abort();
    return r;
}

bool crash_say(struct db_tx *tx, const char *job, const char *text, bool card, struct err *e)
{
    struct outbox_row row = {
        .addr = chat, .body = (char *)(uintptr_t)text, .sets_card = card && job[0]};
    str_copy(row.job, sizeof(row.job), job);
    return outbox_add(tx, &row, e);
}

struct said {
    char verb[WORD_MAX], who[WORD_MAX], fate[WORD_MAX];
    int64_t n, charged; /* credits */
    int64_t id;
    char account[UUID_TEXT]; /* of ann or bob */
    char group[UUID_TEXT];   /* "": nobody but they */
};

static void read_words(const char *text, struct said *s)
{
    char words[5][WORD_MAX] = {{0}};
    for (size_t i = 0; i < COUNT(words) && *text; i++) {
        size_t len = strcspn(text, " ");
        snprintf(words[i], WORD_MAX, "%.*s", (int)len, text);
        text += len + (text[len] == ' ');
    }
    str_copy(s->verb, WORD_MAX, words[0]);
    str_copy(s->who, WORD_MAX, words[1]);
    if (!str_to_int(words[2], 0, 1000, &s->n)) {
        str_copy(s->fate, WORD_MAX, words[2]);
        str_to_int(words[3], 0, 1000, &s->n);
        str_to_int(words[4], 0, 1000, &s->charged);
    }
}

static bool find_who(struct db_tx *tx, struct said *s, struct err *e)
{
    struct account a;
    const struct chat_addr where = {.network = "test", .chat = "c"};
    bool is_group = strcmp(s->who, "group") == 0;
    if (!account_find(tx, "test", is_group ? "ann" : s->who, false, 1, &a, e))
        return false;
    str_copy(s->account, sizeof(s->account), a.id);
    return !is_group || group_find(tx, &where, true, s->group, e);
}

/* Topic: how it ends, and the price that is charged then. */
static bool quote(struct db_tx *tx, const struct said *s, int number, char ret_id[static UUID_TEXT],
                  struct err *e)
{
    AUTO(free_ptr) char *topic = str_printf("%s %" PRId64, s->fate, s->charged);
    AUTO(free_ptr) char *key = str_printf("event %" PRId64 " %d", s->id, number);
    struct job spec = {
        .price = s->n, .topic = topic, .story = (char *)"{}", .lang = "en", .addr = chat};
    str_copy(spec.account, sizeof(spec.account), s->account);
    return job_quote(tx, &spec, key, ret_id, e) &&
           (!s->group[0] || job_set_payer(tx, ret_id, s->group, e));
}

static bool make(struct db_tx *tx, const struct said *s, int number, char ret_id[static UUID_TEXT],
                 struct err *e)
{
    enum job_start started = JOB_STARTED;
    if (!quote(tx, s, number, ret_id, e) || !job_start(tx, ret_id, &started, e))
        return false;
    return started == JOB_STARTED ||
           err_set(e, ERR_INTERNAL, "error.internal", "event %" PRId64 ": not started", s->id);
}

static bool make_three(struct db_tx *tx, const struct said *s, char ret_id[static UUID_TEXT],
                       struct err *e)
{
    char id[UUID_TEXT];
    enum job_state state;
    return make(tx, s, 1, ret_id, e) && make(tx, s, 2, id, e) && make(tx, s, 3, id, e) &&
           job_cancel(tx, id, &state, e);
}

static bool open_order(struct db_tx *tx, const struct price_list *prices, const struct said *s,
                       struct err *e)
{
    const char *owner = s->group[0] ? s->group : s->account;
    struct deposit_address a;
    struct raw rest;
    bool found, made;
    struct order o = {
        .method = "nano", .lang = "en", .addr = chat, .per_credit = prices->per_credit};
    o.amount = crash_xno(s->n == 2 ? "2" : "1");
    o.bonus = s->n == 2 ? 20 : 0;
    if (!address_reserve(tx, owner, "nano", "0123456789abcdef", &a, &found, e))
        return false;
    snprintf(a.address, sizeof(a.address), "nano_%d", (int)a.index);
    str_copy(o.account, sizeof(o.account), owner);
    str_copy(o.address, sizeof(o.address), a.address);
    return (found || address_add(tx, "nano", &a, e)) &&
           raw_divide(o.amount, o.per_credit, &o.credits, &rest) &&
           order_open(tx, &o, 3600, &made, e);
}

static bool send_kept(struct db_tx *tx, const struct said *s, struct err *e)
{
    struct job *list = NULL;
    size_t count = 0;
    enum job_start started;
    if (!job_offer_kept(tx, s->account, "test", 1, &list, &count, e))
        return false;
    bool good = count == 1 && job_send_kept(tx, list[0].id, &chat, "sent", &started, e);
    for (size_t i = 0; i < count; i++)
        job_free(&list[i]);
    free(list);
    return good;
}

static bool ask_refund(struct db_tx *tx, const struct said *s, struct err *e)
{
    struct refund r = {.method = "nano", .credits = s->n, .lang = "en", .addr = chat};
    str_copy(r.account, sizeof(r.account), s->account);
    str_copy(r.address, sizeof(r.address), "nano_home");
    return refund_ask(tx, &r, e);
}

static bool obey(struct db_tx *tx, const struct price_list *prices, struct said *s,
                 char job[static UUID_TEXT], struct err *e)
{
    enum ledger_result given;
    struct refund agreed;
    if (strcmp(s->verb, "gift") == 0)
        return ledger_grant(tx, s->who, s->account, s->n, "test", "crash", &given, e);
    if (strcmp(s->verb, "wait") == 0)
        return quote(tx, s, 1, job, e) && await_credits(tx, s->account, job, e);
    if (strcmp(s->verb, "pay") == 0)
        return open_order(tx, prices, s, e);
    if (strcmp(s->verb, "make") == 0)
        return make(tx, s, 1, job, e);
    if (strcmp(s->verb, "pair") == 0)
        return make_three(tx, s, job, e);
    if (strcmp(s->verb, "send") == 0)
        return send_kept(tx, s, e);
    if (strcmp(s->verb, "refund") == 0)
        return ask_refund(tx, s, e);
    if (strcmp(s->verb, "yes") == 0)
        return refund_agree(tx, s->account, "", (struct raw){crash_xno("1").value * DAY_XNO},
                            &agreed, e);
    return account_forget(tx, s->account, 30, NULL, NULL, e);
}

bool crash_store(struct db_tx *tx, struct err *e)
{
    struct inbox_item items[COUNT(events)];
    char ids[COUNT(events)][16];
    int64_t fresh;
    for (size_t i = 0; i < COUNT(events); i++) {
        snprintf(ids[i], sizeof(ids[i]), "event %zu", i);
        items[i] = (struct inbox_item){.event_id = ids[i], .addr = &chat, .body = events[i]};
    }
    return inbox_put(tx, "test", items, COUNT(items), &fresh, e);
}

bool crash_take(struct db_tx *tx, const struct price_list *prices, bool *ret_any, struct err *e)
{
    static const char *const networks[] = {"test", NULL};
    AUTO(inbox_row_free) struct inbox_row row = {0};
    struct said s = {0};
    char job[UUID_TEXT] = "";
    if (!inbox_claim(tx, networks, 0, &row, e))
        return false;
    *ret_any = row.id != 0;
    if (!*ret_any)
        return true;
    s.id = row.id;
    read_words(row.body, &s);
    AUTO(free_ptr) char *answer = str_printf("answer to %s", row.body);
    return inbox_done(tx, row.id, e) && find_who(tx, &s, e) && obey(tx, prices, &s, job, e) &&
           crash_say(tx, job, answer, true, e);
}
