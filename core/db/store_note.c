#include "core/db/store_note.h"

#include <stdlib.h>

#include "core/db/seal.h"
#include "core/db/store_util.h"

bool note_put(struct db_tx *tx, const char *name, const char *value, int seconds, struct err *e)
{
    char mac[SEAL_MAC_TEXT];
    AUTO(free_ptr) char *sealed = seal_text(value);
    if (!sealed)
        return err_set(e, ERR_LIMIT, "error.internal", "a note is too long");
    seal_mac(SEAL_NOTE, name, mac);
    struct num life = num_make(seconds);
    const char *params[] = {mac, sealed, life.text};
    return db_exec(tx,
                   "insert into notes(name, value, until) values ($1, $2,"
                   " clock_timestamp() + make_interval(secs => $3::int))"
                   " on conflict (name) do update set value = excluded.value,"
                   " until = excluded.until",
                   params, COUNT(params), NULL, e) &&
           db_exec(tx,
                   "delete from notes where name in (select name from notes"
                   " where until < clock_timestamp() limit 20 for update skip locked)",
                   NULL, 0, NULL, e);
}

bool note_get(struct db_tx *tx, const char *name, char *ret, size_t size, bool *ret_found,
              struct err *e)
{
    char mac[SEAL_MAC_TEXT];
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    seal_mac(SEAL_NOTE, name, mac);
    const char *params[] = {mac};
    *ret_found = false;
    if (!db_exec(tx, "select value from notes where name = $1 and until > clock_timestamp()",
                 params, 1, &rows, e))
        return false;
    *ret_found = db_count(rows) == 1 && seal_open_text(row_text(rows, 0, 0), ret, size);
    return true;
}
