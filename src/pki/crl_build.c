/* Revocation lists written as a stream (RFC 5280 5.1): the entries one by one, then the two ends
 * around as many octets of them as there are. */
#include "pki/crl.h"

#include <string.h>

#include "base/text.h"

enum { VERSION_2 = 1, CODED_REASON = 12, CODED_INVALIDITY = 26 };

/* Our own reader knows lengths of four octets. */
static const uint64_t content_max = UINT32_MAX - 64;

static uint8_t *put(uint8_t *p, const void *octets, size_t n)
{
    memcpy(p, octets, n);
    return p + n;
}

static uint8_t *put_two(uint8_t *p, int v)
{
    *p++ = (uint8_t)('0' + v / 10);
    *p++ = (uint8_t)('0' + v % 10);
    return p;
}

/* Tag, length, digits and Z: 15 or 17 octets. */
static uint8_t *put_time(uint8_t *p, const struct chy_civil *c, bool utc)
{
    *p++ = utc ? CHY_DER_UTC_TIME : CHY_DER_GENERALIZED_TIME;
    *p++ = utc ? 13 : 15;
    if (!utc) p = put_two(p, c->year / 100);
    p = put_two(p, c->year % 100);
    p = put_two(p, c->month);
    p = put_two(p, c->day);
    p = put_two(p, c->hour);
    p = put_two(p, c->minute);
    p = put_two(p, c->second);
    *p++ = 'Z';
    return p;
}

static uint8_t *put_reason(uint8_t *p, int32_t reason)
{
    p = put(p, "\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01", CODED_REASON - 1);
    *p++ = (uint8_t)reason;
    return p;
}

static uint8_t *put_invalidity(uint8_t *p, const struct chy_civil *c)
{
    p = put(p, "\x30\x18\x06\x03\x55\x1d\x18\x04\x11", 9);
    return put_time(p, c, false);
}

static bool read_times(const struct chy_crl_entry *e, struct chy_civil *revoked,
                       struct chy_civil *invalid)
{
    chy_civil_from_time(revoked, e->revoked);
    if (revoked->year < 0 || revoked->year > 9999) return false;
    if (e->invalid == CHY_TIME_DEFAULT) return true;
    chy_civil_from_time(invalid, e->invalid);
    return invalid->year >= 0 && invalid->year <= 9999;
}

/* Written in one go: lists have millions of them. All but the serial number has a length that is
 * known, and the whole is shorter than 128 octets. */
void chy_crl_entry_add(struct chy_buf *out, const struct chy_crl_entry *e)
{
    enum { SERIAL_MAX = 48 };
    struct chy_civil revoked, invalid = {.year = 0};
    bool dated = e->invalid != CHY_TIME_DEFAULT, reasoned = e->reason != CHY_CRL_REASON_UNSPECIFIED;
    if (e->serial.n == 0 || e->serial.n > SERIAL_MAX || e->reason < 0 || e->reason > INT8_MAX ||
        !read_times(e, &revoked, &invalid)) {
        out->failed = out->too_long = true; /* not for want of memory */
        return;
    }
    bool utc = revoked.year >= 1950 && revoked.year <= 2049;
    size_t ext = (reasoned ? CODED_REASON : 0u) + (dated ? CODED_INVALIDITY : 0u);
    size_t n = 2 + e->serial.n + (utc ? 15u : 17u) + (ext ? 2 + ext : 0);
    if (!chy_buf_reserve(out, 2 + n)) return;
    uint8_t *p = out->p + out->n;
    *p++ = CHY_DER_SEQUENCE;
    *p++ = (uint8_t)n;
    *p++ = CHY_DER_INTEGER;
    *p++ = (uint8_t)e->serial.n;
    p = put(p, e->serial.p, e->serial.n);
    p = put_time(p, &revoked, utc);
    if (ext) {
        *p++ = CHY_DER_SEQUENCE;
        *p++ = (uint8_t)ext;
    }
    if (reasoned) p = put_reason(p, e->reason);
    if (dated) (void)put_invalidity(p, &invalid);
    out->n += 2 + n;
}

/* Puts a header in front of what was added since mark, for content_len octets of which more are to
 * come. */
