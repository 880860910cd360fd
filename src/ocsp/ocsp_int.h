/* What the files of this folder share. */
#ifndef CHY_OCSP_INT_H
#define CHY_OCSP_INT_H

#include <stdatomic.h>

#include "ca/revocation.h"
#include "ca/worker.h"
#include "ocsp/cache.h"
#include "ocsp/foreign.h"
#include "ocsp/ocsp.h"
#include "pki/ocsp.h"

enum {
    CHY_OCSP_ENTRIES = 16384,
    CHY_OCSP_OCTETS = 32 << 20,
    CHY_OCSP_WAITING_MAX = 8192,
    CHY_OCSP_DRAINS_MAX = 16,
    CHY_OCSP_AT_ONCE = 8,
    CHY_OCSP_CAS_MAX = 64
};

/* ---- issuers.c: who is asked about ---- */
struct chy_ocsp_issuer {
    struct chy_ca *ca;
    int32_t key_index;
};
static inline bool chy_ocsp_same_issuer(const struct chy_ocsp_issuer *a,
                                        const struct chy_ocsp_issuer *b)
{
    return a->ca == b->ca && a->key_index == b->key_index;
}

struct chy_ocsp_row;
struct chy_ocsp_issuers {
    pthread_rwlock_t lock;
    struct chy_ca *ca[CHY_OCSP_CAS_MAX];
    size_t n_cas;
    size_t certs; /* of all CAs when the table was made */
    struct chy_ocsp_row *row;
    size_t n_rows; /* a power of two; 0: not made yet */
};
void chy_ocsp_issuers_init(struct chy_ocsp_issuers *t, struct chy_ca *const *ca, size_t n);
void chy_ocsp_issuers_fini(struct chy_ocsp_issuers *t);
size_t chy_ocsp_issuers_count(const struct chy_ocsp_issuers *t); /* certificates of all CAs */
/* CHY_S_FALSE: no certificate of that name and key is ours. */
CHY_MUST_USE chy_hresult chy_ocsp_issuers_find(struct chy_ocsp_issuers *t,
                                               const struct chy_ocsp_id *id,
                                               struct chy_ocsp_issuer *out, struct chy_err *err);

/* ---- answer.c: what is said, and signed ---- */
struct chy_ocsp_answer {
    enum chy_ocsp_status status; /* other than SUCCESSFUL: that is all */
    struct chy_buf tbs, signature, der;
    size_t n;                       /* certificates told about */
    uint8_t told[CHY_OCSP_MAX_IDS]; /* enum chy_ocsp_cert_status */
    chy_time this_update, next_update;
    chy_time fresh_until; /* of what is kept */
    bool may_keep;        /* of one known certificate, and repeats no nonce */
    struct chy_ocsp_mark mark;
    uint32_t nonce_max;

    /* while it is made */
    struct chy_ocsp *o;
    const struct chy_ocsp_request *q;
    struct chy_ocsp_issuer issuer;
    struct chy_ocsp_foreign *foreign; /* instead of the issuer */
    struct chy_ca_ocsp_settings set;
    const struct chy_ocsp_signer *signer;
    struct chy_ocsp_single single[CHY_OCSP_MAX_IDS];
    chy_time now, produced; /* produced: in whole seconds, as it is written */
    struct chy_err err;
};
void chy_ocsp_answer_init(struct chy_ocsp_answer *a);
void chy_ocsp_answer_fini(struct chy_ocsp_answer *a);
/* In this order, for each that was begun; once its status is another than SUCCESSFUL nothing more
 * is done but to end it. q must live as long. Thread: worker. */
void chy_ocsp_answer_begin(struct chy_ocsp_answer *a, struct chy_ocsp *o,
                           const struct chy_ocsp_request *q);
/* At most CHY_OCSP_AT_ONCE: the database is asked once for neighbours of one CA. */
void chy_ocsp_answers_look_up(struct chy_ocsp_answer *const all[], size_t n);
void chy_ocsp_answer_sign(struct chy_ocsp_answer *a, struct chy_worker *w);
void chy_ocsp_answer_end(struct chy_ocsp_answer *a);

/* ---- queue.c: requests that wait for a worker ---- */
struct chy_ocsp_ask {
    struct chy_ocsp_ask *next;
    struct chy_exchange *x;
    struct chy_span request; /* lives as long as the exchange */
};

struct chy_ocsp_reply {
    struct chy_exchange *x;
    struct chy_ocsp_request request;
    struct chy_ocsp_answer answer;
    struct chy_ocsp_kept kept;
    bool is_begun, is_kept, is_given;
};

struct chy_ocsp_drain { /* one worker that answers what waits, until nothing does */
    struct chy_job job;
    struct chy_ocsp *o;
    struct chy_ocsp_drain *next;
    struct chy_ocsp_reply reply[CHY_OCSP_AT_ONCE];
};

struct chy_ocsp_queue {
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    struct chy_ocsp_ask *first, **last;
    size_t n;
    struct chy_ocsp_drain *idle;
    size_t n_idle, n_drains;
    struct chy_ocsp_drain drain[CHY_OCSP_DRAINS_MAX];
    bool stopping;
};
void chy_ocsp_queue_init(struct chy_ocsp *o);
void chy_ocsp_queue_fini(struct chy_ocsp *o);
/* The exchange is held. False: it is to be answered with tryLater. */
bool chy_ocsp_queue_add(struct chy_ocsp *o, struct chy_ocsp_ask *ask);
/* Waits until no worker is here. */
void chy_ocsp_queue_stop(struct chy_ocsp *o);

/* ---- http.c ---- */
CHY_MUST_USE chy_hresult chy_ocsp_http_register(struct chy_ocsp *o, struct chy_err *err);
/* Answers with the error alone. */
void chy_ocsp_http_error(struct chy_ocsp *o, struct chy_exchange *x, enum chy_ocsp_status status);
/* Answers out of what is kept, where there is something that fits. */
bool chy_ocsp_http_cached(struct chy_ocsp *o, struct chy_exchange *x,
                          const struct chy_ocsp_request *q);
void chy_ocsp_http_send(struct chy_exchange *x, const struct chy_ocsp_kept *kept, chy_time now);
void chy_ocsp_http_send_once(struct chy_exchange *x, struct chy_span answer);

/* ---- ocsp.c ---- */
struct chy_ocsp_seen {
    struct chy_ca_ocsp_settings settings;
    bool clock_trouble;
};

struct chy_ocsp {
    struct chy_net *net;
    struct chy_workers *workers;
    const struct chy_clock *clock;
    struct chy_ocsp_cache *cache;
    struct chy_ocsp_issuers issuers;
    struct chy_ocsp_foreigners foreign;
    struct chy_ocsp_queue queue;
    struct chy_ocsp_seen seen[CHY_OCSP_CAS_MAX]; /* of each CA, by the loop */
    size_t certs;
    atomic_bool clock_trouble[CHY_OCSP_CAS_MAX];
    _Atomic int64_t logged;          /* monotonic: when trouble was last told */
    struct chy_buf scratch;          /* the loop's: a request out of a path */
    struct chy_ocsp_request request; /* the loop's */
    _Atomic uint64_t told[3][2];     /* by enum chy_ocsp_cert_status and chy_ocsp_way */
    _Atomic uint64_t errors[7];      /* by enum chy_ocsp_status */
};
/* P17, as of a second ago at most. ca NULL: any, for the clock is that of all. */
bool chy_ocsp_clock_trouble(const struct chy_ocsp *o, const struct chy_ca *ca);

#endif
