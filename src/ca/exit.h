/* One exit module of a CA and what it is owed (P13). Each has a dispatcher thread of its own: a
 * slow or dead one keeps nobody waiting. Events are told in the order of their commits; one that
 * the module does not take is set aside, the later ones of the same request behind it, and tried
 * again later and later, until it is delivered or has failed for so long, while others went well,
 * that an administrator has to look at it.
 *
 * Thread: what is not atomic belongs to the dispatcher. */
#ifndef CHY_CA_EXIT_H
#define CHY_CA_EXIT_H

#include <stdatomic.h>

#include "ca/ca.h"
#include "store/store.h"

enum {
    CHY_EVENT_BITS = 0xffff,     /* what Notify is given */
    CHY_EVENT_RELEASE = 1 << 16, /* with CERTREVOKED: it was a release from hold */
    CHY_EVENT_ID_MAX = 96,
    CHY_EXIT_STRAIGHT_FAILURES = 3, /* in a row: then it is the module, not the event */
};

/* What Notify is about, for whom the module asks. */
struct chy_told {
    int32_t request_id, event;
    chy_time occurred;
    int32_t attempt; /* from 1 on; 0: nothing is being told */
};

/* One answer that is held back until a synchronous module was told. */
struct chy_exit_wait;

struct chy_exit_slot {
    struct chy_ca *ca;
    char *name;
    struct chy_instance *instance; /* NULL: not loaded */
    chy_long mask; /* of one that is not loaded: what it asked for when it last was */
    char error[480];
    bool synchronous;
    _Atomic uint64_t calls, failures, delivered;

    pthread_t thread;
    bool runs;
    struct chy_queue queue; /* requests whose final row was committed */
    struct chy_node *taken; /* from the queue, not yet told */
    struct chy_node wake;   /* in the queue: look at the outbox */
    atomic_bool wake_queued;
    atomic_bool behind; /* more is owed than the queue has: it is read from the outbox */
    atomic_bool paused;
    int64_t stop_by; /* monotonic; set before stopping */
    atomic_bool stopping;
    _Atomic int64_t done_seq; /* up to here all was told or set aside */
    _Atomic uint64_t backlog; /* owed, but for what was given up */

    /* told, to be crossed off with one record */
    int64_t crossing_from, crossing_to;
    uint64_t n_crossing;
    int64_t crossing_since; /* monotonic */

    /* trying again */
    unsigned failed_in_row;
    bool retried;          /* last of all something that was set aside */
    int64_t quiet_until;   /* monotonic: the module as a whole is left alone until then */
    chy_time last_success; /* wall; CHY_TIME_DEFAULT: none since the start */
    _Atomic uint64_t n_aside, n_failed;
    _Atomic int64_t at_event; /* wall: when occurred what is being told, or was told last */
    _Atomic int64_t next_try; /* wall, of what was set aside; INT64_MAX: nothing was */
    _Atomic int64_t last_try; /* wall, of what was set aside: the farthest away */
    int64_t told_aside;       /* taken at last, but could not be crossed off yet; 0: none */
    atomic_bool recount;      /* others changed what is set aside */
    struct chy_told now;      /* told at context 0; under lock */
    pthread_mutex_t lock;     /* now, waiting */
    struct chy_exit_wait *waiting, *waiting_end; /* answers held back, in the order of events */
};

struct chy_request;

/* exit_run.c */
/* Of a module that is not loaded it only counts what is owed. */
CHY_MUST_USE chy_hresult chy_exit_start(struct chy_exit_slot *slot, struct chy_err *err);
void chy_exit_stop(struct chy_exit_slot *slot);
/* Something is owed that the queue has not, or its settings changed. Thread: any. */
void chy_exit_wake(struct chy_exit_slot *slot);
/* One more is owed. */
void chy_exit_owed(struct chy_exit_slot *slot);
/* r, whose event is owed under seq, is handed over with a reference; else the outbox is read. */
void chy_exit_give(struct chy_exit_slot *slot, struct chy_request *r, bool live);
/* Tells the module, and counts. */
enum chy_exit_told {
    CHY_EXIT_TOLD,
    CHY_EXIT_REFUSED, /* it failed: to be tried again */
    CHY_EXIT_UNREAD,  /* the store fails */
    CHY_EXIT_NOTHING, /* there is nothing to tell, or not now */
    CHY_EXIT_LOST     /* this thread was given up inside the module: touch nothing */
};
enum chy_exit_told chy_exit_tell(struct chy_exit_slot *slot, const struct chy_outbox_entry *e,
                                 struct chy_request *r, struct chy_err *err);
/* One that was read from the outbox. */
enum chy_exit_told chy_exit_tell_read(struct chy_exit_slot *slot, const struct chy_outbox_entry *e,
                                      struct chy_err *err);
bool chy_exit_is_closing(const struct chy_exit_slot *slot);
bool chy_exit_may_tell(const struct chy_exit_slot *slot); /* neither closing nor paused */

/* exit_cross.c: what was told is crossed off, many with one record */
void chy_exit_cross_off(struct chy_exit_slot *slot, int64_t seq);
bool chy_exit_write_crossings(struct chy_exit_slot *slot); /* false: no memory for it now */
bool chy_exit_crossings_are_old(struct chy_exit_slot *slot);

/* exit_retry.c */
/* The module did not take the event. False: that could not be noted; it stays where it is. */
bool chy_exit_refused(struct chy_exit_slot *slot, const struct chy_outbox_entry *e,
                      const struct chy_err *why);
void chy_exit_taken(struct chy_exit_slot *slot);
/* Must this one wait behind an earlier event of its request? Then it was set aside. */
enum chy_exit_told chy_exit_behind_another(struct chy_exit_slot *slot,
                                           const struct chy_outbox_entry *e);
/* Tries what was set aside and is due. UNREAD: the store fails; not to be called at once again. */
enum chy_exit_told chy_exit_retry(struct chy_exit_slot *slot);
/* Reads how much is set aside and when the next of it is due. Who is not the dispatcher sets
 * recount behind it. */
void chy_exit_count(struct chy_exit_slot *slot);

/* exit_sync.c */
/* Between these two the events of r are handed to their modules. release(r) follows: at once, when
 * every synchronous module was told, or when the time is up. Thread: writer. */
void chy_exit_hold(struct chy_request *r, void (*release)(struct chy_request *r));
void chy_exit_held(struct chy_request *r);
void chy_exit_let_go(struct chy_exit_slot *slot, int64_t seq); /* up to there all was told */
CHY_MUST_USE chy_hresult chy_exit_sync_start(struct chy_ca *ca, struct chy_err *err);
void chy_exit_sync_stop(struct chy_ca *ca);

/* exit_event.c: what an event is called */
/* The same at every delivery of the event, to every module: CA, request, event, time. */
void chy_event_id(const struct chy_ca *ca, const struct chy_told *t, char out[CHY_EVENT_ID_MAX]);
const char *chy_event_name(int32_t event);
/* EventID, EventTime, EventAttempt, EventName; PROPERTY_EMPTY for every other name. */
chy_hresult chy_event_property(const struct chy_ca *ca, const struct chy_told *t, const char *name,
                               chy_long type, chy_variant *out);
/* location: "ExitModules/NAME" */
struct chy_exit_slot *chy_exit_of_location(struct chy_ca *ca, const char *location);
/* As configuration names it, or as it names itself. */
struct chy_exit_slot *chy_exit_of_name(struct chy_ca *ca, const char *name);

#endif