static void put_in_front(struct chy_buf *b, size_t mark, uint8_t tag, size_t content_len)
{
    size_t have = b->n - mark, n = chy_der_header_len(content_len);
    chy_der_add_header(b, tag, content_len);
    if (b->failed) return;
    uint8_t head[2 + sizeof(size_t)];
    memcpy(head, b->p + mark + have, n);
    memmove(b->p + mark + n, b->p + mark, have);
    memcpy(b->p + mark, head, n);
}

static void add_extensions(struct chy_buf *out, const struct chy_ext *ext, size_t n)
{
    if (!n) return;
    size_t tag = chy_der_open(out, CHY_DER_CTX_C(0)), list = chy_der_open(out, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < n; i++)
        chy_ext_add(out, &ext[i]);
    chy_der_close(out, list);
    chy_der_close(out, tag);
}

static chy_hresult too_long(struct chy_err *err)
{
    return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH,
                    "CRL: its length needs more than four octets");
}

chy_hresult chy_crl_tbs(const struct chy_crl_parts *parts, uint64_t entries_len,
                        struct chy_buf *head, struct chy_buf *tail, struct chy_err *err)
{
    size_t mark = head->n, tail_mark = tail->n;
    if (entries_len > content_max) return too_long(err);
    chy_der_add_int(head, VERSION_2);
    chy_buf_add_span(head, parts->sig_alg);
    chy_buf_add_span(head, parts->issuer);
    chy_der_add_time(head, parts->this_update);
    if (parts->next_update != CHY_TIME_DEFAULT) chy_der_add_time(head, parts->next_update);
    if (entries_len) chy_der_add_header(head, CHY_DER_SEQUENCE, (size_t)entries_len);
    add_extensions(tail, parts->ext, parts->n_ext);
    uint64_t len = (head->n - mark) + entries_len + (tail->n - tail_mark);
    if (len > content_max) return too_long(err);
    put_in_front(head, mark, CHY_DER_SEQUENCE, (size_t)len);
    chy_hresult hr = chy_buf_done(head, "CRL", err);
    return CHY_FAILED(hr) ? hr : chy_buf_done(tail, "CRL extensions", err);
}

chy_hresult chy_crl_wrap(uint64_t tbs_len, struct chy_span sig_alg, struct chy_span signature,
                         struct chy_buf *head, struct chy_buf *tail, struct chy_err *err)
{
    size_t mark = tail->n;
    if (tbs_len > content_max) return too_long(err);
    chy_buf_add_span(tail, sig_alg);
    chy_der_add_bits(tail, signature, 0);
    uint64_t len = tbs_len + (tail->n - mark);
    if (len > content_max) return too_long(err);
    chy_der_add_header(head, CHY_DER_SEQUENCE, (size_t)len);
    chy_hresult hr = chy_buf_done(head, "CRL", err);
    return CHY_FAILED(hr) ? hr : chy_buf_done(tail, "CRL signature", err);
}

void chy_crl_number_add(struct chy_buf *out, uint64_t number)
{
    uint8_t octets[8];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(number >> (56 - 8 * i));
    chy_der_add_uint(out, CHY_SPAN(octets));
}

static void add_point(struct chy_buf *out, const struct chy_crl_idp *idp)
{
    size_t name = chy_der_open(out, CHY_DER_CTX_C(0)), full = chy_der_open(out, CHY_DER_CTX_C(0));
    for (size_t i = 0; i < idp->n_url; i++)
        chy_der_add(out, CHY_DER_CTX(CHY_GN_URI), chy_span_cstr(idp->url[i]));
    chy_der_close(out, full);
    chy_der_close(out, name);
}

void chy_crl_idp_add(struct chy_buf *out, const struct chy_crl_idp *idp)
{
    static const uint8_t yes[1] = {0xff};
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    if (idp->n_url) add_point(out, idp);
    if (idp->only_user) chy_der_add(out, CHY_DER_CTX(1), CHY_SPAN(yes));
    if (idp->only_ca) chy_der_add(out, CHY_DER_CTX(2), CHY_SPAN(yes));
    chy_der_close(out, mark);
}
