#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/net/json.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static void texts_are_repaired(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want, *why;
    } rows[] = {
        {"{\"t\":\"plain\"}",                 "plain",                "the plain case"                       },
        {"{\"t\":\"\\ud83d\\ude00\"}",        "\xf0\x9f\x98\x80",     "a whole pair stays"                   },
        {"{\"t\":\"a\\ud83db\"}",             "a" BAD "b",            "high surrogate alone"                 },
        {"{\"t\":\"a\\ude00b\"}",             "a" BAD "b",            "low surrogate alone"                  },
        {"{\"t\":\"\\ud83d\\ud83d\\ude00\"}", BAD "\xf0\x9f\x98\x80", "high, then a pair"                    },
        {"{\"t\":\"a\\u0000b\"}",             "a" BAD "b",            "NUL escape would cut the text"        },
        {"{\"t\":\"\\\\ud83d\"}",             "\\ud83d",              "an escaped backslash is not an escape"},
        {"{\"t\":\"\\\\\\ud83d\"}",           "\\" BAD,               "backslash, then an escape"            },
        {"{\"t\":\"a\xff\xfe b\"}",           "a" BAD BAD " b",       "invalid UTF-8"                        },
        {"{\"t\":\"\xed\xa0\x80\"}",          BAD BAD BAD,            "surrogate as UTF-8"                   },
        {" \n{\"t\":\"x\"} \n",               "x",                    "blanks around"                        },
        {"{\"t\":1}",                         "none",                 "wrong type gives the fallback"        },
        {"{\"t\":null}",                      "none",                 "null gives the fallback"              },
        {"{\"T\":\"x\"}",                     "none",                 "names are exact"                      },
        {"[\"t\"]",                           "none",                 "not an object"                        },
        {"{\"t\":\"x\"}{",                    NULL,                   "something follows"                    },
        {"{\"t\":\"x\",}",                    NULL,                   "trailing comma"                       },
        {"{\"t\":\"\\ud8zz\"}",               NULL,                   "broken escape"                        },
        {"{\"t\":\"x\\",                      NULL,                   "cut in an escape"                     },
        {"{\"t\":\"x\\u00",                   NULL,                   "cut in an escape"                     },
        {"",                                  NULL,                   "empty"                                },
        {"<html>",                            NULL,                   "a proxy's page"                       },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(json_free) cJSON *doc = NULL;
        struct err e = {0};
        bool ok = json_parse(rows[i].json, strlen(rows[i].json), NULL, &doc, &e);
        if (ok != (rows[i].want != NULL))
            fail_msg("%s: parsed %d", rows[i].why, ok);
        if (ok && strcmp(json_text(doc, "t", "none"), rows[i].want) != 0)
            fail_msg("%s: '%s'", rows[i].why, json_text(doc, "t", "none"));
    }
}

static void numbers_are_whole_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool ok;
        int64_t want;
    } rows[] = {
        {"{\"n\":0}",                true,  0               },
        {"{\"n\":-1002233445566}",   true,  -1002233445566  },
        {"{\"n\":9007199254740992}", true,  9007199254740992},
        {"{\"n\":6123456789}",       true,  6123456789      },
        {"{\"n\":1e300}",            false, 0               },
        {"{\"n\":1e999}",            false, 0               },
        {"{\"n\":1.5}",              false, 0               },
        {"{\"n\":\"5\"}",            false, 0               },
        {"{\"n\":true}",             false, 0               },
        {"{}",                       false, 0               },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(json_free) cJSON *doc = NULL;
        struct err e = {0};
        assert_true(json_parse(rows[i].json, strlen(rows[i].json), NULL, &doc, &e));
        int64_t n = 77;
        if (json_int(doc, "n", &n) != rows[i].ok || n != (rows[i].ok ? rows[i].want : 77))
            fail_msg("%s: %lld", rows[i].json, (long long)n);
    }
}

static char *repeat(const char *text, size_t times)
{
    struct strbuf b = STRBUF(64 << 20);
    for (size_t i = 0; i < times; i++)
        strbuf_adds(&b, text);
    return strbuf_take(&b);
}

static void size_depth_and_count_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t times;
        const char *why;
    } rows[] = {
        {"[",         100000,  "deep"                     },
        {"[],",       300000,  "many nodes in little text"},
        {"\"\\\"\",", 2000000, "over 8 MiB"               },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(json_free) cJSON *doc = NULL;
        struct err e = {0};
        AUTO(free_ptr) char *text = repeat(rows[i].text, rows[i].times);
        if (json_parse(text, strlen(text), NULL, &doc, &e) || e.code != ERR_LIMIT)
            fail_msg("%s: code %d", rows[i].why, e.code);
    }
    /* Brackets inside a text are text. */
    AUTO(free_ptr) char *brackets = repeat("[{", 1000);
    AUTO(free_ptr) char *doc_text = str_printf("{\"t\":\"%s\"}", brackets);
    AUTO(json_free) cJSON *doc = NULL;
    struct err e = {0};
    assert_true(json_parse(doc_text, strlen(doc_text), NULL, &doc, &e));
    /* Bytes in the middle that are NUL: never more than the length given. */
    AUTO(json_free) cJSON *nul = NULL;
    assert_true(json_parse("[1,\0 2]", 7, NULL, &nul, &e));
    assert_int_equal(cJSON_GetArraySize(nul), 2);
}

static void written_text_reads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "a\"b\\c/", "line\nbreak\ttab", "\x01\x1f\x7f",
                                        "\xd8\xa7\xd9\x84 \xf0\x9f\x90\x99"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO(strbuf_free) struct strbuf b = STRBUF(1000);
        AUTO(json_free) cJSON *doc = NULL;
        struct err e = {0};
        strbuf_adds(&b, "{\"t\":");
        json_put_text(&b, texts[i]);
        strbuf_adds(&b, "}");
        assert_true(json_parse(b.text, b.len, NULL, &doc, &e));
        assert_string_equal(json_text(doc, "t", "none"), texts[i]);
    }
    AUTO(strbuf_free) struct strbuf b = STRBUF(1000);
    json_put_text(&b, "a\xff");
    assert_string_equal(b.text, "\"a" BAD "\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_repaired),
        cmocka_unit_test(numbers_are_whole_or_refused),
        cmocka_unit_test(size_depth_and_count_are_bounded),
        cmocka_unit_test(written_text_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
