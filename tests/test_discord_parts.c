/* The parts of the adapter that need no network: gateway, limits, inflate, decode, signatures. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <zlib.h>

#include "adapters/discord/decode.h"
#include "adapters/discord/errors.h"
#include "adapters/discord/gateway.h"
#include "adapters/discord/inflate.h"
#include "adapters/discord/limits.h"
#include "core/net/json.h"

/* --- gateway: a clock that we turn --- */

static struct {
    struct gateway g;
    struct gw_gate gate;
    struct gw_output out;
    int64_t now;
} w;

static void begin(uint64_t seed)
{
    strbuf_free(&w.out.send);
    memset(&w, 0, sizeof(w));
    w.now = 1000000;
    w.gate = (struct gw_gate){
        .max_concurrency = 1, .total = 1000, .remaining = 1000, .reset_ms = 1 << 30};
    gateway_init(&w.g, "TOKEN", "wss://gateway.example", 0, 1, &w.gate, seed);
}

static void input(struct gw_input in)
{
    if (!in.type)
        in.type = "";
    if (!in.session_id)
        in.session_id = "";
    if (!in.resume_url)
        in.resume_url = "";
    gateway_step(&w.g, &in, w.now, &w.out);
}

static void frame(int op)
{
    input((struct gw_input){.kind = GW_FRAME, .op = op, .hello_ms = 40000});
}

static void dispatch(const char *type, int64_t seq)
{
    input((struct gw_input){.kind = GW_FRAME,
                            .op = 0,
                            .type = type,
                            .has_seq = true,
                            .seq = seq,
                            .session_id = "S1",
                            .resume_url = "wss://resume.example/"});
}

/* Turns the clock to what the machine asked for; fails when that never comes. */
static void tick(void)
{
    assert_true(w.out.wake_ms >= w.now);
    w.now = MAX(w.out.wake_ms, w.now + 1);
    input((struct gw_input){.kind = GW_TICK});
}

static void come_live(void)
{
    input((struct gw_input){.kind = GW_START});
    assert_true(w.out.connect[0]);
    input((struct gw_input){.kind = GW_OPENED});
    frame(10);
    assert_non_null(strstr(w.out.send.text, "\"op\":2"));
    dispatch("READY", 1);
    assert_true(w.out.live);
}

/* Until it connects again; how long that took. */
static int64_t reconnect(void)
{
    int64_t from = w.now;
    for (int i = 0; i < 10 && !w.out.connect[0]; i++)
        tick();
    assert_true(w.out.connect[0]);
    return w.now - from;
}

static void identify_and_heartbeat(void **state)
{
    (void)state;
    int64_t first_min = INT64_MAX, first_max = 0;
    for (uint64_t seed = 1; seed < 60; seed++) {
        begin(seed);
        come_live();
        assert_string_equal(w.g.url, "wss://gateway.example");
        int64_t from = w.now;
        while (w.out.send.len == 0 || !strstr(w.out.send.text, "\"op\":1"))
            tick();
        assert_string_equal(w.out.send.text, "{\"op\":1,\"d\":1}");
        first_min = MIN(first_min, w.now - from);
        first_max = MAX(first_max, w.now - from);
        frame(11);
        from = w.now;
        dispatch("SOMETHING", 9);
        assert_true(w.out.dispatch);
        while (w.out.send.len == 0)
            tick();
        assert_int_equal(w.now - from, 40000);
        assert_string_equal(w.out.send.text, "{\"op\":1,\"d\":9}");
        frame(1); /* asked for: at once */
        assert_string_equal(w.out.send.text, "{\"op\":1,\"d\":9}");
    }
    assert_true(first_min < 8000 && first_max > 32000 && first_max <= 40000); /* jitter */
}

