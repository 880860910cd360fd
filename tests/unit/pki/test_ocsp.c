/* OCSP: requests of OpenSSL and refusals, responses octet by octet and judged by OpenSSL.
 * RFC 6960, 9654. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "pki/ocsp.h"
#include "unit/pki/der_expected.h"

#define X4(x) x x x x
#define SHA1_20 X4("0102030405")
#define SHA256_32 X4("0102030405060708")
#define ALG1 "30{06{2b0e03021a}0500}"
#define ALG256 "30{06{608648016503040201}0500}"
#define ID(alg, name, key, serial) "30{" alg "04{" name "}04{" key "}02{" serial "}}"
#define ID1 ID(ALG1, SHA1_20, SHA1_20, "7f01")
#define ID256 ID(ALG256, SHA256_32, SHA256_32, "00ff")
#define ONE "30{" ID1 "}"
#define EXT(oid, critical, value) "30{06{" oid "}" critical "04{" value "}}"
#define PKIX_OCSP "2b060105050730"
#define NONCE(value) EXT(PKIX_OCSP "0102", "", value)
#define CRIT "0101ff"

enum { SMALL = 1 << 17 };

static void make(struct chy_buf *b, const char *text)
{
    chy_buf_init(b, SMALL);
    der(b, text);
    assert_false(b->failed);
}

/* ---- requests ---- */

static void test_requests_that_are_read(void **state)
{
    static const struct {
        const char *der;
        size_t n, nonce;
        bool has_signature, unknown_critical;
        enum chy_ocsp_hash hash;
    } rows[] = {
        {"30{30{30{" ONE "}}}", 1, 0, false, false, CHY_OCSP_SHA1},
        {"30{30{30{30{" ID256 "}}}}", 1, 0, false, false, CHY_OCSP_SHA256},
        {"30{30{30{" ONE ONE ONE "}}}", 3, 0, false, false, CHY_OCSP_SHA1},
        {"30{30{30{30{" ID("30{06{2b0e03021a}}", SHA1_20, SHA1_20, "01") "}}}}", 1, 0, false, false,
         CHY_OCSP_SHA1},
        {"30{30{30{30{" ID("30{06{2a03}30{0201010500}}", "01", "", "80") "}}}}", 1, 0, false, false,
         CHY_OCSP_HASH_OTHER},
        {"30{30{30{" ONE "}a2{30{" NONCE("04{aa}") "}}}}", 1, 1, false, false, CHY_OCSP_SHA1},
        {"30{30{30{" ONE "}a2{30{" NONCE("04{" X4(SHA256_32) "}") "}}}}", 1, 128, false, false,
         CHY_OCSP_SHA1},
        {"30{30{a1{82{'me'}}30{" ONE "}}}", 1, 0, false, false, CHY_OCSP_SHA1},
        {"30{30{a1{a4{30{31{30{06{550403}0c{'x'}}}}}}30{" ONE "}}a0{30{30{06{2a03}}03{00aa}}}}", 1,
         0, true, false, CHY_OCSP_SHA1},
        {"30{30{30{" ONE "}}a0{30{30{06{2a03}}03{00aa}a0{30{30{}30{0500}}}}}}", 1, 0, true, false,
         CHY_OCSP_SHA1},
        {"30{30{30{" ONE "}a2{30{" EXT("2a03", CRIT, "0500") "}}}}", 1, 0, false, true,
         CHY_OCSP_SHA1},
        {"30{30{30{" ONE "}a2{30{" EXT("2a03", "", "0500") "}}}}", 1, 0, false, false,
         CHY_OCSP_SHA1},
        {"30{30{30{" ONE "}a2{30{" EXT(PKIX_OCSP "0104", CRIT, "3000") "}}}}", 1, 0, false, false,
         CHY_OCSP_SHA1},
        {"30{30{30{30{" ID1 "a0{30{" EXT("2a03", "", "0500") "}}}}}}", 1, 0, false, false,
         CHY_OCSP_SHA1},
        {"30{30{30{30{" ID1 "a0{30{" EXT(PKIX_OCSP "0102", CRIT, "0500") "}}}}}}", 1, 0, false,
         true, CHY_OCSP_SHA1},
    };
    static struct chy_ocsp_request r;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_buf b;
        make(&b, rows[i].der);
        if (chy_ocsp_request_parse(chy_buf_span(&b), &r, &err) != CHY_S_OK)
            fail_msg("row %zu: %s", i, err.text);
        assert_int_equal(r.n, rows[i].n);
        assert_int_equal(r.has_nonce, rows[i].nonce != 0);
        assert_int_equal(r.nonce.n, rows[i].nonce);
        assert_int_equal(r.has_signature, rows[i].has_signature);
        assert_int_equal(r.unknown_critical, rows[i].unknown_critical);
        assert_int_equal(r.id[0].hash, rows[i].hash);
        chy_buf_free(&b);
    }
}

