/*
 * pipeline_internal - what the files of the pipeline share; nobody else includes it.
 *
 * Threads of one run:
 *   caller    pipeline_run itself: the only one that reads and writes the storyboard's filled-in
 *             parts, saves, reports, submits tasks, joins
 *   speaker   speaks scene after scene into scene_work.spoken
 *   finders   up to four: each finds and fetches a scene at a time into scene_work.found
 *   render    tasks on toolbox.render: one segment each, and the sound
 * Narrations, terms and settings do not change after WRITE, so all threads may read those. The
 * speaker's and finder's results belong to the caller once the matching _ready was set.
 */
#ifndef NANOTIK_PIPELINE_INTERNAL_H
#define NANOTIK_PIPELINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/log.h"
#include "core/job/pipeline.h"

enum {
    SPEECH_REVISION = 1,
    FIND_TRIES_MAX = 4, /* pictures of one scene that may turn out broken while encoding */
    FIND_HITS = 12,
    OWN_LOST_MAX = 16,      /* own files that are remembered as unusable */
    FOOTAGE_NAME_MAX = 192, /* "provider:id" */
    PROGRESS_EVERY_MS = 200,
    WAKE_EVERY_MS = 100,
};

struct run_state;
struct finder;

enum task_state {
    TASK_QUEUED,
    TASK_RUNNING,   /* the pool has it: whoever wants to free it waits for `finished` */
    TASK_ABANDONED, /* its run has ended: the pool frees it when its turn comes */
};

/* One segment or the sound. Freed by the caller, or by the pool once it is abandoned. */
struct render_task {
    struct pool_task task; /* first: the pool gives it back to us */
    _Atomic enum task_state state;
    struct run_state *run; /* valid while not abandoned */
    bool is_sound;
    size_t scene;
    bool cached, submitted; /* the caller's */
    atomic_int frames_done;
    int frames;
    char path[CACHE_PATH_MAX];
    /* Inputs of a segment. */
    struct footage footage, second;
    int second_frame; /* where `second` begins; 0: nowhere */
    struct caption_track captions;
    const char *title;
    /* Inputs of the sound. */
    struct sound_voice *voices;
    size_t voice_count;
    /* Result. */
    bool finished; /* only with run->lock held */
    struct err err;
};

struct scene_work {
    int need_ms; /* estimate of the slot; the same in every attempt */
    int pace;    /* as scene.pace; the speaker decides it once */
    /* The speaker's. */
    bool spoken_ready; /* only with lock held */
    char wav[CACHE_PATH_MAX];
    char engine[24];
    struct speech_result spoken;
    /* The finder's. */
    bool find_wanted, found_ready; /* only with lock held */
    struct footage found, second;  /* second: as scene.second */
    int find_tries;
    char banned[FIND_TRIES_MAX][FOOTAGE_NAME_MAX];
    /* The caller's. */
    bool stood; /* its pictures are those of an earlier run */
    bool spoken_taken, pictured, composed, encoded_again;
    struct render_task *segment; /* NULL until it can be made */
};

struct progress_state {
    int64_t begun_ms, shown_ms;
    double free_cost; /* came from the cache: counts as done, says nothing about speed */
    double ratio;     /* measured ms per estimated ms, smoothed; 0 = none yet */
    int percent;
    double joined; /* 0..1 */
    double fitted; /* 0..1 */
    bool joining, fitting, finished;
};

/* Who speaks. stand_in: with a voice of its own, since the one asked for is of an engine that is
   down. */
struct narrator {
    size_t engine;
    bool stand_in;
};

