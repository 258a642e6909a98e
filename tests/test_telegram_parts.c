/* Pace, error table and card drawing of the Telegram adapter: no network, no clock. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/telegram/card_html.h"
#include "adapters/telegram/errors.h"
#include "adapters/telegram/pace.h"
#include "adapters/telegram/quiet.h"
#include "adapters/telegram/telegram_internal.h"
#include "core/base/rng.h"
#include "core/base/utf8.h"
#include "core/net/json.h"

/* --- pace --- */

static void one_chat_gets_a_burst_then_one_a_second(void **state)
{
    (void)state;
    struct pace *p = pace_create();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pace_take(p, 5, LANE_ANSWER, 1000), 0);
    assert_int_equal(pace_take(p, 5, LANE_ANSWER, 1000), 1000);
    assert_int_equal(pace_take(p, 6, LANE_ANSWER, 1000), 0); /* others are not held up */
    assert_int_equal(pace_take(p, 5, LANE_ANSWER, 1999), 1);
    assert_int_equal(pace_take(p, 5, LANE_ANSWER, 2000), 0);
    assert_true(pace_take(p, 5, LANE_ANSWER, 2000) > 0);
    pace_destroy(p);
}

/* Any 60 s window of any schedule: at most 20 in a group; any second: at most 25 + burst of all. */
static void limits_hold_for_random_traffic(void **state)
{
    (void)state;
    enum { STEPS = 200000, CHATS = 12 };
    struct pace *p = pace_create();
    struct rng r = rng_make(7, 1);
    static int64_t sent[CHATS][STEPS / 20];
    size_t count[CHATS] = {0};
    static int64_t all[STEPS];
    size_t all_count = 0;
    int64_t now = 0;
    for (int i = 0; i < STEPS; i++) {
        now += rng_below(&r, 40);
        int c = rng_below(&r, CHATS);
        int64_t chat = c < 6 ? -100 - c : 100 + c;
        enum pace_lane lane = (enum pace_lane)rng_below(&r, 3);
        int64_t wait = pace_take(p, chat, lane, now);
        assert_true(wait >= 0);
        if (wait > 0 || count[c] == COUNT(sent[c]))
            continue;
        size_t n = count[c];
        if (c < 6 && n >= 20)
            assert_true(now - sent[c][n - 20] >= 60000);
        if (n >= 3) /* burst of three, then one a second */
            assert_true(now - sent[c][n - 3] >= 1000);
        if (all_count >= 25)
            assert_true(now - all[all_count - 25] >= 40);
        if (all_count >= 50)
            assert_true(now - all[all_count - 50] >= 1000);
        sent[c][count[c]++] = now;
        all[all_count++] = now;
    }
    assert_true(all_count > 5000); /* it did let traffic through */
    pace_destroy(p);
}

static void lower_lanes_leave_room(void **state)
{
    (void)state;
    struct pace *p = pace_create();
    int taken = 0;
    while (pace_take(p, 5, LANE_STATUS, 0) == 0)
        taken++;
    assert_int_equal(taken, 2);
    assert_int_equal(pace_take(p, 5, LANE_ANSWER, 0), 0);
    /* A group: status edits use at most 14 of 20 a minute, videos 18, answers all. */
    static const struct {
        enum pace_lane lane;
        int most;
    } lanes[] = {
        {LANE_STATUS, 14},
        {LANE_VIDEO,  18},
        {LANE_ANSWER, 20}
    };
    for (size_t i = 0; i < COUNT(lanes); i++) {
        int in_minute = 0;
        for (int64_t now = 100000; now < 159999; now += 100)
            in_minute += pace_take(p, -50 - (int64_t)i, lanes[i].lane, now) == 0;
        assert_int_equal(in_minute, lanes[i].most);
    }
    pace_destroy(p);
}

