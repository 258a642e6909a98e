/*
 * llm_internal - what the files of the chat-service writers share; nobody else includes it.
 */
#ifndef NANOTIK_LLM_INTERNAL_H
#define NANOTIK_LLM_INTERNAL_H

#include <cjson/cJSON.h>
#include <pthread.h>

#include "adapters/writer/llm.h"
#include "core/base/strbuf.h"

enum {
    LLM_REPLY_MAX = 4 << 20,
    LLM_TOPIC_MAX = 8000, /* bytes of the person's words that are sent */
    LLM_QUOTE_MAX = 6144, /* bytes of a faulty answer that are sent back */
    LLM_LANG_NAME_MAX = 96,
    LLM_SCENES_MAX = 120,
    /* As the timeline has it (core/story/storyboard.h, which adapters do not see; a test compares). */
    LLM_SCENE_PAUSE_MS = 550,
    LLM_END_MS = 900,
};

/* --- llm_profile.c: what a base and model take --- */

/* Fields that a service may refuse. */
enum llm_field {
    FIELD_NONE,
    FIELD_FORMAT,
    FIELD_MAX,
    FIELD_EFFORT,
    FIELD_THINKING,
    FIELD_STORE,
    FIELD_PERSON
};

struct llm_caps {
    enum llm_format { FORMAT_SCHEMA, FORMAT_OBJECT, FORMAT_PROMPT } format;
    enum llm_effort { EFFORT_NONE, EFFORT_LOW, EFFORT_ABSENT } effort; /* reasoning_effort */
    bool old_max;      /* max_tokens instead of max_completion_tokens */
    bool thinking_off; /* "thinking":{"type":"disabled"} */
    bool store;        /* "store":false */
    bool person;       /* "safety_identifier" */
    bool max_flipped;  /* old_max changed sides: it does so once */
    int moves;         /* how often something was given up */
};

/* How this profile and model begin. */
struct llm_caps llm_caps_start(const struct llm_profile *p, const char *model);
/* One rung down for a refused field; FIELD_NONE: whatever is most likely to be in the way. False
   when there is nothing left to give up. gone: the field itself is refused, not its value. */
bool llm_caps_move(struct llm_caps *c, enum llm_field field, bool gone);
/* The model thinks whatever we say: more tokens, more time. */
bool llm_model_thinks(const char *model);
int llm_total_ms(const struct llm_profile *p, const char *model);

/* --- llm_answer.c: what came back --- */

enum llm_class {
    LLM_OK,
    LLM_RETRY,
    LLM_RETRY_AFTER,   /* wait_ms */
    LLM_ADAPT,         /* change `field` */
    LLM_BLANK,         /* JSON mode blanked the answer: try without */
    LLM_CUT,           /* stopped at the token limit */
    LLM_FATAL_REQUEST, /* this request will never be taken */
    LLM_FATAL_CONFIG,  /* key, model, region */
    LLM_FATAL_QUOTA,   /* no money there */
    LLM_REFUSED,       /* content policy */
};

struct llm_answer {
    enum llm_class class;
    int wait_ms; /* -1 unknown */
    enum llm_field field;
    bool gone;     /* the field is refused, not its value */
    bool last;     /* the server says that asking again is of no use now */
    char why[200]; /* for the operator: status, code, message; one line of valid UTF-8 */
    char *text;    /* of LLM_OK and LLM_CUT */
    int64_t tokens_in, tokens_out; /* -1 unknown */
};

/* A whole HTTP reply. */
void llm_answer_read(const struct net_reply *reply, struct llm_answer *ret);
void llm_answer_free(struct llm_answer *a); /* for AUTO */
const char *llm_class_name(enum llm_class c);

/* --- llm_sse.c: some services stream whatever was asked --- */

/* What a chat completion says, collected from one document or from the parts of a stream. */
struct llm_completion {
    struct strbuf content, reasoning, refusal;
    char finish[48];
    bool choice;  /* there was at least one */
    cJSON *error; /* document that carries one */
    int64_t tokens_in, tokens_out;
};
#define LLM_COMPLETION                                                        \
    {                                                                         \
        .content = STRBUF(LLM_REPLY_MAX), .reasoning = STRBUF(LLM_REPLY_MAX), \
        .refusal = STRBUF(LLM_REPLY_MAX), .tokens_in = -1, .tokens_out = -1   \
    }
