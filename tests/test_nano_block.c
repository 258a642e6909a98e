/* Blocks and signatures: every vector, every flipped bit, every odd way to write one. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/nano/ed25519.h"
#include "core/nano/key.h"
#include "core/nano/work.h"
#include "core/net/json.h"
#include "tests/nano_vectors.h"

#define GOOD "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"

/* --- blocks --- */

static void blocks_hash_sign_and_verify_as_elsewhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < nano_vector_block_count; i++) {
        const struct nano_vector_block *v = &nano_vector_blocks[i];
        struct nano_block b = nano_vector_block_make(v);
        struct nano_hash hash;
        struct nano_hash root;
        nano_block_hash(&b, &hash);
        nano_hex_must(hash.bytes, 32, v->hash);
        if (!nano_block_verify(&b))
            fail_msg("%s does not verify", v->id);
        if (v->key) {
            struct ed_room room;
            unsigned char signature[64];
            nano_room_take(&room, nano_vector_keys[v->key - 1].private_key);
            assert_true(ed_sign(&room, hash.bytes, signature));
            nano_hex_must(signature, 64, v->signature);
        }
        nano_block_root(&b, &root);
        if (v->value)
            assert_true(nano_work_value(&root, b.work) == v->value);
    }
}

static void the_hashed_bytes_are_the_176_of_the_sheet(void **state)
{
    (void)state;
    AUTO(free_ptr)
    char *hex =
        str_printf("%064d%s%s%s%s%s", 6, nano_vector_keys[0].public_key, nano_vector_blocks[0].hash,
                   "67556D31DDFC2A440BF6147501449B4CB9572278D034EE686A6BEE29851681DF",
                   "0000000C7EDCCE72084FEB8930000000", nano_vector_keys[1].public_key);
    unsigned char bytes[176];
    unsigned char digest[32];
    assert_true(nano_hex_parse(hex, bytes, sizeof(bytes)));
    crypto_generichash_blake2b(digest, sizeof(digest), bytes, sizeof(bytes), NULL, 0);
    nano_hex_must(digest, 32, nano_vector_blocks[1].hash);
}

static void only_the_owner_signs(void **state)
{
    (void)state;
    struct nano_seed *seed = nano_seed_of(nano_vector_keys[0].seed);
    for (size_t i = 0; i < 6; i++) {
        struct nano_block b = nano_vector_block_make(&nano_vector_blocks[i]);
        struct nano_signature want = b.signature;
        uint32_t index = nano_vector_keys[nano_vector_blocks[i].key - 1].index;
        struct err e = {0};
        memset(&b.signature, 0, sizeof(b.signature));
        assert_true(nano_block_sign(&b, seed, index, &e));
        assert_memory_equal(&b.signature, &want, sizeof(want));
        assert_false(nano_block_sign(&b, seed, index + 1, &e));
        assert_int_equal(e.code, ERR_INTERNAL);
        assert_memory_equal(&b.signature, &want, sizeof(want));
    }
    nano_seed_destroy(seed);
}

static void blocks_mean_what_their_balance_and_link_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < nano_vector_block_count; i++) {
        const struct nano_vector_block *v = &nano_vector_blocks[i];
        struct nano_block b = nano_vector_block_make(v);
        struct raw before;
        struct raw amount;
        struct raw sum;
        enum nano_subtype subtype;
        if (!v->before)
            continue;
        assert_true(raw_parse(v->before, &before));
        assert_true(nano_block_meaning(&b, before, &subtype, &amount));
        assert_int_equal(subtype, v->subtype);
        assert_true(raw_add(subtype == NANO_SEND ? b.balance : before, amount, &sum));
        assert_int_equal(raw_compare(sum, subtype == NANO_SEND ? before : b.balance), 0);
    }
    static const struct {
        bool first, link;
        unsigned before, after;
        bool ok;
        enum nano_subtype subtype;
        const char *why;
    } rows[] = {
        {false, true,  5, 3, true,  NANO_SEND,    "send"                                   },
        {false, false, 5, 3, true,  NANO_SEND,    "send to the burn address"               },
        {false, true,  5, 0, true,  NANO_SEND,    "send of everything"                     },
        {false, true,  3, 5, true,  NANO_RECEIVE, "receive"                                },
        {false, false, 3, 5, false, 0,            "receives from nowhere"                  },
        {false, false, 5, 5, true,  NANO_CHANGE,  "change"                                 },
        {false, true,  5, 5, true,  NANO_EPOCH,   "the network's mark"                     },
        {true,  true,  0, 5, true,  NANO_OPEN,    "first block"                            },
        {true,  false, 0, 5, false, 0,            "first block from nowhere"               },
        {true,  true,  0, 0, true,  NANO_EPOCH,   "mark on an account without blocks"      },
        {true,  true,  5, 5, false, 0,            "nobody has money before the first block"},
        {true,  true,  5, 3, false, 0,            "nobody sends with the first block"      },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct nano_block b = {.balance = {rows[i].after}};
        struct raw amount = {7};
        enum nano_subtype subtype = NANO_CHANGE;
        b.previous.bytes[31] = !rows[i].first;
        b.link.bytes[0] = rows[i].link;
        bool ok = nano_block_meaning(&b, (struct raw){rows[i].before}, &subtype, &amount);
        if (ok != rows[i].ok || (ok && subtype != rows[i].subtype))
            fail_msg("%s", rows[i].why);
    }
    enum nano_subtype subtype;
    for (int i = NANO_SEND; i <= NANO_EPOCH; i++)
        assert_true(nano_subtype_parse(nano_subtype_name((enum nano_subtype)i), &subtype) &&
                    (int)subtype == i);
    assert_false(nano_subtype_parse("Send", &subtype));
    assert_false(nano_subtype_parse(NULL, &subtype));
}

