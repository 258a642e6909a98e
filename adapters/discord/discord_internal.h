/*
 * discord_internal - what the files of the adapter share; nobody else includes it.
 */
#ifndef NANOTIK_DISCORD_INTERNAL_H
#define NANOTIK_DISCORD_INTERNAL_H

#include <pthread.h>

#include <cjson/cJSON.h>

#include "adapters/discord/decode.h"
#include "adapters/discord/discord.h"
#include "adapters/discord/errors.h"
#include "adapters/discord/gateway.h"
#include "adapters/discord/inflate.h"
#include "adapters/discord/limits.h"
#include "core/base/cancel.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/net/post.h"
#include "core/net/ws.h"

enum {
    DC_SHARDS_MAX = 64,
    DC_INTERS_MAX = 1024, /* interactions remembered; older ones are recalled from the store */
    DC_QUEUE_MAX = 1024,  /* events that wait for the bot */
    DC_BODY_MAX = 256 * 1024,
    DC_NONCE_SIZE = 25,
    DC_NOTES_MAX = 256,
};

/* Ids carry their time: milliseconds since then, shifted by 22. */
#define DC_EPOCH_MS INT64_C(1420070400000)

/* --- inter.c: interactions and their tokens --- */
enum dc_ack { ACK_NONE, ACK_SENT, ACK_DONE, ACK_FAILED };
struct dc_inter {
    char id[DC_ID_MAX], app[DC_ID_MAX];
    char message[DC_ID_MAX]; /* that "@original" is; "" not known */
    char token[DC_TOKEN_MAX];
    int64_t until_ms; /* monotonic: no use after that */
    enum dc_kind kind;
    enum dc_ack ack;
    bool is_group, may_post;
    bool follow;   /* `message` is a follow-up instead of "@original" */
    bool answered; /* "@original" shows something already: the next card is a new message */
    int acks;      /* tries */
    int64_t heard_ms;
    char *farewell; /* body of the card's last edit, sent when the token is about to end; NULL none.
                        Never in copies */
    bool unwritten; /* pen.c has to note it, and acknowledges it then */
};

/* --- pen.c: what must outlive the process --- */
struct dc_notes {
    struct arena arena;
    struct discord_note list[DC_NOTES_MAX];
    size_t count;
};
void dc_notes_add(struct dc_notes *n, int seconds, const char *value, const char *key_fmt, ...)
    PRINTF(4, 5);
void dc_notes_free(struct dc_notes *n); /* for AUTO */

/* --- api.c --- */
enum { DC_MAJOR_MAX = 2 * DC_ID_MAX }; /* an application and its interaction */
struct dc_call {
    const char *name;   /* for logs: "edit original" */
    const char *method; /* "PATCH" */
    const char *route;  /* template: the limiter's key */
    const char *major;  /* its major ids */
    char *path;         /* below the base; freed by dc_call */
    const char *body;   /* JSON or NULL */
    const struct net_part *parts;
    size_t part_count;
    bool is_token_path; /* the token in the path is the credential, and it is outside the 50/s */
    bool once;          /* not safe to repeat */
    int patience_ms;    /* longest wait for the limiter */
    const struct cancel *cancel;
};
struct dc_reply {
    enum dc_action action;
    int status;
    int64_t code, retry_ms;
    char detail[200];
    cJSON *doc; /* of a good answer; may be NULL */
};
void dc_reply_free(struct dc_reply *r); /* for AUTO */

struct dc_shard {
    struct discord *d;
    int index;
    /* --- with gate_lock held --- */
    struct gateway gw;
    struct gw_output out;
    struct ws *ws;
    int64_t wake_ms;
    /* --- ws thread only --- */
    struct inflater inflater;
};

struct dc_queued {
    struct dc_queued *next;
    struct dc_event ev;
    int shard;
    int64_t seq; /* of its dispatch */
    int64_t heard_ms;
};

struct discord {
    struct net_engine *net;
    struct net_engine *ack_net;    /* a connection that nothing else waits for */
    struct ws_engine *ws, *own_ws; /* own_ws: NULL when it is shared */
    char *token, *base, *guild, *auth_header;
    unsigned char key[32]; /* signs buttons */
    struct discord_options o;
    struct chat_abilities abilities;
    struct cancel stop;
    pthread_t keeper; /* timers: gateway, late acks, warm connection */
    bool keeper_runs;
    pthread_t pen; /* writes down */
    bool pen_runs;
    struct net_posts posts; /* acknowledgements and last words; each holds a pointer to us */

    pthread_mutex_t gate_lock;
    pthread_cond_t gate_changed;
    /* --- below: only with gate_lock held --- */
    struct gw_gate gate;
    struct dc_shard *shards;
    int shard_count;
    bool gate_runs; /* shards may be stepped */
    bool reshard, fatal;
    uint64_t kicks; /* the keeper has something new to look at */
    struct err fatal_err;

    pthread_mutex_t lock;
    pthread_cond_t changed, pen_changed;
    /* --- below: only with lock held --- */
    struct limits *limits;
    struct dc_inter *inters; /* DC_INTERS_MAX, a ring */
    size_t inter_next;
    struct dc_queued *first, *last;
    size_t queued;
    char app[DC_ID_MAX];
    bool sessions_moved, sessions_new; /* new: not only its number */
    bool pen_called, pen_stops;
    bool token_dead;
    struct discord_stats stats;
    struct {
        char user[DC_ID_MAX], channel[DC_ID_MAX];
        int64_t closed_ms; /* not tried before: refusals are counted against the bot */
    } dms[64];
    size_t dm_next;
    int64_t warm_ms; /* the ack connection was used then */
};

