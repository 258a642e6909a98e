/* What comes over the gateway becomes events: zlib, signatures, interactions. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <zlib.h>

#include "adapters/discord/decode.h"
#include "adapters/discord/inflate.h"
#include "core/base/hash.h"
#include "core/net/json.h"

/* --- zlib --- */

static size_t deflate_frame(z_stream *z, const char *text, unsigned char *out, size_t size)
{
    z->next_in = (unsigned char *)text;
    z->avail_in = (unsigned)strlen(text);
    z->next_out = out;
    z->avail_out = (unsigned)size;
    assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    return size - z->avail_out;
}

static void one_stream_many_frames(void **state)
{
    (void)state;
    z_stream z = {0};
    struct inflater it = {0};
    struct err e = {0};
    static unsigned char out[1 << 16];
    bool whole = false;
    assert_int_equal(deflateInit(&z, 6), Z_OK);
    for (int i = 0; i < 50; i++) {
        char text[200];
        snprintf(text, sizeof(text), "{\"op\":0,\"s\":%d,\"t\":\"HELLO AGAIN AND AGAIN\"}", i);
        size_t len = deflate_frame(&z, text, out, sizeof(out));
        size_t cut = (size_t)i % len; /* split anywhere */
        if (cut > 0) {
            assert_true(inflater_add(&it, out, cut, 100000, &whole, &e));
            assert_false(whole);
        }
        assert_true(inflater_add(&it, out + cut, len - cut, 100000, &whole, &e));
        assert_true(whole);
        assert_string_equal(strbuf_text(&it.out), text);
    }
    /* A bomb: a megabyte out of a kilobyte. */
    char *zeros = calloc(1, 1 << 20);
    memset(zeros, '0', (1 << 20) - 1);
    size_t len = deflate_frame(&z, zeros, out, sizeof(out));
    free(zeros);
    assert_true(len < 4000);
    assert_false(inflater_add(&it, out, len, 100000, &whole, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    inflater_free(&it);
    assert_false(inflater_add(&it, "garbage", 7, 100000, &whole, &e));
    assert_int_equal(e.code, ERR_INPUT);
    inflater_free(&it);
    deflateEnd(&z);
}

/* --- signatures, references --- */

static void buttons_are_signed(void **state)
{
    (void)state;
    unsigned char key[32] = {1}, another[32] = {2};
    char custom[DC_CUSTOM_MAX + 1], twin[DC_CUSTOM_MAX + 1], action[CHAT_ACTION_MAX + 1];
    static const char longest[] = "/cancel 0123456789012345678901234567890123456789012345678901234";
    dc_sign(key, longest, 15, custom);
    assert_true(strlen(custom) <= 100);
    assert_true(dc_unsign(key, custom, action));
    assert_string_equal(action, longest);
    dc_sign(key, "/go a|b", 0, custom);
    dc_sign(key, "/go a|b", 1, twin);
    assert_string_not_equal(custom, twin);
    assert_true(dc_unsign(key, twin, action));
    assert_string_equal(action, "/go a|b");
    assert_false(dc_unsign(another, custom, action));
    custom[4] ^= 1;
    assert_false(dc_unsign(key, custom, action));
    assert_false(dc_unsign(key, "", action));
    assert_false(dc_unsign(key, "|0123456789abcdef", action));
    char ref[CHAT_REF_MAX], message[DC_ID_MAX], channel[DC_ID_MAX];
    bool hidden = false;
    dc_ref_put(ref, "18446744073709551615", "18446744073709551614", true);
    assert_true(dc_ref_get(ref, message, channel, &hidden));
    assert_true(hidden);
    assert_string_equal(channel, "18446744073709551614");
    assert_false(dc_ref_get("", message, channel, &hidden));
    assert_false(dc_ref_get("1:2", message, channel, &hidden));
    assert_false(dc_ref_get("1:x:e", message, channel, &hidden));
    assert_false(dc_ref_get("123456789012345678901234567890:2:e", message, channel, &hidden));
}

/* --- decode: the examples of the documentation, and what nobody should send --- */

static const unsigned char key[32] = {7};
#define WHO                                                                                        \
    "\"id\":\"1250000000000000012\",\"application_id\":\"118\",\"token\":\"aW50\",\"channel_id\":" \
    "\"123\",\"locale\":\"zh-CN\",\"user\":{\"id\":\"700\"},\"context\":1"

static const struct {
    const char *json;
    enum dc_kind kind;
    const char *text;
    const char *why;
} events[] = {
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"credits\",\"type\":1}}",                         DC_COMMAND, "/credits",
     "no options"                                                                                                                                                                                          },
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"make\",\"options\":[{\"name\":\"tier\",\"type\":3,"
     "\"value\":\"hd\"},{\"name\":\"voice\",\"type\":3,\"value\":\"a b\\nc\"},{\"name\":\"topic\","
     "\"type\":3,\"value\":\"60s of fame\"}]}}",                                           DC_COMMAND, "/make hd voice:a_b_c\n60s of fame",      "settings first, the topic to the letter"            },
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"voice\",\"options\":[{\"name\":\"use\",\"type\":1,"
     "\"options\":[{\"name\":\"name\",\"type\":3,\"value\":\"amy\"}]}]}}",                 DC_COMMAND, "/voice use amy",                         "a subcommand becomes a word"                        },
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"pay\",\"options\":[{\"name\":\"account\",\"type\":3,"
     "\"value\":\"group\"},{\"name\":\"amount\",\"type\":3,\"value\":\"2.5\"}]}}",         DC_COMMAND, "/pay 2.5 group",                         "filled in in any order"                             },
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"pay\",\"options\":[{\"name\":\"claim\",\"type\":3,"
     "\"value\":\"C0FFEE\"}]}}",                                                           DC_COMMAND, "/pay claim C0FFEE",                      "what is meant by it is said"                        },
    {"{" WHO
     ",\"type\":2,\"data\":{\"name\":\"refund\",\"options\":[{\"name\":\"amount\",\"type\":3,"
     "\"value\":\"50\"},{\"name\":\"address\",\"type\":3,\"value\":\"nano_1\"}]}}",        DC_COMMAND, "/refund nano_1 50",                      "the address first"                                  },
    {"{" WHO
     ",\"type\":2,\"data\":{\"name\":\"group\",\"options\":[{\"name\":\"change\",\"type\":3,"
     "\"value\":\"cap 3\"}]}}",                                                            DC_COMMAND, "/group cap 3",                           "for admins"                                         },
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"make\",\"options\":[{\"name\":\"speed\",\"type\":3,"
     "\"value\":\"1.2\"},{\"name\":\"lang\",\"type\":3,\"value\":\"zh\"},{\"name\":\"music\","
     "\"type\":3,\"value\":\"off\"},{\"name\":\"topic\",\"type\":3,\"value\":\"sea\"}]}}", DC_COMMAND, "/make speed:1.2 lang:zh music:off\nsea", "every setting has an option"                        },
    {"{" WHO ",\"type\":5,\"data\":{\"custom_id\":\"x\",\"components\":[]}}",                   DC_SUBMIT,
     "chat.old_button",                                                                                                                               "a modal that is not ours"                           },
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"make\",\"options\":[{\"name\":\"topic\",\"type\":3,"
     "\"value\":\"x\"},{\"name\":\"media\",\"type\":11,\"value\":\"5\"}],\"resolved\":{"
     "\"attachments\":"
     "{\"5\":{\"url\":\"https://cdn.discordapp.com/a.mp4\",\"content_type\":\"video/mp4\","
     "\"size\":104857601}}}}}",                                                            DC_COMMAND, "chat.file_too_large",                    "a file that would not be taken is not fetched first"},
    {"{" WHO ",\"type\":1}",                                                                    DC_NOTHING, "",                                       "PING"                                               },
    {"{" WHO ",\"type\":99}",                                                                   DC_NOTHING, "",                                       "newer than we are"                                  },
    {"{" WHO ",\"type\":2,\"data\":7}",                                                         DC_NOTHING, "",                                       "no command in it"                                   },
    {"{\"id\":\"1\",\"application_id\":\"2\",\"type\":2}",                                      DC_NOTHING, "",                                       "no token"                                           },
    {"{\"id\":\"../1\",\"application_id\":\"2\",\"token\":\"t\",\"type\":2}",                   DC_NOTHING, "",
     "an id that would become a path"                                                                                                                                                                      },
    {"{\"id\":\"1\",\"application_id\":\"2\",\"token\":\"a/b\",\"type\":2,\"channel_id\":\"3\","
     "\"user\":{\"id\":\"4\"}}",                                                           DC_NOTHING, "",                                       "a token that would become a path"                   },
    {"[]",                                                                                      DC_NOTHING, "",                                       "not an object"                                      },
    {"null",                                                                                    DC_NOTHING, "",                                       "nothing"                                            },
};

