/* The key that signs OCSP answers (RFC 6960 4.2.2.2): a delegated one whose certificate the CA
 * issues to itself through the door that all requests take, for each of its keys; or the CA's own
 * key.
 *
 * A delegated signer is kept in DIR/ocsp-KEY.pem, certificate and key in one file, and replaced
 * when half of its life is over. While there is none, and while the policy gives none, the CA's own
 * key answers: an answer is worth more than who signs it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ca/ca_internal.h"
#include "key/request.h"

struct held {
    struct chy_ocsp_signer signer; /* first: given out as that */
    atomic_uint refs;
    struct chy_buf der;
    struct chy_span serial; /* of a delegated one: in der */
    chy_time renew_at;      /* CHY_TIME_DEFAULT: never */
    bool is_delegated;
    atomic_bool is_doubted; /* its standing has changed */
};

struct chy_ocsp_signers {
    pthread_mutex_t lock;
    struct held *held[CHY_CA_MAX_CERTS]; /* by key index */
    chy_time ask_again;                  /* the policy gave none: not before then */
    atomic_bool asking;
};

enum { ASK_AGAIN_S = 60, FILE_MAX = 1 << 20 };

static void held_unref(struct held *h)
{
    if (!h || atomic_fetch_sub(&h->refs, 1) != 1) return;
    chy_key_free(h->signer.key);
    chy_buf_free(&h->der);
    chy_free(h);
}

void chy_ca_ocsp_signer_unref(const struct chy_ocsp_signer *s)
{
    held_unref((struct held *)(uintptr_t)s);
}

static struct held *held_new(struct chy_key *key, struct chy_err *err)
{
    struct held *h = chy_calloc(1, sizeof(*h));
    if (!h) {
        chy_fail_nomem(err, "OCSP signer");
        return NULL;
    }
    atomic_store(&h->refs, 1);
    chy_buf_init(&h->der, CHY_CERT_MAX);
    h->signer.key = chy_key_ref(key);
    h->renew_at = CHY_TIME_DEFAULT;
    if (chy_spki_key_id(chy_key_spki(key), h->signer.key_hash, err) == CHY_S_OK) return h;
    held_unref(h);
    return NULL;
}

static struct held *own_key(const struct chy_authority *a, struct chy_err *err)
{
    struct held *h = held_new(a->key, err);
    if (!h) return NULL;
    h->signer.sig_alg = a->sig_alg;
    h->signer.not_before = a->cert.not_before;
    h->signer.not_after = a->cert.not_after;
    return h;
}

/* A delegated signer counts when it is certified by this very key for this purpose, and holds. */
static chy_hresult check(const struct chy_ca *ca, const struct chy_authority *a,
                         const struct chy_key *key, const struct chy_cert *cert,
                         struct chy_err *err)
{
    struct chy_span purpose[8], key_id;
    size_t n = CHY_ARRAY_LEN(purpose);
    char oid[CHY_EXT_OID_TEXT];
    chy_time now = chy_now(ca->clock);
    const struct chy_ext *eku = chy_cert_find_ext(cert, chy_oid_ext_key_usage);
    const struct chy_ext *aki = chy_cert_find_ext(cert, chy_oid_authority_key_id);
    if (!chy_span_eq(chy_key_spki(key)->der, cert->key.der) ||
        !chy_span_eq(cert->issuer.der, a->cert.subject.der) || !aki ||
        !chy_aki_parse(aki->value, &key_id) || !chy_span_eq(key_id, a->key_id))
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "it is not of this CA key");
    if (!eku || !chy_eku_parse(eku->value, purpose, &n) || n != 1 ||
        !chy_oid_to_text(purpose[0], oid, sizeof(oid)) || strcmp(oid, "1.3.6.1.5.5.7.3.9") != 0)
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "it is not for OCSP signing alone");
    if (now < cert->not_before || now > cert->not_after)
        return chy_fail(err, CHY_ERROR_INVALID_DATA, "it does not hold now");
    return CHY_S_OK;
}

/* Its certificate says that nobody need ask (nocheck): so it is for the CA to stop. */
static bool is_revoked(struct chy_ca *ca, struct chy_span serial)
{
    struct chy_standing s;
    return chy_ca_standing(ca, serial, &s, NULL) == CHY_S_OK &&
           s.disposition == CHY_DB_DISP_REVOKED &&
           chy_counts_by(s.effective_when, s.revoked_when, chy_now(ca->clock));
}

