/* Revoking: one certificate, those of a filter, and what was done before. An empty body is "for no
 * reason that is told, as of now". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "admin/body.h"
#include "admin/where.h"
#include "base/json.h"
#include "base/text.h"
#include "ca/revocation.h"
#include "enrol/reason.h"
#include "enrol/rest/rest.h"
#include "enrol/row_json.h"

enum { ANSWER_MAX = 64 << 10, SLICE_MAX = 5000 };

/* ---- what is asked for ---- */
static bool has_reason(const cJSON *v)
{
    const cJSON *r = cJSON_GetObjectItemCaseSensitive(v, "reason");
    return r && !cJSON_IsNull(r);
}

static chy_hresult read_reason(const cJSON *v, int32_t *out, struct chy_err *err)
{
    const cJSON *r = cJSON_GetObjectItemCaseSensitive(v, "reason");
    char text[32];
    int64_t number;
    if (!has_reason(v)) return CHY_S_OK;
    if (cJSON_IsString(r)) return chy_reason_read(r->valuestring, out, err);
    if (!chy_json_int(v, "reason", &number, err)) return err->code;
    snprintf(text, sizeof(text), "%lld", (long long)number);
    return chy_reason_read(text, out, err);
}

static chy_hresult read_what(const cJSON *v, struct chy_revoke *out, struct chy_err *err)
{
    *out = (struct chy_revoke){.reason = CHY_CRL_REASON_UNSPECIFIED,
                               .effective_when = CHY_TIME_DEFAULT,
                               .invalidity_when = CHY_TIME_DEFAULT};
    chy_hresult hr = read_reason(v, &out->reason, err);
    if (hr == CHY_S_OK) hr = chy_body_time(v, "effective_when", &out->effective_when, err);
    if (hr == CHY_S_OK) hr = chy_body_time(v, "invalidity_when", &out->invalidity_when, err);
    return hr == CHY_S_OK ? chy_revoke_check(out, err) : hr;
}

/* ---- one ---- */
struct revoke_call { /* in the exchange's arena */
    struct chy_exchange *x;
    struct chy_revoke what;
    bool by_serial;
};

static void answer_json(const struct revoke_call *call, const struct chy_outcome *o)
{
    int32_t reason = call->what.reason;
    char serial[129];
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_int(&j, "request_id", o->request_id);
    chy_json_add_str(&j, "disposition", chy_disposition_name(o->disposition));
    chy_json_add_int(&j, "disposition_code", o->disposition);
    chy_json_add_span(&j, "message", o->message);
    if (o->serial.n && o->serial.n <= 64) {
        chy_hex_cstr(serial, o->serial);
        chy_json_add_str(&j, "serial", serial);
    }
    if (reason >= 0) {
        chy_json_add_int(&j, "revoked_reason", reason);
        chy_json_add_str(&j, "revoked_reason_name", chy_reason_name(reason));
        if (call->what.effective_when != CHY_TIME_DEFAULT)
            chy_json_add_time(&j, "revoked_effective_when", call->what.effective_when);
    } else if (reason != CHY_REVOKE_RELEASE) {
        chy_json_add_bool(&j, "kept_after_expiry", reason == CHY_REVOKE_KEEP_EXPIRED);
    }
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(call->x, 200, "application/json", &b);
    chy_buf_free(&b);
}

/* Of what was asked all but the serial number has been checked: what the engine still finds not
 * valid is one that it does not know. */
static void revoked(const struct chy_outcome *o, void *arg)
{
    const struct revoke_call *call = arg;
    if (o->status == CHY_S_OK) {
        answer_json(call, o);
    } else if (o->status == CHY_E_INVALIDARG && call->by_serial) {
        chy_exchange_problem_status(call->x, 404, &o->err);
    } else {
        chy_exchange_problem(call->x, &o->err);
    }
}

static void run_one(struct chy_service *s, struct chy_exchange *x, struct chy_ca *ca,
                    const struct chy_revoke *what)
{
    struct chy_caller caller;
    struct chy_err err = {0};
    struct chy_span serial = {0};
    int32_t id = 0;
    bool by_serial = *chy_exchange_param(x, "serial") != 0;
    struct revoke_call *call = chy_arena_alloc(chy_exchange_arena(x), sizeof(*call));
    chy_hresult hr = by_serial ? chy_admin_serial(x, &serial, &err) : chy_rest_id(x, &id, &err);
    if (hr == CHY_S_OK && !call) hr = chy_fail_nomem(&err, "revocation");
    if (hr != CHY_S_OK) {
        chy_exchange_problem(x, &err);
        return;
    }
    *call = (struct revoke_call){x, *what, by_serial};
    chy_service_caller(s, x, ca, &caller);
    chy_exchange_hold(x);
    if (by_serial) {
        chy_ca_revoke(ca, &caller, serial, what, revoked, call);
    } else {
        chy_ca_revoke_id(ca, &caller, id, what, revoked, call);
    }
}

void chy_admin_revoke(struct chy_exchange *x, void *service)
{
    static const char *const names[] = {"reason", "effective_when", "invalidity_when", NULL};
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_revoke what;
    struct chy_err err = {0};
    cJSON *v = NULL;
    if (!ca) return;
    chy_hresult hr = chy_body_read(x, names, &v, &err);
    if (hr == CHY_S_OK) hr = read_what(v, &what, &err);
    cJSON_Delete(v);
    if (hr == CHY_S_OK) {
        run_one(service, x, ca, &what);
    } else {
        chy_exchange_problem(x, &err);
    }
}

