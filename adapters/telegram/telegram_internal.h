/*
 * telegram_internal - what the files of the adapter share; nobody else includes it.
 */
#ifndef NANOTIK_TELEGRAM_INTERNAL_H
#define NANOTIK_TELEGRAM_INTERNAL_H

#include <pthread.h>

#include <cjson/cJSON.h>

#include "adapters/telegram/decode.h"
#include "adapters/telegram/errors.h"
#include "adapters/telegram/pace.h"
#include "adapters/telegram/telegram.h"
#include "core/base/cancel.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/net/post.h"

enum {
    TG_FILE_ID_MAX = 256,
    TG_MOVED_MAX = 64,
    TG_MEDIA_CARDS = 1024, /* messages known to carry media */
    TG_ADMIN_CHATS = 512,
    TG_ADMINS_MAX = 50,
    TG_SLOTS = 256,
    TG_PRESSES_MAX = 256,
    TG_PRESS_ID_MAX = 65,
    TG_POSTS_MAX = 256, /* background requests at one time */
    TG_BODY_MAX = 64 * 1024,
};

/* --- admins.c: who leads a group, asked in the background --- */
struct tg_admins {
    int64_t chat;
    int64_t asked_ms; /* 0: never */
    bool asking;
    size_t count;
    int64_t users[TG_ADMINS_MAX];
};

/* --- status.c: the newest state of each card that is being made --- */
struct tg_slot {
    int64_t chat, message; /* message 0: free */
    bool is_group;
    char *body;         /* waiting, or NULL */
    uint64_t sent_hash; /* of the body sent last */
    int64_t due_ms;     /* not before */
    int64_t used_ms;
    bool flying; /* a request is under way */
    bool gone;   /* the message cannot be edited any more */
};

/* --- moves.c: groups that became supergroups --- */
struct tg_move {
    int64_t from, to; /* from 0: free */
    bool told;        /* the bot knows it */
};

/* --- presses.c: buttons that turn until they are answered --- */
struct tg_press {
    char id[TG_PRESS_ID_MAX]; /* "": free */
    int64_t due_ms;
};

struct telegram {
    struct net_engine *net;
    char *token, *base;
    struct telegram_options o;
    struct chat_abilities abilities;
    struct cancel stop;
    pthread_t keeper; /* status edits and menus */
    bool keeper_runs;
    struct net_posts posts; /* each holds a pointer to us */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* --- below: only with lock held --- */
    struct tg_me me; /* the id as the token says; the name once run() asked */
    struct pace *pace;
    struct tg_move moved[TG_MOVED_MAX];
    size_t moved_next;
    uint64_t media_cards[TG_MEDIA_CARDS];
    size_t media_next;
    struct tg_admins admins[TG_ADMIN_CHATS];
    struct tg_slot slots[TG_SLOTS];
    struct tg_press presses[TG_PRESSES_MAX];
};

/* --- api.c --- */
struct tg_reply {
    enum tg_action action;
    int code; /* HTTP status or error_code; 0: no answer */
    char description[200];
    int64_t retry_ms; /* 429 */
    int64_t moved_to;
    cJSON *doc;
    const cJSON *result; /* in doc, NULL unless TG_DONE with a result */
};
void tg_reply_free(struct tg_reply *r); /* for AUTO */

struct tg_call {
    const char *method;
    const char *body; /* JSON, or parts */
    const struct net_part *parts;
    size_t part_count;
    bool once; /* not safe to repeat */
    int total_ms;
    size_t reply_max;
    const struct cancel *cancel;
    void (*on_progress)(void *ctx, int64_t sent, int64_t total, int64_t got, int64_t get_total);
    void *ctx;
};
/* Always fills *ret; true when action is TG_DONE. e is set otherwise. */
bool tg_call(struct telegram *t, const struct tg_call *c, struct tg_reply *ret, struct err *e);
/* Reads what came; `body_ok` false: e of net_call is in `e`. */
void tg_reply_read(const struct net_reply *reply, const char *method, struct tg_reply *ret,
                   struct err *e);
/* Fire and forget; bounded. on_done may be NULL and runs on the network's thread. */
bool tg_post(struct telegram *t, const char *method, char *body,
             void (*on_done)(struct telegram *t, const struct tg_reply *r, void *ctx), void *ctx);
/* The members of a JSON object as form parts (objects stay JSON text); 0 when they do not fit. */
size_t tg_parts(struct arena *a, const char *json, struct net_part *ret, size_t max);
char *tg_url(struct telegram *t, const char *kind, const char *path);

