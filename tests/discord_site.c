#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/discord_site.h"

#include <signal.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"

struct dsite dsite;

int dsite_open(void **state)
{
    if (site_open(state) != 0)
        return -1;
    dfake_start(&dsite.fake);
    fake_start(&dsite.other, NULL);
    return 0;
}

int dsite_close(void **state)
{
    fake_node_stop(&dsite.fake);
    fake_node_stop(&dsite.other);
    return site_close(state);
}

struct session *dsite_start(struct site *p, const char *crash, bool both)
{
    AUTO(free_ptr) char *url = str_printf("DISCORD_API_URL=%s", dsite.fake.api);
    AUTO(free_ptr) char *at = str_printf("NANOTIK_CRASH_AT=%s", crash ? crash : "");
    AUTO(free_ptr) char *telegram = str_printf("TELEGRAM_API_URL=%s", dsite.other.url);
    const char *env[6] = {"DISCORD_BOT_TOKEN=" DFAKE_TOKEN, url};
    size_t n = 2;
    if (crash)
        env[n++] = at;
    if (both) {
        env[n++] = "TELEGRAM_BOT_TOKEN=" FAKE_TOKEN;
        env[n++] = telegram;
    }
    return session_run(p, false, env);
}

void dsite_stop(struct session *s)
{
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, DSITE_STOP_MS), 0);
}

/* --- what is to be seen --- */

bool dsite_has_button(const cJSON *message, const char *label)
{
    AUTO(free_ptr) char *text = cJSON_PrintUnformatted(json_array(message, "components"));
    return text && strstr(text, label) != NULL;
}

/* The newest message with this text (and, unless NULL, this button); "" when there is none. */
void dsite_find(const char *text, const char *label, char ret_id[32])
{
    AUTO(json_free) cJSON *state = fake_node_state(&dsite.fake);
    const cJSON *message;
    ret_id[0] = '\0';
    cJSON_ArrayForEach(
        message,
        json_array(state, "messages")) if (strstr(json_text(message, "content", ""), text) &&
                                           (!label || dsite_has_button(message, label)))
        str_copy(ret_id, 32, json_text(message, "id", ""));
}

void dsite_wait(const char *text, const char *label, int ms, char ret_id[32])
{
    int64_t until = clock_mono_ms() + ms;
    for (;;) {
        dsite_find(text, label, ret_id);
        if (*ret_id)
            return;
        if (clock_mono_ms() > until) {
            AUTO(json_free) cJSON *state = fake_node_state(&dsite.fake);
            AUTO(free_ptr) char *all = cJSON_Print(json_array(state, "messages"));
            fail_msg("no message says '%s': %s", text, all);
        }
        usleep(50000);
    }
}

size_t dsite_films(const char *channel)
{
    AUTO(json_free) cJSON *state = fake_node_state(&dsite.fake);
    const cJSON *message;
    size_t count = 0;
    cJSON_ArrayForEach(message, json_array(state, "messages")) if (cJSON_GetArraySize(json_array(
                                                                       message, "attachments")) > 0)
        count += !channel || strcmp(json_text(message, "channel_id", ""), channel) == 0;
    return count;
}

void dsite_wait_films(const char *channel, size_t want)
{
    int64_t until = clock_mono_ms() + DSITE_VIDEO_MS;
    while (dsite_films(channel) < want && clock_mono_ms() < until)
        usleep(100000);
    assert_int_equal(dsite_films(channel), want);
}

/* Discord waits three seconds for an answer, and not for a start. */
void dsite_wait_ready(void)
{
    int64_t until = clock_mono_ms() + DSITE_START_MS;
    while (dfake_lines(&dsite.fake, "ops", "op 2") == 0 && clock_mono_ms() < until)
        usleep(50000);
}

void dsite_make(const char *where, const char *user, const char *topic)
{
    dfake_do(&dsite.fake, "command",
             "{\"name\":\"make\",\"where\":\"%s\",\"user\":\"%s\",\"options\":{\"topic\":\"%s\","
             "\"aspect\":\"9:16\"}}",
             where, user, topic);
}

void dsite_press(const char *message, const char *label, const char *where, const char *user)
{
    dfake_do(&dsite.fake, "press",
             "{\"message\":\"%s\",\"label\":\"%s\",\"where\":\"%s\",\"user\":\"%s\"}", message,
             label, where, user);
}
