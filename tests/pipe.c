#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/pipe.h"

#include <stdlib.h>

#include "core/base/log.h"

const char pipe_topic[] = "The moon pulls the sea. The sea rises twice each day. Sailors know. "
                          "The sun helps a little.";

static bool on_save(void *ctx, const struct storyboard *story, struct err *e)
{
    struct pipe *x = ctx;
    x->saves++;
    x->saved_scenes = story->scene_count;
    if (x->saves == x->refuse_save)
        return err_set(e, ERR_CONFLICT, "error.lease_lost", "test");
    return true;
}

static void on_progress(void *ctx, const struct pipeline_progress *p)
{
    struct pipe *x = ctx;
    x->falls += p->percent < x->last_percent;
    x->last_percent = p->percent;
    x->last = *p;
    x->reports++;
    atomic_store(&x->composing, p->stages[PIPE_COMPOSE] == PIPE_RUNNING);
}

void pipe_story_reset(struct pipe *x)
{
    storyboard_free(&x->story);
    x->story = (struct storyboard){
        .settings = {.lang = "en", .seed = 7}
    };
}

int pipe_setup(void **state)
{
    struct pipe *x = calloc(1, sizeof *x);
    log_init(LOG_OFF, false);
    x->f = fake_tools_open(2);
    snprintf(x->out, sizeof x->out, "%s/film.mp4", x->f->folder);
    pipe_story_reset(x);
    cancel_init(&x->cancel, NULL);
    *state = x;
    return 0;
}

int pipe_teardown(void **state)
{
    struct pipe *x = *state;
    storyboard_free(&x->story);
    fake_tools_close(x->f);
    free(x);
    return 0;
}

bool pipe_run(struct pipe *x)
{
    struct pipeline_run r = {
        .tools = &x->f->box,
        .topic = x->topic ? x->topic : pipe_topic,
        .story = &x->story,
        .out_path = x->out,
        .cancel = &x->cancel,
        .on_save = on_save,
        .on_progress = on_progress,
        .ctx = x,
    };
    x->err = (struct err){0};
    x->last_percent = 0;
    return pipeline_run(&r, &x->result, &x->err);
}

void pipe_must_run(struct pipe *x)
{
    if (!pipe_run(x))
        fail_msg("%s: %s", x->err.user_key, x->err.detail);
}

int pipe_out_files(struct pipe *x)
{
    return fake_files(x->f->folder, "film");
}
