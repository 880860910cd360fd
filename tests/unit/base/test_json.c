/* JSON in: each limit from both sides, each refusal with its text, and what the readers answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static cJSON *good(const char *text)
{
    cJSON *v = NULL;
    struct chy_err err = {0};
    if (chy_json_parse(chy_span_cstr(text), 1 << 20, &v, &err) != CHY_S_OK)
        fail_msg("%s: %s", text, err.text);
    assert_non_null(v);
    assert_int_equal(err.code, CHY_S_OK);
    return v;
}

static void expect_refusal(struct chy_span text, size_t max, chy_hresult code, const char *why)
{
    cJSON *v = NULL;
    struct chy_err err = {0};
    assert_int_equal(chy_json_parse(text, max, &v, &err), code);
    assert_null(v);
    assert_int_equal(err.code, code);
    assert_string_equal(err.text, why);
    /* The same from memory that ends with the text. */
    uint8_t *exact = chy_malloc(text.n);
    assert_non_null(exact);
    if (text.n) memcpy(exact, text.p, text.n);
    assert_int_equal(chy_json_parse(chy_span_of(exact, text.n), max, &v, NULL), code);
    chy_free(exact);
}

static void bad(const char *text, const char *why)
{
    expect_refusal(chy_span_cstr(text), 1 << 20, CHY_ERROR_INVALID_DATA, why);
}

static void test_values_of_every_kind(void **state)
{
    (void)state;
    cJSON *v = good(" {\"s\": \"a\\u00fc\\n\\\"\\\\\\/\", \"n\": -12.5e1, \"t\": true,\r\n\t"
                    "\"f\": false, \"z\": null, \"a\": [1, [], {}], \"\": 0} \n");
    assert_string_equal(chy_json_str(v, "s", NULL), "a\xc3\xbc\n\"\\/");
    assert_true(cJSON_GetObjectItemCaseSensitive(v, "n")->valuedouble == -125.0);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(v, "t")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(v, "f")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(v, "z")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(v, "a")), 3);
    assert_non_null(cJSON_GetObjectItemCaseSensitive(v, ""));
    cJSON_Delete(v);
    v = good("\"\\ud83d\\ude00\"");
    assert_string_equal(v->valuestring, "\xf0\x9f\x98\x80");
    cJSON_Delete(v);
    v = good("0");
    assert_true(cJSON_IsNumber(v));
    cJSON_Delete(v);
}

static void test_size(void **state)
{
    (void)state;
    cJSON *v;
    assert_int_equal(chy_json_parse(CHY_SPAN_STR("[1,2]"), 5, &v, NULL), CHY_S_OK);
    cJSON_Delete(v);
    expect_refusal(CHY_SPAN_STR("[1,2]"), 4, CHY_CERTSRV_E_ENCODING_LENGTH,
                   "JSON: 5 octets, at most 4 allowed");
    bad("", "JSON: empty, or not UTF-8");
    bad("  ", "JSON: error at octet 1");
}

static void nest(struct chy_buf *b, unsigned depth, bool objects)
{
    for (unsigned i = 0; i < depth; i++)
        chy_buf_add_str(b, objects ? i + 1 < depth ? "{\"a\":" : "{" : "[");
    for (unsigned i = 0; i < depth; i++)
        chy_buf_add_byte(b, objects ? '}' : ']');
}