static const struct {
    const char *der, *fault;
} refusals[] = {
    {"", "not one SEQUENCE"},
    {"31{}", "not one SEQUENCE"},
    {"30{30{30{" ONE "}}}00", "not one SEQUENCE"},
    {"30{}", "no tbsRequest"},
    {"30{31{30{" ONE "}}}", "no tbsRequest"},
    {"30{30{a0{020100}30{" ONE "}}}", "a version is written out"},
    {"30{30{a0{020101}30{" ONE "}}}", "a version is written out"},
    {"30{30{a1{}30{" ONE "}}}", "malformed requestorName"},
    {"30{30{a1{04{'me'}}30{" ONE "}}}", "malformed requestorName"},
    {"30{30{a1{8900}30{" ONE "}}}", "malformed requestorName"},
    {"30{30{a1{82008200}30{" ONE "}}}", "malformed requestorName"},
    {"30{30{a1{a4{3005}}30{" ONE "}}}", "malformed requestorName"},
    {"30{30{}}", "no list of requests"},
    {"30{30{30{}}}", "the list of requests is empty"},
    {"30{30{30{0500}}}", "one request is no SEQUENCE"},
    {"30{30{30{30{}}}}", "malformed CertID"},
    {"30{30{30{30{" ID("30{}", SHA1_20, SHA1_20, "01") "}}}}", "malformed CertID"},
    {"30{30{30{30{" ID("30{06{80}}", SHA1_20, SHA1_20, "01") "}}}}", "malformed CertID"},
    {"30{30{30{30{" ID("30{06{2b0e03021a}0400}", SHA1_20, SHA1_20, "01") "}}}}",
     "malformed CertID"},
    {"30{30{30{30{" ID("30{06{2b0e03021a}0501}", SHA1_20, SHA1_20, "01") "}}}}",
     "malformed CertID"},
    {"30{30{30{30{" ID("30{06{2b0e03021a}05000500}", SHA1_20, SHA1_20, "01") "}}}}",
     "malformed CertID"},
    {"30{30{30{30{" ID("30{06{2a03}0501}", "", "", "01") "}}}}", "malformed CertID"},
    {"30{30{30{30{" ID(ALG1, SHA256_32, SHA1_20, "01") "}}}}", "malformed CertID"},
    {"30{30{30{30{" ID(ALG1, SHA1_20, "", "01") "}}}}", "malformed CertID"},
    {"30{30{30{30{" ID(ALG256, SHA1_20, SHA1_20, "01") "}}}}", "malformed CertID"},
    {"30{30{30{30{" ID(ALG1, SHA1_20, SHA1_20, "") "}}}}", "malformed CertID"},
    {"30{30{30{30{" ID(ALG1, SHA1_20, SHA1_20, "0001") "}}}}", "malformed CertID"},
    {"30{30{30{30{" ID(ALG1, SHA1_20, SHA1_20, "ff80") "}}}}", "malformed CertID"},
    {"30{30{30{30{30{" ALG1 "04{" SHA1_20 "}04{" SHA1_20 "}0201010500}}}}}", "malformed CertID"},
    {"30{30{30{30{" ID1 "0500}}}}", "octets behind a CertID"},
    {"30{30{30{30{" ID1 "a0{}}}}}", "malformed extensions"},
    {"30{30{30{30{" ID1 "a0{30{}}}}}}", "the list is empty"},
    {"30{30{30{30{" ID1 "a0{30{" EXT("2a03", "", "") "}0500}}}}}", "malformed extensions"},
    {"30{30{30{" ONE "}0500}}", "octets behind the list of requests"},
    {"30{30{30{" ONE "}a2{}}}", "malformed extensions"},
    {"30{30{30{" ONE "}a2{31{}}}}", "not one SEQUENCE"},
    {"30{30{30{" ONE "}a2{30{" EXT("2a03", "010100", "") "}}}}", "although it is FALSE"},
    {"30{30{30{" ONE "}a2{30{" NONCE("04{aa}") NONCE("04{aa}") "}}}}", "one stands twice"},
    {"30{30{30{" ONE "}a2{30{" NONCE("") "}}}}", "the nonce is no OCTET STRING"},
    {"30{30{30{" ONE "}a2{30{" NONCE("0400") "}}}}", "the nonce is no OCTET STRING"},
    {"30{30{30{" ONE "}a2{30{" NONCE(SHA1_20) "}}}}", "the nonce is no OCTET STRING"},
    {"30{30{30{" ONE "}a2{30{" NONCE("04{aa}00") "}}}}", "the nonce is no OCTET STRING"},
    {"30{30{30{" ONE "}a2{30{" NONCE("04{" X4(SHA256_32) "aa}") "}}}}",
     "the nonce is no OCTET STRING"},
    {"30{30{30{" ONE "}}0500}", "malformed signature, or octets behind it"},
    {"30{30{30{" ONE "}}a0{}}", "malformed signature, or octets behind it"},
    {"30{30{30{" ONE "}}a0{30{}}}", "malformed signature, or octets behind it"},
    {"30{30{30{" ONE "}}a0{30{30{}03{00aa}}}}", "malformed signature, or octets behind it"},
    {"30{30{30{" ONE "}}a0{30{30{06{2a03}}04{00aa}}}}", "malformed signature, or octets behind it"},
    {"30{30{30{" ONE "}}a0{30{30{06{2a03}}03{09aa}}}}", "malformed signature, or octets behind it"},
    {"30{30{30{" ONE "}}a0{30{30{06{2a03}}03{00aa}a0{}}}}",
     "malformed signature, or octets behind it"},
    {"30{30{30{" ONE "}}a0{30{30{06{2a03}}03{00aa}a0{30{0500}}}}}",
     "malformed signature, or octets behind it"},
    {"30{30{30{" ONE "}}a0{30{30{06{2a03}}03{00aa}}0500}}",
     "malformed signature, or octets behind it"},
};

