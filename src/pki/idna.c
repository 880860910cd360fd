/* Host names. Of RFC 5892 the broad classes are covered that no registry lets through (upper case
 * ASCII, controls, format characters, private use, surrogates, non-characters); there is no full
 * table of code points, as that follows Unicode's versions. */
#include "pki/idna.h"

#include <string.h>

#include "pki/ext.h"

enum { LABEL_MAX = 63, NAME_MAX_LEN = 253, BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700 };

static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / DAMP : delta / 2;
    delta += delta / points;
    for (; delta > ((BASE - TMIN) * TMAX) / 2; k += BASE)
        delta /= BASE - TMIN;
    return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static int digit_of(uint8_t c)
{
    if (c >= 'a' && c <= 'z') return c - 'a';
    return c >= '0' && c <= '9' ? c - '0' + 26 : -1;
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
    return k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
}

/* One variable-length integer (RFC 3492 6.2). */
static bool read_delta(struct chy_span *in, uint32_t bias, uint32_t *i)
{
    uint32_t weight = 1;
    for (uint32_t k = BASE;; k += BASE) {
        int d = in->n ? digit_of(*in->p) : -1;
        if (d < 0 || (uint32_t)d > (0x7fffffff - *i) / weight) return false;
        in->p++;
        in->n--;
        *i += (uint32_t)d * weight;
        uint32_t t = threshold(k, bias);
        if ((uint32_t)d < t) return true;
        if (weight > 0x7fffffff / (BASE - t)) return false;
        weight *= BASE - t;
    }
}

static size_t decode(struct chy_span in, uint32_t *out, size_t max)
{
    uint32_t n = 128, i = 0, bias = 72;
    size_t count = 0;
    const uint8_t *dash = memrchr(in.p, '-', in.n);
    size_t basic = dash ? (size_t)(dash - in.p) : 0;
    for (; count < basic && count < max; count++)
        out[count] = in.p[count];
    if (dash) in = chy_span_of(dash + 1, in.n - basic - 1);
    while (in.n) {
        uint32_t before = i;
        if (count == max || !read_delta(&in, bias, &i)) return 0;
        bias = adapt(i - before, (uint32_t)count + 1, before == 0);
        n += i / ((uint32_t)count + 1);
        i %= (uint32_t)count + 1;
        if (n > 0x10ffff) return 0;
        memmove(&out[i + 1], &out[i], (count - i) * sizeof(*out));
        out[i++] = n;
        count++;
    }
    return count;
}

static void add_digit(char *out, size_t *n, uint32_t d)
{
    out[(*n)++] = (char)(d < 26 ? 'a' + d : '0' + (d - 26));
}

static void write_delta(char *out, size_t *n, uint32_t q, uint32_t bias)
{
    for (uint32_t k = BASE; *n < LABEL_MAX; k += BASE) {
        uint32_t t = threshold(k, bias);
        if (q < t) break;
        add_digit(out, n, t + (q - t) % (BASE - t));
        q = (q - t) / (BASE - t);
    }
    add_digit(out, n, q);
}

static size_t encode(const uint32_t *in, size_t count, char *out)
{
    uint32_t n = 128, delta = 0, bias = 72;
    size_t len = 0, handled = 0;
    for (size_t k = 0; k < count; k++) {
        if (in[k] < 128) out[len++] = (char)in[k];
    }
    size_t basic = handled = len;
    if (basic) out[len++] = '-';
    while (handled < count && len < LABEL_MAX) {
        uint32_t next = 0x110000;
        for (size_t k = 0; k < count; k++) {
            if (in[k] >= n && in[k] < next) next = in[k];
        }
        delta += (next - n) * ((uint32_t)handled + 1);
        n = next;
        for (size_t k = 0; k < count && len < LABEL_MAX; k++) {
            if (in[k] < n) delta++;
            if (in[k] != n) continue;
            write_delta(out, &len, delta, bias);
            bias = adapt(delta, (uint32_t)handled + 1, handled == basic);
            delta = 0;
            handled++;
        }
        delta++;
        n++;
    }
    return len;
}

