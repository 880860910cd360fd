/* Lists of compromised keys: both forms of a line, what is refused, and many entries. The hashes
 * are what `openssl pkey -pubout -outform der | sha256sum` and `openssl rsa -modulus | sha1sum` say
 * of the two keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pki/key_list.h"

#define RSA_KEY                                                                                    \
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100c40b67e76b73a5"             \
    "ae550fbe2bb4723250557a173a18ee98680a1d07ff185189e5afb553724f1a5bc544670a8bde4567"             \
    "05706ea9e34eff2e3b58331c602fe62dcc815bfce5c72070dd2065f382ca59a09dffb9c202ed4216"             \
    "d8e8ad516c946dbb06df2e2eb018bb3d4812f298f2686a39c2765040df2b65811a4b81a25a3bad42"             \
    "f2dcb43327b6ee82153d76490d5fe0a133710274b7f29f243207606bdae3da0c1732be2005a2227a"             \
    "183bedaf5ee06d02fbee9fa6267a7b4ace74ec8fd1a6dfbf7c9438f8ab914a93381cdfee417698c7"             \
    "98fce60c7eba0bca838754b568cd78aaca0e8ff25c3346e701824aca0cbc8cc8feaa8fc5eca2ec99"             \
    "680b698cffac3503bb0203010001"
#define EC_KEY                                                                                     \
    "3059301306072a8648ce3d020106082a8648ce3d0301070342000490714c0ac7da5f01e22616838b"             \
    "d1db6ed2305d5d0926bc774566f5e2b0a8fa48eec57b5f10e27452eda517b2ecfb8eb318cc887bcd"             \
    "6934bb29f198b63a30b1fe"
#define RSA_HASH "3d38a411178afd8684d2cbb4bce4c4604048f2648a04684d5dd3b22017032f6a"
#define RSA_MODULUS "8bb9b07904c927437d76"
#define EC_HASH "8852208f75255bfd77b033e2f6f334edfde974bcf66400b008220d9fd4359c65"

struct key {
    struct chy_buf der;
    struct chy_spki spki;
};

static void read_key(const char *hex, struct key *k)
{
    struct chy_err err = {0};
    chy_buf_init(&k->der, 4096);
    assert_true(chy_hex_decode(&k->der, chy_span_cstr(hex)));
    assert_int_equal(chy_spki_parse(chy_buf_span(&k->der), &k->spki, &err), CHY_S_OK);
}

static chy_hresult find(const char *text, const char *key)
{
    struct chy_key_list *l = NULL;
    struct chy_err err = {0};
    struct key k;
    read_key(key, &k);
    assert_int_equal(chy_key_list_parse(chy_span_cstr(text), &l, &err), CHY_S_OK);
    chy_hresult hr = chy_key_list_find(l, &k.spki, &err);
    chy_key_list_free(l);
    chy_buf_free(&k.der);
    return hr;
}

static void test_a_key_is_found_by_its_hash(void **state)
{
    (void)state;
    assert_int_equal(find(EC_HASH, EC_KEY), CHY_S_OK);
    assert_int_equal(find(EC_HASH "\n", EC_KEY), CHY_S_OK);
    assert_int_equal(find(EC_HASH "\n" RSA_HASH, EC_KEY), CHY_S_OK);
    assert_int_equal(find(EC_HASH "\n" RSA_HASH, RSA_KEY), CHY_S_OK);
    assert_int_equal(find(EC_HASH, RSA_KEY), CHY_S_FALSE);
    assert_int_equal(find("", RSA_KEY), CHY_S_FALSE);
}

static void test_an_rsa_key_is_found_as_openssl_blacklist_has_it(void **state)
{
    (void)state;
    static const char low80[] = RSA_MODULUS;
    char text[128];
    assert_int_equal(find(low80, RSA_KEY), CHY_S_OK);
    assert_int_equal(find(low80, EC_KEY), CHY_S_FALSE);
    assert_int_equal(find("0123456789abcdef0123", RSA_KEY), CHY_S_FALSE);
    snprintf(text, sizeof text, "# RSA 2048\n\n  0123456789abcdef0123\r\n\t%s # pid 1\n", low80);
    assert_int_equal(find(text, RSA_KEY), CHY_S_OK);
}

static void test_digits_of_either_case(void **state)
{
    (void)state;
    char upper[sizeof EC_HASH];
    for (size_t i = 0; i < sizeof upper; i++)
        upper[i] = (char)(EC_HASH[i] >= 'a' ? EC_HASH[i] - 32 : EC_HASH[i]);
    assert_int_equal(find(upper, EC_KEY), CHY_S_OK);
}

static void test_other_lines_are_refused_by_number(void **state)
{
    (void)state;
    static const struct {
        const char *text, *say;
    } bad[] = {
        {"0123", "line 1: 64 hex digits"},
        {EC_HASH "\n\n" EC_HASH "0\n", "line 3: 64 hex digits"},
        {"# a\n0123456789abcdef012g\n", "line 2: not hexadecimal"},
        {"g123456789abcdef0123\n", "line 1: not hexadecimal"},
    };
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        struct chy_key_list *l = NULL;
        struct chy_err err = {0};
        assert_int_equal(chy_key_list_parse(chy_span_cstr(bad[i].text), &l, &err),
                         CHY_E_INVALIDARG);
        assert_null(l);
        assert_non_null(strstr(err.text, bad[i].say));
    }
}

static void test_a_text_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct chy_key_list *l = NULL;
    struct chy_err err = {0};
    struct chy_span text = {(const uint8_t *)"", (size_t)CHY_KEY_LIST_TEXT_MAX + 1};
    assert_int_equal(chy_key_list_parse(text, &l, &err), CHY_E_INVALIDARG);
    assert_null(l);
}

static void add_hash(struct chy_buf *text, const struct key *k)
{
    uint8_t hash[32];
    SHA256(k->der.p, k->der.n, hash);
    chy_hex_add(text, CHY_SPAN(hash));
    chy_buf_add_str(text, "\n");
}

/* The EC key with another last octet, which is a key of its own as far as a list goes. */
static void test_each_of_many_is_found_and_no_other(void **state)
{
    (void)state;
    struct chy_key_list *l = NULL;
    struct chy_err err = {0};
    struct chy_buf text;
    struct key k;
    read_key(EC_KEY, &k);
    chy_buf_init(&text, CHY_KEY_LIST_TEXT_MAX);
    for (unsigned i = 0; i < 4096; i++) {
        k.der.p[k.der.n - 1] = (uint8_t)i;
        k.der.p[k.der.n - 2] = (uint8_t)(i >> 8);
        if (i % 2) add_hash(&text, &k);
    }
    assert_int_equal(chy_key_list_parse(chy_buf_span(&text), &l, &err), CHY_S_OK);
    assert_int_equal(chy_key_list_count(l), 2048);
    for (unsigned i = 0; i < 4096; i++) {
        k.der.p[k.der.n - 1] = (uint8_t)i;
        k.der.p[k.der.n - 2] = (uint8_t)(i >> 8);
        assert_int_equal(chy_key_list_find(l, &k.spki, &err), i % 2 ? CHY_S_OK : CHY_S_FALSE);
    }
    chy_key_list_free(l);
    chy_buf_free(&text);
    chy_buf_free(&k.der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_found_by_its_hash),
        cmocka_unit_test(test_an_rsa_key_is_found_as_openssl_blacklist_has_it),
        cmocka_unit_test(test_digits_of_either_case),
        cmocka_unit_test(test_other_lines_are_refused_by_number),
        cmocka_unit_test(test_a_text_that_is_too_long_is_refused),
        cmocka_unit_test(test_each_of_many_is_found_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
