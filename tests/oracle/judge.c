/* What OpenSSL's library says of a certificate. The cached encodings that d2i keeps are set aside,
 * so that "the same octets" means that OpenSSL's own encoder writes them. */
#include "oracle.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static void check_reencoded(const struct sample *s, X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    MUST(n == (int)s->cert.n && memcmp(der, s->cert.p, s->cert.n) == 0,
         "i2d_X509 writes other octets");
    OPENSSL_free(der);
    der = NULL;
    n = i2d_re_X509_tbs(x, &der);
    MUST(n == (int)s->tbs.n && memcmp(der, s->tbs.p, s->tbs.n) == 0,
         "i2d_re_X509_tbs writes other octets (%d of %zu)", n, s->tbs.n);
    OPENSSL_free(der);
}

/* Names keep their octets even in a re-encoded certificate: build this one anew from its entries.
 */
static void check_name(const struct sample *s, const X509_NAME *name)
{
    X509_NAME *again = X509_NAME_new();
    int last = -1;
    MUST(again && X509_NAME_entry_count(name) == s->n_attrs, "subject: %d attributes, not %d",
         X509_NAME_entry_count(name), s->n_attrs);
    for (int i = 0; i < s->n_attrs; i++) {
        const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
        int set = X509_NAME_ENTRY_set(e) == last ? -1 : 0;
        unsigned char *utf8 = NULL;
        last = X509_NAME_ENTRY_set(e);
        MUST(ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e)) > 0, "attribute %d", i);
        OPENSSL_free(utf8);
        MUST(X509_NAME_add_entry(again, e, -1, set) == 1, "attribute %d", i);
    }
    unsigned char *der = NULL;
    int n = i2d_X509_NAME(again, &der);
    MUST(n == (int)s->subject.n && memcmp(der, s->subject.p, s->subject.n) == 0,
         "the subject, built anew, has other octets");
    OPENSSL_free(der);
    X509_NAME_free(again);
}

static void check_time(const ASN1_TIME *t, chy_time want, const char *what)
{
    struct tm tm;
    struct chy_civil c;
    chy_civil_from_time(&c, want);
    MUST(ASN1_TIME_to_tm(t, &tm) == 1, "%s", what);
    MUST(tm.tm_year + 1900 == c.year && tm.tm_mon + 1 == c.month && tm.tm_mday == c.day &&
             tm.tm_hour == c.hour && tm.tm_min == c.minute && tm.tm_sec == c.second,
         "%s is another time", what);
    MUST((ASN1_STRING_type(t) == V_ASN1_GENERALIZEDTIME) == (c.year >= 2050), "%s: its type", what);
}

static void check_serial(const struct sample *s, const X509 *x)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    MUST(ASN1_STRING_length(serial) == CHY_SERIAL_LEN &&
             memcmp(ASN1_STRING_get0_data(serial), s->serial, CHY_SERIAL_LEN) == 0 &&
             ASN1_STRING_type(serial) == V_ASN1_INTEGER,
         "the serial number is another");
}

static void check_ext(const struct sample *s, X509_EXTENSION *ext, size_t i)
{
    MUST((X509_EXTENSION_get_critical(ext) != 0) == s->ext[i].critical, "extension %zu: critical",
         i);
    const X509V3_EXT_METHOD *method = X509V3_EXT_get(ext);
    if (!method) return;
    void *value = X509V3_EXT_d2i(ext);
    MUST(value, "extension %zu (%s) does not decode", i, OBJ_nid2sn(method->ext_nid));
    if (method->ext_nid == NID_subject_alt_name) {
        MUST(sk_GENERAL_NAME_num(value) == s->n_alt_names, "subjectAltName: %d names, not %d",
             sk_GENERAL_NAME_num(value), s->n_alt_names);
    }
    if (method->it) {
        unsigned char *der = NULL;
        int n = ASN1_item_i2d(value, &der, ASN1_ITEM_ptr(method->it));
        MUST(n == (int)s->ext[i].value.n && memcmp(der, s->ext[i].value.p, (size_t)n) == 0,
             "extension %zu (%s) is encoded anew to other octets", i, OBJ_nid2sn(method->ext_nid));
        OPENSSL_free(der);
        ASN1_item_free(value, ASN1_ITEM_ptr(method->it));
    } else {
        method->ext_free(value);
    }
}

void judge(const struct sample *s, const struct authority *by)
{
    const unsigned char *p = s->cert.p;
    ERR_clear_error();
    X509 *x = d2i_X509(NULL, &p, (long)s->cert.n);
    MUST(x && p == s->cert.p + s->cert.n, "OpenSSL does not read it");
    MUST(X509_verify(x, X509_get0_pubkey(by->x509)) == 1, "the signature does not verify");
    MUST(X509_get_version(x) == 2 && X509_get0_pubkey(x), "version or public key");
    check_serial(s, x);
    check_time(X509_get0_notBefore(x), s->not_before, "notBefore");
    check_time(X509_get0_notAfter(x), s->not_after, "notAfter");
    check_name(s, X509_get_subject_name(x));
    MUST(X509_get_ext_count(x) == (int)s->n_ext, "%d extensions, not %zu", X509_get_ext_count(x),
         s->n_ext);
    for (size_t i = 0; i < s->n_ext; i++)
        check_ext(s, X509_get_ext(x, (int)i), i);
    MUST(X509_check_issued(by->x509, x) == X509_V_OK, "OpenSSL sees another issuer");
    MUST(!(X509_get_extension_flags(x) & EXFLAG_INVALID), "OpenSSL finds invalid extensions");
    MUST((X509_check_ca(x) == 1) == s->is_ca, "OpenSSL sees %s CA", s->is_ca ? "no" : "a");
    check_reencoded(s, x);
    X509_free(x);
}
