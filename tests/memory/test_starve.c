/* Threads that begin while memory is refused: they run, or pthread_create says that they do not. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "starve.h"

static void *run(void *arg)
{
    *(int *)arg = 1;
    return NULL;
}

static void test_threads(void **state)
{
    enum { PLACES = 16 };
    int ran = 0, refused = 0;
    (void)state;
    for (unsigned long at = 1; at <= PLACES; at++) {
        pthread_t t;
        int runs = 0;
        starve(at, 1);
        int rc = pthread_create(&t, NULL, run, &runs);
        if (rc == 0) pthread_join(t, NULL);
        unsigned long n = starve_end();
        if (rc != 0) assert_int_equal(rc, EAGAIN);
        if (rc != 0) assert_int_equal(n, 1);
        assert_int_equal(runs, rc == 0);
        ran += runs;
        refused += rc != 0;
    }
    printf("%d threads ran, %d were refused\n", ran, refused);
    assert_true(ran && refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
