/* Threads carry their names, and are waited for no longer than allowed. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/sys.h"

struct seen {
    pthread_mutex_t named; /* held until the thread has its name */
    char name[16];
    void *arg;
};

static void *look(void *arg)
{
    struct seen *s = arg;
    pthread_mutex_lock(&s->named);
    pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
    pthread_mutex_unlock(&s->named);
    return arg;
}

static void test_a_thread_has_its_name_and_argument(void **state)
{
    (void)state;
    struct seen s = {.named = PTHREAD_MUTEX_INITIALIZER};
    pthread_t t;
    void *result = NULL;
    pthread_mutex_lock(&s.named);
    assert_true(chy_thread_start(&t, "fifteen-letters", look, &s));
    pthread_mutex_unlock(&s.named);
    assert_int_equal(pthread_join(t, &result), 0);
    assert_string_equal(s.name, "fifteen-letters");
    assert_ptr_equal(result, &s);
}

static void test_a_thread_is_waited_for_only_so_long(void **state)
{
    (void)state;
    struct seen s = {.named = PTHREAD_MUTEX_INITIALIZER};
    pthread_t t;
    struct timespec until;
    pthread_mutex_lock(&s.named);
    assert_true(chy_thread_start(&t, "waits", look, &s));
    clock_gettime(CLOCK_MONOTONIC, &until);
    assert_false(chy_thread_join_until(t, &until));
    pthread_mutex_unlock(&s.named);
    until.tv_sec += 10;
    assert_true(chy_thread_join_until(t, &until));
}

struct placed {
    cpu_set_t may_use;
    char name[16];
};

static void *look_around(void *arg)
{
    struct placed *p = arg;
    sched_getaffinity(0, sizeof(p->may_use), &p->may_use);
    pthread_getname_np(pthread_self(), p->name, sizeof(p->name));
    return arg;
}

static void expect_processors_of_its_maker(const cpu_set_t *own)
{
    struct placed p = {.name = ""};
    pthread_t t;
    void *result = NULL;
    assert_true(chy_thread_start_beside(&t, "beside", look_around, &p));
    assert_int_equal(pthread_join(t, &result), 0);
    assert_ptr_equal(result, &p);
    assert_string_equal(p.name, "beside");
    assert_true(CPU_EQUAL(own, &p.may_use));
}

/* Also where there is no other processor to start on. */
static void test_a_thread_beside_its_maker_has_its_processors(void **state)
{
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    expect_processors_of_its_maker(&all);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    expect_processors_of_its_maker(&one);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_has_its_name_and_argument),
        cmocka_unit_test(test_a_thread_is_waited_for_only_so_long),
        cmocka_unit_test(test_a_thread_beside_its_maker_has_its_processors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
