/* raw and price: amounts keep every digit, wrong text is refused, packages and fiat add up. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/money/price.h"
#include "core/money/raw.h"

#define MAX_RAW "340282366920938463463374607431768211455"

static struct raw raw_of(const char *text)
{
    struct raw a = RAW_ZERO;
    if (!raw_parse(text, &a))
        fail_msg("%s is raw", text);
    return a;
}

static struct raw xno(const char *text)
{
    struct raw a = RAW_ZERO;
    if (!raw_from_xno(text, &a))
        fail_msg("%s is XNO", text);
    return a;
}

static void assert_raw(struct raw a, const char *want)
{
    char text[RAW_TEXT];
    raw_print(a, text);
    assert_string_equal(text, want);
}

static struct raw random_raw(struct rng *r)
{
    struct raw a = {(unsigned __int128)rng_next(r) << 64 | rng_next(r)};
    a.value >>= rng_below(r, 128); /* all magnitudes */
    return a;
}

static void both_ways_between_xno_and_raw(void **state)
{
    (void)state;
    static const struct {
        const char *xno, *raw, *why;
    } rows[] = {
        {"1",                                        "1000000000000000000000000000000",         "the unit"                          },
        {"0.01",                                     "10000000000000000000000000000",
         "one credit; a double is wrong in the 17th digit"                                                                          },
        {"0.000001",                                 "1000000000000000000000000",               "the last decimal that wallets show"},
        {"1.5",                                      "1500000000000000000000000000000",         "one decimal"                       },
        {"0.000000000000000000000000000001",         "1",                                       "the smallest"                      },
        {"0.123456789012345678901234567891",         "123456789012345678901234567891",          "every decimal"                     },
        {"0.015621963968634827029081574961",         "15621963968634827029081574961",           "a real payment"                    },
        {"340282366.920938463463374607431768211455", MAX_RAW,                                   "all bits"                          },
        {"133248297.920938463463374607431768211455", "133248297920938463463374607431768211455",
         "what exists"                                                                                                              },
        {"0",                                        "0",                                       "nothing"                           },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[XNO_TEXT];
        struct raw a = xno(rows[i].xno);
        assert_raw(a, rows[i].raw);
        raw_to_xno(raw_of(rows[i].raw), text);
        if (strcmp(text, rows[i].xno) != 0)
            fail_msg("%s: %s became %s", rows[i].why, rows[i].raw, text);
    }
}

static void other_spellings_of_xno(void **state)
{
    (void)state;
    static const struct {
        const char *text, *raw, *why;
    } rows[] = {
        {"1.0", "1000000000000000000000000000000", "needless decimals"      },
        {"001", "1000000000000000000000000000000", "needless zeros in front"},
        {".5",  "500000000000000000000000000000",  "people write it so"     },
        {"2.",  "2000000000000000000000000000000", "and so"                 },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_raw(xno(rows[i].text), rows[i].raw);
}

static void wrong_xno_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "1e5",
        "-1",
        "+1",
        "1,5",
        "0x10",
        ".5.",
        ".",
        " 1",
        "1 ",
        "1\n",
        "nan",
        "1..2",
        "१",
        "0.0000000000000000000000000000001",        /* 31 decimals */
        "0.1000000000000000000000000000000",        /* 31 decimals, the last one 0 */
        "340282366.920938463463374607431768211456", /* one more than all bits */
        "340282367",
        "99999999999999999999999999999999999999999999999999",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct raw a = {7};
        if (raw_from_xno(rows[i], &a) || a.value != 7)
            fail_msg("\"%s\" was taken", rows[i]);
    }
    struct raw a;
    assert_false(raw_from_xno(NULL, &a));
}

static void the_wire_form_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        const char *why;
    } rows[] = {
        {"0",                                        true,  "nothing"                  },
        {MAX_RAW,                                    true,  "all bits"                 },
        {"340282366920938463463374607431768211456",  false, "one more"                 },
        {"999999999999999999999999999999999999999",  false, "39 digits that do not fit"},
        {"1000000000000000000000000000000000000000", false, "40 digits"                },
        {"00",                                       false, "leading zero"             },
        {"01",                                       false, "leading zero"             },
        {"-1",                                       false, "sign"                     },
        {"+1",                                       false, "sign"                     },
        {"1.0",                                      false, "dot"                      },
        {"1e3",                                      false, "exponent"                 },
        {"0x1",                                      false, "hex"                      },
        {"",                                         false, "empty"                    },
        {" 1",                                       false, "space"                    },
        {"1\n",                                      false, "line end"                 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct raw a = {7};
        if (raw_parse(rows[i].text, &a) != rows[i].ok || (!rows[i].ok && a.value != 7))
            fail_msg("%s: \"%s\"", rows[i].why, rows[i].text);
    }
    struct raw a;
    assert_false(raw_parse(NULL, &a));
}

