/* Cards as messages: sending, editing, and what to try when the server does not like one. */
#include <inttypes.h>

#include "adapters/telegram/card_html.h"
#include "adapters/telegram/telegram_internal.h"
#include "core/base/log.h"
#include "core/net/json.h"

#define LOG_MODULE "telegram"

enum {
    PATIENCE_MS = 250, /* a caller waits so long for its turn; then it asks hold_ms */
    TRIES = 6,
    PICTURE_MS = 60000,
};

/* --- the JSON of a request --- */

void tg_put_target(struct strbuf *out, int64_t chat, const struct chat_addr *to,
                   const struct tg_form *f)
{
    int64_t number;
    strbuf_addf(out, ",\"chat_id\":%" PRId64, chat);
    if (!f->no_thread && str_to_int(to->thread, 2, INT64_MAX, &number))
        strbuf_addf(out, ",\"message_thread_id\":%" PRId64, number);
    if (str_to_int(to->reply, 1, INT64_MAX, &number))
        strbuf_addf(out,
                    ",\"reply_parameters\":{\"message_id\":%" PRId64
                    ",\"allow_sending_without_reply\":true}",
                    number);
}

void tg_put_message(struct strbuf *out, int64_t chat, int64_t message)
{
    strbuf_addf(out, ",\"chat_id\":%" PRId64 ",\"message_id\":%" PRId64, chat, message);
}

void tg_put_markup(struct strbuf *out, const struct card *card, const struct tg_form *f)
{
    if (!card || card->button_count == 0 || f->no_buttons)
        return;
    strbuf_adds(out, ",\"reply_markup\":");
    tg_card_keyboard(out, card);
}

void tg_put_words(struct strbuf *out, const char *field, const struct card *card,
                  const struct tg_form *f)
{
    AUTO(strbuf_free) struct strbuf html = STRBUF(TG_BODY_MAX);
    bool is_text = strcmp(field, "text") == 0;
    int64_t units = is_text ? TG_TEXT_UNITS : TG_CAPTION_UNITS;
    if (card)
        tg_card_text(&html, card, units >> f->shorter, f->plain);
    strbuf_addf(out, "\"%s\":", field);
    json_put_text(out, strbuf_text(&html));
    if (!f->plain)
        strbuf_adds(out, ",\"parse_mode\":\"HTML\"");
    if (is_text)
        strbuf_adds(out, ",\"link_preview_options\":{\"is_disabled\":true}");
}

bool tg_form_adapt(struct tg_form *f, enum tg_action action)
{
    bool *give_up = NULL;
    switch (action) {
    case TG_PLAIN:
        give_up = &f->plain;
        break;
    case TG_NO_THREAD:
        give_up = &f->no_thread;
        break;
    case TG_NO_BUTTONS:
        give_up = &f->no_buttons;
        break;
    case TG_BAD_FILE:
        give_up = &f->no_picture;
        break;
    case TG_SHORTEN:
        return ++f->shorter <= 3;
    default:
        break;
    }
    if (!give_up || *give_up)
        return false;
    *give_up = true;
    return true;
}

bool tg_parse_chat(struct telegram *t, const struct chat_addr *to, int64_t *ret, struct err *e)
{
    if (!str_to_int(to->chat, INT64_MIN, INT64_MAX, ret) || *ret == 0)
        return err_set(e, ERR_INTERNAL, "error.internal", "telegram: no chat id in the address");
    *ret = tg_chat_now(t, *ret);
    return true;
}

/* --- one try --- */

static const char *file_type(const char *path)
{
    return str_ends(path, ".png")   ? "image/png"
           : str_ends(path, ".jpg") ? "image/jpeg"
           : str_ends(path, ".ogg") ? "audio/ogg"
                                    : "application/octet-stream";
}

/* With a file the request is a form; the JSON's members become its parts. */
static bool call_form(struct telegram *t, struct tg_call *c, const char *part, const char *path,
                      const char *name, struct tg_reply *r, struct err *e)
{
    AUTO(arena_free) struct arena a = {0};
    struct net_part parts[12];
    size_t n = tg_parts(&a, c->body, parts, COUNT(parts) - 1);
    if (n == 0)
        return err_set(e, ERR_INTERNAL, "error.internal", "telegram: form too long");
    parts[n++] =
        (struct net_part){.name = part, .file = path, .file_name = name, .mime = file_type(path)};
    c->parts = parts;
    c->part_count = n;
    c->total_ms = PICTURE_MS;
    return tg_call(t, c, r, e);
}

/* How a file goes: as a voice message, unless the person takes none. */
static bool goes_as_voice(const struct card *card, const struct tg_form *f)
{
    return card->file && card->is_voice_note && !f->no_picture;
}

static bool try_send(struct telegram *t, int64_t chat, const struct chat_addr *to,
                     const struct card *card, const struct tg_form *f, struct tg_reply *r,
                     struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(TG_BODY_MAX);
    bool picture = card->picture && !f->no_picture && !card->file;
    strbuf_addc(&body, '{');
    tg_put_words(&body, picture || card->file ? "caption" : "text", card, f);
    tg_put_target(&body, chat, to, f);
    tg_put_markup(&body, card, f);
    if (card->percent >= 0)
        strbuf_adds(&body, ",\"disable_notification\":true");
    strbuf_addc(&body, '}');
    bool voice = goes_as_voice(card, f);
    struct tg_call c = {.method = voice        ? "sendVoice"
                                  : card->file ? "sendDocument"
                                  : picture    ? "sendPhoto"
                                               : "sendMessage",
                        .body = strbuf_text(&body),
                        .once = true};
    const char *part = voice ? "voice" : "document";
    return card->file ? call_form(t, &c, part, card->file, card->file_name, r, e)
           : picture  ? call_form(t, &c, "photo", card->picture, "picture", r, e)
                      : tg_call(t, &c, r, e);
}

