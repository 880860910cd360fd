/* The error value: the first one wins, context goes in front, and its text is fit for a terminal.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void test_the_first_error_wins(void **state)
{
    (void)state;
    struct chy_err err = {0};
    assert_int_equal(chy_fail(&err, CHY_E_INVALIDARG, "%s: rule %d", "subject", 7),
                     CHY_E_INVALIDARG);
    assert_int_equal(chy_fail(&err, CHY_E_ACCESSDENIED, "later"), CHY_E_ACCESSDENIED);
    errno = ENOENT;
    assert_int_equal(chy_fail_errno(&err, "later"), CHY_ERROR_FILE_NOT_FOUND);
    assert_int_equal(chy_fail_nomem(&err, "later"), CHY_E_OUTOFMEMORY);
    assert_int_equal(err.code, CHY_E_INVALIDARG);
    assert_string_equal(err.text, "subject: rule 7");
    chy_err_clear(&err);
    assert_int_equal(err.code, CHY_S_OK);
    assert_string_equal(err.text, "");
    assert_int_equal(chy_fail_nomem(&err, "a list"), CHY_E_OUTOFMEMORY);
    assert_string_equal(err.text, "a list: not enough memory");
}

static void test_openssl_says_what_it_lacked(void **state)
{
    (void)state;
    struct chy_err err = {0};
    ERR_raise(ERR_LIB_EVP, EVP_R_DECODE_ERROR);
    ERR_raise(ERR_LIB_EVP, EVP_R_EXPECTING_AN_RSA_KEY);
    assert_int_equal(chy_fail_openssl(&err, CHY_E_INVALIDARG, "key %d", 7), CHY_E_INVALIDARG);
    assert_string_equal(err.text, "key 7 (OpenSSL: decode error)");
    assert_int_equal(ERR_peek_error(), 0);
    chy_err_clear(&err);
    ERR_raise(ERR_LIB_EVP, EVP_R_DECODE_ERROR);
    ERR_raise(ERR_LIB_BN, ERR_R_MALLOC_FAILURE);
    assert_int_equal(chy_fail_openssl(&err, CHY_E_INVALIDARG, "key"), CHY_E_OUTOFMEMORY);
    assert_string_equal(err.text, "key: not enough memory");
    chy_err_clear(&err);
    assert_int_equal(chy_fail_openssl(&err, CHY_E_INVALIDARG, "key"), CHY_E_INVALIDARG);
    assert_string_equal(err.text, "key");
    chy_err_clear(&err);
    assert_int_equal(chy_fail_openssl(&err, CHY_E_OUTOFMEMORY, "key"), CHY_E_OUTOFMEMORY);
    chy_err_clear(&err);
    ERR_raise(ERR_LIB_EVP, EVP_R_DECODE_ERROR);
    assert_int_equal(chy_fail_openssl(&err, CHY_E_OUTOFMEMORY, "key"), CHY_NTE_FAIL);
}

static void test_without_a_place_for_it_the_code_comes_back(void **state)
{
    (void)state;
    assert_int_equal(chy_fail(NULL, CHY_NTE_BAD_SIGNATURE, "x"), CHY_NTE_BAD_SIGNATURE);
    errno = ENOSPC;
    assert_int_equal(chy_fail_errno(NULL, "x"), CHY_ERROR_DISK_FULL);
    assert_int_equal(chy_fail_nomem(NULL, "x"), CHY_E_OUTOFMEMORY);
    assert_true(CHY_FAILED(chy_wrap(NULL, "x")));
}

static void test_context_goes_in_front(void **state)
{
    (void)state;
    struct chy_err err = {0};
    chy_fail(&err, CHY_CRYPT_E_ASN1_EOD, "cause");
    assert_int_equal(chy_wrap(&err, "inner %d", 2), CHY_CRYPT_E_ASN1_EOD);
    assert_int_equal(chy_wrap(&err, "outer"), CHY_CRYPT_E_ASN1_EOD);
    assert_string_equal(err.text, "outer: inner 2: cause");
    assert_int_equal(err.code, CHY_CRYPT_E_ASN1_EOD);
}

static void test_context_without_room_is_left_out(void **state)
{
    (void)state;
    struct chy_err err = {0};
    char context[480];
    memset(context, 'c', sizeof(context));
    chy_fail(&err, CHY_E_FAIL, "cause"); /* 5, ": " and a NUL leave 472 */
    chy_wrap(&err, "%.473s", context);
    assert_string_equal(err.text, "cause");
    chy_wrap(&err, "%.472s", context);
    assert_int_equal(strlen(err.text), 479);
    assert_string_equal(err.text + 472, ": cause");
    chy_wrap(&err, "x");
    assert_int_equal(strlen(err.text), 479);
}

