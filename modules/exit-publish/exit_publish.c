#include <chancery/module.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct publish {
    chy_host host;
    chy_long event_filter, flags, always, mode;
    char folder[1024], pattern[128];
};

static void log_line(struct publish *e, chy_long severity, const char *text)
{
    e->host.vt->log(e->host.self, severity, text);
}

static void get_long(struct publish *e, const char *name, chy_long *out)
{
    chy_variant v = {0};
    if (CHY_FAILED(e->host.vt->get_setting(e->host.self, name, &v))) return;
    if (v.vt == CHY_VT_LONG) *out = v.u.l;
    e->host.vt->variant_clear(&v);
}

static void get_text(struct publish *e, const char *name, char *out, size_t size)
{
    chy_variant v = {0};
    if (CHY_FAILED(e->host.vt->get_setting(e->host.self, name, &v))) return;
    if (v.vt == CHY_VT_STR && v.u.s.n < size) snprintf(out, size, "%s", v.u.s.p);
    e->host.vt->variant_clear(&v);
}

static chy_hresult initialize(void *self, const char *config, chy_long *mask)
{
    struct publish *e = self;
    char mode[16] = "0644", *end;
    (void)config;
    if (!mask) return CHY_E_POINTER;
    e->event_filter = CHY_EXITEVENT_CERTISSUED;
    e->flags = CHY_EXITPUB_FILE;
    snprintf(e->pattern, sizeof e->pattern, "%%i.cer");
    get_long(e, "EventFilter", &e->event_filter);
    get_long(e, "PublishCertFlags", &e->flags);
    get_long(e, "Always", &e->always);
    get_text(e, "Folder", e->folder, sizeof e->folder);
    get_text(e, "NamePattern", e->pattern, sizeof e->pattern);
    get_text(e, "Mode", mode, sizeof mode);
    e->mode = (chy_long)strtol(mode, &end, 8);
    if (*end || end == mode || e->mode < 0 || e->mode > 0777) return CHY_E_INVALIDARG;
    if (e->folder[0] && e->folder[0] != '/') return CHY_E_INVALIDARG;
    if (!e->folder[0]) log_line(e, CHY_LOG_INFO, "exit-publish: no Folder, nothing is published");
    *mask = e->folder[0] ? e->event_filter : 0;
    return CHY_S_OK;
}

/* Letters, digits, dot (not first), minus and underscore stay; all else becomes '_'. */
static void put_clean(char *out, size_t size, const char *s)
{
    size_t n = strlen(out);
    for (; *s && n + 1 < size; s++) {
        bool ok = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                  (*s >= '0' && *s <= '9') || *s == '-' || *s == '_' || (*s == '.' && n > 0);
        out[n++] = ok ? *s : '_';
    }
    out[n] = 0;
}

static void put_property(struct publish *e, chy_server_exit *s, const char *name, char *out,
                         size_t size)
{
    chy_variant v = {0};
    if (CHY_FAILED(s->vt->get_certificate_property(s->self, name, CHY_PROPTYPE_STRING, &v))) return;
    if (v.vt == CHY_VT_STR) put_clean(out, size, v.u.s.p);
    e->host.vt->variant_clear(&v);
}

static void file_name(struct publish *e, chy_server_exit *s, chy_long id, char *out, size_t size)
{
    char one[16];
    out[0] = 0;
    for (const char *p = e->pattern; *p; p++) {
        snprintf(one, sizeof one, "%c", *p);
        if (*p != '%' || !p[1]) {
            put_clean(out, size, one);
            continue;
        }
        p++;
        snprintf(one, sizeof one, "%d", (int)id);
        if (*p == 'i')
            put_clean(out, size, one);
        else if (*p == 's')
            put_property(e, s, "SerialNumber", out, size);
        else if (*p == 'c')
            put_property(e, s, "CommonName", out, size);
    }
}

static bool write_all(int fd, const uint8_t *p, size_t n)
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

/* A reader sees the old file or the whole new one; rename replaces a link, it does not follow. */
static chy_hresult write_file(struct publish *e, const char *name, const chy_bytes *b)
{
    char temp[64];
    static _Atomic unsigned serial;
    int dir = open(e->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) return CHY_ERROR_FILE_NOT_FOUND;
    snprintf(temp, sizeof temp, ".publish-%d-%u", (int)getpid(), serial++);
    int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok =
        fd >= 0 && write_all(fd, b->p, b->n) && fchmod(fd, (mode_t)e->mode) == 0 && fsync(fd) == 0;
    if (fd >= 0) ok = close(fd) == 0 && ok;
    ok = ok && renameat(dir, temp, dir, name) == 0 && fsync(dir) == 0;
    if (!ok && fd >= 0) unlinkat(dir, temp, 0);
    close(dir);
    return ok ? CHY_S_OK : CHY_ERROR_IO_DEVICE;
}

static bool wanted(struct publish *e, chy_server_exit *s)
{
    chy_str v = {0};
    if (e->always) return true;
    if (CHY_FAILED(s->vt->get_request_attribute(s->self, "CertFile", &v))) return false;
    /* A path that the requester gives is ignored, as AD CS does since 2003. */
    bool yes = v.p && !strcasecmp(v.p, "true");
    e->host.vt->free(v.p);
    return yes;
}

