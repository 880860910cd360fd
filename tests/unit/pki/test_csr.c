/* Requests made by OpenSSL are understood and verify; each rule is broken once and refused by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "pki/csr.h"

/* ---- requests by OpenSSL ---- */

static EVP_PKEY *make_key(const char *name)
{
    struct chy_err err = {0};
    struct chy_key_alg storage;
    EVP_PKEY *key = NULL;
    assert_int_equal(chy_key_alg_generate(chy_key_alg_by_name(name, &storage, &err), &key, &err),
                     CHY_S_OK);
    return key;
}

static void add_san(X509_REQ *req)
{
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:a.test");
    X509_EXTENSION *ku =
        X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, "critical,digitalSignature");
    assert_true(sk_X509_EXTENSION_push(list, san) > 0 && sk_X509_EXTENSION_push(list, ku) > 0);
    assert_int_equal(X509_REQ_add_extensions(req, list), 1);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static size_t openssl_csr(EVP_PKEY *key, const EVP_MD *md, uint8_t *out)
{
    static const unsigned char cn[] = "a.test", pass[] = "secret";
    X509_REQ *req = X509_REQ_new();
    X509_NAME *name = X509_REQ_get_subject_name(req);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, cn, -1, -1, 0), 1);
    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
    add_san(req);
    assert_int_equal(X509_REQ_add1_attr_by_txt(req, "challengePassword", MBSTRING_UTF8, pass, -1),
                     1);
    assert_true(X509_REQ_sign(req, key, md) > 0);
    int n = i2d_X509_REQ(req, &out);
    assert_true(n > 0);
    X509_REQ_free(req);
    ERR_clear_error();
    return (size_t)n;
}

static void test_openssl_requests_verify(void **state)
{
    static const struct {
        const char *key, *alg;
    } cases[] = {{"p256", "ecdsa-sha256"},  {"p384", "ecdsa-sha384"}, {"p521", "ecdsa-sha512"},
                 {"rsa2048", "rsa-sha256"}, {"ed25519", "ed25519"},   {"ed448", "ed448"}};
    (void)state;
    struct chy_verifier *v = chy_verifier_new(NULL);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        static const EVP_MD *(*const md[])(void) = {EVP_sha256, EVP_sha384, EVP_sha512, EVP_sha256};
        struct chy_err err = {0};
        struct chy_csr csr;
        uint8_t der[2048];
        EVP_PKEY *key = make_key(cases[i].key);
        size_t n = openssl_csr(key, i < CHY_ARRAY_LEN(md) ? md[i]() : NULL, der);
        assert_int_equal(chy_csr_parse(chy_span_of(der, n), &csr, &err), CHY_S_OK);
        assert_int_equal(chy_csr_verify(v, &csr, &err), CHY_S_OK);
        assert_string_equal(csr.key.name, cases[i].key);
        assert_string_equal(csr.sig_alg->name, cases[i].alg);
        assert_int_equal(csr.subject.n, 1);
        assert_int_equal(csr.n_ext, 2);
        assert_false(csr.ext[0].critical);
        assert_true(csr.ext[1].critical);
        assert_int_equal(csr.n_pairs, 0);
        assert_true(csr.has_challenge_password);
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(key);
    }
    chy_verifier_free(v);
}

/* Every octet is signed, or the signature, or structure that has one form: none may change. */
static void test_every_flipped_octet_is_refused(void **state)
{
    static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xff};
    (void)state;
    struct chy_verifier *v = chy_verifier_new(NULL);
    uint8_t der[2048];
    EVP_PKEY *key = make_key("p256");
    size_t n = openssl_csr(key, EVP_sha256(), der);
    for (size_t i = 0; i < n; i++) {
        for (size_t f = 0; f < CHY_ARRAY_LEN(flips); f++) {
            struct chy_csr csr;
            struct chy_err err = {0};
            der[i] ^= flips[f];
            chy_hresult hr = chy_csr_parse(chy_span_of(der, n), &csr, &err);
            if (hr == CHY_S_OK) hr = chy_csr_verify(v, &csr, &err);
            if (!CHY_FAILED(hr)) fail_msg("octet %zu flipped by %02x is accepted", i, flips[f]);
            assert_int_equal(err.code, hr);
            assert_true(err.text[0] != 0);
            der[i] ^= flips[f];
        }
    }
    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(key);
    chy_verifier_free(v);
}

