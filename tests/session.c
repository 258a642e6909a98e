#include "tests/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/db/db.h"
#include "core/db/private_cluster.h"
#include "core/db/store_ledger.h"

enum { ENV_MAX = 48, LOG_MAX = 16 << 20, TAIL = 8000, ARGS_MAX = 40 };

/* build/tests/e2e_x -> build/nanotik */
static void program_path(char ret_path[static 1024])
{
    ssize_t n = readlink("/proc/self/exe", ret_path, 1023);
    assert_true(n > 0);
    ret_path[n] = '\0';
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(ret_path, '/');
        assert_non_null(slash);
        *slash = '\0';
    }
    size_t len = strlen(ret_path);
    snprintf(ret_path + len, 1024 - len, "/nanotik");
}

int site_open(void **state)
{
    struct site *p = calloc(1, sizeof *p);
    const char *tmp = getenv("TMPDIR");
    if (!p)
        return -1;
    hash_setup();
    log_init(LOG_OFF, false);
    signal(SIGPIPE, SIG_IGN);
    snprintf(p->folder, sizeof p->folder, "%s/nanotik-e2e-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(p->folder) || chmod(p->folder, 0755) != 0)
        return -1;
    /* The postgres user may enter, so that the database lives (and goes) with the rest. */
    char data[SITE_MAX + 8];
    snprintf(data, sizeof data, "%s/data", p->folder);
    if (mkdir(data, 0711) != 0 || chmod(data, 0711) != 0)
        return -1;
    *state = p;
    return 0;
}

void site_database(struct site *p, char ret_path[static 1024])
{
    char path[SITE_MAX + 40];
    char *text AUTO(free_ptr) = NULL;
    size_t len;
    struct err e;
    snprintf(ret_path, 1024, "%s/data/postgres", p->folder);
    snprintf(path, sizeof path, "%s/data/postgres.location", p->folder);
    if (fs_read(path, 4096, &text, &len, &e))
        snprintf(ret_path, 1024, "%.*s", (int)strcspn(text, "\n"), text);
}

/* It went there when it could not live in the data folder. */
static void remove_database_elsewhere(const char *path)
{
    static const char parent[] = "/var/lib/nanotik/";
    char *folder AUTO(free_ptr) = str_dup(path);
    char *slash = strrchr(folder, '/');
    if (!str_starts(folder, parent) || !slash || slash <= folder + sizeof parent)
        return;
    *slash = '\0';
    fs_remove(folder);
}

static void reap(struct session *s)
{
    if (s->to >= 0)
        close(s->to);
    if (s->from >= 0 && s->from != s->to)
        close(s->from);
    s->to = s->from = -1;
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
    strbuf_free(&s->seen);
    free(s);
}

/* The server stops by itself when its program was killed: its files go after that. */
static void wait_for_server(const char *database)
{
    int64_t until = clock_mono_ms() + 15000;
    char *path AUTO(free_ptr) = str_printf("%s/postmaster.pid", database);
    while (fs_exists(path) && clock_mono_ms() < until)
        cancel_wait(NULL, 50);
}

void site_forget_sessions(struct site *p)
{
    for (size_t i = 0; i < p->session_count; i++)
        reap(p->sessions[i]);
    p->session_count = 0;
}

int site_close(void **state)
{
    struct site *p = *state;
    char database[1024];
    site_forget_sessions(p);
    site_database(p, database);
    wait_for_server(database);
    remove_database_elsewhere(database);
    fs_remove(p->folder);
    free(p);
    return 0;
}

/* --- start --- */

struct env {
    char *list[ENV_MAX];
    size_t count;
};

/* A later one of the same name takes the place of the earlier. */
static void env_add(struct env *env, char *text)
{
    size_t name = strcspn(text, "=") + 1;
    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->list[i], text, name) == 0) {
            free(env->list[i]);
            env->list[i] = text;
            return;
        }
    assert_true(env->count < ENV_MAX - 1);
    env->list[env->count++] = text;
}

