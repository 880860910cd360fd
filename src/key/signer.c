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
    bool started;        /* a message is coming in pieces */
    struct chy_buf kept; /* its pieces, for an algorithm that hashes by itself */
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
    chy_buf_free(&s->kept);
    chy_free(s->scratch);
    chy_free(s);
}

static bool set_options(const struct chy_signer *s, EVP_PKEY_CTX *ctx)
{
    if (s->alg->kind == CHY_KEY_RSA &&
        EVP_PKEY_CTX_set_rsa_padding(ctx,
                                     s->alg->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) != 1)
        return false;
    if (EVP_PKEY_CTX_set_signature_md(ctx, s->md) != 1) return false;
    return !s->alg->pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool init_digest_signer(struct chy_signer *s)
{
    s->md = EVP_MD_fetch(NULL, s->alg->digest, NULL);
    s->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->key->pkey, NULL);
    return s->md && s->ctx && EVP_PKEY_sign_init(s->ctx) == 1 && set_options(s, s->ctx);
}

chy_hresult chy_signer_new(struct chy_key *key, const struct chy_sig_alg *alg,
                           struct chy_signer **out, struct chy_err *err)
{
    if (chy_sig_alg_for_key(key->pkey, alg->name, err) != alg) return CHY_E_INVALIDARG;
    struct chy_signer *s = chy_calloc(1, sizeof(*s));
    if (!s) return chy_fail_nomem(err, "signer");
    s->key = chy_key_ref(key);
    s->alg = alg;
    chy_buf_init(&s->kept, CHY_SIGNER_KEPT_MAX);
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

static bool start_digest(struct chy_signer *s)
{
    return EVP_DigestInit_ex2(s->md_ctx, s->md, NULL) == 1;
}

static bool finish_digest(struct chy_signer *s, uint8_t digest[EVP_MAX_MD_SIZE], unsigned *len,
                          size_t *n)
{
    return EVP_DigestFinal_ex(s->md_ctx, digest, len) == 1 &&
           EVP_PKEY_sign(s->ctx, s->scratch, n, digest, *len) == 1;
}

static bool sign_digest(struct chy_signer *s, struct chy_span message, size_t *n)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;
    return start_digest(s) && EVP_DigestUpdate(s->md_ctx, message.p, message.n) == 1 &&
           finish_digest(s, digest, &len, n);
}

static bool verify_digest(const struct chy_signer *s, const uint8_t *digest, unsigned len, size_t n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->key->pkey, NULL);
    bool ok = ctx && EVP_PKEY_verify_init(ctx) == 1 && set_options(s, ctx) &&
              EVP_PKEY_verify(ctx, s->scratch, n, digest, len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool sign_message(struct chy_signer *s, struct chy_span message, size_t *n)
{
    return EVP_MD_CTX_reset(s->md_ctx) == 1 &&
           EVP_DigestSignInit_ex(s->md_ctx, NULL, NULL, NULL, NULL, s->key->pkey, NULL) == 1 &&
           EVP_DigestSign(s->md_ctx, s->scratch, n, message.p, message.n) == 1;
}

static bool verify_message(struct chy_signer *s, struct chy_span message, size_t n)
{
    return EVP_MD_CTX_reset(s->md_ctx) == 1 &&
           EVP_DigestVerifyInit_ex(s->md_ctx, NULL, NULL, NULL, NULL, s->key->pkey, NULL) == 1 &&
           EVP_DigestVerify(s->md_ctx, s->scratch, n, message.p, message.n) == 1;
}

static chy_hresult give(struct chy_signer *s, bool ok, size_t n, struct chy_buf *out,
                        struct chy_err *err)
{
    /* A result of length zero is a failure that forgot to say so. */
    if (!ok || n == 0 || n > s->max) return failed(s, err);
    chy_buf_add(out, s->scratch, n);
    return chy_buf_done(out, "signature", err);
}

/* What came in pieces so far is forgotten; what was kept of it was large, and goes. */
static void forget(struct chy_signer *s)
{
    s->started = false;
    chy_buf_free(&s->kept);
}

chy_hresult chy_signer_sign(struct chy_signer *s, struct chy_span message, struct chy_buf *out,
                            struct chy_err *err)
{
    size_t n = s->max;
    forget(s);
    bool ok = s->md ? sign_digest(s, message, &n) : sign_message(s, message, &n);
    return give(s, ok, n, out, err);
}

static chy_hresult not_started(const struct chy_signer *s, struct chy_err *err)
{
    return chy_fail(err, CHY_E_UNEXPECTED, "signing with %s: no message was started", s->alg->name);
}

chy_hresult chy_signer_start(struct chy_signer *s, struct chy_err *err)
{
    forget(s);
    if (s->md && !start_digest(s)) return failed(s, err);
    s->started = true;
    return CHY_S_OK;
}

chy_hresult chy_signer_more(struct chy_signer *s, struct chy_span piece, struct chy_err *err)
{
    if (!s->started) return not_started(s, err);
    if (!piece.n) return CHY_S_OK;
    chy_hresult hr = CHY_S_OK;
    if (!s->md) {
        chy_buf_add_span(&s->kept, piece);
        hr = chy_buf_done(&s->kept, "message to be signed", err);
    } else if (EVP_DigestUpdate(s->md_ctx, piece.p, piece.n) != 1) {
        hr = failed(s, err);
    }
    if (CHY_FAILED(hr)) forget(s);
    return hr;
}

chy_hresult chy_signer_finish(struct chy_signer *s, struct chy_buf *out, struct chy_err *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    size_t n = s->max;
    struct chy_span kept = chy_buf_span(&s->kept);
    if (!s->started) return not_started(s, err);
    bool ok = s->md ? finish_digest(s, digest, &len, &n) : sign_message(s, kept, &n);
    bool right = ok && (s->md ? verify_digest(s, digest, len, n) : verify_message(s, kept, n));
    forget(s);
    if (ok && !right) {
        return chy_fail_openssl(err, CHY_NTE_BAD_SIGNATURE,
                                "signing with %s: the signature does not verify", s->alg->name);
    }
    return give(s, ok, n, out, err);
}
