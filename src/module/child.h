/* The child process of a module, as the daemon has it: started, watched, ended, started again.
 *
 * One supervisor thread per child starts its processes (they end with the thread that started
 * them), pumps what they say and answers what they ask outside of calls; it sleeps in poll. A
 * process that fails is followed by another after a pause that doubles; after so many failures
 * without a call that went well between them there is no other, until a reload.
 *
 * Everything below is under the child's lock, but for a lane that was taken: it is its taker's. */
#ifndef CHY_MODULE_CHILD_H
#define CHY_MODULE_CHILD_H

#include <stdatomic.h>
#include <sys/types.h>

#include "module/wire.h"

struct chy_instance;
struct chy_context;

/* A module's file as it was when it was checked: what runs is what was hashed. */
struct chy_file {
    int fd; /* sealed memory */
    char *path;
    uint8_t sha256[32];
};
void chy_file_drop_copy(struct chy_file *f);

enum { CHY_CHILD_LINE = 1024 };
struct chy_process {
    struct chy_process *next;
    struct chy_child *child;
    pid_t pid; /* 0: not started yet */
    int spawn_error;
    int pidfd, log_fd;
    int give[CHY_FD_LANES + CHY_LANES_MAX]; /* the child's ends, until it has them */
    struct chy_lane control, side;
    struct {
        struct chy_lane lane;
        bool busy;
    } seat[CHY_LANES_MAX];
    size_t n_seats;
    unsigned users; /* who holds a seat, or is starting it */
    bool alone;     /* its user shares it with nobody */
    bool spawned, killed, ended;
    bool crowd;  /* it failed with more than one call in it */
    bool meant;  /* its end is: what comes of it is no failure */
    bool failed; /* its end was counted */
    int64_t kill_at;
    char why[120], end[200];
    char line[CHY_CHILD_LINE];
    size_t n_line;
    int64_t lines_since;
    unsigned n_lines;
};

/* What a module said of itself; kept until the instance goes, for who has lent it. */
struct chy_identity {
    struct chy_identity *next;
    char *name, *class_name, *version, *confined;
    char *path;
    uint8_t sha256[32];
    bool late, concurrent;
};

struct chy_child {
    struct chy_instance *instance;
    enum chy_binding binding;
    char *module, *class_name; /* as configured */
    char label[64];            /* of the module, for the log */
    struct chy_place place;    /* its texts are own */
    uid_t uid;
    gid_t gid;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t supervisor, starter;
    bool supervisor_runs, starter_runs, starter_done, reloading, closing, opened;
    bool tell;                 /* the watch is to be told */
    atomic_bool failed_lately; /* there are failures to forget */
    int wake;
    struct chy_file file;
    struct chy_process *processes, *now;
    struct chy_identity *identity; /* the newest first */
    enum chy_child_state state;
    char *config; /* of the call of Initialize */
    unsigned failures, want_alone;
    int64_t next_start;
    uint64_t restarts, deadline_kills;
    char last_end[200];
};

/* child.c */
CHY_MUST_USE chy_hresult chy_child_open(struct chy_instance *i, const char *module,
                                        const char *class_name, enum chy_binding binding,
                                        const struct chy_place *place, struct chy_err *err);
void chy_child_free(struct chy_child *c);
/* A lane of the process that takes calls; waits for one, and a moment for a process that is being
 * started. */
CHY_MUST_USE chy_hresult chy_child_take(struct chy_child *c, int64_t deadline, bool alone,
                                        struct chy_process **p, size_t *seat, struct chy_err *err);
void chy_child_give(struct chy_child *c, struct chy_process *p, size_t seat);
void chy_child_succeeded(struct chy_child *c);
/* The process did not keep to the language or is gone: ends it, and says how that came. shared:
 * other calls were in it, and whose fault it was is not known. */
chy_hresult chy_child_broke(struct chy_child *c, struct chy_process *p, const char *during,
                            bool overdue, bool *shared, struct chy_err *err);
/* It answered Initialize with a failure: nothing is asked of this process; another may do better.
 */
void chy_child_refused(struct chy_child *c, struct chy_process *p, chy_hresult hr);
/* Thread: deadlines. */
void chy_child_overran(struct chy_process *p);
void chy_child_remember(struct chy_child *c, const char *config);
/* The process has read whose descriptor its file holds; the first one names the instance. */
CHY_MUST_USE chy_hresult chy_child_named(struct chy_child *c, const char *name,
                                         struct chy_err *err);
CHY_MUST_USE chy_hresult chy_child_reload(struct chy_child *c, struct chy_err *err);

void chy_child_info(struct chy_child *c, struct chy_instance_info *out);
void chy_identity_free(struct chy_identity *id);

/* process.c: under the lock unless it says otherwise */
struct chy_process *chy_process_new(struct chy_child *c, const struct chy_file *f);
void chy_process_spawn(struct chy_process *p); /* thread: supervisor */
void chy_process_kill(struct chy_process *p, const char *why);
void chy_process_dismiss(struct chy_process *p); /* tells it to go */
void chy_process_reap(struct chy_process *p);
void chy_process_free(struct chy_process *p);
void chy_process_pump(struct chy_process *p); /* without the lock: its log */
/* Without the lock: START, READY and what it says of itself. */
CHY_MUST_USE chy_hresult chy_process_greet(struct chy_process *p, const struct chy_file *f,
                                           struct chy_identity **out, struct chy_err *err);

/* supervise.c */
void *chy_supervise(void *child);
void chy_child_wake(struct chy_child *c);
/* Under the lock: what follows the unexpected end of a process. */
void chy_child_failed(struct chy_child *c, struct chy_process *p);
/* A process that is up, in which Initialize was called if it is to be; held once. Not on the
 * supervisor's thread. */
CHY_MUST_USE chy_hresult chy_child_start(struct chy_child *c, const struct chy_file *f,
                                         struct chy_process **out, struct chy_identity **identity,
                                         struct chy_err *err);
/* Under the lock: the process takes the calls from now on. */
void chy_child_use(struct chy_child *c, struct chy_process *p, struct chy_identity *identity);

#endif
