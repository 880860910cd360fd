/* What is kept: bounds, the order in which it gives way, and that a change makes it void whenever
 * it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "ocsp/cache.h"

static const chy_time T = INT64_C(1795000000) * 1000000;

static struct chy_ocsp_cache *cache(size_t entries, size_t octets)
{
    struct chy_err err = {0};
    struct chy_ocsp_cache *c = chy_ocsp_cache_new(entries, octets, &err);
    if (!c) fail_msg("%s", err.text);
    return c;
}

static void put(struct chy_ocsp_cache *c, const char *id, const char *serial, const char *answer)
{
    struct chy_ocsp_mark m = chy_ocsp_cache_mark(c, chy_span_cstr(serial));
    const struct chy_ocsp_kept k = {.answer = chy_span_cstr(answer),
                                    .this_update = T,
                                    .next_update = T + 100,
                                    .fresh_until = T + 50};
    chy_ocsp_cache_put(c, chy_span_cstr(id), &m, &k);
}

static bool copy(const struct chy_ocsp_kept *k, void *arg)
{
    snprintf(arg, 64, "%.*s", (int)k->answer.n, (const char *)k->answer.p);
    return true;
}

static const char *at(struct chy_ocsp_cache *c, const char *id, chy_time now)
{
    static char text[64];
    return chy_ocsp_cache_use(c, chy_span_cstr(id), now, copy, text) ? text : NULL;
}

static void gives_what_is_fresh(void **state)
{
    (void)state;
    struct chy_ocsp_cache *c = cache(1024, 1 << 20);
    assert_null(at(c, "id", T));
    put(c, "id", "1", "answer");
    assert_string_equal(at(c, "id", T), "answer");
    assert_null(at(c, "ie", T));
    assert_string_equal(at(c, "id", T + 49), "answer");
    put(c, "id", "1", "second");
    assert_string_equal(at(c, "id", T), "second");
    assert_null(at(c, "id", T + 50));
    put(c, "id", "1", "third");
    assert_null(at(c, "id", T - 1)); /* the clock went back */
    chy_ocsp_cache_free(c);
}

static bool unwanted(const struct chy_ocsp_kept *k, void *arg)
{
    (void)k;
    (void)arg;
    return false;
}

static void may_be_left(void **state)
{
    (void)state;
    struct chy_ocsp_cache *c = cache(1024, 1 << 20);
    put(c, "id", "1", "answer");
    assert_false(chy_ocsp_cache_use(c, CHY_SPAN_STR("id"), T, unwanted, NULL));
    assert_string_equal(at(c, "id", T), "answer");
    chy_ocsp_cache_free(c);
}

static void put_foreign(struct chy_ocsp_cache *c, const struct chy_ocsp_mark *m, const char *id)
{
    const struct chy_ocsp_kept k = {.answer = CHY_SPAN_STR("foreign"),
                                    .this_update = T,
                                    .next_update = T + 100,
                                    .fresh_until = T + 50};
    chy_ocsp_cache_put(c, chy_span_cstr(id), m, &k);
}

static void forgets_foreign_ones_together(void **state)
{
    (void)state;
    struct chy_ocsp_cache *c = cache(1024, 1 << 20);
    struct chy_ocsp_mark before = chy_ocsp_cache_mark_foreign(c), after;
    put(c, "own", "1", "of 1");
    put_foreign(c, &before, "a");
    put_foreign(c, &before, "b");
    assert_string_equal(at(c, "a", T), "foreign");
    chy_ocsp_cache_changed(c, CHY_SPAN_STR("1"));
    assert_null(at(c, "own", T));
    assert_string_equal(at(c, "b", T), "foreign");
    put(c, "own", "1", "of 1");
    chy_ocsp_cache_changed_foreign(c);
    assert_null(at(c, "a", T));
    assert_null(at(c, "b", T));
    assert_string_equal(at(c, "own", T), "of 1");
    put_foreign(c, &before, "a"); /* made from what was */
    assert_null(at(c, "a", T));
    after = chy_ocsp_cache_mark_foreign(c);
    put_foreign(c, &after, "a");
    assert_string_equal(at(c, "a", T), "foreign");
    chy_ocsp_cache_free(c);
}

static void forgets_what_changed(void **state)
{
    (void)state;
    struct chy_ocsp_cache *c = cache(1024, 1 << 20);
    put(c, "a", "1", "of 1");
    put(c, "b", "2", "of 2");
    chy_ocsp_cache_changed(c, CHY_SPAN_STR("1"));
    assert_null(at(c, "a", T));
    assert_string_equal(at(c, "b", T), "of 2");
    chy_ocsp_cache_flush(c);
    assert_null(at(c, "b", T));
    put(c, "b", "2", "of 2 again");
    assert_string_equal(at(c, "b", T), "of 2 again");
    chy_ocsp_cache_free(c);
}

