/* ICertRequest and ICertConfig against a server that says what it was told to, direct and late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "canned.h"
#include <chancery/client.h>

#define PEM "-----BEGIN CERTIFICATE-----\\nMIIBQX8AegECAwQFBgcICQoL\\n-----END CERTIFICATE-----\\n"
#define ANSWER(status, n, json)                                                                    \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nContent-Length: " n "\r\n\r\n" json

static const char issued[] =
    "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    "bf\r\n{\"request_id\":7,\"disposition_code\":20,\"message\":\"Issued\",\"serial\":\"0a\","
    "\"status\":0,\"certificate\":\"" PEM "\"}          \r\n0\r\n\r\n";
static const char pending[] =
    ANSWER("202 Accepted", "72",
           "{\"request_id\":8,\"disposition_code\":9,\"message\":\"Wait\",\"status\":0}       ");
static const char denied[] =
    ANSWER("403 Forbidden", "111",
           "{\"status\":403,\"detail\":\"No\",\"hresult\":-2146877420,\"request_id\":9,"
           "\"disposition_code\":31,\"message\":\"Denied\"}     ");
static const char problem[] =
    ANSWER("404 Not Found", "52", "{\"status\":404,\"detail\":\"none\",\"hresult\":-2146877436}");
static const char cas[] = ANSWER(
    "200 OK", "163",
    "{\"cas\":[{\"name\":\"A\",\"config\":\"h\\\\A\",\"ready\":false,\"sanitized_name\":\"A\"},"
    "{\"name\":\"B\",\"config\":\"h\\\\B\",\"ready\":true}]}                                       "
    " "
    "        ");

static const uint8_t csr[] = {0x30, 0x82, 1, 2};

static chy_request request_of(const struct canned *s)
{
    chy_request r = {0};
    chy_client_options o = {.struct_size = sizeof(o), .socket = s->path, .timeout_ms = 5000};
    assert_int_equal(chy_client_new_request(&o, &r), CHY_S_OK);
    assert_int_equal(r.vt->h.iface_id, CHY_IID_REQUEST);
    return r;
}

static chy_bytes csr_bytes(uint8_t *copy)
{
    memcpy(copy, csr, sizeof(csr));
    return (chy_bytes){copy, sizeof(csr)};
}

static void expect_message(const chy_request *r, const char *text)
{
    chy_str s = {0};
    assert_int_equal(r->vt->get_disposition_message(r->self, &s), CHY_S_OK);
    assert_string_equal(s.p, text);
    chy_client_free(s.p);
}

static void test_dispositions(void **state)
{
    static const struct {
        const char *answer, *message;
        chy_long disposition, id;
        chy_hresult status;
    } rows[] = {{issued, "Issued", CHY_CR_DISP_ISSUED, 7, CHY_S_OK},
                {pending, "Wait", CHY_CR_DISP_UNDER_SUBMISSION, 8, CHY_S_OK},
                {denied, "Denied", CHY_CR_DISP_DENIED, 9, CHY_CERTSRV_E_ADMIN_DENIED_REQUEST}};
    struct canned s = {.answer = {issued, pending, denied}, .n = 3};
    uint8_t copy[8];
    (void)state;
    canned_start(&s);
    chy_request r = request_of(&s);
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        chy_long d = -1, id = -1;
        chy_hresult status = -1;
        chy_bytes cert = {0};
        assert_int_equal(r.vt->submit(r.self, CHY_CR_IN_BINARY | CHY_CR_IN_PKCS10, csr_bytes(copy),
                                      "A:b", "h\\My CA", &d),
                         CHY_S_OK);
        assert_int_equal(d, rows[i].disposition);
        r.vt->get_request_id(r.self, &id);
        r.vt->get_last_status(r.self, &status);
        assert_int_equal(id, rows[i].id);
        assert_int_equal(status, rows[i].status);
        expect_message(&r, rows[i].message);
        chy_hresult hr =
            r.vt->get_certificate(r.self, CHY_CR_OUT_HEXRAW | CHY_CR_OUT_NOCRLF, &cert);
        assert_int_equal(hr, i == 0 ? CHY_S_OK : CHY_CERTSRV_E_PROPERTY_EMPTY);
        if (i == 0) assert_string_equal((char *)cert.p, "308201417f007a0102030405060708090a0b");
        chy_client_free(cert.p);
    }
    r.vt->release(r.self);
    canned_stop(&s);
    assert_non_null(strstr(s.seen[0], "POST /api/v1/ca/My%20CA/requests HTTP/1.1\r\n"));
    assert_non_null(strstr(s.seen[0], "{\"attributes\":{\"A\":\"b\"},\"request\":\"-----BEGIN"));
    canned_free(&s);
}

static void test_refusals(void **state)
{
    struct canned s = {.answer = {problem}, .n = 1};
    uint8_t copy[8];
    chy_long d;
    (void)state;
    canned_start(&s);
    chy_request r = request_of(&s);
    chy_bytes b = csr_bytes(copy);
    assert_int_equal(r.vt->submit(r.self, CHY_CR_IN_BINARY | CHY_CR_IN_PKCS7, b, NULL, NULL, &d),
                     CHY_CRYPT_E_INVALID_MSG_TYPE);
    assert_int_equal(d, CHY_CR_DISP_ERROR);
    assert_int_equal(r.vt->submit(r.self, CHY_CR_IN_BINARY | CHY_CR_IN_SCEP, b, NULL, NULL, &d),
                     CHY_ERROR_NOT_SUPPORTED);
    assert_int_equal(r.vt->submit(r.self, CHY_CR_IN_BINARY, b, NULL, "no cut", &d),
                     CHY_E_INVALIDARG);
    assert_int_equal(r.vt->submit(r.self, CHY_CR_IN_BASE64, b, NULL, NULL, &d),
                     CHY_ERROR_INVALID_DATA);
    assert_int_equal(r.vt->get_issued_certificate(r.self, NULL, -1, NULL, &d), CHY_E_INVALIDARG);
    assert_int_equal(r.vt->get_issued_certificate(r.self, NULL, 5, "0a", &d), CHY_E_INVALIDARG);
    assert_int_equal(r.vt->get_issued_certificate2(r.self, NULL, "x", NULL, &d),
                     CHY_CERTSRV_E_INVALID_REQUESTID);
    assert_int_equal(r.vt->retrieve_pending(r.self, 0, NULL, &d), CHY_E_INVALIDARG);
    assert_int_equal(r.vt->retrieve_pending(r.self, 77, NULL, &d), CHY_CERTSRV_E_PROPERTY_EMPTY);
    expect_message(&r, "none");
    assert_int_equal(r.vt->set_credential(r.self, 0, CHY_AUTH_KERBEROS, NULL, NULL),
                     CHY_ERROR_NOT_SUPPORTED);
    chy_variant v;
    assert_int_equal(r.vt->get_full_response_property(r.self, 1, 0, 3, 0, &v),
                     CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_int_equal(r.vt->get_ca_property(r.self, NULL, 6, 1, CHY_PROPTYPE_STRING, 0, &v),
                     CHY_E_INVALIDARG);
    assert_int_equal(r.vt->get_ca_property(r.self, NULL, 6, 0, CHY_PROPTYPE_LONG, 0, &v),
                     CHY_E_INVALIDARG);
    assert_int_equal(r.vt->get_ca_property_flags(r.self, NULL, 4, &d), CHY_S_OK);
    assert_int_equal(d, CHY_PROPTYPE_STRING | CHY_PROPFLAGS_INDEXED);
    r.vt->release(r.self);
    canned_stop(&s);
    canned_free(&s);
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
    struct canned s = {.answer = {pending, problem}, .n = 2};
    uint8_t copy[8];
    char config[] = "h\\C", empty[] = "";
    chy_variant v = {0}, args[4];
    chy_excep e = {0};
    uint32_t bad = 99;
    (void)state;
    canned_start(&s);
    chy_request r = request_of(&s);
    chy_invoke_fn invoke = r.vt->invoke;
    args[0] = number(CHY_CR_IN_BINARY);
    args[1] = (chy_variant){.vt = CHY_VT_BYTES, .u.b = csr_bytes(copy)};
    args[2] = text(empty);
    args[3] = text(config);
    assert_int_equal(invoke(r.self, "sUBMIT", args, 4, &v, &e, &bad), CHY_S_OK);
    assert_int_equal(v.vt, CHY_VT_LONG);
    assert_int_equal(v.u.l, CHY_CR_DISP_UNDER_SUBMISSION);
    assert_int_equal(invoke(r.self, "GetDispositionMessage", NULL, 0, &v, &e, &bad), CHY_S_OK);
    assert_string_equal(v.u.s.p, "Wait");
    chy_client_variant_clear(&v);
    assert_int_equal(invoke(r.self, "Nope", args, 4, &v, &e, &bad), CHY_DISP_E_UNKNOWNNAME);
    assert_int_equal(invoke(r.self, "Submit", args, 3, &v, &e, &bad), CHY_DISP_E_BADPARAMCOUNT);
    args[3] = number(1);
    assert_int_equal(invoke(r.self, "Submit", args, 4, &v, &e, &bad), CHY_DISP_E_TYPEMISMATCH);
    assert_int_equal(bad, 3);
    args[0] = number(77);
    args[1] = (chy_variant){0};
    assert_int_equal(invoke(r.self, "RetrievePending", args, 2, &v, &e, &bad),
                     CHY_DISP_E_EXCEPTION);
    assert_int_equal(e.code, CHY_CERTSRV_E_PROPERTY_EMPTY);
    assert_string_equal(e.description.p, "none");
    chy_client_free(e.source.p);
    chy_client_free(e.description.p);
    r.vt->release(r.self);
    canned_stop(&s);
    canned_free(&s);
}

static void expect_field(const chy_config *c, const char *field, const char *value)
{
    chy_str s = {0};
    chy_hresult hr = c->vt->get_field(c->self, field, &s);
    assert_int_equal(hr, value ? CHY_S_OK : CHY_CERTSRV_E_PROPERTY_EMPTY);
    if (value) assert_string_equal(s.p, value);
    chy_client_free(s.p);
}

static void test_config(void **state)
{
    struct canned s = {.answer = {cas, cas, cas, cas}, .n = 4};
    chy_client_options o = {.struct_size = sizeof(o), .socket = s.path, .timeout_ms = 5000};
    chy_config c = {0};
    chy_long n = 0;
    chy_str text_out = {0};
    (void)state;
    canned_start(&s);
    assert_int_equal(chy_client_new_config(&o, &c), CHY_S_OK);
    expect_field(&c, "Config", NULL);
    assert_int_equal(c.vt->set_shared_folder(c.self, s.dir), CHY_S_OK);
    assert_int_equal(c.vt->reset(c.self, 0, &n), CHY_S_OK);
    assert_int_equal(n, 2);
    expect_field(&c, "config", "h\\A");
    expect_field(&c, "Server", "h");
    expect_field(&c, "Flags", "12");
    expect_field(&c, "Country", NULL);
    expect_field(&c, "Nope", NULL);
    assert_int_equal(c.vt->get_config(c.self, CHY_CC_DEFAULTCONFIG, &text_out), CHY_S_OK);
    assert_string_equal(text_out.p, "h\\A");
    chy_client_free(text_out.p);
    assert_int_equal(c.vt->get_config(c.self, CHY_CC_LOCALACTIVECONFIG, &text_out), CHY_S_OK);
    assert_string_equal(text_out.p, "h\\B");
    chy_client_free(text_out.p);
    assert_int_equal(c.vt->get_config(c.self, CHY_CC_UIPICKCONFIG, &text_out),
                     CHY_ERROR_NOT_SUPPORTED);
    assert_int_equal(c.vt->next(c.self, &n), CHY_S_OK);
    assert_int_equal(n, 1);
    expect_field(&c, "CommonName", "B");
    assert_int_equal(c.vt->next(c.self, &n), CHY_S_FALSE);
    assert_int_equal(n, -1);
    assert_int_equal(c.vt->reset(c.self, 2, &n), CHY_E_INVALIDARG);
    c.vt->release(c.self);
    canned_stop(&s);
    canned_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dispositions),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
