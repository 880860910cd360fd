/* Handlers of /api/v1/requests. */
#include "enrol/rest/rest.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "enrol/evidence_doc.h"
#include "enrol/row_json.h"

enum { SUBMIT_MAX = 192 << 10, PATCH_MAX = 192 << 10, ANSWER_MAX = 8 << 20 };

chy_hresult chy_rest_id(struct chy_exchange *x, int32_t *id, struct chy_err *err)
{
    const char *text = chy_exchange_param(x, "id");
    char *end;
    long v = *text >= '1' && *text <= '9' ? strtol(text, &end, 10) : 0;
    if (v <= 0 || v > INT32_MAX || *end)
        return chy_fail(err, CHY_E_INVALIDARG,
                        "request id \"%.32s\": a positive number is expected", text);
    *id = (int32_t)v;
    return CHY_S_OK;
}

static bool parse_id(struct chy_exchange *x, int32_t *id)
{
    struct chy_err err = {0};
    if (chy_rest_id(x, id, &err) == CHY_S_OK) return true;
    chy_exchange_problem(x, &err);
    return false;
}

static void submit(struct chy_exchange *x, void *arg)
{
    struct chy_service *s = arg;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_rest_submission body;
    struct chy_submission submission = {0};
    struct chy_err err = {0};
    if (!ca) return;
    if (chy_rest_read_submission(x, &body, &err) != CHY_S_OK ||
        chy_rest_dry_run(x, &submission.dry_run, &err) != CHY_S_OK) {
        chy_exchange_problem(x, &err);
    } else {
        chy_service_caller(s, x, ca, &submission.caller);
        submission.request = body.request;
        submission.attributes = chy_buf_span(&body.attributes);
        struct chy_rest_call *call = chy_rest_hold(x, ca);
        if (call)
            call->sees_evidence = (submission.caller.access & ~(uint32_t)CHY_CA_ACCESS_ENROLL) != 0;
        if (call) chy_ca_submit(ca, &submission, chy_rest_outcome, call);
    }
    chy_rest_submission_free(&body);
}

static bool read_row(struct chy_service *s, struct chy_exchange *x, struct chy_ca *ca,
                     struct chy_caller *caller, struct chy_row *row)
{
    struct chy_err err = {0};
    int32_t id;
    if (!parse_id(x, &id)) return false;
    chy_service_caller(s, x, ca, caller);
    if (chy_ca_request(ca, caller, id, chy_exchange_arena(x), row, &err) == CHY_S_OK) return true;
    chy_exchange_problem(x, &err);
    return false;
}

/* Who may only enrol learns what became of an id, not what others asked for. */
static void show(struct chy_exchange *x, void *arg)
{
    struct chy_service *s = arg;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_caller caller;
    struct chy_row row;
    struct chy_err err = {0};
    struct chy_buf b;
    struct chy_json j;
    if (!ca || !read_row(s, x, ca, &caller, &row)) return;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_hresult hr = CHY_S_OK;
    if (caller.access & ~(uint32_t)CHY_CA_ACCESS_ENROLL) {
        hr = chy_row_json_full(&j, ca, &caller, &row, &err);
    } else {
        chy_row_json(&j, NULL, &row, false);
    }
    if (hr == CHY_S_OK) {
        chy_exchange_reply_buf(x, 200, "application/json", &b);
    } else {
        chy_exchange_problem(x, &err);
    }
    chy_buf_free(&b);
}

static void evidence(struct chy_exchange *x, void *arg)
{
    struct chy_service *s = arg;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_caller caller;
    struct chy_row row;
    struct chy_err err = {0};
    struct chy_buf b;
    struct chy_json j;
    if (!ca || !read_row(s, x, ca, &caller, &row)) return;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    if (chy_evidence_document(&j, ca, &caller, &row, &err) == CHY_S_OK) {
        chy_exchange_reply_buf(x, 200, "application/json", &b);
    } else {
        chy_exchange_problem(x, &err);
    }
    chy_buf_free(&b);
}

static void certificate(struct chy_exchange *x, void *arg)
{
    struct chy_service *s = arg;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_caller caller;
    struct chy_row row;
    struct chy_err err = {0};
    if (!ca || !read_row(s, x, ca, &caller, &row)) return;
    if (row.raw_certificate.n) {
        enum chy_accept accept = chy_rest_accept(x);
        chy_rest_certificate(x, ca, accept == CHY_ACCEPT_JSON ? CHY_ACCEPT_PEM : accept, 200,
                             row.raw_certificate);
        chy_ca_retrieved(ca, row.id);
        return;
    }
    chy_hresult code = row.disposition == CHY_DB_DISP_DENIED ? CHY_CERTSRV_E_ADMIN_DENIED_REQUEST
                                                             : CHY_CERTSRV_E_BAD_REQUESTSTATUS;
    chy_fail(&err, code, "request %d has no certificate: it is %s (%.*s)", row.id,
             chy_disposition_name(row.disposition),
             (int)(row.message.n > 200 ? 200 : row.message.n),
             row.message.p ? (const char *)row.message.p : "");
    chy_exchange_problem(x, &err);
}

typedef void (*officer_verb)(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                             chy_outcome_cb done, void *arg);

