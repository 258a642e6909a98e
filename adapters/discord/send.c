/*
 * Cards to people: the first one fills the acknowledged answer, further ones follow it, both
 * through the interaction's token; when that is over, what others must not read goes to the
 * person's direct messages and the rest to the channel.
 */
#include "adapters/discord/discord_internal.h"
#include "core/base/clock.h"
#include "core/net/json.h"

enum {
    PATIENCE_MS = 8000,
    MARGIN_MS = 5000,
    EDIT_PATIENCE_MS = 2000,
    DM_CLOSED_MS = 60000,
};

/* --- forms --- */

/* "picture.png" for a picture; a file keeps its name. */
static const char *attached(const struct card *card, const char **ret_path, const char **ret_mime)
{
    *ret_path = card->file ? card->file : card->picture;
    *ret_mime = card->file ? "application/octet-stream" : "image/png";
    return card->file ? card->file_name : card->picture ? "picture.png" : NULL;
}

/* Calls with a card's body, as a form when it brings a picture or a file. */
static bool call_card(struct discord *d, struct dc_call *c, struct strbuf *body,
                      const struct card *card, struct dc_reply *r, struct err *e)
{
    struct net_part parts[2];
    const char *path, *mime;
    const char *name = attached(card, &path, &mime);
    if (name) {
        strbuf_adds(body, ",\"attachments\":[{\"id\":0,\"filename\":");
        json_put_text(body, name);
        strbuf_adds(body, "}]");
    }
    strbuf_addc(body, '}');
    if (body->failed) {
        free(c->path);
        return err_set(e, ERR_INTERNAL, "error.internal", "discord %s: card too long", c->name);
    }
    c->body = strbuf_text(body);
    if (name) {
        parts[0] =
            (struct net_part){.name = "payload_json", .value = c->body, .mime = "application/json"};
        parts[1] =
            (struct net_part){.name = "files[0]", .file = path, .file_name = name, .mime = mime};
        c->parts = parts;
        c->part_count = 2;
    }
    return dc_call(d, c, r, e);
}

/* --- direct messages --- */

/* With lock held; a new one takes the oldest one's place. */
static void dm_remember(struct discord *d, const char *user, const char *channel)
{
    str_copy(d->dms[d->dm_next].user, DC_ID_MAX, user);
    str_copy(d->dms[d->dm_next].channel, DC_ID_MAX, channel);
    d->dms[d->dm_next].closed_ms = 0;
    d->dm_next = (d->dm_next + 1) % COUNT(d->dms);
}

void dc_dm_closed(struct discord *d, const char *channel)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < COUNT(d->dms); i++)
        if (strcmp(d->dms[i].channel, channel) == 0)
            d->dms[i].closed_ms = clock_mono_ms() + DM_CLOSED_MS;
    pthread_mutex_unlock(&d->lock);
}

/* False: to be asked for. */
static bool dm_known(struct discord *d, const char *user, char ret[static DC_ID_MAX],
                     bool *ret_closed)
{
    bool known = false;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < COUNT(d->dms) && !known; i++)
        if (strcmp(d->dms[i].user, user) == 0) {
            known = str_copy(ret, DC_ID_MAX, d->dms[i].channel);
            *ret_closed = clock_mono_ms() < d->dms[i].closed_ms;
        }
    pthread_mutex_unlock(&d->lock);
    return known;
}

bool dc_dm_channel(struct discord *d, const char *user, const struct cancel *cancel,
                   char ret[static DC_ID_MAX], struct err *e)
{
    AUTO(dc_reply_free) struct dc_reply r = {0};
    char body[64];
    bool closed = false;
    if (!dc_id_ok(user))
        return err_set(e, ERR_REFUSED, "deliver.unreachable", "discord: nobody to write to");
    if (dm_known(d, user, ret, &closed))
        return !closed || dc_error_set(e, DC_NO_DM, 403, 0, "direct message", "refused before");
    snprintf(body, sizeof(body), "{\"recipient_id\":\"%s\"}", user);
    struct dc_call c = {.name = "open direct messages",
                        .method = "POST",
                        .route = "POST /users/@me/channels",
                        .major = "",
                        .path = str_dup("/users/@me/channels"),
                        .body = body,
                        .patience_ms = PATIENCE_MS,
                        .cancel = cancel};
    if (!dc_call(d, &c, &r, e))
        return false;
    const char *channel = json_text(r.doc, "id", "");
    if (!dc_id_ok(channel))
        return err_set(e, ERR_RETRY, "error.bad_reply", "discord: direct messages without an id");
    str_copy(ret, DC_ID_MAX, channel);
    pthread_mutex_lock(&d->lock);
    dm_remember(d, user, channel);
    pthread_mutex_unlock(&d->lock);
    return true;
}

