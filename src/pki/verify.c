/* Verifying signatures with contexts that are kept: nothing is fetched or decoded per signature.
 *
 * OpenSSL's decoder costs more than the verification (100 us against 40 for P-256), so keys reach
 * it as numbers: a point is put into a kept key, a modulus goes through a kept fromdata context,
 * the rest are raw octets. A verifier belongs to one thread; the error queue of the thread is left
 * empty. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "pki/spki.h"

enum { CURVES = 3, DIGESTS = 4, MAX_RSA = CHY_RSA_MAX_BITS / 8 };

/* A key of the curve whose point changes, and the context that verifies with it. */
struct curve_shell {
    EVP_PKEY *key;
    EVP_PKEY_CTX *ctx;
};

struct chy_verifier {
    EVP_MD_CTX *md_ctx;
    EVP_MD *digest[DIGESTS];
    EVP_PKEY_CTX *rsa;
    struct curve_shell curve[CURVES];
};

static const char *const digest_names[DIGESTS] = {"SHA256", "SHA384", "SHA512", "SHA1"};
static const struct {
    int size;
    const char *group;
} curve_names[CURVES] = {{256, "P-256"}, {384, "P-384"}, {521, "P-521"}};

static chy_hresult broken(struct chy_err *err, const char *what)
{
    return chy_fail_openssl(err, CHY_E_OUTOFMEMORY, "signature verification: OpenSSL failed: %s",
                            what);
}

void chy_verifier_free(struct chy_verifier *v)
{
    if (!v) return;
    for (size_t i = 0; i < CURVES; i++) {
        EVP_PKEY_CTX_free(v->curve[i].ctx);
        EVP_PKEY_free(v->curve[i].key);
    }
    EVP_PKEY_CTX_free(v->rsa);
    for (size_t i = 0; i < DIGESTS; i++)
        EVP_MD_free(v->digest[i]);
    EVP_MD_CTX_free(v->md_ctx);
    chy_free(v);
}

/* The first key is the curve's group alone; a point arrives before anything is verified. */
static bool shell_init(struct curve_shell *s, const char *group)
{
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    char name[8];
    strncpy(name, group, sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
                           OSSL_PARAM_construct_end()};
    bool ok = make && EVP_PKEY_fromdata_init(make) > 0 &&
              EVP_PKEY_fromdata(make, &s->key, EVP_PKEY_KEY_PARAMETERS, params) > 0;
    EVP_PKEY_CTX_free(make);
    return ok;
}

