/* What CRLs and OCSP ask: the standing of one certificate, and all that are or were revoked.
 *
 * A CRL of millions reads one stretch of the index of packed standings for each shard, in pieces
 * that go on behind the last serial: no sorting, no row is touched, and no read transaction lasts
 * so long that the log could not be copied into the database behind it. Thread: any but the
 * writer's. */
#include <stdlib.h>
#include <string.h>

#include "store/sqlite_internal.h"

enum { PIECE = 16384, IDS_MAX = 1 << 30, ISSUER_BITS = 16 };

static chy_hresult look_up_one(struct chy_sqlite *s, struct chy_conn *c, struct chy_look_up *l,
                               struct chy_err *err)
{
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_STANDING, err);
    chy_hresult hr = CHY_S_OK;
    if (!st) return err->code;
    sqlite3_bind_blob64(st, 1, l->serial.p, l->serial.n, SQLITE_STATIC);
    int rc = l->serial.n ? sqlite3_step(st) : SQLITE_DONE;
    l->found = rc == SQLITE_ROW;
    if (l->found) {
        l->standing = (struct chy_standing){.request_id = sqlite3_column_int(st, 0),
                                            .issuer_index = sqlite3_column_int(st, 1),
                                            .disposition = sqlite3_column_int(st, 2),
                                            .reason = sqlite3_column_int(st, 3),
                                            .revoked_when = chy_time_read(st, 4),
                                            .effective_when = chy_time_read(st, 5),
                                            .invalidity_when = chy_time_read(st, 6),
                                            .not_before = chy_time_read(st, 7),
                                            .not_after = chy_time_read(st, 8)};
    } else if (rc != SQLITE_DONE) {
        hr = chy_conn_fail(c->db, s->path, "reading a standing", err);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return hr;
}

/* To begin and end a read transaction, with its locks on the log's index, costs more than a row. */
chy_hresult chy_sqlite_look_up(struct chy_store *base, struct chy_look_up *look, size_t n,
                               struct chy_err *err)
{
    struct chy_sqlite *s = (struct chy_sqlite *)base;
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    struct chy_conn *c = chy_reader_take(s, e);
    if (!c) return e->code;
    chy_hresult hr = n > 1 ? chy_reader_begin(s, c, e) : CHY_S_OK;
    for (size_t i = 0; i < n && hr == CHY_S_OK; i++)
        hr = look_up_one(s, c, &look[i], e);
    if (n > 1 && hr == CHY_S_OK) chy_reader_end(c);
    chy_reader_give(s, c, hr);
    return hr;
}

/* The serial is lent until the next step. */
static void read_revoked(sqlite3_stmt *st, struct chy_revoked *r)
{
    const void *serial = sqlite3_column_blob(st, 1);
    r->request_id = sqlite3_column_int(st, 0);
    r->serial = chy_span_of(serial, (size_t)sqlite3_column_bytes(st, 1));
    r->disposition = sqlite3_column_int(st, 2);
    r->reason = sqlite3_column_int(st, 3);
    r->crl_flags = sqlite3_column_int(st, 4);
    r->revoked_when = sqlite3_column_int64(st, 5);
    r->effective_when = chy_time_read(st, 6);
    r->invalidity_when = chy_time_read(st, 7);
    r->not_after = chy_time_read(st, 8);
}

static bool is_in_scope(const struct chy_crl_scope *scope, int32_t shard, int32_t issuer_index)
{
    return (scope->shard < 0 || shard == scope->shard) &&
           issuer_index >> ISSUER_BITS == scope->key_index;
}

/* One walk over the scope. */
struct chy_walk {
    struct chy_sqlite *s;
    const struct chy_crl_scope *scope;
    chy_revoked_cb cb;
    void *arg;
    struct chy_err *err;
    bool is_over; /* there is no more, or the callback wants none */
    bool is_bad;  /* err says why */
    struct chy_revoked r;
    size_t n;                       /* in this piece */
    uint8_t from[CHY_STANDING_MAX]; /* behind which the next piece starts */
    size_t from_n;
};

/* Behind an entry of another key or shard. As in the index, no number is negative. */
static void skip(struct chy_walk *w)
{
    uint32_t shard = (uint32_t)w->r.shard;
    uint32_t first = (uint32_t)w->scope->key_index << ISSUER_BITS;
    if ((uint32_t)w->r.issuer_index >= first) shard++;
    w->is_over = w->scope->shard >= 0 || shard < (uint32_t)w->r.shard;
    w->from_n = chy_standing_before(shard, first, w->from);
}

