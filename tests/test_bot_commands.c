/* Commands against a real database: what each answers, in three languages; money; groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "bot/bot.h"
#include "bot/card_json.h"
#include "bot/command.h"
#include "bot/inbox.h"
#include "core/base/fs.h"
#include "core/base/strbuf.h"
#include "core/db/store_chat.h"
#include "core/db/store_group.h"
#include "core/db/store_job.h"
#include "core/db/store_ledger.h"
#include "core/i18n/i18n.h"
#include "tests/fake_chat.h"
#include "tests/fixture_db.h"

/* --- a voice and a writer that only know what quotes ask --- */

static const struct speech_voice *fake_voices(void *self, size_t *ret_count)
{
    static const struct speech_voice voices[] = {
        {"ann", "en",    "Ann", true },
        {"bob", "en-GB", "Bob", false},
        {"mei", "zh",    "Mei", true },
        {"nur", "ar",    "Nur", true }
    };
    (void)self;
    *ret_count = COUNT(voices);
    return voices;
}

static int fake_rate(void *self, const char *lang, const char *voice)
{
    (void)self, (void)voice;
    return strncmp(lang, "zh", 2) == 0 ? 240 : strncmp(lang, "tl", 2) == 0 ? 0 : 150;
}

static bool fake_speak(void *self, const struct speech_request *r, struct speech_result *ret,
                       struct err *e)
{
    (void)self, (void)r, (void)ret;
    return err_set(e, ERR_INTERNAL, "error.internal", "not in this test");
}

static void fake_destroy(void *self)
{
    (void)self;
}

static const struct speech_engine_ops speech_ops = {.name = "fake",
                                                    .voices = fake_voices,
                                                    .speak = fake_speak,
                                                    .rate = fake_rate,
                                                    .destroy = fake_destroy};

static const struct script_writer_ops writer_ops = {
    .name = "own-words", .destroy = fake_destroy, .own_words = true};

struct world {
    struct bot bot;
    struct toolbox tools;
    struct fake_chat chat;
    unsigned events;
    struct strbuf said; /* what the last event was answered with */
    size_t cards;
    bool any_private;
    char file[200];          /* that the last card brought */
    struct chat_event event; /* the template of the next events */
};

static void world_open(struct world *w, bool buttons)
{
    memset(w, 0, sizeof(*w));
    fake_chat_init(&w->chat, buttons);
    w->tools.engines[0].ops = &speech_ops;
    w->tools.engine_count = 1;
    w->tools.writers[0].ops = &writer_ops;
    w->tools.writer_count = 1;
    w->tools.seconds_max = 180;
    w->bot = (struct bot){
        .db = fixture_db_fresh(3),
        .tools = &w->tools,
        .adapters = {fake_chat_adapter(&w->chat)},
        .adapter_count = 1,
        .prices = { 1, 2, 3},
        .trial_credits = 1,
        .seconds_max = 180,
        .own_words = true,
    };
    w->said = (struct strbuf)STRBUF(1 << 20);
    w->event = (struct chat_event){.user_id = "u1", .lang = "en", .card_ref = "", .quoted = ""};
    str_copy(w->event.addr.network, sizeof(w->event.addr.network), "fake");
    str_copy(w->event.addr.chat, sizeof(w->event.addr.chat), "c1");
}

static void world_close(struct world *w)
{
    fixture_db_done(&w->bot.db);
    fake_chat_free(&w->chat);
    strbuf_free(&w->said);
}

static bool drain_body(struct db_tx *tx, void *data, struct err *e)
{
    struct world *w = data;
    for (;;) {
        struct outbox_row rows[8];
        size_t count = 0;
        if (!outbox_claim(tx, "fake", COUNT(rows), rows, &count, e))
            return false;
        for (size_t i = 0; i < count; i++) {
            AUTO(card_doc_free) struct card_doc doc = {0};
            char ref[24];
            snprintf(ref, sizeof(ref), "r%lld", (long long)rows[i].id);
            bool ok = card_from_json(rows[i].body, &doc, e) && outbox_sent(tx, &rows[i], ref, e);
            AUTO(free_ptr) char *text = ok ? fake_card_text(&doc.card) : NULL;
            strbuf_adds(&w->said, text ? text : "");
            w->any_private |= doc.card.is_private;
            str_copy(w->file, sizeof(w->file), doc.card.file ? doc.card.file : "");
            w->cards++;
            outbox_row_free(&rows[i]);
            if (!ok)
                return false;
        }
        if (count == 0)
            return true;
    }
}

