#define CHY_MODULE_COPYRIGHT "Chancery authors"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "mail.h"

/* A refresh makes a new state beside the old one; the worker goes from one to the other, since its
 * folder can have one owner only. */
struct state {
    struct settings *settings;
    struct worker *worker; /* NULL without a folder */
    struct smtp *smtp;
};

void say(const chy_host *host, chy_long severity, const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    host->vt->log(host->self, severity, text);
}

/* The host of a task is a member of the object that has the state so far. */
static struct state *state_so_far(const chy_task *task)
{
    const void *at = (const char *)task->host - offsetof(chy_module_object, host);
    const chy_module_object *o = at;
    return o->state;
}

static chy_hresult take_worker(const chy_task *task, struct state *s)
{
    struct state *old = state_so_far(task);
    if (!s->settings->state_folder) return CHY_S_OK;
    if (!old || !old->worker || !worker_is_of(old->worker, s->settings))
        return worker_start(&s->worker, task->host, s->settings);
    s->worker = old->worker;
    old->worker = NULL;
    worker_renew(s->worker, s->settings);
    return CHY_S_OK;
}

/* All events are heard: EventFilter counts without a new start. */
static chy_hresult init(chy_task *task, chy_long *events)
{
    struct state *s = task->state;
    chy_hresult hr = settings_load(task, &s->settings);
    if (CHY_FAILED(hr)) return hr;
    s->smtp = smtp_new(task->host, NULL);
    if (!s->smtp) return CHY_E_OUTOFMEMORY;
    hr = take_worker(task, s);
    if (CHY_FAILED(hr)) return hr;
    if (!s->settings->server[0])
        chy_say(task, CHY_LOG_INFO, "exit-mail: no SMTPServer, nothing is sent");
    *events = CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTPENDING | CHY_EXITEVENT_CERTDENIED |
              CHY_EXITEVENT_CERTREVOKED | CHY_EXITEVENT_CRLISSUED | CHY_EXITEVENT_SHUTDOWN |
              CHY_EXITEVENT_STARTUP | CHY_EXITEVENT_CERTIMPORTED;
    return CHY_S_OK;
}

static void done(const chy_host *host, void *state)
{
    struct state *s = state;
    (void)host;
    worker_stop(s->worker);
    smtp_free(s->smtp);
    settings_unref(s->settings);
}

/* A certificate that is no longer on hold comes as a revocation too: by its own name, or, where the
 * engine gives none, by the state that the certificate is in. */
static bool is_released(const chy_task *task)
{
    char name[40];
    chy_long disposition;
    if (CHY_SUCCEEDED(chy_request_text(task, "EventName", name, sizeof name)) && name[0])
        return strcmp(name, "certunrevoked") == 0;
    return CHY_SUCCEEDED(chy_request_long(task, "Disposition", &disposition)) &&
           disposition == CHY_DB_DISP_ISSUED;
}

static bool kind_of(chy_task *task, chy_long event, enum kind *kind)
{
    static const struct {
        chy_long event;
        enum kind kind;
    } kinds[] = {
        {CHY_EXITEVENT_CERTISSUED, MAIL_ISSUED}, {CHY_EXITEVENT_CERTPENDING, MAIL_PENDING},
        {CHY_EXITEVENT_CERTDENIED, MAIL_DENIED}, {CHY_EXITEVENT_CERTREVOKED, MAIL_REVOKED},
        {CHY_EXITEVENT_CRLISSUED, MAIL_CRL},     {CHY_EXITEVENT_SHUTDOWN, MAIL_SHUTDOWN},
        {CHY_EXITEVENT_STARTUP, MAIL_STARTUP},   {CHY_EXITEVENT_CERTIMPORTED, MAIL_IMPORTED}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].event != event) continue;
        *kind = kinds[i].kind;
        if (*kind == MAIL_REVOKED && is_released(task)) *kind = MAIL_UNREVOKED;
        return true;
    }
    return false;
}

static chy_hresult text_of(chy_task *task, const char *name, char *out, size_t size)
{
    struct kit_text t = {0}, clean = {0};
    out[0] = 0;
    if (event_value(task, name, true, &t)) text_add_clean(&clean, t.p, t.n, size - 4);
    if (clean.n) snprintf(out, size, "%.*s", (int)clean.n, clean.p);
    bool failed = t.failed || clean.failed;
    kit_text_free(&t);
    kit_text_free(&clean);
    return failed ? CHY_E_OUTOFMEMORY : CHY_S_OK;
}

/* What was due before the certificate was there needs no reminder. */
static uint32_t passed_before(const struct settings *s, int64_t left)
{
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < s->n_reminders; i++)
        if (s->reminder[i] >= left) last = s->reminder[i];
    return last;
}

