/* Threads carry their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_thread_has_its_name_and_argument)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
