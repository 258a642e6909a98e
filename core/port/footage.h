/*
 * footage - moving or still pictures for a scene.
 */
#ifndef NANOTIK_PORT_FOOTAGE_H
#define NANOTIK_PORT_FOOTAGE_H

#include <stdatomic.h>

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

enum { FOOTAGE_PATH_MAX = 1024 };

enum footage_kind {
    FOOTAGE_NONE,
    FOOTAGE_CLIP,     /* a video file */
    FOOTAGE_PHOTO,    /* a still, moved slowly */
    FOOTAGE_BACKDROP, /* painted by core/video from look and seed; no file */
};

/* footage.provider of the files that a person sent along with the words. */
#define FOOTAGE_OWN "chat"

/* A chosen picture source. A plain value. */
struct footage {
    enum footage_kind kind;
    char provider[24]; /* "local", "backdrop", "pexels" */
    char id[160];      /* unique within the provider */
    char author[96];   /* for the credits; may be "" */
    char page[256];    /* link for the credits; may be "" */
    char licence[64];
    char path[FOOTAGE_PATH_MAX]; /* the file once fetched; "" for backdrops */
    /* FOOTAGE_BACKDROP: which painting. "auto:N" for scene N of a film: the looks in an order of the
       seed, none twice in a row; or a name of backdrop_looks. Anything else is chosen by hash. */
    char look[32];
    /* FOOTAGE_BACKDROP: the job's, so that a film's scenes share their colours. FOOTAGE_PHOTO: which
       way it moves. */
    uint64_t seed;
    int64_t in_ms;       /* first moment used of a clip */
    int64_t duration_ms; /* of the whole clip; 0 = unknown */
    int width, height;   /* as shown (after rotation); 0 = unknown */
};

struct footage_query {
    const char *const *terms; /* best first */
    size_t term_count;
    const char *narration;
    const char *lang;
    int width, height; /* of the film */
    int need_ms;       /* length of the slot */
    uint64_t seed;     /* of the job */
    size_t scene;      /* index, for sources that vary by scene */
    size_t scene_total;
    const char *style;       /* "" = default */
    const char *const *used; /* "provider:id" already in this film */
    size_t used_count;
    /* The same of the chat's last films, what was shown last first. A service leaves them out unless
       `again`; what was shown longest ago comes first then. */
    const char *const *recent;
    size_t recent_count;
    bool again;
    /* Calls to its service that this search may make, counted down; the caller shares out what a
       film may make in all. NULL: any number. */
    atomic_int *calls_left;
};

struct footage_source_ops {
    const char *name; /* REQUIRED. = footage.provider */
    /* REQUIRED. Any thread, blocks. Up to max hits, best first; unused before used ones. No hit is
       success with 0. Hits may lack path, size and duration. */
    bool (*search)(void *self, const struct footage_query *query, struct footage *ret_hits,
                   size_t max, size_t *ret_count, const struct cancel *cancel, struct err *e);
    /* OPTIONAL, of services that search by words. Any thread, blocks. What a search of this query
       has to ask from outside is asked now, so that it will be quick. *ret_any: it would have a
       hit. */
    bool (*prepare)(void *self, const struct footage_query *query, bool *ret_any,
                    const struct cancel *cancel, struct err *e);
    /* REQUIRED. Any thread, blocks. Makes hit->path a readable local file. The caller probes it and
       takes the next hit when it is broken. */
    bool (*fetch)(void *self, struct footage *hit, const struct cancel *cancel, struct err *e);
    /* REQUIRED. */
    void (*destroy)(void *self);
};

struct footage_source {
    const struct footage_source_ops *ops;
    void *self;
};

#endif