static void test_depth(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 1 << 20);
    for (int objects = 0; objects < 2; objects++) {
        cJSON *v;
        chy_buf_reset(&b);
        nest(&b, 32, objects);
        assert_int_equal(chy_json_parse(chy_buf_span(&b), 1 << 20, &v, NULL), CHY_S_OK);
        cJSON_Delete(v);
        chy_buf_reset(&b);
        nest(&b, 33, objects);
        expect_refusal(chy_buf_span(&b), 1 << 20, CHY_ERROR_INVALID_DATA,
                       "JSON: nested deeper than 32");
    }
    chy_buf_reset(&b);
    for (int i = 0; i < 100000; i++)
        chy_buf_add_byte(&b, '['); /* never closed */
    expect_refusal(chy_buf_span(&b), 1 << 20, CHY_ERROR_INVALID_DATA,
                   "JSON: nested deeper than 32");
    chy_buf_free(&b);
    /* Brackets in texts and side by side are no depth. */
    cJSON_Delete(good("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\",\"{{{{{{{{{{{{{{\"]"));
    cJSON_Delete(good("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                      "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"));
}

static void members(struct chy_buf *b, unsigned n)
{
    chy_buf_reset(b);
    chy_buf_add_str(b, "[{");
    for (unsigned i = 0; i < n; i++)
        chy_buf_addf(b, "%s\"k%u\":%u", i ? "," : "", i, i);
    chy_buf_add_str(b, "}]");
}

static void test_width(void **state)
{
    (void)state;
    struct chy_buf b;
    cJSON *v;
    chy_buf_init(&b, 1 << 20);
    members(&b, 1000);
    assert_int_equal(chy_json_parse(chy_buf_span(&b), 1 << 20, &v, NULL), CHY_S_OK);
    assert_int_equal(cJSON_GetArraySize(v->child), 1000);
    cJSON_Delete(v);
    members(&b, 1001);
    expect_refusal(chy_buf_span(&b), 1 << 20, CHY_CERTSRV_E_ENCODING_LENGTH,
                   "JSON: an object of more than 1000 members");
    chy_buf_reset(&b); /* lists are not searched for keys and may be longer */
    chy_buf_add_str(&b, "[0");
    for (int i = 0; i < 20000; i++)
        chy_buf_add_str(&b, ",1");
    chy_buf_add_str(&b, "]");
    assert_int_equal(chy_json_parse(chy_buf_span(&b), 1 << 20, &v, NULL), CHY_S_OK);
    cJSON_Delete(v);
    chy_buf_free(&b);
}

static void test_repeated_keys(void **state)
{
    (void)state;
    bad("{\"a\":1,\"a\":1}", "JSON: key \"a\" stands twice");
    bad("{\"b\":1,\"a\":1,\"c\":2,\"a\":null}", "JSON: key \"a\" stands twice");
    bad("{\"a\":1,\"\\u0061\":2}", "JSON: key \"a\" stands twice");
    bad("{\"\":1,\"\":2}", "JSON: key \"\" stands twice");
    bad("[0,{\"x\":[{\"deep\":1,\"deep\":2}]}]", "JSON: key \"deep\" stands twice");
    bad("{\"a\\nb\":1,\"a\\nb\":2}", "JSON: key \"a?b\" stands twice");
    cJSON_Delete(good("{\"a\":{\"a\":{\"a\":1}},\"A\":[{\"a\":1},{\"a\":1}]}"));
}

/* Among as many members as an object may have, wherever the two stand. */
static void test_repeated_keys_of_a_wide_object(void **state)
{
    static const unsigned at[][2] = {{0, 999}, {0, 1}, {998, 999}, {123, 777}, {500, 501}};
    (void)state;
    struct chy_buf b, why;
    chy_buf_init(&b, 1 << 20);
    chy_buf_init(&why, 100);
    for (size_t i = 0; i < CHY_ARRAY_LEN(at); i++) {
        chy_buf_reset(&b);
        chy_buf_reset(&why);
        for (unsigned k = 0; k < 1000; k++)
            chy_buf_addf(&b, "%s\"k%u\":0", k ? "," : "{", k == at[i][1] ? at[i][0] : k);
        chy_buf_add_str(&b, "}");
        chy_buf_addf(&why, "JSON: key \"k%u\" stands twice", at[i][0]);
        bad(chy_buf_cstr(&b), chy_buf_cstr(&why));
    }
    chy_buf_free(&b);
    chy_buf_free(&why);
}

/* A key that the sentence cuts inside a character leaves a sentence of UTF-8. */
static void test_a_long_repeated_key_is_cut(void **state)
{
    (void)state;
    struct chy_buf key, text, why;
    chy_buf_init(&key, 100);
    chy_buf_init(&text, 300);
    chy_buf_init(&why, 300);
    chy_buf_add_str(&key, "x");
    for (int i = 0; i < 31; i++)
        chy_buf_add_str(&key, "\xc3\xa4");
    chy_buf_addf(&why, "JSON: key \"%s?\" stands twice", chy_buf_cstr(&key));
    chy_buf_add_str(&key, "\xc3\xa4");
    const char *k = chy_buf_cstr(&key);
    chy_buf_addf(&text, "{\"%s\":1,\"%s\":2}", k, k);
    bad(chy_buf_cstr(&text), chy_buf_cstr(&why));
    chy_buf_free(&key);
    chy_buf_free(&text);
    chy_buf_free(&why);
}

static void test_octets_behind(void **state)
{
    (void)state;
    bad("{} {}", "JSON: octets behind the value");
    bad("[1],", "JSON: octets behind the value");
    bad("truex", "JSON: octets behind the value");
    bad("1 2", "JSON: octets behind the value");
    bad("1.2.3", "JSON: octets behind the value");
    bad("\"a\"\"b\"", "JSON: octets behind the value");
    bad("{}\xc2\xa0", "JSON: octets behind the value");
    cJSON_Delete(good("{} \r\n\t "));
    expect_refusal(CHY_SPAN_STR("{}\0"), 100, CHY_ERROR_INVALID_DATA, "JSON: empty, or not UTF-8");
    expect_refusal(CHY_SPAN_STR("{}\0{}"), 100, CHY_ERROR_INVALID_DATA,
                   "JSON: empty, or not UTF-8");
}

/* For what cJSON refuses; at which octet is its own affair. */
static void bad_somewhere(const char *text)
{
    cJSON *v = NULL;
    struct chy_err err = {0};
    if (chy_json_parse(chy_span_cstr(text), 100, &v, &err) != CHY_ERROR_INVALID_DATA)
        fail_msg("accepted %s", text);
    assert_null(v);
    assert_memory_equal(err.text, "JSON: error at octet ", 21);
}

static void test_broken_utf8(void **state)
{
    (void)state;
    bad("\"\xff\"", "JSON: empty, or not UTF-8");
    bad("\"\xc3\"", "JSON: empty, or not UTF-8");
    bad("\"\xed\xa0\x80\"", "JSON: empty, or not UTF-8");
    bad("{\"\xc0\xaf\":1}", "JSON: empty, or not UTF-8");
    bad_somewhere("\"\\ud800\"");
    bad_somewhere("\"\\udc00\\ud800\"");
    bad_somewhere("\"\\ud83d\\u0041\"");
}

static void test_escaped_nul(void **state)
{
    (void)state;
    bad("\"a\\u0000b\"", "JSON: \\u0000 in a text");
    bad("{\"a\\u0000\":1}", "JSON: \\u0000 in a text");
    bad("\"\\\\\\u0000\"", "JSON: \\u0000 in a text");
    cJSON *v = good("\"\\\\u0000\""); /* a backslash, and then plain letters */
    assert_string_equal(v->valuestring, "\\u0000");
    cJSON_Delete(v);
    v = good("\"\\u0001\\u000f\"");
    assert_string_equal(v->valuestring, "\x01\x0f");
    cJSON_Delete(v);
}

/* cJSON would end the text at each of these. */
static void test_malformed_escapes(void **state)
{
    (void)state;
    bad("\"a\\u12g4\"", "JSON: a malformed escape");
    bad("\"a\\uzzzzb\"", "JSON: a malformed escape");
    bad("\"a\\u 041\"", "JSON: a malformed escape");
    bad("\"a\\u\\u0041\"", "JSON: a malformed escape");
    bad("\"\\u12\"", "JSON: a malformed escape");
    bad("\"\\u004", "JSON: a malformed escape");
    bad("{\"\\u-001\":1}", "JSON: a malformed escape");
    bad_somewhere("\"\\U0041\"");
    bad_somewhere("\"\\x\"");
    cJSON *v = good("\"\\u00C4\\u00e4\\b\\f\\r\\t\"");
    assert_string_equal(v->valuestring, "\xc3\x84\xc3\xa4\b\f\r\t");
    cJSON_Delete(v);
}

static void test_control_characters(void **state)
{
    (void)state;
    for (int c = 1; c < 0x20; c++) {
        char in_text[] = {'"', 'a', (char)c, '"', 0}, between[] = {'[', (char)c, ']', 0};
        bad(in_text, "JSON: a control character");
        if (c == '\t' || c == '\n' || c == '\r') {
            cJSON_Delete(good(between));
        } else {
            bad(between, "JSON: a control character");
        }
    }
    cJSON_Delete(good("\"\x7f\""));
}

static void test_forms_of_numbers(void **state)
{
    static const char *const wrong[] = {"01",   "-01",        "00",     "1.",  "-",
                                        "[-]",  "1.e5",       "1e",     "1e+", "-.5",
                                        "1.5e", "{\"a\":1.}", "[0123]", "--1", "-a"};
    static const struct {
        const char *text;
        double value;
    } right[] = {{"0", 0},      {"-0", 0},      {"10", 10},      {"0.5", 0.5}, {"-1.25", -1.25},
                 {"1e3", 1000}, {"1E+3", 1000}, {"25e-2", 0.25}, {"0e0", 0},   {"100.000", 100}};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(wrong); i++)
        bad(wrong[i], "JSON: a malformed number");
    for (size_t i = 0; i < CHY_ARRAY_LEN(right); i++) {
        cJSON *v = good(right[i].text);
        assert_true(v->valuedouble == right[i].value);
        cJSON_Delete(v);
    }
    bad("+1", "JSON: error at octet 0");
    bad(".5", "JSON: error at octet 0");
    bad("NaN", "JSON: error at octet 0");
    bad("0x10", "JSON: octets behind the value");
    cJSON_Delete(good("\"01 1. -\""));
}

