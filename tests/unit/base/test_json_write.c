/* JSON out: commas, escapes, and that what was written is read back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"

static void test_commas_and_nesting(void **state)
{
    (void)state;
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, 1000);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_str(&j, "s", "x");
    chy_json_add_str(&j, "absent", NULL);
    chy_json_array(&j, "a");
    chy_json_add_int(&j, NULL, 1);
    chy_json_add_bool(&j, NULL, true);
    chy_json_object(&j, NULL);
    chy_json_end(&j, '}');
    chy_json_array(&j, NULL);
    chy_json_add_null(&j, NULL);
    chy_json_end(&j, ']');
    chy_json_end(&j, ']');
    chy_json_add_bool(&j, "f", false);
    chy_json_add_raw(&j, "r", "[1,{}]");
    chy_json_object(&j, "o");
    chy_json_add_null(&j, "n");
    chy_json_end(&j, '}');
    chy_json_end(&j, '}');
    assert_string_equal(chy_buf_cstr(&b),
                        "{\"s\":\"x\",\"absent\":null,\"a\":[1,true,{},[null]],\"f\":false,"
                        "\"r\":[1,{}],\"o\":{\"n\":null}}");
    chy_buf_free(&b);
}

static void expect_text(struct chy_span value, const char *json)
{
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, 1000);
    chy_json_begin(&j, &b);
    chy_json_add_span(&j, NULL, value);
    assert_string_equal(chy_buf_cstr(&b), json);
    chy_buf_free(&b);
}

static void test_escapes(void **state)
{
    (void)state;
    expect_text(CHY_SPAN_STR(""), "\"\"");
    expect_text((struct chy_span){NULL, 0}, "\"\"");
    expect_text(CHY_SPAN_STR("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    expect_text(CHY_SPAN_STR("\n\r\t\x01\x1f\x7f"), "\"\\n\\u000d\\u0009\\u0001\\u001f\\u007f\"");
    expect_text(CHY_SPAN_STR("\xc3\xa4\xf0\x9f\x98\x80"), "\"\xc3\xa4\xf0\x9f\x98\x80\"");
}

static void test_octets_that_are_no_text_are_hexadecimal(void **state)
{
    (void)state;
    expect_text(CHY_SPAN_STR("a\xff"), "\"61ff\"");
    expect_text(CHY_SPAN_STR("a\0b"), "\"610062\"");
    expect_text(CHY_SPAN_STR("\xed\xa0\x80"), "\"eda080\"");
}

/* Every character, as value and as key, through the parser. */
static void test_every_character_is_read_back(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 1000);
    for (unsigned c = 1; c < 0x300; c++) {
        struct chy_json j;
        char text[8] = {'<', (char)c, '>', 0};
        if (c >= 0x80) {
            text[1] = (char)(0xc0 | c >> 6);
            text[2] = (char)(0x80 | (c & 0x3f));
            text[3] = '>';
        }
        chy_buf_reset(&b);
        chy_json_begin(&j, &b);
        chy_json_object(&j, NULL);
        chy_json_add_str(&j, text, text);
        chy_json_end(&j, '}');
        cJSON *v = NULL;
        assert_int_equal(chy_json_parse(chy_buf_span(&b), 1000, &v, NULL), CHY_S_OK);
        assert_string_equal(v->child->string, text);
        assert_string_equal(v->child->valuestring, text);
        cJSON_Delete(v);
    }
    chy_buf_free(&b);
}

static void test_numbers(void **state)
{
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {{0, "[0]"},
                 {-1, "[-1]"},
                 {INT64_MAX, "[9223372036854775807]"},
                 {INT64_MIN, "[-9223372036854775808]"}};
    (void)state;
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, 100);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        chy_buf_reset(&b);
        chy_json_begin(&j, &b);
        chy_json_array(&j, NULL);
        chy_json_add_int(&j, NULL, cases[i].value);
        chy_json_end(&j, ']');
        assert_string_equal(chy_buf_cstr(&b), cases[i].text);
    }
    static const int64_t exact[] = {0, 1, -1, INT64_C(9007199254740991),
                                    -INT64_C(9007199254740991)};
    for (size_t i = 0; i < CHY_ARRAY_LEN(exact); i++) {
        cJSON *v = NULL;
        int64_t back = 77;
        chy_buf_reset(&b);
        chy_json_begin(&j, &b);
        chy_json_object(&j, NULL);
        chy_json_add_int(&j, "n", exact[i]);
        chy_json_end(&j, '}');
        assert_int_equal(chy_json_parse(chy_buf_span(&b), 100, &v, NULL), CHY_S_OK);
        assert_true(chy_json_int(v, "n", &back, NULL));
        assert_true(back == exact[i]);
        cJSON_Delete(v);
    }
    chy_buf_free(&b);
}

static void test_times(void **state)
{
    (void)state;
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, 300);
    chy_json_begin(&j, &b);
    chy_json_array(&j, NULL);
    chy_json_add_time(&j, NULL, 0);
    chy_json_add_time(&j, NULL, INT64_C(2524608000) * CHY_US_PER_S + 1);
    chy_json_add_time(&j, NULL, CHY_TIME_DEFAULT);
    chy_json_end(&j, ']');
    assert_string_equal(chy_buf_cstr(&b),
                        "[\"1970-01-01T00:00:00Z\",\"2050-01-01T00:00:00.000001Z\",null]");
    chy_buf_free(&b);
}

static void test_a_full_buffer_is_a_failure(void **state)
{
    (void)state;
    struct chy_buf b;
    struct chy_json j;
    struct chy_err err = {0};
    chy_buf_init(&b, 10);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_str(&j, "key", "value");
    chy_json_end(&j, '}');
    assert_int_equal(chy_buf_done(&b, "answer", &err), CHY_CERTSRV_E_ENCODING_LENGTH);
    chy_buf_free(&b);
}

/* One level less than the parser takes; beyond it nothing is overwritten. */
static void test_depth(void **state)
{
    (void)state;
    for (unsigned depth = 31; depth <= 40; depth++) {
        struct chy_buf b;
        struct chy_json j;
        chy_buf_init(&b, 1000);
        chy_json_begin(&j, &b);
        for (unsigned i = 0; i < depth; i++)
            chy_json_array(&j, NULL);
        chy_json_add_int(&j, NULL, 1);
        for (unsigned i = 0; i < depth + 3; i++)
            if (i < depth || b.failed) chy_json_end(&j, ']');
        assert_int_equal(b.failed, depth > 31);
        cJSON *v = NULL;
        if (depth == 31) {
            assert_int_equal(chy_json_parse(chy_buf_span(&b), 1000, &v, NULL), CHY_S_OK);
            cJSON_Delete(v);
        }
        chy_buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas_and_nesting),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_octets_that_are_no_text_are_hexadecimal),
        cmocka_unit_test(test_every_character_is_read_back),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_a_full_buffer_is_a_failure),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