static void events_are_decoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(events); i++) {
        struct dc_event ev;
        struct err e = {0};
        AUTO(json_free) cJSON *doc = NULL;
        assert_true(json_parse(events[i].json, strlen(events[i].json), NULL, &doc, &e));
        dc_decode(doc, key, &ev);
        if (ev.kind != events[i].kind ||
            (ev.kind != DC_NOTHING && strcmp(ev.event.text, events[i].text) != 0))
            fail_msg("%s: kind %d, '%s'", events[i].why, ev.kind, ev.event.text);
        dc_event_free(&ev);
    }
}

static void the_told_limit_is_obeyed(void **state)
{
    (void)state;
    static const struct {
        const char *told;
        int64_t most;
        const char *why;
    } rows[] = {
        {"10485760",  10485760, "everybody's"                                },
        {"8388608",   8388608,  "less than usual"                            },
        {"52428800",  25 << 20, "a boosted server: one request takes no more"},
        {"524288000", 25 << 20, "a limit that would not hold"                },
        {"-5",        0,        "nonsense: nothing told"                     },
        {"\"9\"",     0,        "no number: nothing told"                    },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dc_event ev;
        struct err e = {0};
        AUTO(json_free) cJSON *doc = NULL;
        AUTO(free_ptr)
        char *json = str_printf("{" WHO ",\"type\":2,\"attachment_size_limit\":%s,"
                                "\"data\":{\"name\":\"help\",\"type\":1}}",
                                rows[i].told);
        assert_true(json_parse(json, strlen(json), NULL, &doc, &e));
        assert_true(dc_decode(doc, key, &ev));
        if (ev.event.video_bytes_max > rows[i].most ||
            ev.event.video_bytes_max < rows[i].most / 10 * 9)
            fail_msg("%s: %lld", rows[i].why, (long long)ev.event.video_bytes_max);
        dc_event_free(&ev);
    }
}

