/* Serial numbers (P1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "pki/cert.h"

enum { MANY = 10000 };

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, CHY_SERIAL_LEN);
}

static void test_ten_thousand(void **state)
{
    static uint8_t all[MANY][CHY_SERIAL_LEN];
    struct chy_err err = {0};
    (void)state;
    for (int i = 0; i < MANY; i++) {
        chy_time now = 1700000000 * CHY_US_PER_S + i * 100;
        assert_int_equal(chy_serial_make(now, all[i], &err), CHY_S_OK);
        assert_in_range(all[i][0], 0x01, 0x7f);
        if (!i) continue;
        assert_true(memcmp(all[i - 1], all[i], 4) <= 0);
        assert_memory_not_equal(all[i - 1] + 4, all[i] + 4, 16);
    }
    qsort(all, MANY, CHY_SERIAL_LEN, compare);
    for (int i = 1; i < MANY; i++)
        assert_memory_not_equal(all[i - 1], all[i], CHY_SERIAL_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ten_thousand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
