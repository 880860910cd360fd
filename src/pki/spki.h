/* SubjectPublicKeyInfo: what key is it, is it strong enough (P18), and does a signature verify with
 * it. RFC 5280 4.1.2.7, RFC 5480, RFC 8017, RFC 8410. Thread: a verifier belongs to one thread. */
#ifndef CHY_PKI_SPKI_H
#define CHY_PKI_SPKI_H

#include "pki/alg.h"
#include "pki/der.h"

struct chy_spki {
    struct chy_span der;        /* SubjectPublicKeyInfo SEQUENCE, whole */
    struct chy_span alg_oid;    /* content octets */
    struct chy_span alg_params; /* whole TLV; empty when absent */
    struct chy_span bits;       /* content of subjectPublicKey without the unused-bits octet */
    enum chy_key_kind kind;
    int size;                     /* bits: modulus, curve, 256/456 for Ed, … */
    const char *name;             /* "p256", "rsa2048", …; "unknown" */
    struct chy_span rsa_n, rsa_e; /* magnitude without sign octet, RSA only */
};

/* Structure, parameters and encodings; an unknown algorithm is refused with its OID named. */
CHY_MUST_USE chy_hresult chy_spki_parse(struct chy_span der, struct chy_spki *out,
                                        struct chy_err *err);

/* P18: size and exponent limits, small factors, ROCA fingerprint, close primes (Fermat), all-zero
 * and even moduli. CERTSRV_E_WEAK_SIGNATURE_OR_KEY with the reason. The blocklist is the caller's.
 */
CHY_MUST_USE chy_hresult chy_spki_check_strength(const struct chy_spki *key, struct chy_err *err);

/* SHA-1 of the bits: RFC 5280 4.2.1.2 (1). Who has a verifier asks it for the same digest. */
CHY_MUST_USE chy_hresult chy_spki_key_id(const struct chy_spki *key, uint8_t out[20],
                                         struct chy_err *err);

/* Per thread: kept EVP contexts, so that nothing is fetched or decoded per request (P-256 and RSA).
 */
struct chy_verifier;
struct chy_verifier *chy_verifier_new(struct chy_err *err);
void chy_verifier_free(struct chy_verifier *v);
/* NTE_BAD_SIGNATURE 0x80090006 when it does not verify; a point off the curve is refused as
 * E_INVALIDARG kind. */
CHY_MUST_USE chy_hresult chy_verify(struct chy_verifier *v, const struct chy_spki *key,
                                    const struct chy_sig_alg *alg, struct chy_span message,
                                    struct chy_span signature, struct chy_err *err);
/* Digests with kept contexts. */
CHY_MUST_USE chy_hresult chy_verifier_sha1(struct chy_verifier *v, struct chy_span in,
                                           uint8_t out[20], struct chy_err *err);
CHY_MUST_USE chy_hresult chy_verifier_sha256(struct chy_verifier *v, struct chy_span in,
                                             uint8_t out[32], struct chy_err *err);

#endif
