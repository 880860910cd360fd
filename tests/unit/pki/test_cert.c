/* Certificates, taken apart and put together. RFC 5280 4.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "pki/cert.h"
#include "unit/pki/der_notation.h"

/* ---- refusals: one part of a good certificate exchanged for another ---- */

enum slot { VERSION, SERIAL, ALG, ISSUER, VALIDITY, SUBJECT, KEY, UNIQUE, EXTENSIONS, SLOTS };

#define ECDSA_SHA256 "30{06{2a8648ce3d040302}}"
#define NAME(text) "30{31{30{06{550403}0c{" text "}}}}"
#define ED25519                                                                                    \
    "30{30{06{2b6570}}03{00ab7182a7ef56f5582ee2cd3baabb28eae298ef8ab7240075fcb4047957509144}}"
#define BEFORE "17{'260101000000Z'}"
#define AFTER "17{'270101000000Z'}"
#define EXT_BC "30{06{551d13}0101ff04{3000}}"

static const char *const good[SLOTS] = {
    [VERSION] = "a0{020102}",
    [SERIAL] = "0203010203",
    [ALG] = ECDSA_SHA256,
    [ISSUER] = NAME("'CA'"),
    [VALIDITY] = "30{" BEFORE AFTER "}",
    [SUBJECT] = NAME("'x'"),
    [KEY] = ED25519,
    [UNIQUE] = "",
    [EXTENSIONS] = "a3{30{" EXT_BC "}}",
};

static void build_tbs(struct chy_buf *out, enum slot slot, const char *other)
{
    chy_buf_init(out, 100000);
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    for (int i = 0; i < SLOTS; i++)
        der(out, i == (int)slot ? other : good[i]);
    chy_der_close(out, mark);
}

static chy_hresult parse_with(enum slot slot, const char *other, struct chy_cert *cert,
                              struct chy_err *err)
{
    struct chy_buf tbs;
    build_tbs(&tbs, slot, other);
    uint8_t *alone = malloc(tbs.n);
    assert_non_null(alone);
    memcpy(alone, tbs.p, tbs.n);
    chy_hresult hr = chy_cert_parse_tbs(chy_span_of(alone, tbs.n), cert, err);
    free(alone);
    chy_buf_free(&tbs);
    return hr;
}

static const struct refusal {
    enum slot slot;
    const char *with, *fault;
} refusals[] = {
    {VERSION, "a0{020100}", "malformed version"},
    {VERSION, "a0{020103}", "malformed version"},
    {VERSION, "a0{02020002}", "malformed version"},
    {VERSION, "a0{0201020500}", "malformed version"},
    {VERSION, "a0{040102}", "malformed version"},
    {VERSION, "a005", "malformed version"},
    {SERIAL, "", "malformed serial number"},
    {SERIAL, "0200", "malformed serial number"},
    {SERIAL, "02020001", "malformed serial number"},
    {SERIAL, "0a0101", "malformed serial number"},
    {ALG, "31{06{2a8648ce3d040302}}", "malformed signature algorithm"},
    {ALG, "30{}", "malformed signature algorithm"},
    {ALG, "30{06{}}", "malformed signature algorithm"},
    {ALG, "30{06{80}}", "malformed signature algorithm"},
    {ALG, "30{0500}", "malformed signature algorithm"},
    {ALG, "30{06{2a03}05000500}", "malformed signature algorithm"},
    {ALG, "30{06{2a03}0501}", "malformed signature algorithm"},
    {ALG, "30{06{2a03}3080}", "malformed signature algorithm"},
    {ISSUER, "30{31{}}", "an RDN is empty"},
    {ISSUER, "0c{'CA'}", "name (RFC 5280 4.1.2.4): not one SEQUENCE"},
    {VALIDITY, "31{" BEFORE AFTER "}", "malformed validity"},
    {VALIDITY, "30{" BEFORE "}", "malformed validity"},
    {VALIDITY, "30{" BEFORE AFTER AFTER "}", "malformed validity"},
    {VALIDITY, "30{" BEFORE "04{'270101000000Z'}}", "malformed validity"},
    {VALIDITY, "30{" BEFORE "17{'270101000000+0100'}}", "malformed validity"},
    {VALIDITY, "30{" BEFORE "17{'2701010000Z'}}", "malformed validity"},
    {VALIDITY, "30{" BEFORE "17{'270230000000Z'}}", "malformed validity"},
    {VALIDITY, "30{17{'261301000000Z'}" AFTER "}", "malformed validity"},
    {VALIDITY, "30{" BEFORE "18{'20270101000000.5Z'}}", "malformed validity"},
    {SUBJECT, "30{31{30{06{550403}0c{}}}}", "an attribute is empty"},
    {KEY, "30{}", "public key"},
    {UNIQUE, "8100", "malformed unique identifiers"},
    {UNIQUE, "810108", "malformed unique identifiers"},
    {UNIQUE, "82020301", "malformed unique identifiers"},
    {UNIQUE, "8102", "malformed unique identifiers"},
    {EXTENSIONS, "a3{}", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "a3{30{" EXT_BC "}}0500", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "a3{30{" EXT_BC "}0500}", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "a4{30{" EXT_BC "}}", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "80020000", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "a3{31{" EXT_BC "}}", "extensions (RFC 5280 4.2): not one SEQUENCE"},
    {EXTENSIONS, "a3{30{}}", "extensions (RFC 5280 4.2): the list is empty"},
    {EXTENSIONS, "a3{30{" EXT_BC EXT_BC "}}", "extensions (RFC 5280 4.2): one stands twice"},
};

