#include "adapters/telegram/decode.h"

#include <ctype.h>
#include <inttypes.h>
#include <strings.h>

#include "adapters/telegram/utf16.h"
#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/net/json.h"

enum { LANG_MAX = 16 };

/* --- references --- */

void tg_ref_put(char ret[static CHAT_REF_MAX], int64_t chat, int64_t message)
{
    snprintf(ret, CHAT_REF_MAX, "%" PRId64 ":%" PRId64, chat, message);
}

bool tg_ref_get(const char *ref, int64_t *ret_chat, int64_t *ret_message)
{
    char chat[32];
    const char *colon = strchr(ref, ':');
    if (!colon || (size_t)(colon - ref) >= sizeof(chat))
        return false;
    memcpy(chat, ref, (size_t)(colon - ref));
    chat[colon - ref] = '\0';
    return str_to_int(chat, INT64_MIN, INT64_MAX, ret_chat) &&
           str_to_int(colon + 1, 1, INT64_MAX, ret_message);
}

/* --- parts of a message --- */

struct message {
    const cJSON *json, *chat, *from, *reply;
    int64_t id, chat_id, date;
    const char *text; /* text or caption, as sent; "" when there is none */
    const cJSON *entities;
    bool is_group;
};

/* Chats that the bot can answer in and that belong to people. */
static bool read_message(const cJSON *json, struct message *m)
{
    *m = (struct message){.json = json,
                          .chat = json_object(json, "chat"),
                          .from = json_object(json, "from"),
                          .reply = json_object(json, "reply_to_message"),
                          .text = json_text(json, "text", NULL),
                          .entities = json_array(json, "entities")};
    if (!m->text) {
        m->text = json_text(json, "caption", "");
        m->entities = json_array(json, "caption_entities");
    }
    m->date = json_int_or(json, "date", 0);
    if (!json_int(json, "message_id", &m->id) || m->id <= 0 ||
        !json_int(m->chat, "id", &m->chat_id) || m->chat_id == 0)
        return false;
    const char *type = json_text(m->chat, "type", "");
    m->is_group = strcmp(type, "group") == 0 || strcmp(type, "supergroup") == 0;
    bool is_private = strcmp(type, "private") == 0;
    /* The sign of an id is what pacing and migration go by. */
    return (m->is_group && m->chat_id < 0) || (is_private && m->chat_id > 0);
}

static void fill_addr(const struct message *m, struct chat_addr *to)
{
    int64_t thread = 0;
    str_copy(to->network, sizeof(to->network), "telegram");
    snprintf(to->chat, sizeof(to->chat), "%" PRId64, m->chat_id);
    snprintf(to->reply, sizeof(to->reply), "%" PRId64, m->id);
    /* In plain supergroups the number only marks a chain of replies and must not come back. */
    if (json_true(m->json, "is_topic_message") && json_int(m->json, "message_thread_id", &thread) &&
        thread > 1)
        snprintf(to->thread, sizeof(to->thread), "%" PRId64, thread);
}

static const char *clean_text(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_dup_n(a, text, len);
    utf8_clean(copy);
    return copy;
}

/* "pt-BR" -> "pt-br"; anything that is no tag becomes "". */
static const char *language_of(struct arena *a, const cJSON *user)
{
    const char *tag = json_text(user, "language_code", "");
    size_t len = strlen(tag);
    if (len >= LANG_MAX)
        return "";
    char *low = arena_dup(a, tag);
    for (size_t i = 0; i < len; i++) {
        low[i] = (char)tolower((unsigned char)low[i]);
        if (!isalnum((unsigned char)low[i]) && low[i] != '-')
            return "";
    }
    return low;
}

static void fill_event(struct tg_update *u, const struct message *m, const cJSON *user,
                       struct arena *a)
{
    int64_t id;
    u->kind = TG_EVENT;
    u->chat = m->chat_id;
    fill_addr(m, &u->event.addr);
    u->event.user_id = json_int(user, "id", &id) ? arena_printf(a, "%" PRId64, id) : "";
    u->event.lang = language_of(a, user);
    u->event.is_group = m->is_group;
    u->event.text = u->event.card_ref = u->event.quoted = u->event.press = "";
}

/* --- whose message it is --- */

static bool is_me(const cJSON *user, const struct tg_me *me)
{
    int64_t id;
    return me->id != 0 && json_int(user, "id", &id) && id == me->id;
}

static bool name_is_mine(const char *name, size_t len, const struct tg_me *me)
{
    return len == strlen(me->username) && strncasecmp(name, me->username, len) == 0;
}

enum command { COMMAND_NONE, COMMAND_MINE, COMMAND_OTHERS };

