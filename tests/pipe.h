/*
 * pipe - a run of the pipeline with the fakes of fixture_tools, and what its callbacks saw.
 *
 * Owner:   PIPE_CASE makes a struct pipe for each case (*state) and frees it.
 * Threads: pipe_run from any thread, one run of a struct pipe at a time.
 */
#ifndef NANOTIK_TESTS_PIPE_H
#define NANOTIK_TESTS_PIPE_H

#include <stdatomic.h>

#include "tests/fixture_tools.h"

enum { PIPE_SCENES = 4 };
extern const char pipe_topic[]; /* of so many scenes */

struct pipe {
    struct fake_tools *f;
    struct storyboard story;
    struct cancel cancel;
    char out[FAKE_FOLDER_MAX + 16];
    const char *topic; /* NULL: pipe_topic */
    struct pipeline_result result;
    struct err err;
    /* What the callbacks saw. */
    int saves, last_percent, falls, reports;
    bool ended;
    struct pipeline_progress last;
    atomic_bool composing;
    int refuse_save; /* the n-th save fails: the lease is lost */
    size_t saved_scenes;
};

int pipe_setup(void **state);
int pipe_teardown(void **state);
#define PIPE_CASE(f) cmocka_unit_test_setup_teardown(f, pipe_setup, pipe_teardown)

/* Nothing but settings. */
void pipe_story_reset(struct pipe *x);
bool pipe_run(struct pipe *x);
void pipe_must_run(struct pipe *x);
/* Film, poster, subtitles: how many of them, and of what else bears that name. */
int pipe_out_files(struct pipe *x);

#endif
