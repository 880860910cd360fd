/* What the files of the SQLite engine share: a connection with its prepared statements, the columns
 * of a row, and the engine itself. Nothing outside store/ includes this. Thread: a connection
 * belongs to one thread at a time. */
#ifndef CHY_STORE_SQLITE_INTERNAL_H
#define CHY_STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "store/store.h"

/* The columns of tables `request` and `intent` behind (id, disposition): numbers first and the
 * large octets last, so that a scan touches few pages. The last three of the rest were added later,
 * and are stored behind the octets. */
#define CHY_ROW_REST(X)                                                                            \
    X(status, INT)                                                                                 \
    X(submitted_when, TIME)                                                                        \
    X(resolved_when, TIME)                                                                         \
    X(request_type, INT)                                                                           \
    X(request_flags, INT)                                                                          \
    X(not_before, TIME)                                                                            \
    X(not_after, TIME)                                                                             \
    X(issuer_index, INT)                                                                           \
    X(revoked_when, TIME)                                                                          \
    X(revoked_effective_when, TIME)                                                                \
    X(revoked_reason, INT)                                                                         \
    X(serial, SERIAL)                                                                              \
    X(message, TEXT)                                                                               \
    X(requester_name, TEXT)                                                                        \
    X(caller_name, TEXT)                                                                           \
    X(template_name, TEXT)                                                                         \
    X(request_subject, TEXT)                                                                       \
    X(subject, TEXT)                                                                               \
    X(common_name, TEXT)                                                                           \
    X(request_attributes, TEXT)                                                                    \
    X(attributes, BLOB)                                                                            \
    X(extensions, BLOB)                                                                            \
    X(properties, BLOB)                                                                            \
    X(shard, INT)                                                                                  \
    X(crl_flags, INT)                                                                              \
    X(invalidity_when, TIME)

#define CHY_ROW_DER(X)                                                                             \
    X(raw_certificate, BLOB)                                                                       \
    X(raw_request, BLOB)

enum chy_column_kind {
    CHY_COLUMN_INT,
    CHY_COLUMN_TIME,
    CHY_COLUMN_TEXT,
    CHY_COLUMN_SERIAL,
    CHY_COLUMN_BLOB
};

struct chy_column {
    const char *name;
    enum chy_column_kind kind;
    size_t offset; /* in struct chy_row */
};

enum { CHY_ROW_COLUMNS = 30 };
extern const struct chy_column chy_row_columns[CHY_ROW_COLUMNS];

#define CHY_SQL_COMMA_NAME(name, kind) "," #name
#define CHY_SQL_ROW_LIGHT "id,disposition" CHY_ROW_REST(CHY_SQL_COMMA_NAME)
#define CHY_SQL_ROW CHY_SQL_ROW_LIGHT CHY_ROW_DER(CHY_SQL_COMMA_NAME)

