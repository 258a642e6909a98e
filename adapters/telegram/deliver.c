/*
 * The finished video: the card becomes it (editMessageMedia, which may be repeated any number of
 * times), or where the card is gone it is sent as a reply. Streamed from disk, rebuilt for each
 * try, ended by a stall and not by a clock.
 */
#include <inttypes.h>
#include <sys/stat.h>

#include "adapters/telegram/telegram_internal.h"
#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "telegram"

enum {
    TRIES = 8,
    NETWORK_TRIES = 4,
    PATIENCE_MS = 90000, /* a worker waits so long for a resting chat; then the job comes again */
    ACTION_MS = 5000,    /* "sending a video" is shown that long by the clients */
    CLOUD_BYTES = 49900000, /* of everybody's server */
    HALVE_MIN = 200000,     /* no smaller film is worth looking at */
    PROXY_BYTES = 19900000, /* of whatever may stand before a server of one's own */
};

struct delivery {
    struct telegram *t;
    const struct chat_addr *to;
    const struct chat_video *video;
    const struct cancel *cancel;
    int64_t chat, message; /* message 0: a new one */
    struct tg_form form;
    bool as_document;
    int unclear, network; /* tries that ended like this */
    char key[HASH_HEX];   /* of the file's bytes, for its file_id */
    char file_id[TG_FILE_ID_MAX];
    int64_t action_ms;
    struct tg_sent sent; /* once it is a message of its own */
};

/* --- remembered uploads --- */

/* Same path, size and time: same film (a film is published by rename and never changed). */
static void make_key(struct delivery *d)
{
    struct hash h;
    struct stat st = {0};
    hash_begin(&h, "telegram-file");
    pthread_mutex_lock(&d->t->lock);
    hash_int(&h, "bot", d->t->me.id);
    pthread_mutex_unlock(&d->t->lock);
    if (stat(d->video->path, &st) == 0) {
        hash_int(&h, "size", st.st_size);
        hash_int(&h, "seconds", st.st_mtim.tv_sec);
        hash_int(&h, "nanoseconds", st.st_mtim.tv_nsec);
    }
    hash_text(&h, "path", d->video->path);
    hash_end(&h, d->key);
}

static void recall_file(struct delivery *d)
{
    make_key(d);
    if (!d->t->o.file_get || !d->t->o.file_get(d->t->o.ctx, d->key, d->file_id, sizeof(d->file_id)))
        d->file_id[0] = '\0';
}

static void remember_file(struct delivery *d, const cJSON *message)
{
    static const char *const kinds[] = {"video", "animation", "document"};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const char *id = json_text(json_object(message, kinds[i]), "file_id", "");
        if (*id && strlen(id) < TG_FILE_ID_MAX && d->t->o.file_put) {
            d->t->o.file_put(d->t->o.ctx, d->key, id);
            return;
        }
    }
}

/* --- one try --- */

/* Network's thread: the chat shows that something is coming. */
static void show_action(void *ctx, int64_t sent, int64_t total, int64_t got, int64_t get_total)
{
    (void)sent, (void)total, (void)got, (void)get_total;
    struct delivery *d = ctx;
    struct tg_form f = {.no_thread = false};
    int64_t now = clock_mono_ms();
    if (now - d->action_ms < ACTION_MS)
        return;
    d->action_ms = now;
    struct chat_addr where = *d->to;
    where.reply[0] = '\0';
    AUTO(strbuf_free) struct strbuf body = STRBUF(1000);
    strbuf_adds(&body, "{\"action\":\"upload_video\"");
    tg_put_target(&body, d->chat, &where, &f);
    strbuf_addc(&body, '}');
    char *text = strbuf_take(&body);
    if (text)
        tg_post(d->t, "sendChatAction", text, NULL, NULL);
}

static bool uploads(const struct delivery *d)
{
    return d->file_id[0] == '\0';
}

/* width, height, duration: above 10 MB the server does not look into the file itself. */
static void put_numbers(struct strbuf *out, const struct delivery *d)
{
    const struct chat_video *v = d->video;
    strbuf_addf(out,
                ",\"width\":%d,\"height\":%d,\"duration\":%" PRId64 ",\"supports_streaming\":true",
                v->width, v->height, (v->duration_ms + 500) / 1000);
}

static void put_pictures(struct strbuf *out, const struct delivery *d)
{
    if (!uploads(d))
        return;
    if (d->video->thumb)
        strbuf_adds(out, ",\"thumbnail\":\"attach://thumb\"");
    if (d->video->poster && !d->form.no_picture && !d->as_document)
        strbuf_adds(out, ",\"cover\":\"attach://cover\"");
}

static const char *kind_of(const struct delivery *d)
{
    return d->as_document ? "document" : "video";
}