static chy_hresult learn(chy_task *task, const struct state *s)
{
    struct holder h;
    chy_time not_after, when;
    chy_long id = 0;
    memset(&h, 0, sizeof h);
    chy_hresult hr = chy_cert_text(task, "SerialNumber", h.serial, sizeof h.serial);
    if (!CHY_FAILED(hr)) hr = chy_cert_time(task, "NotAfter", &not_after);
    if (CHY_FAILED(hr)) return hr == CHY_CERTSRV_E_PROPERTY_EMPTY ? CHY_S_OK : hr;
    (void)chy_request_long(task, "RequestID", &id);
    if (CHY_FAILED(chy_request_time(task, "EventTime", &when)))
        when = (chy_time)time(NULL) * 1000000;
    h.id = id;
    h.not_after = not_after / 1000000;
    h.last = passed_before(s->settings, h.not_after - when / 1000000);
    (void)chy_cert_text(task, "CertificateTemplate", h.template_name, sizeof h.template_name);
    hr = text_of(task, "CommonName", h.name, sizeof h.name);
    if (!CHY_FAILED(hr)) hr = text_of(task, "DistinguishedName", h.subject, sizeof h.subject);
    recipients_of_event(task, s->settings, MAIL_EXPIRING, &h.to);
    return CHY_FAILED(hr) ? hr : worker_learn(s->worker, &h);
}

static chy_hresult keep_reminders(chy_task *task, const struct state *s, enum kind kind)
{
    char serial[80];
    if (!s->worker || !s->settings->n_reminders) return CHY_S_OK;
    if (kind == MAIL_ISSUED || kind == MAIL_IMPORTED || kind == MAIL_UNREVOKED)
        return learn(task, s);
    if (kind != MAIL_REVOKED) return CHY_S_OK;
    if (CHY_FAILED(chy_cert_text(task, "SerialNumber", serial, sizeof serial))) return CHY_S_OK;
    return worker_forget(s->worker, serial);
}

/* The same for each delivery of one event. An engine that gives no number to its events leaves what
 * the event is about. */
static void set_id(chy_task *task, struct mail *m)
{
    char id[100] = "", serial[80] = "";
    chy_long request = 0;
    if (CHY_FAILED(chy_get_text(task, task->context ? CHY_OF_REQUEST : CHY_OF_CERTIFICATE,
                                "EventID", id, sizeof id)))
        id[0] = 0;
    if (id[0]) {
        snprintf(m->id, sizeof m->id, "%s", id);
    } else if (task->context) {
        (void)chy_request_long(task, "RequestID", &request);
        (void)chy_cert_text(task, "SerialNumber", serial, sizeof serial);
        snprintf(m->id, sizeof m->id, "%s.%d.%s", kind_name(m->kind), (int)request, serial);
    } else {
        snprintf(m->id, sizeof m->id, "%s.%" PRId64, kind_name(m->kind), (int64_t)time(NULL));
    }
}

static bool is_wanted(chy_task *task, const struct settings *s)
{
    char name[256];
    if (!s->templates.n || !task->context) return true;
    return CHY_SUCCEEDED(chy_cert_text(task, "CertificateTemplate", name, sizeof name)) &&
           words_have(&s->templates, name);
}

static chy_hresult tell(chy_task *task, const struct state *s, enum kind kind)
{
    struct mail m;
    memset(&m, 0, sizeof m);
    m.kind = kind;
    recipients_named(s->settings, kind, &m.to, &m.cc);
    recipients_of_event(task, s->settings, kind, &m.to);
    if (!m.to.n) return CHY_S_OK;
    set_id(task, &m);
    mail_write(&m, s->settings, event_value, task);
    bool collect = s->settings->digest && s->worker && !s->settings->folder[kind].at_once;
    chy_hresult hr =
        collect ? worker_collect(s->worker, &m) : smtp_deliver(s->smtp, s->settings, &m);
    mail_free(&m);
    return hr;
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    const struct state *s = task->state;
    enum kind kind;
    if (!kind_of(task, event, &kind) || !is_wanted(task, s->settings)) return CHY_S_OK;
    chy_hresult hr = keep_reminders(task, s, kind);
    if (CHY_FAILED(hr) || !s->settings->server[0] || !(s->settings->events & event)) return hr;
    return tell(task, s, kind);
}

CHY_EXIT_MODULE_DONE("exit-mail", "ExitMail.Exit", CHY_VERSION,
                     "Chancery mailer: tells of events and of certificates that end, by mail",
                     struct state, init, notify, done);
