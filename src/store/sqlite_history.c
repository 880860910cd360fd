/* The history of revocations and the records of CRLs. Thread: any but the writer's. */
#include "store/sqlite_internal.h"

typedef bool (*record_fn)(sqlite3_stmt *st, void *arg);

/* Every record of a statement, to a reader of its kind. */
static chy_hresult each_record(struct chy_store *base, enum chy_sql which, const int64_t *bind,
                               record_fn read, void *arg, struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    chy_hresult hr = CHY_S_OK;
    bool more = true;
    int rc = SQLITE_DONE;
    struct chy_conn *c = chy_reader_take(s, e);
    if (!c) return e->code;
    sqlite3_stmt *st = chy_conn_stmt(c, which, e);
    if (!st) {
        hr = e->code;
        goto out;
    }
    if (bind) sqlite3_bind_int64(st, 1, *bind);
    while (more && (rc = sqlite3_step(st)) == SQLITE_ROW)
        more = read(st, arg);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        hr = chy_conn_fail(c->db, s->path, "reading the history", e);
    sqlite3_reset(st);
out:
    chy_reader_give(s, c, hr);
    return hr;
}

static bool read_number(sqlite3_stmt *st, void *arg)
{
    *(int64_t *)arg = chy_time_read(st, 0);
    return false;
}

chy_hresult chy_sqlite_next_effective(struct chy_store *s, chy_time now, chy_time *out,
                                      struct chy_err *err)
{
    return each_record(s, CHY_SQL_NEXT_EFFECTIVE, &now, read_number, out, err);
}

chy_hresult chy_sqlite_last_seq(struct chy_store *s, int64_t *out, struct chy_err *err)
{
    return each_record(s, CHY_SQL_LAST_REVOCATION, NULL, read_number, out, err);
}

struct history {
    bool (*cb)(const struct chy_revocation *r, void *arg);
    void *arg;
};

static bool read_revocation(sqlite3_stmt *st, void *arg)
{
    const struct history *h = arg;
    struct chy_revocation r = {.seq = sqlite3_column_int64(st, 0),
                               .request_id = sqlite3_column_int(st, 1),
                               .issuer_index = sqlite3_column_int(st, 3),
                               .shard = sqlite3_column_int(st, 4),
                               .disposition = sqlite3_column_int(st, 5),
                               .reason = sqlite3_column_int(st, 6),
                               .revoked_when = chy_time_read(st, 7),
                               .effective_when = chy_time_read(st, 8),
                               .invalidity_when = chy_time_read(st, 9),
                               .crl_flags = sqlite3_column_int(st, 10)};
    (void)chy_span_read(st, 2, NULL, &r.serial);
    (void)chy_span_read(st, 11, NULL, &r.author);
    (void)chy_span_read(st, 12, NULL, &r.message);
    return h->cb(&r, h->arg);
}

chy_hresult chy_sqlite_history(struct chy_store *s, int32_t request_id,
                               bool (*cb)(const struct chy_revocation *r, void *arg), void *arg,
                               struct chy_err *err)
{
    struct history h = {cb, arg};
    const int64_t id = request_id;
    return each_record(s, CHY_SQL_HISTORY, &id, read_revocation, &h, err);
}

struct evidence {
    int32_t request_id;
    bool (*cb)(const struct chy_evidence_row *e, void *arg);
    void *arg;
};

static bool read_evidence(sqlite3_stmt *st, void *arg)
{
    const struct evidence *all = arg;
    struct chy_evidence_row e = {
        .request_id = all->request_id,
        .number = (uint32_t)(sqlite3_column_int64(st, 0) & ((1 << CHY_EVIDENCE_SHIFT) - 1)),
        .decided_when = chy_time_read(st, 1)};
    (void)chy_span_read(st, 2, NULL, &e.packed);
    return all->cb(&e, all->arg);
}

chy_hresult chy_sqlite_evidence(struct chy_store *s, int32_t request_id,
                                bool (*cb)(const struct chy_evidence_row *e, void *arg), void *arg,
                                struct chy_err *err)
{
    struct evidence all = {request_id, cb, arg};
    const int64_t id = request_id;
    return each_record(s, CHY_SQL_EVIDENCE, &id, read_evidence, &all, err);
}

struct crls {
    bool (*cb)(const struct chy_crl_record *r, void *arg);
    void *arg;
};

static bool read_crl(sqlite3_stmt *st, void *arg)
{
    const struct crls *all = arg;
    struct chy_crl_record r = {.key_index = sqlite3_column_int(st, 0),
                               .shard = sqlite3_column_int(st, 1),
                               .is_delta = sqlite3_column_int(st, 2) != 0,
                               .number = (uint64_t)sqlite3_column_int64(st, 3),
                               .base_number = (uint64_t)sqlite3_column_int64(st, 4),
                               .entries = sqlite3_column_int64(st, 5),
                               .size = sqlite3_column_int64(st, 6),
                               .this_update = chy_time_read(st, 7),
                               .next_update = chy_time_read(st, 8),
                               .this_publish = chy_time_read(st, 9),
                               .next_publish = chy_time_read(st, 10),
                               .propagated = chy_time_read(st, 11),
                               .seq = sqlite3_column_int64(st, 12),
                               .flags = sqlite3_column_int(st, 13),
                               .status = sqlite3_column_int(st, 14),
                               .attempts = sqlite3_column_int(st, 16),
                               .sign_us = sqlite3_column_int64(st, 17)};
    (void)chy_span_read(st, 15, NULL, &r.error);
    return all->cb(&r, all->arg);
}

chy_hresult chy_sqlite_crls(struct chy_store *s,
                            bool (*cb)(const struct chy_crl_record *r, void *arg), void *arg,
                            struct chy_err *err)
{
    struct crls all = {cb, arg};
    return each_record(s, CHY_SQL_CRLS, NULL, read_crl, &all, err);
}
