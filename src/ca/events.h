/* What administrators see of exit events, and telling modules again. Thread: any, but for what
 * waits for the disk: not on a loop. */
#ifndef CHY_CA_EVENTS_H
#define CHY_CA_EVENTS_H

#include "ca/ca.h"

/* How one exit module stands. */
struct chy_exit_state {
    const char *name; /* as configuration calls it */
    bool loaded, paused, synchronous;
    uint64_t calls, failures, delivered;
    uint64_t backlog;  /* owed; among them: */
    uint64_t aside;    /* tried in vain, to be tried again */
    uint64_t failed;   /* beside them: given up, for an administrator to look at */
    int64_t lag_us;    /* how old the event is that comes next; 0: nothing is owed */
    chy_time next_try; /* of what was set aside; CHY_TIME_DEFAULT: nothing was */
};
/* False: there is no i-th. */
bool chy_ca_exit_state(struct chy_ca *ca, size_t i, struct chy_exit_state *out);

/* One owed event. Texts live until the callback returns. */
struct chy_event_info {
    int64_t seq;
    const char *module, *id, *name; /* EventID, EventName */
    int32_t request_id, attempts;
    chy_time occurred, next_try, failed_when;
    struct chy_span error;
};
struct chy_event_list {
    const char *module; /* NULL: all */
    bool failed_only;
    int64_t after; /* in: seq; out: where to go on, 0: there is no more */
    uint32_t limit;
};
CHY_MUST_USE chy_hresult chy_ca_events(struct chy_ca *ca, const struct chy_caller *caller,
                                       struct chy_event_list *list,
                                       void (*cb)(const struct chy_event_info *e, void *arg),
                                       void *arg, struct chy_err *err);

/* What any module is owed of one request, the first of them: for who may list requests. */
CHY_MUST_USE chy_hresult chy_ca_events_of(struct chy_ca *ca, const struct chy_caller *caller,
                                          int32_t request_id,
                                          void (*cb)(const struct chy_event_info *e, void *arg),
                                          void *arg, struct chy_err *err);

/* Owes a module events once more: what was given up; or those of a request; or all since a time.
 * In slices: the same value again goes on where the last call ended. Needs ADMIN. */
struct chy_replay {
    const char *module;
    bool failed;
    int32_t request_id; /* 0: of any */
    chy_time since;     /* CHY_TIME_DEFAULT: not by time */
    int64_t after;      /* in; out: where to go on, 0: there is no more */
    uint32_t limit;     /* rows looked at */
    uint64_t owed;      /* out: events that the module will be told */
};
CHY_MUST_USE chy_hresult chy_ca_replay(struct chy_ca *ca, const struct chy_caller *caller,
                                       struct chy_replay *r, struct chy_err *err);

#endif
