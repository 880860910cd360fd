/* Values of extensions: written as OpenSSL writes them, read strictly. RFC 5280 4.2.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/conf.h>
#include <openssl/x509v3.h>

#include "pki/ext.h"
#include "unit/pki/der_notation.h"

static void same_as_openssl(struct chy_buf *ours, int nid, const char *conf)
{
    X509V3_CTX ctx = {0};
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    CONF *empty = NCONF_new(NULL);
    X509V3_set_nconf(&ctx, empty);
    X509_EXTENSION *ext = X509V3_EXT_nconf_nid(empty, &ctx, nid, conf);
    if (!ext) fail_msg("%s", conf);
    const ASN1_OCTET_STRING *theirs = X509_EXTENSION_get_data(ext);
    assert_int_equal(ours->n, ASN1_STRING_length(theirs));
    assert_memory_equal(ours->p, ASN1_STRING_get0_data(theirs), ours->n);
    X509_EXTENSION_free(ext);
    NCONF_free(empty);
    chy_buf_reset(ours);
}

static void test_lists_are_written_as_openssl_does(void **state)
{
    static const char *const urls[] = {"http://a.test/1", "ldap://a.test/cn=x?y"};
    const struct chy_span purposes[] = {CHY_SPAN_STR("\x2b\x06\x01\x05\x05\x07\x03\x01"),
                                        CHY_SPAN_STR("\x2b\x06\x01\x05\x05\x07\x03\x02")};
    const struct chy_span policies[] = {CHY_SPAN_STR("\x2a\x03\x04"),
                                        CHY_SPAN_STR("\x55\x1d\x20\x00")};
    struct chy_buf b;
    (void)state;
    chy_buf_init(&b, 4096);
    chy_eku_add(&b, purposes, 2);
    same_as_openssl(&b, NID_ext_key_usage, "serverAuth,clientAuth");
    chy_policies_add(&b, policies, 2);
    same_as_openssl(&b, NID_certificate_policies, "1.2.3.4,2.5.29.32.0");
    chy_aia_add(&b, urls, 2, NULL, 0);
    same_as_openssl(&b, NID_info_access,
                    "caIssuers;URI:http://a.test/1,caIssuers;URI:ldap://a.test/cn=x?y");
    chy_aia_add(&b, NULL, 0, urls, 1);
    same_as_openssl(&b, NID_info_access, "OCSP;URI:http://a.test/1");
    chy_cdp_add(&b, urls, 1);
    same_as_openssl(&b, NID_crl_distribution_points, "URI:http://a.test/1");
    chy_key_usage_add(&b, 0x1ff);
    same_as_openssl(&b, NID_key_usage,
                    "digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,keyAgreement,"
                    "keyCertSign,cRLSign,encipherOnly,decipherOnly");
    chy_buf_free(&b);
}

/* Two addresses of one list are one point with two names: the same CRL in two places. */
static void test_one_point_and_the_key_identifier(void **state)
{
    static const char *const urls[] = {"u:a", "u:b"};
    static const char point[] = "\x30\x10\x30\x0e\xa0\x0c\xa0\x0a\x86\x03u:a\x86\x03u:b";
    struct chy_buf b;
    struct chy_span id;
    (void)state;
    chy_buf_init(&b, 256);
    chy_cdp_add(&b, urls, 2);
    assert_true(chy_span_eq(chy_buf_span(&b), chy_span_of(point, sizeof(point) - 1)));
    chy_buf_reset(&b);
    chy_aki_add(&b, CHY_SPAN_STR("\x01\x02\x03"));
    assert_true(chy_span_eq(chy_buf_span(&b), CHY_SPAN_STR("\x30\x05\x80\x03\x01\x02\x03")));
    assert_true(chy_aki_parse(chy_buf_span(&b), &id));
    assert_true(chy_span_eq(id, CHY_SPAN_STR("\x01\x02\x03")));
    const unsigned char *p = b.p;
    AUTHORITY_KEYID *theirs = d2i_AUTHORITY_KEYID(NULL, &p, (long)b.n);
    assert_non_null(theirs);
    assert_int_equal(ASN1_STRING_length(theirs->keyid), 3);
    AUTHORITY_KEYID_free(theirs);
    chy_buf_reset(&b);
    chy_ski_add(&b, CHY_SPAN_STR("\x01\x02"));
    assert_true(chy_ski_parse(chy_buf_span(&b), &id));
    assert_true(chy_span_eq(id, CHY_SPAN_STR("\x01\x02")));
    chy_buf_free(&b);
}

