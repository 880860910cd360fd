/* Certificate revocation lists (RFC 5280 5): written as a stream whose memory does not grow with
 * the number of entries, and read the same way.
 * Writing: chy_crl_entry_add for each entry, into blocks of any size; when their length is known
 * chy_crl_tbs gives what stands before and behind them, and when the signature is, chy_crl_wrap
 * what stands before and behind that. What is signed is exactly head, entries, tail (P3).
 * Thread: any; pure. */
#ifndef CHY_PKI_CRL_H
#define CHY_PKI_CRL_H

#include "pki/cert.h"

/* One revoked certificate. reason CHY_CRL_REASON_UNSPECIFIED writes no reasonCode (5.3.1), an
 * invalidity date of CHY_TIME_DEFAULT none either. Times are written in whole seconds. */
struct chy_crl_entry {
    struct chy_span serial; /* INTEGER content octets */
    chy_time revoked;       /* revocationDate: since when it counts */
    int32_t reason;
    chy_time invalid; /* invalidityDate (5.3.2) */
};
void chy_crl_entry_add(struct chy_buf *out, const struct chy_crl_entry *e);

struct chy_crl_parts {
    struct chy_span sig_alg; /* AlgorithmIdentifier SEQUENCE */
    struct chy_span issuer;  /* Name */
    chy_time this_update, next_update;
    const struct chy_ext *ext; /* crlExtensions, in the order to be written */
    size_t n_ext;
};
/* The two ends of the TBSCertList around entries_len octets of entries (0: the list is left out,
 * 5.1.2.6). */
CHY_MUST_USE chy_hresult chy_crl_tbs(const struct chy_crl_parts *parts, uint64_t entries_len,
                                     struct chy_buf *head, struct chy_buf *tail,
                                     struct chy_err *err);
/* The two ends of the CertificateList around tbs_len octets. */
CHY_MUST_USE chy_hresult chy_crl_wrap(uint64_t tbs_len, struct chy_span sig_alg,
                                      struct chy_span signature, struct chy_buf *head,
                                      struct chy_buf *tail, struct chy_err *err);

/* Extension values (content of extnValue). */
void chy_crl_number_add(struct chy_buf *out, uint64_t number);   /* also the delta indicator's */
bool chy_crl_number_parse(struct chy_span value, uint64_t *out); /* at most 8 octets */
struct chy_crl_idp { /* issuingDistributionPoint (5.2.5) */
    const char *const *url;
    size_t n_url;
    bool only_user, only_ca;
};
void chy_crl_idp_add(struct chy_buf *out, const struct chy_crl_idp *idp);

/* Reading one whole CRL, strictly; the entries are checked one by one as they are passed. The spans
 * point into der. */
struct chy_crl {
    struct chy_span der, tbs;
    struct chy_span sig_alg_der;
    const struct chy_sig_alg *sig_alg; /* NULL: unknown */
    struct chy_name issuer;
    chy_time this_update, next_update; /* next CHY_TIME_DEFAULT: absent */
    struct chy_span entries;           /* concatenated revokedCertificate SEQUENCEs */
    struct chy_ext ext[CHY_EXT_MAX];
    size_t n_ext;
    struct chy_span signature;
    bool has_number, is_delta;
    uint64_t number, base_number;
};
CHY_MUST_USE chy_hresult chy_crl_parse(struct chy_span der, struct chy_crl *out,
                                       struct chy_err *err);
/* The next entry at *pos of a concatenation; false at the end or when the rest is not well-formed
 * (then *pos is not its length). */
bool chy_crl_entry_next(struct chy_span entries, size_t *pos, struct chy_crl_entry *out);

#endif