static chy_hresult publish(struct publish *e, chy_server_exit *s, chy_long context)
{
    char name[200];
    chy_variant id = {0}, cert = {0};
    chy_hresult hr = s->vt->set_context(s->self, context);
    if (CHY_FAILED(hr) || !wanted(e, s)) return hr;
    hr = s->vt->get_request_property(s->self, "RequestID", CHY_PROPTYPE_LONG, &id);
    if (CHY_FAILED(hr)) return hr;
    hr = s->vt->get_certificate_property(s->self, "RawCertificate", CHY_PROPTYPE_BINARY, &cert);
    if (CHY_FAILED(hr)) return hr == CHY_CERTSRV_E_PROPERTY_EMPTY ? CHY_S_OK : hr;
    file_name(e, s, id.u.l, name, sizeof name);
    hr = name[0] ? write_file(e, name, &cert.u.b) : CHY_E_INVALIDARG;
    e->host.vt->variant_clear(&cert);
    return hr;
}

static chy_hresult notify(void *self, chy_long event, chy_long context)
{
    struct publish *e = self;
    chy_server_exit s = {0};
    if (!(event & e->event_filter) || !(e->flags & CHY_EXITPUB_FILE) || !context) return CHY_S_OK;
    chy_hresult hr = e->host.vt->new_server_exit(e->host.self, &s);
    if (CHY_FAILED(hr)) return hr;
    hr = publish(e, &s, context);
    s.vt->release(s.self);
    return hr;
}

static chy_hresult text_out(struct publish *e, const char *text, chy_str *out)
{
    if (!out) return CHY_E_POINTER;
    out->n = strlen(text);
    out->p = e->host.vt->alloc(out->n + 1);
    if (!out->p) return CHY_E_OUTOFMEMORY;
    memcpy(out->p, text, out->n + 1);
    return CHY_S_OK;
}

static chy_hresult get_description(void *self, chy_str *out)
{
    return text_out(self, "Chancery publisher: writes issued certificates to files", out);
}

static void release(void *self)
{
    free(self);
}

static chy_hresult get_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, chy_variant *out)
{
    (void)config, (void)storage, (void)flags;
    if (!name) return CHY_E_INVALIDARG;
    if (!out) return CHY_E_POINTER;
    const char *text = !strcasecmp(name, "Name")          ? "Chancery publisher"
                       : !strcasecmp(name, "Description") ? "Writes issued certificates to files"
                       : !strcasecmp(name, "Copyright")   ? "Chancery authors"
                       : !strcasecmp(name, "File Version") || !strcasecmp(name, "Product Version")
                           ? CHY_VERSION
                           : NULL;
    memset(out, 0, sizeof *out);
    if (!text) return CHY_S_FALSE;
    out->vt = CHY_VT_STR;
    return text_out(self, text, &out->u.s);
}

static chy_hresult set_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, const chy_variant *value)
{
    (void)self, (void)config, (void)storage, (void)name, (void)flags, (void)value;
    return CHY_S_FALSE;
}

static chy_hresult configure(void *self, const char *config, const char *storage, chy_long flags)
{
    (void)self, (void)config, (void)storage, (void)flags;
    return CHY_S_OK;
}

static const chy_manage_module_vtbl manage_vtbl = {
    .h = {sizeof manage_vtbl, CHY_ABI_VERSION, CHY_IID_MANAGE_MODULE, CHY_IF_CONCURRENT},
    .release = release,
    .get_property = get_property,
    .set_property = set_property,
    .configure = configure};

static struct publish *fresh(const chy_host *host)
{
    struct publish *e = calloc(1, sizeof *e);
    if (e) e->host = *host;
    return e;
}

static chy_hresult get_manage_module(void *self, chy_manage_module *out)
{
    struct publish *e = self, *m = out ? fresh(&e->host) : NULL;
    if (!m) return out ? CHY_E_OUTOFMEMORY : CHY_E_POINTER;
    *out = (chy_manage_module){&manage_vtbl, m};
    return CHY_S_OK;
}

static const chy_exit_vtbl exit_vtbl = {
    .h = {sizeof exit_vtbl, CHY_ABI_VERSION, CHY_IID_EXIT, CHY_IF_CONCURRENT},
    .release = release,
    .initialize = initialize,
    .notify = notify,
    .get_description = get_description,
    .get_manage_module = get_manage_module};

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    bool manage = !strcmp(class_name, "ExitPublish.ExitManage");
    if (!manage && strcmp(class_name, "ExitPublish.Exit") != 0) return CHY_REGDB_E_CLASSNOTREG;
    struct publish *e = fresh(host);
    if (!e) return CHY_E_OUTOFMEMORY;
    *out = (chy_object){manage ? &manage_vtbl.h : &exit_vtbl.h, e};
    return CHY_S_OK;
}

static const char *const classes[] = {"ExitPublish.Exit", "ExitPublish.ExitManage", NULL};
static const chy_module_info info = {CHY_MODULE_MAGIC, sizeof info, CHY_ABI_VERSION, 0,
                                     "exit-publish",   CHY_VERSION, classes,         create};

const chy_module_info *chy_module_entry(void)
{
    return &info;
}
