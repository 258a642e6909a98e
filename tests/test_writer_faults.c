/* Writers on a bad day: trouble that passes, trouble that does not, and who gets to read of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/net/json.h"
#include "tests/writer_world.h"
#include <cmocka.h>
#include <pthread.h>

static void test_failures(void **state)
{
    static const struct {
        const char *faults[3];
        bool ok;
        enum err_code code;
        int calls;
        const char *key, *why;
    } rows[] = {
        {{"{\"kind\":\"status\",\"code\":500}", "{\"kind\":\"reset\"}"},
         true,                                                                                             ERR_NONE,
         3,                                                                                                                NULL,
         "two failures, then it works"                                                                                                                                            },
        {{"{\"kind\":\"status\",\"code\":503,\"times\":9}"},
         false,                                                                                            ERR_RETRY,
         3,                                                                                                                "writer.down",
         "three tries, then the next writer"                                                                                                                                      },
        {{"{\"kind\":\"html\",\"code\":200}"},                                                       true, ERR_NONE,    2, NULL,                "a page with 200"                 },
        {{"{\"kind\":\"junk\",\"body\":\"\"}"},                                                      true, ERR_NONE,    2, NULL,                "empty 200"                       },
        {{"{\"kind\":\"cut\"}"},                                                                     true, ERR_NONE,    2, NULL,                "cut in the middle of the body"   },
        {{"{\"kind\":\"noise\"}"},                                                                   true, ERR_NONE,    1, NULL,                "empty lines first"               },
        {{"{\"kind\":\"sse\"}"},                                                                     true, ERR_NONE,    1, NULL,                "a stream although none was asked"},
        {{"{\"kind\":\"reasoning\"}"},                                                               true, ERR_NONE,    1, NULL,                "the answer is among the thoughts"},
        {{"{\"kind\":\"status\",\"code\":429,\"headers\":{\"retry-after\":\"1\"}}"},
         true,                                                                                             ERR_NONE,
         2,                                                                                                                NULL,
         "rate limit with a wait"                                                                                                                                                 },
        {{"{\"kind\":\"status\",\"code\":429,\"headers\":{\"retry-after\":\"3600\"}}"},
         false,                                                                                            ERR_RETRY,
         1,                                                                                                                "writer.down",
         "an hour: for the queue, not for a thread"                                                                                                                               },
        {{"{\"kind\":\"status\",\"code\":429,\"times\":9,\"body\":{\"error\":{\"code\":"
          "\"insufficient_quota\"}}}"},
         false,                                                                                            ERR_CONFIG,
         1,                                                                                                                "writer.down",
         "no money: not asked again"                                                                                                                                              },
        {{"{\"kind\":\"status\",\"code\":402,\"times\":9}"},
         false,                                                                                            ERR_CONFIG,
         1,                                                                                                                "writer.down",
         "no money: the user is not told so"                                                                                                                                      },
        {{"{\"kind\":\"status\",\"code\":401,\"times\":9}"},
         false,                                                                                            ERR_CONFIG,
         1,                                                                                                                "writer.down",
         "wrong key"                                                                                                                                                              },
        {{"{\"kind\":\"refusal\",\"times\":9}"},
         false,                                                                                            ERR_REFUSED,
         1,                                                                                                                "make.refused",
         "content policy"                                                                                                                                                         },
        {{"{\"kind\":\"content\",\"text\":\"x\",\"finish\":\"content_filter\",\"times\":9}"},
         false,                                                                                            ERR_REFUSED,
         1,                                                                                                                "make.refused",
         "content filter"                                                                                                                                                         },
        {{"{\"kind\":\"blank\"}"},                                                                   true, ERR_NONE,    2, NULL,                "blanked by JSON mode"            },
        {{"{\"kind\":\"content\",\"text\":\"{\\\"sc\",\"finish\":\"length\"}"},
         true,                                                                                             ERR_NONE,
         2,                                                                                                                NULL,
         "cut at the limit: once more with a higher one"                                                                                                                          },
        {{"{\"kind\":\"content\",\"text\":\"{\\\"sc\",\"finish\":\"length\",\"times\":9}"},
         false,                                                                                            ERR_RETRY,
         4,                                                                                                                "writer.bad_script",
         "cut again and again"                                                                                                                                                    },
        {{"{\"kind\":\"content\",\"text\":\"Sorry, I cannot.\"}"},
         true,                                                                                             ERR_NONE,
         2,                                                                                                                NULL,
         "refusal in words: asked once more"                                                                                                                                      },
        {{"{\"kind\":\"content\",\"text\":\"Sorry, I cannot.\",\"times\":9}"},
         false,                                                                                            ERR_RETRY,
         2,                                                                                                                "writer.bad_script",
         "twice: the next writer"                                                                                                                                                 },
        {{"{\"kind\":\"content\",\"text\":\"<think>hm "
          "{</think>Here:\\n```json\\n{{script}}\\n```\"}"},
         true,                                                                                             ERR_NONE,
         1,                                                                                                                NULL,
         "thoughts, chatter and a fence"                                                                                                                                          },
        {{"{\"kind\":\"length\",\"factor\":0.8}"},
         true,                                                                                             ERR_NONE,
         2,                                                                                                                NULL,
         "20 % short: asked once more"                                                                                                                                            },
        {{"{\"kind\":\"length\",\"factor\":0.82,\"times\":9}"},
         true,                                                                                             ERR_NONE,
         2,                                                                                                                NULL,
         "18 % short twice: taken"                                                                                                                                                },
        {{"{\"kind\":\"length\",\"factor\":0.5,\"times\":9}"},
         false,                                                                                            ERR_RETRY,
         2,                                                                                                                "writer.bad_script",
         "half twice: the next writer"                                                                                                                                            },
        {{"{\"kind\":\"length\",\"factor\":0.8}", "{\"kind\":\"status\",\"code\":500,\"times\":9}"},
         true,                                                                                             ERR_NONE,
         4,                                                                                                                NULL,
         "service gone at the repair: the first answer has to do"                                                                                                                 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fake_llm_do(&writer_fake, "reset", "{}");
        struct script_writer w = writer_of("openai", NULL, FAKE_LLM_KEY);
        for (size_t k = 0; k < COUNT(rows[i].faults) && rows[i].faults[k]; k++)
            writer_fault(rows[i].faults[k]);
        struct written r = writer_write(&w, "en", 150);
        if (r.ok != rows[i].ok || (!r.ok && r.err.code != rows[i].code) ||
            writer_calls() != rows[i].calls)
            fail_msg("%s: %s after %d calls: %s", rows[i].why,
                     r.ok ? "ok" : err_code_name(r.err.code), writer_calls(), r.err.detail);
        if (!r.ok) {
            assert_string_equal(r.err.user_key, rows[i].key);
            assert_null(strstr(r.err.detail, FAKE_LLM_KEY));
            assert_string_equal(r.err.arg, "");
        }
        writer_done(&r);
        w.ops->destroy(w.self);
    }
}

/* Some services repeat the key that they refuse: nobody gets to read it. */
static void test_echoed_key(void **state)
{
    (void)state;
    char base[96];
    struct err e = {0};
    static const char key[] = "sk-echoed-by-the-service";
    log_secret(key);
    fake_llm_base(&writer_fake, "openai", base);
    struct llm_options o = {.net = writer_fake.net,
                            .profile = llm_profile_find("openai", 6),
                            .base_url = base,
                            .key = key,
                            .model = "gpt-6-luna"};
    static const char refusal[] =
        "\"kind\":\"status\",\"code\":401,\"body\":{\"error\":{\"message\":"
        "\"Wrong key sk-echoed-by-the-service!\"}}}";
    AUTO(free_ptr) char *chat = str_printf("{%s", refusal);
    AUTO(free_ptr) char *models = str_printf("{\"path\":\"models\",%s", refusal);
    writer_fault(chat);
    writer_fault(models);
    struct script_writer w = writer_of("openai", NULL, key);
    struct written r = writer_write(&w, "en", 150);
    assert_false(r.ok);
    assert_non_null(strstr(r.err.detail, "Wrong key"));
    assert_null(strstr(r.err.detail, key));
    assert_false(llm_check(&o, 5000, NULL, &e));
    assert_null(strstr(e.detail, key));
    w.ops->destroy(w.self);
}

