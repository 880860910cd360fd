/* The files of one foreign CA, read and checked: its certificate, its CRLs (RFC 5280 5 and 6.3.3)
 * and the signer that it has delegated to (RFC 6960 4.2.2.2). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ocsp/foreign.h"

enum { FILE_MAX = 1 << 20, PURPOSES_MAX = 32, PATH_SIZE = 4096 };

struct loading {
    const char *dir, *name;
    chy_time now;
    const struct chy_ocsp_foreign *held;
    struct chy_verifier *v;
    struct chy_ocsp_foreign *f;
    char path[PATH_SIZE]; /* of the file at hand */
    struct chy_err *err;
};

static const char *path_of(struct loading *l, const char *suffix)
{
    snprintf(l->path, sizeof(l->path), "%s/%s%s", l->dir, l->name, suffix);
    return l->path;
}

static chy_hresult refuse(struct loading *l, const char *what)
{
    return chy_fail(l->err, CHY_ERROR_INVALID_DATA, "%s: %s", l->path, what);
}

static chy_hresult wrapped(struct loading *l, chy_hresult hr)
{
    if (hr != CHY_S_OK && !strstr(l->err->text, l->path)) (void)chy_wrap(l->err, "%s", l->path);
    return hr;
}

static chy_hresult read_cert(struct loading *l, struct chy_buf *der, struct chy_cert *out)
{
    static const char *const labels[] = {"CERTIFICATE", NULL};
    struct chy_buf pem;
    size_t pos = 0;
    chy_buf_init(&pem, FILE_MAX);
    chy_hresult hr = chy_file_read(l->path, FILE_MAX, &pem, l->err);
    if (hr == CHY_S_OK) hr = chy_pem_next(chy_buf_span(&pem), labels, &pos, der, l->err);
    if (hr == CHY_S_FALSE) hr = refuse(l, "there is no PEM block \"CERTIFICATE\"");
    if (hr == CHY_S_OK) hr = chy_cert_parse(chy_buf_span(der), out, l->err);
    chy_buf_free(&pem);
    return wrapped(l, hr);
}

static chy_hresult verify(struct loading *l, const struct chy_sig_alg *alg, struct chy_span tbs,
                          struct chy_span signature)
{
    if (!alg) return refuse(l, "its signature algorithm is not known");
    return wrapped(l, chy_verify(l->v, &l->f->cert.key, alg, tbs, signature, l->err));
}

/* ---- NAME.pem ---- */
static chy_hresult load_ca(struct loading *l)
{
    struct chy_ocsp_foreign *f = l->f;
    struct chy_basic_constraints bc = {.ca = false};
    unsigned usage = CHY_KU_CRL_SIGN;
    path_of(l, ".pem");
    chy_hresult hr = read_cert(l, &f->cert_der, &f->cert);
    if (hr != CHY_S_OK) return hr;
    const struct chy_ext *constraints = chy_cert_find_ext(&f->cert, chy_oid_basic_constraints);
    const struct chy_ext *ku = chy_cert_find_ext(&f->cert, chy_oid_key_usage);
    if (!constraints || !chy_basic_constraints_parse(constraints->value, &bc) || !bc.ca)
        return refuse(l, "it is no CA's certificate (RFC 5280 4.2.1.9)");
    if (ku && (!chy_key_usage_parse(ku->value, &usage) || !(usage & CHY_KU_CRL_SIGN)))
        return refuse(l, "its key may not sign CRLs (RFC 5280 4.2.1.3)");
    hr = chy_verifier_sha1(l->v, f->cert.subject.der, f->name_hash[0], l->err);
    if (hr == CHY_S_OK) hr = chy_verifier_sha1(l->v, f->cert.key.bits, f->key_hash[0], l->err);
    if (hr == CHY_S_OK)
        hr = chy_verifier_sha256(l->v, f->cert.subject.der, f->name_hash[1], l->err);
    return hr == CHY_S_OK ? chy_verifier_sha256(l->v, f->cert.key.bits, f->key_hash[1], l->err)
                          : hr;
}

/* ---- NAME.ocsp.pem, NAME.ocsp.key.pem ---- */
static chy_hresult check_signer(struct loading *l, const struct chy_cert *c)
{
    static const uint8_t ocsp_signing[] = {0x2b, 6, 1, 5, 5, 7, 3, 9};
    struct chy_span purpose[PURPOSES_MAX];
    size_t n = PURPOSES_MAX;
    unsigned usage = CHY_KU_DIGITAL_SIGNATURE;
    bool for_ocsp = false;
    const struct chy_ext *eku = chy_cert_find_ext(c, chy_oid_ext_key_usage);
    const struct chy_ext *ku = chy_cert_find_ext(c, chy_oid_key_usage);
    if (!chy_span_eq(c->issuer.der, l->f->cert.subject.der))
        return refuse(l, "its issuer is not this CA");
    chy_hresult hr = verify(l, c->sig_alg, c->tbs, c->signature);
    if (hr != CHY_S_OK) return hr;
    if (eku && chy_eku_parse(eku->value, purpose, &n)) {
        for (size_t i = 0; i < n; i++)
            for_ocsp = for_ocsp || chy_span_eq(purpose[i], CHY_SPAN(ocsp_signing));
    }
    if (!for_ocsp) return refuse(l, "it is not for OCSPSigning (RFC 6960 4.2.2.2)");
    if (ku && (!chy_key_usage_parse(ku->value, &usage) || !(usage & CHY_KU_DIGITAL_SIGNATURE)))
        return refuse(l, "its key may not sign (RFC 5280 4.2.1.3)");
    if (l->now < c->not_before) return refuse(l, "it is not valid yet");
    if (l->now > c->not_after) return refuse(l, "it has expired");
    return CHY_S_OK;
}

