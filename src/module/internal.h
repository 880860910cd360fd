/* What the files of this layer share. Nothing outside module/ includes this. */
#ifndef CHY_MODULE_INTERNAL_H
#define CHY_MODULE_INTERNAL_H

#include <stdatomic.h>

#include "module/child.h"
#include "module/module.h"

enum { CHY_CONTEXTS = 512, CHY_RANDOM_POOL = 256 };

/* One running call. The number that the module knows it by is slot | random << 9; it dies with the
 * call, or at the deadline. Callbacks run under the lock: who kills the context waits for the one
 * inside. */
struct chy_context {
    pthread_mutex_t lock;
    int32_t number; /* 0: dead */
    bool in_use, abandoned;
    bool overdue;                /* of a module in a child process: that was ended */
    struct chy_process *process; /* that the call runs in; NULL: this one */
    void *request;
    enum chy_asker asker;
    struct chy_instance *instance;
    int64_t deadline; /* monotonic, us */
    struct chy_context *next_free;
};

struct chy_library {
    struct chy_library *next;
    char *path;
    char sha256[65];
    uint8_t sha256_octets[32];
    const chy_module_info *info;
};

struct chy_modules {
    struct chy_modules_config config;
    char *folder;
    struct chy_watch watch;
    void (*changed)(void *arg);
    void *changed_arg;
    pthread_mutex_t lock; /* free contexts, libraries, the deadline thread's sleep */
    pthread_cond_t wake;
    pthread_t deadline_thread;
    bool thread_runs, stopping, parked;
    atomic_bool closed;     /* nothing of the engine may be asked any more */
    atomic_uint generation; /* of the settings */
    unsigned active;
    unsigned shortest_ms;             /* of the deadlines that there are */
    uint32_t random[CHY_RANDOM_POOL]; /* drawn together: a draw costs more than a call */
    size_t random_used;
    struct chy_library *libraries;
    struct chy_context *free_context;
    struct chy_context context[CHY_CONTEXTS];
};

struct chy_instance {
    struct chy_modules *ms;
    struct chy_library *library; /* NULL: it is in the child */
    struct chy_child *child;
    unsigned deadline_ms;
    char *name, *class_name, *location;
    bool is_policy, late, concurrent;
    chy_host host;     /* self: this instance */
    chy_object object; /* as the module made it */
    chy_policy policy; /* the same, typed; one of the two */
    chy_exit exit;
    pthread_mutex_t gate; /* of a serial instance: who is inside, and who waits */
    pthread_cond_t gate_opens;
    bool occupied;
    atomic_bool quarantined; /* not for a child: that has a state */
    atomic_uint running;     /* calls that have not come back */
    _Atomic uint64_t calls, failures, busy_us;
};

/* instance.c: name and location */
CHY_MUST_USE chy_hresult chy_instance_name(struct chy_instance *i, const char *name,
                                           struct chy_err *err);
/* In a child: the instance of the module in fd, which is taken over. named is called once its
 * descriptor is known, before anything is made. */
CHY_MUST_USE chy_hresult chy_instance_open_fd(struct chy_modules *ms, int fd, const char *path,
                                              const char *class_name, bool is_policy,
                                              enum chy_binding binding,
                                              chy_hresult (*named)(const char *name, void *arg),
                                              void *arg, struct chy_instance **out,
                                              struct chy_err *err);

/* load.c */
/* The file of a module, found and in the right hands: a sealed copy of it and its hash. */
CHY_MUST_USE chy_hresult chy_library_copy(struct chy_modules *ms, const char *module,
                                          struct chy_file *out, struct chy_err *err);
