/* A request as a value: taken from the free list, turned into a row and back. */
#include "ca/request.h"

#include <string.h>

#include "base/text.h"
#include "ca/ca_internal.h"

enum { ARENA_MAX = 1 << 20, CERT_MAX = 128 << 10, TEXT_MAX = 64 << 10, PACKED_MAX = 512 << 10 };

/* Names of the packed properties. */
static const char PROP_NOT_BEFORE[] = "NotBefore", PROP_NOT_AFTER[] = "NotAfter",
                  PROP_NOT_AFTER_WHY[] = "NotAfterWhy", PROP_GENERAL_FLAGS[] = "GeneralFlags",
                  PROP_SUBJECT_CHANGED[] = "SubjectChanged", PROP_MESSAGE[] = "PolicyMessage";

static struct chy_request *request_alloc(struct chy_ca *ca)
{
    struct chy_request *r = chy_calloc(1, sizeof(*r));
    if (!r) return NULL;
    r->ca = ca;
    chy_arena_init(&r->arena, ARENA_MAX);
    chy_buf_init(&r->tbs, CERT_MAX);
    chy_buf_init(&r->certificate, CERT_MAX);
    chy_buf_init(&r->scratch, CERT_MAX);
    chy_buf_init(&r->packed_attrs, PACKED_MAX);
    chy_buf_init(&r->packed_exts, PACKED_MAX);
    chy_buf_init(&r->packed_props, PACKED_MAX);
    chy_buf_init(&r->packed_evidence, CHY_EVIDENCE_MAX);
    chy_buf_init(&r->subject_text, TEXT_MAX);
    chy_buf_init(&r->request_subject_text, TEXT_MAX);
    return r;
}

void chy_request_free(struct chy_request *r)
{
    chy_arena_free(&r->arena);
    struct chy_buf *bufs[] = {&r->tbs,          &r->certificate,          &r->scratch,
                              &r->packed_attrs, &r->packed_exts,          &r->packed_props,
                              &r->subject_text, &r->request_subject_text, &r->packed_evidence};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    chy_free(r);
}

/* Everything but the arena and the buffers, which keep their memory. */
static void request_reset(struct chy_request *r)
{
    chy_arena_reset(&r->arena);
    struct chy_buf *bufs[] = {&r->tbs,          &r->certificate,          &r->scratch,
                              &r->packed_attrs, &r->packed_exts,          &r->packed_props,
                              &r->subject_text, &r->request_subject_text, &r->packed_evidence};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_reset(bufs[i]);
    r->stage = CHY_STAGE_INTAKE;
    r->worker = NULL;
    r->input = r->attribute_text = r->common_name = (struct chy_span){0};
    r->caller_name = r->requester_name = r->template_name = r->not_after_why = r->new_ext_oid =
        NULL;
    r->done = NULL;
    r->id = r->flags = r->general_flags = r->disposition = r->event = 0;
    r->is_new = r->dry_run = r->has_row = r->has_serial = r->is_packed = false;
    r->n_attr = r->n_ext = r->n_owed = r->csr.n_ext = r->csr.n_pairs = r->csr.subject.n = 0;
    r->csr.der = (struct chy_span){0};
    memset(&r->subject, 0, sizeof(r->subject));
    r->not_before = r->not_after = r->resolved_when = r->submitted_when = CHY_TIME_DEFAULT;
    r->revoked_when = r->revoked_effective_when = CHY_TIME_DEFAULT;
    r->revoked_reason = r->shard = 0;
    r->policy_message[0] = r->message[0] = 0;
    r->told = (struct chy_told){0};
    r->status = CHY_S_OK;
    chy_evidence_reset(&r->evidence);
    r->received = 0;
    chy_err_clear(&r->err);
}

void chy_request_clear(struct chy_request *r)
{
    request_reset(r);
}

void chy_ca_enter(struct chy_ca *ca)
{
    pthread_mutex_lock(&ca->lock);
    ca->in_flight++;
    pthread_mutex_unlock(&ca->lock);
}

