/* One certificate of the CA with its key: what signs, and what stands in everything that was signed
 * with it. A CA has one for each renewal; the newest issues, the others keep their CRLs (P9).
 * Thread: made once, then shared and unchanging as long as the CA is open. */
#ifndef CHY_CA_AUTHORITY_H
#define CHY_CA_AUTHORITY_H

#include "key/key.h"
#include "pki/cert.h"
#include "pki/lint.h"
#include "store/store.h"

enum { CHY_CA_MAX_CERTS = 64, CHY_PEM_MAX = 1 << 20 };

struct chy_authority {
    int32_t index;     /* of the certificate: 0 is the first */
    int32_t key_index; /* of the certificate with which the key came */
    struct chy_key *key;
    const struct chy_sig_alg *sig_alg;
    struct chy_buf cert_der, chain_pem;
    struct chy_cert cert;   /* into cert_der */
    struct chy_span key_id; /* SKI value of the certificate */
    struct chy_buf aki_der; /* the AKI extension's value, encoded once */
    struct chy_basic_constraints bc;
    struct chy_name_constraints *constraints; /* NULL: none */
    struct chy_lint_issuer lint;
};

/* IssuerNameId of AD CS: key and certificate index in one number. */
static inline int32_t chy_issuer_index(const struct chy_authority *a)
{
    return (int32_t)((uint32_t)a->key_index << 16 | (uint32_t)a->index);
}

/* Reads DIR/ca.pem and DIR/key.pem, with a number before the dot from the second on (ca-1.pem).
 * key: taken over whatever comes of it; NULL: read. older: the first n certificates, one of whose
 * keys this one may have. */
CHY_MUST_USE chy_hresult chy_authority_load(const char *dir, int32_t index,
                                            struct chy_authority *const *older, size_t n,
                                            struct chy_key *key, struct chy_authority **out,
                                            struct chy_err *err);
/* The same without any private key: for who reads a CA and signs nothing. */
CHY_MUST_USE chy_hresult chy_authority_load_to_read(const char *dir, int32_t index,
                                                    struct chy_authority *const *older, size_t n,
                                                    struct chy_authority **out,
                                                    struct chy_err *err);
/* sig_alg by its name; "" or NULL: the default of the key. */
CHY_MUST_USE chy_hresult chy_authority_set_alg(struct chy_authority *a, const char *name,
                                               struct chy_err *err);
void chy_authority_free(struct chy_authority *a);
/* The database knows how many certificates the CA has: with the newest one's file lost an older one
 * would issue again, and the next renewal would take the lost one's number and its key's place. */
CHY_MUST_USE chy_hresult chy_authority_check_count(struct chy_store *store, const char *dir,
                                                   size_t n, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_authority_note_count(struct chy_store *store, size_t n,
                                                  struct chy_err *err);
/* DIR/ca.pem, DIR/key-1.pem …: which is "ca" or "key". */
CHY_MUST_USE chy_hresult chy_authority_path(const char *dir, const char *which, int32_t index,
                                            char *out, size_t cap, struct chy_err *err);

#endif
