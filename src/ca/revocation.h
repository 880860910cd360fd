/* The engine's other half: revoking certificates, and the CRLs and facts that tell the world.
 *
 * A revocation is a record of the history and the new standing of a row, in one transaction, before
 * it is acknowledged (P9). CRLs are made by one publisher thread per CA: by the schedule, after
 * revocations, and on demand. Each is a file of its own number below DIR/crl, never written twice;
 * a record in the store names the newest of each scope. Thread: any may call; completions come on
 * an engine thread and must not block. */
#ifndef CHY_CA_REVOCATION_H
#define CHY_CA_REVOCATION_H

#include "ca/ca.h"

/* ---- revoking (ICertAdmin::RevokeCertificate) ---- */
enum {                               /* what reason may be besides CHY_CRL_REASON_* */
       CHY_REVOKE_RELEASE = -1,      /* from hold */
       CHY_REVOKE_KEEP_EXPIRED = -2, /* stays on CRLs after it has expired */
       CHY_REVOKE_DROP_EXPIRED = -3
};
struct chy_revoke {
    int32_t reason;
    chy_time effective_when;  /* CHY_TIME_DEFAULT: now; may lie behind or ahead */
    chy_time invalidity_when; /* CHY_TIME_DEFAULT: not told */
};
/* The earliest date of a revocation, 1970-01-01: a CRL with an earlier one is taken by nobody. */
#define CHY_REVOKE_FIRST ((chy_time)0)
/* Is it an order that can be followed, whatever it is for? */
CHY_MUST_USE chy_hresult chy_revoke_check(const struct chy_revoke *what, struct chy_err *err);
/* done: request_id, disposition and message of the row as it is then. Needs OFFICER. */
void chy_ca_revoke(struct chy_ca *ca, const struct chy_caller *caller, struct chy_span serial,
                   const struct chy_revoke *what, chy_outcome_cb done, void *arg);
void chy_ca_revoke_id(struct chy_ca *ca, const struct chy_caller *caller, int32_t request_id,
                      const struct chy_revoke *what, chy_outcome_cb done, void *arg);

/* Many at once: those that the query's conditions hold for and that can change, at most limit, from
 * after_id on. Waits for the disk: not on a loop. */