static void test_refusals(void **state)
{
    static struct chy_ocsp_request r;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(refusals); i++) {
        struct chy_err err = {0};
        struct chy_buf b;
        make(&b, refusals[i].der);
        chy_hresult hr = chy_ocsp_request_parse(chy_buf_span(&b), &r, &err);
        if (hr == CHY_S_OK || hr != err.code || !strstr(err.text, refusals[i].fault))
            fail_msg("row %zu: %s", i, err.text);
        chy_buf_free(&b);
    }
}

static chy_hresult ask(size_t n, size_t padding, struct chy_ocsp_request *r, struct chy_err *err)
{
    struct chy_buf b;
    chy_buf_init(&b, SMALL);
    size_t whole = chy_der_open(&b, CHY_DER_SEQUENCE), tbs = chy_der_open(&b, CHY_DER_SEQUENCE);
    if (padding) {
        size_t tag = chy_der_open(&b, CHY_DER_CTX_C(1));
        uint8_t *name = calloc(1, padding);
        chy_der_add(&b, CHY_DER_CTX(2), chy_span_of(name, padding));
        free(name);
        chy_der_close(&b, tag);
    }
    size_t list = chy_der_open(&b, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < n; i++)
        der(&b, ONE);
    chy_der_close(&b, list);
    chy_der_close(&b, tbs);
    chy_der_close(&b, whole);
    chy_hresult hr = chy_ocsp_request_parse(chy_buf_span(&b), r, err);
    chy_buf_free(&b);
    return hr;
}

static void test_bounds(void **state)
{
    static struct chy_ocsp_request r;
    struct chy_err err = {0};
    (void)state;
    assert_int_equal(ask(CHY_OCSP_MAX_IDS, 0, &r, &err), CHY_S_OK);
    assert_int_equal(r.n, CHY_OCSP_MAX_IDS);
    assert_true(CHY_FAILED(ask(CHY_OCSP_MAX_IDS + 1, 0, &r, &err)));
    assert_non_null(strstr(err.text, "more than 64 certificates"));
    chy_err_clear(&err);
    assert_int_equal(ask(1, CHY_OCSP_REQUEST_MAX - 200, &r, &err), CHY_S_OK);
    assert_true(CHY_FAILED(ask(1, CHY_OCSP_REQUEST_MAX, &r, &err)));
    assert_non_null(strstr(err.text, "longer than 16384 octets"));
}

