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
};

/* Packed lists inside a row: (flags, name, value)*; the views unpack them. */
void chy_pack_add(struct chy_buf *out, uint32_t flags, struct chy_span name, struct chy_span value);
/* Moves *pos; false at the end or when the rest is not well-formed. */
bool chy_pack_next(struct chy_span packed, size_t *pos, uint32_t *flags, struct chy_span *name,
                   struct chy_span *value);

enum chy_write_kind {
    CHY_WRITE_INTENT,      /* row (id, serial, request, …) and tbs; disposition is ACTIVE */
    CHY_WRITE_FINAL,       /* row inserted or replaced, intent removed, owed exit events added */
    CHY_WRITE_OUTBOX_DONE, /* outbox_seq was delivered; with n_owed, that many from there on */
    CHY_WRITE_CONFIG, /* path = value (JSON text; empty span deletes), by whom, kept in the history
                       */
    CHY_WRITE_META,   /* path = value: small facts of the engine that are no configuration */
    CHY_WRITE_PROBE   /* nothing but a durable commit: is the disk well again? */
};

struct chy_owed { /* one exit event that a module must get */
    const char *module;
    int32_t event;
};

struct chy_write {
    struct chy_node node; /* the store's while it has the record */
    enum chy_write_kind kind;
    const struct chy_row *row;
    struct chy_span tbs;
    const struct chy_owed *owed;
    size_t n_owed;
    int64_t outbox_seq; /* OUTBOX_DONE: which; FINAL: set by the store to the number of owed[0], the
                           others follow */
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
    int64_t seq; /* delivery order */
    int32_t request_id;
    int32_t event;
    const char *module; /* arena */
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
    /* Owed events with seq > after, oldest first, at most max; arena strings. */
    chy_hresult (*outbox)(struct chy_store *s, int64_t after, struct chy_arena *a,
                          struct chy_outbox_entry *out, size_t *n, struct chy_err *err);
    chy_hresult (*config)(struct chy_store *s,
                          bool (*cb)(const char *path, struct chy_span json, void *arg), void *arg,
                          struct chy_err *err);
    chy_hresult (*meta)(struct chy_store *s, const char *path, struct chy_buf *value,
                        struct chy_err *err);
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
/* Waits for what is queued, then closes. */
void chy_store_close(struct chy_store *s);
static inline void chy_store_write(struct chy_store *s, struct chy_write *w)
{
    s->ops->write(s, w);
}
/* Writes and waits: for start-up and administration, never on a loop or the writer's thread. */
CHY_MUST_USE chy_hresult chy_store_write_wait(struct chy_store *s, struct chy_write *w,
                                              struct chy_err *err);

#endif
