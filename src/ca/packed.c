/* Requests as octets for the children of modules. */
#include "ca/packed.h"

#include <string.h>
#include <strings.h>

#include "ca/ca_internal.h"

enum { CHANGED = 1 };

static void put_bytes(struct chy_buf *out, struct chy_span s)
{
    chy_put_text(out, s.p, s.n);
}

static void put_lists(const struct chy_request *r, struct chy_buf *out)
{
    chy_put_u32(out, (uint32_t)r->n_attr);
    for (size_t i = 0; i < r->n_attr; i++) {
        chy_put_cstr(out, r->attr[i].name);
        chy_put_cstr(out, r->attr[i].value);
    }
    chy_put_u32(out, (uint32_t)r->n_ext);
    for (size_t i = 0; i < r->n_ext; i++) {
        chy_put_cstr(out, r->ext[i].oid_text);
        chy_put_u32(out, (uint32_t)r->ext[i].flags);
        put_bytes(out, r->ext[i].oid);
        put_bytes(out, r->ext[i].value);
    }
}

static void put_subject(const struct chy_subject *s, struct chy_buf *out)
{
    uint32_t n = 0;
    for (size_t i = 0; i < CHY_NAME_PROPS; i++)
        n += s->value[i].n != 0;
    chy_put_u32(out, n);
    for (size_t i = 0; i < CHY_NAME_PROPS; i++) {
        if (!s->value[i].n) continue;
        chy_put_u32(out, (uint32_t)i);
        put_bytes(out, s->value[i]);
    }
}

/* The outcome: what the policy cannot ask for anyway. */
static void put_outcome(const struct chy_request *r, struct chy_buf *out)
{
    chy_put_u32(out, (uint32_t)r->disposition);
    chy_put_u32(out, (uint32_t)r->status);
    chy_put_cstr(out, r->message);
    chy_put_i64(out, r->resolved_when);
    chy_put_i64(out, r->revoked_when);
    chy_put_i64(out, r->revoked_effective_when);
    chy_put_u32(out, (uint32_t)r->revoked_reason);
    put_bytes(out, chy_buf_span(&r->certificate));
    put_bytes(out, chy_buf_span(&r->subject_text));
    put_bytes(out, r->has_serial ? CHY_SPAN(r->serial) : (struct chy_span){0});
}

chy_hresult chy_request_pack(void *request, enum chy_asker asker, struct chy_buf *out)
{
    const struct chy_request *r = request;
    chy_put_u32(out, r->subject.changed ? CHANGED : 0);
    chy_put_u32(out, (uint32_t)r->id);
    chy_put_u32(out, (uint32_t)r->general_flags);
    chy_put_u32(out, r->caller_access);
    chy_put_i64(out, r->submitted_when);
    chy_put_i64(out, r->not_before);
    chy_put_i64(out, r->not_after);
    chy_put_cstr(out, r->requester_name);
    chy_put_cstr(out, r->caller_name);
    chy_put_cstr(out, r->template_name);
    put_bytes(out, r->attribute_text);
    put_bytes(out, r->csr.der);
    put_lists(r, out);
    put_subject(&r->subject, out);
    chy_put_u32(out, asker == CHY_ASKER_EXIT);
    if (asker == CHY_ASKER_EXIT) put_outcome(r, out);
    return chy_buf_done(out, "request", NULL);
}

/* ---- and back ---- */

struct chy_request *chy_packed_new(void)
{
    return chy_request_alone(NULL);
}

static void get_lists(struct chy_request *r, struct chy_wire_in *in)
{
    uint32_t n = chy_get_u32(in);
    if (n > CHY_REQUEST_MAX_ATTRS) in->bad = true;
    for (; r->n_attr < n && !in->bad; r->n_attr++) {
        r->attr[r->n_attr].name = chy_get_cstr(in);
        r->attr[r->n_attr].value = chy_get_cstr(in);
    }
    n = chy_get_u32(in);
    if (n > CHY_REQUEST_MAX_EXTS) in->bad = true;
    for (; r->n_ext < n && !in->bad; r->n_ext++) {
        struct chy_extension *e = &r->ext[r->n_ext];
        e->oid_text = chy_get_cstr(in);
        e->flags = chy_get_long(in);
        e->oid = chy_get_text(in);
        e->value = chy_get_text(in);
    }
}

static void get_subject(struct chy_subject *s, struct chy_wire_in *in)
{
    uint32_t n = chy_get_u32(in);
    for (uint32_t k = 0; k < n && !in->bad; k++) {
        uint32_t i = chy_get_u32(in);
        struct chy_span value = chy_get_text(in);
        if (i < CHY_NAME_PROPS) s->value[i] = value;
    }
}

static void get_outcome(struct chy_request *r, struct chy_wire_in *in)
{
    r->disposition = chy_get_long(in);
    r->status = chy_get_long(in);
    const char *message = chy_get_cstr(in);
    if (message) memcpy(r->message, message, strnlen(message, sizeof(r->message) - 1) + 1);
    r->message[sizeof(r->message) - 1] = 0;
    r->resolved_when = chy_get_i64(in);
    r->revoked_when = chy_get_i64(in);
    r->revoked_effective_when = chy_get_i64(in);
    r->revoked_reason = chy_get_long(in);
    chy_buf_add_span(&r->certificate, chy_get_text(in));
    chy_buf_add_span(&r->subject_text, chy_get_text(in));
    struct chy_span serial = chy_get_text(in);
    r->has_serial = serial.n == CHY_SERIAL_LEN;
    if (r->has_serial) memcpy(r->serial, serial.p, CHY_SERIAL_LEN);
}

chy_hresult chy_packed_read(struct chy_request *r, struct chy_wire_in *in)
{
    chy_request_clear(r);
    r->subject.changed = chy_get_u32(in) & CHANGED;
    r->id = chy_get_long(in);
    r->general_flags = chy_get_long(in);
    r->caller_access = chy_get_u32(in);
    r->submitted_when = chy_get_i64(in);
    r->not_before = chy_get_i64(in);
    r->not_after = chy_get_i64(in);
    r->requester_name = chy_get_cstr(in);
    r->caller_name = chy_get_cstr(in);
    r->template_name = chy_get_cstr(in);
    r->attribute_text = chy_get_text(in);
    struct chy_span der = chy_get_text(in);
    get_lists(r, in);
    get_subject(&r->subject, in);
    if (chy_get_u32(in)) get_outcome(r, in);
    if (in->bad || in->p != in->end) return CHY_E_INVALIDARG;
    return der.n ? chy_csr_parse(der, &r->csr, NULL) : CHY_S_OK;
}

chy_hresult chy_packed_ca_property(const struct chy_request *r, const char *name, chy_long type,
                                   chy_variant *out)
{
    if (strcasecmp(name, "RequesterCAAccess") != 0) return CHY_S_FALSE;
    if ((type & CHY_PROPTYPE_MASK) != CHY_PROPTYPE_LONG) return CHY_E_INVALIDARG;
    return chy_variant_set_long(out, (r->caller_access & CHY_CA_ACCESS_ENROLL) != 0);
}

bool chy_packed_has(const char *name)
{
    if (strncasecmp(name, "Request.", 8) == 0) name += 8;
    return strcasecmp(name, "RawCACertificate") != 0 && strncasecmp(name, "Event", 5) != 0;
}
