/* ICertAdmin against a server that says what it was told to, direct and late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canned.h"
#include <chancery/client.h>

/* A body with the length that it has. */
static char *answer(const char *status, const char *type, const char *body)
{
    char *text = malloc(strlen(body) + 256);
    assert_non_null(text);
    snprintf(text, strlen(body) + 256,
             "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", status, type,
             strlen(body), body);
    return text;
}

static char *json(const char *body)
{
    return answer("200 OK", "application/json", body);
}

static char *problem(const char *status, const char *body)
{
    return answer(status, "application/problem+json", body);
}

static chy_admin start(struct canned *s)
{
    chy_admin a = {0};
    while (s->n < CANNED_MAX && s->answer[s->n])
        s->n++;
    canned_start(s);
    chy_client_options o = {.struct_size = sizeof(o), .socket = s->path, .timeout_ms = 5000};
    assert_int_equal(chy_client_new_admin(&o, &a), CHY_S_OK);
    assert_int_equal(a.vt->h.iface_id, CHY_IID_ADMIN);
    assert_int_equal(a.vt->h.struct_size, sizeof(chy_admin_vtbl));
    return a;
}

static void stop(struct canned *s, chy_admin *a)
{
    a->vt->release(a->self);
    canned_stop(s);
}

static void drop(struct canned *s)
{
    for (size_t i = 0; i < s->n; i++)
        free((char *)(uintptr_t)s->answer[i]);
    canned_free(s);
}

static void expect_seen(const struct canned *s, size_t i, const char *head, const char *body)
{
    assert_true(i < s->n_seen);
    if (!strstr(s->seen[i], head) || !strstr(s->seen[i], body)) print_message("%s\n", s->seen[i]);
    assert_non_null(strstr(s->seen[i], head));
    assert_non_null(strstr(s->seen[i], body));
}

