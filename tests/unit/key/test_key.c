/* Keys in memory: what their public half says, and what a signer makes of a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "key/key.h"

static const struct chy_span message = {(const uint8_t *)"to be signed", 12};

static struct chy_key *make(const char *alg)
{
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    assert_int_equal(chy_key_generate(alg, &key, &err), CHY_S_OK);
    assert_int_equal(ERR_peek_error(), 0);
    return key;
}

static void sign_and_verify(struct chy_key *key, const char *alg_name, struct chy_verifier *v)
{
    struct chy_err err = {0};
    struct chy_signer *s = NULL;
    struct chy_buf out;
    chy_buf_init(&out, 8192);
    const struct chy_sig_alg *alg = chy_key_sig_alg(key, alg_name, &err);
    assert_non_null(alg);
    assert_int_equal(chy_signer_new(key, alg, &s, &err), CHY_S_OK);
    for (int i = 0; i < 3; i++) {
        chy_buf_reset(&out);
        chy_buf_add_str(&out, "head");
        assert_int_equal(chy_signer_sign(s, message, &out, &err), CHY_S_OK);
        assert_memory_equal(out.p, "head", 4);
        assert_int_equal(
            chy_verify(v, chy_key_spki(key), alg, message, chy_span_of(out.p + 4, out.n - 4), &err),
            CHY_S_OK);
    }
    assert_int_equal(ERR_peek_error(), 0);
    chy_signer_free(s);
    chy_buf_free(&out);
}

static void test_every_kind_signs(void **state)
{
    static const struct {
        const char *key, *alg[4];
        bool slow;
    } cases[] = {
        {"p256", {"ecdsa-sha256", "ecdsa-sha512"}, false},
        {"p384", {"ecdsa-sha384"}, false},
        {"p521", {"ecdsa-sha512"}, false},
        {"rsa2048", {"rsa-sha256", "rsa-sha512", "rsa-pss-sha256", "rsa-pss-sha512"}, false},
        {"rsa3072", {"rsa-sha256"}, true},
        {"ed25519", {"ed25519"}, false},
        {"ed448", {"ed448"}, false}};
    (void)state;
    struct chy_verifier *v = chy_verifier_new(NULL);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        struct chy_key *key = make(cases[i].key);
        assert_string_equal(chy_key_spki(key)->name, cases[i].key);
        assert_int_equal(chy_key_is_slow(key), cases[i].slow);
        sign_and_verify(key, NULL, v);
        for (size_t j = 0; j < 4 && cases[i].alg[j]; j++)
            sign_and_verify(key, cases[i].alg[j], v);
        chy_key_free(key);
    }
    chy_verifier_free(v);
}

static void test_signer_keeps_the_key_alive(void **state)
{
    (void)state;
    struct chy_signer *s = NULL;
    struct chy_buf out;
    struct chy_key *key = make("p256"), *same = chy_key_ref(key);
    chy_buf_init(&out, 100);
    assert_ptr_equal(key, same);
    assert_int_equal(chy_signer_new(key, chy_key_sig_alg(key, NULL, NULL), &s, NULL), CHY_S_OK);
    chy_key_free(key);
    chy_key_free(same);
    assert_int_equal(chy_signer_sign(s, message, &out, NULL), CHY_S_OK);
    chy_signer_free(s);
    chy_signer_free(NULL);
    chy_key_free(NULL);
    chy_buf_free(&out);
}

static void test_failed_signature_leaves_the_buffer(void **state)
{
    (void)state;
    struct chy_err err = {0};
    struct chy_signer *s = NULL;
    struct chy_buf out;
    struct chy_key *key = make("p256");
    chy_buf_init(&out, 20);
    chy_buf_add_str(&out, "kept");
    assert_int_equal(chy_signer_new(key, chy_key_sig_alg(key, NULL, NULL), &s, &err), CHY_S_OK);
    assert_true(CHY_FAILED(chy_signer_sign(s, message, &out, &err)));
    assert_int_equal(out.n, 4);
    assert_memory_equal(out.p, "kept", 4);
    chy_signer_free(s);
    chy_key_free(key);
    chy_buf_free(&out);
}

static void test_refusals(void **state)
{
    (void)state;
    struct chy_err err = {0};
    struct chy_key *key = NULL, *ec = make("p256"), *rsa = make("rsa2048");
    struct chy_signer *s = NULL;
    assert_true(CHY_FAILED(chy_key_generate("rsa512", &key, &err)));
    assert_null(key);
    assert_non_null(strstr(err.text, "2048 to 8192"));
    chy_err_clear(&err);
    assert_null(chy_key_sig_alg(ec, "rsa-sha256", &err));
    assert_non_null(strstr(err.text, "cannot make it"));
    chy_err_clear(&err);
    assert_int_equal(chy_signer_new(ec, chy_key_sig_alg(rsa, NULL, NULL), &s, &err),
                     CHY_E_INVALIDARG);
    assert_null(s);
    assert_non_null(strstr(err.text, "cannot make it"));
    chy_key_free(ec);
    chy_key_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_signs),
        cmocka_unit_test(test_signer_keeps_the_key_alive),
        cmocka_unit_test(test_failed_signature_leaves_the_buffer),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
