/* Where a request may lead, and when it may be tried again. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sys/un.h>

#include "tests/net_world.h"

/* Keys in headers stay with the origin that they were meant for. */
static void keys_do_not_follow_redirects(void **state)
{
    (void)state;
    struct http_server other;
    struct err e = {0};
    AUTO(net_reply_free) struct net_reply reply;
    assert_true(http_server_start(&other, net_serve, NULL));
    const char *key[] = {"Authorization: Bearer secret"};
    struct net_request r = {.headers = key, .header_count = 1};
    assert_int_equal(net_get("/secret-echo", r, &reply, &e), NET_REPLY);
    assert_string_equal(reply.body, "leaked"); /* the direct call does send it */
    net_reply_free(&reply);
    char base[64];
    snprintf(base, sizeof(base), "http://127.0.0.1:%d", other.port);
    assert_true(net_trust_base(net_world.engine, base, &e));
    atomic_store(&net_world.other_port, other.port);
    r.follow = true;
    assert_int_equal(net_get("/to-other", r, &reply, &e), NET_REPLY);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "clean");
    net_reply_free(&reply);
    atomic_store(&net_world.other_port,
                 net_world.server.port); /* the same origin may have it again */
    assert_int_equal(net_get("/to-other", r, &reply, &e), NET_REPLY);
    assert_string_equal(reply.body, "leaked");
    http_server_stop(&other);
}

static void addresses_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_public, is_loopback;
        const char *why;
    } rows[] = {
        {"8.8.8.8",              true,  false, "public"            },
        {"149.154.167.220",      true,  false, "public"            },
        {"127.0.0.1",            false, true,  "loopback"          },
        {"127.255.0.9",          false, true,  "all of 127/8"      },
        {"0.0.0.0",              false, false, "this host"         },
        {"10.1.2.3",             false, false, "private"           },
        {"172.16.0.1",           false, false, "private"           },
        {"172.31.255.255",       false, false, "private, upper end"},
        {"172.32.0.1",           true,  false, "just outside"      },
        {"192.168.1.1",          false, false, "private"           },
        {"169.254.169.254",      false, false, "cloud metadata"    },
        {"100.64.0.1",           false, false, "carrier NAT"       },
        {"198.18.0.1",           false, false, "benchmarking"      },
        {"224.0.0.1",            false, false, "multicast"         },
        {"255.255.255.255",      false, false, "broadcast"         },
        {"::1",                  false, true,  "loopback"          },
        {"::",                   false, false, "unspecified"       },
        {"::ffff:127.0.0.1",     false, false, "mapped loopback"   },
        {"::ffff:10.0.0.1",      false, false, "mapped private"    },
        {"::ffff:8.8.8.8",       true,  false, "mapped public"     },
        {"64:ff9b::7f00:1",      false, false, "NAT64 loopback"    },
        {"64:ff9b::808:808",     true,  false, "NAT64 public"      },
        {"2002:7f00:1::1",       false, false, "6to4 loopback"     },
        {"fe80::1",              false, false, "link-local"        },
        {"fd00::1",              false, false, "unique local"      },
        {"ff02::1",              false, false, "multicast"         },
        {"2001:db8::1",          false, false, "documentation"     },
        {"2001::1",              false, false, "Teredo"            },
        {"2001:67c:4e8:f004::9", true,  false, "public"            },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sockaddr_storage a = {0};
        struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
        if (inet_pton(AF_INET, rows[i].text, &v4->sin_addr) == 1)
            a.ss_family = AF_INET;
        else if (inet_pton(AF_INET6, rows[i].text, &v6->sin6_addr) == 1)
            a.ss_family = AF_INET6;
        if (net_address_is_public(&a) != rows[i].is_public ||
            net_address_is_loopback(&a) != rows[i].is_loopback)
            fail_msg("%s: %s", rows[i].text, rows[i].why);
    }
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    assert_false(net_address_is_public(&local));
}

static void urls_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool plain, ok;
        const char *why;
    } rows[] = {
        {"https://api.telegram.org",        false, true,  "the default"               },
        {"http://127.0.0.1:8081",           false, true,  "own server on this machine"},
        {"http://localhost:8081/x",         false, true,  "by name"                   },
        {"http://[::1]:8081",               false, true,  "IPv6"                      },
        {"wss://gateway.discord.gg",        false, true,  "WebSocket"                 },
        {"ws://127.0.0.1:7078",             false, true,  "node on this machine"      },
        {"http://192.168.1.5:8081",         false, false, "plain to another machine"  },
        {"http://192.168.1.5:8081",         true,  true,  "allowed by the operator"   },
        {"http://localhost.evil.example",   false, false, "only looks local"          },
        {"http://127.0.0.1.evil.example",   false, false, "only looks local"          },
        {"https://user@host.example",       false, false, "user name"                 },
        {"https://good.example@127.0.0.1/", false, false, "user name as disguise"     },
        {"ftp://host.example",              false, false, "other protocol"            },
        {"file:///etc/passwd",              false, false, "file"                      },
        {"nonsense",                        false, false, "no URL"                    },
        {"",                                false, false, "empty"                     },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e = {0};
        if (net_base_url_ok(rows[i].url, rows[i].plain, &e) != rows[i].ok)
            fail_msg("%s: %s", rows[i].url, rows[i].why);
    }
    static const char *const links[] = {
        "http://example.com/x",       "https://127.0.0.1:1/x",     "https://[::ffff:7f00:1]:1/x",
        "https://2130706433:1/x",     "https://0x7f.1:1/x",        "https://10.0.0.1:1/x",
        "http://127.0.0.1:1/x",       "https://a:b@example.com/x", "gopher://example.com/",
        "https://169.254.169.254:1/", "https://localhost:1/",
    };
    for (size_t i = 0; i < COUNT(links); i++) {
        struct err e = {0};
        AUTO(net_reply_free) struct net_reply reply;
        struct net_request r = {.log_name = "t", .url = links[i], .connect_ms = 2000};
        assert_false(net_call(net_world.engine, &r, &reply, &e));
        if (reply.outcome != NET_FORBIDDEN)
            fail_msg("%s: outcome %d", links[i], reply.outcome);
    }
}

static void retry_times(void **state)
{
    (void)state;
    const int64_t now = 1780000000000;
    static const struct {
        const char *text;
        int ms;
    } rows[] = {
        {"0",                             0       },
        {"5",                             5000    },
        {"1.5",                           1500    },
        {" 3 ",                           3000    },
        {"-1",                            -1      },
        {"nan",                           -1      },
        {"1e999",                         -1      },
        {"soon",                          -1      },
        {"99999999",                      86400000},
        {"5 seconds",                     -1      },
        {"",                              -1      },
        {"Thu, 28 May 2026 20:26:50 GMT", 10000   },
        {"Thu, 28 May 2020 20:26:50 GMT", 0       },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (net_parse_retry_after(rows[i].text, now) != rows[i].ms)
            fail_msg("'%s': %d", rows[i].text, net_parse_retry_after(rows[i].text, now));
    for (int i = 0; i < 200; i++) {
        assert_in_range(net_backoff_ms(0), 375, 500);
        assert_in_range(net_backoff_ms(2), 1500, 2000);
        assert_in_range(net_backoff_ms(40), 6000, 8000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_do_not_follow_redirects),
        cmocka_unit_test(addresses_are_judged),
        cmocka_unit_test(urls_are_judged),
        cmocka_unit_test(retry_times),
    };
    return cmocka_run_group_tests(tests, net_setup, net_teardown);
}
