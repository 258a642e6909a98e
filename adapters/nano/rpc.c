/* nano_node "rpc": put together and taken apart. */
#include "adapters/nano/nano_parts.h"

static size_t rpc_node_count(void *self)
{
    return ((struct nano_rpc *)self)->peer_count;
}

static bool rpc_watch(void *self, const struct nano_watch *watch, struct err *e)
{
    struct nano_rpc *r = self;
    return !r->stream || nano_stream_watch(r->stream, watch, e);
}

static void rpc_watch_add(void *self, const struct nano_account *accounts, size_t count)
{
    struct nano_rpc *r = self;
    if (r->stream)
        nano_stream_change(r->stream, accounts, count, true);
}

static void rpc_watch_remove(void *self, const struct nano_account *accounts, size_t count)
{
    struct nano_rpc *r = self;
    if (r->stream)
        nano_stream_change(r->stream, accounts, count, false);
}

static void rpc_destroy(void *self)
{
    struct nano_rpc *r = self;
    if (!r)
        return;
    nano_stream_destroy(r->stream);
    nano_peers_free(r);
    free(r->network_id);
    free(r);
}

static const struct nano_node_ops ops = {
    .name = "rpc",
    .receivables = rpc_receivables,
    .blocks = rpc_blocks,
    .account = rpc_account,
    .process = rpc_process,
    .confirm = rpc_confirm,
    .confirmed_by = rpc_confirmed_by,
    .node_count = rpc_node_count,
    .work = rpc_work,
    .health = rpc_health,
    .watch = rpc_watch,
    .watch_add = rpc_watch_add,
    .watch_remove = rpc_watch_remove,
    .destroy = rpc_destroy,
};

static struct nano_limits with_defaults(struct nano_limits l)
{
    l.connect_ms = l.connect_ms ? l.connect_ms : 4000;
    l.call_ms = l.call_ms ? l.call_ms : 8000;
    l.work_ms = l.work_ms ? l.work_ms : 30000;
    l.ack_ms = l.ack_ms ? l.ack_ms : 5000;
    l.ping_ms = l.ping_ms ? l.ping_ms : 30000;
    l.reconnect_ms = l.reconnect_ms ? l.reconnect_ms : 1000;
    l.look_ms = l.look_ms ? l.look_ms : 600000;
    l.batch = l.batch ? l.batch : 400;
    l.stream_part = l.stream_part ? l.stream_part : 500;
    return l;
}

bool nano_rpc_create(const struct nano_rpc_options *o, struct nano_node *ret, struct err *e)
{
    struct nano_hash id;
    if (o->network_id[0] && !nano_hash_parse(o->network_id, &id))
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_NETWORK_ID",
                           "nano: the network identifier is no 64 hex digits");
    struct nano_rpc *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(e, ERR_INTERNAL, "error.internal", "nano: no memory");
    r->net = o->net;
    r->limits = with_defaults(o->limits);
    r->network_id = str_dup(o->network_id);
    if (!nano_peers_make(r, o, e) ||
        (o->ws_urls[0] &&
         !nano_stream_create(o->ws_urls, o->ws, o->allow_plain, &r->limits, &r->stream, e))) {
        rpc_destroy(r);
        return false;
    }
    *ret = (struct nano_node){.ops = &ops, .self = r};
    return true;
}
