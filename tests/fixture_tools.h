/*
 * fixture_tools - a toolbox whose parts can be slow, broken or hanging on demand, and that writes
 * down what it was asked, in order.
 *
 * What:    two writers, two speech engines, two footage sources, the steps of core/video, a cache
 *          and a render pool in a folder of their own. Nothing is really encoded: a "segment" is a
 *          small text file. One fixture at a time (the video steps have no self).
 * Threads: knobs are set before a run; the log is safe from any thread.
 */
#ifndef NANOTIK_FIXTURE_TOOLS_H
#define NANOTIK_FIXTURE_TOOLS_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/job/pipeline.h"

enum { FAKE_EVENTS_MAX = 4096, FAKE_FOLDER_MAX = 256 };

/* What a step does: takes `ms` (in slices, looking at cancel), then fails with `code` for the next
   `times` calls (-1: always) when code is set. `at` > 0: only from this call on. */
struct fake_step {
    int ms;
    enum err_code code;
    int times;
    int at;
    int calls;
};

struct fake_event {
    char what[16]; /* "write0", "speak0", "search1", "fetch", "probe", "segment", "sound", ... */
    int scene;     /* as far as the step knows, else -1 */
    char end;      /* '>' begins, '<' ends well, '!' ends badly */
};

struct fake_tools {
    struct toolbox box;
    char folder[FAKE_FOLDER_MAX]; /* removed by fake_tools_close */
    char cache_folder[FAKE_FOLDER_MAX + 16];
    struct fake_step write[2], speak[2], search[2], fetch, probe, segment, sound, join, fit, check,
        poster;
    const char *script;   /* what a writer writes; NULL: the topic itself */
    int word_ms;          /* how long a spoken word lasts */
    int clips;            /* how many the first source offers */
    int clip_ms;          /* how long each is */
    atomic_int threads;   /* of the encoder, most in any segment so far */
    bool clips_in_cache;  /* fetched into it, as from a service; else beside it */
    char broken[64];      /* probing a clip with this id fails */
    char broken_late[64]; /* encoding a clip with this id fails */
    int odd_segment;      /* join refuses this one until it was encoded again; -1 */
    const char *lost;     /* before the next join all cached files go whose names hold this; NULL */
    bool speaks[2];       /* engine knows the language */
    bool own_voices;      /* engine two has voices of its own, and both refuse the other's */
    char spoke_as[16];    /* voice of the last spoken scene */
    int spoke_percent;    /* and its speed */
    int64_t film_bytes;   /* 0: as long as its parts */
    /* --- results --- */
    pthread_mutex_t lock;
    struct fake_event events[FAKE_EVENTS_MAX];
    size_t event_count;
};

/* threads: of the render pool. */
struct fake_tools *fake_tools_open(size_t threads);
void fake_tools_close(struct fake_tools *f);
/* Number of events of this kind; what NULL: any. */
int fake_count(struct fake_tools *f, const char *what, char end);
/* Index of the n-th (0-based) such event, -1 when there is none. */
int fake_nth(struct fake_tools *f, const char *what, char end, int n);
void fake_forget(struct fake_tools *f);
/* Files below a folder whose names contain `part`. */
int fake_files(const char *folder, const char *part);

#endif
