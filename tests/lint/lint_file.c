/* usage: lint-file CERT.der [CA.der]     one line for each finding; exit status 1 when there is
 * one. Without a CA the certificate is taken for self-signed. */
#include <stdio.h>
#include <stdlib.h>

#include "pki/lint.h"

struct loaded {
    uint8_t der[CHY_CERT_MAX];
    struct chy_cert cert;
};

static struct loaded *load(const char *path)
{
    struct chy_err err = {0};
    struct loaded *l = calloc(1, sizeof *l);
    FILE *f = fopen(path, "rb");
    if (!l || !f) {
        perror(path);
        exit(2);
    }
    size_t n = fread(l->der, 1, sizeof l->der, f);
    fclose(f);
    if (chy_cert_parse(chy_span_of(l->der, n), &l->cert, &err) != CHY_S_OK) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        exit(2);
    }
    return l;
}

static void read_issuer(const struct chy_cert *ca, struct chy_span sig_alg,
                        struct chy_name_constraints *nc, struct chy_lint_issuer *out)
{
    const struct chy_ext *ski = chy_cert_find_ext(ca, chy_oid_subject_key_id);
    const struct chy_ext *own = chy_cert_find_ext(ca, chy_oid_name_constraints);
    const struct chy_ext *bc = chy_cert_find_ext(ca, chy_oid_basic_constraints);
    struct chy_basic_constraints limits = {.path_len = -1};
    if (bc) (void)chy_basic_constraints_parse(bc->value, &limits);
    *out = (struct chy_lint_issuer){.subject = ca->subject.der,
                                    .not_before = ca->not_before,
                                    .not_after = ca->not_after,
                                    .path_len = limits.path_len,
                                    .sig_alg = sig_alg};
    if (ski) (void)chy_ski_parse(ski->value, &out->key_id);
    if (own && chy_name_constraints_parse(own->value, nc, NULL) == CHY_S_OK) out->constraints = nc;
}

int main(int argc, char **argv)
{
    static struct chy_name_constraints nc;
    struct chy_lint_issuer issuer;
    struct chy_lint_report report;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: lint-file CERT.der [CA.der]\n");
        return 2;
    }
    struct loaded *leaf = load(argv[1]), *ca = argc == 3 ? load(argv[2]) : NULL;
    if (ca) read_issuer(&ca->cert, leaf->cert.sig_alg_der, &nc, &issuer);
    chy_lint_tbs(leaf->cert.tbs, ca ? &issuer : NULL, &report);
    for (size_t i = 0; i < report.n; i++)
        printf("%s: %s\n", report.finding[i].rule->id, report.finding[i].detail);
    free(leaf);
    free(ca);
    return report.n > 0;
}
