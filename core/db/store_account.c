#include "core/db/store_account.h"

#include <ctype.h>
#include <string.h>

#include "core/base/strbuf.h"
#include "core/db/db_internal.h"
#include "core/db/seal.h"
#include "core/db/store_guard.h"
#include "core/db/store_util.h"

enum { IDENTITY_MAX = 300, SHORT_ID_MIN = 8 };

void account_set_key(const unsigned char key[static 32])
{
    seal_set_key(key);
}

static bool check_key_body(struct db_tx *tx, void *data, struct err *e)
{
    char mac[SEAL_MAC_TEXT];
    (void)data;
    seal_mac(SEAL_CHECK, "this database", mac);
    const char *params[] = {mac};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "insert into id_key(mac) values ($1) on conflict (one) do update"
                 " set mac = excluded.mac where not exists (select 1 from identities)",
                 params, 1, NULL, e) ||
        !db_exec(tx, "select mac = $1 from id_key", params, 1, &rows, e))
        return false;
    return db_bool(rows, 0, 0) ||
           err_set(e, ERR_CONFIG, "start.other_id_key", "the key of the identities is another one");
}

bool account_check_key(struct db *db, struct err *e)
{
    return db_run(db, check_key_body, NULL, e);
}

/* A network's name has no colon, so two identities never share a text. */
static bool identity_text(const char *network, const char *platform_id, char ret[IDENTITY_MAX],
                          struct err *e)
{
    int n = snprintf(ret, IDENTITY_MAX, "%s:%s", network, platform_id);
    if (n < 0 || n >= IDENTITY_MAX || !*network || !*platform_id || strchr(network, ':'))
        return err_set(e, ERR_INPUT, "error.no_account", "an identity of %d bytes", n);
    return true;
}

static void from_row(const struct db_rows *rows, struct account *ret)
{
    *ret = (struct account){0};
    str_copy(ret->id, sizeof(ret->id), row_text(rows, 0, 0));
    str_copy(ret->lang, sizeof(ret->lang), row_text(rows, 0, 1));
    ret->is_group = strcmp(row_text(rows, 0, 2), "group") == 0;
}

static bool by_mac(struct db_tx *tx, const char *mac, struct account *ret, bool *ret_found,
                   struct err *e)
{
    const char *params[] = {mac};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(tx,
                 "select u.id, u.lang, u.kind from identities i join users u on u.id = i.user_id"
                 " where i.mac = $1",
                 params, 1, &rows, e))
        return false;
    *ret_found = db_count(rows) > 0;
    if (*ret_found)
        from_row(rows, ret);
    return true;
}

/* The trial belongs to the identity, so a new account after /forget does not get another. */
static bool give_trial(struct db_tx *tx, const char *identity, const char *account, int credits,
                       struct err *e)
{
    if (credits <= 0)
        return true;
    char mac[SEAL_MAC_TEXT], key[64];
    seal_mac(SEAL_TRIAL, identity, mac);
    const char *params[] = {mac};
    int64_t rows;
    if (!exec_change(tx, "insert into trials(mac) values ($1) on conflict do nothing", params, 1,
                     &rows, e))
        return false;
    enum ledger_result r;
    snprintf(key, sizeof(key), "trial:%s", account);
    return rows == 0 || ledger_give(tx, key, "trial", account, credits, &r, e);
}

/* *ret_made false: another transaction made the same identity meanwhile. */
static bool make_account(struct db_tx *tx, const char *mac, bool is_group, struct account *ret,
                         bool *ret_made, struct err *e)
{
    *ret = (struct account){.is_group = is_group, .is_new = true};
    uuid_make(ret->id);
    const char *user[] = {ret->id, is_group ? "group" : "person"};
    const char *identity[] = {mac, ret->id};
    int64_t rows;
    if (!db_exec(tx, "insert into users(id, kind) values ($1, $2)", user, 2, NULL, e) ||
        !exec_change(tx,
                     "insert into identities(mac, user_id) values ($1, $2) on conflict do nothing",
                     identity, 2, &rows, e))
        return false;
    *ret_made = rows == 1;
    if (*ret_made)
        return db_exec(tx, "insert into wallets(user_id) values ($1)", user, 1, NULL, e);
    return db_exec(tx, "delete from users where id = $1", user, 1, NULL, e);
}

bool account_find(struct db_tx *tx, const char *network, const char *platform_id, bool is_group,
                  int trial_credits, struct account *ret, struct err *e)
{
    char identity[IDENTITY_MAX], mac[SEAL_MAC_TEXT];
    if (!identity_text(network, platform_id, identity, e))
        return false;
    seal_mac(SEAL_IDENTITY, identity, mac);
    for (int i = 0; i < 3; i++) {
        bool found, made;
        if (!by_mac(tx, mac, ret, &found, e))
            return false;
        if (found)
            return true;
        if (!make_account(tx, mac, is_group, ret, &made, e))
            return false;
        if (made)
            return strike_return(tx, ret->id, mac, e) &&
                   give_trial(tx, identity, ret->id, trial_credits, e);
    }
    return err_set(e, ERR_RETRY, "error.database", "an account comes and goes");
}

