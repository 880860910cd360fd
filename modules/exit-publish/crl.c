/* The CRLs of a CA as files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/crls.h"
#include "publish.h"

enum { FILE_NAME_MAX = 255 };

struct run {
    const chy_host *host;
    const struct settings *s;
    const chy_server_exit *cb;
};

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
    chy_hresult hr = kit_ca_property(r->cb, name, CHY_PROPTYPE_STRING, &v);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    if (v.vt == CHY_VT_STR) add_clean(o, v.u.s.p, v.u.s.n);
    r->host->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult add_field(struct run *r, char field, const struct kit_crl *c,
                             struct file_name *o)
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

static chy_hresult crl_file_name(struct run *r, const struct kit_crl *c, struct file_name *o)
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

static void failed(void *arg, const char *what, chy_hresult hr)
{
    struct run *r = arg;
    char text[400];
    snprintf(text, sizeof text, "exit-publish: %s: nothing written to %.200s: 0x%08x", what,
             r->s->crl_folder, (unsigned)hr);
    r->host->vt->log(r->host->self, CHY_LOG_ERROR, text);
}

static chy_hresult write_crl(void *arg, const struct kit_crl *c)
{
    struct run *r = arg;
    struct file_name name;
    struct kit_text t = {.p = (char *)c->der, .n = c->n};
    chy_hresult hr = crl_file_name(r, c, &name);
    return CHY_FAILED(hr) ? hr : write_file(r->s, r->s->crl_folder, name.text, &t);
}

chy_hresult publish_crls(const chy_host *host, const struct settings *s, const chy_server_exit *cb)
{
    struct run r = {.host = host, .s = s, .cb = cb};
    return kit_crls(&(struct kit_crl_walk){
        .host = host, .cb = cb, .each = write_crl, .failed = failed, .arg = &r});
}
