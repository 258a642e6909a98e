/* The built program with script writers: a topic becomes a film, whichever of them are down. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/base/fs.h"
#include "core/net/json.h"
#include "core/story/storyboard.h"
#include "core/story/text.h"
#include "tests/film.h"
#include "tests/llm_env.h"

enum { SOON_MS = 60000, RENDER_MS = 180000 };

static const char three[] = "deepseek, moonshot, openai";

static void down(const char *service, int status)
{
    char fault[160];
    snprintf(fault, sizeof(fault),
             "{\"service\":\"%s\",\"kind\":\"status\",\"code\":%d,\"times\":1000}", service,
             status);
    fake_llm_do(&llm_site, "fault", fault);
}

/* The service that was asked for a script last. */
static void asked_last(const char *service)
{
    AUTO(json_free) cJSON *state = fake_node_state(&llm_site);
    const cJSON *call, *last = NULL;
    cJSON_ArrayForEach(call, json_array(state, "calls"))
    {
        if (strcmp(json_text(call, "path", ""), "chat") == 0)
            last = call;
    }
    assert_string_equal(json_text(last, "service", ""), service);
}

/* What is read is what is heard: the subtitles hold the narration, letter for letter. */
static void captions_match(const char *film, const struct storyboard *story)
{
    char path[1024];
    AUTO(free_ptr) char *srt = NULL;
    size_t len = 0;
    struct err e = {0};
    snprintf(path, sizeof(path), "%.*ssrt", (int)(strlen(film) - strlen("mp4")), film);
    assert_true(fs_read(path, 1 << 20, &srt, &len, &e));
    struct strbuf heard = STRBUF((size_t)1 << 20);
    struct strbuf read = STRBUF((size_t)1 << 20);
    for (size_t i = 0; i < story->scene_count; i++)
        for (const char *p = story->scenes[i].narration; *p; p++)
            if (*p != ' ')
                strbuf_addc(&heard, *p);
    for (const char *p = srt; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        size_t n = strcspn(p, "\n");
        bool number = n > 0 && strspn(p, "0123456789\r") == n;
        if (number || memmem(p, n, " --> ", 5))
            continue;
        for (size_t i = 0; i < n; i++)
            if (p[i] != ' ' && p[i] != '\r')
                strbuf_addc(&read, p[i]);
    }
    assert_string_equal(strbuf_text(&heard), strbuf_text(&read));
    strbuf_free(&heard);
    strbuf_free(&read);
}

static void topics_in_three_languages_with_providers_down_in_turn(void **state)
{
    static const struct {
        const char *topic, *lang, *asked, *down[2];
        int status;
    } rows[] = {
        {"How tides work",                        "en", "deepseek", {NULL, NULL},             0  },
        {"潮汐是怎么来的",                 "zh", "moonshot", {"deepseek", NULL},       503},
        {"كيف يعمل المد والجزر", "ar", "openai",   {"deepseek", "moonshot"}, 402},
    };
    struct site *p = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *film = str_printf("%s/%s.mp4", p->folder, rows[i].lang);
        AUTO(free_ptr) char *story_path = str_printf("%s/%s.json", p->folder, rows[i].lang);
        AUTO(free_ptr) char *json = NULL;
        AUTO(storyboard_free) struct storyboard story = {0};
        struct llm_env env;
        struct err e = {0};
        size_t len = 0;
        fake_llm_do(&llm_site, "reset", "{}");
        for (size_t k = 0; k < 2 && rows[i].down[k]; k++)
            down(rows[i].down[k], rows[i].status);
        llm_env_make(&env, &llm_site, three);
        const char *args[] = {"make",     rows[i].topic, "-o",      film,       "--seconds", "8",
                              "--aspect", "1:1",         "--story", story_path, NULL};
        struct session_options o = {.args = args, .env = env.list};
        struct session *s = session_start(p, &o);
        if (session_finish(s, RENDER_MS) != 0) {
            session_show(s);
            fail_msg("%s failed", rows[i].lang);
        }
        asked_last(rows[i].asked);
        assert_true(fs_read(story_path, STORY_JSON_MAX, &json, &len, &e));
        assert_true(storyboard_from_json(json, len, &story, &e));
        assert_string_equal(story.settings.lang, rows[i].lang);
        assert_false(story.fell_back);
        assert_non_null(strstr(story.caption, "#sea #moon"));
        assert_null(strstr(story.scenes[0].narration, rows[i].topic)); /* about it, not itself */
        const char *script = text_script_lang(story.scenes[0].narration);
        assert_string_equal(script, strcmp(rows[i].lang, "en") == 0 ? "" : rows[i].lang);
        double seconds = (double)storyboard_frames(&story) / STORY_FPS;
        if (seconds < 6 || seconds > 10) /* the voice is a little faster or slower than its rate */
            fail_msg("%s: %.1f s instead of 8", rows[i].lang, seconds);
        film_must_be_good(film, 720, 720, seconds);
        captions_match(film, &story);
    }
    AUTO(json_free) cJSON *world = fake_node_state(&llm_site);
    assert_int_equal(cJSON_GetArraySize(json_array(world, "complaints")), 0);
}

