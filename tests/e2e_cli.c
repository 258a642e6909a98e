/* The command line without chat, and bad input everywhere: a clear message and the right status. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/story/storyboard.h"
#include "tests/film.h"
#include "tests/session.h"

enum { SOON_MS = 30000, RENDER_MS = 120000, MEGA = 1 << 20 };

static void log_must_have(struct session *s, const char *text)
{
    char *log AUTO(free_ptr) = session_log(s);
    if (!strstr(log, text))
        fail_msg("the message lacks \"%s\": %s", text, log);
}

/* --- make and render --- */

static void make_and_render(void **state)
{
    struct site *p = *state;
    char *film AUTO(free_ptr) = str_printf("%s/one.mp4", p->folder);
    char *story_path AUTO(free_ptr) = str_printf("%s/story.json", p->folder);
    char *again AUTO(free_ptr) = str_printf("%s/two.mp4", p->folder);
    char *json AUTO(free_ptr) = NULL;
    struct storyboard story AUTO(storyboard_free) = {0};
    struct err e = {0};
    size_t len;
    struct session *s;
    const char *make[] = {
        "make",    "The sea is deep.", "-o", film,      "--aspect", "1:1",     "--quality",
        "basic",   "--seed",           "7",  "--style", "bold",     "--music", "calm",
        "--story", story_path,         NULL};
    assert_int_equal(session_once(p, make, NULL, RENDER_MS, &s), 0);
    assert_string_equal(strbuf_text(&s->seen) + strlen(strbuf_text(&s->seen)) - 8, "one.mp4\n");
    assert_true(fs_read(story_path, STORY_JSON_MAX, &json, &len, &e));
    assert_true(storyboard_from_json(json, len, &story, &e));
    assert_int_equal(story.settings.seed, 7);
    film_must_be_good(film, 720, 720, (double)storyboard_frames(&story) / STORY_FPS);

    /* The same storyboard is the same film, without encoding anything again. */
    const char *render[] = {"render", story_path, "-o", again, NULL};
    int64_t begun = clock_mono_ms();
    assert_int_equal(session_once(p, render, NULL, RENDER_MS, &s), 0);
    int64_t took = clock_mono_ms() - begun;
    site_shell(p, "cmp one.mp4 two.mp4 && cmp one.srt two.srt && cmp one.jpg two.jpg");
    assert_in_range(took, 0, 20000);
    /* No database was needed. */
    site_shell(p, "test ! -e data/postgres");
}

static void make_reads_standard_input(void **state)
{
    struct site *p = *state;
    char *film AUTO(free_ptr) = str_printf("%s/in.mp4", p->folder);
    const char *make[] = {"make", "-", "-o", film, "--aspect", "16:9", NULL};
    struct film_facts facts;
    assert_int_equal(session_once(p, make, "The sea is blue.", RENDER_MS, NULL), 0);
    film_read(film, &facts);
    assert_int_equal(facts.width, 1280);
}

static void interrupted_make_leaves_nothing(void **state)
{
    struct site *p = *state;
    char *film AUTO(free_ptr) = str_printf("%s/never.mp4", p->folder);
    const char *make[] = {
        "make",      "The sea is deep and blue and wide. It never ends, they say.",
        "-o",        film,
        "--quality", "premium",
        NULL};
    struct session *s = session_start(p, &(struct session_options){.args = make});
    cancel_wait(NULL, 1500); /* somewhere in the middle */
    int64_t begun = clock_mono_ms();
    session_signal(s, SIGINT);
    assert_int_equal(session_wait(s, SOON_MS), 130);
    assert_in_range(clock_mono_ms() - begun, 0, 3000);
    assert_false(fs_exists(film));
}

/* --- wrong use --- */

