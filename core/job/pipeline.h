/*
 * pipeline - a storyboard, run from the stage it stands at to a finished film.
 *
 *   WRITE -> SPEAK -> FIND -> COMPOSE (a segment per scene) + SOUND -> JOIN -> FIT -> CHECK
 *
 * What:    stages overlap by scene: scene 1 is encoded while scene 3 is still being spoken.
 *          Artifacts come from and go to the cache, so a run after a crash continues at the first
 *          unfinished scene. Segments do not depend on settings.byte_limit: a run with a smaller one
 *          composes nothing, it joins and fits.
 * Owner:   the toolbox lives as long as the program; a run borrows everything.
 * Threads: pipeline_run blocks its caller; segments and sound run on toolbox.render, speech on
 *          one thread of the run, search on up to four; several runs may share a toolbox. Callbacks come on
 *          the calling thread, never under a lock.
 * Errors:  the first failure stops the run, all its tasks have ended when it returns; ERR_LIMIT
 *          "make.too_long" (arg = seconds allowed), "make.file_too_large" (arg = bytes). Result:
 *          three files; the film comes last, so a film that is there has its poster and subtitles.
 */
#ifndef NANOTIK_PIPELINE_H
#define NANOTIK_PIPELINE_H

#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"
#include "core/base/pool.h"
#include "core/job/cache.h"
#include "core/port/footage.h"
#include "core/port/speech.h"
#include "core/port/writer.h"
#include "core/story/rules.h"
#include "core/story/storyboard.h"
#include "core/video/fit.h"
#include "core/video/video.h"

/* The steps of core/video, so that tests can put others in their place. */
struct pipeline_video {
    bool (*probe)(const char *path, const struct cancel *cancel, struct media_info *ret,
                  struct err *e);
    bool (*segment)(const struct segment_spec *spec, const char *path, struct err *e);
    bool (*sound)(const struct sound_spec *spec, const char *path, struct err *e);
    bool (*join)(const struct join_spec *spec, const char *path, struct err *e);
    bool (*fit)(const struct fit_spec *spec, const char *path, int *ret_width, int *ret_height,
                struct err *e);
    bool (*check)(const char *path, int width, int height, int frames, const struct cancel *cancel,
                  struct err *e);
    bool (*poster)(const char *path, int64_t at_ms, const char *jpeg_path,
                   const struct cancel *cancel, struct err *e);
    /* OPTIONAL. NULL: pictures that look alike are not noticed. */
    bool (*look)(const char *path, int64_t at_ms, const struct cancel *cancel, uint64_t *ret,
                 struct err *e);
};
extern const struct pipeline_video pipeline_video; /* core/video itself */

struct toolbox {
    struct script_writer writers[8];
    size_t writer_count; /* tried in order; the last is own words */
    struct speech_engine engines[4];
    size_t engine_count; /* tried in order */
    struct footage_source sources[8];
    size_t source_count; /* tried in order; the last is backdrops, which never fails */
    struct cache *cache;
    struct pool *render;
    const struct pipeline_video *video; /* NULL: pipeline_video */
    int seconds_max;                    /* VIDEO_MAX_DURATION; 0 = no bound */
    const struct rules *rules;          /* what is not made; NULL: nothing is refused */
    struct script_guard guard;          /* asked besides; ops NULL: nobody */
    bool guard_strict;                  /* nothing is made while it cannot be asked */
};

enum pipeline_stage { PIPE_WRITE, PIPE_SPEAK, PIPE_FIND, PIPE_COMPOSE, PIPE_JOIN, PIPE_STAGES };

struct pipeline_progress {
    enum pipeline_state { PIPE_WAITING, PIPE_RUNNING, PIPE_DONE } stages[PIPE_STAGES];
    int percent; /* of the whole, never falls */
    int left_ms; /* estimate; -1 unknown */
};