static void a_dead_link_is_closed_and_resumed(void **state)
{
    (void)state;
    begin(1);
    come_live();
    for (int i = 0; i < 10 && !w.out.close; i++)
        tick(); /* no ACK ever */
    assert_int_equal(w.out.close, 4000);
    assert_int_equal(w.now - 1000000 <= 80000, true);
    input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    int64_t pause = reconnect();
    assert_in_range(pause, 1000, 2000);
    assert_string_equal(w.out.connect,
                        "wss://resume.example/?v=10&encoding=json&compress=zlib-stream");
    input((struct gw_input){.kind = GW_OPENED});
    frame(10);
    assert_string_equal(w.out.send.text,
                        "{\"op\":6,\"d\":{\"token\":\"TOKEN\",\"session_id\":\"S1\",\"seq\":1}}");
    dispatch("INTERACTION_CREATE", 2); /* what was missed */
    assert_true(w.out.dispatch);
    dispatch("RESUMED", 3);
    assert_true(w.out.live);
    assert_int_equal(w.g.session.seq, 3);
}

/* What each close code asks for. */
static const struct {
    int code;
    bool fatal, reshard, resumes;
    const char *key;
} closes[] = {
    {1000, false, false, true,  NULL                  },
    {1001, false, false, true,  NULL                  },
    {1006, false, false, true,  NULL                  },
    {4000, false, false, true,  NULL                  },
    {4001, false, false, true,  NULL                  },
    {4002, false, false, true,  NULL                  },
    {4003, false, false, false, NULL                  },
    {4004, true,  false, false, "start.discord_token" },
    {4005, false, false, true,  NULL                  },
    {4007, false, false, false, NULL                  },
    {4008, false, false, true,  NULL                  },
    {4009, false, false, false, NULL                  },
    {4010, false, true,  false, NULL                  },
    {4011, false, true,  false, NULL                  },
    {4012, true,  false, false, "start.discord_closed"},
    {4013, true,  false, false, "start.discord_closed"},
    {4014, true,  false, false, "start.discord_closed"},
    {4999, false, false, true,  NULL                  },
};

static void every_close_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(closes); i++) {
        begin(i + 1);
        come_live();
        input((struct gw_input){.kind = GW_CLOSED, .code = closes[i].code});
        if (w.out.fatal != closes[i].fatal || w.out.reshard != closes[i].reshard)
            fail_msg("%d", closes[i].code);
        if (closes[i].fatal) {
            assert_string_equal(w.out.err.user_key, closes[i].key);
            assert_int_equal(w.out.err.code, ERR_CONFIG);
            assert_null(strstr(w.out.err.detail, "TOKEN"));
        }
        if (closes[i].fatal || closes[i].reshard)
            continue;
        reconnect();
        if ((strstr(w.out.connect, "resume") != NULL) != closes[i].resumes)
            fail_msg("%d: %s", closes[i].code, w.out.connect);
    }
}

static void op_7_and_9(void **state)
{
    (void)state;
    begin(3);
    come_live();
    frame(7);
    assert_int_equal(w.out.close, 4000);
    input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    reconnect();
    assert_non_null(strstr(w.out.connect, "resume"));
    frame(7); /* may come before anything else; nothing is open yet */
    input((struct gw_input){.kind = GW_OPENED});
    frame(7);
    assert_int_equal(w.out.close, 4000);
    input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    reconnect();
    input((struct gw_input){.kind = GW_OPENED});
    frame(10);
    input((struct gw_input){.kind = GW_FRAME, .op = 9, .resumable = false});
    assert_int_equal(w.out.close, 4000);
    input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    int64_t pause = reconnect();
    assert_in_range(pause, 1000, 5001);
    assert_non_null(strstr(w.out.connect, "gateway.example"));
    assert_int_equal(w.g.session.seq, -1);
}