/* --- api.c --- */
/* Always fills *ret; true when action is DC_DONE, else e is set. Frees c->path. */
bool dc_call(struct discord *d, struct dc_call *c, struct dc_reply *ret, struct err *e);
/* Fire and forget on the ack connection, no limiter; body is taken over. */
bool dc_post(struct discord *d, const char *name, const char *method, char *path, char *body,
             void (*on_done)(struct discord *d, const struct dc_reply *r, const char *id),
             const char *id);
char *dc_url(struct discord *d, const char *path);

/* --- inter.c --- */
void dc_inter_add(struct discord *d, const struct dc_event *ev, int64_t heard_ms);
/* A copy of what is known and still good for `margin_ms`. */
bool dc_inter_by_id(struct discord *d, const char *id, int64_t margin_ms, struct dc_inter *ret);
/* The newest one whose "@original" is this message. */
bool dc_inter_by_message(struct discord *d, const char *message, int64_t margin_ms,
                         struct dc_inter *ret);
/* Its first card is this message now. */
void dc_inter_answered(struct discord *d, const struct dc_inter *in, const char *message);
/* A further card of it is this message. */
void dc_inter_follow(struct discord *d, const struct dc_inter *in, const char *message);
void dc_inter_dead(struct discord *d, const char *id);
/* The token is about to end: what it edits now stays as it is. */
bool dc_inter_ends(const struct discord *d, const struct dc_inter *in);
/* Takes body over: the last word of the card on this message; NULL: it needs none. */
void dc_inter_farewell(struct discord *d, const char *message, char *body);
/* Says the last words that are due; ms until the next look. */
int64_t dc_part(struct discord *d, int64_t now_ms);
/* Adds what a later process has to know of it. */
void dc_inter_note(const struct dc_inter *in, struct dc_notes *notes);

/* --- pen.c --- */
/* All or none; false: not now. sure: also beyond a power cut. May block. */
bool dc_keep(struct discord *d, const struct dc_notes *notes, bool sure);
bool dc_pen_start(struct discord *d, struct err *e);
void dc_pen_stop(struct discord *d);
void dc_pen_call(struct discord *d); /* with lock held: there is something to write */

/* --- answer.c: the first answer, within three seconds --- */
void dc_ack(struct discord *d, const char *id);
/* Acknowledges whatever waits too long for the bot; ms until the next look. */
int64_t dc_ack_late(struct discord *d, int64_t now_ms);
/* Waits until the acknowledgement was answered, at most a few seconds. */
void dc_ack_wait(struct discord *d, struct dc_inter *in);
void dc_complete(struct discord *d, const struct dc_event *ev);
void dc_ask_script(struct discord *d, const struct dc_event *ev);
void dc_keep_warm(struct discord *d, int64_t now_ms);

/* --- message.c: cards as JSON --- */
enum { DC_PRIVATE = 64 };
/* {"content":...,"components":[...],"allowed_mentions":...,"flags":..} without the last brace, so
   that more members can follow. mention: a user's id or "". last: a line below all, or "".
   flags < 0: none. */
void dc_put_message(struct discord *d, struct strbuf *out, const struct card *card,
                    const char *mention, const char *last, int flags);
/* A JSON string for places that show no markup: as it is, at most `units` UTF-16 units of it. */
void dc_put_plain(struct strbuf *out, const char *text, int units);
void dc_nonce(char ret[static DC_NONCE_SIZE], const char *a, const char *b);
const struct chat_menu *dc_menu(const struct discord *d, const char *lang);

/* --- send.c --- */
bool dc_send(void *self, const struct chat_addr *to, const struct card *card,
             char ret_ref[CHAT_REF_MAX], struct err *e);
bool dc_edit(void *self, const struct chat_addr *to, const char *ref, const struct card *card,
             struct err *e);
int64_t dc_hold_ms(void *self, const struct chat_addr *to);
/* An edit of this message: with the token of its interaction (major: room for its ids), or with the
   bot's own. */
void dc_aim_by_token(struct dc_call *c, const struct dc_inter *in, const char *message,
                     char major[static DC_MAJOR_MAX]);
void dc_aim_by_bot(struct dc_call *c, const char *channel, const char *message);
/* The channel of a person's direct messages. */
bool dc_dm_channel(struct discord *d, const char *user, const struct cancel *cancel,
                   char ret[static DC_ID_MAX], struct err *e);
/* It was refused: for a while nothing is sent there. */
void dc_dm_closed(struct discord *d, const char *channel);

/* --- deliver.c, fetch.c, commands.c --- */
bool dc_deliver(void *self, const struct chat_addr *to, const char *ref,
                const struct chat_video *video, const struct cancel *cancel,
                char ret_ref[CHAT_REF_MAX], struct err *e);
bool dc_fetch(void *self, const char *media, const char *folder, const struct cancel *cancel,
              char **ret_path, struct err *e);
void dc_commands_publish(struct discord *d);

/* --- link.c --- */
/* Makes and starts the shards; ends them so that they can be resumed. */
bool dc_link_start(struct discord *d, const char *url, int shards, struct err *e);
void dc_link_stop(struct discord *d);
/* False: it is another process's to be connected. */
bool dc_link_is_ours(const struct discord *d);
/* Steps what is due; ms until the next look. */
int64_t dc_link_tick(struct discord *d, int64_t now_ms);
void dc_sessions_save(struct discord *d);
void dc_kick(struct discord *d); /* wakes the keeper */

/* --- run.c --- */
bool dc_run(void *self, chat_events_fn *on_events, void *ctx, struct err *e);
bool dc_whoami(void *self, char *ret_name, size_t size, const struct cancel *cancel, struct err *e);
/* Takes the event over (and frees it when there is no room). */
void dc_enqueue(struct discord *d, struct dc_queued *q);

#endif