/* A command is an entity at the very start: "/make@Name rest". *ret_line is "/make rest". */
static enum command read_command(const struct message *m, const struct tg_me *me, struct arena *a,
                                 const char **ret_line)
{
    size_t len = 0;
    const cJSON *e;
    cJSON_ArrayForEach(e, m->entities)
    {
        if (json_int_or(e, "offset", -1) == 0 &&
            strcmp(json_text(e, "type", ""), "bot_command") == 0) {
            len = tg_utf16_bytes(m->text, json_int_or(e, "length", 0));
            break;
        }
    }
    if (len < 2 || m->text[0] != '/')
        return COMMAND_NONE;
    const char *at = memchr(m->text, '@', len);
    if (at && !name_is_mine(at + 1, len - (size_t)(at + 1 - m->text), me))
        return COMMAND_OTHERS;
    char *name = arena_dup_n(a, m->text, at ? (size_t)(at - m->text) : len);
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    const char *rest = m->text + len;
    while (isspace((unsigned char)*rest))
        rest++;
    *ret_line = *rest ? arena_printf(a, "%s %s", name, rest) : name;
    return COMMAND_MINE;
}

/* "@Name how tides work": the rest, or NULL. */
static const char *read_mention(const struct message *m, const struct tg_me *me, struct arena *a)
{
    const cJSON *e;
    cJSON_ArrayForEach(e, m->entities)
    {
        int64_t offset = json_int_or(e, "offset", -1);
        int64_t length = json_int_or(e, "length", 0);
        if (offset < 0 || length <= 1 || strcmp(json_text(e, "type", ""), "mention") != 0)
            continue;
        size_t begin = tg_utf16_bytes(m->text, offset);
        size_t end = begin + tg_utf16_bytes(m->text + begin, length);
        if (end - begin < 2 || !name_is_mine(m->text + begin + 1, end - begin - 1, me))
            continue;
        while (end < strlen(m->text) && isspace((unsigned char)m->text[end]))
            end++;
        return arena_printf(a, "%.*s%s", (int)begin, m->text, m->text + end);
    }
    return NULL;
}

/* In a topic that the bot opened, every message is formally a reply to that opening. */
static bool is_reply_to_me(const struct message *m, const struct tg_me *me)
{
    return m->reply && is_me(json_object(m->reply, "from"), me) &&
           !json_has(m->reply, "forum_topic_created");
}

static void fill_quoted(struct tg_update *u, const struct message *m, const struct tg_me *me,
                        struct arena *a)
{
    int64_t id = 0;
    if (!m->reply || json_has(m->reply, "forum_topic_created"))
        return;
    if (is_me(json_object(m->reply, "from"), me)) {
        if (json_int(m->reply, "message_id", &id) && id > 0) {
            char ref[CHAT_REF_MAX];
            tg_ref_put(ref, m->chat_id, id);
            u->event.card_ref = arena_dup(a, ref);
        }
        return;
    }
    /* The part that the person marked beats the whole. */
    const char *text = json_text(json_object(m->json, "quote"), "text", NULL);
    if (!text)
        text = json_text(m->reply, "text", json_text(m->reply, "caption", ""));
    if (strlen(text) < CHAT_LINE_MAX)
        u->event.quoted = clean_text(a, text, strlen(text));
}

/* --- files --- */

static void add_media(struct tg_update *u, struct arena *a, char kind, const cJSON *file)
{
    const char *id = json_text(file, "file_id", "");
    size_t n = u->event.media_count;
    size_t len = strlen(id);
    if (len == 0 || len > 200 || n >= TG_MEDIA_MAX)
        return;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)id[i]) && id[i] != '-' && id[i] != '_')
            return;
    u->media[n] = arena_printf(a, "%c:%s", kind, id);
    u->event.media_count = n + 1;
}

/* The largest size of a photo, a clip, or either sent as a file. */
static void fill_media(struct tg_update *u, const cJSON *message, struct arena *a)
{
    const cJSON *largest = NULL;
    const cJSON *size;
    int64_t width = 0;
    cJSON_ArrayForEach(size, json_array(message, "photo"))
    {
        int64_t w = json_int_or(size, "width", 0);
        if (w > width) {
            width = w;
            largest = size;
        }
    }
    const cJSON *document = json_object(message, "document");
    const char *mime = json_text(document, "mime_type", "");
    if (largest)
        add_media(u, a, 'p', largest);
    else if (json_object(message, "video"))
        add_media(u, a, 'v', json_object(message, "video"));
    else if (str_starts(mime, "image/"))
        add_media(u, a, 'p', document);
    else if (str_starts(mime, "video/"))
        add_media(u, a, 'v', document);
}

/* --- kinds of updates --- */

static void refuse(struct tg_update *u, const char *key)
{
    u->event.kind = CHAT_REFUSED;
    u->event.text = key;
}

static bool has_voice(const struct message *m)
{
    return json_object(m->json, "voice") || json_object(m->json, "audio") ||
           json_object(m->json, "video_note");
}

static bool decode_moved(struct tg_update *u, const struct message *m, struct arena *a)
{
    int64_t to = 0, from = 0;
    if (!m->is_group)
        return false;
    if (json_int(m->json, "migrate_to_chat_id", &to) && to < 0)
        from = m->chat_id;
    else if (json_int(m->json, "migrate_from_chat_id", &from) && from < 0)
        to = m->chat_id;
    else
        return false;
    fill_event(u, m, NULL, a);
    u->chat = from;
    u->event.kind = CHAT_MOVED;
    u->event.user_id = "";
    snprintf(u->event.addr.chat, sizeof(u->event.addr.chat), "%" PRId64, from);
    u->event.addr.reply[0] = u->event.addr.thread[0] = '\0';
    u->event.text = arena_printf(a, "%" PRId64, to);
    return true;
}

