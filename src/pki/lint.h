/* Lint of our own, run on the octets about to be signed (P3, P4). Each rule has an id, a severity,
 * the section it comes from, and in the tests a good and a bad sample. Thread: any; pure. */
#ifndef CHY_PKI_LINT_H
#define CHY_PKI_LINT_H

#include "pki/cert.h"

enum chy_lint_severity { CHY_LINT_NOTICE, CHY_LINT_WARNING, CHY_LINT_ERROR };

struct chy_lint_rule {
    const char *id; /* "serial-entropy-length" */
    enum chy_lint_severity severity;
    const char *section; /* "RFC 5280 4.1.2.2" */
    const char *text;    /* what must hold */
};
extern const struct chy_lint_rule *const chy_lint_rules[]; /* NULL-ended */

struct chy_lint_issuer {     /* what the rules need to know of the signer */
    struct chy_span subject; /* Name DER */
    struct chy_span key_id;  /* SKI of the issuer; empty: none */
    chy_time not_before, not_after;
    int path_len;                                   /* -1: none */
    const struct chy_name_constraints *constraints; /* NULL: none */
    struct chy_span sig_alg;                        /* AlgorithmIdentifier that will sign */
};

struct chy_lint_finding {
    const struct chy_lint_rule *rule;
    char detail[96];
};
struct chy_lint_report {
    struct chy_lint_finding finding[16];
    size_t n;      /* kept; */
    size_t errors; /* counted also beyond what is kept */
    size_t warnings;
};

/* tbs is a TBSCertificate; issuer NULL means self-signed. A tbs that does not parse is one error.
 */
void chy_lint_tbs(struct chy_span tbs, const struct chy_lint_issuer *issuer,
                  struct chy_lint_report *out);
/* Is it an absolute URL as certificates and CRLs may have it? */
bool chy_lint_is_url(struct chy_span u);

#endif
