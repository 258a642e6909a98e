/*
 * card_html - a platform-free card as Telegram HTML and keyboard.
 *
 * What:    the card's plain texts are cut first and escaped afterwards, so that markup is never
 *          cut; limits count UTF-16 units without tags, the safe side of what the server counts.
 *          Title, stages and progress always fit; the body lines share the rest.
 * Threads: pure functions.
 * Source:  facts sheet "telegram", section 6.
 */
#ifndef NANOTIK_TELEGRAM_CARD_HTML_H
#define NANOTIK_TELEGRAM_CARD_HTML_H

#include "core/base/base.h"
#include "core/base/strbuf.h"
#include "core/port/chat.h"

enum { TG_TEXT_UNITS = 4096, TG_CAPTION_UNITS = 1024 };

/* plain: without tags and escapes, for when the server refuses our markup. */
void tg_card_text(struct strbuf *out, const struct card *card, int64_t max_units, bool plain);
/* {"inline_keyboard":[...]} */
void tg_card_keyboard(struct strbuf *out, const struct card *card);

#endif
