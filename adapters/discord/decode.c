#include "adapters/discord/decode.h"

#include <string.h>

#include "core/base/strbuf.h"
#include "core/base/utf8.h"
#include "core/net/json.h"

enum {
    NESTING = 3,
    PERM_ADMIN = 1 << 3,
    PERM_GUILD = 1 << 5,
    PERM_MESSAGES = 1 << 13,
    TYPE_COMMAND = 2,
    TYPE_COMPONENT = 3,
    TYPE_COMPLETE = 4,
    TYPE_MODAL = 5,
    FLAG_EPHEMERAL = 64,
};

/* --- texts --- */

static const char *clean(struct dc_event *ev, const char *text)
{
    char *copy = arena_dup(&ev->arena, text);
    ev->event.repaired |= utf8_clean(copy) > 0;
    return copy;
}

/* One word of a command line: blanks would make two of it. */
static const char *word(struct dc_event *ev, const char *text)
{
    char *copy = arena_dup(&ev->arena, text);
    utf8_clean(copy);
    for (char *p = copy; *p; p++)
        if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
            *p = '_';
    return copy;
}

/* --- files --- */

/* "d:<id of nothing but the extension>|url" is what fetch() gets back. */
static void add_media(struct dc_event *ev, const cJSON *attachment)
{
    const char *url = json_text(attachment, "url", "");
    const char *type = json_text(attachment, "content_type", "");
    bool usable = str_starts(type, "image/") || str_starts(type, "video/");
    if (!*url || strlen(url) > 2000 || ev->event.media_count == DC_MEDIA_MAX || !usable)
        return;
    ev->too_large |= json_int_or(attachment, "size", 0) > DC_FETCH_MAX;
    ev->media[ev->event.media_count++] =
        arena_printf(&ev->arena, "%c:%s", type[0] == 'v' ? 'v' : 'p', url);
    ev->event.media = ev->media;
}

static void take_attachment(struct dc_event *ev, const cJSON *data, const cJSON *option)
{
    const char *id = json_text(option, "value", "");
    const cJSON *all = json_object(json_object(data, "resolved"), "attachments");
    if (*id)
        add_media(ev, json_object(all, id));
}

/* --- commands --- */

/* What the bot's own words for the options are; others are said as they are. */
static const struct {
    const char *option, *before, *after;
} settings[] = {
    {"length", "",        "s"},
    {"aspect", "",        "" },
    {"tier",   "",        "" },
    {"voice",  "voice:",  "" },
    {"style",  "style:",  "" },
    {"script", "script:", "" },
    {"music",  "music:",  "" },
    {"speed",  "speed:",  "" },
    {"lang",   "lang:",   "" },
};

static const char *value_text(struct dc_event *ev, const cJSON *option)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(option, "value");
    int64_t number;
    if (cJSON_IsString(value))
        return value->valuestring;
    if (json_item_int(value, &number))
        return arena_printf(&ev->arena, "%lld", (long long)number);
    return cJSON_IsTrue(value) ? "on" : cJSON_IsFalse(value) ? "off" : "";
}

/* Between marks, so without any of its own. */
static void put_wish(struct dc_event *ev, const char *text, struct strbuf *out)
{
    char *wish = arena_dup(&ev->arena, text);
    utf8_clean(wish);
    for (char *p = wish; *p; p++)
        if (*p == '"' || *p == '\n')
            *p = ' ';
    strbuf_addf(out, " wish:\"%s\"", wish);
}

/* "/make 45s 16:9\nwhy the sky is blue": with settings of its own, the topic is taken to the
   letter; alone it may carry them, as when typed. */
static void put_make(struct dc_event *ev, const cJSON *data, const cJSON *options,
                     struct strbuf *out)
{
    const char *topic = "";
    bool any = false;
    const cJSON *option;
    cJSON_ArrayForEach(option, options)
    {
        const char *name = json_text(option, "name", "");
        if (strcmp(name, "topic") == 0)
            topic = json_text(option, "value", "");
        if (json_int_or(option, "type", 0) == 11)
            take_attachment(ev, data, option);
        if (strcmp(name, "wish") == 0) {
            put_wish(ev, value_text(ev, option), out);
            any = true;
        }
        for (size_t i = 0; i < COUNT(settings); i++)
            if (strcmp(settings[i].option, name) == 0) {
                strbuf_addf(out, " %s%s%s", settings[i].before, word(ev, value_text(ev, option)),
                            settings[i].after);
                any = true;
            }
    }
    strbuf_addc(out, any ? '\n' : ' ');
    strbuf_adds(out, topic);
}

static const cJSON *find_option(const cJSON *options, const char *name)
{
    const cJSON *option;
    cJSON_ArrayForEach(option, options)
    {
        if (strcmp(json_text(option, "name", ""), name) == 0)
            return option;
    }
    return NULL;
}

static void put_option(struct dc_event *ev, const cJSON *data, const cJSON *option,
                       struct strbuf *out)
{
    if (json_int_or(option, "type", 0) == 11)
        take_attachment(ev, data, option);
    else if (strcmp(json_text(option, "name", ""), "claim") == 0)
        strbuf_addf(out, " claim %s", value_text(ev, option));
    else
        strbuf_addf(out, " %s", value_text(ev, option));
}

