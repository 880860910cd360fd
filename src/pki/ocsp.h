/* OCSP (RFC 6960, 5019, 9654): requests read in place, responses hand-assembled. As with
 * certificates, building never signs: the signer gets exactly the octets that lint saw (P3, P4).
 * Thread: any; pure. */
#ifndef CHY_PKI_OCSP_H
#define CHY_PKI_OCSP_H

#include "pki/cert.h"

enum {
    CHY_OCSP_REQUEST_MAX = 16384,
    CHY_OCSP_MAX_IDS = 64,
    CHY_OCSP_NONCE_MAX = 128, /* what is read; RFC 9654 lets a responder bound it at 32 */
    CHY_OCSP_RESPONSE_MAX = 65536
};

enum chy_ocsp_hash { CHY_OCSP_HASH_OTHER, CHY_OCSP_SHA1, CHY_OCSP_SHA256 };

struct chy_ocsp_id {
    struct chy_span der; /* the whole CertID: the response repeats it octet by octet */
    enum chy_ocsp_hash hash;
    struct chy_span name_hash, key_hash; /* lengths are those of the hash, unless OTHER */
    struct chy_span serial;              /* INTEGER content octets, minimal */
};

struct chy_ocsp_request {
    struct chy_ocsp_id id[CHY_OCSP_MAX_IDS];
    size_t n;
    bool has_nonce;
    struct chy_span nonce; /* 1 to CHY_OCSP_NONCE_MAX octets */
    bool has_signature;    /* seen, never needed */
    bool unknown_critical; /* an extension that we do not know says critical */
};
/* Strict DER; every refusal is a malformedRequest. */
CHY_MUST_USE chy_hresult chy_ocsp_request_parse(struct chy_span der, struct chy_ocsp_request *out,
                                                struct chy_err *err);

enum chy_ocsp_status { /* OCSPResponseStatus */
                       CHY_OCSP_SUCCESSFUL = 0,
                       CHY_OCSP_MALFORMED = 1,
                       CHY_OCSP_INTERNAL_ERROR = 2,
                       CHY_OCSP_TRY_LATER = 3,
                       CHY_OCSP_SIG_REQUIRED = 5,
                       CHY_OCSP_UNAUTHORIZED = 6
};
/* The five octets of an answer that says only that. */
void chy_ocsp_error_add(struct chy_buf *out, enum chy_ocsp_status status);

enum chy_ocsp_cert_status { CHY_OCSP_GOOD, CHY_OCSP_REVOKED, CHY_OCSP_UNKNOWN };
struct chy_ocsp_single {
    struct chy_span id; /* CertID DER */
    enum chy_ocsp_cert_status status;
    chy_time revoked;                  /* REVOKED only */
    int32_t reason;                    /* UNSPECIFIED is left out */
    chy_time this_update, next_update; /* next CHY_TIME_DEFAULT: left out */
    chy_time archive_cutoff;           /* CHY_TIME_DEFAULT: left out (RFC 6960 4.4.4) */
};
struct chy_ocsp_parts {
    struct chy_span key_hash; /* ResponderID byKey: SHA-1 of the signer's key bits … */
    struct chy_span name;     /* … or byName when this Name is given */
    chy_time produced;
    const struct chy_ocsp_single *single;
    size_t n;
    struct chy_span nonce; /* empty: none */
};
/* ResponseData, what is signed. */
CHY_MUST_USE chy_hresult chy_ocsp_build_tbs(const struct chy_ocsp_parts *parts, struct chy_buf *out,
                                            struct chy_err *err);
/* The whole OCSPResponse; cert: the delegated signer's certificate, empty for none. */
CHY_MUST_USE chy_hresult chy_ocsp_assemble(struct chy_span tbs, struct chy_span sig_alg,
                                           struct chy_span signature, struct chy_span cert,
                                           struct chy_buf *out, struct chy_err *err);

#endif