static void env_build(struct env *env, struct site *p, const struct session_options *o)
{
    /* What sanitizer builds and the shell need; nothing else comes from outside. */
    static const char *const kept[] = {"PATH",          "TMPDIR",       "HOME",
                                       "ASAN_OPTIONS",  "LSAN_OPTIONS", "TSAN_OPTIONS",
                                       "UBSAN_OPTIONS", "USER"};
    for (size_t i = 0; i < COUNT(kept); i++)
        if (getenv(kept[i]))
            env_add(env, str_printf("%s=%s", kept[i], getenv(kept[i])));
    env_add(env, str_dup("LC_ALL=C.UTF-8"));
    env_add(env, str_dup("TERM=xterm"));
    env_add(env, str_dup("NANOTIK_LOG=info"));
    env_add(env, str_printf("NANOTIK_DATA=%s/data", p->folder));
    env_add(env, str_printf("VIDEO_OUTPUT_DIR=%s/films", p->folder));
    for (size_t i = 0; o->env && o->env[i]; i++)
        env_add(env, str_dup(o->env[i]));
}

static void env_free(struct env *env)
{
    for (size_t i = 0; i < env->count; i++)
        free(env->list[i]);
}

static void child(const struct session_options *o, const char *cwd, const char *log, char **env)
{
    char program[1024];
    const char *argv[ARGS_MAX];
    size_t count = 0;
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    int fd = open(log, O_CREAT | O_WRONLY | O_TRUNC | O_APPEND, 0600);
    if (n < 0 || fd < 0)
        _exit(126);
    program_path(program);
    dup2(fd, STDERR_FILENO);
    argv[count++] = program;
    for (size_t i = 0; o->args[i] && count < ARGS_MAX - 1; i++)
        argv[count++] = o->args[i];
    argv[count] = NULL;
    if (o->memory) {
        struct rlimit limit = {(rlim_t)o->memory, (rlim_t)o->memory};
        setrlimit(RLIMIT_AS, &limit);
    }
    signal(SIGPIPE, SIG_DFL);
    if (chdir(cwd) != 0)
        _exit(126);
    execve(program, (char **)argv, env);
    _exit(127);
}

static void start_piped(struct session *s, const struct session_options *o, const char *cwd,
                        char **env)
{
    int to[2], from[2];
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        child(o, cwd, s->log, env);
    }
    close(to[0]);
    close(from[1]);
    s->to = to[1];
    s->from = from[0];
}

static void start_terminal(struct session *s, const struct session_options *o, const char *cwd,
                           char **env)
{
    struct winsize size = {.ws_row = 40, .ws_col = 110};
    int fd;
    s->pid = forkpty(&fd, NULL, NULL, &size);
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        child(o, cwd, s->log, env);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    s->to = s->from = fd;
}

struct session *session_start(struct site *p, const struct session_options *o)
{
    assert_true(p->session_count < SESSIONS_MAX);
    struct session *s = calloc(1, sizeof *s);
    struct env env = {0};
    const char *cwd = o->cwd ? o->cwd : p->folder;
    *s = (struct session){.place = p, .seen = STRBUF(SESSION_OUTPUT_MAX), .to = -1, .from = -1};
    snprintf(s->log, sizeof s->log, "%s/log%zu", p->folder, p->session_count);
    p->sessions[p->session_count++] = s;
    env_build(&env, p, o);
    if (o->pty)
        start_terminal(s, o, cwd, env.list);
    else
        start_piped(s, o, cwd, env.list);
    env_free(&env);
    return s;
}

struct session *session_run(struct site *p, bool pty, const char *const *env)
{
    static const char *const args[] = {"run", NULL};
    return session_start(p, &(struct session_options){.args = args, .env = env, .pty = pty});
}

/* --- what it says --- */

char *session_log(const struct session *s)
{
    char *text = NULL;
    size_t len;
    struct err e;
    if (!fs_read(s->log, LOG_MAX, &text, &len, &e))
        return str_dup("");
    return text;
}

static const char *tail(const char *text)
{
    size_t len = strlen(text);
    return len > TAIL ? text + len - TAIL : text;
}

