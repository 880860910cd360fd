/* What exit modules are owed, read back. Thread: any. */
#include "store/sqlite_internal.h"

static const enum chy_sql sql_of[] = {[CHY_OUTBOX_STRAIGHT] = CHY_SQL_OUTBOX_STRAIGHT,
                                      [CHY_OUTBOX_DUE] = CHY_SQL_OUTBOX_DUE,
                                      [CHY_OUTBOX_ASIDE] = CHY_SQL_OUTBOX_SET_ASIDE,
                                      [CHY_OUTBOX_FAILED] = CHY_SQL_OUTBOX_FAILED,
                                      [CHY_OUTBOX_ALL] = CHY_SQL_OUTBOX_ALL};

static bool read_entry(sqlite3_stmt *st, struct chy_arena *a, struct chy_outbox_entry *out)
{
    *out = (struct chy_outbox_entry){
        .seq = sqlite3_column_int64(st, 0),
        .request_id = sqlite3_column_int(st, 1),
        .event = sqlite3_column_int(st, 2),
        .module = chy_arena_strdup(a, (const char *)sqlite3_column_text(st, 3)),
        .occurred = chy_time_read(st, 4),
        .attempts = sqlite3_column_int(st, 5),
        .next_try = chy_time_read(st, 6),
        .first_failed = chy_time_read(st, 7),
        .failed_when = chy_time_read(st, 8)};
    return out->module && chy_span_read(st, 9, a, &out->error);
}

static chy_hresult ask(struct chy_sqlite *s, sqlite3_stmt *st, struct chy_conn *c,
                       struct chy_arena *a, struct chy_outbox_entry *out, size_t *n, size_t max,
                       struct chy_err *err)
{
    int rc = SQLITE_DONE;
    chy_hresult hr = CHY_S_OK;
    while (hr == CHY_S_OK && *n < max && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (read_entry(st, a, &out[*n]))
            ++*n;
        else
            hr = chy_fail_nomem(err, "the outbox");
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        hr = chy_conn_fail(c->db, s->path, "reading the outbox", err);
    sqlite3_reset(st);
    return hr;
}

chy_hresult chy_sqlite_outbox(struct chy_store *base, const struct chy_outbox_query *q,
                              struct chy_arena *a, struct chy_outbox_entry *out, size_t *n,
                              struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    size_t max = *n;
    *n = 0;
    struct chy_conn *c = chy_reader_take(s, e);
    if (!c) return e->code;
    sqlite3_stmt *st = chy_conn_stmt(c, sql_of[q->kind], e);
    chy_hresult hr = st ? CHY_S_OK : e->code;
    if (st) {
        sqlite3_bind_int64(st, 1, q->after);
        sqlite3_bind_text(st, 2, q->module, -1, SQLITE_STATIC);
        sqlite3_bind_int(st, 3, q->request_id);
        sqlite3_bind_int64(st, 4, q->due);
        sqlite3_bind_int64(st, 5, max > INT32_MAX ? INT32_MAX : (int64_t)max);
        if (q->kind == CHY_OUTBOX_DUE) sqlite3_bind_int64(st, 6, q->beyond ? q->beyond : INT64_MAX);
        hr = ask(s, st, c, a, out, n, max, e);
    }
    chy_reader_give(s, c, hr);
    return hr;
}

/* One row of numbers about a module. */
static chy_hresult count(struct chy_sqlite *s, struct chy_conn *c, enum chy_sql which,
                         const char *module, sqlite3_stmt **out, struct chy_err *err)
{
    sqlite3_stmt *st = chy_conn_stmt(c, which, err);
    if (!st) return err->code;
    sqlite3_bind_text(st, 1, module, -1, SQLITE_STATIC);
    *out = st;
    if (sqlite3_step(st) == SQLITE_ROW) return CHY_S_OK;
    chy_hresult hr = chy_conn_fail(c->db, s->path, "counting the outbox", err);
    sqlite3_reset(st);
    return hr;
}

chy_hresult chy_sqlite_outbox_counts(struct chy_store *base, const char *module, bool straight,
                                     struct chy_outbox_counts *out, struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    sqlite3_stmt *st = NULL;
    *out = (struct chy_outbox_counts){.next_try = CHY_TIME_DEFAULT, .last_try = CHY_TIME_DEFAULT};
    struct chy_conn *c = chy_reader_take(s, e);
    if (!c) return e->code;
    chy_hresult hr = count(s, c, CHY_SQL_OUTBOX_COUNTS, module, &st, e);
    if (hr == CHY_S_OK) {
        out->aside = (uint64_t)sqlite3_column_int64(st, 0);
        out->failed = (uint64_t)sqlite3_column_int64(st, 1);
        out->next_try = chy_time_read(st, 2);
        out->last_try = chy_time_read(st, 3);
        sqlite3_reset(st);
    }
    if (hr == CHY_S_OK && straight) hr = count(s, c, CHY_SQL_OUTBOX_COUNT_STRAIGHT, module, &st, e);
    if (hr == CHY_S_OK && straight) {
        out->straight = (uint64_t)sqlite3_column_int64(st, 0);
        sqlite3_reset(st);
    }
    chy_reader_give(s, c, hr);
    return hr;
}
