/* The queue between threads: order, waking, closing, and that nothing is lost among many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

struct item {
    struct chy_node node; /* first: an item is found by its node */
    unsigned producer, number;
};

static struct item *item_of(struct chy_node *node)
{
    return (struct item *)(void *)node;
}

static void test_order(void **state)
{
    (void)state;
    struct item items[6];
    struct chy_queue q;
    chy_queue_init(&q);
    assert_int_equal(chy_queue_len(&q), 0);
    assert_true(chy_queue_push_urgent(&q, &items[0].node)); /* into the empty queue */
    assert_true(chy_queue_push(&q, &items[3].node));
    assert_true(chy_queue_push_urgent(&q, &items[1].node)); /* behind the urgent one */
    assert_true(chy_queue_push(&q, &items[4].node));
    assert_true(chy_queue_push_urgent(&q, &items[2].node));
    assert_true(chy_queue_push(&q, &items[5].node));
    assert_int_equal(chy_queue_len(&q), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_ptr_equal(chy_queue_pop(&q), &items[i].node);
        assert_int_equal(chy_queue_len(&q), 5 - i);
    }
    assert_true(chy_queue_push(&q, &items[0].node)); /* the tail is good after the last */
    assert_true(chy_queue_push(&q, &items[1].node));
    assert_ptr_equal(chy_queue_pop(&q), &items[0].node);
    assert_true(chy_queue_push_urgent(&q, &items[2].node)); /* the first of none, before others */
    assert_ptr_equal(chy_queue_pop(&q), &items[2].node);
    assert_ptr_equal(chy_queue_pop(&q), &items[1].node);
    assert_true(chy_queue_push_urgent(&q, &items[3].node)); /* the last one gone was not urgent */
    assert_true(chy_queue_push(&q, &items[4].node));
    assert_ptr_equal(chy_queue_pop(&q), &items[3].node);
    assert_ptr_equal(chy_queue_pop(&q), &items[4].node);
    chy_queue_fini(&q);
}

static void test_take_all(void **state)
{
    (void)state;
    struct item items[4];
    struct chy_queue q;
    chy_queue_init(&q);
    assert_null(chy_queue_take_all(&q, false));
    for (size_t i = 0; i < 3; i++)
        assert_true(chy_queue_push(&q, &items[i].node));
    struct chy_node *list = chy_queue_take_all(&q, true);
    for (size_t i = 0; i < 3; i++, list = list->next)
        assert_ptr_equal(list, &items[i].node);
    assert_null(list);
    assert_int_equal(chy_queue_len(&q), 0);
    assert_null(chy_queue_take_all(&q, false));
    assert_true(chy_queue_push_urgent(&q, &items[0].node));
    assert_ptr_equal(chy_queue_take_all(&q, false), &items[0].node);
    assert_true(
        chy_queue_push_urgent(&q, &items[2].node)); /* the list is good after all are gone */
    assert_true(chy_queue_push(&q, &items[3].node));
    assert_ptr_equal(chy_queue_pop(&q), &items[2].node);
    assert_ptr_equal(chy_queue_pop(&q), &items[3].node);
    chy_queue_fini(&q);
}

static void test_a_closed_queue_gives_what_it_holds_and_takes_nothing(void **state)
{
    (void)state;
    struct item items[3];
    struct chy_queue q;
    chy_queue_init(&q);
    assert_true(chy_queue_push(&q, &items[0].node));
    assert_true(chy_queue_push(&q, &items[1].node));
    chy_queue_close(&q);
    assert_false(chy_queue_push(&q, &items[2].node));
    assert_false(chy_queue_push_urgent(&q, &items[2].node));
    assert_int_equal(chy_queue_len(&q), 2);
    assert_ptr_equal(chy_queue_pop(&q), &items[0].node);
    assert_ptr_equal(chy_queue_pop(&q), &items[1].node);
    assert_null(chy_queue_pop(&q));
    assert_null(chy_queue_pop(&q));
    assert_null(chy_queue_take_all(&q, true));
    chy_queue_close(&q);
    chy_queue_fini(&q);
}

struct waiter {
    struct chy_queue *q;
    bool all;
    struct chy_node *got;
    atomic_bool done;
};

static void *wait_for_one(void *arg)
{
    struct waiter *w = arg;
    w->got = w->all ? chy_queue_take_all(w->q, true) : chy_queue_pop(w->q);
    atomic_store(&w->done, true);
    return NULL;
}