/* --- through a token --- */

static bool take_ref(const struct dc_reply *r, const char *channel, bool ephemeral,
                     char ret_ref[CHAT_REF_MAX], char ret_message[static DC_ID_MAX])
{
    const char *id = json_text(r->doc, "id", "");
    const char *where = json_text(r->doc, "channel_id", channel);
    ret_ref[0] = '\0';
    if (!dc_id_ok(id) || !dc_id_ok(where))
        return false;
    str_copy(ret_message, DC_ID_MAX, id);
    dc_ref_put(ret_ref, id, where, ephemeral);
    return true;
}

static bool send_by_token(struct discord *d, struct dc_inter *in, const struct chat_addr *to,
                          const struct card *card, char ret_ref[CHAT_REF_MAX], struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    AUTO(dc_reply_free) struct dc_reply r = {0};
    char major[DC_MAJOR_MAX], message[DC_ID_MAX] = "";
    bool first = !in->answered;
    bool hidden = in->is_group || card->is_private;
    snprintf(major, sizeof(major), "%s/%s", in->app, in->id);
    struct dc_call c = {.major = major, .is_token_path = true, .patience_ms = PATIENCE_MS};
    if (first) {
        c.name = "edit answer";
        c.method = "PATCH";
        c.route = "PATCH /webhooks/{}/{}/messages/@original";
        c.path = str_printf("/webhooks/%s/%s/messages/@original", in->app, in->token);
    } else {
        c.name = "follow up";
        c.method = "POST";
        c.route = "POST /webhooks/{}/{}";
        c.path = str_printf("/webhooks/%s/%s", in->app, in->token);
        c.once = true;
    }
    dc_put_message(d, &body, card, "", "", first ? -1 : hidden ? DC_PRIVATE : 0);
    if (call_card(d, &c, &body, card, &r, e)) {
        bool named = take_ref(&r, to->chat, in->is_group || (!first && hidden), ret_ref, message);
        if (first)
            dc_inter_answered(d, in, message);
        else if (named)
            dc_inter_follow(d, in, message);
        return true;
    }
    if (r.action == DC_EXPIRED)
        dc_inter_dead(d, in->id);
    if (r.action == DC_UNCLEAR && first)
        e->code = ERR_RETRY; /* an edit may be repeated */
    return false;
}

/* --- with the bot's own token --- */

static bool send_to_channel(struct discord *d, const char *channel, const struct chat_addr *to,
                            const struct card *card, char ret_ref[CHAT_REF_MAX], struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    AUTO(dc_reply_free) struct dc_reply r = {0};
    char nonce[DC_NONCE_SIZE], message[DC_ID_MAX];
    dc_put_message(d, &body, card, "", "", -1);
    dc_nonce(nonce, to->reply, strbuf_text(&body));
    strbuf_addf(&body, ",\"nonce\":\"%s\",\"enforce_nonce\":true", nonce);
    struct dc_call c = {.name = "send message",
                        .method = "POST",
                        .route = "POST /channels/{}/messages",
                        .major = channel,
                        .path = str_printf("/channels/%s/messages", channel),
                        .patience_ms = PATIENCE_MS};
    if (call_card(d, &c, &body, card, &r, e)) {
        take_ref(&r, channel, false, ret_ref, message);
        return true;
    }
    if (r.action == DC_NO_DM)
        dc_dm_closed(d, channel);
    if (r.action == DC_UNCLEAR)
        e->code = ERR_RETRY; /* the nonce makes a repeat harmless */
    return false;
}

bool dc_send(void *self, const struct chat_addr *to, const struct card *card,
             char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct discord *d = self;
    struct dc_inter in;
    char dm[DC_ID_MAX];
    ret_ref[0] = '\0';
    if (!dc_id_ok(to->chat))
        return err_set(e, ERR_INTERNAL, "error.internal", "discord: not a channel");
    if (!card->is_public && dc_inter_by_id(d, to->reply, MARGIN_MS, &in)) {
        dc_ack_wait(d, &in);
        if (in.ack == ACK_DONE) {
            if (send_by_token(d, &in, to, card, ret_ref, e))
                return true;
            if (e->code != ERR_NOT_FOUND && e->code != ERR_REFUSED)
                return false;
        }
    }
    /* Where others read along, cards are for one person: quotes, balances, errors. */
    if (to->thread[0] && !card->is_public)
        return dc_dm_channel(d, to->thread, NULL, dm, e) &&
               send_to_channel(d, dm, to, card, ret_ref, e);
    return send_to_channel(d, to->chat, to, card, ret_ref, e);
}

