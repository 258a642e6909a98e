/* What the replies of chat services mean: one row per trap of the facts sheet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "adapters/writer/llm_internal.h"
#include "core/base/utf8.h"

#define OK_BODY(content)                                                                  \
    "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":" content \
    ",\"refusal\":null},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,"     \
    "\"completion_tokens\":7}}"
#define ERROR(message, type, param, code)                                            \
    "{\"error\":{\"message\":\"" message "\",\"type\":\"" type "\",\"param\":" param \
    ",\"code\":" code "}}"

static struct net_reply reply_of(int status, const char *body, const char *should_retry, int wait)
{
    struct net_reply r = {.outcome = NET_REPLY, .status = status, .retry_after_ms = wait};
    r.body = str_dup(body);
    r.len = strlen(body);
    if (should_retry) {
        static const char name[] = "x-should-retry";
        r.headers_len = sizeof(name) + strlen(should_retry) + 1;
        r.headers = calloc(1, r.headers_len);
        memcpy(r.headers, name, sizeof(name));
        memcpy(r.headers + sizeof(name), should_retry, strlen(should_retry));
    }
    return r;
}

static void test_errors(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum llm_class class;
        enum llm_field field;
        int wait_ms;
        const char *why;
    } rows[] = {
        {400,
         ERROR("Unsupported parameter: 'max_tokens'",                                              "invalid_request_error",                                                               "\"max_tokens\"",
         "\"unsupported_parameter\""),
         LLM_ADAPT,FIELD_MAX, -1, "OpenAI: old name of the limit"},
        {400,                                           ERROR("no",                                                     "invalid_request_error",                                                                                                                                          "\"reasoning_effort\"","\"unsupported_value\""),
         LLM_ADAPT,FIELD_EFFORT, -1, "OpenAI: effort the model does not know"},
        {400,                     ERROR("Invalid schema",                                                                                "invalid_request_error",                                                                                                                                                         "\"response_format\"","null"),
         LLM_ADAPT,                                                                                                       FIELD_FORMAT, -1, "OpenAI: schema not taken"},
        {400,
         ERROR("This model's maximum context length is 8192 tokens","invalid_request_error",
         "\"messages\"","\"context_length_exceeded\""),
         LLM_FATAL_REQUEST,FIELD_NONE, -1, "OpenAI: too long"},
        {401,
         ERROR("Incorrect API key provided",                                                            "invalid_request_error",                                                                                                                                               "null",
         "\"invalid_api_key\""),
         LLM_FATAL_CONFIG,FIELD_NONE, -1, "wrong key"},
        {403,
         ERROR("Country, region, or territory not supported",                                                            "request_forbidden",                                                                                                                                               "null",
         "\"unsupported_country_region_territory\""),
         LLM_FATAL_CONFIG,                                                                   FIELD_NONE, -1, "region"},
        {404,
         ERROR("The model does not exist","invalid_request_error",                                                                                                                                                          "null","\"model_not_found\""),
         LLM_FATAL_CONFIG,FIELD_NONE, -1, "model"},
        {429,
         ERROR("You exceeded your current quota",                                                                                    "insufficient_quota",                                                                                                                             "null",
         "\"insufficient_quota\""),
         LLM_FATAL_QUOTA,FIELD_NONE, -1, "OpenAI: no money"},
        {429,
         ERROR("Credits used up",                                                                          "insufficient_quota",                                                                                                                                                       "null","\"credit_balance_exhausted\""),
         LLM_FATAL_QUOTA,FIELD_NONE, -1, "OpenAI: no credits"},
        {429,
         ERROR("Rate limit reached, try again in 1.5s",                                                          "requests",                                                                                                                                                                "null",
         "\"rate_limit_exceeded\""),
         LLM_RETRY_AFTER,FIELD_NONE, 1500, "OpenAI: the wait is in the text"},
        {429,                                           ERROR("Please try again in 20ms",                                                  "tokens",                                "null","\"rate_limit_exceeded\""),
         LLM_RETRY_AFTER,FIELD_NONE, 20, "milliseconds"},
        {429,                                           ERROR("Slow down",                                                                  "requests",                                                                                                                                                       "null","\"slow_down\""),LLM_RETRY_AFTER,FIELD_NONE,
         -1, "no wait told"},
        {500,              ERROR("oops",                                                                          "server_error",                                                                                                                                                     "null","null"),LLM_RETRY,FIELD_NONE, -1,
         "server error"},
        {503, ERROR("overloaded","server_is_overloaded","null","null"),LLM_RETRY,FIELD_NONE,
         -1, "overload"},
        {520,            "<html>error 520</html>",                                                     LLM_RETRY,                                                                                                                                        FIELD_NONE,-1,"a proxy's page"},
        {408,                               "",                                                              LLM_RETRY,                                                                                                                                                 FIELD_NONE,-1,"request timeout without a body"},
        {409,                                   "{}",     LLM_RETRY,FIELD_NONE,-1,"conflict"},
        {413,                                             "<html>too large</html>",                                                                                    LLM_FATAL_REQUEST,                                                                                                                                                FIELD_NONE,-1,"body too large"},
        {302,                                   "",                                                                          LLM_FATAL_CONFIG,                                                                                                                                                                  FIELD_NONE,-1,"the base has moved"},
        {418,
         "{\"error\":{\"code\":"
         "\"\\n\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
         "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\"}}",                                                                         LLM_FATAL_REQUEST,                                                                                                                                                                                                                                                               FIELD_NONE,                                                                                              -1,"a code that has to be cut between characters"},
        {418,                                           "{}",                                                 LLM_FATAL_REQUEST,                                                                         FIELD_NONE,-1,"some other 4xx"                                                                                                                                                                           },
 /* DeepSeek */
        {400,
         ERROR("This response_format type is unavailable now",                                                    "invalid_request_error",                                                                   "null",
         "\"invalid_request_error\""),
         LLM_ADAPT,FIELD_FORMAT, -1, "DeepSeek: no schema"},
        {422,                                           "{\"error\":{\"message\":\"response_format: unknown variant json_schema\"}}",
         LLM_ADAPT,                                                                                                                      FIELD_FORMAT,-1,                                                                                                                                     "DeepSeek: the same with 422"                                                                                                                                                                                                                                                                                                                                                                               },
        {400,
         ERROR("Model Not Exist",                "invalid_request_error", "null","\"invalid_request_error\""),
         LLM_FATAL_CONFIG,                                                                                                                                                                                                       FIELD_NONE, -1, "DeepSeek: unknown model is a 400"},
        {402,                                           ERROR("Insufficient Balance",                                                "unknown_error",                                            "null","\"invalid_request_error\""),
         LLM_FATAL_QUOTA,FIELD_NONE, -1, "DeepSeek: most reported failure of all"},
        {400,                                           ERROR("Content Exists Risk",                       "invalid_request_error",                   "null","null"),LLM_REFUSED,
         FIELD_NONE, -1, "DeepSeek: moderation"},
        {200,
         "{\"choices\":[{\"message\":{\"content\":\"{}\"},\"finish_reason\":\"insufficient_system_"
         "resource\"}]}",                                      LLM_RETRY,                                                          FIELD_NONE,-1, "DeepSeek: its own finish reason"                                                                                                                                                                                                                                                         },
        {200,                                           OK_BODY("\"  \\n \""),                                     LLM_BLANK,                                                FIELD_NONE,-1,"DeepSeek: JSON mode blanked it"},
        {200,                                           OK_BODY("null"),                                                               LLM_BLANK,                                                                                                                                                    FIELD_NONE,-1,"null content, no refusal"},
 /* Moonshot */
        {400,
         ERROR("invalid temperature: only 1 is allowed",                                                       "invalid_request_error",                                                                                                                                            "null","null"),
         LLM_ADAPT,FIELD_NONE, -1, "Moonshot: a field we do not send"},
        {429,
         "{\"error\":{\"message\":\"max request per minute reached: 3, please try again after 1 "
         "seconds\",\"type\":\"rate_limit_reached_error\"}}",                                                                         LLM_RETRY_AFTER,                                                                                                                                                    FIELD_NONE,1000,"Moonshot: no code, the wait is in the text"},
        {429,"{\"error\":{\"message\":\"busy\",\"type\":\"engine_overloaded_error\"}}",LLM_RETRY,
         FIELD_NONE,                                                                                          -1,"Moonshot: overload"                                                                                          },
        {429,     "{\"error\":{\"message\":\"pay\",\"type\":\"exceeded_current_quota_error\"}}",
         LLM_FATAL_QUOTA,                                                                                                                                 FIELD_NONE,-1,"Moonshot: no money"},
        {400,
         "{\"error\":{\"message\":\"The request was rejected because it was considered high "
         "risk\",\"type\":\"content_filter\"}}",                                                                               LLM_REFUSED,                                                                                                                                                                  FIELD_NONE,-1,"Moonshot: moderation"},
 /* others */
        {503,
         "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",                              LLM_RETRY,                                                        FIELD_NONE,                                                -1,  "llama.cpp: code is a number"},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"failed to parse "
         "grammar\",\"type\":\"invalid_request_error\"}}",                               LLM_ADAPT,                                                                   FIELD_FORMAT,                                                            -1,                                                                                                                                                         "llama.cpp: schema became a grammar"                                                                                                                                                                                                                                                                            },
        {400,
         "{\"object\":\"error\",\"message\":\"max_completion_tokens is not "
         "known\",\"type\":\"BadRequestError\",\"code\":400}",     LLM_ADAPT,FIELD_MAX,-1,"vLLM: flat error"                                                                                                      },
        {404,                      "{\"error\":\"model 'x' not found, try pulling it first\"}",   LLM_FATAL_CONFIG,
         FIELD_NONE,-1,"Ollama: error is a text"                                      },
        {200,                                             "{\"error\":{\"message\":\"Provider returned error\",\"code\":502}}",                                                                                    LLM_RETRY,
         FIELD_NONE,-1,"OpenRouter: an error in a 200"},
        {200,                                             "{\"error\":{\"message\":\"Insufficient credits\",\"code\":402}}",                                                                                    LLM_FATAL_QUOTA,
         FIELD_NONE,-1,"OpenRouter: no money, in a 200"},
        {200,                                             "{\"error\":{\"message\":\"Rate limited\",\"code\":429}}",                                                                                    LLM_RETRY_AFTER,
         FIELD_NONE,-1,"OpenRouter: rate limit in a 200"},
        {200,
         "{\"choices\":[{\"error\":{\"message\":\"x\",\"code\":502},\"finish_reason\":\"error\"}]}",                                                                                    LLM_RETRY,                                                                                                                                          FIELD_NONE,-1,"OpenRouter: error inside a choice"},
        {403,                                             ERROR("Your input requires moderation: flagged",                                                                                    "",                                                                                       "null","403"),LLM_REFUSED,
         FIELD_NONE, -1, "OpenRouter: moderation is a 403"},
        {200,                                             "{\"choices\":[]}",                                                                                    LLM_RETRY,                                                                                                                                FIELD_NONE,-1,"no choices"},
        {200,                                             "{\"object\":\"error\",\"message\":\"x\",\"code\":500}",                                                                                    LLM_RETRY,                                                                                                                            FIELD_NONE,-1,
         "vLLM: flat error in a 200"                                                                                                                                                                                       },
        {200,                                             "",                                                                                    LLM_RETRY,                                                                                         FIELD_NONE,-1,"empty 200"                                    },
        {200,                                             "\n\n\n",                                                                                    LLM_RETRY,                                                         FIELD_NONE,-1,"only empty lines"                                                                                                                                                                       },
        {200,                                             "<!doctype html>",                                                                                    LLM_RETRY,                                                            FIELD_NONE,-1,"200 with a page"                                             },
        {200,                                             "[1,2]",                                                                                    LLM_RETRY,                                                                    FIELD_NONE,-1,"200 with other JSON"                                          },
        {200,
         "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I "
         "cannot\"},\"finish_reason\":\"stop\"}]}",                                                                                    LLM_REFUSED,                                                                                      FIELD_NONE,-1,"OpenAI: a refusal is a 200"},
        {200,
         "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"content_filter\"}]}",                                                                                    LLM_REFUSED,                                                                              FIELD_NONE,-1,"filtered"                                                                                                              },
        {200,
         "{\"choices\":[{\"message\":{\"content\":\"{\"},\"finish_reason\":\"insufficient_system_"
         "resource\"}]}",                                                                           LLM_RETRY,                                                                                                                               FIELD_NONE,-1,"DeepSeek: no room right now"},
        {200,                                   "{\"choices\":[{\"message\":{\"content\":\"{\\\"a\"},\"finish_reason\":\"length\"}]}",
         LLM_CUT,                    FIELD_NONE,-1,                                                                                                                                                                    "cut at the limit"                                                                                                                                                                                                                                                                                                                                                                                                                     },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_reply r = reply_of(rows[i].status, rows[i].body, NULL, -1);
        AUTO(llm_answer_free) struct llm_answer a = {0};
        llm_answer_read(&r, &a);
        net_reply_free(&r);
        if (a.class != rows[i].class || a.field != rows[i].field || a.wait_ms != rows[i].wait_ms)
            fail_msg("%s: %s, field %d, wait %d (%s)", rows[i].why, llm_class_name(a.class),
                     a.field, a.wait_ms, a.why);
        assert_true(utf8_valid(a.why, strlen(a.why)));
        assert_null(strchr(a.why, '\n'));
    }
}