/* Types a line and collects the answer. */
static const char *say(struct world *w, const char *line)
{
    char id[24];
    struct err e = {0};
    snprintf(id, sizeof(id), "e%u", ++w->events);
    w->event.event_id = id;
    w->event.text = line;
    strbuf_reset(&w->said);
    w->cards = 0;
    w->any_private = false;
    assert_true(bot_on_events(&w->bot, &w->event, 1, NULL));
    enum bot_did did;
    while ((did = bot_handle_one(&w->bot)) == BOT_ONE)
        ;
    assert_int_equal(did, BOT_NOTHING);
    if (!db_run(w->bot.db, drain_body, w, &e))
        fail_msg("%s", e.detail);
    return strbuf_text(&w->said);
}

static void expect(struct world *w, const char *line, const char *needle)
{
    const char *said = say(w, line);
    if (!strstr(said, needle))
        fail_msg("\"%s\" was answered with:\n%swithout \"%s\"", line, said, needle);
}

static int64_t number(struct world *w, const char *sql)
{
    return fixture_db_number(w->bot.db, sql);
}

/* The eight digits behind a word such as "/cancel ". */
static void find_ref(const char *text, const char *behind, char ret[9])
{
    const char *at = strstr(text, behind);
    assert_non_null(at);
    memcpy(ret, at + strlen(behind), 8);
    ret[8] = '\0';
}

/* --- cases --- */

static void test_every_command_answers_in_three_languages(void **state)
{
    (void)state;
    static const char *const langs[] = {"en", "zh", "ar"};
    static const char *const extra[] = {
        "hello there",     "/nonsense",     "/make",
        "/make style:x y", "/cancel",       "/go",
        "/go 12345678",    "/settings hd",  "/settings what is this",
        "/voice ann",      "/voice nobody", "/voice auto",
        "/style neon",     "/style ugly",   "/lang xx",
        "/forget yes"};
    for (size_t l = 0; l < COUNT(langs); l++) {
        struct world w;
        world_open(&w, false);
        w.event.lang = langs[l];
        for (size_t i = 0; i < command_count + COUNT(extra); i++) {
            AUTO(free_ptr)
            char *line = i < command_count ? str_printf("/%s", commands[i].name)
                                           : str_dup(extra[i - command_count]);
            const char *said = say(&w, line);
            if (w.cards != 1 || !said[0])
                fail_msg("%s: \"%s\" gave %zu cards", langs[l], line, w.cards);
            /* A key or a placeholder that shows is a text that is missing. */
            if (strchr(said, '{') || strstr(said, "error.") || strstr(said, "help.") ||
                strstr(said, "make."))
                fail_msg("%s: \"%s\" was answered with:\n%s", langs[l], line, said);
        }
        world_close(&w);
    }
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

static void test_repeated_event(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    say(&w, "/make How tides work");
    w.events--; /* the network offers the same event again */
    say(&w, "/make How tides work");
    assert_int_equal(w.cards, 0);
    assert_int_equal(number(&w, "select count(*) from jobs"), 1);
    /* A refusal is remembered too: the same event must not start a job after a top-up. */
    say(&w, "/make style:ugly x");
    w.events--;
    say(&w, "/make style:ugly x");
    assert_int_equal(w.cards, 0);
    world_close(&w);
}

struct gift {
    char account[37];
    int64_t credits;
};

static bool gift_body(struct db_tx *tx, void *data, struct err *e)
{
    const struct gift *gift = data;
    enum ledger_result result;
    return ledger_grant(tx, "grant:test", gift->account, gift->credits, "cli", "test", &result, e);
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

static void test_groups(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true);
    w.event.is_group = true;
    say(&w, "just talking");
    assert_int_equal(w.cards, 0); /* people talk to each other */
    say(&w, "/weather tomorrow");
    assert_int_equal(w.cards, 0); /* or to another bot */
    expect(&w, "/mak", "Did you mean /make?");
    say(&w, "/credits");
    assert_true(w.any_private); /* money is nobody else's business */
    say(&w, "/help");
    assert_false(w.any_private);
    const char *said = say(&w, "/make How tides work");
    assert_false(w.any_private);
    char id[37];
    str_copy(id, sizeof(id), strstr(said, "|/cancel ") + 9);
    AUTO(free_ptr) char *cancel = str_printf("/cancel %s", id);
    w.event.user_id = "u2";
    w.event.kind = CHAT_BUTTON;
    AUTO(free_ptr) char *go = str_printf("/go %s", id);
    expect(&w, go, "for the person who asked for the video");
    expect(&w, cancel, "Only the person who asked");
    w.event.is_group_admin = true;
    expect(&w, cancel, "Cancelled.");
    world_close(&w);
}

static void test_admin_of_another_chat(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true);
    w.event.is_group = true;
    const char *said = say(&w, "/make How tides work");
    AUTO(free_ptr) char *cancel = str_printf("/cancel %.36s", strstr(said, "|/cancel ") + 9);
    w.event.user_id = "u2";
    w.event.is_group_admin = true;
    str_copy(w.event.addr.chat, sizeof(w.event.addr.chat), "c2");
    expect(&w, cancel, "no video with that reference");
    world_close(&w);
}

