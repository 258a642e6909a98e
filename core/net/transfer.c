#include "core/net/net_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/fs.h"

#define MIB ((int64_t)1024 * 1024)

/* --- callbacks of libcurl, engine's thread --- */

static bool reach_allows(enum net_reach reach, const void *address)
{
    if (reach == REACH_ANY)
        return true;
    return reach == REACH_LOOPBACK ? net_address_is_loopback(address)
                                   : net_address_is_public(address);
}

/* The one place where an address becomes a connection, so also the one that names cannot fool. */
static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *t = ctx;
    if (purpose != CURLSOCKTYPE_IPCXN || !reach_allows(t->reach, &a->addr)) {
        t->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Just before a request leaves: a second time means libcurl repeats it on a new connection. */
static int on_send(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    struct transfer *t = ctx;
    if (t->req.once && t->tries > 0) {
        t->repeated = true;
        return CURL_PREREQFUNC_ABORT;
    }
    t->tries++;
    return CURL_PREREQFUNC_OK;
}

static long status_of(struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t save_bytes(struct transfer *t, const char *bytes, size_t len)
{
    int64_t max = t->req.save_max ? t->req.save_max : 200 * MIB;
    if (t->saved + (int64_t)len > max) {
        t->too_large = true;
        return 0;
    }
    for (size_t done = 0; done < len;) {
        ssize_t n = write(t->fd, bytes + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            t->disk_errno = errno;
            return 0;
        }
        done += (size_t)n;
    }
    t->saved += (int64_t)len;
    return len;
}

/* False: the caller does not want what comes. */
static bool tell_answer(struct transfer *t, long status)
{
    if (t->answered || !t->req.on_answer)
        return true;
    t->answered = true;
    struct net_reply head = {.outcome = NET_REPLY,
                             .status = (int)status,
                             .headers = t->head.text,
                             .headers_len = t->head.len,
                             .retry_after_ms = -1};
    return t->req.on_answer(t->req.ctx, &head);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count;
    long status = status_of(t);
    if (t->fd >= 0 && status == 200)
        return save_bytes(t, bytes, len);
    if (t->req.on_chunk && status >= 200 && status < 300) {
        t->too_large = !tell_answer(t, status) || !t->req.on_chunk(t->req.ctx, bytes, len);
        return t->too_large ? 0 : len;
    }
    strbuf_add(&t->body, bytes, len);
    t->too_large = t->body.failed;
    return t->too_large ? 0 : len;
}

static size_t on_head(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count;
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
        strbuf_reset(&t->head); /* a new block: 1xx before the real one */
    const char *colon = memchr(line, ':', len);
    if (!colon || t->head.len + len > NET_HEADERS_MAX)
        return len; /* more than anybody needs: dropped, not refused */
    const char *value = colon + 1;
    const char *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    if (memchr(line, '\0', len))
        return len;
    strbuf_add(&t->head, line, (size_t)(colon - line));
    strbuf_addc(&t->head, '\0');
    strbuf_add(&t->head, value, (size_t)(end - value));
    strbuf_addc(&t->head, '\0');
    return len;
}

/* --- set-up --- */

static bool is_upload(const struct net_request *r)
{
    return r->part_count > 0;
}

static CURLcode set_limits(struct transfer *t)
{
    CURL *c = t->easy;
    const struct net_request *r = &t->req;
    CURLcode bad = CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)(r->connect_ms ? r->connect_ms : 10000));
    if (r->total_ms >= 0)
        bad |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(r->total_ms ? r->total_ms : 120000));
    bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    /* Else the end of one request waits, and with it all others, until the name server answers. */
    bad |= curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, t->origin.scheme);
    bad |= curl_easy_setopt(c, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    bad |= curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, 30L);
    bad |= curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, 10L);
    bad |= curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 128L * 1024);
    bad |=
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
                         is_upload(r) ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
    bad |= curl_easy_setopt(c, CURLOPT_USERAGENT, "NanoTik");
    if (!r->save_path)
        bad |= curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    return bad;
}

static CURLcode set_callbacks(struct transfer *t)
{
    CURL *c = t->easy;
    CURLcode bad = CURLE_OK;
    bad |= curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    bad |= curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
    bad |= curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    bad |= curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_send);
    bad |= curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_head);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    return bad;
}

static bool add_header(struct transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (longer)
        t->headers = longer;
    return longer != NULL;
}

/* Headers may carry keys: they go to the host they were meant for and to no other. */
static CURLcode set_headers(struct transfer *t, bool with_callers)
{
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    bool ok = add_header(t, "Expect:");
    for (size_t i = 0; with_callers && i < t->req.header_count; i++)
        ok = ok && add_header(t, t->req.headers[i]);
    return ok ? curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) : CURLE_OUT_OF_MEMORY;
}

static CURLcode set_parts(struct transfer *t)
{
    t->mime = curl_mime_init(t->easy);
    CURLcode bad = t->mime ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    for (size_t i = 0; bad == CURLE_OK && i < t->req.part_count; i++) {
        const struct net_part *p = &t->req.parts[i];
        curl_mimepart *part = curl_mime_addpart(t->mime);
        if (!part)
            return CURLE_OUT_OF_MEMORY;
        bad |= curl_mime_name(part, p->name);
        if (p->file) {
            if (access(p->file, R_OK) != 0) {
                t->disk_errno = errno;
                return CURLE_READ_ERROR;
            }
            bad |= curl_mime_filedata(part, p->file);
            bad |= curl_mime_filename(part, p->file_name);
            if (p->mime)
                bad |= curl_mime_type(part, p->mime);
        } else {
            bad |= curl_mime_data(part, p->value, CURL_ZERO_TERMINATED);
        }
    }
    return bad | curl_easy_setopt(t->easy, CURLOPT_MIMEPOST, t->mime);
}

static CURLcode set_body(struct transfer *t)
{
    const struct net_request *r = &t->req;
    CURLcode bad = CURLE_OK;
    if (r->part_count) {
        bad = set_parts(t);
    } else if (r->body) {
        bad |= curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        bad |= curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, r->body);
    }
    if (r->method && strcmp(r->method, "HEAD") == 0)
        bad |= curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    else if (r->method)
        bad |= curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, r->method);
    return bad;
}

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
    CURLcode bad = set_limits(t) | set_callbacks(t) | set_headers(t, true) | set_body(t) |
                   curl_easy_setopt(t->easy, CURLOPT_URL, t->req.url);
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
    if (is_upload(r) && all_sent(t) && got == 0) {
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
    if (!t->req.follow || !plain_get || !is_redirect(status_of(t)) ||
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
                   set_headers(t, net_origin_same(&from, &t->origin));
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
        reply->status = (int)status_of(t);
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