struct chy_verifier *chy_verifier_new(struct chy_err *err)
{
    struct chy_verifier *v = chy_calloc(1, sizeof(*v));
    if (!v) {
        chy_fail_nomem(err, "signature verification");
        return NULL;
    }
    v->md_ctx = EVP_MD_CTX_new();
    v->rsa = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    bool ok = v->md_ctx && v->rsa && EVP_PKEY_fromdata_init(v->rsa) > 0;
    for (size_t i = 0; ok && i < DIGESTS; i++) {
        v->digest[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
        ok = v->digest[i] != NULL;
    }
    for (size_t i = 0; ok && i < CURVES; i++)
        ok = shell_init(&v->curve[i], curve_names[i].group);
    if (ok) return v;
    broken(err, "contexts could not be made");
    chy_verifier_free(v);
    return NULL;
}

static const EVP_MD *find_digest(const struct chy_verifier *v, const char *name)
{
    for (size_t i = 0; i < DIGESTS; i++) {
        if (strcmp(name, digest_names[i]) == 0) return v->digest[i];
    }
    return NULL;
}

static chy_hresult run_digest(struct chy_verifier *v, const char *name, struct chy_span in,
                              uint8_t *out, unsigned *n, struct chy_err *err)
{
    if (EVP_DigestInit_ex2(v->md_ctx, find_digest(v, name), NULL) == 1 &&
        EVP_DigestUpdate(v->md_ctx, in.p, in.n) == 1 && EVP_DigestFinal_ex(v->md_ctx, out, n) == 1)
        return CHY_S_OK;
    return chy_fail_openssl(err, CHY_NTE_FAIL, "digest %s: OpenSSL failed", name);
}

chy_hresult chy_verifier_sha1(struct chy_verifier *v, struct chy_span in, uint8_t out[20],
                              struct chy_err *err)
{
    unsigned n;
    return run_digest(v, "SHA1", in, out, &n, err);
}

chy_hresult chy_verifier_sha256(struct chy_verifier *v, struct chy_span in, uint8_t out[32],
                                struct chy_err *err)
{
    unsigned n;
    return run_digest(v, "SHA256", in, out, &n, err);
}

static chy_hresult bad_signature(const struct chy_sig_alg *alg, struct chy_err *err)
{
    return chy_fail_openssl(err, CHY_NTE_BAD_SIGNATURE,
                            "signature: %s: it does not verify with the public key", alg->name);
}

static chy_hresult verify_ec(struct chy_verifier *v, const struct chy_spki *key,
                             const struct chy_sig_alg *alg, struct chy_span digest,
                             struct chy_span signature, struct chy_err *err)
{
    struct curve_shell *s = NULL;
    for (size_t i = 0; i < CURVES; i++) {
        if (curve_names[i].size == key->size) s = &v->curve[i];
    }
    if (!s) return broken(err, "no such curve");
    /* Refuses a point that is not on the curve; the key stays usable. */
    if (EVP_PKEY_set1_encoded_public_key(s->key, key->bits.p, key->bits.n) != 1) {
        return chy_fail_openssl(err, CHY_E_INVALIDARG,
                                "public key: the point is not on curve %s (SEC 1 3.2.2.1)",
                                key->name);
    }
    /* verify_init wants a key with a point, so the context is made at the first one; it sees every
     * later point, because it holds the same key. */
    if (!s->ctx) {
        s->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->key, NULL);
        if (!s->ctx || EVP_PKEY_verify_init(s->ctx) != 1) {
            EVP_PKEY_CTX_free(s->ctx);
            s->ctx = NULL;
            return broken(err, "EVP_PKEY_verify_init");
        }
    }
    if (EVP_PKEY_verify(s->ctx, signature.p, signature.n, digest.p, digest.n) != 1)
        return bad_signature(alg, err);
    return CHY_S_OK;
}

/* OSSL_PARAM carries numbers in the machine's order. */
static void to_native(struct chy_span magnitude, uint8_t *out)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    memcpy(out, magnitude.p, magnitude.n);
#else
    for (size_t i = 0; i < magnitude.n; i++)
        out[i] = magnitude.p[magnitude.n - 1 - i];
#endif
}

static EVP_PKEY *make_rsa(struct chy_verifier *v, const struct chy_spki *key)
{
    uint8_t n[MAX_RSA], e[MAX_RSA];
    EVP_PKEY *out = NULL;
    if (key->rsa_n.n > sizeof(n) || key->rsa_e.n > sizeof(e)) return NULL;
    to_native(key->rsa_n, n);
    to_native(key->rsa_e, e);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, key->rsa_n.n),
                           OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, key->rsa_e.n),
                           OSSL_PARAM_construct_end()};
    return EVP_PKEY_fromdata(v->rsa, &out, EVP_PKEY_PUBLIC_KEY, params) > 0 ? out : NULL;
}

