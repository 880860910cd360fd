/* A copy of a request, made of octets, answers every question as the original does, and what is set
 * in both leaves them the same. */
#include "engine.h"

#include "ca/ca_internal.h"
#include "ca/packed.h"

static struct chy_request *engine_request(struct chy_buf *der, const char *attributes)
{
    struct chy_request *r = chy_request_alone(NULL);
    struct chy_validity_bounds b = {.now = chy_now(&chy_system_clock),
                                    .backdate_s = 600,
                                    .ca_not_before = CHY_TIME_DEFAULT,
                                    .ca_not_after = INT64_MAX,
                                    .ca_period_s = 86400,
                                    .policy_not_after = CHY_TIME_DEFAULT,
                                    .request_not_after = CHY_TIME_DEFAULT};
    assert_non_null(r);
    make_csr("www.example.test", der);
    r->input = chy_buf_span(der);
    r->id = 7;
    r->caller_name = "somebody";
    r->submitted_when = b.now;
    r->attribute_text = chy_span_cstr(attributes);
    must(chy_request_parse(r), &r->err);
    must(chy_request_take(r), &r->err);
    must(chy_request_propose(r, &b), &r->err);
    return r;
}

static const char *const names[] = {"RequestID",
                                    "Request.RequestID",
                                    "RawRequest",
                                    "RequestAttributes",
                                    "RequestType",
                                    "RequestFlags",
                                    "SubmittedWhen",
                                    "RequesterName",
                                    "CallerName",
                                    "Disposition",
                                    "DispositionMessage",
                                    "StatusCode",
                                    "ResolvedWhen",
                                    "RevokedWhen",
                                    "RevokedEffectiveWhen",
                                    "RevokedReason",
                                    "DistinguishedName",
                                    "RawName",
                                    "NotBefore",
                                    "NotAfter",
                                    "RawPublicKey",
                                    "PublicKeyAlgorithm",
                                    "RawPublicKeyAlgorithmParameters",
                                    "PublicKeyLength",
                                    "GeneralFlags",
                                    "EnrollmentFlags",
                                    "PrivatekeyFlags",
                                    "CertificateTemplate",
                                    "SubjectKeyIdentifier",
                                    "RequesterNameFromOldCertificate",
                                    "RawCertificate",
                                    "SerialNumber",
                                    "CertificateHash",
                                    "UPN",
                                    "Nothing"};

static void same_value(const char *name, const chy_variant *a, const chy_variant *b)
{
    if (a->vt != b->vt) fail_msg("%s: of tag %u and of %u", name, a->vt, b->vt);
    switch (a->vt) {
    case CHY_VT_LONG: assert_int_equal(a->u.l, b->u.l); break;
    case CHY_VT_DATE: assert_int_equal(a->u.t, b->u.t); break;
    case CHY_VT_STR:
    case CHY_VT_BYTES:
        assert_int_equal(a->u.b.n, b->u.b.n);
        assert_memory_equal(a->u.b.p, b->u.b.p, a->u.b.n);
        break;
    default: assert_int_equal(a->vt, CHY_VT_EMPTY);
    }
}

static void same_property(struct chy_request *a, struct chy_request *b, enum chy_asker asker,
                          const char *name, chy_long type, size_t *answered)
{
    const struct chy_engine_ops *ops = &chy_ca_engine_ops;
    for (int of_request = 0; of_request < 2; of_request++) {
        chy_variant v = {.vt = CHY_VT_EMPTY}, w = {.vt = CHY_VT_EMPTY};
        chy_hresult hr, ours;
        if (of_request) {
            hr = ops->get_request_property(a, asker, name, type, &v);
            ours = ops->get_request_property(b, asker, name, type, &w);
        } else {
            hr = ops->get_certificate_property(a, asker, name, type, &v);
            ours = ops->get_certificate_property(b, asker, name, type, &w);
        }
        if (hr != ours) fail_msg("%s %d: %08x and %08x", name, type, (unsigned)hr, (unsigned)ours);
        same_value(name, &v, &w);
        *answered += hr == CHY_S_OK;
        chy_variant_clear(&v);
        chy_variant_clear(&w);
    }
}

