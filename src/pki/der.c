/* Strict DER: reading without copying, writing into one growing buffer. ITU-T X.690 sections 8,
 * 10, 11.
 *
 * The reader knows definite, minimal lengths and low tag numbers only: all that certificates,
 * requests, CRLs and OCSP use. Nothing here allocates while reading. Thread: any. */
#include "pki/der.h"

#include <string.h>

#include "base/text.h"

enum { MAX_DEPTH = 32, TAG_NUMBER = 0x1f, CONSTRUCTED = 0x20, CLASS = 0xc0 };

uint8_t chy_der_peek(const struct chy_der *d)
{
    return d->p == d->end ? 0 : *d->p;
}

/* X.690 10.1: the length octets are the fewest that hold the length. */
static bool read_length(const uint8_t **p, const uint8_t *end, size_t *out)
{
    if (*p == end) return false;
    uint8_t first = *(*p)++;
    if (first < 0x80) {
        *out = first;
        return true;
    }
    size_t octets = first & 0x7fu;
    if (octets == 0 || octets > 4 || octets > (size_t)(end - *p) || **p == 0) return false;
    size_t n = 0;
    while (octets--)
        n = n << 8 | *(*p)++;
    *out = n;
    return n >= 0x80;
}

bool chy_der_read(struct chy_der *d, struct chy_tlv *out)
{
    const uint8_t *p = d->p;
    if (p == d->end) return false;
    uint8_t tag = *p++;
    size_t n;
    /* Tag 0 is end-of-contents, which belongs to indefinite lengths alone. */
    if (tag == 0 || (tag & TAG_NUMBER) == TAG_NUMBER) return false;
    if (!read_length(&p, d->end, &n) || n > (size_t)(d->end - p)) return false;
    out->tag = tag;
    out->value = (struct chy_span){p, n};
    out->whole = (struct chy_span){d->p, (size_t)(p - d->p) + n};
    d->p = p + n;
    return true;
}

bool chy_der_expect(struct chy_der *d, uint8_t tag, struct chy_span *value)
{
    struct chy_tlv tlv;
    if (chy_der_peek(d) != tag || !chy_der_read(d, &tlv)) return false;
    *value = tlv.value;
    return true;
}

bool chy_der_enter(struct chy_der *d, uint8_t tag, struct chy_der *inner)
{
    struct chy_span value;
    if (!chy_der_expect(d, tag, &value)) return false;
    *inner = chy_der_of(value);
    return true;
}

bool chy_der_skip_optional(struct chy_der *d, uint8_t tag, struct chy_span *value, bool *present)
{
    *present = chy_der_peek(d) == tag;
    *value = (struct chy_span){NULL, 0};
    return !*present || chy_der_expect(d, tag, value);
}

bool chy_der_get_bool(struct chy_span value, bool *out)
{
    /* X.690 11.1: TRUE has all eight bits set. */
    if (value.n != 1 || (value.p[0] != 0x00 && value.p[0] != 0xff)) return false;
    *out = value.p[0] != 0;
    return true;
}

bool chy_der_int_minimal(struct chy_span value)
{
    /* X.690 8.3.2: the first nine bits are neither all zero nor all one. */
    if (value.n == 0) return false;
    if (value.n == 1) return true;
    bool next_high = (value.p[1] & 0x80) != 0;
    return !(value.p[0] == 0x00 && !next_high) && !(value.p[0] == 0xff && next_high);
}

bool chy_der_get_int(struct chy_span value, int64_t *out)
{
    if (!chy_der_int_minimal(value) || value.n > 8) return false;
    uint64_t v = (value.p[0] & 0x80) ? UINT64_MAX : 0;
    for (size_t i = 0; i < value.n; i++)
        v = v << 8 | value.p[i];
    memcpy(out, &v, sizeof(v));
    return true;
}

