/* Host names: LDH labels, and the A-labels of internationalised ones. RFC 1123 2.1, RFC 3492, RFC
 * 5890. Thread: any; pure. Inside pki only. */
#ifndef CHY_PKI_IDNA_H
#define CHY_PKI_IDNA_H

#include "base/base.h"

/* What is wrong with a host name, or NULL. flags: CHY_GN_ALLOW_*. */
const char *chy_host_fault(struct chy_span name, unsigned flags);

#endif
