#include "core/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/strbuf.h"

enum { GROUPS_MAX = 64, SLICE_MS = 100 };

/* What the child needs, all made before the fork: after it only async-signal-safe calls are left,
   because another thread may have held any lock at that moment. */
struct plan {
    char program[PATH_MAX];
    char *const *argv;
    char *const *env;
    const char *cwd;
    int fd[3];  /* its standard streams, all 3 or higher here */
    int report; /* exec failures are written here; closed by a working exec */
    pid_t parent;
    bool change_user;
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS_MAX];
    int group_count;
    int death_signal;
    rlim_t max_memory;
    int highest_fd;
};

struct failure {
    int error;
    char step[12];
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Real time, also when a test has set the clock: a child does not wait for fake hours. */
static int64_t real_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static _Noreturn void child_fail(int report, const char *step)
{
    struct failure f = {.error = errno};
    for (size_t i = 0; step[i] && i < sizeof(f.step) - 1; i++)
        f.step[i] = step[i];
    (void)!write(report, &f, sizeof(f));
    _exit(127);
}

static void child_close_from(const struct plan *plan, int first)
{
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
        return;
    for (int fd = first; fd <= plan->highest_fd; fd++) /* kernels before 5.9 */
        close(fd);
}

/* System calls instead of the libc wrappers, which would signal threads that are not here. */
static bool child_change_user(const struct plan *plan)
{
    return syscall(SYS_setgroups, (size_t)plan->group_count, plan->groups) == 0 &&
           syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) == 0 &&
           syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) == 0;
}

static _Noreturn void child_run(const struct plan *plan)
{
    int report = plan->report;
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    for (int i = 0; i < 3; i++)
        if (dup2(plan->fd[i], i) < 0)
            child_fail(report, "dup2");
    if (report != 3) {
        if (dup3(report, 3, O_CLOEXEC) < 0)
            child_fail(report, "dup3");
        report = 3;
    }
    child_close_from(plan, 4);
    setsid(); /* Ctrl-C in the terminal is for us: we stop our children in order */
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (plan->max_memory > 0) {
        struct rlimit memory = {plan->max_memory, plan->max_memory};
        if (setrlimit(RLIMIT_AS, &memory) != 0)
            child_fail(report, "rlimit");
    }
    if (plan->change_user && !child_change_user(plan))
        child_fail(report, "setuid");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        child_fail(report, "privs");
    /* After the change of user, which would clear it. */
    if (prctl(PR_SET_PDEATHSIG, plan->death_signal, 0, 0, 0) != 0)
        child_fail(report, "pdeathsig");
    if (getppid() != plan->parent)
        _exit(127); /* we died before the signal was armed */
    if (chdir(plan->cwd) != 0)
        child_fail(report, "chdir");
    sigset_t nothing;
    sigemptyset(&nothing);
    pthread_sigmask(SIG_SETMASK, &nothing, NULL);
    execve(plan->program, plan->argv, plan->env);
    child_fail(report, "exec");
}

/* Moves *fd out of 0..2, where the child's own streams go. */
static bool lift(int *fd)
{
    if (*fd < 0 || *fd > 2)
        return *fd >= 0;
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    close(*fd);
    *fd = high;
    return high >= 0;
}

static bool open_high(const char *path, int flags, int *ret_fd)
{
    *ret_fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
    return lift(ret_fd);
}

static bool pipe_high(int ret_ends[2])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    bool first = lift(&ends[0]);
    bool second = lift(&ends[1]);
    ret_ends[0] = ends[0];
    ret_ends[1] = ends[1];
    return first && second;
}

static bool find_program(const char *name, const char *path_list, char ret_path[static PATH_MAX])
{
    if (strchr(name, '/')) /* absolute, since the child stands in another folder */
        return realpath(name, ret_path) != NULL;
    for (const char *at = path_list; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
        int len = (int)strcspn(at, ":");
        int n = snprintf(ret_path, PATH_MAX, "%.*s/%s", len, at, name);
        if (len > 0 && n > 0 && n < PATH_MAX && access(ret_path, X_OK) == 0)
            return true;
    }
    errno = ENOENT;
    return false;
}

