/* The CRLs of a CA as files: for each of its keys the base CRL, and the delta CRL where there is
 * one, in as many partitions as the CA has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "publish.h"

enum { FILE_NAME_MAX = 255, PARTITION_MAX = 99999, CERTS_MAX = 65536 };

struct run {
    const chy_host *host;
    const struct settings *s;
    const chy_server_exit *cb;
    bool deltas;
    chy_hresult first; /* failure */
};

struct crl {
    chy_long index, partition;
    bool delta;
};

/* S_FALSE: the CA has no such value. */
static chy_hresult ask(struct run *r, const char *name, chy_long type, chy_variant *out)
{
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    chy_hresult hr = r->cb->vt->get_certificate_property(r->cb->self, name, type, out);
    return hr == CHY_CERTSRV_E_PROPERTY_EMPTY || hr == CHY_ERROR_FILE_NOT_FOUND ? CHY_S_FALSE : hr;
}

static chy_hresult ask_long(struct run *r, const char *name, chy_long *out)
{
    chy_variant v;
    chy_hresult hr = ask(r, name, CHY_PROPTYPE_LONG, &v);
    if (hr != CHY_S_OK) return hr;
    if (v.vt == CHY_VT_LONG) *out = v.u.l;
    hr = v.vt == CHY_VT_LONG ? CHY_S_OK : CHY_E_UNEXPECTED;
    r->host->vt->variant_clear(&v);
    return hr;
}

struct file_name {
    char text[FILE_NAME_MAX + 1];
    size_t n;
    bool full; /* a cut name could be another CRL's */
};

/* A sanitized name and what a CRL's suffix is made of stay as they are, since the URL in the
 * certificates names the same file; no name leaves the folder or is hidden. */
static void add_clean(struct file_name *o, const char *p, size_t n)
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

static chy_hresult add_property(struct run *r, const char *name, struct file_name *o)
{
    chy_variant v;
    chy_hresult hr = ask(r, name, CHY_PROPTYPE_STRING, &v);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    if (v.vt == CHY_VT_STR) add_clean(o, v.u.s.p, v.u.s.n);
    r->host->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult add_field(struct run *r, char field, const struct crl *c, struct file_name *o)
{
    char suffix[32];
    switch (field) {
    case '3': return add_property(r, "SanitizedCAName", o);
    case '7': return add_property(r, "SanitizedShortName", o);
    case '8':
        snprintf(suffix, sizeof suffix, "CRLSuffix.%d", (int)c->index);
        return add_property(r, suffix, o);
    case '9': add_clean(o, "+", c->delta); return CHY_S_OK;
    default: add_clean(o, "%", 1); return CHY_S_OK;
    }
}

static chy_hresult crl_file_name(struct run *r, const struct crl *c, struct file_name *o)
{
    char partition[32];
    chy_hresult hr = CHY_S_OK;
    *o = (struct file_name){.n = 0};
    snprintf(partition, sizeof partition, "_Partition%05d", (int)c->partition);
    for (const char *p = r->s->crl_pattern; *p && !CHY_FAILED(hr); p++) {
        if (*p == '%') {
            hr = add_field(r, *++p, c, o);
        } else if (*p == '<') {
            add_clean(o, partition, c->partition ? strlen(partition) : 0);
            p += strlen(CRL_PARTITION) - 1;
        } else {
            add_clean(o, p, 1);
        }
    }
    return !CHY_FAILED(hr) && (o->full || !o->n) ? CHY_E_INVALIDARG : hr;
}

static void failed(struct run *r, const char *what, chy_hresult hr)
{
    char text[400];
    snprintf(text, sizeof text, "exit-publish: %s: nothing written to %.200s: 0x%08x", what,
             r->s->crl_folder, (unsigned)hr);
    r->host->vt->log(r->host->self, CHY_LOG_ERROR, text);
    if (!CHY_FAILED(r->first)) r->first = hr;
}

static void property_name(const struct crl *c, char *out, size_t size)
{
    const char *kind = c->delta ? "RawDeltaCRL" : "RawCRL";
    if (c->partition)
        snprintf(out, size, "%s.%d.%d", kind, (int)c->index, (int)c->partition);
    else
        snprintf(out, size, "%s.%d", kind, (int)c->index);
}

/* False: the CA has no such CRL. One that cannot be written does not keep the others from it. */
static bool write_crl(struct run *r, const struct crl *c)
{
    struct file_name name;
    char property[64];
    chy_variant v;
    property_name(c, property, sizeof property);
    chy_hresult hr = ask(r, property, CHY_PROPTYPE_BINARY, &v);
    if (hr == CHY_S_FALSE) return false;
    bool empty = !CHY_FAILED(hr) && (v.vt != CHY_VT_BYTES || !v.u.b.n);
    if (empty) hr = CHY_E_UNEXPECTED;
    if (!CHY_FAILED(hr)) hr = crl_file_name(r, c, &name);
    if (!CHY_FAILED(hr)) {
        struct kit_text t = {.p = (char *)v.u.b.p, .n = v.u.b.n};
        hr = write_file(r->s, r->s->crl_folder, name.text, &t);
    }
    r->host->vt->variant_clear(&v);
    if (CHY_FAILED(hr)) failed(r, property, hr);
    return true;
}

/* A delta CRL is of use where its base is, so that comes first (RFC 5280 5.2.4). */
static void write_key(struct run *r, chy_long index, chy_long partitions)
{
    char name[32];
    chy_long state = 0;
    snprintf(name, sizeof name, "CRLState.%d", (int)index);
    chy_hresult hr = ask_long(r, name, &state);
    if (CHY_FAILED(hr)) failed(r, name, hr);
    if (hr != CHY_S_OK || state != CHY_CA_DISP_VALID) return;
    for (chy_long p = 0; p <= partitions; p++) {
        if (!write_crl(r, &(struct crl){index, p, false})) break;
        if (r->deltas) write_crl(r, &(struct crl){index, p, true});
    }
}

chy_hresult publish_crls(const chy_host *host, const struct settings *s, const chy_server_exit *cb)
{
    struct run r = {.host = host, .s = s, .cb = cb, .first = CHY_S_OK};
    chy_long no_deltas = 1, certs = 0, partitions = 0;
    chy_hresult hr = ask_long(&r, "fDeltaCRLsDisabled", &no_deltas);
    if (!CHY_FAILED(hr)) hr = ask_long(&r, "CertCount", &certs);
    if (!CHY_FAILED(hr)) hr = ask_long(&r, "CRLShards", &partitions);
    if (!CHY_FAILED(hr) && (certs < 0 || certs > CERTS_MAX || partitions > PARTITION_MAX))
        hr = CHY_E_UNEXPECTED;
    if (CHY_FAILED(hr)) {
        failed(&r, "the CA's CRLs", hr);
        return hr;
    }
    r.deltas = no_deltas == 0;
    for (chy_long i = 0; i < certs; i++)
        write_key(&r, i, partitions);
    return r.first;
}