/* What the second question of each kind looks like. */
static void test_second_questions(void **state)
{
    (void)state;
    struct script_writer w = writer_of("deepseek", NULL, FAKE_LLM_KEY);
    writer_fault("{\"kind\":\"blank\"}");
    struct written r = writer_write(&w, "en", 150);
    assert_true(r.ok);
    writer_done(&r);
    AUTO(json_free) cJSON *first = writer_body(0);
    AUTO(json_free) cJSON *plain = writer_body(1);
    assert_true(json_has(first, "response_format"));
    assert_false(json_has(plain, "response_format"));
    r = writer_write(&w, "en", 150);
    writer_done(&r);
    AUTO(json_free) cJSON *next = writer_body(2);
    assert_true(
        json_has(next, "response_format")); /* one blank answer is no refusal of JSON mode */

    fake_llm_do(&writer_fake, "reset", "{}");
    writer_fault("{\"kind\":\"content\",\"text\":\"{\\\"sc\",\"finish\":\"length\"}");
    r = writer_write(&w, "en", 150);
    assert_true(r.ok);
    writer_done(&r);
    AUTO(json_free) cJSON *low = writer_body(0);
    AUTO(json_free) cJSON *high = writer_body(1);
    assert_true(json_int_or(high, "max_tokens", 0) > json_int_or(low, "max_tokens", 0));

    fake_llm_do(&writer_fake, "reset", "{}");
    writer_fault("{\"kind\":\"length\",\"factor\":0.8}");
    r = writer_write(&w, "en", 150);
    assert_true(r.ok);
    writer_done(&r);
    AUTO(json_free) cJSON *repair = writer_body(1);
    const cJSON *messages = json_array(repair, "messages");
    assert_int_equal(cJSON_GetArraySize(messages), 2); /* a fresh chat: no thoughts to echo */
    const char *user = json_text(cJSON_GetArrayItem(messages, 1), "content", "");
    assert_non_null(strstr(user, "it is too short"));
    assert_non_null(strstr(user, "Why the sea breathes")); /* the first answer */
    w.ops->destroy(w.self);
}

