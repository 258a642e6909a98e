#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "adapters/telegram/decode.h"
#include "adapters/telegram/utf16.h"
#include "core/net/json.h"

static const struct tg_me me = {.id = 7000000001, .username = "ExampleClipBot"};

#define ANA                                                                                       \
    "\"from\":{\"id\":6123456789,\"is_bot\":false,\"first_name\":\"Ana\",\"username\":\"ana_s\"," \
    "\"language_code\":\"pt-BR\"}"
#define PRIVATE "\"chat\":{\"id\":6123456789,\"type\":\"private\",\"first_name\":\"Ana\"}"
#define GROUP "\"chat\":{\"id\":-4987654321,\"type\":\"group\",\"title\":\"Film club\"}"
#define FORUM                                                                          \
    "\"chat\":{\"id\":-1002233445566,\"type\":\"supergroup\",\"title\":\"Film club\"," \
    "\"is_forum\":true}"
#define COMMAND(n) "\"entities\":[{\"type\":\"bot_command\",\"offset\":0,\"length\":" #n "}]"
#define MESSAGE(fields) "{\"update_id\":5,\"message\":{\"date\":1780000002," fields "}}"
#define BOT_REPLY                                                                          \
    "\"reply_to_message\":{\"message_id\":13,\"from\":{\"id\":7000000001,\"is_bot\":true}" \
    "," PRIVATE ",\"text\":\"Rendering 40%\"}"

enum { NONE = -1 };

