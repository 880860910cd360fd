/* DER written as text, for samples in tests. */
#ifndef CHY_TESTS_UNIT_PKI_DER_NOTATION_H
#define CHY_TESTS_UNIT_PKI_DER_NOTATION_H

#include "pki/der.h"

/* The notation: two hex digits are an octet; TT{…} is a value with that tag; 'x' is text. */
static uint8_t hex_octet(const char *s)
{
    uint8_t v = 0;
    for (int i = 0; i < 2; i++) {
        int digit = s[i] >= 'a' ? s[i] - 'a' + 10 : s[i] - '0';
        assert_in_range(digit, 0, 15);
        v = (uint8_t)(v << 4 | digit);
    }
    return v;
}

static void assemble(struct chy_buf *out, const char **text)
{
    const char *s = *text;
    while (*s && *s != '}') {
        if (*s == ' ') {
            s++;
        } else if (*s == '\'') {
            for (s++; *s != '\''; s++)
                chy_buf_add_byte(out, (uint8_t)*s);
            s++;
        } else {
            uint8_t octet = hex_octet(s);
            s += 2;
            if (*s != '{') {
                chy_buf_add_byte(out, octet);
                continue;
            }
            size_t mark = chy_der_open(out, octet);
            s++;
            assemble(out, &s);
            assert_int_equal(*s, '}');
            s++;
            chy_der_close(out, mark);
        }
    }
    *text = s;
}

static void der(struct chy_buf *out, const char *text)
{
    if (!text) return;
    assemble(out, &text);
    assert_int_equal(*text, 0);
}

#endif