static void short_text_is_cut_never_rounded_up(void **state)
{
    (void)state;
    static const struct {
        const char *xno;
        int decimals;
        const char *want;
    } rows[] = {
        {"0.999999999", 6,  "0.999999"},
        {"1.100000001", 6,  "1.1"     },
        {"0.0000009",   6,  "0"       },
        {"12.3456789",  2,  "12.34"   },
        {"5",           6,  "5"       },
        {"7.89",        0,  "7"       },
        {"0.5",         99, "0.5"     },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[XNO_TEXT];
        raw_to_xno_short(xno(rows[i].xno), rows[i].decimals, text);
        assert_string_equal(text, rows[i].want);
    }
}

static void sums_know_their_bounds(void **state)
{
    (void)state;
    struct raw r = {7};
    int64_t q = 7;
    assert_false(raw_add(RAW_MAX, (struct raw){1}, &r));
    assert_false(raw_sub((struct raw){1}, (struct raw){2}, &r));
    assert_false(raw_mul(RAW_XNO, 340282367, &r));
    assert_false(raw_divide(RAW_XNO, RAW_ZERO, &q, &r));
    assert_false(raw_divide(RAW_XNO, (struct raw){1}, &q, &r)); /* more than 2^63 */
    assert_false(raw_round_up(RAW_MAX, RAW_MICRO_XNO, &r));
    assert_true(r.value == 7 && q == 7);
    assert_true(raw_add(RAW_MAX, RAW_ZERO, &r) && raw_compare(r, RAW_MAX) == 0);
    assert_true(raw_mul(RAW_XNO, 340282366, &r));
    assert_true(raw_sub(RAW_MAX, r, &r));
    assert_raw(r, "920938463463374607431768211455");
    assert_true(raw_divide(xno("1.239"), xno("0.01"), &q, &r) && q == 123);
    assert_raw(r, "9000000000000000000000000000");
    assert_true(raw_round_up((struct raw){1}, RAW_MICRO_XNO, &r));
    assert_raw(r, "1000000000000000000000000");
    assert_true(raw_round_up(RAW_MICRO_XNO, RAW_MICRO_XNO, &r));
    assert_raw(r, "1000000000000000000000000");
    assert_int_equal(raw_compare(RAW_ZERO, RAW_MAX), -1);
    assert_int_equal(raw_compare(RAW_MAX, RAW_ZERO), 1);
}

static void random_amounts_come_back(void **state)
{
    (void)state;
    struct rng r = rng_make(6, 1);
    for (int i = 0; i < 20000; i++) {
        char text[XNO_TEXT];
        unsigned char bytes[RAW_BYTES];
        struct raw a = random_raw(&r);
        struct raw b = random_raw(&r);
        struct raw c;
        raw_print(a, text);
        assert_true(raw_compare(raw_of(text), a) == 0);
        raw_to_xno(a, text);
        assert_true(raw_compare(xno(text), a) == 0);
        raw_to_bytes(a, bytes);
        c = RAW_ZERO;
        for (int k = 0; k < RAW_BYTES; k++)
            c.value = c.value << 8 | bytes[k];
        assert_true(raw_compare(c, a) == 0);
        if (raw_add(a, b, &c)) {
            assert_true(raw_compare(c, a) >= 0);
            assert_true(raw_sub(c, b, &c) && raw_compare(c, a) == 0);
        } else {
            assert_true(a.value > RAW_MAX.value - b.value);
        }
    }
}

/* --- prices --- */

static struct price_list list_of(const char *per_credit, const char *packages)
{
    struct price_list p;
    struct err e = {0};
    if (!price_list_parse(per_credit, packages, &p, &e))
        fail_msg("%s", e.detail);
    return p;
}

static void packages_give_their_bonus(void **state)
{
    (void)state;
    struct price_list p = list_of("0.01", "1=100, 2=220,5=600,10=1250");
    static const struct {
        const char *xno;
        int64_t credits;
        const char *rest, *why;
    } rows[] = {
        {"0.009999",    0,           "9999000000000000000000000000", "less than one"                         },
        {"0.01",        1,           "0",                            "one"                                   },
        {"0.5",         50,          "0",                            "below the first package: plain rate"   },
        {"1",           100,         "0",                            "first package"                         },
        {"1.999999",    199,         "9999000000000000000000000000", "just below the second"                 },
        {"2",           220,         "200",                          "second; what its unit cannot say stays"},
        {"5",           600,         "200",                          "third"                                 },
        {"10",          1250,        "0",                            "fourth"                                },
        {"20",          2500,        "0",                            "more than the last: its rate"          },
        {"133248297.9", 16656037237, "4000000000000000000000000000", "everything there is"                   },
    };
    assert_int_equal(p.count, 4);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct raw rest;
        if (price_credits(&p, xno(rows[i].xno), &rest) != rows[i].credits)
            fail_msg("%s: %s XNO", rows[i].why, rows[i].xno);
        assert_raw(rest, rows[i].rest);
    }
    static const int bonus[] = {0, 10, 20, 25};
    for (size_t i = 0; i < p.count; i++)
        assert_int_equal(p.package[i].bonus, bonus[i]);
}

