/*
 * azure_parts - the pieces of the Azure voices: table, text, frames, turns, connections, REST,
 * times. Internal to adapters/speech.
 */
#ifndef NANOTIK_AZURE_PARTS_H
#define NANOTIK_AZURE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "adapters/speech/azure.h"
#include "adapters/speech/espeak_parts.h"
#include "core/base/arena.h"
#include "core/base/hash.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"
#include "core/net/ws.h"

enum {
    AZURE_RATE = 24000,
    AZURE_SECONDS_MAX = 600, /* the service cuts there */
    AZURE_AUDIO_MAX = AZURE_RATE * 2 * AZURE_SECONDS_MAX,
    AZURE_EVENTS_MAX = 8192,
    AZURE_WORDS_MAX = 1 << 19, /* bytes of event texts in a turn */
    AZURE_SSML_MAX = 60000,    /* the service takes 64 KB */
    AZURE_ID = 33,             /* 32 hex digits, upper case */
    AZURE_URL_MAX = 512,
};

/* --- voices --- */
struct azure_voice {
    const char *name;    /* what a user types */
    const char *lang;    /* full tag, as the service writes it */
    const char *service; /* the service's name for it */
    const char *label;
    bool female;
    int rate; /* units a minute, as documented */
};
/* Those that are known without asking: curated, the first of a language is its default. */
const struct azure_voice *azure_voices(size_t *ret_count);

/* --- the roster: the voices that the service has, ours first, then what else is in its list --- */
struct azure_member {
    struct azure_voice voice;
    _Atomic int64_t units, ms; /* spoken with it so far, at its own speed */
};
struct azure_roster {
    struct azure_member *members;
    struct speech_voice *shown; /* the same, for ops->voices */
    size_t count;
    struct arena arena;
    char hash[HASH_HEX];        /* of the list that it was made from; "" without one */
    struct azure_roster *older; /* kept: callers hold its voices */
};
/* list: the service's array; NULL: ours alone, all of them. What `before` measured is taken over; the new one owns
   it. NULL: the list has none of our voices, or no memory. */
struct azure_roster *azure_roster_make(const cJSON *list, struct azure_roster *before);
void azure_roster_free(struct azure_roster *r); /* and all older ones */
/* The voice to speak with; NULL: ERR_UNSUPPORTED. */
struct azure_member *azure_voice_choose(const struct azure_roster *r, const char *lang,
                                        const char *name, struct err *e);
/* Our first voice of each language. */
bool azure_voice_is_default(const struct azure_voice *v);
/* Units a minute: as documented at first, more and more as measured. */
int azure_member_rate(const struct azure_member *m);
void azure_member_spoke(struct azure_member *m, int64_t units, int64_t ms);

/* --- what is said: the text without what cannot be spoken or would break the markup --- */
void azure_spoken_make(struct spoken *ret, const char *text, const char *lang);
void azure_ssml(struct strbuf *out, const struct azure_voice *v, const struct spoken *s,
                double speed);

/* --- frames --- */
struct azure_frame {
    char path[32];     /* lower case */
    char id[AZURE_ID]; /* upper case; "" when absent or too long */
    const char *body;
    size_t len;
};
/* False: no such frame. The body lies in `bytes`. */
bool azure_frame_read(const char *bytes, size_t len, bool is_text, struct azure_frame *ret);
void azure_id_make(char ret[static AZURE_ID]);
void azure_frame_config(struct strbuf *out, const char *id);
void azure_frame_context(struct strbuf *out, const char *id);
void azure_frame_ssml(struct strbuf *out, const char *id, const char *ssml);

/* --- a turn: what has come of one scene. No clock, no connection: bytes in, state out. --- */
struct azure_event {
    uint32_t sample;
    uint32_t word, len; /* bytes in turn.words */
};
enum azure_turn_state { AZURE_TURN_OPEN, AZURE_TURN_DONE, AZURE_TURN_BROKEN };
struct azure_turn {
    char id[AZURE_ID];
    enum azure_turn_state state;
    struct strbuf audio; /* s16 little-endian */
    struct strbuf words;
    struct azure_event *events;
    size_t event_count, event_room;
    int frames;  /* of this turn, so far */
    int wait_ms; /* how long the service wants to be left alone; 0: it did not say */
};
void azure_turn_init(struct azure_turn *t);
void azure_turn_free(struct azure_turn *t);
/* Frames of other turns, unknown paths and unreadable ones change nothing. */
void azure_turn_take(struct azure_turn *t, const char *bytes, size_t len, bool is_text);

