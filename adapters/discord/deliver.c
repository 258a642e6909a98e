/*
 * The finished video, by the first way that is open: into the card where only its owner reads, else
 * as a new message in the channel, through the interaction's token, in direct messages. Streamed
 * from disk, ended by a stall and not by a clock.
 *
 * Never twice: edits may be repeated, a message in a channel carries a nonce and a file name of its
 * own by which it is found again, and a message through a token is a text first, noted, and becomes
 * the video by an edit. What was begun and what is done is noted under the delivery's id.
 */
#include <inttypes.h>

#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "discord"

enum {
    TRIES = 3,
    PATIENCE_MS = 90000,
    MARGIN_MS = 60000,
    ALT_MAX = 200,
    HALVE_MIN = 200000, /* no smaller film is worth looking at */
    KEEP_SECONDS = 3 * 86400,
    LOOK_BACK_MS = 60000, /* clocks differ */
};

struct delivery {
    struct discord *d;
    const struct chat_addr *to;
    const struct chat_video *video;
    const struct cancel *cancel;
    char id[HASH_HEX], file[40]; /* of this delivery; the video's name */
    char ref[CHAT_REF_MAX];      /* of the result */
    enum dc_action action;       /* of the last try */
    /* what an earlier attempt began: */
    char channel[DC_ID_MAX]; /* a message with the video may be there; "" none */
    int64_t since_ms;        /* wall clock */
    char text[DC_ID_MAX];    /* this message waits for the video; "" none */
    char inter[DC_ID_MAX];   /* that its token belongs to */
};

/* --- the note --- */

static bool note(struct delivery *v, struct err *e)
{
    AUTO(dc_notes_free) struct dc_notes notes = {.count = 0};
    AUTO(strbuf_free) struct strbuf out = STRBUF(500);
    strbuf_addf(&out,
                "{\"channel\":\"%s\",\"since\":%" PRId64
                ",\"text\":\"%s\",\"inter\":\"%s\",\"ref\":\"%s\"}",
                v->channel, v->since_ms, v->text, v->inter, v->ref);
    dc_notes_add(&notes, KEEP_SECONDS, strbuf_text(&out), "discord.film.%s", v->id);
    return dc_keep(v->d, &notes, true) ||
           err_set(e, ERR_RETRY, "error.database", "discord: a delivery cannot be noted now");
}

static void read_note(struct delivery *v)
{
    struct discord *d = v->d;
    AUTO(json_free) cJSON *doc = NULL;
    struct err ignored = {0};
    struct hash h;
    char key[HASH_HEX + 20], value[600];
    hash_begin(&h, "discord-film");
    hash_text(&h, "id", v->video->id ? v->video->id : v->video->path);
    hash_text(&h, "reply", v->to->reply);
    hash_end(&h, v->id);
    snprintf(v->file, sizeof(v->file), "video-%.12s.mp4", v->id);
    snprintf(key, sizeof(key), "discord.film.%s", v->id);
    if (!d->o.recall || !d->o.recall(d->o.ctx, key, value, sizeof(value)) ||
        !json_parse(value, strlen(value), NULL, &doc, &ignored))
        return;
    str_copy(v->channel, sizeof(v->channel), json_text(doc, "channel", ""));
    str_copy(v->text, sizeof(v->text), json_text(doc, "text", ""));
    str_copy(v->inter, sizeof(v->inter), json_text(doc, "inter", ""));
    str_copy(v->ref, sizeof(v->ref), json_text(doc, "ref", ""));
    v->since_ms = json_int_or(doc, "since", 0);
}

/* --- one request --- */

static void set_ref(struct delivery *v, const struct dc_reply *r, const char *channel)
{
    const char *id = json_text(r->doc, "id", "");
    const char *where = json_text(r->doc, "channel_id", channel);
    v->ref[0] = '\0';
    if (dc_id_ok(id) && dc_id_ok(where))
        dc_ref_put(v->ref, id, where, false);
}

