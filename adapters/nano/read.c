/* Lists and accounts as a node tells them. */
#include "adapters/nano/nano_parts.h"

enum { DEPTH_MAX = 16, NODES_MAX = 400000 };

static bool wrong(struct err *e, const char *what)
{
    return err_set(e, ERR_INPUT, "error.bad_reply", "nano: %s", what);
}

/* --- values --- */

static const cJSON *item_of(const cJSON *object, const char *name)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

bool nano_read_true(const cJSON *object, const char *name)
{
    const cJSON *item = item_of(object, name);
    return cJSON_IsTrue(item) || (cJSON_IsString(item) && strcmp(item->valuestring, "true") == 0);
}

int64_t nano_read_count(const cJSON *object, const char *name)
{
    int64_t n = 0;
    if (!str_to_int(json_text(object, name, ""), 0, INT64_MAX, &n) && !json_int(object, name, &n))
        return 0;
    return MAX(n, 0);
}

bool nano_read_raw(const cJSON *object, const char *name, struct raw *ret)
{
    return raw_parse(json_text(object, name, NULL), ret);
}

/* Printable ASCII only: it goes into logs and comparisons. */
static void copy_error(const char *from, char ret[static NANO_ERROR_TEXT])
{
    size_t n = 0;
    for (; *from && n + 1 < NANO_ERROR_TEXT; from++)
        if (*from >= ' ' && *from <= '~')
            ret[n++] = *from;
    ret[n] = '\0';
}

bool nano_read_reply(const char *text, size_t len, cJSON **ret,
                     char ret_error[static NANO_ERROR_TEXT], struct err *e)
{
    static const struct json_limits limits = {NANO_REPLY_MAX, DEPTH_MAX, NODES_MAX};
    AUTO(json_free) cJSON *doc = NULL;
    ret_error[0] = '\0';
    if (!json_parse(text, len, &limits, &doc, e))
        return false;
    if (!cJSON_IsObject(doc))
        return wrong(e, "the reply is no object");
    const cJSON *error = item_of(doc, "error");
    if (cJSON_IsString(error))
        copy_error(error->valuestring[0] ? error->valuestring : "?", ret_error);
    else if (error && !cJSON_IsNull(error))
        str_copy(ret_error, NANO_ERROR_TEXT, "?"); /* an object or a number: a proxy's */
    *ret = TAKE(doc);
    return true;
}

/* The node writes an empty list or object as "". */
static bool is_empty(const cJSON *item)
{
    return !item || cJSON_IsNull(item) || (cJSON_IsString(item) && item->valuestring[0] == '\0') ||
           ((cJSON_IsArray(item) || cJSON_IsObject(item)) && !item->child);
}

/* --- receivables --- */

static bool list_has(const struct nano_list *list, size_t account, const struct nano_hash *hash)
{
    for (size_t i = list->count; i > 0 && list->items[i - 1].account == account; i--)
        if (nano_hash_equal(&list->items[i - 1].hash, hash))
            return true;
    return false;
}

static void list_add(struct nano_list *list, const struct nano_receivable *r)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 64;
        list->items = reallocarray(list->items, list->room, sizeof(*list->items));
        if (!list->items)
            abort(); /* bounded by the reply */
    }
    list->items[list->count++] = *r;
}

/* {"amount":"...","source":"..."}, or the amount alone from services that drop the source. */
static bool read_entry(const cJSON *entry, struct nano_receivable *ret, struct err *e)
{
    if (!nano_hash_parse(entry->string, &ret->hash))
        return wrong(e, "a receivable's hash is none");
    if (cJSON_IsString(entry) ? !raw_parse(entry->valuestring, &ret->amount)
                              : !nano_read_raw(entry, "amount", &ret->amount))
        return wrong(e, "a receivable's amount is none");
    if (json_has(entry, "source") &&
        !nano_account_parse(json_text(entry, "source", NULL), &ret->source))
        return wrong(e, "a receivable's source is none");
    return true;
}

bool nano_read_entries(const cJSON *entries, size_t account, struct raw threshold,
                       struct nano_list *list, size_t *ret_seen, struct err *e)
{
    const cJSON *entry;
    *ret_seen = 0;
    if (is_empty(entries))
        return true;
    if (!cJSON_IsObject(entries))
        return wrong(e, "receivables without amounts");
    cJSON_ArrayForEach(entry, entries)
    {
        struct nano_receivable r = {.account = account};
        if (++*ret_seen > NANO_MOST)
            continue; /* nobody asked for so many: counted, not looked at */
        if (!read_entry(entry, &r, e))
            return false;
        if (!raw_is_zero(r.amount) && raw_compare(r.amount, threshold) >= 0 &&
            !list_has(list, account, &r.hash))
            list_add(list, &r);
    }
    return true;
}

/* Index of the account, or count. The reply is in any order, mostly ours. */
static size_t index_of(const struct nano_account *accounts, size_t count, size_t hint,
                       const struct nano_account *a)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = (hint + i) % count;
        if (nano_account_equal(&accounts[at], a))
            return at;
    }
    return count;
}

bool nano_read_receivables(const cJSON *doc, const struct nano_account *accounts, size_t count,
                           size_t first, struct raw threshold, struct nano_list *list,
                           size_t *ret_seen, struct err *e)
{
    const cJSON *blocks = item_of(doc, "blocks"), *of;
    size_t at = 0;
    memset(ret_seen, 0, count * sizeof(*ret_seen));
    if (is_empty(blocks))
        return item_of(doc, "blocks") || wrong(e, "no list of receivables");
    if (!cJSON_IsObject(blocks))
        return wrong(e, "receivables are no object");
    cJSON_ArrayForEach(of, blocks)
    {
        struct nano_account a;
        if (!nano_account_parse(of->string, &a) ||
            (at = index_of(accounts, count, at, &a)) == count)
            return wrong(e, "receivables of an account that was not asked for");
        if (ret_seen[at])
            return wrong(e, "receivables of an account twice");
        if (!nano_read_entries(of, first + at, threshold, list, &ret_seen[at], e))
            return false;
    }
    return true;
}

/* --- accounts --- */

bool nano_read_account(const cJSON *doc, struct nano_account_info *ret, struct err *e)
{
    struct nano_account_info a = {.opened = true};
    const char *confirmed = json_text(doc, "confirmed_frontier", NULL);
    struct nano_hash sure;
    if (!nano_hash_parse(json_text(doc, "frontier", NULL), &a.frontier) ||
        nano_hash_is_zero(&a.frontier))
        return wrong(e, "an account without frontier");
    if (!nano_account_parse(json_text(doc, "representative", NULL), &a.representative))
        return wrong(e, "an account without representative");
    if (!nano_read_raw(doc, "balance", &a.balance))
        return wrong(e, "an account without balance");
    if (!confirmed)
        confirmed = json_text(doc, "confirmation_height_frontier", NULL);
    a.frontier_confirmed = nano_hash_parse(confirmed, &sure) && nano_hash_equal(&sure, &a.frontier);
    if (!nano_hash_parse(json_text(doc, "open_block", NULL), &a.first))
        a.first = (struct nano_hash){0};
    a.block_count = nano_read_count(doc, "block_count");
    *ret = a;
    return true;
}

bool nano_read_work(const cJSON *doc, const struct nano_hash *root, uint64_t threshold,
                    uint64_t *ret, struct err *e)
{
    uint64_t work;
    if (!nano_work_parse(json_text(doc, "work", NULL), &work) ||
        !nano_work_valid(root, work, threshold))
        return wrong(e, "the work does not fit");
    *ret = work;
    return true;
}
