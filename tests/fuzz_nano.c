/* Replies and frames as a hostile node, proxy or MCP server would send them: whatever is taken from them
 * keeps its promises. */
#include <assert.h>

#include "adapters/nano/mcp.h"
#include "adapters/nano/nano_parts.h"
#include "core/base/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const hashes_hex[] = {
    "90BC245AC50982E1D035C77C69B0C860C5C45CE6DEE77095D75FC76D6AEA0B8E",
    "C4FA36D324C72B86118575F7ACB328C1614AD370B8E8FA169DE842A9FF9E2588",
};
static const char *const addresses[] = {
    "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",
    "nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9",
};

static void as_list(const cJSON *doc)
{
    struct nano_account accounts[2];
    struct nano_list list = {0};
    struct err e = {0};
    size_t seen[2];
    struct raw threshold = {5};
    for (size_t i = 0; i < 2; i++)
        if (!nano_account_parse(addresses[i], &accounts[i]))
            abort();
    if (nano_read_receivables(doc, accounts, 2, 0, threshold, &list, seen, &e))
        for (size_t i = 0; i < list.count; i++) {
            assert(list.items[i].account < 2 && raw_compare(list.items[i].amount, threshold) >= 0);
            for (size_t k = 0; k < i; k++)
                assert(list.items[k].account != list.items[i].account ||
                       !nano_hash_equal(&list.items[k].hash, &list.items[i].hash));
        }
    free(list.items);
}

/* A block that comes out is the one that was asked for, whatever was said. */
static void as_blocks(const cJSON *doc)
{
    struct nano_hash hashes[2], real;
    struct nano_block_info info[2];
    struct err e = {0};
    for (size_t i = 0; i < 2; i++)
        if (!nano_hash_parse(hashes_hex[i], &hashes[i]))
            abort();
    if (!nano_read_blocks(doc, hashes, 2, info, &e))
        return;
    for (size_t i = 0; i < 2; i++) {
        assert(info[i].found || (!info[i].is_state && !info[i].confirmed));
        if (!info[i].is_state)
            continue;
        nano_block_hash(&info[i].block, &real);
        assert(nano_hash_equal(&real, &hashes[i]));
        assert(!info[i].is_signed || nano_block_verify(&info[i].block));
    }
}

static void as_others(const cJSON *doc)
{
    struct nano_account_info account;
    struct nano_hash root = {{1}};
    struct err e = {0};
    uint64_t work;
    if (nano_read_account(doc, &account, &e))
        assert(account.opened && !nano_hash_is_zero(&account.frontier) && account.block_count >= 0);
    if (nano_read_work(doc, &root, UINT64_C(0xf000000000000000), &work, &e))
        assert(nano_work_valid(&root, work, UINT64_C(0xf000000000000000)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    AUTO(json_free) cJSON *doc = NULL;
    AUTO(free_ptr) char *copy = str_printf("%.*s", (int)size, text);
    char error[NANO_ERROR_TEXT];
    struct nano_hint hint;
    struct raw raw;
    struct err e = {0};
    enum nano_published what;
    bool look;
    hash_setup();
    if (nano_read_reply(text, size, &doc, error, &e)) {
        for (const char *p = error; *p; p++)
            assert(*p >= ' ' && *p <= '~');
        (void)nano_read_refusal(error, &what, &look);
        as_list(doc);
        as_blocks(doc);
        as_others(doc);
    }
    if (nano_read_frame(copy, strlen(copy), &hint) == NANO_FRAME_BLOCK)
        assert(hint.has_account || hint.has_link);
    (void)nano_mcp_read(text, size, &raw, &e);
    return 0;
}
