/* Lists of requests and certificates: where, sort, limit, after. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "admin/where.h"
#include "base/json.h"
#include "base/text.h"
#include "enrol/row_json.h"

enum { LIST_MAX = 8 << 20, DEFAULT_LIMIT = 100, MAX_LIMIT = 1000 };

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
    struct chy_where *w = NULL;
    struct chy_caller caller;
    chy_hresult hr = chy_where_parse(text, issued_only, chy_exchange_arena(x), &w, err);
    if (hr != CHY_S_OK) return hr;
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

chy_hresult chy_admin_serial(struct chy_exchange *x, struct chy_span *out, struct chy_err *err)
{
    const char *text = chy_exchange_param(x, "serial");
    struct chy_buf b;
    chy_buf_init(&b, 64);
    bool good = chy_hex_decode(&b, chy_span_cstr(text)) && b.n;
    *out = good ? chy_arena_dup(chy_exchange_arena(x), chy_buf_span(&b)) : (struct chy_span){0};
    chy_buf_free(&b);
    if (out->n) return CHY_S_OK;
    return good ? chy_fail_nomem(err, "serial number")
                : chy_fail(err, CHY_E_INVALIDARG,
                           "serial number \"%.48s\": hexadecimal digits are expected", text);
}

void chy_admin_certificate(struct chy_exchange *x, void *service)
{
    struct chy_service *s = service;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_caller caller;
    struct chy_row row;
    struct chy_err err = {0};
    struct chy_span serial;
    struct chy_buf b;
    struct chy_json j;
    if (!ca) return;
    chy_service_caller(s, x, ca, &caller);
    chy_buf_init(&b, LIST_MAX);
    chy_json_begin(&j, &b);
    chy_hresult hr = chy_admin_serial(x, &serial, &err);
    if (hr == CHY_S_OK)
        hr = chy_ca_certificate(ca, &caller, serial, chy_exchange_arena(x), &row, &err);
    if (hr == CHY_S_OK) hr = chy_row_json_full(&j, ca, &caller, &row, &err);
    if (hr == CHY_S_OK) {
        chy_exchange_reply_buf(x, 200, "application/json", &b);
    } else {
        chy_exchange_problem(x, &err);
    }
    chy_buf_free(&b);
}
