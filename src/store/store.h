/* The database behind one interface: every request, its certificate, the intents, the exit outbox
 * and the configuration of one CA. SQLite is the first engine (store_sqlite*.c); another fills in
 * the same ops. Nothing of SQL or of a connection crosses this header.
 *
 * Writing: chy_store_write hands over a record and returns; one writer thread takes all that queued
 * up while the last commit ran, applies it in one transaction, and calls done after the commit is
 * durable (group commit without a timer). Reading: any thread, on connections that never block the
 * writer.
 *
 * Life of a row: an intent (what we mean to sign) is written before the key signs; the final row is
 * written with the certificate and the owed exit events, and removes the intent, in one
 * transaction. */
#ifndef CHY_STORE_STORE_H
#define CHY_STORE_STORE_H

#include "base/base.h"
#include "base/sys.h"

/* One request and what became of it. Spans are borrowed (from the writer of a record, or from the
 * arena of a reader). Absent times are CHY_TIME_DEFAULT, absent spans empty. */
struct chy_row {
    int32_t id;
    int32_t disposition; /* CHY_DB_DISP_* */
    chy_hresult status;
    struct chy_span message;
    chy_time submitted_when, resolved_when;
    struct chy_span requester_name, caller_name;
    int32_t request_type, request_flags;
    struct chy_span raw_request;        /* DER */
    struct chy_span request_attributes; /* text as submitted */
    struct chy_span request_subject;    /* text (RFC 4514) of what was asked for */
    struct chy_span attributes;         /* packed, chy_pack_* */
    struct chy_span extensions;         /* packed */
    struct chy_span properties;         /* packed: what the policy set */
    struct chy_span template_name;
    /* the certificate, once issued */
    struct chy_span serial;  /* INTEGER content octets */
    struct chy_span subject; /* text */
    struct chy_span
        common_name; /* first CN of the certificate, or of the request while there is none */
    chy_time not_before, not_after;
    struct chy_span raw_certificate; /* DER */
    int32_t issuer_index;            /* which CA certificate signed: IssuerNameId */
    /* revocation */
    chy_time revoked_when, revoked_effective_when;
    int32_t revoked_reason;
    chy_time invalidity_when; /* since when its key is thought lost; RFC 5280 5.3.2 */
    int32_t shard;            /* whose CRL names it: fixed when it is issued */
    int32_t crl_flags;        /* CHY_ROW_CRL_* */
};

enum { CHY_ROW_CRL_WHEN_EXPIRED = 1 }; /* stays on CRLs after it has expired */

/* One change of a certificate's standing: kept for ever, in the order of seq. */
struct chy_revocation {
    int64_t seq; /* set by the store */
    int32_t request_id;
    struct chy_span serial;
    int32_t issuer_index, shard;
    int32_t disposition; /* afterwards: ISSUED or REVOKED */
    int32_t reason;      /* CHY_CRL_REASON_*, or -1 for a release from hold, -2 and -3 for the mark
                            CHY_ROW_CRL_WHEN_EXPIRED set and cleared */
    chy_time revoked_when, effective_when, invalidity_when;
    int32_t crl_flags; /* afterwards */
    struct chy_span author, message;
    /* What it was decided on (not stored): when the row says otherwise by now the record is refused
     * with CHY_ERROR_BUSY, and nothing of it is written. */
    int32_t was_disposition, was_reason, was_crl_flags;
};

/* Packed lists inside a row: (flags, name, value)*; the views unpack them. */
void chy_pack_add(struct chy_buf *out, uint32_t flags, struct chy_span name, struct chy_span value);
/* Moves *pos; false at the end or when the rest is not well-formed. */
bool chy_pack_next(struct chy_span packed, size_t *pos, uint32_t *flags, struct chy_span *name,
                   struct chy_span *value);

