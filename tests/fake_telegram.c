#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_telegram.h"

#include "core/base/strbuf.h"
#include "core/net/json.h"
#include <inttypes.h>

void fake_start(struct fake_node *f, const char *dir)
{
    fake_node_start(f, "telegram", (const char *[]){"--token", FAKE_TOKEN, "--dir", dir, NULL});
}

cJSON *fake_control(struct fake_node *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON *doc = fake_node_askv(f, name, fmt, args);
    va_end(args);
    return doc;
}

void fake_do(struct fake_node *f, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    cJSON_Delete(fake_node_askv(f, name, fmt, args));
    va_end(args);
}

int64_t fake_number(struct fake_node *f, const char *name)
{
    AUTO(json_free) cJSON *state = fake_node_state(f);
    return json_int_or(state, name, -1);
}

int64_t fake_calls(struct fake_node *f, const char *method)
{
    AUTO(json_free) cJSON *state = fake_node_state(f);
    return json_int_or(json_object(state, "calls"), method, 0);
}

size_t fake_messages(struct fake_node *f, int64_t chat, const char *field, char **ret_last)
{
    AUTO(json_free) cJSON *state = fake_node_state(f);
    char name[32];
    size_t count = 0;
    const cJSON *message;
    const cJSON *last = NULL;
    snprintf(name, sizeof(name), "%" PRId64, chat);
    cJSON_ArrayForEach(message, json_array(json_object(state, "chats"), name))
    {
        if (!json_true(json_object(message, "from"), "is_bot") || !json_has(message, field))
            continue;
        count++;
        last = message;
    }
    if (ret_last)
        *ret_last = last ? cJSON_PrintUnformatted(last) : str_dup("");
    return count;
}
