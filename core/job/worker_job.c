/* One job from claimed to done. */
#include <inttypes.h>

#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/crash.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/job/drafter.h"
#include "core/job/worker_internal.h"

#define LOG_MODULE "worker"

enum {
    RECENT_FILMS = 30,
    SAVE_EVERY_MS = 1000,
    DELIVER_TRIES = 3,
    DELIVER_WAIT_MS = 1500,
    CARD_WAIT_MS = 4000,
    CARD_LOOK_MS = 100,
    FITS_MAX = 3, /* refusals for its size after which a chat is believed to take no film at all */
};

struct work {
    struct slot *s;
    struct job *job;
    struct storyboard story;
    struct chat_video video;
    char film[CACHE_PATH_MAX], poster[CACHE_PATH_MAX], srt[CACHE_PATH_MAX];
    char remote_ref[CHAT_REF_MAX];
    int64_t saved_ms; /* 0: not yet */
    int64_t credits;
    char *json;   /* of the story, for the write at hand */
    bool refused; /* the chat refused the film for its size: it is being fitted */
};

static const struct worker_options *options(const struct work *k)
{
    return &k->s->w->o;
}

/* --- while it runs --- */

static bool save_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct work *k = ctx;
    return job_save_story(tx, k->job, options(k)->name, k->json, e);
}

static bool story_json(struct work *k, struct err *e)
{
    free(TAKE(k->json));
    return storyboard_to_json(&k->story, &k->json, e);
}

/* An unreachable database does not stop the work: the heartbeat decides about that. */
static bool on_save(void *ctx, const struct storyboard *story, struct err *e)
{
    struct work *k = ctx;
    (void)story; /* it is k->story */
    int64_t now = clock_mono_ms();
    if (!lease_trusted(k->s))
        return err_set(e, ERR_CONFLICT, "error.lease_lost", "no heartbeat in time");
    if (k->saved_ms != 0 && now - k->saved_ms < SAVE_EVERY_MS)
        return true; /* the last save of all comes with `delivering` */
    if (!story_json(k, e))
        return false;
    bool ok = db_run(options(k)->db, save_body, k, e);
    if (ok) {
        k->saved_ms = now;
        crash_at("worker.saved");
    } else if (e->code == ERR_CONFLICT) {
        lease_lost(k->s);
    } else if (e->code == ERR_RETRY) {
        log_err(LOG_WARN, LOG_MODULE, e);
        ok = true;
    }
    return ok;
}

static const char *current_stage(const struct pipeline_progress *p)
{
    for (int i = PIPE_STAGES - 1; i > 0; i--)
        if (p->stages[i] != PIPE_WAITING)
            return pipeline_stage_name((enum pipeline_stage)i);
    return pipeline_stage_name(PIPE_WRITE);
}

static void on_progress(void *ctx, const struct pipeline_progress *p)
{
    struct work *k = ctx;
    lease_trusted(k->s);
    lease_stage(k->s, current_stage(p), p->percent);
    if (options(k)->calls.on_progress && !k->refused) /* the card is the adapter's now */
        options(k)->calls.on_progress(options(k)->calls.ctx, k->job, p);
}

/* --- the film --- */

static bool name_files(struct work *k, const char *film, struct err *e)
{
    if (!str_copy(k->film, sizeof k->film, film))
        return err_set(e, ERR_CONFIG, "error.disk", "output folder name is too long");
    return pipeline_beside(k->film, "jpg", k->poster, e) &&
           pipeline_beside(k->film, "srt", k->srt, e);
}

static bool name_own(struct work *k, struct err *e)
{
    char film[CACHE_PATH_MAX + UUID_TEXT];
    snprintf(film, sizeof film, "%s/%s.mp4", options(k)->out_dir, k->job->id);
    return name_files(k, film, e);
}

static void describe(struct work *k, int width, int height, int64_t duration_ms, int64_t bytes)
{
    k->video = (struct chat_video){
        .path = k->film,
        .poster = k->poster,
        .srt = k->srt,
        .title = k->story.title,
        .width = width,
        .height = height,
        .duration_ms = duration_ms,
        .bytes = bytes,
    };
}

