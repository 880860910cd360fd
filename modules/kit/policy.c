#include "kit/policy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kit/policy_object.h"

/* Settings as they were read once; guarded by the lock of the policy. */
struct version {
    unsigned refs;
    void *settings;
};

struct kit_policy {
    const struct kit_policy_class *cls;
    chy_host host;
    void *own;
    pthread_mutex_t lock; /* of the pointer and its count, never held during a verify */
    struct version *now;
    unsigned refs;           /* guarded by all_lock, as is next */
    struct kit_policy *next; /* the next live policy of this module */
};

/* A manage object that is made by its class name must find the policy whose settings it refreshes:
 * the ABI gives it nothing but the host, so the live ones are kept here. */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kit_policy *all;

void *kit_policy_own(const struct kit_policy *p)
{
    return p->own;
}

void kit_policy_ref(struct kit_policy *p)
{
    pthread_mutex_lock(&all_lock);
    p->refs++;
    pthread_mutex_unlock(&all_lock);
}

struct kit_policy *kit_policy_of_host(const struct kit_policy_class *cls, const chy_host *host)
{
    pthread_mutex_lock(&all_lock);
    struct kit_policy *p = all;
    while (p && (p->cls != cls || p->host.self != host->self))
        p = p->next;
    if (p) p->refs++;
    pthread_mutex_unlock(&all_lock);
    return p;
}

static struct version *take(struct kit_policy *p)
{
    pthread_mutex_lock(&p->lock);
    struct version *v = p->now;
    if (v) v->refs++;
    pthread_mutex_unlock(&p->lock);
    return v;
}

static void put(struct kit_policy *p, struct version *v)
{
    if (!v) return;
    pthread_mutex_lock(&p->lock);
    bool last = --v->refs == 0;
    pthread_mutex_unlock(&p->lock);
    if (!last) return;
    p->cls->unload(v->settings);
    free(v);
}

