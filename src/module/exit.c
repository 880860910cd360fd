/* Calls of ICertExit. */
#include "module/internal.h"

chy_hresult chy_exit_initialize(struct chy_instance *i, const char *config, chy_long *event_mask,
                                struct chy_err *err)
{
    bool abandoned;
    struct chy_call c = {
        .kind = CHY_CALL_INITIALIZE, .config = config, .number = CHY_EXITEVENT_INVALID};
    chy_hresult hr = chy_call_make(i, NULL, &c, &abandoned, err);
    if (!c.made) return hr;
    if (abandoned) return chy_overran(i, "Initialize", err);
    if (CHY_FAILED(hr)) return chy_explain(i, "Initialize", hr, err);
    *event_mask = c.number;
    return CHY_S_OK;
}

chy_hresult chy_exit_notify(struct chy_instance *i, chy_long event, void *request, bool *abandoned,
                            struct chy_err *err)
{
    struct chy_call c = {.kind = CHY_CALL_NOTIFY, .event = event};
    chy_hresult hr = chy_call_make(i, request, &c, abandoned, err);
    if (!c.made) return hr;
    if (*abandoned) return chy_overran(i, "Notify", err);
    return CHY_FAILED(hr) ? chy_explain(i, "Notify", hr, err) : CHY_S_OK;
}
