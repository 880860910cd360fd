/* One CRL: from the store's entries to a signed file, in pieces (P4: what is signed was linted).
 * Thread: the publisher's. */
#ifndef CHY_CA_CRL_MAKE_H
#define CHY_CA_CRL_MAKE_H

#include "ca/ca_internal.h"

struct chy_crl_making {
    struct chy_ca *ca;
    const struct chy_settings *settings;
    const struct chy_authority *authority; /* the newest certificate of the key that signs */
    struct chy_signer *signer;
    int32_t shard;
    bool is_delta, is_manual;
    bool is_whole;  /* lists all certificates of the key; else it says of which shard it is */
    bool is_shadow; /* an empty delta: there are to be no more */
    uint64_t number;
    int64_t seq; /* the last change before now: what does not count yet at now lies behind it */
    chy_time now;
    struct chy_crl_times times;
    const struct chy_crl_record *base;     /* of a delta: what it refers to */
    const struct chy_crl_record *previous; /* the base before this one; NULL: none */
};
/* Makes DIR/crl/…, durable, and fills the record. */
CHY_MUST_USE chy_hresult chy_crl_make(const struct chy_crl_making *m, struct chy_crl_record *out,
                                      struct chy_err *err);
/* The file of a record: DIR/crl/KEY-SHARD-NUMBER.crl, with '+' before the dot for a delta. */
void chy_crl_file(const struct chy_ca *ca, const struct chy_crl_record *r, char *out, size_t cap);
/* The name under which it is served and published: NAME(1)_Partition00001+.crl. */
void chy_crl_name(const struct chy_ca *ca, const struct chy_crl_record *r, char *out, size_t cap);

#endif
