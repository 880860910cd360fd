/* Rows as JSON. */
#include "enrol/row_json.h"

#include <stdio.h>

#include "base/text.h"
#include "ca/revocation.h"
#include "enrol/reason.h"

void chy_json_add_pem(struct chy_json *j, const char *key, const char *label, struct chy_span der)
{
    struct chy_buf pem;
    chy_buf_init(&pem, 256 << 10);
    chy_pem_add(&pem, label, der);
    chy_json_add_buf(j, key, &pem);
    chy_buf_free(&pem);
}

static void add_text(struct chy_json *j, const char *key, struct chy_span s)
{
    if (s.n) {
        chy_json_add_span(j, key, s);
    } else {
        chy_json_add_null(j, key);
    }
}

static void add_hex(struct chy_json *j, const char *key, struct chy_span s)
{
    struct chy_buf b;
    if (!s.n) {
        chy_json_add_null(j, key);
        return;
    }
    chy_buf_init(&b, 1 << 20);
    chy_hex_add(&b, s);
    chy_json_add_buf(j, key, &b);
    chy_buf_free(&b);
}

static void add_attributes(struct chy_json *j, struct chy_span packed)
{
    size_t pos = 0;
    uint32_t flags;
    struct chy_span name, value;
    chy_json_object(j, "attributes");
    while (chy_pack_next(packed, &pos, &flags, &name, &value)) {
        char key[128];
        snprintf(key, sizeof(key), "%.*s", (int)name.n, (const char *)name.p);
        chy_json_add_span(j, key, value);
    }
    chy_json_end(j, '}');
}

static void add_extensions(struct chy_json *j, struct chy_span packed)
{
    size_t pos = 0;
    uint32_t flags;
    struct chy_span name, value;
    chy_json_array(j, "extensions");
    while (chy_pack_next(packed, &pos, &flags, &name, &value)) {
        chy_json_object(j, NULL);
        chy_json_add_span(j, "oid", name);
        chy_json_add_bool(j, "critical", flags & CHY_EXTENSION_CRITICAL_FLAG);
        chy_json_add_bool(j, "enabled", !(flags & CHY_EXTENSION_DISABLE_FLAG));
        chy_json_add_str(j, "origin", chy_extension_origin((int32_t)flags));
        add_hex(j, "value", value);
        chy_json_end(j, '}');
    }
    chy_json_end(j, ']');
}

static void add_certificate(struct chy_json *j, const struct chy_row *row)
{
    add_hex(j, "serial", row->serial);
    add_text(j, "subject", row->subject);
    add_text(j, "common_name", row->common_name);
    chy_json_add_time(j, "not_before", row->not_before);
    chy_json_add_time(j, "not_after", row->not_after);
    if (row->disposition != CHY_DB_DISP_REVOKED) return;
    chy_json_add_time(j, "revoked_when", row->revoked_when);
    chy_json_add_time(j, "revoked_effective_when", row->revoked_effective_when);
    chy_json_add_int(j, "revoked_reason", row->revoked_reason);
    chy_json_add_str(j, "revoked_reason_name", chy_reason_name(row->revoked_reason));
    if (row->invalidity_when != CHY_TIME_DEFAULT)
        chy_json_add_time(j, "invalidity_when", row->invalidity_when);
}

static void add_short(struct chy_json *j, const struct chy_row *row)
{
    chy_json_add_int(j, "request_id", row->id);
    chy_json_add_str(j, "disposition", chy_disposition_name(row->disposition));
    chy_json_add_int(j, "disposition_code", row->disposition);
    chy_json_add_int(j, "status", row->status);
    add_text(j, "message", row->message);
    chy_json_add_time(j, "submitted_when", row->submitted_when);
    chy_json_add_time(j, "resolved_when", row->resolved_when);
    add_text(j, "requester_name", row->requester_name);
    add_text(j, "request_subject", row->request_subject);
    add_text(j, "template_name", row->template_name);
    add_certificate(j, row);
}

static void add_full(struct chy_json *j, const struct chy_row *row)
{
    add_text(j, "caller_name", row->caller_name);
    add_text(j, "request_attributes", row->request_attributes);
    add_attributes(j, row->attributes);
    add_extensions(j, row->extensions);
    if (row->crl_flags & CHY_ROW_CRL_WHEN_EXPIRED) chy_json_add_bool(j, "kept_after_expiry", true);
    chy_json_add_pem(j, "request", "CERTIFICATE REQUEST", row->raw_request);
    if (row->raw_certificate.n)
        chy_json_add_pem(j, "certificate", "CERTIFICATE", row->raw_certificate);
}

void chy_row_json(struct chy_json *j, const char *key, const struct chy_row *row, bool full)
{
    chy_json_object(j, key);
    add_short(j, row);
    if (full) add_full(j, row);
    chy_json_end(j, '}');
}

static bool add_change(const struct chy_revocation *r, void *arg)
{
    struct chy_json *j = arg;
    chy_json_object(j, NULL);
    chy_json_add_int(j, "seq", r->seq);
    chy_json_add_str(j, "disposition", chy_disposition_name(r->disposition));
    chy_json_add_int(j, "reason", r->reason);
    chy_json_add_str(j, "reason_name", chy_reason_name(r->reason));
    chy_json_add_time(j, "revoked_when", r->revoked_when);
    chy_json_add_time(j, "effective_when", r->effective_when);
    chy_json_add_time(j, "invalidity_when", r->invalidity_when);
    chy_json_add_bool(j, "kept_after_expiry", r->crl_flags & CHY_ROW_CRL_WHEN_EXPIRED);
    add_text(j, "author", r->author);
    add_text(j, "message", r->message);
    chy_json_end(j, '}');
    return !j->out->failed;
}

chy_hresult chy_row_json_history(struct chy_json *j, struct chy_ca *ca,
                                 const struct chy_caller *caller, int32_t id, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    chy_json_array(j, "history");
    if (caller->access & (CHY_CA_ACCESS_READ | CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER))
        hr = chy_ca_history(ca, caller, id, add_change, j, err);
    chy_json_end(j, ']');
    return hr;
}

chy_hresult chy_row_json_full(struct chy_json *j, struct chy_ca *ca,
                              const struct chy_caller *caller, const struct chy_row *row,
                              struct chy_err *err)
{
    chy_json_object(j, NULL);
    add_short(j, row);
    add_full(j, row);
    chy_hresult hr = chy_row_json_history(j, ca, caller, row->id, err);
    chy_json_end(j, '}');
    return hr;
}

void chy_row_json_event(const struct chy_event_info *e, void *arg)
{
    struct chy_json *j = arg;
    const char *state = e->failed_when != CHY_TIME_DEFAULT ? "failed"
                        : e->next_try != CHY_TIME_DEFAULT  ? "retrying"
                                                           : "waiting";
    chy_json_object(j, NULL);
    chy_json_add_str(j, "module", e->module);
    chy_json_add_str(j, "event_id", e->id);
    chy_json_add_str(j, "event", e->name);
    chy_json_add_int(j, "request_id", e->request_id);
    chy_json_add_time(j, "occurred", e->occurred);
    chy_json_add_str(j, "state", state);
    chy_json_add_int(j, "attempts", e->attempts);
    chy_json_add_time(j, "next_try",
                      e->failed_when == CHY_TIME_DEFAULT ? e->next_try : CHY_TIME_DEFAULT);
    chy_json_add_time(j, "failed_when", e->failed_when);
    chy_json_add_span(j, "error", e->error);
    chy_json_end(j, '}');
}