/* --- verification --- */

static void every_flipped_bit_is_seen(void **state)
{
    (void)state;
    struct nano_block b = nano_vector_block_make(&nano_vector_blocks[1]);
    struct nano_hash hash;
    nano_block_hash(&b, &hash);
    struct nano_signature s = b.signature;
    for (int bit = 0; bit < 512; bit++) {
        s.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (nano_verify(&b.account, &hash, &s))
            fail_msg("bit %d of the signature", bit);
        s.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (int bit = 0; bit < 256; bit++) {
        struct nano_hash h = hash;
        struct nano_account a = b.account;
        h.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        a.key[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (nano_verify(&b.account, &h, &s) || nano_verify(&a, &hash, &s))
            fail_msg("bit %d of hash or key", bit);
    }
    assert_true(nano_verify(&b.account, &hash, &s));
}

static void each_field_of_a_block_is_signed(void **state)
{
    (void)state;
    struct nano_block good = nano_vector_block_make(&nano_vector_blocks[1]);
    struct nano_block b = good;
    b.balance.value++;
    assert_false(nano_block_verify(&b));
    b = good, b.link.bytes[31] ^= 1;
    assert_false(nano_block_verify(&b));
    b = good, b.previous.bytes[0] ^= 1;
    assert_false(nano_block_verify(&b));
    b = good, b.representative.key[9] ^= 1;
    assert_false(nano_block_verify(&b));
    b = good, b.account = nano_vector_block_make(&nano_vector_blocks[4]).account;
    assert_false(nano_block_verify(&b));
    b = good, b.work++; /* anybody may attach other work */
    assert_true(nano_block_verify(&b));
}

/* The group's order L is added to S: the same signature in another coat. */
static void a_second_form_of_a_signature_is_refused(void **state)
{
    (void)state;
    static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                            0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                            0,    0,    0,    0,    0,    0,    0,    0,
                                            0,    0,    0,    0,    0,    0,    0,    0x10};
    struct nano_block b = nano_vector_block_make(&nano_vector_blocks[0]);
    for (int times = 1; times <= 7; times++) {
        unsigned carry = 0;
        for (int i = 0; i < 32; i++) {
            carry += (unsigned)b.signature.bytes[32 + i] + order[i];
            b.signature.bytes[32 + i] = (unsigned char)carry;
            carry >>= 8;
        }
        assert_int_equal(carry, 0);
        assert_false(nano_block_verify(&b));
    }
}

/* With such a key a careless check takes R = S*B for (nearly) any message. */
static void keys_of_small_order_sign_nothing(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ECFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F",
        "26E8958FC2B227B045C3F489F2EF98F0D5DFAC05D3C63339B13802886D53FC05",
        "26E8958FC2B227B045C3F489F2EF98F0D5DFAC05D3C63339B13802886D53FC85",
        "C7176A703D4DD84FBA3C0B760D10670F2A2053FA2C39CCC64EC7FD7792AC037A",
        "C7176A703D4DD84FBA3C0B760D10670F2A2053FA2C39CCC64EC7FD7792AC03FA",
        /* the same points in encodings that are not canonical */
        "0100000000000000000000000000000000000000000000000000000000000080",
        "EDFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F",
        "EEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF7F",
        "EDFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "EEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        /* no point of the curve at all */
        "0200000000000000000000000000000000000000000000000000000000000000",
    };
    struct rng r = rng_make(6, 4);
    for (size_t k = 0; k < COUNT(keys); k++) {
        struct nano_account a;
        assert_true(nano_hex_parse(keys[k], a.key, 32));
        for (int i = 0; i < 32; i++) {
            struct nano_hash h;
            struct nano_signature s;
            unsigned char wide[64];
            nano_random_fill(&r, h.bytes, sizeof(h.bytes));
            nano_random_fill(&r, wide, sizeof(wide));
            crypto_core_ed25519_scalar_reduce(s.bytes + 32, wide);
            assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(s.bytes, s.bytes + 32), 0);
            if (nano_verify(&a, &h, &s))
                fail_msg("key %s", keys[k]);
            memset(&s, 0, sizeof(s));
            s.bytes[0] = 1; /* R the neutral element, S = 0 */
            if (nano_verify(&a, &h, &s))
                fail_msg("key %s, empty signature", keys[k]);
        }
    }
}