static void wrong_use_is_told(void **state)
{
    static const struct {
        const char *args[8];
        int status;
        const char *says, *why;
    } rows[] = {
        {{"--version"},                                          0, NULL,              "version"               },
        {{"--help"},                                             0, NULL,              "help"                  },
        {{"dance"},                                              2, "no command",      "unknown command"       },
        {{"make"},                                               2, "text is missing", "no text"               },
        {{"make", "Hello there."},                               2, "-o FILE.mp4",     "no output"             },
        {{"make", "Hello.", "-o", "film.avi"},                   2, ".mp4",            "output of another kind"},
        {{"make", "Hello.", "-o", "a.mp4", "--fast"},            2, "--fast",          "unknown option"        },
        {{"make", "Hello.", "-o", "a.mp4", "--quality", "best"}, 2, "best",            "unknown tier"          },
        {{"make", "Hello.", "-o", "a.mp4", "--aspect", "9:17"},  2, "9:17",            "unknown shape"         },
        {{"make", "Hello.", "-o", "a.mp4", "--seconds", "0"},    2, "",                "no time at all"        },
        {{"make", "Hello.", "-o", "a.mp4", "--lang", "tlh"},     1, "tlh",             "nobody speaks it"      },
        {{"make", "Hello.", "-o", "a.mp4", "--voice", "Nobody"}, 1, "Nobody",          "no such voice"         },
        {{"make", " ", "-o", "a.mp4"},                           1, "text is missing", "blank"                 },
        {{"make", "\U0001F600\U0001F680", "-o", "a.mp4"},        1, "no words",        "only emoji"            },
        {{"make", "\xff\xfe\xff", "-o", "a.mp4"},                1, "",                "no valid byte"         },
        {{"make", "Hi.", "-o", "/nowhere/at/all.mp4"},           1, "/nowhere",        "no such folder"        },
        {{"render", "missing.json", "-o", "a.mp4"},              1, "missing.json",    "no such storyboard"    },
        {{"grant", "nobody"},                                    2, "grant needs",     "grant without a number"},
    };
    struct site *p = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct session *s;
        int status = session_once(p, rows[i].args, NULL, SOON_MS, &s);
        char *log AUTO(free_ptr) = session_log(s);
        if (status != rows[i].status || (rows[i].says && !strstr(log, rows[i].says)) ||
            (rows[i].says && log[0] == '\0'))
            fail_msg("%s: status %d, said: %s", rows[i].why, status, log);
        if (rows[i].status == 0 && strbuf_text(&s->seen)[0] == '\0')
            fail_msg("%s: nothing on standard output", rows[i].why);
        site_forget_sessions(p);
    }
}

static void wrong_settings_are_told_at_the_start(void **state)
{
    static const struct {
        const char *env, *says;
    } rows[] = {
        {"VIDEO_MAX_DURATION=soon",          "VIDEO_MAX_DURATION"         },
        {"NANOTIK_RENDER_THREDS=2",          "NANOTIK_RENDER_THREDS"      },
        {"NANOTIK_DATA=/proc/nanotik",       "/proc/nanotik"              },
        {"NANO_SEED_FILE=/nowhere/seed",     "/nowhere/seed"              },
        {"NANOTIK_HTTP=8080",                "NANOTIK_HTTP: ADDRESS:PORT" },
        {"NANO_WALLET_ADDRESS=nano_abc",     "NANO_RPC_URL is not set"    },
        {"NANO_RPC_URL=http://node.example", "NANO_RPC_URL: plain http://"},
    };
    static const char *const args[] = {"run", NULL};
    struct site *p = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *env[] = {rows[i].env, NULL};
        struct session *s = session_start(p, &(struct session_options){.args = args, .env = env});
        int status = session_finish(s, SOON_MS);
        bool no_setting = strstr(rows[i].env, "/proc/"); /* the machine's fault: 1 */
        if (status != (no_setting ? 1 : 78))
            fail_msg("%s: status %d", rows[i].env, status);
        log_must_have(s, rows[i].says);
    }
}

