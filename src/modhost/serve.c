/* A lane: calls come, are made as the daemon would make them, and are answered. */
#include <unistd.h>

#include "modhost/modhost.h"

bool guest_init(struct guest *g, struct host *h, int fd)
{
    *g = (struct guest){.host = h};
    pthread_mutex_init(&g->lock, NULL);
    chy_buf_init(&g->set, CHY_FRAME_FROM_CHILD_MAX / 2);
    if (h->start.packed) g->local = chy_packed_new();
    return chy_lane_init(&g->lane, fd, CHY_FRAME_FROM_CHILD_MAX) && (g->local || !h->start.packed);
}

static void done(struct guest *g, chy_hresult hr, const struct chy_call *c,
                 const struct chy_err *err)
{
    struct chy_buf *b = &g->lane.out;
    chy_frame_begin(&g->lane);
    chy_put_u32(b, g->call);
    chy_put_u32(b, (uint32_t)hr);
    chy_put_u32(b, (uint32_t)c->number);
    chy_put_cstr(b, err->text);
    chy_put_variant(b, &c->result);
    chy_put_u32(b, g->n_set);
    chy_buf_add_span(b, chy_buf_span(&g->set));
    if (g->set.failed) b->failed = true;
}

static void failed(struct guest *g, chy_hresult hr)
{
    struct chy_call nothing = {.number = 0};
    struct chy_err err = {0};
    chy_buf_reset(&g->set);
    g->n_set = 0;
    done(g, hr, &nothing, &err);
}

static void one_call(struct guest *g, struct chy_wire_in *in)
{
    struct chy_call c;
    struct chy_err err = {0};
    chy_variant value = {.vt = CHY_VT_EMPTY};
    struct chy_running running;
    struct chy_instance *i = g->host->instance;
    g->call = chy_get_u32(in);
    uint32_t generation = chy_get_u32(in);
    int64_t left = chy_get_i64(in);
    bool has_request = chy_get_u32(in) != 0;
    chy_get_call(in, &c, &value);
    chy_hresult hr = in->bad ? CHY_E_OUTOFMEMORY : CHY_S_OK;
    if (hr == CHY_S_OK && has_request && g->local) hr = chy_packed_read(g->local, in);
    chy_buf_reset(&g->set);
    g->n_set = 0;
    host_settings_are_of(g->host, generation);
    enum chy_asker asker =
        i->is_policy && c.kind <= CHY_CALL_SHUT_DOWN ? CHY_ASKER_POLICY : CHY_ASKER_EXIT;
    if (hr == CHY_S_OK) hr = chy_call_begin(i, has_request ? g : NULL, asker, &running, &err);
    if (hr != CHY_S_OK) {
        failed(g, hr);
        chy_variant_clear(&value);
        return;
    }
    chy_context_has_left(running.context, left);
    guest_is_current(g);
    hr = chy_call_run(i, has_request ? running.number : 0, &c, &err);
    (void)chy_call_end(i, &running, hr);
    guest_is_current(NULL);
    done(g, hr, &c, &err);
    if (g->lane.out.failed) failed(g, CHY_E_OUTOFMEMORY);
    chy_variant_clear(&c.result);
    chy_variant_clear(&value);
}

void serve(struct guest *g)
{
    enum chy_frame kind;
    struct chy_wire_in in;
    while (chy_frame_recv(&g->lane, CHY_FRAME_TO_CHILD_MAX, &kind, &in)) {
        if (kind != CHY_FRAME_CALL) return;
        /* The module may ask on this lane while what was read is still in use. */
        uint8_t *call = g->lane.in;
        g->lane.in = g->spare;
        g->spare = call;
        size_t cap = g->lane.cap_in;
        g->lane.cap_in = g->cap_spare;
        g->cap_spare = cap;
        one_call(g, &in);
        if (!chy_frame_send(&g->lane, CHY_FRAME_DONE)) return;
    }
}