static void test_cut_anywhere(void **state)
{
    static struct chy_ocsp_request r;
    struct chy_buf b;
    (void)state;
    make(&b, "30{30{30{" ONE "}a2{30{" NONCE("04{aa}") "}}}}");
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(chy_ocsp_request_parse(chy_span_of(b.p, n), &r, NULL),
                         CHY_CRYPT_E_ASN1_BADPDU);
    chy_buf_free(&b);
}

/* ---- responses, octet by octet ---- */

static void test_errors_are_five_octets(void **state)
{
    struct chy_buf b;
    (void)state;
    chy_buf_init(&b, SMALL);
    chy_ocsp_error_add(&b, CHY_OCSP_TRY_LATER);
    same(&b, "30{0a0103}");
    const unsigned char *p = b.p;
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)b.n);
    assert_non_null(r);
    assert_int_equal(OCSP_response_status(r), OCSP_RESPONSE_STATUS_TRYLATER);
    OCSP_RESPONSE_free(r);
    chy_buf_free(&b);
}

#define GTIME(text) "18{'" text "'}"

#define PRODUCED GTIME("20261121120000Z")
#define THIS GTIME("20261121000000Z")
#define REVOKED(reason) "a1{" GTIME("20260102030405Z") reason "}"
#define NEXT(text) "a0{" GTIME(text) "}"
#define CUTOFF "a1{30{" EXT(PKIX_OCSP "0106", "", GTIME("20200101000000Z")) "}}"
#define ANSWER(rest) "30{" ID1 rest "}"
#define ANSWER_REVOKED ANSWER(REVOKED("a0{0a0104}") THIS NEXT("20261128000000Z"))
#define ANSWER_ARCHIVED ANSWER(REVOKED("") THIS NEXT("20511128000000Z") CUTOFF)
#define ANSWERS(list) PRODUCED "30{" list "}"
static const char four_answers[] =
    "30{a2{04{" SHA1_20
    "}}" ANSWERS(ANSWER("8000" THIS) ANSWER_REVOKED ANSWER_ARCHIVED ANSWER("8200" THIS)) "}";
static const char one_by_name[] = "30{a1{30{31{30{06{550403}0c{'CA'}}}}}" ANSWERS(
    ANSWER("8000" THIS)) "a1{30{" NONCE("04{aabb}") "}}}";

static void test_what_is_signed_octet_by_octet(void **state)
{
    struct chy_buf out, id, hash, name;
    (void)state;
    chy_buf_init(&out, SMALL);
    make(&id, ID1);
    make(&hash, SHA1_20);
    make(&name, "30{31{30{06{550403}0c{'CA'}}}}");
    const struct chy_ocsp_single singles[] = {
        {chy_buf_span(&id), CHY_OCSP_GOOD, 0, 0, at("2026-11-21"), CHY_TIME_DEFAULT,
         CHY_TIME_DEFAULT},
        {chy_buf_span(&id), CHY_OCSP_REVOKED, at("2026-01-02T03:04:05Z"), 4, at("2026-11-21"),
         at("2026-11-28"), CHY_TIME_DEFAULT},
        {chy_buf_span(&id), CHY_OCSP_REVOKED, at("2026-01-02T03:04:05Z"), 0, at("2026-11-21"),
         at("2051-11-28"), at("2020-01-01")},
        {chy_buf_span(&id), CHY_OCSP_UNKNOWN, 0, 0, at("2026-11-21"), CHY_TIME_DEFAULT,
         CHY_TIME_DEFAULT},
    };
    struct chy_ocsp_parts parts = {.key_hash = chy_buf_span(&hash),
                                   .produced = at("2026-11-21T12:00:00.9Z"),
                                   .single = singles,
                                   .n = 4};
    assert_int_equal(chy_ocsp_build_tbs(&parts, &out, NULL), CHY_S_OK);
    same(&out, four_answers);
    chy_buf_reset(&out);
    parts.name = chy_buf_span(&name);
    parts.n = 1;
    parts.nonce = CHY_SPAN_STR("\xaa\xbb");
    assert_int_equal(chy_ocsp_build_tbs(&parts, &out, NULL), CHY_S_OK);
    same(&out, one_by_name);
    chy_buf_free(&out);
    chy_buf_free(&id);
    chy_buf_free(&hash);
    chy_buf_free(&name);
}

