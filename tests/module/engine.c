#include "engine.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void record(struct engine *e, const char *fmt, ...) CHY_PRINTF(2, 3);
static void record(struct engine *e, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    if (e->quiet) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&e->lock);
    chy_buf_addf(&e->record, "%s\n", line);
    pthread_mutex_unlock(&e->lock);
}

void engine_init(struct engine *e)
{
    *e = (struct engine){.quiet = false};
    pthread_mutex_init(&e->lock, NULL);
    chy_buf_init(&e->record, 1 << 20);
}

void engine_fini(struct engine *e)
{
    chy_buf_free(&e->record);
    pthread_mutex_destroy(&e->lock);
}

const char *engine_record(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    const char *text = chy_buf_cstr(&e->record);
    pthread_mutex_unlock(&e->lock);
    return text;
}

bool engine_heard(struct engine *e, const char *text)
{
    pthread_mutex_lock(&e->lock);
    const char *all = chy_buf_cstr(&e->record);
    bool heard = all && strstr(all, text) != NULL;
    pthread_mutex_unlock(&e->lock);
    return heard;
}

void engine_forget(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    chy_buf_reset(&e->record);
    pthread_mutex_unlock(&e->lock);
}

static void put(struct fake_request *r, const char *oid, const void *p, size_t n, chy_long flags)
{
    struct fake_extension *x = &r->ext[r->n_ext++];
    snprintf(x->oid, sizeof(x->oid), "%s", oid);
    memcpy(x->value, p, n);
    x->n = n;
    x->flags = flags;
}

void fake_request_init(struct fake_request *r, struct engine *e)
{
    memset(r, 0, sizeof(*r));
    r->engine = e;
    snprintf(r->common_name, sizeof(r->common_name), "host.example");
    r->not_after = 86400;
    put(r, "2.5.29.17", "0123", 4, CHY_EXTENSION_DISABLE_FLAG | CHY_EXTENSION_ORIGIN_REQUEST);
    put(r, "2.5.29.19", "01", 2,
        CHY_EXTENSION_DISABLE_FLAG | CHY_EXTENSION_CRITICAL_FLAG | CHY_EXTENSION_ORIGIN_REQUEST);
}

void engine_expired(void *request, void *arg)
{
    struct fake_request *r = request;
    record(arg, "expired: %s", r ? "a request" : "no request");
    if (r) atomic_fetch_add(&r->expired, 1);
}

static chy_hresult typed(chy_long type, chy_long expected)
{
    return type == expected ? CHY_S_OK : CHY_E_INVALIDARG;
}

static chy_hresult get_request_property(void *request, enum chy_asker asker, const char *name,
                                        chy_long type, chy_variant *out)
{
    struct fake_request *r = request;
    chy_hresult hr = CHY_CERTSRV_E_PROPERTY_EMPTY;
    record(r->engine, "  engine: request property %s %d for %d", name, type, (int)asker);
    if (strcmp(name, "RequestID") == 0 && (hr = typed(type, CHY_PROPTYPE_LONG)) == CHY_S_OK)
        return chy_variant_set_long(out, 7);
    if (strcmp(name, "CommonName") == 0 && (hr = typed(type, CHY_PROPTYPE_STRING)) == CHY_S_OK)
        return chy_variant_set_str(out, "as asked", 8);
    if (strcmp(name, "SubmittedWhen") == 0 && (hr = typed(type, CHY_PROPTYPE_DATE)) == CHY_S_OK)
        return chy_variant_set_time(out, 1234567);
    if (strcmp(name, "RawRequest") == 0 && (hr = typed(type, CHY_PROPTYPE_BINARY)) == CHY_S_OK)
        return chy_variant_set_bytes(out, "\x30\x00", 2);
    return hr;
}

