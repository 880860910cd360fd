/* CertID to CA and key: the hashes of all names and keys that certificates of ours have, with both
 * hash algorithms that are asked for. Made at the first question, and anew when there are more
 * certificates than then. */
#include <string.h>

#include "ocsp/ocsp_int.h"
#include "pki/spki.h"

enum { HASH_MAX = 32 };

struct chy_ocsp_row {
    enum chy_ocsp_hash hash; /* CHY_OCSP_HASH_OTHER: free */
    uint8_t name[HASH_MAX], key[HASH_MAX];
    struct chy_ocsp_issuer issuer;
};

static size_t length_of(enum chy_ocsp_hash hash)
{
    return hash == CHY_OCSP_SHA1 ? 20 : 32;
}

void chy_ocsp_issuers_init(struct chy_ocsp_issuers *t, struct chy_ca *const *ca, size_t n)
{
    memset(t, 0, sizeof(*t));
    pthread_rwlock_init(&t->lock, NULL);
    t->n_cas = n < CHY_OCSP_CAS_MAX ? n : CHY_OCSP_CAS_MAX;
    for (size_t i = 0; i < t->n_cas; i++)
        t->ca[i] = ca[i];
}

void chy_ocsp_issuers_fini(struct chy_ocsp_issuers *t)
{
    chy_free(t->row);
    pthread_rwlock_destroy(&t->lock);
}

/* The table is ours, and at most half full: whoever asks cannot make a search long. */
static struct chy_ocsp_row *place_of(struct chy_ocsp_row *row, size_t n, enum chy_ocsp_hash hash,
                                     const uint8_t *name, const uint8_t *key)
{
    uint32_t start;
    memcpy(&start, key, sizeof(start));
    for (size_t i = start & (n - 1);; i = (i + 1) & (n - 1)) {
        if (row[i].hash == CHY_OCSP_HASH_OTHER) return &row[i];
        if (row[i].hash == hash && memcmp(row[i].key, key, length_of(hash)) == 0 &&
            memcmp(row[i].name, name, length_of(hash)) == 0)
            return &row[i];
    }
}

static chy_hresult digest(struct chy_verifier *v, enum chy_ocsp_hash hash, struct chy_span in,
                          uint8_t *out, struct chy_err *err)
{
    return hash == CHY_OCSP_SHA1 ? chy_verifier_sha1(v, in, out, err)
                                 : chy_verifier_sha256(v, in, out, err);
}

static chy_hresult add(struct chy_ocsp_row *row, size_t n, struct chy_verifier *v,
                       struct chy_span subject, struct chy_span key_bits,
                       const struct chy_ocsp_issuer *issuer, struct chy_err *err)
{
    for (enum chy_ocsp_hash hash = CHY_OCSP_SHA1; hash <= CHY_OCSP_SHA256; hash++) {
        struct chy_ocsp_row r = {.hash = hash, .issuer = *issuer};
        chy_hresult hr = digest(v, hash, subject, r.name, err);
        if (hr == CHY_S_OK) hr = digest(v, hash, key_bits, r.key, err);
        if (hr != CHY_S_OK) return hr;
        *place_of(row, n, hash, r.name, r.key) = r;
    }
    return CHY_S_OK;
}

size_t chy_ocsp_issuers_count(const struct chy_ocsp_issuers *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_cas; i++)
        n += chy_ca_cert_count(t->ca[i]);
    return n;
}

static chy_hresult add_ca(struct chy_ocsp_row *row, size_t n, struct chy_verifier *v,
                          struct chy_ca *ca, struct chy_err *err)
{
    struct chy_ca_cert_info info;
    chy_hresult hr = CHY_S_OK;
    for (int32_t k = 0; hr == CHY_S_OK && chy_ca_cert_info(ca, k, &info); k++) {
        const struct chy_ocsp_issuer issuer = {.ca = ca, .key_index = info.key_index};
        hr = add(row, n, v, info.subject, info.key_bits, &issuer, err);
    }
    return hr;
}

/* The lock is held for writing. */
static chy_hresult make(struct chy_ocsp_issuers *t, size_t certs, struct chy_err *err)
{
    size_t n = 16;
    /* A CA may be renewed while this runs: room for one more certificate of each. */
    while (n < 4 * (certs + t->n_cas))
        n *= 2;
    struct chy_verifier *v = chy_verifier_new(err);
    struct chy_ocsp_row *row = v ? chy_calloc(n, sizeof(*row)) : NULL;
    chy_hresult hr = row ? CHY_S_OK : chy_fail_nomem(err, "issuers for OCSP");
    for (size_t i = 0; i < t->n_cas && hr == CHY_S_OK; i++)
        hr = add_ca(row, n, v, t->ca[i], err);
    chy_verifier_free(v);
    if (hr != CHY_S_OK) {
        chy_free(row);
        return hr;
    }
    chy_free(t->row);
    t->row = row;
    t->n_rows = n;
    t->certs = certs;
    return CHY_S_OK;
}

static chy_hresult refresh(struct chy_ocsp_issuers *t, struct chy_err *err)
{
    chy_hresult hr = CHY_S_OK;
    pthread_rwlock_wrlock(&t->lock);
    size_t certs = chy_ocsp_issuers_count(t);
    if (!t->n_rows || certs != t->certs) hr = make(t, certs, err);
    pthread_rwlock_unlock(&t->lock);
    return hr;
}

chy_hresult chy_ocsp_issuers_find(struct chy_ocsp_issuers *t, const struct chy_ocsp_id *id,
                                  struct chy_ocsp_issuer *out, struct chy_err *err)
{
    if (id->hash == CHY_OCSP_HASH_OTHER) return CHY_S_FALSE;
    pthread_rwlock_rdlock(&t->lock);
    bool stale = !t->n_rows || chy_ocsp_issuers_count(t) != t->certs;
    pthread_rwlock_unlock(&t->lock);
    chy_hresult hr = stale ? refresh(t, err) : CHY_S_OK;
    if (hr != CHY_S_OK) return hr;
    pthread_rwlock_rdlock(&t->lock);
    const struct chy_ocsp_row *row =
        place_of(t->row, t->n_rows, id->hash, id->name_hash.p, id->key_hash.p);
    hr = row->hash == CHY_OCSP_HASH_OTHER ? CHY_S_FALSE : CHY_S_OK;
    *out = row->issuer;
    pthread_rwlock_unlock(&t->lock);
    return hr;
}
