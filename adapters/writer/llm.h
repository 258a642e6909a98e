/*
 * llm - script writers behind an OpenAI-compatible chat service.
 *
 * What:    one struct script_writer per provider of LLM_PROVIDER: asks for a script as JSON, takes
 *          the answer apart with suspicion, asks once more when it is faulty, and otherwise leaves
 *          the work to the next writer. What a base and model refuse (a JSON schema, a field) is
 *          left out from then on.
 * Owner:   the options' texts are copied; `net` outlives the writer. destroy frees it.
 * Threads: any, several calls at once.
 * Fails:   ERR_RETRY "writer.down" (no answer, limits), "writer.bad_script" (no usable answer);
 *          ERR_CONFIG "writer.down" (key, model, money: for the operator's log); ERR_REFUSED
 *          "make.refused"; ERR_UNSUPPORTED "writer.bad_script" (request not taken); ERR_CANCELLED.
 * Source:  facts sheet "providers", sections 0 and 1.
 */
#ifndef NANOTIK_LLM_H
#define NANOTIK_LLM_H

#include "core/base/base.h"
#include "core/net/net.h"
#include "core/port/writer.h"

/* What is known of a provider before anybody asked it. */
struct llm_profile {
    const char *name;     /* as in LLM_PROVIDER */
    const char *prefix;   /* of its settings: OPENAI gives OPENAI_API_KEY and so on */
    const char *base_url; /* default */
    const char *model;    /* default, "" = has to be named */
    bool key_optional;
};
/* NULL when there is none of this name (len bytes). */
const struct llm_profile *llm_profile_find(const char *name, size_t len);
extern const char llm_profile_names[]; /* "openai, deepseek, ..." for messages */

struct llm_options {
    struct net_engine *net;
    const struct llm_profile *profile;
    const char *base_url; /* with or without /v1, as the service wants it */
    const char *key;      /* "" where none is needed */
    const char *model;
    int pause_ms; /* for tests: longest pause between tries; 0 = as the sheet says */
};

/* Also tells `net` to trust the base. ERR_CONFIG when the base cannot be used. */
bool llm_create(const struct llm_options *o, struct script_writer *ret, struct err *e);

/* For doctor: asks the service for its models within `limit_ms`. ERR_CONFIG "doctor.writer_key",
   "doctor.writer_model" (arg: the model), "doctor.writer_money"; ERR_RETRY "doctor.writer_silent". */
bool llm_check(const struct llm_options *o, int limit_ms, const struct cancel *cancel,
               struct err *e);
/* About what a script of 60 s costs, in millionths of a US dollar; -1: no price known. */
int64_t llm_cost(const char *model);

#endif