/* People fill options in in any order; the bot reads their words in one. */
static void put_options(struct dc_event *ev, const char *command, const cJSON *data,
                        const cJSON *options, struct strbuf *out)
{
    const char *name;
    const cJSON *option;
    for (size_t i = 0; (name = dc_option_name(command, i)); i++)
        if ((option = find_option(options, name)))
            put_option(ev, data, option, out);
}

/* Down through groups and subcommands; their names become words. */
static const cJSON *walk_down(struct dc_event *ev, const cJSON *data, struct strbuf *out)
{
    const cJSON *options = json_array(data, "options");
    for (int depth = 0; depth < NESTING; depth++) {
        const cJSON *first = cJSON_GetArrayItem(options, 0);
        int64_t type = json_int_or(first, "type", 0);
        if (type != 1 && type != 2)
            break;
        strbuf_addf(out, " %s", word(ev, json_text(first, "name", "")));
        options = json_array(first, "options");
    }
    return options;
}

static bool read_message_command(struct dc_event *ev, const cJSON *data)
{
    const char *target = json_text(data, "target_id", "");
    const cJSON *message =
        json_object(json_object(json_object(data, "resolved"), "messages"), target);
    const cJSON *attachment;
    if (!message)
        return false;
    cJSON_ArrayForEach(attachment, json_array(message, "attachments")) add_media(ev, attachment);
    ev->event.quoted = clean(ev, json_text(message, "content", ""));
    ev->event.text = "/make";
    return true;
}

static bool read_command(struct dc_event *ev, const cJSON *data)
{
    const char *name = json_text(data, "name", "");
    if (json_int_or(data, "type", 1) == 3)
        return read_message_command(ev, data);
    if (strcmp(name, "script") == 0 && cJSON_GetArraySize(json_array(data, "options")) == 0) {
        ev->kind = DC_ASK;
        ev->command = "/make";
        return true;
    }
    AUTO(strbuf_free) struct strbuf out = STRBUF(CHAT_LINE_MAX);
    strbuf_addf(&out, "/%s", word(ev, name));
    if (strcmp(name, "make") == 0)
        put_make(ev, data, json_array(data, "options"), &out);
    else
        put_options(ev, name, data, walk_down(ev, data, &out), &out);
    ev->event.text = clean(ev, strbuf_text(&out));
    return *name && !out.failed;
}

static bool read_complete(struct dc_event *ev, const cJSON *data)
{
    AUTO(strbuf_free) struct strbuf ignored = STRBUF(1000);
    const cJSON *option;
    ev->kind = DC_COMPLETE;
    ev->command = clean(ev, json_text(data, "name", ""));
    ev->option = ev->typed = "";
    cJSON_ArrayForEach(option, walk_down(ev, data, &ignored))
    {
        if (!json_true(option, "focused"))
            continue;
        ev->option = clean(ev, json_text(option, "name", ""));
        ev->typed = clean(ev, json_text(option, "value", ""));
    }
    return true;
}

/* --- components and modals --- */

static void refuse(struct dc_event *ev, const char *key)
{
    ev->event.kind = CHAT_REFUSED;
    ev->event.text = key;
    ev->event.quoted = "";
}

static void read_press(struct dc_event *ev, const cJSON *d, const cJSON *data,
                       const unsigned char key[static 32])
{
    char action[CHAT_ACTION_MAX + 1];
    char ref[CHAT_REF_MAX];
    const cJSON *message = json_object(d, "message");
    const cJSON *first = cJSON_GetArrayItem(json_array(data, "values"), 0);
    const char *id = json_text(message, "id", "");
    ev->event.kind = CHAT_BUTTON;
    if (dc_id_ok(id)) {
        str_copy(ev->message, sizeof(ev->message), id);
        ev->message_is_private = json_int_or(message, "flags", 0) & FLAG_EPHEMERAL;
        dc_ref_put(ref, id, ev->event.addr.chat, ev->message_is_private);
        ev->event.card_ref = arena_dup(&ev->arena, ref);
    }
    const char *chosen = cJSON_IsString(first) ? first->valuestring : "";
    /* In a menu each option carries its own action. */
    if (!dc_unsign(key, first ? chosen : json_text(data, "custom_id", ""), action) ||
        action[0] == '=')
        refuse(ev, "chat.old_button");
    else if (action[0] == '?') {
        ev->kind = DC_ASK;
        ev->command = clean(ev, action + 1);
    } else
        ev->event.text = clean(ev, action);
}

/* The text inputs of a modal, whatever they are wrapped in. */
static void gather_inputs(const cJSON *list, struct strbuf *out, int depth)
{
    const cJSON *item;
    if (depth > NESTING)
        return;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *inner = json_object(item, "component");
        const char *value = json_text(inner ? inner : item, "value", NULL);
        if (value)
            strbuf_addf(out, "\n%s", value);
        gather_inputs(json_array(item, "components"), out, depth + 1);
    }
}

