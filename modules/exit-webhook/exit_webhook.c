/* An exit module that posts each event to a web server. */
#include "webhook.h"

struct webhook {
    struct settings settings;
    CURL *curl;
};

static void done(const chy_host *host, void *state)
{
    struct webhook *w = state;
    (void)host;
    if (w->curl) curl_easy_cleanup(w->curl);
    settings_free(&w->settings);
}

/* The library is never unloaded, so what it sets up is never torn down. */
static chy_hresult init(chy_task *task, chy_long *events)
{
    struct webhook *w = task->state;
    chy_hresult hr = settings_read(task->host, &w->settings);
    if (CHY_FAILED(hr)) return hr;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return CHY_E_UNEXPECTED;
    w->curl = sender_new(&w->settings);
    if (!w->curl) return CHY_E_OUTOFMEMORY;
    *events = w->settings.events;
    return CHY_S_OK;
}

/* The mask holds until the next start: an event that the settings no longer name is passed over. */
static chy_hresult notify(chy_task *task, chy_long event)
{
    struct webhook *w = task->state;
    struct event e = {.attempt = 0};
    if (!(event & w->settings.events)) return CHY_S_OK;
    chy_hresult hr = event_read(task, &w->settings, event, &e);
    if (CHY_FAILED(hr))
        chy_say(task, CHY_LOG_ERROR, "exit-webhook: the event could not be read");
    else if (is_wanted(&w->settings, e.name))
        hr = send_event(task, w->curl, &w->settings, &e);
    event_free(&e);
    return hr;
}

CHY_EXIT_MODULE_DONE("exit-webhook", "ExitWebhook.Exit", CHY_VERSION,
                     "Posts events to a web server as signed JSON or CloudEvents", struct webhook,
                     init, notify, done);