static bool try_edit(struct telegram *t, int64_t chat, int64_t message, const struct card *card,
                     const struct tg_form *f, struct tg_reply *r, struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(TG_BODY_MAX);
    bool picture = card->picture && !f->no_picture;
    bool caption = tg_is_media(t, chat, message);
    strbuf_addc(&body, '{');
    if (picture) {
        strbuf_adds(&body, "\"media\":{\"type\":\"photo\",\"media\":\"attach://picture\",");
        tg_put_words(&body, "caption", card, f);
        strbuf_addc(&body, '}');
    } else {
        tg_put_words(&body, caption ? "caption" : "text", card, f);
    }
    tg_put_message(&body, chat, message);
    tg_put_markup(&body, card, f);
    strbuf_addc(&body, '}');
    struct tg_call c = {.method = picture   ? "editMessageMedia"
                                  : caption ? "editMessageCaption"
                                            : "editMessageText",
                        .body = strbuf_text(&body)};
    if (!picture)
        return tg_call(t, &c, r, e);
    if (!call_form(t, &c, "picture", card->picture, "picture", r, e))
        return false;
    tg_mark_media(t, chat, message);
    return true;
}

/* --- sending --- */

static bool message_of(struct telegram *t, int64_t chat, const struct tg_reply *r, bool media,
                       char ret_ref[CHAT_REF_MAX])
{
    int64_t id;
    if (!json_int(r->result, "message_id", &id) || id <= 0)
        return false;
    if (media)
        tg_mark_media(t, chat, id);
    tg_ref_put(ret_ref, chat, id);
    return true;
}

bool tg_send(void *self, const struct chat_addr *to, const struct card *card,
             char ret_ref[CHAT_REF_MAX], struct err *e)
{
    struct telegram *t = self;
    struct tg_form f = {0};
    int64_t chat;
    if (!tg_parse_chat(t, to, &chat, e))
        return false;
    if (card->is_private && chat < 0)
        return err_set(e, ERR_UNSUPPORTED, "error.internal",
                       "telegram: a private card for a group was not sent");
    for (int i = 0; i < TRIES; i++) {
        AUTO(tg_reply_free) struct tg_reply r = {0};
        if (!tg_pace(t, chat, LANE_ANSWER, PATIENCE_MS, &t->stop, e))
            return false;
        if (try_send(t, chat, to, card, &f, &r, e)) {
            ret_ref[0] = '\0';
            if (!message_of(t, chat, &r, card->file || (card->picture && !f.no_picture), ret_ref))
                log_warn("sendMessage answered without a message id");
            return true;
        }
        tg_note_flood(t, chat, &r);
        if (r.action == TG_MOVED && r.moved_to < 0 && r.moved_to != chat) {
            tg_chat_moved(t, chat, r.moved_to, false);
            chat = r.moved_to;
        } else if (r.action != TG_WAIT && !tg_form_adapt(&f, r.action)) {
            return false;
        }
    }
    return false;
}

/* A card that is being made goes through the status table and never blocks. */
static bool edit_status(struct telegram *t, int64_t chat, int64_t message, const struct card *card,
                        struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(TG_BODY_MAX);
    struct tg_form f = {0};
    strbuf_addc(&body, '{');
    tg_put_words(&body, tg_is_media(t, chat, message) ? "caption" : "text", card, &f);
    tg_put_message(&body, chat, message);
    tg_put_markup(&body, card, &f);
    strbuf_addc(&body, '}');
    return tg_status_set(t, chat, message, strbuf_text(&body)) ||
           err_set(e, ERR_NOT_FOUND, "error.internal", "telegram: this card is gone");
}

/* After an edit that failed: whether another one makes sense. */
static bool edit_again(struct telegram *t, int64_t chat, int64_t message, struct tg_form *f,
                       const struct tg_reply *r, struct err *e)
{
    tg_note_flood(t, chat, r);
    if (r->action == TG_MOVED)
        tg_chat_moved(t, chat, r->moved_to, false);
    if (r->action == TG_UNCLEAR) /* an edit may be repeated */
        e->code = ERR_RETRY;
    if (r->action == TG_NO_TEXT && !tg_is_media(t, chat, message)) {
        tg_mark_media(t, chat, message);
        return true;
    }
    return r->action == TG_WAIT || tg_form_adapt(f, r->action);
}

bool tg_edit(void *self, const struct chat_addr *to, const char *ref, const struct card *card,
             struct err *e)
{
    struct telegram *t = self;
    struct tg_form f = {0};
    int64_t chat, message;
    (void)to;
    /* After a migration the old messages do not exist in the new chat. */
    if (!tg_ref_get(ref, &chat, &message) || tg_chat_now(t, chat) != chat)
        return err_set(e, ERR_NOT_FOUND, "error.internal", "telegram: no such card");
    if (card->percent >= 0 && !card->picture)
        return edit_status(t, chat, message, card, e);
    tg_status_end(t, chat, message);
    for (int i = 0; i < TRIES; i++) {
        AUTO(tg_reply_free) struct tg_reply r = {0};
        if (!tg_pace(t, chat, LANE_ANSWER, PATIENCE_MS, &t->stop, e))
            return false;
        if (try_edit(t, chat, message, card, &f, &r, e))
            return true;
        if (!edit_again(t, chat, message, &f, &r, e))
            return false;
    }
    return false;
}
