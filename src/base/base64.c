/* Base64 (RFC 4648 section 4): strict but for white space. */
#include <string.h>

#include "base/text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void chy_base64_add(struct chy_buf *out, struct chy_span s, size_t line)
{
    size_t column = 0;
    for (size_t i = 0; i < s.n; i += 3) {
        size_t have = s.n - i < 3 ? s.n - i : 3;
        uint32_t v = (uint32_t)s.p[i] << 16;
        if (have > 1) v |= (uint32_t)s.p[i + 1] << 8;
        if (have > 2) v |= s.p[i + 2];
        char quad[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63],
                        have > 1 ? alphabet[v >> 6 & 63] : '=', have > 2 ? alphabet[v & 63] : '='};
        chy_buf_add(out, quad, 4);
        column += 4;
        if (line && column >= line) {
            chy_buf_add_byte(out, '\n');
            column = 0;
        }
    }
    if (line && column) chy_buf_add_byte(out, '\n');
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool decode(struct chy_buf *out, struct chy_span text)
{
    uint32_t v = 0;
    unsigned have = 0, pad = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (is_space(c)) continue;
        if (c == '=') {
            if (have + ++pad > 4 || have < 2) return false;
            continue;
        }
        int bits = value_of(c);
        if (bits < 0 || pad) return false;
        v = v << 6 | (uint32_t)bits;
        if (++have < 4) continue;
        uint8_t three[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        chy_buf_add(out, three, 3);
        v = have = 0;
    }
    if (!have) return pad == 0 && !out->failed;
    if (have + pad != 4) return false;
    v <<= 6 * pad;
    if (v & (pad == 2 ? 0xffffu : 0xffu)) return false; /* bits that nobody would miss */
    chy_buf_add_byte(out, (uint8_t)(v >> 16));
    if (pad == 1) chy_buf_add_byte(out, (uint8_t)(v >> 8));
    return !out->failed;
}

bool chy_base64_decode(struct chy_buf *out, struct chy_span text)
{
    size_t before = out->n;
    bool good = decode(out, text);
    if (!good) out->n = before;
    return good;
}
