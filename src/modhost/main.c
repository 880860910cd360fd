/* The start: who am I to be, what do I give up, is the module one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "modhost/modhost.h"

enum { STACK = 2 << 20 };

static void say_ready(struct host *h, const struct chy_ready *r)
{
    chy_frame_begin(&h->control);
    chy_put_ready(&h->control.out, r);
    if (!chy_frame_send(&h->control, CHY_FRAME_READY)) _exit(0);
}

static chy_hresult named(const char *name, void *arg)
{
    struct host *h = arg;
    enum chy_frame kind;
    struct chy_wire_in in;
    say_ready(h, &(struct chy_ready){.hr = CHY_S_FALSE, .name = name});
    if (!chy_frame_recv(&h->control, 64, &kind, &in)) _exit(0);
    return CHY_S_OK;
}

static chy_hresult open_module(struct host *h, struct chy_err *err)
{
    struct chy_modules_config config = {.ops = &host_ops,
                                        .ca = h,
                                        .clock = &chy_system_clock,
                                        .call_timeout_ms = h->start.timeout_ms,
                                        .unwatched = true};
    chy_hresult hr = confine(&h->start, h->confined, sizeof(h->confined), err);
    if (hr == CHY_S_OK) hr = chy_modules_new(&config, &h->modules, err);
    if (hr != CHY_S_OK) return hr;
    return chy_instance_open_fd(h->modules, CHY_FD_MODULE, h->start.path, h->start.class_name,
                                h->start.is_policy, h->start.binding, named, h, &h->instance, err);
}

static void *lane_main(void *guest)
{
    serve(guest);
    _exit(0);
}

static bool start_lanes(struct host *h)
{
    struct chy_instance_info info;
    pthread_attr_t attr;
    pthread_t thread;
    chy_instance_info(h->instance, &info);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    for (uint32_t k = 0; k < h->start.lanes; k++) {
        if (k && !info.concurrent) {
            close(CHY_FD_LANES + (int)k);
            continue;
        }
        struct guest *g = chy_malloc(sizeof(*g));
        if (!g || !guest_init(g, h, CHY_FD_LANES + (int)k) ||
            pthread_create(&thread, &attr, lane_main, g) != 0)
            return false;
    }
    pthread_attr_destroy(&attr);
    return true;
}

static bool greet(struct host *h)
{
    struct chy_err err = {0};
    struct chy_instance_info info;
    chy_hresult hr = open_module(h, &err);
    if (hr != CHY_S_OK) {
        say_ready(h,
                  &(struct chy_ready){.hr = CHY_FAILED(hr) ? hr : CHY_E_FAIL, .error = err.text});
        return false;
    }
    if (!start_lanes(h)) {
        say_ready(h, &(struct chy_ready){.hr = CHY_E_OUTOFMEMORY,
                                         .error = "its child process has no memory for threads"});
        return false;
    }
    chy_instance_info(h->instance, &info);
    say_ready(h, &(struct chy_ready){.hr = CHY_S_OK,
                                     .name = info.name,
                                     .class_name = info.class_name,
                                     .version = info.version,
                                     .confined = h->confined,
                                     .late = info.late_bound,
                                     .concurrent = info.concurrent});
    return true;
}

int main(void)
{
    static struct host h; /* for the life of the process; its threads have it */
    enum chy_frame kind;
    struct chy_wire_in in;
    chy_log_setup(CHY_LOG_LEVEL_DEBUG, CHY_LOG_FORMAT_TEXT);
    pthread_mutex_init(&h.side_lock, NULL);
    pthread_mutex_init(&h.kept_lock, NULL);
    if (!chy_lane_init(&h.control, CHY_FD_CONTROL, 1 << 16) ||
        !chy_lane_init(&h.side, CHY_FD_SIDE, CHY_FRAME_FROM_CHILD_MAX) ||
        !chy_frame_recv(&h.control, 1 << 20, &kind, &in) || kind != CHY_FRAME_START) {
        fprintf(stderr, "chancery-modhost: chanceryd starts it, with a module to run\n");
        return 2;
    }
    chy_get_start(&in, &h.start);
    h.control.in = NULL; /* its texts are lent from what was read */
    h.control.cap_in = 0;
    if (in.bad || !greet(&h)) _exit(1);
    /* The daemon closes its end, or has ended: the object goes as it would there. */
    if (!chy_frame_recv(&h.control, 64, &kind, &in) && !atomic_load(&h.instance->running))
        chy_instance_free(h.instance);
    _exit(0);
}
