#include "core/db/store_note.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/seal.h"
#include "core/db/store_util.h"

enum { LIST_MAX = 2 << 20 };

/* [["hash of the name","sealed value",seconds],...]: hex and base64, nothing to escape. */
static bool put_list(struct strbuf *out, const struct note *notes, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        char mac[SEAL_MAC_TEXT];
        AUTO(free_ptr) char *sealed = seal_text(notes[i].value);
        if (!sealed)
            return err_set(e, ERR_LIMIT, "error.internal", "a note is too long");
        seal_mac(SEAL_NOTE, notes[i].name, mac);
        strbuf_addf(out, "%s[\"%s\",\"%s\",%d]", i ? "," : "[", mac + strlen("\\x"), sealed,
                    notes[i].seconds);
    }
    strbuf_addc(out, ']');
    return !out->failed || err_set(e, ERR_LIMIT, "error.internal", "too many notes");
}

bool note_put(struct db_tx *tx, const struct note *notes, size_t count, struct err *e)
{
    AUTO(strbuf_free) struct strbuf list = STRBUF(LIST_MAX);
    if (count == 0)
        return true;
    if (!put_list(&list, notes, count, e))
        return false;
    const char *params[] = {strbuf_text(&list)};
    return db_exec(tx,
                   "insert into notes(name, value, until)"
                   " select distinct on (n ->> 0) decode(n ->> 0, 'hex'), n ->> 1,"
                   " clock_timestamp() + make_interval(secs => (n ->> 2)::int)"
                   " from json_array_elements($1::json) with ordinality as list(n, place)"
                   " order by n ->> 0, place desc" /* a fixed order: no two can block each other */
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
