/* PEM (RFC 7468). */
#include <string.h>

#include "base/text.h"

void chy_pem_add(struct chy_buf *out, const char *label, struct chy_span der)
{
    chy_buf_addf(out, "-----BEGIN %s-----\n", label);
    chy_base64_add(out, der, 64);
    chy_buf_addf(out, "-----END %s-----\n", label);
}

static const uint8_t *find(struct chy_span text, size_t from, const char *what)
{
    return from > text.n ? NULL : memmem(text.p + from, text.n - from, what, strlen(what));
}

/* The label between "-----BEGIN " and "-----" at p; empty when the line is none. */
static struct chy_span label_at(struct chy_span text, const uint8_t *p)
{
    const uint8_t *start = p + strlen("-----BEGIN ");
    const uint8_t *end = find(text, (size_t)(start - text.p), "-----");
    if (!end || end - start > 64) return (struct chy_span){start, 0};
    return chy_span_of(start, (size_t)(end - start));
}

chy_hresult chy_pem_next(struct chy_span text, const char *const *labels, size_t *pos,
                         struct chy_buf *out, struct chy_err *err)
{
    const uint8_t *begin;
    while (text.n && (begin = find(text, *pos, "-----BEGIN ")) != NULL) {
        struct chy_span label = label_at(text, begin);
        bool wanted = false;
        for (size_t i = 0; labels[i]; i++)
            wanted = wanted || chy_span_eq(label, chy_span_cstr(labels[i]));
        *pos = (size_t)(label.p + label.n - text.p);
        bool at_line_start = begin == text.p || begin[-1] == '\n' || begin[-1] == '\r';
        if (!wanted || !at_line_start) continue;
        struct chy_span body = {label.p + label.n + 5, 0};
        char tail[96] = "-----END ";
        memcpy(tail + 9, label.p, label.n);
        memcpy(tail + 9 + label.n, "-----", 6);
        const uint8_t *end = find(text, (size_t)(body.p - text.p), tail);
        if (!end) return chy_fail(err, CHY_CRYPT_E_ASN1_EOD, "PEM: no %s line", tail);
        body.n = (size_t)(end - body.p);
        *pos = (size_t)(end - text.p) + strlen(tail);
        if (!chy_base64_decode(out, body)) {
            if (out->failed) return chy_buf_done(out, "PEM", err);
            return chy_fail(err, CHY_CRYPT_E_ASN1_CORRUPT, "PEM %.*s: not base64", (int)label.n,
                            (const char *)label.p);
        }
        return CHY_S_OK;
    }
    return CHY_S_FALSE;
}