enum chy_sql {
    CHY_SQL_BEGIN,
    CHY_SQL_BEGIN_READ,
    CHY_SQL_COMMIT,
    CHY_SQL_ROLLBACK,
    CHY_SQL_SAVE,
    CHY_SQL_SAVE_UNDO,
    CHY_SQL_SAVE_DROP,
    CHY_SQL_INTENT_CLASH,
    CHY_SQL_INTENT_TWIN,
    CHY_SQL_INTENT_ADD,
    CHY_SQL_INTENT_REMOVE,
    CHY_SQL_FINAL,
    CHY_SQL_FINAL_SAME,
    CHY_SQL_REVOKE,
    CHY_SQL_RELEASE,
    CHY_SQL_MARK,
    CHY_SQL_PACK,
    CHY_SQL_HISTORY_ADD,
    CHY_SQL_CRL_SET,
    CHY_SQL_CRL_DROP,
    CHY_SQL_EVIDENCE_FIRST,
    CHY_SQL_EVIDENCE_ADD,
    CHY_SQL_OUTBOX_ADD,
    CHY_SQL_OUTBOX_REMOVE,
    CHY_SQL_OUTBOX_ASIDE,
    CHY_SQL_CONFIG_HISTORY,
    CHY_SQL_CONFIG_SET,
    CHY_SQL_CONFIG_REMOVE,
    CHY_SQL_META_SET,
    CHY_SQL_META_REMOVE,
    CHY_SQL_GET,
    CHY_SQL_GET_INTENT,
    CHY_SQL_GET_SERIAL,
    CHY_SQL_INTENTS,
    CHY_SQL_INTENT_SERIALS,
    CHY_SQL_OUTBOX_STRAIGHT,
    CHY_SQL_OUTBOX_DUE,
    CHY_SQL_OUTBOX_SET_ASIDE,
    CHY_SQL_OUTBOX_FAILED,
    CHY_SQL_OUTBOX_ALL,
    CHY_SQL_OUTBOX_COUNTS,
    CHY_SQL_OUTBOX_COUNT_STRAIGHT,
    CHY_SQL_CONFIG,
    CHY_SQL_META,
    CHY_SQL_LAST_ID,
    CHY_SQL_LAST_SERIAL,
    CHY_SQL_LAST_SEQ,
    CHY_SQL_STANDING,
    CHY_SQL_REVOKED,
    CHY_SQL_REVOKED_ONE,
    CHY_SQL_CHANGED,
    CHY_SQL_CAME_DUE,
    CHY_SQL_NEXT_EFFECTIVE,
    CHY_SQL_LAST_REVOCATION,
    CHY_SQL_HISTORY,
    CHY_SQL_EVIDENCE,
    CHY_SQL_CRLS,
    CHY_SQL_COUNT
};

struct chy_walk;
struct chy_conn {
    sqlite3 *db;
    sqlite3_stmt *stmt[CHY_SQL_COUNT];
    struct chy_walk *walk; /* over what is revoked; while its statement runs */
};

enum { CHY_STORE_READERS = 4, CHY_STORE_BATCH = 512 };

/* No request in the file has a higher id, none a higher serial; both may be higher than all. Of a
 * long serial only its begin. */
struct chy_highest {
    int32_t id;
    size_t n;
    uint8_t serial[32];
};

struct chy_open_intents { /* sqlite_intents.c */
    struct chy_open_intent *at;
    size_t n, cap;
};

struct chy_sqlite {
    struct chy_store base;
    char *path; /* of ca.db */
    unsigned cache_kib;
    int lock_fd;

    struct chy_queue queue;
    pthread_t thread;
    bool has_thread;
    struct chy_conn writer;       /* the writer thread's, once that runs */
    int64_t next_seq;             /* the writer thread's */
    int64_t next_change;          /* the writer thread's: of the history of revocations */
    struct chy_highest highest;   /* the writer thread's */
    struct chy_open_intents open; /* the writer thread's: all that the file has, and perhaps more */
    atomic_uint_fast64_t commits, records;
    atomic_size_t soon; /* of the newest record */

    pthread_mutex_t ids_lock;
    int32_t next_id;       /* under ids_lock: first id that nobody has */
    int32_t last_reserved; /* under ids_lock: first id of the newest reservation */

    pthread_mutex_t readers_lock;
    pthread_cond_t readers_wake;
    struct chy_conn reader[CHY_STORE_READERS];
    bool reader_busy[CHY_STORE_READERS];
};

/* Records of one request lie behind each other, and new requests behind all: see the table. */
enum { CHY_EVIDENCE_SHIFT = 16 };

#define CHY_META_NEXT_ID "store/next_id"
#define CHY_META_PROBE "store/probe"

/* ---- sqlite_open.c ---- */
enum chy_conn_use { CHY_CONN_READS, CHY_CONN_WRITES, CHY_CONN_MAKES };
chy_hresult chy_conn_open(struct chy_conn *c, const char *path, enum chy_conn_use use,
                          unsigned cache_kib, struct chy_err *err);
