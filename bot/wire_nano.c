#include <stdlib.h>

#include "adapters/nano/mcp.h"
#include "adapters/nano/rpc.h"
#include "bot/wire.h"
#include "core/base/strbuf.h"
#include "core/nano/work.h"

enum { NODES_SHOWN = 8 };

struct wire_nano {
    struct net_engine *net;
    struct nano_node node;
    char mcp_url[1024]; /* "" none */
};

bool wire_nano_wanted(const struct config *config)
{
    return config_text(config, "NANO_RPC_URL")[0];
}

bool wire_nano_difficulties(const struct config *config, uint64_t *ret_send, uint64_t *ret_receive,
                            struct err *e)
{
    static const char *const names[] = {"NANO_SEND_DIFFICULTY", "NANO_RECEIVE_DIFFICULTY"};
    uint64_t values[2];
    for (size_t i = 0; i < 2; i++)
        if (!nano_work_parse(config_text(config, names[i]), &values[i]) || values[i] == 0)
            return err_set_arg(e, ERR_CONFIG, "start.bad_nano", names[i],
                               "%s: not 16 hex digits above zero", names[i]);
    *ret_send = values[0];
    *ret_receive = values[1];
    return true;
}

static bool set_mcp(struct wire_nano *w, const struct config *config, struct err *e)
{
    const char *url = config_text(config, "NANO_MCP_URL");
    if (!url[0])
        return true;
    if (!str_copy(w->mcp_url, sizeof(w->mcp_url), url))
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_MCP_URL", "an address too long");
    return net_trust_base(w->net, url, e);
}

bool wire_nano_make(const struct config *config, struct ws_engine *ws, struct wire_nano **ret,
                    struct err *e)
{
    struct wire_nano *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(e, ERR_INTERNAL, "error.internal", "nano: no memory");
    bool plain = config_int(config, "NANOTIK_ALLOW_PLAIN");
    if (!net_engine_create(plain, &w->net, e)) {
        free(w);
        return false;
    }
    struct nano_rpc_options o = {.net = w->net,
                                 .ws = ws,
                                 .urls = config_text(config, "NANO_RPC_URL"),
                                 .keys = config_text(config, "NANO_RPC_KEY"),
                                 .ws_urls = config_text(config, "NANO_WS_URL"),
                                 .work_url = config_text(config, "NANO_WORK_URL"),
                                 .network_id = config_text(config, "NANO_NETWORK_ID"),
                                 .allow_plain = plain};
    if (!set_mcp(w, config, e) || !nano_rpc_create(&o, &w->node, e)) {
        wire_nano_free(w);
        return false;
    }
    *ret = w;
    return true;
}

const struct nano_node *wire_nano_node(const struct wire_nano *w)
{
    return &w->node;
}

bool wire_nano_has_reader(const struct wire_nano *w)
{
    return w->mcp_url[0];
}

bool wire_nano_balance(struct wire_nano *w, const struct nano_account *account, struct raw *ret,
                       const struct cancel *cancel, struct err *e)
{
    return nano_mcp_balance(w->net, w->mcp_url, account, ret, cancel, e);
}

/* About the wallet; without one about an account that was never opened, which has 0 everywhere. */
static void check_reader(struct wire_nano *w, struct cli *cli,
                         void (*reader)(void *ctx, const struct err *why, bool differs), void *ctx)
{
    struct nano_account who = {0};
    struct nano_account_info info = {0};
    struct raw told;
    struct err e = {0}, ignored = {0};
    const char *wallet = config_text(cli->config, "NANO_WALLET_ADDRESS");
    if (wallet[0] && !nano_account_parse(wallet, &who))
        return; /* told elsewhere */
    if (!wire_nano_balance(w, &who, &told, &cli->stop, &e)) {
        reader(ctx, &e, false);
        return;
    }
    bool known = w->node.ops->account(w->node.self, &who, &info, &cli->stop, &ignored);
    reader(ctx, NULL, known && raw_compare(told, info.balance) != 0);
}

bool wire_nano_check(struct cli *cli, void (*node)(void *ctx, const struct nano_health *health),
                     void (*reader)(void *ctx, const struct err *why, bool differs), void *ctx,
                     struct err *e)
{
    struct nano_health health[NODES_SHOWN];
    struct wire_nano *w = NULL;
    if (!wire_nano_make(cli->config, NULL, &w, e))
        return false;
    size_t count = w->node.ops->health(w->node.self, health, COUNT(health), &cli->stop);
    for (size_t i = 0; i < count; i++)
        node(ctx, &health[i]);
    if (wire_nano_has_reader(w))
        check_reader(w, cli, reader, ctx);
    wire_nano_free(w);
    return true;
}

void wire_nano_free(struct wire_nano *w)
{
    if (!w)
        return;
    if (w->node.ops)
        w->node.ops->destroy(w->node.self);
    net_engine_destroy(w->net);
    free(w);
}
