/* Extensions and what is in them: what we read OpenSSL reads and writes alike, and what we can
 * write too comes out as it went in. */
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "pki/ext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void refused(const struct chy_err *err)
{
    must(CHY_FAILED(err->code) && err->text[0]);
}

static void openssl_agrees(struct chy_span der, const ASN1_ITEM *type)
{
    const unsigned char *p = der.p;
    unsigned char *again = NULL;
    ASN1_VALUE *value = ASN1_item_d2i(NULL, &p, (long)der.n, type);
    must(value && p == der.p + der.n);
    int n = ASN1_item_i2d(value, &again, type);
    must(n > 0 && chy_span_eq(chy_span_of(again, (size_t)n), der));
    OPENSSL_free(again);
    ASN1_item_free(value, type);
}

static void check_list(struct chy_span der)
{
    static struct chy_ext ext[CHY_EXT_MAX];
    struct chy_err err = {0};
    struct chy_buf b;
    size_t n;
    if (chy_ext_list_parse(der, ext, &n, &err) != CHY_S_OK) {
        refused(&err);
        return;
    }
    openssl_agrees(der, ASN1_ITEM_rptr(X509_EXTENSIONS));
    chy_buf_init(&b, der.n);
    size_t mark = chy_der_open(&b, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < n; i++)
        chy_ext_add(&b, &ext[i]);
    chy_der_close(&b, mark);
    must(chy_span_eq(chy_buf_span(&b), der));
    chy_buf_free(&b);
}

static bool writable(const struct chy_general_name *gn)
{
    return gn->type != CHY_GN_X400 && gn->type != CHY_GN_EDI;
}

static void show(const struct chy_general_name *gn)
{
    struct chy_buf text;
    chy_buf_init(&text, 1 << 20);
    chy_general_name_to_text(gn, &text);
    must(!text.failed && text.n >= 3);
    chy_buf_free(&text);
}

static void check_names(struct chy_span der)
{
    static struct chy_general_name gn[CHY_GN_MAX];
    struct chy_err err = {0};
    struct chy_buf b;
    size_t n = CHY_GN_MAX;
    bool good = true, whole = true;
    if (chy_general_names_parse(der, gn, &n, &err) != CHY_S_OK) {
        refused(&err);
        return;
    }
    chy_buf_init(&b, der.n);
    size_t mark = chy_der_open(&b, CHY_DER_SEQUENCE);
    for (size_t i = 0; i < n; i++) {
        struct chy_err fault = {0};
        show(&gn[i]);
        if (chy_general_name_check(&gn[i], 0, &fault) != CHY_S_OK) {
            refused(&fault);
            good = false;
        }
        whole = whole && writable(&gn[i]);
        if (whole) chy_general_name_add(&b, &gn[i]);
    }
    chy_der_close(&b, mark);
    if (whole) must(chy_span_eq(chy_buf_span(&b), der));
    if (good) openssl_agrees(der, ASN1_ITEM_rptr(GENERAL_NAMES));
    chy_buf_free(&b);
}

static void check_constraints(struct chy_span der)
{
    static struct chy_name_constraints nc;
    struct chy_err err = {0};
    struct chy_buf b;
    bool whole = true;
    if (chy_name_constraints_parse(der, &nc, &err) != CHY_S_OK) {
        refused(&err);
        return;
    }
    for (size_t i = 0; i < nc.n_permitted + nc.n_excluded; i++) {
        const struct chy_general_name *gn =
            i < nc.n_permitted ? &nc.permitted[i] : &nc.excluded[i - nc.n_permitted];
        struct chy_err fault = {0};
        whole = whole && writable(gn);
        if (chy_name_constraints_check(&nc, gn, &fault) != CHY_S_OK) refused(&fault);
    }
    if (!whole) return;
    chy_buf_init(&b, der.n);
    chy_name_constraints_add(&b, &nc);
    must(chy_span_eq(chy_buf_span(&b), der));
    chy_buf_free(&b);
    openssl_agrees(der, ASN1_ITEM_rptr(NAME_CONSTRAINTS));
}

static void check_values(struct chy_span der)
{
    struct chy_basic_constraints bc;
    struct chy_span oids[64], id;
    struct chy_buf b;
    unsigned bits;
    size_t n = CHY_ARRAY_LEN(oids);
    chy_buf_init(&b, der.n + 16);
    if (chy_basic_constraints_parse(der, &bc)) {
        openssl_agrees(der, ASN1_ITEM_rptr(BASIC_CONSTRAINTS));
        chy_basic_constraints_add(&b, &bc);
        must(chy_span_eq(chy_buf_span(&b), der) || (!bc.ca && bc.path_len >= 0));
    }
    chy_buf_reset(&b);
    if (chy_key_usage_parse(der, &bits)) {
        openssl_agrees(der, ASN1_ITEM_rptr(ASN1_BIT_STRING));
        chy_key_usage_add(&b, bits);
        must(chy_span_eq(chy_buf_span(&b), der));
    }
    chy_buf_reset(&b);
    if (chy_eku_parse(der, oids, &n)) {
        openssl_agrees(der, ASN1_ITEM_rptr(EXTENDED_KEY_USAGE));
        chy_eku_add(&b, oids, n);
        must(chy_span_eq(chy_buf_span(&b), der));
    }
    chy_buf_reset(&b);
    if (chy_ski_parse(der, &id)) {
        openssl_agrees(der, ASN1_ITEM_rptr(ASN1_OCTET_STRING));
        chy_ski_add(&b, id);
        must(chy_span_eq(chy_buf_span(&b), der));
    }
    chy_buf_reset(&b);
    if (chy_aki_parse(der, &id) && id.p) {
        chy_aki_add(&b, id);
        if (b.n == der.n) { /* the issuer's names are not read */
            must(chy_span_eq(chy_buf_span(&b), der));
            openssl_agrees(der, ASN1_ITEM_rptr(AUTHORITY_KEYID));
        }
    }
    chy_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_span der = {data, size};
    check_list(der);
    check_names(der);
    check_constraints(der);
    check_values(der);
    return 0;
}
