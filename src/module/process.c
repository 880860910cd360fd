/* One process of a module's child: its sockets, its start, its end, what it writes to its log. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "module/internal.h"

enum {
    LOG_FD = 1,
    FAR = 64,         /* where no descriptor of a child stands */
    START_MS = 10000, /* at least, for a process to come up: the machine may be busy */
    LINES_PER_WINDOW = 500,
    BLOCKS_AT_ONCE = 32, /* more than a pipe holds, unless somebody goes on writing */
    LINE_WINDOW_US = 10000000
};

void chy_file_drop_copy(struct chy_file *f)
{
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    chy_free(f->path);
    f->path = NULL;
}

/* Out of the way of the numbers that the child's descriptors get. */
static int far_away(int fd)
{
    int far = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FAR);
    if (fd >= 0) close(fd);
    return far;
}

static bool pair(int *ours, int *theirs)
{
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0) return false;
    *ours = fd[0];
    *theirs = far_away(fd[1]);
    if (*theirs >= 0) return true;
    close(*ours);
    return false;
}

static bool open_lane(struct chy_process *p, struct chy_lane *l, int number)
{
    int ours;
    if (!pair(&ours, &p->give[number])) return false;
    return chy_lane_init(l, ours, CHY_FRAME_TO_CHILD_MAX);
}

static bool open_all(struct chy_process *p, const struct chy_file *f)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0) return false;
    p->log_fd = fd[0];
    (void)fcntl(p->log_fd, F_SETFL, O_NONBLOCK);
    p->give[LOG_FD] = far_away(fd[1]);
    p->give[CHY_FD_MODULE] = fcntl(f->fd, F_DUPFD_CLOEXEC, FAR);
    if (p->give[LOG_FD] < 0 || p->give[CHY_FD_MODULE] < 0) return false;
    if (!open_lane(p, &p->control, CHY_FD_CONTROL) || !open_lane(p, &p->side, CHY_FD_SIDE))
        return false;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN) + 1;
    size_t want = cpus < 2 ? 2 : cpus > CHY_LANES_MAX ? CHY_LANES_MAX : (size_t)cpus;
    while (p->n_seats < want) {
        if (!open_lane(p, &p->seat[p->n_seats].lane, CHY_FD_LANES + (int)p->n_seats)) return false;
        p->n_seats++;
    }
    return true;
}

struct chy_process *chy_process_new(struct chy_child *c, const struct chy_file *f)
{
    struct chy_process *p = chy_calloc(1, sizeof(*p));
    if (!p) return NULL;
    p->child = c;
    p->pidfd = p->log_fd = p->control.fd = p->side.fd = -1;
    for (size_t i = 0; i < CHY_LANES_MAX; i++)
        p->seat[i].lane.fd = -1;
    for (size_t i = 0; i < CHY_ARRAY_LEN(p->give); i++)
        p->give[i] = -1;
    if (open_all(p, f)) return p;
    chy_process_free(p);
    return NULL;
}

static void close_given(struct chy_process *p)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(p->give); i++) {
        if (p->give[i] >= 0) close(p->give[i]);
        p->give[i] = -1;
    }
}

/* Descriptors that it is given, and no others; no environment; no signal blocked or ignored. */
static int spawn(struct chy_process *p, posix_spawn_file_actions_t *files, posix_spawnattr_t *attr)
{
    const char *program = p->child->instance->ms->config.modhost;
    char *argv[] = {(char *)(uintptr_t) "chancery-modhost", NULL}, *envp[] = {NULL};
    sigset_t none, all;
    int last = CHY_FD_LANES + (int)p->n_seats, rc;
    sigemptyset(&none);
    sigfillset(&all);
    rc = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    if (!rc) rc = posix_spawn_file_actions_adddup2(files, p->give[LOG_FD], 1);
    if (!rc) rc = posix_spawn_file_actions_adddup2(files, p->give[LOG_FD], 2);
    for (int fd = CHY_FD_MODULE; fd < last && !rc; fd++)
        rc = posix_spawn_file_actions_adddup2(files, p->give[fd], fd);
    if (!rc) rc = posix_spawn_file_actions_addclosefrom_np(files, last);
    if (!rc) rc = posix_spawnattr_setsigmask(attr, &none);
    if (!rc) rc = posix_spawnattr_setsigdefault(attr, &all);
    if (!rc) rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return rc ? rc : posix_spawn(&p->pid, program, files, attr, argv, envp);
}

