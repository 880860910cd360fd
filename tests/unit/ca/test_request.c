/* A request as modules and officers see it: attributes, extensions, subject, properties. */
#include "engine.h"

#include "ca/ca_internal.h"

struct fixture {
    struct engine e;
    struct chy_request *r;
    struct chy_buf der;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct chy_err err = {0};
    engine_make(&f->e, "1");
    engine_open(&f->e);
    f->r = chy_request_new(f->e.ca);
    make_csr("www.example.test", &f->der);
    must(chy_csr_parse(chy_buf_span(&f->der), &f->r->csr, &err), &err);
    assert_true(chy_subject_from_name(&f->r->subject, &f->r->csr.subject, &f->r->arena));
    f->r->not_before = INT64_C(1800000000) * CHY_US_PER_S;
    f->r->not_after = f->r->not_before + INT64_C(86400) * CHY_US_PER_S;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    chy_request_unref(f->r);
    chy_buf_free(&f->der);
    engine_end(&f->e);
    free(f);
    return 0;
}

static void test_attribute_lines(void **state)
{
    struct chy_request *r = ((struct fixture *)*state)->r;
    chy_request_parse_attributes(r,
                                 CHY_SPAN_STR("Cert-Type: server \r\nno colon here\n:no "
                                              "name\nempty:\nCertType:client\nRequesterName:boss\n"
                                              "Other: a b \n"),
                                 false);
    assert_int_equal(r->n_attr, 2);
    assert_string_equal(chy_request_attribute(r, "cert type"), "client"); /* the last wins */
    assert_string_equal(chy_request_attribute(r, "OTHER"), "a b");
    assert_null(chy_request_attribute(r, "RequesterName")); /* counts only when signed */
    chy_request_parse_attributes(r, CHY_SPAN_STR("RequesterName:boss"), true);
    assert_string_equal(chy_request_attribute(r, "requester-name"), "boss");
    char line[6000];
    memset(line, 'x', sizeof(line));
    memcpy(line, "Long:", 5);
    chy_request_parse_attributes(r, chy_span_of(line, sizeof(line)), false);
    assert_null(chy_request_attribute(r, "Long"));
    for (int i = 0; i < 300; i++) {
        char many[32];
        snprintf(many, sizeof(many), "name%d:v", i);
        chy_request_parse_attributes(r, chy_span_cstr(many), false);
    }
    assert_int_equal(r->n_attr, CHY_REQUEST_MAX_ATTRS);
}

static void round_trip(chy_long type, chy_variant in)
{
    struct chy_buf der;
    struct chy_err err = {0};
    chy_variant out = {0};
    chy_buf_init(&der, 4096);
    must(chy_extension_encode(type, &in, &der, &err), &err);
    assert_int_equal(chy_extension_decode(type, chy_buf_span(&der), &out), CHY_S_OK);
    assert_int_equal(out.vt, in.vt);
    if (in.vt == CHY_VT_LONG) assert_int_equal(out.u.l, in.u.l);
    if (in.vt == CHY_VT_DATE) assert_int_equal(out.u.t, in.u.t);
    if (in.vt == CHY_VT_STR) assert_string_equal(out.u.s.p, in.u.s.p);
    chy_variant_clear(&out);
    chy_buf_free(&der);
}

static void test_extension_values_by_type(void **state)
{
    (void)state;
    struct chy_buf der;
    char text[] = "hello", umlaut[] = "\xc3\xbc";
    uint8_t broken[] = {0x30, 0x05, 1};
    chy_variant v = {.vt = CHY_VT_LONG};
    v.u.l = -70000;
    round_trip(CHY_PROPTYPE_LONG, v);
    v.vt = CHY_VT_DATE;
    v.u.t = INT64_C(2600000000) * CHY_US_PER_S;
    round_trip(CHY_PROPTYPE_DATE, v);
    v.vt = CHY_VT_STR;
    v.u.s = (chy_str){text, 5};
    round_trip(CHY_PROPTYPE_STRING, v);
    chy_buf_init(&der, 4096);
    assert_int_equal(chy_extension_encode(CHY_PROPTYPE_LONG, &v, &der, NULL), CHY_E_INVALIDARG);
    v.u.s = (chy_str){umlaut, 2};
    assert_int_equal(chy_extension_encode(CHY_PROPTYPE_STRING, &v, &der, NULL), CHY_E_INVALIDARG);
    v.vt = CHY_VT_BYTES;
    v.u.b = (chy_bytes){broken, sizeof(broken)};
    assert_int_equal(chy_extension_encode(CHY_PROPTYPE_BINARY, &v, &der, NULL), CHY_E_INVALIDARG);
    assert_int_equal(chy_extension_decode(CHY_PROPTYPE_STRING, CHY_SPAN(broken), &v),
                     CHY_ERROR_INVALID_DATA);
    chy_buf_free(&der);
}

