/* X.509 certificates: parsed in place, and hand-assembled from parts. RFC 5280.
 * Building never signs: the signer (key/) gets exactly the octets that lint saw (P3). Thread: any.
 */
#ifndef CHY_PKI_CERT_H
#define CHY_PKI_CERT_H

#include "pki/ext.h"
#include "pki/name.h"
#include "pki/spki.h"

enum { CHY_CERT_MAX = 65536, CHY_SERIAL_LEN = 20 };

struct chy_cert {
    struct chy_span der;
    struct chy_span tbs;               /* whole TLV: what is signed */
    int version;                       /* 3 */
    struct chy_span serial;            /* INTEGER content octets */
    struct chy_span sig_alg_der;       /* outer AlgorithmIdentifier; equals the inner one */
    const struct chy_sig_alg *sig_alg; /* NULL: unknown */
    struct chy_name issuer, subject;
    chy_time not_before, not_after;
    struct chy_spki key;
    struct chy_ext ext[CHY_EXT_MAX];
    size_t n_ext;
    struct chy_span signature;
};

CHY_MUST_USE chy_hresult chy_cert_parse(struct chy_span der, struct chy_cert *out,
                                        struct chy_err *err);
/* The TBSCertificate alone, as it is about to be signed: der, sig_alg_der (the inner one) and
 * signature of *out stay empty where there is none. */
CHY_MUST_USE chy_hresult chy_cert_parse_tbs(struct chy_span tbs, struct chy_cert *out,
                                            struct chy_err *err);
const struct chy_ext *chy_cert_find_ext(const struct chy_cert *c, struct chy_span oid);

/* What a certificate is made of; every span is DER except serial (INTEGER content octets). */
struct chy_cert_parts {
    struct chy_span serial;
    struct chy_span sig_alg;        /* AlgorithmIdentifier SEQUENCE */
    struct chy_span issuer;         /* Name */
    chy_time not_before, not_after; /* whole seconds; both ends count (P5) */
    struct chy_span subject;        /* Name */
    struct chy_span spki;
    const struct chy_ext *ext; /* in the order to be written; none disabled among them */
    size_t n_ext;
};
CHY_MUST_USE chy_hresult chy_cert_build_tbs(const struct chy_cert_parts *parts, struct chy_buf *out,
                                            struct chy_err *err);
/* Certificate ::= SEQUENCE { tbs, sig_alg, BIT STRING signature } */
CHY_MUST_USE chy_hresult chy_cert_assemble(struct chy_span tbs, struct chy_span sig_alg,
                                           struct chy_span signature, struct chy_buf *out,
                                           struct chy_err *err);

/* P1: 20 octets, first 4 rise with time (index locality; says no more than notBefore does), 16 from
 * the CSPRNG; positive, no leading zero octet, under 2^159. */
CHY_MUST_USE chy_hresult chy_serial_make(chy_time now, uint8_t out[CHY_SERIAL_LEN],
                                         struct chy_err *err);

/* P5: the smallest of the ends wins and is named in why ("policy", "ca-configuration",
 * "ca-certificate", "request"); days and periods count both ends. CHY_TIME_DEFAULT where a bound
 * does not apply. */
struct chy_validity {
    chy_time not_before, not_after;
    const char *why;
};
struct chy_validity_bounds {
    chy_time now;
    int64_t backdate_s; /* against skewed clocks */
    chy_time ca_not_before, ca_not_after;
    int64_t ca_period_s; /* the CA's configured maximum, from not_before */
    chy_time policy_not_after;
    chy_time request_not_after;
};
CHY_MUST_USE chy_hresult chy_validity_choose(const struct chy_validity_bounds *b,
                                             struct chy_validity *out, struct chy_err *err);

#endif