static void test_refusals_of_the_part_that_is_signed(void **state)
{
    static struct chy_cert cert;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(refusals); i++) {
        struct chy_err err = {0};
        chy_hresult hr = parse_with(refusals[i].slot, refusals[i].with, &cert, &err);
        if (hr == CHY_S_OK || hr != err.code || !strstr(err.text, refusals[i].fault))
            fail_msg("row %zu: %s", i, err.text);
    }
}

static void test_cut_anywhere(void **state)
{
    static struct chy_cert cert;
    struct chy_buf tbs;
    (void)state;
    build_tbs(&tbs, SLOTS, NULL);
    for (size_t n = 0; n < tbs.n; n++) {
        struct chy_err err = {0};
        assert_int_equal(chy_cert_parse_tbs(chy_span_of(tbs.p, n), &cert, &err),
                         CHY_CRYPT_E_ASN1_BADPDU);
        assert_string_equal(err.text, "certificate (RFC 5280 4.1): not one SEQUENCE");
    }
    struct chy_err err = {0};
    assert_int_equal(chy_cert_parse_tbs(chy_buf_span(&tbs), &cert, &err), CHY_S_OK);
    chy_buf_free(&tbs);
}

static void test_versions(void **state)
{
    static const char v2[] =
        "a0{020101}0203010203" ECDSA_SHA256 NAME("'CA'") "30{" BEFORE AFTER "}" NAME("'x'") ED25519
        "81020780";
    static const char v1[] =
        "0203010203" ECDSA_SHA256 NAME("'CA'") "30{" BEFORE AFTER "}" NAME("'x'") ED25519;
    static const struct {
        const char *fields, *more, *fault;
        int version;
    } rows[] = {{v1, "", NULL, 1},
                {v2, "", NULL, 2},
                {v1, "81020780", "malformed unique identifiers", 1},
                {v1, "a3{30{" EXT_BC "}}", "malformed extensions", 1},
                {v2, "a3{30{" EXT_BC "}}", "malformed extensions", 2}};
    static struct chy_cert cert;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_buf tbs;
        chy_buf_init(&tbs, 4096);
        size_t mark = chy_der_open(&tbs, CHY_DER_SEQUENCE);
        der(&tbs, rows[i].fields);
        der(&tbs, rows[i].more);
        chy_der_close(&tbs, mark);
        chy_hresult hr = chy_cert_parse_tbs(chy_buf_span(&tbs), &cert, &err);
        assert_int_equal(hr, rows[i].fault ? CHY_CRYPT_E_ASN1_BADPDU : CHY_S_OK);
        assert_int_equal(cert.version, rows[i].version);
        assert_int_equal(cert.n_ext, 0);
        if (rows[i].fault) assert_non_null(strstr(err.text, rows[i].fault));
        chy_buf_free(&tbs);
    }
}