void chy_ca_leave(struct chy_ca *ca)
{
    pthread_mutex_lock(&ca->lock);
    if (--ca->in_flight == 0) pthread_cond_broadcast(&ca->idle);
    pthread_mutex_unlock(&ca->lock);
}

struct chy_request *chy_request_alone(const struct chy_authority *authority)
{
    static const struct chy_authority none; /* without a certificate */
    struct chy_request *r = request_alloc(NULL);
    if (!r) return NULL;
    request_reset(r);
    r->authority = authority ? authority : &none;
    atomic_store(&r->refs, 1);
    return r;
}

struct chy_request *chy_request_new(struct chy_ca *ca)
{
    pthread_mutex_lock(&ca->lock);
    struct chy_request *r = ca->free_list;
    if (r) {
        ca->free_list = r->next_free;
        ca->n_free--;
    }
    pthread_mutex_unlock(&ca->lock);
    if (!r) r = request_alloc(ca);
    if (!r) return NULL;
    request_reset(r);
    r->authority = chy_ca_current(ca);
    atomic_store(&r->refs, 1);
    return r;
}

void chy_request_unref(struct chy_request *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1) return;
    struct chy_ca *ca = r->ca;
    pthread_mutex_lock(&ca->lock);
    bool keep = ca->n_free < CHY_CA_FREE_REQUESTS;
    if (keep) {
        r->next_free = ca->free_list;
        ca->free_list = r;
        ca->n_free++;
    }
    pthread_mutex_unlock(&ca->lock);
    if (!keep) chy_request_free(r);
}

static struct chy_span span_of_time(chy_time t, uint8_t out[8])
{
    uint64_t u = (uint64_t)t;
    for (int i = 7; i >= 0; i--, u >>= 8)
        out[i] = (uint8_t)u;
    return chy_span_of(out, 8);
}

static chy_time time_of_span(struct chy_span s)
{
    uint64_t u = 0;
    if (s.n != 8) return CHY_TIME_DEFAULT;
    for (size_t i = 0; i < 8; i++)
        u = u << 8 | s.p[i];
    return (chy_time)u;
}

static void pack_text(struct chy_buf *out, const char *name, const char *text)
{
    if (text && *text) chy_pack_add(out, 0, chy_span_cstr(name), chy_span_cstr(text));
}

static void pack_props(struct chy_request *r)
{
    struct chy_buf *out = &r->packed_props;
    uint8_t t[8];
    chy_buf_reset(out);
    chy_pack_add(out, 0, chy_span_cstr(PROP_NOT_BEFORE), span_of_time(r->not_before, t));
    chy_pack_add(out, 0, chy_span_cstr(PROP_NOT_AFTER), span_of_time(r->not_after, t));
    pack_text(out, PROP_NOT_AFTER_WHY, r->not_after_why);
    pack_text(out, PROP_MESSAGE, r->policy_message);
    if (r->general_flags) {
        chy_pack_add(out, (uint32_t)r->general_flags, chy_span_cstr(PROP_GENERAL_FLAGS),
                     (struct chy_span){0});
    }
    if (!r->subject.changed) return; /* else it is what the request says */
    chy_pack_add(out, 1, chy_span_cstr(PROP_SUBJECT_CHANGED), (struct chy_span){0});
    for (size_t i = 0; i < CHY_NAME_PROPS; i++) {
        if (r->subject.value[i].n) {
            chy_pack_add(out, 0, chy_span_cstr(chy_name_props[i].name), r->subject.value[i]);
        }
    }
}

static void pack_lists(struct chy_request *r)
{
    chy_buf_reset(&r->packed_attrs);
    for (size_t i = 0; i < r->n_attr; i++) {
        chy_pack_add(&r->packed_attrs, 0, chy_span_cstr(r->attr[i].name),
                     chy_span_cstr(r->attr[i].value));
    }
    chy_buf_reset(&r->packed_exts);
    for (size_t i = 0; i < r->n_ext; i++) {
        chy_pack_add(&r->packed_exts, (uint32_t)r->ext[i].flags, chy_span_cstr(r->ext[i].oid_text),
                     r->ext[i].value);
    }
}

static int common_name_prop(void)
{
    return chy_name_prop_find("CommonName");
}