/* keep_wal: leave the log as it is instead of copying it into the database. */
void chy_conn_close(struct chy_conn *c, bool keep_wal);
/* For a connection that writes, with synchronous=FULL and a log that is open: not before the first
 * statement (sqlite_log.c). Where it cannot be done, or there is no memory for it, the log is
 * written piece by piece. */
void chy_log_gather(sqlite3 *db);
/* NULL with *err set; kept prepared until the connection closes. */
sqlite3_stmt *chy_conn_stmt(struct chy_conn *c, enum chy_sql which, struct chy_err *err);
/* Sets err from the connection's last error and the file's name; the code from the kind of failure.
 */
chy_hresult chy_conn_fail(sqlite3 *db, const char *path, const char *doing, struct chy_err *err);
chy_hresult chy_fail_lost(const char *path, struct chy_err *err);
chy_hresult chy_conn_run(struct chy_conn *c, const char *sql, const char *path,
                         struct chy_err *err);

/* ---- sqlite_write.c ---- */
void chy_highest_note(struct chy_highest *h, int32_t id, struct chy_span serial);

/* ---- sqlite_intents.c ---- */
/* Whether an intent of another id may have that serial: false is certain. */
bool chy_open_intents_may_have(const struct chy_open_intents *o, int32_t id,
                               struct chy_span serial);
/* False: no memory. */
bool chy_open_intents_add(struct chy_open_intents *o, int32_t id, struct chy_span serial);
void chy_open_intents_remove(struct chy_open_intents *o, int32_t id);
void chy_open_intents_free(struct chy_open_intents *o);
chy_hresult chy_open_intents_load(struct chy_sqlite *s,
                                  struct chy_err *err); /* what the file has */

/* ---- sqlite_schema.c ---- */
extern const char *const chy_sql_text[CHY_SQL_COUNT];
/* For who only reads: CHY_S_OK when the file is as this program would have made it. */
chy_hresult chy_schema_check(struct chy_conn *c, const char *path, struct chy_err *err);
/* may_make: of a file without tables; else that is a lost database. */
chy_hresult chy_schema_migrate(struct chy_conn *c, const char *path, bool may_make,
                               struct chy_err *err);

/* ---- sqlite_views.c ---- */
extern const char *const chy_sql_views[];
extern const char *const chy_sql_views_crl[];
int chy_unpack_register(sqlite3 *db);

/* ---- sqlite_write.c ---- */
void chy_sqlite_write(struct chy_store *s, struct chy_write *w);
void *chy_sqlite_writer_main(void *arg);
chy_hresult chy_sqlite_reserve_ids(struct chy_store *s, int32_t count, int32_t *first,
                                   struct chy_err *err);
chy_hresult chy_sqlite_release_ids(struct chy_store *s, int32_t next_unused, struct chy_err *err);

/* ---- sqlite_read.c ---- */
/* Waits while all are in use; NULL with *err set when one cannot be opened. */
struct chy_conn *chy_reader_take(struct chy_sqlite *s, struct chy_err *err);
/* hr: how the question ended. */
void chy_reader_give(struct chy_sqlite *s, struct chy_conn *c, chy_hresult hr);
/* Between the two all questions are about one moment, that of the first. */
chy_hresult chy_reader_begin(struct chy_sqlite *s, struct chy_conn *c, struct chy_err *err);
void chy_reader_end(struct chy_conn *c);
/* False when memory is short. With a NULL the span is lent until the next step. */
bool chy_span_read(sqlite3_stmt *st, int at, struct chy_arena *a, struct chy_span *out);
chy_time chy_time_read(sqlite3_stmt *st, int at);
/* Spans are copied into a, or with a NULL lent until the next step. */
chy_hresult chy_row_read(sqlite3_stmt *st, struct chy_arena *a, struct chy_row *out,
                         struct chy_err *err);