static void officer(struct chy_exchange *x, struct chy_service *s, officer_verb verb)
{
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_caller caller;
    int32_t id;
    if (!ca || !parse_id(x, &id)) return;
    chy_service_caller(s, x, ca, &caller);
    struct chy_rest_call *call = chy_rest_hold(x, ca);
    if (call) verb(ca, &caller, id, chy_rest_outcome, call);
}

static void resubmit(struct chy_exchange *x, void *arg)
{
    officer(x, arg, chy_ca_resubmit);
}
static void deny(struct chy_exchange *x, void *arg)
{
    officer(x, arg, chy_ca_deny);
}

/* One change a call, so that what was stored and what failed is never in doubt. */
static chy_hresult read_extension(const cJSON *e, struct chy_buf *der, const char **oid,
                                  chy_long *flags, struct chy_err *err)
{
    static const char *const names[] = {"oid", "critical", "disabled", "hex", NULL};
    chy_hresult hr = chy_json_only(e, names, err);
    if (hr != CHY_S_OK) return hr;
    *oid = chy_json_str(e, "oid", err);
    const char *hex = chy_json_str(e, "hex", err);
    *flags = 0;
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "critical")))
        *flags |= CHY_EXTENSION_CRITICAL_FLAG;
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "disabled")))
        *flags |= CHY_EXTENSION_DISABLE_FLAG;
    if (!*oid || !hex)
        return chy_fail(err, CHY_E_INVALIDARG, "JSON: an extension has \"oid\" and \"hex\"");
    if (!chy_hex_decode(der, chy_span_cstr(hex)))
        return chy_fail(err, CHY_E_INVALIDARG, "JSON: \"hex\" is not hexadecimal");
    return CHY_S_OK;
}

static chy_hresult patch_with(struct chy_exchange *x, struct chy_service *s, struct chy_ca *ca,
                              int32_t id, const cJSON *v, struct chy_err *err)
{
    static const char *const names[] = {"attributes", "extension", NULL};
    struct chy_caller caller;
    struct chy_buf buf;
    const char *oid = NULL;
    chy_long flags = 0;
    const cJSON *attributes = cJSON_GetObjectItemCaseSensitive(v, "attributes");
    const cJSON *extension = cJSON_GetObjectItemCaseSensitive(v, "extension");
    chy_buf_init(&buf, PATCH_MAX);
    chy_hresult hr = chy_json_only(v, names, err);
    if (hr == CHY_S_OK && !attributes == !extension) {
        hr = chy_fail(err, CHY_E_INVALIDARG,
                      "JSON: either \"attributes\" or \"extension\" is expected");
    }
    if (hr == CHY_S_OK && attributes) hr = chy_rest_attribute_lines(attributes, &buf, err);
    if (hr == CHY_S_OK && extension) hr = read_extension(extension, &buf, &oid, &flags, err);
    struct chy_rest_call *call = hr == CHY_S_OK ? chy_rest_hold(x, ca) : NULL;
    if (call) {
        chy_service_caller(s, x, ca, &caller);
        chy_variant value = {.vt = CHY_VT_BYTES, .u.b = {buf.p, buf.n}};
        if (attributes) {
            chy_ca_set_attributes(ca, &caller, id, chy_buf_span(&buf), chy_rest_outcome, call);
        } else {
            chy_ca_set_extension(ca, &caller, id, oid, CHY_PROPTYPE_BINARY, flags, &value,
                                 chy_rest_outcome, call);
        }
    }
    chy_buf_free(&buf);
    return hr;
}

static void patch(struct chy_exchange *x, void *arg)
{
    struct chy_service *s = arg;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_err err = {0};
    cJSON *v = NULL;
    int32_t id;
    if (!ca || !parse_id(x, &id)) return;
    chy_hresult hr = chy_json_parse(chy_exchange_body(x), PATCH_MAX, &v, &err);
    if (hr == CHY_S_OK) hr = patch_with(x, s, ca, id, v, &err);
    if (hr != CHY_S_OK) chy_exchange_problem(x, &err);
    cJSON_Delete(v);
}

const struct chy_api_route chy_rest_routes[] = {
    {"POST", "/requests", true, false, SUBMIT_MAX, submit,
     "Submit a PKCS#10 request; with dry_run=1, only say what would become of it"},
    {"GET", "/requests/:id", true, true, 0, show, "One request with its certificate"},
    {"GET", "/requests/:id/certificate", true, true, 0, certificate,
     "The certificate of a request (PEM, DER or chain)"},
    {"GET", "/requests/:id/evidence", true, true, 0, evidence,
     "Why a request came out as it did: each decision, with what the modules changed"},
    {"POST", "/requests/:id/resubmit", true, false, 0, resubmit,
     "Officer: show a pending request to the policy again"},
    {"POST", "/requests/:id/deny", true, false, 0, deny, "Officer: deny a pending request"},
    {"PATCH", "/requests/:id", true, false, PATCH_MAX, patch,
     "Officer: set attributes or an extension of a pending request"},
};
const size_t chy_rest_n_routes = CHY_ARRAY_LEN(chy_rest_routes);

chy_hresult chy_rest_register(struct chy_service *s, struct chy_err *err)
{
    return chy_service_routes(s, chy_rest_routes, chy_rest_n_routes, err);
}
