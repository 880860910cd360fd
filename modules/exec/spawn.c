#include "exec/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES_MAX = 1024 };

/* What the child looks at. It shares our memory until it is another program, so it allocates
 * nothing, takes no lock and writes nothing but error and what. */
struct child {
    const struct spawn_plan *plan;
    int fd[3];
    pid_t parent;
    volatile int error;
    const char *volatile what;
};

static _Noreturn void give_up(struct child *c, const char *what)
{
    c->error = errno;
    c->what = what;
    _exit(127);
}

/* Handlers of ours are not the program's, nor is what we ignore. Some numbers are the C library's
 * own and refuse. */
static void default_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        (void)sigaction(s, &action, NULL);
}

/* The C library's calls would change every thread of ours: the kernel's change the child. */
static void change_user(struct child *c)
{
    const struct spawn_plan *p = c->plan;
    if (!p->as_user) return;
    if (syscall(SYS_setgroups, (size_t)p->n_groups, p->group) != 0 ||
        syscall(SYS_setresgid, p->gid, p->gid, p->gid) != 0 ||
        syscall(SYS_setresuid, p->uid, p->uid, p->uid) != 0)
        give_up(c, "it cannot run as its user");
}

static _Noreturn void become(struct child *c)
{
    const struct rlimit files = {FILES_MAX, FILES_MAX}, none = {0, 0};
    sigset_t empty;
    default_signals();
    /* The leader of a session cannot leave its group, which is what is killed. */
    if (setsid() < 0) give_up(c, "it cannot have a process group");
    for (int i = 0; i < 3; i++) {
        if (dup2(c->fd[i], i) < 0) give_up(c, "it cannot have its pipes");
    }
    if (close_range(3, ~0U, 0) != 0) give_up(c, "the daemon's files cannot be closed");
    (void)setrlimit(RLIMIT_NOFILE, &files); /* not more than select() bears */
    (void)setrlimit(RLIMIT_CORE, &none);
    change_user(c);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        give_up(c, "it cannot be bound to the daemon");
    if (getppid() != c->parent) _exit(127);
    if (chdir(c->plan->folder) != 0) give_up(c, "its working directory cannot be entered");
    sigemptyset(&empty);
    (void)sigprocmask(SIG_SETMASK, &empty, NULL);
    execve(c->plan->argv[0], c->plan->argv, c->plan->envp);
    give_up(c, "it cannot be run");
}

/* In a function of its own: what is alive over vfork is in memory, not in registers. */
static pid_t start(struct child *c)
{
    pid_t pid = vfork();
    if (pid == 0) become(c);
    return pid;
}

static void close_all(int *fd, int n)
{
    for (int i = 0; i < n; i++) {
        if (fd[i] >= 0) close(fd[i]);
        fd[i] = -1;
    }
}

/* Above 2, so that giving the child its three leaves the others whole. */
static int open_pipe(int *fd)
{
    int raw[2];
    if (pipe2(raw, O_CLOEXEC) != 0) return errno;
    fd[0] = fcntl(raw[0], F_DUPFD_CLOEXEC, 3);
    fd[1] = fcntl(raw[1], F_DUPFD_CLOEXEC, 3);
    int error = fd[0] < 0 || fd[1] < 0 ? errno : 0;
    close_all(raw, 2);
    return error;
}

static int open_pipes(int fd[6])
{
    int error = 0;
    for (int i = 0; i < 6; i++)
        fd[i] = -1;
    for (int i = 0; i < 6 && !error; i += 2)
        error = open_pipe(fd + i);
    const int ours[] = {fd[1], fd[2], fd[4]};
    for (int i = 0; i < 3 && !error; i++) {
        if (fcntl(ours[i], F_SETFL, O_NONBLOCK) != 0) error = errno;
    }
    if (error) close_all(fd, 6);
    return error;
}

/* Signals wait meanwhile: a handler of ours must not run in the child. */
static pid_t start_quietly(struct child *c)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = start(c);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

int spawn(const struct spawn_plan *plan, struct spawned *out, const char **what)
{
    int fd[6];
    *out = (struct spawned){0, -1, -1, -1, -1};
    *what = "it cannot have its pipes";
    int error = open_pipes(fd);
    if (error) return error;
    struct child c = {.plan = plan, .fd = {fd[0], fd[3], fd[5]}, .parent = getpid()};
    pid_t pid = start_quietly(&c);
    if (pid < 0) {
        error = errno;
        *what = "no process can be started";
    } else if (c.error) {
        error = c.error;
        *what = c.what;
        (void)waitpid(pid, NULL, 0);
    } else if ((out->pidfd = pidfd_open(pid, 0)) < 0) {
        error = errno;
        *what = "it cannot be watched";
        *out = (struct spawned){pid, -1, -1, -1, -1};
        (void)spawn_reap(out);
    }
    close_all(&fd[0], 1);
    close_all(&fd[3], 1);
    close_all(&fd[5], 1);
    if (error) {
        close_all(fd, 6);
        return error;
    }
    *out = (struct spawned){pid, out->pidfd, fd[1], fd[2], fd[4]};
    return 0;
}

int spawn_reap(struct spawned *s)
{
    int status = 0, fd[] = {s->pidfd, s->in, s->out, s->err};
    if (s->pid > 0) {
        (void)kill(-s->pid, SIGKILL); /* while its number is still its own */
        while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close_all(fd, 4);
    *s = (struct spawned){0, -1, -1, -1, -1};
    return status;
}
