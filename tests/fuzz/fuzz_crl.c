/* CRLs: what we read OpenSSL reads and writes alike, the parts make the same list again, and lint
 * lives through any octets however they are cut. */
#include <openssl/x509.h>
#include <stdlib.h>

#include "pki/crl.h"
#include "pki/lint_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_report(const struct chy_lint_report *r)
{
    must(r->n <= CHY_ARRAY_LEN(r->finding));
    for (size_t i = 0; i < r->n; i++) {
        for (const char *c = r->finding[i].detail; *c; c++)
            must(*c >= ' ' && *c <= '~');
    }
}

static void check_openssl(const struct chy_crl *crl)
{
    const unsigned char *p = crl->der.p;
    unsigned char *again = NULL;
    X509_CRL *theirs = d2i_X509_CRL(NULL, &p, (long)crl->der.n);
    must(theirs && p == crl->der.p + crl->der.n);
    int n = i2d_X509_CRL(theirs, &again);
    must(n > 0 && chy_span_eq(chy_span_of(again, (size_t)n), crl->der));
    OPENSSL_free(again);
    X509_CRL_free(theirs);
}

/* Each entry that is read is written again, and means the same. True when all are read. */
static bool check_entries(const struct chy_crl *crl)
{
    struct chy_crl_entry e, again;
    size_t pos = 0;
    while (chy_crl_entry_next(crl->entries, &pos, &e)) {
        struct chy_buf b;
        size_t at = 0;
        must(pos <= crl->entries.n);
        chy_buf_init(&b, 256);
        chy_crl_entry_add(&b, &e);
        if (e.serial.n <= CHY_SERIAL_LEN) {
            must(!b.failed && chy_crl_entry_next(chy_buf_span(&b), &at, &again) && at == b.n);
            must(chy_span_eq(e.serial, again.serial) && e.reason == again.reason);
            must(e.revoked == again.revoked && e.invalid == again.invalid);
        }
        chy_buf_free(&b);
    }
    return pos == crl->entries.n;
}

static void check_building(const struct chy_crl *crl)
{
    static struct chy_crl again;
    const struct chy_crl_parts parts = {.sig_alg = crl->sig_alg_der,
                                        .issuer = crl->issuer.der,
                                        .this_update = crl->this_update,
                                        .next_update = crl->next_update,
                                        .ext = crl->ext,
                                        .n_ext = crl->n_ext};
    struct chy_buf head, tail, wrap, whole;
    struct chy_buf *bufs[] = {&head, &tail, &wrap, &whole};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], 1 << 22);
    must(chy_crl_tbs(&parts, crl->entries.n, &head, &tail, NULL) == CHY_S_OK);
    size_t tbs = head.n + crl->entries.n + tail.n;
    must(chy_crl_wrap(tbs, crl->sig_alg_der, crl->signature, &whole, &wrap, NULL) == CHY_S_OK);
    chy_buf_add_span(&whole, chy_buf_span(&head));
    chy_buf_add_span(&whole, crl->entries);
    chy_buf_add_span(&whole, chy_buf_span(&tail));
    chy_buf_add_span(&whole, chy_buf_span(&wrap));
    must(chy_crl_parse(chy_buf_span(&whole), &again, NULL) == CHY_S_OK);
    must(again.tbs.n == tbs && again.n_ext == crl->n_ext);
    must(again.this_update == crl->this_update && again.next_update == crl->next_update);
    must(again.has_number == crl->has_number && again.is_delta == crl->is_delta);
    must(chy_span_eq(again.entries, crl->entries));
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
}

/* Lint of a list that says of itself who its issuer is. */
static void check_lint(const struct chy_crl *crl, bool all_read)
{
    struct chy_lint_report report;
    struct chy_lint_crl l;
    const struct chy_lint_issuer issuer = {.subject = crl->issuer.der, .sig_alg = crl->sig_alg_der};
    size_t head = crl->entries.p ? (size_t)(crl->entries.p - crl->tbs.p) : crl->tbs.n;
    chy_lint_crl_begin(&l, chy_span_of(crl->tbs.p, head), &issuer, &report);
    chy_lint_crl_entries(&l, crl->entries);
    size_t passed = head + crl->entries.n;
    chy_lint_crl_end(&l, chy_span_of(crl->tbs.p + passed, crl->tbs.n - passed));
    check_report(&report);
    must(report.errors || all_read);
}

static void check_any(const uint8_t *data, size_t size)
{
    struct chy_lint_report report;
    struct chy_lint_crl l;
    const struct chy_lint_issuer issuer = {.path_len = -1};
    size_t a = size ? data[0] % size : 0, b = a + (size - a) / 2;
    chy_lint_crl_begin(&l, chy_span_of(data, a), &issuer, &report);
    chy_lint_crl_entries(&l, chy_span_of(data + a, b - a));
    chy_lint_crl_end(&l, chy_span_of(data + b, size - b));
    check_report(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct chy_crl crl;
    struct chy_err err = {0};
    check_any(data, size);
    if (chy_crl_parse(chy_span_of(data, size), &crl, &err) != CHY_S_OK) {
        must(CHY_FAILED(err.code) && err.text[0]);
        return 0;
    }
    bool all_read = check_entries(&crl);
    if (all_read) check_openssl(&crl);
    if (size < 1 << 20) check_building(&crl);
    check_lint(&crl, all_read);
    return 0;
}
