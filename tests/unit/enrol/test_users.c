/* Names of local users: asked of the system no oftener than they must be. */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "enrol/users.h"

static atomic_uint asked, told;
static atomic_bool is_stuck; /* whoever asks for 9 */
static int64_t mono = 1;

static int64_t mono_now(void *arg)
{
    (void)arg;
    return mono;
}

/* The system's answers: even numbers have a name of so many letters, odd ones none; 7 has the
 * directory fail, 9 hang. */
__attribute__((visibility("default"))) int getpwuid_r(uid_t uid, struct passwd *pw, char *space,
                                                      size_t n, struct passwd **found)
{
    asked++;
    *found = NULL;
    while (uid == 9 && atomic_load(&is_stuck))
        usleep(1000);
    if (uid == 7) return EIO;
    if (uid % 2) return 0;
    if (uid + 1 > n) return ERANGE;
    memset(space, 'u', uid);
    space[uid] = 0;
    *pw = (struct passwd){.pw_name = space, .pw_uid = uid};
    *found = pw;
    return 0;
}

static struct chy_users *fresh(void)
{
    static const struct chy_clock clock = {NULL, mono_now, NULL};
    struct chy_users *u = NULL;
    assert_int_equal(chy_users_new(&clock, &u, NULL), CHY_S_OK);
    asked = told = 0;
    return u;
}

static void is_named(struct chy_users *u, uint32_t uid, const char *name)
{
    char got[LOGIN_NAME_MAX];
    chy_users_name(u, uid, got);
    assert_string_equal(got, name);
}

static void test_names(void **state)
{
    struct chy_users *u = fresh();
    char long_name[LOGIN_NAME_MAX] = {0};
    (void)state;
    memset(long_name, 'u', LOGIN_NAME_MAX - 2);
    for (int again = 0; again < 2; again++) {
        is_named(u, 4, "uuuu");
        is_named(u, 1001, "uid:1001");
        is_named(u, 7, "uid:7");
        is_named(u, 4294967295U, "uid:4294967295");
        is_named(u, LOGIN_NAME_MAX - 2, long_name);
        is_named(u, LOGIN_NAME_MAX, "uid:256"); /* no room for all of it */
        is_named(u, 5000, "uid:5000");
        assert_int_equal(asked, 7);
    }
    chy_users_free(u);
    chy_users_free(NULL);
}

static void test_an_answer_is_good_for_a_minute(void **state)
{
    struct chy_users *u = fresh();
    (void)state;
    assert_false(chy_users_knows(u, 0));
    assert_false(chy_users_knows(u, 4));
    is_named(u, 4, "uuuu");
    assert_true(chy_users_knows(u, 4));
    assert_false(chy_users_knows(u, 0));
    mono += CHY_USERS_GOOD_FOR_S * INT64_C(1000000) - 1;
    assert_true(chy_users_knows(u, 4));
    is_named(u, 4, "uuuu");
    assert_int_equal(asked, 1);
    mono += 1;
    assert_false(chy_users_knows(u, 4));
    is_named(u, 4, "uuuu");
    assert_int_equal(asked, 2);
    assert_true(chy_users_knows(u, 4));
    chy_users_free(u);
}

static void test_the_oldest_makes_room(void **state)
{
    struct chy_users *u = fresh();
    char name[LOGIN_NAME_MAX];
    (void)state;
    for (uint32_t i = 0; i < CHY_USERS_KEPT; i++, mono++)
        chy_users_name(u, 1001 + 2 * i, name);
    mono += CHY_USERS_GOOD_FOR_S * INT64_C(1000000);
    chy_users_name(u, 1003, name); /* again: in its own place */
    chy_users_name(u, 3, name);    /* in that of 1001 */
    asked = 0;
    assert_true(chy_users_knows(u, 1003));
    assert_true(chy_users_knows(u, 3));
    mono -= CHY_USERS_GOOD_FOR_S * INT64_C(1000000);
    for (uint32_t i = 0; i < CHY_USERS_KEPT; i++)
        assert_int_equal(chy_users_knows(u, 1001 + 2 * i), i != 0);
    assert_int_equal(asked, 0);
    chy_users_free(u);
}

/* A pool whose thread does not come back is left to it. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:chy_workers_new\n";
}

static void tell(void *arg)
{
    atomic_fetch_add(&told, *(unsigned *)arg);
}

static void wait_for(atomic_uint *what, unsigned n)
{
    for (int ms = 0; ms < 10000 && atomic_load(what) < n; ms++)
        usleep(1000);
    assert_int_equal(atomic_load(what), n);
}

static void test_learnt_aside(void **state)
{
    struct chy_users *u = fresh();
    unsigned one = 1;
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(chy_users_learn(u, 4, tell, &one));
    wait_for(&told, 5);
    assert_int_equal(asked, 1);
    assert_true(chy_users_knows(u, 4));
    chy_users_stop(u);
    assert_false(chy_users_learn(u, 6, tell, &one));
    assert_int_equal(told, 5);
    chy_users_free(u);
}

static void test_a_late_answer_finds_nobody(void **state)
{
    struct chy_users *u = fresh();
    unsigned one = 1;
    (void)state;
    is_stuck = true;
    for (int i = 0; i < 3; i++)
        assert_true(chy_users_learn(u, 9, tell, &one));
    assert_true(chy_users_learn(u, 4, tell, &one));
    wait_for(&asked, 1);
    chy_users_stop(u);
    chy_users_free(u);
    is_stuck = false;
    usleep(100000);
    assert_int_equal(told, 0);
    assert_int_equal(asked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_an_answer_is_good_for_a_minute),
        cmocka_unit_test(test_the_oldest_makes_room), cmocka_unit_test(test_learnt_aside),
        cmocka_unit_test(test_a_late_answer_finds_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
