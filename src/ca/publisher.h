/* The publisher: one thread per CA that makes CRLs when they are due, soon after certificates
 * changed, and when told to. What it made is in the store's records; it keeps those that matter. */
#ifndef CHY_CA_PUBLISHER_H
#define CHY_CA_PUBLISHER_H

#include "ca/crl_make.h"

struct chy_crl_kept {
    struct chy_crl_record record; /* its error is in the text */
    char error[256];
    bool is_lost; /* its file is not there, or another: the thread's own */
};

struct chy_crl_call { /* an order on its way */
    struct chy_crl_call *next;
    struct chy_crl_order order;
    chy_crl_done done;
    void *arg;
};

/* Up to where changes are on the CRLs of a kind. */
struct chy_crl_seen {
    int64_t seq;
    chy_time when;
};

struct chy_publisher {
    struct chy_ca *ca;
    pthread_t thread;
    bool runs;

    pthread_mutex_t lock; /* what follows, down to the line */
    pthread_cond_t wake, first;
    bool stop, poked, is_first_done;
    struct chy_crl_call *calls, **calls_tail;
    bool revoked;
    int64_t revoked_since;     /* monotonic */
    struct chy_crl_kept *kept; /* in the order of key, shard, kind, number */
    size_t n_kept, cap_kept;
    char error[256];   /* of the last run; "": it went well */
    unsigned failures; /* in a row */
    int64_t retry_at;  /* monotonic; 0: none is to be tried again */
    bool is_unmade;    /* it made no CRLs; else they lack in some place */

    atomic_bool is_doubted;  /* some file was not what its record says */
    atomic_int shards_ready; /* CRLs of so many shards are there: certificates may name them */

    /* the thread's own */
    uint64_t number;
    int64_t last_cost_us;
    struct chy_crl_seen seen[2]; /* of bases, of deltas */
    chy_time effective_from;     /* dates up to here have been noted */
    chy_time next_effective;     /* the first behind that */
    bool effective_known;
    chy_time began;               /* by the clock of the files */
    char *swept[CHY_CA_MAX_URLS]; /* folders in which nothing was left over, with the slash */
};

/* crl_run.c: one run; flags, shard and next_update of the order, manual: somebody asked. Fills
 * result. Thread: the publisher's. */
void chy_crl_run(struct chy_publisher *p, const struct chy_crl_order *order, bool is_manual,
                 struct chy_crl_result *result);
/* Is some scope without a CRL, or one that is due? */
bool chy_crl_is_due(struct chy_publisher *p, const struct chy_settings *s, chy_time now,
                    bool is_delta);
/* The next time of the schedule, of bases or deltas; CHY_TIME_DEFAULT: none. */
chy_time chy_crl_scheduled(struct chy_publisher *p, const struct chy_settings *s, bool is_delta);
/* Could some current CRL not be written to a place where it belongs? */
bool chy_crl_has_unplaced(struct chy_publisher *p);
void chy_crl_sort(struct chy_crl_kept *kept, size_t n); /* by key, shard, kind, number */
/* Where a scope has very many bases that still hold, those that are not much later than another
 * are left out: a delta may as well refer to that. Returns how many are left. */
size_t chy_crl_thin(struct chy_crl_kept *kept, size_t n);
/* The newest record of a scope and kind; NULL: none. Under the lock, or on the thread. */
struct chy_crl_kept *chy_crl_newest(struct chy_publisher *p, int32_t key_index, int32_t shard,
                                    bool is_delta);
/* The newest certificate of a key, while any of that key may be valid; NULL otherwise. */
const struct chy_authority *chy_crl_signer_of(const struct chy_ca *ca, const struct chy_settings *s,
                                              int32_t key_index, chy_time now);
/* The highest shard that has or needs CRLs of a key. */
int32_t chy_crl_last_shard(struct chy_publisher *p, const struct chy_settings *s,
                           int32_t key_index);

/* crl_read.c: which files of current CRLs are lost */
void chy_crl_look(struct chy_publisher *p);
/* Files of DIR/crl that no record names: of a run that was cut off, or replaced. */
void chy_crl_sweep(struct chy_publisher *p);
/* How many shards of the newest key have CRLs. */
void chy_crl_note_shards(struct chy_publisher *p);
/* crl_places.c: writes a made CRL to the files of CRLPublicationURLs, and the CA's certificates to
 * those of CACertPublicationURLs; the record says what came of it. */
void chy_crl_place(struct chy_publisher *p, const struct chy_settings *s,
                   const struct chy_authority *a, struct chy_crl_kept *k);
void chy_crl_place_certs(struct chy_publisher *p, const struct chy_settings *s);
/* publisher.c: waits for the first CRLs of a new CA */
void chy_publisher_await_first(struct chy_publisher *p);

/* crl_read.c: the highest shard of a key, and the CHY_CPF_* of a current CRL; any thread */
int32_t chy_crl_shards(struct chy_ca *ca, const struct chy_settings *s, int32_t key_index);
bool chy_crl_flags(struct chy_ca *ca, int32_t key_index, int32_t shard, bool is_delta,
                   chy_long *flags);
/* props_ca.c, for both faces */
chy_long chy_props_ca_type(const struct chy_ca *ca);
chy_long chy_props_cert_state(const struct chy_ca *ca, const struct chy_authority *a);
chy_long chy_props_crl_state(struct chy_ca *ca, const struct chy_authority *a);
chy_hresult chy_props_crl(struct chy_ca *ca, int32_t key_index, int32_t shard, bool is_delta,
                          chy_variant *out);

#define CHY_META_CRL_NUMBER "crl/number"

#endif
