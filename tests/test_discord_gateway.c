/* One shard's life on the gateway, with a clock that we turn. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/discord/gateway.h"

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

/* Asked for just before one was due: its answer is still on its way then, the link is not dead. */
static void a_beat_that_was_asked_for_has_its_time(void **state)
{
    (void)state;
    begin(11);
    come_live();
    int64_t due = w.out.wake_ms;
    for (int i = 0; i < 20; i++) {
        w.now = due - 20;
        frame(1);
        assert_non_null(strstr(w.out.send.text, "\"op\":1"));
        int64_t asked = w.now;
        w.now = due;
        input((struct gw_input){.kind = GW_TICK});
        assert_int_equal(w.out.close, 0);
        frame(11);
        due = asked + 40000;
    }
    for (int i = 0; i < 10 && !w.out.close; i++)
        tick(); /* silence is still noticed */
    assert_int_equal(w.out.close, 4000);
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
    for (int i = 0; i < 200; i++) { /* nobody is there: ten minutes of it, and back within 5 s */
        input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
        int64_t pause = reconnect();
        assert_in_range(pause, low, 2 * low);
        low = MIN(low * 2, 2500);
    }
    for (int i = 0; i < 9; i++) { /* ended after Hello, again and again: sessions are counted */
        low = i < 1 ? 4000 : MIN(low * 2, 30000);
        input((struct gw_input){.kind = GW_OPENED});
        frame(10);
        input((struct gw_input){.kind = GW_CLOSED, .code = 1006});
        assert_in_range(reconnect(), low, 2 * low);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identify_and_heartbeat),
        cmocka_unit_test(a_beat_that_was_asked_for_has_its_time),
        cmocka_unit_test(a_dead_link_is_closed_and_resumed),
        cmocka_unit_test(every_close_code),
        cmocka_unit_test(op_7_and_9),
        cmocka_unit_test(backoff_grows_and_is_reset),
        cmocka_unit_test(three_failed_resumes),
        cmocka_unit_test(silence_before_hello_and_ready),
        cmocka_unit_test(budgets_are_kept),
        cmocka_unit_test(a_stop_can_be_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
