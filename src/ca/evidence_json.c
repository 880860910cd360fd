/* Evidence as JSON: the field names that every face and the command line share. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ca/ca.h"
#include "ca/evidence_json.h"
#include "pki/ext.h"

enum { TEXT_MAX = 256 << 10 };

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

const char *chy_extension_origin(int32_t flags)
{
    switch (flags & CHY_EXTENSION_ORIGIN_MASK) {
    case CHY_EXTENSION_ORIGIN_REQUEST: return "request";
    case CHY_EXTENSION_ORIGIN_POLICY: return "policy";
    case CHY_EXTENSION_ORIGIN_ADMIN: return "admin";
    case CHY_EXTENSION_ORIGIN_SERVER: return "server";
    default: return "other";
    }
}

static const char *kind_name(enum chy_evidence_kind kind)
{
    switch (kind) {
    case CHY_EVIDENCE_POLICY: return "policy";
    case CHY_EVIDENCE_ENGINE: return "engine";
    case CHY_EVIDENCE_DENIED: return "denied";
    case CHY_EVIDENCE_CHANGED: return "changed";
    case CHY_EVIDENCE_SETTLED: return "settled";
    case CHY_EVIDENCE_NONE: break;
    }
    return "other";
}

static const char *what_name(enum chy_change_kind kind)
{
    switch (kind) {
    case CHY_CHANGE_SUBJECT: return "subject";
    case CHY_CHANGE_VALIDITY: return "validity";
    case CHY_CHANGE_TEMPLATE: return "template";
    case CHY_CHANGE_FLAGS: return "flags";
    case CHY_CHANGE_EXTENSION: return "extension";
    case CHY_CHANGE_ATTRIBUTE: return "attribute";
    }
    return "other";
}

void chy_json_add_hex(struct chy_json *j, const char *key, struct chy_span s)
{
    struct chy_buf b;
    chy_buf_init(&b, TEXT_MAX);
    chy_hex_add(&b, s);
    chy_json_add_buf(j, key, &b);
    chy_buf_free(&b);
}

void chy_json_add_ext(struct chy_json *j, struct chy_span oid, struct chy_span value)
{
    struct chy_buf b;
    chy_buf_init(&b, TEXT_MAX);
    chy_ext_to_text(oid, value, &b);
    chy_json_add_buf(j, "text", &b);
    chy_buf_free(&b);
    chy_json_add_hex(j, "hex", value);
}

void chy_json_add_ext_name(struct chy_json *j, struct chy_span oid)
{
    char text[CHY_EXT_OID_TEXT];
    struct chy_buf b;
    chy_buf_init(&b, 1024);
    chy_ext_name(oid, &b);
    chy_json_add_buf(j, "name", &b);
    chy_buf_free(&b);
    chy_json_add_str(j, "oid", chy_oid_to_text(oid, text, sizeof(text)) ? text : NULL);
}

static void add_octets(struct chy_json *j, const struct chy_change *c, struct chy_span oid,
                       const struct chy_value *v)
{
    if (v->form == CHY_VALUE_HASH) {
        chy_json_add_int(j, "length", v->number);
        chy_json_add_hex(j, "sha256", v->octets);
    } else if (c->kind == CHY_CHANGE_EXTENSION) {
        chy_json_add_ext(j, oid, v->octets);
    } else {
        chy_json_add_span(j, "text", v->octets);
    }
}

static void add_value(struct chy_json *j, const char *key, const struct chy_change *c,
                      struct chy_span oid, const struct chy_value *v)
{
    if (v->form == CHY_VALUE_NONE) {
        chy_json_add_null(j, key);
        return;
    }
    chy_json_object(j, key);
    if (v->form == CHY_VALUE_NUMBER && c->kind == CHY_CHANGE_VALIDITY) {
        chy_json_add_time(j, "text", v->number);
    } else if (v->form == CHY_VALUE_NUMBER) {
        char text[32];
        snprintf(text, sizeof(text), "%lld", (long long)v->number);
        chy_json_add_str(j, "text", text);
    } else {
        add_octets(j, c, oid, v);
    }
    if (c->kind == CHY_CHANGE_EXTENSION) {
        chy_json_add_bool(j, "critical", v->flags & CHY_EXTENSION_CRITICAL_FLAG);
        chy_json_add_bool(j, "enabled", !(v->flags & CHY_EXTENSION_DISABLE_FLAG));
        chy_json_add_str(j, "origin", chy_extension_origin(v->flags));
    }
    chy_json_end(j, '}');
}

static void add_change(struct chy_json *j, const struct chy_change *c)
{
    char dotted[CHY_EXT_OID_TEXT] = "";
    struct chy_buf oid;
    chy_buf_init(&oid, CHY_EXT_OID_TEXT);
    bool is_ext = c->kind == CHY_CHANGE_EXTENSION && c->name.n < sizeof(dotted);
    chy_json_object(j, NULL);
    chy_json_add_str(j, "what", what_name(c->kind));
    if (is_ext) memcpy(dotted, c->name.p, c->name.n);
    if (is_ext && chy_oid_from_text(dotted, &oid)) {
        chy_json_add_ext_name(j, chy_buf_span(&oid));
    } else {
        chy_json_add_span(j, "name", c->name);
    }
    chy_json_add_int(j, "times", c->times);
    add_value(j, "before", c, chy_buf_span(&oid), &c->before);
    add_value(j, "after", c, chy_buf_span(&oid), &c->after);
    chy_json_end(j, '}');
    chy_buf_free(&oid);
}

void chy_changes_json(struct chy_json *j, const struct chy_change *change, size_t n)
{
    chy_json_array(j, "changes");
    for (size_t i = 0; i < n; i++)
        add_change(j, &change[i]);
    chy_json_end(j, ']');
}

static void add_text(struct chy_json *j, const char *key, struct chy_span s)
{
    if (s.n) {
        chy_json_add_span(j, key, s);
    } else {
        chy_json_add_null(j, key);
    }
}

static void add_module(struct chy_json *j, const struct chy_evidence *e)
{
    if (!e->has_module) {
        chy_json_add_null(j, "module");
        return;
    }
    chy_json_object(j, "module");
    chy_json_add_str(j, "name", e->module);
    chy_json_add_str(j, "version", e->version);
    chy_json_add_hex(j, "sha256", CHY_SPAN(e->sha256));
    chy_json_add_str(j, "host", e->in_process ? "process" : "daemon");
    chy_json_end(j, '}');
    chy_json_add_hex(j, "settings", CHY_SPAN(e->settings));
}

void chy_evidence_json(struct chy_json *j, const char *key, const struct chy_evidence *e,
                       uint32_t number, chy_time decided_when)
{
    bool decided = e->kind != CHY_EVIDENCE_CHANGED;
    chy_json_object(j, key);
    chy_json_add_int(j, "number", number);
    chy_json_add_str(j, "kind", kind_name(e->kind));
    chy_json_add_time(j, "decided_when", decided_when);
    add_text(j, "by", e->author);
    chy_json_add_bool(j, "new", e->is_new);
    add_module(j, e);
    chy_changes_json(j, e->change, e->n_changes);
    chy_json_add_int(j, "changes_merged", (int64_t)(e->merged & INT64_MAX));
    chy_json_add_int(j, "changes_lost", (int64_t)(e->lost & INT64_MAX));
    chy_json_array(j, "lint");
    for (size_t i = 0; i < e->n_lint; i++)
        chy_json_add_span(j, NULL, e->lint[i]);
    chy_json_end(j, ']');
    if (decided) {
        chy_json_add_str(j, "disposition", chy_disposition_name(e->disposition));
        chy_json_add_int(j, "disposition_code", e->disposition);
        chy_json_add_int(j, "status", e->status);
        chy_json_add_str(j, "status_name", chy_code_info(e->status)->name);
        add_text(j, "message", e->message);
    }
    chy_json_add_int(j, "queue_us", e->queue_us);
    chy_json_add_int(j, "policy_us", e->policy_us);
    chy_json_add_int(j, "check_us", e->check_us);
    chy_json_end(j, '}');
}
