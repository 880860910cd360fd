/* OCSP responses assembled by hand (RFC 6960 4.2.1): no allocation beyond the buffer. */
#include "pki/ocsp.h"

void chy_ocsp_error_add(struct chy_buf *out, enum chy_ocsp_status status)
{
    const uint8_t der[5] = {CHY_DER_SEQUENCE, 3, CHY_DER_ENUMERATED, 1, (uint8_t)status};
    chy_buf_add_span(out, CHY_SPAN(der));
}

/* ResponderID ::= CHOICE { byName [1] Name, byKey [2] KeyHash } */
static void add_responder(struct chy_buf *out, const struct chy_ocsp_parts *parts)
{
    bool named = parts->name.n != 0;
    size_t mark = chy_der_open(out, named ? CHY_DER_CTX_C(1) : CHY_DER_CTX_C(2));
    if (named)
        chy_buf_add_span(out, parts->name);
    else
        chy_der_add(out, CHY_DER_OCTET_STRING, parts->key_hash);
    chy_der_close(out, mark);
}

static void add_revoked(struct chy_buf *out, const struct chy_ocsp_single *s)
{
    const uint8_t reason[3] = {CHY_DER_ENUMERATED, 1, (uint8_t)s->reason};
    size_t mark = chy_der_open(out, CHY_DER_CTX_C(1));
    chy_der_add_generalized_time(out, s->revoked);
    /* 4.2.1: left out where the reason is not specified. */
    if (s->reason != CHY_CRL_REASON_UNSPECIFIED)
        chy_der_add(out, CHY_DER_CTX_C(0), CHY_SPAN(reason));
    chy_der_close(out, mark);
}

static void add_status(struct chy_buf *out, const struct chy_ocsp_single *s)
{
    static const struct chy_span none = {NULL, 0};
    switch (s->status) {
    case CHY_OCSP_GOOD: chy_der_add(out, CHY_DER_CTX(0), none); return;
    case CHY_OCSP_REVOKED: add_revoked(out, s); return;
    case CHY_OCSP_UNKNOWN: break;
    }
    chy_der_add(out, CHY_DER_CTX(2), none);
}

static void add_archive_cutoff(struct chy_buf *out, chy_time t)
{
    size_t tag = chy_der_open(out, CHY_DER_CTX_C(1)), list = chy_der_open(out, CHY_DER_SEQUENCE);
    size_t ext = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_der_add(out, CHY_DER_OID, chy_oid_ocsp_archive_cutoff);
    size_t value = chy_der_open(out, CHY_DER_OCTET_STRING);
    chy_der_add_generalized_time(out, t);
    chy_der_close(out, value);
    chy_der_close(out, ext);
    chy_der_close(out, list);
    chy_der_close(out, tag);
}

static void add_single(struct chy_buf *out, const struct chy_ocsp_single *s)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_buf_add_span(out, s->id);
    add_status(out, s);
    chy_der_add_generalized_time(out, s->this_update);
    if (s->next_update != CHY_TIME_DEFAULT) {
        size_t next = chy_der_open(out, CHY_DER_CTX_C(0));
        chy_der_add_generalized_time(out, s->next_update);
        chy_der_close(out, next);
    }
    if (s->archive_cutoff != CHY_TIME_DEFAULT) add_archive_cutoff(out, s->archive_cutoff);
    chy_der_close(out, mark);
}

/* RFC 9654 2.1: the value of the extension is an OCTET STRING of its own. */
static void add_nonce(struct chy_buf *out, struct chy_span nonce)
{
    size_t tag = chy_der_open(out, CHY_DER_CTX_C(1)), list = chy_der_open(out, CHY_DER_SEQUENCE);
    size_t ext = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_der_add(out, CHY_DER_OID, chy_oid_ocsp_nonce);
    size_t value = chy_der_open(out, CHY_DER_OCTET_STRING);
    chy_der_add(out, CHY_DER_OCTET_STRING, nonce);
    chy_der_close(out, value);
    chy_der_close(out, ext);
    chy_der_close(out, list);
    chy_der_close(out, tag);
}

chy_hresult chy_ocsp_build_tbs(const struct chy_ocsp_parts *parts, struct chy_buf *out,
                               struct chy_err *err)
{
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    add_responder(out, parts);
    chy_der_add_generalized_time(out, parts->produced);
    size_t list = chy_der_open(out, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < parts->n; i++)
        add_single(out, &parts->single[i]);
    chy_der_close(out, list);
    if (parts->nonce.n) add_nonce(out, parts->nonce);
    chy_der_close(out, mark);
    return chy_buf_done(out, "OCSP response", err);
}

/* The length of an element with so much content. */
static size_t element(size_t content)
{
    return chy_der_header_len(content) + content;
}

/* All lengths are known: nothing is moved. */
chy_hresult chy_ocsp_assemble(struct chy_span tbs, struct chy_span sig_alg,
                              struct chy_span signature, struct chy_span cert, struct chy_buf *out,
                              struct chy_err *err)
{
    static const uint8_t successful[3] = {CHY_DER_ENUMERATED, 1, CHY_OCSP_SUCCESSFUL};
    size_t certs = cert.n ? element(element(cert.n)) : 0;
    size_t basic = tbs.n + sig_alg.n + element(1 + signature.n) + certs;
    size_t typed = element(chy_oid_ocsp_basic.n) + element(element(basic));
    chy_der_add_header(out, CHY_DER_SEQUENCE, sizeof successful + element(element(typed)));
    chy_buf_add_span(out, CHY_SPAN(successful));
    chy_der_add_header(out, CHY_DER_CTX_C(0), element(typed));
    chy_der_add_header(out, CHY_DER_SEQUENCE, typed);
    chy_der_add(out, CHY_DER_OID, chy_oid_ocsp_basic);
    chy_der_add_header(out, CHY_DER_OCTET_STRING, element(basic));
    chy_der_add_header(out, CHY_DER_SEQUENCE, basic);
    chy_buf_add_span(out, tbs);
    chy_buf_add_span(out, sig_alg);
    chy_der_add_bits(out, signature, 0);
    if (cert.n) {
        chy_der_add_header(out, CHY_DER_CTX_C(0), element(cert.n));
        chy_der_add(out, CHY_DER_SEQUENCE, cert);
    }
    return chy_buf_done(out, "OCSP response", err);
}
