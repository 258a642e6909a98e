/* utf8, strbuf, arena, err: texts stay valid and within their bounds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"

static void utf8_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t first;
        size_t moved;
        bool valid;
        const char *why;
    } rows[] = {
        {"A",                0x41,     1, true,  "ASCII"                           },
        {"\x7f",             0x7F,     1, true,  "last of one byte"                },
        {"\xc2\x80",         0x80,     2, true,  "first of two"                    },
        {"\xdf\xbf",         0x7FF,    2, true,  "last of two"                     },
        {"\xe0\xa0\x80",     0x800,    3, true,  "first of three"                  },
        {"\xed\x9f\xbf",     0xD7FF,   3, true,  "last before the surrogates"      },
        {"\xee\x80\x80",     0xE000,   3, true,  "first after the surrogates"      },
        {"\xef\xbf\xbf",     0xFFFF,   3, true,  "last of three"                   },
        {"\xf0\x90\x80\x80", 0x10000,  4, true,  "first of four"                   },
        {"\xf4\x8f\xbf\xbf", 0x10FFFF, 4, true,  "last of all"                     },
        {"\xc0\x80",         0xFFFD,   1, false, "overlong NUL"                    },
        {"\xc1\xbf",         0xFFFD,   1, false, "overlong two"                    },
        {"\xe0\x9f\xbf",     0xFFFD,   1, false, "overlong three"                  },
        {"\xf0\x8f\xbf\xbf", 0xFFFD,   1, false, "overlong four"                   },
        {"\xed\xa0\x80",     0xFFFD,   1, false, "high surrogate"                  },
        {"\xed\xbf\xbf",     0xFFFD,   1, false, "low surrogate"                   },
        {"\xf4\x90\x80\x80", 0xFFFD,   1, false, "above U+10FFFF"                  },
        {"\xf5\x80\x80\x80", 0xFFFD,   1, false, "lead that never occurs"          },
        {"\xff",             0xFFFD,   1, false, "byte that never occurs"          },
        {"\x80",             0xFFFD,   1, false, "continuation alone"              },
        {"\xe4\xb8",         0xFFFD,   1, false, "cut short"                       },
        {"\xe4\xb8\x41",     0xFFFD,   1, false, "letter instead of a continuation"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t pos = 0;
        size_t len = strlen(rows[i].text);
        if (utf8_next(rows[i].text, len, &pos) != rows[i].first || pos != rows[i].moved ||
            utf8_valid(rows[i].text, len) != rows[i].valid)
            fail_msg("%s", rows[i].why);
        char out[4];
        if (rows[i].valid &&
            (utf8_put(out, rows[i].first) != len || memcmp(out, rows[i].text, len) != 0))
            fail_msg("encoding: %s", rows[i].why);
    }
    size_t pos = 1;
    assert_int_equal(utf8_next("A", 1, &pos), -1);
    char out[4];
    assert_int_equal(utf8_put(out, 0xD800), 3); /* no surrogate leaves us: U+FFFD does */
    assert_memory_equal(out, "\xef\xbf\xbd", 3);
    assert_int_equal(utf8_count("a\u4e2d\U0001F600\xff"), 4);
}

static void utf8_round_trip(void **state)
{
    (void)state;
    for (int32_t cp = 1; cp <= 0x10FFFF; cp++) {
        if (cp >= 0xD800 && cp <= 0xDFFF)
            continue;
        char out[4];
        size_t len = utf8_put(out, cp);
        size_t pos = 0;
        if (utf8_next(out, len, &pos) != cp || pos != len || utf8_cut(out, len) != len ||
            utf8_cut(out, len - 1) != 0)
            fail_msg("U+%04X", (unsigned)cp);
    }
}

