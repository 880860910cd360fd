/* Hexadecimal text. */
#include "base/text.h"

static const char digits[] = "0123456789abcdef";

void chy_hex_cstr(char *out, struct chy_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        *out++ = digits[s.p[i] >> 4];
        *out++ = digits[s.p[i] & 15];
    }
    *out = 0;
}

void chy_hex_add(struct chy_buf *out, struct chy_span s)
{
    if (!chy_buf_reserve(out, 2 * s.n)) return;
    for (size_t i = 0; i < s.n; i++) {
        out->p[out->n++] = (uint8_t)digits[s.p[i] >> 4];
        out->p[out->n++] = (uint8_t)digits[s.p[i] & 15];
    }
}

static int value_of(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool chy_hex_decode(struct chy_buf *out, struct chy_span text)
{
    size_t before = out->n;
    if (text.n % 2) return false;
    for (size_t i = 0; i < text.n; i += 2) {
        int hi = value_of(text.p[i]), lo = value_of(text.p[i + 1]);
        if (hi < 0 || lo < 0) {
            out->n = before;
            return false;
        }
        chy_buf_add_byte(out, (uint8_t)(hi << 4 | lo));
    }
    return !out->failed;
}
