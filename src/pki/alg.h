/* Public-key and signature algorithms by name, in one table: the only place that knows which of
 * them the OpenSSL at hand offers (ML-DSA from 3.5, probed at run time). Thread: any. The table is
 * constant. */
#ifndef CHY_PKI_ALG_H
#define CHY_PKI_ALG_H

#include <openssl/evp.h>

#include "base/base.h"

enum chy_key_kind {
    CHY_KEY_UNKNOWN,
    CHY_KEY_RSA,
    CHY_KEY_RSA_PSS,
    CHY_KEY_EC,
    CHY_KEY_ED25519,
    CHY_KEY_ED448,
    CHY_KEY_MLDSA
};

/* BR 6.1.5 below, the cost of one verification above. */
enum { CHY_RSA_MIN_BITS = 2048, CHY_RSA_MAX_BITS = 8192 };

/* "rsa2048" "rsa3072" "rsa4096" (any rsaN, 2048..8192, N a multiple of 8) "p256" "p384" "p521"
 * "ed25519" "ed448" "mldsa44" "mldsa65" "mldsa87". */
struct chy_key_alg {
    const char *name;
    enum chy_key_kind kind;
    const char *evp_name; /* for EVP_PKEY_CTX_new_from_name */
    const char *group;    /* EC: "P-256"; else NULL */
    int bits;             /* RSA: modulus; else the nominal size */
};
/* NULL with an error when unknown or not offered by this OpenSSL ("… needs OpenSSL 3.5"). */
const struct chy_key_alg *chy_key_alg_by_name(const char *name, struct chy_key_alg *storage,
                                              struct chy_err *err);
/* "rsa2048" and the like; "rsa" for a size that has no name. */
const char *chy_rsa_name(int bits);
CHY_MUST_USE chy_hresult chy_key_alg_generate(const struct chy_key_alg *alg, EVP_PKEY **out,
                                              struct chy_err *err);

/* A signature algorithm: AlgorithmIdentifier in DER, and how to run it. */
struct chy_sig_alg {
    const char *name; /* "ecdsa-sha256" "rsa-sha256" "rsa-pss-sha256" "ed25519" "mldsa65" … */
    enum chy_key_kind kind; /* what keys can use it */
    const char *digest;     /* "SHA256"; NULL when the algorithm hashes by itself */
    bool pss;
    struct chy_span der; /* AlgorithmIdentifier SEQUENCE */
};
/* The default for a key (name NULL), or the named one where the key can do it. */
const struct chy_sig_alg *chy_sig_alg_for_key(EVP_PKEY *key, const char *name, struct chy_err *err);
/* By AlgorithmIdentifier, parameters checked strictly (RFC 4055, 5758, 8410, 9881). */
const struct chy_sig_alg *chy_sig_alg_by_der(struct chy_span algorithm_identifier);
/* The next element of what is signed or around it: any AlgorithmIdentifier ::= SEQUENCE {
 * algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }; *alg is NULL for an unknown one. */
struct chy_der;
bool chy_sig_alg_read(struct chy_der *d, struct chy_span *der, const struct chy_sig_alg **alg);

#endif
