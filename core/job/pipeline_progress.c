/* Progress: estimated cost of all parts in ms of wall time, so that the percentage moves evenly;
 * the measured speed corrects the time left. */
#include "core/job/pipeline_internal.h"

#include "core/base/clock.h"

/* What things cost on a small machine. Only their ratios matter for the percentage. */
static const double write_cost = 400, find_cost = 120, speak_cost = 60, speak_per_ms = 0.02;
static const double megapixel_cost = 40, sound_per_ms = 0.08, join_cost = 400, join_per_ms = 0.02;
/* So much estimated work is believed before measurements weigh more. */
static const double trust_cost = 2500;

struct tally {
    double total, done;
};

static void add(struct tally *t, double cost, double share)
{
    t->total += cost;
    t->done += cost * share;
}

static double frame_cost(const struct run_state *r)
{
    size_t cores = pool_threads(r->tools->render);
    return megapixel_cost * r->width * r->height / 1e6 / (double)(cores ? cores : 1);
}

static double task_share(const struct render_task *t, bool done)
{
    if (done)
        return 1;
    if (!t || t->frames <= 0)
        return 0;
    int frames = atomic_load_explicit(&t->frames_done, memory_order_relaxed);
    return CLAMP((double)frames / t->frames, 0, 1);
}

static int slot_ms(const struct run_state *r, size_t i)
{
    const struct scene *s = &r->story->scenes[i];
    return s->cut.frames > 0 ? s->cut.frames * 1000 / STORY_FPS : r->scenes[i].need_ms;
}

static struct tally tally(const struct run_state *r)
{
    struct tally t = {0};
    double film_ms = 0;
    add(&t, write_cost, r->count > 0);
    for (size_t i = 0; i < r->count; i++) {
        const struct scene_work *w = &r->scenes[i];
        double ms = slot_ms(r, i);
        film_ms += ms;
        add(&t, speak_cost + ms * speak_per_ms, w->spoken_taken);
        add(&t, find_cost, w->pictured);
        add(&t, ms * STORY_FPS / 1000 * frame_cost(r), task_share(w->segment, w->composed));
    }
    add(&t, film_ms * sound_per_ms, r->sound_composed);
    add(&t, join_cost + film_ms * join_per_ms, r->progress.joined);
    if (r->progress.fitting)
        add(&t, film_ms * STORY_FPS / 1000 * frame_cost(r), r->progress.fitted);
    return t;
}

static enum pipeline_state stage(size_t done, size_t count, bool begun)
{
    if (count > 0 && done == count)
        return PIPE_DONE;
    return begun ? PIPE_RUNNING : PIPE_WAITING;
}

static void fill_stages(const struct run_state *r, struct pipeline_progress *p)
{
    bool written = r->count > 0;
    size_t parts = r->composed + r->sound_composed;
    p->stages[PIPE_WRITE] = written ? PIPE_DONE : PIPE_RUNNING;
    p->stages[PIPE_SPEAK] = stage(r->spoken, r->count, written);
    p->stages[PIPE_FIND] = stage(r->pictured, r->count, written);
    p->stages[PIPE_COMPOSE] = stage(parts, written ? r->count + 1 : 0, parts + r->outstanding > 0);
    p->stages[PIPE_JOIN] = r->progress.finished  ? PIPE_DONE
                           : r->progress.joining ? PIPE_RUNNING
                                                 : PIPE_WAITING;
}

void progress_begin(struct run_state *r)
{
    r->progress = (struct progress_state){.begun_ms = clock_mono_ms()};
}

/* What was there already took no time. */
void progress_free_segment(struct run_state *r, size_t scene)
{
    r->progress.free_cost += (double)slot_ms(r, scene) * STORY_FPS / 1000 * frame_cost(r);
}

static int estimate_left(struct progress_state *p, const struct tally *t, int64_t now)
{
    double worked = MAX(t->done - p->free_cost, 0);
    double elapsed = (double)(now - p->begun_ms);
    double ratio = (elapsed + trust_cost) / (worked + trust_cost);
    p->ratio = p->ratio > 0 ? p->ratio * 0.8 + ratio * 0.2 : ratio;
    return (int)CLAMP((t->total - t->done) * p->ratio, 0, 24.0 * 3600 * 1000);
}

void progress_show(struct run_state *r, bool now)
{
    struct progress_state *state = &r->progress;
    int64_t at = clock_mono_ms();
    if (!r->run->on_progress || (!now && at - state->shown_ms < PROGRESS_EVERY_MS))
        return;
    state->shown_ms = at;
    struct tally t = tally(r);
    struct pipeline_progress p = {.left_ms = -1};
    fill_stages(r, &p);
    if (state->finished) {
        state->percent = 100;
        p.left_ms = 0;
    } else if (r->count > 0) {
        int percent = (int)(100 * t.done / t.total);
        state->percent = CLAMP(MAX(percent, state->percent), 0, 99);
        p.left_ms = estimate_left(state, &t, at);
    }
    p.percent = state->percent;
    r->run->on_progress(r->run->ctx, &p);
}
