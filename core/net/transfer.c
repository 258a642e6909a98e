#include "core/net/net_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"

#define MIB ((int64_t)1024 * 1024)

/* --- begin --- */

static bool open_part(struct transfer *t)
{
    if (!t->req.save_path)
        return true;
    t->part_path = str_printf("%s.part", t->req.save_path);
    t->fd = open(t->part_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (t->fd < 0)
        t->disk_errno = errno;
    return t->fd >= 0;
}

static bool begin_failed(struct transfer *t, CURLcode code, struct err *e)
{
    if (t->disk_errno)
        return err_set_io(e, t->disk_errno, t->req.log_name, "open");
    return err_set(e, ERR_INTERNAL, "error.internal", "%s: set-up: %s", t->req.log_name,
                   curl_easy_strerror(code));
}

bool transfer_begin(struct transfer *t, CURLM *multi, struct err *e)
{
    t->fd = -1;
    t->body = (struct strbuf)STRBUF(t->req.reply_max ? t->req.reply_max : (size_t)(4 * MIB));
    t->head = (struct strbuf)STRBUF(2 * (size_t)NET_HEADERS_MAX);
    if (!net_rules_check(t, t->req.url)) {
        t->refused = true;
        return err_set(e, ERR_REFUSED, "error.network", "%s: this URL is not allowed",
                       t->req.log_name);
    }
    t->easy = curl_easy_init();
    if (!t->easy)
        return err_set(e, ERR_RETRY, "error.network", "%s: out of memory", t->req.log_name);
    CURLcode bad = transfer_set_up(t) | curl_easy_setopt(t->easy, CURLOPT_URL, t->req.url);
    if (bad != CURLE_OK || !open_part(t))
        return begin_failed(t, bad, e);
    if (t->req.stall_seconds == 0 && t->req.total_ms < 0)
        t->req.stall_seconds = 30;
    t->mark_ms = t->low_since_ms = net_now_ms();
    if (curl_multi_add_handle(multi, t->easy) != CURLM_OK)
        return err_set(e, ERR_INTERNAL, "error.internal", "%s: multi", t->req.log_name);
    return true;
}

/* --- while it runs --- */

long transfer_status(struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static curl_off_t info(struct transfer *t, CURLINFO what)
{
    curl_off_t value = 0;
    curl_easy_getinfo(t->easy, what, &value);
    return value;
}

static bool all_sent(struct transfer *t)
{
    curl_off_t total = info(t, CURLINFO_CONTENT_LENGTH_UPLOAD_T);
    return t->tries > 0 && info(t, CURLINFO_SIZE_UPLOAD_T) >= total;
}

static bool has_stalled(struct transfer *t, int64_t now)
{
    const struct net_request *r = &t->req;
    if (r->stall_seconds <= 0 || t->tries == 0) {
        t->low_since_ms = now; /* connecting has its own limit */
        return false;
    }
    int64_t got = info(t, CURLINFO_SIZE_DOWNLOAD_T);
    /* Sent, and the server is thinking: silence is not a stall. */
    if (r->part_count > 0 && all_sent(t) && got == 0) {
        if (t->sent_ms == 0)
            t->sent_ms = now;
        return now - t->sent_ms > (r->answer_ms ? r->answer_ms : 300000);
    }
    if (now - t->mark_ms < 1000)
        return false;
    int64_t bytes = got + info(t, CURLINFO_SIZE_UPLOAD_T);
    int64_t rate = (bytes - t->mark_bytes) * 1000 / (now - t->mark_ms);
    if (rate >= (r->stall_rate ? r->stall_rate : 1000))
        t->low_since_ms = now;
    t->mark_ms = now;
    t->mark_bytes = bytes;
    return now - t->low_since_ms >= r->stall_seconds * 1000LL;
}

CURLcode transfer_tick(struct transfer *t, int64_t now)
{
    if (cancel_fired(t->req.cancel))
        return CURLE_ABORTED_BY_CALLBACK;
    if (t->req.on_progress && now - t->told_ms >= 200) {
        t->told_ms = now;
        t->req.on_progress(
            t->req.ctx, info(t, CURLINFO_SIZE_UPLOAD_T), info(t, CURLINFO_CONTENT_LENGTH_UPLOAD_T),
            info(t, CURLINFO_SIZE_DOWNLOAD_T), info(t, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T));
    }
    return has_stalled(t, now) ? CURLE_OPERATION_TIMEDOUT : CURLE_OK;
}

/* --- the end of a hop --- */

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* True when the next hop is on its way. */
static bool go_on(struct transfer *t, CURLM *multi)
{
    char *url = NULL;
    bool plain_get =
        !t->req.body && !t->req.part_count && (!t->req.method || strcmp(t->req.method, "GET") == 0);
    if (!t->req.follow || !plain_get || !is_redirect(transfer_status(t)) ||
        curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &url) != CURLE_OK || !url)
        return false;
    struct net_origin from = t->origin;
    if (++t->hops > NET_HOPS_MAX || !net_rules_check(t, url)) {
        t->refused = true;
        return false;
    }
    curl_multi_remove_handle(multi, t->easy);
    char *copy = str_dup(url); /* libcurl's own is gone once CURLOPT_URL is set */
    CURLcode bad = curl_easy_setopt(t->easy, CURLOPT_URL, copy) |
                   curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, t->origin.scheme) |
                   transfer_set_headers(t, net_origin_same(&from, &t->origin));
    free(copy);
    strbuf_reset(&t->body);
    strbuf_reset(&t->head);
    t->tries = 0;
    t->answered = false;
    t->refused = bad != CURLE_OK || curl_multi_add_handle(multi, t->easy) != CURLM_OK;
    return !t->refused;
}