static void test_texts(void **state)
{
    static const struct {
        const char *body, *want, *why;
    } rows[] = {
        {OK_BODY("\"hello\""),                                                                     "hello",           "plain"                                                             },
        {"\n\n\n \r\n" OK_BODY("\"late\""),                                                        "late",            "DeepSeek: empty lines while it waits"                              },
        {OK_BODY("[{\"type\":\"text\",\"text\":\"in \"},{\"type\":\"text\",\"text\":\"parts\"}]"),
         "in parts",                                                                                                  "a list of parts"                                                   },
        {"{\"choices\":[{\"message\":{\"content\":\"\",\"reasoning_content\":\"so "
         "{\\\"a\\\":1}\"},\"finish_reason\":\"stop\"}]}",                                "so {\"a\":1}",    "DeepSeek: the answer is among the thoughts"                        },
        {"{\"choices\":[{\"message\":{\"content\":\"yes\",\"reasoning\":\"{no}\"}}]}",             "yes",
         "OpenRouter: thoughts under another name; usage and finish missing"                                                                                                              },
        {OK_BODY("\"a\\ud83d b\""),                                                                "a\xEF\xBF\xBD b",
         "a lone surrogate does not kill the document"                                                                                                                                    },
        {OK_BODY("\"a\\u0000b\""),
         "a\xEF\xBF\xBD"
         "b",                                                                                                         "a zero does not cut the text"                                      },
        {OK_BODY("\"a\xff"
                 "b\""),
         "a\xEF\xBF\xBD"
         "b",                                                                                                         "invalid UTF-8"                                                     },
 /* streams that nobody asked for */
        {"data: {\"choices\":[{\"delta\":{\"content\":\"one \"}}]}\n\ndata: "
         "{\"choices\":[{\"delta\":{\"content\":\"two\"},\"finish_reason\":\"stop\"}]}\n\ndata: "
         "[DONE]\n\n",                                                                    "one two",         "a stream"                                                          },
        {": OPENROUTER "
         "PROCESSING\r\n\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":"
         "null}]}\r\n\r\nevent: y\r\nid: 1\r\nretry: 5\r\ndata: "
         "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: "
         "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\r\n",  "x",               "comments, CRLF, data: without a space, no [DONE], usage at the end"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_reply r = reply_of(200, rows[i].body, NULL, -1);
        AUTO(llm_answer_free) struct llm_answer a = {0};
        llm_answer_read(&r, &a);
        net_reply_free(&r);
        if (a.class != LLM_OK || strcmp(a.text, rows[i].want) != 0)
            fail_msg("%s: %s '%s' (%s)", rows[i].why, llm_class_name(a.class), a.text, a.why);
    }
}

static void test_broken_streams(void **state)
{
    static const struct {
        const char *body;
        enum llm_class class;
        const char *why;
    } rows[] = {
        {"data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n",                        LLM_RETRY,
         "ends without [DONE] and without a reason: broken off"                                                                                      },
        {"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: "
         "{\"error\":{\"message\":\"x\",\"code\":502},\"choices\":[{\"delta\":{\"content\":\"\"},"
         "\"finish_reason\":\"error\"}]}\n\n",                                         LLM_RETRY, "OpenRouter: an error chunk in the middle"},
        {"data: {\"error\":{\"message\":\"Insufficient credits\",\"code\":402}}\n\n",
         LLM_FATAL_QUOTA,                                                                                  "an error is all there is"                },
        {"data: {\"choices\":[{\"delta\":{\"refusal\":\"No\"},\"finish_reason\":\"stop\"}]}\n",
         LLM_REFUSED,                                                                                      "refusal in a delta"                      },
        {": keep-alive\n\n: keep-alive\n\n",                                                    LLM_RETRY, "nothing but keep-alives"                 },
        {"data: {not json}\n\ndata: [DONE]\n",                                                  LLM_RETRY, "junk"                                    },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct net_reply r = reply_of(200, rows[i].body, NULL, -1);
        AUTO(llm_answer_free) struct llm_answer a = {0};
        llm_answer_read(&r, &a);
        net_reply_free(&r);
        if (a.class != rows[i].class)
            fail_msg("%s: %s (%s)", rows[i].why, llm_class_name(a.class), a.why);
    }
}

static void test_headers_and_outcomes(void **state)
{
    (void)state;
    struct net_reply r = reply_of(500, "{}", "false", -1);
    AUTO(llm_answer_free) struct llm_answer a = {0};
    llm_answer_read(&r, &a);
    assert_true(a.class == LLM_RETRY && a.last); /* not now, but the queue may */
    net_reply_free(&r);
    r = reply_of(418, "{}", "true", -1);
    llm_answer_read(&r, &a);
    assert_int_equal(a.class, LLM_RETRY);
    net_reply_free(&r);
    r = reply_of(401, "{}", "true", -1);
    llm_answer_read(&r, &a);
    assert_int_equal(a.class, LLM_FATAL_CONFIG);
    net_reply_free(&r);
    r = reply_of(503, "{}", NULL, 2500);
    llm_answer_read(&r, &a);
    assert_true(a.class == LLM_RETRY_AFTER && a.wait_ms == 2500);
    net_reply_free(&r);
    r = reply_of(429, ERROR("try again in 9s", "x", "null", "null"), NULL, 100);
    llm_answer_read(&r, &a);
    assert_int_equal(a.wait_ms, 100); /* the header counts more than the words */
    net_reply_free(&r);
    r = (struct net_reply){.outcome = NET_FORBIDDEN, .retry_after_ms = -1};
    llm_answer_read(&r, &a);
    assert_int_equal(a.class, LLM_FATAL_CONFIG);
    r = (struct net_reply){.outcome = NET_UNKNOWN, .retry_after_ms = -1};
    llm_answer_read(&r, &a);
    assert_int_equal(a.class, LLM_RETRY);
}

/* Each refusal moves one rung, once; there is an end. */
static void test_ladder(void **state)
{
    (void)state;
    struct llm_caps c = llm_caps_start(llm_profile_find("openai", 6), "gpt-6-luna");
    assert_true(c.format == FORMAT_SCHEMA && c.effort == EFFORT_NONE && !c.old_max && c.store);
    assert_true(llm_caps_move(&c, FIELD_EFFORT, false) && c.effort == EFFORT_LOW);
    assert_true(llm_caps_move(&c, FIELD_EFFORT, false) && c.effort == EFFORT_ABSENT);
    assert_false(llm_caps_move(&c, FIELD_EFFORT, false));
    assert_true(llm_caps_move(&c, FIELD_MAX, true) && c.old_max);
    assert_false(llm_caps_move(&c, FIELD_MAX, true)); /* not back again */
    assert_true(llm_caps_move(&c, FIELD_FORMAT, true) && c.format == FORMAT_OBJECT);
    assert_true(llm_caps_move(&c, FIELD_FORMAT, true) && c.format == FORMAT_PROMPT);
    assert_false(llm_caps_move(&c, FIELD_FORMAT, true));
    assert_true(llm_caps_move(&c, FIELD_NONE, true) && !c.store && c.person);
    assert_true(llm_caps_move(&c, FIELD_NONE, true) && !c.person);
    assert_false(llm_caps_move(&c, FIELD_NONE, true));
    c = llm_caps_start(llm_profile_find("openai", 6), "gpt-4o");
    assert_true(llm_caps_move(&c, FIELD_EFFORT, true) && c.effort == EFFORT_ABSENT);
    c = llm_caps_start(llm_profile_find("DeepSeek", 8), "deepseek-flash");
    assert_true(c.format == FORMAT_OBJECT && c.old_max && c.thinking_off);
    c = llm_caps_start(llm_profile_find("moonshot", 8), "kimi-k2.6");
    assert_true(c.thinking_off && !c.old_max && c.effort == EFFORT_ABSENT);
    c = llm_caps_start(llm_profile_find("moonshot", 8), "kimi-k3");
    assert_true(!c.thinking_off && c.effort == EFFORT_LOW);
    assert_null(llm_profile_find("openais", 7));
}

static void test_costs(void **state)
{
    static const struct {
        const char *model;
        int64_t low, high; /* millionths of a dollar, as in the facts sheet */
    } rows[] = {
        {"gpt-6-luna",              500,   600   },
        {"gpt-5.6-luna",            1100,  1250  },
        {"gpt-5.4-mini",            4300,  4500  },
        {"gpt-6.1-terra",           5000,  5200  },
        {"deepseek-flash",          1200,  1400  },
        {"deepseek/deepseek-flash", 1200,  1400  },
        {"kimi-k2.6",               4100,  4300  },
        {"kimi-k3",                 70000, 140000},
        {"llama3",                  -1,    -1    },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t cost = llm_cost(rows[i].model);
        if (cost < rows[i].low || cost > rows[i].high)
            fail_msg("%s costs %lld", rows[i].model, (long long)cost);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_texts),
        cmocka_unit_test(test_broken_streams), cmocka_unit_test(test_headers_and_outcomes),
        cmocka_unit_test(test_ladder),         cmocka_unit_test(test_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
