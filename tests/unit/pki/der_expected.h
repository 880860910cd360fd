/* What is expected, as text: a time, and octets in the notation of samples. */
#ifndef CHY_TESTS_UNIT_PKI_DER_EXPECTED_H
#define CHY_TESTS_UNIT_PKI_DER_EXPECTED_H

#include "base/text.h"
#include "unit/pki/der_notation.h"

static inline chy_time at(const char *text)
{
    chy_time t;
    assert_true(chy_time_parse(text, &t));
    return t;
}

static inline void same(const struct chy_buf *b, const char *text)
{
    struct chy_buf expected;
    chy_buf_init(&expected, 1 << 20);
    der(&expected, text);
    assert_false(expected.failed);
    assert_false(b->failed);
    assert_int_equal(b->n, expected.n);
    assert_memory_equal(b->p, expected.p, b->n);
    chy_buf_free(&expected);
}

#endif
