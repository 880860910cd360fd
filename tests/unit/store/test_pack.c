/* Packed lists: what goes in comes out, and hostile octets end the list without reading past it. */
#include "rows.h"

static void test_pack_round_trip(void **state)
{
    (void)state;
    struct chy_buf b;
    struct chy_span name, value;
    uint32_t flags;
    size_t pos = 0;
    chy_buf_init(&b, 1000);
    chy_pack_add(&b, 3, CHY_SPAN_STR("2.5.29.17"), CHY_SPAN_STR("\x30\x00x"));
    chy_pack_add(&b, 0xffffffff, CHY_SPAN_STR(""), CHY_SPAN_STR(""));
    assert_true(chy_pack_next(chy_buf_span(&b), &pos, &flags, &name, &value));
    assert_int_equal(flags, 3);
    assert_true(chy_span_eq(name, CHY_SPAN_STR("2.5.29.17")));
    assert_true(chy_span_eq(value, CHY_SPAN_STR("\x30\x00x")));
    assert_true(chy_pack_next(chy_buf_span(&b), &pos, &flags, &name, &value));
    assert_int_equal(flags, 0xffffffff);
    assert_int_equal(name.n + value.n, 0);
    assert_false(chy_pack_next(chy_buf_span(&b), &pos, &flags, &name, &value));
    assert_int_equal(pos, b.n);
    chy_buf_free(&b);
}

static void refuse(const void *octets, size_t n)
{
    struct chy_span name, value;
    uint32_t flags;
    size_t pos = 0;
    uint8_t *copy =
        malloc(n ? n : 1); /* of its exact size, so that a sanitizer sees a step too far */
    assert_non_null(copy);
    memcpy(copy, octets, n);
    assert_false(chy_pack_next(chy_span_of(copy, n), &pos, &flags, &name, &value));
    assert_int_equal(pos, 0);
    free(copy);
}

static void test_pack_when_hostile(void **state)
{
    (void)state;
    static const uint8_t short_head[11] = {0};
    static const uint8_t long_name[13] = {0, 0, 0, 0, 0, 0, 0, 2};
    static const uint8_t huge_name[13] = {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t long_value[13] = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1};
    static const uint8_t huge_value[13] = {0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
    refuse("", 0);
    refuse(short_head, sizeof(short_head));
    refuse(long_name, sizeof(long_name));
    refuse(huge_name, sizeof(huge_name));
    refuse(long_value, sizeof(long_value));
    refuse(huge_value, sizeof(huge_value));
}

static void test_pack_when_position_is_outside(void **state)
{
    (void)state;
    static const uint8_t empty[12] = {0};
    struct chy_span name, value;
    uint32_t flags;
    size_t pos = 13;
    assert_false(chy_pack_next(CHY_SPAN(empty), &pos, &flags, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack_round_trip),
        cmocka_unit_test(test_pack_when_hostile),
        cmocka_unit_test(test_pack_when_position_is_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
