/* Evidence as octets: a version, then fields of a tag, a length and so many octets. Numbers are
 * little-endian groups of seven bits. What a field leaves out is zero. What comes out of a database
 * file is checked like any input. */
#include <openssl/evp.h>
#include <string.h>

#include "ca/evidence.h"

enum { VERSION = 1, SHA256_LEN = 32, WHOLE_TOGETHER = 16 << 10 };

enum tag {
    TAG_KIND = 1,
    TAG_IS_NEW,
    TAG_DISPOSITION,
    TAG_STATUS,
    TAG_MESSAGE,
    TAG_AUTHOR,
    TAG_MODULE,
    TAG_MODULE_VERSION,
    TAG_SHA256,
    TAG_IN_PROCESS,
    TAG_SETTINGS,
    TAG_QUEUE,
    TAG_POLICY,
    TAG_CHECK,
    TAG_MERGED,
    TAG_LOST,
    TAG_LINT,
    TAG_CHANGE
};

static void add_number(struct chy_buf *out, uint64_t n)
{
    uint8_t octets[10];
    size_t used = 0;
    do {
        octets[used] = (uint8_t)(n & 0x7f);
        n >>= 7;
        if (n) octets[used] |= 0x80;
        used++;
    } while (n);
    chy_buf_add(out, octets, used);
}

static void add_span(struct chy_buf *out, struct chy_span s)
{
    add_number(out, s.n);
    chy_buf_add_span(out, s);
}

static void field_span(struct chy_buf *out, enum tag tag, struct chy_span s)
{
    if (!s.n) return;
    chy_buf_add_byte(out, (uint8_t)tag);
    add_span(out, s);
}

static void field_number(struct chy_buf *out, enum tag tag, uint64_t n)
{
    uint8_t space[10];
    struct chy_buf b = {.p = space, .cap = sizeof(space), .max = sizeof(space)};
    if (!n) return;
    add_number(&b, n);
    field_span(out, tag, chy_buf_span(&b));
}

/* The whole where it is short, and while there is room for it. */
static void add_value(struct chy_buf *out, const struct chy_value *v)
{
    uint8_t hash[SHA256_LEN];
    unsigned n = 0;
    bool is_long = v->form == CHY_VALUE_OCTETS &&
                   (v->octets.n > CHY_EVIDENCE_WHOLE || out->n > WHOLE_TOGETHER);
    if (is_long && EVP_Digest(v->octets.p, v->octets.n, hash, &n, EVP_sha256(), NULL) != 1) {
        out->failed = true;
        return;
    }
    chy_buf_add_byte(out, (uint8_t)(is_long ? CHY_VALUE_HASH : v->form));
    if (v->form == CHY_VALUE_NONE) return;
    add_number(out, (uint32_t)v->flags);
    add_number(out, is_long ? v->octets.n : (uint64_t)v->number);
    add_span(out, is_long ? chy_span_of(hash, n) : v->octets);
}

static void add_change(struct chy_buf *out, const struct chy_change *c)
{
    uint8_t head[8];
    chy_buf_add_byte(out, TAG_CHANGE);
    size_t at = out->n;
    chy_buf_add(out, "\0\0", 2);
    add_number(out, (uint64_t)c->kind);
    add_number(out, c->times);
    add_span(out, c->name);
    add_value(out, &c->before);
    add_value(out, &c->after);
    if (out->failed) return;
    /* Its length in two octets, whatever it is: no copy is needed to know it first. */
    size_t n = out->n - at - 2;
    head[0] = (uint8_t)((n & 0x7f) | 0x80);
    head[1] = (uint8_t)(n >> 7);
    if (n >> 14) out->failed = true;
    memcpy(out->p + at, head, 2);
}

void chy_evidence_pack(const struct chy_evidence *e, struct chy_buf *out)
{
    chy_buf_add_byte(out, VERSION);
    field_number(out, TAG_KIND, (uint64_t)e->kind);
    field_number(out, TAG_IS_NEW, e->is_new);
    field_number(out, TAG_DISPOSITION, (uint32_t)e->disposition);
    field_number(out, TAG_STATUS, (uint32_t)e->status);
    field_span(out, TAG_MESSAGE, e->message);
    field_span(out, TAG_AUTHOR, e->author);
    if (e->has_module) {
        field_span(out, TAG_MODULE, chy_span_cstr(e->module));
        field_span(out, TAG_MODULE_VERSION, chy_span_cstr(e->version));
        field_span(out, TAG_SHA256, CHY_SPAN(e->sha256));
        field_number(out, TAG_IN_PROCESS, e->in_process);
        field_span(out, TAG_SETTINGS, CHY_SPAN(e->settings));
    }
    field_number(out, TAG_QUEUE, (uint64_t)e->queue_us);
    field_number(out, TAG_POLICY, (uint64_t)e->policy_us);
    field_number(out, TAG_CHECK, (uint64_t)e->check_us);
    field_number(out, TAG_MERGED, e->merged);
    field_number(out, TAG_LOST, e->lost);
    for (size_t i = 0; i < e->n_lint; i++)
        field_span(out, TAG_LINT, e->lint[i]);
    for (size_t i = 0; i < e->n_changes; i++)
        add_change(out, &e->change[i]);
}

