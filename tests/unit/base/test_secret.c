/* Randomness, wiping, comparison in constant time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "base/sys.h"

static void test_random_octets_fill_the_whole_and_differ(void **state)
{
    (void)state;
    uint8_t a[64], b[64], ever[32] = {0};
    unsigned zeros = 0;
    for (int round = 0; round < 64; round++) {
        memset(a, 0, sizeof(a));
        assert_int_equal(chy_random(a + 1, 62, NULL), CHY_S_OK);
        assert_int_equal(a[0], 0); /* nothing beside what was asked for */
        assert_int_equal(a[63], 0);
        assert_int_equal(chy_random(b, sizeof(b), NULL), CHY_S_OK);
        assert_memory_not_equal(a, b, sizeof(a));
        for (size_t i = 0; i < sizeof(ever); i++)
            ever[i] |= b[i];
    }
    for (size_t i = 0; i < sizeof(ever); i++)
        zeros += ever[i] != 0xff;
    assert_int_equal(zeros, 0);
    assert_int_equal(chy_random(a, 0, NULL), CHY_S_OK);
}

static int with_a_broken_generator(void)
{
    struct chy_err err = {0};
    uint8_t a[8];
    if (RAND_set_DRBG_type(NULL, "NO-SUCH-GENERATOR", NULL, NULL, NULL) != 1) return 1;
    if (chy_random(a, sizeof(a), &err) != CHY_E_FAIL) return 2;
    if (!strstr(err.text, "random numbers: the generator failed (OpenSSL: ")) return 3;
    return ERR_peek_error() == 0 ? 0 : 4; /* the library's queue is left empty */
}

/* In a process of its own, before the generator is made: it is made once. */
static void test_a_failing_generator_is_an_error(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();
    if (child == 0) _exit(with_a_broken_generator());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct chy_err err = {0};
    assert_int_equal(chy_random(&status, (size_t)INT32_MAX + 1, &err), CHY_E_FAIL);
    assert_string_equal(err.text, "random numbers: the generator failed");
}

static void test_wiping(void **state)
{
    (void)state;
    uint8_t a[40];
    memset(a, 0xaa, sizeof(a));
    chy_wipe(a + 4, 32);
    for (size_t i = 0; i < sizeof(a); i++)
        assert_int_equal(a[i], i >= 4 && i < 36 ? 0 : 0xaa);
    chy_wipe(a, 0);
    assert_int_equal(a[0], 0xaa);
}

static void test_comparison_sees_every_bit(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    for (size_t i = 0; i < sizeof(a); i++)
        a[i] = b[i] = (uint8_t)(i * 11);
    assert_true(chy_equal_secret(a, b, sizeof(a)));
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(chy_equal_secret(a, b, sizeof(a)));
        assert_true(chy_equal_secret(a, b, bit / 8));
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(chy_equal_secret(a, a + 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failing_generator_is_an_error),
        cmocka_unit_test(test_random_octets_fill_the_whole_and_differ),
        cmocka_unit_test(test_wiping),
        cmocka_unit_test(test_comparison_sees_every_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
