/* Blocks as a node tells them, and what it says of a block that it was given. */
#include "adapters/nano/nano_parts.h"

static bool wrong(struct err *e, const char *what)
{
    return err_set(e, ERR_INPUT, "error.bad_reply", "nano: %s", what);
}

/* An object; from services that ignore json_block, its text. *ret_doc: to be freed when not NULL. */
static const cJSON *contents_of(const cJSON *info, cJSON **ret_doc)
{
    static const struct json_limits limits = {4096, 4, 64};
    struct err ignored = {0};
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(info, "contents");
    if (!cJSON_IsString(item))
        return cJSON_IsObject(item) ? item : NULL;
    if (!json_parse(item->valuestring, strlen(item->valuestring), &limits, ret_doc, &ignored))
        return NULL;
    return cJSON_IsObject(*ret_doc) ? *ret_doc : NULL;
}

static bool is_legacy(const char *type)
{
    static const char *const types[] = {"send", "receive", "open", "change"};
    for (size_t i = 0; i < COUNT(types); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static bool read_contents(const cJSON *info, const struct nano_hash *hash,
                          struct nano_block_info *ret, struct err *e)
{
    AUTO(json_free) cJSON *doc = NULL;
    struct nano_hash real;
    struct nano_account said;
    const cJSON *contents = contents_of(info, &doc);
    if (!contents)
        return wrong(e, "a block without contents");
    if (is_legacy(json_text(contents, "type", "")))
        return true;
    if (!nano_block_from_json(contents, &ret->block, e))
        return false;
    nano_block_hash(&ret->block, &real);
    if (!nano_hash_equal(&real, hash))
        return wrong(e, "a block that is not the one asked for");
    if (!nano_account_parse(json_text(info, "block_account", NULL), &said) ||
        !nano_account_equal(&said, &ret->block.account))
        return wrong(e, "a block of another account than it says");
    ret->is_state = true;
    ret->is_signed = nano_block_verify(&ret->block);
    return true;
}

bool nano_read_block(const cJSON *info, const struct nano_hash *hash, struct nano_block_info *ret,
                     struct err *e)
{
    struct nano_block_info b = {.found = true};
    if (!cJSON_IsObject(info))
        return wrong(e, "a block is no object");
    if (!read_contents(info, hash, &b, e))
        return false;
    b.confirmed = nano_read_true(info, "confirmed");
    b.has_subtype = nano_subtype_parse(json_text(info, "subtype", NULL), &b.subtype);
    b.has_amount = nano_read_raw(info, "amount", &b.amount);
    b.height = nano_read_count(info, "height");
    b.stored_s = nano_read_count(info, "local_timestamp");
    b.has_successor = nano_hash_parse(json_text(info, "successor", NULL), &b.successor) &&
                      !nano_hash_is_zero(&b.successor);
    b.has_receiver = nano_hash_parse(json_text(info, "receive_hash", NULL), &b.receiver) &&
                     !nano_hash_is_zero(&b.receiver);
    *ret = b;
    return true;
}

/* Index of a hash that is still open in the list, or count. */
static size_t index_of(const struct nano_hash *hashes, size_t count, size_t hint,
                       const struct nano_hash *hash)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = (hint + i) % count;
        if (nano_hash_equal(&hashes[at], hash))
            return at;
    }
    return count;
}

static bool read_found(const cJSON *blocks, const struct nano_hash *hashes, size_t count,
                       struct nano_block_info *infos, bool *done, struct err *e)
{
    const cJSON *info;
    size_t at = 0;
    cJSON_ArrayForEach(info, blocks)
    {
        struct nano_hash hash;
        if (!nano_hash_parse(info->string, &hash) ||
            (at = index_of(hashes, count, at, &hash)) == count || done[at])
            return wrong(e, "a block that was not asked for");
        if (!nano_read_block(info, &hash, &infos[at], e))
            return false;
        done[at] = true;
    }
    return true;
}

static bool read_missing(const cJSON *missing, const struct nano_hash *hashes, size_t count,
                         bool *done, struct err *e)
{
    const cJSON *item;
    size_t at = 0;
    cJSON_ArrayForEach(item, missing)
    {
        struct nano_hash hash;
        if (!cJSON_IsString(item) || !nano_hash_parse(item->valuestring, &hash) ||
            (at = index_of(hashes, count, at, &hash)) == count || done[at])
            return wrong(e, "a missing block that was not asked for");
        done[at] = true;
    }
    return true;
}

bool nano_read_blocks(const cJSON *doc, const struct nano_hash *hashes, size_t count,
                      struct nano_block_info *ret_infos, struct err *e)
{
    AUTO(free_ptr) bool *done = calloc(count, sizeof(*done));
    if (!done)
        abort(); /* at most NANO_HASHES_MAX */
    memset(ret_infos, 0, count * sizeof(*ret_infos));
    if (!read_found(json_object(doc, "blocks"), hashes, count, ret_infos, done, e) ||
        !read_missing(json_array(doc, "blocks_not_found"), hashes, count, done, e))
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t first = index_of(hashes, count, 0, &hashes[i]);
        if (!done[first])
            return wrong(e, "an answer that leaves out a block");
        ret_infos[i] = ret_infos[first]; /* the same hash asked twice */
    }
    return true;
}

/* clang-format off */
static const struct {
    const char *text;
    enum nano_published what;
    bool look;
} refusals[] = {
    {"Old block",                                  NANO_ALREADY,      true },
    /* The node compares with the account's balance of this moment: a send that is in the ledger
       already gets this answer as well. */
    {"Invalid block balance for given subtype",    NANO_INVALID,      true },
    {"Fork",                                       NANO_FORK,         false},
    {"Gap previous block",                         NANO_GAP_PREVIOUS, false},
    {"Gap source block",                           NANO_GAP_SOURCE,   false},
    {"Unreceivable",                               NANO_UNRECEIVABLE, true },
    {"Block work is less than threshold",          NANO_NEEDS_WORK,   false},
    {"Block work is insufficient",                 NANO_NEEDS_WORK,   false},
    {"Bad signature",                              NANO_INVALID,      false},
    {"Negative spend",                             NANO_INVALID,      false},
    {"Balance and amount delta do not match",      NANO_INVALID,      false},
    {"This block cannot follow the previous block", NANO_INVALID,     false},
    {"Block is invalid",                           NANO_INVALID,      false},
    {"Invalid previous block for given subtype",   NANO_INVALID,      false},
};
/* clang-format on */

bool nano_read_refusal(const char *error, enum nano_published *ret, bool *ret_look)
{
    for (size_t i = 0; i < COUNT(refusals); i++)
        if (strcmp(error, refusals[i].text) == 0) {
            *ret = refusals[i].what;
            *ret_look = refusals[i].look;
            return true;
        }
    return false;
}
