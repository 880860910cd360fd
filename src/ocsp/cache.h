/* Answers kept to be given again: by the octets of the CertID, bounded in number and in octets, the
 * longest unused one giving way.
 *
 * What was said of a certificate is void as soon as its standing changes. Each serial has a counter
 * (some share one): a change moves it, and an entry counts only while the counter is where it was
 * before the standing was read. So a change needs no lock, and an answer that was being made from
 * the old standing is void before it is put. The certificates of foreign CAs have one counter
 * together. Thread: any. */
#ifndef CHY_OCSP_CACHE_H
#define CHY_OCSP_CACHE_H

#include "base/sys.h"

struct chy_ocsp_cache;

enum { CHY_OCSP_ETAG_SIZE = 44 }; /* 40 digits, two quotes, NUL */

struct chy_ocsp_mark {
    uint32_t slot, generation, epoch;
};

struct chy_ocsp_kept {
    struct chy_span answer;
    chy_time this_update, next_update;
    chy_time fresh_until; /* a new one is made from then on */
    uint32_t nonce_max;   /* whoever asks with a nonce that would be repeated needs his own */
    uint8_t status;       /* enum chy_ocsp_cert_status: what is counted */
    char etag[CHY_OCSP_ETAG_SIZE];
};

/* At most so many entries, and octets of entries. NULL: no memory. */
struct chy_ocsp_cache *chy_ocsp_cache_new(size_t entries, size_t octets, struct chy_err *err);
void chy_ocsp_cache_free(struct chy_ocsp_cache *c);

/* Where the serial's counter stands: to be taken before its standing is read. */
struct chy_ocsp_mark chy_ocsp_cache_mark(struct chy_ocsp_cache *c, struct chy_span serial);
/* Where that of all foreign CAs stands: to be taken before their CRLs are asked. */
struct chy_ocsp_mark chy_ocsp_cache_mark_foreign(struct chy_ocsp_cache *c);
/* What was said of it no longer counts. Any thread; never waits. */
void chy_ocsp_cache_changed(struct chy_ocsp_cache *c, struct chy_span serial);
void chy_ocsp_cache_changed_foreign(struct chy_ocsp_cache *c);
/* The same of all. */
void chy_ocsp_cache_flush(struct chy_ocsp_cache *c);

/* Copies answer; without memory it is not kept. */
void chy_ocsp_cache_put(struct chy_ocsp_cache *c, struct chy_span id,
                        const struct chy_ocsp_mark *mark, const struct chy_ocsp_kept *kept);
/* use is called with what is kept and still fresh, under a lock: it copies and returns. False:
 * there is nothing, or use did not want it. */
bool chy_ocsp_cache_use(struct chy_ocsp_cache *c, struct chy_span id, chy_time now,
                        bool (*use)(const struct chy_ocsp_kept *kept, void *arg), void *arg);
void chy_ocsp_cache_size(struct chy_ocsp_cache *c, size_t *entries, size_t *octets);

#endif