static void test_broken_structures(void **state)
{
    static const char *const texts[] = {
        "{",         "[",       "]",        "}",     "{]",         "[}",      "[1,]",
        "[,1]",      "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "{'a':1}", "\"",
        "\"\\",      "\"\\\"",  "\"\\x\"",  "tru",   "nul",        "True",    "[1 2]",
        "{\"a\" 1}", "// x\n1", "[1,,2]",   "{1:2}", "\"abc"};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++)
        bad_somewhere(texts[i]);
}

static void test_reading_texts(void **state)
{
    (void)state;
    cJSON *v = good("{\"a\":\"x\",\"n\":1,\"z\":null,\"e\":\"\",\"l\":[]}");
    struct chy_err err = {0};
    assert_string_equal(chy_json_str(v, "a", &err), "x");
    assert_string_equal(chy_json_str(v, "e", &err), "");
    assert_null(chy_json_str(v, "absent", &err));
    assert_null(chy_json_str(v, "A", &err));
    assert_null(chy_json_str(v, "z", &err));
    assert_int_equal(err.code, CHY_S_OK);
    assert_null(chy_json_str(v, "n", &err));
    assert_int_equal(err.code, CHY_E_INVALIDARG);
    assert_string_equal(err.text, "JSON: \"n\" is to be a text");
    chy_err_clear(&err);
    assert_null(chy_json_str(v, "l", &err));
    assert_int_equal(err.code, CHY_E_INVALIDARG);
    assert_null(chy_json_str(NULL, "a", NULL));
    cJSON_Delete(v);
}

