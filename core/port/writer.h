/*
 * writer - a topic becomes a script.
 */
#ifndef NANOTIK_PORT_WRITER_H
#define NANOTIK_PORT_WRITER_H

#include "core/base/arena.h"
#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

struct script_request {
    const char *topic;    /* the person's words, cleaned; data, never instructions */
    const char *lang;     /* BCP 47 of the narration */
    int seconds;          /* wanted length; 0 = as long as the words take */
    int units_per_minute; /* speaking rate: words, or code points for zh, ja, th */
    const char *style;    /* one of story_scripts, or "" */
    int seconds_max;      /* the film may not be longer; 0 = no bound */
    const struct cancel *cancel;
};

struct script_scene {
    const char *narration;
    const char *on_screen; /* may be NULL */
    const char **terms;    /* for the footage search */
    size_t term_count;
};

/* All of it lives in `arena`. */
struct script {
    const char *title;
    const char *caption; /* of the post: a sentence, then hashtags; one line; may be NULL */
    const char *mood;    /* calm, upbeat, dramatic, inspiring, mysterious, playful */
    struct script_scene *scenes;
    size_t scene_count;
    struct arena arena;
};

struct script_writer_ops {
    const char *name; /* REQUIRED. "own-words", "openai" */
    /* REQUIRED. Any thread, blocks. The caller frees ret_script->arena. */
    bool (*write)(void *self, const struct script_request *request, struct script *ret_script,
                  struct err *e);
    /* REQUIRED. */
    void (*destroy)(void *self);
    bool own_words; /* true: narrates the topic itself instead of writing about it */
};

struct script_writer {
    const struct script_writer_ops *ops;
    void *self;
};

#endif