static void same_lists(struct chy_request *a, struct chy_request *b)
{
    const struct chy_engine_ops *ops = &chy_ca_engine_ops;
    assert_int_equal(a->n_ext, b->n_ext);
    assert_int_equal(a->n_attr, b->n_attr);
    for (size_t i = 0; i <= a->n_ext; i++) {
        chy_str x = {NULL, 0}, y = {NULL, 0};
        chy_variant v = {.vt = CHY_VT_EMPTY}, w = {.vt = CHY_VT_EMPTY};
        chy_long f = 0, g = 0;
        assert_int_equal(ops->extension_at(a, i, &x), ops->extension_at(b, i, &y));
        if (i == a->n_ext) break;
        assert_string_equal(x.p, y.p);
        assert_int_equal(ops->get_certificate_extension(a, x.p, CHY_PROPTYPE_BINARY, &v, &f),
                         CHY_S_OK);
        assert_int_equal(ops->get_certificate_extension(b, y.p, CHY_PROPTYPE_BINARY, &w, &g),
                         CHY_S_OK);
        same_value(x.p, &v, &w);
        assert_int_equal(f, g);
        assert_true(chy_span_eq(a->ext[i].oid, b->ext[i].oid));
        chy_module_free(x.p);
        chy_module_free(y.p);
        chy_variant_clear(&v);
        chy_variant_clear(&w);
    }
    for (size_t i = 0; i < a->n_attr; i++) {
        assert_string_equal(a->attr[i].name, b->attr[i].name);
        assert_string_equal(a->attr[i].value, chy_request_attribute(b, a->attr[i].name));
    }
}

static size_t same(struct chy_request *a, struct chy_request *b, enum chy_asker asker)
{
    size_t answered = 0;
    for (chy_long type = CHY_PROPTYPE_LONG; type <= CHY_PROPTYPE_STRING; type++) {
        for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++)
            same_property(a, b, asker, names[i], type, &answered);
        for (size_t i = 0; i < CHY_NAME_PROPS; i++)
            same_property(a, b, asker, chy_name_props[i].name, type, &answered);
    }
    same_lists(a, b);
    return answered;
}

/* Each into both, with the same number as the answer. */
static void set_in_both(struct chy_request *a, struct chy_request *b)
{
    static uint8_t usage[] = {0x03, 0x02, 0x05, 0xa0}, broken[] = {0x03, 0x7f};
    const struct chy_engine_ops *ops = &chy_ca_engine_ops;
    struct {
        const char *name;
        chy_long type;
        chy_variant v;
    } rows[] = {
        {"CommonName", CHY_PROPTYPE_STRING, {.vt = CHY_VT_STR, .u.s = {(char[]){"other"}, 5}}},
        {"Organization", CHY_PROPTYPE_STRING, {.vt = CHY_VT_STR, .u.s = {(char[]){"A\nB"}, 3}}},
        {"CommonName", CHY_PROPTYPE_STRING, {.vt = CHY_VT_NULL}},
        {"Country", CHY_PROPTYPE_STRING, {.vt = CHY_VT_STR, .u.s = {(char[]){"D\nE"}, 3}}},
        {"NotAfter", CHY_PROPTYPE_DATE, {.vt = CHY_VT_DATE, .u.t = a->not_after - 7000000}},
        {"NotAfter", CHY_PROPTYPE_DATE, {.vt = CHY_VT_DATE, .u.t = a->not_after + 7000000}},
        {"NotBefore", CHY_PROPTYPE_DATE, {.vt = CHY_VT_DATE, .u.t = a->not_before + 1500000}},
        {"CertificateTemplate", CHY_PROPTYPE_STRING, {.vt = CHY_VT_STR, .u.s = {(char[]){"t"}, 1}}},
        {"GeneralFlags", CHY_PROPTYPE_LONG, {.vt = CHY_VT_LONG, .u.l = 0x400}},
        {"GeneralFlags", CHY_PROPTYPE_LONG, {.vt = CHY_VT_LONG, .u.l = 1}},
        {"Nothing", CHY_PROPTYPE_LONG, {.vt = CHY_VT_LONG}},
    };
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        assert_int_equal(ops->set_certificate_property(a, rows[i].name, rows[i].type, &rows[i].v),
                         ops->set_certificate_property(b, rows[i].name, rows[i].type, &rows[i].v));
    }
    chy_variant good = {.vt = CHY_VT_BYTES, .u.b = {usage, sizeof(usage)}},
                bad = {.vt = CHY_VT_BYTES, .u.b = {broken, sizeof(broken)}};
    const char *const oids[] = {"2.5.29.15", "2.5.29.17", "1.2.3", "no oid"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(oids); i++) {
        assert_int_equal(ops->set_certificate_extension(a, oids[i], CHY_PROPTYPE_BINARY, 1, &good),
                         ops->set_certificate_extension(b, oids[i], CHY_PROPTYPE_BINARY, 1, &good));
        assert_int_equal(ops->set_certificate_extension(a, oids[i], CHY_PROPTYPE_BINARY, 0, &bad),
                         ops->set_certificate_extension(b, oids[i], CHY_PROPTYPE_BINARY, 0, &bad));
    }
}

