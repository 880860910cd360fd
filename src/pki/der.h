/* Strict DER: a cursor that reads definite, minimal lengths only, and a forward writer on chy_buf.
 * ITU-T X.690. Thread: any. No allocation while reading. */
#ifndef CHY_PKI_DER_H
#define CHY_PKI_DER_H

#include "base/base.h"

enum {
    CHY_DER_BOOLEAN = 0x01,
    CHY_DER_INTEGER = 0x02,
    CHY_DER_BIT_STRING = 0x03,
    CHY_DER_OCTET_STRING = 0x04,
    CHY_DER_NULL = 0x05,
    CHY_DER_OID = 0x06,
    CHY_DER_ENUMERATED = 0x0a,
    CHY_DER_UTF8 = 0x0c,
    CHY_DER_NUMERIC = 0x12,
    CHY_DER_PRINTABLE = 0x13,
    CHY_DER_TELETEX = 0x14,
    CHY_DER_IA5 = 0x16,
    CHY_DER_UTC_TIME = 0x17,
    CHY_DER_GENERALIZED_TIME = 0x18,
    CHY_DER_VISIBLE = 0x1a,
    CHY_DER_UNIVERSAL = 0x1c,
    CHY_DER_BMP = 0x1e,
    CHY_DER_SEQUENCE = 0x30,
    CHY_DER_SET = 0x31
};
#define CHY_DER_CTX(n) (0x80u | (n))   /* context, primitive */
#define CHY_DER_CTX_C(n) (0xa0u | (n)) /* context, constructed */

struct chy_der {
    const uint8_t *p, *end;
};

struct chy_tlv {
    uint8_t tag;           /* low-tag-number form only */
    struct chy_span value; /* content octets */
    struct chy_span whole; /* tag, length and content */
};

static inline struct chy_der chy_der_of(struct chy_span s)
{
    return (struct chy_der){s.p, s.p ? s.p + s.n : s.p};
}
static inline bool chy_der_empty(const struct chy_der *d)
{
    return d->p == d->end;
}
uint8_t chy_der_peek(const struct chy_der *d);             /* tag, 0 at the end */
bool chy_der_read(struct chy_der *d, struct chy_tlv *out); /* false: not DER; d unchanged */
bool chy_der_expect(struct chy_der *d, uint8_t tag, struct chy_span *value);
bool chy_der_enter(struct chy_der *d, uint8_t tag, struct chy_der *inner);
bool chy_der_skip_optional(struct chy_der *d, uint8_t tag, struct chy_span *value, bool *present);

bool chy_der_get_bool(struct chy_span value, bool *out);   /* 0x00 or 0xff only */
bool chy_der_get_int(struct chy_span value, int64_t *out); /* minimal, fits int64 */
bool chy_der_int_minimal(struct chy_span value);
bool chy_der_get_time(uint8_t tag, struct chy_span value,
                      chy_time *out); /* RFC 5280 4.1.2.5 forms */
bool chy_der_get_bits(struct chy_span value, struct chy_span *bits,
                      unsigned *unused); /* unused bits are 0 */
/* The order of encodings in a SET OF (X.690 11.6): < 0, 0, > 0. */
int chy_der_compare(struct chy_span a, struct chy_span b);
/* Whole input is one well-formed value: every nested constructed value is strict, depth <= 32. */
bool chy_der_strict(struct chy_span s);

/* Writer. open returns a mark; close patches the length. Errors stay in the buffer's `failed`. */
size_t chy_der_open(struct chy_buf *b, uint8_t tag);
void chy_der_close(struct chy_buf *b, size_t mark);
void chy_der_add(struct chy_buf *b, uint8_t tag, struct chy_span value);
void chy_der_add_int(struct chy_buf *b, int64_t v);
void chy_der_add_uint(struct chy_buf *b,
                      struct chy_span magnitude); /* unsigned big-endian, minimal, sign-safe */
void chy_der_add_bool(struct chy_buf *b, bool v);
void chy_der_add_null(struct chy_buf *b);
void chy_der_add_bits(struct chy_buf *b, struct chy_span bits, unsigned unused);
/* UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5; P5); whole seconds. */
void chy_der_add_time(struct chy_buf *b, chy_time t);
/* Always GeneralizedTime, as OCSP and invalidityDate want it; whole seconds. */
void chy_der_add_generalized_time(struct chy_buf *b, chy_time t);
size_t chy_der_header_len(size_t content_len);
/* Tag and length alone, of content that is added later or elsewhere. */
void chy_der_add_header(struct chy_buf *b, uint8_t tag, size_t content_len);

/* Object identifiers. */
bool chy_oid_valid(struct chy_span value); /* content octets: whole arcs, each minimal */
bool chy_oid_to_text(struct chy_span value, char *out, size_t cap); /* content octets -> "1.2.3" */
bool chy_oid_from_text(const char *dotted, struct chy_buf *out);    /* content octets appended */
/* "serverAuth", "CN", "sha256WithRSAEncryption" …, or NULL when we have no name for it. */
const char *chy_oid_name(struct chy_span value);
/* A dotted text or one of our names; NULL-safe; content octets appended. */
bool chy_oid_from_name(const char *name_or_dotted, struct chy_buf *out);

#endif
