/* What doctor asks of a writer, and which bases are taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/writer_world.h"

static void test_check(void **state)
{
    static const struct {
        const char *service, *key, *model, *fault, *says, *why;
    } rows[] = {
        {"openai",   FAKE_LLM_KEY, "gpt-6-luna",     NULL,                                      NULL,                   "ready"                  },
        {"openai",   "sk-wrong",   "gpt-6-luna",     NULL,                                      "doctor.writer_key",    "wrong key"              },
        {"openai",   FAKE_LLM_KEY, "gpt-4o",         NULL,                                      "doctor.writer_model",  "model is not there"     },
        {"custom",   "",           "llama3",         NULL,                                      NULL,                   "llama3 is llama3:latest"},
        {"deepseek", FAKE_LLM_KEY, "deepseek-flash",
         "{\"path\":\"models\",\"kind\":\"status\",\"code\":402}",                              "doctor.writer_money",
         "no money"                                                                                                                              },
        {"deepseek", FAKE_LLM_KEY, "deepseek-flash", "{\"path\":\"models\",\"kind\":\"html\"}",
         "doctor.writer_silent",                                                                                        "a page"                 },
        {"deepseek", FAKE_LLM_KEY, "deepseek-flash",
         "{\"path\":\"models\",\"kind\":\"slow\",\"ms\":3000}",                                 "doctor.writer_silent", "too slow"               },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char base[96];
        struct err e = {0};
        fake_llm_base(&writer_fake, rows[i].service, base);
        struct llm_options o = {.net = writer_fake.net,
                                .profile =
                                    llm_profile_find(rows[i].service, strlen(rows[i].service)),
                                .base_url = base,
                                .key = rows[i].key,
                                .model = rows[i].model};
        if (rows[i].fault)
            writer_fault(rows[i].fault);
        bool ok = llm_check(&o, 500, NULL, &e);
        if (ok != !rows[i].says || (!ok && strcmp(e.user_key, rows[i].says) != 0))
            fail_msg("%s: %s %s", rows[i].why, ok ? "ok" : e.user_key, e.detail);
        assert_null(strstr(e.detail, FAKE_LLM_KEY));
    }
}

static void test_base_urls(void **state)
{
    (void)state;
    char base[128];
    struct err e = {0};
    struct script_writer w;
    fake_llm_base(&writer_fake, "openai", base);
    str_copy(base + strlen(base), sizeof(base) - strlen(base), "///");
    struct llm_options o = {.net = writer_fake.net,
                            .profile = llm_profile_find("openai", 6),
                            .base_url = base,
                            .key = FAKE_LLM_KEY,
                            .model = "gpt-6-luna"};
    assert_true(llm_create(&o, &w, &e));
    struct written r = writer_write(&w, "en", 150);
    assert_true(r.ok); /* slashes at the end do not matter */
    writer_done(&r);
    w.ops->destroy(w.self);
    o.base_url = "http://192.0.2.1:11434/v1";
    assert_false(llm_create(&o, &w, &e)); /* another machine, unencrypted */
    assert_int_equal(e.code, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_check, writer_fresh),
        cmocka_unit_test_setup(test_base_urls, writer_fresh),
    };
    return cmocka_run_group_tests(tests, writer_setup, writer_teardown);
}