static void a_start_without_its_database_waits_and_can_be_stopped(void **state)
{
    static const char *const args[] = {"run", NULL};
    const char *env[] = {"DATABASE_URL=postgresql:///x?host=/nowhere", NULL};
    struct site *p = *state;
    struct session *s = session_start(p, &(struct session_options){.args = args, .env = env});
    int64_t until = clock_mono_ms() + SOON_MS;
    bool told = false;
    while (!told && clock_mono_ms() < until) {
        char *log AUTO(free_ptr) = session_log(s);
        told = strstr(log, "/nowhere") != NULL;
        cancel_wait(NULL, 20);
    }
    assert_true(told);
    int64_t begun = clock_mono_ms();
    session_signal(s, SIGTERM);
    assert_int_equal(session_wait(s, SOON_MS), 0);
    assert_in_range(clock_mono_ms() - begun, 0, 3000);
}

/* --- chat lines that are no good --- */

static void bad_lines_get_an_answer_and_cost_nothing(void **state)
{
    static const struct {
        const char *say, *expect;
    } rows[] = {
        {"/make\n",                           "What should"},
        {"/make    \n",                       "What should"},
        {"/make \U0001F600 \U0001F3AC\n",     "no words"   },
        {"/make Hello there. 90x90\n",        ""           },
        {"/make Hello there. speed:9\n",      "speed"      },
        {"/make Hello there. lang:tlh\n",     "tlh"        },
        {"/make Hello there. voice:Nobody\n", "Nobody"     },
        {"/make @missing.txt\n",              "missing.txt"},
        {"/make @.\n",                        "folder"     },
        {"/cancel\n",                         "nothing"    },
        {"/cancel 12345678\n",                "no video"   },
        {"just words\n",                      "/make"      },
    };
    struct site *p = *state;
    struct session *s = session_run(p, false, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strstr(rows[i].say, "90x90"))
            continue; /* prose for all we know */
        session_say(s, rows[i].say);
        session_expect(s, rows[i].expect, SOON_MS);
    }
    session_say(s, "/credits\n");
    session_expect(s, "1 credit", SOON_MS);
    assert_int_equal(session_finish(s, SOON_MS), 0);
    site_audit_is(p, "select count(*) from transfers where verb <> 'trial'", "0");
}

static void long_and_broken_text(void **state)
{
    struct site *p = *state;
    size_t len = 100000;
    char *text AUTO(free_ptr) = malloc(len + 8);
    struct session *s = session_run(p, false, NULL);
    memcpy(text, "/make ", 6);
    for (size_t i = 6; i < len; i++)
        text[i] = "The sea is wide. "[i % 17];
    memcpy(text + len, "\n", 2);
    session_say(s, text);
    session_expect(s, "Shorten it; nothing was charged", SOON_MS);
    session_say(s, "/make The s\xff\xc3(ea is\xed\xa0\x80 deep. lang:en\n");
    session_expect(s, "not valid UTF-8", SOON_MS);
    char path[1024];
    session_path(s, ".mp4\n", RENDER_MS, path);
    assert_int_equal(session_finish(s, SOON_MS), 0);
}

static void longer_text_comes_from_lines_or_a_file(void **state)
{
    struct site *p = *state;
    const char *env[] = {"NANOTIK_TRIAL_CREDITS=0", NULL}; /* quotes are enough here */
    site_shell(p, "printf 'The river in the file.\\nIt is long.\\n' > river.txt");
    struct session *s = session_run(p, false, env);
    session_say(s, "/make - hd 16:9\nThe lake in lines.\nIt is deep.\n.\n");
    session_expect(s, "The lake in lines.", SOON_MS);
    session_expect(s, "16:9", SOON_MS);
    session_expect(s, "needs 2 credits", SOON_MS);
    session_say(s, "/make @river.txt 1:1\n");
    session_expect(s, "The river in the file.", SOON_MS);
    session_expect(s, "1:1", SOON_MS);
    session_expect(s, "needs 1 credit", SOON_MS);
    assert_int_equal(session_finish(s, SOON_MS), 0);
    site_audit_is(p, "select count(*) from jobs where state = 'quoted'", "2");
}