static bool two_digits(const uint8_t *p, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* MMDDHHMMSSZ: seconds are there and the zone is Z (RFC 5280 4.1.2.5.1, 4.1.2.5.2). */
static bool rest_of_time(const uint8_t *p, struct chy_civil *c)
{
    if (!two_digits(p, &c->month) || !two_digits(p + 2, &c->day) || !two_digits(p + 4, &c->hour) ||
        !two_digits(p + 6, &c->minute) || !two_digits(p + 8, &c->second) || p[10] != 'Z')
        return false;
    if (c->month < 1 || c->month > 12 || c->day < 1) return false;
    return c->day <= days_in_month(c->year, c->month) && c->hour <= 23 && c->minute <= 59 &&
           c->second <= 59;
}

bool chy_der_get_time(uint8_t tag, struct chy_span value, chy_time *out)
{
    struct chy_civil c;
    int century, year;
    if (tag == CHY_DER_UTC_TIME && value.n == 13) {
        if (!two_digits(value.p, &year)) return false;
        /* RFC 5280 4.1.2.5.1: 50 and above is the twentieth century. */
        c.year = year + (year >= 50 ? 1900 : 2000);
    } else if (tag == CHY_DER_GENERALIZED_TIME && value.n == 15) {
        if (!two_digits(value.p, &century) || !two_digits(value.p + 2, &year)) return false;
        c.year = century * 100 + year;
    } else {
        return false;
    }
    if (!rest_of_time(value.p + value.n - 11, &c)) return false;
    *out = chy_time_from_civil(&c);
    return true;
}

bool chy_der_get_bits(struct chy_span value, struct chy_span *bits, unsigned *unused)
{
    if (value.n == 0 || value.p[0] > 7) return false;
    unsigned spare = value.p[0];
    if (value.n == 1 && spare != 0) return false;
    /* X.690 11.2.1: unused bits are zero. */
    if (spare != 0 && (value.p[value.n - 1] & ((1u << spare) - 1)) != 0) return false;
    *bits = (struct chy_span){value.p + 1, value.n - 1};
    *unused = spare;
    return true;
}

bool chy_oid_valid(struct chy_span value)
{
    if (value.n == 0 || (value.p[value.n - 1] & 0x80)) return false;
    bool first = true; /* of an arc's octets */
    for (size_t i = 0; i < value.n; i++) {
        if (first && value.p[i] == 0x80) return false;
        first = (value.p[i] & 0x80) == 0;
    }
    return true;
}

int chy_der_compare(struct chy_span a, struct chy_span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* X.690 10.2 and 11: universal types have one encoding, and the string types are primitive. */
static bool universal_ok(const struct chy_tlv *t)
{
    bool flag;
    struct chy_span bits;
    unsigned unused;
    switch (t->tag) {
    case CHY_DER_SEQUENCE:
    case CHY_DER_SET: return true;
    case CHY_DER_BOOLEAN: return chy_der_get_bool(t->value, &flag);
    case CHY_DER_INTEGER:
    case CHY_DER_ENUMERATED: return chy_der_int_minimal(t->value);
    case CHY_DER_BIT_STRING: return chy_der_get_bits(t->value, &bits, &unused);
    case CHY_DER_NULL: return t->value.n == 0;
    case CHY_DER_OID: return chy_oid_valid(t->value);
    default: {
        unsigned number = t->tag & TAG_NUMBER;
        return (t->tag & CONSTRUCTED) == 0 && number != (CHY_DER_SEQUENCE & TAG_NUMBER) &&
               number != (CHY_DER_SET & TAG_NUMBER);
    }
    }
}

static bool strict_list(struct chy_span s, unsigned depth, bool one)
{
    struct chy_der d = chy_der_of(s);
    struct chy_tlv t;
    if (depth > MAX_DEPTH || (one && chy_der_empty(&d))) return false;
    while (!chy_der_empty(&d)) {
        if (!chy_der_read(&d, &t)) return false;
        if ((t.tag & CLASS) == 0 && !universal_ok(&t)) return false;
        if ((t.tag & CONSTRUCTED) && !strict_list(t.value, depth + 1, false)) return false;
        if (one && !chy_der_empty(&d)) return false;
    }
    return true;
}

/* The order of a SET OF (X.690 11.6) is left alone: writers of requests get it wrong, and nothing
 * that we sign is taken over from a SET of theirs. */
bool chy_der_strict(struct chy_span s)
{
    return strict_list(s, 0, true);
}

/* ---- writer ---- */

size_t chy_der_header_len(size_t content_len)
{
    size_t n = 2;
    if (content_len >= 0x80) {
        for (; content_len; content_len >>= 8)
            n++;
    }
    return n;
}

/* Writes the length octets that follow the tag; p has room for header_len - 1 of them. */
static void put_length(uint8_t *p, size_t octets, size_t len)
{
    if (octets == 1) {
        p[0] = (uint8_t)len;
        return;
    }
    p[0] = (uint8_t)(0x80 | (octets - 1));
    for (size_t i = octets - 1; i > 0; i--, len >>= 8)
        p[i] = (uint8_t)len;
}

/* One octet is kept for the length; close moves the content when it needs more. */
size_t chy_der_open(struct chy_buf *b, uint8_t tag)
{
    const uint8_t head[2] = {tag, 0};
    chy_buf_add(b, head, sizeof(head));
    return b->n;
}

void chy_der_close(struct chy_buf *b, size_t mark)
{
    if (b->failed) return;
    size_t len = b->n - mark, octets = chy_der_header_len(len) - 1;
    if (octets > 1) {
        if (!chy_buf_reserve(b, octets - 1)) return;
        memmove(b->p + mark + octets - 1, b->p + mark, len);
        b->n += octets - 1;
    }
    put_length(b->p + mark - 1, octets, len);
}

void chy_der_add_header(struct chy_buf *b, uint8_t tag, size_t content_len)
{
    uint8_t head[2 + sizeof(size_t)];
    size_t n = chy_der_header_len(content_len);
    head[0] = tag;
    put_length(head + 1, n - 1, content_len);
    chy_buf_add(b, head, n);
}

void chy_der_add(struct chy_buf *b, uint8_t tag, struct chy_span value)
{
    chy_der_add_header(b, tag, value.n);
    chy_buf_add_span(b, value);
}

void chy_der_add_int(struct chy_buf *b, int64_t v)
{
    uint8_t octets[8];
    uint64_t bits = (uint64_t)v;
    for (size_t i = 0; i < 8; i++)
        octets[i] = (uint8_t)(bits >> (56 - 8 * i));
    struct chy_span s = CHY_SPAN(octets);
    while (!chy_der_int_minimal(s))
        s = (struct chy_span){s.p + 1, s.n - 1};
    chy_der_add(b, CHY_DER_INTEGER, s);
}

void chy_der_add_uint(struct chy_buf *b, struct chy_span magnitude)
{
    static const uint8_t zero[1] = {0};
    while (magnitude.n && magnitude.p[0] == 0) {
        magnitude.p++;
        magnitude.n--;
    }
    if (magnitude.n && !(magnitude.p[0] & 0x80)) {
        chy_der_add(b, CHY_DER_INTEGER, magnitude);
        return;
    }
    chy_der_add_header(b, CHY_DER_INTEGER, magnitude.n + 1);
    chy_buf_add(b, zero, 1);
    chy_buf_add_span(b, magnitude);
}

void chy_der_add_bool(struct chy_buf *b, bool v)
{
    const uint8_t octet[1] = {v ? 0xff : 0x00};
    chy_der_add(b, CHY_DER_BOOLEAN, CHY_SPAN(octet));
}

void chy_der_add_null(struct chy_buf *b)
{
    chy_der_add(b, CHY_DER_NULL, (struct chy_span){NULL, 0});
}

void chy_der_add_bits(struct chy_buf *b, struct chy_span bits, unsigned unused)
{
    chy_der_add_header(b, CHY_DER_BIT_STRING, bits.n + 1);
    chy_buf_add_byte(b, (uint8_t)unused);
    chy_buf_add_span(b, bits);
}

static uint8_t *put_two(uint8_t *p, int v)
{
    *p++ = (uint8_t)('0' + v / 10 % 10);
    *p++ = (uint8_t)('0' + v % 10);
    return p;
}

static void add_civil(struct chy_buf *b, const struct chy_civil *c, bool utc)
{
    uint8_t text[15], *p = text;
    if (c->year < 0 || c->year > 9999) {
        b->failed = true;
        return;
    }
    if (!utc) p = put_two(p, c->year / 100);
    p = put_two(p, c->year % 100);
    p = put_two(p, c->month);
    p = put_two(p, c->day);
    p = put_two(p, c->hour);
    p = put_two(p, c->minute);
    p = put_two(p, c->second);
    *p++ = 'Z';
    chy_der_add(b, utc ? CHY_DER_UTC_TIME : CHY_DER_GENERALIZED_TIME,
                chy_span_of(text, (size_t)(p - text)));
}

void chy_der_add_time(struct chy_buf *b, chy_time t)
{
    struct chy_civil c;
    chy_civil_from_time(&c, t);
    add_civil(b, &c, c.year >= 1950 && c.year <= 2049);
}

void chy_der_add_generalized_time(struct chy_buf *b, chy_time t)
{
    struct chy_civil c;
    chy_civil_from_time(&c, t);
    add_civil(b, &c, false);
}
