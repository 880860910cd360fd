/* A request of no CA is what a CA's own would be. */
#include "engine.h"

#include "ca/ca_internal.h"

static struct chy_request *make(struct chy_buf *der, const char *attributes,
                                const struct chy_authority *authority)
{
    struct chy_request *r = chy_request_alone(authority);
    assert_non_null(r);
    make_csr("www.example.test", der);
    r->input = chy_buf_span(der);
    r->caller_name = "somebody";
    r->attribute_text = chy_span_cstr(attributes);
    must(chy_request_parse(r), &r->err);
    must(chy_request_take(r), &r->err);
    struct chy_validity_bounds b = {.now = chy_now(&chy_system_clock),
                                    .backdate_s = 600,
                                    .ca_not_before = CHY_TIME_DEFAULT,
                                    .ca_not_after = INT64_MAX,
                                    .ca_period_s = 86400,
                                    .policy_not_after = CHY_TIME_DEFAULT,
                                    .request_not_after = CHY_TIME_DEFAULT};
    must(chy_request_propose(r, &b), &r->err);
    return r;
}

static void properties(void **state)
{
    struct chy_buf der;
    chy_variant v;
    (void)state;
    struct chy_request *r = make(&der, "CertificateTemplate:web\nRequesterName:boss\n", NULL);
    const struct chy_engine_ops *ops = &chy_ca_engine_ops;
    assert_int_equal(
        ops->get_request_property(r, CHY_ASKER_POLICY, "CommonName", CHY_PROPTYPE_STRING, &v),
        CHY_S_OK);
    assert_string_equal(v.u.s.p, "www.example.test");
    chy_variant_clear(&v);
    assert_int_equal(
        ops->get_request_property(r, CHY_ASKER_POLICY, "RawCACertificate", CHY_PROPTYPE_BINARY, &v),
        CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_int_equal(ops->get_certificate_property(r, CHY_ASKER_POLICY, "SubjectKeyIdentifier",
                                                   CHY_PROPTYPE_STRING, &v),
                     CHY_S_OK);
    assert_int_equal(v.u.s.n, 40);
    chy_variant_clear(&v);
    assert_string_equal(chy_request_attribute(r, "certificate-template"), "web");
    assert_null(chy_request_attribute(r, "RequesterName")); /* counts only when signed */
    assert_true(r->not_before < r->not_after);
    chy_request_free(r);
    chy_buf_free(&der);
}

static void subject(void **state)
{
    struct chy_buf der, name, text;
    struct chy_name parsed;
    struct chy_err err = {0};
    (void)state;
    struct chy_request *r = make(&der, "", NULL);
    chy_variant org = {.vt = CHY_VT_STR, .u.s = {(char *)(uintptr_t) "Example", 7}};
    chy_buf_init(&name, 4096);
    chy_buf_init(&text, 4096);
    must(chy_subject_build(r, &name, &err), &err);
    assert_true(chy_span_eq(chy_buf_span(&name), r->csr.subject.der));
    assert_int_equal(
        chy_ca_engine_ops.set_certificate_property(r, "Organization", CHY_PROPTYPE_STRING, &org),
        CHY_S_OK);
    chy_buf_reset(&name);
    must(chy_subject_build(r, &name, &err), &err);
    must(chy_name_parse(chy_buf_span(&name), &parsed, &err), &err);
    chy_name_to_text(&parsed, &text);
    assert_string_equal(chy_buf_cstr(&text), "CN=www.example.test,O=Example");
    chy_buf_free(&name);
    chy_buf_free(&text);
    chy_request_free(r);
    chy_buf_free(&der);
}

/* What it would become is checked as the daemon checks it. */
static void certificate(void **state)
{
    struct engine e;
    struct chy_buf der;
    struct chy_cert cert;
    struct chy_err err = {0};
    const chy_time now = chy_now(&chy_system_clock);
    static const uint8_t no_name[] = {0x30, 2, 0x82, 0}, name[] = {0x30, 3, 0x82, 1, 'a'};
    (void)state;
    engine_make(&e, "1");
    engine_open(&e);
    struct chy_request *r = make(&der, "", chy_ca_current(e.ca));
    must(chy_request_set_extension(r, "2.5.29.17", 0, CHY_SPAN(no_name), &err), &err);
    assert_int_not_equal(chy_request_certify(r, now), CHY_S_OK);
    chy_err_clear(&r->err);
    must(chy_request_set_extension(r, "2.5.29.17", 0, CHY_SPAN(name), &err), &err);
    must(chy_request_certify(r, now), &r->err);
    must(chy_cert_parse(chy_buf_span(&r->certificate), &cert, &err), &err);
    assert_true(chy_span_eq(cert.issuer.der, chy_ca_current(e.ca)->cert.subject.der));
    assert_true(chy_span_eq(cert.key.der, r->csr.key.der));
    chy_request_free(r);
    chy_buf_free(&der);
    engine_end(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(properties), cmocka_unit_test(subject),
                                       cmocka_unit_test(certificate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