static int64_t peak_kib(pid_t pid)
{
    char path[64], line[256];
    int64_t kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (str_starts(line, "VmHWM:"))
            kib = strtoll(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static void endless_input_needs_no_memory(void **state)
{
    struct site *p = *state;
    static char block[MEGA];
    struct session *s = session_run(p, false, NULL);
    session_say(s, "/queue\n");
    session_expect(s, "Nothing", SOON_MS);
    int64_t before = peak_kib(s->pid);
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 200; i++)
        assert_true(session_feed(s, block, sizeof block));
    session_say(s, "\n/queue\n");
    session_expect(s, "too long", SOON_MS);
    session_expect(s, "Nothing", SOON_MS);
    int64_t after = peak_kib(s->pid);
    assert_true(before > 0);
    assert_in_range(after - before, 0, 32 * 1024);
    assert_int_equal(session_finish(s, SOON_MS), 0);
}

static void make_from_endless_input_is_refused(void **state)
{
    struct site *p = *state;
    static char block[MEGA];
    const char *make[] = {"make", "-", "-o", "x.mp4", NULL};
    struct session *s = session_start(p, &(struct session_options){.args = make});
    memset(block, 'a', sizeof block);
    for (int i = 0; i < 64 && session_feed(s, block, sizeof block); i++)
        ;
    assert_int_equal(session_finish(s, SOON_MS), 1);
    log_must_have(s, "longer than 256 kB");
}

/* --- the machine is no good --- */

static void a_full_disk_is_told(void **state)
{
    struct site *p = *state;
    char *full AUTO(free_ptr) = str_printf("%s/full", p->folder);
    char *film AUTO(free_ptr) = str_printf("%s/full/x.mp4", p->folder);
    const char *make[] = {"make", "The sea is deep.", "-o", film, NULL};
    struct session *s;
    mkdir(full, 0755);
    if (mount("none", full, "tmpfs", 0, "size=64k") != 0)
        skip(); /* only root may */
    int status = session_once(p, make, NULL, RENDER_MS, &s);
    bool there = fs_exists(film);
    umount2(full, MNT_DETACH);
    assert_int_equal(status, 1);
    assert_false(there);
    log_must_have(s, "disk");
}

static void doctor_looks_at_everything(void **state)
{
    static const char *const args[] = {"doctor", NULL};
    struct site *p = *state;
    struct session *s;
    session_once(p, args, NULL, SOON_MS, &s);
    static const char *const topics[] = {"speech", "fonts", "PostgreSQL", "disk"};
    for (size_t i = 0; i < COUNT(topics); i++)
        if (!strcasestr(strbuf_text(&s->seen), topics[i]))
            fail_msg("doctor does not mention %s: %s", topics[i], strbuf_text(&s->seen));
}

static void grant_adds_credits_once_per_key(void **state)
{
    struct site *p = *state;
    struct session *s = session_run(p, false, NULL);
    session_say(s, "/credits\n");
    session_expect(s, "account: ", SOON_MS);
    cancel_wait(NULL, 300);
    session_seen(s, "\n", 500);
    char *id AUTO(free_ptr) = site_audit(p, "select id::text from users");
    const char *grant[] = {"grant", id, "7", "--why", "test", "--key", "k1", NULL};
    assert_int_equal(session_once(p, grant, NULL, SOON_MS, NULL), 0); /* beside the running one */
    session_once(p, grant, NULL, SOON_MS, NULL);
    session_say(s, "/credits\n");
    session_expect(s, "8 credits", SOON_MS);
    assert_int_equal(session_finish(s, SOON_MS), 0);
    site_audit_is(p, "select avail from wallets", "8");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, site_open, site_close)
    const struct CMUnitTest tests[] = {
        CASE(wrong_use_is_told),
        CASE(wrong_settings_are_told_at_the_start),
        CASE(a_start_without_its_database_waits_and_can_be_stopped),
        CASE(bad_lines_get_an_answer_and_cost_nothing),
        CASE(longer_text_comes_from_lines_or_a_file),
        CASE(endless_input_needs_no_memory),
        CASE(make_from_endless_input_is_refused),
        CASE(grant_adds_credits_once_per_key),
        CASE(doctor_looks_at_everything),
        CASE(make_and_render),
        CASE(make_reads_standard_input),
        CASE(long_and_broken_text),
        CASE(interrupted_make_leaves_nothing),
        CASE(a_full_disk_is_told),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
