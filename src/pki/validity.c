/* Validity (P5): both ends count, the earliest end wins, and its reason is kept. */
#include "base/text.h"
#include "pki/cert.h"

static void bound(struct chy_validity *v, chy_time end, const char *why)
{
    if (end == CHY_TIME_DEFAULT || end >= v->not_after) return;
    v->not_after = end;
    v->why = why;
}

chy_hresult chy_validity_choose(const struct chy_validity_bounds *b, struct chy_validity *out,
                                struct chy_err *err)
{
    int64_t start = b->now / CHY_US_PER_S - b->backdate_s;
    struct chy_validity v = {start * CHY_US_PER_S, b->ca_not_after, "ca-certificate"};
    if (v.not_before < b->ca_not_before) v.not_before = b->ca_not_before;
    if (b->now > b->ca_not_after || b->now < b->ca_not_before) {
        return chy_fail(err, CHY_CERT_E_EXPIRED,
                        "validity: the CA certificate is not valid at present");
    }
    /* a period that leads past the CA's own end bounds nothing, and must not overflow */
    bool shorter =
        b->ca_period_s > 0 && b->ca_period_s <= (v.not_after - v.not_before) / CHY_US_PER_S;
    bound(&v, shorter ? v.not_before + (b->ca_period_s - 1) * CHY_US_PER_S : CHY_TIME_DEFAULT,
          "ca-configuration");
    bound(&v, b->policy_not_after, "policy");
    bound(&v, b->request_not_after, "request");
    v.not_after -= v.not_after % CHY_US_PER_S;
    if (v.not_after <= b->now || v.not_after <= v.not_before) {
        return chy_fail(err, CHY_E_INVALIDARG, "validity: it would have ended already (by %s)",
                        v.why);
    }
    *out = v;
    return CHY_S_OK;
}
