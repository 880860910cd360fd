/* A long list's entries on their way from the database into octets: the thread that reads hands
 * them over in batches to another one that writes them down, in their order. Thread: the
 * publisher's. */
#ifndef CHY_CA_CRL_FEED_H
#define CHY_CA_CRL_FEED_H

#include "store/store.h"

struct chy_crl_feed;

/* cb is called on one thread at a time, its own or the caller's. */
CHY_MUST_USE chy_hresult chy_crl_feed_new(chy_revoked_cb cb, void *arg, struct chy_crl_feed **out,
                                          struct chy_err *err);
/* A chy_revoked_cb. False: cb wants no more. */
bool chy_crl_feed_add(const struct chy_revoked *r, void *feed);
/* Behind this cb has had them all, or wanted no more. */
void chy_crl_feed_end(struct chy_crl_feed *feed);

#endif