static void test_every_cut_is_refused(void **state)
{
    (void)state;
    uint8_t der[2048];
    struct chy_csr csr;
    EVP_PKEY *key = make_key("p256");
    size_t n = openssl_csr(key, EVP_sha256(), der);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(chy_csr_parse(chy_span_of(der, i), &csr, NULL), CHY_CRYPT_E_ASN1_BADPDU);
    EVP_PKEY_free(key);
}

/* ---- requests by hand: one part at a time is wrong ---- */

#define OID_EXT_REQ "06092a864886f70d01090e"
#define OID_MS_EXT "060a2b06010401823702010e"
#define OID_PAIR "060a2b0601040182370d0201"
#define SUBJECT "300c310a300806035504030c0161"
#define SPKI_HEAD "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
#define ECDSA "300a06082a8648ce3d040302"
#define EXT_KU "300b0603551d0f040403020780"

struct parts {
    const char *version, *subject, *spki, *attrs; /* attrs: the whole [0] */
    const char *alg, *signature, *trailer;
    const char *behind; /* after the outer SEQUENCE */
};

static void add_hex(struct chy_buf *b, const char *hex)
{
    if (!chy_hex_decode(b, chy_span_cstr(hex))) fail_msg("bad hex %s", hex);
}

static void build(const struct parts *p, struct chy_buf *b)
{
    chy_buf_reset(b);
    size_t outer = chy_der_open(b, CHY_DER_SEQUENCE);
    size_t info = chy_der_open(b, CHY_DER_SEQUENCE);
    add_hex(b, p->version ? p->version : "020100");
    add_hex(b, p->subject ? p->subject : SUBJECT);
    add_hex(b, p->spki ? p->spki : SPKI_HEAD);
    for (int i = 0; i < 64 && !p->spki; i++)
        chy_buf_add_byte(b, 0x11);
    add_hex(b, p->attrs ? p->attrs : "a000");
    chy_der_close(b, info);
    add_hex(b, p->alg ? p->alg : ECDSA);
    add_hex(b, p->signature ? p->signature : "030200ff");
    if (p->trailer) add_hex(b, p->trailer);
    chy_der_close(b, outer);
    if (p->behind) add_hex(b, p->behind);
    assert_false(b->failed);
}

