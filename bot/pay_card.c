#define LOG_MODULE "pay"
#include "bot/pay_card.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bot/reply.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/pay/fiat_rate.h"
#include "core/video/qr.h"

enum { OFFERS_SHOWN = 4, KEEP_DAYS = 3 };

/* --- the QR picture --- */

static void add_picture(const struct bot *bot, struct card_doc *doc, const char *uri)
{
    struct hash h;
    char hex[HASH_HEX];
    struct err e = {0};
    if (!bot->qr_dir[0])
        return;
    hash_begin(&h, "qr");
    hash_text(&h, "uri", uri);
    hash_end(&h, hex);
    const char *path = arena_printf(&doc->arena, "%s/%s.png", bot->qr_dir, hex);
    if (access(path, R_OK) == 0 || qr_write(uri, QR_SIDE, path, &e))
        doc->card.picture = path;
    else
        log_err(LOG_WARN, LOG_MODULE, &e); /* address and amount are there as text */
}

void pay_card_sweep(const struct bot *bot)
{
    DIR *dir = bot->qr_dir[0] ? opendir(bot->qr_dir) : NULL;
    struct dirent *entry;
    if (!dir)
        return;
    while ((entry = readdir(dir))) { /* one thread has this stream */
        struct stat s;
        if (!str_ends(entry->d_name, ".png") || fstatat(dirfd(dir), entry->d_name, &s, 0) != 0)
            continue;
        if (clock_wall_ms() / 1000 - s.st_mtime > (int64_t)KEEP_DAYS * 24 * 3600)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

/* What it is worth in money people know, or NULL: only for the eye. */
static const char *fiat(const struct bot *bot, struct card_doc *doc, const char *amount)
{
    char text[FIAT_TEXT];
    return bot->fiat && fiat_rate_hint(bot->fiat, amount, text) ? arena_dup(&doc->arena, text)
                                                                : NULL;
}

/* --- an order --- */

static void add_copies(struct card_doc *doc, const char *lang, const struct pay_ask *ask)
{
    card_copy(doc, lang, "button.copy_address", false, ask->address);
    card_copy(doc, lang, "button.copy_amount", true, ask->amount);
}

static void add_how(const struct bot *bot, struct card_doc *doc, const char *lang,
                    const struct order *o, const struct pay_ask *ask)
{
    const char *worth = fiat(bot, doc, ask->amount);
    card_line(doc, lang, "pay.send", I18N_TEXT("amount", ask->amount),
              I18N_TEXT("unit", ask->unit));
    card_add_line(doc, arena_dup(&doc->arena, ask->address));
    card_add_line(doc, arena_dup(&doc->arena, ask->uri));
    if (worth)
        card_line(doc, lang, "pay.fiat", I18N_TEXT("value", worth));
    if (ask->exact)
        card_line(doc, lang, "pay.exact");
    if (o->bonus > 0)
        card_line(doc, lang, "pay.bonus", I18N_NUM("count", o->bonus));
    card_line(doc, lang, ask->exact ? "pay.left_exact" : "pay.left",
              I18N_TEXT("time", card_duration(doc, lang, o->seconds_left * 1000)));
}

/* How it stands and what to do. */
static void add_state(const struct bot *bot, struct card_doc *doc, const struct order *o,
                      const struct pay_ask *ask)
{
    const char *lang = o->lang;
    char total[PAY_AMOUNT];
    raw_to_xno(o->amount, total);
    if (ask->received[0] && o->state != ORDER_PAID)
        card_line(doc, lang, "pay.part", I18N_TEXT("received", ask->received),
                  I18N_TEXT("amount", ask->amount), I18N_TEXT("unit", ask->unit));
    switch (o->state) {
    case ORDER_OPEN:
    case ORDER_PART:
        add_how(bot, doc, lang, o, ask);
        if (bot_abilities(bot, o->addr.network)->buttons)
            add_copies(doc, lang, ask);
        add_picture(bot, doc, ask->uri);
        break;
    case ORDER_SEEN:
        card_line(doc, lang, "pay.seen");
        break;
    case ORDER_PAID:
        card_line(doc, lang, "pay.paid");
        break;
    case ORDER_OVER:
        card_line(doc, lang, ask->exact ? "pay.over_exact" : "pay.over");
        if (!o->is_group) /* for a group, the way leads through the group again */
            card_button(doc, lang, "button.pay_again", true, "/pay %s", total);
        break;
    }
}

bool pay_card_order(const struct bot *bot, struct card_doc *doc, const struct order *o,
                    struct err *e)
{
    struct pay_ask ask;
    char total[PAY_AMOUNT];
    card_begin(doc, o->lang);
    doc->card.is_private = true;
    if (!bot->pay.ops->ask(bot->pay.self, o, &ask, e))
        return false;
    raw_to_xno(o->amount, total);
    card_title(doc, o->lang, "pay.order", I18N_NUM("count", ask.credits),
               I18N_TEXT("amount", arena_dup(&doc->arena, total)), I18N_TEXT("unit", ask.unit));
    if (o->is_group)
        card_line(doc, o->lang, "pay.for_group");
    add_state(bot, doc, o, &ask);
    return true;
}

bool pay_card_credited(const struct bot *bot, struct card_doc *doc, const char *lang,
                       const struct pay_credited *c, int64_t balance, bool started, struct err *e)
{
    bool part = c->order && c->order->state == ORDER_PART;
    struct pay_ask ask;
    card_begin(doc, lang);
    if (part && !bot->pay.ops->ask(bot->pay.self, c->order, &ask, e))
        return false;
    doc->card.is_private = true;
    if (c->credits + c->bonus > 0)
        doc->card.title = card_text(doc, lang, "pay.got", I18N_NUM("count", c->credits + c->bonus));
    else
        card_title(doc, lang, "pay.got_part", I18N_TEXT("amount", c->amount),
                   I18N_TEXT("unit", c->unit));
    card_line(doc, lang, "pay.arrived", I18N_TEXT("amount", c->amount), I18N_TEXT("unit", c->unit));
    if (c->bonus > 0)
        card_line(doc, lang, "pay.with_bonus", I18N_NUM("count", c->bonus));
    if (started)
        card_line(doc, lang, "pay.started");
    if (c->order && c->order->is_group)
        card_line(
            doc, lang, "group.title",
            I18N_TEXT("have", card_text(doc, lang, "unit.credits", I18N_NUM("count", balance))));
    else
        card_line(doc, lang, "credits.balance", I18N_NUM("count", balance));
    if (strcmp(c->rest, "0") != 0)
        card_line(doc, lang, "pay.rest", I18N_TEXT("rest", c->rest), I18N_TEXT("unit", c->unit));
    card_line(doc, lang, "pay.receipt", I18N_TEXT("ref", c->ref));
    if (part)
        add_state(bot, doc, c->order, &ask);
    return true;
}

/* --- refunds --- */

void pay_card_refund(struct card_doc *doc, const char *lang, const struct pay_refund *r)
{
    static const char *const titles[] = {
        [PAY_REFUND_ASKED] = "refund.ask",   [PAY_REFUND_WAITING] = "refund.waiting",
        [PAY_REFUND_SHORT] = "refund.short", [PAY_REFUND_SENT] = "refund.sent",
        [PAY_REFUND_DONE] = "refund.done",   [PAY_REFUND_BACK] = "refund.back",
    };
    card_begin(doc, lang);
    doc->card.is_private = true;
    card_title(doc, lang, titles[r->state], I18N_TEXT("amount", r->amount),
               I18N_TEXT("unit", r->unit));
    if (r->state == PAY_REFUND_ASKED && r->credits > 0)
        card_line(doc, lang, "refund.credits", I18N_NUM("count", r->credits - r->bonus));
    if (r->state == PAY_REFUND_ASKED && r->bonus > 0)
        card_line(doc, lang, "refund.bonus", I18N_NUM("count", r->bonus));
    if (r->state == PAY_REFUND_ASKED && strcmp(r->rest, "0") != 0)
        card_line(doc, lang, "refund.with_rest", I18N_TEXT("rest", r->rest),
                  I18N_TEXT("unit", r->unit));
    card_line(doc, lang, "refund.to");
    card_add_line(doc, arena_dup(&doc->arena, r->address));
    if (r->ref[0] && r->state != PAY_REFUND_BACK)
        card_line(doc, lang, "pay.receipt", I18N_TEXT("ref", r->ref));
    if (r->state != PAY_REFUND_ASKED)
        return;
    card_line(doc, lang, "refund.final");
    card_button(doc, lang, "button.refund_yes", false, "/refund yes %s", r->id);
    card_button(doc, lang, "button.refund_no", true, "/refund no");
}

/* --- offers --- */

static void add_offer(const struct bot *bot, struct card_doc *doc, const char *lang, bool buttons,
                      const char *job, const struct pay_offer *offer)
{
    const char *ref = job ? (buttons || !uuid_valid(job) ? job : job_short(job)) : "";
    const char *action =
        arena_printf(&doc->arena, "/pay %s%s%s", offer->amount, job ? " " : "", ref);
    const char *label =
        card_text(doc, lang, "pay.offer", I18N_NUM("count", offer->credits),
                  I18N_TEXT("amount", offer->amount), I18N_TEXT("unit", bot->pay.ops->unit));
    const char *worth = fiat(bot, doc, offer->amount);
    if (worth)
        label = arena_printf(&doc->arena, "%s ≈ %s", label, worth);
    if (buttons)
        card_button_text(doc, label, true, action);
    else
        card_line(doc, lang, "pay.offer_line", I18N_TEXT("command", action),
                  I18N_TEXT("what", label));
}

void pay_card_offers(const struct bot *bot, struct card_doc *doc, const char *lang, bool buttons,
                     const char *job, int64_t least)
{
    struct pay_offer offers[PAY_OFFERS], exact;
    size_t shown = 0;
    if (least > 0 && bot->pay.ops->offer_for(bot->pay.self, least, &exact)) {
        add_offer(bot, doc, lang, buttons, job, &exact);
        shown++;
    } else {
        exact.credits = 0;
    }
    size_t count = bot->pay.ops->offers(bot->pay.self, offers, PAY_OFFERS);
    for (size_t i = 0; i < count && shown < OFFERS_SHOWN; i++) {
        if (offers[i].credits <= MAX(exact.credits, least - 1))
            continue;
        add_offer(bot, doc, lang, buttons, job, &offers[i]);
        shown++;
    }
}

void pay_card_moved(struct card_doc *doc, const char *lang, const struct ledger_line *line)
{
    char key[40], day[11];
    if (line->credits == 0)
        return;
    snprintf(key, sizeof(key), "ledger.%s", line->verb);
    str_copy(day, sizeof(day), line->at);
    card_line(doc, lang, line->job[0] ? "credits.line_job" : "credits.line",
              I18N_TEXT("day", arena_dup(&doc->arena, day)),
              I18N_TEXT("what", card_text(doc, lang, key)),
              I18N_TEXT("sign", line->credits > 0 ? "+" : ""), I18N_NUM("credits", line->credits),
              I18N_TEXT("ref", job_short(line->job)));
}
