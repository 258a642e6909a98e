/*
 * pay_card - what a person sees of buying credits: offers, an order with its QR picture, how it goes on.
 *
 * Threads: any; the QR picture is written to bot->qr_dir when it is not there yet.
 */
#ifndef NANOTIK_BOT_PAY_CARD_H
#define NANOTIK_BOT_PAY_CARD_H

#include "bot/bot.h"
#include "bot/card.h"
#include "core/db/store_ledger.h"
#include "core/db/store_order.h"

/* The order as it stands, with its picture as long as there is something to pay. */
bool pay_card_order(const struct bot *bot, struct card_doc *doc, const struct order *order,
                    struct err *e);
/* A payment was counted; what is still missing of its order follows. balance: what can be spent after
   it; started: a video that waited holds its credits already. */
bool pay_card_credited(const struct bot *bot, struct card_doc *doc, const char *lang,
                       const struct pay_credited *c, int64_t balance, bool started, struct err *e);
/* Buttons (or lines, where there are none) that buy; job NULL, or the video that starts with it, or
   what names a group.
   least: credits that are missing, 0 = any package. */
void pay_card_offers(const struct bot *bot, struct card_doc *doc, const char *lang, bool buttons,
                     const char *job, int64_t least);
/* A refund as it stands; asked: with the buttons for yes and no. */
void pay_card_refund(struct card_doc *doc, const char *lang, const struct pay_refund *r);
/* One line for what moved; none for what was only set aside or given back: nothing was spent. */
void pay_card_moved(struct card_doc *doc, const char *lang, const struct ledger_line *line);
/* Pictures of orders that are long over. */
void pay_card_sweep(const struct bot *bot);

#endif