static void all_down(int status)
{
    static const char *const services[] = {"deepseek", "moonshot", "openai"};
    for (size_t i = 0; i < COUNT(services); i++)
        down(services[i], status);
}

/* Falls back, says so, costs less; a topic that is no text is paid back. */
static void with_all_of_them_down(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    char film[1024];
    all_down(402);
    llm_env_make(&env, &llm_site, three);
    struct session *s = session_run(p, false, env.list);
    session_say(s, "/make How tides work\n");
    session_expect(s, "About 1:00", SOON_MS); /* what a script would take, not the topic */
    session_expect(s, "cannot be used right now", SOON_MS);
    session_expect(s, "1 credit came back", SOON_MS);
    session_say(s, "/make The sea rises and falls each day. Sailors know when it comes. They wait "
                   "for it in the harbour. 1:1\n");
    session_expect(s, "half the price", RENDER_MS);
    session_path(s, ".mp4\n", SOON_MS, film);
    session_expect(s, "0 credits used", SOON_MS);
    session_finish(s, SOON_MS);
    AUTO(free_ptr) char *log = session_log(s);
    assert_non_null(strstr(log, "no money at the provider")); /* the operator's to know */
    assert_null(strstr(strbuf_text(&s->seen), "money"));
    assert_null(strstr(log, FAKE_LLM_KEY));
    site_audit_is(p, "select count(*) from jobs where state = 'done'", "1");
    site_audit_is(p, "select count(*) from jobs where state = 'failed'", "1");
}

static void doctor_names_each(void **state)
{
    struct site *p = *state;
    struct llm_env env;
    const char *args[] = {"doctor", NULL};
    llm_env_make(&env, &llm_site, three);
    fake_llm_do(
        &llm_site, "set",
        "{\"models\":{\"openai\":[\"gpt-6-luna\"],\"deepseek\":[],\"moonshot\":[\"kimi-k2.6\"]}}");
    struct session_options o = {.args = args, .env = env.list};
    struct session *s = session_start(p, &o);
    assert_int_equal(session_finish(s, SOON_MS), 1);
    const char *out = strbuf_text(&s->seen);
    assert_non_null(strstr(out, "deepseek (deepseek-flash), about 0.0013 US$ a video"));
    assert_non_null(strstr(out, "no model deepseek-flash for this key"));
    assert_non_null(strstr(out, "ok       script writer moonshot (kimi-k2.6), about 0.0042"));
    assert_non_null(strstr(out, "ok       script writer openai (gpt-6-luna), about 0.0005"));
    assert_non_null(strstr(out, "ok       rules of what is not made (assets/rules.txt)"));
    assert_non_null(strstr(out, "ok       OpenAI's moderation"));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, llm_site_open, llm_site_close)
    const struct CMUnitTest tests[] = {
        CASE(topics_in_three_languages_with_providers_down_in_turn),
        CASE(with_all_of_them_down),
        CASE(doctor_names_each),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