/* True ends the piece. */
static bool take_entry(struct chy_walk *w, struct chy_span packed)
{
    if (!chy_standing_parse(packed, &w->r)) {
        w->is_bad = true;
        chy_fail(w->err, CHY_ERROR_INVALID_DATA,
                 "the database %s: a packed standing of %zu octets is none", w->s->path, packed.n);
    } else if (!is_in_scope(w->scope, w->r.shard, w->r.issuer_index)) {
        skip(w);
    } else {
        w->is_over = !w->cb(&w->r, w->arg);
        if (!w->is_over && ++w->n < PIECE) return false;
        w->from_n = chy_standing_behind(&w->r, w->from);
    }
    return true;
}

/* chy_take(standing). A condition of the statement and no result of it: so nothing is copied
 * or handed through the API entry by entry. */
static void take(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct chy_conn *c = sqlite3_user_data(ctx);
    (void)argc;
    if (!c->walk) {
        sqlite3_result_error(ctx, "chy_take is the program's own", -1);
        return;
    }
    const void *p = sqlite3_value_blob(argv[0]);
    if (take_entry(c->walk, chy_span_of(p, (size_t)sqlite3_value_bytes(argv[0]))))
        sqlite3_result_int(ctx, 1);
}

int chy_take_register(struct chy_conn *c)
{
    return sqlite3_create_function_v2(c->db, "chy_take", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, c,
                                      take, NULL, NULL, NULL);
}

/* CHY_S_FALSE: that was the last piece. */
static chy_hresult step_piece(struct chy_walk *w, struct chy_conn *c, sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE) return CHY_S_FALSE;
    if (rc != SQLITE_ROW)
        return chy_conn_fail(c->db, w->s->path, "reading what is revoked", w->err);
    if (w->is_bad) return w->err->code;
    return w->is_over ? CHY_S_FALSE : CHY_S_OK;
}

static chy_hresult walk_piece(struct chy_walk *w)
{
    chy_hresult hr;
    uint8_t from[CHY_STANDING_MAX];
    struct chy_conn *c = chy_reader_take(w->s, w->err);
    if (!c) return w->err->code;
    memcpy(from, w->from, w->from_n);
    w->n = 0;
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_REVOKED, w->err);
    if (!st) {
        hr = w->err->code;
    } else {
        sqlite3_bind_blob64(st, 1, from, w->from_n, SQLITE_STATIC);
        c->walk = w;
        hr = step_piece(w, c, st);
        sqlite3_reset(st);
        c->walk = NULL;
        sqlite3_clear_bindings(st);
    }
    chy_reader_give(w->s, c, hr);
    return hr;
}

static chy_hresult check_scope(const struct chy_crl_scope *scope, struct chy_err *err)
{
    if (scope->key_index < 0 || scope->key_index > INT32_MAX >> ISSUER_BITS || scope->shard < -1)
        return chy_fail(err, CHY_E_INVALIDARG, "CRL: there is no key %d or shard %d",
                        scope->key_index, scope->shard);
    return CHY_S_OK;
}

chy_hresult chy_sqlite_revoked(struct chy_store *base, const struct chy_crl_scope *scope,
                               chy_revoked_cb cb, void *arg, struct chy_err *err)
{
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_walk w = {.s = (struct chy_sqlite *)base,
                         .scope = scope,
                         .cb = cb,
                         .arg = arg,
                         .err = err ? err : &local};
    chy_hresult hr = check_scope(scope, w.err);
    if (hr != CHY_S_OK) return hr;
    w.from_n = chy_standing_before(scope->shard < 0 ? 0 : (uint32_t)scope->shard,
                                   (uint32_t)scope->key_index << ISSUER_BITS, w.from);
    while (hr == CHY_S_OK)
        hr = walk_piece(&w);
    return hr == CHY_S_FALSE ? CHY_S_OK : hr;
}

/* ---- what changed ---- */

static void keep_id(struct chy_buf *ids, const struct chy_crl_scope *scope, sqlite3_stmt *st,
                    int at)
{
    int32_t id = sqlite3_column_int(st, at);
    if (is_in_scope(scope, sqlite3_column_int(st, at + 1), sqlite3_column_int(st, at + 2)))
        chy_buf_add(ids, &id, sizeof(id));
}

