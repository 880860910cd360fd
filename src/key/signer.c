/* Signing with contexts that are kept: initialised once per (thread, key), then one call per
 * signature.
 *
 * ECDSA and RSA digest here and sign the digest; EdDSA and ML-DSA take the message whole. A signer
 * belongs to one thread. */
#include <openssl/rsa.h>
#include <string.h>

#include "key/internal.h"

struct chy_signer {
    struct chy_key *key;
    const struct chy_sig_alg *alg;
    EVP_MD *md; /* NULL: the algorithm hashes by itself */
    EVP_MD_CTX *md_ctx;
    EVP_PKEY_CTX *ctx; /* with md only */
    size_t max;        /* of a signature */
    uint8_t *scratch;
};

static chy_hresult failed(const struct chy_signer *s, struct chy_err *err)
{
    return chy_fail_openssl(err, CHY_NTE_FAIL, "signing with %s: OpenSSL failed", s->alg->name);
}

void chy_signer_free(struct chy_signer *s)
{
    if (!s) return;
    EVP_PKEY_CTX_free(s->ctx);
    EVP_MD_CTX_free(s->md_ctx);
    EVP_MD_free(s->md);
    chy_key_free(s->key);
    chy_free(s->scratch);
    chy_free(s);
}

static bool init_digest_signer(struct chy_signer *s)
{
    s->md = EVP_MD_fetch(NULL, s->alg->digest, NULL);
    s->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->key->pkey, NULL);
    if (!s->md || !s->ctx || EVP_PKEY_sign_init(s->ctx) != 1) return false;
    if (s->alg->kind == CHY_KEY_RSA &&
        EVP_PKEY_CTX_set_rsa_padding(s->ctx,
                                     s->alg->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1)
        return false;
    if (EVP_PKEY_CTX_set_signature_md(s->ctx, s->md) != 1) return false;
    return !s->alg->pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(s->ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

chy_hresult chy_signer_new(struct chy_key *key, const struct chy_sig_alg *alg,
                           struct chy_signer **out, struct chy_err *err)
{
    if (chy_sig_alg_for_key(key->pkey, alg->name, err) != alg) return CHY_E_INVALIDARG;
    struct chy_signer *s = chy_calloc(1, sizeof(*s));
    if (!s) return chy_fail_nomem(err, "signer");
    s->key = chy_key_ref(key);
    s->alg = alg;
    int max = EVP_PKEY_get_size(key->pkey);
    s->max = max > 0 ? (size_t)max : 0;
    s->scratch = chy_malloc(s->max ? s->max : 1);
    s->md_ctx = EVP_MD_CTX_new();
    if (!s->scratch || !s->md_ctx) {
        chy_signer_free(s);
        return chy_fail_nomem(err, "signer");
    }
    bool ok = s->max && (!alg->digest || init_digest_signer(s));
    if (!ok) {
        chy_hresult hr = chy_fail_openssl(err, CHY_E_OUTOFMEMORY,
                                          "signing with %s: OpenSSL cannot set it up", alg->name);
        chy_signer_free(s);
        return hr;
    }
    *out = s;
    return CHY_S_OK;
}

static bool sign_digest(struct chy_signer *s, struct chy_span message, size_t *n)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;
    return EVP_DigestInit_ex2(s->md_ctx, s->md, NULL) == 1 &&
           EVP_DigestUpdate(s->md_ctx, message.p, message.n) == 1 &&
           EVP_DigestFinal_ex(s->md_ctx, digest, &len) == 1 &&
           EVP_PKEY_sign(s->ctx, s->scratch, n, digest, len) == 1;
}

static bool sign_message(struct chy_signer *s, struct chy_span message, size_t *n)
{
    return EVP_MD_CTX_reset(s->md_ctx) == 1 &&
           EVP_DigestSignInit_ex(s->md_ctx, NULL, NULL, NULL, NULL, s->key->pkey, NULL) == 1 &&
           EVP_DigestSign(s->md_ctx, s->scratch, n, message.p, message.n) == 1;
}

chy_hresult chy_signer_sign(struct chy_signer *s, struct chy_span message, struct chy_buf *out,
                            struct chy_err *err)
{
    size_t n = s->max;
    bool ok = s->md ? sign_digest(s, message, &n) : sign_message(s, message, &n);
    /* A result of length zero is a failure that forgot to say so. */
    if (!ok || n == 0 || n > s->max) return failed(s, err);
    chy_buf_add(out, s->scratch, n);
    return chy_buf_done(out, "signature", err);
}
