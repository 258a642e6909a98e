/* Cards: there and back as JSON; excerpts and lists; what a status card shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bot/card.h"
#include "bot/status.h"
#include "core/base/strbuf.h"

static void assert_same_text(const char *a, const char *b)
{
    if (!a || !b)
        assert_true(a == b);
    else
        assert_string_equal(a, b);
}

static void assert_same_card(const struct card *a, const struct card *b)
{
    assert_same_text(a->title, b->title);
    assert_same_text(a->eta, b->eta);
    assert_same_text(a->picture, b->picture);
    assert_int_equal(a->percent, b->percent);
    assert_int_equal(a->rtl, b->rtl);
    assert_int_equal(a->is_private, b->is_private);
    assert_int_equal(a->line_count, b->line_count);
    for (size_t i = 0; i < a->line_count; i++)
        assert_same_text(a->lines[i], b->lines[i]);
    assert_int_equal(a->stage_count, b->stage_count);
    for (size_t i = 0; i < a->stage_count; i++) {
        assert_same_text(a->stages[i].label, b->stages[i].label);
        assert_int_equal(a->stages[i].state, b->stages[i].state);
    }
    assert_int_equal(a->button_count, b->button_count);
    for (size_t i = 0; i < a->button_count; i++) {
        assert_same_text(a->buttons[i].label, b->buttons[i].label);
        assert_same_text(a->buttons[i].action, b->buttons[i].action);
        assert_same_text(a->buttons[i].url, b->buttons[i].url);
        assert_same_text(a->buttons[i].copy, b->buttons[i].copy);
        assert_int_equal(a->ends_row[i], b->ends_row[i]);
    }
}

static void round_trip(const struct card *card)
{
    AUTO(free_ptr) char *json = NULL;
    AUTO(card_doc_free) struct card_doc back = {0};
    struct err e = {0};
    assert_true(card_to_json(card, &json, &e));
    assert_true(card_from_json(json, &back, &e));
    assert_same_card(card, &back.card);
}

static void test_round_trip(void **state)
{
    (void)state;
    round_trip(&(struct card){.percent = -1});
    round_trip(&(struct card){
        .title = "كيف \"يحدث\" المدّ 🌊",
        .lines = {"one",                                                  "",                      "back\\slash\nand line"},
        .line_count = 3,
        .stages = {{"Voice", STAGE_DONE},                                  {"Video", STAGE_FAILED}},
        .stage_count = 2,
        .percent = 42,
        .eta = "about 20 s left",
        .picture = "/tmp/a b.png",
        .buttons = {{.label = "Go", .action = "/go 1"},
                  {.label = "Site", .url = "https://example.org/?a=b&c"},
                  {.label = "Copy", .copy = "nano_1"}                       },
        .ends_row = {false,                                                  true,                    true                                            },
        .button_count = 3,
        .rtl = true,
        .is_private = true,
    });
}

static void test_full_card(void **state)
{
    (void)state;
    struct card card = {.percent = 100};
    for (size_t i = 0; i < CARD_LINES_MAX; i++)
        card.lines[card.line_count++] = "line";
    for (size_t i = 0; i < CARD_BUTTONS_MAX; i++)
        card.buttons[card.button_count++] = (struct chat_button){.label = "b", .action = "/a"};
    for (size_t i = 0; i < CARD_STAGES_MAX; i++)
        card.stages[card.stage_count++] = (struct card_stage){"s", STAGE_RUNNING};
    round_trip(&card);
}

static void test_strange_json(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool ok;
        const char *why;
    } rows[] = {
        {"",                                                                             false, "nothing"      },
        {"[]",                                                                           false, "no object"    },
        {"{\"percent\":",                                                                false, "cut off"      },
        {"{}",                                                                           true,  "an empty card"},
        {"{\"percent\":1e300,\"lines\":7,\"buttons\":[1,{\"label\":\"x\"}],\"new\":{}}", true,
         "fields of other kinds and unknown ones are skipped"                                                  },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(card_doc_free) struct card_doc doc = {0};
        struct err e = {0};
        if (card_from_json(rows[i].json, &doc, &e) != rows[i].ok)
            fail_msg("%s", rows[i].why);
        assert_int_equal(doc.card.button_count, 0);
        assert_in_range(doc.card.percent + 1, 0, 101);
    }
}

static void test_excerpt(void **state)
{
    (void)state;
    AUTO(card_doc_free) struct card_doc doc = {0};
    card_begin(&doc, "en");
    assert_string_equal(card_excerpt(&doc, "  a \n b\tc ", 10), "a b c");
    assert_string_equal(card_excerpt(&doc, "abcdef", 3), "abc…");
    assert_string_equal(card_excerpt(&doc, "潮汐是怎样", 2), "潮汐…");
    assert_string_equal(card_excerpt(&doc, "", 3), "");
    assert_string_equal(card_excerpt(&doc, "whole  \n ", 5), "whole");
    assert_string_equal(card_excerpt(&doc, "the moon pulls the sea", 10), "the moon…");
}

static void test_long_action_is_left_out(void **state)
{
    (void)state;
    AUTO(card_doc_free) struct card_doc doc = {0};
    card_begin(&doc, "en");
    card_button(&doc, "en", "button.go", false, "/go %061d", 1);
    assert_int_equal(doc.card.button_count, 0);
    card_button(&doc, "en", "button.go", false, "/go %060d", 1);
    assert_int_equal(doc.card.button_count, 1);
}

static void test_status_card(void **state)
{
    (void)state;
    struct job job = {.id = "01890000-0000-7000-8000-00001234abcd",
                      .topic = "Tides",
                      .place = 2,
                      .state = JOB_WAITING};
    str_copy(job.lang, sizeof(job.lang), "en");
    AUTO(card_doc_free) struct card_doc doc = {0};
    status_card(&doc, &job, NULL, false);
    assert_string_equal(doc.card.lines[0], "Waiting, place 2 in the queue");
    assert_int_equal(doc.card.stage_count, PIPE_STAGES);
    assert_string_equal(doc.card.buttons[0].action, "/cancel 1234abcd");
    card_doc_free(&doc);
    struct pipeline_progress p = {
        .stages = {PIPE_DONE, PIPE_RUNNING},
          .percent = 140, .left_ms = 20000
    };
    status_card(&doc, &job, &p, true);
    assert_int_equal(doc.card.percent, 100);
    assert_int_equal(doc.card.stages[0].state, STAGE_DONE);
    assert_int_equal(doc.card.stages[1].state, STAGE_RUNNING);
    assert_string_equal(doc.card.eta, "about 20 s left");
    assert_string_equal(doc.card.buttons[0].action, "/cancel 01890000-0000-7000-8000-00001234abcd");
}

static int setup(void **state)
{
    (void)state;
    struct err e = {0};
    return i18n_setup(&e) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    i18n_teardown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_full_card),
        cmocka_unit_test(test_strange_json),
        cmocka_unit_test(test_excerpt),
        cmocka_unit_test(test_long_action_is_left_out),
        cmocka_unit_test(test_status_card),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
