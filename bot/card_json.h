/*
 * card_json - a card as text for the outbox, and back.
 *
 * What:    every field of struct card; unknown keys are ignored, so that an older program can send
 *          what a newer one stored.
 * Owner:   card_doc_free (AUTO works); a zeroed struct card_doc is empty and ready.
 * Threads: none.
 * Fails:   ERR_INTERNAL "error.internal": only our own programs write these texts.
 */
#ifndef NANOTIK_BOT_CARD_JSON_H
#define NANOTIK_BOT_CARD_JSON_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/port/chat.h"

struct card_doc {
    struct card card;
    struct arena arena; /* all texts of card */
};

/* *ret_json is the caller's, to free(). */
bool card_to_json(const struct card *card, char **ret_json, struct err *e);
bool card_from_json(const char *json, struct card_doc *ret, struct err *e);
void card_doc_free(struct card_doc *doc);

#endif