static void backoff_grows_and_is_reset(void **state)
{
    (void)state;
    begin(4);
    input((struct gw_input){.kind = GW_START});
    int64_t low = 1000;
    for (int i = 0; i < 9; i++) { /* refused before Hello, again and again */
        input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
        int64_t pause = reconnect();
        assert_in_range(pause, low, 2 * low);
        low = MIN(low * 2, 30000);
    }
    input((struct gw_input){.kind = GW_OPENED});
    frame(10);
    dispatch("READY", 1);
    w.now += 61000; /* steady for a minute */
    input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    assert_in_range(reconnect(), 1000, 2000);
}

static void three_failed_resumes(void **state)
{
    (void)state;
    begin(5);
    come_live();
    input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    for (int i = 0; i < 3; i++) {
        reconnect();
        assert_non_null(strstr(w.out.connect, "resume"));
        input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    }
    reconnect();
    assert_non_null(strstr(w.out.connect, "gateway.example"));
    input((struct gw_input){.kind = GW_OPENED});
    w.now += 6000;
    frame(10);
    assert_non_null(strstr(w.out.send.text, "\"op\":2"));
}

static void silence_before_hello_and_ready(void **state)
{
    (void)state;
    begin(6);
    input((struct gw_input){.kind = GW_START});
    input((struct gw_input){.kind = GW_OPENED});
    for (int i = 0; i < 5 && !w.out.close; i++)
        tick();
    assert_int_equal(w.out.close, 4000);
    input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    reconnect();
    input((struct gw_input){.kind = GW_OPENED});
    frame(10);
    for (int i = 0; i < 5 && !w.out.close; i++) {
        tick();
        frame(11);
    }
    assert_true(w.g.state == GW_CLOSING);
}

static void budgets_are_kept(void **state)
{
    (void)state;
    struct gw_gate gate = {.max_concurrency = 2, .total = 1000, .remaining = 5, .reset_ms = 90000};
    assert_int_equal(gw_gate_take(&gate, 0, 0), 0);
    assert_int_equal(gw_gate_take(&gate, 1, 0), 0);
    assert_int_equal(gw_gate_take(&gate, 2, 1000), 87000 + 2000); /* two left: kept back */
    assert_int_equal(gw_gate_take(&gate, 2, 90001), 0);           /* a new day */
    assert_int_equal(gw_gate_take(&gate, 0, 90002), 4999);        /* the same turn as shard 2 */
    assert_int_equal(gw_gate_take(&gate, 1, 90002), 0);
    /* 120 frames a minute: a server that asks for heartbeats all the time gets fewer. */
    begin(7);
    come_live();
    int sent = 0;
    for (int i = 0; i < 500; i++) {
        frame(1);
        sent += w.out.send.len > 0;
    }
    assert_in_range(sent, 100, 119);
    /* A frame that Discord would refuse is never sent. */
    AUTO(strbuf_free) struct strbuf token = STRBUF(10000);
    for (int i = 0; i < 5000; i++)
        strbuf_addc(&token, 'x');
    begin(8);
    w.g.token = token.text;
    input((struct gw_input){.kind = GW_START});
    input((struct gw_input){.kind = GW_OPENED});
    frame(10);
    assert_true(w.out.fatal);
    assert_string_equal(w.out.err.user_key, "start.discord_token");
}

static void a_stop_can_be_resumed(void **state)
{
    (void)state;
    begin(9);
    come_live();
    input((struct gw_input){.kind = GW_STOP});
    assert_int_equal(w.out.close, 4000);
    assert_string_equal(w.g.session.id, "S1");
    input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
    assert_false(w.out.connect[0]);
    /* A resume address that is not encrypted is not followed. */
    begin(10);
    come_live();
    input((struct gw_input){.kind = GW_FRAME,
                            .op = 0,
                            .type = "READY",
                            .session_id = "S2",
                            .resume_url = "ws://127.0.0.1:5432"});
    assert_string_equal(w.g.session.url, "");
    strbuf_free(&w.out.send);
}

/* --- limits --- */