/* Takes over nothing; key stays the caller's. */
static struct held *delegated(struct chy_ca *ca, const struct chy_authority *a, struct chy_key *key,
                              struct chy_span der, struct chy_err *err)
{
    struct chy_cert cert;
    struct held *h = held_new(key, err);
    if (!h) return NULL;
    chy_buf_add_span(&h->der, der);
    h->signer.cert = chy_buf_span(&h->der);
    h->signer.sig_alg = chy_key_sig_alg(key, NULL, err);
    chy_hresult hr = chy_buf_done(&h->der, "OCSP signer", err);
    if (hr == CHY_S_OK) hr = chy_cert_parse(h->signer.cert, &cert, err);
    if (hr == CHY_S_OK) hr = check(ca, a, key, &cert, err);
    if (hr == CHY_S_OK && is_revoked(ca, cert.serial))
        hr = chy_fail(err, CHY_ERROR_INVALID_DATA, "it is revoked");
    if (hr != CHY_S_OK || !h->signer.sig_alg) {
        held_unref(h);
        return NULL;
    }
    h->is_delegated = true;
    h->serial = cert.serial;
    h->signer.not_before = cert.not_before;
    h->signer.not_after = cert.not_after;
    h->renew_at = cert.not_before + (cert.not_after - cert.not_before) / 2;
    return h;
}

/* ---- the files: ocsp-KEY.pem has the certificate, ocsp-KEY.key.pem its key ---- */
static void path_of(const struct chy_ca *ca, int32_t key_index, const char *what, char *out,
                    size_t cap)
{
    snprintf(out, cap, "%s/ocsp-%d%s.pem", ca->dir, key_index, what);
}

static struct held *load(struct chy_ca *ca, const struct chy_authority *a)
{
    static const char *const labels[] = {"CERTIFICATE", NULL};
    char path[4096];
    struct chy_err err = {0};
    struct chy_buf pem, der;
    struct chy_key *key = NULL;
    struct held *h = NULL;
    size_t pos = 0;
    chy_buf_init(&pem, FILE_MAX);
    chy_buf_init(&der, CHY_CERT_MAX);
    path_of(ca, a->key_index, "", path, sizeof(path));
    if (access(path, F_OK) == 0 && chy_file_read(path, FILE_MAX, &pem, &err) == CHY_S_OK &&
        chy_pem_next(chy_buf_span(&pem), labels, &pos, &der, &err) == CHY_S_OK) {
        path_of(ca, a->key_index, ".key", path, sizeof(path));
        if (chy_key_load(path, &key, &err) == CHY_S_OK)
            h = delegated(ca, a, key, chy_buf_span(&der), &err);
    }
    if (!h && err.code != CHY_S_OK)
        chy_log(CHY_LOG_LEVEL_WARNING, "ocsp.signer.unusable", "ca", chy_ca_name(ca), "error",
                err.text, NULL);
    chy_key_free(key);
    chy_buf_free(&pem);
    chy_buf_free(&der);
    return h;
}

static chy_hresult save(const struct chy_ca *ca, int32_t key_index, const struct chy_key *key,
                        struct chy_span cert, struct chy_err *err)
{
    char path[4096];
    struct chy_buf pem;
    chy_buf_init(&pem, FILE_MAX);
    chy_pem_add(&pem, "CERTIFICATE", cert);
    path_of(ca, key_index, ".key", path, sizeof(path));
    chy_hresult hr = chy_key_save(key, path, err);
    path_of(ca, key_index, "", path, sizeof(path));
    if (hr == CHY_S_OK) hr = chy_buf_done(&pem, "OCSP signer", err);
    if (hr == CHY_S_OK) hr = chy_file_write(path, chy_buf_span(&pem), 0644, err);
    chy_buf_free(&pem);
    return hr;
}

/* ---- asking the CA for one ---- */
struct asking {
    struct chy_ca *ca;
    struct chy_ocsp_signers *signers;
    const struct chy_authority *authority;
    struct chy_key *key;
    bool resubmitted;
};

static const struct chy_caller self = {"chancery", CHY_CA_ACCESS_ADMIN | CHY_CA_ACCESS_OFFICER |
                                                       CHY_CA_ACCESS_ENROLL | CHY_CA_ACCESS_READ};

static void put(struct chy_ocsp_signers *s, int32_t key_index, struct held *h)
{
    pthread_mutex_lock(&s->lock);
    struct held *old = s->held[key_index];
    s->held[key_index] = h;
    pthread_mutex_unlock(&s->lock);
    held_unref(old);
}

static void end_asking(struct asking *q, const char *why)
{
    struct chy_ca *ca = q->ca;
    if (why)
        chy_log(CHY_LOG_LEVEL_WARNING, "ocsp.signer.none", "ca", chy_ca_name(ca), "reason", why,
                "remedy",
                "the CA's own key signs OCSP answers until the policy allows "
                "\"ocsp-signing\"; OCSPSigner=ca leaves it so",
                NULL);
    atomic_store(&q->signers->asking, false);
    chy_key_free(q->key);
    chy_free(q);
    chy_ca_leave(ca);
}

