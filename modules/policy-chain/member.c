/* One module of the chain: made, called directly or by name, one call at a time where it wants
 * that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "chain.h"

static const char *policy_class(const chy_module_info *info)
{
    for (size_t i = 0; info->class_names[i]; i++) {
        size_t n = strlen(info->class_names[i]);
        if (n > 7 && !strcasecmp(info->class_names[i] + n - 7, ".Policy"))
            return info->class_names[i];
    }
    return NULL;
}

static const chy_policy_vtbl *table(const struct member *m)
{
    return (const chy_policy_vtbl *)(const void *)m->object.vt;
}

static chy_hresult make_object(struct member *m, struct why *why)
{
    struct why wrong = {""};
    chy_hresult hr = m->library->info->create(&m->host, m->class_name, &m->object);
    if (CHY_FAILED(hr))
        return refuse(why, hr, "it could not create %s (0x%08x)", m->class_name, (unsigned)hr);
    const char *rule = policy_table_wrong(&m->object, m->chain->binding, &m->late, &wrong);
    if (rule) {
        object_discard(&m->object);
        return refuse(why, CHY_E_NOINTERFACE, "class %s: %.300s", m->class_name, rule);
    }
    m->concurrent = (m->object.vt->flags & CHY_IF_CONCURRENT) != 0;
    return CHY_S_OK;
}

static void gate_init(struct member *m)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&m->gate, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->gate_opens, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void gate_destroy(struct member *m)
{
    pthread_cond_destroy(&m->gate_opens);
    pthread_mutex_destroy(&m->gate);
}

chy_hresult member_open(struct chain *c, const struct library *lib, struct member **out,
                        struct why *why)
{
    struct member *m = calloc(1, sizeof *m);
    if (!m) return refuse(why, CHY_E_OUTOFMEMORY, "no memory");
    m->chain = c;
    m->index = c->n;
    m->library = lib;
    m->name = lib->info->name;
    m->class_name = policy_class(lib->info);
    host_of(m);
    gate_init(m);
    chy_hresult hr = m->class_name
                         ? make_object(m, why)
                         : refuse(why, CHY_REGDB_E_CLASSNOTREG, "it has no class ….Policy");
    if (CHY_FAILED(hr)) {
        gate_destroy(m);
        free(m);
        return hr;
    }
    *out = m;
    return CHY_S_OK;
}

void member_close(struct member *m)
{
    table(m)->release(m->object.self);
    gate_destroy(m);
    free(m);
}

static void deadline_of(const struct member *m, struct timespec *out)
{
    chy_long ms = INT32_MAX;
    const chy_host *h = &m->chain->host;
    (void)h->vt->time_left(h->self, &ms);
    clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_sec += ms / 1000;
    out->tv_nsec += ms % 1000 * 1000000L;
    out->tv_sec += out->tv_nsec / 1000000000L;
    out->tv_nsec %= 1000000000L;
}

chy_hresult member_enter(struct member *m)
{
    struct timespec until;
    int rc = 0;
    if (m->concurrent) return CHY_S_OK;
    pthread_mutex_lock(&m->gate);
    if (m->occupied) deadline_of(m, &until);
    while (m->occupied && rc == 0)
        rc = pthread_cond_timedwait(&m->gate_opens, &m->gate, &until);
    bool entered = !m->occupied;
    if (entered) m->occupied = true;
    pthread_mutex_unlock(&m->gate);
    return entered ? CHY_S_OK : CHY_ERROR_TIMEOUT;
}

void member_leave(struct member *m)
{
    if (m->concurrent) return;
    pthread_mutex_lock(&m->gate);
    m->occupied = false;
    pthread_cond_signal(&m->gate_opens);
    pthread_mutex_unlock(&m->gate);
}

chy_hresult late_call(const struct member *m, const chy_object *o, const char *method,
                      const chy_variant *args, uint32_t n, chy_variant *result, struct why *why)
{
    /* release and invoke are the first members of every table */
    const chy_policy_vtbl *vt = (const chy_policy_vtbl *)(const void *)o->vt;
    chy_excep thrown = {0};
    chy_variant unwanted = chy_variant_empty(); /* for modules that always write a result */
    uint32_t bad = 0;
    chy_hresult hr =
        vt->invoke(o->self, method, args, n, result ? result : &unwanted, &thrown, &bad);
    m->host.vt->variant_clear(&unwanted);
    if (hr == CHY_DISP_E_EXCEPTION) {
        hr = CHY_FAILED(thrown.code) ? thrown.code : CHY_E_UNEXPECTED;
        size_t len = thrown.description.n < 300 ? thrown.description.n : 300;
        if (why && thrown.description.p)
            refuse(why, hr, "%s: %.*s", method, (int)len, thrown.description.p);
    }
    m->host.vt->free(thrown.source.p);
    m->host.vt->free(thrown.description.p);
    return hr;
}

chy_hresult member_initialize(struct member *m, const char *config, struct why *why)
{
    const chy_variant arg = chy_variant_of_text(config);
    chy_hresult hr = member_enter(m);
    if (CHY_FAILED(hr)) return hr;
    hr = m->late ? late_call(m, &m->object, "Initialize", &arg, 1, NULL, why)
                 : table(m)->initialize(m->object.self, config);
    member_leave(m);
    m->initialized = !CHY_FAILED(hr);
    return hr;
}

static chy_hresult late_verify(struct member *m, const char *config, chy_long context,
                               chy_long is_new, chy_long flags, chy_long *disposition,
                               struct why *why)
{
    const chy_variant args[] = {chy_variant_of_text(config), chy_variant_of_long(context),
                                chy_variant_of_long(is_new), chy_variant_of_long(flags)};
    chy_variant result = chy_variant_empty();
    chy_hresult hr = late_call(m, &m->object, "VerifyRequest", args, 4, &result, why);
    if (result.vt == CHY_VT_LONG) *disposition = result.u.l;
    m->host.vt->variant_clear(&result);
    return hr;
}

chy_hresult member_verify(struct member *m, const char *config, chy_long context, chy_long is_new,
                          chy_long flags, chy_long *disposition, struct why *why)
{
    chy_hresult hr = member_enter(m);
    if (CHY_FAILED(hr)) return hr;
    hr = m->late ? late_verify(m, config, context, is_new, flags, disposition, why)
                 : table(m)->verify_request(m->object.self, config, context, is_new, flags,
                                            disposition);
    member_leave(m);
    return hr;
}

chy_hresult member_shut_down(struct member *m)
{
    if (!m->initialized) return CHY_S_OK;
    m->initialized = false;
    chy_hresult hr = member_enter(m);
    if (CHY_FAILED(hr)) return hr;
    hr = m->late ? late_call(m, &m->object, "ShutDown", NULL, 0, NULL, NULL)
                 : table(m)->shut_down(m->object.self);
    member_leave(m);
    return hr;
}
