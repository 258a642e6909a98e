/*
 * stock_parts - what the files of the stock services share. Internal to adapters/footage.
 */
#ifndef NANOTIK_STOCK_PARTS_H
#define NANOTIK_STOCK_PARTS_H

#include <pthread.h>

#include "adapters/footage/stock.h"
#include "core/base/arena.h"
#include "core/base/strbuf.h"
#include "core/net/json.h"

enum {
    STOCK_CLIPS_MAX = 200, /* of one reply */
    STOCK_RENDITIONS_MAX = 24,
    STOCK_TERM_MAX = 100, /* bytes; Pixabay takes no more characters */
    STOCK_KEYS_MAX = 16,
    STOCK_WINDOW_MAX = 200, /* calls of the longest window */
    STOCK_CLIP_BYTES_MAX = 200 << 20,
};

/* --- replies --- */

/* One file of a clip. */
struct stock_rendition {
    const char *url;
    int width, height;
    double fps;    /* 0: unknown */
    int64_t bytes; /* 0: unknown */
};

struct stock_clip {
    enum footage_kind kind;
    char id[24];
    const char *author, *page;
    const char *words;   /* tags and page name, lower case: what the service says is to be seen */
    int64_t duration_ms; /* 0: unknown, and for photos */
    struct stock_rendition renditions[STOCK_RENDITIONS_MAX];
    size_t rendition_count;
};

/* A parsed reply; texts live in the arena. */
struct stock_page {
    struct arena arena;
    struct stock_clip *clips; /* in the service's order */
    size_t count;
};
void stock_page_free(struct stock_page *page); /* for AUTO; zeroed is fine */

/* --- helpers of the parsers --- */

/* Cleaned, at most 95 bytes. */
const char *stock_author(struct arena *a, const char *text);
/* The page when it is an https link of that domain, else `instead`. */
const char *stock_page_link(const char *link, const char *domain, const char *instead);
/* Lower case, everything but letters, digits and bytes of other scripts becomes one space. */
char *stock_words(struct arena *a, const char *text);
/* Takes a file when link and sizes make sense and it is not known to be too large. */
void stock_add_rendition(struct stock_page *page, struct stock_clip *clip, const char *url,
                         int64_t width, int64_t height, double fps, double bytes);
/* "https://host/..." or "http://host/...", printable, of a length that can be kept. */
bool stock_link_ok(const char *url);

/* --- terms and URLs --- */

enum stock_shape { STOCK_ANY, STOCK_LANDSCAPE, STOCK_PORTRAIT, STOCK_SQUARE };
enum stock_shape stock_shape_of(int width, int height);

/* Lower case, single spaces, no control characters, at most STOCK_TERM_MAX bytes; "" when nothing
   is left. */
void stock_term(const char *text, char ret_term[static STOCK_TERM_MAX + 1]);
/* The service's name for this language: the same tag, else the first of the same language; "" when
   it is English or the service does not know it. */
const char *stock_locale(const char *const *locales, const char *lang);
/* Is the term in the narration's own language rather than in English? Writers give English terms;
   a person's own words give words of the narration. */
bool stock_term_is_native(const struct footage_query *query, const char *term);
void stock_put_encoded(struct strbuf *out, const char *text); /* for a query string */

/* --- choosing (choose.c) --- */

struct choose_scene {
    const struct footage_query *query;
    const char *provider;
    const char *term; /* normalised, what was searched for */
    /* What this source knows about clips that were handed out before. */
    const char *neighbour_author;                                 /* "" none */
    bool (*looks_used)(void *ctx, const struct stock_clip *clip); /* may be NULL */
    void *ctx;
};

/* The file to take for a film of this size; -1 when none fits. */
int choose_rendition(const struct stock_clip *clip, int width, int height);
/* Part of the picture that is lost when it fills the film, 0..1. */
double choose_crop_loss(int width, int height, int film_width, int film_height);
/* Part of the term's words that the clip's words have, in tenths. */
int choose_match(const char *term, const char *words);
/* Fills hits, best first: path holds the link until it is fetched. Clips of this film are left out.
 */
size_t choose_order(const struct choose_scene *scene, const struct stock_page *page,
                    struct footage *ret_hits, size_t max);

/* --- keys (stock_keys.c) --- */

struct stock_keys;
struct stock_rate {
    int calls;
    int period_ms;
    int limited_ms; /* rest after a 429 that says nothing */
};
/* name: for messages. ERR_CONFIG when there is none or one has impossible characters. */
bool stock_keys_create(const char *name, const char *list, const struct stock_rate *rate,
                       struct stock_keys **ret, struct err *e);
