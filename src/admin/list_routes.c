/* Lists of requests and certificates: where, sort, limit, after.
 *
 * where is a list of conditions joined by "and": COLUMN OP VALUE, OP one of = != < <= > >= and ~
 * (begins with). A value with blanks stands in single or double quotes; a time is RFC 3339. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/json.h"
#include "base/text.h"
#include "enrol/row_json.h"

enum { LIST_MAX = 8 << 20, MAX_FILTERS = 8, DEFAULT_LIMIT = 100, MAX_LIMIT = 1000 };

struct where {
    const char *p;
    struct chy_arena *a;
    struct chy_filter filter[MAX_FILTERS + 2];
    size_t n;
};

static void skip_blanks(struct where *w)
{
    while (*w->p == ' ' || *w->p == '\t')
        w->p++;
}

static const char *read_word(struct where *w)
{
    const char *start = w->p;
    while (isalnum((unsigned char)*w->p) || *w->p == '_')
        w->p++;
    return w->p > start ? chy_arena_strndup(w->a, start, (size_t)(w->p - start)) : NULL;
}

static bool read_operator(struct where *w, enum chy_seek *out)
{
    static const struct {
        const char *text;
        enum chy_seek seek;
    } ops[] = {{"!=", CHY_SEEK_NE}, {"<=", CHY_SEEK_LE},   {">=", CHY_SEEK_GE},
               {"==", CHY_SEEK_EQ}, {"=", CHY_SEEK_EQ},    {"<", CHY_SEEK_LT},
               {">", CHY_SEEK_GT},  {"~", CHY_SEEK_PREFIX}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(ops); i++) {
        size_t n = strlen(ops[i].text);
        if (strncmp(w->p, ops[i].text, n) != 0) continue;
        *out = ops[i].seek;
        w->p += n;
        return true;
    }
    return false;
}

static const char *read_value(struct where *w)
{
    if (*w->p == '\'' || *w->p == '"') {
        char quote = *w->p++;
        const char *end = strchr(w->p, quote);
        if (!end) return NULL;
        const char *value = chy_arena_strndup(w->a, w->p, (size_t)(end - w->p));
        w->p = end + 1;
        return value;
    }
    const char *start = w->p;
    while (*w->p && *w->p != ' ' && *w->p != '\t')
        w->p++;
    return w->p > start ? chy_arena_strndup(w->a, start, (size_t)(w->p - start)) : NULL;
}

static int32_t disposition_of(const char *name)
{
    static const int32_t all[] = {CHY_DB_DISP_ACTIVE,  CHY_DB_DISP_PENDING, CHY_DB_DISP_FOREIGN,
                                  CHY_DB_DISP_CA_CERT, CHY_DB_DISP_ISSUED,  CHY_DB_DISP_REVOKED,
                                  CHY_DB_DISP_ERROR,   CHY_DB_DISP_DENIED};
    for (size_t i = 0; i < CHY_ARRAY_LEN(all); i++) {
        if (strcmp(chy_disposition_name(all[i]), name) == 0) return all[i];
    }
    return 0;
}

static bool is_time_column(const char *column)
{
    size_t n = strlen(column);
    return (n > 5 && strcmp(column + n - 5, "_when") == 0) || strncmp(column, "not_", 4) == 0;
}

static bool is_number_column(const char *column)
{
    static const char *const names[] = {
        "id",           "request_id",     "disposition",  "disposition_code",
        "status",       "revoked_reason", "issuer_index", "request_type",
        "request_flags"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], column) == 0) return true;
    }
    return false;
}

/* The value as the column has it: names of dispositions, times, numbers, or text. */
static bool set_value(struct chy_filter *f, const char *value)
{
    char *end;
    if (strcmp(f->column, "request_id") == 0) f->column = "id";
    if (strcmp(f->column, "disposition_code") == 0) f->column = "disposition";
    if (strcmp(f->column, "disposition") == 0 && (f->number = disposition_of(value)) != 0)
        return true;
    if (is_time_column(f->column)) return chy_time_parse(value, &f->number);
    if (is_number_column(f->column)) {
        f->number = strtoll(value, &end, 0);
        return end != value && !*end;
    }
    f->is_text = true;
    f->text = chy_span_cstr(value); /* of a serial number too: the store reads the digits */
    return true;
}

static chy_hresult parse_where(struct where *w, struct chy_err *err)
{
    const char *all = w->p;
    for (skip_blanks(w); *w->p; skip_blanks(w)) {
        struct chy_filter *f = &w->filter[w->n];
        if (w->n) {
            const char *word = read_word(w);
            if (!word || strcmp(word, "and") != 0) goto bad;
            skip_blanks(w);
        }
        if (w->n == MAX_FILTERS) goto bad;
        const char *column = read_word(w);
        skip_blanks(w);
        if (!column || !read_operator(w, &f->seek)) goto bad;
        f->column = column;
        skip_blanks(w);
        const char *value = read_value(w);
        if (!value || !set_value(f, value)) goto bad;
        w->n++;
    }
    return CHY_S_OK;
bad:
    return chy_fail(
        err, CHY_E_INVALIDARG,
        "where: error at \"%.32s\": conditions are COLUMN = VALUE, joined by \"and\" (at most %d)",
        *w->p ? w->p : all, MAX_FILTERS);
}

