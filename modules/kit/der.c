#include "kit/der.h"

#include <string.h>

static bool read_length(struct kit_der *in, size_t *len)
{
    if (in->n == 0) return false;
    uint8_t first = in->p[0];
    in->p++;
    in->n--;
    if (first < 0x80) {
        *len = first;
        return *len <= in->n;
    }
    size_t octets = first & 0x7fu, v = 0;
    if (octets == 0 || octets > 3 || octets > in->n || in->p[0] == 0) return false;
    for (size_t i = 0; i < octets; i++)
        v = v << 8 | in->p[i];
    in->p += octets;
    in->n -= octets;
    *len = v;
    return v >= 0x80 && v <= in->n;
}

bool kit_der_next(struct kit_der *in, uint8_t *tag, struct kit_der *value)
{
    if (in->n < 2 || (in->p[0] & 0x1f) == 0x1f) return false;
    *tag = in->p[0];
    in->p++;
    in->n--;
    size_t len;
    if (!read_length(in, &len)) return false;
    value->p = in->p;
    value->n = len;
    in->p += len;
    in->n -= len;
    return true;
}

void kit_der_start(struct kit_der_out *o)
{
    o->n = 0;
    o->full = false;
}

void kit_der_put(struct kit_der_out *o, const void *p, size_t n)
{
    if (n > sizeof o->b - o->n) {
        o->full = true;
        return;
    }
    if (n) memcpy(o->b + o->n, p, n);
    o->n += n;
}

void kit_der_put_tlv(struct kit_der_out *o, uint8_t tag, const void *p, size_t n)
{
    uint8_t head[4] = {tag, (uint8_t)n, 0, 0};
    size_t hn = 2;
    if (n > 0xffff) {
        o->full = true;
        return;
    }
    if (n >= 0x100) {
        head[1] = 0x82;
        head[2] = (uint8_t)(n >> 8);
        head[3] = (uint8_t)n;
        hn = 4;
    } else if (n >= 0x80) {
        head[1] = 0x81;
        head[2] = (uint8_t)n;
        hn = 3;
    }
    kit_der_put(o, head, hn);
    kit_der_put(o, p, n);
}

static size_t put_arc(uint8_t *b, uint64_t v)
{
    size_t n = 1;
    for (uint64_t w = v >> 7; w; w >>= 7)
        n++;
    for (size_t i = n; i-- > 0; v >>= 7)
        b[i] = (uint8_t)((v & 0x7f) | (i + 1 < n ? 0x80 : 0));
    return n;
}

bool kit_der_put_oid(struct kit_der_out *o, const char *dotted)
{
    uint8_t b[160];
    size_t n = 0;
    uint64_t first = 0;
    unsigned arcs = 0;
    for (const char *p = dotted; arcs < 24; arcs++) {
        if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9')) return false;
        uint64_t v = 0;
        for (; *p >= '0' && *p <= '9'; p++) {
            v = v * 10 + (uint64_t)(*p - '0');
            if (v > UINT32_MAX) return false;
        }
        if (arcs == 0) {
            if (v > 2) return false;
            first = v;
        } else if (arcs == 1 && first < 2 && v > 39) {
            return false;
        } else {
            n += put_arc(b + n, arcs == 1 ? first * 40 + v : v);
        }
        if (*p == 0) {
            kit_der_put_tlv(o, 0x06, b, n);
            return arcs > 0 && !o->full;
        }
        if (*p++ != '.') return false;
    }
    return false;
}