/* --- moves.c --- */
int64_t tg_chat_now(struct telegram *t, int64_t chat);
/* told: by an update, which the bot gets anyway. */
void tg_chat_moved(struct telegram *t, int64_t from, int64_t to, bool told);
/* What the bot has to be told, as events; `told` is set by tg_chat_moved once it is stored. */
size_t tg_moves_untold(struct telegram *t, struct arena *a, struct chat_event ret[TG_MOVED_MAX],
                       struct tg_move ret_moves[TG_MOVED_MAX]);

/* --- presses.c --- */
/* The bot gets this one and answers it; after a moment it is answered without words. */
void tg_press_wait(struct telegram *t, const char *id);
void tg_pressed(void *self, const char *press, const char *text); /* chat_adapter_ops.pressed */
void tg_presses_flush(struct telegram *t, int64_t now_ms);

/* --- telegram.c: shared state --- */
void tg_mark_media(struct telegram *t, int64_t chat, int64_t message);
bool tg_is_media(struct telegram *t, int64_t chat, int64_t message);
/* Waits for the pace, at most patience_ms. False: ERR_RETRY or ERR_CANCELLED. */
bool tg_pace(struct telegram *t, int64_t chat, enum pace_lane lane, int64_t patience_ms,
             const struct cancel *cancel, struct err *e);
void tg_note_flood(struct telegram *t, int64_t chat, const struct tg_reply *r);

/* --- send.c --- */
bool tg_send(void *self, const struct chat_addr *to, const struct card *card,
             char ret_ref[CHAT_REF_MAX], struct err *e);
bool tg_edit(void *self, const struct chat_addr *to, const char *ref, const struct card *card,
             struct err *e);
/* What is given up, one by one, when the server refuses a form. */
struct tg_form {
    bool plain, no_thread, no_buttons;
    bool no_picture; /* nor a voice message: the file goes as a file */
    int shorter;     /* halvings of the length limit */
};
/* False when there is nothing left to give up. */
bool tg_form_adapt(struct tg_form *f, enum tg_action action);
/* Parts of a request's JSON. The first has no comma before it. */
void tg_put_words(struct strbuf *out, const char *field, const struct card *card,
                  const struct tg_form *f);
void tg_put_target(struct strbuf *out, int64_t chat, const struct chat_addr *to,
                   const struct tg_form *f);
void tg_put_message(struct strbuf *out, int64_t chat, int64_t message);
void tg_put_markup(struct strbuf *out, const struct card *card, const struct tg_form *f);
bool tg_parse_chat(struct telegram *t, const struct chat_addr *to, int64_t *ret, struct err *e);

/* --- deliver.c --- */
bool tg_deliver(void *self, const struct chat_addr *to, const char *ref,
                const struct chat_video *video, const struct cancel *cancel,
                char ret_ref[CHAT_REF_MAX], struct err *e);
bool tg_fetch(void *self, const char *media, const char *folder, const struct cancel *cancel,
              char **ret_path, struct err *e);

/* --- sent.c: videos in messages of their own --- */
enum { TG_SENT_MAX = 2 }; /* times that one is sent, when nobody knows whether it arrived */
struct tg_sent {
    char key[HASH_HEX];
    int tries;              /* begun, and not known to have failed */
    char ref[CHAT_REF_MAX]; /* it is there; "" not known */
};
void tg_sent_read(struct telegram *t, const struct chat_addr *to, int64_t chat,
                  const struct chat_video *video, struct tg_sent *ret);
bool tg_sent_write(struct telegram *t, const struct tg_sent *s, struct err *e);

/* --- status.c --- */
/* Takes the newest state of a card that is being made. False: the card is gone. */
bool tg_status_set(struct telegram *t, int64_t chat, int64_t message, const char *body);
/* Nothing older can overwrite what is written next. */
void tg_status_end(struct telegram *t, int64_t chat, int64_t message);
/* Sends what is due; returns ms until the next look. */
int64_t tg_status_flush(struct telegram *t, int64_t now_ms);

/* --- poll.c, menu.c, admins.c --- */
bool tg_run(void *self, chat_events_fn *on_events, void *ctx, struct err *e);
/* Pause after so many polls in a row that nobody answered: 1, 2, then 4 s, up to a quarter less, so that
   people are heard within 5 s of the end of an outage, however long. */
int tg_backoff_ms(int failures);
bool tg_whoami(void *self, char *ret_name, size_t size, const struct cancel *cancel, struct err *e);
void tg_menus_publish(struct telegram *t);
int tg_is_admin(void *self, const struct chat_addr *where, const char *user_id);
void tg_admins_forget(struct telegram *t, int64_t chat);

#endif
