/* Lint over the certificates and CRLs that are kept as files: findings of the good ones are known,
 * and the broken ones are survived. The certificates were made by OpenSSL: the rich ones with every
 * extension that lint knows, the others by `openssl req -x509`, which sets no keyUsage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/crl.h"
#include "pki/lint_status.h"

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

static void path_of(const char *folder, const char *name, char out[1024])
{
    snprintf(out, 1024, "%.*sfuzz/corpus/%s/%s", (int)(strlen(TEST_DATA) - strlen("data")),
             TEST_DATA, folder, name);
}

static size_t read_corpus(const char *folder, const char *name, uint8_t *out)
{
    char path[1024];
    path_of(folder, name, path);
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
    size_t n = read_corpus("cert", file, ca->der);
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
        chy_lint_tbs(tbs_of(der, read_corpus("cert", fixtures[i].file, der)),
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

/* Calls check for each file of a folder; how many there were. */
static size_t for_each(const char *folder, void (*check)(const char *name, uint8_t *der, size_t n))
{
    char path[1024];
    path_of(folder, "", path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    uint8_t *der = malloc(FILE_MAX);
    size_t files = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_name[0] == '.') continue;
        check(e->d_name, der, read_corpus(folder, e->d_name, der));
        files++;
    }
    closedir(dir);
    free(der);
    return files;
}

/* A file is named for what it is good for: "bad-….der", "….der", or by a hash when a fuzzer kept
 * it.
 */
static bool is_good(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".der") == 0 && strncmp(name, "bad-", 4) != 0;
}

static void check_certificate(const char *name, uint8_t *der, size_t n)
{
    struct chy_lint_report r;
    const struct chy_lint_issuer none = {.path_len = -1};
    bool known = !is_good(name);
    chy_lint_tbs(tbs_of(der, n), NULL, &r);
    chy_lint_tbs(tbs_of(der, n), &none, &r);
    assert_true(r.errors > 0);
    chy_lint_tbs(chy_span_of(der, n), NULL, &r);
    assert_true(r.errors > 0);
    for (size_t i = 0; i < CHY_ARRAY_LEN(fixtures); i++)
        known = known || strcmp(fixtures[i].file, name) == 0;
    if (!known) print_message("%s: its findings are not listed\n", name);
    assert_true(known);
}

static void test_no_certificate_breaks_lint(void **state)
{
    (void)state;
    assert_true(for_each("cert", check_certificate) >= CHY_ARRAY_LEN(fixtures));
}

/* Where the extensions begin: the octets behind the entries. */
static const uint8_t *tail_of(const struct chy_crl *crl)
{
    struct chy_der outer = chy_der_of(crl->tbs), d;
    struct chy_tlv t;
    assert_true(chy_der_enter(&outer, CHY_DER_SEQUENCE, &d));
    while (!chy_der_empty(&d) && chy_der_peek(&d) != CHY_DER_CTX_C(0))
        assert_true(chy_der_read(&d, &t));
    return d.p;
}

static void lint_crl(const struct chy_crl *crl, struct chy_lint_report *r)
{
    struct chy_lint_crl l;
    struct chy_lint_issuer issuer = {.subject = crl->issuer.der, .sig_alg = crl->sig_alg_der};
    const uint8_t *tail = tail_of(crl), *end = crl->tbs.p + crl->tbs.n;
    const uint8_t *entries = tail - crl->entries.n;
    for (size_t i = 0; i < crl->n_ext; i++) {
        if (chy_span_eq(crl->ext[i].oid, chy_oid_authority_key_id))
            (void)chy_aki_parse(crl->ext[i].value, &issuer.key_id);
    }
    chy_lint_crl_begin(&l, chy_span_of(crl->tbs.p, (size_t)(entries - crl->tbs.p)), &issuer, r);
    chy_lint_crl_entries(&l, crl->entries);
    chy_lint_crl_end(&l, chy_span_of(tail, (size_t)(end - tail)));
}

/* A list that is read passes when it is good; what is in octets that are no list is an error. */
static void check_crl(const char *name, uint8_t *der, size_t n)
{
    struct chy_crl *crl = malloc(sizeof *crl);
    struct chy_lint_report r = {.n = 0};
    struct chy_lint_crl l;
    const struct chy_lint_issuer none = {.path_len = -1};
    bool parsed = chy_crl_parse(chy_span_of(der, n), crl, NULL) == CHY_S_OK;
    if (parsed) lint_crl(crl, &r);
    for (size_t i = 0; i < r.n && is_good(name); i++)
        print_message("%s: %s: %s\n", name, r.finding[i].rule->id, r.finding[i].detail);
    if (is_good(name)) assert_true(parsed && r.n == 0);
    chy_lint_crl_begin(&l, chy_span_of(der, n), &none, &r);
    chy_lint_crl_end(&l, chy_span_of(der, 0));
    assert_true(r.errors > 0);
    free(crl);
}

static void test_no_list_breaks_lint_and_good_ones_pass(void **state)
{
    (void)state;
    assert_true(for_each("crl", check_crl) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings_of_good_certificates_are_known),
        cmocka_unit_test(test_no_certificate_breaks_lint),
        cmocka_unit_test(test_no_list_breaks_lint_and_good_ones_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
