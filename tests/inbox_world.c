#include "tests/inbox_world.h"

#include <string.h>

#include "bot/inbox.h"
#include "core/base/strbuf.h"
#include "tests/fixture_db.h"

void inbox_world_open(struct inbox_world *w, size_t connections)
{
    memset(w, 0, sizeof(*w));
    fake_chat_init(&w->chat, true);
    struct chat_adapter chat = fake_chat_adapter(&w->chat);
    w->ops = *chat.ops;
    chat.ops = &w->ops;
    w->tools.seconds_max = 180;
    w->bot = (struct bot){
        .db = fixture_db_fresh(connections),
        .tools = &w->tools,
        .adapters = {chat},
        .adapter_count = 1,
        .prices = { 1, 2, 3},
        .trial_credits = 1,
        .seconds_max = 180,
    };
}

void inbox_world_close(struct inbox_world *w)
{
    inbox_stop(w->bot.inbox);
    fixture_db_done(&w->bot.db);
    fake_chat_free(&w->chat);
}

struct chat_event inbox_event(const char *id, const char *chat, const char *text)
{
    struct chat_event e = {.event_id = id,
                           .user_id = chat,
                           .lang = "en",
                           .text = text,
                           .card_ref = "",
                           .quoted = "",
                           .addr = {.network = "fake"}};
    str_copy(e.addr.chat, sizeof(e.addr.chat), chat);
    return e;
}