void chy_admin_release(struct chy_exchange *x, void *service)
{
    static const char *const names[] = {NULL};
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_err err = {0};
    cJSON *v = NULL;
    if (!ca) return;
    chy_hresult hr = chy_body_read(x, names, &v, &err);
    cJSON_Delete(v);
    if (hr == CHY_S_OK) {
        run_one(service, x, ca,
                &(struct chy_revoke){CHY_REVOKE_RELEASE, CHY_TIME_DEFAULT, CHY_TIME_DEFAULT});
    } else {
        chy_exchange_problem(x, &err);
    }
}

/* ---- many ---- */
struct many {
    struct chy_revoke_many order;
    bool is_dry;
    int64_t matched;
};

/* Whoever forgets the condition must not revoke all there is. */
static chy_hresult read_where(struct chy_exchange *x, const cJSON *v, struct chy_query *q,
                              struct chy_err *err)
{
    struct chy_where *w = NULL;
    bool all = false;
    const char *text = chy_json_str(v, "where", err);
    if (err->code) return err->code;
    chy_hresult hr = chy_body_flag(v, "all", &all, err);
    bool empty = !text || !text[strspn(text, " \t")];
    if (hr == CHY_S_OK && empty != all) {
        hr = chy_fail(err, CHY_E_INVALIDARG,
                      "JSON: \"where\" with a condition is expected, or, for every certificate of "
                      "this CA, \"all\": true without one");
    }
    if (hr == CHY_S_OK) hr = chy_where_parse(text, true, chy_exchange_arena(x), &w, err);
    if (hr == CHY_S_OK) *q = (struct chy_query){.filter = w->filter, .n_filter = w->n};
    return hr;
}

static chy_hresult read_many(struct chy_exchange *x, struct many *out, struct chy_err *err)
{
    static const char *const names[] = {
        "where", "all",   "reason", "effective_when", "invalidity_when", "dry_run",
        "after", "limit", NULL};
    cJSON *v = NULL;
    int64_t after = 0, limit = SLICE_MAX;
    *out = (struct many){.matched = 0};
    chy_hresult hr = chy_body_read(x, names, &v, err);
    if (hr == CHY_S_OK) hr = read_what(v, &out->order.what, err);
    if (hr == CHY_S_OK) hr = read_where(x, v, &out->order.query, err);
    if (hr == CHY_S_OK) hr = chy_body_flag(v, "dry_run", &out->is_dry, err);
    if (hr == CHY_S_OK) hr = chy_body_number(v, "after", INT32_MAX, &after, err);
    if (hr == CHY_S_OK) hr = chy_body_number(v, "limit", SLICE_MAX, &limit, err);
    out->order.spares_revoked = !has_reason(v);
    cJSON_Delete(v);
    out->order.after_id = (int32_t)after;
    out->order.limit = limit ? (uint32_t)limit : SLICE_MAX;
    return hr;
}

static void answer_many(struct chy_exchange *x, const struct many *m)
{
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    if (m->is_dry) {
        chy_json_add_int(&j, "matched", m->matched);
    } else {
        chy_json_add_int(&j, "changed", (int64_t)m->order.changed);
        chy_json_add_int(&j, "unchanged", (int64_t)m->order.unchanged);
        if (m->order.after_id) chy_json_add_int(&j, "after", m->order.after_id);
    }
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(x, 200, "application/json", &b);
    chy_buf_free(&b);
}

void chy_admin_revoke_many(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_err err = {0};
    struct many m;
    if (!ca) return;
    chy_service_caller(service, x, ca, &caller);
    chy_hresult hr = read_many(x, &m, &err);
    if (hr == CHY_S_OK) {
        hr = m.is_dry ? chy_ca_count(ca, &caller, &m.order.query, &m.matched, &err)
                      : chy_ca_revoke_many(ca, &caller, &m.order, &err);
    }
    if (hr == CHY_S_OK) {
        answer_many(x, &m);
    } else {
        chy_exchange_problem(x, &err);
    }
}

/* ICertAdmin::IsValidCertificate and GetRevocationReason. */
void chy_admin_validity(struct chy_exchange *x, void *service)
{
    struct chy_ca *ca = chy_service_ca(service, x);
    struct chy_caller caller;
    struct chy_err err = {0};
    struct chy_span serial;
    chy_long disposition = 0, reason = 0;
    struct chy_buf b;
    struct chy_json j;
    if (!ca) return;
    chy_service_caller(service, x, ca, &caller);
    chy_hresult hr = chy_admin_serial(x, &serial, &err);
    if (hr == CHY_S_OK) hr = chy_ca_is_valid(ca, &caller, serial, &disposition, &reason, &err);
    if (hr != CHY_S_OK) {
        chy_exchange_problem(x, &err);
        return;
    }
    bool is_revoked = disposition == CHY_CA_DISP_REVOKED;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_int(&j, "disposition", disposition);
    chy_json_add_bool(&j, "valid", disposition == CHY_CA_DISP_VALID);
    chy_json_add_bool(&j, "revoked", is_revoked);
    if (is_revoked) chy_json_add_int(&j, "reason", reason);
    if (is_revoked) chy_json_add_str(&j, "reason_name", chy_reason_name(reason));
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(x, 200, "application/json", &b);
    chy_buf_free(&b);
}
