/* Certificates: what we read OpenSSL reads and writes alike, its fields make the same certificate
 * again, and lint lives through any octets. */
#include <openssl/x509.h>
#include <stdlib.h>

#include "pki/cert.h"
#include "pki/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_openssl(const struct chy_cert *cert)
{
    const unsigned char *p = cert->der.p;
    unsigned char *whole = NULL, *tbs = NULL;
    X509 *theirs = d2i_X509(NULL, &p, (long)cert->der.n);
    must(theirs && p == cert->der.p + cert->der.n);
    int n = i2d_re_X509_tbs(theirs, &tbs);
    must(n > 0 && chy_span_eq(chy_span_of(tbs, (size_t)n), cert->tbs));
    n = i2d_X509(theirs, &whole);
    must(n > 0 && chy_span_eq(chy_span_of(whole, (size_t)n), cert->der));
    must(X509_get_version(theirs) == cert->version - 1);
    OPENSSL_free(tbs);
    OPENSSL_free(whole);
    X509_free(theirs);
}

/* Version, unique identifiers and the form of a time are ours to choose: the fields stay. */
static void check_building(const struct chy_cert *cert)
{
    static struct chy_cert again;
    struct chy_err err = {0};
    struct chy_buf b;
    struct chy_der d = chy_der_of(cert->tbs), fields;
    struct chy_tlv t;
    struct chy_span spki = {0};
    must(chy_der_enter(&d, CHY_DER_SEQUENCE, &fields));
    for (int i = cert->version == 1 ? 1 : 0; i < 7; i++) {
        must(chy_der_read(&fields, &t));
        spki = t.whole;
    }
    const struct chy_cert_parts parts = {.serial = cert->serial,
                                         .sig_alg = cert->sig_alg_der,
                                         .issuer = cert->issuer.der,
                                         .not_before = cert->not_before,
                                         .not_after = cert->not_after,
                                         .subject = cert->subject.der,
                                         .spki = spki,
                                         .ext = cert->ext,
                                         .n_ext = cert->n_ext};
    chy_buf_init(&b, 1 << 20);
    must(chy_cert_build_tbs(&parts, &b, &err) == CHY_S_OK);
    must(chy_cert_parse_tbs(chy_buf_span(&b), &again, &err) == CHY_S_OK);
    must(again.version == 3 && again.n_ext == cert->n_ext);
    must(again.not_before == cert->not_before && again.not_after == cert->not_after);
    must(chy_span_eq(again.serial, cert->serial));
    must(chy_span_eq(again.subject.der, cert->subject.der));
    must(chy_span_eq(again.issuer.der, cert->issuer.der));
    for (size_t i = 0; i < cert->n_ext; i++) {
        const struct chy_ext *e = chy_cert_find_ext(&again, cert->ext[i].oid);
        must(e && e->critical == cert->ext[i].critical &&
             chy_span_eq(e->value, cert->ext[i].value));
    }
    chy_buf_reset(&b);
    must(chy_cert_assemble(cert->tbs, cert->sig_alg_der, cert->signature, &b, &err) == CHY_S_OK);
    must(chy_span_eq(chy_buf_span(&b), cert->der));
    chy_buf_free(&b);
}

static void check_report(const struct chy_lint_report *r)
{
    size_t errors = 0;
    must(r->n <= CHY_ARRAY_LEN(r->finding));
    for (size_t i = 0; i < r->n; i++) {
        errors += r->finding[i].rule->severity == CHY_LINT_ERROR;
        for (const char *c = r->finding[i].detail; *c; c++)
            must(*c >= ' ' && *c <= '~');
    }
    must(errors <= r->errors);
}

/* As a root, and as a leaf of a CA that has the input's own names, key identifier and constraints.
 */
static void check_lint(struct chy_span tbs)
{
    static struct chy_cert cert;
    static struct chy_name_constraints nc;
    struct chy_lint_report report;
    struct chy_lint_issuer issuer = {.not_after = INT64_MAX, .path_len = 1};
    chy_lint_tbs(tbs, NULL, &report);
    check_report(&report);
    bool readable = chy_cert_parse_tbs(tbs, &cert, NULL) == CHY_S_OK;
    must(readable || report.errors > 0);
    if (readable) {
        const struct chy_ext *ski = chy_cert_find_ext(&cert, chy_oid_subject_key_id);
        const struct chy_ext *own = chy_cert_find_ext(&cert, chy_oid_name_constraints);
        issuer.subject = cert.issuer.der;
        if (ski) (void)chy_ski_parse(ski->value, &issuer.key_id);
        if (own && chy_name_constraints_parse(own->value, &nc, NULL) == CHY_S_OK)
            issuer.constraints = &nc;
    }
    chy_lint_tbs(tbs, &issuer, &report);
    check_report(&report);
}

/* The first element, where there is one. */
static struct chy_span tbs_of(struct chy_span der)
{
    struct chy_der outer = chy_der_of(der), d;
    struct chy_tlv tbs;
    return chy_der_enter(&outer, CHY_DER_SEQUENCE, &d) && chy_der_read(&d, &tbs) ? tbs.whole : der;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct chy_cert cert;
    struct chy_err err = {0};
    check_lint(tbs_of(chy_span_of(data, size)));
    if (chy_cert_parse(chy_span_of(data, size), &cert, &err) != CHY_S_OK) {
        must(CHY_FAILED(err.code) && err.text[0]);
        return 0;
    }
    check_openssl(&cert);
    if (cert.tbs.n < CHY_CERT_MAX - 64) check_building(&cert);
    return 0;
}
