/* Interactions: what their tokens can still do, in memory and beyond a restart. */
#include <inttypes.h>

#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"
#include "core/net/json.h"

enum {
    TOKEN_MS = 15 * 60 * 1000,
    PART_MS = 150 * 1000, /* before its end: minute 12:30 */
    KEEP_SECONDS = 16 * 60,
};

/* With lock held. */
static struct dc_inter *find(struct discord *d, const char *id)
{
    for (size_t i = 0; i < DC_INTERS_MAX; i++)
        if (*id && !d->inters[i].follow && strcmp(d->inters[i].id, id) == 0)
            return &d->inters[i];
    return NULL;
}

/* With lock held: the newest that edits this message. */
static struct dc_inter *find_message(struct discord *d, const char *message)
{
    struct dc_inter *best = NULL;
    for (size_t i = 0; i < DC_INTERS_MAX; i++) {
        struct dc_inter *in = &d->inters[i];
        if (in->message[0] && strcmp(in->message, message) == 0 &&
            (!best || in->until_ms > best->until_ms))
            best = in;
    }
    return best;
}

static int64_t token_ms(const struct discord *d)
{
    return d->o.token_ms ? d->o.token_ms : TOKEN_MS;
}

void dc_inter_add(struct discord *d, const struct dc_event *ev, int64_t heard_ms)
{
    struct dc_inter in = {.kind = ev->kind,
                          .is_group = ev->event.is_group,
                          .may_post = ev->may_post,
                          .answered = ev->kind == DC_PRESS,
                          .heard_ms = heard_ms,
                          .unwritten = true,
                          .until_ms = heard_ms + token_ms(d)};
    str_copy(in.id, sizeof(in.id), ev->id);
    str_copy(in.app, sizeof(in.app), ev->app);
    str_copy(in.message, sizeof(in.message), ev->message);
    str_copy(in.token, sizeof(in.token), ev->token);
    pthread_mutex_lock(&d->lock);
    if (!find(d, ev->id)) {
        free(d->inters[d->inter_next].farewell);
        d->inters[d->inter_next] = in;
        d->inter_next = (d->inter_next + 1) % DC_INTERS_MAX;
        dc_pen_call(d);
    }
    pthread_mutex_unlock(&d->lock);
}

/* --- beyond a restart --- */

static void put(const struct dc_inter *in, const char *key_kind, const char *key_id,
                struct dc_notes *notes)
{
    AUTO(strbuf_free) struct strbuf out = STRBUF(1500);
    int64_t left = in->until_ms - clock_mono_ms();
    if (left <= 0)
        return;
    strbuf_addf(&out,
                "{\"id\":\"%s\",\"app\":\"%s\",\"message\":\"%s\",\"until\":%" PRId64 ",\"token\":",
                in->id, in->app, in->message, clock_wall_ms() + left);
    json_put_text(&out, in->token);
    strbuf_addf(&out, ",\"group\":%s,\"here\":%s,\"answered\":%s,\"follow\":%s}",
                in->is_group ? "true" : "false", in->may_post ? "true" : "false",
                in->answered ? "true" : "false", in->follow ? "true" : "false");
    if (!out.failed)
        dc_notes_add(notes, KEEP_SECONDS, out.text, "discord.%s.%s", key_kind, key_id);
}

void dc_inter_note(const struct dc_inter *in, struct dc_notes *notes)
{
    if (!in->follow)
        put(in, "i", in->id, notes);
    if (in->message[0])
        put(in, "m", in->message, notes);
}

static void keep(struct discord *d, const struct dc_inter *in)
{
    AUTO(dc_notes_free) struct dc_notes notes = {.count = 0};
    dc_inter_note(in, &notes);
    dc_keep(d, &notes, false); /* lost, it costs a message by a longer way */
}

static bool recall(struct discord *d, const char *key_kind, const char *key_id,
                   struct dc_inter *ret)
{
    char key[64];
    char value[1600];
    struct err ignored = {0};
    AUTO(json_free) cJSON *doc = NULL;
    snprintf(key, sizeof(key), "discord.%s.%s", key_kind, key_id);
    if (!d->o.recall || !d->o.recall(d->o.ctx, key, value, sizeof(value)) ||
        !json_parse(value, strlen(value), NULL, &doc, &ignored))
        return false;
    *ret = (struct dc_inter){.ack = ACK_DONE,
                             .is_group = json_true(doc, "group"),
                             .may_post = json_true(doc, "here"),
                             .answered = json_true(doc, "answered"),
                             .follow = json_true(doc, "follow"),
                             .until_ms = clock_mono_ms() +
                                         (json_int_or(doc, "until", 0) - clock_wall_ms())};
    return str_copy(ret->id, sizeof(ret->id), json_text(doc, "id", "")) &&
           str_copy(ret->app, sizeof(ret->app), json_text(doc, "app", "")) &&
           str_copy(ret->message, sizeof(ret->message), json_text(doc, "message", "")) &&
           str_copy(ret->token, sizeof(ret->token), json_text(doc, "token", "")) && ret->token[0];
}

