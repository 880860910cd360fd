/* The threads that do the engine's CPU work: parsing, proof of possession, policy, signing. Each
 * keeps its own OpenSSL contexts, so that nothing is fetched per request and no lock is shared.
 * Thread: a struct chy_worker belongs to its thread; the pool is shared by all CAs of a daemon. */
#ifndef CHY_CA_WORKER_H
#define CHY_CA_WORKER_H

#include "ca/ca.h"
#include "key/key.h"

struct chy_worker;
struct chy_job {
    struct chy_node node;
    void (*run)(struct chy_job *job, struct chy_worker *w);
};

enum { CHY_WORKERS_QUEUE_MAX = 8192 };

/* New work: false when the queue is full or closed. */
bool chy_workers_add(struct chy_workers *pool, struct chy_job *job);
/* Work that goes on with something begun: before new work, never refused while the pool runs. */
void chy_workers_continue(struct chy_workers *pool, struct chy_job *job);
size_t chy_workers_queued(struct chy_workers *pool);
size_t chy_workers_others(struct chy_workers *pool); /* jobs besides that of the calling worker */
/* Waits until no thread runs or will run anything, or the time is up. Who adds no more work may
 * then free what the work has touched: a job may have answered and still not be over. */
void chy_workers_quiet(struct chy_workers *pool, unsigned seconds);
/* A thread was lost inside a module: another takes its place. */
void chy_workers_replace(struct chy_workers *pool);

struct chy_verifier *chy_worker_verifier(struct chy_worker *w);
/* The worker's own signer for the key, made at first use; lent. */
CHY_MUST_USE chy_hresult chy_worker_signer(struct chy_worker *w, struct chy_key *key,
                                           const struct chy_sig_alg *alg, struct chy_signer **out,
                                           struct chy_err *err);
/* The next one is made anew: a token may have lost its session. */
void chy_worker_drop_signer(struct chy_worker *w, struct chy_signer *signer);
/* This thread's call was abandoned and its place is taken: the thread ends after the present job.
 */
void chy_worker_retire(struct chy_worker *w);

#endif
