/* CAs of others, known by an imported certificate and its CRL: an offline root, another product's
 * issuing CA. In a folder, of each CA NAME:
 *
 *   NAME.pem            its certificate
 *   NAME.crl, NAME+.crl its CRL and, where there is one, a delta to it; DER or PEM
 *   NAME.ocsp.pem       the certificate that it gave to the signer of OCSP answers
 *   NAME.ocsp.key.pem   that signer's key
 *
 * What is read is one unchanging value; when a file changes, a new value takes its place at once,
 * or, where something is wrong with it, the old one stays. */
#ifndef CHY_OCSP_FOREIGN_H
#define CHY_OCSP_FOREIGN_H

#include <stdatomic.h>

#include "ca/revocation.h"
#include "ca/worker.h"
#include "ocsp/cache.h"
#include "ocsp/crl_index.h"
#include "pki/ocsp.h"

enum { CHY_OCSP_FOREIGN_MAX = 64, CHY_OCSP_FOREIGN_NAME = 128 };

/* ---- foreign_load.c: one CA as its files are ---- */
struct chy_ocsp_foreign {
    atomic_uint refs;
    char name[CHY_OCSP_FOREIGN_NAME];
    struct chy_buf cert_der, signer_der;
    struct chy_cert cert;
    uint8_t name_hash[2][32], key_hash[2][32]; /* SHA-1 and SHA-256 */
    struct chy_ocsp_crl base, delta;
    bool has_delta;
    bool signer_revoked; /* by this very CRL */
    chy_time this_update, next_update;
    struct chy_ocsp_signer signer;
};
/* Everything is checked; *out has one reference. held: what is in use (NULL: nothing): while it
 * holds, nothing older takes its place. */
CHY_MUST_USE chy_hresult chy_ocsp_foreign_load(const char *dir, const char *name, chy_time now,
                                               const struct chy_ocsp_foreign *held,
                                               struct chy_verifier *v,
                                               struct chy_ocsp_foreign **out, struct chy_err *err);
void chy_ocsp_foreign_unref(struct chy_ocsp_foreign *f);
bool chy_ocsp_foreign_is(const struct chy_ocsp_foreign *f, const struct chy_ocsp_id *id);
/* False: the CRL does not revoke it. */
bool chy_ocsp_foreign_revoked(const struct chy_ocsp_foreign *f, struct chy_span serial,
                              struct chy_crl_entry *out);

/* ---- foreign.c: all of them, and when to read again ---- */
struct chy_ocsp_watched;
struct chy_ocsp_foreigners {
    struct chy_job job; /* first; one at a time */
    char *dir;          /* NULL: there are none */
    struct chy_workers *workers;
    const struct chy_clock *clock;
    struct chy_ocsp_cache *cache;
    pthread_mutex_t lock; /* busy and stopping */
    pthread_cond_t quiet;
    bool busy, stopping;
    atomic_bool looked; /* once at least */
    pthread_mutex_t table_lock;
    struct chy_ocsp_watched *watched[CHY_OCSP_FOREIGN_MAX]; /* the job's, but for what is in use */
    bool told_full;                                         /* the job's, as is what follows */
    struct chy_err trouble;                                 /* the job's: of the folder */
};
/* dir is copied; cache: told when something changed. */
CHY_MUST_USE chy_hresult chy_ocsp_foreigners_init(struct chy_ocsp_foreigners *t, const char *dir,
                                                  struct chy_workers *workers,
                                                  const struct chy_clock *clock,
                                                  struct chy_ocsp_cache *cache,
                                                  struct chy_err *err);
/* Waits until no worker is here. */
void chy_ocsp_foreigners_stop(struct chy_ocsp_foreigners *t);
void chy_ocsp_foreigners_fini(struct chy_ocsp_foreigners *t);
/* Has a worker look whether files have changed; never waits. */
void chy_ocsp_foreigners_look(struct chy_ocsp_foreigners *t);
/* With a reference; CHY_S_FALSE: none of them is asked about; CHY_ERROR_BUSY: nobody has looked
 * yet. */
CHY_MUST_USE chy_hresult chy_ocsp_foreigners_find(struct chy_ocsp_foreigners *t,
                                                  const struct chy_ocsp_id *id,
                                                  struct chy_ocsp_foreign **out,
                                                  struct chy_err *err);

#endif