/* The film of an attempt that died after it was made. */
static bool film_there(struct work *k)
{
    const struct toolbox *tools = options(k)->tools;
    const struct pipeline_video *video = tools->video ? tools->video : &pipeline_video;
    struct err e;
    struct media_info info;
    int64_t limit = k->story.settings.byte_limit;
    if (k->story.scene_count == 0 || !fs_exists(k->film) || !fs_exists(k->poster) ||
        !fs_exists(k->srt) || storyboard_cut(&k->story) != k->story.scene_count)
        return false;
    int frames = storyboard_frames(&k->story);
    if (frames <= 0 || (limit > 0 && fs_size(k->film) > limit) ||
        !video->probe(k->film, &k->s->stop, &info, &e) || /* fitted films may be smaller */
        !video->check(k->film, info.width, info.height, frames, &k->s->stop, &e))
        return false;
    describe(k, info.width, info.height, (int64_t)frames * 1000 / STORY_FPS, fs_size(k->film));
    log_info("the film of an earlier attempt is whole: delivered as it is");
    return true;
}

/* Where an earlier attempt left it (the output folder may have been changed since), or would have. */
static bool find_film(struct work *k)
{
    struct err e;
    const char *earlier = k->job->video_path;
    bool named = earlier[0] ? name_files(k, earlier, &e) : name_own(k, &e);
    return named && film_there(k);
}

static void on_call(void *ctx, const struct script_call *call)
{
    struct work *k = ctx;
    drafter_keep_call(options(k)->db, k->job, call);
}

struct recent {
    const struct job *job;
    struct arena arena;
    const char *const *names;
    size_t count;
};

static bool recent_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct recent *r = ctx;
    return job_recent_footage(tx, r->job, RECENT_FILMS, &r->arena, &r->names, &r->count, e);
}

enum { OWN_PATH_MAX = CACHE_PATH_MAX + UUID_TEXT + 32 };

/* attempt 0: of all attempts. Whoever lost the job may not touch what another attempt reads. */
static void own_folder(const struct work *k, int attempt, char ret[static OWN_PATH_MAX])
{
    char sub[16] = "";
    if (attempt > 0)
        snprintf(sub, sizeof sub, "/%d", attempt);
    snprintf(ret, OWN_PATH_MAX, "%s/" WORKER_OWN_FOLDER "/%s%s", options(k)->out_dir, k->job->id,
             sub);
}

static void remove_own(const struct work *k)
{
    char folder[OWN_PATH_MAX];
    if (!k->job->media)
        return;
    own_folder(k, lease_look(k->s).lost ? k->job->attempt : 0, folder);
    fs_remove(folder);
}

/* The person's own files; without them the film is made all the same, and says so: *ret_lost. */
static bool open_own(struct work *k, struct footage_source *ret, int *ret_lost)
{
    const struct worker_calls *calls = &options(k)->calls;
    char folder[OWN_PATH_MAX];
    struct err why = {0};
    if (!k->job->media || !calls->own_footage)
        return false;
    own_folder(k, k->job->attempt, folder);
    if (calls->own_footage(calls->ctx, k->job, folder, ret, &why))
        return true;
    log_err(LOG_WARN, LOG_MODULE, &why);
    *ret_lost = 1;
    for (const char *at = k->job->media; (at = strchr(at, '\n')); at++)
        ++*ret_lost;
    return false;
}

