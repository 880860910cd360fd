#include <stdlib.h>

#include "kit/object.h"
#include "publish.h"

enum { SWEEP_WITH_ONE = 4, SWEEP_WITH_CRLS = 64 }; /* pages */

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

static chy_hresult notify(const struct kit_exit_call *call)
{
    const chy_host *h = call->host;
    struct job j = {.host = h,
                    .s = call->settings,
                    .index = call->own,
                    .event = call->event,
                    .context = call->context};
    if (!concerns(&j)) return CHY_S_OK;
    chy_hresult hr = h->vt->new_server_exit(h->self, &j.cb);
    if (CHY_FAILED(hr)) return hr;
    hr = j.cb.vt->set_context(j.cb.self, j.context);
    if (!CHY_FAILED(hr)) hr = publish_event(&j);
    j.cb.vt->release(j.cb.self);
    kit_text_free(&j.files);
    kit_text_free(&j.removed);
    return hr;
}

/* The mask holds until the next start, and a folder may be named at any time: without one the event
 * of a CRL is heard and nothing done. */
static chy_long events(const void *settings)
{
    const struct settings *s = settings;
    return s->event_filter | CHY_EXITEVENT_CRLISSUED;
}

static chy_hresult open_index(const chy_host *host, void **own)
{
    struct index *i = calloc(1, sizeof *i);
    (void)host;
    if (!i) return CHY_E_OUTOFMEMORY;
    pthread_mutex_init(&i->lock, NULL);
    i->last = -1;
    *own = i;
    return CHY_S_OK;
}

static void close_index(void *own)
{
    struct index *i = own;
    pthread_mutex_destroy(&i->lock);
    free(i);
}

static chy_hresult load(const chy_host *host, void *own, const char *config, void **out)
{
    struct settings *s = NULL;
    (void)own, (void)config;
    chy_hresult hr = settings_load(host, &s);
    *out = s;
    return hr;
}

static void unload(void *settings)
{
    settings_free(settings);
}

static const struct kit_class cls = {
    .name = "exit-publish",
    .class_name = "ExitPublish.Exit",
    .manage_name = "ExitPublish.ExitManage",
    .title = "Chancery publisher",
    .summary = "Writes issued certificates and CRLs to files",
    .description = "Chancery publisher: writes issued certificates and CRLs to files",
    .open = open_index,
    .close = close_index,
    .load = load,
    .unload = unload,
    .notify = notify,
    .events = events,
};

KIT_MODULE(cls, "exit-publish", "ExitPublish.Exit");