static void told_to_wait_means_wait(void **state)
{
    (void)state;
    struct pace *p = pace_create();
    pace_hold(p, 5, 237000, 1000);
    assert_true(pace_held(p, 5, 237999));
    assert_int_equal(pace_take(p, 5, LANE_ANSWER, 2000), 236000);
    assert_int_equal(pace_take(p, 6, LANE_ANSWER, 2000), 0);
    assert_false(pace_held(p, 5, 238000));
    assert_int_equal(pace_take(p, 5, LANE_ANSWER, 238000), 0);
    /* Three chats within five seconds: it is the bot that talks too much. */
    pace_hold(p, 11, 9000, 300000);
    pace_hold(p, 11, 9000, 300100);
    pace_hold(p, 12, 9000, 301000);
    assert_int_equal(pace_take(p, 99, LANE_ANSWER, 301000), 0);
    pace_hold(p, 13, 9000, 302000);
    assert_int_equal(pace_take(p, 98, LANE_ANSWER, 302000), 9000);
    pace_destroy(p);
}

static void many_chats_need_no_more_memory(void **state)
{
    (void)state;
    struct pace *p = pace_create();
    pace_hold(p, 5, 10000000, 0);
    for (int64_t i = 1; i <= 50000; i++)
        assert_true(pace_wait(p, 1000 + i, LANE_ANSWER, i * 50) >= 0);
    assert_true(pace_held(p, 5, 50000 * 50)); /* who must rest is not forgotten */
    pace_destroy(p);
}

/* --- errors --- */

static void refusals_have_their_action(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *text;
        enum tg_action want;
    } rows[] = {
        {400,
         "Bad Request: message is not modified: specified new message content and reply "
         "markup are exactly the same",                                                            TG_DONE       },
        {400, "Bad Request: message to edit not found",                                            TG_CARD_GONE  },
        {400, "Bad Request: MESSAGE_ID_INVALID",                                                   TG_CARD_GONE  },
        {400, "Bad Request: message can't be edited",                                              TG_CARD_GONE  },
        {400, "Bad Request: there is no text in the message to edit",                              TG_NO_TEXT    },
        {400, "Bad Request: message to delete not found",                                          TG_IGNORE     },
        {400, "Bad Request: query is too old and response timeout expired or query ID is invalid",
         TG_IGNORE                                                                                               },
        {400, "Bad Request: chat not found",                                                       TG_UNREACHABLE},
        {400, "Bad Request: PEER_ID_INVALID",                                                      TG_UNREACHABLE},
        {400, "Bad Request: message thread not found",                                             TG_NO_THREAD  },
        {400, "Bad Request: TOPIC_CLOSED",                                                         TG_NO_THREAD  },
        {400, "Bad Request: group chat was upgraded to a supergroup chat",                         TG_MOVED      },
        {400, "Bad Request: not enough rights to send videos to the chat",                         TG_NO_RIGHTS  },
        {400, "Bad Request: have no rights to send a message",                                     TG_NO_RIGHTS  },
        {400, "Bad Request: CHAT_WRITE_FORBIDDEN",                                                 TG_NO_RIGHTS  },
        {400, "Bad Request: can't parse entities: Unsupported start tag",                          TG_PLAIN      },
        {400, "Bad Request: message is too long",                                                  TG_SHORTEN    },
        {400, "Bad Request: message caption is too long",                                          TG_SHORTEN    },
        {400, "Bad Request: BUTTON_DATA_INVALID",                                                  TG_NO_BUTTONS },
        {400, "Bad Request: wrong file identifier/HTTP URL specified",                             TG_UPLOAD     },
        {400, "Bad Request: wrong remote file identifier specified: can't unserialize it",
         TG_UPLOAD                                                                                               },
        {400, "Bad Request: file must be non-empty",                                               TG_BAD_FILE   },
        {400, "Bad Request: PHOTO_INVALID_DIMENSIONS",                                             TG_BAD_FILE   },
        {400, "Bad Request: file is too big",                                                      TG_TOO_BIG    },
        {400, "Bad Request: something new",                                                        TG_BUG        },
        {401, "Unauthorized",                                                                      TG_TOKEN      },
        {403, "Forbidden: bot was blocked by the user",                                            TG_UNREACHABLE},
        {403, "Forbidden: user is deactivated",                                                    TG_UNREACHABLE},
        {403, "Forbidden: bot was kicked from the supergroup chat",                                TG_UNREACHABLE},
        {403, "forbidden: not enough rights to send text messages to the chat",                    TG_NO_RIGHTS  },
        {404, "Not Found",                                                                         TG_BUG        },
        {409, "Conflict: terminated by other getUpdates request",                                  TG_CONFLICT   },
        {409, "Conflict: can't use getUpdates method while webhook is active",                     TG_WEBHOOK    },
        {413, "Request Entity Too Large",                                                          TG_TOO_BIG    },
        {429, "Too Many Requests: retry after 5",                                                  TG_WAIT       },
        {500, "Internal Server Error: restart",                                                    TG_RETRY      },
        {502, "",                                                                                  TG_RETRY      },
        {418, "",                                                                                  TG_BUG        },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (tg_classify(rows[i].code, rows[i].text) != rows[i].want)
            fail_msg("%d %s: %d", rows[i].code, rows[i].text,
                     tg_classify(rows[i].code, rows[i].text));
    struct err e = {0};
    assert_false(tg_error_set(&e, TG_UNREACHABLE, 403, "x", "sendMessage"));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_false(tg_error_set(&e, TG_UNCLEAR, 0, "", "sendMessage"));
    assert_int_equal(e.code, ERR_CONFLICT);
}