struct run_state {
    const struct pipeline_run *run;
    const struct toolbox *tools;
    const struct pipeline_video *video;
    struct storyboard *story;
    struct cancel stop; /* fires for the user, the shutdown, and the first error */
    char job_id[40];    /* for the log lines of all threads */
    int width, height;
    size_t count;             /* scenes */
    struct narrator narrator; /* of the scenes that are spoken already */
    struct scene_work *scenes;
    struct finder *finder;
    bool is_new;       /* the script was written in this run */
    int64_t target_ms; /* wanted length of the film; 0: as long as the words take */
    struct render_task *sound;
    size_t outstanding; /* tasks given to the pool and not yet taken back */
    size_t spoken, pictured, cut, composed;
    bool sound_composed, dirty;
    atomic_int frames_left; /* of all segments; the caller's estimate for the render threads */
    atomic_int rendering;   /* tasks that a render thread is at */
    struct progress_state progress;
    size_t cached, made;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* CLOCK_MONOTONIC */
    /* --- only with lock held --- */
    struct err err; /* the first one */
    bool failed;
    bool closing; /* no scene will want pictures any more */
    size_t lost_count;
    char lost[OWN_LOST_MAX][32]; /* footage.id of own files that cannot be used */
};

/* Keeps the first error and stops everything. Any thread, lock not held. */
void run_fail(struct run_state *r, const struct err *e);
void run_wait_locked(struct run_state *r, int ms);
/* Caller only: stores the storyboard when it changed. */
bool run_save(struct run_state *r, struct err *e);
/* Caller only: the error to return, when there is one. */
bool run_error(struct run_state *r, struct err *e);

bool write_story(struct run_state *r, struct err *e);
/* The length that a script was ordered for; 0: none, or the person made it another. is_new: nobody
   can have changed it. */
int64_t plan_target_ms(const struct toolbox *t, const struct storyboard *story, bool is_new);
/* pipeline_dub.c: story->dub: its scenes in the language of its settings, with their pictures. */
bool dub_story(struct run_state *r, struct err *e);
/* What WRITE of a film in another language is asked about; caller frees. *ret_wish changes where a
   writer translates. */
char *dub_topic(const struct toolbox *t, const char *topic, const struct storyboard *story,
                const char **ret_wish);
/* Estimates each scene's slot before it is spoken. */
void plan_needs(struct run_state *r);

/* Before the threads start: goes on with the engine of an earlier attempt. */
bool pipeline_has_voice(const struct speech_engine *engine, const char *lang, const char *voice);
void speak_prepare(struct run_state *r, size_t count);
void *speaker_main(void *run_state);

/* Threads that find pictures for all scenes with find_wanted, and for those that are put back; they
   end with r->closing. find_stop waits for them; fine without find_start. */
bool find_start(struct run_state *r, struct err *e);
void find_stop(struct run_state *r);
/* May the pictures that the storyboard names be used as they stand? Then the cache keeps them for
   this run. */
bool find_still_there(const struct run_state *r, const struct scene *s);
/* A moment of the clip that is not always its first; same seed, same choice. */
void find_choose_in_point(struct footage *f, uint64_t seed, size_t scene, int need_ms);
/* This one cannot be used; of the person's own files that is said below the film. Any thread. */
void find_lost(struct run_state *r, const struct footage *hit);
void footage_name(const struct footage *f, char ret[static FOOTAGE_NAME_MAX]);

/* Inputs, key and path of a scene's segment, or of the sound; `cached` when the cache has it. */
bool compose_segment(struct run_state *r, size_t scene, struct render_task **ret, struct err *e);
bool compose_sound(struct run_state *r, struct render_task **ret, struct err *e);
/* Encodes a scene's segment anew and waits for it (finish found its header odd). */
bool compose_again(struct run_state *r, size_t scene, struct err *e);
void compose_submit(struct run_state *r, struct render_task *t);
/* Tells the render threads how much is left, by which they share the cores. Again and again. */
void compose_share(struct run_state *r);
/* Not submitted, finished, or abandoned to the pool; waits when the pool is at it. */
void compose_release(struct run_state *r, struct render_task **t);

void progress_begin(struct run_state *r);
/* This scene's segment came from the cache. */
void progress_free_segment(struct run_state *r, size_t scene);
/* now false: only when the last one is PROGRESS_EVERY_MS old. */
void progress_show(struct run_state *r, bool now);

/* JOIN, CHECK, poster, subtitles; the three files appear. */
bool finish_film(struct run_state *r, struct pipeline_result *ret, struct err *e);

#endif
