/* Sanitized names (MS-WCCE): what a CA name becomes in files and directories. */
#include <string.h>

#include "base/text.h"

enum { SHORT_PREFIX = 51, ESCAPE = 5 };

static uint32_t next_code_point(const uint8_t **p)
{
    uint32_t c = *(*p)++;
    if (c < 0x80) return c;
    unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    c &= 0x3fu >> more;
    while (more-- && (**p & 0xc0) == 0x80)
        c = c << 6 | (*(*p)++ & 0x3f);
    return c;
}

static void add_unit(struct chy_buf *out, uint32_t unit)
{
    if (unit >= 0x20 && unit < 0x7f && !strchr("!\"#%&'()*+,/:;<=>?[\\]^`{|}", (int)unit)) {
        chy_buf_add_byte(out, (uint8_t)unit);
    } else {
        chy_buf_addf(out, "!%04x", (unsigned)unit);
    }
}

void chy_sanitize_name(struct chy_buf *out, const char *name)
{
    const uint8_t *p = (const uint8_t *)name;
    while (*p) {
        uint32_t c = next_code_point(&p);
        if (c > 0xffff) { /* UTF-16 units, as the original counts */
            add_unit(out, 0xd800 + ((c - 0x10000) >> 10));
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        add_unit(out, c);
    }
}

/* Where to cut: at 51, but never inside a "!xxxx". */
static size_t cut_point(struct chy_span s)
{
    for (size_t back = 1; back < ESCAPE; back++) {
        if (s.p[SHORT_PREFIX - back] == '!') return SHORT_PREFIX - back;
    }
    return SHORT_PREFIX;
}

void chy_sanitize_short_name(struct chy_buf *out, const char *name)
{
    struct chy_buf full;
    chy_buf_init(&full, 65536);
    chy_sanitize_name(&full, name);
    if (full.failed) {
        out->failed = true;
    } else if (full.n <= SHORT_PREFIX) {
        chy_buf_add_span(out, chy_buf_span(&full));
    } else {
        size_t cut = cut_point(chy_buf_span(&full));
        uint16_t hash = 0;
        for (size_t i = cut; i < full.n; i++) {
            hash = (uint16_t)((uint16_t)(hash << 1 | hash >> 15) + full.p[i]);
        }
        chy_buf_add(out, full.p, cut);
        chy_buf_addf(out, "-%05u", hash);
    }
    chy_buf_free(&full);
}
