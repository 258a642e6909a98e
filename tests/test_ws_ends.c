/* WebSocket client: every way a connection can end or never begin: addresses, certificates, proxies. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"
#include "tests/ws_world.h"

/* Every way in which a connection can end, told once. */
static const struct {
    const char *path;
    bool was_open;
    enum err_code code;
    int status, close;
    const char *why;
} ends[] = {
    {"/close",  true,  ERR_NONE,    0,   4004, "the peer's code and its text, made valid"},
    {"/cut",    true,  ERR_RETRY,   0,   1006, "cut in the middle of a message"          },
    {"/junk",   true,  ERR_RETRY,   0,   1006, "a frame that the protocol forbids"       },
    {"/401",    false, ERR_REFUSED, 401, 1006, "the upgrade is refused for good"         },
    {"/503",    false, ERR_RETRY,   503, 1006, "the upgrade is refused for now"          },
    {"/reset",  false, ERR_RETRY,   0,   1006, "cut before the answer"                   },
    {"/silent", false, ERR_RETRY,   0,   1006, "accepted and never answered"             },
};

static void every_end_is_told_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        char url[200];
        struct ws_request r = ws_world_request(url, ends[i].path);
        r.connect_ms = 700;
        ws_world.end = (struct ws_end){0};
        struct ws *ws = ws_world_connect(&r);
        ws_world_await(&ws_world.closed, (int)i + 1);
        ws_free(ws);
        if (ws_world.end.was_open != ends[i].was_open || ws_world.end.err.code != ends[i].code ||
            ws_world.end.status != ends[i].status || ws_world.end.code != ends[i].close)
            fail_msg("%s: open %d, err %d %s, status %d, close %d", ends[i].why,
                     ws_world.end.was_open, ws_world.end.err.code, ws_world.end.err.detail,
                     ws_world.end.status, ws_world.end.code);
        if (ends[i].close == 4004)
            assert_string_equal(ws_world.end.reason, " not  you");
    }
}

static void nobody_listens(void **state)
{
    (void)state;
    struct http_server other;
    assert_true(http_server_start(&other, ws_world_serve, NULL));
    int port = other.port;
    http_server_stop(&other);
    char url[200];
    struct ws_request r = ws_world_request(url, "");
    snprintf(url, sizeof(url), "ws://localhost:%d/?token=sesame", port);
    struct ws *ws = ws_world_connect(&r);
    ws_world_await(&ws_world.closed, 1);
    assert_int_equal(ws_world.end.err.code, ERR_RETRY);
    assert_null(strstr(ws_world.end.err.detail, "sesame"));
    ws_free(ws);
    snprintf(url, sizeof(url), "wss://no-such-host.invalid/");
    ws = ws_world_connect(&r);
    ws_world_await(&ws_world.closed, 2);
    assert_int_equal(ws_world.end.err.code, ERR_RETRY);
    ws_free(ws);
}

static void addresses_have_rules(void **state)
{
    (void)state;
    static const char *const bad[] = {"ws://192.0.2.1/", "http://127.0.0.1/", "wss://me@host/",
                                      "ws://example.org:80/", "wss://127.0.0.1/a b"};
    char url[200];
    struct ws_request r = ws_world_request(url, "");
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = {0};
        struct ws *ws = NULL;
        r.url = bad[i];
        if (ws_connect(ws_world.engine, &r, &ws, &e) || e.code != ERR_CONFIG)
            fail_msg("%s was taken", bad[i]);
    }
    static const char *const bad_headers[] = {"X-A: b\r\nX-C: d"};
    struct err e = {0};
    struct ws *ws = NULL;
    r = ws_world_request(url, "/echo");
    r.headers = bad_headers;
    r.header_count = 1;
    assert_false(ws_connect(ws_world.engine, &r, &ws, &e));
    r = ws_world_request(url, "");
    snprintf(url, sizeof(url), "wss://127.0.0.1:%d/", ws_world.server.port);
    ws = ws_world_connect(&r); /* what a name leads to is found out later */
    ws_world_await(&ws_world.closed, 1);
    assert_int_equal(ws_world.end.err.code, ERR_REFUSED);
    assert_int_equal(atomic_load(&ws_world.server.connections), 0);
    ws_free(ws);
    r.trusted = true;
    ws = ws_world_connect(&r);
    ws_world_await(&ws_world.closed, 2); /* a server without TLS: reached, but no connection */
    assert_int_equal(ws_world.end.err.code, ERR_RETRY);
    ws_free(ws);
}

static void silence_is_noticed(void **state)
{
    (void)state;
    char url[200];
    struct ws_request r = ws_world_request(url, "/deaf");
    r.ping_seconds = 1;
    r.silence_seconds = 2;
    int64_t begin = clock_mono_ms();
    struct ws *ws = ws_world_connect(&r);
    ws_world_await(&ws_world.closed, 1);
    assert_true(clock_mono_ms() - begin < 4500);
    assert_true(ws_world.end.was_open);
    assert_int_equal(ws_world.end.err.code, ERR_RETRY);
    ws_free(ws);
}

