/* The machine's clocks: the right time, and never back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "base/sys.h"

#define S(n) (INT64_C(n) * 1000000)

static void test_the_system_clock(void **state)
{
    (void)state;
    chy_time before = (chy_time)time(NULL) * 1000000;
    chy_time now = chy_now(&chy_system_clock);
    int64_t first = chy_monotonic(&chy_system_clock);
    assert_true(now >= before - S(1) && now < before + S(60));
    for (int i = 0; i < 1000; i++) {
        int64_t next = chy_monotonic(&chy_system_clock);
        assert_true(next >= first);
        first = next;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_system_clock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