/* --- cards --- */

/* What the server would count: text without tags, escapes as one character. */
static int64_t visible_units(const char *html)
{
    int64_t units = 0;
    size_t len = strlen(html);
    for (size_t at = 0; at < len;) {
        if (html[at] == '<') {
            const char *end = strchr(html + at, '>');
            assert_non_null(end);
            at = (size_t)(end - html) + 1;
        } else if (html[at] == '&') {
            const char *end = strchr(html + at, ';');
            assert_non_null(end);
            at = (size_t)(end - html) + 1;
            units++;
        } else {
            units += utf8_next(html, len, &at) > 0xffff ? 2 : 1;
        }
    }
    return units;
}

static void cards_are_drawn(void **state)
{
    (void)state;
    AUTO(strbuf_free) struct strbuf out = STRBUF(100000);
    struct card card = {
        .title = "How <b>bees</b> & birds sleep",
        .lines = {"45 s · 9:16",        "1 credit"              },
        .line_count = 2,
        .stages = {{"Words", STAGE_DONE}, {"Voice", STAGE_RUNNING}},
        .stage_count = 2,
        .percent = 40,
        .eta = "about 20 s left"
    };
    tg_card_text(&out, &card, TG_TEXT_UNITS, false);
    assert_string_equal(out.text, "<b>How &lt;b&gt;bees&lt;/b&gt; &amp; birds sleep</b>\n"
                                  "45 s · 9:16\n1 credit\n✅ Words\n▶️ Voice\n"
                                  "▰▰▰▰▰▱▱▱▱▱▱▱ 40 % · about 20 s left");
    tg_card_text(&out, &card, TG_TEXT_UNITS, true);
    assert_non_null(strstr(out.text, "How <b>bees</b> & birds sleep\n"));
    struct card empty = {.percent = -1};
    tg_card_text(&out, &empty, TG_TEXT_UNITS, false);
    assert_true(out.len > 0); /* the server refuses an empty text */
}

static void long_cards_are_cut_before_escaping(void **state)
{
    (void)state;
    static const char *const fillers[] = {"word ",
                                          "<&>",
                                          "\xf0\x9f\x90\x99",
                                          "\xd8\xa7",
                                          "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
                                          "x"};
    for (size_t k = 0; k < COUNT(fillers); k++) {
        AUTO(strbuf_free) struct strbuf line = STRBUF(200000);
        AUTO(strbuf_free) struct strbuf out = STRBUF(200000);
        while (line.len < 40000)
            strbuf_adds(&line, fillers[k]);
        struct card card = {
            .title = line.text,
            .lines = {line.text, line.text},
            .line_count = 2,
            .stages = {{line.text, STAGE_RUNNING}        },
            .stage_count = 1,
            .percent = 99,
            .eta = line.text
        };
        static const int64_t limits[] = {TG_TEXT_UNITS, TG_CAPTION_UNITS, 512};
        for (size_t i = 0; i < COUNT(limits); i++) {
            tg_card_text(&out, &card, limits[i], false);
            assert_false(out.failed);
            assert_true(utf8_valid(out.text, out.len));
            int64_t units = visible_units(out.text);
            if (units > limits[i] || units < limits[i] / 2)
                fail_msg("%s: %lld units of %lld", fillers[k], (long long)units,
                         (long long)limits[i]);
            assert_non_null(strstr(out.text, "99 %"));      /* the progress is never cut off */
            assert_null(strstr(out.text, "\xe2\x80\x8d…")); /* no joiner left hanging */
        }
    }
}

