/* OCSP requests: what we read OpenSSL reads and writes alike, and the answer to it is one that lint
 * passes and OpenSSL reads; lint lives through any octets. */
#include <openssl/ocsp.h>
#include <stdlib.h>

#include "pki/lint_status.h"
#include "pki/ocsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const chy_time now = INT64_C(1795000000) * 1000000;

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_report(const struct chy_lint_report *r)
{
    must(r->n <= CHY_ARRAY_LEN(r->finding));
    for (size_t i = 0; i < r->n; i++) {
        for (const char *c = r->finding[i].detail; *c; c++)
            must(*c >= ' ' && *c <= '~');
    }
}

/* Names and certificates of whoever asks are passed over, and may be anything. */
static bool is_anonymous(struct chy_span der, const struct chy_ocsp_request *r)
{
    struct chy_der top = chy_der_of(der), d, tbs;
    must(chy_der_enter(&top, CHY_DER_SEQUENCE, &d) && chy_der_enter(&d, CHY_DER_SEQUENCE, &tbs));
    return chy_der_peek(&tbs) == CHY_DER_SEQUENCE && !r->has_signature;
}

static void check_openssl(struct chy_span der, const struct chy_ocsp_request *r)
{
    const unsigned char *p = der.p;
    unsigned char *again = NULL;
    OCSP_REQUEST *theirs = d2i_OCSP_REQUEST(NULL, &p, (long)der.n);
    must(theirs && p == der.p + der.n);
    int n = i2d_OCSP_REQUEST(theirs, &again);
    must(n > 0 && chy_span_eq(chy_span_of(again, (size_t)n), der));
    must((size_t)OCSP_request_onereq_count(theirs) == r->n);
    OPENSSL_free(again);
    OCSP_REQUEST_free(theirs);
}

static void check_answer(const struct chy_ocsp_request *r)
{
    static struct chy_ocsp_single single[CHY_OCSP_MAX_IDS];
    static const uint8_t hash[20], alg[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
    struct chy_lint_report report;
    struct chy_buf tbs, whole;
    struct chy_span nonce = r->nonce;
    if (nonce.n > 32) nonce.n = 32;
    for (size_t i = 0; i < r->n; i++)
        single[i] = (struct chy_ocsp_single){.id = r->id[i].der,
                                             .status = (enum chy_ocsp_cert_status)(i % 3),
                                             .revoked = now,
                                             .reason = (int32_t)(i % 7),
                                             .this_update = now,
                                             .next_update = now + 1000000,
                                             .archive_cutoff = CHY_TIME_DEFAULT};
    const struct chy_ocsp_parts parts = {
        .key_hash = CHY_SPAN(hash), .produced = now, .single = single, .n = r->n, .nonce = nonce};
    chy_buf_init(&tbs, CHY_OCSP_RESPONSE_MAX);
    chy_buf_init(&whole, CHY_OCSP_RESPONSE_MAX);
    must(chy_ocsp_build_tbs(&parts, &tbs, NULL) == CHY_S_OK);
    chy_lint_ocsp(chy_buf_span(&tbs), now, &report);
    must(report.n == 0);
    must(chy_ocsp_assemble(chy_buf_span(&tbs), CHY_SPAN(alg), CHY_SPAN(hash), CHY_SPAN(alg), &whole,
                           NULL) == CHY_S_OK);
    chy_buf_reset(&whole);
    must(chy_ocsp_assemble(chy_buf_span(&tbs), CHY_SPAN(alg), CHY_SPAN(hash),
                           (struct chy_span){NULL, 0}, &whole, NULL) == CHY_S_OK);
    const unsigned char *p = whole.p;
    OCSP_RESPONSE *theirs = d2i_OCSP_RESPONSE(NULL, &p, (long)whole.n);
    OCSP_BASICRESP *basic = theirs ? OCSP_response_get1_basic(theirs) : NULL;
    must(basic && p == whole.p + whole.n && (size_t)OCSP_resp_count(basic) == r->n);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(theirs);
    chy_buf_free(&tbs);
    chy_buf_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct chy_ocsp_request r;
    struct chy_lint_report report;
    struct chy_err err = {0};
    struct chy_span der = chy_span_of(data, size);
    chy_lint_ocsp(der, now, &report);
    check_report(&report);
    if (chy_ocsp_request_parse(der, &r, &err) != CHY_S_OK) {
        must(CHY_FAILED(err.code) && err.text[0]);
        return 0;
    }
    must(r.n >= 1 && r.n <= CHY_OCSP_MAX_IDS && r.nonce.n <= CHY_OCSP_NONCE_MAX);
    if (is_anonymous(der, &r)) check_openssl(der, &r);
    check_answer(&r);
    return 0;
}