/* Adds a document (takes it over when it carries an error). part: of a stream. */
void llm_completion_add(struct llm_completion *c, cJSON **doc, bool part);
void llm_completion_free(struct llm_completion *c);
/* True when the body is an event stream (then it has been added to c). */
bool llm_sse_read(const char *body, size_t len, struct llm_completion *c);

/* --- llm_prompt.c --- */

struct llm_wish {
    const char *topic; /* cleaned */
    const char *lang;
    const char *style;
    const char *how; /* in the person's words; "" = none */
    int seconds;     /* of the film */
    int rate;        /* units per minute */
    int units;       /* wanted */
    bool characters; /* the unit; else words */
    int seconds_max; /* the film may not be longer; 0 = no bound */
};

struct llm_prompt {
    struct strbuf system, user;
    const char *person; /* script_request.person; NULL = none */
};

void llm_wish_make(const struct script_request *r, const char *topic, struct llm_wish *ret);
int llm_scenes_max(const struct llm_wish *w);
int llm_tokens_max(const struct llm_wish *w, const char *model);
bool llm_prompt_make(const struct llm_wish *w, struct llm_prompt *ret);
/* Adds the first answer and what is wrong with it. */
bool llm_prompt_repair(struct llm_prompt *p, const char *answer, const char *faults);
void llm_prompt_free(struct llm_prompt *p); /* for AUTO */
/* The request's body; caller frees; NULL without memory. */
char *llm_request_body(const struct llm_caps *c, const char *model, const struct llm_prompt *p,
                       int tokens);

/* --- llm_extract.c: the cleaning chain --- */

/* The script document inside an answer: an object with a list "scenes", or NULL (*ret_why says what
   was found instead). Caller deletes. */
cJSON *llm_extract(const char *text, size_t len, const char **ret_why);

/* --- llm_script.c: from document to script --- */

enum llm_grade { GRADE_BAD, GRADE_FAIR, GRADE_GOOD };

struct llm_draft {
    struct script script;
    char language[48]; /* as the answer claims */
    size_t terms_lost; /* scenes whose search terms were of no use */
    int off;           /* per mille that the length is off, either way */
    enum llm_grade grade;
    struct strbuf faults; /* one per line, for the model */
};
#define LLM_DRAFT                                      \
    {                                                  \
        .language = "", .faults = STRBUF((size_t)4096) \
    }

/* Reads and judges; grade BAD when nothing could be read. */
void llm_draft_read(struct llm_draft *d, const char *text, const struct llm_wish *w);
void llm_draft_free(struct llm_draft *d); /* for AUTO */
/* Spoken text: one line without marks, directions, speaker names, emoji. Caller frees. */
char *llm_spoken(const char *text, const char *lang);

/* --- llm_post.c --- */

/* "A sentence. #tag #tag", or NULL; in the arena. */
const char *llm_post(struct arena *a, const cJSON *doc, const char *lang);

/* --- llm_check.c --- */

/* Language and length; fills off and faults, returns the grade. */
enum llm_grade llm_draft_judge(struct llm_draft *d, const struct llm_wish *w);
/* Share of letters, per cent, that are of the language's script; 100 where nothing is known. */
int llm_script_share(const char *text, const char *lang);
/* "de-DE", "German", "Deutsch" for lang "de": yes. Unknown words: yes. */
bool llm_language_is(const char *claimed, const char *lang);

extern const char *const llm_moods[]; /* NULL-terminated */

/* --- llm_word.c: the few words of other languages that are needed --- */

/* "Arabic (ar)": name in English and code. */
void llm_lang_name(const char *lang, char ret[static LLM_LANG_NAME_MAX]);
const char *llm_and(const char *lang); /* what & is called */

/* --- llm.c --- */

/* Without the slashes at its end. Caller frees. */
char *llm_base(const char *base_url);
/* The header; services without keys want it too. Caller frees. */
char *llm_auth(const char *key);

struct llm {
    struct net_engine *net;
    const struct llm_profile *profile;
    struct script_writer_ops ops;
    char *url, *auth, *model;
    int pause_ms;
    pthread_mutex_t lock;
    /* --- only with lock held --- */
    struct llm_caps caps;
    int64_t rest_until_ms; /* gave up; not asked before then */
    enum llm_class rest_class;
};

#endif
