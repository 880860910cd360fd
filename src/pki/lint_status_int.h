/* Inside lint of CRLs and OCSP responses: what their files share. Thread: any; no state. */
#ifndef CHY_PKI_LINT_STATUS_INT_H
#define CHY_PKI_LINT_STATUS_INT_H

#include "pki/lint_int.h"
#include "pki/lint_status.h"

enum { CHY_LINT_STATUS_EXT_MAX = 16 };

/* As RFC 5280 5.1.2.4 has times; false: said by rule. */
bool chy_lint_crl_time(struct chy_lint_crl *l, enum chy_lint_id rule, const char *what,
                       const struct chy_tlv *t, chy_time *out);
/* Extensions, the list in DER with its header taken away; those that stand twice are named by rule.
 * false: not well-formed, or more than *n. */
bool chy_lint_status_exts(struct chy_lint_report *out, enum chy_lint_id twice, struct chy_der list,
                          struct chy_ext *ext, size_t *n);

#endif