static bool disallowed(uint32_t c)
{
    return (c >= 'A' && c <= 'Z') || c < 0x2d || (c > 0x7e && c < 0xb7) ||
           (c >= 0x2000 && c <= 0x200b) || (c >= 0x200e && c <= 0x206f) ||
           (c >= 0x2190 && c <= 0x2bff) || c == 0x3000 || (c >= 0xd800 && c <= 0xf8ff) ||
           (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xfff0 && c <= 0xffff) || c == 0xfeff ||
           (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe || c >= 0xe0000 ||
           (c >= 0xb8 && c <= 0xde) || (c >= 0x391 && c <= 0x3ab) || (c >= 0x400 && c <= 0x42f) ||
           (c >= 0xff00 && c <= 0xffef) || c == 0xf7;
}

static const char *a_label_fault(struct chy_span label)
{
    uint32_t points[LABEL_MAX + 1];
    char again[LABEL_MAX + 8];
    struct chy_span body = {label.p + 4, label.n - 4};
    size_t n = body.n ? decode(body, points, LABEL_MAX) : 0;
    if (!n) return "an xn-- label that does not decode (RFC 3492)";
    for (size_t i = 0; i < n; i++) {
        if (disallowed(points[i]))
            return "an xn-- label with a code point that IDNA2008 does not allow (RFC 5892)";
    }
    size_t len = encode(points, n, again);
    if (len != body.n || memcmp(again, body.p, len) != 0)
        return "an xn-- label that is not in its one form (RFC 5891 4.4)";
    return NULL;
}

static bool ldh(uint8_t c, unsigned flags)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           (c == '_' && (flags & CHY_GN_ALLOW_UNDERSCORE));
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static const char *label_fault(struct chy_span label, unsigned flags)
{
    uint8_t small[LABEL_MAX];
    if (!label.n) return "an empty label";
    if (label.n > LABEL_MAX) return "a label of more than 63 characters";
    for (size_t i = 0; i < label.n; i++) {
        if (!ldh(label.p[i], flags))
            return "a character other than letters, digits and hyphens (RFC 1123 2.1)";
        small[i] = lower(label.p[i]);
    }
    if (label.p[0] == '-' || label.p[label.n - 1] == '-')
        return "a label that begins or ends with a hyphen";
    if (label.n < 4 || small[2] != '-' || small[3] != '-') return NULL;
    if (small[0] != 'x' || small[1] != 'n')
        return "a label with hyphens in third and fourth place (RFC 5890 2.3.1)";
    return a_label_fault(chy_span_of(small, label.n));
}

static bool all_digits(struct chy_span label)
{
    for (size_t i = 0; i < label.n; i++) {
        if (label.p[i] < '0' || label.p[i] > '9') return false;
    }
    return true;
}

const char *chy_host_fault(struct chy_span name, unsigned flags)
{
    unsigned labels = 0;
    struct chy_span label = {0};
    if (!name.n) return "empty";
    if (name.n > NAME_MAX_LEN) return "longer than 253 characters";
    if (name.n > 2 && name.p[0] == '*' && name.p[1] == '.') {
        if (!(flags & CHY_GN_ALLOW_WILDCARD)) return "a wildcard";
        name.p += 2;
        name.n -= 2;
    }
    if (name.p[name.n - 1] == '.') return "a trailing dot";
    while (name.n) {
        const uint8_t *dot = memchr(name.p, '.', name.n);
        label = chy_span_of(name.p, dot ? (size_t)(dot - name.p) : name.n);
        const char *fault = label_fault(label, flags);
        if (fault) return fault;
        labels++;
        name.p += label.n + (dot != NULL);
        name.n -= label.n + (dot != NULL);
    }
    if (all_digits(label)) return "an address or number in place of a name";
    return labels < 2 && !(flags & CHY_GN_ALLOW_SINGLE_LABEL) ? "a single label" : NULL;
}
