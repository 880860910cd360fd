/* The CA's own certificate: self-signed, or by the newest key of another CA whose folder is at
 * hand. That one's database knows of it before anybody sees it, so that it can be revoked. Thread:
 * any. */
#ifndef CHY_CA_CA_CERT_H
#define CHY_CA_CA_CERT_H

#include "ca/authority.h"
#include "store/store.h"

struct chy_ca_cert_making {
    const struct chy_clock *clock;
    struct chy_key *key;
    const struct chy_sig_alg *sig_alg;
    struct chy_span subject; /* Name */
    int days;
    int path_len;                   /* -1: none */
    int32_t version;                /* key and certificate index, as IssuerNameId */
    struct chy_span constraints;    /* value of nameConstraints; empty: none */
    const char *parent_dir;         /* NULL: self-signed */
    struct chy_store *parent_store; /* its database, where it is open; NULL: opened for this */
    const char *author;             /* who asks the parent */
    struct chy_buf cert;            /* out: DER */
    struct chy_buf parent_chain;    /* out: PEM of the issuers */
};
CHY_MUST_USE chy_hresult chy_ca_cert_make(struct chy_ca_cert_making *m, struct chy_err *err);
/* DIR/ca.pem, or of a later number: the certificate, and its issuers behind it. */
CHY_MUST_USE chy_hresult chy_ca_cert_write(const struct chy_ca_cert_making *m, const char *dir,
                                           int32_t index, struct chy_err *err);

#endif
