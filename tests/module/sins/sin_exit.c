/* Does at each event what the request's attribute ExitSin names, once. */
#include <chancery/easy_module.h>
#include <string.h>

#include "sin.h"

static chy_hresult init(chy_task *task, chy_long *events)
{
    (void)task;
    *events = CHY_EXITEVENT_CERTISSUED;
    return CHY_S_OK;
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    char sin[32] = "", said[256] = "";
    chy_long attempt;
    (void)event;
    if (CHY_FAILED(chy_request_long(task, "EventAttempt", &attempt))) attempt = 1;
    if (chy_attribute_text(task, "ExitSin", "", sin, sizeof sin) == CHY_S_OK && attempt == 1)
        (void)sin_commit(task, sin, said, sizeof said);
    chy_say(task, CHY_LOG_INFO, said[0] ? said : "told");
    return CHY_S_OK;
}

CHY_EXIT_MODULE("sin-exit", "Sin.Exit", "1.0", "A sinner", char, init, notify);
