#include <stdio.h>
#include <string.h>

#include "adapters/writer/llm.h"
#include "adapters/writer/moderation.h"
#include "bot/wire.h"
#include "core/base/strbuf.h"
#include "core/net/net.h"

enum { CHECK_MS = 5000, WRITERS_MAX = 7 };

static bool bad(struct err *e, const char *what)
{
    return err_set_arg(e, ERR_CONFIG, "start.bad_config", what, "%s", what);
}

static const char *setting(const struct config *config, const struct llm_profile *p,
                           const char *name, char ret_full[static 64])
{
    snprintf(ret_full, 64, "%s_%s", p->prefix, name);
    return config_text(config, ret_full);
}

static bool fill(const struct config *config, const struct llm_profile *p, struct net_engine *net,
                 struct llm_options *o, struct err *e)
{
    char name[64];
    char what[160];
    *o = (struct llm_options){.net = net, .profile = p};
    o->base_url = setting(config, p, "BASE_URL", name);
    o->model = setting(config, p, "MODEL_NAME", name);
    if (o->model[0] == '\0') {
        snprintf(what, sizeof(what), "%s: needed because LLM_PROVIDER names %s", name, p->name);
        return bad(e, what);
    }
    o->key = setting(config, p, "API_KEY", name);
    if (o->key[0] == '\0' && !p->key_optional) {
        snprintf(what, sizeof(what), "%s: needed because LLM_PROVIDER names %s", name, p->name);
        return bad(e, what);
    }
    return true;
}

/* Each provider of the list, once. */
static bool each(const struct config *config, struct net_engine *net,
                 bool (*body)(void *ctx, const struct llm_options *o, struct err *e), void *ctx,
                 struct err *e)
{
    const struct llm_profile *seen[WRITERS_MAX];
    size_t count = 0;
    for (const char *at = config_text(config, "LLM_PROVIDER"); *at;) {
        at += strspn(at, ", ");
        size_t len = strcspn(at, ", ");
        const struct llm_profile *p = llm_profile_find(at, len);
        bool again = false;
        struct llm_options o;
        char what[160];
        for (size_t i = 0; i < count; i++)
            again = again || seen[i] == p;
        if (!p && len > 0) {
            snprintf(what, sizeof(what), "LLM_PROVIDER: no such provider: %.*s; possible: %s",
                     (int)MIN(len, 40), at, llm_profile_names);
            return bad(e, what);
        }
        at += len;
        if (!p || again)
            continue;
        if (count == WRITERS_MAX)
            return bad(e, "LLM_PROVIDER: too many providers");
        seen[count++] = p;
        if (!fill(config, p, net, &o, e) || !body(ctx, &o, e))
            return false;
    }
    return true;
}

static bool add(void *ctx, const struct llm_options *o, struct err *e)
{
    struct toolbox *box = ctx;
    if (!llm_create(o, &box->writers[box->writer_count], e))
        return false;
    box->writer_count++;
    return true;
}

bool wire_writers_add(struct net_engine *net, const struct config *config, struct toolbox *box,
                      struct err *e)
{
    return each(config, net, add, box, e);
}

bool wire_guard_wanted(const struct config *config)
{
    return config_text(config, "OPENAI_API_KEY")[0] &&
           strcmp(config_text(config, "NANOTIK_MODERATION"), "off") != 0;
}

bool wire_guard_add(struct net_engine *net, const struct config *config, struct toolbox *box,
                    struct err *e)
{
    box->guard_strict = strcmp(config_text(config, "NANOTIK_MODERATION"), "strict") == 0;
    return moderation_create(net, config_text(config, "OPENAI_BASE_URL"),
                             config_text(config, "OPENAI_API_KEY"), &box->guard, e);
}

bool wire_guard_check(struct cli *cli, struct err *e)
{
    struct net_engine *net = NULL;
    struct toolbox box = {0};
    if (!net_engine_create(config_int(cli->config, "NANOTIK_ALLOW_PLAIN"), &net, e))
        return false;
    bool ok = wire_guard_add(net, cli->config, &box, e) &&
              box.guard.ops->check(box.guard.self, "How tides work", &cli->stop, e);
    if (box.guard.ops)
        box.guard.ops->destroy(box.guard.self);
    net_engine_destroy(net);
    return ok;
}

struct asked {
    struct cli *cli;
    void (*tell)(void *ctx, const char *name, int64_t cost, const struct err *why);
    void *ctx;
};

static bool check(void *ctx, const struct llm_options *o, struct err *e)
{
    const struct asked *a = ctx;
    struct err why = {0};
    (void)e;
    AUTO(free_ptr) char *name = str_printf("%s (%s)", o->profile->name, o->model);
    bool ok = llm_check(o, CHECK_MS, &a->cli->stop, &why);
    a->tell(a->ctx, name, llm_cost(o->model), ok ? NULL : &why);
    return true;
}

bool wire_writers_check(struct cli *cli,
                        void (*tell)(void *ctx, const char *name, int64_t cost,
                                     const struct err *why),
                        void *ctx, struct err *e)
{
    struct net_engine *net = NULL;
    struct asked a = {.cli = cli, .tell = tell, .ctx = ctx};
    if (!net_engine_create(config_int(cli->config, "NANOTIK_ALLOW_PLAIN"), &net, e))
        return false;
    bool ok = each(cli->config, net, check, &a, e);
    net_engine_destroy(net);
    return ok;
}
