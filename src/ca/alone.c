/* A request of no CA: what a CA would put in front of its policy module and make of its answer, for
 * who hosts a module without one. */
#include "ca/ca_internal.h"

chy_hresult chy_request_propose(struct chy_request *r, const struct chy_validity_bounds *bounds)
{
    struct chy_validity v;
    uint8_t id[20];
    chy_hresult hr = chy_validity_choose(bounds, &v, &r->err);
    if (hr == CHY_S_OK) hr = chy_spki_key_id(&r->csr.key, id, &r->err);
    if (hr != CHY_S_OK) return hr;
    r->not_before = v.not_before;
    r->not_after = v.not_after;
    r->not_after_why = v.why;
    chy_buf_reset(&r->scratch);
    chy_ski_add(&r->scratch, CHY_SPAN(id));
    hr = chy_buf_done(&r->scratch, "subjectKeyIdentifier", &r->err);
    if (hr == CHY_S_OK)
        hr = chy_request_set_extension(r, "2.5.29.14", CHY_EXTENSION_ORIGIN_SERVER,
                                       chy_buf_span(&r->scratch), &r->err);
    if (hr != CHY_S_OK || !r->authority->aki_der.n) return hr;
    return chy_request_set_extension(r, "2.5.29.35", CHY_EXTENSION_ORIGIN_SERVER,
                                     chy_buf_span(&r->authority->aki_der), &r->err);
}

chy_hresult chy_request_certify(struct chy_request *r, chy_time now)
{
    struct chy_signer *signer = NULL;
    chy_hresult hr = chy_issue_build(r, CHY_GN_ALLOW_WILDCARD | CHY_GN_ALLOW_SINGLE_LABEL, now);
    if (hr == CHY_S_OK)
        hr = chy_signer_new(r->authority->key, r->authority->sig_alg, &signer, &r->err);
    chy_buf_reset(&r->scratch);
    chy_buf_reset(&r->certificate);
    if (hr == CHY_S_OK) hr = chy_signer_sign(signer, chy_buf_span(&r->tbs), &r->scratch, &r->err);
    if (hr == CHY_S_OK)
        hr = chy_cert_assemble(chy_buf_span(&r->tbs), r->authority->sig_alg->der,
                               chy_buf_span(&r->scratch), &r->certificate, &r->err);
    chy_signer_free(signer);
    return hr;
}