/* --- edits --- */

/* Where the video will come when this card can no longer be changed. */
static char *last_words(struct discord *d, const struct dc_inter *in, const struct card *card)
{
    const struct chat_menu *menu = dc_menu(d, card->lang ? card->lang : "");
    return d->o.text(d->o.ctx, menu ? menu->lang : "en",
                     in->may_post ? "discord.later_here" : "discord.later_private");
}

static char *farewell(struct discord *d, const struct card *card, const char *last)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    dc_put_message(d, &body, card, "", last, -1);
    strbuf_addc(&body, '}');
    return strbuf_take(&body);
}

/* What a refused edit means for whoever asked for it. */
static bool edit_failed(struct discord *d, const struct dc_inter *by_token, bool hidden,
                        enum dc_action action, struct err *e)
{
    if (action == DC_EXPIRED && by_token) {
        dc_inter_dead(d, by_token->id);
        err_set(e, hidden ? ERR_NOT_FOUND : ERR_RETRY, "error.network",
                "discord edit card: the interaction is over");
    }
    if (action == DC_UNCLEAR)
        e->code = ERR_RETRY; /* an edit may be repeated */
    if (action == DC_NO_ACCESS)
        e->code = ERR_NOT_FOUND;
    return false;
}

void dc_aim_by_token(struct dc_call *c, const struct dc_inter *in, const char *message,
                     char major[static DC_MAJOR_MAX])
{
    snprintf(major, DC_MAJOR_MAX, "%s/%s", in->app, in->id);
    c->method = "PATCH";
    c->route = "PATCH /webhooks/{}/{}/messages/@original";
    c->major = major;
    c->path = str_printf("/webhooks/%s/%s/messages/%s", in->app, in->token,
                         in->follow ? message : "@original");
    c->is_token_path = true;
}

void dc_aim_by_bot(struct dc_call *c, const char *channel, const char *message)
{
    c->method = "PATCH";
    c->route = "PATCH /channels/{}/messages/{}";
    c->major = channel;
    c->path = str_printf("/channels/%s/messages/%s", channel, message);
    c->is_token_path = false;
}

bool dc_edit(void *self, const struct chat_addr *to, const char *ref, const struct card *card,
             struct err *e)
{
    struct discord *d = self;
    struct dc_inter in;
    AUTO(strbuf_free) struct strbuf body = STRBUF(DC_BODY_MAX);
    AUTO(dc_reply_free) struct dc_reply r = {0};
    char message[DC_ID_MAX], channel[DC_ID_MAX], major[DC_MAJOR_MAX];
    bool hidden;
    (void)to;
    if (!dc_ref_get(ref, message, channel, &hidden))
        return err_set(e, ERR_NOT_FOUND, "error.internal", "discord: no such card");
    struct dc_call c = {.name = "edit card"};
    c.patience_ms = card->percent >= 0 ? EDIT_PATIENCE_MS : PATIENCE_MS;
    bool by_token = dc_inter_by_message(d, message, MARGIN_MS, &in);
    if (by_token) {
        dc_ack_wait(d, &in);
        dc_aim_by_token(&c, &in, message, major);
    } else if (!hidden) {
        dc_aim_by_bot(&c, channel, message);
    } else {
        return err_set(e, ERR_NOT_FOUND, "error.internal", "discord: this card is out of reach");
    }
    bool moves = by_token && hidden && card->percent >= 0;
    AUTO(free_ptr) char *last = moves ? last_words(d, &in, card) : NULL;
    dc_put_message(d, &body, card, "", moves && dc_inter_ends(d, &in) ? last : "", -1);
    if (!card->picture && !card->file)
        strbuf_adds(&body, ",\"attachments\":[]");
    if (call_card(d, &c, &body, card, &r, e)) {
        if (by_token)
            dc_inter_farewell(d, message, moves ? farewell(d, card, last) : NULL);
        return true;
    }
    return edit_failed(d, by_token ? &in : NULL, hidden, r.action, e);
}

int64_t dc_hold_ms(void *self, const struct chat_addr *to)
{
    struct discord *d = self;
    pthread_mutex_lock(&d->lock);
    int64_t wait = limits_wait(d->limits, "POST /channels/{}/messages", to->chat, clock_mono_ms());
    pthread_mutex_unlock(&d->lock);
    return MAX(wait, 0);
}
