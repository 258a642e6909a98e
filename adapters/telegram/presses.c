/*
 * Pressed buttons turn until they are answered, and they are answered once: with a few words for
 * the eyes of who pressed, where the bot has any, else with nothing. The bot deals with a press
 * within milliseconds; when it cannot, the button stops turning all the same.
 */
#include "adapters/telegram/telegram_internal.h"
#include "adapters/telegram/utf16.h"
#include "core/base/clock.h"
#include "core/net/json.h"

enum { ANSWER_MS = 1500, TEXT_UNITS = 200 };

static void answer(struct telegram *t, const char *id, const char *text)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(4000);
    strbuf_adds(&body, "{\"callback_query_id\":");
    json_put_text(&body, id);
    if (text) {
        AUTO(free_ptr) char *cut = str_printf("%.*s", (int)tg_utf16_bytes(text, TEXT_UNITS), text);
        strbuf_adds(&body, ",\"text\":");
        json_put_text(&body, cut);
    }
    strbuf_addc(&body, '}');
    char *json = strbuf_take(&body);
    if (json)
        tg_post(t, "answerCallbackQuery", json, NULL, NULL);
}

void tg_press_wait(struct telegram *t, const char *id)
{
    bool room = false;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < TG_PRESSES_MAX && !room; i++) {
        struct tg_press *p = &t->presses[i];
        room = !p->id[0];
        if (room && str_copy(p->id, sizeof(p->id), id))
            p->due_ms = clock_mono_ms() + ANSWER_MS;
    }
    pthread_mutex_unlock(&t->lock);
    if (!room)
        answer(t, id, NULL);
}

void tg_pressed(void *self, const char *press, const char *text)
{
    struct telegram *t = self;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < TG_PRESSES_MAX; i++)
        if (strcmp(t->presses[i].id, press) == 0)
            t->presses[i].id[0] = '\0';
    pthread_mutex_unlock(&t->lock);
    answer(t, press, text); /* another process may have heard of it: not only what waits here */
}

void tg_presses_flush(struct telegram *t, int64_t now_ms)
{
    for (size_t i = 0; i < TG_PRESSES_MAX; i++) {
        struct tg_press due = {.id = ""};
        pthread_mutex_lock(&t->lock);
        if (t->presses[i].id[0] && t->presses[i].due_ms <= now_ms) {
            due = t->presses[i];
            t->presses[i].id[0] = '\0';
        }
        pthread_mutex_unlock(&t->lock);
        if (due.id[0])
            answer(t, due.id, NULL);
    }
}