static void keyboards_are_valid(void **state)
{
    (void)state;
    struct card card = {
        .buttons = {{.label = "Go \"now\"", .action = "/go 7f3a"},
                    {.label = "Too long",
                     .action = "/x 012345678901234567890123456789"
                               "0123456789012345678901234567890123456789"},
                    {.label = "Address", .copy = "nano_1abc"},
                    {.label = "Shop", .url = "https://example.org"},
                    {.label = "", .action = "/empty"},
                    {.label = "nothing"}                                                          },
        .ends_row = {false,                                         true,    true, true, true, true},
        .button_count = 6
    };
    AUTO(strbuf_free) struct strbuf out = STRBUF(10000);
    AUTO(json_free) cJSON *doc = NULL;
    struct err e = {0};
    tg_card_keyboard(&out, &card);
    assert_string_equal(out.text, "{\"inline_keyboard\":["
                                  "[{\"text\":\"Go \\\"now\\\"\",\"callback_data\":\"/go 7f3a\"}],"
                                  "[{\"text\":\"Address\",\"copy_text\":{\"text\":\"nano_1abc\"}}],"
                                  "[{\"text\":\"Shop\",\"url\":\"https://example.org\"}]]}");
    assert_true(json_parse(out.text, out.len, NULL, &doc, &e));
}

/* Two minutes without updates are said once, and so is their end. */
static void silence_is_told_once(void **state)
{
    static const struct {
        enum { BEGIN, GOOD, BAD } what;
        int seconds;
        bool says;
        const char *why;
    } rows[] = {
        {BEGIN, 1000, false, "polling begins"                                      },
        {BAD,   1119, false, "not yet"                                             },
        {BAD,   1120, false, "two minutes, not more"                               },
        {BAD,   1121, true,  "alarm"                                               },
        {BAD,   1400, false, "once"                                                },
        {GOOD,  1401, true,  "updates arrive again"                                },
        {GOOD,  1402, false, "once"                                                },
        {BAD,   1522, false, "counted from the last good answer"                   },
        {GOOD,  1523, false, "nobody was alarmed"                                  },
        {BAD,   1644, true,  "the next alarm"                                      },
        {BEGIN, 9000, false, "another process polled meanwhile, all was well there"},
        {BAD,   9001, false, "so this is a first failure"                          },
        {BAD,   9121, true,  "and this lasts"                                      },
    };
    (void)state;
    struct tg_quiet q;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t now = rows[i].seconds * INT64_C(1000);
        bool says = false;
        if (rows[i].what == BEGIN)
            tg_quiet_begin(&q, now);
        else
            says = rows[i].what == GOOD ? tg_quiet_good(&q, now) : tg_quiet_bad(&q, now);
        if (says != rows[i].says)
            fail_msg("%d s: %s", rows[i].seconds, rows[i].why);
    }
}

/* Ten minutes of it or a day: people are heard within 5 s of its end. */
static void an_outage_is_over_soon(void **state)
{
    (void)state;
    int longest = 0;
    for (int failures = 1; failures < 2000; failures++) {
        int ms = tg_backoff_ms(failures);
        assert_in_range(ms, 750, 4000);
        longest = MAX(longest, ms);
    }
    assert_true(longest > 3000); /* and nobody is hammered */
    assert_true(tg_backoff_ms(1) <= 1000);
    assert_true(tg_backoff_ms(INT_MAX) >= 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_is_over_soon),
        cmocka_unit_test(silence_is_told_once),
        cmocka_unit_test(one_chat_gets_a_burst_then_one_a_second),
        cmocka_unit_test(limits_hold_for_random_traffic),
        cmocka_unit_test(lower_lanes_leave_room),
        cmocka_unit_test(told_to_wait_means_wait),
        cmocka_unit_test(many_chats_need_no_more_memory),
        cmocka_unit_test(refusals_have_their_action),
        cmocka_unit_test(cards_are_drawn),
        cmocka_unit_test(long_cards_are_cut_before_escaping),
        cmocka_unit_test(keyboards_are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