typedef bool parser(struct chy_span value);

static bool parse_bc(struct chy_span value)
{
    struct chy_basic_constraints bc;
    return chy_basic_constraints_parse(value, &bc);
}
static bool parse_ku(struct chy_span value)
{
    unsigned bits;
    return chy_key_usage_parse(value, &bits);
}
static bool parse_eku(struct chy_span value)
{
    struct chy_span oids[2];
    size_t n = 2;
    return chy_eku_parse(value, oids, &n);
}
static bool parse_ski(struct chy_span value)
{
    struct chy_span id;
    return chy_ski_parse(value, &id);
}
static bool parse_aki(struct chy_span value)
{
    struct chy_span id;
    return chy_aki_parse(value, &id);
}

struct sample {
    const char *value;
    bool taken;
};

static void judge(parser *parse, const struct sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct chy_buf b;
        chy_buf_init(&b, 256);
        der(&b, samples[i].value);
        if (parse(chy_buf_span(&b)) != samples[i].taken)
            fail_msg("row %zu: %s", i, samples[i].value);
        chy_buf_free(&b);
    }
}

static void test_basic_constraints_taken_and_refused(void **state)
{
    static const struct sample samples[] = {
        {"30{}", true},
        {"30{0101ff}", true},
        {"30{0101ff020100}", true},
        {"30{0101ff02047fffffff}", true},
        {"", false},
        {"31{}", false},
        {"30{}00", false},
        {"30{010100}", false}, /* the DEFAULT, written out */
        {"30{010101}", false},
        {"30{0100}", false},
        {"30{0101}", false},
        {"30{0101ff0201ff}", false},
        {"30{0101ff02020001}", false},
        {"30{0101ff02050080000000}", false},
        {"30{0101ff0200}", false},
        {"30{0101ff020100020100}", false},
        {"30{0201000101ff}", false},
    };
    (void)state;
    judge(parse_bc, samples, CHY_ARRAY_LEN(samples));
}

static void test_key_usage_taken_and_refused(void **state)
{
    static const struct sample samples[] = {
        {"03020780", true},      {"0303070080", true},  {"030100", true},      {"", false},
        {"0300", false},         {"04020780", false},   {"0302078000", false}, {"030101", false},
        {"03020880", false},     {"03020781", false},   {"03020680", false},   /* trailing zero bits
                                                                                */
        {"03020000", false},     {"0303068000", false}, {"0303068040", false}, /* a tenth bit */
        {"0304000000ff", false},
    };
    (void)state;
    judge(parse_ku, samples, CHY_ARRAY_LEN(samples));
}

static void test_ext_key_usage_taken_and_refused(void **state)
{
    static const struct sample samples[] = {
        {"30{06012a}", true},
        {"30{06012a06012b}", true},
        {"", false},
        {"30{}", false},
        {"31{06012a}", false},
        {"30{06012a}00", false},
        {"30{0600}", false},
        {"30{060180}", false},
        {"30{06022a80}", false},
        {"30{06022a}", false},
        {"30{02012a}", false},
        {"30{06012a06012b06012c}", false}, /* room for two */
    };
    (void)state;
    judge(parse_eku, samples, CHY_ARRAY_LEN(samples));
}

static void test_subject_key_id_taken_and_refused(void **state)
{
    static const struct sample samples[] = {
        {"040101", true},    {"", false},       {"0400", false},
        {"04010100", false}, {"0402aa", false}, {"800101", false},
    };
    (void)state;
    judge(parse_ski, samples, CHY_ARRAY_LEN(samples));
}