static chy_hresult load_signer(struct loading *l, struct chy_cert *c)
{
    struct chy_ocsp_foreign *f = l->f;
    path_of(l, ".ocsp.pem");
    chy_hresult hr = read_cert(l, &f->signer_der, c);
    if (hr == CHY_S_OK) hr = check_signer(l, c);
    if (hr != CHY_S_OK) return hr;
    path_of(l, ".ocsp.key.pem");
    hr = chy_key_load(l->path, &f->signer.key, l->err);
    if (hr != CHY_S_OK) return wrapped(l, hr);
    if (!chy_span_eq(chy_key_spki(f->signer.key)->der, c->key.der))
        return refuse(l, "it is not the key of the signer's certificate");
    f->signer.sig_alg = chy_key_sig_alg(f->signer.key, NULL, l->err);
    if (!f->signer.sig_alg) return wrapped(l, l->err->code);
    f->signer.cert = chy_buf_span(&f->signer_der);
    f->signer.not_before = c->not_before;
    f->signer.not_after = c->not_after;
    return chy_verifier_sha1(l->v, c->key.bits, f->signer.key_hash, l->err);
}

/* ---- NAME.crl, NAME+.crl ---- */

/* Of part of the certificates nothing can be said about the others. A point alone may be one of
 * several as well. */
static const char *restriction(struct chy_span value)
{
    static const char *const what[] = {"a distribution point: it may be one part of several",
                                       "onlyContainsUserCerts",
                                       "onlyContainsCACerts",
                                       "onlySomeReasons",
                                       "indirectCRL",
                                       "onlyContainsAttributeCerts"};
    struct chy_der d = chy_der_of(value), list;
    struct chy_tlv t;
    size_t worst = 0;
    if (!chy_der_enter(&d, CHY_DER_SEQUENCE, &list)) return "what is no issuingDistributionPoint";
    while (chy_der_read(&list, &t)) {
        if ((t.tag & 0x1fu) < CHY_ARRAY_LEN(what)) worst = t.tag & 0x1fu;
    }
    return what[worst];
}

static chy_hresult check_crl_exts(struct loading *l, const struct chy_crl *c)
{
    struct chy_span theirs, ours;
    const struct chy_ext *ski = chy_cert_find_ext(&l->f->cert, chy_oid_subject_key_id);
    for (size_t i = 0; i < c->n_ext; i++) {
        const struct chy_ext *e = &c->ext[i];
        if (chy_span_eq(e->oid, chy_oid_issuing_distribution_point))
            return chy_fail(l->err, CHY_ERROR_INVALID_DATA,
                            "%s: its scope is restricted (RFC 5280 5.2.5) by %s", l->path,
                            restriction(e->value));
        if (chy_span_eq(e->oid, chy_oid_authority_key_id) && ski &&
            chy_aki_parse(e->value, &theirs) && theirs.n && chy_ski_parse(ski->value, &ours) &&
            !chy_span_eq(theirs, ours))
            return refuse(l, "it is of another key: authorityKeyIdentifier (RFC 5280 5.2.1)");
        if (e->critical && !chy_span_eq(e->oid, chy_oid_delta_crl_indicator) &&
            !chy_span_eq(e->oid, chy_oid_authority_key_id) &&
            !chy_span_eq(e->oid, chy_oid_crl_number))
            return refuse(l, "it has a critical extension that is not known (RFC 5280 5.2)");
    }
    return CHY_S_OK;
}

static chy_hresult check_crl(struct loading *l, const struct chy_ocsp_crl *crl, bool as_delta)
{
    const struct chy_crl *c = &crl->crl;
    if (!chy_span_eq(c->issuer.der, l->f->cert.subject.der))
        return refuse(l, "its issuer is not this CA");
    if (c->is_delta != as_delta)
        return refuse(l, as_delta ? "it is no delta CRL (RFC 5280 5.2.4)"
                                  : "it is a delta CRL (RFC 5280 5.2.4)");
    chy_hresult hr = check_crl_exts(l, c);
    if (hr != CHY_S_OK) return hr;
    if (c->next_update == CHY_TIME_DEFAULT) return refuse(l, "it has no nextUpdate (5.1.2.5)");
    if (c->next_update <= c->this_update)
        return refuse(l, "its nextUpdate is not behind its thisUpdate");
    if (c->this_update > l->now) return refuse(l, "its thisUpdate lies ahead");
    return verify(l, c->sig_alg, c->tbs, c->signature);
}