/* --- look-up by what an operator types --- */

static bool is_id_part(const char *text)
{
    size_t n = strlen(text);
    return n >= SHORT_ID_MIN && n < UUID_TEXT && strspn(text, "0123456789abcdef-") == n;
}

static bool by_part(struct db_tx *tx, const char *text, struct account *ret, struct err *e)
{
    char lower[UUID_TEXT];
    str_copy(lower, sizeof(lower), text);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    const char *params[] = {lower};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!is_id_part(lower))
        return err_set_arg(e, ERR_NOT_FOUND, "error.no_account", text, "not an account");
    if (!db_exec(tx,
                 "select id, lang, kind from users where starts_with(id::text, $1)"
                 " or right(id::text, length($1)) = $1 limit 2",
                 params, 1, &rows, e))
        return false;
    if (db_count(rows) != 1)
        return err_set_arg(e, ERR_NOT_FOUND, "error.no_account", text, "%s fits",
                           db_count(rows) == 0 ? "none" : "more than one");
    from_row(rows, ret);
    return true;
}

bool account_lookup(struct db_tx *tx, const char *text, struct account *ret, struct err *e)
{
    const char *colon = strchr(text, ':');
    if (!colon)
        return by_part(tx, text, ret, e);
    char mac[SEAL_MAC_TEXT];
    bool found;
    if (strlen(text) >= IDENTITY_MAX)
        return err_set(e, ERR_NOT_FOUND, "error.no_account", "too long");
    seal_mac(SEAL_IDENTITY, text, mac);
    if (!by_mac(tx, mac, ret, &found, e))
        return false;
    return found || err_set_arg(e, ERR_NOT_FOUND, "error.no_account", text, "no such identity");
}

bool account_set_lang(struct db_tx *tx, const char *account, const char *lang, struct err *e)
{
    const char *params[] = {account, lang};
    int64_t rows;
    if (!exec_change(tx, "update users set lang = $2 where id = $1", params, 2, &rows, e))
        return false;
    return rows == 1 || err_set(e, ERR_NOT_FOUND, "error.no_account", "no user %s", account);
}

/* --- settings --- */

bool account_get_settings(struct db_tx *tx, const char *account, struct story_settings *ret,
                          struct err *e)
{
    const char *params[] = {account};
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!db_exec(
            tx,
            "select lang, voice, aspect, tier, seconds, style, music, speed, script from settings"
            " where user_id = $1",
            params, 1, &rows, e))
        return false;
    *ret = (struct story_settings){.aspect = ASPECT_9_16, .tier = TIER_BASIC};
    if (db_count(rows) == 0)
        return true;
    str_copy(ret->lang, sizeof(ret->lang), row_text(rows, 0, 0));
    str_copy(ret->voice, sizeof(ret->voice), row_text(rows, 0, 1));
    /* A name that a later version wrote leaves the default. */
    if (!story_aspect_parse(row_text(rows, 0, 2), &ret->aspect))
        ret->aspect = ASPECT_9_16;
    if (!story_tier_parse(row_text(rows, 0, 3), &ret->tier))
        ret->tier = TIER_BASIC;
    ret->seconds = (int)db_int(rows, 0, 4);
    str_copy(ret->style, sizeof(ret->style), row_text(rows, 0, 5));
    str_copy(ret->music, sizeof(ret->music), row_text(rows, 0, 6));
    ret->speed = (int)db_int(rows, 0, 7);
    str_copy(ret->script, sizeof(ret->script), row_text(rows, 0, 8));
    return true;
}

bool account_set_settings(struct db_tx *tx, const char *account, const struct story_settings *s,
                          struct err *e)
{
    struct num seconds = num_make(s->seconds), speed = num_make(s->speed);
    const char *params[] = {account,
                            s->lang,
                            s->voice,
                            story_aspect_name(s->aspect),
                            story_tier_name(s->tier),
                            seconds.text,
                            s->style,
                            s->music,
                            speed.text,
                            s->script};
    return db_exec(tx,
                   "insert into settings(user_id, lang, voice, aspect, tier, seconds, style, music,"
                   " speed, script) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                   " on conflict (user_id) do update set lang = excluded.lang,"
                   " voice = excluded.voice, aspect = excluded.aspect, tier = excluded.tier,"
                   " seconds = excluded.seconds, style = excluded.style, music = excluded.music,"
                   " speed = excluded.speed, script = excluded.script",
                   params, COUNT(params), NULL, e);
}
