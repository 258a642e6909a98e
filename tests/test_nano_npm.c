/* Three public JavaScript libraries and this program judge each other's keys, blocks and amounts. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/proc.h"
#include "core/nano/block.h"
#include "core/nano/work.h"
#include "core/net/json.h"
#include "tests/temp_folder.h"

enum { BLOCKS = 60, OWN_BLOCKS = 60, AMOUNTS = 60, NODE_MS = 120000 };
#define THRESHOLD UINT64_C(0xfff0000000000000)

static struct nano_seed *seed_of(const char *hex)
{
    struct nano_seed *s = NULL;
    struct err e = {0};
    if (!nano_seed_parse(hex, &s, &e))
        fail_msg("%s", e.detail);
    return s;
}

static struct raw random_raw(void)
{
    struct raw a;
    unsigned char shift;
    random_bytes(&a, sizeof(a));
    random_bytes(&shift, 1);
    a.value >>= shift % 128;
    return a;
}

/* A random block of a random account, signed and with work; every fifth one spoiled afterwards. */
static void put_block(struct strbuf *out, int i)
{
    struct nano_hash secret;
    struct nano_hash hash;
    struct nano_hash root;
    struct nano_block b = {0};
    struct err e = {0};
    uint32_t index;
    char hex[NANO_HEX];
    bool bad = i % 5 == 4;
    random_bytes(&secret, sizeof(secret));
    random_bytes(&index, sizeof(index));
    random_bytes(&b.representative, sizeof(b.representative));
    random_bytes(&b.link, sizeof(b.link));
    if (i % 4)
        random_bytes(&b.previous, sizeof(b.previous));
    b.balance.value = random_raw().value % (133248297 * RAW_XNO.value); /* at most what exists */
    nano_hash_print(&secret, hex);
    struct nano_seed *seed = seed_of(hex);
    assert_true(nano_seed_account(seed, index, &b.account, &e));
    assert_true(nano_block_sign(&b, seed, index, &e));
    nano_seed_destroy(seed);
    nano_block_root(&b, &root);
    assert_true(nano_work_search(nano_work_engine_best(), &root, THRESHOLD, 0, 1 << 24, &b.work));
    if (bad)
        b.signature.bytes[i % 64] ^= (unsigned char)(1 << i % 8);
    strbuf_addf(out, "%s{\"seed\":\"%s\",\"index\":%u,\"bad\":%s,\"wallet\":%s,\"subtype\":\"%s\",",
                i ? "," : "", hex, index, bad ? "true" : "false", i % 10 ? "false" : "true",
                i % 4 ? "receive" : "open");
    nano_block_hash(&b, &hash);
    nano_hash_print(&hash, hex);
    strbuf_addf(out, "\"hash\":\"%s\",\"block\":", hex);
    nano_block_put_json(&b, out);
    strbuf_addc(out, '}');
}

static void put_all(const char *path)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(1 << 20);
    struct err e = {0};
    strbuf_addf(&out, "{\"threshold\":\"%llx\",\"blocks\":[", (unsigned long long)THRESHOLD);
    for (int i = 0; i < BLOCKS; i++)
        put_block(&out, i);
    strbuf_adds(&out, "],\"amounts\":[");
    for (int i = 0; i < AMOUNTS; i++) {
        struct raw a = random_raw();
        char raw[RAW_TEXT];
        char xno[XNO_TEXT];
        raw_print(a, raw);
        raw_to_xno(a, xno);
        strbuf_addf(&out, "%s{\"raw\":\"%s\",\"xno\":\"%s\"}", i ? "," : "", raw, xno);
    }
    strbuf_adds(&out, "]}");
    assert_false(out.failed);
    assert_true(fs_write(path, out.text, out.len, &e));
}

