/* Entries arrive whole, in their order, on one thread at a time; who wants no more gets no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "ca/crl_feed.h"

struct taker {
    int32_t n, last; /* it wants that many; 0: all */
    bool wrong;
    useconds_t sleeps;
};

/* 0 to 255 octets, all of them of the entry's own. */
static struct chy_revoked entry(int32_t i, uint8_t serial[255])
{
    size_t n = i % 97 == 0 ? 255 : (size_t)(i % 21);
    memset(serial, i % 251, n);
    return (struct chy_revoked){.request_id = i,
                                .serial = chy_span_of(serial, n),
                                .issuer_index = i + 1,
                                .shard = i + 2,
                                .disposition = i + 3,
                                .reason = i + 4,
                                .crl_flags = i + 5,
                                .revoked_when = i + 6,
                                .effective_when = i + 7,
                                .invalidity_when = i + 8,
                                .not_after = i + 9};
}

static bool is_same(const struct chy_revoked *a, const struct chy_revoked *b)
{
    return a->request_id == b->request_id && a->serial.n == b->serial.n &&
           (!a->serial.n || memcmp(a->serial.p, b->serial.p, a->serial.n) == 0) &&
           a->issuer_index == b->issuer_index && a->shard == b->shard &&
           a->disposition == b->disposition && a->reason == b->reason &&
           a->crl_flags == b->crl_flags && a->revoked_when == b->revoked_when &&
           a->effective_when == b->effective_when && a->invalidity_when == b->invalidity_when &&
           a->not_after == b->not_after;
}

static bool take(const struct chy_revoked *r, void *arg)
{
    struct taker *t = arg;
    uint8_t serial[255];
    const struct chy_revoked want = entry(++t->n, serial);
    if (!is_same(&want, r)) t->wrong = true;
    if (t->sleeps && t->n % 5000 == 0) usleep(t->sleeps);
    return t->n != t->last;
}

/* How many were asked for before it was told that no more are wanted. */
static int32_t feed(struct taker *t, int32_t n)
{
    struct chy_err err = {0};
    struct chy_crl_feed *f;
    uint8_t serial[255];
    int32_t i = 0;
    bool go_on = true;
    assert_int_equal(chy_crl_feed_new(take, t, &f, &err), CHY_S_OK);
    while (i < n && go_on) {
        struct chy_revoked r = entry(++i, serial);
        go_on = chy_crl_feed_add(&r, f);
        memset(serial, 0xff, sizeof(serial)); /* it was only lent */
    }
    chy_crl_feed_end(f);
    assert_false(t->wrong);
    return i;
}

static void test_all_arrive_in_their_order(void **state)
{
    static const int32_t counts[] = {0, 1, 8191, 8192, 8193, 32768, 32769, 300000};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(counts); i++) {
        struct taker t = {0};
        assert_int_equal(feed(&t, counts[i]), counts[i]);
        assert_int_equal(t.n, counts[i]);
    }
}

static void test_a_slow_taker_is_waited_for(void **state)
{
    struct taker t = {.sleeps = 2000};
    (void)state;
    feed(&t, 100000);
    assert_int_equal(t.n, 100000);
}

static void test_no_more_than_wanted(void **state)
{
    static const int32_t wanted[] = {1, 8000, 8192, 8193, 100000};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(wanted); i++) {
        struct taker t = {.last = wanted[i]};
        int32_t asked = feed(&t, 1000000);
        assert_int_equal(t.n, wanted[i]);
        assert_true(asked <= wanted[i] + 5 * 8192); /* what the ring holds */
    }
}

static bool note_length(const struct chy_revoked *r, void *arg)
{
    *(size_t *)arg = r->serial.n;
    return true;
}

static void test_a_serial_that_cannot_be_is_none(void **state)
{
    static uint8_t octets[1 << 20];
    struct chy_err err = {0};
    struct chy_crl_feed *f;
    size_t n = 1;
    (void)state;
    assert_int_equal(chy_crl_feed_new(note_length, &n, &f, &err), CHY_S_OK);
    assert_true(chy_crl_feed_add(&(struct chy_revoked){.serial = CHY_SPAN(octets)}, f));
    chy_crl_feed_end(f);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_arrive_in_their_order),
        cmocka_unit_test(test_a_slow_taker_is_waited_for),
        cmocka_unit_test(test_no_more_than_wanted),
        cmocka_unit_test(test_a_serial_that_cannot_be_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