static void test_refusals_of_the_whole(void **state)
{
    static const struct {
        const char *alg, *signature, *behind, *fault;
    } rows[] = {
        {ECDSA_SHA256, "03{00aabb}", "", NULL},
        {ECDSA_SHA256, "03{00aabb}", "00", "not one SEQUENCE"},
        {ECDSA_SHA256, "04{00aabb}", "", "not tbsCertificate, algorithm and signature"},
        {ECDSA_SHA256, "03{00aabb}0500", "", "not tbsCertificate, algorithm and signature"},
        {ECDSA_SHA256, "", "", "not tbsCertificate, algorithm and signature"},
        {"30{06{2a8648ce3d040303}}", "03{00aabb}", "", "the two signature algorithms differ"},
        {"30{06{2a8648ce3d040302}0500}", "03{00aabb}", "", "the two signature algorithms differ"},
        {ECDSA_SHA256, "0300", "", "malformed signature"},
        {ECDSA_SHA256, "03{04aab0}", "", "malformed signature"},
        {ECDSA_SHA256, "03{08aabb}", "", "malformed signature"},
    };
    static struct chy_cert cert;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_buf tbs, b;
        build_tbs(&tbs, SLOTS, NULL);
        chy_buf_init(&b, 4096);
        size_t mark = chy_der_open(&b, CHY_DER_SEQUENCE);
        chy_buf_add_span(&b, chy_buf_span(&tbs));
        der(&b, rows[i].alg);
        der(&b, rows[i].signature);
        chy_der_close(&b, mark);
        der(&b, rows[i].behind);
        chy_hresult hr = chy_cert_parse(chy_buf_span(&b), &cert, &err);
        if (rows[i].fault) {
            if (hr != CHY_CRYPT_E_ASN1_BADPDU || !strstr(err.text, rows[i].fault))
                fail_msg("row %zu: %s", i, err.text);
        } else {
            assert_int_equal(hr, CHY_S_OK);
            assert_true(chy_span_eq(cert.signature, CHY_SPAN_STR("\xaa\xbb")));
            assert_true(chy_span_eq(cert.tbs, chy_buf_span(&tbs)));
            assert_true(chy_span_eq(cert.der, chy_buf_span(&b)));
        }
        chy_buf_free(&tbs);
        chy_buf_free(&b);
    }
}

static void test_too_long(void **state)
{
    static uint8_t zeros[CHY_CERT_MAX - 3];
    static struct chy_cert cert;
    struct chy_err err = {0};
    struct chy_buf b;
    (void)state;
    chy_buf_init(&b, 2 * CHY_CERT_MAX);
    chy_der_add(&b, CHY_DER_SEQUENCE, CHY_SPAN(zeros));
    assert_int_equal(b.n, CHY_CERT_MAX + 1);
    assert_int_equal(chy_cert_parse_tbs(chy_buf_span(&b), &cert, &err), CHY_CRYPT_E_ASN1_BADPDU);
    assert_non_null(strstr(err.text, "longer than 65536 octets"));
    chy_buf_free(&b);
}

/* ---- building: what OpenSSL says of the same certificate ---- */

struct sample {
    EVP_PKEY *key;
    struct chy_buf name, spki, tbs, cert;
    struct chy_ext ext[2];
    struct chy_cert_parts parts;
    const struct chy_sig_alg *alg;
};