struct listing {
    struct chy_json j;
    int32_t last_id;
    uint32_t n;
};

static bool add_row(const struct chy_row *row, void *arg)
{
    struct listing *l = arg;
    chy_row_json(&l->j, NULL, row, false);
    l->last_id = row->id;
    l->n++;
    return !l->j.out->failed;
}

static uint32_t limit_of(struct chy_exchange *x)
{
    const char *text = chy_exchange_query(x, "limit");
    long v = text ? strtol(text, NULL, 10) : DEFAULT_LIMIT;
    return v < 1 ? DEFAULT_LIMIT : v > MAX_LIMIT ? MAX_LIMIT : (uint32_t)v;
}

static chy_hresult run_query(struct chy_service *s, struct chy_exchange *x, struct chy_ca *ca,
                             bool issued_only, struct listing *l, struct chy_err *err)
{
    const char *text = chy_exchange_query(x, "where"), *sort = chy_exchange_query(x, "sort");
    const char *after = chy_exchange_query(x, "after");
    struct where *w = chy_arena_alloc(chy_exchange_arena(x), sizeof(*w));
    struct chy_caller caller;
    if (!w) return chy_fail_nomem(err, "where");
    *w = (struct where){.p = text ? text : "", .a = chy_exchange_arena(x)};
    chy_hresult hr = parse_where(w, err);
    if (hr != CHY_S_OK) return hr;
    if (issued_only) { /* issued and revoked: the states that have a certificate of this CA */
        w->filter[w->n++] = (struct chy_filter){
            .column = "disposition", .seek = CHY_SEEK_GE, .number = CHY_DB_DISP_LOG_MIN};
        w->filter[w->n++] = (struct chy_filter){
            .column = "disposition", .seek = CHY_SEEK_LT, .number = CHY_DB_DISP_LOG_FAILED_MIN};
    }
    struct chy_query q = {.filter = w->filter, .n_filter = w->n, .limit = limit_of(x)};
    q.descending = sort && *sort == '-';
    q.sort = sort ? sort + q.descending : NULL;
    if (q.sort && strcmp(q.sort, "request_id") == 0) q.sort = "id";
    if (after) q.after_id = (int32_t)strtol(after, NULL, 10);
    chy_service_caller(s, x, ca, &caller);
    return chy_ca_query(ca, &caller, &q, add_row, l, err);
}

static void list(struct chy_exchange *x, struct chy_service *s, const char *name, bool issued_only)
{
    struct chy_ca *ca = chy_service_ca(s, x);
    struct listing l = {0};
    struct chy_buf b;
    struct chy_err err = {0};
    if (!ca) return;
    chy_buf_init(&b, LIST_MAX);
    chy_json_begin(&l.j, &b);
    chy_json_object(&l.j, NULL);
    chy_json_array(&l.j, name);
    chy_hresult hr = run_query(s, x, ca, issued_only, &l, &err);
    chy_json_end(&l.j, ']');
    if (l.n == limit_of(x)) chy_json_add_int(&l.j, "after", l.last_id);
    chy_json_end(&l.j, '}');
    if (hr == CHY_S_OK) {
        chy_exchange_reply_buf(x, 200, "application/json", &b);
    } else {
        chy_exchange_problem(x, &err);
    }
    chy_buf_free(&b);
}

void chy_admin_requests(struct chy_exchange *x, void *service)
{
    list(x, service, "requests", false);
}

void chy_admin_certificates(struct chy_exchange *x, void *service)
{
    list(x, service, "certificates", true);
}

void chy_admin_certificate(struct chy_exchange *x, void *service)
{
    struct chy_service *s = service;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_caller caller;
    struct chy_row row;
    struct chy_err err = {0};
    struct chy_buf serial, b;
    if (!ca) return;
    chy_buf_init(&serial, 64);
    chy_service_caller(s, x, ca, &caller);
    chy_hresult hr = CHY_S_OK;
    const char *text = chy_exchange_param(x, "serial");
    if (!chy_hex_decode(&serial, chy_span_cstr(text)) || !serial.n) {
        hr = chy_fail(&err, CHY_E_INVALIDARG,
                      "serial number \"%.48s\": hexadecimal digits are expected", text);
    }
    if (hr == CHY_S_OK) {
        hr = chy_ca_certificate(ca, &caller, chy_buf_span(&serial), chy_exchange_arena(x), &row,
                                &err);
    }
    chy_buf_init(&b, LIST_MAX);
    if (hr == CHY_S_OK) {
        struct chy_json j;
        chy_json_begin(&j, &b);
        chy_row_json(&j, NULL, &row, true);
        chy_exchange_reply_buf(x, 200, "application/json", &b);
    } else {
        chy_exchange_problem(x, &err);
    }
    chy_buf_free(&b);
    chy_buf_free(&serial);
}
