/* The moderation service: what it flags, and that its bad day is told apart from a bad topic. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/writer/moderation.h"
#include "core/base/log.h"
#include "core/net/json.h"
#include "tests/fake_llm.h"

static struct fake_node fake;

static int start(void **state)
{
    (void)state;
    log_init(LOG_OFF, false);
    fake_llm_start(&fake);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fake_node_stop(&fake);
    return 0;
}

static struct script_guard guard_of(const char *key)
{
    char base[96];
    struct script_guard g;
    struct err e = {0};
    fake_llm_do(&fake, "reset", "{}");
    fake_llm_do(&fake, "set", "{\"flags\":{\"badger\":\"illicit/violent\"}}");
    fake_llm_base(&fake, "openai", base);
    assert_true(moderation_create(fake.net, base, key, &g, &e));
    return g;
}

static int calls(void)
{
    AUTO(json_free) cJSON *state = fake_node_state(&fake);
    return cJSON_GetArraySize(json_array(state, "calls"));
}

static void good_and_bad_words(void **state)
{
    (void)state;
    struct script_guard g = guard_of(FAKE_LLM_KEY);
    struct err e = {0};
    assert_true(g.ops->check(g.self, "How tides work", NULL, &e));
    assert_false(g.ops->check(g.self, "the badger", NULL, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_string_equal(e.user_key, "guard.flagged");
    assert_string_equal(e.arg, "illicit/violent");
    assert_true(g.ops->check(g.self, "Tides again", NULL, &e));
    assert_int_equal(calls(), 3);
    /* Exactly these words need not be judged again; what was flagged is asked about each time. */
    assert_true(g.ops->let_pass(g.self, "How tides work"));
    assert_false(g.ops->let_pass(g.self, "How tides work?"));
    assert_false(g.ops->let_pass(g.self, "the badger"));
    assert_true(g.ops->check(g.self, "How tides work", NULL, &e));
    assert_int_equal(calls(), 3);
    assert_false(g.ops->check(g.self, "the badger", NULL, &e));
    assert_int_equal(calls(), 4);
    for (int i = 0; i < 300; i++) { /* bounded: the oldest are forgotten */
        char text[32];
        snprintf(text, sizeof(text), "tide %d", i);
        assert_true(g.ops->check(g.self, text, NULL, &e));
    }
    assert_true(g.ops->let_pass(g.self, "tide 299"));
    assert_false(g.ops->let_pass(g.self, "How tides work"));
    g.ops->destroy(g.self);
}

/* Never a refusal; and then it is left alone for a while. */
static void a_service_that_fails(void **state)
{
    (void)state;
    static const struct {
        const char *fault, *key, *why;
        enum err_code code;
    } rows[] = {
        {"{\"path\":\"moderations\",\"kind\":\"status\",\"code\":500}",                    FAKE_LLM_KEY, "down",
         ERR_RETRY                                                                                                                                },
        {"{\"path\":\"moderations\",\"kind\":\"status\",\"code\":429}",                    FAKE_LLM_KEY, "limited",
         ERR_RETRY                                                                                                                                },
        {"{\"path\":\"moderations\",\"kind\":\"status\",\"code\":404}",                    FAKE_LLM_KEY, "not offered",
         ERR_CONFIG                                                                                                                               },
        {"{\"path\":\"moderations\",\"kind\":\"status\",\"code\":402}",                    FAKE_LLM_KEY, "no money",
         ERR_CONFIG                                                                                                                               },
        {"{\"path\":\"moderations\",\"kind\":\"status\",\"code\":429,\"body\":{\"error\":"
         "{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}}",               FAKE_LLM_KEY, "no money, in OpenAI's words", ERR_CONFIG},
        {"{\"path\":\"moderations\",\"kind\":\"slow\",\"ms\":9000}",                       FAKE_LLM_KEY,
         "slow: 5 s are enough",                                                                                                        ERR_RETRY },
        {"{\"path\":\"moderations\",\"kind\":\"junk\",\"body\":\"[1]\"}",                  FAKE_LLM_KEY, "nonsense",
         ERR_RETRY                                                                                                                                },
        {"{\"path\":\"moderations\",\"kind\":\"html\"}",                                   FAKE_LLM_KEY, "a web page",                  ERR_RETRY },
        {"{\"path\":\"moderations\",\"kind\":\"reset\",\"times\":9}",                      FAKE_LLM_KEY, "a broken line",
         ERR_RETRY                                                                                                                                },
        {"{\"path\":\"moderations\",\"kind\":\"cut\"}",                                    FAKE_LLM_KEY, "half a reply",                ERR_RETRY },
        {"{\"path\":\"moderations\",\"kind\":\"junk\",\"body\":\"{\\\"results\\\":[]}\"}",
         FAKE_LLM_KEY,                                                                                   "no result",                   ERR_RETRY },
        {NULL,                                                                             "sk-wrong",   "a wrong key",                 ERR_CONFIG},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct script_guard g = guard_of(rows[i].key);
        struct err e = {0};
        if (rows[i].fault)
            fake_llm_do(&fake, "fault", rows[i].fault);
        if (g.ops->check(g.self, "the badger", NULL, &e))
            fail_msg("%s: allowed", rows[i].why);
        if (e.code != rows[i].code || strcmp(e.user_key, "writer.down") != 0)
            fail_msg("%s: %s %s", rows[i].why, err_code_name(e.code), e.user_key);
        int asked = calls();
        assert_false(g.ops->check(g.self, "the badger", NULL, &e));
        assert_int_equal(e.code, ERR_RETRY);
        assert_int_equal(calls(), asked);
        g.ops->destroy(g.self);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_and_bad_words),
        cmocka_unit_test(a_service_that_fails),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
