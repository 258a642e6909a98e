/*
 * The finished video, by the first way that is open: into the card where only its owner reads, else
 * as a new message in the channel, through the interaction's token, in direct messages. Streamed
 * from disk, ended by a stall and not by a clock.
 */
#include <inttypes.h>

#include "adapters/discord/discord_internal.h"
#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "discord"

enum { TRIES = 3, PATIENCE_MS = 90000, MARGIN_MS = 60000, ALT_MAX = 200 };

struct delivery {
    struct discord *d;
    const struct chat_addr *to;
    const struct chat_video *video;
    const struct cancel *cancel;
    char ref[CHAT_REF_MAX]; /* of the result */
    enum dc_action action;  /* of the last try */
};

/* One way. mention: who is pinged, or "". extra: more members of the JSON. */
static bool try_way(struct delivery *v, struct dc_call *c, const char *channel, const char *mention,
                    const char *extra, struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    AUTO(free_ptr) char *path = c->path;
    char alt[ALT_MAX];
    str_copy(alt, sizeof(alt), v->video->title ? v->video->title : "");
    dc_put_message(v->d, &body, v->video->caption, mention, -1);
    strbuf_adds(&body, ",\"attachments\":[{\"id\":0,\"filename\":\"video.mp4\",\"description\":");
    json_put_text(&body, alt);
    strbuf_addf(&body, "}]%s}", extra);
    if (body.failed)
        return err_set(e, ERR_INTERNAL, "error.internal", "discord: caption too long");
    const struct net_part parts[] = {
        {.name = "payload_json",  .value = strbuf_text(&body), .mime = "application/json"},
        { .name = "files[0]", .file = v->video->path,    .file_name = "video.mp4",        .mime = "video/mp4"},
    };
    c->parts = parts;
    c->part_count = COUNT(parts);
    c->patience_ms = PATIENCE_MS;
    c->cancel = v->cancel;
    for (int i = 0; i < TRIES; i++) {
        AUTO(dc_reply_free) struct dc_reply r = {0};
        c->path = str_dup(path);
        crash_at("discord.deliver");
        bool ok = dc_call(v->d, c, &r, e);
        crash_at("discord.delivered");
        v->action = r.action;
        if (ok) {
            const char *id = json_text(r.doc, "id", "");
            const char *where = json_text(r.doc, "channel_id", channel);
            v->ref[0] = '\0';
            if (dc_id_ok(id) && dc_id_ok(where))
                dc_ref_put(v->ref, id, where, false);
            c->path = NULL;
            return true;
        }
        log_err(LOG_INFO, LOG_MODULE, e);
        bool again = r.action == DC_RETRY || (r.action == DC_UNCLEAR && !c->once);
        if (!again || cancel_wait(v->cancel, 1000 << i))
            break;
    }
    c->path = NULL;
    return false;
}

/* --- the ways --- */

static bool into_card(struct delivery *v, const char *message, const char *channel, struct err *e)
{
    struct dc_inter in;
    char major[2 * DC_ID_MAX];
    struct dc_call c = {.name = "deliver into the card", .method = "PATCH"};
    if (dc_inter_by_message(v->d, message, MARGIN_MS, &in)) {
        dc_ack_wait(v->d, &in);
        snprintf(major, sizeof(major), "%s/%s", in.app, in.id);
        c.route = "PATCH /webhooks/{}/{}/messages/@original";
        c.major = major;
        c.path = str_printf("/webhooks/%s/%s/messages/%s", in.app, in.token,
                            in.follow ? message : "@original");
        c.is_token_path = true;
        if (try_way(v, &c, channel, "", "", e) || v->action != DC_EXPIRED)
            return v->action == DC_DONE;
        dc_inter_dead(v->d, in.id);
    }
    c.route = "PATCH /channels/{}/messages/{}";
    c.major = channel;
    c.path = str_printf("/channels/%s/messages/%s", channel, message);
    c.is_token_path = false;
    return try_way(v, &c, channel, "", "", e);
}

/* A public message below the answer; also where the bot itself may not write. */
static bool by_token(struct delivery *v, struct dc_inter *in, struct err *e)
{
    char major[2 * DC_ID_MAX];
    dc_ack_wait(v->d, in);
    snprintf(major, sizeof(major), "%s/%s", in->app, in->id);
    struct dc_call c = {.name = "deliver below the answer",
                        .method = "POST",
                        .route = "POST /webhooks/{}/{}",
                        .major = major,
                        .path = str_printf("/webhooks/%s/%s", in->app, in->token),
                        .is_token_path = true,
                        .once = true};
    bool ok = try_way(v, &c, v->to->chat, v->to->thread, "", e);
    if (v->action == DC_EXPIRED)
        dc_inter_dead(v->d, in->id);
    return ok;
}

