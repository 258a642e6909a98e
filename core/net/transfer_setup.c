/* What libcurl is told about a transfer, and what it calls. */
#include "core/net/net_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

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
    long status = transfer_status(t);
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
CURLcode transfer_set_headers(struct transfer *t, bool with_callers)
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

CURLcode transfer_set_up(struct transfer *t)
{
    return set_limits(t) | set_callbacks(t) | transfer_set_headers(t, true) | set_body(t);
}