static void utf8_cleaning(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        size_t invalid;
        const char *why;
    } rows[] = {
        {"a\tb\nc",                                      "a\tb\nc",                      0, "tab and newline stay"             },
        {"a\r\nb",                                       "a\nb",                         0, "Windows line end"                 },
        {"a\rb",                                         "a\nb",                         0, "old Mac line end"                 },
        {"\x1b[31mred\x7f",                              "[31mred",                      0, "no terminal escape"               },
        {"a\xc2\x9b"
         "2Jb",                                 "a2Jb",                         0, "C1 escape"                        },
        {"\xe2\x80\xae"
         "evil\xe2\x80\xac",                    "evil",                         0, "bidi override"                    },
        {"\xe2\x81\xa6x\xe2\x81\xa9",                    "x",                            0, "bidi isolate"                     },
        {"a\xe2\x80\x8b"
         "b\xef\xbb\xbf",                       "ab",                           0, "zero-width space, byte order mark"},
        {"\xd9\x85\xe2\x80\x8c\xd9\x85",                 "\xd9\x85\xe2\x80\x8c\xd9\x85", 0, "Persian needs ZWNJ"               },
        {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80",
         "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80",                                 0, "emoji need ZWJ"                   },
        {"\xff"
         "a\xc0\xaf"
         "b",                                   "ab",                           3, "invalid bytes go, each counted"   },
        {"\xed\xa0\x80",                                 "",                             3, "surrogate"                        },
        {"a\xe4\xb8",                                    "a",                            2, "cut short at the end"             },
        {"",                                             "",                             0, "empty"                            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[64];
        str_copy(text, sizeof(text), "");
        snprintf(text, sizeof(text), "%s", rows[i].in);
        size_t invalid = utf8_clean(text);
        if (strcmp(text, rows[i].out) != 0 || invalid != rows[i].invalid)
            fail_msg("%s: \"%s\", %zu invalid", rows[i].why, text, invalid);
    }
}

static void utf8_cut_points(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80"; /* 1 + 2 + 3 + 4 bytes */
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t len = 0; len < COUNT(want); len++) {
        AUTO(free_ptr) char *exact = malloc(len + 1); /* so that a look past len is seen */
        memcpy(exact, text, len);
        if (utf8_cut(exact, len) != want[len])
            fail_msg("cut at %zu gives %zu", len, utf8_cut(exact, len));
    }
    assert_int_equal(utf8_cut("\x80\x80\x80\x80", 4), 4); /* rubbish is not made shorter for ever */
}

static void strbuf_ceiling(void **state)
{
    (void)state;
    AUTO(strbuf_free) struct strbuf b = STRBUF(5);
    assert_string_equal(strbuf_text(&b), "");
    strbuf_adds(&b, "abc");
    strbuf_addf(&b, "%d", 42);
    assert_string_equal(strbuf_text(&b), "abc42"); /* exactly full is not over */
    assert_false(b.failed);
    strbuf_addc(&b, '!');
    assert_true(b.failed);
    strbuf_adds(&b, "");
    assert_null(strbuf_take(&b)); /* what does not fit is never handed out in part */
    assert_null(b.text);
}

static void strbuf_failed_stays_failed(void **state)
{
    (void)state;
    AUTO(strbuf_free) struct strbuf b = STRBUF(10);
    strbuf_adds(&b, "01234");
    strbuf_adds(&b, "56789x");
    strbuf_adds(&b, "y"); /* would fit, but text with a hole is wrong */
    assert_string_equal(strbuf_text(&b), "01234");
    strbuf_reset(&b);
    strbuf_adds(&b, "ok");
    AUTO(free_ptr) char *text = strbuf_take(&b);
    assert_string_equal(text, "ok");
}

