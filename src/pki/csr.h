/* PKCS#10 certification requests (RFC 2986): parsed in place, every span points into the caller's
 * DER. Thread: any. */
#ifndef CHY_PKI_CSR_H
#define CHY_PKI_CSR_H

#include "pki/ext.h"
#include "pki/name.h"
#include "pki/spki.h"

enum { CHY_CSR_MAX = 65536, CHY_CSR_MAX_PAIRS = 32 };

struct chy_csr {
    struct chy_span der;  /* whole */
    struct chy_span info; /* CertificationRequestInfo, whole TLV: what is signed */
    struct chy_name subject;
    struct chy_spki key;
    const struct chy_sig_alg *sig_alg;
    struct chy_span signature;
    struct chy_ext
        ext[CHY_EXT_MAX]; /* extensionRequest: 1.2.840.113549.1.9.14 and 1.3.6.1.4.1.311.2.1.14 */
    size_t n_ext;
    struct { /* 1.3.6.1.4.1.311.13.2.1 name/value pairs, BMPString octets as found */
        struct chy_span name, value;
    } pair[CHY_CSR_MAX_PAIRS];
    size_t n_pairs;
    bool has_challenge_password;
};

/* Accepts DER, or PEM ("CERTIFICATE REQUEST" or "NEW CERTIFICATE REQUEST"), or bare base64: gives
 * DER in out. */
CHY_MUST_USE chy_hresult chy_csr_to_der(struct chy_span in, struct chy_buf *out,
                                        struct chy_err *err);
/* CRYPT_E_ASN1_BADPDU and friends with what and where; size and count limits. */
CHY_MUST_USE chy_hresult chy_csr_parse(struct chy_span der, struct chy_csr *out,
                                       struct chy_err *err);
/* Proof of possession. */
CHY_MUST_USE chy_hresult chy_csr_verify(struct chy_verifier *v, const struct chy_csr *csr,
                                        struct chy_err *err);

#endif
