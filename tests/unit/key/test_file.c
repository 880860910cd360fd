/* Key files: written for their owner alone, and not read when anybody else could have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/sys.h"
#include "key/key.h"

struct folder {
    char dir[64], path[96], other[96];
};

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof(*f));
    if (!f) return -1;
    snprintf(f->dir, sizeof(f->dir), "/tmp/chy-key-XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    snprintf(f->path, sizeof(f->path), "%s/ca.key", f->dir);
    snprintf(f->other, sizeof(f->other), "%s/other", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;
    unlink(f->path);
    unlink(f->other);
    rmdir(f->dir);
    free(f);
    return ERR_peek_error() == 0 ? 0 : -1;
}

static void save(const char *alg, const char *path)
{
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    assert_int_equal(chy_key_generate(alg, &key, &err), CHY_S_OK);
    assert_int_equal(chy_key_save(key, path, &err), CHY_S_OK);
    chy_key_free(key);
}

static void expect_refused(const char *path, const char *text)
{
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    chy_hresult hr = chy_key_load(path, &key, &err);
    assert_true(CHY_FAILED(hr));
    assert_int_equal(hr, err.code);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
    if (!strstr(err.text, text)) fail_msg("\"%s\" lacks \"%s\"", err.text, text);
    assert_true(CHY_FAILED(chy_key_load(path, &key, NULL)));
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}

static void test_every_kind_survives(void **state)
{
    static const char *const algs[] = {"p256", "p384", "p521", "rsa2048", "ed25519", "ed448"};
    struct folder *f = *state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(algs); i++) {
        struct chy_err err = {0};
        struct chy_key *key = NULL, *back = NULL;
        struct stat st;
        char head[40] = {0};
        assert_int_equal(chy_key_generate(algs[i], &key, &err), CHY_S_OK);
        assert_int_equal(chy_key_save(key, f->path, &err), CHY_S_OK);
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        FILE *in = fopen(f->path, "r");
        assert_non_null(fgets(head, sizeof(head), in));
        fclose(in);
        assert_string_equal(head, "-----BEGIN PRIVATE KEY-----\n");
        assert_int_equal(chy_key_load(f->path, &back, &err), CHY_S_OK);
        assert_true(chy_span_eq(chy_key_spki(key)->der, chy_key_spki(back)->der));
        chy_key_free(key);
        chy_key_free(back);
    }
}

static void test_files_that_others_can_reach_are_refused(void **state)
{
    static const unsigned modes[] = {0640, 0604, 0620, 0602, 0610, 0601};
    struct folder *f = *state;
    save("p256", f->path);
    for (size_t i = 0; i < CHY_ARRAY_LEN(modes); i++) {
        assert_int_equal(chmod(f->path, modes[i]), 0);
        expect_refused(f->path, "no access");
    }
    assert_int_equal(chmod(f->path, 0400), 0);
    struct chy_key *key = NULL;
    assert_int_equal(chy_key_load(f->path, &key, NULL), CHY_S_OK);
    chy_key_free(key);
}

static void test_what_is_no_plain_file_is_refused(void **state)
{
    struct folder *f = *state;
    save("p256", f->other);
    assert_int_equal(symlink(f->other, f->path), 0);
    expect_refused(f->path, "symbolic link");
    unlink(f->path);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    expect_refused(f->path, "not a regular file");
    unlink(f->path);
    expect_refused(f->path, "No such file");
    expect_refused(f->dir, "not a regular file");
}

static void test_owner_must_be_us_or_root(void **state)
{
    struct folder *f = *state;
    if (geteuid() != 0) skip();
    save("p256", f->path);
    assert_int_equal(chown(f->path, 12345, 0), 0);
    expect_refused(f->path, "owner 12345");
}

static void test_content_refusals(void **state)
{
    static const struct {
        const char *content, *text;
    } cases[] = {
        {"", "1 to 65536 octets"},
        {"hello\n", "no PRIVATE KEY block"},
        {"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
         "no PRIVATE KEY block"},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
         "encrypted keys"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a key"},
        {"-----BEGIN PRIVATE KEY-----\n", "not a key"},
    };
    struct folder *f = *state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        write_text(f->path, cases[i].content);
        expect_refused(f->path, cases[i].text);
    }
    FILE *big = fopen(f->path, "w");
    for (int i = 0; i < 65537; i++)
        fputc('x', big);
    fclose(big);
    expect_refused(f->path, "1 to 65536 octets");
}

static void write_pkey(const char *path, EVP_PKEY *key)
{
    FILE *f = fopen(path, "w");
    assert_int_equal(PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
}

static void test_key_that_cannot_serve_is_refused(void **state)
{
    struct folder *f = *state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1");
    write_pkey(f->path, key);
    expect_refused(f->path, "secp256k1");
    EVP_PKEY_free(key);
    key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    write_pkey(f->path, key);
    expect_refused(f->path, "X25519");
    EVP_PKEY_free(key);
}

static void test_halves_of_two_keys_are_refused(void **state)
{
    struct folder *f = *state;
    uint8_t der[1024], *p = der;
    EVP_PKEY *a = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY *b = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(a);
    int n = i2d_PKCS8_PRIV_KEY_INFO(info, &p);
    assert_true(n > 65);
    PKCS8_PRIV_KEY_INFO_free(info);
    /* The public point is the last field of ECPrivateKey. */
    size_t len = 0;
    uint8_t point[65];
    assert_int_equal(EVP_PKEY_get_octet_string_param(b, "pub", point, sizeof(point), &len), 1);
    assert_int_equal(len, 65);
    memcpy(der + n - 65, point, 65);
    FILE *out = fopen(f->path, "w");
    assert_int_equal(PEM_write(out, "PRIVATE KEY", "", der, n) > 0, 1);
    fclose(out);
    assert_int_equal(chmod(f->path, 0600), 0);
    expect_refused(f->path, "do not belong together");
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}

static void test_failed_save_leaves_no_file(void **state)
{
    struct folder *f = *state;
    struct chy_err err = {0};
    struct chy_key *key = NULL;
    char path[128];
    snprintf(path, sizeof(path), "%s/no/such/folder", f->dir);
    assert_int_equal(chy_key_generate("p256", &key, &err), CHY_S_OK);
    assert_true(CHY_FAILED(chy_key_save(key, path, &err)));
    assert_int_equal(access(path, F_OK), -1);
    chy_key_free(key);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_every_kind_survives),
        WITH_FOLDER(test_files_that_others_can_reach_are_refused),
        WITH_FOLDER(test_what_is_no_plain_file_is_refused),
        WITH_FOLDER(test_owner_must_be_us_or_root),
        WITH_FOLDER(test_content_refusals),
        WITH_FOLDER(test_key_that_cannot_serve_is_refused),
        WITH_FOLDER(test_halves_of_two_keys_are_refused),
        WITH_FOLDER(test_failed_save_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
