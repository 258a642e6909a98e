/* Money that waits, and what an account has. */
#include "adapters/nano/nano_parts.h"

#include "core/base/clock.h"

enum {
    BODY_MAX = 1 << 20,
    BATCH_MIN = 10,           /* a service that takes fewer addresses is none */
    BATCH_SMALL_MS = 1800000, /* then the full size is tried again */
};

struct batch {
    const struct nano_receivable_query *query;
    size_t first, count;
    struct nano_list *list;
    size_t *seen;
    bool refused; /* a node answered, and not with a list */
};

/* --- lists --- */

static void put_address(struct strbuf *out, const struct nano_account *a)
{
    char text[NANO_ADDRESS];
    nano_account_print(a, text);
    strbuf_addf(out, "\"%s\"", text);
}

/* include_only_confirmed is said always: nodes before V22 have another default. */
static void put_filter(struct strbuf *out, const struct nano_receivable_query *q, int count)
{
    char threshold[RAW_TEXT];
    raw_print(q->threshold, threshold);
    strbuf_addf(out,
                ",\"count\":\"%d\",\"threshold\":\"%s\",\"source\":\"true\",\"sorting\":\"true\"",
                count, threshold);
    strbuf_adds(out, ",\"include_only_confirmed\":\"true\"");
}

static enum nano_verdict take_batch(void *ctx, const cJSON *doc, const char *error, struct err *e)
{
    struct batch *b = ctx;
    size_t before = b->list->count;
    if (!error[0] && nano_read_receivables(doc, b->query->accounts + b->first, b->count, b->first,
                                           b->query->threshold, b->list, b->seen, e))
        return NANO_FINE;
    b->list->count = before; /* half a reply counts for nothing */
    b->refused |= error[0] != '\0';
    return nano_unbelievable(error, e);
}

static bool ask_batch(struct nano_rpc *r, struct batch *b, struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(BODY_MAX);
    strbuf_adds(&body, "\"action\":\"accounts_receivable\",\"accounts\":[");
    for (size_t i = 0; i < b->count; i++) {
        strbuf_adds(&body, i ? "," : "");
        put_address(&body, &b->query->accounts[b->first + i]);
    }
    strbuf_adds(&body, "]");
    put_filter(&body, b->query, NANO_FIRST);
    strbuf_adds(&body, "}");
    return nano_ask(r,
                    &(struct nano_question){.what = "accounts_receivable",
                                            .body = strbuf_text(&body),
                                            .take = take_batch,
                                            .ctx = b,
                                            .cancel = b->query->cancel,
                                            .shrinks = true},
                    e);
}

/* --- one account's long list, page by page --- */

struct page {
    const struct nano_receivable_query *query;
    size_t account, seen;
    struct nano_list *list;
};

static enum nano_verdict take_page(void *ctx, const cJSON *doc, const char *error, struct err *e)
{
    struct page *p = ctx;
    size_t before = p->list->count;
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(doc, "blocks");
    if (!error[0] && blocks &&
        nano_read_entries(blocks, p->account, p->query->threshold, p->list, &p->seen, e))
        return NANO_FINE;
    p->list->count = before;
    if (!error[0] && !blocks)
        err_set(e, ERR_INPUT, "error.bad_reply", "nano: no list of receivables");
    return nano_unbelievable(error, e);
}

static bool ask_page(struct nano_rpc *r, struct page *p, size_t offset, struct err *e)
{
    AUTO(strbuf_free) struct strbuf body = STRBUF(BODY_MAX);
    strbuf_adds(&body, "\"action\":\"receivable\",\"account\":");
    put_address(&body, &p->query->accounts[p->account]);
    put_filter(&body, p->query, NANO_PAGE);
    strbuf_addf(&body, ",\"offset\":\"%zu\"}", offset);
    return nano_ask(r,
                    &(struct nano_question){.what = "receivable",
                                            .body = strbuf_text(&body),
                                            .take = take_page,
                                            .ctx = p,
                                            .cancel = p->query->cancel},
                    e);
}

/* Sorted by the node, largest first over all of them, until a page is empty. A page that brings
   nothing new comes from a node that knows no offset. */
