/* Updates as a hostile or broken server would send them: parsed, decoded, joined, and looked at for
   what the bot relies on. Also the repairs of core/net/json, for which any byte string is fair. */
#include <assert.h>

#include "adapters/telegram/decode.h"
#include "adapters/telegram/utf16.h"
#include "core/base/utf8.h"
#include "core/net/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct tg_update *u)
{
    const struct chat_event *e = &u->event;
    assert(e->event_id && *e->event_id);
    assert(u->id >= 0 && u->id <= INT32_MAX);
    assert(!u->callback_id || (*u->callback_id && strlen(u->callback_id) <= 64));
    if (u->kind != TG_EVENT)
        return;
    assert(e->text && e->card_ref && e->quoted && e->user_id && e->lang);
    assert(*e->text && strlen(e->text) < CHAT_LINE_MAX);
    assert(utf8_valid(e->text, strlen(e->text)) && utf8_valid(e->quoted, strlen(e->quoted)));
    assert(*e->user_id || e->kind == CHAT_REFUSED || e->kind == CHAT_MOVED);
    assert(e->is_group == (e->addr.chat[0] == '-'));
    assert(e->kind != CHAT_BUTTON || (e->text[0] == '/' && *e->card_ref));
    assert(e->media_count <= TG_MEDIA_MAX);
    for (size_t i = 0; i < e->media_count; i++)
        assert(e->media[i] && (e->media[i][0] == 'p' || e->media[i][0] == 'v'));
    int64_t chat, message;
    assert(!*e->card_ref || tg_ref_get(e->card_ref, &chat, &message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tg_me me = {.id = 7000000001, .username = "ExampleClipBot"};
    enum { MAX = 16 };
    struct tg_update u[MAX];
    AUTO(arena_free) struct arena a = {0};
    AUTO(json_free) cJSON *doc = NULL;
    struct err e = {0};
    const cJSON *item;
    size_t count = 0;
    if (!json_parse((const char *)data, size, NULL, &doc, &e))
        return 0;
    const cJSON *list = cJSON_IsArray(doc) ? doc : json_array(doc, "result");
    if (!list)
        count += tg_decode(doc, &me, &a, &u[0]);
    cJSON_ArrayForEach(item, list)
    {
        if (count < MAX)
            count += tg_decode(item, &me, &a, &u[count]);
    }
    tg_join_albums(u, count);
    for (size_t i = 0; i < count; i++)
        look_at(&u[i]);
    return 0;
}
