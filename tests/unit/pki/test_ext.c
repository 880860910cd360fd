/* Lists of extensions (RFC 5280 4.2); values that we write are octet for octet what OpenSSL writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "pki/ext.h"
#include "unit/pki/der_notation.h"

static void same_as_openssl(struct chy_buf *ours, int nid, const char *conf)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, conf);
    assert_non_null(ext);
    const ASN1_OCTET_STRING *theirs = X509_EXTENSION_get_data(ext);
    assert_int_equal(chy_buf_span(ours).n, ASN1_STRING_length(theirs));
    assert_memory_equal(chy_buf_span(ours).p, ASN1_STRING_get0_data(theirs), chy_buf_span(ours).n);
    X509_EXTENSION_free(ext);
    chy_buf_free(ours);
    chy_buf_init(ours, 4096);
}

static void test_values(void **state)
{
    static const uint8_t id[] = {1, 2, 3, 4};
    static const char *const url[] = {"http://a.test/x"};
    struct chy_buf b;
    (void)state;
    chy_buf_init(&b, 4096);
    chy_basic_constraints_add(&b, &(struct chy_basic_constraints){true, 3});
    same_as_openssl(&b, NID_basic_constraints, "CA:TRUE,pathlen:3");
    chy_basic_constraints_add(&b, &(struct chy_basic_constraints){false, 3});
    same_as_openssl(&b, NID_basic_constraints, "CA:FALSE");
    chy_key_usage_add(&b, CHY_KU_DIGITAL_SIGNATURE | CHY_KU_CRL_SIGN | 1u << 12);
    same_as_openssl(&b, NID_key_usage, "digitalSignature,cRLSign");
    chy_key_usage_add(&b, CHY_KU_KEY_AGREEMENT | CHY_KU_DECIPHER_ONLY);
    same_as_openssl(&b, NID_key_usage, "keyAgreement,decipherOnly");
    chy_ski_add(&b, CHY_SPAN(id));
    same_as_openssl(&b, NID_subject_key_identifier, "01020304");
    chy_cdp_add(&b, url, 1);
    same_as_openssl(&b, NID_crl_distribution_points, "URI:http://a.test/x");
    chy_aia_add(&b, url, 1, url, 1);
    same_as_openssl(&b, NID_info_access, "OCSP;URI:http://a.test/x,caIssuers;URI:http://a.test/x");
    chy_buf_free(&b);
}

static void test_list_refusals(void **state)
{
    static const struct {
        const char *list, *fault;
    } rows[] = {
        {"", "not one SEQUENCE"},
        {"31{}", "not one SEQUENCE"},
        {"30{30{06012a0400}}00", "not one SEQUENCE"},
        {"30{}", "the list is empty"},
        {"30{31{06012a0400}}", "one is no SEQUENCE"},
        {"30{3009}", "one is no SEQUENCE"},
        {"30{30{}}", "one has no identifier"},
        {"30{30{06000400}}", "one has no identifier"},
        {"30{30{0601800400}}", "one has no identifier"},
        {"30{30{06022a800400}}", "one has no identifier"},
        {"30{30{0400}}", "one has no identifier"},
        {"30{30{06012a0102ff}}", "malformed critical flag"},
        {"30{30{06012a0101000400}}", "critical is written out although it is FALSE"},
        {"30{30{06012a0101010400}}", "or is no DER BOOLEAN"},
        {"30{30{06012a0102ffff0400}}", "or is no DER BOOLEAN"},
        {"30{30{06012a}}", "one has no value"},
        {"30{30{06012a0300}}", "one has no value"},
        {"30{30{06012a04000500}}", "one has no value"},
        {"30{30{06012a04000101ff}}", "one has no value"},
        {"30{30{06012a0400}30{06012b0400}30{06012a040101}}", "one stands twice"},
    };
    static struct chy_ext ext[CHY_EXT_MAX];
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_buf b;
        size_t n = 7;
        chy_buf_init(&b, 256);
        der(&b, rows[i].list);
        chy_hresult hr = chy_ext_list_parse(chy_buf_span(&b), ext, &n, &err);
        if (hr != CHY_CRYPT_E_ASN1_BADPDU || !strstr(err.text, rows[i].fault))
            fail_msg("%s: %s", rows[i].list, err.text);
        chy_buf_free(&b);
    }
}

/* 64 are read as they were written; one more is refused. */
static void test_lists_of_many(void **state)
{
    static struct chy_ext ext[CHY_EXT_MAX];
    struct chy_err err = {0};
    struct chy_buf b;
    size_t n;
    (void)state;
    for (uint8_t count = CHY_EXT_MAX; count <= CHY_EXT_MAX + 1; count++) {
        chy_buf_init(&b, 4096);
        size_t mark = chy_der_open(&b, CHY_DER_SEQUENCE);
        for (uint8_t i = 0; i < count; i++) {
            const uint8_t oid[2] = {0x2a, i};
            chy_ext_add(&b, &(struct chy_ext){CHY_SPAN(oid), i % 2 == 0, CHY_SPAN(oid)});
        }
        chy_der_close(&b, mark);
        chy_hresult hr = chy_ext_list_parse(chy_buf_span(&b), ext, &n, &err);
        assert_int_equal(hr, count == 64 ? CHY_S_OK : CHY_CRYPT_E_ASN1_BADPDU);
        assert_int_equal(n, 64);
        assert_true(ext[62].critical && !ext[63].critical);
        assert_memory_equal(ext[63].oid.p, "\x2a\x3f", 2);
        assert_true(chy_span_eq(ext[63].value, ext[63].oid));
        chy_buf_free(&b);
    }
    assert_string_equal(err.text, "extensions (RFC 5280 4.2): more than 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_list_refusals),
        cmocka_unit_test(test_lists_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
