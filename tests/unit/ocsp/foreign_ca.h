/* A foreign CA, made with OpenSSL, and its files in a folder of the test. Its CRLs are written so
 * that they can be wrong in every way that is asked for. */
#ifndef TEST_OCSP_FOREIGN_CA_H
#define TEST_OCSP_FOREIGN_CA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "ocsp/foreign.h"

#define DAY_US (86400 * CHY_US_PER_S)

struct foreign_ca {
    char dir[64];
    const char *name;
    EVP_PKEY *key, *signer_key;
    X509 *cert, *signer;
    chy_time now; /* in whole seconds */
};

struct listing {
    const struct chy_crl_entry *entry;
    size_t n;
    uint64_t number;
    bool is_delta;
    uint64_t base_number;
    chy_time this_update, next_update; /* 0: a minute ago, a day ahead */
    const struct chy_ext *ext;         /* besides the numbers */
    size_t n_ext;
    struct chy_span sig_alg; /* empty: the one of the key */
    EVP_PKEY *by;            /* NULL: the CA's key */
    X509 *issuer;            /* NULL: the CA */
    bool has_no_number, has_no_end, is_pem;
};

static inline void write_text(const struct foreign_ca *f, const char *suffix, struct chy_span text,
                              unsigned mode)
{
    char path[256];
    struct chy_err err = {0};
    snprintf(path, sizeof(path), "%s/%s%s", f->dir, f->name, suffix);
    if (chy_file_write(path, text, mode, &err) != CHY_S_OK) fail_msg("%s", err.text);
}

static inline void write_bio(const struct foreign_ca *f, const char *suffix, BIO *bio,
                             unsigned mode)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    write_text(f, suffix, chy_span_of(p, (size_t)n), mode);
    BIO_free(bio);
}

static inline void write_cert(const struct foreign_ca *f, const char *suffix, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    write_bio(f, suffix, bio, 0644);
}

static inline void write_key(const struct foreign_ca *f, EVP_PKEY *key, unsigned mode)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    write_bio(f, ".ocsp.key.pem", bio, mode);
}

/* exts: pairs of NID and value, ended by 0. */
struct extension {
    int nid;
    const char *value;
};

static inline X509 *cert_make(const char *cn, long serial, EVP_PKEY *key, X509 *issuer,
                              EVP_PKEY *by, long from_s, long to_s, const struct extension *exts)
{
    X509 *x = X509_new();
    X509V3_CTX ctx;
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    X509_gmtime_adj(X509_getm_notBefore(x), from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), to_s);
    X509_set_pubkey(x, key);
    X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
    for (; exts->nid; exts++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, exts->nid, exts->value);
        assert_non_null(e);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_sign(x, by, EVP_sha256()) > 0);
    return x;
}

static const struct extension ca_exts[] = {{NID_basic_constraints, "critical,CA:TRUE"},
                                           {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                           {NID_subject_key_identifier, "hash"},
                                           {0, NULL}};
static const struct extension signer_exts[] = {
    {NID_key_usage, "critical,digitalSignature"}, {NID_ext_key_usage, "OCSPSigning"}, {0, NULL}};

enum { SIGNER_SERIAL = 77 };

static inline void foreign_make(struct foreign_ca *f, const char *dir, const char *name)
{
    chy_time now = chy_now(&chy_system_clock);
    *f = (struct foreign_ca){.name = name, .now = now - now % CHY_US_PER_S};
    snprintf(f->dir, sizeof(f->dir), "%s", dir);
    f->key = EVP_EC_gen("P-256");
    f->signer_key = EVP_EC_gen("P-256");
    f->cert = cert_make(name, 1, f->key, NULL, f->key, -86400, 86400 * 30L, ca_exts);
    f->signer = cert_make("Signer", SIGNER_SERIAL, f->signer_key, f->cert, f->key, -3600,
                          86400 * 20L, signer_exts);
    write_cert(f, ".pem", f->cert);
    write_cert(f, ".ocsp.pem", f->signer);
    write_key(f, f->signer_key, 0600);
}

static inline void foreign_free(struct foreign_ca *f)
{
    EVP_PKEY_free(f->key);
    EVP_PKEY_free(f->signer_key);
    X509_free(f->cert);
    X509_free(f->signer);
}

static inline void sign_it(EVP_PKEY *key, struct chy_span tbs, struct chy_buf *out)
{
    uint8_t signature[512];
    size_t n = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &n, tbs.p, tbs.n), 1);
    chy_buf_add(out, signature, n);
    EVP_MD_CTX_free(ctx);
}