/* Moves *after; CHY_S_FALSE: no change is behind it. */
static chy_hresult collect_changed(struct chy_walk *w, const struct chy_crl_scope *scope,
                                   int64_t *after, struct chy_buf *ids)
{
    chy_hresult hr = CHY_S_FALSE;
    int rc;
    struct chy_conn *c = chy_reader_take(w->s, w->err);
    if (!c) return w->err->code;
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_CHANGED, w->err);
    if (!st) {
        hr = w->err->code;
        goto out;
    }
    sqlite3_bind_int64(st, 1, *after);
    sqlite3_bind_int(st, 2, PIECE);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        *after = sqlite3_column_int64(st, 0);
        keep_id(ids, scope, st, 1);
        hr = CHY_S_OK;
    }
    if (rc != SQLITE_DONE) hr = chy_conn_fail(c->db, w->s->path, "reading what changed", w->err);
    sqlite3_reset(st);
out:
    chy_reader_give(w->s, c, hr);
    return hr;
}

static chy_hresult collect_due(struct chy_walk *w, const struct chy_crl_scope *scope, chy_time from,
                               chy_time to, struct chy_buf *ids)
{
    chy_hresult hr = CHY_S_OK;
    int rc;
    struct chy_conn *c = chy_reader_take(w->s, w->err);
    if (!c) return w->err->code;
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_CAME_DUE, w->err);
    if (!st) {
        hr = w->err->code;
        goto out;
    }
    sqlite3_bind_int64(st, 1, from);
    sqlite3_bind_int64(st, 2, to);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        keep_id(ids, scope, st, 0);
    if (rc != SQLITE_DONE) hr = chy_conn_fail(c->db, w->s->path, "reading what came due", w->err);
    sqlite3_reset(st);
out:
    chy_reader_give(w->s, c, hr);
    return hr;
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x;
    int32_t y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* Marks alone never revoke: such a row has no place here. */
static chy_hresult show_one(struct chy_walk *w, struct chy_conn *c, sqlite3_stmt *st, int32_t id)
{
    chy_hresult hr = CHY_S_OK;
    sqlite3_bind_int(st, 1, id);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        read_revoked(st, &w->r);
        w->r.shard = sqlite3_column_int(st, 9);
        w->r.issuer_index = sqlite3_column_int(st, 10);
        w->is_over = !w->cb(&w->r, w->arg);
    } else if (rc != SQLITE_DONE) {
        hr = chy_conn_fail(c->db, w->s->path, "reading what changed", w->err);
    }
    sqlite3_reset(st);
    return hr;
}

/* In the order of the ids, so that neighbours are read together. */
static chy_hresult show_ids(struct chy_walk *w, struct chy_buf *ids)
{
    size_t n = ids->n / sizeof(int32_t);
    int32_t before = 0;
    chy_hresult hr = CHY_S_OK;
    if (!n) return hr;
    qsort(ids->p, n, sizeof(int32_t), compare_ids);
    struct chy_conn *c = chy_reader_take(w->s, w->err);
    if (!c) return w->err->code;
    sqlite3_stmt *st = chy_conn_stmt(c, CHY_SQL_REVOKED_ONE, w->err);
    if (!st) hr = w->err->code;
    for (size_t i = 0; i < n && hr == CHY_S_OK && !w->is_over; i++) {
        int32_t id;
        memcpy(&id, ids->p + i * sizeof(id), sizeof(id));
        if (i == 0 || id != before) hr = show_one(w, c, st, id);
        before = id;
    }
    chy_reader_give(w->s, c, hr);
    return hr;
}

chy_hresult chy_sqlite_revoked_since(struct chy_store *base, const struct chy_crl_scope *scope,
                                     int64_t after_seq, chy_time from, chy_time to,
                                     chy_revoked_cb cb, void *arg, struct chy_err *err)
{
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_walk w = {
        .s = (struct chy_sqlite *)base, .cb = cb, .arg = arg, .err = err ? err : &local};
    struct chy_buf ids;
    chy_buf_init(&ids, IDS_MAX);
    chy_hresult hr = check_scope(scope, w.err);
    while (hr == CHY_S_OK)
        hr = collect_changed(&w, scope, &after_seq, &ids);
    if (hr == CHY_S_FALSE) hr = collect_due(&w, scope, from, to, &ids);
    if (hr == CHY_S_OK) hr = chy_buf_done(&ids, "what changed since a CRL", w.err);
    if (hr == CHY_S_OK) hr = show_ids(&w, &ids);
    chy_buf_free(&ids);
    return hr;
}