static bool make_film(struct work *k, struct err *e)
{
    struct pipeline_result result;
    struct footage_source own = {0};
    int own_lost = 0;
    char person[PERSON_TEXT];
    struct recent recent = {.job = k->job};
    struct err why = {0};
    /* Without the list the film is made all the same; it may then show a clip again. */
    if (!db_run_soft(options(k)->db, recent_body, &recent, &why))
        log_err(LOG_WARN, LOG_MODULE, &why);
    struct pipeline_run run = {
        .tools = options(k)->tools,
        .topic = k->job->topic,
        .story = &k->story,
        .out_path = k->film,
        .cancel = &k->s->stop,
        .person = person,
        .recent = recent.names,
        .recent_count = recent.count,
        .own = open_own(k, &own, &own_lost) ? &own : NULL,
        .on_save = on_save,
        .on_progress = on_progress,
        .on_call = on_call,
        .ctx = k,
    };
    person_name(k->job->account, person);
    int64_t begun = clock_mono_ms();
    bool ok = pipeline_run(&run, &result, e);
    arena_free(&recent.arena);
    if (own.ops)
        own.ops->destroy(own.self);
    if (!ok)
        return false;
    k->story.own_lost = MAX(k->story.own_lost, own_lost);
    describe(k, result.width, result.height, result.duration_ms, result.bytes);
    log_info("film made: %" PRId64 " ms long, %" PRId64 " bytes, %zu segments made, %zu cached, "
             "in %" PRId64 " ms",
             result.duration_ms, result.bytes, result.made, result.cached, clock_mono_ms() - begun);
    crash_at("worker.rendered");
    return true;
}

/* --- delivery --- */

/* The heartbeat takes the row's lock, so a wish to cancel is either seen here or comes too late. */
static bool delivering_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct work *k = ctx;
    const char *worker = options(k)->name;
    struct job now AUTO(job_free) = {0};
    bool cancel_asked = false;
    if (!job_get(tx, k->job->id, &now, e))
        return false;
    if (now.state != JOB_DELIVERING || now.attempt != k->job->attempt || k->refused) {
        if (!job_heartbeat(tx, k->job, worker, pipeline_stage_name(PIPE_JOIN), 99, &cancel_asked,
                           e))
            return false;
        if (cancel_asked) {
            lease_cancel_seen(k->s);
            return err_set(e, ERR_CANCELLED, "make.cancelled", "cancelled before delivery");
        }
        if (!job_save_story(tx, k->job, worker, k->json, e) ||
            !job_delivering(tx, k->job, worker, k->video.path, k->video.duration_ms, k->video.bytes,
                            e))
            return false;
    }
    /* The card may have been sent after the claim. */
    str_copy(k->job->card_ref, sizeof k->job->card_ref, now.card_ref);
    return true;
}

struct card_look {
    const char *id;
    char ref[CHAT_REF_MAX];
};

static bool card_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct card_look *look = ctx;
    struct job now AUTO(job_free) = {0};
    if (!job_get(tx, look->id, &now, e))
        return false;
    str_copy(look->ref, sizeof look->ref, now.card_ref);
    return true;
}

/* A film that is there already can be faster than its card; into the card it may be delivered any
   number of times, as a message of its own it may not. */
static void await_card(struct work *k)
{
    int wait_ms = options(k)->card_wait_ms ? options(k)->card_wait_ms : CARD_WAIT_MS;
    int64_t until = clock_mono_ms() + wait_ms;
    struct card_look look = {.id = k->job->id};
    struct err e = {0};
    str_copy(look.ref, sizeof look.ref, k->job->card_ref);
    while (!look.ref[0] && clock_mono_ms() < until &&
           db_run_soft(options(k)->db, card_body, &look, &e))
        if (!look.ref[0] && cancel_wait(&k->s->stop, CARD_LOOK_MS))
            return;
}

static bool begin_delivery(struct work *k, struct err *e)
{
    await_card(k);
    if (!story_json(k, e) || !settle_write(k->s, delivering_body, k, e))
        return false;
    lease_phase(k->s, SLOT_DELIVERING);
    crash_at("worker.delivering");
    return true;
}

static bool upload_once(struct work *k, struct err *e)
{
    const struct worker_calls *calls = &options(k)->calls;
    if (!lease_trusted(k->s))
        return err_set(e, ERR_CONFLICT, "error.lease_lost", "no heartbeat in time");
    if (calls->deliver(calls->ctx, k->job, &k->story, &k->video, &k->s->stop, k->remote_ref, e))
        return true;
    if (e->code != ERR_NOT_FOUND || !k->job->card_ref[0])
        return false;
    k->job->card_ref[0] = '\0'; /* the card is gone: a message of its own */
    return calls->deliver(calls->ctx, k->job, &k->story, &k->video, &k->s->stop, k->remote_ref, e);
}

