#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/fake_telegram.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"

void fake_start(struct fake_node *f, const char *dir)
{
    fake_node_start(f, "telegram", (const char *[]){"--token", FAKE_TOKEN, "--dir", dir, NULL});
}

void fake_start_keeping(struct fake_node *f, const char *folder)
{
    AUTO(free_ptr) char *dir = str_printf("%s/uploads", folder);
    assert_true(mkdir(dir, 0755) == 0);
    fake_start(f, dir);
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

/* --- the person --- */

void fake_say(struct fake_node *f, int64_t chat, int64_t user, const char *more, const char *text)
{
    fake_do(f, "say", "{\"chat\":%" PRId64 ",\"from\":{\"id\":%" PRId64 "},\"text\":\"%s\"%s}",
            chat, user, text, more);
}

/* Waits for so many messages of the bot with this field; the newest, printed. */
char *fake_wait_messages(struct fake_node *f, int64_t chat, const char *field, size_t count, int ms)
{
    int64_t until = clock_mono_ms() + ms;
    for (;;) {
        char *last = NULL;
        size_t n = fake_messages(f, chat, field, &last);
        if (n >= count)
            return last;
        if (clock_mono_ms() > until)
            fail_msg("chat %" PRId64 ": %zu messages with %s, %zu expected; last: %s", chat, n,
                     field, count, last);
        free(last);
        usleep(50000);
    }
}

void fake_wait_text(struct fake_node *f, int64_t chat, const char *field, const char *part, int ms)
{
    int64_t until = clock_mono_ms() + ms;
    for (;;) {
        AUTO(free_ptr) char *last = NULL;
        fake_messages(f, chat, field, &last);
        if (strstr(last, part))
            return;
        if (clock_mono_ms() > until)
            fail_msg("chat %" PRId64 ": no '%s' in the last message: %s", chat, part, last);
        usleep(50000);
    }
}

/* Presses a button of the newest card that has it. */
void fake_press(struct fake_node *f, int64_t chat, int64_t user, const char *label)
{
    char name[32];
    AUTO(json_free) cJSON *state = fake_node_state(f);
    const cJSON *message;
    int64_t id = 0;
    snprintf(name, sizeof(name), "%" PRId64, chat);
    cJSON_ArrayForEach(message, json_array(json_object(state, "chats"), name))
    {
        char *markup = cJSON_PrintUnformatted(json_object(message, "reply_markup"));
        if (markup && strstr(markup, label))
            id = json_int_or(message, "message_id", 0);
        free(markup);
    }
    if (id == 0)
        fail_msg("no card with a button '%s'", label);
    fake_do(f, "press",
            "{\"chat\":%" PRId64 ",\"message_id\":%" PRId64 ",\"from\":{\"id\":%" PRId64
            "},\"label\":\"%s\"}",
            chat, id, user, label);
}
