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

/* One more than the value of a character of the alphabet; 0 for any other. */
static const uint8_t value_and_one[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

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
        uint32_t bits = value_and_one[c];
        if (!bits && is_space(c)) continue;
        if (c == '=') {
            if (have + ++pad > 4 || have < 2) return false;
            continue;
        }
        if (!bits || pad) return false;
        v = v << 6 | (bits - 1);
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
