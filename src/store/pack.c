/* Lists inside one column: each entry is three big-endian 32-bit numbers (flags, length of the
 * name, length of the value), the name and the value. What comes back out of a database file is
 * checked like any input. Thread: any. */
#include "store/store.h"

enum { HEAD = 12 };

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void chy_pack_add(struct chy_buf *out, uint32_t flags, struct chy_span name, struct chy_span value)
{
    uint8_t head[HEAD];
    if (name.n > UINT32_MAX || value.n > UINT32_MAX) {
        out->failed = true;
        return;
    }
    put32(head, flags);
    put32(head + 4, (uint32_t)name.n);
    put32(head + 8, (uint32_t)value.n);
    chy_buf_add(out, head, sizeof(head));
    chy_buf_add_span(out, name);
    chy_buf_add_span(out, value);
}

bool chy_pack_next(struct chy_span packed, size_t *pos, uint32_t *flags, struct chy_span *name,
                   struct chy_span *value)
{
    if (*pos > packed.n || packed.n - *pos < HEAD) return false;
    const uint8_t *p = packed.p + *pos;
    size_t rest = packed.n - *pos - HEAD;
    size_t name_n = get32(p + 4);
    size_t value_n = get32(p + 8);
    if (name_n > rest || value_n > rest - name_n) return false;
    *flags = get32(p);
    *name = chy_span_of(p + HEAD, name_n);
    *value = chy_span_of(p + HEAD + name_n, value_n);
    *pos += HEAD + name_n + value_n;
    return true;
}
