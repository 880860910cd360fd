/* An exit module that reads what a typical one reads, and takes as long as its setting says. */
#include <chancery/easy_module.h>
#include <unistd.h>

struct state {
    chy_long sleep_ms;
};

static chy_hresult init(chy_task *task, chy_long *events)
{
    struct state *s = task->state;
    *events = CHY_EXITEVENT_CERTISSUED;
    return chy_setting_long(task->host, "SleepMs", 0, &s->sleep_ms);
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    const struct state *s = task->state;
    char id[100], serial[64];
    chy_hresult hr = chy_request_text(task, "EventID", id, sizeof id);
    (void)event;
    if (CHY_SUCCEEDED(hr)) hr = chy_cert_text(task, "SerialNumber", serial, sizeof serial);
    if (s->sleep_ms) usleep((useconds_t)s->sleep_ms * 1000);
    return hr;
}

CHY_EXIT_MODULE("exit-bench", "ExitBench.Exit", "1.0", "For measuring", struct state, init, notify);