static inline size_t listing_exts(const struct listing *l, struct chy_buf number[2],
                                  struct chy_ext out[8])
{
    size_t n = 0;
    chy_buf_init(&number[0], 32);
    chy_buf_init(&number[1], 32);
    chy_crl_number_add(&number[0], l->number);
    chy_crl_number_add(&number[1], l->base_number);
    if (!l->has_no_number)
        out[n++] = (struct chy_ext){chy_oid_crl_number, false, chy_buf_span(&number[0])};
    if (l->is_delta)
        out[n++] = (struct chy_ext){chy_oid_delta_crl_indicator, true, chy_buf_span(&number[1])};
    for (size_t i = 0; i < l->n_ext; i++)
        out[n++] = l->ext[i];
    return n;
}

/* The whole CRL; out is made here. */
static inline void crl_make(const struct foreign_ca *f, const struct listing *l,
                            struct chy_buf *out)
{
    struct chy_err err = {0};
    struct chy_buf b[6], number[2];
    struct chy_ext ext[8];
    unsigned char *name = NULL;
    for (size_t i = 0; i < 6; i++)
        chy_buf_init(&b[i], 256 << 20);
    chy_buf_init(out, 256 << 20);
    for (size_t i = 0; i < l->n; i++)
        chy_crl_entry_add(&b[0], &l->entry[i]);
    size_t n_ext = listing_exts(l, number, ext);
    int n = i2d_X509_NAME(X509_get_subject_name(l->issuer ? l->issuer : f->cert), &name);
    const struct chy_sig_alg *alg = chy_sig_alg_for_key(f->key, NULL, &err);
    const struct chy_crl_parts parts = {.sig_alg = l->sig_alg.n ? l->sig_alg : alg->der,
                                        .issuer = chy_span_of(name, (size_t)n),
                                        .this_update = l->this_update ? l->this_update
                                                                      : f->now - 60 * CHY_US_PER_S,
                                        .next_update = l->has_no_end    ? CHY_TIME_DEFAULT
                                                       : l->next_update ? l->next_update
                                                                        : f->now + DAY_US,
                                        .ext = ext,
                                        .n_ext = n_ext};
    assert_int_equal(chy_crl_tbs(&parts, b[0].n, &b[1], &b[2], &err), CHY_S_OK);
    chy_buf_add_span(&b[1], chy_buf_span(&b[0]));
    chy_buf_add_span(&b[1], chy_buf_span(&b[2]));
    sign_it(l->by ? l->by : f->key, chy_buf_span(&b[1]), &b[3]);
    assert_int_equal(chy_crl_wrap(b[1].n, parts.sig_alg, chy_buf_span(&b[3]), &b[4], &b[5], &err),
                     CHY_S_OK);
    chy_buf_add_span(out, chy_buf_span(&b[4]));
    chy_buf_add_span(out, chy_buf_span(&b[1]));
    chy_buf_add_span(out, chy_buf_span(&b[5]));
    assert_false(out->failed);
    for (size_t i = 0; i < 6; i++)
        chy_buf_free(&b[i]);
    chy_buf_free(&number[0]);
    chy_buf_free(&number[1]);
    OPENSSL_free(name);
}

static inline void crl_write(const struct foreign_ca *f, const struct listing *l)
{
    struct chy_buf der, pem;
    crl_make(f, l, &der);
    chy_buf_init(&pem, 512 << 20);
    if (l->is_pem) chy_pem_add(&pem, "X509 CRL", chy_buf_span(&der));
    write_text(f, l->is_delta ? "+.crl" : ".crl", chy_buf_span(l->is_pem ? &pem : &der), 0644);
    chy_buf_free(&der);
    chy_buf_free(&pem);
}

static inline struct chy_crl_entry revoked_at(const uint8_t *serial, size_t n, chy_time when,
                                              int32_t reason)
{
    return (struct chy_crl_entry){chy_span_of(serial, n), when, reason, CHY_TIME_DEFAULT};
}

#endif
