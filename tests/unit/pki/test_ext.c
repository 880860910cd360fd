/* Values that we write are octet for octet what OpenSSL writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "pki/ext.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