void session_show(struct session *s)
{
    char *log AUTO(free_ptr) = session_log(s);
    /* cmocka cuts what it prints. */
    printf("--- output ---\n%s\n--- log ---\n%s\n", tail(strbuf_text(&s->seen)), tail(log));
    fflush(stdout);
}

static void give_up(struct session *s, const char *what)
{
    session_show(s);
    fail_msg("%s", what);
}

/* Reads what is there, waiting up to ms for the first of it. False at the end of its output. */
static bool read_some(struct session *s, int ms)
{
    char bytes[16384];
    struct pollfd fd = {.fd = s->from, .events = POLLIN};
    if (s->from < 0)
        return false;
    int ready = poll(&fd, 1, ms);
    if (ready == 0 || (ready < 0 && errno == EINTR))
        return true;
    ssize_t n = read(s->from, bytes, sizeof bytes);
    if (n <= 0)
        return false;
    strbuf_add(&s->seen, bytes, (size_t)n);
    return true;
}

bool session_seen(struct session *s, const char *text, int ms)
{
    int64_t until = clock_mono_ms() + ms;
    for (;;) {
        const char *all = strbuf_text(&s->seen), *at = strstr(all + s->mark, text);
        if (at) {
            s->mark = (size_t)(at - all) + strlen(text);
            return true;
        }
        int64_t left = until - clock_mono_ms();
        if (left <= 0 || !read_some(s, (int)MIN(left, 200)))
            return strstr(strbuf_text(&s->seen) + s->mark, text) != NULL;
    }
}

void session_expect(struct session *s, const char *text, int ms)
{
    char what[400];
    snprintf(what, sizeof what, "did not say: %.300s", text);
    if (!session_seen(s, text, ms))
        give_up(s, what);
}

void session_path(struct session *s, const char *ending, int ms, char ret_path[static 1024])
{
    session_expect(s, ending, ms);
    const char *all = strbuf_text(&s->seen), *end = all + s->mark, *begin;
    while (end > all && !strchr("4gt", end[-1])) /* mp4, jpg, srt */
        end--;
    for (begin = end; begin > all && begin[-1] != '\n' && begin[-1] != '\\';)
        begin--;
    snprintf(ret_path, 1024, "%.*s", (int)(end - begin), begin);
}

void session_say(struct session *s, const char *text)
{
    if (!session_feed(s, text, strlen(text)))
        give_up(s, "stopped reading");
}

