/* One certificate as a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "publish.h"

static chy_hresult wanted(const struct job *j)
{
    chy_str v = {0};
    if (j->s->always) return CHY_S_OK;
    chy_hresult hr = j->cb.vt->get_request_attribute(j->cb.self, "CertFile", &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_FALSE;
    if (CHY_FAILED(hr)) return hr;
    /* A path that the requester gives is ignored, as AD CS does since 2003. */
    bool yes = v.p && !strcasecmp(v.p, "true");
    j->host->vt->free(v.p);
    return yes ? CHY_S_OK : CHY_S_FALSE;
}

static chy_hresult ask(const struct job *j, const char *prop, chy_variant *v)
{
    *v = chy_variant_empty();
    chy_hresult hr = j->cb.vt->get_certificate_property(j->cb.self, prop, CHY_PROPTYPE_BINARY, v);
    if (CHY_FAILED(hr)) return hr;
    if (v->vt == CHY_VT_BYTES && v->u.b.n) return CHY_S_OK;
    j->host->vt->variant_clear(v);
    return CHY_E_UNEXPECTED;
}

static void add(const struct settings *s, const chy_bytes *der, struct kit_text *t)
{
    if (s->format == FORMAT_DER)
        kit_add(t, der->p, der->n);
    else
        kit_add_pem(t, "CERTIFICATE", der->p, der->n);
}

static chy_hresult write_certificate(struct job *j, const chy_bytes *der)
{
    struct name name;
    struct kit_text t = {0};
    chy_variant ca = chy_variant_empty();
    add(j->s, der, &t);
    chy_hresult hr = j->s->format == FORMAT_CHAIN ? ask(j, "RawCACertificate", &ca) : CHY_S_OK;
    if (!CHY_FAILED(hr) && ca.vt == CHY_VT_BYTES) add(j->s, &ca.u.b, &t);
    j->host->vt->variant_clear(&ca);
    if (!CHY_FAILED(hr)) hr = file_name(j->host, j->s, &j->cb, j->request_id, &name);
    if (!CHY_FAILED(hr)) hr = write_file(j, j->s->folder, name.text, &t);
    if (!CHY_FAILED(hr) && j->s->index) hr = index_certificate(j, name.text, der);
    kit_text_free(&t);
    return hr;
}

static void say(const struct job *j, chy_hresult hr)
{
    char text[400];
    snprintf(text, sizeof text, "exit-publish: request %d: %s to %.200s: 0x%08x",
             (int)j->request_id, j->files.n ? "not all was written" : "nothing written",
             j->s->folder, (unsigned)hr);
    j->host->vt->log(j->host->self, CHY_LOG_ERROR, text);
}

chy_hresult publish(struct job *j)
{
    chy_variant id = {0}, der;
    chy_hresult hr = wanted(j);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    hr = j->cb.vt->get_request_property(j->cb.self, "RequestID", CHY_PROPTYPE_LONG, &id);
    if (CHY_FAILED(hr)) return hr;
    j->request_id = id.u.l;
    hr = ask(j, "RawCertificate", &der);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK; /* pending or denied */
    if (!CHY_FAILED(hr)) {
        hr = write_certificate(j, &der.u.b);
        j->host->vt->variant_clear(&der);
    }
    if (CHY_FAILED(hr)) say(j, hr);
    return hr;
}
