/* A table of paths, each with every allocation refused once, and with all from one on.
 * CHANCERY_PATH=I begins with the I-th path. */
#ifndef TEST_MEMORY_ROUNDS_H
#define TEST_MEMORY_ROUNDS_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct rounds {
    size_t n_paths;
    void (*run)(size_t path, unsigned long how_many);
};

static inline void rounds_of(const struct rounds *r, unsigned long how_many)
{
    const char *first = getenv("CHANCERY_PATH");
    for (size_t i = first ? (size_t)strtoul(first, NULL, 10) : 0; i < r->n_paths; i++)
        r->run(i, how_many);
}

static inline void each_once(void **state)
{
    rounds_of(*state, 1);
}

static inline void all_from_one_on(void **state)
{
    rounds_of(*state, ULONG_MAX);
}

static inline int rounds_main(const char *group, size_t n_paths,
                              void (*run)(size_t path, unsigned long how_many))
{
    struct rounds r = {n_paths, run};
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(each_once, &r),
                                       cmocka_unit_test_prestate(all_from_one_on, &r)};
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}

#endif
