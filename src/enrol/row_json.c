/* Rows as JSON. */
#include "enrol/row_json.h"

#include <stdio.h>

#include "base/text.h"

const char *chy_disposition_name(int32_t disposition)
{
    switch (disposition) {
    case CHY_DB_DISP_ACTIVE: return "active";
    case CHY_DB_DISP_PENDING: return "pending";
    case CHY_DB_DISP_FOREIGN: return "foreign";
    case CHY_DB_DISP_CA_CERT: return "ca-certificate";
    case CHY_DB_DISP_ISSUED: return "issued";
    case CHY_DB_DISP_REVOKED: return "revoked";
    case CHY_DB_DISP_ERROR: return "failed";
    case CHY_DB_DISP_DENIED: return "denied";
    default: return "unknown";
    }
}

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

static const char *origin_name(uint32_t flags)
{
    switch (flags & CHY_EXTENSION_ORIGIN_MASK) {
    case CHY_EXTENSION_ORIGIN_REQUEST: return "request";
    case CHY_EXTENSION_ORIGIN_POLICY: return "policy";
    case CHY_EXTENSION_ORIGIN_ADMIN: return "admin";
    case CHY_EXTENSION_ORIGIN_SERVER: return "server";
    default: return "other";
    }
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
        chy_json_add_str(j, "origin", origin_name(flags));
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
}

void chy_row_json(struct chy_json *j, const char *key, const struct chy_row *row, bool full)
{
    chy_json_object(j, key);
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
    if (full) {
        add_text(j, "caller_name", row->caller_name);
        add_text(j, "request_attributes", row->request_attributes);
        add_attributes(j, row->attributes);
        add_extensions(j, row->extensions);
        chy_json_add_pem(j, "request", "CERTIFICATE REQUEST", row->raw_request);
        if (row->raw_certificate.n)
            chy_json_add_pem(j, "certificate", "CERTIFICATE", row->raw_certificate);
    }
    chy_json_end(j, '}');
}
