#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/net_world.h"

#include "core/base/fs.h"

/* --- the rude server --- */

enum { BOMB_ZEROS = 48 << 20 };

static bool big_body(int fd, size_t len, bool declare)
{
    char head[128];
    char block[4096];
    memset(block, 'x', sizeof(block));
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n");
    if (declare)
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n", len);
    bool ok = http_puts(fd, head) && http_puts(fd, "\r\n");
    for (size_t sent = 0; ok && sent < len; sent += sizeof(block))
        ok = http_write(fd, block, MIN(sizeof(block), len - sent));
    return declare && ok;
}

/* The same lines until the client has enough of them. */
static bool pour(struct http_server *s, int fd, const char *first, const char *line)
{
    bool ok = http_puts(fd, first);
    while (ok && !atomic_load(&s->stopping))
        ok = http_puts(fd, line);
    return false;
}

bool net_serve(struct http_server *s, const struct http_request *r)
{
    int fd = r->fd;
    const char *p = r->path;
    char header[256];
    if (strcmp(p, "/ok") == 0)
        return http_reply(fd, 200, "X-One: 1\r\nx-two:  2 \r\n", "{\"ok\":true}");
    if (strcmp(p, "/echo") == 0)
        return http_reply(fd, 200, "", r->body);
    if (strcmp(p, "/secret-echo") == 0)
        return http_reply(fd, 200, "",
                          http_header(r->head, "authorization", header, sizeof(header)) ? "leaked"
                                                                                        : "clean");
    if (strcmp(p, "/429") == 0)
        return http_reply(fd, 429, "Retry-After: 7\r\n", "{}");
    if (strcmp(p, "/close") == 0)
        return false; /* read everything, answer nothing */
    if (strcmp(p, "/reset") == 0) {
        http_reset(fd);
        return false;
    }
    if (strcmp(p, "/second-dies") == 0) /* a kept connection that turns out dead */
        return r->nth == 1 ? http_reply(fd, 200, "", "first") : false;
    if (strcmp(p, "/truncated") == 0) {
        http_puts(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return false;
    }
    if (strcmp(p, "/hang") == 0) {
        while (!atomic_load(&s->stopping))
            usleep(5000);
        return false;
    }
    if (strcmp(p, "/drip") == 0) { /* one byte at a time, whole */
        const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for (size_t i = 0; text[i]; i++)
            if (!http_write(fd, text + i, 1))
                return false;
        return true;
    }
    if (strcmp(p, "/stall") == 0) {
        http_puts(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nstart");
        while (!atomic_load(&s->stopping))
            usleep(5000);
        return false;
    }
    if (strcmp(p, "/huge-declared") == 0)
        return big_body(fd, 32 << 20, true);
    if (strcmp(p, "/huge-endless") == 0)
        return big_body(fd, 32 << 20, false);
    if (strcmp(p, "/headers-endless") == 0)
        return pour(s, fd, "HTTP/1.1 200 OK\r\n",
                    "X-One-More: of these, and another one, and so on\r\n");
    if (strcmp(p, "/header-endless") == 0)
        return pour(s, fd,
                    "HTTP/1.1 200 OK\r\nX-Long: ", "no end of this line can be seen so far ");
    if (strcmp(p, "/begins-endless") == 0)
        return pour(s, fd, "", "HTTP/1.1 100 Continue\r\n\r\n");
    if (strcmp(p, "/file") == 0)
        return big_body(fd, 300000, true);
    if (strcmp(p, "/bomb") == 0) {
        FILE *f = s->ctx;
        char head[200];
        fseek(f, 0, SEEK_END);
        long len = ftell(f);
        char *bytes = malloc((size_t)len);
        rewind(f);
        bool ok = fread(bytes, 1, (size_t)len, f) == (size_t)len;
        snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %ld\r\n\r\n", len);
        ok = ok && http_puts(fd, head) && http_write(fd, bytes, (size_t)len);
        free(bytes);
        return ok;
    }
    if (strcmp(p, "/loop") == 0)
        return http_reply(fd, 302, "Location: /loop\r\n", "");
    if (strcmp(p, "/hop") == 0)
        return http_reply(fd, 302, "Location: /ok\r\n", "moved");
    if (strcmp(p, "/to-other") == 0) {
        snprintf(header, sizeof(header), "Location: http://127.0.0.1:%d/secret-echo\r\n",
                 atomic_load(&net_world.other_port));
        return http_reply(fd, 302, header, "");
    }
    if (strcmp(p, "/to-private") == 0) /* another port of this machine: not the configured base */
        return http_reply(fd, 302, "Location: http://127.0.0.1:9/ok\r\n", "");
    if (strcmp(p, "/to-file") == 0)
        return http_reply(fd, 302, "Location: file:///etc/passwd\r\n", "");
    if (strcmp(p, "/to-https-private") == 0)
        return http_reply(fd, 302, "Location: https://127.0.0.1:9/ok\r\n", "");
    return http_reply(fd, 404, "", "{\"ok\":false}");
}

struct net_world net_world;

int net_setup(void **state)
{
    (void)state;
    FILE *bomb = NULL;
    snprintf(net_world.dir, sizeof(net_world.dir), "/tmp/test-net-XXXXXX");
    assert_non_null(mkdtemp(net_world.dir));
    char command[200];
    snprintf(command, sizeof(command), "head -c %d /dev/zero | gzip -9 > %s/bomb.gz", BOMB_ZEROS,
             net_world.dir);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "%s/bomb.gz", net_world.dir);
    bomb = fopen(command, "re");
    assert_non_null(bomb);
    assert_true(http_server_start(&net_world.server, net_serve, bomb));
    struct err e = {0};
    assert_true(net_engine_create(false, &net_world.engine, &e));
    snprintf(net_world.base, sizeof(net_world.base), "http://127.0.0.1:%d", net_world.server.port);
    assert_true(net_trust_base(net_world.engine, net_world.base, &e));
    return 0;
}

int net_teardown(void **state)
{
    (void)state;
    net_engine_destroy(net_world.engine);
    http_server_stop(&net_world.server);
    fclose(net_world.server.ctx);
    fs_remove(net_world.dir);
    return 0;
}

enum net_outcome net_get(const char *path, struct net_request r, struct net_reply *reply,
                         struct err *e)
{
    char url[256];
    snprintf(url, sizeof(url), "%s%s", net_world.base, path);
    r.url = url;
    r.log_name = "test";
    *e = (struct err){0};
    bool ok = net_call(net_world.engine, &r, reply, e);
    assert_int_equal(ok, reply->outcome == NET_REPLY);
    assert_int_equal(ok, e->code == ERR_NONE);
    assert_null(strstr(e->detail, path)); /* the path may be a token */
    return reply->outcome;
}
