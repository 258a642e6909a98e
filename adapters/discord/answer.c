/*
 * The first answer: within three seconds of an event that Discord may have held for a while.
 *
 * The pen writes the interaction down, many in one transaction, and the acknowledgement follows;
 * what is not written after a second is acknowledged all the same, so that a slow database costs
 * nobody a command: the session that a restart resumes still asks for it.
 */
#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "discord"

enum {
    LATE_MS = 1000,
    SLOW_MS = 150,
    WAIT_S = 6,
    WARM_MS = 40000,
    ACK_TRIES = 2,
    MODAL_UNITS = 45, /* of a title, of a label */
};

static char *callback_path(const char *id, const char *token)
{
    return str_printf("/interactions/%s/%s/callback", id, token);
}

static void ack_done(struct discord *d, const struct dc_reply *r, const char *id)
{
    bool again = false;
    bool maybe = r->action == DC_UNCLEAR; /* if it did not arrive, the first edit says so */
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < DC_INTERS_MAX; i++) {
        struct dc_inter *in = &d->inters[i];
        if (in->follow || strcmp(in->id, id) != 0)
            continue;
        again = r->action != DC_DONE && in->acks < ACK_TRIES;
        in->ack = again ? ACK_NONE : r->action == DC_DONE || maybe ? ACK_DONE : ACK_FAILED;
        break;
    }
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    if (again)
        dc_ack(d, id);
}

void dc_ack(struct discord *d, const char *id)
{
    struct dc_inter copy = {.id = ""};
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < DC_INTERS_MAX && !copy.id[0]; i++) {
        struct dc_inter *in = &d->inters[i];
        if (in->ack != ACK_NONE || in->follow || strcmp(in->id, id) != 0)
            continue;
        in->ack = ACK_SENT;
        if (in->acks++ == 0) {
            int64_t ms = now - in->heard_ms;
            d->stats.acks++;
            d->stats.ack_ms[CLAMP(ms, 0, DISCORD_ACK_SLOTS - 1)]++;
            d->stats.slow_acks += ms > SLOW_MS;
            d->stats.ack_ms_max = MAX(d->stats.ack_ms_max, ms);
        }
        copy = *in;
    }
    pthread_mutex_unlock(&d->lock);
    if (!copy.id[0])
        return;
    const char *body = copy.kind == DC_PRESS ? "{\"type\":6}"
                       : copy.is_group       ? "{\"type\":5,\"data\":{\"flags\":64}}"
                                             : "{\"type\":5}";
    struct dc_reply failed = {.action = DC_RETRY};
    if (!dc_post(d, "acknowledge", "POST", callback_path(copy.id, copy.token), str_dup(body),
                 ack_done, copy.id))
        ack_done(d, &failed, copy.id);
}

int64_t dc_ack_late(struct discord *d, int64_t now)
{
    int64_t next = 1000;
    char id[DC_ID_MAX];
    do {
        id[0] = '\0';
        pthread_mutex_lock(&d->lock);
        for (size_t i = 0; i < DC_INTERS_MAX && !id[0]; i++) {
            struct dc_inter *in = &d->inters[i];
            bool waits = in->ack == ACK_NONE && !in->follow && in->id[0] && in->acks == 0 &&
                         in->kind != DC_COMPLETE && in->kind != DC_ASK;
            if (waits && now - in->heard_ms >= LATE_MS)
                str_copy(id, sizeof(id), in->id);
            else if (waits)
                next = MIN(next, LATE_MS - (now - in->heard_ms));
        }
        pthread_mutex_unlock(&d->lock);
        if (id[0])
            dc_ack(d, id);
    } while (id[0]);
    return next;
}

void dc_ack_wait(struct discord *d, struct dc_inter *in)
{
    struct timespec until = clock_until(INT64_C(1000) * WAIT_S);
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < DC_INTERS_MAX; i++) {
        struct dc_inter *live = &d->inters[i];
        if (live->follow || strcmp(live->id, in->id) != 0)
            continue;
        int r = 0;
        while (r == 0 && strcmp(live->id, in->id) == 0 &&
               (live->ack == ACK_NONE || live->ack == ACK_SENT))
            r = pthread_cond_clockwait(&d->changed, &d->lock, CLOCK_MONOTONIC, &until);
        if (strcmp(live->id, in->id) == 0)
            in->ack = live->ack;
        break;
    }
    pthread_mutex_unlock(&d->lock);
}

void dc_complete(struct discord *d, const struct dc_event *ev)
{
    char choices[DISCORD_CHOICES_MAX][DISCORD_CHOICE_SIZE];
    size_t count = 0;
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    if (d->o.complete)
        count =
            d->o.complete(d->o.ctx, ev->command, ev->option, ev->typed, ev->event.lang, choices);
    strbuf_adds(&body, "{\"type\":8,\"data\":{\"choices\":[");
    for (size_t i = 0; i < MIN(count, DISCORD_CHOICES_MAX); i++) {
        strbuf_adds(&body, i ? ",{\"name\":" : "{\"name\":");
        json_put_text(&body, choices[i]);
        strbuf_adds(&body, ",\"value\":");
        json_put_text(&body, choices[i]);
        strbuf_addc(&body, '}');
    }
    strbuf_adds(&body, "]}}");
    char *text = strbuf_take(&body);
    if (text)
        dc_post(d, "complete", "POST", callback_path(ev->id, ev->token), text, NULL, ev->id);
}

static void put_catalog(struct discord *d, struct strbuf *out, const char *lang, const char *key)
{
    AUTO(free_ptr) char *text = d->o.text(d->o.ctx, lang, key);
    dc_put_plain(out, text, MODAL_UNITS);
}

void dc_ask_script(struct discord *d, const struct dc_event *ev)
{
    char custom[DC_CUSTOM_MAX + 1];
    const struct chat_menu *menu = dc_menu(d, ev->event.lang);
    const char *lang = menu ? menu->lang : "en";
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    static const struct {
        const char *command, *title, *label;
    } windows[] = {
        {"/make",  "discord.script_title", "discord.script_label"}, /* a whole script */
        {"/admin", "discord.admin_title",  "discord.admin_label" },
        {"",       "discord.edit_title",   "discord.edit_label"  }, /* a change of one */
    };
    size_t w = 0;
    while (windows[w].command[0] && strcmp(ev->command, windows[w].command) != 0)
        w++;
    dc_sign(d->key, ev->command, 0, custom);
    strbuf_adds(&body, "{\"type\":9,\"data\":{\"custom_id\":");
    json_put_text(&body, custom);
    strbuf_adds(&body, ",\"title\":");
    put_catalog(d, &body, lang, windows[w].title);
    strbuf_adds(&body, ",\"components\":[{\"type\":18,\"label\":");
    put_catalog(d, &body, lang, windows[w].label);
    strbuf_adds(&body, ",\"component\":{\"type\":4,\"custom_id\":\"text\",\"style\":2,"
                       "\"min_length\":1,\"max_length\":4000}}]}}");
    char *text = strbuf_take(&body);
    if (text)
        dc_post(d, "modal", "POST", callback_path(ev->id, ev->token), text, NULL, ev->id);
}

void dc_keep_warm(struct discord *d, int64_t now)
{
    pthread_mutex_lock(&d->lock);
    bool cold = now - d->warm_ms > WARM_MS;
    pthread_mutex_unlock(&d->lock);
    if (cold)
        dc_post(d, "keep warm", "GET", str_dup("/gateway"), NULL, NULL, "");
}
