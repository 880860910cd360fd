/* What a daemon and the child of a module say to each other, octet by octet.
 *
 * Each thread of a child has a lane: a stream socket on which one side speaks at a time. A frame is
 * eight octets (kind, length) and a body. The daemon believes nothing of what it reads: lengths are
 * bounded, texts end in NUL, numbers are looked at where they are used. Both sides are of one
 * build: numbers are as the machine has them.
 *
 *     daemon  START ─▶          ─▶ READY   child         once, on the control socket
 *     daemon  CALL  ─▶ (◀─ ASK, ANSWER ─▶)* ◀─ DONE      on a lane
 *     child   ASK   ─▶ ANSWER                            outside of calls, on the side socket */
#ifndef CHY_MODULE_WIRE_H
#define CHY_MODULE_WIRE_H

#include "module/module.h"

enum chy_frame {
    CHY_FRAME_START = 0x43480001,
    CHY_FRAME_READY,
    CHY_FRAME_CALL,
    CHY_FRAME_ASK,
    CHY_FRAME_ANSWER,
    CHY_FRAME_DONE
};
enum {
    CHY_FRAME_FROM_CHILD_MAX = 8 << 20,
    CHY_FRAME_TO_CHILD_MAX = 1 << 30, /* a CRL may be as long */
    CHY_FRAME_HEAD = 8,
    CHY_LANES_MAX = 16
};
/* Descriptors of a child. */
enum { CHY_FD_MODULE = 3, CHY_FD_CONTROL = 4, CHY_FD_SIDE = 5, CHY_FD_LANES = 6 };

/* ---- writing: into the buffer of a frame ---- */
void chy_put_u32(struct chy_buf *b, uint32_t v);
void chy_put_i64(struct chy_buf *b, int64_t v);
void chy_put_text(struct chy_buf *b, const void *p, size_t n);
void chy_put_cstr(struct chy_buf *b, const char *s);           /* NULL stays NULL */
void chy_put_variant(struct chy_buf *b, const chy_variant *v); /* an object is left out */

/* ---- reading: `bad` stays set once something was not as it should be ---- */
struct chy_wire_in {
    const uint8_t *p, *end;
    bool bad;
};
uint32_t chy_get_u32(struct chy_wire_in *in);
static inline chy_long chy_get_long(struct chy_wire_in *in)
{
    return (chy_long)chy_get_u32(in);
}
int64_t chy_get_i64(struct chy_wire_in *in);
struct chy_span chy_get_text(struct chy_wire_in *in); /* lent; NUL behind it */
const char *chy_get_cstr(struct chy_wire_in *in);     /* lent; may be NULL; without a NUL inside */
void chy_get_variant_lent(struct chy_wire_in *in,
                          chy_variant *out);                    /* no list; not to be cleared */
bool chy_get_variant(struct chy_wire_in *in, chy_variant *out); /* own; false: no memory or bad */

/* ---- lanes ---- */
struct chy_lane {
    int fd;
    int64_t until; /* monotonic, us; 0: somebody shuts it down where it takes too long */
    uint8_t *in;
    size_t n_in, cap_in;
    struct chy_buf out;
};
bool chy_lane_init(struct chy_lane *l, int fd, size_t out_max);
void chy_lane_fini(struct chy_lane *l); /* closes the descriptor */
/* From now on its frames have so long, all together: then they fail with EAGAIN. */
void chy_lane_within(struct chy_lane *l, unsigned ms);
void chy_frame_begin(struct chy_lane *l);
/* False with errno: the other side is gone, or does not read. */
bool chy_frame_send(struct chy_lane *l, enum chy_frame kind);
/* The body is lent until the next frame. False with errno; EPROTO: it is no frame. */
bool chy_frame_recv(struct chy_lane *l, size_t max, enum chy_frame *kind, struct chy_wire_in *body);

/* ---- START and READY ---- */
struct chy_start {
    bool is_policy, network, packed;
    enum chy_binding binding;
    const char *class_name; /* NULL: the first that fits */
    const char *path;       /* for messages */
    uint32_t uid, gid, memory_mb, lanes, timeout_ms, parent;
    const char *read[CHY_PLACE_PATHS], *write[CHY_PLACE_PATHS];
    size_t n_read, n_write;
};
void chy_put_start(struct chy_buf *b, const struct chy_start *s);
void chy_get_start(struct chy_wire_in *in, struct chy_start *s);
struct chy_ready {
    chy_hresult hr;
    const char *error;
    const char *name, *class_name, *version, *confined;
    bool late, concurrent;
};
void chy_put_ready(struct chy_buf *b, const struct chy_ready *r);
void chy_get_ready(struct chy_wire_in *in, struct chy_ready *r);

/* ---- CALL and DONE ---- */
enum chy_call_kind {
    CHY_CALL_INITIALIZE,
    CHY_CALL_VERIFY,
    CHY_CALL_NOTIFY,
    CHY_CALL_SHUT_DOWN,
    CHY_CALL_DESCRIBE,
    CHY_CALL_GET,
    CHY_CALL_SET,
    CHY_CALL_CONFIGURE
};
/* One call of a module's method. */
struct chy_call {
    enum chy_call_kind kind;
    const char *config, *name;
    bool is_new;
    chy_long event, flags;
    const chy_variant *value;
    chy_long number;    /* in and out: the disposition, or the event mask */
    chy_variant result; /* out: the description, the property */
    bool made;
};
void chy_put_call(struct chy_buf *b, const struct chy_call *c);
/* value: where the value that *c points to is put, to be cleared. */
void chy_get_call(struct chy_wire_in *in, struct chy_call *c, chy_variant *value);

/* ---- ASK and ANSWER ---- */
enum chy_ask {
    CHY_ASK_REQUEST_PROPERTY,
    CHY_ASK_REQUEST_ATTRIBUTE,
    CHY_ASK_CERTIFICATE_PROPERTY,
    CHY_ASK_EXTENSION,
    CHY_ASK_EXTENSION_AT,
    CHY_ASK_ATTRIBUTE_AT,
    CHY_ASK_CA_PROPERTY,
    CHY_ASK_SETTING,
    CHY_ASK_NEXT_SETTING,
    CHY_ASK_SET_PROPERTY, /* setters: what a DONE may carry */
    CHY_ASK_SET_EXTENSION,
    CHY_ASK_SET_MESSAGE
};
struct chy_question {
    enum chy_ask ask;
    bool of_request; /* CHY_ASK_CA_PROPERTY: asked with a live context */
    const char *name;
    chy_long type, flags;
    uint32_t index;
    chy_variant value;
};
void chy_put_question(struct chy_buf *b, const struct chy_question *q);
void chy_get_question(struct chy_wire_in *in, struct chy_question *q); /* lent */
struct chy_reply {
    chy_hresult hr;
    chy_variant value; /* own */
    chy_long flags;
};
void chy_put_reply(struct chy_buf *b, const struct chy_reply *r);
bool chy_get_reply(struct chy_wire_in *in, struct chy_reply *r);

#endif