static chy_hresult check_whole(const struct chy_request *r, struct chy_err *err)
{
    const struct chy_buf *bufs[] = {&r->packed_attrs,   &r->packed_exts,          &r->packed_props,
                                    &r->subject_text,   &r->request_subject_text, &r->certificate,
                                    &r->packed_evidence};
    chy_hresult hr = chy_arena_done(&r->arena, "request", err);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs) && hr == CHY_S_OK; i++)
        hr = chy_buf_done(bufs[i], "request", err);
    return hr;
}

static void pack(struct chy_request *r)
{
    if (r->is_packed) return;
    pack_lists(r);
    pack_props(r);
    chy_buf_reset(&r->request_subject_text);
    chy_name_to_text(&r->csr.subject, &r->request_subject_text);
    r->is_packed = r->disposition == CHY_DB_DISP_ACTIVE;
}

/* The intent is the decision to issue: nothing but a key that fails stands behind it. */
static void pack_evidence(struct chy_request *r)
{
    struct chy_evidence *e = &r->evidence;
    chy_buf_reset(&r->packed_evidence);
    if (e->kind == CHY_EVIDENCE_NONE) return;
    bool intent = r->disposition == CHY_DB_DISP_ACTIVE;
    e->disposition = intent ? CHY_DB_DISP_ISSUED : r->disposition;
    e->status = r->status;
    e->message = chy_span_cstr(intent ? r->policy_message : r->message);
    chy_evidence_pack(e, &r->packed_evidence);
}

chy_hresult chy_request_to_row(struct chy_request *r, struct chy_err *err)
{
    pack(r);
    pack_evidence(r);
    r->common_name = r->subject.value[common_name_prop()];
    struct chy_row *row = &r->row;
    *row = (struct chy_row){
        .id = r->id,
        .disposition = r->disposition,
        .status = r->status,
        .message = chy_span_cstr(r->message),
        .submitted_when = r->submitted_when,
        .resolved_when = r->resolved_when,
        .requester_name = chy_span_cstr(r->requester_name),
        .caller_name = chy_span_cstr(r->caller_name),
        .request_type = CHY_CR_IN_PKCS10,
        .raw_request = r->csr.der,
        .request_attributes = r->attribute_text,
        .request_subject = chy_buf_span(&r->request_subject_text),
        .attributes = chy_buf_span(&r->packed_attrs),
        .extensions = chy_buf_span(&r->packed_exts),
        .properties = chy_buf_span(&r->packed_props),
        .template_name = chy_span_cstr(r->template_name),
        .subject = chy_buf_span(&r->subject_text),
        .common_name = r->common_name,
        .not_before = r->not_before,
        .not_after = r->not_after,
        .raw_certificate = chy_buf_span(&r->certificate),
        .revoked_when = CHY_TIME_DEFAULT,
        .revoked_effective_when = CHY_TIME_DEFAULT,
        .invalidity_when = CHY_TIME_DEFAULT,
        .issuer_index = chy_issuer_index(r->authority),
        .shard = r->shard,
    };
    if (r->has_serial) row->serial = CHY_SPAN(r->serial);
    if (r->disposition != CHY_DB_DISP_ISSUED && r->disposition != CHY_DB_DISP_ACTIVE) {
        row->serial = row->raw_certificate = (struct chy_span){0};
    }
    return check_whole(r, err);
}

static void unpack_prop(struct chy_request *r, uint32_t flags, struct chy_span name,
                        struct chy_span value)
{
    if (chy_span_eq(name, chy_span_cstr(PROP_NOT_BEFORE))) {
        r->not_before = time_of_span(value);
    } else if (chy_span_eq(name, chy_span_cstr(PROP_NOT_AFTER))) {
        r->not_after = time_of_span(value);
    } else if (chy_span_eq(name, chy_span_cstr(PROP_NOT_AFTER_WHY))) {
        r->not_after_why = chy_arena_strndup(&r->arena, value.p, value.n);
    } else if (chy_span_eq(name, chy_span_cstr(PROP_GENERAL_FLAGS))) {
        r->general_flags = (int32_t)flags;
    } else if (chy_span_eq(name, chy_span_cstr(PROP_SUBJECT_CHANGED))) {
        memset(&r->subject, 0, sizeof(r->subject));
        r->subject.changed = true;
    } else if (r->subject.changed && name.n < 64) {
        char text[64];
        memcpy(text, name.p, name.n);
        text[name.n] = 0;
        int prop = chy_name_prop_find(text);
        if (prop >= 0) r->subject.value[prop] = chy_arena_dup(&r->arena, value);
    }
}

