#include <stdlib.h>
#include <string.h>

#include "adapters/footage/backdrop.h"
#include "adapters/footage/local.h"
#include "adapters/speech/espeak.h"
#include "adapters/writer/own_words.h"
#include "bot/wire.h"
#include "core/base/fs.h"
#include "core/net/net.h"

enum { RENDER_QUEUE = 256, RULES_FILE_MAX = 1 << 20 };

struct wire_tools {
    struct toolbox box;
    struct rules *rules;
    bool allow_plain;
    struct ws_engine *ws;   /* see wire_tools_ws */
    struct net_engine *net; /* of all services that tools use; NULL until one is configured */
};

/* The engine, started when the first adapter needs it. */
static bool need_net(struct wire_tools *w, const struct config *config, struct err *e)
{
    return w->net || net_engine_create(config_int(config, "NANOTIK_ALLOW_PLAIN"), &w->net, e);
}

/* The operator's file, or the set that comes with the program. */
bool wire_rules_load(const struct config *config, struct rules **ret, struct err *e)
{
    const char *path = config_text(config, "NANOTIK_RULES_FILE");
    AUTO(free_ptr) char *text = NULL;
    size_t len = 0;
    if (strcmp(path, "off") == 0)
        return true;
    if (path[0] && !fs_read(path, RULES_FILE_MAX, &text, &len, e))
        return err_set_arg(e, ERR_CONFIG, "start.bad_config", "NANOTIK_RULES_FILE: cannot be read",
                           "%s", path);
    return rules_parse(path[0] ? text : rules_default, ret, e);
}

static bool add_rules(struct wire_tools *w, const struct config *config, struct err *e)
{
    if (!wire_rules_load(config, &w->rules, e))
        return false;
    w->box.rules = w->rules;
    return true;
}

static bool add_writers(struct wire_tools *w, const struct config *config, struct err *e)
{
    struct toolbox *box = &w->box;
    if (config_text(config, "LLM_PROVIDER")[0] &&
        (!need_net(w, config, e) || !wire_writers_add(w->net, config, box, e)))
        return false;
    if (wire_guard_wanted(config) &&
        (!need_net(w, config, e) || !wire_guard_add(w->net, config, box, e)))
        return false;
    if (!own_words_create(&box->writers[box->writer_count]))
        return err_set(e, ERR_INTERNAL, "error.internal", "own words: no memory");
    box->writer_count++;
    return true;
}

bool wire_tools_ws(struct wire_tools *w, struct ws_engine **ret, struct err *e)
{
    if (!w->ws && !ws_engine_create(w->allow_plain, &w->ws, e))
        return false;
    *ret = w->ws;
    return true;
}

/* In this order they are tried. */
static bool add_engines(struct wire_tools *w, const struct config *config, struct err *e)
{
    struct ws_engine *ws = NULL;
    struct toolbox *box = &w->box;
    if (wire_speech_wanted(config) && (!need_net(w, config, e) || !wire_tools_ws(w, &ws, e) ||
                                       !wire_speech_add(w->net, ws, config, box, e)))
        return false;
    if (!espeak_create(NULL, &box->engines[box->engine_count], e))
        return false;
    box->engine_count++;
    return true;
}

static bool add_sources(struct wire_tools *w, const struct config *config, struct err *e)
{
    struct toolbox *box = &w->box;
    const char *folder = config_text(config, "NANOTIK_FOOTAGE_DIR");
    if (folder[0]) {
        if (!local_footage_create(folder, &box->sources[box->source_count], e))
            return false;
        box->source_count++;
    }
    if (wire_footage_wanted(config) &&
        (!need_net(w, config, e) || !wire_footage_add(w->net, config, box, e)))
        return false;
    if (!backdrop_source_create(&box->sources[box->source_count]))
        return err_set(e, ERR_INTERNAL, "error.internal", "backdrops: no memory");
    box->source_count++;
    return true;
}

bool wire_tools_make(struct cli *cli, struct wire_tools **ret, struct err *e)
{
    char folder[1024];
    const struct config *config = cli->config;
    struct wire_tools *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(e, ERR_INTERNAL, "error.internal", "tools: no memory");
    cli_cache_dir(cli, folder);
    w->allow_plain = config_int(config, "NANOTIK_ALLOW_PLAIN");
    w->box.seconds_max = (int)config_int(config, "VIDEO_MAX_DURATION");
    if (!cli_make_data(cli, e) ||
        !cache_open(folder, config_int(config, "NANOTIK_CACHE_MB") * 1000000, &w->box.cache, e) ||
        !add_rules(w, config, e) || !add_writers(w, config, e) || !add_engines(w, config, e) ||
        !add_sources(w, config, e)) {
        wire_tools_free(w);
        return false;
    }
    w->box.render =
        pool_create("render", (size_t)config_int(config, "NANOTIK_RENDER_THREADS"), RENDER_QUEUE);
    *ret = w;
    return true;
}

const struct toolbox *wire_toolbox(const struct wire_tools *w)
{
    return &w->box;
}

void wire_tools_free(struct wire_tools *w)
{
    if (!w)
        return;
    struct toolbox *box = &w->box;
    pool_destroy(box->render);
    for (size_t i = 0; i < box->source_count; i++)
        box->sources[i].ops->destroy(box->sources[i].self);
    for (size_t i = 0; i < box->engine_count; i++)
        box->engines[i].ops->destroy(box->engines[i].self);
    for (size_t i = 0; i < box->writer_count; i++)
        box->writers[i].ops->destroy(box->writers[i].self);
    if (box->guard.ops)
        box->guard.ops->destroy(box->guard.self);
    rules_free(w->rules);
    net_engine_destroy(w->net);
    ws_engine_destroy(w->ws);
    if (box->cache)
        cache_trim(box->cache); /* `nanotik make` has no janitor */
    cache_close(box->cache);
    free(w);
}

bool wire_check_speech(struct err *e)
{
    struct speech_engine engine;
    if (!espeak_create(NULL, &engine, e))
        return false;
    engine.ops->destroy(engine.self);
    return true;
}