bool session_feed(struct session *s, const void *bytes, size_t len)
{
    const char *at = bytes;
    fcntl(s->to, F_SETFL, O_NONBLOCK);
    while (len > 0) {
        struct pollfd fds[2] = {
            {.fd = s->to,   .events = POLLOUT},
            {.fd = s->from, .events = POLLIN }
        };
        poll(fds, 2, 1000);
        if (fds[1].revents & POLLIN)
            read_some(s, 0);
        if (fds[0].revents & (POLLERR | POLLHUP))
            return false;
        if (!(fds[0].revents & POLLOUT))
            continue;
        ssize_t n = write(s->to, at, len);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* --- its end --- */

int session_wait(struct session *s, int ms)
{
    int64_t until = clock_mono_ms() + ms;
    int status;
    if (s->pid == 0)
        return s->status;
    for (;;) {
        bool open = read_some(s, 20);
        pid_t pid = waitpid(s->pid, &status, WNOHANG);
        if (pid == s->pid)
            break;
        if (!open)
            cancel_wait(NULL, 20);
        if (clock_mono_ms() > until)
            give_up(s, "does not end");
    }
    s->pid = 0;
    s->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    while (read_some(s, 100) && s->from >= 0) {
        struct pollfd fd = {.fd = s->from, .events = POLLIN};
        if (poll(&fd, 1, 100) <= 0)
            break;
    }
    return s->status;
}

int session_finish(struct session *s, int ms)
{
    if (s->to >= 0 && s->to != s->from) {
        close(s->to);
        s->to = -1;
    } else if (s->to >= 0) {
        session_feed(s, "\x04", 1); /* Ctrl-D */
    }
    return session_wait(s, ms);
}

void session_signal(struct session *s, int signal)
{
    assert_true(s->pid > 0);
    kill(s->pid, signal);
}

int session_once(struct site *p, const char *const *args, const char *input, int ms,
                 struct session **ret)
{
    struct session *s = session_start(p, &(struct session_options){.args = args});
    if (input)
        session_feed(s, input, strlen(input));
    if (ret)
        *ret = s;
    return session_finish(s, ms);
}

/* --- its database --- */

static void print_fault(void *ctx, const char *what)
{
    (void)ctx;
    print_message("ledger: %s\n", what);
}

struct audit {
    const char *sql;
    char *text;
    size_t faults;
};

static bool audit_body(struct db_tx *tx, void *ctx, struct err *e)
{
    struct audit *a = ctx;
    struct db_rows *rows AUTO(db_rows_free) = NULL;
    if (!db_exec(tx, a->sql, NULL, 0, &rows, e))
        return false;
    free(a->text);
    a->text = str_dup(db_count(rows) > 0 && db_text(rows, 0, 0) ? db_text(rows, 0, 0) : "");
    return ledger_check(tx, print_fault, NULL, &a->faults, e);
}

/* Uses the running program's server, or starts it for the question. */
static void ask(struct site *p, db_body *body, void *ctx)
{
    struct private_cluster *cluster = NULL;
    struct db *db = NULL;
    struct err e = {0};
    char data[SITE_MAX + 8];
    char *url AUTO(free_ptr) = NULL;
    snprintf(data, sizeof data, "%s/data", p->folder);
    if (!private_cluster_join(data, &url, &e)) {
        if (!private_cluster_start(data, NULL, NULL, &cluster, &e))
            fail_msg("database: %s", e.detail);
        url = str_dup(private_cluster_url(cluster));
    }
    bool ok = db_open(url, 1, &db, &e) && db_run(db, body, ctx, &e);
    db_close(db);
    private_cluster_stop(cluster);
    if (!ok)
        fail_msg("database: %s", e.detail);
}

char *site_audit(struct site *p, const char *sql)
{
    struct audit a = {.sql = sql};
    ask(p, audit_body, &a);
    if (a.faults > 0)
        fail_msg("%zu faults in the ledger", a.faults);
    return a.text;
}

void site_audit_is(struct site *p, const char *sql, const char *want)
{
    char *text AUTO(free_ptr) = site_audit(p, sql);
    if (strcmp(text, want) != 0)
        fail_msg("%s: %s, not %s", sql, text, want);
}

int64_t site_number(struct site *p, const char *sql)
{
    char *text AUTO(free_ptr) = site_audit(p, sql);
    return strtoll(text, NULL, 10);
}

void site_wait_number(struct site *p, const char *sql, int64_t want, int ms)
{
    int64_t got = 0;
    for (int64_t until = clock_mono_ms() + ms; (got = site_number(p, sql)) != want; usleep(50000))
        if (clock_mono_ms() > until)
            fail_msg("%lld, never %lld: %s", (long long)got, (long long)want, sql);
}

void site_ledger_must_hold(struct site *p)
{
    site_audit_is(p, "select 1", "1");
}

void site_shell(struct site *p, const char *command)
{
    char *text AUTO(free_ptr) =
        str_printf("cd '%s' && { %s; } >>shell.log 2>&1", p->folder, command);
    int status = system(text); /* NOLINT: the test's own words */
    if (status != 0)
        fail_msg("%s: status %d", command, status);
}

void site_nowhere(struct site *p, const char *text)
{
    AUTO(free_ptr)
    char *sql = str_printf(
        "select coalesce(string_agg(name, ' '), '') from (select table_name as name, (xpath("
        "'/row/c/text()', query_to_xml(format('select count(*) c from %%I x where x::text like "
        "%%L',"
        " table_name, '%%%s%%'), false, true, '')))[1]::text::int as rows"
        " from information_schema.tables where table_schema = 'public') s where rows > 0",
        text);
    AUTO(free_ptr) char *found = site_audit(p, sql);
    if (found[0])
        fail_msg("%s is in: %s", text, found);
}
