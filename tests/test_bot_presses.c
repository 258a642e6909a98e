/* A pressed button is answered: with a card, or, on somebody else's card, with words for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "bot/bot.h"
#include "bot/inbox.h"
#include "core/base/strbuf.h"
#include "tests/bot_world.h"
#include "tests/fixture_db.h"

#define JOB "01890000-0000-7000-8000-00001234abcd"

static struct {
    struct world world;
    struct chat_adapter_ops ops;
    char press[32], text[600]; /* the last one that was answered */
    int answered;
} w;

static void pressed(void *self, const char *press, const char *text)
{
    (void)self;
    str_copy(w.press, sizeof(w.press), press);
    str_copy(w.text, sizeof(w.text), text ? text : "");
    w.answered++;
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    world_open(&w.world, true);
    w.ops = *w.world.bot.adapters[0].ops;
    w.world.bot.adapters[0].ops = &w.ops;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w.world);
    return 0;
}

static void press_is_answered_as_it_should(void **state)
{
    static const struct {
        const char *action, *lang, *press;
        bool is_group, can; /* the network can tell one person alone */
        const char *said;   /* to one person; NULL: not at all */
        int cards;
        const char *why;
    } rows[] = {
        {"/go " JOB,    "en", "4382b", true,  true,  "That button is for the person who asked", 0,
         "a stranger in a group"                                                                                                  },
        {"/remix " JOB, "zh", "4382b", true,  true,  "这个按钮",                            0, "in their language"            },
        {"/go " JOB,    "en", "4382b", true,  false, NULL,                                      1, "where only cards can be said" },
        {"/go " JOB,    "en", "",      true,  true,  NULL,                                      1, "a press that nobody waits for"},
        {"/go " JOB,    "en", "4382b", false, true,  "",                                        1, "one's own chat: an old button"},
        {"/terms",      "en", "4382b", true,  true,  "",                                        1, "what everybody may press"     },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char id[8];
        struct chat_event e = {
            .kind = CHAT_BUTTON,
            .event_id = id,
            .user_id = "77",
            .lang = rows[i].lang,
            .text = rows[i].action,
            .card_ref = "-1:5",
            .quoted = "",
            .press = rows[i].press,
            .is_group = rows[i].is_group,
            .addr = {.network = "fake", .chat = "-1"}
        };
        print_message("%s\n", rows[i].why);
        snprintf(id, sizeof(id), "%zu", i);
        w.ops.pressed = rows[i].can ? pressed : NULL;
        w.answered = 0;
        fixture_db_sql(w.world.bot.db, "delete from outbox");
        assert_true(bot_on_events(&w.world.bot, &e, 1, NULL));
        assert_int_equal(bot_handle_one(&w.world.bot), BOT_ONE);
        assert_int_equal(w.answered, rows[i].said != NULL);
        if (rows[i].said) {
            assert_string_equal(w.press, rows[i].press);
            assert_true(str_starts(w.text, rows[i].said) && !w.text[0] == !rows[i].said[0]);
        }
        assert_int_equal(fixture_db_number(w.world.bot.db, "select count(*) from outbox"),
                         rows[i].cards);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(press_is_answered_as_it_should, setup, teardown),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
