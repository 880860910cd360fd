/* Queries over rows: SQL put together from constant pieces (column names from a table, operators
 * from a switch, numbers), every value bound. What came from outside is only ever looked up or
 * bound. Intents are part of the answer, in place of the row (if any) that they will replace. */
#include <string.h>

#include "base/text.h"
#include "store/sqlite_internal.h"

enum { FILTERS_MAX = 32, LIMIT_MAX = 10000, SQL_MAX = 16384, VALUE_MAX = 65536 };

/* All but the packed lists and the DER; the same names as in chy_row_columns. */
const char *const chy_query_columns[] = {"id",
                                         "disposition",
                                         "status",
                                         "submitted_when",
                                         "resolved_when",
                                         "request_type",
                                         "request_flags",
                                         "not_before",
                                         "not_after",
                                         "issuer_index",
                                         "revoked_when",
                                         "revoked_effective_when",
                                         "revoked_reason",
                                         "serial",
                                         "message",
                                         "requester_name",
                                         "caller_name",
                                         "template_name",
                                         "request_subject",
                                         "subject",
                                         "common_name",
                                         "request_attributes",
                                         "shard",
                                         "crl_flags",
                                         "invalidity_when",
                                         NULL};

#define NULL_FOR(name, kind) ",NULL"
#define SELECT_LIGHT "SELECT " CHY_SQL_ROW_LIGHT CHY_ROW_DER(NULL_FOR) " FROM "
#define SELECT_ALL "SELECT " CHY_SQL_ROW " FROM "

#define NOT_WORKED_ON "(disposition IN(20,21) OR id NOT IN(SELECT id FROM intent))"

struct plan {
    const struct chy_query *q;
    const struct chy_column *column[FILTERS_MAX]; /* of each filter */
    struct chy_buf value[FILTERS_MAX]; /* serial decoded from hex, or a pattern; else empty */
    int sort;                          /* index into chy_row_columns */
    struct chy_buf sql;
};

