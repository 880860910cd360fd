#include "kit/crls.h"

#include <stdio.h>

enum { PARTITION_MAX = 99999, CERTS_MAX = 65536 };

struct run {
    const struct kit_crl_walk *w;
    bool deltas;
    chy_hresult first; /* failure */
};

chy_hresult kit_ca_property(const chy_server_exit *cb, const char *name, chy_long type,
                            chy_variant *out)
{
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    chy_hresult hr = cb->vt->get_certificate_property(cb->self, name, type, out);
    return hr == CHY_CERTSRV_E_PROPERTY_EMPTY || hr == CHY_ERROR_FILE_NOT_FOUND ? CHY_S_FALSE : hr;
}

chy_hresult kit_ca_long(const chy_host *host, const chy_server_exit *cb, const char *name,
                        chy_long *out)
{
    chy_variant v;
    chy_hresult hr = kit_ca_property(cb, name, CHY_PROPTYPE_LONG, &v);
    if (hr != CHY_S_OK) return hr;
    if (v.vt == CHY_VT_LONG) *out = v.u.l;
    hr = v.vt == CHY_VT_LONG ? CHY_S_OK : CHY_E_UNEXPECTED;
    host->vt->variant_clear(&v);
    return hr;
}

static void failed(struct run *r, const char *what, chy_hresult hr)
{
    r->w->failed(r->w->arg, what, hr);
    if (!CHY_FAILED(r->first)) r->first = hr;
}

static void property_name(const struct kit_crl *c, char *out, size_t size)
{
    const char *kind = c->delta ? "RawDeltaCRL" : "RawCRL";
    if (c->partition)
        snprintf(out, size, "%s.%d.%d", kind, (int)c->index, (int)c->partition);
    else
        snprintf(out, size, "%s.%d", kind, (int)c->index);
}

/* False: the CA has no such CRL. */
static bool give(struct run *r, struct kit_crl c)
{
    char property[64];
    chy_variant v;
    property_name(&c, property, sizeof property);
    chy_hresult hr = kit_ca_property(r->w->cb, property, CHY_PROPTYPE_BINARY, &v);
    if (hr == CHY_S_FALSE) return false;
    bool empty = !CHY_FAILED(hr) && (v.vt != CHY_VT_BYTES || !v.u.b.n);
    if (empty) hr = CHY_E_UNEXPECTED;
    if (!CHY_FAILED(hr)) {
        c.property = property;
        c.der = v.u.b.p;
        c.n = v.u.b.n;
        hr = r->w->each(r->w->arg, &c);
    }
    r->w->host->vt->variant_clear(&v);
    if (CHY_FAILED(hr)) failed(r, property, hr);
    return true;
}

static void give_key(struct run *r, chy_long index, chy_long partitions)
{
    char name[32];
    chy_long state = 0;
    snprintf(name, sizeof name, "CRLState.%d", (int)index);
    chy_hresult hr = kit_ca_long(r->w->host, r->w->cb, name, &state);
    if (CHY_FAILED(hr)) failed(r, name, hr);
    if (hr != CHY_S_OK || state != CHY_CA_DISP_VALID) return;
    for (chy_long p = 0; p <= partitions; p++) {
        if (!give(r, (struct kit_crl){.index = index, .partition = p})) break;
        if (r->deltas) give(r, (struct kit_crl){.index = index, .partition = p, .delta = true});
    }
}

chy_hresult kit_crls(const struct kit_crl_walk *w)
{
    struct run r = {.w = w, .first = CHY_S_OK};
    chy_long no_deltas = 1, certs = 0, partitions = 0;
    chy_hresult hr = kit_ca_long(w->host, w->cb, "fDeltaCRLsDisabled", &no_deltas);
    if (!CHY_FAILED(hr)) hr = kit_ca_long(w->host, w->cb, "CertCount", &certs);
    if (!CHY_FAILED(hr)) hr = kit_ca_long(w->host, w->cb, "CRLShards", &partitions);
    if (!CHY_FAILED(hr) && (certs < 0 || certs > CERTS_MAX || partitions > PARTITION_MAX))
        hr = CHY_E_UNEXPECTED;
    if (CHY_FAILED(hr)) {
        failed(&r, "the CA's CRLs", hr);
        return hr;
    }
    r.deltas = no_deltas == 0;
    for (chy_long i = 0; i < certs; i++)
        give_key(&r, i, partitions);
    return r.first;
}