static chy_hresult unpack_lists(struct chy_request *r, const struct chy_row *row,
                                struct chy_err *err)
{
    size_t pos = 0;
    uint32_t flags;
    struct chy_span name, value;
    while (chy_pack_next(row->attributes, &pos, &flags, &name, &value)) {
        chy_request_set_attribute(r, name, value);
    }
    pos = 0;
    while (chy_pack_next(row->extensions, &pos, &flags, &name, &value)) {
        char *oid = chy_arena_strndup(&r->arena, name.p, name.n);
        if (!oid) return chy_fail_nomem(err, "request");
        chy_hresult hr = chy_request_set_extension(r, oid, (int32_t)flags, value, err);
        if (hr != CHY_S_OK) return hr;
    }
    pos = 0;
    while (chy_pack_next(row->properties, &pos, &flags, &name, &value))
        unpack_prop(r, flags, name, value);
    return CHY_S_OK;
}

static const char *text_of(struct chy_request *r, struct chy_span s)
{
    return s.n ? chy_arena_strndup(&r->arena, s.p, s.n) : NULL;
}

chy_hresult chy_request_from_row(struct chy_request *r, const struct chy_row *row,
                                 struct chy_err *err)
{
    r->id = row->id;
    r->has_row = true;
    r->disposition = row->disposition;
    r->status = row->status;
    r->submitted_when = row->submitted_when;
    r->resolved_when = row->resolved_when;
    r->revoked_when = row->revoked_when;
    r->revoked_effective_when = row->revoked_effective_when;
    r->revoked_reason = row->revoked_reason;
    r->shard = row->shard;
    if (row->serial.n) r->authority = chy_ca_authority(r->ca, row->issuer_index);
    if (!r->authority)
        return chy_fail(
            err, CHY_CERTSRV_E_INVALID_CA_CERTIFICATE,
            "request %d: the CA certificate %d that issues it is not in the CA's folder", row->id,
            row->issuer_index & 0xffff);
    r->requester_name = text_of(r, row->requester_name);
    r->caller_name = text_of(r, row->caller_name);
    r->template_name = text_of(r, row->template_name);
    r->attribute_text = chy_arena_dup(&r->arena, row->request_attributes);
    if (row->message.n) {
        size_t n = row->message.n < CHY_MESSAGE_MAX ? row->message.n : CHY_MESSAGE_MAX - 1;
        memcpy(r->message, row->message.p, n);
        r->message[n] = 0;
    }
    if (row->serial.n == CHY_SERIAL_LEN) {
        memcpy(r->serial, row->serial.p, CHY_SERIAL_LEN);
        r->has_serial = true;
    }
    chy_buf_add_span(&r->certificate, row->raw_certificate);
    chy_buf_add_span(&r->subject_text, row->subject);
    struct chy_span der = chy_arena_dup(&r->arena, row->raw_request);
    if (!der.p) return chy_fail_nomem(err, "request");
    chy_hresult hr = chy_csr_parse(der, &r->csr, err);
    if (hr != CHY_S_OK) {
        chy_wrap(err, "request %d as stored", row->id);
        return hr;
    }
    if (!chy_subject_from_name(&r->subject, &r->csr.subject, &r->arena))
        return chy_fail_nomem(err, "request");
    hr = unpack_lists(r, row, err);
    if (hr == CHY_S_OK) hr = chy_arena_done(&r->arena, "request", err);
    if (hr == CHY_S_OK) hr = chy_buf_done(&r->certificate, "request", err);
    return hr == CHY_S_OK ? chy_buf_done(&r->subject_text, "request", err) : hr;
}
