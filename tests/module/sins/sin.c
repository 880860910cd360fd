#include "sin.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int sink;

static void say_errno(char *said, size_t cap, const char *what, int failed)
{
    snprintf(said, cap, "%s: %s", what, failed ? strerror(errno) : "it worked");
}

/* ---- ends ---- */

static void do_abort(chy_task *t, char *said, size_t cap)
{
    (void)t, (void)said, (void)cap;
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void do_segv(chy_task *t, char *said, size_t cap)
{
    int *volatile nowhere = NULL;
    (void)t, (void)said, (void)cap;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    sink = *nowhere;
}

static void do_exit(chy_task *t, char *said, size_t cap)
{
    (void)t, (void)said, (void)cap;
    _exit(0);
}

static void do_hang(chy_task *t, char *said, size_t cap)
{
    (void)t, (void)said, (void)cap;
    for (;;)
        pause();
}

static void do_spin(chy_task *t, char *said, size_t cap)
{
    (void)t, (void)said, (void)cap;
    for (;;)
        sink = !sink; /* without an end, also for a build that traps an overflow */
}

static void do_leak(chy_task *t, char *said, size_t cap)
{
    enum { BLOCK = 16 << 20, MOST = 128 };
    int n = 0;
    (void)t;
    while (n < MOST && malloc(BLOCK))
        n++;
    snprintf(said, cap, "leak: %s", n < MOST ? "it was stopped" : "two gigabytes");
}

/* ---- ways out ---- */

static void do_fork(chy_task *t, char *said, size_t cap)
{
    (void)t;
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    say_errno(said, cap, "fork", pid < 0);
    if (pid > 0) waitpid(pid, NULL, 0);
}

static void do_exec(chy_task *t, char *said, size_t cap)
{
    char *argv[] = {(char *)(size_t) "true", NULL};
    (void)t;
    execv("/bin/true", argv);
    say_errno(said, cap, "exec", 1);
}

static void do_socket(chy_task *t, char *said, size_t cap)
{
    (void)t;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    say_errno(said, cap, "socket", fd < 0);
    if (fd >= 0) close(fd);
}

static void do_local_socket(chy_task *t, char *said, size_t cap)
{
    (void)t;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    say_errno(said, cap, "local socket", fd < 0);
    if (fd >= 0) close(fd);
}

/* Each datagram can name whom it is for: the log of the system has such a socket. */
static void do_datagram(chy_task *t, char *said, size_t cap)
{
    struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd[2];
    (void)t;
    int failed = socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd) != 0;
    int error = errno;
    if (!failed) {
        failed = sendto(fd[0], "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&log, sizeof log) < 0;
        error = errno;
        close(fd[0]);
        close(fd[1]);
    }
    errno = error;
    say_errno(said, cap, "datagram", failed);
}

/* Files in memory are no memory of the process: no limit of it holds them. */
static void do_memory_file(chy_task *t, char *said, size_t cap)
{
    (void)t;
    int fd = memfd_create("more", 0);
    say_errno(said, cap, "memory file", fd < 0);
    if (fd >= 0) close(fd);
}

static void do_kill(chy_task *t, char *said, size_t cap)
{
    (void)t;
    say_errno(said, cap, "kill", kill(getppid(), 0) != 0);
}

static void do_ptrace(chy_task *t, char *said, size_t cap)
{
    (void)t;
    say_errno(said, cap, "ptrace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) != 0);
}

static void do_mount(chy_task *t, char *said, size_t cap)
{
    (void)t;
    say_errno(said, cap, "mount", mount("none", "/mnt", "tmpfs", 0, NULL) != 0);
}

/* The setting Secret names a file, and Free one that the module was given. */
static void open_setting(chy_task *t, const char *setting, int flags, char *said, size_t cap)
{
    char path[512];
    if (chy_setting_text(t->host, setting, "", path, sizeof path) != CHY_S_OK) return;
    int fd = open(path, flags | O_CLOEXEC, 0600);
    say_errno(said, cap, setting, fd < 0);
    if (fd >= 0) close(fd);
}

static void do_key(chy_task *t, char *said, size_t cap)
{
    open_setting(t, "Secret", O_RDONLY, said, cap);
}

static void do_write(chy_task *t, char *said, size_t cap)
{
    open_setting(t, "Free", O_WRONLY | O_CREAT, said, cap);
}

static void do_etc(chy_task *t, char *said, size_t cap)
{
    (void)t;
    int fd = open("/etc/shadow", O_RDONLY | O_CLOEXEC);
    say_errno(said, cap, "shadow", fd < 0);
    if (fd >= 0) close(fd);
}

/* How many descriptors are not of its own process: there are none but the known. */
static void do_descriptors(chy_task *t, char *said, size_t cap)
{
    int n = 0;
    (void)t;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    snprintf(said, cap, "descriptors: %s; environment: %s", n < 32 ? "few" : "many",
             getenv("PATH") ? "there" : "none");
}

/* ---- the border ---- */

static void do_garbage(chy_task *t, char *said, size_t cap)
{
    static const char junk[64] = "what nobody understands";
    (void)t;
    for (int fd = 4; fd < 24; fd++) {
        ssize_t n = send(fd, junk, sizeof junk, MSG_NOSIGNAL);
        (void)n;
    }
    snprintf(said, cap, "garbage: said");
}

static void do_close(chy_task *t, char *said, size_t cap)
{
    (void)t;
    for (int fd = 0; fd < 24; fd++)
        close(fd);
    snprintf(said, cap, "close: all");
}

/* Frames that say that there is more than there is, and answers nobody asked for. */
static void do_twice(chy_task *t, char *said, size_t cap)
{
    static const unsigned done[] = {0x43480006, 24, 0, 1, 0x7fffffff, 0, 0, 0};
    (void)t;
    for (int fd = 6; fd < 24; fd++) {
        ssize_t n = send(fd, done, sizeof done, MSG_NOSIGNAL);
        (void)n;
    }
    snprintf(said, cap, "twice: said");
}

static void do_sizes(chy_task *t, char *said, size_t cap)
{
    char small[8] = "abc";
    chy_variant v = chy_variant_of_text(small);
    v.u.s.n = (size_t)1 << 40;
    chy_hresult hr = t->policy.vt ? t->policy.vt->set_certificate_property(
                                        t->policy.self, "CommonName", CHY_PROPTYPE_STRING, &v)
                                  : CHY_E_HANDLE;
    v.vt = 77;
    if (hr != CHY_S_OK && t->policy.vt)
        hr = t->policy.vt->set_certificate_property(t->policy.self, "CommonName",
                                                    CHY_PROPTYPE_STRING, &v);
    snprintf(said, cap, "sizes: 0x%08x", (unsigned)hr);
}

static void do_stale(chy_task *t, char *said, size_t cap)
{
    static chy_long before;
    chy_hresult hr = t->policy.vt ? t->policy.vt->set_context(t->policy.self, before)
                                  : t->exit.vt->set_context(t->exit.self, before);
    snprintf(said, cap, "stale: 0x%08x", before ? (unsigned)hr : 0u);
    before = t->context;
}

static void *go_on_asking(void *host)
{
    const chy_host *h = host;
    for (int i = 0; i < 2000; i++) {
        chy_variant v = chy_variant_empty();
        if (h->vt->get_setting(h->self, "Free", &v) == CHY_S_OK) h->vt->variant_clear(&v);
        usleep(1000);
    }
    return NULL;
}

static void do_threads(chy_task *t, char *said, size_t cap)
{
    int n = 0;
    for (; n < 4; n++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, go_on_asking, (void *)(size_t)t->host) != 0) break;
        pthread_detach(thread);
    }
    snprintf(said, cap, "threads: %d", n);
}

