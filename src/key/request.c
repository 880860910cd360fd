/* PKCS#10 requests from keys. */
#include "key/request.h"

static void add_extension_request(struct chy_buf *b, const struct chy_general_name *names, size_t n,
                                  struct chy_span subject, struct chy_buf *san)
{
    static const uint8_t extension_request[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14};
    size_t mark = chy_der_open(san, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < n; i++)
        chy_general_name_add(san, &names[i]);
    chy_der_close(san, mark);
    /* RFC 5280 4.2.1.6: critical when the subject is empty */
    struct chy_ext ext = {chy_oid_subject_alt_name, subject.n <= 2, chy_buf_span(san)};
    size_t attribute = chy_der_open(b, CHY_DER_SEQUENCE);
    chy_der_add(b, CHY_DER_OID, CHY_SPAN(extension_request));
    size_t set = chy_der_open(b, CHY_DER_SET);
    size_t list = chy_der_open(b, CHY_DER_SEQUENCE);
    chy_ext_add(b, &ext);
    chy_der_close(b, list);
    chy_der_close(b, set);
    chy_der_close(b, attribute);
}

static void add_info(struct chy_buf *b, const struct chy_key *key, struct chy_span subject,
                     const struct chy_general_name *names, size_t n, struct chy_buf *san)
{
    size_t info = chy_der_open(b, CHY_DER_SEQUENCE);
    chy_der_add_int(b, 0);
    chy_buf_add_span(b, subject);
    chy_buf_add_span(b, chy_key_spki(key)->der);
    size_t attributes = chy_der_open(b, CHY_DER_CTX_C(0));
    if (n) add_extension_request(b, names, n, subject, san);
    chy_der_close(b, attributes);
    chy_der_close(b, info);
}

chy_hresult chy_key_request(struct chy_key *key, struct chy_span subject,
                            const struct chy_general_name *names, size_t n, struct chy_buf *der,
                            struct chy_err *err)
{
    struct chy_buf info, san, sig;
    struct chy_signer *signer = NULL;
    struct chy_buf *bufs[] = {&info, &san, &sig};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], 65536);
    const struct chy_sig_alg *alg = chy_key_sig_alg(key, NULL, err);
    chy_hresult hr = alg ? chy_signer_new(key, alg, &signer, err) : CHY_E_FAIL;
    if (hr == CHY_S_OK) {
        add_info(&info, key, subject, names, n, &san);
        hr = chy_buf_done(&info, "request", err);
    }
    if (hr == CHY_S_OK) hr = chy_signer_sign(signer, chy_buf_span(&info), &sig, err);
    if (hr == CHY_S_OK) {
        size_t mark = chy_der_open(der, CHY_DER_SEQUENCE);
        chy_buf_add_span(der, chy_buf_span(&info));
        chy_buf_add_span(der, alg->der);
        chy_der_add_bits(der, chy_buf_span(&sig), 0);
        chy_der_close(der, mark);
        hr = chy_buf_done(der, "request", err);
    }
    chy_signer_free(signer);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    return hr;
}
