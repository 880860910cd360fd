/* The OCSP responder (RFC 6960, 5019, 9654): POST /ocsp and GET /ocsp/… on every listener, for all
 * keys of all CAs of the daemon, and for the foreign CAs of a folder (foreign.h).
 *
 * An answer that is kept is given on the loop; any other is made on a worker, from the standing
 * that the database has then. A change of a standing is acknowledged after what was kept of it has
 * become void. Thread: main makes and ends it; the counters may be read by any. */
#ifndef CHY_OCSP_OCSP_H
#define CHY_OCSP_OCSP_H

#include "ca/ca.h"
#include "net/net.h"

struct chy_ocsp;

struct chy_ocsp_options {
    struct chy_net *net;
    struct chy_workers *workers;
    struct chy_ca *const *ca; /* copied; open until chy_ocsp_stop has returned */
    size_t n_cas;
    const struct chy_clock *clock;
    const char *foreign_dir; /* copied; NULL: there are none */
};
/* Adds the routes: before the loop runs. */
CHY_MUST_USE chy_hresult chy_ocsp_new(const struct chy_ocsp_options *options, struct chy_ocsp **out,
                                      struct chy_err *err);
/* After the loop has ended, before the CAs close: what waits is answered with tryLater, and nothing
 * touches a CA any more. */
void chy_ocsp_stop(struct chy_ocsp *o);
/* After the CAs are closed: a change that is being told may still have come here. */
void chy_ocsp_free(struct chy_ocsp *o);

enum chy_ocsp_way { CHY_OCSP_SIGNED, CHY_OCSP_CACHED };
struct chy_ocsp_counters {
    /* Certificates told about, signed for this request or answered from what was kept. */
    uint64_t good[2], revoked[2], unknown[2];                    /* by enum chy_ocsp_way */
    uint64_t malformed, unauthorized, try_later, internal_error; /* answers that say only that */
    uint64_t entries, octets;                                    /* kept */
};
void chy_ocsp_counters(struct chy_ocsp *o, struct chy_ocsp_counters *out);

#endif