/* Whose account the members of a channel share, and what somebody may do there. */
static void rights_and_groups(void **state)
{
    (void)state;
    static const struct {
        const char *more, *group;
        bool is_group, leads, moderates;
        const char *why;
    } rows[] = {
        {"\"user\":{\"id\":\"7\"},\"context\":1",                                            "",  false, false, false, "direct messages"                                            },
        {"\"user\":{\"id\":\"7\"},\"context\":2",                                            "",  true,  false, false,
         "others' direct messages are a group by themselves"                                                                                                                        },
        {"\"guild_id\":\"9\",\"member\":{\"user\":{\"id\":\"7\"},\"permissions\":\"2048\"}", "9",
         true,                                                                                           false, false, "a channel of a server"                                      },
        {"\"guild_id\":\"9\",\"member\":{\"user\":{\"id\":\"7\"},\"permissions\":\"8192\"}", "9",
         true,                                                                                           false, true,  "keeps order in this channel: no say in the server's account"},
        {"\"guild_id\":\"9\",\"member\":{\"user\":{\"id\":\"7\"},\"permissions\":\"32\"}",   "9",
         true,                                                                                           true,  true,  "manages the server"                                         },
        {"\"guild_id\":\"9\",\"member\":{\"user\":{\"id\":\"7\"},\"permissions\":\"8\"}",    "9", true,
         true,                                                                                                  true,  "administrator"                                              },
        {"\"guild_id\":\"../9\",\"member\":{\"user\":{\"id\":\"7\"}}",                       "",  true,  false, false,
         "no id"                                                                                                                                                                    },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dc_event ev;
        struct err e = {0};
        AUTO(json_free) cJSON *doc = NULL;
        AUTO(free_ptr)
        char *json =
            str_printf("{\"id\":\"12\",\"application_id\":\"118\",\"token\":\"t\",\"type\":2,"
                       "\"channel_id\":\"123\",\"data\":{\"name\":\"help\"},%s}",
                       rows[i].more);
        assert_true(json_parse(json, strlen(json), NULL, &doc, &e));
        assert_true(dc_decode(doc, key, &ev));
        if (ev.event.is_group != rows[i].is_group || ev.event.is_group_admin != rows[i].leads ||
            ev.event.is_moderator != rows[i].moderates ||
            strcmp(ev.event.addr.group, rows[i].group) != 0)
            fail_msg("%s", rows[i].why);
        dc_event_free(&ev);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stream_many_frames), cmocka_unit_test(buttons_are_signed),
        cmocka_unit_test(events_are_decoded),     cmocka_unit_test(the_told_limit_is_obeyed),
        cmocka_unit_test(rights_and_groups),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