static void until_waiting(struct chy_queue *q, unsigned n)
{
    for (;;) {
        pthread_mutex_lock(&q->lock);
        unsigned waiting = q->waiting;
        pthread_mutex_unlock(&q->lock);
        if (waiting >= n) return;
        usleep(1000);
    }
}

static void test_a_push_wakes_one_who_waits(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct chy_queue q;
        struct item item;
        pthread_t t;
        chy_queue_init(&q);
        struct waiter w = {.q = &q, .all = way & 1};
        assert_true(chy_thread_start(&t, "waiter", wait_for_one, &w));
        until_waiting(&q, 1);
        assert_false(atomic_load(&w.done));
        assert_true(way & 2 ? chy_queue_push_urgent(&q, &item.node)
                            : chy_queue_push(&q, &item.node));
        assert_int_equal(pthread_join(t, NULL), 0);
        assert_ptr_equal(w.got, &item.node);
        assert_null(w.got->next);
        chy_queue_fini(&q);
    }
}

static void test_close_wakes_all_who_wait(void **state)
{
    (void)state;
    struct chy_queue q;
    pthread_t t[8];
    struct waiter w[8];
    chy_queue_init(&q);
    for (size_t i = 0; i < CHY_ARRAY_LEN(t); i++) {
        w[i] = (struct waiter){.q = &q, .all = i & 1, .got = &(struct chy_node){NULL}};
        assert_true(chy_thread_start(&t[i], "waiter", wait_for_one, &w[i]));
    }
    until_waiting(&q, CHY_ARRAY_LEN(t));
    chy_queue_close(&q);
    for (size_t i = 0; i < CHY_ARRAY_LEN(t); i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_null(w[i].got);
    }
    assert_int_equal(q.waiting, 0);
    chy_queue_fini(&q);
}

enum { PRODUCERS = 4, CONSUMERS = 4, EACH = 5000 };

struct crowd {
    struct chy_queue q;
    struct item items[PRODUCERS][EACH];
    atomic_uint seen[PRODUCERS][EACH];
    atomic_uint next_producer, out_of_order;
};

static void *produce(void *arg)
{
    struct crowd *c = arg;
    unsigned me = atomic_fetch_add(&c->next_producer, 1);
    for (unsigned i = 0; i < EACH; i++) {
        c->items[me][i] = (struct item){.producer = me, .number = i};
        if (!chy_queue_push(&c->q, &c->items[me][i].node)) break;
    }
    return NULL;
}

/* What one consumer sees of one producer is in the order of the pushes. */
static void *consume(void *arg)
{
    struct crowd *c = arg;
    unsigned last[PRODUCERS] = {0};
    struct chy_node *node;
    while ((node = chy_queue_pop(&c->q)) != NULL) {
        struct item *item = item_of(node);
        if (item->number + 1 <= last[item->producer]) atomic_fetch_add(&c->out_of_order, 1);
        last[item->producer] = item->number + 1;
        atomic_fetch_add(&c->seen[item->producer][item->number], 1);
    }
    return NULL;
}

static void test_many_threads_lose_and_double_nothing(void **state)
{
    static struct crowd c;
    (void)state;
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];
    chy_queue_init(&c.q);
    for (size_t i = 0; i < CONSUMERS; i++)
        assert_true(chy_thread_start(&consumers[i], "consumer", consume, &c));
    for (size_t i = 0; i < PRODUCERS; i++)
        assert_true(chy_thread_start(&producers[i], "producer", produce, &c));
    for (size_t i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(producers[i], NULL), 0);
    chy_queue_close(&c.q);
    for (size_t i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_join(consumers[i], NULL), 0);
    for (size_t p = 0; p < PRODUCERS; p++) {
        for (size_t i = 0; i < EACH; i++)
            assert_int_equal(atomic_load(&c.seen[p][i]), 1);
    }
    assert_int_equal(atomic_load(&c.out_of_order), 0);
    assert_int_equal(chy_queue_len(&c.q), 0);
    chy_queue_fini(&c.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_take_all),
        cmocka_unit_test(test_a_closed_queue_gives_what_it_holds_and_takes_nothing),
        cmocka_unit_test(test_a_push_wakes_one_who_waits),
        cmocka_unit_test(test_close_wakes_all_who_wait),
        cmocka_unit_test(test_many_threads_lose_and_double_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