static void more_money_is_never_fewer_credits(void **state)
{
    (void)state;
    struct price_list p = list_of("0.01", "1=100,2=220,5=600,10=1250");
    struct rng r = rng_make(6, 2);
    for (int i = 0; i < 20000; i++) {
        struct raw a = {random_raw(&r).value % (30 * RAW_XNO.value)};
        struct raw b = {a.value + random_raw(&r).value % RAW_XNO.value};
        struct raw rest;
        struct raw spent;
        int64_t fewer = price_credits(&p, a, &rest);
        assert_true(raw_mul(price_unit(&p, a), (uint64_t)fewer, &spent));
        assert_true(raw_add(spent, rest, &spent) && raw_compare(spent, a) == 0);
        assert_true(price_credits(&p, b, &rest) >= fewer);
    }
}

static void odd_price_lists_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *per_credit, *packages, *arg, *why;
    } rows[] = {
        {"0",    "",                                                      "0",                                  "free credits"                   },
        {"",     "",                                                      "",                                   "no price"                       },
        {"0,01", "",                                                      "0,01",                               "comma"                          },
        {"0.01", "1",                                                     "1",                                  "no credits"                     },
        {"0.01", "1=0",                                                   "1=0",                                "package of nothing"             },
        {"0.01", "1=-5",                                                  "1=-5",                               "negative"                       },
        {"0.01", "=100",                                                  "=100",                               "no price"                       },
        {"0.01", "1=100,",                                                "",                                   "something is missing at the end"},
        {"0.01", "2=220,1=100",                                           "1=100",                              "falling"                        },
        {"0.01", "1=100,1=120",                                           "1=120",                              "twice the same price"           },
        {"0.01", "1=99",                                                  "1=99",                               "dearer than without the package"},
        {"0.01", "1=110,2=200",                                           "2=200",                              "dearer than the package before" },
        {"0.01", "0.000000000000000000000000000001=5",                    "0.000000000000000000000000000001=5",
         "a credit would cost nothing"                                                                                                           },
        {"0.01", "1=100,2=201,3=302,4=403,5=504,6=605,7=706,8=807,9=908", "9=908",                              "too many"                       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct price_list p;
        struct err e = {0};
        if (price_list_parse(rows[i].per_credit, rows[i].packages, &p, &e))
            fail_msg("%s was taken", rows[i].why);
        assert_int_equal(e.code, ERR_CONFIG);
        assert_string_equal(e.arg, rows[i].arg);
    }
}

static void fiat_hints_need_no_double(void **state)
{
    (void)state;
    uint64_t rate;
    uint64_t micro;
    assert_true(fiat_parse("0.934512", &rate) && rate == 934512);
    assert_true(fiat_parse("1234.5678919", &micro) && micro == 1234567891);
    assert_false(fiat_parse("0", &micro));
    assert_false(fiat_parse("0.0000001", &micro));
    assert_false(fiat_parse("-1", &micro));
    assert_false(fiat_parse("1e3", &micro));
    assert_true(fiat_from_raw(xno("2.5"), rate, &micro) && micro == 2336280);
    assert_true(fiat_from_raw(RAW_ZERO, rate, &micro) && micro == 0);
    assert_true(fiat_from_raw(RAW_MAX, 1000000, &micro) && micro == 340282366920938);
    assert_false(fiat_from_raw(RAW_MAX, UINT64_MAX, &micro));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_between_xno_and_raw),
        cmocka_unit_test(other_spellings_of_xno),
        cmocka_unit_test(wrong_xno_is_refused),
        cmocka_unit_test(the_wire_form_is_strict),
        cmocka_unit_test(short_text_is_cut_never_rounded_up),
        cmocka_unit_test(sums_know_their_bounds),
        cmocka_unit_test(random_amounts_come_back),
        cmocka_unit_test(packages_give_their_bonus),
        cmocka_unit_test(more_money_is_never_fewer_credits),
        cmocka_unit_test(odd_price_lists_are_refused),
        cmocka_unit_test(fiat_hints_need_no_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