static chy_hresult get_request_attribute(void *request, const char *name, chy_str *out)
{
    struct fake_request *r = request;
    record(r->engine, "  engine: attribute %s", name);
    if (strcmp(name, "Empty") == 0)
        return chy_module_str(out, "", 0) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
    if (strcmp(name, "CertFile") != 0) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_module_str(out, "yes", 3) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static chy_hresult get_certificate_property(void *request, enum chy_asker asker, const char *name,
                                            chy_long type, chy_variant *out)
{
    struct fake_request *r = request;
    chy_hresult hr = CHY_CERTSRV_E_PROPERTY_EMPTY;
    record(r->engine, "  engine: certificate property %s %d for %d", name, type, (int)asker);
    if (strcmp(name, "CommonName") == 0 && r->common_name[0])
        return chy_variant_set_str(out, r->common_name, strlen(r->common_name));
    if (strcmp(name, "NotAfter") == 0 && (hr = typed(type, CHY_PROPTYPE_DATE)) == CHY_S_OK)
        return chy_variant_set_time(out, r->not_after);
    if (strcmp(name, "GeneralFlags") == 0) return chy_variant_set_long(out, r->general_flags);
    if (strcmp(name, "RawCertificate") == 0 && asker == CHY_ASKER_EXIT)
        return chy_variant_set_bytes(out, "\x30\x01\x02", 3);
    return hr;
}

static chy_hresult set_certificate_property(void *request, const char *name, chy_long type,
                                            const chy_variant *value)
{
    struct fake_request *r = request;
    record(r->engine, "  engine: set %s %d to vt %u", name, type, value->vt);
    if (strcmp(name, "CommonName") == 0 && value->vt == CHY_VT_NULL) {
        r->common_name[0] = 0;
        return CHY_S_OK;
    }
    if (strcmp(name, "CommonName") == 0 && value->vt == CHY_VT_STR) {
        snprintf(r->common_name, sizeof(r->common_name), "%s", value->u.s.p);
        return CHY_S_OK;
    }
    if (strcmp(name, "NotAfter") == 0 && value->vt == CHY_VT_DATE) {
        r->not_after = value->u.t;
        return CHY_S_OK;
    }
    if (strcmp(name, "GeneralFlags") == 0 && value->vt == CHY_VT_LONG) {
        r->general_flags |= value->u.l & 0x400;
        return CHY_S_OK;
    }
    return CHY_E_INVALIDARG;
}

static struct fake_extension *find(struct fake_request *r, const char *oid)
{
    for (size_t i = 0; i < r->n_ext; i++) {
        if (strcmp(r->ext[i].oid, oid) == 0) return &r->ext[i];
    }
    return NULL;
}

static chy_hresult get_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_variant *out, chy_long *flags)
{
    struct fake_request *r = request;
    record(r->engine, "  engine: extension %s %d", oid, type);
    struct fake_extension *x = find(r, oid);
    if (!x) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (type != CHY_PROPTYPE_BINARY) return CHY_E_INVALIDARG;
    *flags = x->flags;
    return chy_variant_set_bytes(out, x->value, x->n);
}

static chy_hresult set_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *value)
{
    struct fake_request *r = request;
    record(r->engine, "  engine: set extension %s %d flags %d to vt %u", oid, type, flags,
           value->vt);
    if (strspn(oid, "0123456789.") != strlen(oid)) return CHY_E_INVALIDARG;
    if (type == CHY_PROPTYPE_BINARY && value->vt != CHY_VT_BYTES) return CHY_E_INVALIDARG;
    struct fake_extension *x = find(r, oid);
    if (!x && r->n_ext == CHY_ARRAY_LEN(r->ext)) return CHY_E_OUTOFMEMORY;
    if (x) {
        x->flags = flags;
    } else {
        put(r, oid, "??", 2, flags);
    }
    return CHY_S_OK;
}

static chy_hresult extension_at(void *request, size_t index, chy_str *oid)
{
    struct fake_request *r = request;
    if (index >= r->n_ext) return CHY_S_FALSE;
    return chy_module_str(oid, r->ext[index].oid, strlen(r->ext[index].oid)) ? CHY_S_OK
                                                                             : CHY_E_OUTOFMEMORY;
}

