/* Keys: shared, never changed after they are made; the public half is kept in DER beside the key.
 * Thread: any; the count of references is atomic. */
#include "key/key.h"

#include <openssl/x509.h>
#include <string.h>

#include "key/internal.h"

static chy_hresult keep_public_half(struct chy_key *key, struct chy_err *err)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key->pkey, &der);
    if (n <= 0)
        return chy_fail_openssl(err, CHY_E_OUTOFMEMORY,
                                "key: OpenSSL cannot encode the public half");
    key->spki_der = chy_malloc((size_t)n);
    if (key->spki_der) memcpy(key->spki_der, der, (size_t)n);
    OPENSSL_free(der);
    if (!key->spki_der) return chy_fail_nomem(err, "key");
    return chy_spki_parse(chy_span_of(key->spki_der, (size_t)n), &key->spki, err);
}

chy_hresult chy_key_of_pkey(EVP_PKEY *pkey, struct chy_key **out, struct chy_err *err)
{
    struct chy_key *key = chy_calloc(1, sizeof(*key));
    if (!key) {
        EVP_PKEY_free(pkey);
        return chy_fail_nomem(err, "key");
    }
    atomic_init(&key->refs, 1);
    key->pkey = pkey;
    chy_hresult hr = keep_public_half(key, err);
    if (CHY_FAILED(hr)) {
        chy_key_free(key);
        return hr;
    }
    *out = key;
    return CHY_S_OK;
}

chy_hresult chy_key_generate(const char *alg, struct chy_key **out, struct chy_err *err)
{
    struct chy_key_alg storage;
    EVP_PKEY *pkey = NULL;
    const struct chy_key_alg *found = chy_key_alg_by_name(alg, &storage, err);
    if (!found) return CHY_E_INVALIDARG;
    chy_hresult hr = chy_key_alg_generate(found, &pkey, err);
    return CHY_FAILED(hr) ? hr : chy_key_of_pkey(pkey, out, err);
}

chy_hresult chy_key_public(struct chy_span spki, struct chy_key **out, struct chy_err *err)
{
    const unsigned char *p = spki.p;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)spki.n);
    if (!pkey) return chy_fail_openssl(err, CHY_E_INVALIDARG, "key: no public key");
    return chy_key_of_pkey(pkey, out, err);
}

struct chy_key *chy_key_ref(struct chy_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void chy_key_free(struct chy_key *key)
{
    /* The last one must see what the others did to the key before they let go. */
    if (!key || atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1) return;
    EVP_PKEY_free(key->pkey);
    chy_free(key->spki_der);
    chy_free(key);
}

const struct chy_spki *chy_key_spki(const struct chy_key *key)
{
    return &key->spki;
}

const struct chy_sig_alg *chy_key_sig_alg(const struct chy_key *key, const char *name,
                                          struct chy_err *err)
{
    return chy_sig_alg_for_key(key->pkey, name, err);
}

bool chy_key_is_slow(const struct chy_key *key)
{
    bool rsa = key->spki.kind == CHY_KEY_RSA || key->spki.kind == CHY_KEY_RSA_PSS;
    return rsa && key->spki.size > 2048;
}
