/* The quote of a video against a real database: price, change, start, credits, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/bot_world.h"

/* The eight digits behind a word such as "/cancel ". */
static void find_ref(const char *text, const char *behind, char ret[9])
{
    const char *at = strstr(text, behind);
    assert_non_null(at);
    memcpy(ret, at + strlen(behind), 8);
    ret[8] = '\0';
}

static void test_quote_and_start_without_buttons(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    const char *said = say(&w, "/make How tides work. The moon pulls the sea.");
    assert_non_null(strstr(said, "your own words"));
    assert_non_null(strstr(said, "Price: 1 credit\n"));
    assert_non_null(strstr(said, "free trial; 0 credits"));
    assert_non_null(strstr(said, "/cancel "));
    assert_int_equal(w.cards, 2);
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'ready'"), 1);
    assert_int_equal(number(&w, "select held from wallets"), 1);
    expect(&w, "/queue", "1 video is being made");
    said = say(&w, "/credits");
    assert_non_null(strstr(said, "1 more is set aside"));
    assert_non_null(strstr(said, " · free trial · +1\n"));
    expect(&w, "/history", "How tides work");
    expect(&w, "/forget yes", "still being made");
    expect(&w, "/cancel", "Cancelled.");
    assert_int_equal(number(&w, "select avail from wallets"), 1);
    expect(&w, "/queue", "Nothing is being made");
    expect(&w, "/again", "Price: 1 credit");
    world_close(&w);
}

static void test_quote_with_buttons(void **state)
{
    (void)state;
    struct world w;
    char id[37];
    world_open(&w, true);
    const char *said = say(&w, "/make How tides work");
    assert_int_equal(w.cards, 1);
    const char *go = strstr(said, "|/go ");
    assert_non_null(go);
    str_copy(id, sizeof(id), go + 5);
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted'"), 1);
    assert_int_equal(number(&w, "select held from wallets"), 0);
    AUTO(free_ptr) char *press = str_printf("/go %s", id);
    w.event.kind = CHAT_BUTTON;
    expect(&w, press, "|/cancel ");
    assert_int_equal(number(&w, "select held from wallets"), 1);
    expect(&w, press, "started already"); /* pressed twice: charged once */
    assert_int_equal(number(&w, "select held from wallets"), 1);
    world_close(&w);
}

/* Change: one quote, one card, another price; nothing is held by it. */
static void test_a_quote_is_changed(void **state)
{
    (void)state;
    struct world w;
    char id[37];
    static const struct {
        const char *word, *needle;
    } rows[] = {
        {"",               "9:16|/change "},
        {" hd",            "9:16 · hd"   },
        {" 16:9",          "16:9 · hd"   },
        {" voice:bob",     "Voice: bob"   },
        {"",               "Back|/change "},
        {" back",          "|/go "        },
        {" voice:nobody",  "no voice"     },
        {" 3s",            "not possible" },
        {" some words",    "some words"   },
        {" premium basic", "16:9 · basic"},
    };
    world_open(&w, true);
    const char *said = say(&w, "/make How tides work");
    assert_non_null(strstr(said, "Change|/change "));
    str_copy(id, sizeof(id), strstr(said, "|/go ") + 5);
    w.event.kind = CHAT_BUTTON;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *line = str_printf("/change %s%s", id, rows[i].word);
        expect(&w, line, rows[i].needle);
        if (i == 1) /* hd costs 2 */
            assert_int_equal(number(&w, "select price from jobs"), 2);
    }
    assert_int_equal(number(&w, "select price from jobs"), 1);
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted'"), 1);
    assert_int_equal(number(&w, "select held from wallets"), 0);
    AUTO(free_ptr) char *go = str_printf("/go %s", id);
    expect(&w, go, "|/cancel ");
    AUTO(free_ptr) char *late = str_printf("/change %s hd", id);
    expect(&w, late, "no longer open"); /* it is being made */
    assert_int_equal(number(&w, "select held from wallets"), 1);
    world_close(&w);
}

static void test_no_credits(void **state)
{
    (void)state;
    struct world w;
    char ref[9], sql[200];
    struct err e = {0};
    world_open(&w, false);
    const char *said = say(&w, "/make How tides work premium");
    assert_non_null(strstr(said, "This needs 3 credits, you have 1."));
    assert_non_null(strstr(said, "With basic it costs 1 credit"));
    assert_non_null(strstr(said, "/pay"));
    find_ref(said, "/go ", ref);
    assert_int_equal(number(&w, "select held from wallets"), 0);
    AUTO(free_ptr) char *go = str_printf("/go %s", ref);
    expect(&w, go, "not enough credits");
    (void)e;
    snprintf(sql, sizeof(sql), "select count(*) from jobs where state = 'quoted'");
    assert_int_equal(number(&w, sql), 1);
    world_close(&w);
}

