#define LOG_MODULE "payments"
#include "core/pay/fiat_rate.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/money/price.h"
#include "core/net/json.h"
#include "core/net/net.h"

enum {
    EVERY_MS = 10 * 60 * 1000,
    AWAY_MS = 60 * 1000, /* until it is asked again when there was no answer */
    STALE_MS = 30 * 60 * 1000,
    CALL_MS = 20 * 1000,
    REPLY_MAX = 64 * 1024,
    CENT = 10000, /* millionths */
    FIELD_MAX = 128,
};

struct fiat_rate {
    struct net_engine *net;
    char *url;
    char field[FIELD_MAX];
    char currency[12];
    int every_ms, stale_ms;
    struct cancel stop;
    pthread_t thread;
    pthread_mutex_t lock;
    uint64_t micro; /* of 1 XNO; lock */
    int64_t at;     /* monotonic ms of the answer; lock */
};

/* The number or text behind "a.b.c", in millionths. */
static bool read_field(const cJSON *doc, const char *field, uint64_t *ret)
{
    char name[FIELD_MAX], number[40];
    const char *text = NULL;
    double value = 0;
    for (;;) {
        size_t len = strcspn(field, ".");
        snprintf(name, sizeof(name), "%.*s", (int)MIN(len, sizeof(name) - 1), field);
        if (!field[len])
            break;
        doc = json_object(doc, name);
        field += len + 1;
    }
    text = json_text(doc, name, NULL);
    if (!text && json_real(doc, name, &value) && value > 0 && value < 1e9) {
        snprintf(number, sizeof(number), "%.6f", value);
        text = number;
    }
    return text && fiat_parse(text, ret);
}

static bool ask(struct fiat_rate *r, struct err *e)
{
    static const char *const headers[] = {"Accept: application/json"};
    const struct net_request request = {.log_name = "fiat rate",
                                        .url = r->url,
                                        .headers = headers,
                                        .header_count = COUNT(headers),
                                        .reply_max = REPLY_MAX,
                                        .total_ms = CALL_MS,
                                        .cancel = &r->stop};
    struct net_reply reply;
    AUTO(json_free) cJSON *doc = NULL;
    uint64_t micro = 0;
    bool ok = net_call(r->net, &request, &reply, e);
    if (ok && reply.status != 200)
        ok = err_set(e, ERR_RETRY, "error.busy", "the fiat rate: status %d", reply.status);
    ok = ok && json_parse(reply.body, reply.len, NULL, &doc, e);
    net_reply_free(&reply);
    if (ok && !read_field(doc, r->field, &micro))
        ok = err_set(e, ERR_RETRY, "error.busy", "the fiat rate: no price at %s", r->field);
    if (!ok)
        return false;
    pthread_mutex_lock(&r->lock);
    r->micro = micro;
    r->at = clock_mono_ms();
    pthread_mutex_unlock(&r->lock);
    return true;
}

static void *rate_main(void *data)
{
    struct fiat_rate *r = data;
    bool away = false;
    pthread_setname_np(pthread_self(), "fiat");
    do {
        struct err e = {0};
        bool good = ask(r, &e);
        if (!good && !away && !cancel_fired(&r->stop))
            log_err(LOG_WARN, LOG_MODULE, &e);
        away = !good;
    } while (!cancel_wait(&r->stop, away ? MIN(r->every_ms, AWAY_MS) : r->every_ms));
    return NULL;
}

static void rate_free(struct fiat_rate *r)
{
    pthread_mutex_destroy(&r->lock);
    free(r->url);
    free(r);
}

bool fiat_rate_start(struct net_engine *net, const struct fiat_rate_options *o,
                     struct fiat_rate **ret, struct err *e)
{
    if (!net_trust_base(net, o->url, e))
        return false;
    struct fiat_rate *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(e, ERR_INTERNAL, "error.internal", "fiat rate: no memory");
    r->net = net;
    r->url = str_dup(o->url);
    r->every_ms = o->every_ms ? o->every_ms : EVERY_MS;
    r->stale_ms = o->stale_ms ? o->stale_ms : STALE_MS;
    cancel_init(&r->stop, NULL);
    pthread_mutex_init(&r->lock, NULL);
    if (!str_copy(r->field, sizeof(r->field), o->field) ||
        !str_copy(r->currency, sizeof(r->currency), o->currency)) {
        rate_free(r);
        return err_set_arg(e, ERR_CONFIG, "start.bad_nano", "NANO_FIAT_FIELD, NANO_FIAT_CURRENCY",
                           "too long");
    }
    int error = pthread_create(&r->thread, NULL, rate_main, r);
    if (error != 0) {
        rate_free(r);
        return err_set_io(e, error, "fiat rate", "start a thread");
    }
    *ret = r;
    return true;
}

void fiat_rate_stop(struct fiat_rate *r)
{
    if (!r)
        return;
    cancel_fire(&r->stop);
    pthread_join(r->thread, NULL);
    rate_free(r);
}

bool fiat_rate_hint(struct fiat_rate *r, const char *amount, char ret[static FIAT_TEXT])
{
    struct raw raw;
    uint64_t worth = 0;
    pthread_mutex_lock(&r->lock);
    bool fresh = r->micro > 0 && clock_mono_ms() - r->at < r->stale_ms;
    uint64_t micro = r->micro;
    pthread_mutex_unlock(&r->lock);
    if (!fresh || !raw_from_xno(amount, &raw) || !fiat_from_raw(raw, micro, &worth))
        return false;
    if (worth < CENT)
        snprintf(ret, FIAT_TEXT, "<0.01 %s", r->currency);
    else
        snprintf(ret, FIAT_TEXT, "%" PRIu64 ".%02" PRIu64 " %s", worth / 1000000,
                 worth % 1000000 / CENT, r->currency);
    return true;
}
