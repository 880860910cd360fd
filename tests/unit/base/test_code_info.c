/* Every failure of codes.h has a name, a slug of its own and a sentence for people. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

enum { MAX_CODES = 400 };

struct defined {
    char name[64];
    chy_hresult code;
};

/* The HRESULTs of the header as it stands: a new one without an entry fails the test. Two flags
 * of requests and their answers use CHY_HR as well. */
static size_t read_codes(struct defined *codes)
{
    char line[256];
    size_t n = 0;
    /* TEST_DATA is the folder "data" beside the tests. */
    snprintf(line, sizeof(line), "%.*s../include/chancery/codes.h", (int)strlen(TEST_DATA) - 4,
             TEST_DATA);
    FILE *f = fopen(line, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        char name[64];
        unsigned long value;
        if (sscanf(line, "#define CHY_%63s CHY_HR(%lx", name, &value) != 2) continue;
        if (strncmp(name, "CR_", 3) == 0) continue;
        assert_true(n < MAX_CODES);
        snprintf(codes[n].name, sizeof(codes[n].name), "%s", name);
        codes[n++].code = (chy_hresult)(uint32_t)value;
    }
    fclose(f);
    return n;
}

/* "CERTSRV_E_KEY_LENGTH" gives "key length": a text that says no more than its name. */
static void words_of_name(const char *name, char *out)
{
    const char *from = strstr(name, "E_");
    from = strncmp(name, "ERROR_", 6) == 0 ? name + 6 : from ? from + 2 : name;
    for (; *from; from++)
        *out++ = *from == '_' ? ' ' : (char)tolower((unsigned char)*from);
    *out = 0;
}

static void expect_sentence(const struct chy_code_info *info)
{
    char name[128], text[256];
    unsigned words = 1;
    words_of_name(info->name, name);
    assert_true(strlen(info->text) < sizeof(text));
    for (size_t i = 0; i <= strlen(info->text); i++) {
        text[i] = (char)tolower((unsigned char)info->text[i]);
        words += text[i] == ' ';
    }
    if (strcmp(name, text) == 0 || words < 3) fail_msg("%s: \"%s\"", info->name, info->text);
    assert_true(isupper((unsigned char)info->text[0]));
    assert_true(isalpha((unsigned char)info->text[strlen(info->text) - 1]));
}

static void expect_slug(const char *slug)
{
    assert_true(islower((unsigned char)slug[0]));
    assert_int_equal(strspn(slug, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(slug));
}

static void test_every_failure_has_an_entry(void **state)
{
    static struct defined codes[MAX_CODES];
    (void)state;
    size_t n = read_codes(codes);
    assert_true(n > 100);
    for (size_t i = 0; i < n; i++) {
        const struct chy_code_info *info = chy_code_info(codes[i].code);
        if (info->code != codes[i].code) fail_msg("no entry: %s", codes[i].name);
        assert_string_equal(info->name, codes[i].name);
        expect_slug(info->slug);
        if (!CHY_FAILED(codes[i].code)) continue;
        expect_sentence(info);
        assert_in_range(info->http_status, 400, 599);
        assert_in_range(info->exit_status, 1, 7);
    }
}

static void test_slugs_and_texts_are_unique(void **state)
{
    static struct defined codes[MAX_CODES];
    (void)state;
    size_t n = read_codes(codes);
    for (size_t i = 0; i < n; i++) {
        const struct chy_code_info *a = chy_code_info(codes[i].code);
        for (size_t k = 0; k < i; k++) {
            const struct chy_code_info *b = chy_code_info(codes[k].code);
            if (strcmp(a->slug, b->slug) == 0) fail_msg("%s, %s: %s", a->name, b->name, a->slug);
            if (strcmp(a->text, b->text) == 0) fail_msg("%s, %s: %s", a->name, b->name, a->text);
        }
    }
}

/* Slugs are the codes of the JSON interface: clients compare them. */
static void test_what_clients_rely_on(void **state)
{
    static const struct {
        chy_hresult code;
        const char *slug;
        int http, exit;
    } cases[] = {
        {CHY_S_OK, "ok", 200, 0},
        {CHY_E_FAIL, "fail", 500, 1},
        {CHY_NTE_FAIL, "cryptography-failed", 500, 1},
        {CHY_E_ACCESSDENIED, "accessdenied", 403, 6},
        {CHY_E_INVALIDARG, "invalidarg", 400, 1},
        {CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "bad-requestsubject", 403, 3},
        {CHY_CERTSRV_E_BAD_REQUESTSTATUS, "bad-requeststatus", 409, 1},
        {CHY_CERTSRV_E_PROPERTY_EMPTY, "property-empty", 404, 5},
        {CHY_CERTSRV_E_SERVER_SUSPENDED, "server-suspended", 503, 1},
        {CHY_CERTSRV_E_ENCODING_LENGTH, "encoding-length", 413, 1},
        {CHY_CERTSRV_E_ENROLL_DENIED, "enroll-denied", 403, 6},
        {CHY_CERTSRV_E_ADMIN_DENIED_REQUEST, "admin-denied-request", 403, 3},
        {CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY, "weak-signature-or-key", 403, 3},
        {CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "unsupported-cert-type", 403, 3},
        {CHY_NTE_BAD_SIGNATURE, "bad-signature", 400, 1},
        {CHY_ERROR_SERVICE_NOT_ACTIVE, "service-not-active", 503, 7},
        {CHY_ERROR_TIMEOUT, "timeout", 503, 1},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        const struct chy_code_info *info = chy_code_info(cases[i].code);
        assert_string_equal(info->slug, cases[i].slug);
        assert_int_equal(info->http_status, cases[i].http);
        assert_int_equal(info->exit_status, cases[i].exit);
    }
}

static void test_an_unknown_number_is_a_failure(void **state)
{
    (void)state;
    const struct chy_code_info *info = chy_code_info(CHY_HR(0x8007ABCDu));
    assert_int_equal(info->code, CHY_E_FAIL);
    assert_string_equal(info->slug, "fail");
    assert_int_equal(info->http_status, 500);
    assert_int_equal(info->exit_status, 1);
    assert_string_equal(info->text, chy_code_info(CHY_E_FAIL)->text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_failure_has_an_entry),
        cmocka_unit_test(test_slugs_and_texts_are_unique),
        cmocka_unit_test(test_what_clients_rely_on),
        cmocka_unit_test(test_an_unknown_number_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
