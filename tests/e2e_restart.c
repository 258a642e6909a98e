/* The whole program killed at named points and at random moments: each job ends once. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/db/private_cluster.h"
#include "tests/cluster_folder.h"
#include "tests/session.h"

enum { SOON_MS = 30000, RENDER_MS = 180000, SEGMENTS_MAX = 64, KILLED = 128 + SIGKILL };

static const char credits[] = "NANOTIK_TRIAL_CREDITS=50";

/* --- finished segments, by inode: an encoded anew one would have another --- */

struct segments {
    ino_t inode[SEGMENTS_MAX];
    char name[SEGMENTS_MAX][64];
    int count;
};

static void list_folder(const char *folder, struct segments *ret)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char path[PATH_MAX];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || lstat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode)) {
            list_folder(path, ret);
        } else if (str_ends(entry->d_name, ".mp4") && ret->count < SEGMENTS_MAX) {
            ret->inode[ret->count] = st.st_ino;
            str_copy(ret->name[ret->count], sizeof ret->name[0], entry->d_name);
            ret->count++;
        }
    }
    if (dir)
        closedir(dir);
}

static struct segments finished_segments(struct site *p)
{
    struct segments s = {0};
    char folder[SITE_MAX + 32];
    snprintf(folder, sizeof folder, "%s/data/cache", p->folder);
    list_folder(folder, &s);
    return s;
}

static void none_was_encoded_again(struct site *p, const struct segments *before)
{
    struct segments now = finished_segments(p);
    for (int i = 0; i < before->count; i++) {
        bool same = false;
        for (int k = 0; k < now.count; k++)
            same |= strcmp(now.name[k], before->name[i]) == 0 && now.inode[k] == before->inode[i];
        if (!same)
            fail_msg("%s was encoded again", before->name[i]);
    }
}

static int paths_said(const struct session *s)
{
    int count = 0;
    for (const char *at = strbuf_text(&s->seen); (at = strstr(at, ".mp4\n")); at++)
        count++;
    return count;
}

/* Own clips are cheaper than painted backdrops, above all under sanitizers. */
static char *cheap_footage(struct site *p)
{
    site_shell(p, "mkdir -p clips && for n in sea moon; do ffmpeg -nostdin -v error -f lavfi "
                  "-i testsrc2=s=320x320:r=30:d=15 -c:v libx264 -preset ultrafast clips/$n.mp4; "
                  "done");
    return str_printf("NANOTIK_FOOTAGE_DIR=%s/clips", p->folder);
}

/* --- named points --- */

struct point {
    const char *name;
    int said_before, said_after; /* paths of the film, by the killed program and by the next one */
    int segments;                /* at least so many were finished */
    const char *why;
};

static const struct point points[] = {
    {"worker.claimed",    0, 1, 0, "before anything was made"                   },
    {"pipeline.written",  0, 1, 0, "the script is written"                      },
    {"worker.saved",      0, 1, 0, "the script is stored"                       },
    {"pipeline.segment",  0, 1, 1, "one of two segments is there"               },
    {"pipeline.sound",    0, 1, 0, "the sound is there"                         },
    {"pipeline.joined",   0, 1, 2, "the film is there but not in its place"     },
    {"worker.rendered",   0, 1, 2, "the film is in its place"                   },
    {"worker.delivering", 0, 1, 2, "the upload is about to begin"               },
    {"worker.delivered",  1, 1, 2, "uploaded, not recorded: into the card again"},
    {"worker.done",       1, 0, 2, "recorded and charged"                       },
};