static const struct {
    const char *json;
    int kind; /* chat_event_kind, or NONE */
    const char *text, *chat, *thread, *ref, *quoted, *why;
} rows[] = {
    {MESSAGE("\"message_id\":11," ANA "," PRIVATE ",\"text\":\"/start ref_k3Jx-9\"," COMMAND(6)),
     CHAT_LINE,                                                                                                    "/start ref_k3Jx-9",                   "6123456789",     "",   "",              "",                   "deep link"                                                },
    {MESSAGE("\"message_id\":12," ANA "," PRIVATE
             ",\"text\":\"/make \xf0\x9f\x90\x99 octopus #sea\"," COMMAND(5)),
     CHAT_LINE,                                                                                                    "/make \xf0\x9f\x90\x99 octopus #sea", "6123456789",     "",   "",              "",                   "emoji"                                                    },
    {MESSAGE("\"message_id\":12," ANA "," PRIVATE ",\"text\":\"/MAKE  tides\"," COMMAND(5)),
     CHAT_LINE,                                                                                                    "/make tides",                         "6123456789",     "",   "",              "",                   "letter case and blanks"                                   },
    {MESSAGE("\"message_id\":12," ANA "," PRIVATE ",\"text\":\"hello\""),                              CHAT_LINE,  "hello",
     "6123456789",                                                                                                                                                          "",   "",              "",                   "plain words in private"                                   },
    {MESSAGE("\"message_id\":405," ANA "," GROUP
             ",\"text\":\"/make@ExampleClipBot black holes\"," COMMAND(20)),
     CHAT_LINE,                                                                                                    "/make black holes",                   "-4987654321",    "",   "",              "",                   "group, with our name"                                     },
    {MESSAGE("\"message_id\":405," ANA "," GROUP
             ",\"text\":\"/make@exampleclipbot black holes\"," COMMAND(20)),
     CHAT_LINE,                                                                                                    "/make black holes",                   "-4987654321",    "",   "",              "",                   "name in another case"                                     },
    {MESSAGE("\"message_id\":405," ANA "," GROUP
             ",\"text\":\"/make@OtherBot black holes\"," COMMAND(14)),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "somebody else's command"                                  },
    {MESSAGE("\"message_id\":405," ANA "," GROUP ",\"text\":\"people talk\""),                         NONE,       "",                                    "",               "",   "",
     "",                                                                                                                                                                                                                 "people talk to each other"                                },
    {MESSAGE("\"message_id\":405," ANA "," GROUP
             ",\"text\":\"\xf0\x9f\x98\x80 @ExampleClipBot how tides work\","
             "\"entities\":[{\"type\":\"mention\",\"offset\":3,\"length\":15}]"),
     CHAT_LINE,                                                                                                    "\xf0\x9f\x98\x80 how tides work",     "-4987654321",    "",   "",              "",
     "mention after an emoji of two units"                                                                                                                                                                                                                                          },
    {MESSAGE("\"message_id\":977,\"message_thread_id\":42,\"is_topic_message\":true," ANA "," FORUM
             ",\"text\":\"/make@exampleclipbot\\nhow tides work\"," COMMAND(
                 20) ",\"reply_to_message\":{\"message_id\":42,\"from\":{\"id\":6123456789},"
                     "\"forum_topic_created\":{\"name\":\"Ideas\"}," FORUM "}"),
     CHAT_LINE,                                                                                                    "/make how tides work",                "-1002233445566", "42", "",              "",                   "forum topic"                                              },
    {MESSAGE("\"message_id\":977,\"message_thread_id\":42," ANA "," FORUM
             ",\"text\":\"/help@exampleclipbot\"," COMMAND(20)),
     CHAT_LINE,                                                                                                    "/help",                               "-1002233445566", "",   "",              "",                   "a chain of replies is no topic"                           },
    {MESSAGE("\"message_id\":977,\"message_thread_id\":42,\"is_topic_message\":true," ANA "," FORUM
             ",\"text\":\"just talk\",\"reply_to_message\":{\"message_id\":42,"
             "\"from\":{\"id\":7000000001},\"forum_topic_created\":{\"name\":\"x\"}," FORUM "}"),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "in a topic that the bot opened, talk is not a reply to it"},
    {MESSAGE("\"message_id\":978,\"from\":{\"id\":1087968824,\"is_bot\":true},"
             "\"sender_chat\":{\"id\":-1002233445566,\"type\":\"supergroup\"}," FORUM
             ",\"text\":\"/credits@ExampleClipBot\"," COMMAND(23)),
     CHAT_REFUSED,                                                                                                 "chat.anonymous",                      "-1002233445566", "",   "",              "",                   "anonymous admin"                                          },
    {MESSAGE("\"message_id\":978,\"from\":{\"id\":1087968824,\"is_bot\":true},"
             "\"sender_chat\":{\"id\":-1002233445566,\"type\":\"supergroup\"}," FORUM
             ",\"text\":\"good morning\""),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "anonymous admin talking to people"                        },
    {MESSAGE("\"message_id\":978,\"from\":{\"id\":99,\"is_bot\":true}," GROUP
             ",\"text\":\"/make@ExampleClipBot x\"," COMMAND(20)),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "another bot"                                              },
    {MESSAGE("\"message_id\":14," ANA "," PRIVATE "," BOT_REPLY ",\"text\":\"shorter please\""),
     CHAT_LINE,                                                                                                    "shorter please",                      "6123456789",     "",   "6123456789:13", "",                   "reply to a card"                                          },
    {MESSAGE("\"message_id\":15," ANA "," GROUP ",\"text\":\"/make@ExampleClipBot\"," COMMAND(
         20) ",\"reply_to_message\":{\"message_id\":9,\"from\":{\"id\":5,\"is_bot\":false}," GROUP
             ",\"text\":\"How do bees sleep?\"}"),
     CHAT_LINE,                                                                                                    "/make",                               "-4987654321",    "",   "",              "How do bees sleep?", "somebody's text"                                          },
    {MESSAGE("\"message_id\":15," ANA "," GROUP ",\"text\":\"/make@ExampleClipBot\"," COMMAND(
         20) ",\"quote\":{\"text\":\"bees\",\"position\":0},\"reply_to_message\":{\"message_id\":9,"
             "\"from\":{\"id\":5,\"is_bot\":false}," GROUP ",\"text\":\"How do bees sleep?\"}"),
     CHAT_LINE,                                                                                                    "/make",                               "-4987654321",    "",   "",              "bees",               "the marked part of it"                                    },
    {"{\"update_id\":5,\"callback_query\":{\"id\":\"43\"," ANA ",\"message\":{\"message_id\":15,"
     "\"date\":3," PRIVATE "},\"chat_instance\":\"-3\",\"data\":\"/cancel 7f3a\"}}",
     CHAT_BUTTON,                                                                                                  "/cancel 7f3a",                        "6123456789",     "",   "6123456789:15", "",                   "button"                                                   },
    {"{\"update_id\":5,\"callback_query\":{\"id\":\"43\"," ANA ",\"message\":{\"message_id\":2,"
     "\"date\":0," PRIVATE "},\"data\":\"/cancel 1\"}}",
     CHAT_BUTTON,                                                                                                  "/cancel 1",                           "6123456789",     "",   "6123456789:2",  "",                   "message out of sight"                                     },
    {"{\"update_id\":5,\"callback_query\":{\"id\":\"43\"," ANA ",\"message\":{\"message_id\":15,"
     "\"date\":3," PRIVATE "},\"data\":\"grant me\"}}",
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "forged data that is no action"                            },
    {"{\"update_id\":5,\"callback_query\":{\"id\":\"43\"," ANA ",\"data\":\"/x\"}}",                   NONE,       "",                                    "",
     "",                                                                                                                                                                          "",              "",                   "button without a message"                                 },
    {"{\"update_id\":5,\"callback_query\":{\"id\":\"43\",\"message\":{\"message_id\":15," PRIVATE
     "},\"data\":\"/x\"}}",                                                                       NONE,       "",                                    "",               "",   "",              "",                   "button of nobody"                                         },
    {"{\"update_id\":5,\"edited_message\":{\"message_id\":12,\"date\":1,\"edit_date\":2," ANA
     "," PRIVATE ",\"text\":\"/make octopuses\"," COMMAND(5) "}}",
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "edited message"                                           },
    {"{\"update_id\":5,\"channel_post\":{\"message_id\":12,\"date\":1,\"chat\":{\"id\":-1001,"
     "\"type\":\"channel\"},\"text\":\"/make x\"," COMMAND(5) "}}",
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "channel"                                                  },
    {MESSAGE("\"message_id\":410," ANA "," GROUP ",\"migrate_to_chat_id\":-1002233445566"),
     CHAT_MOVED,                                                                                                   "-1002233445566",                      "-4987654321",    "",   "",              "",                   "migration, old side"                                      },
    {MESSAGE("\"message_id\":1," ANA "," FORUM ",\"migrate_from_chat_id\":-4987654321"),               CHAT_MOVED,
     "-1002233445566",                                                                                                                                    "-4987654321",    "",   "",              "",                   "migration, new side"                                      },
    {MESSAGE("\"message_id\":17," ANA "," PRIVATE ",\"voice\":{\"file_id\":\"AwAC\"}"),
     CHAT_REFUSED,                                                                                                 "chat.no_voice",                       "6123456789",     "",   "",              "",                   "voice note"                                               },
    {MESSAGE("\"message_id\":17," ANA "," PRIVATE ",\"sticker\":{\"file_id\":\"AwAC\"}"),              NONE,       "",
     "",                                                                                                                                                                    "",   "",              "",                   "sticker"                                                  },
    {MESSAGE("\"message_id\":17," ANA "," PRIVATE
             ",\"photo\":[{\"file_id\":\"AgAC1\",\"width\":90,\"height\":9}]"),
     CHAT_REFUSED,                                                                                                 "chat.media_needs_caption",            "6123456789",     "",   "",              "",                   "photo without words"                                      },
    {MESSAGE("\"message_id\":0," ANA "," PRIVATE ",\"text\":\"/help\"," COMMAND(5)),                   NONE,       "",                                    "",
     "",                                                                                                                                                                          "",              "",                   "scheduled: no usable id"                                  },
    {MESSAGE("\"message_id\":12,\"business_connection_id\":\"b\"," ANA "," PRIVATE
             ",\"text\":\"/help\"," COMMAND(5)),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "not a chat of the bot"                                    },
    {MESSAGE("\"message_id\":12," PRIVATE ",\"text\":\"/help\"," COMMAND(5)),                          NONE,       "",                                    "",               "",   "",
     "",                                                                                                                                                                                                                 "from nobody"                                              },
    {MESSAGE("\"message_id\":12,\"from\":{\"id\":\"x\"}," PRIVATE
             ",\"text\":\"/help\"," COMMAND(5)),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "id of the wrong type"                                     },
    {MESSAGE("\"message_id\":12," ANA
             ",\"chat\":{\"id\":5,\"type\":\"group\"},\"text\":\"/help\"," COMMAND(5)),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "a group with a positive id"                               },
    {MESSAGE("\"message_id\":12," ANA "," PRIVATE ",\"text\":\"/make x\",\"entities\":"
             "[null,1,{\"type\":\"bot_command\",\"offset\":0,\"length\":99999}]"),
     CHAT_LINE,                                                                                                    "/make x",                             "6123456789",     "",   "",              "",                   "entity longer than the text"                              },
    {MESSAGE("\"message_id\":12," ANA "," PRIVATE
             ",\"text\":\"/make a\\u0000b\\ud83d\"," COMMAND(5)),
     CHAT_LINE,                                                                                                    "/make a\xef\xbf\xbd"
     "b\xef\xbf\xbd",                                                                                                                      "6123456789",     "",   "",              "",                   "NUL and half a surrogate pair"                            },
    {MESSAGE("\"message_id\":12," ANA "," PRIVATE ",\"text\":\"/make \\u202egnp.exe\"," COMMAND(5)),
     CHAT_LINE,                                                                                                    "/make gnp.exe",                       "6123456789",     "",   "",              "",                   "text direction tricks"                                    },
    {MESSAGE("\"message_id\":12,\"guest_query_id\":\"g\"," ANA "," PRIVATE
             ",\"text\":\"/help\"," COMMAND(5)),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "a guest's query: no chat of ours"                         },
    {MESSAGE("\"message_id\":12,\"is_automatic_forward\":true," ANA "," GROUP
             ",\"text\":\"/help\"," COMMAND(5)),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "a channel's post in its group"                            },
    {MESSAGE("\"message_id\":12,\"from\":{\"id\":9,\"is_bot\":true}," GROUP
             ",\"text\":\"/help\"," COMMAND(5)),
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "another bot"                                              },
    {"{\"update_id\":5,\"callback_query\":{\"id\":\"43\",\"from\":{\"id\":9,\"is_bot\":true},"
     "\"message\":{\"message_id\":15,\"date\":3," PRIVATE "},\"data\":\"/x\"}}",
     NONE,                                                                                                         "",                                    "",               "",   "",              "",                   "another bot's press"                                      },
    {"{\"update_id\":5,\"message\":null}",                                                             NONE,       "",                                    "",               "",   "",              "",                   "null"                                                     },
    {"{\"update_id\":5,\"message\":[],\"callback_query\":7}",                                          NONE,       "",                                    "",               "",   "",              "",                   "types"                                                    },
    {"{\"update_id\":5}",                                                                              NONE,       "",                                    "",               "",   "",              "",                   "kind that we do not know"                                 },
};