struct arrival {
    struct asking *asking;
    struct chy_buf cert;
};

/* Thread: worker. Writing the files does not belong on the store's thread. */
static void arrived(void *arg)
{
    struct arrival *v = arg;
    struct asking *q = v->asking;
    struct chy_err err = {0};
    struct held *h = delegated(q->ca, q->authority, q->key, chy_buf_span(&v->cert), &err);
    if (h && save(q->ca, q->authority->key_index, q->key, chy_buf_span(&v->cert), &err) != CHY_S_OK)
        chy_log(CHY_LOG_LEVEL_WARNING, "ocsp.signer.unsaved", "ca", chy_ca_name(q->ca), "error",
                err.text, NULL);
    if (h) {
        put(q->signers, q->authority->key_index, h);
        chy_log(CHY_LOG_LEVEL_INFO, "ocsp.signer", "ca", chy_ca_name(q->ca), NULL);
    }
    end_asking(q, h ? NULL : err.text);
    chy_buf_free(&v->cert);
    chy_free(v);
}

/* Whoever asks for ocsp-signing waits for an officer; the CA is its own. */
static void outcome(const struct chy_outcome *o, void *arg)
{
    struct asking *q = arg;
    char text[200];
    if (o->status == CHY_S_OK && o->disposition == CHY_DB_DISP_PENDING && !q->resubmitted) {
        q->resubmitted = true;
        chy_ca_resubmit(q->ca, &self, o->request_id, outcome, q);
        return;
    }
    if (o->status != CHY_S_OK || o->disposition != CHY_DB_DISP_ISSUED) {
        snprintf(text, sizeof(text), "%.*s",
                 o->status == CHY_S_OK ? (int)o->message.n : (int)strlen(o->err.text),
                 o->status == CHY_S_OK ? (const char *)o->message.p : o->err.text);
        end_asking(q, text);
        return;
    }
    struct arrival *v = chy_calloc(1, sizeof(*v));
    if (v) {
        v->asking = q;
        chy_buf_init(&v->cert, CHY_CERT_MAX);
        chy_buf_add_span(&v->cert, o->certificate);
        if (!v->cert.failed && chy_workers_run(q->ca->workers, arrived, v)) return;
        chy_buf_free(&v->cert);
        chy_free(v);
    }
    end_asking(q, "there is no memory for it");
}

static chy_hresult make_request(const struct chy_ca *ca, struct chy_key *key, struct chy_buf *der,
                                struct chy_err *err)
{
    struct chy_buf subject;
    char cn[80];
    const struct chy_name_prop *prop = &chy_name_props[chy_name_prop_find("CommonName")];
    chy_buf_init(&subject, 4096);
    snprintf(cn, sizeof(cn), "%.50s OCSP", ca->short_name);
    size_t mark = chy_name_open(&subject);
    chy_name_add(&subject, prop->oid, prop->tag, chy_span_cstr(cn));
    chy_name_close(&subject, mark);
    chy_hresult hr = chy_buf_done(&subject, "OCSP signer", err);
    if (hr == CHY_S_OK) hr = chy_key_request(key, chy_buf_span(&subject), NULL, 0, der, err);
    chy_buf_free(&subject);
    return hr;
}

/* Only the newest key issues: an older one signs its answers itself. Thread: any that may wait for
 * a key to be made. */
static void ask(struct chy_ca *ca, const struct chy_authority *a)
{
    struct chy_ocsp_signers *s = ca->ocsp_signers;
    struct chy_err err = {0};
    struct chy_buf der;
    if (a != chy_ca_current(ca) || atomic_exchange(&s->asking, true)) return;
    struct asking *q = chy_calloc(1, sizeof(*q));
    if (!q) {
        atomic_store(&s->asking, false);
        return;
    }
    *q = (struct asking){.ca = ca, .signers = s, .authority = a};
    chy_ca_enter(ca);
    chy_buf_init(&der, CHY_CSR_MAX);
    chy_hresult hr = chy_key_generate("p256", &q->key, &err);
    if (hr == CHY_S_OK) hr = make_request(ca, q->key, &der, &err);
    if (hr == CHY_S_OK) {
        const struct chy_submission sub = {.caller = self,
                                           .request = chy_buf_span(&der),
                                           .attributes =
                                               CHY_SPAN_STR("CertificateTemplate:ocsp-signing\n")};
        chy_ca_submit(ca, &sub, outcome, q);
    } else {
        end_asking(q, err.text);
    }
    chy_buf_free(&der);
}