static void test_forget(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    say(&w, "/make How tides work");
    say(&w, "/cancel");
    static const char *const kinds[] = {"mp4", "jpg", "srt"};
    char folder[300], path[400];
    const char *tmp = getenv("TMPDIR");
    struct err e = {0};
    snprintf(folder, sizeof(folder), "%.200s/forget-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < COUNT(kinds); i++) {
        snprintf(path, sizeof(path), "%s/film.%s", folder, kinds[i]);
        assert_true(fs_write(path, "x", 1, &e));
    }
    AUTO(free_ptr)
    char *film = str_printf("insert into videos(job_id, user_id, title, path, duration_ms, bytes)"
                            " select id, user_id, 't', '%s/film.mp4', 1, 1 from jobs returning 1",
                            folder);
    assert_int_equal(number(&w, film), 1);
    expect(&w, "/forget", "/forget yes");
    assert_int_equal(number(&w, "select count(*) from identities"), 1);
    expect(&w, "/forget yes", "has been deleted");
    assert_int_equal(number(&w, "select count(*) from identities"), 0);
    assert_int_equal(rmdir(folder), 0); /* film, poster and subtitles went with the rest */
    expect(&w, "/credits", "You have 0 credits"); /* a new account, but no second trial */
    world_close(&w);
}

static void test_language(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    expect(&w, "/lang zh", "中文");
    expect(&w, "/help", "可用命令");
    expect(&w, "/lang ar", "العربية");
    expect(&w, "/credits", "نقطة واحدة");
    expect(&w, "/lang klingon", "klingon");
    expect(&w, "/lang en", "English");
    world_close(&w);
}

static void test_unknown_commands(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    expect(&w, "/mkae cats", "Did you mean /make?");
    expect(&w, "/HELP", "What you can type");
    expect(&w, "/help@nanotik_bot", "What you can type");
    expect(&w, "/xyzzyplugh", "There is no command /xyzzyplugh.");
    expect(&w, "How do tides work?", "/make How do tides work?");
    world_close(&w);
}

static void test_refused_and_repaired(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    w.event.kind = CHAT_REFUSED;
    w.event.quoted = "256 kB";
    expect(&w, "error.too_long", "at most 256 kB");
    w.event.user_id = "";
    expect(&w, "error.too_long", "at most 256 kB");
    assert_int_equal(number(&w, "select count(*) from users"), 1); /* nobody got no account */
    w.event.user_id = "u1";
    w.event.kind = CHAT_LINE;
    w.event.repaired = true;
    expect(&w, "/make How tides work", "not valid UTF-8");
    world_close(&w);
}

static void test_quoted_message(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false);
    w.event.quoted = "Whales sing across oceans.";
    expect(&w, "/make", "Whales sing");
    world_close(&w);
}

/* --- films that are there --- */

struct film {
    struct world *w;
    char folder[64], path[100];
    struct job job;
    bool keep; /* nobody could be reached */
};