void chy_process_spawn(struct chy_process *p)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    p->spawn_error = spawn(p, &files, &attr);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    close_given(p);
    p->spawned = true;
    if (!p->spawn_error && (p->pidfd = pidfd_open(p->pid, 0)) < 0) {
        p->spawn_error = errno;
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    if (p->spawn_error) {
        p->pid = 0;
        p->ended = p->meant = true;
    }
}

static void shut(int fd)
{
    if (fd >= 0) shutdown(fd, SHUT_RDWR);
}

void chy_process_kill(struct chy_process *p, const char *why)
{
    if (p->killed || p->ended) return;
    p->killed = true;
    snprintf(p->why, sizeof(p->why), "%s", why);
    if (p->pidfd >= 0) (void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
    /* whoever waits on a lane is woken, even where somebody else holds the other end */
    for (size_t i = 0; i < p->n_seats; i++)
        shut(p->seat[i].lane.fd);
    shut(p->control.fd);
}

void chy_process_dismiss(struct chy_process *p)
{
    shut(p->control.fd);
}

void chy_process_reap(struct chy_process *p)
{
    siginfo_t si = {0};
    if (p->ended) return;
    /* Where SIGCHLD is ignored, as some leave it to their children, the system keeps no status. */
    bool told = waitid(P_PIDFD, (id_t)p->pidfd, &si, WEXITED) == 0;
    if (!told && errno != ECHILD) return;
    p->ended = true;
    for (size_t i = 0; i < p->n_seats; i++)
        shut(p->seat[i].lane.fd);
    shut(p->control.fd);
    if (p->why[0]) {
        snprintf(p->end, sizeof(p->end), "%s", p->why);
    } else if (!told) {
        snprintf(p->end, sizeof(p->end), "it ended");
    } else if (si.si_code == CLD_EXITED) {
        snprintf(p->end, sizeof(p->end), "it ended itself with status %d", si.si_status);
    } else {
        const char *name = sigabbrev_np(si.si_status);
        snprintf(p->end, sizeof(p->end), "it was ended by signal %d (SIG%s)", si.si_status,
                 name ? name : "?");
    }
}

void chy_process_free(struct chy_process *p)
{
    close_given(p);
    for (size_t i = 0; i < CHY_LANES_MAX; i++)
        chy_lane_fini(&p->seat[i].lane);
    chy_lane_fini(&p->control);
    chy_lane_fini(&p->side);
    if (p->pidfd >= 0) close(p->pidfd);
    if (p->log_fd >= 0) close(p->log_fd);
    chy_free(p);
}

/* ---- its log: a line is one of host->log (an octet 1 and the severity in front), or whatever the
 * module or its libraries wrote to standard output or error ---- */

static void say(struct chy_process *p)
{
    const char *text = p->line;
    int64_t now = chy_monotonic(p->child->instance->ms->config.clock);
    if (now - p->lines_since > LINE_WINDOW_US) {
        p->lines_since = now;
        p->n_lines = 0;
    }
    if (++p->n_lines > LINES_PER_WINDOW) return;
    if (p->n_lines == LINES_PER_WINDOW) text = "(and more: too much is said)";
    bool by_host = text[0] == 1 && text[1] >= '0' && text[1] <= '3';
    const struct chy_modules_config *config = &p->child->instance->ms->config;
    if (by_host && config->ops->log) {
        config->ops->log(config->ca, p->child->label, text[1] - '0', text + 2);
        return;
    }
    enum chy_log_level level =
        by_host ? (enum chy_log_level)(text[1] - '0') : CHY_LOG_LEVEL_WARNING;
    chy_log(level, by_host ? "module.log" : "module.output", "module", p->child->label, "text",
            by_host ? text + 2 : text, NULL);
}

void chy_process_pump(struct chy_process *p)
{
    char block[4096];
    ssize_t n = 1;
    /* One that never ends talking must not keep the supervisor from ending it. */
    for (unsigned i = 0; i < BLOCKS_AT_ONCE && (n = read(p->log_fd, block, sizeof(block))) > 0;
         i++) {
        for (ssize_t k = 0; k < n; k++) {
            bool ends = block[k] == '\n';
            if (!ends && block[k]) p->line[p->n_line++] = block[k];
            if (!ends && p->n_line < sizeof(p->line) - 1) continue;
            p->line[p->n_line] = 0;
            if (p->n_line) say(p);
            p->n_line = 0;
        }
    }
    if (n == 0 && p->log_fd >= 0) {
        close(p->log_fd);
        p->log_fd = -1;
    }
}

/* ---- the greeting ---- */

static char *own(const char *s, bool *whole)
{
    char *copy = s ? chy_strndup(s, 255) : NULL;
    if (!copy) *whole = false;
    return copy;
}

static struct chy_identity *identity_of(const struct chy_ready *r, const struct chy_file *f)
{
    struct chy_identity *id = chy_calloc(1, sizeof(*id));
    bool whole = true;
    if (!id) return NULL;
    id->name = own(r->name, &whole);
    id->class_name = own(r->class_name, &whole);
    id->version = own(r->version, &whole);
    id->confined = own(r->confined, &whole);
    id->path = chy_strdup(f->path);
    memcpy(id->sha256, f->sha256, sizeof(id->sha256));
    id->late = r->late;
    id->concurrent = r->concurrent;
    if (whole && id->path) return id;
    chy_identity_free(id);
    return NULL;
}

static void put_start(struct chy_process *p, const struct chy_file *f)
{
    const struct chy_child *c = p->child;
    const struct chy_modules_config *config = &c->instance->ms->config;
    struct chy_start s = {.is_policy = c->instance->is_policy,
                          .network = c->place.network,
                          .packed = config->ops->pack != NULL,
                          .binding = c->binding,
                          .class_name = c->class_name,
                          .path = f->path,
                          .uid = c->uid,
                          .gid = c->gid,
                          .memory_mb = c->place.memory_mb,
                          .lanes = (uint32_t)p->n_seats,
                          .timeout_ms = c->instance->deadline_ms,
                          .parent = (uint32_t)getpid(),
                          .n_read = c->place.n_read,
                          .n_write = c->place.n_write};
    memcpy(s.read, c->place.read, sizeof(s.read));
    memcpy(s.write, c->place.write, sizeof(s.write));
    chy_frame_begin(&p->control);
    chy_put_start(&p->control.out, &s);
}

static chy_hresult hear(struct chy_process *p, struct chy_ready *r, struct chy_err *err)
{
    enum chy_frame kind = CHY_FRAME_START;
    struct chy_wire_in in = {NULL, NULL, true};
    unsigned ms = p->child->instance->deadline_ms;
    chy_lane_within(&p->control, ms > START_MS ? ms : START_MS);
    if (!chy_frame_recv(&p->control, 1 << 16, &kind, &in)) {
        return chy_fail(err, CHY_RPC_E_SERVERFAULT, "%s",
                        errno == EAGAIN ? "its child process is not up within its deadline"
                                        : "its child process ended while it was loaded");
    }
    chy_get_ready(&in, r);
    if (kind != CHY_FRAME_READY || in.bad || in.p != in.end)
        return chy_fail(err, CHY_RPC_E_SERVERFAULT, "its child process speaks another language");
    if (CHY_FAILED(r->hr))
        return chy_fail(err, r->hr, "%s", r->error ? r->error : "it did not load");
    return CHY_S_OK;
}

/* Twice: with the name once the descriptor was read, for the settings that may be asked for when
 * the object is made; and when that is made. */
chy_hresult chy_process_greet(struct chy_process *p, const struct chy_file *f,
                              struct chy_identity **out, struct chy_err *err)
{
    struct chy_ready r = {0};
    put_start(p, f);
    chy_lane_within(&p->control, START_MS);
    if (!chy_frame_send(&p->control, CHY_FRAME_START))
        return chy_fail_errno(err, "its child process");
    chy_hresult hr = hear(p, &r, err);
    if (hr == CHY_S_OK) hr = chy_child_named(p->child, r.name, err);
    if (hr != CHY_S_OK) return hr;
    chy_frame_begin(&p->control);
    if (!chy_frame_send(&p->control, CHY_FRAME_ANSWER))
        return chy_fail_errno(err, "its child process");
    hr = hear(p, &r, err);
    if (hr != CHY_S_OK) return hr;
    *out = identity_of(&r, f);
    return *out ? CHY_S_OK : chy_fail(err, CHY_RPC_E_SERVERFAULT, "it did not say what it is");
}