static void limits_are_learnt(void **state)
{
    (void)state;
    struct limits *l = limits_create();
    int64_t now = 1000000;
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now), 0);
    assert_true(limits_take(l, "PATCH /a", "1", true, now) > 0); /* one at a time until known */
    assert_int_equal(limits_take(l, "PATCH /a", "2", true, now), 0);
    struct limit_news n = {
        .status = 200, .bucket = "b", .limit = 3, .remaining = 2, .reset_after = 4.5, .scope = ""};
    limits_done(l, "PATCH /a", "1", &n, now);
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now), 0);
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now), 0);
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now), 4500); /* two are in flight */
    n.remaining = 0;
    limits_done(l, "PATCH /a", "1", &n, now + 100);
    n.remaining = 1; /* an answer that was overtaken */
    limits_done(l, "PATCH /a", "1", &n, now + 100);
    assert_true(limits_take(l, "PATCH /a", "1", true, now + 200) > 4000);
    assert_int_equal(limits_take(l, "PATCH /a", "1", true, now + 5000), 0); /* a new window */
    /* Another route of the same bucket shares it. */
    n.remaining = 0;
    assert_int_equal(limits_take(l, "POST /b", "1", true, now + 5000), 0);
    limits_done(l, "POST /b", "1", &n, now + 5000);
    assert_true(limits_take(l, "PATCH /a", "1", true, now + 5001) > 0);
    /* 429 of a route, then of the whole bot. */
    struct limit_news slow = {.status = 429,
                              .bucket = "",
                              .limit = -1,
                              .remaining = -1,
                              .reset_after = -1,
                              .scope = "user",
                              .retry_ms = 9000};
    now += 100000;
    assert_int_equal(limits_take(l, "GET /c", "", true, now), 0);
    limits_done(l, "GET /c", "", &slow, now);
    assert_int_equal(limits_take(l, "GET /c", "", true, now), 9000);
    assert_int_equal(limits_take(l, "GET /d", "", true, now), 0);
    slow.global = true;
    limits_done(l, "GET /d", "", &slow, now);
    assert_int_equal(limits_take(l, "GET /e", "", true, now), 9000);
    assert_int_equal(limits_take(l, "POST /callback", "9", false, now), 0); /* outside of it */
    limits_destroy(l);
}

static void fifty_a_second_and_no_ban(void **state)
{
    (void)state;
    struct limits *l = limits_create();
    int64_t now = 5000000;
    char major[16];
    int gone = 0;
    for (int i = 0; i < 200; i++) {
        snprintf(major, sizeof(major), "%d", i);
        gone += limits_take(l, "POST /m", major, true, now + i) == 0;
    }
    assert_int_equal(gone, 50);
    assert_int_equal(limits_take(l, "POST /m", "x", true, now + 1001), 0);
    struct limit_news bad = {
        .status = 403, .bucket = "", .limit = -1, .remaining = -1, .scope = ""};
    bad.reset_after = -1;
    for (int i = 0; i < 5000; i++)
        limits_done(l, "GET /f", "", &bad, now + i / 10);
    assert_int_equal(limits_invalid(l), 5000);
    assert_true(limits_take(l, "GET /f", "", true, now + 20000) > 0);
    bad.status = 429;
    bad.scope = "shared"; /* nobody's fault */
    limits_done(l, "GET /f", "", &bad, now + 30000);
    assert_int_equal(limits_invalid(l), 5000);
    bad.scope = "user";
    limits_done(l, "GET /f", "", &bad, now + 700000); /* ten minutes later */
    assert_int_equal(limits_invalid(l), 1);
    limits_destroy(l);
}

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

/* --- signatures, references, errors --- */

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

