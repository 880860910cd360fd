/* Reading: a few read-only connections with their statements prepared, each lent to one thread for
 * one question. In WAL mode they see the last commit and never hold up the writer. Thread: any but
 * the writer's. */
#include "store/sqlite_internal.h"

static struct chy_conn *free_reader(struct chy_sqlite *s)
{
    struct chy_conn *found = NULL;
    for (size_t i = 0; i < CHY_STORE_READERS; i++) {
        if (s->reader_busy[i]) continue;
        if (!found || s->reader[i].db)
            found = &s->reader[i]; /* one that is open before one that is not */
        if (found->db) break;
    }
    if (found) s->reader_busy[found - s->reader] = true;
    return found;
}

struct chy_conn *chy_reader_take(struct chy_sqlite *s, struct chy_err *err)
{
    struct chy_conn *c;
    pthread_mutex_lock(&s->readers_lock);
    while (!(c = free_reader(s)))
        pthread_cond_wait(&s->readers_wake, &s->readers_lock);
    pthread_mutex_unlock(&s->readers_lock);
    if (c->db || chy_conn_open(c, s->path, CHY_CONN_READS, 0, err) == CHY_S_OK) return c;
    chy_reader_give(s, c, CHY_S_OK);
    return NULL;
}

/* SQLite keeps the pages it read until somebody writes: one that was read wrong would fail every
 * later question as well. So what met a failure is closed, and the next question opens it anew. */
void chy_reader_give(struct chy_sqlite *s, struct chy_conn *c, chy_hresult hr)
{
    if (c->db && (hr < CHY_S_OK || !sqlite3_get_autocommit(c->db))) chy_conn_close(c, true);
    pthread_mutex_lock(&s->readers_lock);
    s->reader_busy[c - s->reader] = false;
    pthread_cond_signal(&s->readers_wake);
    pthread_mutex_unlock(&s->readers_lock);
}

chy_hresult chy_reader_begin(struct chy_sqlite *s, struct chy_conn *c, struct chy_err *err)
{
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_BEGIN_READ, err);
    if (!st) return err->code;
    chy_hresult hr = sqlite3_step(st) == SQLITE_DONE
                         ? CHY_S_OK
                         : chy_conn_fail(c->db, s->path, "beginning to read", err);
    sqlite3_reset(st);
    return hr;
}

/* What cannot be ended is closed when it is given back. */
void chy_reader_end(struct chy_conn *c)
{
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_COMMIT, NULL);
    if (!st) return;
    (void)sqlite3_step(st);
    sqlite3_reset(st);
}

bool chy_span_read(sqlite3_stmt *st, int at, struct chy_arena *a, struct chy_span *out)
{
    const void *p = sqlite3_column_blob(st, at);
    size_t n = (size_t)sqlite3_column_bytes(st, at);
    *out = p ? chy_span_of(p, n) : (struct chy_span){NULL, 0};
    if (a && out->n) *out = chy_arena_dup(a, *out);
    return !n || out->p;
}

chy_time chy_time_read(sqlite3_stmt *st, int at)
{
    return sqlite3_column_type(st, at) == SQLITE_NULL ? CHY_TIME_DEFAULT
                                                      : sqlite3_column_int64(st, at);
}

chy_hresult chy_row_read(sqlite3_stmt *st, struct chy_arena *a, struct chy_row *out,
                         struct chy_err *err)
{
    for (int i = 0; i < CHY_ROW_COLUMNS; i++) {
        const struct chy_column *c = &chy_row_columns[i];
        void *field = (char *)out + c->offset;
        switch (c->kind) {
        case CHY_COLUMN_INT: *(int32_t *)field = sqlite3_column_int(st, i); break;
        case CHY_COLUMN_TIME: *(chy_time *)field = chy_time_read(st, i); break;
        case CHY_COLUMN_TEXT:
        case CHY_COLUMN_SERIAL:
        case CHY_COLUMN_BLOB:
            if (!chy_span_read(st, i, a, field))
                return chy_fail_nomem(err, "a row of the database");
            break;
        }
    }
    return CHY_S_OK;
}

