#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_discord.h"

#include <unistd.h>

#include "core/net/json.h"

void dfake_start(struct fake_node *f)
{
    fake_node_start(f, "discord", (const char *[]){"--token", DFAKE_TOKEN, NULL});
    snprintf(f->api, sizeof(f->api), "%s/api/v10", f->url);
}

cJSON *dfake_control(struct fake_node *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON *doc = fake_node_askv(f, name, fmt, args);
    va_end(args);
    return doc;
}

void dfake_do(struct fake_node *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON_Delete(fake_node_askv(f, name, fmt, args));
    va_end(args);
}

int64_t dfake_number(struct fake_node *f, const char *name)
{
    AUTO(json_free) cJSON *state = fake_node_state(f);
    return json_int_or(state, name, -1);
}

size_t dfake_lines(struct fake_node *f, const char *list, const char *text)
{
    AUTO(json_free) cJSON *state = fake_node_state(f);
    const cJSON *line;
    size_t count = 0;
    cJSON_ArrayForEach(line, json_array(state, list)) count +=
        cJSON_IsString(line) && strstr(line->valuestring, text) != NULL;
    return count;
}

void dfake_wait_lines(struct fake_node *f, const char *list, const char *text, size_t want)
{
    size_t count = 0;
    for (int i = 0; i < 500 && count < want; i++) {
        count = dfake_lines(f, list, text);
        if (count < want)
            usleep(10000);
    }
    if (count < want)
        fail_msg("'%s' was seen %zu times in %s, %zu expected", text, count, list, want);
}

const cJSON *dfake_message(struct fake_node *f, const char *text, cJSON **ret_state)
{
    const cJSON *message;
    const cJSON *last = NULL;
    *ret_state = fake_node_state(f);
    cJSON_ArrayForEach(
        message, json_array(*ret_state, "messages")) if (strstr(json_text(message, "content", ""),
                                                                text)) last = message;
    return last;
}