static const struct {
    struct parts parts;
    chy_hresult code;
    const char *text;
} refusals[] = {
    {{.version = "020101"}, CHY_CRYPT_E_ASN1_BADPDU, "version is not 0"},
    {{.version = "02020000"}, CHY_CRYPT_E_ASN1_BADPDU, "version is not 0"},
    {{.version = "0400"}, CHY_CRYPT_E_ASN1_BADPDU, "version is not an INTEGER"},
    {{.subject = "3100"}, CHY_CRYPT_E_ASN1_BADPDU, "subject is not a Name"},
    {{.spki = "0500"}, CHY_CRYPT_E_ASN1_BADPDU, "subjectPKInfo is not a SEQUENCE"},
    {{.spki = "3000"}, CHY_CRYPT_E_ASN1_BADPDU, "algorithm is not a SEQUENCE"},
    {{.attrs = ""}, CHY_CRYPT_E_ASN1_BADPDU, "attributes are not one [0]"},
    {{.attrs = "a0000500"}, CHY_CRYPT_E_ASN1_BADPDU, "attributes are not one [0]"},
    {{.attrs = "a1000500"}, CHY_CRYPT_E_ASN1_BADPDU, "attributes are not one [0]"},
    {{.attrs = "a0020500"}, CHY_CRYPT_E_ASN1_BADPDU, "not an identifier and a SET"},
    {{.attrs = "a006300406022a03"}, CHY_CRYPT_E_ASN1_BADPDU, "not an identifier and a SET"},
    {{.attrs = "a008300606022a033000"}, CHY_CRYPT_E_ASN1_BADPDU, "not an identifier and a SET"},
    {{.attrs = "a008300606022a033100"}, CHY_CRYPT_E_ASN1_BADPDU, "attribute has no value"},
    {{.attrs = "a00b300906022a033103010101"}, CHY_CRYPT_E_ASN1_BADPDU, "are not DER"},
    {{.attrs = "a014"
               "300806022a0331020500"
               "300806022a0331020500"},
     CHY_CRYPT_E_ASN1_BADPDU,
     "attribute type is there twice"},
    {{.attrs = "a011"
               "300f" OID_EXT_REQ "31020500"},
     CHY_CRYPT_E_ASN1_BADPDU,
     "extensionRequest has not exactly one value"},
    {{.attrs = "a017"
               "3015" OID_EXT_REQ "3108"
               "3002"
               "0500"
               "3002"
               "0500"},
     CHY_CRYPT_E_ASN1_BADPDU,
     "extensionRequest has not exactly one value"},
    {{.attrs = "a03a"
               "301c" OID_EXT_REQ "310f"
               "300d" EXT_KU "301a" OID_MS_EXT "310c"
               "300a"
               "30080603551d0f040100"},
     CHY_CRYPT_E_ASN1_BADPDU,
     "one extension is requested twice"},
    {{.attrs = "a012"
               "3010" OID_PAIR "31020500"},
     CHY_CRYPT_E_ASN1_BADPDU,
     "not two BMPStrings"},
    {{.attrs = "a01a"
               "3018" OID_PAIR "310a"
               "3008"
               "1e020061"
               "0c026161"},
     CHY_CRYPT_E_ASN1_BADPDU,
     "not two BMPStrings"},
    {{.attrs = "a019"
               "3017" OID_PAIR "3109"
               "3007"
               "1e020061"
               "1e0161"},
     CHY_CRYPT_E_ASN1_BADPDU,
     "half a character"},
    {{.attrs = "a018"
               "3016" OID_PAIR "3108"
               "3006"
               "1e00"
               "1e020061"},
     CHY_CRYPT_E_ASN1_BADPDU,
     "empty name"},
    {{.alg = "0500"}, CHY_CRYPT_E_ASN1_BADPDU, "signatureAlgorithm is not a SEQUENCE"},
    {{.alg = "3000"}, CHY_CRYPT_E_ASN1_BADPDU, "signatureAlgorithm has no object identifier"},
    {{.alg = "300d06092a864886f70d0101050500"},
     CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
     "sha1WithRSAEncryption"},
    {{.alg = "300d06092a864886f70d0101040500"},
     CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
     "md5WithRSAEncryption"},
    {{.alg = "300906072a8648ce3d0401"}, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY, "ecdsaWithSHA1"},
    {{.alg = "300a06082a8648ce3d040301"}, CHY_E_INVALIDARG, "ecdsaWithSHA224"},
    {{.alg = "300406022a03"}, CHY_E_INVALIDARG, "1.2.3 (no name known)"},
    {{.signature = "0400"}, CHY_CRYPT_E_ASN1_BADPDU, "signature is not one BIT STRING"},
    {{.signature = "03020180"}, CHY_CRYPT_E_ASN1_BADPDU, "signature is not one BIT STRING"},
    {{.trailer = "0500"}, CHY_CRYPT_E_ASN1_BADPDU, "signature is not one BIT STRING"},
    {{.behind = "00"}, CHY_CRYPT_E_ASN1_BADPDU, "octets after its end (RFC 2986 4.2): 1"},
};

static void test_each_refusal(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 10000);
    for (size_t i = 0; i < CHY_ARRAY_LEN(refusals); i++) {
        struct chy_csr csr;
        struct chy_err err = {0};
        build(&refusals[i].parts, &b);
        chy_hresult hr = chy_csr_parse(chy_buf_span(&b), &csr, &err);
        if (hr != refusals[i].code || !strstr(err.text, refusals[i].text))
            fail_msg("case %zu: %08x \"%s\", not \"%s\"", i, (unsigned)hr, err.text,
                     refusals[i].text);
    }
    chy_buf_free(&b);
}

static void expect_parsed(const struct parts *p, struct chy_buf *b, struct chy_csr *csr)
{
    struct chy_err err = {0};
    build(p, b);
    if (chy_csr_parse(chy_buf_span(b), csr, &err) != CHY_S_OK) fail_msg("%s", err.text);
}

static void test_attributes_that_are_accepted(void **state)
{
    (void)state;
    struct chy_buf b;
    struct chy_csr csr;
    chy_buf_init(&b, 10000);
    expect_parsed(&(struct parts){0}, &b, &csr);
    assert_int_equal(csr.n_ext + csr.n_pairs + csr.has_challenge_password, 0);
    /* Both extension requests, of different extensions. */
    expect_parsed(&(struct parts){.attrs = "a03a"
                                           "301c" OID_EXT_REQ "310f"
                                           "300d" EXT_KU "301a" OID_MS_EXT "310c"
                                           "300a"
                                           "30080603551d11040100"},
                  &b, &csr);
    assert_int_equal(csr.n_ext, 2);
    assert_true(chy_span_eq(csr.ext[1].value, CHY_SPAN_STR("\x00")));
    /* Pairs: two in one attribute, a third in one of its own with an empty value. */
    expect_parsed(&(struct parts){.attrs = "a03c"
                                           "3022" OID_PAIR "3114"
                                           "3008"
                                           "1e020061"
                                           "1e020062"
                                           "3008"
                                           "1e020063"
                                           "1e020064"
                                           "3016" OID_PAIR "3108"
                                           "3006"
                                           "1e020065"
                                           "1e00"},
                  &b, &csr);
    assert_int_equal(csr.n_pairs, 3);
    assert_true(chy_span_eq(csr.pair[1].value, CHY_SPAN_STR("\x00"
                                                            "d")));
    assert_int_equal(csr.pair[2].value.n, 0);
    /* Unknown ones are passed over. */
    expect_parsed(&(struct parts){.attrs = "a00a"
                                           "300806022a0331020500"},
                  &b, &csr);
    chy_buf_free(&b);
}

