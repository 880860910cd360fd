/* One CRL in memory, to be asked by serial: its octets as they came, and eight octets for each
 * entry. Immutable once it is indexed. Thread: any. */
#ifndef CHY_OCSP_CRL_INDEX_H
#define CHY_OCSP_CRL_INDEX_H

#include "pki/crl.h"

enum { CHY_OCSP_CRL_MAX = 512 << 20 }; /* octets; an entry's place has as many bits */

struct chy_ocsp_crl {
    struct chy_buf der;
    struct chy_crl crl;
    uint64_t *entry; /* sorted: hash of the serial, and behind it the place among the entries */
    size_t n;
};
void chy_ocsp_crl_init(struct chy_ocsp_crl *c);
void chy_ocsp_crl_fini(struct chy_ocsp_crl *c);

/* A DER or PEM file, parsed; its signature is the caller's to verify. */
CHY_MUST_USE chy_hresult chy_ocsp_crl_read(struct chy_ocsp_crl *c, const char *path,
                                           struct chy_err *err);
/* Checks every entry. Before it, nothing is found. */
CHY_MUST_USE chy_hresult chy_ocsp_crl_index(struct chy_ocsp_crl *c, struct chy_err *err);
/* False: the serial is not on it. Of two entries with one serial, one that revokes is given. */
bool chy_ocsp_crl_find(const struct chy_ocsp_crl *c, struct chy_span serial,
                       struct chy_crl_entry *out);

#endif
