/* proc: children start clean, end in time, and never outlive us. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/proc.h"
#include "core/base/strbuf.h"

static const char *const *args(const char *script)
{
    static _Thread_local const char *argv[4];
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    argv[3] = NULL;
    return argv;
}

/* Standard output of a shell script; the caller's to free. */
static char *output(const char *script, const struct proc_options *o)
{
    char *text = NULL;
    struct err e;
    if (!proc_run(args(script), o, 20000, 1 << 16, &text, &e))
        fail_msg("%s", e.detail);
    return text;
}

static void gone_within(pid_t pid, int ms)
{
    int64_t end = clock_mono_ms() + ms;
    while (kill(pid, 0) == 0 && clock_mono_ms() < end)
        usleep(5000);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void the_environment_is_empty(void **state)
{
    (void)state;
    setenv("PROC_TEST_SECRET", "must not be seen", 1);
    static const char *const env[] = {"env", NULL};
    AUTO(free_ptr) char *text = NULL;
    struct err e;
    assert_true(proc_run(env, NULL, 20000, 1 << 16, &text, &e));
    AUTO(free_ptr) char *want = str_printf("PATH=%s\nLC_ALL=C.UTF-8\n", getenv("PATH"));
    assert_string_equal(text, want);
    static const char *const own[] = {"A=1", "B=two words", NULL};
    AUTO(free_ptr) char *given = NULL;
    assert_true(proc_run(env, &(struct proc_options){.env = own}, 20000, 1 << 16, &given, &e));
    assert_string_equal(given, "A=1\nB=two words\n");
    unsetenv("PROC_TEST_SECRET");
}

static void no_descriptor_is_inherited(void **state)
{
    (void)state;
    int open_here[40]; /* without O_CLOEXEC, as a careless library would */
    for (size_t i = 0; i < COUNT(open_here); i++)
        open_here[i] = open("/dev/null", O_RDONLY);
    static const char *const ls[] = {"ls", "/proc/self/fd", NULL};
    AUTO(free_ptr) char *text = NULL;
    struct err e;
    assert_true(proc_run(ls, NULL, 20000, 4096, &text, &e));
    assert_string_equal(text, "0\n1\n2\n3\n"); /* 3 is the folder that ls reads */
    for (size_t i = 0; i < COUNT(open_here); i++)
        close(open_here[i]);
}

static void signals_and_session_are_fresh(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &some, NULL);
    AUTO(free_ptr)
    char *text =
        output("grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status | tr -d '\\t'; pwd", NULL);
    pthread_sigmask(SIG_UNBLOCK, &some, NULL);
    uint64_t blocked, ignored;
    int at = 0;
    assert_int_equal(sscanf(text, "SigBlk:%lx\nSigIgn:%lx\n%n", &blocked, &ignored, &at), 2);
    assert_int_equal(blocked, 0);
    /* 32 and 33 are the C library's own: nobody can reset what we were started with. */
    assert_int_equal(ignored & ~UINT64_C(0x180000000), 0);
    assert_string_equal(text + at, "NoNewPrivs:1\n/\n");
    AUTO(free_ptr) char *session = output("cut -d' ' -f6 /proc/$$/stat; echo $$", NULL);
    char *second = strchr(session, '\n');
    assert_non_null(second);
    assert_memory_equal(session, second + 1, (size_t)(second - session)); /* its own leader */
}