static void test_the_envelope_octet_by_octet(void **state)
{
    struct chy_buf out, tbs, alg;
    (void)state;
    chy_buf_init(&out, SMALL);
    make(&tbs, "30{" X4(SHA256_32) "}");
    make(&alg, "30{06{2b6570}}");
#define BASIC(certs)                                                                               \
    "30{0a0100a0{30{06{" PKIX_OCSP                                                                 \
    "0101}04{30{30{" X4(SHA256_32) "}30{06{2b6570}}03{00aabb}" certs "}}}}}"
    assert_int_equal(chy_ocsp_assemble(chy_buf_span(&tbs), chy_buf_span(&alg),
                                       CHY_SPAN_STR("\xaa\xbb"), (struct chy_span){NULL, 0}, &out,
                                       NULL),
                     CHY_S_OK);
    same(&out, BASIC(""));
    chy_buf_reset(&out);
    assert_int_equal(chy_ocsp_assemble(chy_buf_span(&tbs), chy_buf_span(&alg),
                                       CHY_SPAN_STR("\xaa\xbb"), CHY_SPAN_STR("\x30\x02\x05\x00"),
                                       &out, NULL),
                     CHY_S_OK);
    same(&out, BASIC("a0{30{30{0500}}}"));
    chy_buf_free(&out);
    chy_buf_init(&out, 100);
    assert_int_equal(chy_ocsp_assemble(chy_buf_span(&tbs), chy_buf_span(&alg),
                                       CHY_SPAN_STR("\xaa\xbb"), (struct chy_span){NULL, 0}, &out,
                                       NULL),
                     CHY_CERTSRV_E_ENCODING_LENGTH);
    chy_buf_free(&out);
    chy_buf_free(&tbs);
    chy_buf_free(&alg);
}

/* ---- with OpenSSL on the other side ---- */

static X509 *new_ca(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"CA", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(x, ca, -1);
    X509_EXTENSION_free(ca);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static const uint8_t ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                       0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

static void sign(EVP_PKEY *key, struct chy_span tbs, struct chy_buf *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[128];
    size_t n = sizeof signature;
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &n, tbs.p, tbs.n), 1);
    chy_buf_add(out, signature, n);
    EVP_MD_CTX_free(ctx);
}

/* A request as OpenSSL writes it, for a serial number, with a nonce of its own. */
static OCSP_REQUEST *openssl_request(X509 *ca, const EVP_MD *md, struct chy_buf *out)
{
    OCSP_REQUEST *q = OCSP_REQUEST_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    unsigned char *der = NULL;
    ASN1_INTEGER_set(serial, 4711);
    OCSP_CERTID *id =
        OCSP_cert_id_new(md, X509_get_subject_name(ca), X509_get0_pubkey_bitstr(ca), serial);
    assert_non_null(OCSP_request_add0_id(q, id));
    assert_int_equal(OCSP_request_add1_nonce(q, NULL, 32), 1);
    int n = i2d_OCSP_REQUEST(q, &der);
    assert_true(n > 0);
    chy_buf_init(out, SMALL);
    chy_buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    ASN1_INTEGER_free(serial);
    return q;
}

static void respond(const struct chy_ocsp_request *r, EVP_PKEY *key, X509 *ca,
                    enum chy_ocsp_cert_status status, chy_time now, struct chy_buf *out)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct chy_buf tbs, signature;
    chy_buf_init(&tbs, SMALL);
    chy_buf_init(&signature, SMALL);
    assert_int_equal(X509_pubkey_digest(ca, EVP_sha1(), hash, &n), 1);
    const struct chy_ocsp_single single = {.id = r->id[0].der,
                                           .status = status,
                                           .revoked = now - 3600 * CHY_US_PER_S,
                                           .reason = CHY_CRL_REASON_SUPERSEDED,
                                           .this_update = now,
                                           .next_update = now + 86400 * CHY_US_PER_S,
                                           .archive_cutoff = CHY_TIME_DEFAULT};
    const struct chy_ocsp_parts parts = {.key_hash = chy_span_of(hash, n),
                                         .produced = now,
                                         .single = &single,
                                         .n = 1,
                                         .nonce = r->nonce};
    assert_int_equal(chy_ocsp_build_tbs(&parts, &tbs, NULL), CHY_S_OK);
    sign(key, chy_buf_span(&tbs), &signature);
    chy_buf_init(out, CHY_OCSP_RESPONSE_MAX);
    assert_int_equal(chy_ocsp_assemble(chy_buf_span(&tbs), CHY_SPAN(ecdsa_sha256),
                                       chy_buf_span(&signature), (struct chy_span){NULL, 0}, out,
                                       NULL),
                     CHY_S_OK);
    chy_buf_free(&tbs);
    chy_buf_free(&signature);
}