static void strbuf_formats_of_any_length(void **state)
{
    (void)state;
    for (int len = 250; len < 262; len++) { /* around the inner buffer's 256 */
        AUTO(strbuf_free) struct strbuf b = STRBUF(1000);
        strbuf_adds(&b, ">");
        strbuf_addf(&b, "%*s%d", len, "x", 7);
        assert_int_equal(b.len, len + 2);
        assert_int_equal(strlen(b.text), len + 2);
        assert_string_equal(b.text + len, "x7");
    }
    AUTO(strbuf_free) struct strbuf big = STRBUF(1 << 20);
    for (int i = 0; i < 100000; i++)
        strbuf_addc(&big, (char)('a' + i % 26));
    assert_int_equal(big.len, 100000);
    assert_int_equal(big.text[99999], 'a' + 99999 % 26);
    AUTO(strbuf_free) struct strbuf empty = STRBUF(0);
    AUTO(free_ptr) char *text = strbuf_take(&empty);
    assert_string_equal(text, "");
    errno = ENOENT;
    AUTO(strbuf_free) struct strbuf m = STRBUF(1000);
    strbuf_addf(&m, "%300s%m", "");
    assert_string_equal(m.text + 300, "No such file or directory");
}

static void str_functions(void **state)
{
    (void)state;
    char small[4];
    assert_true(str_copy(small, sizeof(small), "abc"));
    assert_false(str_copy(small, sizeof(small), "abcd"));
    assert_string_equal(small, "abc");
    assert_false(str_copy(small, sizeof(small), "ab\xc3\xa9"));
    assert_string_equal(small, "ab"); /* not half an e-acute */
    assert_true(str_starts("abc", "") && str_starts("abc", "ab") && !str_starts("ab", "abc"));
    assert_true(str_ends("abc", "") && str_ends("abc", "bc") && !str_ends("bc", "abc"));
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        {"0",                    true,  0        },
        {"-7",                   true,  -7       },
        {"007",                  true,  7        },
        {"9223372036854775807",  true,  INT64_MAX},
        {"9223372036854775808",  false, 0        },
        {"-9223372036854775808", true,  INT64_MIN},
        {"",                     false, 0        },
        {"-",                    false, 0        },
        {"+1",                   false, 0        },
        {" 1",                   false, 0        },
        {"1 ",                   false, 0        },
        {"1x",                   false, 0        },
        {"0x10",                 false, 0        },
        {"1.0",                  false, 0        },
        {"--1",                  false, 0        },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t value = 99;
        bool ok = str_to_int(rows[i].text, INT64_MIN, INT64_MAX, &value);
        if (ok != rows[i].ok || value != (ok ? rows[i].value : 99))
            fail_msg("\"%s\"", rows[i].text);
    }
    int64_t value = 0;
    assert_false(str_to_int("11", 1, 10, &value));
    assert_false(str_to_int("0", 1, 10, &value));
    assert_true(str_to_int("10", 1, 10, &value));
}