/* A good key plus a point of order 8: signatures made with its private part verify or not,
   depending on who checks. */
static void keys_with_a_small_part_are_refused(void **state)
{
    (void)state;
    unsigned char small[32];
    struct nano_block b = nano_vector_block_make(&nano_vector_blocks[0]);
    struct nano_account mixed;
    assert_true(nano_hex_parse("26E8958FC2B227B045C3F489F2EF98F0D5DFAC05D3C63339B13802886D53FC05",
                               small, 32));
    assert_int_equal(crypto_core_ed25519_add(mixed.key, b.account.key, small), 0);
    struct ed_room room;
    nano_room_take(&room, nano_vector_keys[0].private_key);
    for (int i = 0; i < 64; i++) {
        struct nano_hash h = {{(unsigned char)i}};
        struct nano_signature s;
        assert_true(ed_sign(&room, h.bytes, s.bytes));
        assert_true(nano_verify(&b.account, &h, &s));
        assert_false(nano_verify(&mixed, &h, &s));
    }
}

static void random_blocks_sign_and_verify(void **state)
{
    (void)state;
    struct rng r = rng_make(6, 5);
    char hex[NANO_HEX];
    struct nano_hash secret;
    nano_random_fill(&r, secret.bytes, sizeof(secret.bytes));
    nano_hash_print(&secret, hex);
    struct nano_seed *seed = nano_seed_of(hex);
    for (int i = 0; i < 200; i++) {
        struct nano_block b;
        struct nano_signature first;
        struct err e = {0};
        uint32_t index = (uint32_t)rng_next(&r);
        nano_random_fill(&r, &b, sizeof(b));
        assert_true(nano_seed_account(seed, index, &b.account, &e));
        assert_true(nano_block_sign(&b, seed, index, &e));
        assert_true(nano_block_verify(&b));
        first = b.signature;
        assert_true(nano_block_sign(&b, seed, index, &e)); /* deterministic */
        assert_memory_equal(&first, &b.signature, sizeof(first));
        b.signature.bytes[rng_below(&r, 64)] ^= (unsigned char)(1 << rng_below(&r, 8));
        assert_false(nano_block_verify(&b));
    }
    nano_seed_destroy(seed);
}

/* --- wire form --- */

static bool read_block(const char *text, struct nano_block *ret, struct err *e)
{
    AUTO(json_free) cJSON *doc = NULL;
    assert_true(json_parse(text, strlen(text), NULL, &doc, e));
    return nano_block_from_json(doc, ret, e);
}

static void blocks_survive_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < nano_vector_block_count; i++) {
        const struct nano_vector_block *v = &nano_vector_blocks[i];
        struct nano_block b = nano_vector_block_make(v);
        struct nano_block back;
        struct err e = {0};
        AUTO(strbuf_free) struct strbuf out = STRBUF(4096);
        nano_block_put_json(&b, &out);
        if (!read_block(strbuf_text(&out), &back, &e))
            fail_msg("%s: %s", v->id, e.detail);
        assert_memory_equal(&b, &back, sizeof(b));
        assert_non_null(strstr(strbuf_text(&out), v->work));
        assert_non_null(strstr(strbuf_text(&out), v->signature));
    }
}