static int make_sample(void **state)
{
    static struct sample s;
    struct chy_err err = {0};
    unsigned char *p = NULL;
    s.key = EVP_EC_gen("P-256");
    s.alg = chy_sig_alg_for_key(s.key, NULL, &err);
    int n = i2d_PUBKEY(s.key, &p);
    if (n <= 0 || !s.alg) return -1;
    chy_buf_init(&s.name, 256);
    chy_buf_init(&s.spki, 256);
    chy_buf_init(&s.tbs, 4096);
    chy_buf_init(&s.cert, 4096);
    chy_buf_add(&s.spki, p, (size_t)n);
    OPENSSL_free(p);
    if (chy_name_from_text("CN=x,C=DE", &s.name, &err) != CHY_S_OK) return -1;
    s.ext[0] = (struct chy_ext){chy_oid_basic_constraints, true, CHY_SPAN_STR("\x30\x00")};
    s.ext[1] = (struct chy_ext){chy_oid_subject_key_id, false, CHY_SPAN_STR("\x04\x02\x01\x02")};
    s.parts = (struct chy_cert_parts){.serial = CHY_SPAN_STR("\x00\xff\x01"),
                                      .sig_alg = s.alg->der,
                                      .issuer = chy_buf_span(&s.name),
                                      .subject = chy_buf_span(&s.name),
                                      .spki = chy_buf_span(&s.spki),
                                      .ext = s.ext,
                                      .n_ext = 2};
    chy_time_parse("2049-12-31T23:59:59Z", &s.parts.not_before);
    chy_time_parse("2050-01-01T00:00:00Z", &s.parts.not_after);
    *state = &s;
    return 0;
}

static int free_sample(void **state)
{
    struct sample *s = *state;
    EVP_PKEY_free(s->key);
    chy_buf_free(&s->name);
    chy_buf_free(&s->spki);
    chy_buf_free(&s->tbs);
    chy_buf_free(&s->cert);
    return 0;
}

static void sign(struct sample *s)
{
    unsigned char signature[128];
    size_t n = sizeof(signature);
    struct chy_err err = {0};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(chy_cert_build_tbs(&s->parts, &s->tbs, &err), CHY_S_OK);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &n, s->tbs.p, s->tbs.n), 1);
    assert_int_equal(chy_cert_assemble(chy_buf_span(&s->tbs), s->alg->der,
                                       chy_span_of(signature, n), &s->cert, &err),
                     CHY_S_OK);
    EVP_MD_CTX_free(ctx);
}

/* The fields that OpenSSL reads, written by OpenSSL anew, are the octets that we wrote. */
static void test_openssl_writes_the_same(void **state)
{
    struct sample *s = *state;
    unsigned char *tbs = NULL, *whole = NULL;
    sign(s);
    const unsigned char *p = s->cert.p;
    X509 *x = d2i_X509(NULL, &p, (long)s->cert.n);
    assert_non_null(x);
    assert_ptr_equal(p, s->cert.p + s->cert.n);
    assert_int_equal(X509_verify(x, s->key), 1);
    assert_int_equal(X509_get_version(x), 2);
    assert_int_equal(X509_get_ext_count(x), 2);
    X509_EXTENSION *skid = X509_EXTENSION_dup(X509_get_ext(x, 1));
    X509_EXTENSION_free(X509_delete_ext(x, 1));
    assert_int_equal(X509_add_ext(x, skid, 1), 1);
    int n = i2d_re_X509_tbs(x, &tbs);
    assert_true(n > 0 && chy_span_eq(chy_buf_span(&s->tbs), chy_span_of(tbs, (size_t)n)));
    n = i2d_X509(x, &whole);
    assert_true(n > 0 && chy_span_eq(chy_buf_span(&s->cert), chy_span_of(whole, (size_t)n)));
    X509_EXTENSION_free(skid);
    OPENSSL_free(tbs);
    OPENSSL_free(whole);
    X509_free(x);
}