static chy_hresult attribute_at(void *request, size_t index, chy_str *name)
{
    static const char *const names[] = {"CertFile", "Empty", "Third"};
    (void)request;
    if (index >= CHY_ARRAY_LEN(names)) return CHY_S_FALSE;
    return chy_module_str(name, names[index], strlen(names[index])) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static chy_hresult get_ca_property(void *ca, void *request, const char *location, const char *name,
                                   chy_long type, chy_variant *out)
{
    record(ca, "  engine: CA property %s %d, %s", name, type, request ? "in a call" : "context 0");
    if (strcmp(name, "CAType") == 0)
        return type == CHY_PROPTYPE_LONG ? chy_variant_set_long(out, 3) : CHY_E_INVALIDARG;
    if (strcmp(name, "ModuleRegistryLocation") == 0)
        return chy_variant_set_str(out, location, strlen(location));
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult get_setting(void *ca, const char *location, const char *name, chy_variant *out)
{
    if (name[0] == '=') {
        record(ca, "%s", name + 1);
        return CHY_CERTSRV_E_PROPERTY_EMPTY;
    }
    record(ca, "  engine: setting %s of %s", name, location);
    return strcmp(name, "Colour") == 0 ? chy_variant_set_str(out, "red", 3)
                                       : CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult next_setting(void *ca, const char *location, const char *after, chy_str *out)
{
    record(ca, "  engine: setting of %s after %s", location, after ? after : "nothing");
    if (!after) return chy_module_str(out, "Colour", 6) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
    return strcmp(after, "Colour") == 0 && chy_module_str(out, "Sub/Size", 8) ? CHY_S_OK
                                                                              : CHY_S_FALSE;
}

static chy_hresult set_message(void *request, const char *text)
{
    struct fake_request *r = request;
    record(r->engine, "  engine: message %s", text);
    return CHY_S_OK;
}

const struct chy_engine_ops fake_ops = {.get_request_property = get_request_property,
                                        .get_request_attribute = get_request_attribute,
                                        .get_certificate_property = get_certificate_property,
                                        .set_certificate_property = set_certificate_property,
                                        .get_certificate_extension = get_certificate_extension,
                                        .set_certificate_extension = set_certificate_extension,
                                        .extension_at = extension_at,
                                        .attribute_at = attribute_at,
                                        .get_ca_property = get_ca_property,
                                        .get_setting = get_setting,
                                        .next_setting = next_setting,
                                        .set_message = set_message};

bool engine_in_child;

chy_hresult engine_open_policy(struct chy_modules *ms, const char *module, const char *class_name,
                               enum chy_binding binding, struct chy_instance **out,
                               struct chy_err *err)
{
    struct chy_place place = {.process = engine_in_child};
    return chy_policy_open_at(ms, module, class_name, binding, &place, out, err);
}

chy_hresult engine_open_exit(struct chy_modules *ms, const char *module, const char *class_name,
                             enum chy_binding binding, struct chy_instance **out,
                             struct chy_err *err)
{
    struct chy_place place = {.process = engine_in_child};
    return chy_exit_open_at(ms, module, class_name, binding, &place, out, err);
}

struct chy_modules *engine_modules(struct engine *e, const char *folder, unsigned timeout_ms)
{
    struct chy_modules_config config = {.ops = &fake_ops,
                                        .ca = e,
                                        .folder = folder,
                                        .clock = &chy_system_clock,
                                        .modhost = MODHOST,
                                        .call_timeout_ms = timeout_ms};
    struct chy_modules *ms = NULL;
    struct chy_err err = {0};
    if (chy_modules_new(&config, &ms, &err) != CHY_S_OK) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    chy_modules_watch(ms, &(struct chy_watch){engine_expired, e});
    return ms;
}