static bool to_channel(struct delivery *v, const char *channel, struct err *e)
{
    char nonce[DC_NONCE_SIZE];
    char extra[100];
    dc_nonce(nonce, v->to->reply, v->video->path);
    snprintf(extra, sizeof(extra), ",\"nonce\":\"%s\",\"enforce_nonce\":true", nonce);
    struct dc_call c = {.name = "deliver to the channel",
                        .method = "POST",
                        .route = "POST /channels/{}/messages",
                        .major = channel,
                        .path = str_printf("/channels/%s/messages", channel)};
    return try_way(v, &c, channel, v->to->thread, extra, e);
}

static bool to_person(struct delivery *v, struct err *e)
{
    char dm[DC_ID_MAX];
    return dc_dm_channel(v->d, v->to->thread, v->cancel, dm, e) && to_channel(v, dm, e);
}

/* Another way may be open. */
static bool may_go_on(const struct delivery *v)
{
    switch (v->action) {
    case DC_EXPIRED:
    case DC_GONE:
    case DC_NO_ACCESS:
    case DC_FOLLOWUPS:
    case DC_NO_DM:
        return !cancel_fired(v->cancel);
    default:
        return false;
    }
}

/* The ephemeral card shows nothing that is still true. */
static void remove_card(struct discord *d, const char *message)
{
    struct dc_inter in;
    if (dc_inter_by_message(d, message, MARGIN_MS / 10, &in))
        dc_post(d, "remove card", "DELETE",
                str_printf("/webhooks/%s/%s/messages/%s", in.app, in.token,
                           in.follow ? message : "@original"),
                NULL, NULL, "");
}

/* Where others read along: in the channel (the nonce makes a repeat harmless), else through the
   token, which also reaches places where the bot may not write, else to the person alone. */
static bool climb_in_public(struct delivery *v, const char *message, bool hidden, struct err *e)
{
    struct dc_inter in;
    const struct chat_addr *to = v->to;
    bool token = *message && hidden && dc_inter_by_message(v->d, message, MARGIN_MS, &in);
    token = token || dc_inter_by_id(v->d, to->reply, MARGIN_MS, &in);
    if (!token || in.may_post) {
        if (to_channel(v, to->chat, e) || !may_go_on(v))
            return v->action == DC_DONE;
        *e = (struct err){0};
    }
    if (token) {
        if (by_token(v, &in, e) || !may_go_on(v))
            return v->action == DC_DONE;
        *e = (struct err){0};
    }
    return to_person(v, e);
}

static bool climb(struct delivery *v, const char *message, const char *channel, bool hidden,
                  struct err *e)
{
    if (v->to->thread[0])
        return climb_in_public(v, message, hidden, e);
    if (*message && !hidden) {
        if (into_card(v, message, channel, e) || !may_go_on(v))
            return v->action == DC_DONE;
        *e = (struct err){0};
    }
    return to_channel(v, v->to->chat, e);
}

bool dc_deliver(void *self, const struct chat_addr *to, const char *ref,
                const struct chat_video *video, const struct cancel *cancel,
                char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct discord *d = self;
    struct delivery v = {.d = d, .to = to, .video = video, .cancel = cancel};
    char message[DC_ID_MAX] = "", channel[DC_ID_MAX] = "";
    bool hidden = false;
    if (!dc_id_ok(to->chat))
        return err_set(e, ERR_INTERNAL, "error.internal", "discord: not a channel");
    if (video->bytes > MAX(d->abilities.video_bytes_max, DC_FIT(DC_FILE_MAX)))
        return err_set(e, ERR_LIMIT, "deliver.too_large", "discord: film of %" PRId64 " bytes",
                       video->bytes);
    if (!dc_ref_get(ref, message, channel, &hidden))
        message[0] = '\0';
    if (climb(&v, message, channel, hidden, e)) {
        str_copy(ret_ref, CHAT_REF_MAX, v.ref);
        if (*message && hidden)
            remove_card(d, message);
        return true;
    }
    if (cancel_fired(cancel))
        return err_set(e, ERR_CANCELLED, "error.cancelled", "discord: upload stopped");
    /* Into a card and with a nonce a repeat by the next attempt is harmless. */
    if (e->code == ERR_CONFLICT && !to->thread[0])
        e->code = ERR_RETRY;
    return false;
}