/* Takes fd over. path: what it is called. */
CHY_MUST_USE chy_hresult chy_library_map(struct chy_modules *ms, int fd, const char *path,
                                         struct chy_library **out, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_library_load(struct chy_modules *ms, const char *module,
                                          struct chy_library **out, struct chy_err *err);
/* descriptor.c */
CHY_MUST_USE chy_hresult chy_descriptor_check(const chy_module_info *info, const char *path,
                                              struct chy_err *err);
/* The header and mandatory members of a table; says whether it is driven late-bound. */
CHY_MUST_USE chy_hresult chy_policy_table_check(const chy_object *o, enum chy_binding binding,
                                                bool *late, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_exit_table_check(const chy_object *o, enum chy_binding binding,
                                              bool *late, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_manage_table_check(const chy_object *o, bool *direct,
                                                struct chy_err *err);
void chy_object_discard(const chy_object *o); /* one whose table was refused */

/* dispatch.c */
/* Makes the call in this process; at a context, for what there is one. */
chy_hresult chy_call_run(struct chy_instance *i, chy_long context, struct chy_call *c,
                         struct chy_err *err);
/* The same under promise and deadline, wherever the module runs. c->made: it was begun. */
chy_hresult chy_call_make(struct chy_instance *i, void *request, struct chy_call *c,
                          bool *abandoned, struct chy_err *err);
/* manage.c */
chy_hresult chy_manage_run(struct chy_instance *i, struct chy_call *c, struct chy_err *err);
/* policy.c */
chy_hresult chy_explain(struct chy_instance *i, const char *method, chy_hresult hr,
                        struct chy_err *err);
chy_hresult chy_overran(struct chy_instance *i, const char *method, struct chy_err *err);

/* call.c: those who wait for the instance learn that it is quarantined */
void chy_gate_wake(struct chy_instance *i);

/* context.c */
struct chy_context *chy_context_begin(struct chy_instance *i, void *request, enum chy_asker asker,
                                      int32_t *number);
/* True: the deadline passed while the call ran; what it was about is no longer ours. */
bool chy_context_end(struct chy_context *c);
/* Says in which child the call runs, until NULL; whether that was ended for taking too long. */
bool chy_context_lend(struct chy_context *c, struct chy_process *p);
void chy_context_has_left(struct chy_context *c, int64_t us); /* by another's clock */
/* Locks the live context of that number, NULL when it is dead; unlock with chy_context_leave. */
struct chy_context *chy_context_enter(struct chy_modules *ms, int32_t number);
void chy_context_leave(struct chy_context *c);
int64_t chy_context_time_left_us(void); /* of the call on this thread; INT64_MAX outside of one */
CHY_MUST_USE chy_hresult chy_deadlines_start(struct chy_modules *ms, struct chy_err *err);
/* False: a call is still inside its module, and ms has to outlive it. */
bool chy_deadlines_stop(struct chy_modules *ms);

/* host.c */
extern const chy_host_vtbl chy_host_table;
void chy_host_of(struct chy_instance *i, chy_host *out);

/* server.c: the callback objects, and the same by name */
CHY_MUST_USE chy_hresult chy_server_policy_new(struct chy_instance *i, chy_server_policy *out);
CHY_MUST_USE chy_hresult chy_server_exit_new(struct chy_instance *i, chy_server_exit *out);
chy_hresult chy_server_policy_invoke(void *self, const char *method, const chy_variant *args,
                                     uint32_t nargs, chy_variant *result, chy_excep *excep,
                                     uint32_t *bad_arg);
chy_hresult chy_server_exit_invoke(void *self, const char *method, const chy_variant *args,
                                   uint32_t nargs, chy_variant *result, chy_excep *excep,
                                   uint32_t *bad_arg);
extern const chy_server_policy_vtbl chy_server_policy_table;
extern const chy_server_exit_vtbl chy_server_exit_table;

/* late.c: a method of a module by name; DISP_E_EXCEPTION becomes the code inside it */
chy_hresult chy_late_call(const chy_object *o, const char *method, const chy_variant *args,
                          uint32_t nargs, chy_variant *result, struct chy_err *err);
chy_variant chy_arg_str(const char *s);
chy_variant chy_arg_long(chy_long l);

/* call.c: begins a call under the instance's promise, and ends it */
struct chy_running {
    struct chy_context *context;
    int32_t number; /* of the context when the call began: the deadline takes the context's own */
    int64_t started;
};
CHY_MUST_USE chy_hresult chy_call_begin(struct chy_instance *i, void *request, enum chy_asker asker,
                                        struct chy_running *out, struct chy_err *err);
bool chy_call_end(struct chy_instance *i, struct chy_running *r,
                  chy_hresult result); /* true: abandoned */

/* hosted.c: a call of a module in a child process */
chy_hresult chy_hosted_call(struct chy_instance *i, struct chy_running *r, void *request,
                            struct chy_call *c, struct chy_err *err);
/* The call as a conversation over a lane; context NULL: of nothing. The result is the method's, or
 * RPC_E_SERVERFAULT with *broken where the child did not keep to the language. */
chy_hresult chy_lane_call(struct chy_instance *i, struct chy_context *context, int32_t number,
                          void *request, struct chy_lane *lane, struct chy_call *c, bool *broken,
                          struct chy_err *err);
/* answer.c: what a child asks. number: of its call's context, 0 outside of one */
void chy_answer(struct chy_instance *i, int32_t number, const struct chy_question *q,
                struct chy_reply *out);

#endif
