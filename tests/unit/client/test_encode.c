/* The encodings of requests and certificates, and names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/objects.h"

static const uint8_t der[] = {0x30, 0x82, 0x01, 'A', 0x7f, 0x00, 'z', 1,  2,
                              3,    4,    5,    6,   7,    8,    9,   10, 11};

static void test_out(void **state)
{
    static const struct {
        chy_long flags;
        const char *text;
    } rows[] = {
        {CHY_CR_OUT_BASE64HEADER,
         "-----BEGIN X-----\r\nMIIBQX8AegECAwQFBgcICQoL\r\n-----END X-----\r\n"},
        {CHY_CR_OUT_BASE64HEADER | CHY_CR_OUT_NOCR,
         "-----BEGIN X-----\nMIIBQX8AegECAwQFBgcICQoL\n-----END X-----\n"},
        {CHY_CR_OUT_BASE64HEADER | CHY_CR_OUT_NOCRLF,
         "-----BEGIN X-----\nMIIBQX8AegECAwQFBgcICQoL\n-----END X-----\n"},
        {CHY_CR_OUT_BASE64, "MIIBQX8AegECAwQFBgcICQoL\r\n"},
        {CHY_CR_OUT_BASE64 | CHY_CR_OUT_NOCRLF, "MIIBQX8AegECAwQFBgcICQoL"},
        {CHY_CR_OUT_BASE64REQUESTHEADER | CHY_CR_OUT_NOCR,
         "-----BEGIN NEW CERTIFICATE REQUEST-----\nMIIBQX8AegECAwQFBgcICQoL\n"
         "-----END NEW CERTIFICATE REQUEST-----\n"},
        {CHY_CR_OUT_BASE64X509CRLHEADER | CHY_CR_OUT_NOCR,
         "-----BEGIN X509 CRL-----\nMIIBQX8AegECAwQFBgcICQoL\n-----END X509 CRL-----\n"},
        {CHY_CR_OUT_HEXRAW | CHY_CR_OUT_NOCRLF, "308201417f007a0102030405060708090a0b"},
        {CHY_CR_OUT_HEX | CHY_CR_OUT_NOCR,
         "30 82 01 41 7f 00 7a 01  02 03 04 05 06 07 08 09\n0a 0b\n"},
        {CHY_CR_OUT_HEXADDR | CHY_CR_OUT_NOCR,
         "0000\t30 82 01 41 7f 00 7a 01  02 03 04 05 06 07 08 09\n0010\t0a 0b\n"},
        {CHY_CR_OUT_HEXASCII | CHY_CR_OUT_NOCR,
         "30 82 01 41 7f 00 7a 01  02 03 04 05 06 07 08 09   0..A..z.........\n"
         "0a 0b                                              ..\n"},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        chy_bytes out = {0};
        assert_int_equal(chy_encode_out(rows[i].flags, "X", CHY_SPAN(der), &out, NULL), CHY_S_OK);
        assert_string_equal((const char *)out.p, rows[i].text);
        assert_int_equal(out.n, strlen(rows[i].text));
        chy_client_free(out.p);
    }
}

static void test_out_binary_and_unknown(void **state)
{
    chy_bytes out = {0};
    struct chy_err err = {0};
    (void)state;
    assert_int_equal(chy_encode_out(CHY_CR_OUT_BINARY, "X", CHY_SPAN(der), &out, NULL), CHY_S_OK);
    assert_int_equal(out.n, sizeof(der));
    assert_memory_equal(out.p, der, sizeof(der));
    chy_client_free(out.p);
    assert_int_equal(chy_encode_out(0x77, "X", CHY_SPAN(der), &out, &err), CHY_E_INVALIDARG);
    assert_string_equal(err.text, "flags: there is no encoding 0x77");
}

static chy_hresult decode(chy_long flags, const void *p, size_t n, struct chy_buf *out,
                          struct chy_err *err)
{
    uint8_t copy[512];
    assert_true(n <= sizeof(copy));
    memcpy(copy, p, n);
    chy_buf_init(out, 4096);
    return chy_decode_in(flags, (chy_bytes){copy, n}, out, err);
}

static void test_in(void **state)
{
    static const char pem[] =
        "x\n-----BEGIN NEW CERTIFICATE REQUEST-----\nMIIBQX8AegECAwQFBgcICQoL\n"
        "-----END NEW CERTIFICATE REQUEST-----\n";
    static const char base64[] = "MIIBQX8Aeg\r\nECAwQFBgcICQoL\r\n";
    const struct {
        chy_long flags;
        const void *p;
        size_t n;
    } good[] = {{CHY_CR_IN_BASE64HEADER, pem, sizeof(pem) - 1},
                {CHY_CR_IN_BASE64, base64, sizeof(base64) - 1},
                {CHY_CR_IN_BINARY, der, sizeof(der)},
                {CHY_CR_IN_ENCODEANY, pem, sizeof(pem) - 1},
                {CHY_CR_IN_ENCODEANY, base64, sizeof(base64) - 1},
                {CHY_CR_IN_ENCODEANY, der, sizeof(der)}};
    const struct {
        chy_long flags;
        const void *p;
        size_t n;
        chy_hresult code;
    } bad[] = {{CHY_CR_IN_BASE64HEADER, base64, sizeof(base64) - 1, CHY_ERROR_INVALID_DATA},
               {CHY_CR_IN_BASE64, pem, sizeof(pem) - 1, CHY_ERROR_INVALID_DATA},
               {CHY_CR_IN_ENCODEANY, "!!", 2, CHY_ERROR_INVALID_DATA},
               {0x5, der, sizeof(der), CHY_E_INVALIDARG},
               {CHY_CR_IN_BINARY, "", 0, CHY_E_INVALIDARG}};
    struct chy_buf out;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(good); i++) {
        assert_int_equal(decode(good[i].flags, good[i].p, good[i].n, &out, NULL), CHY_S_OK);
        assert_int_equal(out.n, sizeof(der));
        assert_memory_equal(out.p, der, sizeof(der));
        chy_buf_free(&out);
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        struct chy_err err = {0};
        assert_int_equal(decode(bad[i].flags, bad[i].p, bad[i].n, &out, &err), bad[i].code);
        chy_buf_free(&out);
    }
}

static void test_config_strings(void **state)
{
    static const char *const good[][2] = {
        {"host\\My CA", "My CA"}, {"host/My CA", "My CA"}, {"h\\a/b\\c", "a/b\\c"}};
    static const char *const bad[] = {"host", "host\\", "\\ca", "/ca"};
    char *ca;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(good); i++) {
        assert_int_equal(chy_config_ca(good[i][0], &ca, NULL), CHY_S_OK);
        assert_string_equal(ca, good[i][1]);
        chy_free(ca);
    }
    assert_int_equal(chy_config_ca(NULL, &ca, NULL), CHY_S_OK);
    assert_null(ca);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        struct chy_err err = {0};
        assert_int_equal(chy_config_ca(bad[i], &ca, &err), CHY_E_INVALIDARG);
        assert_non_null(strstr(err.text, "Server\\CA is expected"));
    }
}

static void test_attributes(void **state)
{
    cJSON *o = cJSON_CreateObject();
    (void)state;
    assert_int_equal(chy_attributes_json("Cert-Type: a b \r\n no colon\n:x\nname:\n"
                                         "certtype:second\nOther:1:2",
                                         o, NULL),
                     CHY_S_OK);
    char *text = cJSON_PrintUnformatted(o);
    assert_string_equal(text, "{\"certtype\":\"second\",\"Other\":\"1:2\"}");
    cJSON_free(text);
    cJSON_Delete(o);
}

static void test_paths(void **state)
{
    struct chy_buf b;
    bool any = false;
    (void)state;
    chy_buf_init(&b, 4096);
    chy_path_begin(&b, "A/B ä%");
    chy_buf_add_str(&b, "/x");
    chy_path_query(&b, &any, "where", "a = 'b&c'");
    chy_path_query(&b, &any, "none", NULL);
    chy_path_query(&b, &any, "limit", "1");
    assert_string_equal(chy_buf_cstr(&b),
                        "/api/v1/ca/A%2FB%20%C3%A4%25/x?where=a%20%3D%20%27b%26c%27&limit=1");
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out),        cmocka_unit_test(test_out_binary_and_unknown),
        cmocka_unit_test(test_in),         cmocka_unit_test(test_config_strings),
        cmocka_unit_test(test_attributes), cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