static void test_counts_are_bounded(void **state)
{
    (void)state;
    struct chy_buf b, list;
    char hex[4096];
    chy_buf_init(&b, 10000);
    chy_buf_init(&list, 2000);
    for (int n = 64; n <= 65; n++) { /* attributes */
        struct chy_err err = {0};
        struct chy_csr csr;
        chy_buf_reset(&list);
        size_t mark = chy_der_open(&list, CHY_DER_CTX_C(0));
        for (int i = 0; i < n; i++) {
            size_t attribute = chy_der_open(&list, CHY_DER_SEQUENCE);
            const uint8_t oid[] = {CHY_DER_OID, 2, 0x2a, (uint8_t)i};
            chy_buf_add(&list, oid, sizeof(oid));
            add_hex(&list, "31020500");
            chy_der_close(&list, attribute);
        }
        chy_der_close(&list, mark);
        chy_hex_cstr(hex, chy_buf_span(&list));
        build(&(struct parts){.attrs = hex}, &b);
        chy_hresult hr = chy_csr_parse(chy_buf_span(&b), &csr, &err);
        assert_int_equal(hr, n == 64 ? CHY_S_OK : CHY_CRYPT_E_ASN1_BADPDU);
        if (n == 65) assert_non_null(strstr(err.text, "at most 64 attributes"));
    }
    for (int n = CHY_CSR_MAX_PAIRS; n <= CHY_CSR_MAX_PAIRS + 1; n++) {
        struct chy_err err = {0};
        struct chy_csr csr;
        chy_buf_reset(&list);
        size_t mark = chy_der_open(&list, CHY_DER_CTX_C(0));
        size_t attribute = chy_der_open(&list, CHY_DER_SEQUENCE);
        add_hex(&list, OID_PAIR);
        size_t set = chy_der_open(&list, CHY_DER_SET);
        for (int i = 0; i < n; i++)
            add_hex(&list, "30081e0200611e020062");
        chy_der_close(&list, set);
        chy_der_close(&list, attribute);
        chy_der_close(&list, mark);
        chy_hex_cstr(hex, chy_buf_span(&list));
        build(&(struct parts){.attrs = hex}, &b);
        chy_hresult hr = chy_csr_parse(chy_buf_span(&b), &csr, &err);
        assert_int_equal(hr, n == CHY_CSR_MAX_PAIRS ? CHY_S_OK : CHY_CRYPT_E_ASN1_BADPDU);
        if (CHY_FAILED(hr)) assert_non_null(strstr(err.text, "at most 32 name/value pairs"));
    }
    chy_buf_free(&b);
    chy_buf_free(&list);
}

static void test_extension_count_is_bounded_over_both_lists(void **state)
{
    (void)state;
    struct chy_buf b, list;
    struct chy_err err = {0};
    struct chy_csr csr;
    char hex[8192];
    chy_buf_init(&b, 10000);
    chy_buf_init(&list, 4000);
    size_t mark = chy_der_open(&list, CHY_DER_CTX_C(0));
    for (int half = 0; half < 2; half++) {
        size_t attribute = chy_der_open(&list, CHY_DER_SEQUENCE);
        add_hex(&list, half ? OID_MS_EXT : OID_EXT_REQ);
        size_t set = chy_der_open(&list, CHY_DER_SET), seq = chy_der_open(&list, CHY_DER_SEQUENCE);
        for (int i = 0; i < 33; i++) {
            const uint8_t ext[] = {0x30, 7, 6, 2, 0x2a, (uint8_t)(half * 40 + i), 4, 1, 0};
            chy_buf_add(&list, ext, sizeof(ext));
        }
        chy_der_close(&list, seq);
        chy_der_close(&list, set);
        chy_der_close(&list, attribute);
    }
    chy_der_close(&list, mark);
    chy_hex_cstr(hex, chy_buf_span(&list));
    build(&(struct parts){.attrs = hex}, &b);
    assert_int_equal(chy_csr_parse(chy_buf_span(&b), &csr, &err), CHY_CRYPT_E_ASN1_BADPDU);
    assert_non_null(strstr(err.text, "at most 64 extensions"));
    chy_buf_free(&b);
    chy_buf_free(&list);
}

