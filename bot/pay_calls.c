#include "bot/pay_calls.h"

#include "bot/outbox.h"
#include "bot/pay_card.h"
#include "bot/quote.h"
#include "bot/reply.h"
#include "bot/status.h"
#include "core/db/store_group.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "core/db/store_order.h"

/* --- the video that waited for credits --- */

/* Its words are judged before anything is held; the start comes with the end of that. */
static bool show_check(struct db_tx *tx, struct bot *bot, const struct job *job, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc = {0};
    quote_check_card(&doc, job, bot_abilities(bot, job->addr.network)->buttons);
    return outbox_put_edit(tx, &job->addr, &doc, job->id, false, e);
}

/* Its place is taken by the card that shows it being made. */
static bool show_started(struct db_tx *tx, struct bot *bot, const char *id, struct err *e)
{
    AUTO(job_free) struct job job = {0};
    AUTO(card_doc_free) struct card_doc doc = {0};
    if (!job_get(tx, id, &job, e))
        return false;
    status_card(&doc, &job, NULL, bot_abilities(bot, job.addr.network)->buttons);
    status_watch(bot->status, id); /* looks at the job itself: harmless when this is rolled back */
    return outbox_put_edit(tx, &job.addr, &doc, id, false, e);
}

static bool start_waiting(struct db_tx *tx, struct bot *bot, const char *account, bool *ret_started,
                          struct err *e)
{
    char id[UUID_TEXT];
    bool found = false, must = false;
    enum job_start started;
    AUTO(job_free) struct job job = {0};
    *ret_started = false;
    if (!await_job(tx, account, id, &found, e))
        return false;
    if (!found)
        return true;
    if (!job_get(tx, id, &job, e))
        return false;
    if (job.state != JOB_QUOTED)
        return await_end(tx, account, e); /* started or cancelled meanwhile */
    struct balance balance;
    if (!ledger_balance(tx, account, &balance, e))
        return false;
    if (balance.available < job.price)
        return true; /* waits for more */
    if (!quote_check(tx, bot, &job, &must, e))
        return false;
    if (must)
        return show_check(tx, bot, &job, e);
    if (!job_start(tx, id, &started, e))
        return false;
    if (started != JOB_STARTED && started != JOB_STARTED_BEFORE)
        return true; /* waits for /go */
    *ret_started = true;
    return await_end(tx, account, e) && show_started(tx, bot, id, e);
}

/* --- events --- */

static bool redraw(struct db_tx *tx, struct bot *bot, const struct order *order, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc = {0};
    return pay_card_order(bot, &doc, order, e) && outbox_put_order(tx, &doc, order, true, e);
}

static bool on_seen(struct db_tx *tx, void *ctx, const struct order *order, struct err *e)
{
    return redraw(tx, ctx, order, e);
}

static bool on_redraw(struct db_tx *tx, void *ctx, const struct order *order, struct err *e)
{
    return redraw(tx, ctx, order, e);
}

/* One line where everybody reads it; who paid is not said. *ret_is_group false: it was a person. */
static bool tell_group(struct db_tx *tx, const struct pay_credited *c, bool *ret_is_group,
                       struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc = {0};
    struct chat_addr addr;
    char lang[16];
    if (!group_place(tx, c->account, lang, &addr, ret_is_group, e))
        return false;
    if (!*ret_is_group || c->credits + c->bonus == 0)
        return true;
    card_begin(&doc, lang);
    doc.card.is_public = true;
    card_line(&doc, lang, "group.got",
              I18N_TEXT("credits", card_text(&doc, lang, "unit.credits",
                                             I18N_NUM("count", c->credits + c->bonus))));
    return outbox_put(tx, &addr, &doc, NULL, NULL, false, e);
}

/* The order's card turns into the receipt. Money without a live order is told below the last one. */
static bool tell_credited(struct db_tx *tx, struct bot *bot, const struct pay_credited *c,
                          bool started, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc = {0};
    struct balance balance;
    struct order last;
    bool found = true, is_group;
    if (!tell_group(tx, c, &is_group, e))
        return false;
    if (is_group && !c->order)
        return true; /* the last order may be somebody else's */
    if (!ledger_balance(tx, c->account, &balance, e) ||
        (!c->order && !order_newest(tx, c->account, &last, &found, e)))
        return false;
    if (!found)
        return true; /* nobody ever asked for this address in a chat */
    const struct order *shown = c->order ? c->order : &last;
    if (!shown->addr.network[0])
        return true; /* forgotten */
    return pay_card_credited(bot, &doc, shown->lang, c, balance.available, started, e) &&
           outbox_put_order(tx, &doc, shown, c->order != NULL, e);
}

static bool on_credited(struct db_tx *tx, void *ctx, const struct pay_credited *c, struct err *e)
{
    bool started = false; /* first: what the video holds is not to be spent any more */
    return start_waiting(tx, ctx, c->account, &started, e) && tell_credited(tx, ctx, c, started, e);
}

static bool on_claim(struct db_tx *tx, void *ctx, const char *lang, const struct chat_addr *addr,
                     enum pay_claim result, struct err *e)
{
    static const char *const keys[] = {
        [PAY_CLAIM_GRANTED] = "claim.granted",
        [PAY_CLAIM_KNOWN] = "claim.known",
        [PAY_CLAIM_NOT_OURS] = "claim.not_ours",
        [PAY_CLAIM_ASK_OPERATOR] = "claim.operator",
    };
    AUTO(card_doc_free) struct card_doc doc = {0};
    card_begin(&doc, lang);
    doc.card.is_private = !bot_is_overheard(ctx, addr); /* there it is the group's, and no secret */
    card_line(&doc, lang, keys[result]);
    return outbox_put(tx, addr, &doc, NULL, NULL, false, e);
}

/* How a refund goes on, where it was agreed to. */
static bool on_refund(struct db_tx *tx, void *ctx, const struct pay_refund *r, struct err *e)
{
    AUTO(card_doc_free) struct card_doc doc = {0};
    (void)ctx;
    if (!r->addr.network[0])
        return true; /* forgotten */
    pay_card_refund(&doc, r->lang, r);
    return outbox_put(tx, &r->addr, &doc, NULL, NULL, false, e);
}

static void after(void *ctx)
{
    struct bot *bot = ctx;
    outbox_wake(bot->outbox);
    drafter_wake(bot->drafter);
    if (bot->workers)
        workers_wake(bot->workers);
}

struct pay_calls bot_pay_calls(struct bot *bot)
{
    return (struct pay_calls){
        .on_seen = on_seen,
        .on_credited = on_credited,
        .on_redraw = on_redraw,
        .on_claim = on_claim,
        .on_refund = on_refund,
        .after = after,
        .ctx = bot,
    };
}