/* The film, behind the name of its field, and what belongs to it. */
static void put_film(struct strbuf *out, const struct delivery *d)
{
    json_put_text(out, uploads(d) ? "attach://film" : d->file_id);
    strbuf_addc(out, ',');
    tg_put_words(out, "caption", d->video->caption, &d->form);
    if (!d->as_document)
        put_numbers(out, d);
    put_pictures(out, d);
}

static void build_edit(struct strbuf *out, const struct delivery *d)
{
    strbuf_addf(out, "{\"media\":{\"type\":\"%s\",\"media\":", kind_of(d));
    put_film(out, d);
    strbuf_addc(out, '}');
    tg_put_message(out, d->chat, d->message);
    tg_put_markup(out, d->video->caption, &d->form);
    strbuf_addc(out, '}');
}

static void build_send(struct strbuf *out, const struct delivery *d)
{
    strbuf_addf(out, "{\"%s\":", kind_of(d));
    put_film(out, d);
    tg_put_target(out, d->chat, d->to, &d->form);
    tg_put_markup(out, d->video->caption, &d->form);
    strbuf_addc(out, '}');
}

static bool call_upload(struct delivery *d, struct tg_call *c, struct tg_reply *r, struct err *e)
{
    AUTO(arena_free) struct arena a = {0};
    struct net_part parts[20];
    size_t n = tg_parts(&a, c->body, parts, COUNT(parts) - 3);
    if (n == 0)
        return err_set(e, ERR_INTERNAL, "error.internal", "telegram: form too long");
    parts[n++] = (struct net_part){
        .name = "film", .file = d->video->path, .file_name = "video.mp4", .mime = "video/mp4"};
    if (d->video->thumb)
        parts[n++] = (struct net_part){.name = "thumb",
                                       .file = d->video->thumb,
                                       .file_name = "thumb.jpg",
                                       .mime = "image/jpeg"};
    if (d->video->poster && !d->form.no_picture && !d->as_document)
        parts[n++] = (struct net_part){.name = "cover",
                                       .file = d->video->poster,
                                       .file_name = "cover.jpg",
                                       .mime = "image/jpeg"};
    c->parts = parts;
    c->part_count = n;
    c->on_progress = show_action;
    c->ctx = d;
    return tg_call(d->t, c, r, e);
}

static bool try_deliver(struct delivery *d, struct tg_reply *r, struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(TG_BODY_MAX);
    bool edit = d->message != 0;
    if (edit)
        build_edit(&body, d);
    else
        build_send(&body, d);
    struct tg_call c = {.method = edit             ? "editMessageMedia"
                                  : d->as_document ? "sendDocument"
                                                   : "sendVideo",
                        .body = strbuf_text(&body),
                        .once = !edit,
                        .cancel = d->cancel,
                        .total_ms = 60000};
    crash_at("telegram.deliver");
    bool ok = uploads(d) ? call_upload(d, &c, r, e) : tg_call(d->t, &c, r, e);
    /* A new message may have gone out before the server fell over. */
    if (!ok && !edit && r->action == TG_RETRY && r->code >= 500) {
        r->action = TG_UNCLEAR;
        tg_error_set(e, TG_UNCLEAR, r->code, r->description, c.method);
    }
    crash_at("telegram.delivered");
    return ok;
}

/* A message of its own is written down before and after; what is there already is not sent again.
   *ret_there: it is, sent.ref names it. */
static bool begin_new(struct delivery *d, bool *ret_there, struct err *e)
{
    *ret_there = false;
    if (d->message != 0)
        return true;
    if (!d->sent.key[0])
        tg_sent_read(d->t, d->to, d->chat, d->video, &d->sent);
    *ret_there = d->sent.ref[0] != '\0';
    if (*ret_there)
        return true;
    if (d->sent.tries >= TG_SENT_MAX)
        return err_set(e, ERR_CONFLICT, "error.network",
                       "telegram: sent twice, and nobody knows whether it arrived");
    d->sent.tries++;
    return tg_sent_write(d->t, &d->sent, e);
}