static bool find_user(struct plan *plan, const char *name, struct err *e)
{
    if (!name || geteuid() != 0)
        return true;
    struct passwd entry;
    struct passwd *found = NULL;
    char buffer[4096];
    int r = getpwnam_r(name, &entry, buffer, sizeof(buffer), &found);
    if (!found)
        return err_set_arg(e, ERR_CONFIG, "start.no_user", name, "user %s: %s", name,
                           r ? "look-up failed" : "no such user");
    plan->change_user = true;
    plan->uid = entry.pw_uid;
    plan->gid = entry.pw_gid;
    plan->group_count = GROUPS_MAX;
    if (getgrouplist(name, entry.pw_gid, plan->groups, &plan->group_count) < 0) {
        plan->groups[0] = entry.pw_gid;
        plan->group_count = 1;
    }
    return true;
}

static bool open_streams(struct proc *p, struct plan *plan, const struct proc_options *o)
{
    int ends[2];
    if (o->pipe_in) {
        if (!pipe_high(ends))
            return false;
        plan->fd[0] = ends[0];
        p->to = ends[1];
    } else if (!open_high("/dev/null", O_RDONLY, &plan->fd[0])) {
        return false;
    }
    if (o->pipe_out) {
        if (!pipe_high(ends))
            return false;
        p->from = ends[0];
        plan->fd[1] = ends[1];
    } else if (!open_high("/dev/null", O_WRONLY, &plan->fd[1])) {
        return false;
    }
    if (o->err_path)
        return open_high(o->err_path, O_WRONLY | O_CREAT | O_APPEND, &plan->fd[2]);
    return open_high("/dev/null", O_WRONLY, &plan->fd[2]);
}

static bool start_failed(struct err *e, const char *program, const char *step, int why)
{
    enum err_code code = ERR_INTERNAL;
    if (why == ENOENT || why == ENOTDIR)
        code = ERR_NOT_FOUND;
    else if (why == EAGAIN || why == ENOMEM || why == EMFILE || why == ENFILE)
        code = ERR_RETRY;
    errno = why;
    return err_set_arg(e, code, "error.program", program, "start %s: %s: %m", program, step);
}

/* Forks with all signals held back, so that no handler of ours runs in the child. */
static pid_t fork_child(const struct plan *plan)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        child_run(plan);
    int why = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = why;
    return pid;
}

/* Waits for the exec: the report pipe closes when it worked. */
static bool exec_worked(int report, struct failure *ret_failure)
{
    ssize_t n;
    do
        n = read(report, ret_failure, sizeof(*ret_failure));
    while (n < 0 && errno == EINTR);
    return n != (ssize_t)sizeof(*ret_failure);
}

