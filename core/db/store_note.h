/*
 * store_note - small texts that an adapter keeps beyond a restart, sealed, for a limited time.
 * Names are stored as keyed hashes. Table: notes.
 * Threads: as db_tx.
 */
#ifndef NANOTIK_STORE_NOTE_H
#define NANOTIK_STORE_NOTE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/db/db.h"

struct note {
    const char *name, *value;
    int seconds; /* that it is kept */
};

/* Replaces what was there, in one statement however many; of those with the same name the last
   counts. ERR_LIMIT: a value over SEAL_TEXT_MAX bytes. Expired ones are swept on the way. */
bool note_put(struct db_tx *tx, const struct note *notes, size_t count, struct err *e);
/* *ret_found false: none, expired, or sealed with another key. */
bool note_get(struct db_tx *tx, const char *name, char *ret, size_t size, bool *ret_found,
              struct err *e);

#endif