static void cancel_ends_it(void **state)
{
    (void)state;
    static const char *const paths[] = {"/echo", "/silent"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        char url[200];
        struct cancel cancel;
        cancel_init(&cancel, NULL);
        struct ws_request r = ws_world_request(url, paths[i]);
        r.cancel = &cancel;
        struct ws *ws = ws_world_connect(&r);
        if (i == 0)
            ws_world_await(&ws_world.opened, 1);
        else
            usleep(50000);
        int64_t begin = clock_mono_ms();
        cancel_fire(&cancel);
        ws_world_await(&ws_world.closed, (int)i + 1);
        assert_true(clock_mono_ms() - begin < 5000); /* a full machine; idle it is 0.1 s */
        assert_int_equal(ws_world.end.err.code, ERR_CANCELLED);
        ws_free(ws);
    }
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    (void)state;
    struct err e = {0};
    ws_engine_destroy(ws_world.engine);
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("socks_proxy", "127.0.0.1:9", 1);
    assert_true(ws_engine_create(false, &ws_world.engine, &e));
    unsetenv("http_proxy");
    unsetenv("socks_proxy");
    struct ws *ws = ws_world_open("/echo");
    ws_world_await(&ws_world.opened, 1);
    ws_free(ws);
}

/* --- certificates --- */

static const char tls_server[] =
    "const s=require('https').createServer({key:require('fs').readFileSync(process.argv[1]),"
    "cert:require('fs').readFileSync(process.argv[2])});s.on('upgrade',(q,k)=>{"
    "const a=require('crypto').createHash('sha1').update(q.headers['sec-websocket-key']+"
    "'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');k.write('HTTP/1.1 101 X\\r\\n"
    "Upgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: '+a+'\\r\\n\\r\\n')});"
    "s.listen(0,'127.0.0.1',()=>console.log(s.address().port))";

static int tls_start(struct proc *p, const char *key, const char *cert)
{
    struct err e = {0};
    char line[16] = "";
    int64_t port = 0;
    const char *make[] = {"/usr/bin/openssl",
                          "req",
                          "-x509",
                          "-newkey",
                          "rsa:2048",
                          "-nodes",
                          "-keyout",
                          key,
                          "-out",
                          cert,
                          "-days",
                          "2",
                          "-subj",
                          "/CN=localhost",
                          "-addext",
                          "subjectAltName=DNS:localhost",
                          NULL};
    struct proc openssl = {0};
    struct proc_options none = {.cwd = "/tmp", .pipe_out = true};
    assert_true(proc_start(&openssl, make, &none, &e));
    while (read(openssl.from, line, 1) == 1)
        continue;
    proc_end(&openssl);
    const char *argv[] = {"/usr/bin/env", "node", "-e", tls_server, key, cert, NULL};
    struct proc_options o = {.cwd = "/tmp", .pipe_in = true, .pipe_out = true};
    assert_true(proc_start(p, argv, &o, &e));
    for (size_t n = 0; n + 1 < sizeof(line) && read(p->from, line + n, 1) == 1; n++)
        if (line[n] == '\n') {
            line[n] = '\0';
            break;
        }
    assert_true(str_to_int(line, 1, 65535, &port));
    return (int)port;
}

static void certificates_are_checked(void **state)
{
    (void)state;
    struct err e = {0};
    struct proc p = {0};
    char dir[] = "/tmp/test-ws-XXXXXX";
    char key[64], cert[64], url[200];
    assert_non_null(mkdtemp(dir));
    snprintf(key, sizeof(key), "%s/key", dir);
    snprintf(cert, sizeof(cert), "%s/cert", dir);
    int port = tls_start(&p, key, cert);
    struct ws_request r = ws_world_request(url, "");
    r.trusted = true;
    snprintf(url, sizeof(url), "wss://localhost:%d/", port);
    struct ws *ws = ws_world_connect(&r);
    ws_world_await(&ws_world.closed, 1);
    assert_false(ws_world.end.was_open); /* nobody vouches for it */
    ws_free(ws);
    ws_engine_destroy(ws_world.engine);
    setenv("SSL_CERT_FILE", cert, 1);
    assert_true(ws_engine_create(false, &ws_world.engine, &e));
    ws = ws_world_connect(&r);
    ws_world_await(&ws_world.opened, 1);
    ws_free(ws);
    snprintf(url, sizeof(url), "wss://127.0.0.1:%d/", port);
    ws = ws_world_connect(&r);
    ws_world_await(&ws_world.closed, 2);
    assert_false(ws_world.end.was_open); /* vouched for, but under another name */
    ws_free(ws);
    unsetenv("SSL_CERT_FILE");
    proc_end(&p);
    fs_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_end_is_told_once, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(nobody_listens, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(addresses_have_rules, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(silence_is_noticed, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(cancel_ends_it, ws_world_setup, ws_world_teardown),
        cmocka_unit_test_setup_teardown(proxies_of_the_environment_are_ignored, ws_world_setup,
                                        ws_world_teardown),
        cmocka_unit_test_setup_teardown(certificates_are_checked, ws_world_setup,
                                        ws_world_teardown),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
