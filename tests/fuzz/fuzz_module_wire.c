/* Any octets from the child of a module: frames, questions, answers and the greeting are read
 * within their bounds, or refused. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ca/packed.h"
#include "module/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const char *s)
{
    volatile size_t n = s ? strlen(s) : 0;
    (void)n;
}

static void read_value(const chy_variant *v)
{
    volatile uint8_t last = 0;
    if (v->vt == CHY_VT_STR && v->u.s.p) last = (uint8_t)v->u.s.p[v->u.s.n];
    if (v->vt == CHY_VT_BYTES && v->u.b.n) last = v->u.b.p[v->u.b.n - 1];
    (void)last;
}

static void questions(struct chy_wire_in in)
{
    while (!in.bad && in.p != in.end) {
        struct chy_question q;
        chy_get_question(&in, &q);
        if (in.bad) return;
        touch(q.name);
        read_value(&q.value);
    }
}

static void answers(struct chy_wire_in in)
{
    while (!in.bad && in.p != in.end) {
        struct chy_reply r;
        if (!chy_get_reply(&in, &r)) return;
        read_value(&r.value);
        chy_variant_clear(&r.value);
    }
}

static void greeting(struct chy_wire_in in)
{
    struct chy_ready r;
    chy_get_ready(&in, &r);
    if (in.bad) return;
    touch(r.error);
    touch(r.name);
    touch(r.class_name);
    touch(r.version);
    touch(r.confined);
}

static void calls(struct chy_wire_in in)
{
    struct chy_call c;
    struct chy_start s;
    struct chy_wire_in start = in;
    chy_variant v = {.vt = CHY_VT_EMPTY};
    chy_get_call(&in, &c, &v);
    if (!in.bad) touch(c.config);
    chy_variant_clear(&v);
    chy_get_start(&start, &s);
    for (size_t i = 0; i < s.n_read; i++)
        touch(s.read[i]);
}

static void request(struct chy_wire_in in)
{
    struct chy_request *r = chy_packed_new();
    if (!r) abort();
    if (chy_packed_read(r, &in) == CHY_S_OK && in.p != in.end) abort();
    chy_request_free(r);
}

/* As they come, over a socket. */
static void frames(const uint8_t *data, size_t size)
{
    int fd[2];
    struct chy_lane lane;
    enum chy_frame kind;
    struct chy_wire_in in;
    if (size > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0) return;
    if (!chy_lane_init(&lane, fd[0], 1 << 16)) abort();
    if (write(fd[1], data, size) != (ssize_t)size) abort();
    close(fd[1]);
    while (chy_frame_recv(&lane, 1 << 20, &kind, &in))
        questions(in);
    chy_lane_fini(&lane);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_wire_in in = {data, data + size, false};
    questions(in);
    answers(in);
    greeting(in);
    calls(in);
    request(in);
    frames(data, size);
    return 0;
}