static void copy_of(struct chy_request *r, enum chy_asker asker, struct chy_buf *octets,
                    struct chy_request *copy)
{
    chy_buf_reset(octets);
    assert_int_equal(chy_request_pack(r, asker, octets), CHY_S_OK);
    struct chy_wire_in in = {octets->p, octets->p + octets->n, false};
    assert_int_equal(chy_packed_read(copy, &in), CHY_S_OK);
}

static void a_policy_sees_the_same(void **state)
{
    struct chy_buf der, octets, again;
    (void)state;
    struct chy_request *copy = chy_packed_new();
    chy_buf_init(&octets, 1 << 20);
    chy_buf_init(&again, 1 << 20);
    struct chy_request *r = engine_request(&der, "CertificateTemplate:web\nOther: a b \n");
    copy_of(r, CHY_ASKER_POLICY, &octets, copy);
    assert_true(same(r, copy, CHY_ASKER_POLICY) > 20);
    set_in_both(r, copy);
    (void)same(r, copy, CHY_ASKER_POLICY);
    /* What an earlier pass changed is known to the next. */
    copy_of(r, CHY_ASKER_POLICY, &again, copy);
    (void)same(r, copy, CHY_ASKER_POLICY);
    chy_request_free(copy);
    chy_request_free(r);
    chy_buf_free(&octets);
    chy_buf_free(&again);
    chy_buf_free(&der);
}

static void an_exit_sees_the_same(void **state)
{
    struct chy_buf der, octets;
    (void)state;
    struct chy_request *copy = chy_packed_new();
    chy_buf_init(&octets, 1 << 20);
    struct chy_request *r = engine_request(&der, "Other:x\n");
    r->disposition = CHY_DB_DISP_REVOKED;
    r->status = -5;
    r->resolved_when = 77000000;
    r->revoked_when = 88000000;
    r->revoked_effective_when = 99000000;
    r->revoked_reason = 4;
    memset(r->serial, 0x42, sizeof(r->serial));
    r->has_serial = true;
    snprintf(r->message, sizeof(r->message), "Issued");
    chy_buf_add_str(&r->certificate, "no certificate, but octets");
    chy_buf_add_str(&r->subject_text, "CN=x");
    copy_of(r, CHY_ASKER_EXIT, &octets, copy);
    assert_true(same(r, copy, CHY_ASKER_EXIT) > 30);
    chy_request_free(copy);
    chy_request_free(r);
    chy_buf_free(&octets);
    chy_buf_free(&der);
}

/* Cut anywhere, it is refused. */
static void what_is_not_whole(void **state)
{
    struct chy_buf der, octets;
    (void)state;
    struct chy_request *copy = chy_packed_new();
    chy_buf_init(&octets, 1 << 20);
    struct chy_request *r = engine_request(&der, "Other:x\n");
    copy_of(r, CHY_ASKER_EXIT, &octets, copy);
    for (size_t n = 0; n < octets.n; n++) {
        struct chy_wire_in in = {octets.p, octets.p + n, false};
        assert_int_not_equal(chy_packed_read(copy, &in), CHY_S_OK);
    }
    chy_request_free(copy);
    chy_request_free(r);
    chy_buf_free(&octets);
    chy_buf_free(&der);
}

static void what_only_the_ca_knows(void **state)
{
    chy_variant v;
    (void)state;
    struct chy_request *copy = chy_packed_new();
    assert_false(chy_packed_has("RawCACertificate"));
    assert_false(chy_packed_has("Request.RawCACertificate"));
    assert_false(chy_packed_has("EventID"));
    assert_true(chy_packed_has("RequestID"));
    assert_true(chy_props_ca_known("RawCRL.0.3"));
    assert_true(chy_props_ca_known("eventtime"));
    assert_false(chy_props_ca_known("CommonName"));
    copy->caller_access = CHY_CA_ACCESS_ENROLL;
    assert_int_equal(chy_packed_ca_property(copy, "RequesterCAAccess", CHY_PROPTYPE_LONG, &v),
                     CHY_S_OK);
    assert_int_equal(v.u.l, 1);
    assert_int_equal(chy_packed_ca_property(copy, "RequesterCAAccess", CHY_PROPTYPE_STRING, &v),
                     CHY_E_INVALIDARG);
    assert_int_equal(chy_packed_ca_property(copy, "CAType", CHY_PROPTYPE_LONG, &v), CHY_S_FALSE);
    chy_request_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_sees_the_same),
        cmocka_unit_test(an_exit_sees_the_same),
        cmocka_unit_test(what_is_not_whole),
        cmocka_unit_test(what_only_the_ca_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