static void refuses_what_was_made_before_a_change(void **state)
{
    (void)state;
    struct chy_ocsp_cache *c = cache(1024, 1 << 20);
    const struct chy_ocsp_kept k = {.answer = CHY_SPAN_STR("old"),
                                    .this_update = T,
                                    .next_update = T + 100,
                                    .fresh_until = T + 50};
    struct chy_ocsp_mark m = chy_ocsp_cache_mark(c, CHY_SPAN_STR("1"));
    chy_ocsp_cache_changed(c, CHY_SPAN_STR("1"));
    chy_ocsp_cache_put(c, CHY_SPAN_STR("a"), &m, &k);
    assert_null(at(c, "a", T));
    m = chy_ocsp_cache_mark(c, CHY_SPAN_STR("1"));
    chy_ocsp_cache_flush(c);
    chy_ocsp_cache_put(c, CHY_SPAN_STR("a"), &m, &k);
    assert_null(at(c, "a", T));
    chy_ocsp_cache_free(c);
}

static void is_bounded(void **state)
{
    (void)state;
    struct chy_ocsp_cache *c = cache(160, 1 << 20);
    size_t entries, octets;
    char id[32];
    put(c, "kept", "0", "kept");
    for (int i = 0; i < 10000; i++) {
        snprintf(id, sizeof(id), "id %d", i);
        put(c, id, id, "answer");
        assert_non_null(at(c, "kept", T)); /* it is used: others give way */
    }
    chy_ocsp_cache_size(c, &entries, &octets);
    assert_int_equal(entries, 160);
    assert_null(at(c, "id 0", T));
    assert_non_null(at(c, "id 9999", T));
    chy_ocsp_cache_free(c);
    c = cache(16384, 16 * 2048);
    for (int i = 0; i < 10000; i++) {
        snprintf(id, sizeof(id), "id %d", i);
        put(c, id, id, "answer");
    }
    chy_ocsp_cache_size(c, &entries, &octets);
    assert_in_range(octets, 1, 16 * 2048);
    chy_ocsp_cache_free(c);
}

/* A certificate's standing is a number that rises. Whoever is told that it rose must never again be
 * given less. */
struct race {
    struct chy_ocsp_cache *c;
    atomic_int standing; /* what the database would say */
    atomic_int told;     /* acknowledged */
    atomic_bool over;
    atomic_int wrong;
};

static bool copy_number(const struct chy_ocsp_kept *k, void *arg)
{
    memcpy(arg, k->answer.p, sizeof(int));
    return true;
}

static void *ask(void *arg)
{
    struct race *r = arg;
    const struct chy_span id = CHY_SPAN_STR("id"), serial = CHY_SPAN_STR("serial");
    while (!atomic_load(&r->over)) {
        int told = atomic_load(&r->told), found;
        if (chy_ocsp_cache_use(r->c, id, T, copy_number, &found)) {
            if (found < told) atomic_fetch_add(&r->wrong, 1);
            continue;
        }
        struct chy_ocsp_mark m = chy_ocsp_cache_mark(r->c, serial);
        found = atomic_load(&r->standing);
        if (found % 3 == 0) sched_yield(); /* signing takes its time */
        const struct chy_ocsp_kept k = {.answer = chy_span_of(&found, sizeof(found)),
                                        .this_update = T,
                                        .next_update = T + 100,
                                        .fresh_until = T + 50};
        chy_ocsp_cache_put(r->c, id, &m, &k);
    }
    return NULL;
}

static void never_gives_what_was_acknowledged_as_changed(void **state)
{
    (void)state;
    struct race r = {.c = cache(1024, 1 << 20)};
    pthread_t thread[3];
    for (size_t i = 0; i < CHY_ARRAY_LEN(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, ask, &r), 0);
    for (int i = 1; i <= 20000; i++) {
        atomic_store(&r.standing, i);
        chy_ocsp_cache_changed(r.c, CHY_SPAN_STR("serial"));
        atomic_store(&r.told, i);
        if (i % 16 == 0) sched_yield();
    }
    atomic_store(&r.over, true);
    for (size_t i = 0; i < CHY_ARRAY_LEN(thread); i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&r.wrong), 0);
    chy_ocsp_cache_free(r.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_is_fresh),
        cmocka_unit_test(may_be_left),
        cmocka_unit_test(forgets_what_changed),
        cmocka_unit_test(forgets_foreign_ones_together),
        cmocka_unit_test(refuses_what_was_made_before_a_change),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(never_gives_what_was_acknowledged_as_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
