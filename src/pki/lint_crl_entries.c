/* Lint: the entries of a CRL (RFC 5280 5.1.2.6, 5.3), of which there are millions. The ordinary
 * entry, one that the daemon itself writes, passes by a few comparisons; every other is read
 * element by element, and only that reading finds something. */
#include "pki/lint_status_int.h"

#include <string.h>

#include "base/text.h"

/* YYMMDDHHMMSS since 2000 as one number that sorts as the time does. */
static uint64_t sort_key(unsigned year, unsigned month, unsigned day, unsigned hour,
                         unsigned minute, unsigned second)
{
    return ((((((uint64_t)year * 16 + month) * 32 + day) * 32 + hour) * 64 + minute) * 64) + second;
}

/* The key of the latest date that an entry may have. */
static uint64_t latest_key(chy_time t)
{
    struct chy_civil c;
    if (t == CHY_TIME_DEFAULT) return UINT64_MAX;
    chy_civil_from_time(&c, t);
    if (c.year < 2000) return 0;
    return sort_key((unsigned)c.year - 2000, (unsigned)c.month, (unsigned)c.day, (unsigned)c.hour,
                    (unsigned)c.minute, (unsigned)c.second);
}

static unsigned two_digits(const uint8_t *p, unsigned *bad)
{
    unsigned a = (unsigned)p[0] - '0', b = (unsigned)p[1] - '0';
    *bad |= (a > 9) | (b > 9);
    return a * 10 + b;
}

