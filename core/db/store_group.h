/*
 * store_group - a group's account: its purse is a wallet like any other; who may spend from it, and
 * how much of it a day, is decided by its admins.
 *
 * What:    found by the keyed hash of network and chat, it moves with the chat (store_move). The
 *          bound of a member is kept in the transaction that holds the credits (job_start).
 * Tables:  group_settings, group_links, group_used.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_GROUP_H
#define NANOTIK_STORE_GROUP_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/db/db.h"
#include "core/db/seal.h"

enum {
    GROUP_NO_CAP = -1,
    GROUP_CAP_MAX = 1000000,
    GROUP_LINK_TEXT = 34, /* with NUL */
    GROUP_LINK_MINUTES = 60,
};

struct group {
    char id[UUID_TEXT];
    bool is_on;  /* it pays for its members' videos */
    int64_t cap; /* credits per member and UTC day, or GROUP_NO_CAP */
    int64_t available, held;
    int64_t used;     /* of the cap, today, by the member who looks */
    int64_t used_all; /* by everybody */
};

/* The hash that names a chat's group. */
void group_mac(const char *network, const char *chat, char ret[static SEAL_MAC_TEXT]);
/* The account of the chat itself where it has one (channels had their own once), else of the group
   that it belongs to. *ret_id "": there is none yet, and makes is false. */
bool group_find(struct db_tx *tx, const struct chat_addr *where, bool makes,
                char ret_id[static UUID_TEXT], struct err *e);
/* As it stands for this member. ERR_NOT_FOUND "error.no_account". */
bool group_look(struct db_tx *tx, const char *id, const char *member, struct group *ret,
                struct err *e);
/* Credits that this member may have it pay now. */
int64_t group_may_use(const struct group *g);

/* Before /forget takes a member's identities: an account made anew today has used as much. */
bool group_keep_use(struct db_tx *tx, const char *member, struct err *e);

bool group_set_cap(struct db_tx *tx, const char *id, int64_t cap, struct err *e);
bool group_set_on(struct db_tx *tx, const char *id, bool is_on, struct err *e);
/* Where it is told of payments, and in which language; without overwrites, the first one stays. */
bool group_set_place(struct db_tx *tx, const char *id, const char *lang,
                     const struct chat_addr *addr, bool overwrites, struct err *e);
/* *ret_found false: nobody ever asked for its account in a chat, or it is no group. */
bool group_place(struct db_tx *tx, const char *id, char ret_lang[static 16], struct chat_addr *ret,
                 bool *ret_found, struct err *e);

/* What a link to the private chat carries instead of the group's id: "g" and 32 hex digits, good for
   GROUP_LINK_MINUTES. */
bool group_link_make(struct db_tx *tx, const char *id, char ret[static GROUP_LINK_TEXT],
                     struct err *e);
/* ERR_NOT_FOUND "group.link_over". */
bool group_link_open(struct db_tx *tx, const char *token, char ret_id[static UUID_TEXT],
                     struct err *e);
bool group_link_is(const char *text);

#endif