static void do_chatter(chy_task *t, char *said, size_t cap)
{
    for (int i = 0; i < 5000; i++) {
        fprintf(stderr, "chatter %d\n", i);
        chy_say(t, CHY_LOG_INFO, "chatter");
    }
    snprintf(said, cap, "chatter: said");
}

int sin_commit(chy_task *task, const char *sin, char *said, size_t cap)
{
    static const struct {
        const char *name;
        void (*commit)(chy_task *, char *, size_t);
    } sins[] = {{"abort", do_abort},       {"segv", do_segv},
                {"exit", do_exit},         {"hang", do_hang},
                {"spin", do_spin},         {"leak", do_leak},
                {"fork", do_fork},         {"exec", do_exec},
                {"socket", do_socket},     {"local-socket", do_local_socket},
                {"kill", do_kill},         {"ptrace", do_ptrace},
                {"mount", do_mount},       {"key", do_key},
                {"write", do_write},       {"etc", do_etc},
                {"garbage", do_garbage},   {"close", do_close},
                {"datagram", do_datagram}, {"memory-file", do_memory_file},
                {"twice", do_twice},       {"sizes", do_sizes},
                {"stale", do_stale},       {"threads", do_threads},
                {"chatter", do_chatter},   {"descriptors", do_descriptors}};
    for (size_t i = 0; i < sizeof sins / sizeof sins[0]; i++) {
        if (strcmp(sins[i].name, sin) != 0) continue;
        sins[i].commit(task, said, cap);
        return 1;
    }
    return 0;
}