static chy_hresult verify_rsa(struct chy_verifier *v, const struct chy_spki *key,
                              const struct chy_sig_alg *alg, struct chy_span digest,
                              struct chy_span signature, struct chy_err *err)
{
    chy_hresult hr;
    EVP_PKEY_CTX *ctx = NULL;
    EVP_PKEY *pkey = make_rsa(v, key);
    if (pkey) ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx && EVP_PKEY_verify_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, alg->pss ? RSA_PKCS1_PSS_PADDING
                                                         : RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx, find_digest(v, alg->digest)) == 1;
    /* RFC 4055 3.1: our algorithms fix the salt at the length of the hash. */
    if (ok && alg->pss) ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (!ok)
        hr = broken(err, "RSA verification could not be set up");
    else if (EVP_PKEY_verify(ctx, signature.p, signature.n, digest.p, digest.n) != 1)
        hr = bad_signature(alg, err);
    else
        hr = CHY_S_OK;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return hr;
}

static int raw_matches(struct chy_verifier *v, EVP_PKEY *pkey, struct chy_span message,
                       struct chy_span signature)
{
    if (EVP_MD_CTX_reset(v->md_ctx) != 1 ||
        EVP_DigestVerifyInit_ex(v->md_ctx, NULL, NULL, NULL, NULL, pkey, NULL) != 1)
        return -1;
    return EVP_DigestVerify(v->md_ctx, signature.p, signature.n, message.p, message.n) == 1;
}

/* Ed25519, Ed448 and ML-DSA hash by themselves and take the key as raw octets, whose number
 * chy_spki_parse has seen to be right. */
static chy_hresult verify_raw(struct chy_verifier *v, const struct chy_spki *key,
                              const struct chy_sig_alg *alg, struct chy_span message,
                              struct chy_span signature, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    struct chy_key_alg storage;
    const struct chy_key_alg *ka = chy_key_alg_by_name(key->name, &storage, err);
    if (!ka) return CHY_E_INVALIDARG;
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key_ex(NULL, ka->evp_name, NULL, key->bits.p, key->bits.n);
    if (!pkey) return broken(err, key->name);
    int matches = raw_matches(v, pkey, message, signature);
    /* OpenSSL's Edwards curves call it a mismatch, without a word, when memory is short. */
    if (matches == 0) matches = raw_matches(v, pkey, message, signature);
    if (matches < 0)
        hr = broken(err, "EVP_DigestVerifyInit_ex");
    else if (matches == 0)
        hr = bad_signature(alg, err);
    /* The context would keep the key alive. */
    EVP_MD_CTX_reset(v->md_ctx);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return hr;
}

/* A key makes only its own kind of signature, and an RSA-PSS key with parameters only those. */
static bool fits(const struct chy_spki *key, const struct chy_sig_alg *alg)
{
    if (key->kind == CHY_KEY_MLDSA) return strcmp(key->name, alg->name) == 0;
    if (key->kind != CHY_KEY_RSA_PSS) return key->kind == alg->kind;
    if (!alg->pss) return false;
    struct chy_der outer = chy_der_of(key->der), seq;
    struct chy_tlv own;
    if (!key->alg_params.n) return true;
    return chy_der_enter(&outer, CHY_DER_SEQUENCE, &seq) && chy_der_read(&seq, &own) &&
           chy_sig_alg_by_der(own.whole) == alg;
}

chy_hresult chy_verify(struct chy_verifier *v, const struct chy_spki *key,
                       const struct chy_sig_alg *alg, struct chy_span message,
                       struct chy_span signature, struct chy_err *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n;
    if (!fits(key, alg))
        return chy_fail(err, CHY_NTE_BAD_SIGNATURE, "signature: %s: a %s key does not make it",
                        alg->name, key->name);
    if (signature.n == 0)
        return chy_fail(err, CHY_NTE_BAD_SIGNATURE, "signature: %s: it is empty", alg->name);
    if (!alg->digest) return verify_raw(v, key, alg, message, signature, err);
    chy_hresult hr = run_digest(v, alg->digest, message, digest, &n, err);
    if (hr != CHY_S_OK) return hr;
    const struct chy_span d = {digest, n};
    return key->kind == CHY_KEY_EC ? verify_ec(v, key, alg, d, signature, err)
                                   : verify_rsa(v, key, alg, d, signature, err);
}
