/* Lint: version, serial number, signature algorithm, validity. RFC 5280 4.1.2. */
#include "pki/lint_int.h"

#include "base/text.h"

static void check_version(struct chy_lint *l)
{
    struct chy_der d = chy_der_of(l->version.value);
    struct chy_span value;
    int64_t version = 0; /* DEFAULT v1 */
    if (l->version.tag && (!chy_der_expect(&d, CHY_DER_INTEGER, &value) || !chy_der_empty(&d) ||
                           !chy_der_get_int(value, &version))) {
        chy_lint_find(l, CHY_LR_VERSION_3, "the version is not an INTEGER");
    } else if (version != 2) {
        chy_lint_find(l, CHY_LR_VERSION_3, "the version is v%lld", (long long)version + 1);
    }
}

/* The chance that random octets do so is below 2^-35. */
static bool repeats_an_octet(struct chy_span s)
{
    size_t run = 1;
    for (size_t i = 1; i < s.n; i++) {
        run = s.p[i] == s.p[i - 1] ? run + 1 : 1;
        if (run == 6) return true;
    }
    return false;
}

static void check_serial(struct chy_lint *l)
{
    struct chy_span s = l->serial;
    if (s.n > 0 && (s.p[0] & 0x80)) {
        chy_lint_find(l, CHY_LR_SERIAL_NOT_NEGATIVE, "its first octet is %02x", s.p[0]);
    }
    bool zero = true;
    for (size_t i = 0; i < s.n; i++) {
        zero = zero && s.p[i] == 0;
    }
    if (zero) {
        chy_lint_find(l, CHY_LR_SERIAL_NOT_ZERO, "it is 0");
    } else if (s.n > CHY_SERIAL_LEN) {
        chy_lint_find(l, CHY_LR_SERIAL_LENGTH_MAX, "it has %zu octets", s.n);
    } else if (s.n < 8) {
        chy_lint_find(l, CHY_LR_SERIAL_ENTROPY_LENGTH, "it has %zu octets", s.n);
    } else if (s.n == 8) {
        chy_lint_find(l, CHY_LR_SERIAL_63_BITS, "8 octets and a sign leave 63 bits");
    } else if (repeats_an_octet(s)) {
        chy_lint_find(l, CHY_LR_SERIAL_RUN, "it looks counted, not drawn");
    }
}

static void check_sig_alg(struct chy_lint *l)
{
    if (!chy_sig_alg_by_der(l->sig_alg)) {
        chy_lint_find(l, CHY_LR_SIG_ALG_KNOWN, "AlgorithmIdentifier of %zu octets", l->sig_alg.n);
    }
    if (l->ca && !chy_span_eq(l->sig_alg, l->ca->sig_alg)) {
        chy_lint_find(l, CHY_LR_SIG_ALG_ISSUER, "the issuer signs with another algorithm");
    }
}

static bool two_digits(const uint8_t *p, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

bool chy_lint_time(const struct chy_tlv *t, chy_time *out)
{
    bool utc = t->tag == CHY_DER_UTC_TIME;
    struct chy_span s = t->value;
    if (s.n != (utc ? 13u : 15u) || s.p[s.n - 1] != 'Z') return false;
    int century = 0, year;
    const uint8_t *p = s.p;
    if (!utc) {
        if (!two_digits(p, &century)) return false;
        p += 2;
    }
    struct chy_civil c = {.year = 0}, again;
    if (!two_digits(p, &year) || !two_digits(p + 2, &c.month) || !two_digits(p + 4, &c.day) ||
        !two_digits(p + 6, &c.hour) || !two_digits(p + 8, &c.minute) ||
        !two_digits(p + 10, &c.second)) {
        return false;
    }
    if (utc) century = year >= 50 ? 19 : 20;
    c.year = century * 100 + year;
    if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 || c.hour > 23 || c.minute > 59 ||
        c.second > 59) {
        return false;
    }
    *out = chy_time_from_civil(&c);
    chy_civil_from_time(&again, *out);
    return again.day == c.day && again.month == c.month;
}

static bool check_time(struct chy_lint *l, const char *what, const struct chy_tlv *t, chy_time *out)
{
    if (!chy_lint_time(t, out)) {
        chy_lint_find(l, CHY_LR_VALIDITY_FORM, "%s is '%.*s'", what,
                      (int)(t->value.n < 40 ? t->value.n : 40), (const char *)t->value.p);
        return false;
    }
    struct chy_civil c;
    chy_civil_from_time(&c, *out);
    if (t->tag == CHY_DER_GENERALIZED_TIME && c.year < 2050) {
        chy_lint_find(l, CHY_LR_VALIDITY_TYPE, "%s: GeneralizedTime in %d", what, c.year);
    }
    if (c.year < 1970) {
        chy_lint_find(l, CHY_LR_VALIDITY_EPOCH, "%s is in %d", what, c.year);
    }
    return true;
}

static void check_end(struct chy_lint *l, chy_time not_after)
{
    static const int64_t most_days = 825, most_days_of_code = 460;
    struct chy_civil end;
    chy_civil_from_time(&end, not_after);
    if (end.year == 9999) {
        chy_lint_find(l, CHY_LR_VALIDITY_NO_END, "notAfter is in 9999");
    } else if ((l->purposes & CHY_LP_CODE) && l->seconds > most_days_of_code * 86400) {
        chy_lint_find(l, CHY_LR_VALIDITY_CODE, "it lasts %lld days",
                      (long long)((l->seconds + 86399) / 86400));
    } else if ((l->purposes & CHY_LP_SERVER) && l->seconds > most_days * 86400) {
        chy_lint_find(l, CHY_LR_VALIDITY_SERVER, "it lasts %lld days",
                      (long long)((l->seconds + 86399) / 86400));
    }
}

static void check_validity(struct chy_lint *l)
{
    chy_time not_before = 0, not_after = 0;
    bool both = check_time(l, "notBefore", &l->not_before, &not_before);
    both = check_time(l, "notAfter", &l->not_after, &not_after) && both;
    if (!both) return;
    if (not_after < not_before) {
        chy_lint_find(l, CHY_LR_VALIDITY_ORDER, "notAfter is %lld s before notBefore",
                      (long long)((not_before - not_after) / CHY_US_PER_S));
    }
    /* A period meant as 90 days and written as 90 * 86400 s lasts one second longer. */
    if (not_after > not_before && (not_after - not_before) % (86400 * CHY_US_PER_S) == 0) {
        chy_lint_find(l, CHY_LR_VALIDITY_BOTH_ENDS, "%lld days and one second",
                      (long long)((not_after - not_before) / (86400 * CHY_US_PER_S)));
    }
    l->seconds = (not_after - not_before) / CHY_US_PER_S + 1;
    if (!l->is_ca) check_end(l, not_after);
    if (!l->ca) return;
    if (not_after > l->ca->not_after) {
        chy_lint_find(l, CHY_LR_VALIDITY_ISSUER, "notAfter is %lld s after the issuer's",
                      (long long)((not_after - l->ca->not_after) / CHY_US_PER_S));
    } else if (not_before < l->ca->not_before) {
        chy_lint_find(l, CHY_LR_VALIDITY_ISSUER, "notBefore is %lld s before the issuer's",
                      (long long)((l->ca->not_before - not_before) / CHY_US_PER_S));
    }
}

void chy_lint_fields(struct chy_lint *l)
{
    check_version(l);
    check_serial(l);
    check_sig_alg(l);
    check_validity(l);
    if (l->has_unique_ids) {
        chy_lint_find(l, CHY_LR_UNIQUE_IDS, "there is a unique identifier");
    }
}