/* One way. mention: who is pinged, or "". extra: more members of the JSON. */
static bool try_way(struct delivery *v, struct dc_call *c, const char *channel, const char *mention,
                    const char *extra, struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    AUTO(free_ptr) char *path = c->path;
    char alt[ALT_MAX];
    str_copy(alt, sizeof(alt), v->video->title ? v->video->title : "");
    dc_put_message(v->d, &body, v->video->caption, mention, "", -1);
    strbuf_addf(&body, ",\"attachments\":[{\"id\":0,\"filename\":\"%s\",\"description\":", v->file);
    json_put_text(&body, alt);
    strbuf_addf(&body, "}]%s}", extra);
    if (body.failed)
        return err_set(e, ERR_INTERNAL, "error.internal", "discord: caption too long");
    const struct net_part parts[] = {
        {.name = "payload_json",  .value = strbuf_text(&body), .mime = "application/json"},
        { .name = "files[0]", .file = v->video->path,        .file_name = v->file,        .mime = "video/mp4"},
    };
    c->parts = parts;
    c->part_count = COUNT(parts);
    c->patience_ms = PATIENCE_MS;
    c->cancel = v->cancel;
    int64_t pause = v->d->o.backoff_ms ? v->d->o.backoff_ms : 1000;
    for (int i = 0; i < TRIES; i++) {
        AUTO(dc_reply_free) struct dc_reply r = {0};
        c->path = str_dup(path);
        crash_at("discord.deliver");
        bool ok = dc_call(v->d, c, &r, e);
        crash_at("discord.delivered");
        v->action = r.action;
        if (ok) {
            set_ref(v, &r, channel);
            c->path = NULL;
            return true;
        }
        log_err(LOG_INFO, LOG_MODULE, e);
        bool again = r.action == DC_RETRY || (r.action == DC_UNCLEAR && !c->once);
        if (!again || cancel_wait(v->cancel, (int)(pause << i)))
            break;
    }
    c->path = NULL;
    return false;
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

/* --- the ways --- */

static bool into_card(struct delivery *v, const char *message, const char *channel, struct err *e)
{
    struct dc_inter in;
    char major[DC_MAJOR_MAX];
    struct dc_call c = {.name = "deliver into the card"};
    if (dc_inter_by_message(v->d, message, MARGIN_MS, &in)) {
        dc_ack_wait(v->d, &in);
        dc_aim_by_token(&c, &in, message, major);
        if (try_way(v, &c, channel, "", "", e) || v->action != DC_EXPIRED)
            return v->action == DC_DONE;
        dc_inter_dead(v->d, in.id);
    }
    dc_aim_by_bot(&c, channel, message);
    return try_way(v, &c, channel, "", "", e);
}

/* The message of an earlier attempt whose answer was lost: true when it is there. */
static bool find_posted(struct delivery *v, const char *channel)
{
    AUTO(dc_reply_free) struct dc_reply r = {0};
    struct err ignored = {0};
    const cJSON *message;
    if (strcmp(v->channel, channel) != 0)
        return false;
    int64_t from = MAX(v->since_ms - LOOK_BACK_MS - DC_EPOCH_MS, 0);
    struct dc_call c = {
        .name = "look for a video",
        .method = "GET",
        .route = "GET /channels/{}/messages",
        .major = channel,
        .path = str_printf("/channels/%s/messages?limit=100&after=%" PRId64, channel, from << 22),
        .patience_ms = PATIENCE_MS,
        .cancel = v->cancel};
    if (!dc_call(v->d, &c, &r, &ignored))
        return false; /* not allowed to look: the nonce has to do */
    cJSON_ArrayForEach(message, r.doc)
    {
        const cJSON *file = cJSON_GetArrayItem(json_array(message, "attachments"), 0);
        const char *id = json_text(message, "id", "");
        if (strcmp(json_text(file, "filename", ""), v->file) != 0 || !dc_id_ok(id))
            continue;
        dc_ref_put(v->ref, id, channel, false);
        v->action = DC_DONE;
        return true;
    }
    return false;
}

static bool to_channel(struct delivery *v, const char *channel, struct err *e)
{
    char nonce[DC_NONCE_SIZE];
    char extra[100];
    if (find_posted(v, channel))
        return true;
    if (strcmp(v->channel, channel) != 0) {
        str_copy(v->channel, sizeof(v->channel), channel);
        v->since_ms = clock_wall_ms();
        v->action = DC_RETRY;
        if (!note(v, e))
            return false;
    }
    dc_nonce(nonce, v->to->reply, v->id);
    snprintf(extra, sizeof(extra), ",\"nonce\":\"%s\",\"enforce_nonce\":true", nonce);
    struct dc_call c = {.name = "deliver to the channel",
                        .method = "POST",
                        .route = "POST /channels/{}/messages",
                        .major = channel,
                        .path = str_printf("/channels/%s/messages", channel)};
    return try_way(v, &c, channel, v->to->thread, extra, e);
}

/* --- through the token: a text below the answer, which becomes the video --- */

static bool put_text(struct delivery *v, const struct dc_inter *in, const char *major,
                     struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    AUTO(dc_reply_free) struct dc_reply r = {0};
    struct card text = *v->video->caption;
    text.button_count = 0;
    dc_put_message(v->d, &body, &text, v->to->thread, "", -1);
    strbuf_addc(&body, '}');
    struct dc_call c = {.name = "announce below the answer",
                        .method = "POST",
                        .route = "POST /webhooks/{}/{}",
                        .major = major,
                        .path = str_printf("/webhooks/%s/%s", in->app, in->token),
                        .body = strbuf_text(&body),
                        .patience_ms = PATIENCE_MS,
                        .is_token_path = true,
                        .once = true,
                        .cancel = v->cancel};
    bool ok = dc_call(v->d, &c, &r, e);
    v->action = r.action;
    if (!ok)
        return false;
    crash_at("discord.announced");
    const char *id = json_text(r.doc, "id", "");
    if (!dc_id_ok(id)) {
        v->action = DC_UNCLEAR;
        return err_set(e, ERR_CONFLICT, "error.bad_reply", "discord: a message without an id");
    }
    str_copy(v->text, sizeof(v->text), id);
    str_copy(v->inter, sizeof(v->inter), in->id);
    v->action = DC_RETRY;
    return note(v, e);
}

/* Nobody reads a text that waits for ever. */
static void remove_text(struct delivery *v, const struct dc_inter *in)
{
    struct err ignored = {0};
    dc_post(v->d, "remove text", "DELETE",
            str_printf("/webhooks/%s/%s/messages/%s", in->app, in->token, v->text), NULL, NULL, "");
    v->text[0] = '\0';
    note(v, &ignored);
}

/* Also where the bot itself may not write. */
static bool by_token(struct delivery *v, struct dc_inter *in, struct err *e)
{
    char major[DC_MAJOR_MAX];
    dc_ack_wait(v->d, in);
    snprintf(major, sizeof(major), "%s/%s", in->app, in->id);
    bool ok = v->text[0] || put_text(v, in, major, e);
    if (ok) {
        struct dc_call c = {
            .name = "deliver below the answer",
            .method = "PATCH",
            .route = "PATCH /webhooks/{}/{}/messages/{}",
            .major = major,
            .path = str_printf("/webhooks/%s/%s/messages/%s", in->app, in->token, v->text),
            .is_token_path = true};
        ok = try_way(v, &c, v->to->chat, v->to->thread, "", e);
    }
    if (v->action == DC_GONE)
        v->text[0] = '\0'; /* somebody deleted it */
    else if (v->action == DC_EXPIRED)
        dc_inter_dead(v->d, in->id);
    else if (v->text[0] && may_go_on(v))
        remove_text(v, in);
    return ok;
}

/* The text stands, and the token is over: with the bot's own, where it may. */
static bool into_text(struct delivery *v, struct err *e)
{
    struct dc_call c = {.name = "deliver into the text"};
    dc_aim_by_bot(&c, v->to->chat, v->text);
    return try_way(v, &c, v->to->chat, v->to->thread, "", e);
}

static bool to_person(struct delivery *v, struct err *e)
{
    char dm[DC_ID_MAX];
    if (!dc_dm_channel(v->d, v->to->thread, v->cancel, dm, e))
        return false;
    bool ok = to_channel(v, dm, e);
    if (v->action == DC_NO_DM)
        dc_dm_closed(v->d, dm);
    return ok;
}

/* The card of the work shows nothing that is still true: an ephemeral one, or one in direct
   messages when the token had ended. */
static void remove_card(struct delivery *v, const char *message, const char *channel, bool hidden)
{
    struct discord *d = v->d;
    struct dc_inter in;
    struct err ignored = {0};
    if (!hidden && v->to->thread[0] && strcmp(channel, v->to->chat) != 0) {
        AUTO(dc_reply_free) struct dc_reply r = {0};
        struct dc_call c = {.name = "remove card",
                            .method = "DELETE",
                            .route = "DELETE /channels/{}/messages/{}",
                            .major = channel,
                            .path = str_printf("/channels/%s/messages/%s", channel, message),
                            .patience_ms = MARGIN_MS / 10,
                            .cancel = v->cancel};
        dc_call(d, &c, &r, &ignored);
    } else if (hidden && dc_inter_by_message(d, message, MARGIN_MS / 10, &in))
        dc_post(d, "remove card", "DELETE",
                str_printf("/webhooks/%s/%s/messages/%s", in.app, in.token,
                           in.follow ? message : "@original"),
                NULL, NULL, "");
}

/* One rung; true: climb no higher. */
static bool ends_here(struct delivery *v, bool ok, struct err *e)
{
    if (ok || !may_go_on(v))
        return true;
    *e = (struct err){0};
    return false;
}

/* Where others read along: in the channel, else through the token, which also reaches places where
   the bot may not write, else to the person alone. What an attempt before has begun comes first. */
static bool climb_in_public(struct delivery *v, const char *message, bool hidden, struct err *e)
{
    struct dc_inter in;
    const struct chat_addr *to = v->to;
    bool token = v->text[0]
                     ? dc_inter_by_id(v->d, v->inter, MARGIN_MS, &in)
                     : *message && hidden && dc_inter_by_message(v->d, message, MARGIN_MS, &in);
    token = token || (!v->text[0] && dc_inter_by_id(v->d, to->reply, MARGIN_MS, &in));
    if (!v->text[0] && (!token || in.may_post) && ends_here(v, to_channel(v, to->chat, e), e))
        return v->action == DC_DONE;
    if (token && ends_here(v, by_token(v, &in, e), e))
        return v->action == DC_DONE;
    if (v->text[0] && ends_here(v, into_text(v, e), e))
        return v->action == DC_DONE;
    return to_person(v, e);
}

static bool climb(struct delivery *v, const char *message, const char *channel, bool hidden,
                  struct err *e)
{
    if (v->to->thread[0])
        return climb_in_public(v, message, hidden, e);
    if (*message && !hidden && ends_here(v, into_card(v, message, channel, e), e))
        return v->action == DC_DONE;
    return to_channel(v, v->to->chat, e);
}

/* Into how many bytes the same film has to fit; "" when no size would do. Whatever else is in the
   way may take half. */
static void say_size(const struct chat_video *video, struct err *e)
{
    const int64_t sizes[] = {DC_FIT(INT64_C(10) << 20), DC_FIT(INT64_C(8) << 20), video->bytes / 2};
    for (size_t i = 0; i < COUNT(sizes) && video->bytes > HALVE_MIN; i++)
        if (video->bytes > sizes[i]) {
            snprintf(e->arg, sizeof(e->arg), "%" PRId64, sizes[i]);
            return;
        }
    e->arg[0] = '\0';
}

/* Noted again and again: a film that is there must not be sent once more. */
static void note_done(struct delivery *v)
{
    struct err e = {0};
    for (int i = 0; i < TRIES && !note(v, &e); i++)
        if (cancel_wait(v->cancel, 500 << i))
            return;
}

bool dc_deliver(void *self, const struct chat_addr *to, const char *ref,
                const struct chat_video *video, const struct cancel *cancel,
                char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct discord *d = self;
    struct delivery v = {.d = d, .to = to, .video = video, .cancel = cancel, .action = DC_BUG};
    char message[DC_ID_MAX] = "", channel[DC_ID_MAX] = "";
    bool hidden = false;
    if (!dc_id_ok(to->chat))
        return err_set(e, ERR_INTERNAL, "error.internal", "discord: not a channel");
    if (!dc_ref_get(ref, message, channel, &hidden))
        message[0] = '\0';
    read_note(&v);
    if (v.ref[0] || climb(&v, message, channel, hidden, e)) {
        note_done(&v);
        crash_at("discord.noted");
        str_copy(ret_ref, CHAT_REF_MAX, v.ref);
        if (*message && strcmp(ref, v.ref) != 0)
            remove_card(&v, message, channel, hidden);
        return true;
    }
    if (cancel_fired(cancel))
        return err_set(e, ERR_CANCELLED, "error.cancelled", "discord: upload stopped");
    if (e->code == ERR_LIMIT)
        say_size(video, e);
    if (e->code == ERR_CONFLICT)
        e->code = ERR_RETRY; /* the next attempt finds what this one did */
    return false;
}