enum chy_write_kind {
    CHY_WRITE_INTENT,       /* row (id, serial, request, …) and tbs; disposition is ACTIVE */
    CHY_WRITE_FINAL,        /* row inserted or replaced, intent removed, owed exit events added */
    CHY_WRITE_OUTBOX_DONE,  /* the module of entry was told of what it is owed from outbox_seq to
                               entry->seq, but for what was set aside between */
    CHY_WRITE_OUTBOX_ASIDE, /* entry: what became of trying to deliver it */
    CHY_WRITE_OUTBOX_ADD,   /* owed exit events of the request entry->request_id, as they were at
                               `when`, are added: delivered once more */
    CHY_WRITE_CONFIG, /* path = value (JSON text; empty span deletes), by whom, kept in the history
                       */
    CHY_WRITE_META,   /* path = value: small facts of the engine that are no configuration */
    CHY_WRITE_REVOKE, /* revocation: the history gets it, the row's standing becomes what it says,
                         owed exit events are added */
    CHY_WRITE_CRL,    /* crl: recorded in place of one of the same number, kind and scope, owed exit
                         events (of request 0) are added; older records of that kind and scope that
                         had expired by `when` are dropped */
    CHY_WRITE_PROBE   /* nothing but a durable commit: is the disk well again? */
};

struct chy_owed { /* one exit event that a module must get */
    const char *module;
    int32_t event;
};

/* A published CRL: its octets are a file, this says all else (AD CS's CRL table). Spans and texts
 * are borrowed or live in a reader's arena. */
struct chy_crl_record {
    int32_t key_index, shard;
    bool is_delta;
    uint64_t number, base_number; /* base_number: of a delta */
    int64_t entries, size;        /* size in octets */
    chy_time this_update, next_update, this_publish, next_publish, propagated;
    int64_t seq;        /* of the newest revocation that it saw */
    int32_t flags;      /* CHY_CPF_* */
    chy_hresult status; /* of writing it to the places it goes to */
    struct chy_span error;
    int32_t attempts;
    int64_t sign_us; /* what making it took */
};

/* The certificates that a CRL may have to name. */
struct chy_revoked {
    int32_t request_id;
    struct chy_span serial; /* lent until the callback returns */
    int32_t issuer_index, shard, disposition, reason, crl_flags;
    chy_time revoked_when, effective_when, invalidity_when, not_after;
};
/* Return false to stop. */
typedef bool (*chy_revoked_cb)(const struct chy_revoked *r, void *arg);

struct chy_crl_scope {
    int32_t key_index; /* IssuerNameId's upper 16 bits */
    int32_t shard;     /* -1: all of them */
};

/* Why a request came out as it did: one record per decision, in the order in which they were made.
 * What is in it is the engine's. */
struct chy_evidence_row {
    int32_t request_id;
    uint32_t number; /* 0 is the first of the request */
    chy_time decided_when;
    struct chy_span packed; /* lent until the callback returns */
};

/* What is known of one certificate's standing. */
struct chy_standing {
    int32_t request_id, issuer_index, disposition, reason;
    chy_time revoked_when, effective_when, invalidity_when, not_before, not_after;
};
/* A question about one certificate. */
struct chy_look_up {
    struct chy_span serial;
    struct chy_standing standing; /* where it is found */
    bool found;                   /* a certificate has this serial */
};
/* Does what is revoked count by now? A date that was not ahead when it was set does, and a clock
 * that is set back later does not undo it. */
static inline bool chy_counts_by(chy_time effective_when, chy_time revoked_when, chy_time now)
{
    return effective_when <= now || effective_when <= revoked_when;
}

struct chy_write {
    struct chy_node node; /* the store's while it has the record */
    enum chy_write_kind kind;
    const struct chy_row *row;
    struct chy_span tbs;
    struct chy_span evidence; /* INTENT, FINAL: of the decision that this makes durable, at `when`;
                                 empty: none */
    const struct chy_revocation *revocation;
    const struct chy_crl_record *crl;
    const struct chy_owed *owed;
    size_t n_owed;
    const struct chy_outbox_entry *entry;
    int64_t outbox_seq; /* OUTBOX_DONE: from which on; with owed events: set by the store to the
                           number of owed[0], the others follow */
    const char *path;
    struct chy_span value;
    const char *author;
    chy_time when;
    /* How many more records the caller has under way: the writer may wait a little to let them
     * share its commit. */
    size_t soon;
    /* set by the store before done */
    chy_hresult result;
    struct chy_err err;
    /* On the writer's thread, after the commit; must not block and must not write synchronously.
     * The record belongs to the caller again. */
    void (*done)(struct chy_write *w, void *arg);
    void *arg;
};

struct chy_outbox_entry {
    int64_t seq;        /* delivery order */
    int32_t request_id; /* 0: an event of no request */
    int32_t event;
    const char *module; /* arena */
    chy_time occurred;
    /* of one that was set aside, because the module failed or an earlier event of its request waits
     * so; next_try is CHY_TIME_DEFAULT for all others */
    int32_t attempts;
    chy_time next_try, first_failed;
    chy_time failed_when;  /* given up: it waits for an administrator */
    struct chy_span error; /* text, arena */
};