/* --- lookups --- */

/* Spans of a token's life, scaled with it. */
static int64_t scaled(const struct discord *d, int64_t ms)
{
    return ms * token_ms(d) / TOKEN_MS;
}

static bool good(const struct discord *d, const struct dc_inter *in, int64_t margin_ms)
{
    return in->until_ms - scaled(d, margin_ms) > clock_mono_ms() && in->ack != ACK_FAILED;
}

bool dc_inter_by_id(struct discord *d, const char *id, int64_t margin_ms, struct dc_inter *ret)
{
    if (!dc_id_ok(id))
        return false;
    pthread_mutex_lock(&d->lock);
    struct dc_inter *in = find(d, id);
    if (in)
        *ret = *in;
    pthread_mutex_unlock(&d->lock);
    return (in || recall(d, "i", id, ret)) && good(d, ret, margin_ms);
}

bool dc_inter_by_message(struct discord *d, const char *message, int64_t margin_ms,
                         struct dc_inter *ret)
{
    pthread_mutex_lock(&d->lock);
    struct dc_inter *in = find_message(d, message);
    if (in)
        *ret = *in;
    pthread_mutex_unlock(&d->lock);
    return (in || recall(d, "m", message, ret)) && good(d, ret, margin_ms);
}

void dc_inter_answered(struct discord *d, const struct dc_inter *in, const char *message)
{
    struct dc_inter copy = *in;
    copy.answered = true;
    str_copy(copy.message, sizeof(copy.message), message);
    pthread_mutex_lock(&d->lock);
    struct dc_inter *live = find(d, in->id);
    if (live) {
        live->answered = true;
        str_copy(live->message, sizeof(live->message), message);
    }
    pthread_mutex_unlock(&d->lock);
    keep(d, &copy);
}

void dc_inter_follow(struct discord *d, const struct dc_inter *in, const char *message)
{
    struct dc_inter copy = *in;
    copy.follow = true;
    copy.unwritten = false;
    str_copy(copy.message, sizeof(copy.message), message);
    copy.farewell = NULL;
    pthread_mutex_lock(&d->lock);
    free(d->inters[d->inter_next].farewell);
    d->inters[d->inter_next] = copy;
    d->inter_next = (d->inter_next + 1) % DC_INTERS_MAX;
    pthread_mutex_unlock(&d->lock);
    keep(d, &copy);
}

void dc_inter_dead(struct discord *d, const char *id)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < DC_INTERS_MAX; i++)
        if (strcmp(d->inters[i].id, id) == 0)
            d->inters[i].until_ms = 0;
    pthread_mutex_unlock(&d->lock);
}

/* --- the end of a token --- */

bool dc_inter_ends(const struct discord *d, const struct dc_inter *in)
{
    return in->until_ms - scaled(d, PART_MS) <= clock_mono_ms();
}

void dc_inter_farewell(struct discord *d, const char *message, char *body)
{
    pthread_mutex_lock(&d->lock);
    struct dc_inter *in = find_message(d, message);
    if (in) {
        free(in->farewell);
        in->farewell = dc_inter_ends(d, in) ? NULL : TAKE(body);
    }
    pthread_mutex_unlock(&d->lock);
    free(body);
}

int64_t dc_part(struct discord *d, int64_t now)
{
    int64_t next = 1000;
    for (size_t i = 0; i < DC_INTERS_MAX; i++) {
        struct dc_inter copy = {.id = ""};
        char *body = NULL;
        pthread_mutex_lock(&d->lock);
        struct dc_inter *in = &d->inters[i];
        if (in->farewell && dc_inter_ends(d, in)) {
            body = TAKE(in->farewell);
            copy = *in;
        } else if (in->farewell) {
            next = MIN(next, in->until_ms - scaled(d, PART_MS) - now);
        }
        pthread_mutex_unlock(&d->lock);
        if (body && copy.until_ms > now)
            dc_post(d, "last words", "PATCH",
                    str_printf("/webhooks/%s/%s/messages/%s", copy.app, copy.token,
                               copy.follow ? copy.message : "@original"),
                    TAKE(body), NULL, copy.id);
        free(body);
    }
    return MAX(next, 1);
}