/* ---- transport forms ---- */

static void expect_der(const char *text, size_t n, const uint8_t *der, size_t der_n)
{
    struct chy_buf out;
    struct chy_err err = {0};
    chy_buf_init(&out, CHY_CSR_MAX);
    if (chy_csr_to_der(chy_span_of(text, n), &out, &err) != CHY_S_OK) fail_msg("%s", err.text);
    assert_int_equal(out.n, der_n);
    assert_memory_equal(out.p, der, der_n);
    chy_buf_free(&out);
}

static void test_transport_forms(void **state)
{
    static const char *const labels[] = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"};
    (void)state;
    uint8_t der[2048];
    struct chy_buf text;
    EVP_PKEY *key = make_key("p256");
    size_t n = openssl_csr(key, EVP_sha256(), der);
    chy_buf_init(&text, 10000);
    chy_buf_add(&text, der, n);
    expect_der((const char *)text.p, text.n, der, n);
    for (size_t i = 0; i < 2; i++) {
        chy_buf_reset(&text);
        chy_buf_add_str(&text, "Subject: a.test\r\n");
        chy_pem_add(&text, labels[i], chy_span_of(der, n));
        expect_der((const char *)text.p, text.n, der, n);
    }
    for (size_t line = 0; line <= 64; line += 64) {
        chy_buf_reset(&text);
        chy_buf_add_str(&text, "\r\n");
        chy_base64_add(&text, chy_span_of(der, n), line);
        chy_buf_add_str(&text, "\n");
        expect_der((const char *)text.p, text.n, der, n);
    }
    chy_buf_free(&text);
    EVP_PKEY_free(key);
}

static void test_transport_refusals(void **state)
{
    static const struct {
        const char *in, *text;
    } cases[] = {
        {"", "it is empty"},
        {" \n", "it is empty"},
        {"hello, world", "neither DER nor PEM nor base64"},
        {"aGVsbG8=", "not a DER SEQUENCE"},
        {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "PEM without"},
        {"-----BEGIN CERTIFICATE REQUEST-----\naGVsbG8=\n-----END CERTIFICATE REQUEST-----\n",
         "not a DER SEQUENCE"},
        {"-----BEGIN CERTIFICATE REQUEST-----\n!\n-----END CERTIFICATE REQUEST-----\n", "request"},
    };
    (void)state;
    struct chy_buf out;
    chy_buf_init(&out, CHY_CSR_MAX);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        struct chy_err err = {0};
        assert_true(CHY_FAILED(chy_csr_to_der(chy_span_cstr(cases[i].in), &out, &err)));
        if (!strstr(err.text, cases[i].text)) fail_msg("case %zu: %s", i, err.text);
    }
    chy_buf_free(&out);
}

static void test_size_is_bounded(void **state)
{
    static uint8_t big[2 * CHY_CSR_MAX + 1];
    (void)state;
    struct chy_csr csr;
    struct chy_buf out;
    struct chy_err err = {0};
    memset(big, 0x30, sizeof(big));
    assert_int_equal(chy_csr_parse(chy_span_of(big, CHY_CSR_MAX + 1), &csr, &err),
                     CHY_CRYPT_E_ASN1_BADPDU);
    assert_non_null(strstr(err.text, "at most 65536 octets: 65537"));
    chy_err_clear(&err);
    chy_buf_init(&out, CHY_CSR_MAX);
    assert_int_equal(chy_csr_to_der(CHY_SPAN(big), &out, &err), CHY_CRYPT_E_ASN1_BADPDU);
    assert_non_null(strstr(err.text, "at most 65536 octets: 131073"));
    assert_true(CHY_FAILED(chy_csr_to_der(chy_span_of(big, CHY_CSR_MAX + 1), &out, NULL)));
    chy_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openssl_requests_verify),
        cmocka_unit_test(test_every_flipped_octet_is_refused),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_each_refusal),
        cmocka_unit_test(test_attributes_that_are_accepted),
        cmocka_unit_test(test_counts_are_bounded),
        cmocka_unit_test(test_extension_count_is_bounded_over_both_lists),
        cmocka_unit_test(test_transport_forms),
        cmocka_unit_test(test_transport_refusals),
        cmocka_unit_test(test_size_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