static bool int_of(const char *text, int64_t *out, struct chy_err *err)
{
    struct chy_buf b;
    chy_buf_init(&b, 200);
    chy_buf_addf(&b, "{\"n\":%s}", text);
    cJSON *v = good(chy_buf_cstr(&b));
    *out = 77;
    bool found = chy_json_int(v, "n", out, err);
    cJSON_Delete(v);
    chy_buf_free(&b);
    return found;
}

static void test_reading_whole_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } right[] = {
        {"0", 0},
        {"-0", 0},
        {"-1", -1},
        {"1e3", 1000},
        {"10.0", 10},
        {"2147483648", 2147483648},
        {"9007199254740991", INT64_C(9007199254740991)},
        {"-9007199254740991", -INT64_C(9007199254740991)},
    };
    static const char *const wrong[] = {"9007199254740992",
                                        "-9007199254740992",
                                        "9007199254740993",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "-9223372036854775808",
                                        "1e300",
                                        "-1e300",
                                        "1e999",
                                        "-1e999",
                                        "0.5",
                                        "-1.25",
                                        "1e-3",
                                        "4503599627370495.5",
                                        "\"1\"",
                                        "true",
                                        "[]",
                                        "{}"};
    (void)state;
    int64_t n;
    struct chy_err err = {0};
    for (size_t i = 0; i < CHY_ARRAY_LEN(right); i++) {
        if (!int_of(right[i].text, &n, &err)) fail_msg("refused %s", right[i].text);
        assert_true(n == right[i].value);
        assert_int_equal(err.code, CHY_S_OK);
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(wrong); i++) {
        if (int_of(wrong[i], &n, &err)) fail_msg("accepted %s", wrong[i]);
        assert_true(n == 77);
        assert_int_equal(err.code, CHY_E_INVALIDARG);
        assert_string_equal(err.text, "JSON: \"n\" is to be a whole number below 2^53");
        chy_err_clear(&err);
    }
    assert_false(int_of("null", &n, &err));
    assert_int_equal(err.code, CHY_S_OK);
    cJSON *v = good("{\"m\":1}");
    assert_false(chy_json_int(v, "n", &n, &err));
    assert_int_equal(err.code, CHY_S_OK);
    cJSON_Delete(v);
}