static bool film_body(struct db_tx *tx, void *data, struct err *e)
{
    struct film *f = data;
    struct script_scene scenes[] = {{.narration = "How tides work."},
                                    {.narration = "The moon pulls the sea."}};
    const struct script script = {.scenes = scenes, .scene_count = COUNT(scenes), .title = "Tides"};
    AUTO(storyboard_free) struct storyboard story = {0};
    AUTO(storyboard_free) struct storyboard ordered = {0};
    AUTO(free_ptr) char *json = NULL;
    job_free(&f->job);
    if (!job_claim(tx, "test", &f->job, e) ||
        !storyboard_from_json(f->job.story, strlen(f->job.story), &ordered, e) ||
        !storyboard_from_script(&story, &script, &ordered.settings, e))
        return false;
    for (size_t i = 0; i < story.scene_count; i++) {
        story.scenes[i].footage.kind = FOOTAGE_CLIP;
        snprintf(story.scenes[i].footage.id, sizeof(story.scenes[i].footage.id), "clip%zu", i);
    }
    snprintf(f->path, sizeof(f->path), "%s/film.mp4", f->folder);
    return storyboard_to_json(&story, &json, e) && job_save_story(tx, &f->job, "test", json, e) &&
           job_delivering(tx, &f->job, "test", f->path, 7000, 1000, e) &&
           (f->keep ? job_keep(tx, &f->job, "test", 14, "deliver.unreachable", "", e)
                    : job_done(tx, &f->job, "test", "ref", 1, "Tides", e));
}

static void film_open(struct film *f, struct world *w, bool keep)
{
    struct err e = {0};
    *f = (struct film){.w = w, .keep = keep};
    str_copy(f->folder, sizeof(f->folder), "/tmp/nanotik-bot-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    const char *said = say(w, "/make How tides work. The moon pulls the sea.");
    const char *go = strstr(said, "|/go ");
    if (go) {
        AUTO(free_ptr) char *line = str_printf("%.40s", go + 1);
        say(w, line);
    }
    if (!db_run(w->bot.db, film_body, f, &e))
        fail_msg("%s", e.detail);
    AUTO(free_ptr) char *srt = str_printf("%s/film.srt", f->folder);
    assert_true(fs_write(f->path, "film", 4, &e) && fs_write(srt, "1\n", 2, &e));
}

static void film_close(struct film *f)
{
    job_free(&f->job);
    fs_remove(f->folder);
}

static void test_a_kept_film_is_offered_and_sent_once(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, true);
    AUTO(free_ptr) char *send = str_printf("/send %s", f.job.id);
    AUTO(free_ptr) char *button = str_printf("[Send it here|%s]", send);
    const char *said = say(&w, "/help");
    assert_int_equal(w.cards, 2);
    if (!strstr(said, button) || !strstr(said, "cannot be reached") || !strstr(said, "/cancel "))
        fail_msg("%s", said);
    say(&w, "/help");
    assert_int_equal(w.cards, 1); /* not with every word */
    expect(&w, "/history", "kept for you");
    /* Somebody else has no use for the button. */
    w.event.user_id = "u2";
    expect(&w, send, "no video");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'kept'"), 1);
    w.event.user_id = "u1";
    w.event.video_bytes_max = 4000000;
    expect(&w, send, "|/cancel ");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'ready'"), 1);
    assert_int_equal(number(&w, "select held from wallets where held > 0"), 1);
    assert_int_equal(number(&w, "select (story::json->'settings'->>'byte_limit')::bigint from"
                                " jobs where state = 'ready'"),
                     4000000);
    expect(&w, send, "on its way");
    film_close(&f);
    world_close(&w);
}

static void test_a_kept_film_is_offered_in_private_elsewhere(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, true);
    str_copy(w.event.addr.chat, sizeof(w.event.addr.chat), "a group");
    w.event.is_group = true;
    say(&w, "/help");
    assert_int_equal(w.cards, 2);
    assert_true(w.any_private);
    film_close(&f);
    world_close(&w);
}

static void test_a_film_is_sent_again(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, false);
    AUTO(free_ptr) char *send = str_printf("/send %s", f.job.id);
    expect(&w, "/history", send);
    expect(&w, send, "|/cancel ");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'ready' and price = 0 and"
                                " resend_of is not null"),
                     1);
    assert_int_equal(number(&w, "select count(*) from deliveries where state = 'sending'"), 1);
    film_close(&f);
    expect(&w, send, "not there any more");
    world_close(&w);
}