struct chy_revoke_many {
    struct chy_query query; /* sort and after_id are set by the engine */
    struct chy_revoke what;
    bool spares_revoked; /* what is revoked already keeps its reason: none was given */
    int32_t after_id;    /* in; out: where to go on, 0: there is no more */
    uint32_t limit;
    uint64_t changed, unchanged; /* out: unchanged: already so, or not theirs to change */
};
CHY_MUST_USE chy_hresult chy_ca_revoke_many(struct chy_ca *ca, const struct chy_caller *caller,
                                            struct chy_revoke_many *many, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_ca_count(struct chy_ca *ca, const struct chy_caller *caller,
                                      const struct chy_query *q, int64_t *n, struct chy_err *err);

/* ICertAdmin::IsValidCertificate and GetRevocationReason: CA_DISP_*; reason only when REVOKED. */
CHY_MUST_USE chy_hresult chy_ca_is_valid(struct chy_ca *ca, const struct chy_caller *caller,
                                         struct chy_span serial, chy_long *disposition,
                                         chy_long *reason, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_ca_history(struct chy_ca *ca, const struct chy_caller *caller,
                                        int32_t request_id,
                                        bool (*cb)(const struct chy_revocation *r, void *arg),
                                        void *arg, struct chy_err *err);

/* ---- CRLs ---- */
enum { CHY_CRL_SHARD_ANY = -1 };
struct chy_crl_order {
    uint32_t flags;       /* CHY_CA_CRL_BASE, _DELTA, _REPUBLISH (ICertAdmin2::PublishCRLs) */
    int32_t shard;        /* CHY_CRL_SHARD_ANY: those that changed or are due; else that one */
    chy_time next_update; /* CHY_TIME_DEFAULT: by the configured period */
};
struct chy_crl_result {
    chy_hresult status; /* negative: nothing was published, or not to every place: err says */
    struct chy_err err;
    uint64_t number; /* 0: nothing new was made */
    uint32_t made;   /* so many CRLs */
};
typedef void (*chy_crl_done)(const struct chy_crl_result *r, void *arg);
/* Needs ADMIN. */
void chy_ca_publish_crls(struct chy_ca *ca, const struct chy_caller *caller,
                         const struct chy_crl_order *order, chy_crl_done done, void *arg);

/* One current CRL. */
struct chy_crl_info {
    struct chy_crl_record record; /* its error is in the text below */
    bool key_expired;             /* no certificate of that key can be valid any more */
    bool overdue;                 /* half of what was left after the next publication has passed */
    char name[192];               /* "NAME(1)_Partition00001+.crl": what /crl/… serves */
    char error[256];
};
/* In the order of key, shard, base before delta; returns how many there are. */
size_t chy_ca_crls(struct chy_ca *ca, struct chy_crl_info *out, size_t max);
/* The file of the current CRL: by its name, or by key and shard. *fd is the caller's.
 * CHY_ERROR_FILE_NOT_FOUND when there is none. */
CHY_MUST_USE chy_hresult chy_ca_crl_open_name(struct chy_ca *ca, const char *name, int *fd,
                                              struct chy_crl_info *out, struct chy_err *err);
/* key_index -1: the newest key. */
CHY_MUST_USE chy_hresult chy_ca_crl_open(struct chy_ca *ca, int32_t key_index, int32_t shard,
                                         bool is_delta, int *fd, struct chy_crl_info *out,
                                         struct chy_err *err);

/* ---- the CA's own certificates ---- */
struct chy_ca_cert_info {
    int32_t index, key_index;
    struct chy_span der; /* as long as the CA is open */
    struct chy_span subject, key_bits, key_id;
    chy_time not_before, not_after;
    const char *key_name; /* "p256" */
};
size_t chy_ca_cert_count(const struct chy_ca *ca);
/* index -1: the newest. False: there is none of that number. */
bool chy_ca_cert_info(const struct chy_ca *ca, int32_t index, struct chy_ca_cert_info *out);
/* "%1_%3%4.crt"-like file name under /aia: "NAME.crt", "NAME(1).crt". */
void chy_ca_cert_file_name(const struct chy_ca *ca, int32_t index, struct chy_buf *out);

struct chy_ca_renew {
    bool new_key;
    const char *key_alg; /* NULL: as the present key; counts with new_key */
    int days;            /* 0: as long as the present certificate */
    /* Of a CA that was signed by another: that one where it is open, else its folder. */
    struct chy_ca *parent;
    const char *parent_dir;
};
/* A new certificate for the present or a new key: what is issued from then on carries it; every old
 * key keeps its CRLs. Needs ADMIN; makes keys and waits for the disk. */
CHY_MUST_USE chy_hresult chy_ca_renew(struct chy_ca *ca, const struct chy_caller *caller,
                                      const struct chy_ca_renew *how, int32_t *index,
                                      struct chy_err *err);

/* ---- for OCSP ---- */
/* CHY_S_FALSE: no certificate of ours has this serial. A few microseconds. */
CHY_MUST_USE chy_hresult chy_ca_standing(struct chy_ca *ca, struct chy_span serial,
                                         struct chy_standing *out, struct chy_err *err);
/* Many at once, in a fraction of that for each. */
CHY_MUST_USE chy_hresult chy_ca_look_up(struct chy_ca *ca, struct chy_look_up *look, size_t n,
                                        struct chy_err *err);
/* fn is told, before the change is acknowledged, that what was said of this serial may no longer be
 * so; on the store's thread: must not block. One listener. */
void chy_ca_on_change(struct chy_ca *ca,
                      void (*fn)(struct chy_ca *ca, struct chy_span serial, void *arg), void *arg);
/* Who signs the answers about certificates of one key: a delegated signer that the CA issued, or
 * the CA's own key (setting OCSPSigner). Shared and unchanging; given back with _unref. */
struct chy_ocsp_signer {
    struct chy_key *key;
    const struct chy_sig_alg *sig_alg;
    struct chy_span cert; /* DER; empty: the CA's own key signs */
    uint8_t key_hash[20]; /* SHA-1 of the signing key's bits */
    chy_time not_before, not_after;
};
CHY_MUST_USE chy_hresult chy_ca_ocsp_signer(struct chy_ca *ca, int32_t key_index,
                                            const struct chy_ocsp_signer **out,
                                            struct chy_err *err);
void chy_ca_ocsp_signer_unref(const struct chy_ocsp_signer *s);
struct chy_ca_ocsp_settings {
    bool unauthorized_for_unknown; /* OCSPUnknown: "unauthorized" instead of "unknown" */
    uint32_t nonce_max;            /* OCSPNonceMax: 0 none is repeated; else up to 32 */
    int64_t validity_s;            /* OCSPValidityMinutes: nextUpdate - thisUpdate */
    int64_t archive_cutoff_s;      /* OCSPArchiveCutoffDays; 0: not told */
    uint32_t max_ids;              /* OCSPMaxRequests: certificates in one request */
    bool enabled;                  /* OCSPEnabled */
};
void chy_ca_ocsp_settings(struct chy_ca *ca, struct chy_ca_ocsp_settings *out);

#endif
