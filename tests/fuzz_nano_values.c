/* Addresses, amounts, hex, prices and blocks from outside: nothing crashes, and what was taken reads
   back the same. */
#include <strings.h>

#include "core/base/hash.h"
#include "core/money/price.h"
#include "core/nano/block.h"
#include "core/nano/work.h"
#include "core/net/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void try_account(const char *text)
{
    struct nano_account a;
    struct nano_account b;
    char address[NANO_ADDRESS];
    if (!nano_account_parse(text, &a))
        return;
    nano_account_print(&a, address);
    must(nano_account_parse(address, &b) && nano_account_equal(&a, &b));
    must(strcmp(strchr(address, '_'), strchr(text, '_')) == 0);
}

static void try_amounts(const char *text)
{
    struct raw a;
    struct raw b;
    struct price_list prices;
    struct err e = {0};
    char back[XNO_TEXT];
    if (raw_parse(text, &a)) {
        raw_print(a, back);
        must(strcmp(back, text) == 0);
    }
    if (raw_from_xno(text, &a)) {
        raw_to_xno(a, back);
        must(raw_from_xno(back, &b) && raw_compare(a, b) == 0);
    }
    if (price_list_parse("0.01", text, &prices, &e) && prices.count > 0) {
        struct raw rest;
        const struct price_package *last = &prices.package[prices.count - 1];
        must(price_credits(&prices, last->price, &rest) == last->credits);
    }
}

static void try_hex(const char *text)
{
    struct nano_hash h;
    struct nano_signature s;
    uint64_t work;
    char hex[NANO_SIGNATURE_HEX];
    if (nano_hash_parse(text, &h)) {
        nano_hash_print(&h, hex);
        must(strcasecmp(hex, text) == 0);
    }
    if (nano_signature_parse(text, &s)) {
        nano_signature_print(&s, hex);
        must(strcasecmp(hex, text) == 0);
    }
    if (nano_work_parse(text, &work)) {
        nano_work_print(work, hex);
        must(strcasecmp(hex, text) == 0);
    }
}

static void try_block(const char *text, size_t len)
{
    AUTO(json_free) cJSON *doc = NULL;
    AUTO(json_free) cJSON *again = NULL;
    AUTO(strbuf_free) struct strbuf out = STRBUF(8192);
    struct nano_block b;
    struct nano_block c;
    struct nano_hash h;
    struct nano_hash k;
    struct err e = {0};
    if (!json_parse(text, len, NULL, &doc, &e) || !nano_block_from_json(doc, &b, &e))
        return;
    nano_block_put_json(&b, &out);
    must(json_parse(out.text, out.len, NULL, &again, &e) && nano_block_from_json(again, &c, &e));
    nano_block_hash(&b, &h);
    nano_block_hash(&c, &k);
    must(nano_hash_equal(&h, &k) && b.work == c.work);
    must(nano_block_verify(&b) == nano_block_verify(&c));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hash_setup();
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    try_account(text);
    try_amounts(text);
    try_hex(text);
    try_block(text, size);
    free(text);
    return 0;
}