static bool decode(const char *json, struct arena *a, struct tg_update *u)
{
    AUTO(json_free) cJSON *doc = NULL;
    struct err e = {0};
    assert_true(json_parse(json, strlen(json), NULL, &doc, &e));
    return tg_decode(doc, &me, a, u);
}

static void each_update_means_one_thing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(arena_free) struct arena a = {0};
        struct tg_update u;
        if (!decode(rows[i].json, &a, &u))
            fail_msg("%s: no update", rows[i].why);
        if (rows[i].kind == NONE) {
            if (u.kind != TG_SKIP)
                fail_msg("%s: not skipped: '%s'", rows[i].why, u.event.text);
            continue;
        }
        if (u.kind != TG_EVENT || (int)u.event.kind != rows[i].kind ||
            strcmp(u.event.text, rows[i].text) != 0 ||
            strcmp(u.event.addr.chat, rows[i].chat) != 0 ||
            strcmp(u.event.addr.thread, rows[i].thread) != 0 ||
            strcmp(u.event.card_ref, rows[i].ref) != 0 ||
            strcmp(u.event.quoted, rows[i].quoted) != 0)
            fail_msg("%s: kind %d/%d '%s' in %s/%s on '%s' quoting '%s'", rows[i].why, u.kind,
                     u.event.kind, u.event.text, u.event.addr.chat, u.event.addr.thread,
                     u.event.card_ref, u.event.quoted);
        assert_string_equal(u.event.addr.network, "telegram");
        bool nobody = u.event.kind == CHAT_MOVED || strcmp(u.event.text, "chat.anonymous") == 0;
        assert_string_equal(u.event.user_id, nobody ? "" : "6123456789");
        assert_int_equal(u.event.is_group, u.event.addr.chat[0] == '-');
        assert_string_equal(u.event.press, u.event.kind == CHAT_BUTTON ? "43" : "");
        if (!nobody)
            assert_string_equal(u.event.lang, "pt-br");
    }
}

