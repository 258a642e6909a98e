/* Blocks: looking at them, publishing them, asking for an election; work from elsewhere. */
#include "adapters/nano/nano_parts.h"

enum { BODY_MAX = 64 << 10 };

/* --- looking --- */

struct looking {
    const struct nano_hash *hashes;
    size_t count;
    struct nano_block_info *infos;
    bool answered;
};

/* What a node does not know another one may: it lags, or it hides a payment. */
static enum nano_verdict take_blocks(void *ctx, const cJSON *doc, const char *error, struct err *e)
{
    struct looking *l = ctx;
    size_t missing = 0;
    AUTO(free_ptr) struct nano_block_info *told = calloc(l->count, sizeof(*told));
    if (!told)
        abort(); /* at most NANO_HASHES_MAX */
    if (error[0] || !nano_read_blocks(doc, l->hashes, l->count, told, e))
        return nano_unbelievable(error, e);
    for (size_t i = 0; i < l->count; i++) {
        if (!l->infos[i].found)
            l->infos[i] = told[i];
        missing += !l->infos[i].found;
    }
    l->answered = true;
    if (missing == 0)
        return NANO_FINE;
    err_set(e, ERR_NOT_FOUND, "pay.no_such_block", "nano: %zu blocks are not known", missing);
    return NANO_NEXT;
}

static bool ask_blocks(struct nano_rpc *r, struct looking *l, const struct cancel *cancel,
                       struct err *e)
{
    char hex[NANO_HEX];
    AUTO(strbuf_free) struct strbuf body = STRBUF(BODY_MAX);
    strbuf_adds(&body, "\"action\":\"blocks_info\",\"json_block\":\"true\",\"include_not_found\":"
                       "\"true\",\"receive_hash\":\"true\",\"hashes\":[");
    for (size_t i = 0; i < l->count; i++) {
        nano_hash_print(&l->hashes[i], hex);
        strbuf_addf(&body, "%s\"%s\"", i ? "," : "", hex);
    }
    strbuf_adds(&body, "]}");
    struct nano_question q = {.what = "blocks_info",
                              .body = strbuf_text(&body),
                              .take = take_blocks,
                              .ctx = l,
                              .cancel = cancel};
    return nano_ask(r, &q, e) || (l->answered && e->code != ERR_CANCELLED);
}

bool rpc_blocks(void *self, const struct nano_hash *hashes, size_t count,
                struct nano_block_info *ret_infos, const struct cancel *cancel, struct err *e)
{
    for (size_t at = 0; at < count; at += NANO_HASHES_MAX) {
        size_t n = MIN(count - at, (size_t)NANO_HASHES_MAX);
        struct looking l = {.hashes = hashes + at, .count = n, .infos = ret_infos + at};
        memset(l.infos, 0, n * sizeof(*l.infos));
        if (!ask_blocks(self, &l, cancel, e))
            return false;
    }
    return true;
}

/* --- publishing --- */

struct publishing {
    struct nano_hash hash;
    bool refused, look;
    enum nano_published refusal; /* of the first node that refused */
};

static enum nano_verdict take_published(void *ctx, const cJSON *doc, const char *error,
                                        struct err *e)
{
    struct publishing *p = ctx;
    struct nano_hash hash;
    enum nano_published refusal;
    bool look;
    if (!error[0] && nano_hash_parse(json_text(doc, "hash", NULL), &hash) &&
        nano_hash_equal(&hash, &p->hash))
        return NANO_FINE;
    if (!error[0] || !nano_read_refusal(error, &refusal, &look))
        return nano_unbelievable(error, e);
    p->look |= look;
    if (!p->refused)
        p->refusal = refusal;
    p->refused = true;
    err_set(e, ERR_CONFLICT, "pay.node_down", "nano: a block is refused: %s", error);
    return NANO_NEXT;
}