/* A service that is down or wants money is not asked for each job. */
static void test_rest(void **state)
{
    (void)state;
    struct script_writer w = writer_of("openai", NULL, FAKE_LLM_KEY);
    int64_t mono = clock_mono_ms();
    writer_fault("{\"kind\":\"status\",\"code\":402}");
    struct written r = writer_write(&w, "en", 150);
    assert_false(r.ok);
    r = writer_write(&w, "en", 150);
    assert_true(!r.ok && r.err.code == ERR_CONFIG);
    assert_int_equal(writer_calls(), 1);
    clock_fake(mono + 120000, clock_wall_ms());
    r = writer_write(&w, "en", 150);
    clock_fake(-1, 0);
    assert_true(r.ok); /* paid in the meantime */
    writer_done(&r);
    w.ops->destroy(w.self);
}

static void *fire_soon(void *cancel)
{
    cancel_wait(NULL, 100);
    cancel_fire(cancel);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    struct script_writer w = writer_of("openai", NULL, FAKE_LLM_KEY);
    struct cancel cancel;
    struct script script;
    struct err e = {0};
    pthread_t thread;
    cancel_init(&cancel, NULL);
    struct script_request r = {
        .topic = "tides", .lang = "en", .seconds = 60, .units_per_minute = 150, .cancel = &cancel};
    writer_fault("{\"kind\":\"slow\",\"ms\":20000}");
    int64_t begun = clock_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, fire_soon, &cancel), 0);
    assert_false(w.ops->write(w.self, &r, &script, &e));
    pthread_join(thread, NULL);
    assert_int_equal(e.code, ERR_CANCELLED);
    assert_true(clock_mono_ms() - begun < 5000);
    w.ops->destroy(w.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_failures, writer_fresh),
        cmocka_unit_test_setup(test_echoed_key, writer_fresh),
        cmocka_unit_test_setup(test_second_questions, writer_fresh),
        cmocka_unit_test_setup(test_rest, writer_fresh),
        cmocka_unit_test_setup(test_cancel, writer_fresh),
    };
    return cmocka_run_group_tests(tests, writer_setup, writer_teardown);
}
