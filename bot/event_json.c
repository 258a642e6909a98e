#include "bot/event_json.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/net/json.h"

/* A new field of chat_event belongs into both functions below. */
_Static_assert(sizeof(struct chat_event) == 272, "write and read the new field too");

enum { EVENT_BYTES_MAX = 16 << 20, MEDIA_MAX = 64 };

static void put(struct strbuf *out, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    strbuf_addf(out, ",\"%s\":", name);
    json_put_text(out, text);
}

char *event_to_json(const struct chat_event *event)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(EVENT_BYTES_MAX);
    strbuf_addf(&out, "{\"kind\":%d", event->kind);
    put(&out, "id", event->event_id);
    put(&out, "network", event->addr.network);
    put(&out, "chat", event->addr.chat);
    put(&out, "thread", event->addr.thread);
    put(&out, "reply", event->addr.reply);
    put(&out, "whole", event->addr.group);
    put(&out, "user", event->user_id);
    put(&out, "lang", event->lang);
    put(&out, "text", event->text);
    put(&out, "card", event->card_ref);
    put(&out, "quoted", event->quoted);
    put(&out, "press", event->press);
    if (event->is_group)
        strbuf_adds(&out, ",\"group\":true");
    if (event->is_group_admin)
        strbuf_adds(&out, ",\"admin\":true");
    if (event->is_moderator)
        strbuf_adds(&out, ",\"moderator\":true");
    if (event->repaired)
        strbuf_adds(&out, ",\"repaired\":true");
    if (event->video_bytes_max)
        strbuf_addf(&out, ",\"bytes_max\":%lld", (long long)event->video_bytes_max);
    for (size_t i = 0; i < event->media_count; i++) {
        strbuf_adds(&out, i ? "," : ",\"media\":[");
        json_put_text(&out, event->media[i]);
    }
    strbuf_adds(&out, event->media_count ? "]}" : "}");
    return strbuf_take(&out);
}

static const char *text_of(const cJSON *json, const char *name, struct arena *a)
{
    return arena_dup(a, json_text(json, name, ""));
}

static void read_media(const cJSON *json, struct arena *a, struct chat_event *ret)
{
    const cJSON *list = json_array(json, "media");
    const cJSON *item;
    const char **media = arena_alloc(a, MEDIA_MAX * sizeof(*media));
    cJSON_ArrayForEach(item, list)
    {
        if (cJSON_IsString(item) && ret->media_count < MEDIA_MAX)
            media[ret->media_count++] = arena_dup(a, item->valuestring);
    }
    ret->media = media;
}

bool event_from_json(const char *json, struct arena *a, struct chat_event *ret, struct err *e)
{
    static const struct json_limits limits = {.bytes = EVENT_BYTES_MAX, .depth = 4};
    AUTO(json_free) cJSON *doc = NULL;
    int64_t kind = -1;
    if (!json_parse(json, strlen(json), &limits, &doc, e) || !json_int(doc, "kind", &kind))
        return err_set(e, ERR_INTERNAL, "error.internal", "a stored event cannot be read");
    *ret = (struct chat_event){
        .kind = (enum chat_event_kind)kind,
        .event_id = text_of(doc, "id", a),
        .user_id = text_of(doc, "user", a),
        .lang = text_of(doc, "lang", a),
        .text = text_of(doc, "text", a),
        .card_ref = text_of(doc, "card", a),
        .quoted = text_of(doc, "quoted", a),
        .press = text_of(doc, "press", a),
        .is_group = json_true(doc, "group"),
        .is_group_admin = json_true(doc, "admin"),
        .is_moderator = json_true(doc, "moderator"),
        .repaired = json_true(doc, "repaired"),
        .video_bytes_max = json_int_or(doc, "bytes_max", 0),
    };
    str_copy(ret->addr.network, sizeof(ret->addr.network), json_text(doc, "network", ""));
    str_copy(ret->addr.chat, sizeof(ret->addr.chat), json_text(doc, "chat", ""));
    str_copy(ret->addr.thread, sizeof(ret->addr.thread), json_text(doc, "thread", ""));
    str_copy(ret->addr.reply, sizeof(ret->addr.reply), json_text(doc, "reply", ""));
    str_copy(ret->addr.group, sizeof(ret->addr.group), json_text(doc, "whole", ""));
    read_media(doc, a, ret);
    return true;
}
