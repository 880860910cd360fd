#include "publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 200, CN_MAX_LEN = 64, TRIES = 8 };

struct name {
    char text[NAME_MAX_LEN + 1];
    size_t n;
    bool full; /* a cut name could be another request's */
};

/* Letters, digits, dot (not first), minus and underscore stay; all else becomes '_'. */
static void put_clean(struct name *o, const char *s, size_t len)
{
    for (; len && *s; len--, s++) {
        bool ok = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                  (*s >= '0' && *s <= '9') || *s == '-' || *s == '_' || (*s == '.' && o->n > 0);
        if (o->n == NAME_MAX_LEN) {
            o->full = true;
            return;
        }
        o->text[o->n++] = ok ? *s : '_';
    }
    o->text[o->n] = 0;
}

static chy_hresult put_property(const chy_host *h, const chy_server_exit *cb, const char *prop,
                                size_t max, struct name *o)
{
    chy_variant v = {0};
    chy_hresult hr = cb->vt->get_certificate_property(cb->self, prop, CHY_PROPTYPE_STRING, &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK;
    if (CHY_FAILED(hr)) return hr;
    if (v.vt == CHY_VT_STR) put_clean(o, v.u.s.p, max);
    h->vt->variant_clear(&v);
    return CHY_S_OK;
}

static chy_hresult file_name(const chy_host *h, const struct settings *s, const chy_server_exit *cb,
                             chy_long id, struct name *o)
{
    char number[16];
    chy_hresult hr = CHY_S_OK;
    *o = (struct name){.n = 0};
    snprintf(number, sizeof number, "%d", (int)id);
    for (const char *p = s->pattern; *p && !CHY_FAILED(hr); p++) {
        if (*p != '%') {
            put_clean(o, p, 1);
            continue;
        }
        p++;
        if (*p == 'i')
            put_clean(o, number, sizeof number);
        else if (*p == 's')
            hr = put_property(h, cb, "SerialNumber", NAME_MAX_LEN, o);
        else if (*p == 'c')
            hr = put_property(h, cb, "CommonName", CN_MAX_LEN, o);
        else
            put_clean(o, "%", 1);
    }
    return !CHY_FAILED(hr) && (o->full || !o->n) ? CHY_E_INVALIDARG : hr;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* A new file with a name that nobody can have waited with. */
static int temporary(int dir, char *name, size_t size)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t r;
        if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r) return -1;
        snprintf(name, size, ".publish-%016llx", (unsigned long long)r);
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

static bool fill(const struct settings *s, int fd, const struct kit_text *t)
{
    return write_all(fd, t->p, t->n) && (!s->chown || fchown(fd, s->owner, s->group) == 0) &&
           fchmod(fd, s->mode) == 0 && fsync(fd) == 0;
}

static chy_hresult trouble(int error)
{
    return error == ENOSPC || error == EDQUOT                      ? CHY_ERROR_DISK_FULL
           : error == EACCES || error == EPERM                     ? CHY_E_ACCESSDENIED
           : error == ENOENT || error == ENOTDIR || error == ELOOP ? CHY_ERROR_FILE_NOT_FOUND
                                                                   : CHY_ERROR_IO_DEVICE;
}

/* A reader sees the old file or the whole new one; rename replaces a link, it does not follow. */
chy_hresult write_file(const struct settings *s, const char *folder, const char *name,
                       const struct kit_text *t)
{
    char temp[64];
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) return trouble(errno);
    int fd = temporary(dir, temp, sizeof temp);
    bool ok = fd >= 0 && fill(s, fd, t);
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && renameat(dir, temp, dir, name) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok && fd >= 0) unlinkat(dir, temp, 0);
    if (ok && fsync(dir) != 0) {
        ok = false;
        error = errno;
    }
    close(dir);
    return ok ? CHY_S_OK : trouble(error);
}

static chy_hresult wanted(const chy_host *h, const struct settings *s, const chy_server_exit *cb)
{
    chy_str v = {0};
    if (s->always) return CHY_S_OK;
    chy_hresult hr = cb->vt->get_request_attribute(cb->self, "CertFile", &v);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_FALSE;
    if (CHY_FAILED(hr)) return hr;
    /* A path that the requester gives is ignored, as AD CS does since 2003. */
    bool yes = v.p && !strcasecmp(v.p, "true");
    h->vt->free(v.p);
    return yes ? CHY_S_OK : CHY_S_FALSE;
}

static chy_hresult add(const chy_host *h, const struct settings *s, const chy_server_exit *cb,
                       const char *prop, struct kit_text *t)
{
    chy_variant v = {0};
    chy_hresult hr = cb->vt->get_certificate_property(cb->self, prop, CHY_PROPTYPE_BINARY, &v);
    if (CHY_FAILED(hr)) return hr;
    if (v.vt != CHY_VT_BYTES || !v.u.b.n)
        hr = CHY_E_UNEXPECTED;
    else if (s->format == FORMAT_DER)
        kit_add(t, v.u.b.p, v.u.b.n);
    else
        kit_add_pem(t, "CERTIFICATE", v.u.b.p, v.u.b.n);
    h->vt->variant_clear(&v);
    return t->failed ? CHY_E_OUTOFMEMORY : hr;
}

static void say(const chy_host *h, const struct settings *s, chy_long id, chy_hresult hr)
{
    char text[400];
    snprintf(text, sizeof text, "exit-publish: request %d: nothing written to %.200s: 0x%08x",
             (int)id, s->folder, (unsigned)hr);
    h->vt->log(h->self, CHY_LOG_ERROR, text);
}

chy_hresult publish(const chy_host *host, const struct settings *s, const chy_server_exit *cb)
{
    struct name name;
    struct kit_text t = {0};
    chy_variant id = {0};
    chy_hresult hr = wanted(host, s, cb);
    if (hr != CHY_S_OK) return CHY_FAILED(hr) ? hr : CHY_S_OK;
    hr = cb->vt->get_request_property(cb->self, "RequestID", CHY_PROPTYPE_LONG, &id);
    if (CHY_FAILED(hr)) return hr;
    hr = add(host, s, cb, "RawCertificate", &t);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) return CHY_S_OK; /* pending or denied */
    if (!CHY_FAILED(hr) && s->format == FORMAT_CHAIN) hr = add(host, s, cb, "RawCACertificate", &t);
    if (!CHY_FAILED(hr)) hr = file_name(host, s, cb, id.u.l, &name);
    if (!CHY_FAILED(hr)) hr = write_file(s, s->folder, name.text, &t);
    free(t.p);
    if (CHY_FAILED(hr)) say(host, s, id.u.l, hr);
    return hr;
}