void kit_policy_unref(struct kit_policy *p)
{
    pthread_mutex_lock(&all_lock);
    bool last = --p->refs == 0;
    for (struct kit_policy **at = &all; last && *at; at = &(*at)->next) {
        if (*at != p) continue;
        *at = p->next;
        break;
    }
    pthread_mutex_unlock(&all_lock);
    if (!last) return;
    put(p, p->now);
    if (p->cls->close) p->cls->close(p->own);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

chy_hresult kit_policy_reload(struct kit_policy *p, const char *config)
{
    struct version *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return CHY_E_OUTOFMEMORY;
    fresh->refs = 1;
    chy_hresult hr = p->cls->load(&p->host, p->own, config, &fresh->settings);
    if (CHY_FAILED(hr)) {
        free(fresh);
        return hr;
    }
    pthread_mutex_lock(&p->lock);
    struct version *old = p->now;
    p->now = fresh;
    pthread_mutex_unlock(&p->lock);
    put(p, old);
    return CHY_S_OK;
}

static void policy_release(void *self)
{
    kit_policy_unref(self);
}

static chy_hresult initialize(void *self, const char *config)
{
    return kit_policy_reload(self, config);
}

static chy_hresult verify(struct kit_policy *p, struct kit_policy_call *call, chy_long *disposition)
{
    if (p->cls->bare) return p->cls->verify(call, disposition);
    chy_hresult hr = p->host.vt->new_server_policy(p->host.self, &call->sp);
    if (CHY_FAILED(hr)) return hr;
    hr = call->sp.vt->set_context(call->sp.self, call->context);
    if (!CHY_FAILED(hr)) hr = p->cls->verify(call, disposition);
    call->sp.vt->release(call->sp.self);
    return hr;
}

static chy_hresult verify_request(void *self, const char *config, chy_long context, chy_long is_new,
                                  chy_long flags, chy_long *disposition)
{
    struct kit_policy *p = self;
    if (!disposition) return CHY_E_POINTER;
    *disposition = CHY_VR_INSTANT_BAD;
    struct version *v = take(p);
    if (!v) return CHY_E_UNEXPECTED;
    struct kit_policy_call call = {.host = &p->host,
                                   .own = p->own,
                                   .settings = v->settings,
                                   .config = config,
                                   .context = context,
                                   .is_new = is_new,
                                   .flags = flags};
    chy_hresult hr = verify(p, &call, disposition);
    put(p, v);
    return hr;
}

static chy_hresult get_description(void *self, chy_str *out)
{
    struct kit_policy *p = self;
    return chy_text_give(&p->host, p->cls->description, out);
}

/* It decides nothing more: who asks all the same is told that it was not expected. */
static chy_hresult shut_down(void *self)
{
    struct kit_policy *p = self;
    pthread_mutex_lock(&p->lock);
    struct version *last = p->now;
    p->now = NULL;
    pthread_mutex_unlock(&p->lock);
    put(p, last);
    return p->cls->shut_down ? p->cls->shut_down(p->own) : CHY_S_OK;
}

static chy_hresult get_manage_module(void *self, chy_manage_module *out)
{
    struct kit_policy *p = self;
    return out ? kit_policy_manage_new(p->cls, &p->host, p, out) : CHY_E_POINTER;
}

/* The pair in an object result is the receiver's to free. */
static chy_hresult late_manage(struct kit_policy *p, chy_variant *result)
{
    chy_manage_module m;
    chy_object *pair = p->host.vt->alloc(sizeof *pair);
    if (!pair) return CHY_E_OUTOFMEMORY;
    chy_hresult hr = get_manage_module(p, &m);
    if (CHY_FAILED(hr)) {
        p->host.vt->free(pair);
        return hr;
    }
    *pair = (chy_object){&m.vt->h, m.self};
    result->vt = CHY_VT_OBJECT;
    result->u.o = pair;
    return CHY_S_OK;
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    struct kit_policy *p = self;
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_long disposition = CHY_VR_INSTANT_BAD;
    chy_hresult hr = CHY_S_OK;
    if (chy_late_is(&c, "Initialize", "s")) {
        hr = initialize(p, args[0].u.s.p);
    } else if (chy_late_is(&c, "VerifyRequest", "slll>")) {
        hr = verify_request(p, args[0].u.s.p, args[1].u.l, args[2].u.l, args[3].u.l, &disposition);
        hr = chy_late_long(result, hr, disposition);
    } else if (chy_late_is(&c, "ShutDown", "")) {
        hr = shut_down(p);
    } else if (chy_late_is(&c, "GetDescription", ">")) {
        hr = chy_variant_give_text(&p->host, p->cls->description, result);
    } else if (chy_late_is(&c, "GetManageModule", ">")) {
        hr = late_manage(p, result);
    }
    return kit_policy_late_end(p->cls, &p->host, &c, hr, excep);
}

static const chy_policy_vtbl policy_vtbl = {
    .h = {sizeof policy_vtbl, CHY_ABI_VERSION, CHY_IID_POLICY, CHY_IF_CONCURRENT},
    .release = policy_release,
    .invoke = invoke,
    .initialize = initialize,
    .verify_request = verify_request,
    .get_description = get_description,
    .shut_down = shut_down,
    .get_manage_module = get_manage_module};

static chy_hresult policy_new(const struct kit_policy_class *cls, const chy_host *host,
                              chy_object *out)
{
    struct kit_policy *p = calloc(1, sizeof *p);
    if (!p) return CHY_E_OUTOFMEMORY;
    p->cls = cls;
    p->host = *host;
    p->refs = 1;
    chy_hresult hr = cls->open ? cls->open(&p->host, &p->own) : CHY_S_OK;
    if (CHY_FAILED(hr)) {
        free(p);
        return hr;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_lock(&all_lock);
    p->next = all;
    all = p;
    pthread_mutex_unlock(&all_lock);
    *out = (chy_object){&policy_vtbl.h, p};
    return CHY_S_OK;
}

chy_hresult kit_policy_create(const struct kit_policy_class *cls, const chy_host *host,
                              const char *class_name, chy_object *out)
{
    if (!host || !class_name || !out) return CHY_E_POINTER;
    if (!strcasecmp(class_name, cls->class_name)) return policy_new(cls, host, out);
    if (strcasecmp(class_name, cls->manage_name) != 0) return CHY_REGDB_E_CLASSNOTREG;
    chy_manage_module m = {0};
    chy_hresult hr = kit_policy_manage_new(cls, host, NULL, &m);
    if (!CHY_FAILED(hr)) *out = (chy_object){&m.vt->h, m.self};
    return hr;
}