static bool take_number(struct chy_span *in, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; in->n && shift < 64; shift += 7) {
        uint8_t c = *in->p++;
        in->n--;
        if (shift == 63 && c > 1) return false;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) return true;
    }
    return false;
}

static bool take_span(struct chy_span *in, struct chy_span *out)
{
    uint64_t n;
    if (!take_number(in, &n) || n > in->n) return false;
    *out = chy_span_of(in->p, (size_t)n);
    in->p += n;
    in->n -= (size_t)n;
    return true;
}

static bool take_value(struct chy_span *in, struct chy_value *out)
{
    uint64_t form, flags, number;
    *out = (struct chy_value){.form = CHY_VALUE_NONE};
    if (!take_number(in, &form) || form > CHY_VALUE_HASH) return false;
    out->form = (enum chy_value_form)form;
    if (form == CHY_VALUE_NONE) return true;
    if (!take_number(in, &flags) || !take_number(in, &number) || !take_span(in, &out->octets))
        return false;
    out->flags = (int32_t)(uint32_t)flags;
    out->number = (int64_t)number;
    return form != CHY_VALUE_HASH || out->octets.n == SHA256_LEN;
}

static bool take_change(struct chy_span in, struct chy_evidence *e)
{
    uint64_t kind, times;
    if (e->n_changes == CHY_EVIDENCE_CHANGES) return false;
    struct chy_change *c = &e->change[e->n_changes];
    if (!take_number(&in, &kind) || !take_number(&in, &times) || !take_span(&in, &c->name) ||
        !take_value(&in, &c->before) || !take_value(&in, &c->after) || in.n || kind > 255)
        return false;
    c->kind = (enum chy_change_kind)kind;
    c->times = times > UINT32_MAX ? UINT32_MAX : (uint32_t)times;
    e->n_changes++;
    return true;
}

static bool take_text(struct chy_span s, char *out, size_t cap)
{
    if (!s.n || s.n >= cap || memchr(s.p, 0, s.n)) return false;
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return true;
}

static bool take_octets(struct chy_span s, uint8_t *out, size_t n)
{
    if (s.n != n) return false;
    memcpy(out, s.p, n);
    return true;
}

static bool take_spans(enum tag tag, struct chy_span s, struct chy_evidence *e)
{
    switch (tag) {
    case TAG_MESSAGE: e->message = s; return true;
    case TAG_AUTHOR: e->author = s; return true;
    case TAG_MODULE: e->has_module = true; return take_text(s, e->module, sizeof(e->module));
    case TAG_MODULE_VERSION: return take_text(s, e->version, sizeof(e->version));
    case TAG_SHA256: return take_octets(s, e->sha256, sizeof(e->sha256));
    case TAG_SETTINGS: return take_octets(s, e->settings, sizeof(e->settings));
    case TAG_CHANGE: return take_change(s, e);
    case TAG_LINT:
        if (e->n_lint == CHY_EVIDENCE_LINT) return false;
        e->lint[e->n_lint++] = s;
        return true;
    default: return true;
    }
}

static bool take_field(enum tag tag, struct chy_span s, struct chy_evidence *e)
{
    uint64_t n = 0;
    struct chy_span in = s;
    bool is_number = take_number(&in, &n) && !in.n;
    switch (tag) {
    case TAG_KIND: e->kind = (enum chy_evidence_kind)(n & 0xff); return is_number;
    case TAG_IS_NEW: e->is_new = n != 0; return is_number;
    case TAG_DISPOSITION: e->disposition = (int32_t)(uint32_t)n; return is_number;
    case TAG_STATUS: e->status = (chy_hresult)(uint32_t)n; return is_number;
    case TAG_IN_PROCESS: e->in_process = n != 0; return is_number;
    case TAG_QUEUE: e->queue_us = (int64_t)n; return is_number;
    case TAG_POLICY: e->policy_us = (int64_t)n; return is_number;
    case TAG_CHECK: e->check_us = (int64_t)n; return is_number;
    case TAG_MERGED: e->merged = n; return is_number;
    case TAG_LOST: e->lost = n; return is_number;
    default: return take_spans(tag, s, e);
    }
}

chy_hresult chy_evidence_unpack(struct chy_span packed, struct chy_evidence *out,
                                struct chy_err *err)
{
    struct chy_span in = packed, value;
    uint64_t version;
    chy_evidence_reset(out);
    bool good = take_number(&in, &version) && version == VERSION;
    while (good && in.n) {
        uint64_t tag;
        good = take_number(&in, &tag) && tag < 256 && take_span(&in, &value) &&
               take_field((enum tag)tag, value, out);
    }
    if (good) return CHY_S_OK;
    return chy_fail(err, CHY_ERROR_INVALID_DATA,
                    "evidence: what the database has is not a record of version %d", VERSION);
}