static void kill_at(struct site *p, const char *footage, const struct point *point, int index)
{
    char *crash AUTO(free_ptr) = str_printf("NANOTIK_CRASH_AT=%s", point->name);
    const char *deadly[] = {crash, credits, footage, NULL}, *calm[] = {credits, footage, NULL};
    /* Two scenes; other words each time, so that the cache of an earlier case is of no use. */
    char *line AUTO(free_ptr) =
        str_printf("/make 1:1 Story number %d begins with a long quiet sentence about the wide sea "
                   "and its slow tides, which come and go. The moon of story %d pulls at the water "
                   "all night long, and in the morning the beach is empty.\n",
                   index + 11, index + 11);
    struct segments old = finished_segments(p);
    struct session *s = session_run(p, false, deadly);
    session_say(s, line);
    int status = session_wait(s, RENDER_MS);
    if (status != KILLED)
        fail_msg("%s: ended with %d", point->name, status);
    int before = paths_said(s);
    struct segments done = finished_segments(p);
    s = session_run(p, false, calm);
    status = session_finish(s, RENDER_MS);
    int after = paths_said(s);
    if (status != 0 || before != point->said_before || after != point->said_after ||
        done.count - old.count < point->segments) {
        session_show(s);
        fail_msg("%s (%s): status %d, said %d then %d, %d segments", point->name, point->why,
                 status, before, after, done.count - old.count);
    }
    none_was_encoded_again(p, &done);
    site_forget_sessions(p);
    char *want AUTO(free_ptr) = str_printf("0 %d %d", index + 1, 50 - (index + 1));
    site_audit_is(p,
                  "select concat_ws(' ', (select count(*) from jobs where state <> 'done'),"
                  " (select count(*) from transfers where verb = 'capture'),"
                  " (select avail from wallets))",
                  want);
}

static void killed_anywhere_a_job_is_delivered_and_charged_once(void **state)
{
    struct site *p = *state;
    char *footage AUTO(free_ptr) = cheap_footage(p);
    for (size_t i = 0; i < COUNT(points); i++)
        kill_at(p, footage, &points[i], (int)i);
}

/* --- shutdown --- */

static const char line[] = "/make The sea rises and falls. Sailors know it well.\n";

static void sigterm_gives_the_job_back_and_the_next_start_finishes_it(void **state)
{
    static const struct {
        const char *until, *why;
    } moments[] = {
        {"Price", "just accepted"        },
        {"Video", "while encoding"       },
        {"[",     "at the first progress"},
    };
    struct site *p = *state;
    char *footage AUTO(free_ptr) = cheap_footage(p);
    const char *env[] = {credits, footage, NULL};
    for (size_t i = 0; i < COUNT(moments); i++) {
        struct session *s = session_run(p, false, env);
        session_say(s, line);
        session_expect(s, moments[i].until, RENDER_MS);
        int64_t begun = clock_mono_ms();
        session_signal(s, SIGTERM);
        int status = session_wait(s, SOON_MS);
        if (status != 0 || clock_mono_ms() - begun > 8000) {
            session_show(s);
            fail_msg("%s: status %d after %d ms", moments[i].why, status,
                     (int)(clock_mono_ms() - begun));
        }
        int said = paths_said(s);
        s = session_run(p, false, env);
        assert_int_equal(session_finish(s, RENDER_MS), 0);
        if (said + paths_said(s) != 1)
            fail_msg("%s: delivered %d times", moments[i].why, said + paths_said(s));
        /* A drain does not use up a try. */
        site_audit_is(p, "select max(tries) from jobs", "1");
        site_forget_sessions(p);
    }
}

/* --- the database dies --- */

static pid_t postmaster(struct site *p)
{
    char database[1024];
    char *text AUTO(free_ptr) = NULL;
    size_t len;
    struct err e;
    site_database(p, database);
    char *path AUTO(free_ptr) = str_printf("%s/postmaster.pid", database);
    if (!fs_read(path, 4096, &text, &len, &e))
        fail_msg("no server: %s", e.detail);
    return (pid_t)strtol(text, NULL, 10);
}

static void a_killed_database_comes_back_and_nothing_is_lost(void **state)
{
    struct site *p = *state;
    const char *env[] = {credits, NULL};
    struct session *s = session_run(p, false, env);
    session_say(s, line);
    session_expect(s, "[", RENDER_MS);
    pid_t pid = postmaster(p);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(session_finish(s, RENDER_MS), 0);
    assert_int_equal(paths_said(s), 1);
    site_audit_is(p, "select count(*) from transfers where verb = 'capture'", "1");
}