static void arena_memory(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena a = {0};
    static const size_t sizes[] = {0, 1, 7, 16, 100, 4096, 5000, 3, 100000, 8};
    char *got[COUNT(sizes)];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        got[i] = arena_alloc(&a, sizes[i]);
        assert_int_equal((uintptr_t)got[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(got[i][k], 0);
        memset(got[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT(sizes); i++) /* none overlaps another */
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(got[i][k], i + 1);
    assert_string_equal(arena_dup(&a, "text"), "text");
    assert_string_equal(arena_dup_n(&a, "text", 2), "te");
    assert_string_equal(arena_dup_n(&a, "", 0), "");
    assert_string_equal(arena_printf(&a, "%05d-%s", 42, "x"), "00042-x");
    const char *big = arena_printf(&a, "%9000d", 1);
    assert_int_equal(strlen(big), 9000);
}

static void err_two_readers(void **state)
{
    (void)state;
    struct err e = {0};
    errno = EACCES;
    assert_false(err_set(&e, ERR_DISK, "error.disk", "open %s: %m", "/x"));
    assert_int_equal(e.code, ERR_DISK);
    assert_string_equal(e.user_key, "error.disk");
    assert_string_equal(e.arg, "");
    assert_string_equal(e.detail, "open /x: Permission denied");
    assert_false(err_set_arg(&e, ERR_INPUT, NULL, NULL, "x"));
    assert_non_null(e.user_key);
    assert_false(err_set(NULL, ERR_INPUT, "a.b", "nobody listens"));
    assert_string_equal(err_code_name(ERR_CONFLICT), "conflict");
    for (int code = ERR_NONE; code <= ERR_INTERNAL; code++)
        assert_string_not_equal(err_code_name((enum err_code)code), "unknown");
    assert_string_equal(err_code_name((enum err_code)99), "unknown");
}

static void err_arg_is_cut_at_a_character(void **state)
{
    (void)state;
    struct err e;
    for (size_t lead = 0; lead < 3; lead++) { /* the cut falls on each byte of a character */
        AUTO(strbuf_free) struct strbuf b = STRBUF(2000);
        for (size_t i = 0; i < lead; i++)
            strbuf_addc(&b, 'x');
        while (b.len < 1000)
            strbuf_adds(&b, "\u4e2d");
        err_set_arg(&e, ERR_INPUT, "a.b", strbuf_text(&b), "%s", strbuf_text(&b));
        assert_true(utf8_valid(e.arg, strlen(e.arg)));
        assert_true(strlen(e.arg) >= sizeof(e.arg) - 4);
        assert_true(utf8_valid(e.detail, strlen(e.detail)));
        assert_true(strlen(e.detail) >= sizeof(e.detail) - 4);
    }
    err_set_arg(&e, ERR_INPUT, "a.b", "a\xff\x1b[2Jb", "\xff\x1b!");
    assert_string_equal(e.arg, "a[2Jb");
    assert_string_equal(e.detail, "!");
    err_set_arg(&e, ERR_INPUT, "a.b", e.arg, "again: %s", e.arg); /* its own text as argument */
    assert_string_equal(e.arg, "a[2Jb");
    assert_string_equal(e.detail, "again: a[2Jb");
}

static void err_of_input_and_output(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum err_code code;
    } rows[] = {
        {ENOSPC, ERR_DISK    },
        {EROFS,  ERR_DISK    },
        {EDQUOT, ERR_DISK    },
        {EIO,    ERR_DISK    },
        {EACCES, ERR_DISK    },
        {EINVAL, ERR_INTERNAL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e;
        assert_false(err_set_io(&e, rows[i].error, "/p", "write"));
        assert_int_equal(e.code, rows[i].code);
        assert_non_null(strstr(e.detail, "write /p: "));
    }
}

static void err_hides_secrets(void **state)
{
    (void)state;
    log_secret("123456:token-of-the-bot");
    struct err e;
    char url[600];
    snprintf(url, sizeof(url), "%388s%s", "", "123456:token-of-the-bot/sendMessage");
    err_set_arg(&e, ERR_RETRY, "a.b", "x 123456:token-of-the-bot y", "%s", url);
    assert_null(strstr(e.arg, "token"));
    assert_string_equal(e.arg, "x [secret] y");
    assert_null(strstr(e.detail, "12345")); /* not even the part before the cut */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_sequences),
        cmocka_unit_test(utf8_round_trip),
        cmocka_unit_test(utf8_cleaning),
        cmocka_unit_test(utf8_cut_points),
        cmocka_unit_test(strbuf_ceiling),
        cmocka_unit_test(strbuf_failed_stays_failed),
        cmocka_unit_test(strbuf_formats_of_any_length),
        cmocka_unit_test(str_functions),
        cmocka_unit_test(arena_memory),
        cmocka_unit_test(err_two_readers),
        cmocka_unit_test(err_arg_is_cut_at_a_character),
        cmocka_unit_test(err_of_input_and_output),
        cmocka_unit_test(err_hides_secrets),
    };
    return cmocka_run_group_tests_name("base_text", tests, NULL, NULL);
}
