/* A CA that lives through years within seconds, what must be true of its certificates, and every
 * CRL that it made. */
#ifndef TEST_PROPERTY_WORLD_H
#define TEST_PROPERTY_WORLD_H

#include <stdatomic.h>

#include "ca/publisher.h"
#include "pki/crl.h"
#include "unit/ca/engine.h"

enum { CERTS_MAX = 512, CRLS_MAX = 8192, KEYS_MAX = 64, SHARDS_MAX = 4, IDP_MAX = 256 };

struct known_cert {
    uint8_t serial[20];
    int32_t id, key, shard; /* as its own distribution point says */
    char url[160];
    chy_time not_after;
    bool revoked, keep; /* keep: on CRLs when expired */
    int32_t reason;
    chy_time effective, invalidity;
    chy_time changed_from, changed_to; /* the last revocation was recorded between these */
    bool seen_expired;                 /* on a base made after it expired, since it was revoked */
};

struct listed { /* an entry of a CRL */
    uint32_t cert;
    int32_t reason;
    chy_time date;
};

struct known_crl {
    struct chy_crl_record record;
    bool was_seen; /* its file was read: the rest is known */
    uint8_t idp[IDP_MAX];
    size_t idp_n; /* 0: it names all certificates of its key */
    struct listed *entry;
    size_t n;
};

struct units { /* an interval as AD CS configures it */
    const char *unit;
    int n;
};

struct rules { /* the settings, as the test set them */
    struct units period, delta, overlap, delta_overlap;
    int skew_minutes, shards, on_revoke; /* on_revoke: 0 no, 1 base, 2 delta */
    uint32_t flags;
    bool keeps_purpose; /* the certificates' purpose is one that outlives them */
    chy_time moved;     /* CRLNextPublish; CHY_TIME_DEFAULT: not */
};

struct world {
    struct engine e;
    _Atomic int64_t passed,
        jumped; /* microseconds: the time, and what the wall clock is wrong by */
    uint64_t seed, random;
    unsigned step;
    const char *doing;
    struct rules rules;
    struct chy_buf csr;
    struct chy_verifier *verifier;
    struct known_cert *cert;
    size_t n_certs;
    uint16_t *by_serial; /* a table of number + 1 */
    struct known_crl *crl;
    size_t n_crls;
    uint64_t last_number;
    bool is_late;             /* a current base holds no longer */
    chy_time wanted;          /* nextUpdate given with the order under way */
    int32_t shards[KEYS_MAX]; /* the highest shard that has CRLs */
    unsigned long crls_made, crls_unseen, entries, composed, opened, restarts, renewals, refused;
    chy_time began;
};

#define WORLD_FAIL(w, ...) world_fail(w, __VA_ARGS__)
void world_fail(const struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* ---- world.c ---- */
void world_begin(struct world *w, uint64_t seed);
void world_end(struct world *w);
void world_close(struct world *w);
void world_open(struct world *w);
uint32_t pick(struct world *w, uint32_t n); /* 0 to n - 1 */
chy_time world_now(struct world *w);
void world_pass(struct world *w, int64_t seconds);
void world_set(struct world *w, const char *path, const char *json);
struct chy_crl_result world_publish(struct world *w, uint32_t flags, int32_t shard,
                                    chy_time next_update);
/* Pokes the publisher and waits until it has done what it has to; each CRL is checked. */
void world_settle(struct world *w);

/* ---- model.c: what must be true ---- */
struct known_cert *cert_by_serial(struct world *w, struct chy_span serial);
void cert_add(struct world *w, struct chy_span der, int32_t id);
/* Would the engine accept it, and then it is so. */
bool cert_may(const struct known_cert *c, int32_t reason);
bool cert_is_so(const struct known_cert *c, int32_t reason);
void cert_apply(struct world *w, struct known_cert *c, const struct chy_revoke *what,
                chy_time from);
bool cert_is_on(const struct world *w, const struct known_cert *c,
                const struct chy_crl_record *base, bool whole);
chy_time key_end(struct world *w, int32_t key, chy_time *not_before);
chy_time plus(chy_time t, const struct units *u);
struct expected_times {
    chy_time this_update, next_update, next_publish, propagated;
};
void expect_times(struct world *w, const struct chy_crl_record *r, struct expected_times *out);
chy_time due_at(const struct world *w, const struct chy_crl_record *r);
struct known_crl *newest_of(struct world *w, int32_t key, int32_t shard, bool is_delta);
const struct known_crl *base_before(const struct world *w, const struct chy_crl_record *r);

/* ---- check.c ---- */
void check_new_crls(struct world *w);
/* What must be true whenever nothing is left to be done. */
void check_rest(struct world *w);

#endif
