/* An exit module in the words that C11 and C++17 share. It looks at all there is to see. */
#include <chancery/easy.h>

struct seen {
    chy_long events, extensions, attributes;
    void *memory;
};

static chy_hresult init(chy_task *task, chy_long *events)
{
    struct seen *s = (struct seen *)task->state;
    *events = CHY_EXITEVENT_CERTISSUED | CHY_EXITEVENT_CERTDENIED;
    s->memory = task->host->vt->alloc(16);
    return chy_setting_long(task->host, "Events", *events, events);
}

static void done(const chy_host *host, void *state)
{
    struct seen *s = (struct seen *)state;
    host->vt->free(s->memory);
}

static chy_hresult extension(chy_task *task, const char *name, void *arg)
{
    struct seen *s = (struct seen *)arg;
    chy_bytes value;
    chy_long flags;
    chy_hresult hr = chy_extension_bytes(task, name, &value, &flags);
    if (CHY_FAILED(hr)) return hr;
    s->extensions += !(flags & CHY_EXTENSION_DISABLE_FLAG);
    chy_bytes_free(task->host, &value);
    return CHY_S_OK;
}

static chy_hresult attribute(chy_task *task, const char *name, void *arg)
{
    struct seen *s = (struct seen *)arg;
    char value[64];
    s->attributes++;
    return chy_attribute_text(task, name, "none", value, sizeof value);
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    struct seen *s = (struct seen *)task->state;
    chy_time when;
    chy_bytes cert;
    char until[CHY_TIME_TEXT];
    s->events |= event;
    chy_hresult hr = chy_cert_bytes(task, "RawCertificate", &cert);
    if (CHY_FAILED(hr)) return hr;
    chy_bytes_free(task->host, &cert);
    (void)chy_request_time(task, "SubmittedWhen", &when);
    chy_time_text(when, until);
    chy_say(task, CHY_LOG_DEBUG, until);
    hr = chy_each_extension(task, extension, s);
    return CHY_FAILED(hr) ? hr : chy_each_attribute(task, attribute, s);
}

CHY_EXIT_MODULE_DONE("both-exit", "BothExit.Exit", "1.0", "Looks at all there is", struct seen,
                     init, notify, done);