/* ---- giving it out ---- */
static const struct chy_authority *authority_of(const struct chy_ca *ca, int32_t key_index)
{
    const struct chy_authority *found = NULL;
    for (size_t i = 0; i < atomic_load(&ca->n_authorities); i++) {
        if (ca->authority[i]->key_index == key_index) found = ca->authority[i];
    }
    return found;
}

static struct held *take(struct chy_ocsp_signers *s, int32_t key_index, chy_time now)
{
    pthread_mutex_lock(&s->lock);
    struct held *h = s->held[key_index];
    if (h && h->signer.not_after < now) h = NULL;
    if (h) atomic_fetch_add(&h->refs, 1);
    pthread_mutex_unlock(&s->lock);
    return h;
}

static bool may_ask(struct chy_ocsp_signers *s, chy_time now)
{
    pthread_mutex_lock(&s->lock);
    bool yes = s->ask_again == CHY_TIME_DEFAULT || now >= s->ask_again ||
               s->ask_again > now + ASK_AGAIN_S * CHY_US_PER_S; /* of a clock that was ahead */
    if (yes) s->ask_again = now + ASK_AGAIN_S * CHY_US_PER_S;
    pthread_mutex_unlock(&s->lock);
    return yes;
}

static struct held *find(struct chy_ca *ca, const struct chy_authority *a, bool by_ca_key,
                         struct chy_err *err)
{
    struct chy_ocsp_signers *s = ca->ocsp_signers;
    chy_time now = chy_now(ca->clock);
    struct held *h = take(s, a->key_index, now);
    bool is_out = h && atomic_load(&h->is_doubted) && is_revoked(ca, h->serial);
    if (!h || is_out || (h->is_delegated && by_ca_key)) {
        held_unref(h);
        h = by_ca_key ? NULL : load(ca, a);
        if (!h) h = own_key(a, err);
        if (!h) return NULL;
        atomic_fetch_add(&h->refs, 1);
        put(s, a->key_index, h);
    }
    /* An older key must not use up the turn of the newest, the only one that issues. */
    bool wanted = !by_ca_key && a == chy_ca_current(ca) && (!h->is_delegated || now >= h->renew_at);
    if (wanted && may_ask(s, now)) ask(ca, a);
    return h;
}

void chy_ocsp_signers_changed(struct chy_ca *ca, struct chy_span serial)
{
    struct chy_ocsp_signers *s = ca->ocsp_signers;
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < CHY_ARRAY_LEN(s->held); i++) {
        struct held *h = s->held[i];
        if (h && h->is_delegated && chy_span_eq(h->serial, serial))
            atomic_store(&h->is_doubted, true);
    }
    pthread_mutex_unlock(&s->lock);
}

chy_hresult chy_ca_ocsp_signer(struct chy_ca *ca, int32_t key_index,
                               const struct chy_ocsp_signer **out, struct chy_err *err)
{
    const struct chy_authority *a = authority_of(ca, key_index);
    struct chy_settings *s = chy_settings_get(ca);
    bool by_ca_key = s->ocsp_by_ca_key;
    chy_settings_unref(s);
    if (!a)
        return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND, "OCSP: this CA has no key %d", key_index);
    chy_hresult hr = chy_health_clock(ca, err);
    if (hr != CHY_S_OK) return hr;
    struct held *h = find(ca, a, by_ca_key, err);
    if (!h) return err->code;
    *out = &h->signer;
    return CHY_S_OK;
}

void chy_ca_ocsp_settings(struct chy_ca *ca, struct chy_ca_ocsp_settings *out)
{
    struct chy_settings *s = chy_settings_get(ca);
    *out = s->ocsp;
    chy_settings_unref(s);
}

chy_hresult chy_ocsp_signers_new(struct chy_ca *ca, struct chy_err *err)
{
    struct chy_ocsp_signers *s = chy_calloc(1, sizeof(*s));
    if (!s) return chy_fail_nomem(err, "OCSP signer");
    pthread_mutex_init(&s->lock, NULL);
    s->ask_again = CHY_TIME_DEFAULT;
    ca->ocsp_signers = s;
    return CHY_S_OK;
}

void chy_ocsp_signers_free(struct chy_ca *ca)
{
    struct chy_ocsp_signers *s = ca->ocsp_signers;
    if (!s) return;
    for (size_t i = 0; i < CHY_ARRAY_LEN(s->held); i++)
        held_unref(s->held[i]);
    pthread_mutex_destroy(&s->lock);
    chy_free(s);
    ca->ocsp_signers = NULL;
}