struct stock_keys *stock_keys_share(struct stock_keys *keys); /* one more owner */
void stock_keys_release(struct stock_keys *keys);             /* NULL is fine */
size_t stock_keys_count(const struct stock_keys *keys);
const char *stock_keys_text(const struct stock_keys *keys, size_t index);
/* The first key that may be used now, counted as used; -1: none, e says why. */
int stock_keys_take(struct stock_keys *keys, struct err *e);
/* What the service said about it. wait_ms < 0: it did not say how long. */
void stock_keys_refused(struct stock_keys *keys, int index);
void stock_keys_limited(struct stock_keys *keys, int index, int64_t wait_ms);
/* Calls left and ms until there are more; left < 0: it did not say. */
void stock_keys_told(struct stock_keys *keys, int index, int64_t left, int64_t reset_ms);

/* --- services --- */

enum stock_answer {
    STOCK_OK,
    STOCK_BAD_KEY,
    STOCK_LIMITED,
    STOCK_RETRY,
    STOCK_NO_SUCH_PATH,
    STOCK_BAD_REQUEST
};

struct stock_search {
    char term[STOCK_TERM_MAX + 1];
    char locale[8]; /* the service's name for the term's language; "" English */
    enum stock_shape shape;
    int width, height; /* of the film */
};

struct stock_service {
    const char *name;  /* = footage.provider */
    const char *title; /* for messages */
    const char *licence;
    bool by_shape; /* a search can ask for an orientation */
    const char *const
        *locales; /* languages of terms besides English, best known first; NULL-ended */
    struct stock_rate rate;
    /* The part of the path that a base may have or lack: "/v1". */
    const char *prefix;
    /* Path and query, after base and prefix. */
    void (*put_query)(struct strbuf *out, const struct stock_search *search, const char *key);
    const char *key_header; /* "Authorization: ", NULL: the key is in the query */
    /* Replies: the array with the items, what they are, and how one is read into the zeroed clip,
       its texts into the arena of the page. False: an item without an id. */
    const char *list;
    enum footage_kind kind;
    bool (*read)(const cJSON *item, const struct stock_search *search, struct stock_page *page,
                 struct stock_clip *clip);
    /* Reads an answer that is no network failure. */
    enum stock_answer (*classify)(const struct net_reply *reply);
    /* X-RateLimit-Reset is a Unix time, else seconds left. */
    bool reset_is_time;
};
extern const struct stock_service pexels_videos, pexels_photos, pixabay_videos;

/* Items without anything that can be used are left out. False: not a reply of this service
   (ERR_INPUT or ERR_LIMIT "error.bad_reply"). Photos become one rendition of the film's size. */
bool stock_parse(const struct stock_service *service, const char *json, size_t len,
                 const struct stock_search *search, struct stock_page *ret, struct err *e);
/* By the status alone. */
enum stock_answer stock_classify(const struct net_reply *reply);

enum { SEEN_MAX = 256, ASKED_MAX = 16 };

/* A clip that was handed out. */
struct stock_seen {
    char id[24];
    char author[96];
    int64_t duration_ms;
};

struct stock {
    const struct stock_service *service;
    struct net_engine *net;
    struct stock_keys *keys;
    char *base; /* without / at the end */
    bool (*place)(void *ctx, const char *key, const char *ext, char *ret_path, struct err *e);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    /* --- below: only with lock held --- */
    bool prefix_toggled; /* the other form of the base is the right one */
    int64_t rest_until_ms, fetch_rest_until_ms;
    int fetch_faults;
    struct stock_seen seen[SEEN_MAX]; /* ring */
    size_t seen_next;
    char asked[ASKED_MAX][FOOTAGE_PATH_MAX]; /* kept replies that are being asked for; "" free */
};

bool stock_create(const struct stock_service *service, const struct stock_options *options,
                  struct stock_keys *keys, struct footage_source *ret, struct err *e);
/* keys_name: the setting, for messages. */
bool stock_check(const struct stock_service *service, const char *keys_name,
                 const struct stock_options *options, stock_key_fn *on_key, void *ctx,
                 struct err *e);

/* One search (stock_search.c): from the kept replies, else from the service (unless !may_call:
   then an empty page). */
bool stock_search_page(struct stock *s, const struct stock_search *search, bool may_call,
                       struct stock_page *ret, bool *ret_called, const struct cancel *cancel,
                       struct err *e);
/* One call with one key. */
enum stock_answer stock_call(struct stock *s, const struct stock_search *search, const char *key,
                             int total_ms, struct net_reply *ret_reply, const struct cancel *cancel,
                             struct err *e);

/* Downloads url to path (stock_fetch.c), or finds it there. */
bool stock_download(struct net_engine *net, const char *url, const char *path,
                    enum footage_kind kind, const struct cancel *cancel, struct err *e);
/* Looks at the boxes of an MP4: it begins with ftyp, has a moov, and none reaches past the end. */
bool stock_mp4_whole(int fd, int64_t size);
/* Could these first bytes (12 or more) be a file of this kind? */
bool stock_looks_like(const unsigned char *bytes, size_t len, enum footage_kind kind);

#endif