static bool spawn(struct proc *p, struct plan *plan, const struct proc_options *o, struct err *e)
{
    const char *name = plan->argv[0];
    int report[2] = {-1, -1};
    bool ready = pipe_high(report) && open_streams(p, plan, o);
    int why = errno;
    pid_t pid = -1;
    if (ready) {
        plan->report = report[1];
        pid = fork_child(plan);
        why = errno;
    }
    for (int i = 0; i < 3; i++)
        close_fd(&plan->fd[i]);
    close_fd(&report[1]);
    struct failure f = {.error = why, .step = "fork"};
    bool worked = pid > 0 && exec_worked(report[0], &f);
    close_fd(&report[0]);
    if (worked) {
        p->pid = pid;
        return true;
    }
    if (pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    close_fd(&p->to);
    close_fd(&p->from);
    return start_failed(e, name, ready ? f.step : "streams", f.error);
}

bool proc_start(struct proc *p, const char *const *argv, const struct proc_options *o,
                struct err *e)
{
    static const struct proc_options plain;
    if (!o)
        o = &plain;
    *p = (struct proc){.to = -1, .from = -1};
    const char *path_list = getenv("PATH");
    if (!path_list || !*path_list)
        path_list = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    AUTO(free_ptr) char *path_entry = str_printf("PATH=%s", path_list);
    const char *const own_env[] = {path_entry, "LC_ALL=C.UTF-8", NULL};
    struct plan plan = {
        .argv = (char *const *)(uintptr_t)argv,
        .env = (char *const *)(uintptr_t)(o->env ? o->env : own_env),
        .cwd = o->cwd ? o->cwd : "/",
        .fd = {-1, -1, -1},
        .parent = getpid(),
        .death_signal = o->death_signal ? o->death_signal : SIGKILL,
        .max_memory = o->max_memory > 0 ? (rlim_t)o->max_memory : 0,
        .highest_fd = (int)CLAMP(sysconf(_SC_OPEN_MAX), 256L, 65536L),
    };
    if (!find_program(argv[0], path_list, plan.program))
        return start_failed(e, argv[0], "search", errno);
    if (!find_user(&plan, o->user, e))
        return false;
    return spawn(p, &plan, o, e);
}

/* What the child started and left behind in its session ends with it. Asked before the child is
   reaped: as long as it is a zombie nobody else can have its number. */
static bool has_ended(pid_t pid, int *ret_status)
{
    siginfo_t info = {0};
    int r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (r == 0 && info.si_pid == 0)
        return false;
    *ret_status = 255 << 8; /* somebody else reaped it: not known */
    if (r == 0) {
        kill(-pid, SIGKILL);
        waitpid(pid, ret_status, 0);
    }
    return r == 0 || errno == ECHILD;
}

int proc_wait(struct proc *p, int timeout_ms, const struct cancel *cancel)
{
    if (p->pid <= 0)
        return -1;
    int64_t start = real_ms();
    int pause_ms = 1;
    for (;;) {
        int status = 0;
        if (has_ended(p->pid, &status)) {
            p->pid = 0;
            return status;
        }
        int64_t passed = real_ms() - start;
        if ((timeout_ms >= 0 && passed >= timeout_ms) || cancel_fired(cancel))
            return -1;
        if (timeout_ms >= 0)
            pause_ms = (int)MIN((int64_t)pause_ms, timeout_ms - passed);
        cancel_wait(cancel, pause_ms);
        pause_ms = MIN(pause_ms * 2, 20);
    }
}

void proc_end(struct proc *p)
{
    if (p->pid > 0) {
        kill(-p->pid, SIGKILL); /* its session, with what it may have started */
        kill(p->pid, SIGKILL);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    /* Ours are 3 or higher, so a zeroed struct closes nothing. */
    if (p->to > 2)
        close(p->to);
    if (p->from > 2)
        close(p->from);
    *p = (struct proc){.to = -1, .from = -1};
}

/* Reads what is there within one slice; false at the end of the output. */
static bool drain(struct proc *p, struct strbuf *out)
{
    struct pollfd poll_fd = {.fd = p->from, .events = POLLIN};
    int r = poll(&poll_fd, 1, SLICE_MS);
    if (r <= 0)
        return r == 0 || errno == EINTR;
    char chunk[4096];
    ssize_t n = read(p->from, chunk, sizeof(chunk));
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    strbuf_add(out, chunk, MIN((size_t)n, out->max - out->len)); /* the rest is read and dropped */
    return n > 0;
}

/* Collects until the end of the output and of the process; -1 when that takes too long. */
static int collect(struct proc *p, int timeout_ms, struct strbuf *out)
{
    int64_t start = real_ms();
    int status = -1;
    bool open = true;
    while (open || status == -1) {
        int64_t left = timeout_ms < 0 ? INT_MAX : timeout_ms - (real_ms() - start);
        if (left <= 0)
            return -1;
        size_t before = out->len;
        if (open)
            open = drain(p, out);
        if (status == -1)
            status = proc_wait(p, open ? 0 : (int)left, NULL);
        else if (out->len == before)
            break; /* something in a session of its own still holds the pipe */
    }
    return status;
}

bool proc_run(const char *const *argv, const struct proc_options *o, int timeout_ms, size_t max,
              char **ret_out, struct err *e)
{
    struct proc_options with = o ? *o : (struct proc_options){0};
    with.pipe_in = false;
    with.pipe_out = true;
    AUTO(proc_end) struct proc p = {0};
    if (!proc_start(&p, argv, &with, e))
        return false;
    AUTO(strbuf_free) struct strbuf out = STRBUF(max);
    int status = collect(&p, timeout_ms, &out);
    if (status == -1)
        return err_set_arg(e, ERR_RETRY, "error.program", argv[0], "%s: over %d ms", argv[0],
                           timeout_ms);
    if (status != 0)
        return err_set_arg(e, ERR_INTERNAL, "error.program", argv[0], "%s: %s %d", argv[0],
                           WIFSIGNALED(status) ? "killed by signal" : "exit status",
                           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    char *text = strbuf_take(&out);
    if (!text)
        return err_set(e, ERR_RETRY, "error.internal", "%s: no memory for its output", argv[0]);
    if (ret_out)
        *ret_out = TAKE(text);
    free(text);
    return true;
}
