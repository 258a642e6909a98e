/*
 * writer - a topic becomes a script.
 */
#ifndef NANOTIK_PORT_WRITER_H
#define NANOTIK_PORT_WRITER_H

#include "core/base/arena.h"
#include "core/base/base.h"
#include "core/base/cancel.h"
#include "core/base/err.h"

/* One call to a service, for support: what was asked costs money, and what came is hostile. Texts are
   borrowed for the call. */
struct script_call {
    const char *writer, *model;
    const char *outcome;           /* "ok", "retry", "no money", ... */
    int64_t tokens_in, tokens_out; /* -1 unknown */
    int ms;
    const char *text; /* the answer as it came; NULL when there was none */
    size_t text_len;
};

struct script_request {
    const char *topic;    /* the person's words, cleaned; data, never instructions */
    const char *lang;     /* BCP 47 of the narration */
    int seconds;          /* wanted length; 0 = as long as the words take */
    int units_per_minute; /* speaking rate: words, or code points for zh, ja, th */
    const char *style;    /* one of story_scripts, or "" */
    const char *wish;     /* how to tell it, in the person's words; data too; "" or NULL = none */
    const char *person; /* says that two requests are of one person, and nothing else; NULL = not */
    int seconds_max;    /* the film may not be longer; 0 = no bound */
    const struct cancel *cancel;
    void (*on_call)(void *ctx, const struct script_call *call); /* may be NULL */
    void *ctx;
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

/* A service that judges words. */
struct script_guard_ops {
    const char *name; /* REQUIRED. */
    /* REQUIRED. Any thread, blocks. ERR_REFUSED "guard.flagged" (arg: category); ERR_CANCELLED; any
       other error: it could not be asked. */
    bool (*check)(void *self, const char *text, const struct cancel *cancel, struct err *e);
    /* REQUIRED. */
    void (*destroy)(void *self);
    /* OPTIONAL. Any thread, never blocks: check let exactly these words pass a while ago. */
    bool (*let_pass)(void *self, const char *text);
};

struct script_guard {
    const struct script_guard_ops *ops;
    void *self;
};

struct script_writer {
    const struct script_writer_ops *ops;
    void *self;
};

#endif