/* Delivery may be repeated (it lands in the same card), so "unknown" is tried again too. */
static bool upload(struct work *k, struct err *e)
{
    for (int i = 1; !upload_once(k, e); i++) {
        bool again = e->code == ERR_RETRY || e->code == ERR_CONFLICT;
        if (!again || lease_look(k->s).lost || i == DELIVER_TRIES ||
            cancel_wait(&k->s->stop, DELIVER_WAIT_MS * i)) {
            if (e->code == ERR_CONFLICT)
                e->code = ERR_RETRY; /* for the next attempt to find out */
            return false;
        }
        log_err(LOG_WARN, LOG_MODULE, e);
    }
    crash_at("worker.delivered");
    return true;
}

/* The chat said into how many bytes the film must fit: the same scenes once more, from the cache. */
static bool fit_smaller(struct work *k, struct err *e)
{
    int64_t bytes;
    if (e->code != ERR_LIMIT || !str_to_int(e->arg, 1, k->video.bytes - 1, &bytes))
        return false;
    log_err(LOG_INFO, LOG_MODULE, e);
    k->refused = true;
    k->story.settings.byte_limit = bytes;
    crash_at("worker.refused");
    return name_own(k, e) && make_film(k, e) && begin_delivery(k, e);
}

static bool deliver_film(struct work *k, struct err *e)
{
    if (!begin_delivery(k, e))
        return false;
    for (int i = 0; !upload(k, e); i++)
        if (i == FITS_MAX || !fit_smaller(k, e))
            return false;
    return true;
}

static bool done_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct work *k = ctx;
    const struct worker_calls *calls = &options(k)->calls;
    struct job now AUTO(job_free) = {0};
    if (!job_get(tx, k->job->id, &now, e))
        return false;
    if (now.state == JOB_DONE && now.attempt == k->job->attempt)
        return true; /* the commit in doubt had worked */
    return job_done(tx, k->job, options(k)->name, k->remote_ref, k->credits,
                    k->video.title ? k->video.title : "", e) &&
           (!calls->on_done || calls->on_done(tx, calls->ctx, k->job, &k->video, k->credits, e));
}

static bool settle_done(struct work *k, struct err *e)
{
    const struct worker_calls *calls = &options(k)->calls;
    int64_t price = calls->price(calls->ctx, &k->story, k->video.duration_ms);
    k->credits = MIN(price, k->job->price);
    if (!settle_write(k->s, done_body, k, e))
        return false;
    crash_at("worker.done");
    log_info("delivered; %" PRId64 " credits", k->credits);
    return true;
}

static bool work_through(struct work *k, struct err *e)
{
    if (k->job->cancel_asked) {
        lease_cancel_seen(k->s);
        return err_set(e, ERR_CANCELLED, "make.cancelled", "cancelled before it was claimed");
    }
    if (!storyboard_from_json(k->job->story, strlen(k->job->story), &k->story, e))
        return false;
    if (!find_film(k) && (!name_own(k, e) || !make_film(k, e)))
        return false;
    return deliver_film(k, e);
}

void worker_run_job(struct slot *s, struct job *j, int64_t claimed_ms)
{
    struct work k = {.s = s, .job = j};
    struct err e = {0};
    log_job(j->id);
    lease_begin(s, j, claimed_ms);
    log_info("claimed, attempt %d", j->attempt);
    crash_at("worker.claimed");
    if (!work_through(&k, &e))
        settle_error(s, j, &e);
    else if (!settle_done(&k, &e))
        log_err(LOG_ERROR, LOG_MODULE, &e); /* the rescue delivers into the same card again */
    remove_own(&k);
    lease_end(s);
    storyboard_free(&k.story);
    free(k.json);
    log_job(NULL);
}