static void test_authority_key_id_taken_and_refused(void **state)
{
    static const struct sample samples[] = {
        {"30{800101}", true},
        {"30{}", true},
        {"30{800101a1{8201'a'}820101}", true},
        {"30{a1{8201'a'}820101}", true},
        {"", false},
        {"31{800101}", false},
        {"30{800101}00", false},
        {"30{8002aa}", false},
        {"30{800101800102}", false},
        {"30{a00101}", false},
        {"30{800101a1{8201'a'}}", false},
        {"30{800101820101}", false},
        {"30{800101820101a1{8201'a'}}", false},
        {"30{a1{}820101}", false},
        {"30{a1{8201'a'}8200}", false},
        {"30{a1{8201'a'}82020001}", false},
        {"30{a1{8201'a'}8201010500}", false},
    };
    (void)state;
    judge(parse_aki, samples, CHY_ARRAY_LEN(samples));
}

static void test_what_is_read(void **state)
{
    struct chy_basic_constraints bc;
    struct chy_span oids[3];
    unsigned bits;
    size_t n = 3;
    struct chy_buf b;
    (void)state;
    assert_true(chy_basic_constraints_parse(CHY_SPAN_STR("\x30\x06\x01\x01\xff\x02\x01\x03"), &bc));
    assert_true(bc.ca);
    assert_int_equal(bc.path_len, 3);
    assert_true(chy_basic_constraints_parse(CHY_SPAN_STR("\x30\x00"), &bc));
    assert_false(bc.ca);
    assert_int_equal(bc.path_len, -1);
    for (unsigned want = 0; want < 0x200; want++) {
        chy_buf_init(&b, 16);
        chy_key_usage_add(&b, want);
        assert_true(chy_key_usage_parse(chy_buf_span(&b), &bits));
        assert_int_equal(bits, want);
        chy_buf_free(&b);
    }
    assert_true(chy_eku_parse(CHY_SPAN_STR("\x30\x07\x06\x02\x2a\x03\x06\x01\x2b"), oids, &n));
    assert_int_equal(n, 2);
    assert_true(chy_span_eq(oids[0], CHY_SPAN_STR("\x2a\x03")));
    assert_true(chy_span_eq(oids[1], CHY_SPAN_STR("\x2b")));
}

static void test_the_first_url_of_distribution_points(void **state)
{
    static const char *const urls[] = {"http://a.test/1", "ldap://a.test/cn=x?y"};
    static const struct {
        const char *der, *url;
    } rows[] = {
        {"30{30{a0{a0{86{'a:b'}}}}}", "a:b"},
        {"30{30{81{0640}}30{a0{a0{a4{3000}86{'a:b'}86{'c:d'}}}}}", "a:b"},
        {"30{30{a0{a0{a4{3000}}}}30{a0{a0{86{'c:d'}}}}}", "c:d"},
        {"30{30{a0{a0{a4{3000}}}}}", NULL},
        {"30{30{a0{a1{30{06{550403}0c{'x'}}}}}}", NULL},
        {"30{}", NULL},
        {"", NULL},
        {"31{30{a0{a0{86{'a:b'}}}}}", NULL},
        {"30{30{a0{a0{86{'a:b'}}}}}00", NULL},
    };
    struct chy_buf b;
    struct chy_span url;
    (void)state;
    chy_buf_init(&b, 4096);
    chy_cdp_add(&b, urls, 2);
    assert_true(chy_cdp_first_url(chy_buf_span(&b), &url));
    assert_true(chy_span_eq(url, chy_span_cstr(urls[0])));
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        chy_buf_reset(&b);
        der(&b, rows[i].der);
        assert_int_equal(chy_cdp_first_url(chy_buf_span(&b), &url), rows[i].url != NULL);
        if (rows[i].url) assert_true(chy_span_eq(url, chy_span_cstr(rows[i].url)));
    }
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_are_written_as_openssl_does),
        cmocka_unit_test(test_one_point_and_the_key_identifier),
        cmocka_unit_test(test_basic_constraints_taken_and_refused),
        cmocka_unit_test(test_key_usage_taken_and_refused),
        cmocka_unit_test(test_ext_key_usage_taken_and_refused),
        cmocka_unit_test(test_subject_key_id_taken_and_refused),
        cmocka_unit_test(test_authority_key_id_taken_and_refused),
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_the_first_url_of_distribution_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