enum chy_outbox_kind {
    CHY_OUTBOX_STRAIGHT, /* never tried */
    CHY_OUTBOX_DUE,      /* set aside, to be tried by `due` or not before `beyond`, behind nothing
                            of the same request; those that wait longest first */
    CHY_OUTBOX_ASIDE,    /* set aside, not given up: of one module and one request */
    CHY_OUTBOX_FAILED,   /* given up */
    CHY_OUTBOX_ALL
};
struct chy_outbox_query {
    enum chy_outbox_kind kind;
    const char *module;   /* NULL: of any */
    int64_t after;        /* seq */
    int32_t request_id;   /* 0: of any */
    chy_time due, beyond; /* beyond: 0: none is so far away */
};
/* What a module is owed. */
struct chy_outbox_counts {
    uint64_t straight; /* never tried; counted only where it is asked for, for it takes its time */
    uint64_t aside, failed;      /* failed: given up */
    chy_time next_try, last_try; /* of those not given up: the first and the last */
};

struct chy_intent {
    struct chy_row row;
    struct chy_span tbs;
};

/* A query over rows: all conditions hold at once (ICertView's rules). */
enum chy_seek {
    CHY_SEEK_EQ = 1,
    CHY_SEEK_LT = 2,
    CHY_SEEK_LE = 4,
    CHY_SEEK_GE = 8,
    CHY_SEEK_GT = 16,
    CHY_SEEK_NE = 32,
    CHY_SEEK_PREFIX = 64
};
struct chy_filter {
    const char *column; /* a field name of the JSON faces: "disposition", "common_name", … */
    enum chy_seek seek;
    bool is_text; /* text, else number (times are microseconds) */
    struct chy_span text;
    int64_t number;
};
struct chy_query {
    const struct chy_filter *filter;
    size_t n_filter;
    const char *sort; /* NULL: id */
    bool descending;
    int32_t after_id; /* 0: from the start; only with sort by id */
    uint32_t limit;
    bool with_blobs; /* raw request and certificate too */
};
/* Return false to stop. The row lives until the callback returns. */
typedef bool (*chy_row_cb)(const struct chy_row *row, void *arg);
/* "id", "disposition", "common_name" …: NULL-ended, what a filter or sort may name. */
extern const char *const chy_query_columns[];

struct chy_store;