static void test_only_known_keys(void **state)
{
    static const char *const names[] = {"a", "b", NULL};
    (void)state;
    struct chy_err err = {0};
    cJSON *v = good("{\"b\":1,\"a\":2}");
    assert_int_equal(chy_json_only(v, names, &err), CHY_S_OK);
    cJSON_Delete(v);
    v = good("{}");
    assert_int_equal(chy_json_only(v, names, &err), CHY_S_OK);
    cJSON_Delete(v);
    v = good("{\"a\":1,\"B\":2}");
    assert_int_equal(chy_json_only(v, names, &err), CHY_E_INVALIDARG);
    assert_string_equal(err.text, "JSON: unknown key \"B\"");
    cJSON_Delete(v);
    chy_err_clear(&err);
    v = good("[]");
    assert_int_equal(chy_json_only(v, names, &err), CHY_E_INVALIDARG);
    assert_string_equal(err.text, "JSON: an object is expected");
    cJSON_Delete(v);
    assert_int_equal(chy_json_only(NULL, names, NULL), CHY_E_INVALIDARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_every_kind),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_repeated_keys),
        cmocka_unit_test(test_repeated_keys_of_a_wide_object),
        cmocka_unit_test(test_a_long_repeated_key_is_cut),
        cmocka_unit_test(test_octets_behind),
        cmocka_unit_test(test_broken_utf8),
        cmocka_unit_test(test_escaped_nul),
        cmocka_unit_test(test_malformed_escapes),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_forms_of_numbers),
        cmocka_unit_test(test_broken_structures),
        cmocka_unit_test(test_reading_texts),
        cmocka_unit_test(test_reading_whole_numbers),
        cmocka_unit_test(test_only_known_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