static int find_column(const char *name)
{
    for (int i = 0; i < CHY_ROW_COLUMNS; i++) {
        if (chy_row_columns[i].kind != CHY_COLUMN_BLOB &&
            strcmp(chy_row_columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

static bool is_texty(const struct chy_column *c)
{
    return c->kind == CHY_COLUMN_TEXT || c->kind == CHY_COLUMN_SERIAL;
}

static bool is_absent(const struct chy_filter *f)
{
    return f->is_text ? f->text.n == 0 : f->number == CHY_TIME_DEFAULT;
}

static const char *operator_of(const struct chy_filter *f)
{
    switch (f->seek) {
    case CHY_SEEK_EQ: return "=";
    case CHY_SEEK_LT: return "<";
    case CHY_SEEK_LE: return "<=";
    case CHY_SEEK_GE: return ">=";
    case CHY_SEEK_GT: return ">";
    case CHY_SEEK_NE: return " IS NOT ";
    case CHY_SEEK_PREFIX: return " LIKE ";
    }
    return NULL;
}

/* LIKE's own characters lose their meaning behind the escape character. */
static void add_pattern(struct chy_buf *out, struct chy_span text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' || text.p[i] == '_' || text.p[i] == '\\') chy_buf_add_byte(out, '\\');
        chy_buf_add_byte(out, text.p[i]);
    }
    chy_buf_add_byte(out, '%');
}

static chy_hresult check_filter(struct plan *p, size_t i, struct chy_err *err)
{
    const struct chy_filter *f = &p->q->filter[i];
    int at = f->column ? find_column(f->column) : -1;
    if (at < 0)
        return chy_fail(err, CHY_E_INVALIDARG, "query: there is no column '%.40s' to filter by",
                        f->column ? f->column : "");
    const struct chy_column *c = &chy_row_columns[at];
    p->column[i] = c;
    if (f->is_text != is_texty(c))
        return chy_fail(err, CHY_E_INVALIDARG, "query: column '%s' holds %s", c->name,
                        is_texty(c) ? "text, not a number" : "numbers, not text");
    if (!operator_of(f) || (f->seek == CHY_SEEK_PREFIX && !f->is_text))
        return chy_fail(err, CHY_E_INVALIDARG, "query: column '%s' has no comparison %d", c->name,
                        (int)f->seek);
    if (f->text.n > VALUE_MAX / 4)
        return chy_fail(err, CHY_E_INVALIDARG, "query: the value for column '%s' is too long",
                        c->name);
    if (f->seek == CHY_SEEK_PREFIX)
        add_pattern(&p->value[i], f->text);
    else if (c->kind == CHY_COLUMN_SERIAL && !chy_hex_decode(&p->value[i], f->text))
        return chy_fail(err, CHY_E_INVALIDARG, "query: a serial number is hexadecimal text");
    return chy_buf_done(&p->value[i], "query", err);
}

static void add_filter(struct plan *p, size_t i)
{
    const struct chy_filter *f = &p->q->filter[i];
    const struct chy_column *c = p->column[i];
    bool prefix = f->seek == CHY_SEEK_PREFIX;
    /* Written out, for the partial indices on what is there serve these words only. */
    if (is_absent(f) && (f->seek == CHY_SEEK_EQ || f->seek == CHY_SEEK_NE)) {
        chy_buf_addf(&p->sql, " AND %s IS%s NULL", c->name, f->seek == CHY_SEEK_NE ? " NOT" : "");
        return;
    }
    /* Written out, for the partial index on pending rows serves a constant only. */
    if (f->seek == CHY_SEEK_EQ && f->number == CHY_DB_DISP_PENDING &&
        strcmp(c->name, "disposition") == 0) {
        chy_buf_add_str(&p->sql, " AND disposition=9");
        return;
    }
    chy_buf_addf(&p->sql, " AND %s%s%s%s?%zu", c->kind == CHY_COLUMN_SERIAL && prefix ? "hex(" : "",
                 c->name, c->kind == CHY_COLUMN_SERIAL && prefix ? ")" : "", operator_of(f), i + 1);
    if (prefix)
        chy_buf_add_str(&p->sql, " ESCAPE '\\'");
    else if (c->kind == CHY_COLUMN_TEXT)
        chy_buf_add_str(&p->sql, " COLLATE NOCASE");
}

static void add_conditions(struct plan *p, const char *table, const char *first)
{
    chy_buf_addf(&p->sql, "%s WHERE %s", table, first);
    for (size_t i = 0; i < p->q->n_filter; i++)
        add_filter(p, i);
}

static void add_half(struct plan *p, const char *table, const char *first)
{
    chy_buf_add_str(&p->sql, p->q->with_blobs ? SELECT_ALL : SELECT_LIGHT);
    add_conditions(p, table, first);
    if (p->q->after_id) {
        chy_buf_addf(&p->sql, " AND id%s?%zu", p->q->descending ? "<" : ">", p->q->n_filter + 1);
    }
}

static chy_hresult check_filters(struct plan *p, struct chy_err *err)
{
    const struct chy_query *q = p->q;
    if (q->n_filter > FILTERS_MAX)
        return chy_fail(err, CHY_E_INVALIDARG, "query: %zu conditions, at most %d are allowed",
                        q->n_filter, FILTERS_MAX);
    for (size_t i = 0; i < q->n_filter; i++) {
        chy_hresult hr = check_filter(p, i, err);
        if (hr != CHY_S_OK) return hr;
    }
    return CHY_S_OK;
}

static chy_hresult make_list(struct plan *p, struct chy_err *err)
{
    const struct chy_query *q = p->q;
    p->sort = q->sort ? find_column(q->sort) : 0;
    if (p->sort < 0)
        return chy_fail(err, CHY_E_INVALIDARG, "query: there is no column '%.40s' to sort by",
                        q->sort);
    if (q->after_id && p->sort != 0)
        return chy_fail(err, CHY_E_INVALIDARG, "query: going on after an id needs the order by id");
    add_half(p, "request", NOT_WORKED_ON);
    chy_buf_add_str(&p->sql, " UNION ALL ");
    add_half(p, "intent", "1");
    const char *way = q->descending ? " DESC" : "";
    const char *fold = chy_row_columns[p->sort].kind == CHY_COLUMN_TEXT ? " COLLATE NOCASE" : "";
    chy_buf_addf(&p->sql, " ORDER BY %d%s%s", p->sort + 1, fold, way);
    if (p->sort) chy_buf_addf(&p->sql, ",1%s", way);
    chy_buf_addf(&p->sql, " LIMIT %u", q->limit && q->limit < LIMIT_MAX ? q->limit : LIMIT_MAX);
    return chy_buf_done(&p->sql, "query", err);
}

static chy_hresult make_count(struct plan *p, struct chy_err *err)
{
    chy_buf_add_str(&p->sql, "SELECT (SELECT count(*) FROM ");
    add_conditions(p, "request", NOT_WORKED_ON);
    chy_buf_add_str(&p->sql, ")+(SELECT count(*) FROM ");
    add_conditions(p, "intent", "1");
    chy_buf_add_byte(&p->sql, ')');
    return chy_buf_done(&p->sql, "query", err);
}

static void bind_values(const struct plan *p, sqlite3_stmt *st)
{
    for (size_t i = 0; i < p->q->n_filter; i++) {
        const struct chy_filter *f = &p->q->filter[i];
        const struct chy_buf *v = &p->value[i];
        int at = (int)i + 1;
        if (f->seek == CHY_SEEK_PREFIX)
            sqlite3_bind_text64(st, at, (const char *)v->p, v->n, SQLITE_STATIC, SQLITE_UTF8);
        else if (is_absent(f))
            sqlite3_bind_null(st, at);
        else if (p->column[i]->kind == CHY_COLUMN_SERIAL)
            sqlite3_bind_blob64(st, at, v->p, v->n, SQLITE_STATIC);
        else if (f->is_text)
            sqlite3_bind_text64(st, at, (const char *)f->text.p, f->text.n, SQLITE_STATIC,
                                SQLITE_UTF8);
        else
            sqlite3_bind_int64(st, at, f->number);
    }
    if (p->q->after_id) sqlite3_bind_int(st, (int)p->q->n_filter + 1, p->q->after_id);
}

static chy_hresult run_list(struct chy_sqlite *s, struct chy_conn *c, sqlite3_stmt *st,
                            chy_row_cb cb, void *arg, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    bool more = true;
    int rc = SQLITE_DONE;
    while (more && hr == CHY_S_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct chy_row row = {.id = 0};
        hr = chy_row_read(st, NULL, &row, err);
        if (hr == CHY_S_OK) more = cb(&row, arg);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        hr = chy_conn_fail(c->db, s->path, "running a query", err);
    return hr;
}

static chy_hresult run_count(struct chy_sqlite *s, struct chy_conn *c, sqlite3_stmt *st, int64_t *n,
                             struct chy_err *err)
{
    if (sqlite3_step(st) != SQLITE_ROW) return chy_conn_fail(c->db, s->path, "counting rows", err);
    *n = sqlite3_column_int64(st, 0);
    return CHY_S_OK;
}

/* Rows to cb, or with n their number. */
static chy_hresult run_plan(struct chy_sqlite *s, struct plan *p, chy_row_cb cb, void *arg,
                            int64_t *n, struct chy_err *err)
{
    chy_hresult hr;
    sqlite3_stmt *st = NULL;
    struct chy_conn *c = chy_reader_take(s, err);
    if (!c) return err->code;
    if (sqlite3_prepare_v2(c->db, chy_buf_cstr(&p->sql), -1, &st, NULL) != SQLITE_OK) {
        hr = chy_conn_fail(c->db, s->path, "preparing a query", err);
    } else {
        bind_values(p, st);
        hr = n ? run_count(s, c, st, n, err) : run_list(s, c, st, cb, arg, err);
    }
    sqlite3_finalize(st);
    chy_reader_give(s, c, hr);
    return hr;
}

static chy_hresult query(struct chy_store *base, const struct chy_query *q, chy_row_cb cb,
                         void *arg, int64_t *n, struct chy_err *err)
{
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_err *e = err ? err : &local;
    struct plan p = {.q = q};
    for (size_t i = 0; i < FILTERS_MAX; i++)
        chy_buf_init(&p.value[i], VALUE_MAX);
    chy_buf_init(&p.sql, SQL_MAX);
    chy_hresult hr = check_filters(&p, e);
    if (hr == CHY_S_OK) hr = n ? make_count(&p, e) : make_list(&p, e);
    if (hr == CHY_S_OK) hr = run_plan((struct chy_sqlite *)base, &p, cb, arg, n, e);
    for (size_t i = 0; i < FILTERS_MAX; i++)
        chy_buf_free(&p.value[i]);
    chy_buf_free(&p.sql);
    return hr;
}

chy_hresult chy_sqlite_query(struct chy_store *base, const struct chy_query *q, chy_row_cb cb,
                             void *arg, struct chy_err *err)
{
    return query(base, q, cb, arg, NULL, err);
}

/* Order, place and limit of a list are no conditions. */
chy_hresult chy_sqlite_count(struct chy_store *base, const struct chy_query *q, int64_t *n,
                             struct chy_err *err)
{
    return query(base, q, NULL, NULL, n, err);
}
