/* The whole program at a (pseudo-)terminal: typed lines, a card that changes in place, the path. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/fs.h"
#include "tests/film.h"
#include "tests/session.h"

enum { SOON_MS = 20000, RENDER_MS = 180000 };

/* The folder is relative: what people read and what is stored is not. */
static const char *const env[] = {"NANOTIK_TRIAL_CREDITS=5", "VIDEO_OUTPUT_DIR=./films", NULL};

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void a_journey_from_help_to_the_film(void **state)
{
    struct site *p = *state;
    char link[1024], path[1024];
    struct session *s = session_run(p, true, env);
    session_expect(s, "Welcome to NanoTik", SOON_MS);
    session_expect(s, "> ", SOON_MS);
    session_say(s, "/help\r");
    session_expect(s, "/make", SOON_MS);
    session_say(s, "/credits\r");
    session_expect(s, "5 credits", SOON_MS);
    session_say(s, "/make The sea rises and falls. Sailors know it.\r");
    session_expect(s, "Price", SOON_MS);
    session_expect(s, "▸", SOON_MS);     /* a stage at work */
    session_expect(s, "\033[", SOON_MS); /* drawn over the card before */
    session_expect(s, "%", SOON_MS);
    session_say(s, "/queue\r");
    session_expect(s, "being made", SOON_MS);
    session_path(s, ".mp4\033\\", RENDER_MS, link); /* a link, then its text */
    session_path(s, ".mp4", SOON_MS, path);
    assert_true(fs_exists(path));
    session_expect(s, ".jpg", SOON_MS);
    session_expect(s, ".srt", SOON_MS);
    session_expect(s, "Ready", SOON_MS);
    /* One card in place: the title of the card is there once per drawing, but few lines scroll. */
    assert_true(count(strbuf_text(&s->seen), "\033[J") >= 3);
    session_say(s, "/credits\r");
    session_expect(s, "4 credits", SOON_MS);
    session_say(s, "/history\r");
    AUTO(free_ptr) char *films = str_printf("%s/films/", p->folder);
    session_expect(s, films, SOON_MS);
    session_expect(s, ".mp4", SOON_MS);
    assert_int_equal(session_finish(s, SOON_MS), 0);
    struct film_facts facts;
    film_read(path, &facts);
    assert_int_equal(facts.height, 1280);
    site_audit_is(p, "select avail from wallets", "4");
}

static void cancel_pays_back(void **state)
{
    struct site *p = *state;
    struct session *s = session_run(p, true, env);
    session_expect(s, "> ", SOON_MS);
    session_say(s, "/make The sea rises and falls. Sailors know it. The moon pulls it. hd\r");
    session_expect(s, "▸", SOON_MS);
    session_say(s, "/credits\r");
    session_expect(s, "set aside", SOON_MS);
    session_say(s, "/cancel\r");
    session_expect(s, "Cancelled.", SOON_MS);
    session_expect(s, "came back", SOON_MS);
    session_say(s, "/credits\r");
    session_expect(s, "5 credits", SOON_MS);
    assert_int_equal(session_finish(s, SOON_MS), 0);
    site_audit_is(p, "select count(*) from jobs where state = 'cancelled'", "1");
}

static void ctrl_c_leaves_and_the_next_start_goes_on(void **state)
{
    struct site *p = *state;
    char path[1024];
    struct session *s = session_run(p, true, env);
    session_expect(s, "> ", SOON_MS);
    session_say(s, "/make The sea rises and falls. Sailors know it.\r");
    session_expect(s, "▸", SOON_MS);
    session_signal(s, SIGINT);
    assert_int_equal(session_wait(s, SOON_MS), 0);
    s = session_run(p, false, env);
    assert_int_equal(session_finish(s, RENDER_MS), 0);
    session_path(s, ".mp4\n", 0, path);
    site_audit_is(p, "select count(*) from transfers where verb = 'capture'", "1");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, site_open, site_close)
    const struct CMUnitTest tests[] = {
        CASE(a_journey_from_help_to_the_film),
        CASE(cancel_pays_back),
        CASE(ctrl_c_leaves_and_the_next_start_goes_on),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
