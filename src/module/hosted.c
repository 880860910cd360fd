/* A call of a module in a child process: the request goes there with the question, what the module
 * set comes back with the answer. One exchange, where the child need not ask for more. */
#include <errno.h>

#include "module/internal.h"

static void put_call(struct chy_instance *i, const struct chy_context *context, int32_t number,
                     void *request, const struct chy_call *c, struct chy_buf *b)
{
    const struct chy_modules *ms = i->ms;
    int64_t left = context->deadline - chy_monotonic(ms->config.clock);
    chy_put_u32(b, (uint32_t)number);
    chy_put_u32(b, atomic_load(&ms->generation));
    chy_put_i64(b, left > 0 ? left : 0);
    chy_put_u32(b, request != NULL);
    chy_put_call(b, c);
    if (request && ms->config.ops->pack &&
        ms->config.ops->pack(request, context->asker, b) != CHY_S_OK)
        b->failed = true;
}

static bool answer(struct chy_instance *i, int32_t number, struct chy_lane *lane,
                   struct chy_wire_in *in)
{
    struct chy_question q;
    struct chy_reply reply;
    chy_get_question(in, &q);
    if (in->bad || in->p != in->end) return false;
    chy_answer(i, number, &q, &reply);
    chy_frame_begin(lane);
    chy_put_reply(&lane->out, &reply);
    chy_variant_clear(&reply.value);
    if (lane->out.failed) { /* a value that is too long for memory is the module's to bear */
        chy_frame_begin(lane);
        chy_put_reply(&lane->out, &(struct chy_reply){.hr = CHY_E_OUTOFMEMORY});
    }
    return chy_frame_send(lane, CHY_FRAME_ANSWER);
}

/* Does again what the module did with its copy of the request. */
static chy_hresult replay(struct chy_instance *i, int32_t number, struct chy_wire_in *in,
                          chy_hresult hr, struct chy_err *err)
{
    uint32_t n = chy_get_u32(in);
    for (uint32_t k = 0; k < n && !in->bad; k++) {
        struct chy_question q;
        struct chy_reply reply;
        chy_get_question(in, &q);
        if (q.ask < CHY_ASK_SET_PROPERTY) in->bad = true;
        if (in->bad) break;
        chy_answer(i, number, &q, &reply);
        if (reply.hr != CHY_S_OK && !CHY_FAILED(hr)) {
            hr = chy_fail(err, CHY_E_UNEXPECTED,
                          "module %s: what its child process set does not hold here: %s, 0x%08x",
                          i->name, q.name, (unsigned)reply.hr);
        }
    }
    return hr;
}

static chy_hresult done(struct chy_instance *i, int32_t number, struct chy_wire_in *in,
                        struct chy_call *c, struct chy_err *err)
{
    /* An answer to another call is none: whoever wrote it, something is out of step. */
    if (chy_get_long(in) != number) in->bad = true;
    chy_hresult hr = chy_get_long(in);
    c->number = chy_get_long(in);
    const char *text = chy_get_cstr(in);
    if (!chy_get_variant(in, &c->result)) in->bad = true;
    if (text && *text && CHY_FAILED(hr)) chy_fail(err, hr, "%s", text);
    hr = replay(i, number, in, hr, err);
    if (in->p != in->end) in->bad = true;
    if (in->bad || CHY_FAILED(hr)) chy_variant_clear(&c->result);
    return hr;
}

chy_hresult chy_lane_call(struct chy_instance *i, struct chy_context *context, int32_t number,
                          void *request, struct chy_lane *lane, struct chy_call *c, bool *broken,
                          struct chy_err *err)
{
    enum chy_frame kind;
    struct chy_wire_in in;
    *broken = false;
    chy_frame_begin(lane);
    put_call(i, context, number, request, c, &lane->out);
    if (lane->out.failed) return chy_fail_nomem(err, "call of a module");
    bool sound = chy_frame_send(lane, CHY_FRAME_CALL);
    while (sound && (sound = chy_frame_recv(lane, CHY_FRAME_FROM_CHILD_MAX, &kind, &in))) {
        if (kind == CHY_FRAME_DONE) {
            chy_hresult hr = done(i, number, &in, c, err);
            if (!in.bad) return hr;
            errno = EPROTO;
            break;
        }
        sound = kind == CHY_FRAME_ASK && answer(i, number, lane, &in);
        if (kind != CHY_FRAME_ASK || in.bad) errno = EPROTO;
    }
    *broken = true;
    return CHY_RPC_E_SERVERFAULT;
}

static const char *method_of(const struct chy_call *c)
{
    static const char *const names[] = {"Initialize",  "VerifyRequest",  "Notify",
                                        "ShutDown",    "GetDescription", "GetProperty",
                                        "SetProperty", "Configure"};
    return names[c->kind];
}

/* *again: it failed, and may have been drawn into the failure of another call. */
static chy_hresult call_once(struct chy_instance *i, struct chy_running *r, void *request,
                             struct chy_call *c, bool alone, bool *again, struct chy_err *err)
{
    struct chy_process *p;
    size_t seat;
    bool broken, shared;
    *again = false;
    chy_hresult hr = chy_child_take(i->child, r->context->deadline, alone, &p, &seat, err);
    if (hr != CHY_S_OK) return hr;
    chy_context_lend(r->context, p);
    hr = chy_lane_call(i, r->context, r->number, request, &p->seat[seat].lane, c, &broken, err);
    int error = errno;
    bool overdue = chy_context_lend(r->context, NULL);
    if (broken) {
        errno = error;
        hr = chy_child_broke(i->child, p, method_of(c), overdue, &shared, err);
        (void)chy_wrap(err, "module %s", i->name);
        *again = shared && !overdue;
    } else if (c->kind == CHY_CALL_INITIALIZE && CHY_FAILED(hr)) {
        chy_child_refused(i->child, p, hr);
    } else if (c->kind == CHY_CALL_VERIFY || c->kind == CHY_CALL_NOTIFY) {
        chy_child_succeeded(i->child);
    }
    chy_child_give(i->child, p, seat);
    return hr;
}

/* One call of many that a process took with it is made once more, alone: nothing of it has reached
 * the request, where the child had a copy. The one that was to blame fails alone. */
chy_hresult chy_hosted_call(struct chy_instance *i, struct chy_running *r, void *request,
                            struct chy_call *c, struct chy_err *err)
{
    struct chy_err first = {0};
    bool again;
    chy_long number = c->number;
    if (c->kind == CHY_CALL_INITIALIZE) chy_child_remember(i->child, c->config);
    chy_hresult hr = call_once(i, r, request, c, false, &again, &first);
    if (again && c->kind == CHY_CALL_VERIFY && i->ms->config.ops->pack) {
        chy_err_clear(&first);
        c->number = number;
        hr = call_once(i, r, request, c, true, &again, &first);
    }
    if (first.code != CHY_S_OK) chy_fail(err, first.code, "%s", first.text);
    return hr;
}
