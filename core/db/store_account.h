/*
 * store_account - who somebody is to us: a random id, found by the keyed hash of network and
 * platform id.
 * Tables:  users, identities, settings.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_ACCOUNT_H
#define NANOTIK_STORE_ACCOUNT_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/db/db.h"
#include "core/story/storyboard.h"

/* Key of identity hashes; set once at start (NANOTIK_ID_KEY or DATA/id.key, made with mode 0600
 * when missing). */
void account_set_key(const unsigned char key[static 32]);
/* The people of this database are known by that key, or there are none yet and it is theirs from
   now on. Else ERR_CONFIG "start.other_id_key": nobody would find their account or credits. */
bool account_check_key(struct db *db, struct err *e);

struct account {
    char id[UUID_TEXT];
    char lang[16]; /* chosen by /lang, "" = the client's */
    bool is_group;
    bool is_new; /* made by this call: with its wallet and its trial credit */
};

/* Finds or makes it. trial_credits are granted once per identity for ever, also after /forget:
 * a second keyed hash, tied to no account, remembers that the trial was used. */
bool account_find(struct db_tx *tx, const char *network, const char *platform_id, bool is_group,
                  int trial_credits, struct account *ret, struct err *e);
/* By full id, or unique start or end of it (>= 8 characters), or "network:platform_id".
 * ERR_NOT_FOUND "error.no_account". */
bool account_lookup(struct db_tx *tx, const char *text, struct account *ret, struct err *e);
bool account_set_lang(struct db_tx *tx, const char *account, const char *lang, struct err *e);

/* What /settings, /voice, /style keep; a video starts from these. seed, byte_limit are not kept. */
bool account_get_settings(struct db_tx *tx, const char *account, struct story_settings *ret,
                          struct err *e);
bool account_set_settings(struct db_tx *tx, const char *account, const struct story_settings *s,
                          struct err *e);

/* /forget: identities, settings, topics, deliveries, videos' texts go; the ledger keeps the random
   id only. Refuses ERR_CONFLICT "forget.jobs_running" while jobs live. Marks that lead nowhere stay:
   the used trial, today's use of groups' credits, strikes of the last strike_days and a pause that
   runs. Paths of files to delete are given to on_file. */
bool account_forget(struct db_tx *tx, const char *account, int strike_days,
                    void (*on_file)(void *ctx, const char *path), void *ctx, struct err *e);

#endif
