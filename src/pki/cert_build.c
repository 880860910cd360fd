/* Certificates assembled from parts (RFC 5280 4.1): no allocation beyond the buffer. */
#include "pki/cert.h"

static void add_validity(struct chy_buf *out, chy_time not_before, chy_time not_after)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_der_add_time(out, not_before);
    chy_der_add_time(out, not_after);
    chy_der_close(out, mark);
}

static void add_extensions(struct chy_buf *out, const struct chy_ext *ext, size_t n)
{
    if (!n) return;
    size_t explicit_tag = chy_der_open(out, CHY_DER_CTX_C(3)),
           list = chy_der_open(out, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < n; i++)
        chy_ext_add(out, &ext[i]);
    chy_der_close(out, list);
    chy_der_close(out, explicit_tag);
}

chy_hresult chy_cert_build_tbs(const struct chy_cert_parts *parts, struct chy_buf *out,
                               struct chy_err *err)
{
    enum { VERSION_3 = 2 };
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    size_t version = chy_der_open(out, CHY_DER_CTX_C(0));
    chy_der_add_int(out, VERSION_3);
    chy_der_close(out, version);
    chy_der_add(out, CHY_DER_INTEGER, parts->serial);
    chy_buf_add_span(out, parts->sig_alg);
    chy_buf_add_span(out, parts->issuer);
    add_validity(out, parts->not_before, parts->not_after);
    chy_buf_add_span(out, parts->subject);
    chy_buf_add_span(out, parts->spki);
    add_extensions(out, parts->ext, parts->n_ext);
    chy_der_close(out, mark);
    return chy_buf_done(out, "certificate", err);
}

chy_hresult chy_cert_assemble(struct chy_span tbs, struct chy_span sig_alg,
                              struct chy_span signature, struct chy_buf *out, struct chy_err *err)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_buf_add_span(out, tbs);
    chy_buf_add_span(out, sig_alg);
    chy_der_add_bits(out, signature, 0);
    chy_der_close(out, mark);
    return chy_buf_done(out, "certificate", err);
}
