/* The CRLs of a CA as files, and its own certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/crls.h"
#include "publish.h"

enum { CERTS_MAX = 65536 };

struct run {
    struct job *j;
    struct kit_text json, html; /* for the list of CRLs */
};

/* A sanitized name and what a CRL's suffix is made of stay as they are, since the URL in the
 * certificates names the same file; no name leaves the folder or is hidden. */
void ca_name_add(struct ca_name *o, const char *p, size_t n)
{
    for (; n; n--, p++) {
        bool ok = *p >= 0x20 && *p <= 0x7e && *p != '/' && (*p != '.' || o->n > 0);
        if (o->n == FILE_NAME_MAX) {
            o->full = true;
            return;
        }
        o->text[o->n++] = ok ? *p : '_';
    }
    o->text[o->n] = 0;
}

chy_hresult ca_name_add_property(const struct job *j, const char *property, struct ca_name *o)
{
    chy_variant v;
    chy_hresult hr = kit_ca_property(&j->cb, property, CHY_PROPTYPE_STRING, &v);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    if (v.vt == CHY_VT_STR) ca_name_add(o, v.u.s.p, v.u.s.n);
    j->host->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult add_field(const struct job *j, char field, const struct kit_crl *c,
                             struct ca_name *o)
{
    char suffix[32];
    switch (field) {
    case '3': return ca_name_add_property(j, "SanitizedCAName", o);
    case '7': return ca_name_add_property(j, "SanitizedShortName", o);
    case '8':
        snprintf(suffix, sizeof suffix, "CRLSuffix.%d", (int)c->index);
        return ca_name_add_property(j, suffix, o);
    case '9': ca_name_add(o, "+", c->delta); return CHY_S_OK;
    default: ca_name_add(o, "%", 1); return CHY_S_OK;
    }
}

static chy_hresult crl_file_name(const struct job *j, const struct kit_crl *c, struct ca_name *o)
{
    char partition[32];
    chy_hresult hr = CHY_S_OK;
    *o = (struct ca_name){.n = 0};
    snprintf(partition, sizeof partition, "_Partition%05d", (int)c->partition);
    for (const char *p = j->s->crl_pattern; *p && !CHY_FAILED(hr); p++) {
        if (*p == '%') {
            hr = add_field(j, *++p, c, o);
        } else if (*p == '<') {
            ca_name_add(o, partition, c->partition ? strlen(partition) : 0);
            p += strlen(CRL_PARTITION) - 1;
        } else {
            ca_name_add(o, p, 1);
        }
    }
    return !CHY_FAILED(hr) && (o->full || !o->n) ? CHY_E_INVALIDARG : hr;
}

static void say(const struct job *j, const char *what, const char *folder, chy_hresult hr)
{
    char text[400];
    snprintf(text, sizeof text, "exit-publish: %s: nothing written to %.200s: 0x%08x", what, folder,
             (unsigned)hr);
    j->host->vt->log(j->host->self, CHY_LOG_ERROR, text);
}

static void failed(void *arg, const char *what, chy_hresult hr)
{
    const struct run *r = arg;
    say(r->j, what, r->j->s->crl_folder, hr);
}

static chy_hresult write_crl(void *arg, const struct kit_crl *c)
{
    struct run *r = arg;
    struct ca_name name;
    struct kit_text t = {.p = (char *)c->der, .n = c->n};
    chy_hresult hr = crl_file_name(r->j, c, &name);
    if (!CHY_FAILED(hr)) hr = write_file(r->j, r->j->s->crl_folder, name.text, &t);
    if (!CHY_FAILED(hr) && r->j->s->index)
        index_crl(r->j, name.text, c->index, c->partition, c->delta, &r->json, &r->html);
    return hr;
}

chy_hresult publish_crls(struct job *j)
{
    struct run r = {.j = j};
    chy_hresult hr = kit_crls(&(struct kit_crl_walk){
        .host = j->host, .cb = &j->cb, .each = write_crl, .failed = failed, .arg = &r});
    if (!CHY_FAILED(hr) && j->s->index) {
        hr = index_crls(j, &r.json, &r.html);
        if (CHY_FAILED(hr)) say(j, "the index of CRLs", j->s->folder, hr);
    }
    kit_text_free(&r.json);
    kit_text_free(&r.html);
    return hr;
}

static bool comes_again(const struct job *j)
{
    chy_long attempt = 0;
    return kit_ca_long(j->host, &j->cb, "EventAttempt", &attempt) == CHY_S_OK && attempt > 1;
}

/* What is there already is left alone: new CRLs come often, a new certificate of the CA seldom. Not
 * so when the event comes again: the command may still have to be told of it. */
static chy_hresult write_if_new(struct job *j, const struct ca_name *name, const struct kit_text *t)
{
    struct kit_text old = {.n = 0};
    if (name->full) return CHY_E_INVALIDARG;
    if (comes_again(j)) return write_file(j, j->s->ca_folder, name->text, t);
    chy_hresult hr = read_file(j->s->ca_folder, name->text, &old);
    bool same = hr == CHY_S_OK && old.n == t->n && (!t->n || memcmp(old.p, t->p, t->n) == 0);
    kit_text_free(&old);
    return same ? CHY_S_OK : write_file(j, j->s->ca_folder, name->text, t);
}

/* "NAME.crt", "NAME(1).crt", as the URL of the issuer in the certificates has it. */
static chy_hresult write_ca(struct job *j, chy_long index)
{
    char property[40];
    struct ca_name name = {.n = 0};
    chy_variant v;
    snprintf(property, sizeof property, "RawCACertificate.%d", (int)index);
    chy_hresult hr = kit_ca_property(&j->cb, property, CHY_PROPTYPE_BINARY, &v);
    if (hr != CHY_S_OK) return hr;
    struct kit_text t = {.p = (char *)v.u.b.p, .n = v.u.b.n};
    if (v.vt != CHY_VT_BYTES) hr = CHY_E_UNEXPECTED;
    if (!CHY_FAILED(hr)) hr = ca_name_add_property(j, "SanitizedCAName", &name);
    snprintf(property, sizeof property, "CertSuffix.%d", (int)index);
    if (!CHY_FAILED(hr)) hr = ca_name_add_property(j, property, &name);
    ca_name_add(&name, ".crt", 4);
    if (!CHY_FAILED(hr)) hr = write_if_new(j, &name, &t);
    j->host->vt->variant_clear(&v);
    return hr;
}

/* The newest certificate and those above it, as PEM. */
static chy_hresult write_chain(struct job *j)
{
    struct ca_name name = {.n = 0};
    chy_variant v;
    chy_hresult hr = kit_ca_property(&j->cb, "CACertificateChain", CHY_PROPTYPE_STRING, &v);
    if (hr != CHY_S_OK) return hr;
    struct kit_text t = {.p = v.u.s.p, .n = v.u.s.n};
    if (v.vt != CHY_VT_STR) hr = CHY_E_UNEXPECTED;
    if (!CHY_FAILED(hr)) hr = ca_name_add_property(j, "SanitizedCAName", &name);
    ca_name_add(&name, "-chain.pem", 10);
    if (!CHY_FAILED(hr)) hr = write_if_new(j, &name, &t);
    j->host->vt->variant_clear(&v);
    return hr;
}

chy_hresult publish_ca(struct job *j)
{
    chy_long certs = 0;
    chy_hresult hr = kit_ca_long(j->host, &j->cb, "CertCount", &certs);
    if (!CHY_FAILED(hr) && (certs < 0 || certs > CERTS_MAX)) hr = CHY_E_UNEXPECTED;
    for (chy_long i = 0; i < certs && !CHY_FAILED(hr); i++)
        hr = write_ca(j, i);
    if (!CHY_FAILED(hr)) hr = write_chain(j);
    if (CHY_FAILED(hr)) say(j, "the CA's certificates", j->s->ca_folder, hr);
    return CHY_FAILED(hr) ? hr : CHY_S_OK;
}