static void test_bad_input_charges_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"/make",                        "What should the video be about?"},
        {"/make 60s hd",                 "What should the video be about?"},
        {"/make 🌊🌊🌊",           "no words"                       },
        {"/make ...!?",                  "no words"                       },
        {"/make cats voise:x",           "voise:x"                        },
        {"/make cats color:red",         "voice:NAME"                     },
        {"/make cats style:ugly",        "clean, bold"                    },
        {"/make cats music:jazz",        "off, calm"                      },
        {"/make cats lang:tlh",          "en, zh, ar"                     },
        {"/make cats voice:nobody",      "nobody"                         },
        {"/make cats voice:mei lang:en", "mei"                            },
        {"/make cats 500s",              "5 to 180 seconds"               },
        {"/make cats 4:3",               "9:16"                           },
    };
    struct world w;
    world_open(&w, false);
    for (size_t i = 0; i < COUNT(rows); i++)
        expect(&w, rows[i].line, rows[i].says);
    struct strbuf text = STRBUF(200000);
    strbuf_adds(&text, "/make ");
    while (text.len < 100000)
        strbuf_adds(&text, "The moon pulls the sea. ");
    expect(&w, strbuf_text(&text), "3:00 is the limit");
    strbuf_free(&text);
    assert_int_equal(number(&w, "select count(*) from jobs"), 0);
    assert_int_equal(number(&w, "select avail from wallets"), 1);
    world_close(&w);
}

static void test_what_cannot_fit_is_refused_before_it_costs(void **state)
{
    (void)state;
    struct world w;
    char text[800] = "/make";
    for (size_t n = strlen(text); n < 600; n = strlen(text))
        snprintf(text + n, sizeof(text) - n, " The moon pulls the sea.");
    world_open(&w, true);
    w.event.video_bytes_max = 150000;
    const char *said = say(&w, text);
    if (!strstr(said, "At most 6 s fit here"))
        fail_msg("%s", said);
    assert_int_equal(number(&w, "select count(*) from jobs"), 0);
    w.event.video_bytes_max = 3000000; /* of this place; the network itself has no limit */
    expect(&w, text, "Price: ");
    assert_int_equal(
        number(&w, "select (story::json->'settings'->>'byte_limit')::bigint from jobs"), 3000000);
    world_close(&w);
}

static void test_saved_voice_gives_way(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true);
    expect(&w, "/voice bob", "read by Bob.");
    expect(&w, "/make How tides work", "Voice: bob");
    expect(&w, "/make 潮汐是怎样形成的", "Voice: mei");
    expect(&w, "/settings hd 16:9 music:off", "16:9");
    expect(&w, "/make Cats", "16:9 · hd");
    expect(&w, "/settings reset", "automatic");
    expect(&w, "/settings", "Style: clean");
    expect(&w, "/style", "Now: clean."); /* the same word */
    world_close(&w);
}

static void test_queue_limit(void **state)
{
    (void)state;
    struct world w;
    struct gift gift = {.credits = 20};
    struct err e = {0};
    world_open(&w, false);
    const char *at = strstr(say(&w, "/credits"), "Your account: ");
    assert_non_null(at);
    str_copy(gift.account, sizeof(gift.account), at + strlen("Your account: "));
    assert_true(db_run(w.bot.db, gift_body, &gift, &e));
    expect(&w, "/make Cats one", "Starting");
    expect(&w, "/make Cats two", "place ");
    say(&w, "/make Cats three");
    say(&w, "/make Cats four");
    const char *said = say(&w, "/make Cats five");
    assert_non_null(strstr(said, "3 videos are waiting already"));
    assert_int_equal(number(&w, "select held from wallets"), 4);
    expect(&w, "/cancel", "There are several");
    expect(&w, "/queue", "4 videos are being made");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote_and_start_without_buttons),
        cmocka_unit_test(test_quote_with_buttons),
        cmocka_unit_test(test_a_quote_is_changed),
        cmocka_unit_test(test_no_credits),
        cmocka_unit_test(test_bad_input_charges_nothing),
        cmocka_unit_test(test_what_cannot_fit_is_refused_before_it_costs),
        cmocka_unit_test(test_saved_voice_gives_way),
        cmocka_unit_test(test_queue_limit),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
