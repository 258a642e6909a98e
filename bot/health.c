#include "bot/health.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/db/store_stats.h"
#include "core/net/page.h"

struct health {
    struct bot *bot;
    const char *(*sick)(void *ctx);
    void *ctx;
    struct page_server *server;
};

static void put_number(void *ctx, const char *name, const char *label, int64_t value)
{
    if (label[0])
        strbuf_addf(ctx, "nanotik_%s{state=\"%s\"} %" PRId64 "\n", name, label, value);
    else
        strbuf_addf(ctx, "nanotik_%s %" PRId64 "\n", name, value);
}

static bool numbers_body(struct db_tx *tx, void *out, struct err *e)
{
    strbuf_reset(out); /* it may run again */
    return stats_read(tx, put_number, out, e);
}

static int tell_health(struct health *h, struct strbuf *out)
{
    struct err e = {0};
    const char *sick = h->sick(h->ctx);
    if (!sick && !db_ping(h->bot->db, &e))
        sick = "the database does not answer";
    strbuf_addf(out, "%s\n", sick ? sick : "ok");
    return sick ? 503 : 200;
}

static int tell_page(void *ctx, const char *path, struct strbuf *out)
{
    struct health *h = ctx;
    struct err e = {0};
    if (strcmp(path, "/health") == 0)
        return tell_health(h, out);
    if (strcmp(path, "/metrics") != 0)
        return 404;
    if (db_run_soft(h->bot->db, numbers_body, out, &e))
        return 200;
    strbuf_reset(out);
    return 503;
}

bool health_start(struct bot *bot, const char *address, const char *(*sick)(void *ctx), void *ctx,
                  struct health **ret, struct err *e)
{
    if (strcmp(address, "off") == 0)
        return true;
    struct health *h = calloc(1, sizeof(*h));
    if (!h)
        return err_set(e, ERR_INTERNAL, "error.internal", "health: no memory");
    *h = (struct health){.bot = bot, .sick = sick, .ctx = ctx};
    if (!page_server_start("NANOTIK_HTTP", address, tell_page, h, &h->server, e)) {
        free(h);
        return false;
    }
    *ret = h;
    return true;
}

void health_stop(struct health *h)
{
    if (!h)
        return;
    page_server_stop(h->server);
    free(h);
}