static void test_extensions_are_replaced_by_name_and_bounded(void **state)
{
    struct chy_request *r = ((struct fixture *)*state)->r;
    struct chy_err err = {0};
    must(chy_request_set_extension(r, "1.2.3",
                                   CHY_EXTENSION_ORIGIN_REQUEST | CHY_EXTENSION_DISABLE_FLAG,
                                   CHY_SPAN_STR("\x05\x00"), &err),
         &err);
    must(chy_request_set_extension(r, "1.2.3", CHY_EXTENSION_ORIGIN_POLICY,
                                   CHY_SPAN_STR("\x01\x01\xff"), &err),
         &err);
    assert_int_equal(r->n_ext, 1);
    assert_int_equal(chy_request_find_extension(r, "1.2.3")->value.n, 3);
    assert_int_equal(chy_request_set_extension(r, "not an oid", 0, CHY_SPAN_STR("\x05\x00"), NULL),
                     CHY_E_INVALIDARG);
    for (int i = 0; r->n_ext < CHY_REQUEST_MAX_EXTS; i++) {
        char oid[32];
        snprintf(oid, sizeof(oid), "1.2.4.%d", i);
        must(chy_request_set_extension(r, oid, 0, CHY_SPAN_STR("\x05\x00"), &err), &err);
    }
    assert_int_equal(chy_request_set_extension(r, "1.2.5", 0, CHY_SPAN_STR("\x05\x00"), NULL),
                     CHY_CERTSRV_E_ENCODING_LENGTH);
}

static chy_hresult set_text(struct chy_request *r, const char *name, const char *value)
{
    char copy[256];
    snprintf(copy, sizeof(copy), "%s", value);
    chy_variant v = {.vt = CHY_VT_STR};
    v.u.s = (chy_str){copy, strlen(copy)};
    return chy_ca_engine_ops.set_certificate_property(r, name, CHY_PROPTYPE_STRING, &v);
}

