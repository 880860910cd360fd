/* What modules see of a request: properties, attributes, extensions, and the few that a policy
 * module may set. Names, types and rules as ICertServerPolicy and ICertServerExit have them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "ca/ca_internal.h"
#include "ca/packed.h"

/* One readable property: what it is called, its type, and who may read it when. */
enum when { ALWAYS, RESOLVED /* exit modules only: the row is complete */, ISSUED };
struct prop {
    const char *name;
    chy_long type;
    enum when when;
    chy_hresult (*get)(struct chy_request *r, chy_variant *out);
};

static chy_hresult set_text(chy_variant *out, const char *s)
{
    if (!s || !*s) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_str(out, s, strlen(s));
}

static chy_hresult set_bytes(chy_variant *out, struct chy_span s)
{
    if (!s.n) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_bytes(out, s.p, s.n);
}

static chy_hresult set_hex(chy_variant *out, struct chy_span s)
{
    char text[2 * 64 + 1];
    if (!s.n || s.n > 64) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    chy_hex_cstr(text, s);
    return set_text(out, text);
}

static chy_hresult set_time(chy_variant *out, chy_time t)
{
    if (t == CHY_TIME_DEFAULT) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_time(out, t);
}

static chy_hresult set_buf(chy_variant *out, struct chy_buf *b)
{
    return b->n && !b->failed ? chy_variant_set_str(out, b->p, b->n) : CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult get_id(struct chy_request *r, chy_variant *out)
{
    return chy_variant_set_long(out, r->id);
}
static chy_hresult get_raw_request(struct chy_request *r, chy_variant *out)
{
    return set_bytes(out, r->csr.der);
}
static chy_hresult get_attributes(struct chy_request *r, chy_variant *out)
{
    if (!r->attribute_text.n) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_str(out, r->attribute_text.p, r->attribute_text.n);
}
static chy_hresult get_type(struct chy_request *r, chy_variant *out)
{
    (void)r;
    return chy_variant_set_long(out, CHY_CR_IN_PKCS10);
}
static chy_hresult get_request_flags(struct chy_request *r, chy_variant *out)
{
    return chy_variant_set_long(out, r->subject.changed ? 0 : CHY_CR_FLG_SUBJECTUNMODIFIED);
}
static chy_hresult get_submitted(struct chy_request *r, chy_variant *out)
{
    return set_time(out, r->submitted_when);
}
static chy_hresult get_dry_run(struct chy_request *r, chy_variant *out)
{
    return r->dry_run ? chy_variant_set_long(out, 1) : CHY_CERTSRV_E_PROPERTY_EMPTY;
}
static chy_hresult get_requester(struct chy_request *r, chy_variant *out)
{
    return set_text(out, r->requester_name);
}
static chy_hresult get_caller(struct chy_request *r, chy_variant *out)
{
    return set_text(out, r->caller_name);
}
static chy_hresult get_disposition(struct chy_request *r, chy_variant *out)
{
    return chy_variant_set_long(out, r->disposition);
}
static chy_hresult get_message(struct chy_request *r, chy_variant *out)
{
    return set_text(out, r->message);
}
static chy_hresult get_status(struct chy_request *r, chy_variant *out)
{
    return chy_variant_set_long(out, r->status);
}
static chy_hresult get_resolved(struct chy_request *r, chy_variant *out)
{
    return set_time(out, r->resolved_when);
}
static chy_hresult get_ca_cert(struct chy_request *r, chy_variant *out)
{
    return set_bytes(out, chy_buf_span(&r->authority->cert_der));
}
static chy_hresult get_request_dn(struct chy_request *r, chy_variant *out)
{
    chy_buf_reset(&r->request_subject_text);
    chy_name_to_text(&r->csr.subject, &r->request_subject_text);
    return set_buf(out, &r->request_subject_text);
}
static chy_hresult get_request_raw_name(struct chy_request *r, chy_variant *out)
{
    return set_bytes(out, r->csr.subject.der);
}

static chy_hresult get_revoked(struct chy_request *r, chy_variant *out)
{
    return set_time(out, r->revoked_when);
}
static chy_hresult get_revoked_effective(struct chy_request *r, chy_variant *out)
{
    return set_time(out, r->revoked_effective_when);
}
static chy_hresult get_revoked_reason(struct chy_request *r, chy_variant *out)
{
    if (r->revoked_when == CHY_TIME_DEFAULT) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_long(out, r->revoked_reason);
}

static const struct prop request_props[] = {
    {"RequestID", CHY_PROPTYPE_LONG, ALWAYS, get_id},
    {"RawRequest", CHY_PROPTYPE_BINARY, ALWAYS, get_raw_request},
    {"RequestAttributes", CHY_PROPTYPE_STRING, ALWAYS, get_attributes},
    {"RequestType", CHY_PROPTYPE_LONG, ALWAYS, get_type},
    {"RequestFlags", CHY_PROPTYPE_LONG, ALWAYS, get_request_flags},
    {"SubmittedWhen", CHY_PROPTYPE_DATE, ALWAYS, get_submitted},
    {"RequesterName", CHY_PROPTYPE_STRING, ALWAYS, get_requester},
    {"DryRun", CHY_PROPTYPE_LONG, ALWAYS, get_dry_run},
    {"CallerName", CHY_PROPTYPE_STRING, ALWAYS, get_caller},
    {"Disposition", CHY_PROPTYPE_LONG, RESOLVED, get_disposition},
    {"DispositionMessage", CHY_PROPTYPE_STRING, RESOLVED, get_message},
    {"StatusCode", CHY_PROPTYPE_LONG, RESOLVED, get_status},
    {"ResolvedWhen", CHY_PROPTYPE_DATE, RESOLVED, get_resolved},
    {"RevokedWhen", CHY_PROPTYPE_DATE, RESOLVED, get_revoked},
    {"RevokedEffectiveWhen", CHY_PROPTYPE_DATE, RESOLVED, get_revoked_effective},
    {"RevokedReason", CHY_PROPTYPE_LONG, RESOLVED, get_revoked_reason},
    {"RawCACertificate", CHY_PROPTYPE_BINARY, ALWAYS, get_ca_cert},
    {"DistinguishedName", CHY_PROPTYPE_STRING, ALWAYS, get_request_dn},
    {"RawName", CHY_PROPTYPE_BINARY, ALWAYS, get_request_raw_name},
};

static chy_hresult get_not_before(struct chy_request *r, chy_variant *out)
{
    return set_time(out, r->not_before);
}
static chy_hresult get_not_after(struct chy_request *r, chy_variant *out)
{
    return set_time(out, r->not_after);
}
static chy_hresult get_public_key(struct chy_request *r, chy_variant *out)
{
    return set_bytes(out, r->csr.key.bits);
}
static chy_hresult get_public_key_alg(struct chy_request *r, chy_variant *out)
{
    char oid[CHY_EXT_OID_TEXT];
    if (!chy_oid_to_text(r->csr.key.alg_oid, oid, sizeof(oid))) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return set_text(out, oid);
}
static chy_hresult get_public_key_params(struct chy_request *r, chy_variant *out)
{
    return set_bytes(out, r->csr.key.alg_params);
}
static chy_hresult get_public_key_length(struct chy_request *r, chy_variant *out)
{
    return chy_variant_set_long(out, r->csr.key.size);
}
static chy_hresult get_general_flags(struct chy_request *r, chy_variant *out)
{
    return chy_variant_set_long(out, r->general_flags);
}
static chy_hresult get_zero(struct chy_request *r, chy_variant *out)
{
    (void)r;
    return chy_variant_set_long(out, 0);
}
static chy_hresult get_template(struct chy_request *r, chy_variant *out)
{
    return set_text(out, r->template_name);
}
static chy_hresult get_ski(struct chy_request *r, chy_variant *out)
{
    const struct chy_extension *e = chy_request_find_extension(r, "2.5.29.14");
    struct chy_span id;
    if (!e || !chy_ski_parse(e->value, &id)) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return set_hex(out, id);
}
static chy_hresult get_raw_certificate(struct chy_request *r, chy_variant *out)
{
    return set_bytes(out, chy_buf_span(&r->certificate));
}
static chy_hresult get_serial(struct chy_request *r, chy_variant *out)
{
    return r->has_serial ? set_hex(out, CHY_SPAN(r->serial)) : CHY_CERTSRV_E_PROPERTY_EMPTY;
}
static chy_hresult get_hash(struct chy_request *r, chy_variant *out)
{
    uint8_t hash[20];
    unsigned n = 0;
    if (!r->certificate.n) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (EVP_Digest(r->certificate.p, r->certificate.n, hash, &n, EVP_sha1(), NULL) != 1)
        return CHY_E_FAIL;
    return set_hex(out, CHY_SPAN(hash));
}
static chy_hresult get_dn(struct chy_request *r, chy_variant *out)
{
    return set_buf(out, &r->subject_text);
}
static chy_hresult get_raw_name(struct chy_request *r, chy_variant *out)
{
    struct chy_cert *c = chy_arena_alloc(&r->arena, sizeof(*c));
    if (!c) return CHY_E_OUTOFMEMORY;
    if (chy_cert_parse(chy_buf_span(&r->certificate), c, NULL) != CHY_S_OK)
        return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return set_bytes(out, c->subject.der);
}
static chy_hresult get_upn(struct chy_request *r, chy_variant *out)
{
    static const uint8_t upn_oid[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3};
    const struct chy_extension *e = chy_request_find_extension(r, "2.5.29.17");
    struct chy_general_name *gn = chy_arena_alloc(&r->arena, sizeof(*gn) * CHY_GN_MAX);
    size_t n = CHY_GN_MAX;
    if (!gn) return CHY_E_OUTOFMEMORY;
    bool is_granted = e && !(e->flags & CHY_EXTENSION_DISABLE_FLAG);
    if (!is_granted || chy_general_names_parse(e->value, gn, &n, NULL) != CHY_S_OK)
        return CHY_CERTSRV_E_PROPERTY_EMPTY;
    for (size_t i = 0; i < n; i++) {
        struct chy_der d = chy_der_of(gn[i].other_value);
        struct chy_span text;
        if (gn[i].type != CHY_GN_OTHER || !chy_span_eq(gn[i].other_oid, CHY_SPAN(upn_oid)))
            continue;
        if (chy_der_expect(&d, CHY_DER_UTF8, &text))
            return chy_variant_set_str(out, text.p, text.n);
    }
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}
static chy_hresult get_nothing(struct chy_request *r, chy_variant *out)
{
    (void)r;
    (void)out;
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static const struct prop certificate_props[] = {
    {"RequestID", CHY_PROPTYPE_LONG, ALWAYS, get_id},
    {"NotBefore", CHY_PROPTYPE_DATE, ALWAYS, get_not_before},
    {"NotAfter", CHY_PROPTYPE_DATE, ALWAYS, get_not_after},
    {"RawPublicKey", CHY_PROPTYPE_BINARY, ALWAYS, get_public_key},
    {"PublicKeyAlgorithm", CHY_PROPTYPE_STRING, ALWAYS, get_public_key_alg},
    {"RawPublicKeyAlgorithmParameters", CHY_PROPTYPE_BINARY, ALWAYS, get_public_key_params},
    {"PublicKeyLength", CHY_PROPTYPE_LONG, ALWAYS, get_public_key_length},
    {"GeneralFlags", CHY_PROPTYPE_LONG, ALWAYS, get_general_flags},
    {"EnrollmentFlags", CHY_PROPTYPE_LONG, ALWAYS, get_zero},
    {"PrivatekeyFlags", CHY_PROPTYPE_LONG, ALWAYS, get_zero},
    {"CertificateTemplate", CHY_PROPTYPE_STRING, ALWAYS, get_template},
    {"SubjectKeyIdentifier", CHY_PROPTYPE_STRING, ALWAYS, get_ski},
    {"RequesterNameFromOldCertificate", CHY_PROPTYPE_STRING, ALWAYS, get_nothing},
    {"RawCertificate", CHY_PROPTYPE_BINARY, ISSUED, get_raw_certificate},
    {"SerialNumber", CHY_PROPTYPE_STRING, ISSUED, get_serial},
    {"CertificateHash", CHY_PROPTYPE_STRING, ISSUED, get_hash},
    {"DistinguishedName", CHY_PROPTYPE_STRING, ISSUED, get_dn},
    {"RawName", CHY_PROPTYPE_BINARY, ISSUED, get_raw_name},
    {"UPN", CHY_PROPTYPE_STRING, ISSUED, get_upn},
};

static chy_hresult get_from(const struct prop *table, size_t n, struct chy_request *r,
                            enum chy_asker asker, const char *name, chy_long type, chy_variant *out,
                            bool *known)
{
    *known = false;
    for (size_t i = 0; i < n; i++) {
        const struct prop *p = &table[i];
        if (!chy_text_same(p->name, name)) continue;
        *known = true;
        if ((type & CHY_PROPTYPE_MASK) != p->type) return CHY_E_INVALIDARG;
        if (p->when != ALWAYS && asker == CHY_ASKER_POLICY) return CHY_CERTSRV_E_PROPERTY_EMPTY;
        if (p->when == ISSUED && !r->certificate.n) return CHY_CERTSRV_E_PROPERTY_EMPTY;
        return p->get(r, out);
    }
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult name_value(const struct chy_subject *s, int prop, chy_long type,
                              chy_variant *out)
{
    if ((type & CHY_PROPTYPE_MASK) != CHY_PROPTYPE_STRING) return CHY_E_INVALIDARG;
    if (!s->value[prop].n) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_variant_set_str(out, s->value[prop].p, s->value[prop].n);
}

static chy_hresult get_request_property(void *request, enum chy_asker asker, const char *name,
                                        chy_long type, chy_variant *out)
{
    struct chy_request *r = request;
    bool known;
    if (strncasecmp(name, "Request.", 8) == 0) name += 8;
    if (asker == CHY_ASKER_EXIT && strncasecmp(name, "Event", 5) == 0)
        return chy_event_property(r->ca, &r->told, name, type, out);
    chy_hresult hr =
        get_from(request_props, CHY_ARRAY_LEN(request_props), r, asker, name, type, out, &known);
    if (known) return hr;
    int prop = chy_name_prop_find(name);
    if (prop < 0) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (!r->subject.changed) return name_value(&r->subject, prop, type, out);
    /* The policy changed the certificate's subject; here the question is what was asked for. */
    struct chy_subject asked = {0};
    if (!chy_subject_from_name(&asked, &r->csr.subject, &r->arena)) return CHY_E_OUTOFMEMORY;
    return name_value(&asked, prop, type, out);
}

static chy_hresult get_request_attribute(void *request, const char *name, chy_str *out)
{
    const char *value = chy_request_attribute(request, name);
    if (!value) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_module_str(out, value, strlen(value)) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static chy_hresult get_certificate_property(void *request, enum chy_asker asker, const char *name,
                                            chy_long type, chy_variant *out)
{
    struct chy_request *r = request;
    bool known;
    chy_hresult hr = get_from(certificate_props, CHY_ARRAY_LEN(certificate_props), r, asker, name,
                              type, out, &known);
    if (known) return hr;
    int prop = chy_name_prop_find(name);
    return prop < 0 ? CHY_CERTSRV_E_PROPERTY_EMPTY : name_value(&r->subject, prop, type, out);
}

static void note(struct chy_request *r, enum chy_change_kind kind, const char *name,
                 struct chy_value before, struct chy_value after)
{
    chy_evidence_change(&r->evidence, kind, chy_span_cstr(name), &before, &after);
}

static chy_hresult set_name(struct chy_request *r, int prop, const chy_variant *v)
{
    struct chy_span value = {0};
    if (v->vt == CHY_VT_STR) {
        value = chy_span_of(v->u.s.p, v->u.s.n);
        if (value.n > 8192 || !chy_utf8_valid(value)) return CHY_E_INVALIDARG;
        for (size_t i = 0; i < value.n; i++) {
            if (value.p[i] < 0x20 && value.p[i] != '\n') return CHY_E_INVALIDARG;
        }
        bool single = strcmp(chy_name_props[prop].name, "Country") == 0;
        if (single && value.n && memchr(value.p, '\n', value.n)) return CHY_E_INVALIDARG;
    } else if (v->vt != CHY_VT_NULL) {
        return CHY_E_INVALIDARG;
    }
    if (chy_span_eq(value, r->subject.value[prop])) return CHY_S_OK;
    struct chy_span copy = chy_arena_dup(&r->arena, value);
    if (value.n && !copy.p) return CHY_E_OUTOFMEMORY;
    note(r, CHY_CHANGE_SUBJECT, chy_name_props[prop].name, chy_value_text(r->subject.value[prop]),
         chy_value_text(copy));
    r->subject.value[prop] = copy;
    r->subject.changed = true;
    return CHY_S_OK;
}

/* The window only shrinks: NotBefore moves up, NotAfter down, never beyond the CA certificate. */
static chy_hresult set_not_before(struct chy_request *r, chy_time t)
{
    if (t < r->not_before || t >= r->not_after) return CHY_E_INVALIDARG;
    t -= t % CHY_US_PER_S;
    note(r, CHY_CHANGE_VALIDITY, "NotBefore", chy_value_number(r->not_before), chy_value_number(t));
    r->not_before = t;
    return CHY_S_OK;
}

static chy_hresult set_not_after(struct chy_request *r, chy_time t)
{
    if (t > r->not_after || t <= r->not_before) return CHY_E_INVALIDARG;
    if (t < r->not_after) r->not_after_why = "policy";
    t -= t % CHY_US_PER_S;
    note(r, CHY_CHANGE_VALIDITY, "NotAfter", chy_value_number(r->not_after), chy_value_number(t));
    r->not_after = t;
    return CHY_S_OK;
}

static chy_hresult set_template(struct chy_request *r, const chy_variant *v)
{
    if (v->vt != CHY_VT_STR || v->u.s.n > 254) return CHY_E_INVALIDARG;
    const char *name = chy_arena_strndup(&r->arena, v->u.s.p, v->u.s.n);
    if (!name) return CHY_E_OUTOFMEMORY;
    note(r, CHY_CHANGE_TEMPLATE, "CertificateTemplate",
         chy_value_text(chy_span_cstr(r->template_name)), chy_value_text(chy_span_cstr(name)));
    r->template_name = name;
    return CHY_S_OK;
}

static chy_hresult set_certificate_property(void *request, const char *name, chy_long type,
                                            const chy_variant *v)
{
    struct chy_request *r = request;
    chy_long t = type & CHY_PROPTYPE_MASK;
    int prop = chy_name_prop_find(name);
    if (prop >= 0) return t == CHY_PROPTYPE_STRING ? set_name(r, prop, v) : CHY_E_INVALIDARG;
    if (strcasecmp(name, "NotBefore") == 0 || strcasecmp(name, "NotAfter") == 0) {
        if (t != CHY_PROPTYPE_DATE || v->vt != CHY_VT_DATE) return CHY_E_INVALIDARG;
        return strcasecmp(name, "NotAfter") == 0 ? set_not_after(r, v->u.t)
                                                 : set_not_before(r, v->u.t);
    }
    if (strcasecmp(name, "CertificateTemplate") == 0) {
        return t == CHY_PROPTYPE_STRING ? set_template(r, v) : CHY_E_INVALIDARG;
    }
    if (strcasecmp(name, "GeneralFlags") == 0) {
        enum { DO_NOT_PERSIST = 0x400 };
        if (t != CHY_PROPTYPE_LONG || v->vt != CHY_VT_LONG) return CHY_E_INVALIDARG;
        if ((v->u.l & ~DO_NOT_PERSIST) != (r->general_flags & ~DO_NOT_PERSIST))
            return CHY_E_INVALIDARG;
        chy_long flags = r->general_flags | v->u.l; /* only ever added */
        note(r, CHY_CHANGE_FLAGS, "GeneralFlags", chy_value_number(r->general_flags),
             chy_value_number(flags));
        r->general_flags = flags;
        return CHY_S_OK;
    }
    return CHY_E_INVALIDARG;
}

static chy_hresult get_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_variant *out, chy_long *flags)
{
    const struct chy_extension *e = chy_request_find_extension(request, oid);
    if (!e) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    chy_hresult hr = chy_extension_decode(type & CHY_PROPTYPE_MASK, e->value, out);
    if (hr == CHY_S_OK) *flags = e->flags;
    return hr;
}

static chy_hresult set_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *value)
{
    struct chy_request *r = request;
    struct chy_buf der;
    chy_buf_init(&der, 65536);
    chy_hresult hr = chy_extension_encode(type & CHY_PROPTYPE_MASK, value, &der, NULL);
    /* The origin is ours to write; of the rest critical, disable and the private high octet are
     * kept. */
    int32_t keep = flags & (CHY_EXTENSION_CRITICAL_FLAG | CHY_EXTENSION_DISABLE_FLAG | 0xff00);
    if (hr == CHY_S_OK) {
        hr = chy_request_change_extension(r, oid, keep | CHY_EXTENSION_ORIGIN_POLICY,
                                          chy_buf_span(&der), NULL);
    }
    chy_buf_free(&der);
    return hr;
}

static chy_hresult extension_at(void *request, size_t index, chy_str *oid)
{
    struct chy_request *r = request;
    if (index >= r->n_ext) return CHY_S_FALSE;
    const char *text = r->ext[index].oid_text;
    return chy_module_str(oid, text, strlen(text)) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static chy_hresult attribute_at(void *request, size_t index, chy_str *name)
{
    struct chy_request *r = request;
    if (index >= r->n_attr) return CHY_S_FALSE;
    const char *text = r->attr[index].name;
    return chy_module_str(name, text, strlen(text)) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static chy_hresult set_message(void *request, const char *text)
{
    struct chy_request *r = request;
    if (!chy_utf8_valid(chy_span_cstr(text))) return CHY_E_INVALIDARG;
    snprintf(r->policy_message, sizeof(r->policy_message), "%s", text);
    for (char *c = r->policy_message; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    }
    return CHY_S_OK;
}

static chy_hresult get_ca_property(void *ca, void *request, const char *location, const char *name,
                                   chy_long type, chy_variant *out)
{
    return chy_props_ca(ca, request, location, name, type, out);
}

const struct chy_engine_ops chy_ca_engine_ops = {
    .get_request_property = get_request_property,
    .get_request_attribute = get_request_attribute,
    .get_certificate_property = get_certificate_property,
    .set_certificate_property = set_certificate_property,
    .get_certificate_extension = get_certificate_extension,
    .set_certificate_extension = set_certificate_extension,
    .extension_at = extension_at,
    .attribute_at = attribute_at,
    .get_ca_property = get_ca_property,
    .get_setting = chy_module_get_setting,
    .next_setting = chy_module_next_setting,
    .set_message = set_message,
    .pack = chy_request_pack,
};