static void read_submit(struct dc_event *ev, const cJSON *data, const unsigned char key[static 32])
{
    char action[CHAT_ACTION_MAX + 1];
    AUTO(strbuf_free) struct strbuf out = STRBUF(CHAT_LINE_MAX);
    if (!dc_unsign(key, json_text(data, "custom_id", ""), action)) {
        refuse(ev, "chat.old_button");
        return;
    }
    strbuf_adds(&out, action);
    gather_inputs(json_array(data, "components"), &out, 0);
    if (out.failed)
        refuse(ev, "error.too_long");
    else
        ev->event.text = clean(ev, strbuf_text(&out));
}

/* --- who and where --- */

static bool has_bits(const char *decimal, uint64_t bits)
{
    int64_t value = 0;
    return str_to_int(decimal, 0, INT64_MAX, &value) && ((uint64_t)value & bits) != 0;
}

/* See the channel, send, attach; in threads also the right for those. */
static bool may_post(const cJSON *d)
{
    int64_t type = json_int_or(json_object(d, "channel"), "type", 0);
    int64_t have = 0, need = 1 << 10 | 1 << 11 | 1 << 15;
    if (type >= 10 && type <= 12)
        need = 1 << 10 | 1 << 15 | INT64_C(1) << 38;
    if (!str_to_int(json_text(d, "app_permissions", ""), 0, INT64_MAX, &have))
        return true; /* not told: trying tells */
    return (have & need) == need || (have & PERM_ADMIN) != 0;
}

static bool read_who(struct dc_event *ev, const cJSON *d)
{
    const cJSON *member = json_object(d, "member");
    const cJSON *user = json_object(member ? member : d, "user");
    const cJSON *owners = json_object(d, "authorizing_integration_owners");
    const char *id = json_text(user, "id", "");
    const char *channel = json_text(d, "channel_id", "");
    const char *guild = json_text(d, "guild_id", "");
    int64_t context = json_int_or(d, "context", json_has(d, "guild_id") ? 0 : 1);
    if (!dc_id_ok(id) || !dc_id_ok(channel))
        return false;
    ev->event.user_id = arena_dup(&ev->arena, id);
    ev->event.is_group = context != 1;
    const char *rights = json_text(member, "permissions", "");
    ev->event.is_group_admin = has_bits(rights, PERM_ADMIN | PERM_GUILD);
    ev->event.is_moderator = has_bits(rights, PERM_ADMIN | PERM_GUILD | PERM_MESSAGES);
    ev->may_post = !ev->event.is_group || ((!owners || json_has(owners, "0")) && may_post(d));
    struct chat_addr *to = &ev->event.addr;
    str_copy(to->network, sizeof(to->network), "discord");
    str_copy(to->chat, sizeof(to->chat), channel);
    str_copy(to->thread, sizeof(to->thread), ev->event.is_group ? id : "");
    str_copy(to->reply, sizeof(to->reply), ev->id);
    str_copy(to->group, sizeof(to->group), dc_id_ok(guild) ? guild : "");
    return true;
}

bool dc_decode(const cJSON *d, const unsigned char key[static 32], struct dc_event *ret)
{
    struct dc_event *ev = ret;
    const cJSON *data = json_object(d, "data");
    const char *token = json_text(d, "token", "");
    const char *id = json_text(d, "id", "");
    const char *app = json_text(d, "application_id", "");
    bool ok = dc_id_ok(id) && dc_id_ok(app) && *token && strlen(token) < DC_TOKEN_MAX &&
              !strpbrk(token, "/?#% \\\r\n");
    *ev = (struct dc_event){
        .event = {.kind = CHAT_LINE,
                  .text = "",
                  .card_ref = "",
                  .quoted = "",
                  .user_id = "",
                  .lang = ""}
    };
    if (!ok)
        return false;
    str_copy(ev->id, sizeof(ev->id), id);
    str_copy(ev->app, sizeof(ev->app), app);
    ev->token = arena_dup(&ev->arena, token);
    ev->event.event_id = ev->id;
    ev->event.lang = clean(ev, json_text(d, "locale", ""));
    int64_t told = MAX(json_int_or(d, "attachment_size_limit", 0), 0);
    ev->event.video_bytes_max = DC_FIT(MIN(told, DC_FILE_MAX));
    if (!read_who(ev, d))
        return false;
    switch (json_int_or(d, "type", 0)) {
    case TYPE_COMMAND:
        ev->kind = DC_COMMAND;
        ok = read_command(ev, data);
        break;
    case TYPE_COMPONENT:
        ev->kind = DC_PRESS;
        read_press(ev, d, data, key);
        break;
    case TYPE_COMPLETE:
        ok = read_complete(ev, data);
        break;
    case TYPE_MODAL:
        ev->kind = DC_SUBMIT;
        read_submit(ev, data, key);
        break;
    default:
        ok = false;
        break;
    }
    if (ok && ev->too_large)
        refuse(ev, "chat.file_too_large"); /* before anybody waits for it */
    if (!ok)
        ev->kind = DC_NOTHING;
    return ok;
}

void dc_event_free(struct dc_event *ev)
{
    arena_free(&ev->arena);
}