static void refusals_mean_something(void **state)
{
    (void)state;
    static const struct {
        int status, code;
        enum dc_action action;
    } rows[] = {
        {200, 0,      DC_DONE     },
        {204, 0,      DC_DONE     },
        {401, 0,      DC_TOKEN    },
        {401, 50027,  DC_EXPIRED  },
        {404, 10062,  DC_EXPIRED  },
        {404, 10008,  DC_GONE     },
        {403, 50007,  DC_NO_DM    },
        {403, 50013,  DC_NO_ACCESS},
        {403, 0,      DC_NO_ACCESS},
        {413, 40005,  DC_TOO_BIG  },
        {413, 0,      DC_TOO_BIG  },
        {400, 40060,  DC_DONE     },
        {400, 50035,  DC_BUG      },
        {429, 0,      DC_WAIT     },
        {429, 20016,  DC_WAIT     },
        {502, 0,      DC_UNCLEAR  },
        {503, 130000, DC_RETRY    },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (dc_classify(rows[i].status, rows[i].code) != rows[i].action)
            fail_msg("%d %d", rows[i].status, rows[i].code);
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
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"credits\",\"type\":1}}",         DC_COMMAND, "/credits",
     "no options"                                                                                                                                                         },
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"make\",\"options\":[{\"name\":\"tier\",\"type\":3,"
     "\"value\":\"hd\"},{\"name\":\"voice\",\"type\":3,\"value\":\"a b\\nc\"},{\"name\":\"topic\","
     "\"type\":3,\"value\":\"60s of fame\"}]}}",                           DC_COMMAND, "/make hd voice:a_b_c\n60s of fame", "settings first, the topic to the letter"},
    {"{" WHO ",\"type\":2,\"data\":{\"name\":\"voice\",\"options\":[{\"name\":\"use\",\"type\":1,"
     "\"options\":[{\"name\":\"name\",\"type\":3,\"value\":\"amy\"}]}]}}", DC_COMMAND, "/voice use amy",                    "a subcommand becomes a word"            },
    {"{" WHO ",\"type\":5,\"data\":{\"custom_id\":\"x\",\"components\":[]}}",   DC_SUBMIT,
     "chat.old_button",                                                                                                          "a modal that is not ours"               },
    {"{" WHO ",\"type\":1}",                                                    DC_NOTHING, "",                                  "PING"                                   },
    {"{" WHO ",\"type\":99}",                                                   DC_NOTHING, "",                                  "newer than we are"                      },
    {"{" WHO ",\"type\":2,\"data\":7}",                                         DC_NOTHING, "",                                  "no command in it"                       },
    {"{\"id\":\"1\",\"application_id\":\"2\",\"type\":2}",                      DC_NOTHING, "",                                  "no token"                               },
    {"{\"id\":\"../1\",\"application_id\":\"2\",\"token\":\"t\",\"type\":2}",   DC_NOTHING, "",
     "an id that would become a path"                                                                                                                                     },
    {"{\"id\":\"1\",\"application_id\":\"2\",\"token\":\"a/b\",\"type\":2,\"channel_id\":\"3\","
     "\"user\":{\"id\":\"4\"}}",                                           DC_NOTHING, "",                                  "a token that would become a path"       },
    {"[]",                                                                      DC_NOTHING, "",                                  "not an object"                          },
    {"null",                                                                    DC_NOTHING, "",                                  "nothing"                                },
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identify_and_heartbeat),
        cmocka_unit_test(a_dead_link_is_closed_and_resumed),
        cmocka_unit_test(every_close_code),
        cmocka_unit_test(op_7_and_9),
        cmocka_unit_test(backoff_grows_and_is_reset),
        cmocka_unit_test(three_failed_resumes),
        cmocka_unit_test(silence_before_hello_and_ready),
        cmocka_unit_test(budgets_are_kept),
        cmocka_unit_test(a_stop_can_be_resumed),
        cmocka_unit_test(limits_are_learnt),
        cmocka_unit_test(fifty_a_second_and_no_ban),
        cmocka_unit_test(one_stream_many_frames),
        cmocka_unit_test(buttons_are_signed),
        cmocka_unit_test(refusals_mean_something),
        cmocka_unit_test(events_are_decoded),
        cmocka_unit_test(the_told_limit_is_obeyed),
    };
    hash_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
