#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

struct policy {
    chy_host host;
    pthread_mutex_t lock; /* guards the pointer config and its count, never held during a verify */
    struct config *config;
    unsigned refs;       /* guarded by all_lock, as is next */
    struct policy *next; /* the next live policy of this process */
};

/* A manage object that is made by its class name must find the policy whose settings it refreshes:
 * the ABI gives it nothing but the host, so the live ones are kept here. */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct policy *all;

void policy_ref(struct policy *p)
{
    pthread_mutex_lock(&all_lock);
    p->refs++;
    pthread_mutex_unlock(&all_lock);
}

struct policy *policy_of_host(const chy_host *host)
{
    pthread_mutex_lock(&all_lock);
    struct policy *p = all;
    while (p && p->host.self != host->self)
        p = p->next;
    if (p) p->refs++;
    pthread_mutex_unlock(&all_lock);
    return p;
}

static struct config *config_take(struct policy *p)
{
    pthread_mutex_lock(&p->lock);
    struct config *c = p->config;
    if (c) c->refs++;
    pthread_mutex_unlock(&p->lock);
    return c;
}

static void config_put(struct policy *p, struct config *c)
{
    pthread_mutex_lock(&p->lock);
    bool last = c && --c->refs == 0;
    pthread_mutex_unlock(&p->lock);
    if (last) config_free(c);
}

void policy_unref(struct policy *p)
{
    pthread_mutex_lock(&all_lock);
    bool last = --p->refs == 0;
    for (struct policy **at = &all; last && *at; at = &(*at)->next) {
        if (*at != p) continue;
        *at = p->next;
        break;
    }
    pthread_mutex_unlock(&all_lock);
    if (!last) return;
    config_put(p, p->config);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

chy_hresult policy_reload(struct policy *p)
{
    struct config *fresh = NULL;
    chy_hresult hr = config_load(&p->host, &fresh);
    if (CHY_FAILED(hr)) return hr;
    pthread_mutex_lock(&p->lock);
    struct config *old = p->config;
    p->config = fresh;
    pthread_mutex_unlock(&p->lock);
    config_put(p, old);
    return CHY_S_OK;
}

static void policy_release(void *self)
{
    policy_unref(self);
}

static chy_hresult initialize(void *self, const char *config)
{
    (void)config;
    return policy_reload(self);
}

static chy_hresult verify_request(void *self, const char *config, chy_long context, chy_long is_new,
                                  chy_long flags, chy_long *disposition)
{
    struct policy *p = self;
    (void)config, (void)flags;
    if (!disposition) return CHY_E_POINTER;
    *disposition = CHY_VR_INSTANT_BAD;
    struct config *c = config_take(p);
    if (!c) return CHY_E_UNEXPECTED;
    struct work w = {.host = &p->host, .c = c, .context = context, .is_new = is_new != 0};
    chy_hresult hr = p->host.vt->new_server_policy(p->host.self, &w.sp);
    if (!CHY_FAILED(hr)) {
        hr = w.sp.vt->set_context(w.sp.self, context);
        if (!CHY_FAILED(hr)) hr = verify(&w, disposition);
        w.sp.vt->release(w.sp.self);
    }
    config_put(p, c);
    return hr;
}

static chy_hresult get_description(void *self, chy_str *out)
{
    static const char text[] = "Chancery default policy: profiles and stand-alone rules";
    struct policy *p = self;
    if (!out) return CHY_E_POINTER;
    out->p = p->host.vt->alloc(sizeof text);
    if (!out->p) return CHY_E_OUTOFMEMORY;
    memcpy(out->p, text, sizeof text);
    out->n = sizeof text - 1;
    return CHY_S_OK;
}

static chy_hresult shut_down(void *self)
{
    (void)self;
    return CHY_S_OK;
}

static chy_hresult get_manage_module(void *self, chy_manage_module *out)
{
    struct policy *p = self;
    return out ? manage_new(&p->host, p, out) : CHY_E_POINTER;
}

/* The pair in an object result is the receiver's to free. */
static chy_hresult late_manage(struct policy *p, chy_variant *result)
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

static chy_hresult late_description(struct policy *p, chy_variant *result)
{
    chy_hresult hr = get_description(p, &result->u.s);
    if (!CHY_FAILED(hr)) result->vt = CHY_VT_STR;
    return hr;
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    struct policy *p = self;
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
        hr = late_description(p, result);
    } else if (chy_late_is(&c, "GetManageModule", ">")) {
        hr = late_manage(p, result);
    }
    return late_end(&p->host, &c, hr, excep);
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

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    if (!strcmp(class_name, "PolicyDefault.PolicyManage")) {
        chy_manage_module m = {0};
        chy_hresult hr = manage_new(host, NULL, &m);
        if (!CHY_FAILED(hr)) *out = (chy_object){&m.vt->h, m.self};
        return hr;
    }
    if (strcmp(class_name, "PolicyDefault.Policy") != 0) return CHY_REGDB_E_CLASSNOTREG;
    struct policy *p = calloc(1, sizeof *p);
    if (!p) return CHY_E_OUTOFMEMORY;
    p->host = *host;
    p->refs = 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_lock(&all_lock);
    p->next = all;
    all = p;
    pthread_mutex_unlock(&all_lock);
    *out = (chy_object){&policy_vtbl.h, p};
    return CHY_S_OK;
}

static const char *const classes[] = {"PolicyDefault.Policy", "PolicyDefault.PolicyManage", NULL};
static const chy_module_info info = {CHY_MODULE_MAGIC, sizeof info, CHY_ABI_VERSION, 0,
                                     "policy-default", CHY_VERSION, classes,         create};

const chy_module_info *chy_module_entry(void)
{
    return &info;
}
