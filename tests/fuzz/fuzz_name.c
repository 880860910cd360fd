/* Names, as DER and as text: what we read OpenSSL reads and writes alike, and text that we write
 * reads as the same name. */
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "pki/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

/* OpenSSL keeps the octets that it has read: an entry taken out and put back makes it write anew.
 */
static void check_openssl(const struct chy_name *name)
{
    const unsigned char *p = name->der.p;
    unsigned char *again = NULL;
    X509_NAME *theirs = d2i_X509_NAME(NULL, &p, (long)name->der.n);
    must(theirs && p == name->der.p + name->der.n);
    int last = X509_NAME_entry_count(theirs) - 1;
    must(last + 1 == (int)name->n);
    if (last >= 0) {
        int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(theirs, last));
        bool joined = last > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(theirs, last - 1)) == set;
        X509_NAME_ENTRY *entry = X509_NAME_delete_entry(theirs, last);
        must(X509_NAME_add_entry(theirs, entry, -1, joined ? -1 : 0) == 1);
        X509_NAME_ENTRY_free(entry);
    }
    int n = i2d_X509_NAME(theirs, &again);
    must(n > 0 && chy_span_eq(chy_span_of(again, (size_t)n), name->der));
    OPENSSL_free(again);
    X509_NAME_free(theirs);
}

static bool through_text(const struct chy_name *name, struct chy_buf *text, struct chy_buf *der)
{
    struct chy_err err = {0};
    chy_buf_reset(text);
    chy_buf_reset(der);
    chy_name_to_text(name, text);
    must(!text->failed);
    const char *s = chy_buf_cstr(text);
    if (strstr(s, "?=")) return false; /* a type with arcs longer than we write */
    must(chy_name_from_text(s, der, &err) == CHY_S_OK);
    return true;
}

static void same_names(const struct chy_name *a, const struct chy_name *b)
{
    must(a->n == b->n);
    for (size_t i = 0; i < a->n; i++) {
        struct chy_buf x, y;
        bool alone = (i == 0 || a->attr[i - 1].rdn != a->attr[i].rdn) &&
                     (i + 1 == a->n || a->attr[i + 1].rdn != a->attr[i].rdn);
        must(a->attr[i].rdn == b->attr[i].rdn);
        if (!alone) continue; /* the order inside an RDN follows from the string types */
        chy_buf_init(&x, 1 << 20);
        chy_buf_init(&y, 1 << 20);
        must(chy_span_eq(a->attr[i].oid, b->attr[i].oid));
        must(chy_name_value_utf8(&a->attr[i], &x) && chy_name_value_utf8(&b->attr[i], &y));
        must(chy_span_eq(chy_buf_span(&x), chy_buf_span(&y)));
        chy_buf_free(&x);
        chy_buf_free(&y);
    }
}

/* The string types may change on the way through text, but only once. */
static void check_text(const struct chy_name *name)
{
    struct chy_buf text, text2, der, der2;
    struct chy_name once;
    struct chy_err err = {0};
    chy_buf_init(&text, 1 << 20);
    chy_buf_init(&text2, 1 << 20);
    chy_buf_init(&der, 1 << 20);
    chy_buf_init(&der2, 1 << 20);
    if (through_text(name, &text, &der)) {
        must(chy_name_parse(chy_buf_span(&der), &once, &err) == CHY_S_OK);
        same_names(name, &once);
        must(through_text(&once, &text2, &der2));
        must(chy_span_eq(chy_buf_span(&der), chy_buf_span(&der2)));
    }
    chy_buf_free(&text);
    chy_buf_free(&text2);
    chy_buf_free(&der);
    chy_buf_free(&der2);
}

static void check_name(struct chy_span der)
{
    struct chy_name name;
    struct chy_err err = {0};
    if (chy_name_parse(der, &name, &err) != CHY_S_OK) {
        must(CHY_FAILED(err.code) && err.text[0]);
        return;
    }
    check_openssl(&name);
    if (der.n < 8192) check_text(&name);
    must(chy_name_check_lengths(&name, &err) == CHY_S_OK || err.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_buf text, der;
    struct chy_err err = {0};
    check_name(chy_span_of(data, size));
    chy_buf_init(&text, size + 1);
    chy_buf_init(&der, 1 << 20);
    chy_buf_add(&text, data, size);
    if (chy_name_from_text(chy_buf_cstr(&text), &der, &err) == CHY_S_OK)
        check_name(chy_buf_span(&der));
    else
        must(CHY_FAILED(err.code) && err.text[0]);
    chy_buf_free(&text);
    chy_buf_free(&der);
    return 0;
}