static void unusable_numbers_are_no_update(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "{\"update_id\":\"5\"}",
                                      "{\"update_id\":-1}",
                                      "{\"update_id\":1e10}",
                                      "{\"update_id\":null}",
                                      "7"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        AUTO(arena_free) struct arena a = {0};
        struct tg_update u;
        if (decode(bad[i], &a, &u))
            fail_msg("%s", bad[i]);
    }
}

/* Every query must be answered, also those that do nothing. */
static void queries_are_answered_always(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena a = {0};
    struct tg_update u;
    assert_true(decode("{\"update_id\":5,\"callback_query\":{\"id\":\"43\"}}", &a, &u));
    assert_int_equal(u.kind, TG_SKIP);
    assert_string_equal(u.callback_id, "43");
}

/* What is stored must not name anybody; two updates never share a name. */
static void event_names_are_unique_and_nobodys(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena a = {0};
    struct tg_update u, later;
    assert_true(decode(rows[0].json, &a, &u));
    assert_string_equal(u.event.event_id, "7000000001:5:1780000002");
    assert_null(strstr(u.event.event_id, "6123456789"));
    assert_true(decode("{\"update_id\":5,\"message\":{\"message_id\":11,\"date\":1790000000," ANA
                       "," PRIVATE ",\"text\":\"/help\"," COMMAND(5) "}}",
                       &a, &later));
    assert_string_not_equal(u.event.event_id, later.event.event_id);
}

