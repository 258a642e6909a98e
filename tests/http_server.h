/*
 * http_server - a loopback HTTP server for tests, one thread per connection, keep-alive.
 *
 * What:    parses a request (any body length) and gives it to `handler`, which writes the raw
 *          reply to the socket itself and so can be slow, rude or wrong. Returning false closes
 *          the connection; http_reset() closes it with RST.
 * Owner:   http_server_start / http_server_stop on one thread; handlers run on connection threads.
 */
#ifndef NANOTIK_TESTS_HTTP_SERVER_H
#define NANOTIK_TESTS_HTTP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/base.h"

enum { HTTP_CONNECTIONS_MAX = 256, HTTP_HEAD_MAX = 16384, HTTP_BODY_MAX = 1 << 20 };

struct http_request {
    int fd;
    char method[16];
    char path[2048];
    char *head; /* header block as text */
    char *body; /* NUL-terminated; the first MiB */
    size_t len;
    int nth; /* request number on this server, from 1 */
};

struct http_server;
typedef bool http_handler(struct http_server *s, const struct http_request *r);

struct http_server {
    int listener, port;
    http_handler *handler;
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_t threads[HTTP_CONNECTIONS_MAX];
    int fds[HTTP_CONNECTIONS_MAX];
    size_t count;
    atomic_int requests, connections;
    atomic_bool stopping;
};

struct http_connection {
    struct http_server *s;
    int fd;
};

static inline bool http_write(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool http_puts(int fd, const char *text)
{
    return http_write(fd, text, strlen(text));
}

static inline bool http_reply(int fd, int status, const char *extra_headers, const char *body)
{
    char head[1024];
    snprintf(head, sizeof(head),
             "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
             status, strlen(body), extra_headers);
    return http_puts(fd, head) && http_puts(fd, body);
}

static inline void http_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static inline bool http_header(const char *head, const char *name, char *value, size_t size)
{
    size_t n = strlen(name);
    for (const char *p = head; p && *p; p = strstr(p, "\r\n") ? strstr(p, "\r\n") + 2 : NULL)
        if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
            p += n + 1;
            p += strspn(p, " ");
            snprintf(value, size, "%.*s", (int)strcspn(p, "\r"), p);
            return true;
        }
    return false;
}

/* Reads one request; false at the end of the connection. */
static inline bool http_read(int fd, struct http_request *r)
{
    size_t have = 0;
    char *end = NULL;
    r->head[0] = '\0';
    while (!end) {
        ssize_t n = have < HTTP_HEAD_MAX ? recv(fd, r->head + have, 1, 0) : 0;
        if (n <= 0)
            return false;
        have += (size_t)n;
        r->head[have] = '\0';
        if (have >= 4 && memcmp(r->head + have - 4, "\r\n\r\n", 4) == 0)
            end = r->head + have;
    }
    char length[32] = "0";
    if (sscanf(r->head, "%15s %2047s", r->method, r->path) != 2)
        return false;
    http_header(r->head, "content-length", length, sizeof(length));
    r->len = strtoul(length, NULL, 10);
    free(r->body);
    size_t kept = r->len < HTTP_BODY_MAX ? r->len : HTTP_BODY_MAX;
    r->body = calloc(1, kept + 1);
    for (size_t got = 0; got < r->len;) {
        char rest[16384];
        size_t left = r->len - got;
        ssize_t n = got < kept ? recv(fd, r->body + got, kept - got, 0)
                               : recv(fd, rest, left < sizeof(rest) ? left : sizeof(rest), 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static inline void *http_serve(void *arg)
{
    struct http_connection c = *(struct http_connection *)arg;
    free(arg);
    struct http_request r = {.fd = c.fd, .head = calloc(1, HTTP_HEAD_MAX + 1)};
    while (!atomic_load(&c.s->stopping) && http_read(c.fd, &r)) {
        r.nth = atomic_fetch_add(&c.s->requests, 1) + 1;
        if (!c.s->handler(c.s, &r))
            break;
    }
    free(r.head);
    free(r.body);
    pthread_mutex_lock(&c.s->lock);
    for (size_t i = 0; i < c.s->count; i++)
        if (c.s->fds[i] == c.fd)
            c.s->fds[i] = -1;
    close(c.fd);
    pthread_mutex_unlock(&c.s->lock);
    return NULL;
}

static inline void *http_server_main(void *arg)
{
    struct http_server *s = arg;
    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        struct http_connection *c = malloc(sizeof(*c));
        *c = (struct http_connection){.s = s, .fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        pthread_mutex_lock(&s->lock);
        bool room = s->count < HTTP_CONNECTIONS_MAX && !atomic_load(&s->stopping);
        if (room) {
            atomic_fetch_add(&s->connections, 1);
            s->fds[s->count] = fd;
            room = pthread_create(&s->threads[s->count], NULL, http_serve, c) == 0;
            s->count += room;
        }
        pthread_mutex_unlock(&s->lock);
        if (!room) {
            free(c);
            close(fd);
        }
    }
}

static inline bool http_server_start(struct http_server *s, http_handler *handler, void *ctx)
{
    *s = (struct http_server){.handler = handler, .ctx = ctx};
    pthread_mutex_init(&s->lock, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(s->listener, 128) != 0 || getsockname(s->listener, (struct sockaddr *)&a, &len) != 0)
        return false;
    s->port = ntohs(a.sin_port);
    return pthread_create(&s->thread, NULL, http_server_main, s) == 0;
}

static inline void http_server_stop(struct http_server *s)
{
    atomic_store(&s->stopping, true);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count; i++)
        if (s->fds[i] >= 0)
            shutdown(s->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->count; i++)
        pthread_join(s->threads[i], NULL);
    pthread_mutex_destroy(&s->lock);
}

#endif