/* Theirs: we derive the same account, hash and verify it, and sign it to the same bytes. */
static void check_block(const cJSON *item)
{
    const char *by = json_text(item, "by", "");
    struct nano_block b;
    struct nano_block again;
    struct nano_account own;
    struct nano_hash hash;
    struct nano_hash said;
    struct err e = {0};
    int64_t index = -1;
    /* Two of the libraries leave the work empty. */
    cJSON *block = cJSON_GetObjectItem(item, "block");
    cJSON_DeleteItemFromObject(block, "work");
    if (!nano_block_from_json(block, &b, &e))
        fail_msg("%s: %s", by, e.detail);
    assert_true(nano_hash_parse(json_text(item, "hash", NULL), &said));
    nano_block_hash(&b, &hash);
    if (!nano_hash_equal(&hash, &said))
        fail_msg("%s: another hash", by);
    if (!nano_block_verify(&b))
        fail_msg("%s: does not verify", by);
    struct nano_seed *seed = seed_of(json_text(item, "seed", ""));
    assert_true(json_int(item, "index", &index));
    assert_true(nano_seed_account(seed, (uint32_t)index, &own, &e));
    assert_true(nano_account_equal(&own, &b.account));
    again = b;
    assert_true(nano_block_sign(&again, seed, (uint32_t)index, &e));
    if (memcmp(&again.signature, &b.signature, sizeof(b.signature)) != 0)
        fail_msg("%s: another signature", by);
    b.signature.bytes[index % 64] ^= 1;
    assert_false(nano_block_verify(&b));
    nano_seed_destroy(seed);
}

static void check_amount(const cJSON *item)
{
    struct raw raw;
    struct raw xno;
    assert_true(raw_parse(json_text(item, "raw", NULL), &raw));
    assert_true(raw_from_xno(json_text(item, "xno", NULL), &xno));
    assert_int_equal(raw_compare(raw, xno), 0);
}

static void public_libraries_and_we_agree(void **state)
{
    (void)state;
    if (!fs_exists("tests/fakes/node_modules/nanocurrency") ||
        !fs_exists("tests/fakes/node_modules/nanocurrency-web") ||
        !fs_exists("tests/fakes/node_modules/libnemo")) {
        print_message("npm --prefix tests/fakes ci has not run: nothing to compare with\n");
        skip();
    }
    AUTO(free_ptr) char *in = str_printf("%s/in.json", temp_folder);
    AUTO(free_ptr) char *out = str_printf("%s/out.json", temp_folder);
    AUTO(free_ptr) char *said = NULL;
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0;
    char cwd[1024];
    struct err e = {0};
    put_all(in);
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    const char *argv[] = {"/usr/bin/env",
                          "sh",
                          "-c",
                          "node \"$0\" \"$1\" \"$2\" 2>&1 || echo failed",
                          "tests/fakes/nano_check.mjs",
                          in,
                          out,
                          NULL};
    struct proc_options o = {.cwd = cwd};
    if (!proc_run(argv, &o, NODE_MS, 1 << 20, &said, &e))
        fail_msg("node: %s", e.detail);
    if (!fs_read(out, 1 << 20, &text, &len, &e))
        fail_msg("%s", said);
    AUTO(json_free) cJSON *doc = NULL;
    assert_true(json_parse(text, len, NULL, &doc, &e));
    const cJSON *item;
    cJSON_ArrayForEach(item, json_array(doc, "wrong")) print_error("%s\n", item->valuestring);
    assert_int_equal(cJSON_GetArraySize(json_array(doc, "wrong")), 0);
    /* five of every block, five more of the good ones, one of every tenth, four of each amount */
    assert_int_equal(json_int_or(doc, "checked", 0),
                     BLOCKS * 5 + BLOCKS / 5 * 4 * 5 + BLOCKS / 10 + AMOUNTS * 4);
    assert_int_equal(cJSON_GetArraySize(json_array(doc, "blocks")), OWN_BLOCKS);
    cJSON_ArrayForEach(item, json_array(doc, "blocks")) check_block(item);
    assert_int_equal(cJSON_GetArraySize(json_array(doc, "amounts")), 50);
    cJSON_ArrayForEach(item, json_array(doc, "amounts")) check_amount(item);
}

static int setup(void **state)
{
    hash_setup();
    return temp_folder_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_libraries_and_we_agree),
    };
    return cmocka_run_group_tests(tests, setup, temp_folder_teardown);
}