static void test_remix_keeps_the_words(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    w.bot.remix_percent = 50;
    w.bot.prices[TIER_BASIC] = 1;
    expect(&w, "/remix", "There is no finished video yet. /make TOPIC makes one");
    expect(&w, "/dub zh", "There is no finished video yet. /make TOPIC makes one");
    film_open(&f, &w, false);
    w.bot.prices[TIER_BASIC] = 4;
    AUTO(free_ptr) char *line = str_printf("/remix %s", f.job.id);
    expect(&w, line, "This needs 2 credits"); /* half of the price, in the message about credits */
    assert_int_equal(number(&w, "select json_array_length(story::json->'scenes') from jobs"
                                " where state = 'quoted'"),
                     2);
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted' and"
                                " story like '%clip%'"),
                     0);
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted' and"
                                " estimate_ms = 7000 and story like '%The moon pulls%'"),
                     1);
    expect(&w, "/remix ffffffff", "no video");
    film_close(&f);
    world_close(&w);
}

static void test_dub_keeps_the_pictures(void **state)
{
    (void)state;
    static const struct {
        const char *line; /* %s: the film */
        const char *says, *why;
    } rows[] = {
        {"/dub %s",     "In which language?",                        "languages as buttons"    },
        {"/dub %s en",  "in that language already",                  "nothing to do"           },
        {"/dub %s tlh", "en, zh, ar",                                "nobody speaks it"        },
        {"/dub %s ar",  "The same pictures, told in this language.", "a quote"                 },
        {"/dub zh",     "The same pictures, told in this language.", "the newest film is meant"},
    };
    struct world w;
    struct film f;
    world_open(&w, true);
    w.bot.dub_percent = 50;
    film_open(&f, &w, false);
    w.bot.own_words = false;
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO(free_ptr) char *line = NULL;
        const char *at = strstr(rows[i].line, "%s");
        line = at ? str_printf("/dub %s%s", f.job.id, at + 2) : str_dup(rows[i].line);
        const char *said = say(&w, line);
        if (!strstr(said, rows[i].says))
            fail_msg("%s: %s", rows[i].why, said);
    }
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted' and"
                                " story like '%clip1%' and (story::json->>'dub')::int = 1"),
                     2);
    /* Without a writer the person translates. */
    w.bot.own_words = true;
    AUTO(free_ptr) char *bare = str_printf("/dub %s zh", f.job.id);
    expect(&w, bare, "Translate it yourself");
    AUTO(free_ptr) char *with = str_printf("%s 潮汐是怎么回事。月亮吸引海水。", bare);
    expect(&w, with, "The same pictures");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted' and"
                                " topic like '潮汐%' and story like '%clip1%'"),
                     1);
    film_close(&f);
    world_close(&w);
}

static void test_subtitles_come_as_a_file(void **state)
{
    (void)state;
    struct world w;
    struct film f;
    world_open(&w, true);
    film_open(&f, &w, false);
    AUTO(free_ptr) char *line = str_printf("/subtitles %s", f.job.id);
    AUTO(free_ptr) char *file = str_printf("%s/film.srt", f.folder);
    expect(&w, line, "Subtitles");
    assert_int_equal(w.cards, 1);
    assert_string_equal(w.file, file);
    film_close(&f);
    expect(&w, line, "not there any more");
    world_close(&w);
}

/* --- a group's account --- */

static bool purse_body(struct db_tx *tx, void *data, struct err *e)
{
    struct gift *gift = data;
    return group_find(tx, "fake", "c1", true, gift->account, e) && gift_body(tx, gift, e);
}

static void fill_purse(struct world *w, int64_t credits)
{
    struct gift gift = {.credits = credits};
    struct err e = {0};
    assert_true(db_run(w->bot.db, purse_body, &gift, &e));
}

static int64_t avail_of(struct world *w, const char *kind)
{
    AUTO(free_ptr)
    char *sql = str_printf("select sum(avail)::bigint from wallets join users on id = user_id"
                           " where kind = '%s'",
                           kind);
    return number(w, sql);
}

/* Says /make and gives the id of the quote; its card must have this line. */
static void quote_paid_by(struct world *w, const char *words, const char *who, char ret[37])
{
    w->event.kind = CHAT_LINE;
    const char *said = say(w, words);
    if (!strstr(said, who))
        fail_msg("%swithout \"%s\"", said, who);
    str_copy(ret, 37, strstr(said, "|/cancel ") + 9);
}

static void press(struct world *w, const char *command, const char *id, const char *word,
                  const char *needle)
{
    AUTO(free_ptr) char *line = str_printf("/%s %s%s", command, id, word);
    w->event.kind = CHAT_BUTTON;
    expect(w, line, needle);
}

