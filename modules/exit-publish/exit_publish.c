#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "publish.h"

enum { SWEEP_WITH_ONE = 4, SWEEP_WITH_CRLS = 64 }; /* pages */

struct exit_module {
    chy_host host;
    pthread_mutex_t lock; /* guards the pointer settings and its count, never held during I/O */
    struct settings *settings;
    struct index index;
    unsigned refs;            /* guarded by all_lock, as is next */
    struct exit_module *next; /* the next live module of this process */
};

/* A manage object that is made by its class name must find the module whose settings it refreshes:
 * the ABI gives it nothing but the host, so the live ones are kept here. */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct exit_module *all;

void exit_ref(struct exit_module *e)
{
    pthread_mutex_lock(&all_lock);
    e->refs++;
    pthread_mutex_unlock(&all_lock);
}

struct exit_module *exit_of_host(const chy_host *host)
{
    pthread_mutex_lock(&all_lock);
    struct exit_module *e = all;
    while (e && e->host.self != host->self)
        e = e->next;
    if (e) e->refs++;
    pthread_mutex_unlock(&all_lock);
    return e;
}

static struct settings *settings_take(struct exit_module *e)
{
    pthread_mutex_lock(&e->lock);
    struct settings *s = e->settings;
    if (s) s->refs++;
    pthread_mutex_unlock(&e->lock);
    return s;
}

static void settings_put(struct exit_module *e, struct settings *s)
{
    pthread_mutex_lock(&e->lock);
    bool last = s && --s->refs == 0;
    pthread_mutex_unlock(&e->lock);
    if (last) settings_free(s);
}

void exit_unref(struct exit_module *e)
{
    pthread_mutex_lock(&all_lock);
    bool last = --e->refs == 0;
    for (struct exit_module **at = &all; last && *at; at = &(*at)->next) {
        if (*at != e) continue;
        *at = e->next;
        break;
    }
    pthread_mutex_unlock(&all_lock);
    if (!last) return;
    settings_put(e, e->settings);
    pthread_mutex_destroy(&e->lock);
    pthread_mutex_destroy(&e->index.lock);
    free(e);
}

chy_hresult exit_reload(struct exit_module *e)
{
    struct settings *fresh = NULL;
    chy_hresult hr = settings_load(&e->host, &fresh);
    if (CHY_FAILED(hr)) return hr;
    pthread_mutex_lock(&e->lock);
    struct settings *old = e->settings;
    e->settings = fresh;
    pthread_mutex_unlock(&e->lock);
    settings_put(e, old);
    return CHY_S_OK;
}

/* The mask holds until the next start, and a folder may be named at any time: without one the event
 * of a CRL is heard and nothing done. */
static chy_hresult initialize(void *self, const char *config, chy_long *mask)
{
    struct exit_module *e = self;
    (void)config;
    if (!mask) return CHY_E_POINTER;
    *mask = 0;
    chy_hresult hr = exit_reload(e);
    if (CHY_FAILED(hr)) return hr;
    struct settings *s = settings_take(e);
    *mask = s->event_filter | CHY_EXITEVENT_CRLISSUED;
    settings_put(e, s);
    return CHY_S_OK;
}

static bool is_about_crls(const struct job *j)
{
    return !j->context && (j->event & CHY_EXITEVENT_CRLISSUED);
}

/* What could be written is told to the command, unless it is one certificate: then all of it has to
 * be there. */
static chy_hresult publish_event(struct job *j)
{
    chy_hresult hr = CHY_S_OK, last;
    if (is_about_crls(j)) {
        if (j->s->crl_folder) hr = publish_crls(j);
        last = j->s->ca_folder ? publish_ca(j) : CHY_S_OK;
        if (!CHY_FAILED(hr)) hr = last;
        sweep(j, SWEEP_WITH_CRLS);
    } else {
        hr = publish(j);
        if (CHY_FAILED(hr)) return hr;
        sweep(j, SWEEP_WITH_ONE);
    }
    last = command_run(j);
    return CHY_FAILED(hr) ? hr : last;
}

static bool concerns(const struct job *j)
{
    const struct settings *s = j->s;
    if (is_about_crls(j)) return s->crl_folder || s->ca_folder || s->index;
    return j->context && (j->event & s->event_filter) && (s->flags & CHY_EXITPUB_FILE) && s->folder;
}