/* The send V2 as nodes write it; one field at a time replaced. */
static char *wire(const char *name, const char *value)
{
    static const struct {
        const char *name, *value;
    } fields[] = {
        {"type",            "\"state\""                                                                        },
        {"account",         "\"" GOOD "\""                                                                     },
        {"previous",        "\"90bc245ac50982e1d035c77c69b0c860c5c45ce6dee77095d75fc76d6aea0b8e\""             },
        {"representative",  "\"xrb_1stofnrxuz3cai7ze75o174bpm7scwj9jn3nxsn8ntzg784jf1gzn1jjdkou\""             },
        {"balance",         "\"990000000000000000000000000000\""                                               },
        {"link",            "\"E30D22B7935BCC25412FC07427391AB4C98A4AD68BAA733300D23D82C9D20AD3\""             },
        {"link_as_account",
         "\"nano_3rrf6cus8pye6o1kzi5n6wwjof8bjb7ff4xcgesi3njxid6x64pms6onw1f9\""                               },
        {"signature",       "\"456876B3E38161D0CBE509B1E9BA26D8106E4FF26F2590BBBB2BB60164F52CAA"
                      "E775D4D47EB6D2B4C769C2125894837C76BCBA54012BD0D51F5A0F48FAA8CF07\""},
        {"work",            "\"0D05B6980301c00a\""                                                             },
        {"subtype",         "\"send\""                                                                         },
    };
    AUTO(strbuf_free) struct strbuf out = STRBUF(4096);
    for (size_t i = 0; i < COUNT(fields); i++) {
        const char *v = strcmp(fields[i].name, name) == 0 ? value : fields[i].value;
        if (v)
            strbuf_addf(&out, "%s\"%s\":%s", out.len ? "," : "{", fields[i].name, v);
    }
    strbuf_addc(&out, '}');
    return strbuf_take(&out);
}

static void a_nodes_block_is_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool ok;
        const char *why;
    } rows[] = {
        {"",                NULL,                                                                    true,  "as it is: lower-case hash, old prefix, upper-case work"},
        {"link_as_account", NULL,                                                                    true,  "may be left out"                                       },
        {"work",            NULL,                                                                    true,  "may be left out"                                       },
        {"subtype",         "7",                                                                     true,  "not a part of the block"                               },
        {"type",            NULL,                                                                    false, "no type"                                               },
        {"type",            "\"send\"",                                                              false, "a block of the old kind"                               },
        {"account",         NULL,                                                                    false, "no account"                                            },
        {"account",         "\"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b8\"", false,
         "checksum"                                                                                                                                                 },
        {"account",         "5",                                                                     false, "a number"                                              },
        {"previous",        "\"0\"",                                                                 false, "not 64 digits"                                         },
        {"previous",        "null",                                                                  false, "null"                                                  },
        {"representative",  "\"\"",                                                                  false, "empty"                                                 },
        {"balance",         "990000000000000000000000000000",                                        false, "a number, which JSON would round"                      },
        {"balance",         "\"-1\"",                                                                false, "negative"                                              },
        {"balance",         "\"0990000000000000000000000000000\"",                                   false, "leading zero"                                          },
        {"balance",         "\"340282366920938463463374607431768211456\"",                           false, "above 128 bits"                                        },
        {"link",            "\"" GOOD "\"",                                                          false, "an address where a hash belongs"                       },
        {"link_as_account", "\"" GOOD "\"",                                                          false, "says another destination than link"                    },
        {"link_as_account", "\"\"",                                                                  false, "empty"                                                 },
        {"signature",       "\"45\"",                                                                false, "short"                                                 },
        {"signature",       NULL,                                                                    false, "unsigned"                                              },
        {"work",            "\"0d05b6980301c00\"",                                                   false, "15 digits"                                             },
        {"work",            "\"0d05b6980301c00ag\"",                                                 false, "17 characters"                                         },
        {"work",            "7",                                                                     false, "a number"                                              },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *text = wire(rows[i].name, rows[i].value);
        struct nano_block b;
        struct nano_hash hash;
        struct err e = {0};
        bool ok = read_block(text, &b, &e);
        if (ok != rows[i].ok)
            fail_msg("%s: %s", rows[i].name, rows[i].why);
        if (!ok) {
            assert_int_equal(e.code, ERR_INPUT);
            assert_non_null(strstr(e.detail, rows[i].name));
            continue;
        }
        nano_block_hash(&b, &hash);
        nano_hex_must(hash.bytes, 32, nano_vector_blocks[1].hash);
        assert_true(nano_block_verify(&b));
    }
}

static int setup(void **state)
{
    (void)state;
    hash_setup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_hash_sign_and_verify_as_elsewhere),
        cmocka_unit_test(the_hashed_bytes_are_the_176_of_the_sheet),
        cmocka_unit_test(only_the_owner_signs),
        cmocka_unit_test(blocks_mean_what_their_balance_and_link_say),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(each_field_of_a_block_is_signed),
        cmocka_unit_test(a_second_form_of_a_signature_is_refused),
        cmocka_unit_test(keys_of_small_order_sign_nothing),
        cmocka_unit_test(keys_with_a_small_part_are_refused),
        cmocka_unit_test(random_blocks_sign_and_verify),
        cmocka_unit_test(blocks_survive_the_wire),
        cmocka_unit_test(a_nodes_block_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