/* Every node that answered refused. */
static bool settle(struct nano_rpc *r, struct publishing *p, enum nano_published *ret,
                   const struct cancel *cancel, struct err *e)
{
    struct nano_block_info info;
    if (p->look) {
        if (!rpc_blocks(r, &p->hash, 1, &info, cancel, e))
            return false;
        if (info.found) {
            *ret = NANO_ALREADY;
            return true;
        }
        if (p->refusal == NANO_ALREADY)
            return err_set(e, ERR_RETRY, "pay.node_down", "nano: an old block that nobody has");
    }
    *ret = p->refusal;
    return true;
}

bool rpc_process(void *self, const struct nano_block *block, enum nano_subtype subtype,
                 enum nano_published *ret, const struct cancel *cancel, struct err *e)
{
    struct publishing p = {0};
    AUTO(strbuf_free) struct strbuf body = STRBUF(BODY_MAX);
    nano_block_hash(block, &p.hash);
    strbuf_addf(&body,
                "\"action\":\"process\",\"json_block\":\"true\",\"subtype\":\"%s\",\"block\":",
                nano_subtype_name(subtype));
    nano_block_put_json(block, &body);
    strbuf_adds(&body, "}");
    struct nano_question q = {.what = "process",
                              .body = strbuf_text(&body),
                              .take = take_published,
                              .ctx = &p,
                              .cancel = cancel};
    if (nano_ask(self, &q, e)) {
        *ret = NANO_PUBLISHED;
        return true;
    }
    return e->code != ERR_CANCELLED && p.refused && settle(self, &p, ret, cancel, e);
}

static enum nano_verdict take_started(void *ctx, const cJSON *doc, const char *error, struct err *e)
{
    (void)ctx;
    if (strcmp(error, "Block not found") == 0) {
        err_set(e, ERR_NOT_FOUND, "pay.no_such_block", "nano: %s", error);
        return NANO_NEXT;
    }
    if (!error[0] && (json_has(doc, "started") || json_has(doc, "success")))
        return NANO_FINE;
    return nano_unbelievable(error, e);
}

static bool ask_started(struct nano_rpc *r, const char *action, const struct nano_hash *hash,
                        const struct cancel *cancel, struct err *e)
{
    char hex[NANO_HEX];
    nano_hash_print(hash, hex);
    AUTO(free_ptr) char *body = str_printf("\"action\":\"%s\",\"hash\":\"%s\"}", action, hex);
    return nano_ask(r,
                    &(struct nano_question){
                        .what = action, .body = body, .take = take_started, .cancel = cancel},
                    e);
}

/* Services that do not let everybody start elections may still spread a block. */
bool rpc_confirm(void *self, const struct nano_hash *hash, const struct cancel *cancel,
                 struct err *e)
{
    return ask_started(self, "block_confirm", hash, cancel, e) ||
           (e->code == ERR_RETRY && ask_started(self, "republish", hash, cancel, e));
}

/* --- work --- */

bool rpc_work(void *self, const struct nano_hash *root, uint64_t threshold,
              const struct cancel *cancel, uint64_t *ret_work, struct err *e)
{
    struct nano_rpc *r = self;
    char hex[NANO_HEX], difficulty[NANO_WORK_HEX], error[NANO_ERROR_TEXT] = "";
    AUTO(json_free) cJSON *doc = NULL;
    if (!r->work.url)
        return err_set(e, ERR_UNSUPPORTED, "pay.node_down", "nano: no work server");
    nano_hash_print(root, hex);
    nano_work_print(threshold, difficulty);
    AUTO(free_ptr)
    char *body = str_printf("\"action\":\"work_generate\",\"hash\":\"%s\",\"difficulty\":\"%s\"}",
                            hex, difficulty);
    enum nano_verdict v = nano_call(r, &r->work, body, r->limits.work_ms, cancel, &doc, error, e);
    if (v != NANO_FINE) {
        if (e->code == ERR_LIMIT)
            e->code = ERR_RETRY;
        return false;
    }
    if (!error[0] && nano_read_work(doc, root, threshold, ret_work, e))
        return true;
    (void)nano_unbelievable(error, e);
    return false;
}