static void test_the_subject_is_kept_or_rebuilt(void **state)
{
    struct chy_request *r = ((struct fixture *)*state)->r;
    struct chy_err err = {0};
    struct chy_buf out, text;
    struct chy_name name;
    chy_buf_init(&out, 4096);
    chy_buf_init(&text, 4096);
    must(chy_subject_build(r, &out, &err), &err);
    assert_true(chy_span_eq(chy_buf_span(&out), r->csr.subject.der));
    assert_int_equal(set_text(r, "Subject.OrgUnit", "one\ntwo"), CHY_S_OK);
    assert_int_equal(set_text(r, "C", "DE"), CHY_S_OK);
    chy_buf_reset(&out);
    must(chy_subject_build(r, &out, &err), &err);
    must(chy_name_parse(chy_buf_span(&out), &name, &err), &err);
    chy_name_to_text(&name, &text);
    assert_string_equal(chy_buf_cstr(&text), "CN=www.example.test,OU=two,OU=one,C=DE");
    assert_int_equal(set_text(r, "C", "D\nE"), CHY_E_INVALIDARG);
    assert_int_equal(set_text(r, "Country", "Germany"), CHY_S_OK);
    chy_buf_reset(&out);
    assert_int_equal(chy_subject_build(r, &out, &err), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    chy_variant null = {.vt = CHY_VT_NULL};
    assert_int_equal(
        chy_ca_engine_ops.set_certificate_property(r, "Country", CHY_PROPTYPE_STRING, &null),
        CHY_S_OK);
    chy_variant got = {0};
    assert_int_equal(chy_ca_engine_ops.get_certificate_property(r, CHY_ASKER_POLICY, "C",
                                                                CHY_PROPTYPE_STRING, &got),
                     CHY_CERTSRV_E_PROPERTY_EMPTY);
    /* the request side still says what was asked for */
    assert_int_equal(chy_ca_engine_ops.get_request_property(
                         r, CHY_ASKER_POLICY, "Request.CommonName", CHY_PROPTYPE_STRING, &got),
                     CHY_S_OK);
    assert_string_equal(got.u.s.p, "www.example.test");
    chy_variant_clear(&got);
    chy_buf_free(&out);
    chy_buf_free(&text);
}

static void test_validity_only_shrinks(void **state)
{
    struct chy_request *r = ((struct fixture *)*state)->r;
    const struct chy_engine_ops *ops = &chy_ca_engine_ops;
    chy_variant t = {.vt = CHY_VT_DATE};
    t.u.t = r->not_after + CHY_US_PER_S;
    assert_int_equal(ops->set_certificate_property(r, "NotAfter", CHY_PROPTYPE_DATE, &t),
                     CHY_E_INVALIDARG);
    t.u.t = r->not_before;
    assert_int_equal(ops->set_certificate_property(r, "NotAfter", CHY_PROPTYPE_DATE, &t),
                     CHY_E_INVALIDARG);
    t.u.t = r->not_after - CHY_US_PER_S;
    assert_int_equal(ops->set_certificate_property(r, "NotAfter", CHY_PROPTYPE_DATE, &t), CHY_S_OK);
    assert_int_equal(r->not_after, t.u.t);
    assert_string_equal(r->not_after_why, "policy");
    t.u.t = r->not_before - CHY_US_PER_S;
    assert_int_equal(ops->set_certificate_property(r, "NotBefore", CHY_PROPTYPE_DATE, &t),
                     CHY_E_INVALIDARG);
    t.u.t = r->not_before + CHY_US_PER_S;
    assert_int_equal(ops->set_certificate_property(r, "NotBefore", CHY_PROPTYPE_DATE, &t),
                     CHY_S_OK);
    assert_int_equal(ops->set_certificate_property(r, "NotBefore", CHY_PROPTYPE_STRING, &t),
                     CHY_E_INVALIDARG);
}

static void test_what_may_be_set_and_read(void **state)
{
    struct chy_request *r = ((struct fixture *)*state)->r;
    const struct chy_engine_ops *ops = &chy_ca_engine_ops;
    chy_variant v = {.vt = CHY_VT_LONG}, got = {0};
    v.u.l = 0x400;
    assert_int_equal(ops->set_certificate_property(r, "GeneralFlags", CHY_PROPTYPE_LONG, &v),
                     CHY_S_OK);
    v.u.l = 0x401;
    assert_int_equal(ops->set_certificate_property(r, "GeneralFlags", CHY_PROPTYPE_LONG, &v),
                     CHY_E_INVALIDARG);
    assert_int_equal(ops->set_certificate_property(r, "SerialNumber", CHY_PROPTYPE_STRING, &v),
                     CHY_E_INVALIDARG);
    /* before the decision the row's outcome is nobody's to see */
    r->disposition = CHY_DB_DISP_ISSUED;
    assert_int_equal(
        ops->get_request_property(r, CHY_ASKER_POLICY, "Disposition", CHY_PROPTYPE_LONG, &got),
        CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_int_equal(
        ops->get_request_property(r, CHY_ASKER_EXIT, "disposition", CHY_PROPTYPE_LONG, &got),
        CHY_S_OK);
    assert_int_equal(got.u.l, CHY_DB_DISP_ISSUED);
    assert_int_equal(
        ops->get_request_property(r, CHY_ASKER_EXIT, "RequestID", CHY_PROPTYPE_STRING, &got),
        CHY_E_INVALIDARG);
    assert_int_equal(ops->get_certificate_property(r, CHY_ASKER_EXIT, "RawCertificate",
                                                   CHY_PROPTYPE_BINARY, &got),
                     CHY_CERTSRV_E_PROPERTY_EMPTY);
}

static void test_a_row_brings_the_request_back(void **state)
{
    struct fixture *f = *state;
    struct chy_request *r = f->r, *again = chy_request_new(f->e.ca);
    struct chy_err err = {0};
    r->id = 7;
    r->requester_name = r->caller_name = "somebody";
    r->disposition = CHY_DB_DISP_PENDING;
    r->general_flags = 0x400;
    chy_request_parse_attributes(r, CHY_SPAN_STR("A:1\nB:2"), false);
    must(chy_request_set_extension(r, "1.2.3", CHY_EXTENSION_ORIGIN_ADMIN | 1,
                                   CHY_SPAN_STR("\x05\x00"), &err),
         &err);
    assert_int_equal(set_text(r, "O", "Example"), CHY_S_OK);
    must(chy_request_to_row(r, &err), &err);
    must(chy_request_from_row(again, &r->row, &err), &err);
    assert_int_equal(again->id, 7);
    assert_int_equal(again->general_flags, 0x400);
    assert_string_equal(again->requester_name, "somebody");
    assert_string_equal(chy_request_attribute(again, "b"), "2");
    assert_int_equal(chy_request_find_extension(again, "1.2.3")->flags,
                     CHY_EXTENSION_ORIGIN_ADMIN | 1);
    assert_true(again->subject.changed);
    assert_int_equal(again->not_after, r->not_after);
    int o = chy_name_prop_find("O");
    assert_true(chy_span_eq(again->subject.value[o], CHY_SPAN_STR("Example")));
    chy_request_unref(again);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    chy_log_setup(CHY_LOG_LEVEL_ERROR, CHY_LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        T(test_attribute_lines),
        T(test_extension_values_by_type),
        T(test_extensions_are_replaced_by_name_and_bounded),
        T(test_the_subject_is_kept_or_rebuilt),
        T(test_validity_only_shrinks),
        T(test_what_may_be_set_and_read),
        T(test_a_row_brings_the_request_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
