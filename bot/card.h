/*
 * card - cards put together from catalog texts.
 *
 * What:    a card_doc that grows line by line in one language; too many lines or buttons are
 *          dropped.
 * Owner:   card_doc_free.
 * Threads: none.
 */
#ifndef NANOTIK_BOT_CARD_H
#define NANOTIK_BOT_CARD_H

#include "bot/card_json.h"
#include "core/base/base.h"
#include "core/i18n/i18n.h"

void card_begin(struct card_doc *doc, const char *lang);
/* A catalog text in the doc's arena. */
const char *card_format(struct card_doc *doc, const char *lang, const char *key,
                        const struct i18n_arg *args, size_t count);
void card_add_line(struct card_doc *doc, const char *text); /* borrowed: must outlive the doc */
/* action: a command line, with printf arguments. */
void card_button(struct card_doc *doc, const char *lang, const char *label_key, bool ends_row,
                 const char *action_fmt, ...) PRINTF(5, 6);
/* The label is a text already. */
void card_button_text(struct card_doc *doc, const char *label, bool ends_row, const char *action);
/* Puts the text on the clipboard. */
void card_copy(struct card_doc *doc, const char *lang, const char *label_key, bool ends_row,
               const char *text);
/* One of many that do the same with another value, two in a row; label: borrowed. */
void card_choice(struct card_doc *doc, const char *label, const char *action_fmt, ...) PRINTF(3, 4);
void card_link(struct card_doc *doc, const char *lang, const char *label_key, const char *url);
/* i18n_duration and the like, moved into the arena. */
const char *card_keep(struct card_doc *doc, char *owned);
const char *card_duration(struct card_doc *doc, const char *lang, int64_t ms);
const char *card_bytes(struct card_doc *doc, const char *lang, int64_t bytes);
/* The first words of a text on one line, at most `max` characters, with an ellipsis when cut. */
const char *card_excerpt(struct card_doc *doc, const char *text, size_t max);
/* "one, two, three" of a NULL-terminated list. */
const char *card_list(struct card_doc *doc, const char *const *items);

#define CARD_ARGS(...)                                                   \
    (const struct i18n_arg[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}}, \
        COUNT(((const struct i18n_arg[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}})) - 1
#define card_text(doc, lang, key, ...) card_format(doc, lang, key, CARD_ARGS(__VA_ARGS__))
#define card_title(doc, lang, key, ...) \
    ((doc)->card.title = card_format(doc, lang, key, CARD_ARGS(__VA_ARGS__)))
#define card_line(doc, lang, key, ...) \
    card_add_line(doc, card_format(doc, lang, key, CARD_ARGS(__VA_ARGS__)))

#endif
