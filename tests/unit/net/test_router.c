/* Which pattern a path meets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/router.h"

static char mark[8];

static chy_hresult add(struct chy_router *r, const char *method, const char *pattern, int n)
{
    char m[16], p[128];
    strncpy(m, method, sizeof(m) - 1);
    strncpy(p, pattern, sizeof(p) - 1);
    m[sizeof(m) - 1] = p[sizeof(p) - 1] = 0;
    struct chy_route route = {.method = m, .pattern = p, .arg = mark + n};
    return chy_router_add(r, &route, NULL);
}

static int find(const struct chy_router *r, const char *method, const char *path, size_t slash,
                struct chy_match *m)
{
    chy_router_find(r, method, path, slash, m);
    if (!m->route) return m->path_known ? -405 : -404;
    return (int)((char *)m->route->arg - mark);
}

static void literal_wins_over_parameter(void **state)
{
    (void)state;
    struct chy_router r = {NULL, 0, 0};
    struct chy_match m;
    assert_int_equal(add(&r, "GET", "/", 0), CHY_S_OK);
    assert_int_equal(add(&r, "GET", "/a/:id", 1), CHY_S_OK);
    assert_int_equal(add(&r, "GET", "/a/new", 2), CHY_S_OK);
    assert_int_equal(add(&r, "POST", "/a/:other/b", 3), CHY_S_OK);
    assert_int_equal(add(&r, "GET", "/o/*rest", 4), CHY_S_OK);
    assert_int_equal(add(&r, "PUT", "/a/:id", 5), CHY_S_OK);
    assert_int_equal(find(&r, "GET", "/", SIZE_MAX, &m), 0);
    assert_int_equal(find(&r, "HEAD", "/", SIZE_MAX, &m), 0);
    assert_int_equal(find(&r, "GET", "/a/new", SIZE_MAX, &m), 2);
    assert_int_equal(find(&r, "GET", "/a/news", SIZE_MAX, &m), 1);
    assert_int_equal(m.params[1].n, 4);
    assert_memory_equal(m.params[1].p, "news", 4);
    assert_int_equal(find(&r, "PUT", "/a/new", SIZE_MAX, &m), 5);
    assert_int_equal(find(&r, "POST", "/a/7/b", SIZE_MAX, &m), 3);
    assert_int_equal(find(&r, "DELETE", "/a/7", SIZE_MAX, &m), -405);
    assert_int_equal(find(&r, "GET", "/a/", SIZE_MAX, &m), -404);
    assert_int_equal(find(&r, "GET", "/a", SIZE_MAX, &m), -404);
    assert_int_equal(find(&r, "GET", "/a/7/", SIZE_MAX, &m), -404);
    assert_int_equal(find(&r, "GET", "//a/7", SIZE_MAX, &m), -404);
    assert_int_equal(find(&r, "GET", "/a/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h", SIZE_MAX, &m), -404);
    assert_int_equal(find(&r, "GET", "/o/x/y//z", SIZE_MAX, &m), 4);
    assert_int_equal(m.params[1].n, 6);
    assert_int_equal(find(&r, "GET", "/o/", SIZE_MAX, &m), -404);
    chy_router_free(&r);
}

static void encoded_slash_only_in_a_tail(void **state)
{
    (void)state;
    struct chy_router r = {NULL, 0, 0};
    struct chy_match m;
    assert_int_equal(add(&r, "GET", "/a/b", 0), CHY_S_OK);
    assert_int_equal(add(&r, "GET", "/o/*rest", 1), CHY_S_OK);
    assert_int_equal(find(&r, "GET", "/a/b", 2, &m), -404);
    assert_int_equal(find(&r, "GET", "/o/b", 2, &m), -404);
    assert_int_equal(find(&r, "GET", "/o/b/c", 4, &m), 1);
    chy_router_free(&r);
}

static void allow_names_the_methods(void **state)
{
    (void)state;
    struct chy_router r = {NULL, 0, 0};
    struct chy_buf out;
    chy_buf_init(&out, 100);
    assert_int_equal(add(&r, "GET", "/a/:x", 0), CHY_S_OK);
    assert_int_equal(add(&r, "PATCH", "/a/:y", 1), CHY_S_OK);
    chy_router_allow(&r, "/a/1", SIZE_MAX, &out);
    assert_string_equal(chy_buf_cstr(&out), "GET, HEAD, PATCH");
    chy_buf_free(&out);
    chy_router_free(&r);
}

static void bad_patterns_are_refused(void **state)
{
    (void)state;
    struct chy_router r = {NULL, 0, 0};
    static const char *const bad[] = {
        "", "a", "/:", "/a/:/b", "/*", "/*x/y", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        assert_int_equal(add(&r, "GET", bad[i], 0), CHY_E_INVALIDARG);
    }
    assert_int_equal(add(&r, "GET", "/a/:x", 0), CHY_S_OK);
    assert_int_equal(add(&r, "GET", "/a/:y", 0), CHY_E_INVALIDARG);
    assert_int_equal(add(&r, "PUT", "/a/:y", 0), CHY_S_OK);
    chy_router_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_wins_over_parameter),
        cmocka_unit_test(encoded_slash_only_in_a_tail),
        cmocka_unit_test(allow_names_the_methods),
        cmocka_unit_test(bad_patterns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