/* Away for longer than any pause between two tries grows, and back: what was said meanwhile is
   answered within five seconds, and films are made. */
static void an_outage_of_the_database_is_over_within_five_seconds(void **state)
{
    enum { OUTAGE_MS = 9000, BACK_MS = 5000 };
    struct site *p = *state;
    struct private_cluster *server = NULL;
    struct err e = {0};
    AUTO(free_ptr) char *folder = str_printf("%s/server", p->folder);
    assert_int_equal(mkdir(folder, 0711), 0);
    if (!private_cluster_start_unsafe(folder, NULL, &server, &e))
        fail_msg("server: %s", e.detail);
    AUTO(free_ptr) char *url = str_printf("DATABASE_URL=%s", private_cluster_url(server));
    AUTO(free_ptr) char *footage = cheap_footage(p);
    const char *env[] = {credits, url, footage, NULL};
    struct session *s = session_run(p, false, env);
    session_say(s, "/queue\n");
    session_expect(s, "Nothing", SOON_MS); /* sent, and hardly ever written down by now */
    pid_t pid = cluster_postmaster_of(folder);
    assert_int_equal(kill(pid, SIGINT), 0);
    cancel_wait(NULL, OUTAGE_MS / 2);
    session_say(s, "/credits\n");
    assert_false(session_seen(s, "50 credits", OUTAGE_MS / 2));
    if (!private_cluster_watch(server, &e))
        fail_msg("server: %s", e.detail);
    session_expect(s, "50 credits", BACK_MS);
    session_say(s, line);
    assert_int_equal(session_finish(s, RENDER_MS), 0);
    assert_int_equal(paths_said(s), 1);
    const char *first = strstr(strbuf_text(&s->seen), "Nothing");
    assert_null(strstr(first + 1, "Nothing")); /* nor said twice */
    private_cluster_stop(server);
}

/* --- one folder, one program --- */

static void a_second_program_on_the_same_folder_says_so(void **state)
{
    struct site *p = *state;
    static const char *const args[] = {"run", NULL};
    struct session *second;
    struct session *s = session_run(p, false, NULL);
    session_say(s, "/queue\n");
    session_expect(s, "Nothing", SOON_MS);
    assert_int_equal(session_once(p, args, "", SOON_MS, &second), 1);
    char *log AUTO(free_ptr) = session_log(second);
    assert_non_null(strstr(log, "Another NanoTik is running"));
    assert_non_null(strstr(log, "/data"));
    session_say(s, "/credits\n"); /* the first one does not mind */
    session_expect(s, "1 credit", SOON_MS);
    assert_int_equal(session_finish(s, SOON_MS), 0);
}

static void no_server_is_left_behind(void **state)
{
    struct site *p = *state;
    site_shell(p, "rmdir data"); /* made by the program itself this time */
    struct session *s = session_run(p, false, NULL);
    session_say(s, "/queue\n");
    session_expect(s, "Nothing", SOON_MS);
    pid_t pid = postmaster(p);
    session_signal(s, SIGKILL);
    session_wait(s, SOON_MS);
    int64_t until = clock_mono_ms() + SOON_MS;
    while (kill(pid, 0) == 0 && clock_mono_ms() < until)
        cancel_wait(NULL, 50);
    assert_int_not_equal(kill(pid, 0), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, site_open, site_close)
    const struct CMUnitTest tests[] = {
        CASE(a_second_program_on_the_same_folder_says_so),
        CASE(no_server_is_left_behind),
        CASE(a_killed_database_comes_back_and_nothing_is_lost),
        CASE(an_outage_of_the_database_is_over_within_five_seconds),
        CASE(sigterm_gives_the_job_back_and_the_next_start_finishes_it),
        CASE(killed_anywhere_a_job_is_delivered_and_charged_once),
    };
    if (getenv("TEST_FILTER"))
        cmocka_set_test_filter(getenv("TEST_FILTER")); /* "*name*" */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
