/* Lint over the certificates that are kept as files: findings of the good ones are known, and the
 * broken ones are survived. All of them were made by OpenSSL: the rich ones with every extension
 * that lint knows, the others by `openssl req -x509`, which sets no keyUsage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/lint.h"

enum { FILE_MAX = 65536 };

static const struct fixture {
    const char *file, *ca; /* no CA: self-signed */
    const char *findings[4];
} fixtures[] = {
    {"ec.der", NULL, {"validity-both-ends", "ku-in-ca"}},
    {"ed25519.der", NULL, {"validity-both-ends", "ku-in-ca"}},
    {"rsa.der", NULL, {"validity-both-ends", "ku-in-ca"}},
    {"rich-ca.der", NULL, {"cp-not-in-root"}},
    {"rich-leaf.der", "rich-ca.der", {"eku-email-apart", "cdp-name-alone"}},
};

static size_t read_corpus(const char *name, uint8_t *out)
{
    char path[1024];
    snprintf(path, sizeof path, "%.*sfuzz/corpus/cert/%s",
             (int)(strlen(TEST_DATA) - strlen("data")), TEST_DATA, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, FILE_MAX, f);
    fclose(f);
    return n;
}

/* The first element of the certificate, whatever it is. */
static struct chy_span tbs_of(const uint8_t *der, size_t n)
{
    struct chy_der outer = chy_der_of(chy_span_of(der, n)), d;
    struct chy_tlv tbs;
    if (!chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) || !chy_der_read(&d, &tbs))
        return chy_span_of(der, n);
    return tbs.whole;
}

struct ca {
    uint8_t der[FILE_MAX];
    struct chy_cert cert;
    struct chy_name_constraints constraints;
    struct chy_lint_issuer issuer;
};

static void read_ca(const char *file, struct ca *ca)
{
    struct chy_err err = {0};
    size_t n = read_corpus(file, ca->der);
    assert_int_equal(chy_cert_parse(chy_span_of(ca->der, n), &ca->cert, &err), CHY_S_OK);
    ca->issuer = (struct chy_lint_issuer){.subject = ca->cert.subject.der,
                                          .not_before = ca->cert.not_before,
                                          .not_after = ca->cert.not_after,
                                          .path_len = -1,
                                          .sig_alg = ca->cert.sig_alg_der,
                                          .constraints = &ca->constraints};
    const struct chy_ext *ski = chy_cert_find_ext(&ca->cert, chy_oid_subject_key_id);
    const struct chy_ext *nc = chy_cert_find_ext(&ca->cert, chy_oid_name_constraints);
    assert_true(ski && chy_ski_parse(ski->value, &ca->issuer.key_id));
    assert_true(nc && chy_name_constraints_parse(nc->value, &ca->constraints, &err) == CHY_S_OK);
}

static void test_findings_of_good_certificates_are_known(void **state)
{
    (void)state;
    uint8_t *der = malloc(FILE_MAX);
    struct ca *ca = malloc(sizeof *ca);
    for (size_t i = 0; i < CHY_ARRAY_LEN(fixtures); i++) {
        struct chy_lint_report r;
        size_t expected = 0;
        if (fixtures[i].ca) read_ca(fixtures[i].ca, ca);
        chy_lint_tbs(tbs_of(der, read_corpus(fixtures[i].file, der)),
                     fixtures[i].ca ? &ca->issuer : NULL, &r);
        while (fixtures[i].findings[expected])
            expected++;
        for (size_t k = 0; k < r.n; k++) {
            print_message("%s: %s: %s\n", fixtures[i].file, r.finding[k].rule->id,
                          r.finding[k].detail);
        }
        assert_int_equal(r.n, expected);
        for (size_t k = 0; k < r.n; k++)
            assert_string_equal(r.finding[k].rule->id, fixtures[i].findings[k]);
    }
    free(ca);
    free(der);
}

static void test_no_file_breaks_lint(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%.*sfuzz/corpus/cert", (int)(strlen(TEST_DATA) - strlen("data")),
             TEST_DATA);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    uint8_t *der = malloc(FILE_MAX);
    size_t files = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        struct chy_lint_report r;
        const struct chy_lint_issuer none = {.path_len = -1};
        if (e->d_name[0] == '.') continue;
        size_t n = read_corpus(e->d_name, der);
        chy_lint_tbs(tbs_of(der, n), NULL, &r);
        chy_lint_tbs(tbs_of(der, n), &none, &r);
        assert_true(r.errors > 0);
        chy_lint_tbs(chy_span_of(der, n), NULL, &r);
        assert_true(r.errors > 0);
        files++;
    }
    closedir(dir);
    free(der);
    assert_true(files >= CHY_ARRAY_LEN(fixtures));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings_of_good_certificates_are_known),
        cmocka_unit_test(test_no_file_breaks_lint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