static void what_cannot_start_says_so(void **state)
{
    (void)state;
    struct proc p;
    struct err e;
    static const char *const none[] = {"no-such-program-anywhere", NULL};
    assert_false(proc_start(&p, none, NULL, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.arg, "no-such-program-anywhere");
    static const char *const path[] = {"/no/such/program", NULL};
    assert_false(proc_start(&p, path, NULL, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    static const char *const text[] = {"/etc/passwd", NULL}; /* there, but no program */
    assert_false(proc_start(&p, text, NULL, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_non_null(strstr(e.detail, "exec"));
    assert_false(proc_start(&p, args("true"), &(struct proc_options){.cwd = "/no/where"}, &e));
    assert_non_null(strstr(e.detail, "chdir"));
    assert_false(proc_start(&p, args("true"), &(struct proc_options){.err_path = "/no/where"}, &e));
    assert_int_equal(p.pid, 0);
    assert_int_equal(p.to, -1);
    assert_int_equal(p.from, -1);
    proc_end(&p);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
    assert_int_equal(errno, ECHILD);
}

static void pipes_carry_both_ways(void **state)
{
    (void)state;
    AUTO(proc_end) struct proc p = {0};
    struct err e;
    static const char *const cat[] = {"cat", NULL};
    const struct proc_options o = {.pipe_in = true, .pipe_out = true};
    assert_true(proc_start(&p, cat, &o, &e));
    assert_true(p.to > 2 && p.from > 2);
    assert_true(fcntl(p.to, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(p.from, F_GETFD) & FD_CLOEXEC);
    char text[8] = "";
    assert_int_equal(write(p.to, "hello", 5), 5);
    assert_int_equal(read(p.from, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(proc_wait(&p, 30, NULL), -1); /* still running */
    close(p.to);
    p.to = -1;
    assert_int_equal(proc_wait(&p, 20000, NULL), 0);
    assert_int_equal(read(p.from, text, sizeof(text)), 0);
    assert_int_equal(proc_wait(&p, 0, NULL), -1); /* there is none any more */
}

static void statuses(void **state)
{
    (void)state;
    struct err e;
    AUTO(proc_end) struct proc p = {0};
    assert_true(proc_start(&p, args("exit 3"), NULL, &e));
    int status = proc_wait(&p, 20000, NULL);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    assert_true(proc_start(&p, args("kill -TERM $$"), NULL, &e));
    status = proc_wait(&p, 20000, NULL);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    char *text = (char *)1;
    assert_false(proc_run(args("echo x; exit 3"), NULL, 20000, 100, &text, &e));
    assert_ptr_equal(text, (char *)1);
    assert_non_null(strstr(e.detail, "exit status 3"));
    assert_false(proc_run(args("kill -KILL $$"), NULL, 20000, 100, NULL, &e));
    assert_non_null(strstr(e.detail, "killed by signal 9"));
    assert_true(proc_run(args("exit 0"), NULL, 20000, 0, NULL, &e));
}

static void output_is_bounded(void **state)
{
    (void)state;
    AUTO(free_ptr) char *text = NULL;
    struct err e;
    assert_true(
        proc_run(args("head -c 300000 /dev/zero | tr '\\0' x"), NULL, 20000, 1000, &text, &e));
    assert_int_equal(strlen(text), 1000);
}

static void slow_children_are_stopped(void **state)
{
    (void)state;
    struct err e;
    int64_t begin = clock_mono_ms();
    assert_false(proc_run(args("exec sleep 100"), NULL, 200, 100, NULL, &e));
    assert_int_equal(e.code, ERR_RETRY);
    /* Output that never ends is no sign of life that counts. */
    assert_false(proc_run(args("exec yes"), NULL, 200, 100, NULL, &e));
    assert_true(clock_mono_ms() - begin < 10000);
}

static void what_a_child_leaves_behind_ends(void **state)
{
    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int64_t begin = clock_mono_ms();
    AUTO(free_ptr) char *text = output("sleep 100 & echo $!", NULL); /* it holds the pipe, too */
    assert_true(clock_mono_ms() - begin < 10000);
    text[strcspn(text, "\n")] = '\0';
    int64_t left;
    assert_true(str_to_int(text, 2, INT32_MAX, &left));
    int status = 0;
    assert_int_equal(waitpid((pid_t)left, &status, 0), left);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    assert_true(WIFSIGNALED(status));
}

static void waiting_can_be_cancelled(void **state)
{
    (void)state;
    AUTO(proc_end) struct proc p = {0};
    struct err e;
    assert_true(proc_start(&p, args("exec sleep 100"), NULL, &e));
    struct cancel cancel;
    cancel_init(&cancel, NULL);
    cancel_fire(&cancel);
    int64_t begin = clock_mono_ms();
    assert_int_equal(proc_wait(&p, 60000, &cancel), -1);
    assert_true(clock_mono_ms() - begin < 5000);
    pid_t pid = p.pid;
    proc_end(&p);
    gone_within(pid, 0);
    assert_int_equal(p.pid, 0);
    struct proc zero = {0};
    proc_end(&zero);
    assert_true(fcntl(0, F_GETFD) >= 0); /* a zeroed struct must not close our stdin */
}

static void the_whole_session_ends(void **state)
{
    (void)state;
    AUTO(proc_end) struct proc p = {0};
    struct err e;
    const struct proc_options o = {.pipe_out = true};
    assert_true(proc_start(&p, args("sleep 100 & echo $!; wait"), &o, &e));
    char text[32] = "";
    assert_true(read(p.from, text, sizeof(text) - 1) > 0);
    text[strcspn(text, "\n")] = '\0';
    int64_t grandchild;
    assert_true(str_to_int(text, 2, INT32_MAX, &grandchild));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    proc_end(&p);
    assert_int_equal(waitpid((pid_t)grandchild, NULL, 0), grandchild);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* A program that starts a child, tells its pid, and is killed without warning. */
static void killed_parent(const struct proc_options *o, int want_signal)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* so that the orphan comes to us */
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t middle = fork();
    if (middle == 0) {
        struct proc p;
        struct err e;
        if (!proc_start(&p, args("exec sleep 100"), o, &e))
            _exit(1);
        (void)!write(ends[1], &p.pid, sizeof(p.pid));
        pause();
        _exit(0);
    }
    close(ends[1]);
    pid_t orphan = 0;
    assert_int_equal(read(ends[0], &orphan, sizeof(orphan)), sizeof(orphan));
    close(ends[0]);
    assert_int_equal(kill(orphan, 0), 0);
    kill(middle, SIGKILL);
    assert_int_equal(waitpid(middle, NULL, 0), middle);
    int status = 0;
    pid_t ended = 0;
    for (int i = 0; i < 2000 && ended == 0; i++) {
        ended = waitpid(orphan, &status, WNOHANG);
        usleep(ended == 0 ? 5000 : 0);
    }
    if (ended == 0)
        kill(orphan, SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    assert_int_equal(ended, orphan);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), want_signal);
}

static void a_killed_parent_takes_its_child_along(void **state)
{
    (void)state;
    killed_parent(NULL, SIGKILL);
    killed_parent(&(struct proc_options){.death_signal = SIGINT}, SIGINT);
    if (geteuid() == 0) /* the change of user clears the signal, so it must come after */
        killed_parent(&(struct proc_options){.user = "nobody"}, SIGKILL);
}

static void another_user(void **state)
{
    (void)state;
    struct err e;
    if (geteuid() != 0)
        skip();
    const struct proc_options o = {.user = "nobody"};
    AUTO(free_ptr)
    char *text = output(
        "id -un; grep -E '^(Uid|Gid|Groups|CapEff|NoNewPrivs)' /proc/self/status | tr '\\t' ' '",
        &o);
    AUTO(free_ptr)
    char *want =
        output("u=$(id -u nobody); g=$(id -g nobody); echo nobody; echo \"Uid: $u $u $u $u\";"
               "echo \"Gid: $g $g $g $g\"; echo \"Groups: $(id -G nobody) \";"
               "echo 'CapEff: 0000000000000000'; echo 'NoNewPrivs: 1'",
               NULL);
    assert_string_equal(text, want);
    struct proc p;
    assert_false(proc_start(&p, args("true"), &(struct proc_options){.user = "no-such-user"}, &e));
    assert_int_equal(e.code, ERR_CONFIG);
}

static void errors_are_appended(void **state)
{
    (void)state;
    char path[] = "/tmp/nanotik-proc.XXXXXX";
    close(mkstemp(path));
    const struct proc_options o = {.err_path = path};
    AUTO(free_ptr) char *one = output("echo a >&2; echo out", &o);
    AUTO(free_ptr) char *two = output("echo b >&2", &o);
    AUTO(free_ptr) char *text = NULL;
    struct err e;
    assert_true(fs_read(path, 100, &text, NULL, &e));
    unlink(path);
    assert_string_equal(text, "a\nb\n");
    assert_string_equal(one, "out\n");
}

static void memory_is_limited(void **state)
{
    (void)state;
    AUTO(free_ptr)
    char *text = output("ulimit -v; ulimit -c", &(struct proc_options){.max_memory = 256 << 20});
    assert_string_equal(text, "262144\n0\n");
}

static void works_without_standard_streams(void **state)
{
    (void)state;
    pid_t pid = fork(); /* a daemon may have closed 0, 1 and 2: our pipes must not land there */
    if (pid == 0) {
        close(0);
        close(1);
        close(2);
        char *text = NULL;
        struct err e;
        bool ok = proc_run(args("cat; echo fine"), NULL, 20000, 100, &text, &e);
        _exit(ok && strcmp(text, "fine\n") == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void *run_some(void *arg)
{
    for (int i = 0; i < 15; i++) {
        AUTO(free_ptr) char *text = NULL;
        AUTO(free_ptr) char *script = str_printf("echo %d", i);
        AUTO(free_ptr) char *want = str_printf("%d\n", i);
        struct err e;
        if (!proc_run(args(script), NULL, 60000, 100, &text, &e) || strcmp(text, want) != 0)
            return arg;
    }
    return NULL;
}

static void many_threads_start_children(void **state)
{
    (void)state;
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run_some, thread), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
}

static void relative_programs_are_ours(void **state)
{
    (void)state;
    char folder[] = "/tmp/nanotik-prog.XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    struct err e;
    assert_true(fs_write("prog", "#!/bin/sh\npwd\n", 14, &e));
    assert_int_equal(chmod("prog", 0755), 0);
    static const char *const argv[] = {"./prog", NULL};
    AUTO(free_ptr) char *text = NULL;
    bool ok = proc_run(argv, NULL, 20000, 100, &text, &e);
    assert_int_equal(chdir("/"), 0);
    fs_remove(folder);
    assert_true(ok);
    assert_string_equal(text, "/\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_start_says_so),
        cmocka_unit_test(the_environment_is_empty),
        cmocka_unit_test(no_descriptor_is_inherited),
        cmocka_unit_test(signals_and_session_are_fresh),
        cmocka_unit_test(pipes_carry_both_ways),
        cmocka_unit_test(statuses),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(slow_children_are_stopped),
        cmocka_unit_test(what_a_child_leaves_behind_ends),
        cmocka_unit_test(waiting_can_be_cancelled),
        cmocka_unit_test(the_whole_session_ends),
        cmocka_unit_test(a_killed_parent_takes_its_child_along),
        cmocka_unit_test(another_user),
        cmocka_unit_test(errors_are_appended),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(works_without_standard_streams),
        cmocka_unit_test(many_threads_start_children),
        cmocka_unit_test(relative_programs_are_ours),
    };
    return cmocka_run_group_tests_name("base_proc", tests, NULL, NULL);
}
