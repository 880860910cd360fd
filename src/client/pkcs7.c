/* Chains as PKCS #7 without signers. */
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "client/objects.h"

enum { MAX_CERTS = 32 };

static bool add_cert(PKCS7 *p7, struct chy_span der)
{
    const uint8_t *p = der.p;
    X509 *x = der.n && der.n <= INT32_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    bool good = x && PKCS7_add_certificate(p7, x) == 1;
    X509_free(x);
    return good;
}

static bool add_all(PKCS7 *p7, struct chy_span pem)
{
    static const char *const labels[] = {"CERTIFICATE", NULL};
    size_t pos = 0;
    unsigned n = 0;
    struct chy_buf der;
    chy_buf_init(&der, CHY_HTTPC_BODY_MAX);
    bool good = true;
    while (good && chy_pem_next(pem, labels, &pos, &der, NULL) == CHY_S_OK) {
        good = ++n <= MAX_CERTS && add_cert(p7, chy_buf_span(&der));
        chy_buf_reset(&der);
    }
    chy_buf_free(&der);
    return good;
}

chy_hresult chy_pkcs7_of_pem(struct chy_span first_der, struct chy_span pem, struct chy_buf *out,
                             struct chy_err *err)
{
    uint8_t *der = NULL;
    int n = 0;
    PKCS7 *p7 = PKCS7_new();
    bool good = p7 && PKCS7_set_type(p7, NID_pkcs7_signed) == 1 &&
                PKCS7_content_new(p7, NID_pkcs7_data) == 1;
    if (good) (void)PKCS7_set_detached(p7, 1);
    if (good && first_der.n) good = add_cert(p7, first_der);
    if (good) good = add_all(p7, pem);
    if (good) n = i2d_PKCS7(p7, &der);
    if (n > 0) chy_buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    PKCS7_free(p7);
    ERR_clear_error();
    if (n > 0) return chy_buf_done(out, "PKCS #7", err);
    return chy_fail(err, CHY_ERROR_INVALID_DATA, "the daemon's chain holds what is no certificate");
}
