/* What adapters keep beyond a restart, in the table of notes. */
#define LOG_MODULE "notes"
#include "bot/wire.h"
#include "core/base/log.h"

struct keeping {
    const struct note *notes;
    size_t count;
};

static bool put_body(struct db_tx *tx, void *data, struct err *e)
{
    const struct keeping *k = data;
    return note_put(tx, k->notes, k->count, e);
}

bool wire_notes_put(struct bot *bot, const struct note *notes, size_t count, bool sure)
{
    struct keeping k = {.notes = notes, .count = count};
    struct err e = {0};
    bool ok = sure ? db_run(bot->db, put_body, &k, &e) : db_run_soft(bot->db, put_body, &k, &e);
    if (!ok)
        log_err(LOG_WARN, LOG_MODULE, &e);
    return ok;
}

struct recalling {
    const char *key;
    char *ret;
    size_t size;
    bool found;
};

static bool get_body(struct db_tx *tx, void *data, struct err *e)
{
    struct recalling *r = data;
    return note_get(tx, r->key, r->ret, r->size, &r->found, e);
}

bool wire_notes_get(struct bot *bot, const char *key, char *ret, size_t size)
{
    struct recalling r = {.key = key, .ret = ret, .size = size};
    struct err e = {0};
    if (!db_run_soft(bot->db, get_body, &r, &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
    return r.found;
}
