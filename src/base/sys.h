/* The machine: clock, randomness, files, threads' queue, log, fault points.
 * Thread: any. */
#ifndef CHY_BASE_SYS_H
#define CHY_BASE_SYS_H

#include <pthread.h>

#include "base/base.h"

/* ---- time: everything above takes its clock by parameter, so that tests own it ---- */
struct chy_clock {
    chy_time (*now)(void *arg);      /* wall time, microseconds since 1970 */
    int64_t (*monotonic)(void *arg); /* microseconds, never goes back */
    void *arg;
};
extern const struct chy_clock chy_system_clock;
static inline chy_time chy_now(const struct chy_clock *c)
{
    return c->now(c->arg);
}
static inline int64_t chy_monotonic(const struct chy_clock *c)
{
    return c->monotonic(c->arg);
}

/* ---- randomness: the CSPRNG of the platform; failure is an error, never weak bytes ---- */
CHY_MUST_USE chy_hresult chy_random(void *out, size_t n, struct chy_err *err);

/* ---- files ---- */
/* Whole regular file, at most max octets. */
CHY_MUST_USE chy_hresult chy_file_read(const char *path, size_t max, struct chy_buf *out,
                                       struct chy_err *err);
/* Temporary name beside path, fsync, rename, fsync of the folder: a reader sees all or nothing. */
CHY_MUST_USE chy_hresult chy_file_write(const char *path, struct chy_span data, unsigned mode,
                                        struct chy_err *err);
/* The same in pieces: begin, any number of more, then end, or drop where nothing is to be seen. */
struct chy_file_out {
    int fd;
    char path[4096], temp[4120];
};
CHY_MUST_USE chy_hresult chy_file_begin(struct chy_file_out *f, const char *path, unsigned mode,
                                        struct chy_err *err);
CHY_MUST_USE chy_hresult chy_file_more(struct chy_file_out *f, struct chy_span data,
                                       struct chy_err *err);
CHY_MUST_USE chy_hresult chy_file_end(struct chy_file_out *f, struct chy_err *err);
void chy_file_drop(struct chy_file_out *f);
/* Removes what a process that died left of writing to path: files of its temporary names, of this
 * user and last written before that time. Returns how many such files of other names are there. */
size_t chy_file_sweep(const char *path, chy_time before);
CHY_MUST_USE chy_hresult chy_dir_make(const char *path, unsigned mode, struct chy_err *err);
/* Removes a folder and all in it; follows no link. */
void chy_dir_remove(const char *path);

/* ---- secrets ---- */
void chy_wipe(void *p, size_t n);
bool chy_equal_secret(const void *a, const void *b, size_t n); /* constant time */

/* ---- systemd, where it runs the process; false: it was not told ---- */
struct iovec;
bool chy_systemd_notify(const char *state);
bool chy_systemd_journal(const struct iovec *v, int n);

/* ---- log: one line per event, "event key=value", or JSON; the journal when started by systemd
 * ---- */
enum chy_log_level {
    CHY_LOG_LEVEL_ERROR,
    CHY_LOG_LEVEL_WARNING,
    CHY_LOG_LEVEL_INFO,
    CHY_LOG_LEVEL_DEBUG
};
enum chy_log_format { CHY_LOG_FORMAT_TEXT, CHY_LOG_FORMAT_JSON, CHY_LOG_FORMAT_JOURNAL };
void chy_log_setup(enum chy_log_level max, enum chy_log_format format);
bool chy_log_on(enum chy_log_level level);
/* Keys and values in pairs, ended by NULL: chy_log(L, "request.issued", "id", "7", NULL). Values
 * are escaped; the event and the keys are constant text. */
void chy_log(enum chy_log_level level, const char *event, ...) __attribute__((sentinel));

/* ---- fault points: named places where a test can kill, delay or fail the process ----
 * CHANCERY_FAULT=name:N:kill | name:N:fail | name:N:sleepMS acts at the N-th pass (N=0: every
 * pass); several are separated by commas. Compiled away unless the build has CHY_FAULTS. */
#ifdef CHY_FAULTS
bool chy_fault_hit(const char *name);
#define CHY_FAULT(name) chy_fault_hit(name)
#else
#define CHY_FAULT(name) false
#endif

/* False when the system refuses another thread. A name has 15 characters at most. */
CHY_MUST_USE bool chy_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg),
                                   void *arg);
/* The same where the maker works on meanwhile: the thread starts on another processor. Linux may
 * put it behind its maker, for milliseconds, although another one idles. */
CHY_MUST_USE bool chy_thread_start_beside(pthread_t *thread, const char *name,
                                          void *(*fn)(void *arg), void *arg);
/* The calling thread, and those it starts, let others go first where processors are short. */
void chy_thread_give_way(void);
struct timespec;
/* False when the thread still runs at that time of CLOCK_MONOTONIC. */
CHY_MUST_USE bool chy_thread_join_until(pthread_t thread, const struct timespec *until);

/* ---- wakes put off: whoever hands over a batch piece by piece wakes each taker once ----
 * To wake a sleeping thread costs more than to hand it something, and one that is woken for each
 * piece has emptied its queue, and sleeps again, before the next is there. */
void chy_wakes_hold(void);
/* True: this thread holds its wakes, and will call this once when it lets go; what arg points to
 * lives until then. False: the caller wakes now. */
bool chy_wake_later(void (*wake)(void *arg), void *arg);
void chy_wakes_let_go(void);

/* ---- a queue between threads: intrusive, unbounded by itself (the callers bound what they put)
 * ---- */
struct chy_node {
    struct chy_node *next;
};
struct chy_queue {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct chy_node *head, **tail;
    struct chy_node **urgent; /* behind the last urgent one */
    size_t n;
    size_t wanted; /* a waiter is woken once so many are there */
    unsigned waiting;
    bool closed;
};
void chy_queue_init(struct chy_queue *q);
void chy_queue_fini(struct chy_queue *q);
bool chy_queue_push(struct chy_queue *q, struct chy_node *node); /* false when closed */
/* Ahead of those that are not urgent, behind those that are. May put off its wake: the queue lives
 * until its pushers have let go. */
bool chy_queue_push_urgent(struct chy_queue *q, struct chy_node *node);
struct chy_node *chy_queue_pop(struct chy_queue *q); /* waits; NULL when closed and empty */
struct chy_node *chy_queue_take_all(struct chy_queue *q,
                                    bool wait); /* the whole list, oldest first */
/* For an only consumer: waits for one, without limit, and then until n are there, somebody says
 * that no more will come soon, or the time is up. */
void chy_queue_wait(struct chy_queue *q);
void chy_queue_gather(struct chy_queue *q, size_t n, unsigned us);
void chy_queue_no_more_soon(struct chy_queue *q);
void chy_queue_close(struct chy_queue *q);
size_t chy_queue_len(struct chy_queue *q);

#endif