static void test_validity(void **state)
{
    struct canned s = {
        .answer = {json("{\"disposition\":3,\"valid\":true,\"revoked\":false}"),
                   json("{\"disposition\":2,\"valid\":false,\"revoked\":true,\"reason\":1}"),
                   json("{\"disposition\":4,\"valid\":false,\"revoked\":false}"), json("{}")}};
    chy_long d = -1, reason = -1;
    (void)state;
    chy_admin a = start(&s);
    assert_int_equal(a.vt->get_revocation_reason(a.self, &reason), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_int_equal(a.vt->is_valid_certificate(a.self, NULL, "0a", &d), CHY_S_OK);
    assert_int_equal(d, CHY_CA_DISP_VALID);
    assert_int_equal(a.vt->get_revocation_reason(a.self, &reason), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_int_equal(a.vt->is_valid_certificate(a.self, "h\\My CA", "0b", &d), CHY_S_OK);
    assert_int_equal(d, CHY_CA_DISP_REVOKED);
    assert_int_equal(a.vt->get_revocation_reason(a.self, &reason), CHY_S_OK);
    assert_int_equal(reason, CHY_CRL_REASON_KEY_COMPROMISE);
    assert_int_equal(a.vt->is_valid_certificate(a.self, NULL, "0c", &d), CHY_S_OK);
    assert_int_equal(d, CHY_CA_DISP_INVALID);
    assert_int_equal(a.vt->get_revocation_reason(a.self, &reason), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_int_equal(a.vt->is_valid_certificate(a.self, NULL, "0d", &d), CHY_ERROR_INVALID_DATA);
    assert_int_equal(a.vt->is_valid_certificate(a.self, NULL, "", &d), CHY_E_INVALIDARG);
    assert_int_equal(a.vt->is_valid_certificate(a.self, NULL, "0a", NULL), CHY_E_POINTER);
    stop(&s, &a);
    expect_seen(&s, 0, "GET /api/v1/certificates/0a/validity HTTP/1.1\r\n", "");
    expect_seen(&s, 1, "GET /api/v1/ca/My%20CA/certificates/0b/validity HTTP/1.1\r\n", "");
    drop(&s);
}

static void test_revoke(void **state)
{
    struct canned s = {
        .answer = {json("{\"request_id\":7,\"disposition_code\":21}"),
                   json("{\"request_id\":7,\"disposition_code\":20}"),
                   problem("404 Not Found", "{\"detail\":\"none\",\"hresult\":-2147024809}"),
                   problem("400 Bad Request", "{\"detail\":\"no\",\"hresult\":-2147024883}")}};
    const chy_time when = INT64_C(1795244400000000);
    (void)state;
    chy_admin a = start(&s);
    assert_int_equal(a.vt->revoke_certificate(a.self, NULL, "0a", 1, when), CHY_S_OK);
    assert_int_equal(a.vt->revoke_certificate(a.self, NULL, "0a", -1, CHY_TIME_DEFAULT), CHY_S_OK);
    assert_int_equal(a.vt->revoke_certificate(a.self, NULL, "0a", 0, CHY_TIME_DEFAULT),
                     CHY_E_INVALIDARG);
    assert_int_equal(a.vt->revoke_certificate(a.self, NULL, "0a", 6, CHY_TIME_DEFAULT),
                     CHY_ERROR_INVALID_DATA);
    assert_int_equal(a.vt->revoke_certificate(a.self, NULL, NULL, 6, CHY_TIME_DEFAULT),
                     CHY_E_INVALIDARG);
    assert_int_equal(a.vt->revoke_certificate(a.self, "no cut", "0a", 6, CHY_TIME_DEFAULT),
                     CHY_E_INVALIDARG);
    stop(&s, &a);
    expect_seen(&s, 0, "POST /api/v1/certificates/0a/revoke HTTP/1.1\r\n",
                "{\"reason\":1,\"effective_when\":\"2026-11-21T07:00:00Z\"}");
    expect_seen(&s, 1, "POST /api/v1/certificates/0a/revoke HTTP/1.1\r\n", "{\"reason\":-1}");
    drop(&s);
}

static void test_requests(void **state)
{
    struct canned s = {
        .answer = {
            json("{\"request_id\":7,\"disposition_code\":9}"),
            json("{\"request_id\":7,\"disposition_code\":9}"),
            problem("403 Forbidden", "{\"request_id\":7,\"disposition_code\":31,"
                                     "\"hresult\":-2146877420}"),
            json("{\"request_id\":7,\"disposition_code\":20}"),
            problem("409 Conflict", "{\"detail\":\"not pending\",\"hresult\":-2146877437}"),
            problem("404 Not Found", "{\"detail\":\"none\",\"hresult\":-2146877436}"),
            problem("403 Forbidden", "{\"request_id\":7,\"disposition_code\":31,"
                                     "\"hresult\":-2146875374}"),
            problem("409 Conflict", "{\"detail\":\"not pending\",\"hresult\":-2146877437}")}};
    const chy_variant five = {.vt = CHY_VT_LONG, .u.l = 5};
    chy_long d = -1;
    (void)state;
    chy_admin a = start(&s);
    const chy_admin_vtbl *vt = a.vt;
    assert_int_equal(vt->set_request_attributes(a.self, NULL, 7, "A:b\nbad line\nC: d"), CHY_S_OK);
    assert_int_equal(vt->set_certificate_extension(a.self, NULL, 7, "1.2.3", CHY_PROPTYPE_LONG,
                                                   CHY_EXTENSION_CRITICAL_FLAG, &five),
                     CHY_S_OK);
    assert_int_equal(vt->deny_request(a.self, NULL, 7), CHY_S_OK);
    assert_int_equal(vt->resubmit_request(a.self, NULL, 7, &d), CHY_S_OK);
    assert_int_equal(d, CHY_CR_DISP_ISSUED);
    assert_int_equal(vt->resubmit_request(a.self, NULL, 7, &d), CHY_S_OK);
    assert_int_equal(d, CHY_CERTSRV_E_BAD_REQUESTSTATUS);
    assert_int_equal(vt->resubmit_request(a.self, NULL, 8, &d), CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_int_equal(d, 0);
    assert_int_equal(vt->resubmit_request(a.self, NULL, 7, &d), CHY_S_OK);
    assert_int_equal(d, -2146875374);
    assert_int_equal(vt->deny_request(a.self, NULL, 7), CHY_CERTSRV_E_BAD_REQUESTSTATUS);
    assert_int_equal(vt->deny_request(a.self, NULL, 0), CHY_E_INVALIDARG);
    stop(&s, &a);
    expect_seen(&s, 0, "PATCH /api/v1/requests/7 HTTP/1.1\r\n",
                "{\"attributes\":{\"A\":\"b\",\"C\":\"d\"}}");
    expect_seen(&s, 1, "PATCH /api/v1/requests/7 HTTP/1.1\r\n",
                "{\"extension\":{\"oid\":\"1.2.3\",\"hex\":\"020105\",\"critical\":true,"
                "\"disabled\":false}}");
    expect_seen(&s, 2, "POST /api/v1/requests/7/deny HTTP/1.1\r\n", "");
    expect_seen(&s, 3, "POST /api/v1/requests/7/resubmit HTTP/1.1\r\n", "");
    drop(&s);
}

/* Those that never reach the daemon. */
static void test_values(void **state)
{
    char text[] = "abc", beyond[] = "\xc3\xa4";
    uint8_t der[] = {0x05, 0x00};
    const struct {
        chy_long type;
        chy_variant v;
        const char *hex;
    } rows[] = {
        {CHY_PROPTYPE_STRING, {.vt = CHY_VT_STR, .u.s = {text, 3}}, "1603616263"},
        {CHY_PROPTYPE_BINARY, {.vt = CHY_VT_BYTES, .u.b = {der, 2}}, "0500"},
        {CHY_PROPTYPE_LONG, {.vt = CHY_VT_LONG, .u.l = -1}, "0201ff"},
        {CHY_PROPTYPE_DATE, {.vt = CHY_VT_DATE, .u.t = 0}, "170d3730303130313030303030305a"},
        {CHY_PROPTYPE_DATE,
         {.vt = CHY_VT_DATE, .u.t = INT64_C(2524608000000000)},
         "180f32303530303130313030303030305a"},
        {CHY_PROPTYPE_STRING, {.vt = CHY_VT_STR, .u.s = {beyond, 2}}, NULL},
        {CHY_PROPTYPE_BINARY, {.vt = CHY_VT_BYTES}, NULL},
        {CHY_PROPTYPE_LONG, {.vt = CHY_VT_STR, .u.s = {text, 3}}, NULL},
        {99, {.vt = CHY_VT_LONG}, NULL},
    };
    struct canned s = {.n = 0};
    (void)state;
    for (size_t i = 0; rows[i].hex; i++)
        s.answer[i] = json("{\"request_id\":7,\"disposition_code\":9}");
    chy_admin a = start(&s);
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        assert_int_equal(
            a.vt->set_certificate_extension(a.self, NULL, 7, "1.2.3", rows[i].type, 0, &rows[i].v),
            rows[i].hex ? CHY_S_OK : CHY_E_INVALIDARG);
    }
    assert_int_equal(a.vt->set_certificate_extension(a.self, NULL, 7, NULL, 1, 0, &rows[0].v),
                     CHY_E_POINTER);
    stop(&s, &a);
    for (size_t i = 0; rows[i].hex; i++)
        expect_seen(&s, i, "\"hex\":\"", rows[i].hex);
    drop(&s);
}

static void test_crls(void **state)
{
    static const char list[] =
        "{\"crls\":[{\"name\":\"A.crl\",\"kind\":\"base\",\"key_index\":0,\"shard\":0},"
        "{\"name\":\"A(1).crl\",\"kind\":\"base\",\"key_index\":1,\"shard\":0},"
        "{\"name\":\"A(1)_Partition00001.crl\",\"kind\":\"base\",\"key_index\":1,\"shard\":1},"
        "{\"name\":\"A(1)+.crl\",\"kind\":\"delta\",\"key_index\":1,\"shard\":0}]}";
    struct canned s = {
        .answer = {json("{\"number\":1,\"made\":1,\"crls\":[]}"),
                   json("{\"number\":2,\"made\":1,\"crls\":[]}"),
                   json("{\"number\":0,\"made\":0,\"crls\":[]}"),
                   problem("503 Service Unavailable", "{\"detail\":\"x\",\"hresult\":-2147023779}"),
                   json(list), answer("200 OK", "application/pkix-crl", "0abc"),
                   json("{\"crls\":[]}")}};
    const chy_time when = INT64_C(1795244400000000);
    chy_bytes out = {0};
    (void)state;
    chy_admin a = start(&s);
    const chy_admin_vtbl *vt = a.vt;
    assert_int_equal(vt->publish_crl(a.self, NULL, when), CHY_S_OK);
    assert_int_equal(vt->publish_crls(a.self, NULL, CHY_TIME_DEFAULT, CHY_CA_CRL_DELTA), CHY_S_OK);
    assert_int_equal(vt->publish_crls(a.self, NULL, when,
                                      CHY_CA_CRL_BASE | CHY_CA_CRL_DELTA | CHY_CA_CRL_REPUBLISH),
                     CHY_S_OK);
    assert_int_equal(vt->publish_crl(a.self, NULL, CHY_TIME_DEFAULT), -2147023779);
    assert_int_equal(vt->publish_crls(a.self, NULL, when, CHY_CA_CRL_REPUBLISH), CHY_E_INVALIDARG);
    assert_int_equal(vt->publish_crls(a.self, NULL, when, 0x21), CHY_E_INVALIDARG);
    assert_int_equal(vt->get_crl(a.self, NULL, CHY_CR_OUT_BASE64X509CRLHEADER, &out), CHY_S_OK);
    assert_string_equal((char *)out.p,
                        "-----BEGIN X509 CRL-----\r\nMGFiYw==\r\n-----END X509 CRL-----\r\n");
    chy_client_free(out.p);
    assert_int_equal(vt->get_crl(a.self, NULL, CHY_CR_OUT_BINARY, &out), CHY_ERROR_FILE_NOT_FOUND);
    stop(&s, &a);
    expect_seen(&s, 0, "POST /api/v1/crl HTTP/1.1\r\n",
                "{\"kind\":\"base\",\"republish\":false,\"next_update\":\"2026-11-21T07:00:00Z\"}");
    expect_seen(&s, 1, "POST /api/v1/crl HTTP/1.1\r\n", "{\"kind\":\"delta\",\"republish\":false}");
    expect_seen(&s, 2, "POST /api/v1/crl HTTP/1.1\r\n", "{\"kind\":\"both\",\"republish\":true}");
    expect_seen(&s, 5, "GET /api/v1/crl/A%281%29.crl HTTP/1.1\r\n", "Accept: application/pkix-crl");
    drop(&s);
}

static chy_variant text(char *s)
{
    return (chy_variant){.vt = CHY_VT_STR, .u.s = {s, strlen(s)}};
}

static chy_variant number(chy_long l)
{
    return (chy_variant){.vt = CHY_VT_LONG, .u.l = l};
}

static void test_late(void **state)
{
    struct canned s = {
        .answer = {json("{\"disposition\":2,\"reason\":4}"),
                   json("{\"request_id\":7,\"disposition_code\":21}"),
                   problem("404 Not Found", "{\"detail\":\"none\",\"hresult\":-2147024809}"),
                   json("{\"number\":1,\"made\":1,\"crls\":[]}")}};
    char serial[] = "0a";
    chy_variant v = {0}, args[4] = {{0}};
    chy_excep e = {0};
    uint32_t bad = 99;
    (void)state;
    chy_admin a = start(&s);
    chy_invoke_fn invoke = a.vt->invoke;
    args[1] = text(serial);
    assert_int_equal(invoke(a.self, "isvalidCERTIFICATE", args, 2, &v, &e, &bad), CHY_S_OK);
    assert_int_equal(v.u.l, CHY_CA_DISP_REVOKED);
    assert_int_equal(invoke(a.self, "GetRevocationReason", NULL, 0, &v, &e, &bad), CHY_S_OK);
    assert_int_equal(v.u.l, CHY_CRL_REASON_SUPERSEDED);
    args[2] = number(1);
    args[3] = (chy_variant){.vt = CHY_VT_DATE, .u.t = 0};
    assert_int_equal(invoke(a.self, "RevokeCertificate", args, 4, &v, &e, &bad), CHY_S_OK);
    args[3] = (chy_variant){0};
    assert_int_equal(invoke(a.self, "RevokeCertificate", args, 4, &v, &e, &bad),
                     CHY_DISP_E_EXCEPTION);
    assert_int_equal(e.code, CHY_E_INVALIDARG);
    assert_string_equal(e.description.p, "none");
    chy_client_free(e.source.p);
    chy_client_free(e.description.p);
    args[3] = number(0);
    assert_int_equal(invoke(a.self, "RevokeCertificate", args, 4, &v, &e, &bad),
                     CHY_DISP_E_TYPEMISMATCH);
    assert_int_equal(bad, 3);
    assert_int_equal(invoke(a.self, "RevokeCertificate", args, 3, &v, &e, &bad),
                     CHY_DISP_E_BADPARAMCOUNT);
    assert_int_equal(invoke(a.self, "Submit", args, 4, &v, &e, &bad), CHY_DISP_E_UNKNOWNNAME);
    args[1] = (chy_variant){0};
    assert_int_equal(invoke(a.self, "PublishCRL", args, 2, &v, &e, &bad), CHY_S_OK);
    stop(&s, &a);
    expect_seen(&s, 1, "POST", "\"effective_when\":\"1970-01-01T00:00:00Z\"");
    drop(&s);
}

static void test_not_implemented(void **state)
{
    struct canned s = {.n = 0};
    chy_long n = 9;
    chy_variant v = {.vt = CHY_VT_LONG};
    chy_bytes b = {0};
    (void)state;
    chy_admin a = start(&s);
    const chy_admin_vtbl *vt = a.vt;
    assert_int_equal(vt->import_certificate(a.self, NULL, b, 0, &n), CHY_E_NOTIMPL);
    assert_int_equal(vt->set_ca_property(a.self, NULL, 1, 0, 1, &v), CHY_E_NOTIMPL);
    assert_int_equal(vt->get_archived_key(a.self, NULL, 1, 0, &b), CHY_E_NOTIMPL);
    assert_int_equal(vt->get_config_entry(a.self, NULL, "", "", &v), CHY_E_NOTIMPL);
    assert_int_equal(vt->set_config_entry(a.self, NULL, "", "", &v), CHY_E_NOTIMPL);
    assert_int_equal(vt->import_key(a.self, NULL, 1, NULL, 0, b), CHY_E_NOTIMPL);
    assert_int_equal(vt->get_my_roles(a.self, NULL, &n), CHY_E_NOTIMPL);
    assert_int_equal(vt->delete_row(a.self, NULL, 0, 0, 0, 0, &n), CHY_E_NOTIMPL);
    assert_int_equal(vt->get_ca_property_flags(a.self, NULL, CHY_CR_PROP_EXITDESCRIPTION, &n),
                     CHY_S_OK);
    assert_int_equal(n, CHY_PROPTYPE_STRING | CHY_PROPFLAGS_INDEXED);
    assert_int_equal(chy_client_new_admin(NULL, NULL), CHY_E_POINTER);
    stop(&s, &a);
    drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validity),       cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_requests),       cmocka_unit_test(test_values),
        cmocka_unit_test(test_crls),           cmocka_unit_test(test_late),
        cmocka_unit_test(test_not_implemented)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