/* It did not arrive, that much is sure: the try does not count. */
static void end_new(struct delivery *d, enum tg_action action)
{
    struct err e = {0};
    if (d->message != 0 || action == TG_UNCLEAR)
        return;
    d->sent.tries--;
    if (!tg_sent_write(d->t, &d->sent, &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
}

/* Its answer has come. */
static void note_done(struct delivery *d, const struct tg_reply *r, char ret_ref[CHAT_REF_MAX])
{
    struct err e = {0};
    int64_t id = d->message;
    if (id == 0 && (!json_int(r->result, "message_id", &id) || id <= 0))
        log_warn("the video was taken, but without a message id");
    remember_file(d, r->result);
    tg_mark_media(d->t, d->chat, id);
    tg_ref_put(ret_ref, d->chat, id);
    if (d->message != 0)
        return;
    str_copy(d->sent.ref, sizeof(d->sent.ref), ret_ref);
    if (!tg_sent_write(d->t, &d->sent, &e))
        log_err(LOG_WARN, LOG_MODULE, &e);
    crash_at("telegram.noted");
}

/* --- what to do after a try that failed --- */

static bool pause_for(struct delivery *d, int attempt)
{
    return !cancel_wait(d->cancel, 1000 << MIN(attempt, 3));
}

/* True: try again, changed. */
static bool recover(struct delivery *d, const struct tg_reply *r)
{
    switch (r->action) {
    case TG_CARD_GONE:
    case TG_NO_TEXT:
        if (d->message == 0)
            return false;
        d->message = 0;
        return true;
    case TG_MOVED:
        if (r->moved_to >= 0 || r->moved_to == d->chat)
            return false;
        tg_chat_moved(d->t, d->chat, r->moved_to, false);
        d->chat = r->moved_to;
        d->message = 0;
        return true;
    case TG_UPLOAD:
        if (uploads(d))
            return false;
        d->file_id[0] = '\0';
        return true;
    case TG_BAD_FILE:
        if (tg_form_adapt(&d->form, TG_BAD_FILE)) /* perhaps it is only the cover */
            return true;
        if (d->as_document)
            return false;
        return d->as_document = true;
    case TG_WAIT:
        return r->retry_ms <= PATIENCE_MS;
    case TG_UNCLEAR:
        /* Into the card as often as needed; as a new message once more: rather two than none. */
        return d->unclear++ < (d->message ? NETWORK_TRIES : TG_SENT_MAX) - 1 &&
               pause_for(d, d->unclear);
    case TG_RETRY:
        return d->network++ < NETWORK_TRIES - 1 && pause_for(d, d->network);
    default:
        return tg_form_adapt(&d->form, r->action);
    }
}

/* The next limit that some server is known to have; whatever else is in the way may take half. */
static bool too_large(struct telegram *t, const struct chat_video *video, struct err *e)
{
    const int64_t limits[] = {t->abilities.video_bytes_max, CLOUD_BYTES, PROXY_BYTES,
                              video->bytes / 2};
    char arg[24] = "";
    for (size_t i = 0; i < COUNT(limits) && video->bytes > HALVE_MIN && !arg[0]; i++)
        if (limits[i] < video->bytes)
            snprintf(arg, sizeof(arg), "%" PRId64, limits[i]);
    return err_set_arg(e, ERR_LIMIT, "deliver.too_large", arg,
                       "telegram: a film of %" PRId64 " bytes is too large", video->bytes);
}

/* One try. r->action TG_DONE with false: it must not be tried. */
static bool deliver_once(struct delivery *d, struct tg_reply *r, char ret_ref[CHAT_REF_MAX],
                         struct err *e)
{
    bool there;
    r->action = TG_DONE;
    if (!begin_new(d, &there, e))
        return false;
    if (there) {
        str_copy(ret_ref, CHAT_REF_MAX, d->sent.ref);
        return true;
    }
    if (try_deliver(d, r, e)) {
        note_done(d, r, ret_ref);
        return true;
    }
    end_new(d, r->action);
    tg_note_flood(d->t, d->chat, r);
    log_err(LOG_INFO, LOG_MODULE, e);
    return false;
}

bool tg_deliver(void *self, const struct chat_addr *to, const char *ref,
                const struct chat_video *video, const struct cancel *cancel,
                char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct telegram *t = self;
    struct delivery d = {.t = t, .to = to, .video = video, .cancel = cancel};
    int64_t chat, message;
    if (!tg_parse_chat(t, to, &d.chat, e))
        return false;
    if (video->bytes > t->abilities.video_bytes_max)
        return too_large(t, video, e);
    if (tg_ref_get(ref, &chat, &message) && chat == d.chat) {
        d.message = message;
        tg_status_end(t, chat, message);
    }
    recall_file(&d);
    for (int i = 0; i < TRIES; i++) {
        AUTO(tg_reply_free) struct tg_reply r = {0};
        if (!tg_pace(t, d.chat, LANE_VIDEO, PATIENCE_MS, cancel, e))
            return false;
        if (deliver_once(&d, &r, ret_ref, e))
            return true;
        if (r.action == TG_TOO_BIG)
            return too_large(t, video, e);
        if (r.action == TG_DONE || cancel_fired(cancel) || !recover(&d, &r))
            break; /* TG_DONE: nothing was tried */
    }
    /* An edit may be repeated by the next attempt of the job; a doubt about a new message stays. */
    if (d.message != 0 && e->code == ERR_CONFLICT)
        e->code = ERR_RETRY;
    if (cancel_fired(cancel))
        err_set(e, ERR_CANCELLED, "error.cancelled", "telegram: upload stopped");
    return false;
}
