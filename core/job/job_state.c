#include "core/job/job_state.h"

#include <string.h>

static const struct {
    const char *text;
    unsigned next;
} states[] = {
#define X(name, text, next) {text, next},
    JOB_STATES(X)
#undef X
};

static bool known(enum job_state s)
{
    return (size_t)s < COUNT(states);
}

bool job_state_may_become(enum job_state from, enum job_state to)
{
    return known(from) && known(to) && (states[from].next & 1u << to) != 0;
}

const char *job_state_name(enum job_state s)
{
    return known(s) ? states[s].text : "unknown";
}

bool job_state_parse(const char *text, enum job_state *ret)
{
    for (size_t i = 0; i < COUNT(states); i++) {
        if (strcmp(states[i].text, text) == 0) {
            *ret = (enum job_state)i;
            return true;
        }
    }
    return false;
}

bool job_state_is_live(enum job_state s)
{
    return s == JOB_WAITING || s == JOB_READY || s == JOB_RUNNING || s == JOB_DELIVERING ||
           s == JOB_KEPT;
}
