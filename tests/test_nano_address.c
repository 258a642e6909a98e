/* Keys and addresses: every vector, every wrong form; the link of a payment. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/base/hash.h"
#include "core/base/rng.h"
#include "core/nano/ed25519.h"
#include "core/nano/key.h"
#include "tests/nano_vectors.h"

#define GOOD "nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7"

static void keys_and_addresses_are_those_of_all_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < nano_vector_key_count; i++) {
        const struct nano_vector_key *v = &nano_vector_keys[i];
        struct ed_room room;
        struct nano_account a;
        struct nano_account back;
        struct err e = {0};
        char address[NANO_ADDRESS];
        nano_room_take(&room, v->private_key);
        if (v->seed) {
            unsigned char seed[32];
            assert_true(nano_hex_parse(v->seed, seed, 32));
            ed_derive(&room, seed, v->index);
            nano_hex_must(room.private_key, 32, v->private_key);
        }
        assert_true(ed_public(&room, a.key));
        nano_hex_must(a.key, 32, v->public_key);
        nano_account_print(&a, address);
        assert_string_equal(address, v->address);
        assert_true(nano_account_parse(v->address, &back) && nano_account_equal(&a, &back));
        if (v->seed) {
            struct nano_seed *s = nano_seed_of(v->seed);
            assert_true(nano_seed_account(s, v->index, &back, &e));
            assert_true(nano_account_equal(&a, &back));
            nano_seed_destroy(s);
        }
    }
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b8",        "last character"    },
        {"nano_3i1aq3cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",        "a key character"   },
        {"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6codb99d4r3b7",        "swapped pair"      },
        {"nano_5i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",        "above 256 bits"    },
        {"nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b",         "one is missing"    },
        {GOOD "1",                                                                   "one too many"      },
        {"nano_3i1aq0cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",        "0 is no letter"    },
        {"nano_3i1aqlcchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",        "l is no letter"    },
        {"nano_3i1aq2cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",        "2 is no letter"    },
        {"nano_3i1aqvcchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",        "v is no letter"    },
        {"ban_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",         "another network"   },
        {"3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",             "no prefix"         },
        {"NANO_3I1AQ1CCHNMBN9X5RSBAP8B15AKFH7WJ7PWSKUZI7AHZ8OQ6COBD99D4R3B7",        "upper case"        },
        {"nano_3I1AQ1CCHNMBN9X5RSBAP8B15AKFH7WJ7PWSKUZI7AHZ8OQ6COBD99D4R3B7",        "upper case inside" },
        {" " GOOD,                                                                   "space in front"    },
        {GOOD " ",                                                                   "space behind"      },
        {GOOD "\n",                                                                  "line end"          },
        {"nano_",                                                                    "only the prefix"   },
        {"",                                                                         "nothing"           },
        {"nano-3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",        "hyphen"            },
        {"nano_3e3j5tkog48pnny9dmfzj1r16pg8t1e76dz5tmac6iq689wyjfpi00000000",        "from the documents"},
        {"xrb_nano_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7",    "two prefixes"      },
        {"nano_\xd0\xb3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7", "not ASCII"         },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct nano_account a = {{7}};
        if (nano_account_parse(rows[i].text, &a) || a.key[0] != 7)
            fail_msg("%s: %s was taken", rows[i].why, rows[i].text);
    }
    struct nano_account a;
    assert_false(nano_account_parse(NULL, &a));
}

static void the_old_prefix_means_the_same(void **state)
{
    (void)state;
    struct nano_account a;
    struct nano_account b;
    char address[NANO_ADDRESS];
    assert_true(nano_account_parse(GOOD, &a));
    assert_true(
        nano_account_parse("xrb_3i1aq1cchnmbn9x5rsbap8b15akfh7wj7pwskuzi7ahz8oq6cobd99d4r3b7", &b));
    assert_true(nano_account_equal(&a, &b));
    nano_account_print(&b, address);
    assert_string_equal(address, GOOD);
    assert_true(nano_account_parse(
        "nano_1111111111111111111111111111111111111111111111111111hifc8npp", &a));
    assert_true(nano_account_is_burn(&a));
    assert_false(nano_account_is_burn(&b));
}

/* A checksum of 40 bits: none of these may pass. */
static void no_other_letter_anywhere_makes_an_address(void **state)
{
    (void)state;
    static const char letters[] = "013456789abcdefghijklmnopqrstuwxyz_";
    char text[] = GOOD;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        char was = text[i];
        for (const char *c = letters; *c; c++) {
            struct nano_account a;
            text[i] = *c;
            if (*c != was && nano_account_parse(text, &a))
                fail_msg("%s was taken", text);
        }
        text[i] = was;
    }
}

static void random_keys_come_back(void **state)
{
    (void)state;
    struct rng r = rng_make(6, 3);
    for (int i = 0; i < 5000; i++) {
        struct nano_account a;
        struct nano_account b;
        struct nano_hash h;
        char address[NANO_ADDRESS];
        char hex[NANO_HEX];
        nano_random_fill(&r, a.key, sizeof(a.key));
        nano_account_print(&a, address);
        assert_true(strlen(address) == 65 && (address[5] == '1' || address[5] == '3'));
        assert_true(nano_account_parse(address, &b) && nano_account_equal(&a, &b));
        h = nano_hash_of(&a);
        nano_hash_print(&h, hex);
        assert_true(nano_hash_parse(hex, &h));
        b = nano_account_of(&h);
        assert_true(nano_account_equal(&a, &b));
    }
}

static void hex_is_exact(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "00",
        "000000000000000000000000000000000000000000000000000000000000000",
        "00000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000000000000000000000000000000000000000000g",
        " 00000000000000000000000000000000000000000000000000000000000000",
        "0x00000000000000000000000000000000000000000000000000000000000000",
    };
    struct nano_hash h = {{7}};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(nano_hash_parse(wrong[i], &h));
    assert_false(nano_hash_parse(NULL, &h));
    assert_int_equal(h.bytes[0], 7);
    assert_true(
        nano_hash_parse("abcdefABCDEF0000000000000000000000000000000000000000000000000000", &h));
    nano_hex_must(h.bytes, 32, "ABCDEFABCDEF0000000000000000000000000000000000000000000000000000");
}

static void uris_carry_raw(void **state)
{
    (void)state;
    struct nano_account a;
    struct raw amount = RAW_ZERO;
    char uri[NANO_URI];
    assert_true(nano_account_parse(GOOD, &a));
    nano_uri(&a, &amount, uri);
    assert_string_equal(uri, "nano:" GOOD);
    assert_true(raw_from_xno("0.01", &amount));
    nano_uri(&a, &amount, uri);
    assert_string_equal(uri, "nano:" GOOD "?amount=10000000000000000000000000000");
    amount = RAW_MAX;
    nano_uri(&a, &amount, uri);
    assert_string_equal(uri, "nano:" GOOD "?amount=340282366920938463463374607431768211455");
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
        cmocka_unit_test(keys_and_addresses_are_those_of_all_others),
        cmocka_unit_test(wrong_addresses_are_refused),
        cmocka_unit_test(the_old_prefix_means_the_same),
        cmocka_unit_test(no_other_letter_anywhere_makes_an_address),
        cmocka_unit_test(random_keys_come_back),
        cmocka_unit_test(hex_is_exact),
        cmocka_unit_test(uris_carry_raw),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