static void test_times_change_form_in_2050(void **state)
{
    static const char validity[] = "\x30\x20\x17\x0d"
                                   "491231235959Z\x18\x0f"
                                   "20500101000000Z";
    struct sample *s = *state;
    struct chy_cert_parts parts = s->parts;
    struct chy_err err = {0};
    struct chy_buf b;
    assert_non_null(memmem(s->tbs.p, s->tbs.n, validity, sizeof(validity) - 1));
    chy_buf_init(&b, 4096);
    chy_time_parse("9999-12-31T23:59:59Z", &parts.not_after);
    parts
        .not_after++; /* whatever is behind the second does not count, and there is no year 10000 */
    assert_int_equal(chy_cert_build_tbs(&parts, &b, &err), CHY_S_OK);
    assert_non_null(memmem(b.p, b.n,
                           "\x18\x0f"
                           "99991231235959Z",
                           17));
    chy_buf_reset(&b);
    parts.not_after += CHY_US_PER_S;
    assert_true(CHY_FAILED(chy_cert_build_tbs(&parts, &b, &err)));
    chy_buf_free(&b);
}

static void test_what_is_read_again(void **state)
{
    static struct chy_cert cert;
    struct sample *s = *state;
    struct chy_err err = {0};
    assert_int_equal(chy_cert_parse(chy_buf_span(&s->cert), &cert, &err), CHY_S_OK);
    assert_int_equal(cert.version, 3);
    assert_true(chy_span_eq(cert.serial, s->parts.serial));
    assert_true(chy_span_eq(cert.sig_alg_der, s->alg->der));
    assert_ptr_equal(cert.sig_alg, s->alg);
    assert_true(chy_span_eq(cert.issuer.der, s->parts.issuer));
    assert_true(chy_span_eq(cert.subject.der, s->parts.subject));
    assert_int_equal(cert.subject.n, 2);
    assert_true(cert.not_before == s->parts.not_before);
    assert_true(cert.not_after == s->parts.not_after);
    assert_int_equal(cert.key.kind, CHY_KEY_EC);
    assert_int_equal(cert.n_ext, 2);
    const struct chy_ext *bc = chy_cert_find_ext(&cert, chy_oid_basic_constraints);
    const struct chy_ext *skid = chy_cert_find_ext(&cert, chy_oid_subject_key_id);
    assert_true(bc && bc->critical && chy_span_eq(bc->value, s->ext[0].value));
    assert_true(skid && !skid->critical && chy_span_eq(skid->value, s->ext[1].value));
    assert_null(chy_cert_find_ext(&cert, chy_oid_key_usage));
}

static void test_building_without_room(void **state)
{
    struct sample *s = *state;
    struct chy_err err = {0};
    struct chy_buf b;
    chy_buf_init(&b, 100);
    assert_int_not_equal(chy_cert_build_tbs(&s->parts, &b, &err), CHY_S_OK);
    assert_non_null(strstr(err.text, "certificate"));
    chy_buf_reset(&b);
    err = (struct chy_err){0};
    assert_int_not_equal(
        chy_cert_assemble(chy_buf_span(&s->tbs), s->alg->der, CHY_SPAN_STR("x"), &b, &err),
        CHY_S_OK);
    assert_non_null(strstr(err.text, "certificate"));
    chy_buf_free(&b);
    /* no extensions, no [3] */
    struct chy_cert_parts parts = s->parts;
    static struct chy_cert cert;
    parts.n_ext = 0;
    chy_buf_init(&b, 4096);
    err = (struct chy_err){0};
    assert_int_equal(chy_cert_build_tbs(&parts, &b, &err), CHY_S_OK);
    assert_int_equal(chy_cert_parse_tbs(chy_buf_span(&b), &cert, &err), CHY_S_OK);
    assert_int_equal(cert.n_ext, 0);
    assert_memory_equal(b.p + b.n - s->spki.n, s->spki.p, s->spki.n);
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_of_the_part_that_is_signed),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_refusals_of_the_whole),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_openssl_writes_the_same),
        cmocka_unit_test(test_times_change_form_in_2050),
        cmocka_unit_test(test_what_is_read_again),
        cmocka_unit_test(test_building_without_room),
    };
    return cmocka_run_group_tests(tests, make_sample, free_sample);
}
