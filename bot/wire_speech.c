#include "adapters/speech/azure.h"
#include "bot/wire.h"
#include "core/base/fs.h"
#include "core/base/hash.h"

static struct azure_options options_of(struct net_engine *net, struct ws_engine *ws,
                                       const struct config *config)
{
    return (struct azure_options){
        .net = net,
        .ws = ws,
        .key = config_text(config, "AZURE_SPEECH_KEY"),
        .region = config_text(config, "AZURE_SPEECH_REGION"),
        .url = config_text(config, "AZURE_SPEECH_URL"),
        .allow_plain = config_int(config, "NANOTIK_ALLOW_PLAIN"),
    };
}

bool wire_speech_wanted(const struct config *config)
{
    return config_text(config, "AZURE_SPEECH_KEY")[0];
}

bool wire_speech_add(struct net_engine *net, struct ws_engine *ws, const struct config *config,
                     struct toolbox *box, struct err *e)
{
    struct azure_options o = options_of(net, ws, config);
    char hex[HASH_HEX], folder[1024], list[1100], rates[1100];
    struct hash h;
    hash_begin(&h, "azure-voices"); /* each region has its own list */
    hash_text(&h, "region", o.region);
    hash_text(&h, "url", o.url);
    hash_end(&h, hex);
    snprintf(folder, sizeof(folder), "%s/voices", config_text(config, "NANOTIK_DATA"));
    if (!fs_mkdirs(folder, 0700, e))
        return false;
    snprintf(list, sizeof(list), "%s/azure-%.16s.json", folder, hex);
    snprintf(rates, sizeof(rates), "%s/azure-rates.json", folder);
    o.list_path = list;
    o.rates_path = rates;
    if (!azure_create(&o, &box->engines[box->engine_count], e))
        return false;
    box->engine_count++;
    return true;
}

bool wire_speech_check(struct cli *cli, struct err *e)
{
    struct net_engine *net = NULL;
    struct speech_engine engine = {0};
    if (!net_engine_create(config_int(cli->config, "NANOTIK_ALLOW_PLAIN"), &net, e))
        return false;
    struct azure_options o = options_of(net, NULL, cli->config);
    bool ok = azure_create(&o, &engine, e) && azure_check(&engine, &cli->stop, e);
    if (engine.ops)
        engine.ops->destroy(engine.self);
    net_engine_destroy(net);
    return ok;
}