struct chy_store_ops {
    const char *name;
    void (*close)(struct chy_store *s);
    void (*write)(struct chy_store *s, struct chy_write *w);
    chy_hresult (*reserve_ids)(struct chy_store *s, int32_t count, int32_t *first,
                               struct chy_err *err);
    chy_hresult (*release_ids)(struct chy_store *s, int32_t next_unused, struct chy_err *err);
    chy_hresult (*get)(struct chy_store *s, int32_t id, struct chy_arena *a, struct chy_row *out,
                       struct chy_err *err);
    chy_hresult (*get_by_serial)(struct chy_store *s, struct chy_span serial, struct chy_arena *a,
                                 struct chy_row *out, struct chy_err *err);
    chy_hresult (*query)(struct chy_store *s, const struct chy_query *q, chy_row_cb cb, void *arg,
                         struct chy_err *err);
    chy_hresult (*intents)(struct chy_store *s, bool (*cb)(const struct chy_intent *, void *),
                           void *arg, struct chy_err *err);
    /* Owed events in the order of seq, at most *n; texts in the arena. */
    chy_hresult (*outbox)(struct chy_store *s, const struct chy_outbox_query *q,
                          struct chy_arena *a, struct chy_outbox_entry *out, size_t *n,
                          struct chy_err *err);
    chy_hresult (*outbox_counts)(struct chy_store *s, const char *module, bool straight,
                                 struct chy_outbox_counts *out, struct chy_err *err);
    chy_hresult (*config)(struct chy_store *s,
                          bool (*cb)(const char *path, struct chy_span json, void *arg), void *arg,
                          struct chy_err *err);
    chy_hresult (*meta)(struct chy_store *s, const char *path, struct chy_buf *value,
                        struct chy_err *err);
    /* How many rows the query's conditions hold for. */
    chy_hresult (*count)(struct chy_store *s, const struct chy_query *q, int64_t *n,
                         struct chy_err *err);
    /* Each as of one moment, which is not before the call. Reads few columns: the way of OCSP. */
    chy_hresult (*look_up)(struct chy_store *s, struct chy_look_up *look, size_t n,
                           struct chy_err *err);
    /* Every certificate of the scope whose standing ever changed, in any order. The read is done in
     * pieces, so that no long transaction holds up the log: what changes meanwhile may be seen as
     * it was or as it is; whoever notes *last_seq first finds such a change behind it. */
    chy_hresult (*revoked)(struct chy_store *s, const struct chy_crl_scope *scope,
                           chy_revoked_cb cb, void *arg, struct chy_err *err);
    /* Those of the scope with a change behind after_seq, or whose effective date lies in
     * (from, to] and was set ahead of time: each once, as they stand now. */
    chy_hresult (*revoked_since)(struct chy_store *s, const struct chy_crl_scope *scope,
                                 int64_t after_seq, chy_time from, chy_time to, chy_revoked_cb cb,
                                 void *arg, struct chy_err *err);
    /* The next effective date behind now that was set ahead of time; CHY_TIME_DEFAULT: none. */
    chy_hresult (*next_effective)(struct chy_store *s, chy_time now, chy_time *out,
                                  struct chy_err *err);
    chy_hresult (*last_seq)(struct chy_store *s, int64_t *out, struct chy_err *err);
    /* The changes of one request, oldest first. */
    chy_hresult (*history)(struct chy_store *s, int32_t request_id,
                           bool (*cb)(const struct chy_revocation *r, void *arg), void *arg,
                           struct chy_err *err);
    /* The evidence of one request, oldest first. */
    chy_hresult (*evidence)(struct chy_store *s, int32_t request_id,
                            bool (*cb)(const struct chy_evidence_row *e, void *arg), void *arg,
                            struct chy_err *err);
    /* All records of CRLs, the newest of each scope and kind last. */
    chy_hresult (*crls)(struct chy_store *s, bool (*cb)(const struct chy_crl_record *r, void *arg),
                        void *arg, struct chy_err *err);
    size_t (*backlog)(struct chy_store *s); /* records waiting for the writer */
    void (*counters)(struct chy_store *s, uint64_t *commits, uint64_t *records);
};

struct chy_store {
    const struct chy_store_ops *ops;
};

/* SQLite in the folder dir (file "ca.db", lock "ca.lock"): created when missing, migrated forward
 * when old, refused with a clear text when newer than this program or open in another process (its
 * pid named). cache_kib is the page cache of the writer. */
CHY_MUST_USE chy_hresult chy_store_open_sqlite(const char *dir, unsigned cache_kib,
                                               struct chy_store **out, struct chy_err *err);
/* The same for a CA that has one, and where none is there it is lost: an empty one in its place
 * would have forgotten what was revoked. */
CHY_MUST_USE chy_hresult chy_store_open_sqlite_again(const char *dir, unsigned cache_kib,
                                                     struct chy_store **out, struct chy_err *err);
/* The same beside the process that has it open: nothing is locked, migrated or written, and every
 * record that is handed over fails. Refused with a clear text when it is of another version. */
CHY_MUST_USE chy_hresult chy_store_open_sqlite_to_read(const char *dir, struct chy_store **out,
                                                       struct chy_err *err);
/* Waits for what is queued, then closes. */
void chy_store_close(struct chy_store *s);
static inline void chy_store_write(struct chy_store *s, struct chy_write *w)
{
    s->ops->write(s, w);
}
/* Of one certificate. CHY_S_FALSE: none has this serial, and *out is what it was. */
CHY_MUST_USE chy_hresult chy_store_standing(struct chy_store *s, struct chy_span serial,
                                            struct chy_standing *out, struct chy_err *err);
/* Writes and waits: for start-up and administration, never on a loop or the writer's thread. */
CHY_MUST_USE chy_hresult chy_store_write_wait(struct chy_store *s, struct chy_write *w,
                                              struct chy_err *err);
/* The same in two steps, for what can be done while the commit runs. */
struct chy_store_waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done;
    void (*done)(struct chy_write *w, void *arg); /* the record's own, put back */
    void *arg;
};
void chy_store_write_begin(struct chy_store *s, struct chy_write *w,
                           struct chy_store_waiter *waiter);
CHY_MUST_USE chy_hresult chy_store_write_end(struct chy_write *w, struct chy_store_waiter *waiter,
                                             struct chy_err *err);

#endif