static bool read_pages(struct nano_rpc *r, struct page *p, bool *ret_cut, struct err *e)
{
    size_t most = p->query->most ? p->query->most : NANO_MOST, begin = p->list->count, offset = 0;
    *ret_cut = true;
    while (p->list->count - begin < most) {
        size_t before = p->list->count;
        if (!ask_page(r, p, offset, e))
            return false;
        if (p->seen == 0) {
            *ret_cut = false;
            return true;
        }
        if (p->list->count == before)
            return true;
        offset += p->seen;
    }
    p->list->count = begin + most;
    return true;
}

/* Replaces what the first list told of this account. */
static bool page_account(struct nano_rpc *r, const struct nano_receivable_query *q, size_t account,
                         struct nano_list *list, struct nano_receivables *ret, struct err *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].account != account)
            list->items[kept++] = list->items[i];
    list->count = kept;
    struct page p = {.query = q, .account = account, .list = list};
    if (!read_pages(r, &p, &ret->cut[account], e))
        return false;
    ret->cut_count += ret->cut[account];
    return true;
}

static int by_account(const void *a, const void *b)
{
    const struct nano_receivable *x = a, *y = b;
    if (x->account != y->account)
        return x->account < y->account ? -1 : 1;
    return raw_compare(y->amount, x->amount);
}

/* A list that is refused may be too long for the service: half of it is tried. */
static bool ask_fitting(struct nano_rpc *r, struct batch *b, struct err *e)
{
    for (;;) {
        b->refused = false;
        if (ask_batch(r, b, e))
            return true;
        bool too_long = b->refused || e->code == ERR_LIMIT;
        if (e->code == ERR_LIMIT)
            e->code = ERR_RETRY;
        if (!too_long || b->count / 2 < BATCH_MIN)
            return false;
        b->count /= 2;
    }
}

static bool read_all(struct nano_rpc *r, const struct nano_receivable_query *q, size_t *seen,
                     struct nano_list *list, struct nano_receivables *ret, struct err *e)
{
    bool small = clock_mono_ms() < atomic_load(&r->small_until_ms);
    size_t step = small ? atomic_load(&r->small_batch) : r->limits.batch;
    for (size_t first = 0, done = 0; first < q->count; first += done) {
        struct batch b = {.query = q, .first = first, .list = list, .seen = seen};
        size_t wanted = MIN(step, q->count - first);
        b.count = wanted;
        if (!ask_fitting(r, &b, e))
            return false;
        done = b.count;
        if (done < wanted) { /* it worked with fewer: remembered for a while */
            step = done;
            atomic_store(&r->small_batch, done);
            atomic_store(&r->small_until_ms, clock_mono_ms() + BATCH_SMALL_MS);
        }
        for (size_t i = 0; i < done; i++)
            if (seen[i] >= NANO_PAGED && !page_account(r, q, first + i, list, ret, e))
                return false;
    }
    return true;
}

bool rpc_receivables(void *self, const struct nano_receivable_query *query,
                     struct nano_receivables *ret, struct err *e)
{
    struct nano_rpc *r = self;
    struct nano_list list = {0};
    struct nano_receivables out = {.cut = calloc(MAX(query->count, (size_t)1), sizeof(bool))};
    AUTO(free_ptr) size_t *seen = calloc(r->limits.batch, sizeof(*seen));
    if (!out.cut || !seen)
        abort();
    if (!read_all(r, query, seen, &list, &out, e)) {
        free(list.items);
        free(out.cut);
        return false;
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof(*list.items), by_account);
    out.items = list.items;
    out.count = list.count;
    *ret = out;
    return true;
}

/* --- accounts --- */

static enum nano_verdict take_account(void *ctx, const cJSON *doc, const char *error, struct err *e)
{
    struct nano_account_info *info = ctx;
    if (strcmp(error, "Account not found") == 0) {
        *info = (struct nano_account_info){0};
        return NANO_FINE;
    }
    if (!error[0] && nano_read_account(doc, info, e))
        return NANO_FINE;
    return nano_unbelievable(error, e);
}

bool rpc_account(void *self, const struct nano_account *account, struct nano_account_info *ret,
                 const struct cancel *cancel, struct err *e)
{
    char address[NANO_ADDRESS];
    nano_account_print(account, address);
    AUTO(free_ptr)
    char *body = str_printf("\"action\":\"account_info\",\"account\":\"%s\",\"representative\":"
                            "\"true\",\"include_confirmed\":\"true\"}",
                            address);
    return nano_ask(self,
                    &(struct nano_question){.what = "account_info",
                                            .body = body,
                                            .take = take_account,
                                            .ctx = ret,
                                            .cancel = cancel},
                    e);
}