/* --- faults: what a failure means for the next step --- */
enum azure_fault {
    AZURE_OK,
    AZURE_AGAIN,  /* network, throttled, half a turn */
    AZURE_STALE,  /* a kept connection was already dead: does not count */
    AZURE_REST,   /* WebSocket is not to be had here: REST at once */
    AZURE_VOICE,  /* this request is refused for good */
    AZURE_CONFIG, /* key or region */
    AZURE_QUOTA,
    AZURE_STOPPED, /* cancelled */
};
/* Sets e and gives back the fault. */
enum azure_fault azure_fault_set(struct err *e, enum azure_fault fault, const char *fmt, ...)
    PRINTF(3, 4);
/* How a connection's end is to be understood. */
enum azure_fault azure_fault_of_end(const struct ws_end *end, struct err *e);

/* --- the service --- */
enum { AZURE_IDLE_MAX = 4, AZURE_PATHS = 2 };
struct azure_link;
struct azure_service {
    struct net_engine *net;
    struct ws_engine *ws, *own_ws; /* own_ws: NULL when it is shared */
    char key[256];
    char base[AZURE_URL_MAX]; /* http(s), no slash at its end */
    bool trusted;             /* base was configured */
    struct azure_limits limits;
    _Atomic(struct azure_roster *) roster;
    char list_path[1024], rates_path[1024]; /* "": nothing is kept */
    struct cancel stop;
    pthread_t refresher;
    bool refreshing;
    bool list_known; /* the file had a list that we could use */
    pthread_cond_t stopped;
    pthread_mutex_t lock;
    /* --- with lock held --- */
    struct azure_link *idle[AZURE_IDLE_MAX];
    size_t idle_count;
    size_t path; /* which WebSocket path the service knows */
    int64_t rest_until;
    struct err rest_why;
    int64_t rates_saved;
};
/* The address of a region's service. False: no region's name. */
bool azure_region_base(const char *region, char ret[static AZURE_URL_MAX]);
struct azure_job {
    const char *ssml;
    int64_t expected_ms; /* of sound */
    const struct cancel *cancel;
};
/* One turn, no repetition. */
enum azure_fault azure_link_speak(struct azure_service *s, const struct azure_job *job,
                                  struct azure_turn *turn, struct err *e);
void azure_links_free(struct azure_service *s);
/* One call; the audio is the turn's, which has no events then. */
enum azure_fault azure_rest_speak(struct azure_service *s, const struct azure_job *job,
                                  struct azure_turn *turn, struct err *e);
/* The service's list of voices, an array; the caller frees it. */
bool azure_rest_list(struct azure_service *s, const struct cancel *cancel, cJSON **ret_list,
                     struct err *e);
/* The roster of the file, however old: the first job may ask for a voice that only the list knows. */
void azure_list_load(struct azure_service *s);
/* Keeps roster and file like the service's list, asked for once a day. */
bool azure_refresh_start(struct azure_service *s, struct err *e);
void azure_refresh_stop(struct azure_service *s);
/* Measured rates: into the roster; to the file; to the file when that is some minutes old. */
void azure_rates_load(struct azure_service *s);
void azure_rates_save(struct azure_service *s);
void azure_rates_keep(struct azure_service *s);
bool azure_rest_check(struct azure_service *s, const struct cancel *cancel, struct err *e);

/* --- sound and times --- */
/* The turn's audio as a trimmed utterance, its events with it (position: number of the turn's
   event, from 1). False: silence, or too little sound for the text. */
bool azure_sound(const struct azure_turn *t, int64_t expected_ms, struct utterance *ret,
                 struct err *e);
bool azure_times(struct utterance *u, const struct azure_turn *t, const struct spoken *s,
                 const char *text, const char *lang, struct speech_word **ret_words,
                 size_t *ret_count, struct err *e);
/* Times without events: every token of text gets one event in u, spread over the voiced parts,
   clause marks at measured pauses. s gets the places that the events point to. */
bool azure_spread(struct utterance *u, struct spoken *s, const char *text, const char *lang,
                  struct err *e);

#endif