static enum net_outcome classify(struct transfer *t, CURLcode code)
{
    if (cancel_fired(t->req.cancel))
        return NET_CANCELLED;
    if (t->disk_errno)
        return NET_DISK;
    if (t->too_large)
        return NET_TOO_LARGE;
    /* One address of several may have been refused and another one used. */
    if (t->refused && (code == CURLE_OK || t->tries == 0))
        return NET_FORBIDDEN;
    if (code == CURLE_OK)
        return NET_REPLY;
    if (t->repeated)
        return NET_UNKNOWN;
    return all_sent(t) ? NET_UNKNOWN : NET_NOT_SENT;
}

static void publish(struct transfer *t, struct net_reply *reply, struct err *e)
{
    if (close(t->fd) != 0)
        t->disk_errno = errno;
    t->fd = -1;
    if (t->disk_errno) {
        reply->outcome = NET_DISK;
        err_set_io(e, t->disk_errno, t->part_path, "close");
    } else if (!fs_publish(t->part_path, t->req.save_path, e)) {
        reply->outcome = NET_DISK;
    } else {
        reply->saved = t->saved;
    }
}

static void set_error(struct transfer *t, CURLcode code, const struct net_reply *reply,
                      struct err *e)
{
    const char *name = t->req.log_name;
    const char *why = curl_easy_strerror(code);
    switch (reply->outcome) {
    case NET_REPLY:
        break;
    case NET_NOT_SENT:
        err_set(e, ERR_RETRY, "error.network", "%s: %s, host %s", name, why, t->origin.host);
        break;
    case NET_UNKNOWN:
        err_set(e, ERR_CONFLICT, "error.network", "%s: sent, but the answer was lost: %s", name,
                t->repeated ? "connection closed" : why);
        break;
    case NET_TOO_LARGE:
        err_set(e, ERR_LIMIT, "error.network", "%s: the answer is larger than allowed", name);
        break;
    case NET_CANCELLED:
        err_set(e, ERR_CANCELLED, "error.cancelled", "%s: stopped", name);
        break;
    case NET_FORBIDDEN:
        err_set(e, ERR_REFUSED, "error.network", "%s: leads to an address that is not allowed",
                name);
        break;
    case NET_DISK:
        err_set_io(e, t->disk_errno, t->part_path ? t->part_path : name, "transfer");
        break;
    }
}

bool transfer_finish(struct transfer *t, CURLM *multi, CURLcode code, struct net_reply *reply,
                     struct err *e)
{
    if (code == CURLE_OK && go_on(t, multi))
        return false;
    reply->outcome = classify(t, code);
    reply->sent = t->repeated || all_sent(t);
    if (reply->outcome == NET_REPLY) {
        reply->status = (int)transfer_status(t);
        if (t->fd >= 0 && reply->status == 200)
            publish(t, reply, e);
    }
    if (reply->outcome != NET_DISK || e->code == ERR_NONE)
        set_error(t, code, reply, e);
    reply->len = t->body.len;
    reply->body = strbuf_take(&t->body);
    if (!reply->body) {
        reply->len = 0;
        reply->body = str_dup("");
    }
    reply->headers_len = t->head.len;
    reply->headers = strbuf_take(&t->head);
    reply->retry_after_ms = -1;
    if (reply->headers) {
        const char *ms = net_reply_header(reply, "retry-after-ms");
        const char *s = net_reply_header(reply, "retry-after");
        if (*ms)
            reply->retry_after_ms = (net_parse_retry_after(ms, 0) + 999) / 1000;
        if (reply->retry_after_ms < 0 && *s)
            reply->retry_after_ms = net_parse_retry_after(s, clock_wall_ms());
    }
    return true;
}

void transfer_free(struct transfer *t, CURLM *multi)
{
    if (t->easy) {
        curl_multi_remove_handle(multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    curl_mime_free(t->mime);
    curl_slist_free_all(t->headers);
    strbuf_free(&t->body);
    strbuf_free(&t->head);
    if (t->fd >= 0) {
        close(t->fd);
        unlink(t->part_path);
    }
    free(t->part_path);
    free(t);
}