chy_hresult chy_sqlite_get(struct chy_store *s, int32_t id, struct chy_arena *a,
                           struct chy_row *out, struct chy_err *err);
chy_hresult chy_sqlite_get_by_serial(struct chy_store *s, struct chy_span serial,
                                     struct chy_arena *a, struct chy_row *out, struct chy_err *err);
chy_hresult chy_sqlite_intents(struct chy_store *s, bool (*cb)(const struct chy_intent *, void *),
                               void *arg, struct chy_err *err);
chy_hresult chy_sqlite_config(struct chy_store *s,
                              bool (*cb)(const char *path, struct chy_span json, void *arg),
                              void *arg, struct chy_err *err);
chy_hresult chy_sqlite_meta(struct chy_store *s, const char *path, struct chy_buf *value,
                            struct chy_err *err);

/* ---- sqlite_outbox.c ---- */
chy_hresult chy_sqlite_outbox(struct chy_store *s, const struct chy_outbox_query *q,
                              struct chy_arena *a, struct chy_outbox_entry *out, size_t *n,
                              struct chy_err *err);
chy_hresult chy_sqlite_outbox_counts(struct chy_store *s, const char *module, bool straight,
                                     struct chy_outbox_counts *out, struct chy_err *err);

/* ---- sqlite_query.c ---- */
chy_hresult chy_sqlite_query(struct chy_store *s, const struct chy_query *q, chy_row_cb cb,
                             void *arg, struct chy_err *err);
chy_hresult chy_sqlite_count(struct chy_store *s, const struct chy_query *q, int64_t *n,
                             struct chy_err *err);

/* ---- sqlite_standing.c ---- */
enum { CHY_STANDING_MAX = 312 };
int chy_standing_register(sqlite3 *db);
/* False: it was not packed here. The serial is lent from packed. */
bool chy_standing_parse(struct chy_span packed, struct chy_revoked *out);
/* Where a scan starts (key has CHY_STANDING_MAX octets; its length comes back): before all of an
 * issuer in a shard, or behind one entry whatever becomes of its standing meanwhile. */
size_t chy_standing_before(uint32_t shard, uint32_t issuer_index, uint8_t *key);
size_t chy_standing_behind(const struct chy_revoked *r, uint8_t *key);

/* ---- sqlite_revoked.c ---- */
int chy_take_register(struct chy_conn *c);
chy_hresult chy_sqlite_look_up(struct chy_store *s, struct chy_look_up *look, size_t n,
                               struct chy_err *err);
chy_hresult chy_sqlite_revoked(struct chy_store *s, const struct chy_crl_scope *scope,
                               chy_revoked_cb cb, void *arg, struct chy_err *err);
chy_hresult chy_sqlite_revoked_since(struct chy_store *s, const struct chy_crl_scope *scope,
                                     int64_t after_seq, chy_time from, chy_time to,
                                     chy_revoked_cb cb, void *arg, struct chy_err *err);

/* ---- sqlite_history.c ---- */
chy_hresult chy_sqlite_next_effective(struct chy_store *s, chy_time now, chy_time *out,
                                      struct chy_err *err);
chy_hresult chy_sqlite_last_seq(struct chy_store *s, int64_t *out, struct chy_err *err);
chy_hresult chy_sqlite_history(struct chy_store *s, int32_t request_id,
                               bool (*cb)(const struct chy_revocation *r, void *arg), void *arg,
                               struct chy_err *err);
chy_hresult chy_sqlite_evidence(struct chy_store *s, int32_t request_id,
                                bool (*cb)(const struct chy_evidence_row *e, void *arg), void *arg,
                                struct chy_err *err);
chy_hresult chy_sqlite_crls(struct chy_store *s,
                            bool (*cb)(const struct chy_crl_record *r, void *arg), void *arg,
                            struct chy_err *err);

#endif