/* CHY_S_FALSE when there is no such row. The statement is bound. */
static chy_hresult read_one(struct chy_sqlite *s, struct chy_conn *c, sqlite3_stmt *st,
                            struct chy_arena *a, struct chy_row *out, struct chy_err *err)
{
    chy_hresult hr = CHY_S_FALSE;
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        hr = chy_row_read(st, a, out, err);
    else if (rc != SQLITE_DONE)
        hr = chy_conn_fail(c->db, s->path, "reading a row", err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return hr;
}

static chy_hresult read_by_id(struct chy_sqlite *s, struct chy_conn *c, enum chy_sql which,
                              int32_t id, struct chy_arena *a, struct chy_row *out,
                              struct chy_err *err)
{
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    sqlite3_stmt *st = chy_conn_stmt(c, which, e);
    if (!st) return e->code;
    sqlite3_bind_int(st, 1, id);
    return read_one(s, c, st, a, out, e);
}

/* A request that is worked on (again) shows as its intent; one that has its certificate never does.
 * Both looks happen in one read transaction: between two a final row could slip past the first. */
chy_hresult chy_sqlite_get(struct chy_store *base, int32_t id, struct chy_arena *a,
                           struct chy_row *out, struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    struct chy_conn *c = chy_reader_take(s, e);
    struct chy_row row = {.id = 0};
    struct chy_row intent = {.id = 0};
    if (!c) return e->code;
    chy_hresult hr = chy_reader_begin(s, c, e);
    if (hr == CHY_S_OK) {
        hr = read_by_id(s, c, CHY_SQL_GET, id, a, &row, e);
        if (hr == CHY_S_FALSE || (hr == CHY_S_OK && !row.raw_certificate.n)) {
            chy_hresult found = read_by_id(s, c, CHY_SQL_GET_INTENT, id, a, &intent, e);
            if (found == CHY_S_OK) row = intent;
            if (found != CHY_S_FALSE) hr = found;
        }
        chy_reader_end(c);
    }
    chy_reader_give(s, c, hr);
    if (hr == CHY_S_OK) *out = row;
    if (hr == CHY_S_FALSE)
        return chy_fail(e, CHY_CERTSRV_E_PROPERTY_EMPTY, "request %d: there is no such request",
                        id);
    return hr;
}

chy_hresult chy_sqlite_get_by_serial(struct chy_store *base, struct chy_span serial,
                                     struct chy_arena *a, struct chy_row *out, struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    struct chy_row row = {.id = 0};
    chy_hresult hr = CHY_S_FALSE;
    struct chy_conn *c = chy_reader_take(s, e);
    if (!c) return e->code;
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_GET_SERIAL, e);
    if (!st) {
        hr = e->code;
    } else if (serial.n) {
        sqlite3_bind_blob64(st, 1, serial.p, serial.n, SQLITE_STATIC);
        hr = read_one(s, c, st, a, &row, e);
    }
    chy_reader_give(s, c, hr);
    if (hr == CHY_S_OK) *out = row;
    if (hr == CHY_S_FALSE)
        return chy_fail(e, CHY_CERTSRV_E_PROPERTY_EMPTY,
                        "certificate: no certificate has this serial number");
    return hr;
}

/* One statement per intent, so that no read transaction is open while the callback works. */
static chy_hresult next_intent(struct chy_sqlite *s, int32_t after, struct chy_arena *a,
                               struct chy_intent *out, struct chy_err *err)
{
    chy_hresult hr = CHY_S_FALSE;
    struct chy_conn *c = chy_reader_take(s, err);
    if (!c) return err->code;
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_INTENTS, err);
    if (!st) {
        hr = err->code;
        goto out;
    }
    sqlite3_bind_int(st, 1, after);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        hr = chy_row_read(st, a, &out->row, err);
        if (hr == CHY_S_OK && !chy_span_read(st, CHY_ROW_COLUMNS, a, &out->tbs))
            hr = chy_fail_nomem(err, "an intent");
    } else if (rc != SQLITE_DONE) {
        hr = chy_conn_fail(c->db, s->path, "reading an intent", err);
    }
    sqlite3_reset(st);
out:
    chy_reader_give(s, c, hr);
    return hr;
}

chy_hresult chy_sqlite_intents(struct chy_store *base,
                               bool (*cb)(const struct chy_intent *, void *), void *arg,
                               struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_intent intent = {.row = {.id = 0}};
    struct chy_arena a;
    chy_hresult hr;
    chy_arena_init(&a, 64u << 20);
    while ((hr = next_intent(s, intent.row.id, &a, &intent, err ? err : &local)) == CHY_S_OK) {
        if (!cb(&intent, arg)) break;
        chy_arena_reset(&a);
    }
    chy_arena_free(&a);
    return hr == CHY_S_FALSE ? CHY_S_OK : hr;
}

chy_hresult chy_sqlite_config(struct chy_store *base,
                              bool (*cb)(const char *path, struct chy_span json, void *arg),
                              void *arg, struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    struct chy_conn *c = chy_reader_take(s, e);
    bool more = true;
    int rc = SQLITE_DONE;
    chy_hresult hr = CHY_S_OK;
    if (!c) return e->code;
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_CONFIG, e);
    if (!st) hr = e->code;
    while (st && more && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct chy_span json;
        (void)chy_span_read(st, 1, NULL, &json);
        more = cb((const char *)sqlite3_column_text(st, 0), json, arg);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        hr = chy_conn_fail(c->db, s->path, "reading the configuration", e);
    if (st) sqlite3_reset(st);
    chy_reader_give(s, c, hr);
    return hr;
}

/* CHY_S_FALSE when there is none. */
chy_hresult chy_sqlite_meta(struct chy_store *base, const char *path, struct chy_buf *value,
                            struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    chy_hresult hr = CHY_S_FALSE;
    struct chy_conn *c = chy_reader_take(s, e);
    if (!c) return e->code;
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_META, e);
    if (!st) {
        hr = e->code;
        goto out;
    }
    sqlite3_bind_text(st, 1, path, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        struct chy_span found;
        (void)chy_span_read(st, 0, NULL, &found);
        chy_buf_add_span(value, found);
        hr = chy_buf_done(value, path, e);
    } else if (rc != SQLITE_DONE) {
        hr = chy_conn_fail(c->db, s->path, "reading a fact", e);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
out:
    chy_reader_give(s, c, hr);
    return hr;
}
