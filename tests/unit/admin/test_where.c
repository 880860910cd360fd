/* Conditions on rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "admin/where.h"

static chy_hresult parse(const char *text, bool issued_only, struct chy_arena *a,
                         struct chy_where **out, struct chy_err *err)
{
    chy_arena_init(a, 1 << 20);
    *out = NULL;
    return chy_where_parse(text, issued_only, a, out, err);
}

static void expect_text(const struct chy_filter *f, const char *column, enum chy_seek seek,
                        const char *text)
{
    assert_string_equal(f->column, column);
    assert_int_equal(f->seek, seek);
    assert_true(f->is_text);
    assert_int_equal(f->text.n, strlen(text));
    assert_memory_equal(f->text.p, text, f->text.n);
}

static void expect_number(const struct chy_filter *f, const char *column, enum chy_seek seek,
                          int64_t number)
{
    assert_string_equal(f->column, column);
    assert_int_equal(f->seek, seek);
    assert_false(f->is_text);
    assert_int_equal(f->number, number);
}

static void test_conditions(void **state)
{
    struct chy_arena a;
    struct chy_where *w;
    (void)state;
    assert_int_equal(parse("common_name = 'a b' and serial ~ 0a and disposition!=revoked and "
                           "request_id>=0x10 and not_after < 1970-01-02 and subject == \"x\"",
                           false, &a, &w, NULL),
                     CHY_S_OK);
    assert_int_equal(w->n, 6);
    expect_text(&w->filter[0], "common_name", CHY_SEEK_EQ, "a b");
    expect_text(&w->filter[1], "serial", CHY_SEEK_PREFIX, "0a");
    expect_number(&w->filter[2], "disposition", CHY_SEEK_NE, CHY_DB_DISP_REVOKED);
    expect_number(&w->filter[3], "id", CHY_SEEK_GE, 16);
    expect_number(&w->filter[4], "not_after", CHY_SEEK_LT, INT64_C(86400000000));
    expect_text(&w->filter[5], "subject", CHY_SEEK_EQ, "x");
    chy_arena_free(&a);
}

static void test_issued_only(void **state)
{
    static const char *const empty[] = {NULL, "", "  \t "};
    struct chy_arena a;
    struct chy_where *w;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(empty); i++) {
        assert_int_equal(parse(empty[i], false, &a, &w, NULL), CHY_S_OK);
        assert_int_equal(w->n, 0);
        chy_arena_free(&a);
        assert_int_equal(parse(empty[i], true, &a, &w, NULL), CHY_S_OK);
        assert_int_equal(w->n, 2);
        expect_number(&w->filter[0], "disposition", CHY_SEEK_GE, CHY_DB_DISP_ISSUED);
        expect_number(&w->filter[1], "disposition", CHY_SEEK_LT, CHY_DB_DISP_ERROR);
        chy_arena_free(&a);
    }
    assert_int_equal(parse("id=1 and id=2 and id=3 and id=4 and id=5 and id=6 and id=7 and id=8",
                           true, &a, &w, NULL),
                     CHY_S_OK);
    assert_int_equal(w->n, 10);
    chy_arena_free(&a);
}

static void test_refused(void **state)
{
    static const char *const rows[] = {
        "common_name",
        "common_name =",
        "= x",
        "common_name x y",
        "common_name = 'a",
        "common_name = a b",
        "common_name = a or id = 1",
        "common_name = a and",
        "id = x",
        "id = 1x",
        "not_after < soon",
        "disposition = many",
        "id=1 and id=2 and id=3 and id=4 and id=5 and id=6 and id=7 and id=8 and id=9"};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_arena a;
        struct chy_where *w;
        struct chy_err err = {0};
        assert_int_equal(parse(rows[i], false, &a, &w, &err), CHY_E_INVALIDARG);
        assert_null(w);
        assert_non_null(strstr(err.text, "where: error at"));
        chy_arena_free(&a);
    }
}

static void test_no_memory(void **state)
{
    struct chy_arena a;
    struct chy_where *w = NULL;
    struct chy_err err = {0};
    (void)state;
    chy_arena_init(&a, 16);
    assert_int_equal(chy_where_parse("id = 1", false, &a, &w, &err), CHY_E_OUTOFMEMORY);
    chy_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_issued_only),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
