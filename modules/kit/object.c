#include "kit/object.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/object_parts.h"

/* A manage object that is made by its class name must find the object whose settings it refreshes:
 * the ABI gives it nothing but the host, so the live ones are kept here. */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kit_object *all;

void kit_object_ref(struct kit_object *o)
{
    pthread_mutex_lock(&all_lock);
    o->refs++;
    pthread_mutex_unlock(&all_lock);
}

struct kit_object *kit_object_of_host(const struct kit_class *cls, const chy_host *host)
{
    pthread_mutex_lock(&all_lock);
    struct kit_object *o = all;
    while (o && (o->cls != cls || o->host.self != host->self))
        o = o->next;
    if (o) o->refs++;
    pthread_mutex_unlock(&all_lock);
    return o;
}

struct kit_version *kit_object_take(struct kit_object *o)
{
    pthread_mutex_lock(&o->lock);
    struct kit_version *v = o->now;
    if (v) v->refs++;
    pthread_mutex_unlock(&o->lock);
    return v;
}

void kit_object_put(struct kit_object *o, struct kit_version *v)
{
    if (!v) return;
    pthread_mutex_lock(&o->lock);
    bool last = --v->refs == 0;
    pthread_mutex_unlock(&o->lock);
    if (!last) return;
    o->cls->unload(v->settings);
    free(v);
}

static void change(struct kit_object *o, struct kit_version *fresh)
{
    pthread_mutex_lock(&o->lock);
    struct kit_version *old = o->now;
    o->now = fresh;
    pthread_mutex_unlock(&o->lock);
    kit_object_put(o, old);
}

void kit_object_forget(struct kit_object *o)
{
    change(o, NULL);
}

void kit_object_unref(struct kit_object *o)
{
    pthread_mutex_lock(&all_lock);
    bool last = --o->refs == 0;
    for (struct kit_object **at = &all; last && *at; at = &(*at)->next) {
        if (*at != o) continue;
        *at = o->next;
        break;
    }
    pthread_mutex_unlock(&all_lock);
    if (!last) return;
    kit_object_forget(o);
    if (o->cls->close) o->cls->close(o->own);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

chy_hresult kit_object_reload(struct kit_object *o, const char *config)
{
    struct kit_version *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return CHY_E_OUTOFMEMORY;
    fresh->refs = 1;
    chy_hresult hr = o->cls->load(&o->host, o->own, config, &fresh->settings);
    if (CHY_FAILED(hr)) {
        free(fresh);
        return hr;
    }
    change(o, fresh);
    return CHY_S_OK;
}

void kit_object_release(void *self)
{
    kit_object_unref(self);
}

chy_hresult kit_object_description(void *self, chy_str *out)
{
    struct kit_object *o = self;
    return chy_text_give(&o->host, o->cls->description, out);
}

chy_hresult kit_object_manage(void *self, chy_manage_module *out)
{
    struct kit_object *o = self;
    return out ? kit_manage_new(o->cls, &o->host, o, out) : CHY_E_POINTER;
}

/* The pair in an object result is the receiver's to free. */
static chy_hresult late_manage(struct kit_object *o, chy_variant *result)
{
    chy_manage_module m;
    chy_object *pair = o->host.vt->alloc(sizeof *pair);
    if (!pair) return CHY_E_OUTOFMEMORY;
    chy_hresult hr = kit_object_manage(o, &m);
    if (CHY_FAILED(hr)) {
        o->host.vt->free(pair);
        return hr;
    }
    *pair = (chy_object){&m.vt->h, m.self};
    result->vt = CHY_VT_OBJECT;
    result->u.o = pair;
    return CHY_S_OK;
}

chy_hresult kit_object_invoke(struct kit_object *o, chy_late *c, chy_variant *result)
{
    if (chy_late_is(c, "GetDescription", ">"))
        return chy_variant_give_text(&o->host, o->cls->description, result);
    return chy_late_is(c, "GetManageModule", ">") ? late_manage(o, result) : CHY_S_OK;
}

static chy_hresult object_new(const struct kit_class *cls, const chy_host *host, chy_object *out)
{
    struct kit_object *o = calloc(1, sizeof *o);
    if (!o) return CHY_E_OUTOFMEMORY;
    o->cls = cls;
    o->host = *host;
    o->refs = 1;
    chy_hresult hr = cls->open ? cls->open(&o->host, &o->own) : CHY_S_OK;
    if (CHY_FAILED(hr)) {
        free(o);
        return hr;
    }
    pthread_mutex_init(&o->lock, NULL);
    pthread_mutex_lock(&all_lock);
    o->next = all;
    all = o;
    pthread_mutex_unlock(&all_lock);
    *out = (chy_object){cls->notify ? &kit_exit_table.h : &kit_policy_table.h, o};
    return CHY_S_OK;
}

chy_hresult kit_create(const struct kit_class *cls, const chy_host *host, const char *class_name,
                       chy_object *out)
{
    if (!host || !class_name || !out) return CHY_E_POINTER;
    if (!strcasecmp(class_name, cls->class_name)) return object_new(cls, host, out);
    if (strcasecmp(class_name, cls->manage_name) != 0) return CHY_REGDB_E_CLASSNOTREG;
    chy_manage_module m = {0};
    chy_hresult hr = kit_manage_new(cls, host, NULL, &m);
    if (!CHY_FAILED(hr)) *out = (chy_object){&m.vt->h, m.self};
    return hr;
}
