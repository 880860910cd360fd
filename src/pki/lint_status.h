/* Lint of what says that certificates are revoked (P4): CRLs as a stream, and OCSP responses, on
 * the octets about to be signed. Rules are those of lint.h: id, severity, section, a good and a bad
 * sample in the tests. Thread: any; pure. */
#ifndef CHY_PKI_LINT_STATUS_H
#define CHY_PKI_LINT_STATUS_H

#include "pki/lint.h"

/* head, then the entries in blocks cut between entries, then tail: the octets of chy_crl_tbs in the
 * order in which they are hashed. */
struct chy_lint_crl {
    struct chy_lint_report *out;
    const struct chy_lint_issuer *issuer;
    chy_time this_update, next_update;
    uint64_t entries_len, seen;    /* octets of entries: announced by the head, and passed */
    uint64_t n_entries, n_removed; /* removed: removeFromCRL, for a delta CRL alone */
    uint64_t tbs_len, total;       /* announced, and passed */
    bool broken;                   /* the head did not parse: that was said once */
};
void chy_lint_crl_begin(struct chy_lint_crl *l, struct chy_span head,
                        const struct chy_lint_issuer *issuer, struct chy_lint_report *out);
void chy_lint_crl_entries(struct chy_lint_crl *l, struct chy_span block);
void chy_lint_crl_end(struct chy_lint_crl *l, struct chy_span tail);

/* tbs: ResponseData. now: what producedAt must not be ahead of. */
void chy_lint_ocsp(struct chy_span tbs, chy_time now, struct chy_lint_report *out);

#endif
