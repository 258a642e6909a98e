/*
 * seal - what the database may know of people: keyed hashes, and addresses that only this program
 * can read.
 *
 * What:    one 32-byte key (account_set_key) and, derived from it, one key per purpose: identity
 *          hashes, used trials, lanes and repeats of the outbox and inbox, the address box.
 * Threads: seal_set_key at start; the rest from any thread.
 * Source:  facts sheet "jobs and ledger", 10.1 (identity).
 */
#ifndef NANOTIK_SEAL_H
#define NANOTIK_SEAL_H

#include "core/base/base.h"
#include "core/base/hash.h"
#include "core/port/chat.h"

enum seal_purpose {
    SEAL_IDENTITY,
    SEAL_TRIAL,
    SEAL_LANE,
    SEAL_EVENT,
    SEAL_ADDRESS,
    SEAL_NOTE,
    SEAL_PERSON, /* names an account to the outside */
    SEAL_CHECK,  /* tells one key from another */
    SEAL_REF,
    SEAL_REF_NONCE,
    SEAL_PURPOSES
};

enum { SEAL_MAC_TEXT = 2 + 2 * MAC_BYTES + 1 };

void seal_set_key(const unsigned char key[static 32]);
/* As a bytea parameter: "\x…". */
void seal_mac(enum seal_purpose purpose, const char *text, char ret[static SEAL_MAC_TEXT]);
/* What rows of one chat have in common. */
void seal_lane(const char *network, const char *chat, char ret[static SEAL_MAC_TEXT]);

/* A text to free(). */
MUST_USE char *seal_addr(const struct chat_addr *addr);
/* "" or what another key sealed gives an empty address and false. */
bool seal_open_addr(const char *text, struct chat_addr *ret);

/* Any text up to SEAL_TEXT_MAX bytes, for notes. NULL: longer. */
enum { SEAL_TEXT_MAX = 2000 };
MUST_USE char *seal_text(const char *text);
/* False: not sealed by this key, or larger than `size`. */
bool seal_open_text(const char *sealed, char *ret, size_t size);
/* Each line of a text by itself, and back; lines that are too long, or sealed by another key, are
   left out. seal_lines(NULL) is ""; seal_open_lines is NULL when no line is left. */
MUST_USE char *seal_lines(const char *text);
MUST_USE char *seal_open_lines(const char *sealed);

/* A network's name of a message (CHAT_REF_MAX), which holds the chat's number. The same name gives the
   same text, so that rows can be compared; "" stays "". A text to free(). */
MUST_USE char *seal_ref(const char *ref);
/* "" when it is not sealed by this key. */
void seal_open_ref(const char *sealed, char *ret, size_t size);

/* Any text, of any length. */
MUST_USE char *seal_long(const char *text);
/* A text to free(); NULL: not sealed by this key. */
MUST_USE char *seal_open_long(const char *sealed);

#endif