static chy_hresult load_crl(struct loading *l, struct chy_ocsp_crl *crl, bool as_delta)
{
    path_of(l, as_delta ? "+.crl" : ".crl");
    chy_hresult hr = chy_ocsp_crl_read(crl, l->path, l->err);
    if (hr == CHY_S_OK) hr = check_crl(l, crl, as_delta);
    if (hr == CHY_S_OK) hr = chy_ocsp_crl_index(crl, l->err);
    return wrapped(l, hr);
}

/* RFC 5280 5.2.4: which base a delta goes with. One that is no newer than the base tells nothing
 * that the base does not. */
static chy_hresult load_delta(struct loading *l)
{
    struct chy_ocsp_foreign *f = l->f;
    if (access(path_of(l, "+.crl"), F_OK) != 0) return CHY_S_OK;
    chy_hresult hr = load_crl(l, &f->delta, true);
    if (hr != CHY_S_OK) return hr;
    const struct chy_crl *base = &f->base.crl, *delta = &f->delta.crl;
    if (!base->has_number || !delta->has_number)
        return refuse(l, "it or its base has no CRL number (RFC 5280 5.2.3)");
    if (delta->base_number > base->number)
        return refuse(l, "it goes with a newer base (BaseCRLNumber, RFC 5280 5.2.4)");
    f->has_delta = delta->number > base->number;
    if (!f->has_delta) chy_ocsp_crl_fini(&f->delta);
    return CHY_S_OK;
}

static void combine(struct chy_ocsp_foreign *f)
{
    const struct chy_crl *base = &f->base.crl, *delta = &f->delta.crl;
    f->this_update = base->this_update;
    f->next_update = base->next_update;
    if (!f->has_delta) return;
    if (delta->this_update > f->this_update) f->this_update = delta->this_update;
    if (delta->next_update < f->next_update) f->next_update = delta->next_update;
}

static chy_hresult load_all(struct loading *l)
{
    struct chy_ocsp_foreign *f = l->f;
    struct chy_cert signer;
    struct chy_crl_entry e;
    chy_hresult hr = load_ca(l);
    if (hr == CHY_S_OK) hr = load_signer(l, &signer);
    if (hr == CHY_S_OK) hr = load_crl(l, &f->base, false);
    if (hr == CHY_S_OK) hr = load_delta(l);
    if (hr != CHY_S_OK) return hr;
    combine(f);
    f->signer_revoked = chy_ocsp_foreign_revoked(f, signer.serial, &e);
    if (l->held && l->now < l->held->next_update && f->this_update < l->held->this_update &&
        chy_span_eq(f->cert.key.der, l->held->cert.key.der)) {
        path_of(l, ".crl");
        return refuse(l, "it is older than what is in use");
    }
    return CHY_S_OK;
}

chy_hresult chy_ocsp_foreign_load(const char *dir, const char *name, chy_time now,
                                  const struct chy_ocsp_foreign *held, struct chy_verifier *v,
                                  struct chy_ocsp_foreign **out, struct chy_err *err)
{
    struct chy_err local = {.code = CHY_S_OK};
    struct chy_ocsp_foreign *f = chy_calloc(1, sizeof(*f));
    struct loading l = {dir, name, now, held, v, f, "", err ? err : &local};
    if (!f) return chy_fail_nomem(err, "foreign CA");
    atomic_store(&f->refs, 1);
    snprintf(f->name, sizeof(f->name), "%s", name);
    chy_buf_init(&f->cert_der, CHY_CERT_MAX);
    chy_buf_init(&f->signer_der, CHY_CERT_MAX);
    chy_ocsp_crl_init(&f->base);
    chy_ocsp_crl_init(&f->delta);
    chy_hresult hr = load_all(&l);
    if (hr == CHY_S_OK) {
        *out = f;
    } else {
        chy_ocsp_foreign_unref(f);
    }
    return hr;
}

void chy_ocsp_foreign_unref(struct chy_ocsp_foreign *f)
{
    if (!f || atomic_fetch_sub(&f->refs, 1) != 1) return;
    chy_key_free(f->signer.key);
    chy_ocsp_crl_fini(&f->base);
    chy_ocsp_crl_fini(&f->delta);
    chy_buf_free(&f->cert_der);
    chy_buf_free(&f->signer_der);
    chy_free(f);
}

/* ---- asking ---- */
bool chy_ocsp_foreign_is(const struct chy_ocsp_foreign *f, const struct chy_ocsp_id *id)
{
    if (id->hash == CHY_OCSP_HASH_OTHER) return false;
    size_t which = id->hash == CHY_OCSP_SHA256;
    return memcmp(f->key_hash[which], id->key_hash.p, id->key_hash.n) == 0 &&
           memcmp(f->name_hash[which], id->name_hash.p, id->name_hash.n) == 0;
}

bool chy_ocsp_foreign_revoked(const struct chy_ocsp_foreign *f, struct chy_span serial,
                              struct chy_crl_entry *out)
{
    if (f->has_delta && chy_ocsp_crl_find(&f->delta, serial, out))
        return out->reason != CHY_CRL_REASON_REMOVE_FROM_CRL;
    return chy_ocsp_crl_find(&f->base, serial, out);
}
