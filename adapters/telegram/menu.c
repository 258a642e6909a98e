/* Command lists and descriptions, per language; written only where they differ from what is there,
 * because the server limits these methods tightly. */
#include <ctype.h>

#include "adapters/telegram/telegram_internal.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "telegram"

enum { COMMANDS_MAX = 100, TRIES = 3, WAIT_MAX_MS = 60000 };

/* Calls with patience; false when it does not work now (the menu is not worth more). */
static bool menu_call(struct telegram *t, const char *method, const char *body, struct tg_reply *r)
{
    struct err e = {0};
    struct tg_call c = {.method = method, .body = body, .cancel = &t->stop};
    for (int i = 0; i < TRIES; i++) {
        tg_reply_free(r);
        if (tg_call(t, &c, r, &e))
            return true;
        int64_t wait = r->action == TG_WAIT ? MIN(r->retry_ms, WAIT_MAX_MS) : net_backoff_ms(i);
        bool again = r->action == TG_WAIT || r->action == TG_RETRY || r->action == TG_UNCLEAR;
        if (!again || cancel_wait(&t->stop, (int)wait))
            break;
    }
    if (!cancel_fired(&t->stop))
        log_err(LOG_WARN, LOG_MODULE, &e);
    return false;
}

static void put_language(struct strbuf *out, const char *lang)
{
    strbuf_adds(out, "\"language_code\":");
    json_put_text(out, lang);
}

static bool commands_match(const cJSON *there, const struct chat_menu *m)
{
    size_t i = 0;
    const cJSON *item;
    if (!cJSON_IsArray(there))
        return false;
    cJSON_ArrayForEach(item, there)
    {
        if (i >= m->command_count ||
            strcmp(json_text(item, "command", ""), m->commands[i].name) != 0 ||
            strcmp(json_text(item, "description", ""), m->commands[i].help) != 0)
            return false;
        i++;
    }
    return i == MIN(m->command_count, COMMANDS_MAX);
}

static void publish_commands(struct telegram *t, const struct chat_menu *m, const char *lang)
{
    AUTO(tg_reply_free) struct tg_reply r = {0};
    AUTO(strbuf_free) struct strbuf body = STRBUF(TG_BODY_MAX);
    strbuf_addc(&body, '{');
    put_language(&body, lang);
    strbuf_addc(&body, '}');
    if (!menu_call(t, "getMyCommands", strbuf_text(&body), &r) || commands_match(r.result, m))
        return;
    strbuf_reset(&body);
    strbuf_addc(&body, '{');
    put_language(&body, lang);
    strbuf_adds(&body, ",\"commands\":[");
    for (size_t i = 0; i < MIN(m->command_count, COMMANDS_MAX); i++) {
        strbuf_adds(&body, i ? ",{\"command\":" : "{\"command\":");
        json_put_text(&body, m->commands[i].name);
        strbuf_adds(&body, ",\"description\":");
        json_put_text(&body, m->commands[i].help);
        strbuf_addc(&body, '}');
    }
    strbuf_adds(&body, "]}");
    if (menu_call(t, "setMyCommands", strbuf_text(&body), &r))
        log_info("command list for '%s' registered", lang);
}

static void publish_text(struct telegram *t, const char *get, const char *set, const char *field,
                         const char *text, const char *lang)
{
    AUTO(tg_reply_free) struct tg_reply r = {0};
    AUTO(strbuf_free) struct strbuf body = STRBUF(8192);
    if (!text)
        return;
    strbuf_addc(&body, '{');
    put_language(&body, lang);
    strbuf_addc(&body, '}');
    if (!menu_call(t, get, strbuf_text(&body), &r) ||
        strcmp(json_text(r.result, field, ""), text) == 0)
        return;
    strbuf_reset(&body);
    strbuf_addc(&body, '{');
    put_language(&body, lang);
    strbuf_addf(&body, ",\"%s\":", field);
    json_put_text(&body, text);
    strbuf_addc(&body, '}');
    if (menu_call(t, set, strbuf_text(&body), &r))
        log_info("%s for '%s' registered", field, lang);
}

static void publish(struct telegram *t, const struct chat_menu *m, const char *lang)
{
    if (cancel_fired(&t->stop))
        return;
    publish_commands(t, m, lang);
    publish_text(t, "getMyDescription", "setMyDescription", "description", m->about, lang);
    publish_text(t, "getMyShortDescription", "setMyShortDescription", "short_description",
                 m->about_short, lang);
}

void tg_menus_publish(struct telegram *t)
{
    for (size_t i = 0; i < t->o.menu_count; i++) {
        const struct chat_menu *m = &t->o.menus[i];
        if (i == 0)
            publish(t, m, ""); /* for languages that have no list of their own */
        /* Two letters: people with a regional tag are served by it. */
        const char *l = m->lang;
        if (strlen(l) >= 2 && islower((unsigned char)l[0]) && islower((unsigned char)l[1]) &&
            (l[2] == '\0' || l[2] == '-')) {
            char two[3] = {l[0], l[1], '\0'};
            publish(t, m, two);
        }
    }
}