static void test_a_group_pays(void **state)
{
    (void)state;
    struct world w;
    char id[37];
    world_open(&w, true);
    w.event.is_group = true;
    quote_paid_by(&w, "/make How tides work", "Paid by: your own account.", id);
    fill_purse(&w, 10);
    quote_paid_by(&w, "/make Why cats purr", "Paid by: this group. Its account has 10 credits.",
                  id);
    press(&w, "go", id, "", "Paid by: this group.");
    assert_int_equal(avail_of(&w, "group"), 9);
    assert_int_equal(avail_of(&w, "person"), 1);
    /* There and back. */
    quote_paid_by(&w, "/make What is rain", "Paid by: this group.", id);
    press(&w, "payer", id, " own", "Paid by: your own account.");
    press(&w, "payer", id, " group", "Paid by: this group.");
    press(&w, "payer", id, " own", "Let the group pay|/payer");
    press(&w, "go", id, "", "place ");
    assert_int_equal(avail_of(&w, "group"), 9);
    assert_int_equal(avail_of(&w, "person"), 0);
    /* Somebody else, who has nothing, is paid for too; but their video is theirs. */
    w.event.user_id = "u2";
    press(&w, "payer", id, " group", "for the person who asked for the video");
    quote_paid_by(&w, "/make Ten facts about bees premium", "Paid by: this group.", id);
    w.event.user_id = "u3";
    press(&w, "go", id, "", "for the person who asked for the video");
    w.event.user_id = "u2";
    /* From another chat the group does not pay: the card says so, and nothing is taken. */
    str_copy(w.event.addr.chat, sizeof(w.event.addr.chat), "c2");
    press(&w, "go", id, "", "The group does not pay for this one now");
    press(&w, "payer", id, " group", "The group does not pay for this one now");
    assert_int_equal(number(&w, "select count(*) from jobs where state = 'quoted'"), 2);
    assert_int_equal(avail_of(&w, "group"), 9);
    w.event.is_group = false;
    w.event.kind = CHAT_LINE;
    assert_null(strstr(say(&w, "/make How tides work"), "Paid by"));
    world_close(&w);
}

static bool written_body(struct db_tx *tx, void *id, struct err *e)
{
    struct script_scene scenes[] = {{.narration = "The moon pulls the sea."}};
    const struct script script = {.scenes = scenes, .scene_count = COUNT(scenes), .title = "Tides"};
    AUTO(storyboard_free) struct storyboard story = {0}, ordered = {0};
    AUTO(job_free) struct job job = {0};
    AUTO(free_ptr) char *json = NULL;
    return job_get(tx, id, &job, e) &&
           storyboard_from_json(job.story, strlen(job.story), &ordered, e) &&
           storyboard_from_script(&story, &script, &ordered.settings, e) &&
           storyboard_to_json(&story, &json, e) && job_requote(tx, id, json, 1, 5000, e);
}

static void test_a_script_is_paid_by_the_group(void **state)
{
    (void)state;
    struct world w;
    char id[37];
    world_open(&w, true);
    w.event.is_group = true;
    w.bot.draft_limits = (struct draft_limits){.at_once = 2, .per_day = 10};
    fill_purse(&w, 5);
    quote_paid_by(&w, "/make The moon pulls the sea.", "Paid by: this group.", id);
    w.event.kind = CHAT_BUTTON;
    AUTO(free_ptr) char *script = str_printf("/script %s first", id);
    say(&w, script);
    press(&w, "payer", id, " own",
          "being written right now"); /* its card is not there to be changed */
    assert_int_equal(number(&w, "select count(*) from jobs where payer_id is not null"), 1);
    /* Written: its card says who pays, and lets them choose. */
    fixture_db_sql(w.bot.db, "update drafts set state = 'ready'");
    struct err e = {0};
    assert_true(db_run(w.bot.db, written_body, id, &e));
    press(&w, "payer", id, " group", "Paid by: this group.");
    assert_non_null(strstr(strbuf_text(&w.said), "The moon pulls the sea."));
    press(&w, "payer", id, " own", "Paid by: your own account.");
    press(&w, "payer", id, " group", "Pay it myself|/payer");
    AUTO(free_ptr) char *go = str_printf("/script %s go", id);
    expect(&w, go, "Paid by: this group.");
    assert_int_equal(avail_of(&w, "group"), 4);
    assert_int_equal(avail_of(&w, "person"), 1);
    world_close(&w);
}