struct pipeline_run {
    const struct toolbox *tools;
    const char *topic;        /* used when the storyboard has no scenes yet */
    struct storyboard *story; /* settings set; the rest is filled in */
    const char *out_path;     /* the film; .jpg and .srt of the same stem beside it */
    const struct cancel *cancel;
    const char *person;        /* as script_request.person; may be NULL */
    const char *const *recent; /* footage_query.recent; may be NULL */
    size_t recent_count;
    /* The person's own files: the first scenes show them, each once; scenes without pictures from
       anywhere else show them again. Files that turn out unusable are counted in
       storyboard.own_lost. May be NULL. */
    const struct footage_source *own;
    /* The storyboard changed in a way worth keeping (script written, scenes spoken, footage found).
       False stops the run (the lease was lost). May be NULL. */
    bool (*on_save)(void *ctx, const struct storyboard *story, struct err *e);
    void (*on_progress)(void *ctx,
                        const struct pipeline_progress *p); /* may be NULL; at most 5 a second */
    void (*on_call)(void *ctx, const struct script_call *call); /* a writer asked; may be NULL */
    void *ctx;
};

struct pipeline_result {
    int64_t duration_ms;
    int64_t bytes;
    int width, height;
    size_t cached, made; /* segments taken from the cache / encoded */
};

/* out_path with another extension: "film.mp4" -> "film.jpg". */
bool pipeline_beside(const char *out_path, const char *ext, char ret_path[static CACHE_PATH_MAX],
                     struct err *e);

bool pipeline_run(const struct pipeline_run *run, struct pipeline_result *ret, struct err *e);

/* WRITE alone, for a look at the script before anything is paid. */
struct pipeline_order {
    const char *topic;
    const char *person; /* as script_request.person */
    const struct cancel *cancel;
    void (*on_call)(void *ctx, const struct script_call *call); /* may be NULL */
    void *ctx;
};
/* story has its settings; its scenes are replaced, on success only. */
bool pipeline_write(const struct toolbox *t, const struct pipeline_order *o,
                    struct storyboard *story, struct err *e);
int64_t pipeline_scene_ms(const struct toolbox *t, const struct story_settings *s,
                          const char *narration);
/* The same for a storyboard with a script; near the wanted length it is that. */
int64_t pipeline_script_ms(const struct toolbox *t, const struct storyboard *story);

/* Before a job holds anything: a service has to judge the words that it would begin with. Never
   blocks; false where no service is set up, or it let them pass a while ago. */
bool pipeline_must_check(const struct toolbox *t, const char *topic,
                         const struct storyboard *story);
/* Rules and service about these words: the script where there is one, else topic and wish. Blocks.
   ERR_REFUSED "guard.refused", "guard.flagged"; ERR_CANCELLED; with guard_strict ERR_RETRY "guard.down"
   when the service cannot be asked. */
bool pipeline_check(const struct toolbox *t, const char *topic, const struct storyboard *story,
                    const struct cancel *cancel, struct err *e);

/* Seconds the finished film will take (estimate before speech) at the engine's rate. */
int64_t pipeline_estimate_ms(const struct toolbox *t, const char *topic,
                             const struct story_settings *s);
/* Finds the engine and checks language and voice before anything is charged. ERR_UNSUPPORTED
   "make.no_voice_for_language" / "make.unknown_voice", arg names it. */
bool pipeline_check_voice(const struct toolbox *t, const struct story_settings *s, struct err *e);
/* The voice of that name, in any letter case, and whose it is (ret_engine NULL: not asked); NULL. */
const struct speech_voice *pipeline_find_voice(const struct toolbox *t, const char *name,
                                               const struct speech_engine **ret_engine);
/* Some of the film was not spoken by the engine that should have: it was down. */
bool pipeline_other_voice(const struct toolbox *t, const struct storyboard *story);
const char *pipeline_stage_name(enum pipeline_stage s); /* "write" ... : catalog key stage.NAME */

#endif