#define ALBUM_PART(id, extra)                                                                \
    "{\"update_id\":" #id ",\"message\":{\"message_id\":" #id ",\"date\":1," ANA "," PRIVATE \
    ",\"media_group_id\":\"77\",\"photo\":[{\"file_id\":\"small" #id "\",\"width\":90},"     \
    "{\"file_id\":\"large" #id "\",\"width\":1280}]" extra "}}"

static void albums_become_one_event(void **state)
{
    (void)state;
    AUTO(arena_free) struct arena a = {0};
    struct tg_update u[3];
    assert_true(decode(ALBUM_PART(1, ""), &a, &u[0]));
    assert_true(decode(ALBUM_PART(2, ",\"caption\":\"/make our trip\",\"caption_entities\":"
                                     "[{\"type\":\"bot_command\",\"offset\":0,\"length\":5}]"),
                       &a, &u[1]));
    assert_true(decode(ALBUM_PART(3, ""), &a, &u[2]));
    tg_join_albums(u, 3);
    assert_int_equal(u[0].kind, TG_SKIP);
    assert_int_equal(u[2].kind, TG_SKIP);
    assert_int_equal(u[1].kind, TG_EVENT);
    assert_string_equal(u[1].event.text, "/make our trip");
    assert_int_equal(u[1].event.media_count, 3);
    assert_string_equal(u[1].event.media[0], "p:large2");
    assert_string_equal(u[1].event.media[1], "p:large1");
    assert_string_equal(u[1].event.media[2], "p:large3");
    /* Without a command: one answer, not three. */
    assert_true(decode(ALBUM_PART(1, ""), &a, &u[0]));
    assert_true(decode(ALBUM_PART(2, ""), &a, &u[1]));
    assert_true(decode(ALBUM_PART(3, ""), &a, &u[2]));
    tg_join_albums(u, 3);
    assert_int_equal(u[0].kind, TG_EVENT);
    assert_string_equal(u[0].event.text, "chat.media_needs_caption");
    assert_int_equal(u[1].kind, TG_SKIP);
    assert_int_equal(u[2].kind, TG_SKIP);
}

static void utf16_is_counted_right(void **state)
{
    (void)state;
    const char *text = "a\xf0\x9f\x90\x99\xd8\xa7z"; /* 1, 2, 1, 1 units; 1, 4, 2, 1 bytes */
    static const struct {
        int64_t units;
        size_t bytes;
    } cuts[] = {
        {0,  0},
        {1,  1},
        {2,  1},
        {3,  5},
        {4,  7},
        {5,  8},
        {99, 8},
        {-5, 0}
    };
    for (size_t i = 0; i < COUNT(cuts); i++)
        assert_int_equal(tg_utf16_bytes(text, cuts[i].units), cuts[i].bytes);
    assert_int_equal(tg_utf16_units(text, strlen(text)), 5);
}

static void references_read_back(void **state)
{
    (void)state;
    char ref[CHAT_REF_MAX];
    int64_t chat = 0, message = 0;
    tg_ref_put(ref, -1002233445566, 4503599627370496);
    assert_true(tg_ref_get(ref, &chat, &message));
    assert_true(chat == -1002233445566 && message == 4503599627370496);
    static const char *const bad[] = {
        "",     ":",   "1:",   ":1", "1:0",
        "1:-4", "x:1", "1:1x", "1",  "99999999999999999999999999999999999999:1"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(tg_ref_get(bad[i], &chat, &message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_update_means_one_thing),
        cmocka_unit_test(unusable_numbers_are_no_update),
        cmocka_unit_test(queries_are_answered_always),
        cmocka_unit_test(event_names_are_unique_and_nobodys),
        cmocka_unit_test(albums_become_one_event),
        cmocka_unit_test(utf16_is_counted_right),
        cmocka_unit_test(references_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
