/* The conformance script and the host that it puts a module before. Nothing outside of module/
 * includes this. */
#ifndef CHY_MODULE_CONFORM_H
#define CHY_MODULE_CONFORM_H

#include <signal.h>
#include <stdatomic.h>

#include "module/examine.h"
#include "module/internal.h"

enum {
    CHY_CONFORM_OBJECTS = 4096, /* callback objects alive at once, before the rest is not tracked */
    CHY_CONFORM_FILES = 1024,   /* that it may have open */
    CHY_CONFORM_SIGNALS = 32
};

/* How the host answers. */
enum chy_mood {
    CHY_MOOD_KIND,
    CHY_MOOD_REFUSING, /* every call fails */
    CHY_MOOD_HUGE,     /* texts and octets of 64 KiB, numbers and times at their ends */
    CHY_MOOD_ODD,  /* values of other types than were asked for, no text, NUL and no UTF-8 inside */
    CHY_MOOD_MIXED /* now this, now that */
};

/* What a process has and a module must leave as it is. */
struct chy_process_state {
    char locale[64], folder[4096];
    unsigned mask;
    void (*handler[CHY_CONFORM_SIGNALS])(int);
};

struct chy_conform {
    const struct chy_examination *what;
    int report; /* the pipe */
    struct chy_modules *ms;
    struct chy_instance *instance;
    bool is_policy;
    chy_long events;
    atomic_uint turn; /* of the events */
    struct chy_conform_answer {
        enum chy_verdict verdict; /* policy */
        chy_hresult status;
        bool setter_failed;
    } plain; /* what it made of an ordinary call */

    _Atomic enum chy_mood mood;
    _Atomic uint32_t dice;
    _Atomic chy_hresult refusal; /* of the refusing mood */
    atomic_uint active;          /* calls into the module that run */
    atomic_bool setter_failed;   /* since the last call began */
    atomic_bool no_time;         /* time_left says 0 */
    atomic_ulong outside;        /* callbacks while no call ran */
    atomic_ulong made, released, released_twice;
    pthread_mutex_t lock; /* the objects, the log */
    void *object[CHY_CONFORM_OBJECTS];
    size_t n_objects;
    char log[400]; /* what it said last as an error */
    chy_host_vtbl host;
    chy_server_policy_vtbl policy;
    chy_server_exit_vtbl exit;
    struct chy_process_state before;
    size_t files; /* open before the first call */
};

/* conform_host.c */
extern const struct chy_engine_ops chy_conform_ops;
void chy_conform_host(struct chy_conform *c); /* fills in the tables that watch */

/* conform.c: in the child; what it finds goes through the pipe */
void chy_conform_run(struct chy_conform *c);
void chy_conform_tell(const struct chy_conform *c, enum chy_finding_kind kind, const char *check,
                      const char *fmt, ...) CHY_PRINTF(4, 5);
void chy_conform_begin(const struct chy_conform *c, const char *check);

/* conform_calls.c: one call in the present mood, and how it ended */
struct chy_conform_answer chy_conform_call(struct chy_conform *c, bool is_new);
/* The same with a context number that is not this call's. */
struct chy_conform_answer chy_conform_call_with(struct chy_conform *c, chy_long context);

/* conform_run.c: the long run, and threads */
void chy_conform_threads(struct chy_conform *c);
void chy_conform_long_run(struct chy_conform *c);
/* conform_state.c: what the process has */
void chy_conform_remember(struct chy_process_state *s);
void chy_conform_compare(struct chy_conform *c);
size_t chy_conform_heap(void);
bool chy_conform_is_sanitized(void);
size_t chy_conform_files(void); /* open descriptors */
size_t chy_conform_tasks(void); /* threads; 0: it cannot be said */

#endif