/* The line that is meant for the bot, or NULL. */
static const char *line_for_me(struct tg_update *u, const struct message *m, const struct tg_me *me,
                               struct arena *a)
{
    const char *line = NULL;
    switch (read_command(m, me, a, &line)) {
    case COMMAND_MINE:
        u->leads_album = u->album != NULL;
        return line;
    case COMMAND_OTHERS:
        return NULL;
    case COMMAND_NONE:
        break;
    }
    if (!m->is_group)
        return m->text;
    return is_reply_to_me(m, me) ? m->text : read_mention(m, me, a);
}

static void decode_message(const cJSON *json, const struct tg_me *me, struct arena *a,
                           struct tg_update *u)
{
    struct message m;
    if (!read_message(json, &m) || json_has(json, "business_connection_id") ||
        json_has(json, "guest_query_id"))
        return;
    u->chat = m.chat_id;
    if (decode_moved(u, &m, a))
        return;
    const char *album = json_text(json, "media_group_id", NULL);
    u->album = album ? arena_dup(a, album) : NULL;
    fill_media(u, m.json, a); /* before the words are looked at: they may be in another message */
    const char *line = line_for_me(u, &m, me, a);
    bool speaks_as_chat = json_has(json, "sender_chat");
    if (!line || !m.from || json_true(json, "is_automatic_forward") ||
        (!speaks_as_chat && json_true(m.from, "is_bot")))
        return;
    fill_event(u, &m, m.from, a);
    u->event.kind = CHAT_LINE;
    if (speaks_as_chat) { /* `from` is a stand-in that must never be billed */
        u->event.user_id = "";
        refuse(u, "chat.anonymous");
        return;
    }
    if (!*u->event.user_id) {
        u->kind = TG_SKIP;
        return;
    }
    fill_quoted(u, &m, me, a);
    if (m.reply && !is_me(json_object(m.reply, "from"), me) && *line == '/')
        fill_media(u, m.reply, a); /* "/make" said to somebody's picture */
    u->event.media = u->media;
    u->event.text = clean_text(a, line, strlen(line));
    if (strlen(line) >= CHAT_LINE_MAX)
        refuse(u, "error.too_long");
    else if (*u->event.text == '\0' && has_voice(&m))
        refuse(u, "chat.no_voice");
    else if (u->event.media_count > 0 && *u->event.text != '/')
        refuse(u, "chat.media_needs_caption");
    else if (*u->event.text == '\0')
        u->kind = TG_SKIP;
}

static void decode_callback(const cJSON *json, struct arena *a, struct tg_update *u)
{
    const cJSON *from = json_object(json, "from");
    const char *id = json_text(json, "id", "");
    const char *data = json_text(json, "data", "");
    struct message m;
    if (*id && strlen(id) <= 64)
        u->callback_id = arena_dup(a, id);
    if (!from || json_true(from, "is_bot") || !read_message(json_object(json, "message"), &m))
        return;
    /* A client can send any bytes; what it may do, the bot asks again. */
    if (*data != '/' || strlen(data) > CHAT_ACTION_MAX)
        return;
    fill_event(u, &m, from, a);
    char ref[CHAT_REF_MAX];
    tg_ref_put(ref, m.chat_id, m.id);
    u->event.kind = CHAT_BUTTON;
    u->event.text = clean_text(a, data, strlen(data));
    u->event.card_ref = arena_dup(a, ref);
    u->event.addr.reply[0] = '\0'; /* the card is the bot's own: nothing to reply to */
    u->event.press = u->callback_id ? u->callback_id : "";
    if (!*u->event.user_id)
        u->kind = TG_SKIP;
}

static void decode_membership(const cJSON *json, struct tg_update *u)
{
    int64_t chat;
    if (json_int(json_object(json, "chat"), "id", &chat) && chat != 0) {
        u->kind = TG_CHANGED;
        u->chat = chat;
    }
}

bool tg_decode(const cJSON *update, const struct tg_me *me, struct arena *a, struct tg_update *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (!json_int(update, "update_id", &ret->id) || ret->id < 0 || ret->id > INT32_MAX)
        return false;
    const cJSON *message = json_object(update, "message");
    const cJSON *callback = json_object(update, "callback_query");
    const cJSON *member = json_object(update, "my_chat_member");
    int64_t date = 0;
    if (message) {
        decode_message(message, me, a, ret);
        date = json_int_or(message, "date", 0);
    } else if (callback) {
        decode_callback(callback, a, ret);
        date = json_int_or(json_object(callback, "message"), "date", 0);
    } else if (member) {
        decode_membership(member, ret);
    }
    /* Numbering can restart after a quiet week; with the date beside it no two are alike. No
       person's or chat's id is in it: it is stored. */
    ret->event.event_id =
        arena_printf(a, "%" PRId64 ":%" PRId64 ":%" PRId64, me->id, ret->id, date);
    return true;
}