static chy_hresult with_callback(struct exit_module *e, struct job *j)
{
    chy_hresult hr = e->host.vt->new_server_exit(e->host.self, &j->cb);
    if (CHY_FAILED(hr)) return hr;
    hr = j->cb.vt->set_context(j->cb.self, j->context);
    if (!CHY_FAILED(hr)) hr = publish_event(j);
    j->cb.vt->release(j->cb.self);
    kit_text_free(&j->files);
    kit_text_free(&j->removed);
    return hr;
}

static chy_hresult notify(void *self, chy_long event, chy_long context)
{
    struct exit_module *e = self;
    struct settings *s = settings_take(e);
    if (!s) return CHY_E_UNEXPECTED;
    struct job j = {
        .host = &e->host, .s = s, .index = &e->index, .event = event, .context = context};
    chy_hresult hr = concerns(&j) ? with_callback(e, &j) : CHY_S_OK;
    settings_put(e, s);
    return hr;
}

static chy_hresult get_description(void *self, chy_str *out)
{
    struct exit_module *e = self;
    return text_out(&e->host, "Chancery publisher: writes issued certificates and CRLs to files",
                    out);
}

static void release(void *self)
{
    exit_unref(self);
}

static chy_hresult get_manage_module(void *self, chy_manage_module *out)
{
    struct exit_module *e = self;
    return out ? manage_new(&e->host, e, out) : CHY_E_POINTER;
}

/* The pair in an object result is the receiver's to free. */
static chy_hresult late_manage(struct exit_module *e, chy_variant *result)
{
    chy_manage_module m;
    chy_object *pair = e->host.vt->alloc(sizeof *pair);
    if (!pair) return CHY_E_OUTOFMEMORY;
    chy_hresult hr = get_manage_module(e, &m);
    if (CHY_FAILED(hr)) {
        e->host.vt->free(pair);
        return hr;
    }
    *pair = (chy_object){&m.vt->h, m.self};
    result->vt = CHY_VT_OBJECT;
    result->u.o = pair;
    return CHY_S_OK;
}

static chy_hresult late_description(struct exit_module *e, chy_variant *result)
{
    chy_hresult hr = get_description(e, &result->u.s);
    if (!CHY_FAILED(hr)) result->vt = CHY_VT_STR;
    return hr;
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    struct exit_module *e = self;
    chy_late c = chy_late_begin(method, args, nargs, result, bad_arg);
    chy_long events = CHY_EXITEVENT_INVALID;
    chy_hresult hr = CHY_S_OK;
    if (chy_late_is(&c, "Initialize", "s>")) {
        hr = initialize(e, args[0].u.s.p, &events);
        hr = chy_late_long(result, hr, events);
    } else if (chy_late_is(&c, "Notify", "ll")) {
        hr = notify(e, args[0].u.l, args[1].u.l);
    } else if (chy_late_is(&c, "GetDescription", ">")) {
        hr = late_description(e, result);
    } else if (chy_late_is(&c, "GetManageModule", ">")) {
        hr = late_manage(e, result);
    }
    return late_end(&e->host, &c, hr, excep);
}

static const chy_exit_vtbl exit_vtbl = {
    .h = {sizeof exit_vtbl, CHY_ABI_VERSION, CHY_IID_EXIT, CHY_IF_CONCURRENT},
    .release = release,
    .invoke = invoke,
    .initialize = initialize,
    .notify = notify,
    .get_description = get_description,
    .get_manage_module = get_manage_module};

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    if (!strcmp(class_name, "ExitPublish.ExitManage")) {
        chy_manage_module m = {0};
        chy_hresult hr = manage_new(host, NULL, &m);
        if (!CHY_FAILED(hr)) *out = (chy_object){&m.vt->h, m.self};
        return hr;
    }
    if (strcmp(class_name, "ExitPublish.Exit") != 0) return CHY_REGDB_E_CLASSNOTREG;
    struct exit_module *e = calloc(1, sizeof *e);
    if (!e) return CHY_E_OUTOFMEMORY;
    e->host = *host;
    e->refs = 1;
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->index.lock, NULL);
    e->index.last = -1;
    pthread_mutex_lock(&all_lock);
    e->next = all;
    all = e;
    pthread_mutex_unlock(&all_lock);
    *out = (chy_object){&exit_vtbl.h, e};
    return CHY_S_OK;
}

static const char *const classes[] = {"ExitPublish.Exit", "ExitPublish.ExitManage", NULL};
static const chy_module_info info = {CHY_MODULE_MAGIC, sizeof info, CHY_ABI_VERSION, 0,
                                     "exit-publish",   CHY_VERSION, classes,         create};

const chy_module_info *chy_module_entry(void)
{
    return &info;
}
