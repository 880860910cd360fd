/* One call into the module under examination. */
#include "module/conform.h"

static const char config[] = "localhost\\Check CA";

static struct chy_conform_answer begin(struct chy_conform *c)
{
    atomic_store(&c->setter_failed, false);
    atomic_fetch_add(&c->active, 1);
    return (struct chy_conform_answer){CHY_VERDICT_FAILED, CHY_E_FAIL, false};
}

static void end(struct chy_conform *c, struct chy_conform_answer *a)
{
    atomic_fetch_sub(&c->active, 1);
    a->setter_failed = atomic_load(&c->setter_failed);
}

/* Of the events that it asked for one after the other. */
static chy_long event_of(struct chy_conform *c)
{
    enum { KNOWN = 10 };
    unsigned turn = atomic_fetch_add(&c->turn, 1);
    for (unsigned i = 0; i < KNOWN; i++) {
        chy_long event = (chy_long)1 << (turn + i) % KNOWN;
        if (c->events & event) return event;
    }
    return CHY_EXITEVENT_CERTISSUED;
}

struct chy_conform_answer chy_conform_call(struct chy_conform *c, bool is_new)
{
    struct chy_conform_answer a = begin(c);
    struct chy_err err = {0};
    bool abandoned = false;
    if (c->is_policy) {
        a.verdict = chy_policy_verify(c->instance, config, c, is_new, &a.status, &abandoned, &err);
    } else {
        chy_long event = event_of(c);
        bool has_request = event != CHY_EXITEVENT_CRLISSUED && event != CHY_EXITEVENT_SHUTDOWN;
        a.status = chy_exit_notify(c->instance, event, has_request ? c : NULL, &abandoned, &err);
    }
    end(c, &a);
    return a;
}

static chy_hresult verify_with(struct chy_conform *c, chy_long context, chy_long *disposition)
{
    struct chy_instance *i = c->instance;
    if (!i->late)
        return i->policy.vt->verify_request(i->policy.self, config, context, 1, 0, disposition);
    const chy_variant args[] = {chy_arg_str(config), chy_arg_long(context), chy_arg_long(1),
                                chy_arg_long(0)};
    chy_variant result = {.vt = CHY_VT_EMPTY};
    chy_hresult hr = chy_late_call(&i->object, "VerifyRequest", args, 4, &result, NULL);
    *disposition = result.vt == CHY_VT_LONG ? result.u.l : CHY_VR_INSTANT_BAD;
    chy_variant_clear(&result);
    return hr;
}

static chy_hresult notify_with(struct chy_conform *c, chy_long context)
{
    struct chy_instance *i = c->instance;
    chy_long event = event_of(c);
    const chy_variant args[] = {chy_arg_long(event), chy_arg_long(context)};
    return i->late ? chy_late_call(&i->object, "Notify", args, 2, NULL, NULL)
                   : i->exit.vt->notify(i->exit.self, event, context);
}

/* Past the part of this layer that gives a call its context. */
struct chy_conform_answer chy_conform_call_with(struct chy_conform *c, chy_long context)
{
    struct chy_conform_answer a = begin(c);
    chy_long disposition = CHY_VR_INSTANT_BAD;
    a.status = c->is_policy ? verify_with(c, context, &disposition) : notify_with(c, context);
    if (a.status == CHY_S_OK && disposition == CHY_VR_INSTANT_OK) a.verdict = CHY_VERDICT_ISSUE;
    end(c, &a);
    return a;
}
