/*
 * pipeline_find - what the two files of FIND share; nobody else includes it.
 *
 * hunt:    one scene's way down the sources: search, next hit, fetch, probe. Hits are claimed as
 *          they are handed out, so that no two scenes take the same.
 * Threads: a hunt belongs to one finder thread; a finder is shared by all of them.
 */
#ifndef NANOTIK_PIPELINE_FIND_H
#define NANOTIK_PIPELINE_FIND_H

#include "core/job/pipeline_internal.h"

enum {
    FIND_THREADS_MAX = 8,
    RUNGS_MAX = 18,
    CLAIMS_MAX = 4 * STORY_SCENES_MAX,
};

enum rung_how {
    RUNG_TERMS, /* by the scene's terms, what is used left out */
    RUNG_AGAIN, /* what is used may come again */
    RUNG_SEEN,  /* what the chat saw lately may come again; asks for nothing new */
    RUNG_MOOD,  /* by the film's mood: when the terms gave nothing anywhere */
};

struct rung {
    const struct footage_source *source;
    enum rung_how how;
};

struct finder {
    struct run_state *r;
    pthread_t threads[FIND_THREADS_MAX];
    size_t thread_count;
    struct rung rungs[RUNGS_MAX]; /* in the order in which they are tried; fixed */
    size_t rung_count;
    atomic_int calls_left, mood_calls_left;
    /* --- only with r->lock held --- */
    bool chosen[STORY_SCENES_MAX], settled[STORY_SCENES_MAX];
    bool loading[STORY_SCENES_MAX], loaded[STORY_SCENES_MAX]; /* what was chosen */
    int64_t loading_ms;                                       /* when the last one began */
    size_t chosen_first, settled_first;
    size_t look_count;
    uint64_t looks[2 * STORY_SCENES_MAX]; /* of the pictures in use */
    size_t used_count;                    /* what lies below it never changes again */
    char used_text[CLAIMS_MAX][FOOTAGE_NAME_MAX];
    const char *used[CLAIMS_MAX];
};

struct hunt {
    struct finder *f;
    size_t scene;
    struct footage_query query;
    const char *mood[1];
    size_t rung, next, count; /* where it stands: hits[next] of rungs[rung] */
    atomic_int granted;       /* calls that the present search may make */
    int spent[RUNGS_MAX];     /* calls made on each rung */
    size_t seen;              /* claims that the present search knew of */
    struct footage first;     /* what hunt_usable begins with; FOOTAGE_NONE: with the next hit */
    const struct footage_source *second_source;
    struct footage hits[FIND_HITS];
};

void hunt_rungs(struct finder *f);
void hunt_begin(struct hunt *h, struct finder *f, size_t scene);
/* Whatever has to be asked from outside for the coming search, any number of scenes at once. */
void hunt_prepare(struct hunt *h);
/* Claims the first hit of the first source that has one. False: nothing anywhere, or stopped. */
bool hunt_choose(struct hunt *h);
/* Another hit of the same search, when there is one to spare; else kind FOOTAGE_NONE. */
void hunt_choose_second(struct hunt *h, struct footage *ret);
/* Fetches what was chosen; *second becomes FOOTAGE_NONE when it cannot be had. */
void hunt_load(struct hunt *h, struct footage *second);
/* The chosen hit, then all others, until one is there and probed. False: none, or stopped. */
bool hunt_usable(struct hunt *h, struct footage *ret);
/* The present source has hits that were not tried. */
bool hunt_has_more(const struct hunt *h);
/* Can what was fetched be used? */
bool hunt_probe(struct hunt *h, struct footage *hit);
void hunt_claim(struct finder *f, const struct footage *hit);

#endif