static void test_admins_set_the_cap(void **state)
{
    static const struct {
        const char *line, *says;
        bool admin;
    } rows[] = {
        {"/group cap 1",    "Only admins",                                       false},
        {"/group off",      "Only admins",                                       false},
        {"/group cap",      "Admins say",                                        true },
        {"/group cap -1",   "Admins say",                                        true },
        {"/group cap many", "Admins say",                                        true },
        {"/group shut",     "Admins say",                                        true },
        {"/group cap 0",    "0 credits",                                         true },
        {"/group cap off",  "Members may use all",                               true },
        {"/group off",      "switched off",                                      true },
        {"/group on",       "Members may use all",                               true },
        {"/group cap 2",    "may use this much of the group's account a day: 2", true },
    };
    (void)state;
    struct world w;
    char id[37], second[37];
    world_open(&w, true);
    expect(&w, "/group", "Only a group has such an account");
    expect(&w, "/pay group", "Only a group has such an account");
    expect(&w, "/pay g0123456789abcdef0123456789abcdef", "This link has run out");
    w.event.is_group = true;
    fill_purse(&w, 10);
    for (size_t i = 0; i < COUNT(rows); i++) {
        w.event.is_group_admin = rows[i].admin;
        expect(&w, rows[i].line, rows[i].says);
    }
    w.event.is_group_admin = false;
    quote_paid_by(&w, "/make Why cats purr hd", "you may use 2 credits of that today", id);
    quote_paid_by(&w, "/make Why dogs bark hd", "you may use 2 credits of that today", second);
    press(&w, "go", id, "", "Starting");
    press(&w, "go", second, "", "The group does not pay for this one now");
    assert_int_equal(avail_of(&w, "group"), 8);
    quote_paid_by(&w, "/make What is rain", "you may use 0 credits of that today", id);
    assert_non_null(strstr(strbuf_text(&w.said), "Paid by: your own account."));
    w.event.kind = CHAT_LINE;
    expect(&w, "/credits group", "The group's account: 8 credits");
    assert_true(w.any_private);
    assert_non_null(
        strstr(strbuf_text(&w.said), "Used today: 2 credits by everybody, 2 credits by you."));
    w.event.user_id = "u2";
    expect(&w, "/pay group", "2 credits by everybody, 0 credits by you.");
    assert_true(w.any_private);
    assert_non_null(strstr(strbuf_text(&w.said), "belong to the group"));
    w.event.is_group_admin = true;
    say(&w, "/group off");
    quote_paid_by(&w, "/make What is rain", "The group's account is switched off.", id);
    world_close(&w);
}

static int setup(void **state)
{
    struct err e = {0};
    return i18n_setup(&e) ? fixture_db_start(state) : -1;
}

static int teardown(void **state)
{
    i18n_teardown();
    return fixture_db_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_answers_in_three_languages),
        cmocka_unit_test(test_quote_and_start_without_buttons),
        cmocka_unit_test(test_quote_with_buttons),
        cmocka_unit_test(test_a_quote_is_changed),
        cmocka_unit_test(test_no_credits),
        cmocka_unit_test(test_bad_input_charges_nothing),
        cmocka_unit_test(test_what_cannot_fit_is_refused_before_it_costs),
        cmocka_unit_test(test_saved_voice_gives_way),
        cmocka_unit_test(test_repeated_event),
        cmocka_unit_test(test_queue_limit),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_admin_of_another_chat),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_language),
        cmocka_unit_test(test_unknown_commands),
        cmocka_unit_test(test_refused_and_repaired),
        cmocka_unit_test(test_quoted_message),
        cmocka_unit_test(test_a_kept_film_is_offered_and_sent_once),
        cmocka_unit_test(test_a_kept_film_is_offered_in_private_elsewhere),
        cmocka_unit_test(test_a_film_is_sent_again),
        cmocka_unit_test(test_remix_keeps_the_words),
        cmocka_unit_test(test_dub_keeps_the_pictures),
        cmocka_unit_test(test_subtitles_come_as_a_file),
        cmocka_unit_test(test_a_group_pays),
        cmocka_unit_test(test_a_script_is_paid_by_the_group),
        cmocka_unit_test(test_admins_set_the_cap),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
