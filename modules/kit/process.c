#include "kit/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 20, GRACE_MS = 500 };

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A group of its own, signals as a fresh program expects them. */
static int attributes(posix_spawnattr_t *a)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    /* The leader of a session cannot leave its group, which is what is killed. */
    int error = posix_spawnattr_setflags(a, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETSIGDEF);
    if (!error) error = posix_spawnattr_setsigmask(a, &none);
    return error ? error : posix_spawnattr_setsigdefault(a, &all);
}

/* Nothing that the daemon has open reaches the program, whether it was marked close-on-exec or not.
 */
static int descriptors(posix_spawn_file_actions_t *f, const char *folder, int out)
{
    int error = posix_spawn_file_actions_addchdir_np(f, folder ? folder : "/");
    if (!error) error = posix_spawn_file_actions_addopen(f, 0, "/dev/null", O_RDONLY, 0);
    if (!error) error = posix_spawn_file_actions_adddup2(f, out, 1);
    if (!error) error = posix_spawn_file_actions_adddup2(f, out, 2);
    return error ? error : posix_spawn_file_actions_addclosefrom_np(f, 3);
}

/* posix_spawn takes pointers to char that it does not write through. */
static char *const *unconst(const char *const *v)
{
    union {
        const char *const *in;
        char *const *out;
    } u = {.in = v};
    return u.out;
}

static int start(const struct kit_process *p, int out, pid_t *pid)
{
    posix_spawnattr_t a;
    posix_spawn_file_actions_t f;
    int error = posix_spawnattr_init(&a);
    if (error) return error;
    error = posix_spawn_file_actions_init(&f);
    if (!error) {
        error = attributes(&a);
        if (!error) error = descriptors(&f, p->folder, out);
        if (!error)
            error = posix_spawn(pid, p->argv[0], &f, &a, unconst(p->argv), unconst(p->environment));
        posix_spawn_file_actions_destroy(&f);
    }
    posix_spawnattr_destroy(&a);
    return error;
}

/* Takes what is there; false: the other end is closed by all who had it. */
static bool take(int fd, struct kit_text *output, size_t max)
{
    char some[4096];
    ssize_t k = read(fd, some, sizeof some);
    if (k < 0) return errno == EINTR || errno == EAGAIN;
    if (k > 0 && output && output->n < max) {
        size_t room = max - output->n;
        kit_add(output, some, (size_t)k < room ? (size_t)k : room);
    }
    return k > 0;
}

/* The end of the pipe is not the end of the program, nor the other way round: both are looked at.
 * The program is not yet waited for: until then its number is no other's, nor that of its group. */
static bool ended(pid_t pid, int *fd, const struct kit_process *p, struct kit_text *output,
                  long long until)
{
    for (;;) {
        long long left = until - now_ms();
        struct pollfd w = {.fd = *fd, .events = POLLIN};
        if (poll(&w, 1, left < LOOK_MS ? (left > 0 ? (int)left : 0) : LOOK_MS) > 0 &&
            !take(*fd, output, p->output_max)) {
            close(*fd);
            *fd = -1;
        }
        siginfo_t info = {.si_pid = 0};
        int failed = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if (info.si_pid == pid || (failed && errno != EINTR)) return true;
        if (left <= 0) return false;
    }
}

static void drain(int fd, struct kit_text *output, size_t max)
{
    struct pollfd w = {.fd = fd, .events = POLLIN};
    for (int i = 0; fd >= 0 && i < 64 && poll(&w, 1, 0) > 0; i++)
        if (!take(fd, output, max)) break;
}

static void watch(const struct kit_process *p, pid_t pid, int *fd, struct kit_text *output,
                  struct kit_ended *out)
{
    int status = 0;
    if (!ended(pid, fd, p, output, now_ms() + p->timeout_ms)) {
        out->late = true;
        kill(-pid, SIGTERM);
        (void)ended(pid, fd, p, output, now_ms() + GRACE_MS);
    }
    kill(-pid, SIGKILL); /* and what it left behind */
    drain(*fd, output, p->output_max);
    pid_t waited;
    while ((waited = waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
    }
    /* POSIX.1-2017 2.4.3: where SIGCHLD is ignored, nobody is told the status. */
    out->unknown = waited != pid;
    if (out->unknown) return;
    if (WIFEXITED(status)) out->status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) out->signal = WTERMSIG(status);
}

bool kit_process_run(const struct kit_process *p, struct kit_text *output, struct kit_ended *out)
{
    int ends[2];
    pid_t pid = 0;
    *out = (struct kit_ended){.status = -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        out->error = errno;
        return false;
    }
    out->error = start(p, ends[1], &pid);
    close(ends[1]);
    if (!out->error) watch(p, pid, &ends[0], output, out);
    if (ends[0] >= 0) close(ends[0]);
    return !out->error && !out->late && out->status == 0;
}

void kit_process_text(const struct kit_ended *e, const struct kit_text *output, char *out,
                      size_t size)
{
    size_t n = output ? output->n : 0;
    while (n && (output->p[n - 1] == '\n' || output->p[n - 1] == '\r'))
        n--;
    size_t from = n;
    while (from && output->p[from - 1] != '\n')
        from--;
    char text[96];
    if (e->error)
        snprintf(text, sizeof text, "could not be started: %s", strerrordesc_np(e->error));
    else if (e->late)
        snprintf(text, sizeof text, "took longer than it may and was killed");
    else if (e->unknown)
        snprintf(text, sizeof text,
                 "ended, but not known how: do not start the daemon with "
                 "SIGCHLD ignored");
    else if (e->signal)
        snprintf(text, sizeof text, "was ended by signal %d", e->signal);
    else
        snprintf(text, sizeof text, "exited with status %d", e->status);
    snprintf(out, size, "%s%s%.*s", text, n > from ? ": " : "",
             (int)(n - from > 200 ? 200 : n - from), n > from ? output->p + from : "");
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
}
