/* Pages for a monitor: what is asked, and who asks badly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/net/page.h"

static int answer(void *ctx, const char *path, struct strbuf *out)
{
    (void)ctx;
    if (strcmp(path, "/big") == 0)
        for (int i = 0; i < 60000; i++)
            strbuf_addc(out, 'x');
    strbuf_addf(out, "you asked for %s\n", path);
    return strcmp(path, "/none") == 0 ? 404 : 200;
}

static int connect_to(const struct page_server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)page_server_port(s)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* All that comes until the end. */
static char *ask(const struct page_server *s, const char *request)
{
    struct strbuf all = STRBUF(1 << 17);
    char bytes[4096];
    int fd = connect_to(s);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    for (ssize_t n; (n = recv(fd, bytes, sizeof(bytes), 0)) > 0;)
        strbuf_add(&all, bytes, (size_t)n);
    close(fd);
    return strbuf_take(&all);
}

static struct page_server *start(void)
{
    struct page_server *s = NULL;
    struct err e = {0};
    if (!page_server_start("HTTP", "127.0.0.1:0", answer, NULL, &s, &e))
        fail_msg("%s", e.detail);
    return s;
}

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"

static void requests_are_answered(void **state)
{
    static const struct {
        const char *request, *status, *says, *why;
    } rows[] = {
        {"GET /health HTTP/1.1\r\n" CLOSE,                                      "HTTP/1.1 200", "you asked for /health\n", "a page"                    },
        {"GET /health?x=1 HTTP/1.1\r\n" CLOSE,                                  "HTTP/1.1 200", "asked for /health\n",
         "a query is no path"                                                                                                                          },
        {"GET /health HTTP/1.0\r\n\r\n",                                        "HTTP/1.0 200", "asked for /health\n",     "an old client"             },
        {"GET /none HTTP/1.1\r\n" CLOSE,                                        "HTTP/1.1 404", "/none",                   "the page says which status"},
        {"GET /big HTTP/1.1\r\n" CLOSE,                                         "HTTP/1.1 200", "xyou asked for /big\n",
         "more than one packet"                                                                                                                        },
        {"HEAD /health HTTP/1.1\r\n" CLOSE,                                     "HTTP/1.1 200", "content-length: 22\r\n",
         "only the head"                                                                                                                               },
        {"POST /health HTTP/1.1\r\n" CLOSE,                                     "HTTP/1.1 405", "",                        "nothing can be changed"    },
        {"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\n" CLOSE, "HTTP/1.1 200",
         "asked for /none\n",                                                                                              "two on one connection"     },
    };
    (void)state;
    struct page_server *s = start();
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *said = ask(s, rows[i].request);
        if (!str_starts(said, rows[i].status) || !strstr(said, rows[i].says))
            fail_msg("%s: %.300s", rows[i].why, said);
        if (rows[i].request[0] == 'H' && strstr(said, "you asked"))
            fail_msg("%s: it has a body", rows[i].why);
    }
    page_server_stop(s);
}

/* Whoever asks badly gets no page, whoever asks nothing keeps nobody waiting. */
static void bad_clients_hold_up_nobody(void **state)
{
    (void)state;
    struct page_server *s = start();
    AUTO(strbuf_free) struct strbuf endless = STRBUF(10000);
    strbuf_adds(&endless, "GET /");
    while (endless.len < 6000)
        strbuf_addc(&endless, 'a');
    const char *const bad[] = {strbuf_text(&endless), "\x16\x03\x01\r\n\r\n", "\r\n\r\n"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        AUTO(free_ptr) char *said = ask(s, bad[i]);
        assert_null(strstr(said, "you asked"));
    }
    int silent[20];
    for (size_t i = 0; i < COUNT(silent); i++)
        silent[i] = connect_to(s);
    AUTO(free_ptr) char *good = ask(s, "GET /health HTTP/1.1\r\n" CLOSE);
    assert_non_null(strstr(good, "you asked for /health"));
    char byte;
    assert_int_equal(recv(silent[0], &byte, 1, 0), 0); /* cut by the server */
    int other = connect_to(s);
    page_server_stop(s); /* whoever is connected */
    assert_int_equal(recv(other, &byte, 1, 0), 0);
    for (size_t i = 0; i < COUNT(silent); i++)
        close(silent[i]);
    close(other);
}

static void wrong_addresses_are_named(void **state)
{
    static const char *const wrong[] = {"8080",         "localhost:8080", "127.0.0.1:70000",
                                        "127.0.0.1:x",  "[::1]:80",       "",
                                        "1.2.3.4.5:80", "192.0.2.1:8080"};
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct page_server *s = NULL;
        struct err e = {0};
        if (page_server_start("HTTP", wrong[i], answer, NULL, &s, &e))
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_int_equal(e.code, ERR_CONFIG);
        assert_true(str_starts(e.arg, "HTTP: "));
        assert_null(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(bad_clients_hold_up_nobody),
        cmocka_unit_test(wrong_addresses_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
