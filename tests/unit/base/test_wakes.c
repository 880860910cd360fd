/* Wakes that a thread puts off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

static void count(void *arg)
{
    unsigned *n = arg;
    ++*n;
}

static void test_who_holds_nothing_wakes_himself(void **state)
{
    unsigned n = 0;
    (void)state;
    assert_false(chy_wake_later(count, &n));
    chy_wakes_let_go();
    assert_int_equal(n, 0);
}

static void test_each_is_woken_once_when_all_is_handed_over(void **state)
{
    unsigned a = 0, b = 0;
    (void)state;
    for (unsigned round = 1; round <= 3; round++) {
        chy_wakes_hold();
        for (int i = 0; i < 5; i++) {
            assert_true(chy_wake_later(count, &a));
            assert_true(chy_wake_later(count, &b));
        }
        assert_int_equal(a, round - 1);
        chy_wakes_let_go();
        assert_int_equal(a, round);
        assert_int_equal(b, round);
        assert_false(chy_wake_later(count, &a));
    }
}

static void test_those_there_is_no_room_for_are_woken_at_once(void **state)
{
    unsigned n[64] = {0}, later = 0;
    (void)state;
    chy_wakes_hold();
    while (later < CHY_ARRAY_LEN(n) && chy_wake_later(count, &n[later]))
        later++;
    assert_in_range(later, 1, CHY_ARRAY_LEN(n) - 1);
    assert_true(chy_wake_later(count, &n[0])); /* it has its room already */
    chy_wakes_let_go();
    for (size_t i = 0; i < CHY_ARRAY_LEN(n); i++)
        assert_int_equal(n[i], i < later);
}

enum { TAKERS = 3 };

struct taken {
    struct chy_queue q;
    atomic_uint n;
};

static void *take(void *arg)
{
    struct taken *t = arg;
    while (chy_queue_pop(&t->q) != NULL)
        atomic_fetch_add(&t->n, 1);
    return NULL;
}

static unsigned waiting(struct chy_queue *q)
{
    pthread_mutex_lock(&q->lock);
    unsigned n = q->waiting;
    pthread_mutex_unlock(&q->lock);
    return n;
}

static void until(struct taken *t, unsigned all)
{
    while (atomic_load(&t->n) < all || waiting(&t->q) < TAKERS)
        usleep(1000);
}

/* One piece, and more than there are takers: nobody sleeps on. */
static void test_takers_of_urgent_work_wake_when_it_is_all_there(void **state)
{
    static struct taken t;
    static struct chy_node node[2 * TAKERS];
    pthread_t taker[TAKERS];
    unsigned all = 0;
    (void)state;
    chy_queue_init(&t.q);
    for (size_t i = 0; i < TAKERS; i++)
        assert_true(chy_thread_start(&taker[i], "taker", take, &t));
    for (size_t pieces = 1; pieces <= CHY_ARRAY_LEN(node); pieces++) {
        until(&t, all);
        chy_wakes_hold();
        for (size_t i = 0; i < pieces; i++)
            assert_true(chy_queue_push_urgent(&t.q, &node[i]));
        if (!all) { /* later, one that was called for the last round may still be on his way */
            usleep(20000);
            assert_int_equal(chy_queue_len(&t.q), pieces);
        }
        chy_wakes_let_go();
        all += (unsigned)pieces;
    }
    until(&t, all);
    chy_queue_close(&t.q);
    for (size_t i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_join(taker[i], NULL), 0);
    assert_int_equal(atomic_load(&t.n), all);
    chy_queue_fini(&t.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_holds_nothing_wakes_himself),
        cmocka_unit_test(test_each_is_woken_once_when_all_is_handed_over),
        cmocka_unit_test(test_those_there_is_no_room_for_are_woken_at_once),
        cmocka_unit_test(test_takers_of_urgent_work_wake_when_it_is_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
