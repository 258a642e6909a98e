#include "core/net/page.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"

enum { REQUEST_MAX = 4096, PAGE_MAX = 1 << 16, SERVE_MS = 3000, BACKLOG = 16 };

struct page_server {
    page_fn *fn;
    void *ctx;
    int listener, stop_fd; /* stop_fd: readable once we shall stop */
    int port;
    pthread_t thread;
};

/* True when fd has the event before the time is over; false also when we shall stop. */
static bool wait_fd(const struct page_server *s, int fd, short event, int64_t until)
{
    struct pollfd p[2] = {
        {.fd = s->stop_fd, .events = POLLIN},
        {.fd = fd,         .events = event }
    };
    int64_t left = until < 0 ? -1 : until - clock_mono_ms();
    return (until < 0 || left > 0) && poll(p, 2, (int)left) > 0 && p[0].revents == 0;
}

/* The head of a request; false: there is none, or not in time. */
static bool read_head(const struct page_server *s, int fd, int64_t until,
                      char ret[static REQUEST_MAX])
{
    size_t have = 0;
    ret[0] = '\0';
    while (!strstr(ret, "\r\n\r\n")) {
        if (have + 1 >= REQUEST_MAX || !wait_fd(s, fd, POLLIN, until))
            return false;
        ssize_t n = recv(fd, ret + have, REQUEST_MAX - 1 - have, MSG_DONTWAIT);
        if (n <= 0)
            return false;
        have += (size_t)n;
        ret[have] = '\0';
    }
    return true;
}

static void write_all(const struct page_server *s, int fd, int64_t until, const char *text,
                      size_t len)
{
    while (len > 0 && wait_fd(s, fd, POLLOUT, until)) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void serve(const struct page_server *s, int fd)
{
    char head[REQUEST_MAX], method[8], path[256], top[160];
    AUTO(strbuf_free) struct strbuf out = STRBUF(PAGE_MAX);
    int64_t until = clock_mono_ms() + SERVE_MS;
    if (!read_head(s, fd, until, head) || sscanf(head, "%7s %255[^ ?\r\n]", method, path) != 2)
        return;
    bool is_head = strcmp(method, "HEAD") == 0;
    int status = is_head || strcmp(method, "GET") == 0 ? s->fn(s->ctx, path, &out) : 405;
    const char *text = strbuf_text(&out);
    int n = snprintf(top, sizeof(top),
                     "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     status, status == 200 ? "OK" : "No", strlen(text));
    write_all(s, fd, until, top, (size_t)n);
    if (!is_head)
        write_all(s, fd, until, text, strlen(text));
}

static void *server_main(void *arg)
{
    const struct page_server *s = arg;
    pthread_setname_np(pthread_self(), "pages");
    while (wait_fd(s, s->listener, POLLIN, -1)) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        serve(s, fd);
        close(fd);
    }
    return NULL;
}

static bool read_address(const char *text, struct sockaddr_in *ret)
{
    char host[INET_ADDRSTRLEN];
    int64_t port;
    const char *colon = strrchr(text, ':');
    *ret = (struct sockaddr_in){.sin_family = AF_INET};
    if (!colon || (size_t)(colon - text) >= sizeof(host) || !str_to_int(colon + 1, 0, 65535, &port))
        return false;
    str_copy(host, (size_t)(colon - text) + 1, text);
    ret->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &ret->sin_addr) == 1;
}

static bool listen_at(struct page_server *s, const char *setting, const char *address,
                      struct err *e)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    char what[160];
    if (!read_address(address, &a)) {
        snprintf(what, sizeof(what), "%s: ADDRESS:PORT or off", setting);
        return err_set_arg(e, ERR_CONFIG, "start.bad_config", what, "%.80s", address);
    }
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->listener < 0 || s->stop_fd < 0)
        return err_set(e, ERR_INTERNAL, "error.internal", "pages: %m");
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(s->listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(s->listener, BACKLOG) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&a, &len) != 0) {
        snprintf(what, sizeof(what), "%s: %.60s: %s", setting, address, strerror(errno));
        return err_set_arg(e, ERR_CONFIG, "start.bad_config", what, "bind");
    }
    s->port = ntohs(a.sin_port);
    return true;
}

static void server_free(struct page_server *s)
{
    if (s->listener >= 0)
        close(s->listener);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    free(s);
}

bool page_server_start(const char *setting, const char *address, page_fn *fn, void *ctx,
                       struct page_server **ret, struct err *e)
{
    struct page_server *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(e, ERR_INTERNAL, "error.internal", "pages: no memory");
    *s = (struct page_server){.fn = fn, .ctx = ctx, .listener = -1, .stop_fd = -1};
    bool ok = listen_at(s, setting, address, e);
    int r = ok ? pthread_create(&s->thread, NULL, server_main, s) : 0;
    if (r != 0)
        ok = err_set_io(e, r, "pages", "start");
    if (!ok) {
        server_free(s);
        return false;
    }
    *ret = s;
    return true;
}

int page_server_port(const struct page_server *s)
{
    return s->port;
}

void page_server_stop(struct page_server *s)
{
    if (!s)
        return;
    uint64_t one = 1;
    while (write(s->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(s->thread, NULL);
    server_free(s);
}
