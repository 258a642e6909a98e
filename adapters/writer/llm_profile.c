/* Providers, and the ladder of what their models take. */
#include <string.h>
#include <strings.h>

#include "adapters/writer/llm_internal.h"

enum { TOTAL_MS = 120000, LOADING_MS = 300000, THINKING_MS = 600000 };

static const struct llm_profile profiles[] = {
    {"openai",     "OPENAI",     "https://api.openai.com/v1",    "gpt-6-luna",      false},
    {"deepseek",   "DEEPSEEK",   "https://api.deepseek.com/v1",  "deepseek-flash",  false},
    {"moonshot",   "MOONSHOT",   "https://api.moonshot.ai/v1",   "kimi-k2.6",       false},
    {"openrouter", "OPENROUTER", "https://openrouter.ai/api/v1", "openrouter/auto", false},
    {"custom",     "CUSTOM",     "http://127.0.0.1:11434/v1",    "",                true },
};
const char llm_profile_names[] = "openai, deepseek, moonshot, openrouter, custom";

const struct llm_profile *llm_profile_find(const char *name, size_t len)
{
    for (size_t i = 0; i < COUNT(profiles); i++)
        if (strlen(profiles[i].name) == len && strncasecmp(profiles[i].name, name, len) == 0)
            return &profiles[i];
    return NULL;
}

static bool is(const struct llm_profile *p, const char *name)
{
    return strcmp(p->name, name) == 0;
}

/* kimi-k3 and the old reasoner answer after thousands of tokens of thought. */
bool llm_model_thinks(const char *model)
{
    return strstr(model, "kimi-k3") || strstr(model, "reasoner");
}

int llm_total_ms(const struct llm_profile *p, const char *model)
{
    if (llm_model_thinks(model))
        return THINKING_MS;
    return is(p, "custom") ? LOADING_MS : TOTAL_MS; /* a local server loads its model first */
}

struct llm_caps llm_caps_start(const struct llm_profile *p, const char *model)
{
    struct llm_caps c = {.effort = EFFORT_ABSENT};
    bool thinks = llm_model_thinks(model);
    if (is(p, "openai")) {
        c.effort = EFFORT_NONE;
        c.store = true;
        c.person = true;
    } else if (is(p, "deepseek")) {
        c.format = FORMAT_OBJECT; /* knows no schema */
        c.old_max = true;
        c.thinking_off = !thinks;
    } else if (is(p, "moonshot")) {
        c.thinking_off = !thinks;
        c.effort = thinks ? EFFORT_LOW : EFFORT_ABSENT;
    } else {
        c.old_max = true; /* what every server knows */
    }
    return c;
}

static bool move_format(struct llm_caps *c)
{
    if (c->format == FORMAT_PROMPT)
        return false;
    c->format++;
    return true;
}

static bool move_effort(struct llm_caps *c, bool gone)
{
    if (c->effort == EFFORT_ABSENT)
        return false;
    c->effort = gone ? EFFORT_ABSENT : c->effort + 1;
    return true;
}

static bool drop(bool *flag)
{
    bool was = *flag;
    *flag = false;
    return was;
}

static bool move_max(struct llm_caps *c)
{
    if (c->max_flipped)
        return false;
    c->max_flipped = true;
    c->old_max = !c->old_max;
    return true;
}

static bool move(struct llm_caps *c, enum llm_field field, bool gone)
{
    switch (field) {
    case FIELD_FORMAT:
        return move_format(c);
    case FIELD_MAX:
        return move_max(c);
    case FIELD_EFFORT:
        return move_effort(c, gone);
    case FIELD_THINKING:
        return drop(&c->thinking_off);
    case FIELD_STORE:
        return drop(&c->store);
    case FIELD_PERSON:
        return drop(&c->person);
    case FIELD_NONE:
        break;
    }
    return move_format(c) || drop(&c->thinking_off) || move_effort(c, true) || drop(&c->store) ||
           drop(&c->person) || move_max(c);
}

bool llm_caps_move(struct llm_caps *c, enum llm_field field, bool gone)
{
    bool moved = move(c, field, gone);
    c->moves += moved;
    return moved;
}

/* --- prices --- */

/* Millionths of a dollar per 1,000 tokens in and out = dollars per 1M tokens x 1000. */
static const struct {
    const char *model; /* beginning of its name, without a maker before it */
    int in, out;
    int thought; /* tokens of thinking that cannot be turned off */
} prices[] = {
    {"gpt-6-luna",     100,  500,   0   },
    {"gpt-5.6-luna",   200,  1200,  0   },
    {"gpt-5.4-mini",   750,  4500,  0   },
    {"gpt-6.1-terra",  1000, 5000,  0   },
    {"gpt-6.1-sol",    2000, 10000, 0   },
    {"gpt-6-sol",      2000, 10000, 0   },
    {"deepseek-flash", 300,  1200,  0   }, /* at its dearer hours */
    {"kimi-k2.6",      950,  4000,  0   },
    {"kimi-k3",        3000, 15000, 5000},
};

int64_t llm_cost(const char *model)
{
    enum { TOKENS_IN = 900, TOKENS_OUT = 700, CALLS_PERCENT = 115 };
    const char *maker = strrchr(model, '/');
    const char *name = maker ? maker + 1 : model;
    for (size_t i = 0; i < COUNT(prices); i++) {
        if (strncasecmp(name, prices[i].model, strlen(prices[i].model)) != 0)
            continue;
        int64_t once = TOKENS_IN * (int64_t)prices[i].in +
                       (TOKENS_OUT + prices[i].thought) * (int64_t)prices[i].out;
        return once * CALLS_PERCENT / 100 / 1000;
    }
    return -1;
}