/* A UTCTime of this century that is not a leap day. */
static bool is_ordinary_time(const uint8_t *p, uint64_t latest)
{
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned bad = p[12] != 'Z';
    unsigned year = two_digits(p, &bad), month = two_digits(p + 2, &bad);
    unsigned day = two_digits(p + 4, &bad), hour = two_digits(p + 6, &bad);
    unsigned minute = two_digits(p + 8, &bad), second = two_digits(p + 10, &bad);
    if (bad || year >= 50 || month > 12 || day - 1 >= days[month] || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    return sort_key(year, month, day, hour, minute, second) <= latest;
}

/* The length of an entry with a serial number, a UTCTime, and a reasonCode or nothing; 0 for one
 * that has to be looked at. */
static size_t ordinary_entry(const uint8_t *p, size_t n, uint64_t latest)
{
    enum { HEAD = 2, TIME = 15, REASON = 14 };
    static const uint8_t reason[] = {0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55,
                                     0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01};
    const unsigned reasons = 0x67e; /* 1 to 6, 9, 10 */
    if (n < HEAD + HEAD + 1 + TIME || p[0] != CHY_DER_SEQUENCE || p[1] >= 128 || p[1] > n - HEAD)
        return 0;
    size_t len = p[1], serial = p[3];
    if (p[2] != CHY_DER_INTEGER || serial < 1 || serial > CHY_SERIAL_LEN ||
        len < HEAD + serial + TIME)
        return 0;
    if (p[4] & 0x80 || (p[4] == 0 && (serial == 1 || !(p[5] & 0x80)))) return 0;
    const uint8_t *t = p + HEAD + HEAD + serial;
    if (t[0] != CHY_DER_UTC_TIME || t[1] != TIME - HEAD || !is_ordinary_time(t + HEAD, latest))
        return 0;
    size_t rest = len - HEAD - serial - TIME;
    if (rest == 0) return HEAD + len;
    if (rest != REASON || memcmp(t + TIME, reason, sizeof reason) != 0) return 0;
    unsigned code = t[TIME + sizeof reason];
    return code <= 10 && (reasons >> code & 1) ? HEAD + len : 0;
}

#define ENTRY(l) (unsigned long long)(l)->n_entries

static void check_serial(struct chy_lint_crl *l, struct chy_span s)
{
    bool zero = s.n == 1 && s.p[0] == 0;
    if (s.p[0] & 0x80 || zero || s.n > CHY_SERIAL_LEN) {
        chy_lint_note(l->out, CHY_LR_CRL_SERIAL, "entry %llu: %s, %zu octets", ENTRY(l),
                      zero              ? "zero"
                      : (s.p[0] & 0x80) ? "negative"
                                        : "too long",
                      s.n);
    }
}

static void check_date(struct chy_lint_crl *l, const struct chy_tlv *t)
{
    chy_time date;
    if (!chy_lint_crl_time(l, CHY_LR_CRL_ENTRY_TIME, "an entry", t, &date)) return;
    if (date < 0 || (l->next_update != CHY_TIME_DEFAULT && date > l->next_update)) {
        chy_lint_note(l->out, CHY_LR_CRL_ENTRY_RANGE, "entry %llu: '%.*s'", ENTRY(l),
                      CHY_LINT_SHOW(t->value));
    }
}

static void check_reason(struct chy_lint_crl *l, struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_span v;
    if (!chy_der_expect(&d, CHY_DER_ENUMERATED, &v) || !chy_der_empty(&d) || v.n != 1 ||
        v.p[0] > CHY_CRL_REASON_AA_COMPROMISE || v.p[0] == 7) {
        chy_lint_note(l->out, CHY_LR_CRL_REASON, "entry %llu: a value of %zu octets", ENTRY(l),
                      value.n);
        return;
    }
    if (v.p[0] == CHY_CRL_REASON_REMOVE_FROM_CRL) l->n_removed++;
    if (v.p[0] == CHY_CRL_REASON_UNSPECIFIED)
        chy_lint_note(l->out, CHY_LR_CRL_REASON_ZERO, "entry %llu", ENTRY(l));
}

static void check_invalidity(struct chy_lint_crl *l, struct chy_span value)
{
    struct chy_der d = chy_der_of(value);
    struct chy_tlv t;
    chy_time date;
    if (!chy_der_read(&d, &t) || !chy_der_empty(&d) || t.tag != CHY_DER_GENERALIZED_TIME ||
        !chy_lint_time(&t, &date)) {
        chy_lint_note(l->out, CHY_LR_CRL_INVALIDITY, "entry %llu: a value of %zu octets", ENTRY(l),
                      value.n);
    }
}

static bool check_extensions(struct chy_lint_crl *l, struct chy_der list)
{
    struct chy_ext ext[CHY_LINT_STATUS_EXT_MAX];
    size_t n = CHY_LINT_STATUS_EXT_MAX;
    if (!chy_lint_status_exts(l->out, CHY_LR_CRL_ENTRY_TWICE, list, ext, &n)) return false;
    if (n == 0) chy_lint_note(l->out, CHY_LR_CRL_ENTRY_LIST, "entry %llu", ENTRY(l));
    for (size_t i = 0; i < n; i++) {
        if (ext[i].critical) {
            chy_lint_note(l->out, CHY_LR_CRL_ENTRY_CRITICAL, "entry %llu: extension %zu", ENTRY(l),
                          i + 1);
        }
        if (chy_span_eq(ext[i].oid, chy_oid_reason_code)) check_reason(l, ext[i].value);
        if (chy_span_eq(ext[i].oid, chy_oid_invalidity_date)) check_invalidity(l, ext[i].value);
    }
    return true;
}

static bool check_entry(struct chy_lint_crl *l, const struct chy_tlv *whole)
{
    struct chy_der d = chy_der_of(whole->value), list;
    struct chy_span serial;
    struct chy_tlv time;
    if (whole->tag != CHY_DER_SEQUENCE || !chy_der_strict(whole->whole) ||
        !chy_der_expect(&d, CHY_DER_INTEGER, &serial) || !chy_der_read(&d, &time) ||
        (time.tag != CHY_DER_UTC_TIME && time.tag != CHY_DER_GENERALIZED_TIME))
        return false;
    check_serial(l, serial);
    check_date(l, &time);
    return chy_der_empty(&d) || (chy_der_enter(&d, CHY_DER_SEQUENCE, &list) && chy_der_empty(&d) &&
                                 check_extensions(l, list));
}

void chy_lint_crl_entries(struct chy_lint_crl *l, struct chy_span block)
{
    uint64_t latest = latest_key(l->next_update);
    size_t at = 0;
    l->seen += block.n;
    l->total += block.n;
    while (at < block.n && !l->broken) {
        l->n_entries++;
        size_t n = ordinary_entry(block.p + at, block.n - at, latest);
        if (n == 0) {
            struct chy_der d = chy_der_of(chy_span_of(block.p + at, block.n - at));
            struct chy_tlv whole = {.tag = 0};
            bool framed = chy_der_read(&d, &whole);
            if (!framed || !check_entry(l, &whole))
                chy_lint_note(l->out, CHY_LR_CRL_ENTRY, "entry %llu", ENTRY(l));
            /* Nobody knows where the next one begins. */
            if (!framed) return;
            n = whole.whole.n;
        }
        at += n;
    }
}