static void test_every_errno_has_its_code(void **state)
{
    static const struct {
        int e;
        chy_hresult code;
    } cases[] = {
        {ENOMEM, CHY_E_OUTOFMEMORY},        {ENOENT, CHY_ERROR_FILE_NOT_FOUND},
        {EACCES, CHY_E_ACCESSDENIED},       {EPERM, CHY_E_ACCESSDENIED},
        {ENOSPC, CHY_ERROR_DISK_FULL},      {EDQUOT, CHY_ERROR_DISK_FULL},
        {EEXIST, CHY_ERROR_ALREADY_EXISTS}, {ETIMEDOUT, CHY_ERROR_TIMEOUT},
        {EINVAL, CHY_E_INVALIDARG},         {EIO, CHY_ERROR_IO_DEVICE},
        {EISDIR, CHY_ERROR_IO_DEVICE},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        struct chy_err err = {0};
        char want[200];
        errno = cases[i].e;
        assert_int_equal(chy_fail_errno(&err, "/the/%s", "path"), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        snprintf(want, sizeof(want), "/the/path: %s", strerror(cases[i].e));
        assert_string_equal(err.text, want);
    }
}

static void test_a_long_text_is_cut(void **state)
{
    (void)state;
    struct chy_err err = {0};
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    chy_fail(&err, CHY_E_FAIL, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    chy_err_clear(&err);
    errno = EIO;
    chy_fail_errno(&err, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(err.code, CHY_ERROR_IO_DEVICE);
}

/* A character that does not fit whole is left out whole, wherever the cut falls. */
static void test_a_cut_is_between_characters(void **state)
{
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(characters); i++) {
        size_t n = strlen(characters[i]);
        for (size_t before = 479 - n - 1; before <= 479; before++) {
            struct chy_err err = {0};
            char text[600];
            memset(text, 'x', before);
            snprintf(text + before, sizeof(text) - before, "%s", characters[i]);
            chy_fail(&err, CHY_E_FAIL, "%s", text);
            assert_int_equal(strlen(err.text), before + n <= 479 ? before + n : before);
            assert_memory_equal(err.text, text, strlen(err.text));
        }
    }
}

static void expect_shown(const char *given, const char *shown)
{
    struct chy_err err = {0};
    chy_fail(&err, CHY_E_FAIL, "<%s>", given);
    char want[100];
    snprintf(want, sizeof(want), "<%s>", shown);
    assert_string_equal(err.text, want);
    chy_wrap(&err, "[%s]", given);
    snprintf(want, sizeof(want), "[%s]: <%s>", shown, shown);
    assert_string_equal(err.text, want);
    assert_true(chy_utf8_valid(chy_span_cstr(err.text)));
}

static void test_control_characters_and_broken_utf8_are_hidden(void **state)
{
    (void)state;
    expect_shown("a\nb\r\x1b[31m\x7f\t", "a?b??[31m??");
    expect_shown("\xc2\x9b"
                 "31m",
                 "??31m");          /* the control sequence introducer of one character */
    expect_shown("\xc2\x85", "??"); /* next line */
    expect_shown("\xff\xc3_\xed\xa0\x80", "??_???");
    expect_shown("\xc2\xa0\xc3\xa4\xf0\x9f\x98\x80", "\xc2\xa0\xc3\xa4\xf0\x9f\x98\x80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_error_wins),
        cmocka_unit_test(test_openssl_says_what_it_lacked),
        cmocka_unit_test(test_without_a_place_for_it_the_code_comes_back),
        cmocka_unit_test(test_context_goes_in_front),
        cmocka_unit_test(test_context_without_room_is_left_out),
        cmocka_unit_test(test_every_errno_has_its_code),
        cmocka_unit_test(test_a_long_text_is_cut),
        cmocka_unit_test(test_a_cut_is_between_characters),
        cmocka_unit_test(test_control_characters_and_broken_utf8_are_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
