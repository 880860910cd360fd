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

/* Deterministic signatures are the same as those of the whole; others verify like them. */
static void sign_in_pieces(struct chy_signer *s, size_t usual, struct chy_buf *out)
{
    struct chy_err err = {0};
    chy_buf_reset(out);
    chy_buf_add_str(out, "head");
    assert_int_equal(chy_signer_start(s, &err), CHY_S_OK);
    assert_int_equal(chy_signer_more(s, chy_span_of("dropped", 7), &err), CHY_S_OK);
    assert_int_equal(chy_signer_start(s, &err), CHY_S_OK);
    for (size_t at = 0; at < message.n; at += 5) {
        size_t n = message.n - at < 5 ? message.n - at : 5;
        assert_int_equal(chy_signer_more(s, chy_span_of(message.p + at, n), &err), CHY_S_OK);
        assert_int_equal(chy_signer_more(s, chy_span_of(NULL, 0), &err), CHY_S_OK);
    }
    assert_int_equal(chy_signer_finish(s, out, &err), CHY_S_OK);
    assert_in_range(out->n - 4, usual - 8, usual + 8); /* ECDSA's INTEGERs vary */
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
    sign_in_pieces(s, out.n - 4, &out);
    assert_int_equal(
        chy_verify(v, chy_key_spki(key), alg, message, chy_span_of(out.p + 4, out.n - 4), &err),
        CHY_S_OK);
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

static void test_no_message_at_all_is_the_empty_one(void **state)
{
    static const char *const kinds[] = {"p256", "rsa2048", "ed25519"};
    (void)state;
    struct chy_verifier *v = chy_verifier_new(NULL);
    for (size_t i = 0; i < CHY_ARRAY_LEN(kinds); i++) {
        struct chy_key *key = make(kinds[i]);
        const struct chy_sig_alg *alg = chy_key_sig_alg(key, NULL, NULL);
        struct chy_signer *s = NULL;
        struct chy_buf out;
        chy_buf_init(&out, 8192);
        assert_int_equal(chy_signer_new(key, alg, &s, NULL), CHY_S_OK);
        assert_int_equal(chy_signer_start(s, NULL), CHY_S_OK);
        assert_int_equal(chy_signer_finish(s, &out, NULL), CHY_S_OK);
        assert_int_equal(
            chy_verify(v, chy_key_spki(key), alg, chy_span_of("", 0), chy_buf_span(&out), NULL),
            CHY_S_OK);
        chy_buf_free(&out);
        chy_signer_free(s);
        chy_key_free(key);
    }
    chy_verifier_free(v);
}

static void refused_unless_started(struct chy_signer *s, struct chy_buf *out)
{
    struct chy_err err = {0};
    assert_int_equal(chy_signer_more(s, message, &err), CHY_E_UNEXPECTED);
    assert_non_null(strstr(err.text, "no message was started"));
    chy_err_clear(&err);
    assert_int_equal(chy_signer_finish(s, out, &err), CHY_E_UNEXPECTED);
    assert_non_null(strstr(err.text, "no message was started"));
}

static void test_pieces_come_between_start_and_finish(void **state)
{
    static const char *const kinds[] = {"p256", "ed25519"};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(kinds); i++) {
        struct chy_key *key = make(kinds[i]);
        struct chy_signer *s = NULL;
        struct chy_buf out;
        chy_buf_init(&out, 8192);
        assert_int_equal(chy_signer_new(key, chy_key_sig_alg(key, NULL, NULL), &s, NULL), CHY_S_OK);
        refused_unless_started(s, &out);
        assert_int_equal(chy_signer_start(s, NULL), CHY_S_OK);
        assert_int_equal(chy_signer_finish(s, &out, NULL), CHY_S_OK);
        refused_unless_started(s, &out);
        assert_int_equal(chy_signer_start(s, NULL), CHY_S_OK);
        assert_int_equal(chy_signer_sign(s, message, &out, NULL), CHY_S_OK);
        refused_unless_started(s, &out);
        chy_buf_free(&out);
        chy_signer_free(s);
        chy_key_free(key);
    }
}

/* The piece is longer than its memory: it must be refused before it is read. */
static void test_a_message_that_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    struct chy_err err = {0};
    struct chy_key *key = make("ed25519");
    struct chy_signer *s = NULL;
    struct chy_buf out;
    chy_buf_init(&out, 8192);
    assert_int_equal(chy_signer_new(key, chy_key_sig_alg(key, NULL, NULL), &s, NULL), CHY_S_OK);
    assert_int_equal(chy_signer_start(s, NULL), CHY_S_OK);
    assert_int_equal(chy_signer_more(s, message, NULL), CHY_S_OK);
    assert_int_equal(chy_signer_more(s, chy_span_of(message.p, CHY_SIGNER_KEPT_MAX - 11), &err),
                     CHY_CERTSRV_E_ENCODING_LENGTH);
    assert_non_null(strstr(err.text, "message to be signed: longer than"));
    refused_unless_started(s, &out);
    chy_buf_free(&out);
    chy_signer_free(s);
    chy_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_signs),
        cmocka_unit_test(test_signer_keeps_the_key_alive),
        cmocka_unit_test(test_failed_signature_leaves_the_buffer),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_message_at_all_is_the_empty_one),
        cmocka_unit_test(test_pieces_come_between_start_and_finish),
        cmocka_unit_test(test_a_message_that_cannot_be_kept_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