static void judge(const struct chy_buf *out, OCSP_REQUEST *q, X509 *ca, int expected)
{
    const unsigned char *p = out->p;
    unsigned char *again = NULL;
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)out->n);
    assert_non_null(r);
    assert_ptr_equal(p, out->p + out->n);
    int n = i2d_OCSP_RESPONSE(r, &again), status = -1, reason = -1;
    assert_int_equal(n, out->n);
    assert_memory_equal(again, out->p, out->n);
    assert_int_equal(OCSP_response_status(r), OCSP_RESPONSE_STATUS_SUCCESSFUL);
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(r);
    assert_non_null(basic);
    assert_int_equal(OCSP_check_nonce(q, basic), 1);
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *certs = sk_X509_new_null();
    X509_STORE_add_cert(store, ca);
    sk_X509_push(certs, ca);
    assert_int_equal(OCSP_basic_verify(basic, certs, store, 0), 1);
    OCSP_CERTID *id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(q, 0));
    ASN1_GENERALIZEDTIME *revoked = NULL, *from = NULL, *to = NULL;
    assert_int_equal(OCSP_resp_find_status(basic, id, &status, &reason, &revoked, &from, &to), 1);
    assert_int_equal(status, expected);
    assert_int_equal(OCSP_check_validity(from, to, 60, -1), 1);
    if (expected == V_OCSP_CERTSTATUS_REVOKED) {
        assert_int_equal(reason, OCSP_REVOKED_STATUS_SUPERSEDED);
        assert_non_null(revoked);
    }
    sk_X509_free(certs);
    X509_STORE_free(store);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(r);
    OPENSSL_free(again);
}

static void test_openssl_asks_and_believes(void **state)
{
    static const struct {
        enum chy_ocsp_cert_status ours;
        int theirs;
    } rows[] = {{CHY_OCSP_GOOD, V_OCSP_CERTSTATUS_GOOD},
                {CHY_OCSP_REVOKED, V_OCSP_CERTSTATUS_REVOKED},
                {CHY_OCSP_UNKNOWN, V_OCSP_CERTSTATUS_UNKNOWN}};
    static struct chy_ocsp_request r;
    (void)state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *ca = new_ca(key);
    chy_time now = (chy_time)time(NULL) * CHY_US_PER_S;
    for (size_t i = 0; i < 2 * CHY_ARRAY_LEN(rows); i++) {
        struct chy_buf request, response;
        struct chy_err err = {0};
        OCSP_REQUEST *q = openssl_request(ca, i % 2 ? EVP_sha1() : EVP_sha256(), &request);
        assert_int_equal(chy_ocsp_request_parse(chy_buf_span(&request), &r, &err), CHY_S_OK);
        assert_int_equal(r.id[0].hash, i % 2 ? CHY_OCSP_SHA1 : CHY_OCSP_SHA256);
        assert_int_equal(r.nonce.n, 32);
        assert_true(chy_span_eq(r.id[0].serial, CHY_SPAN_STR("\x12\x67")));
        respond(&r, key, ca, rows[i / 2].ours, now, &response);
        judge(&response, q, ca, rows[i / 2].theirs);
        OCSP_REQUEST_free(q);
        chy_buf_free(&request);
        chy_buf_free(&response);
    }
    X509_free(ca);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_that_are_read),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_errors_are_five_octets),
        cmocka_unit_test(test_what_is_signed_octet_by_octet),
        cmocka_unit_test(test_the_envelope_octet_by_octet),
        cmocka_unit_test(test_openssl_asks_and_believes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
