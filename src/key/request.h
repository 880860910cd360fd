/* Making a PKCS#10 request (RFC 2986) with a key of ours: for the daemon's own TLS certificate and
 * for the command line. Thread: any. */
#ifndef CHY_KEY_REQUEST_H
#define CHY_KEY_REQUEST_H

#include "key/key.h"
#include "pki/ext.h"

/* subject is a Name in DER; names become a subjectAltName in an extensionRequest, or nothing when n
 * is 0. */
CHY_MUST_USE chy_hresult chy_key_request(struct chy_key *key, struct chy_span subject,
                                         const struct chy_general_name *names, size_t n,
                                         struct chy_buf *der, struct chy_err *err);

#endif
