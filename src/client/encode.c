/* The encodings of Submit and of what comes out (CR_IN_*, CR_OUT_*). */
#include <string.h>

#include "base/text.h"
#include "client/objects.h"

enum { OUT_SLACK = 64 << 10, LINE = 64, HEX_LINE = 16 };

static const char *line_end(chy_long flags)
{
    if (flags & CHY_CR_OUT_NOCRLF) return "";
    return flags & CHY_CR_OUT_NOCR ? "\n" : "\r\n";
}

static void add_base64(struct chy_buf *b, struct chy_span der, const char *end)
{
    struct chy_buf text;
    chy_buf_init(&text, 2 * der.n + OUT_SLACK);
    chy_base64_add(&text, der, 0);
    for (size_t at = 0; at < text.n; at += LINE) {
        chy_buf_add(b, text.p + at, text.n - at < LINE ? text.n - at : LINE);
        chy_buf_add_str(b, end);
    }
    if (text.failed) b->failed = true;
    chy_buf_free(&text);
}

/* A header is a line of its own even where the text between is one line. */
static void add_header(struct chy_buf *b, const char *label, struct chy_span der, chy_long flags)
{
    const char *end = line_end(flags), *own = *end ? end : "\n";
    chy_buf_addf(b, "-----BEGIN %s-----%s", label, own);
    add_base64(b, der, end);
    chy_buf_addf(b, "%s-----END %s-----%s", *end ? "" : own, label, own);
}

/* "0000\t30 82 01 0a 02 82 01 01  00 … \t 0......" with address and text where asked for. */
static void add_hex_lines(struct chy_buf *b, struct chy_span der, bool address, bool ascii,
                          const char *end)
{
    for (size_t at = 0; at < der.n; at += HEX_LINE) {
        size_t n = der.n - at < HEX_LINE ? der.n - at : HEX_LINE;
        if (address) chy_buf_addf(b, "%04zx\t", at);
        for (size_t i = 0; i < (ascii ? (size_t)HEX_LINE : n); i++) {
            const char *gap = i == 0 ? "" : i == HEX_LINE / 2 ? "  " : " ";
            if (i < n) {
                chy_buf_addf(b, "%s%02x", gap, der.p[at + i]);
            } else {
                chy_buf_addf(b, "%s  ", gap);
            }
        }
        if (ascii) chy_buf_add_str(b, "   ");
        for (size_t i = 0; i < n && ascii; i++) {
            uint8_t c = der.p[at + i];
            chy_buf_add_byte(b, c >= 0x20 && c < 0x7f ? c : '.');
        }
        chy_buf_add_str(b, *end ? end : at + n < der.n ? " " : "");
    }
}

static bool add_encoded(struct chy_buf *b, chy_long flags, const char *label, struct chy_span der)
{
    const char *end = line_end(flags);
    switch (flags & CHY_CR_OUT_ENCODEMASK) {
    case CHY_CR_OUT_BASE64HEADER: add_header(b, label, der, flags); return true;
    case CHY_CR_OUT_BASE64: add_base64(b, der, end); return true;
    case CHY_CR_OUT_BINARY: chy_buf_add_span(b, der); return true;
    case CHY_CR_OUT_BASE64REQUESTHEADER:
        add_header(b, "NEW CERTIFICATE REQUEST", der, flags);
        return true;
    case CHY_CR_OUT_BASE64X509CRLHEADER: add_header(b, "X509 CRL", der, flags); return true;
    case CHY_CR_OUT_HEX: add_hex_lines(b, der, false, false, end); return true;
    case CHY_CR_OUT_HEXASCII: add_hex_lines(b, der, false, true, end); return true;
    case CHY_CR_OUT_HEXADDR: add_hex_lines(b, der, true, false, end); return true;
    case CHY_CR_OUT_HEXASCIIADDR: add_hex_lines(b, der, true, true, end); return true;
    case CHY_CR_OUT_HEXRAW:
        chy_hex_add(b, der);
        chy_buf_add_str(b, end);
        return true;
    default: return false;
    }
}

chy_hresult chy_encode_out(chy_long flags, const char *label, struct chy_span der, chy_bytes *out,
                           struct chy_err *err)
{
    struct chy_buf b;
    chy_buf_init(&b, 8 * der.n + OUT_SLACK);
    chy_hresult hr = CHY_S_OK;
    if (!add_encoded(&b, flags, label, der))
        hr = chy_fail(err, CHY_E_INVALIDARG, "flags: there is no encoding 0x%x",
                      (unsigned)(flags & CHY_CR_OUT_ENCODEMASK));
    if (hr == CHY_S_OK) hr = chy_buf_done(&b, "encoding", err);
    if (hr == CHY_S_OK) hr = chy_out_bytes(out, b.p, b.n);
    chy_buf_free(&b);
    return hr;
}

static bool from_pem(struct chy_span in, struct chy_buf *der)
{
    static const char *const labels[] = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", NULL};
    size_t pos = 0;
    return chy_pem_next(in, labels, &pos, der, NULL) == CHY_S_OK;
}

chy_hresult chy_decode_in(chy_long flags, chy_bytes in, struct chy_buf *der, struct chy_err *err)
{
    struct chy_span text = chy_span_of(in.p, in.n);
    bool binary = in.n > 1 && in.p[0] == 0x30 && in.p[1] >= 0x80, good = false;
    if (!in.p || !in.n) return chy_fail(err, CHY_E_INVALIDARG, "the request is empty");
    switch (flags & CHY_CR_IN_ENCODEMASK) {
    case CHY_CR_IN_BASE64HEADER: good = from_pem(text, der); break;
    case CHY_CR_IN_BASE64: good = chy_base64_decode(der, text); break;
    case CHY_CR_IN_ENCODEANY:
        if (!binary) {
            good = from_pem(text, der);
            if (!good) chy_buf_reset(der);
            if (!good) good = chy_base64_decode(der, text);
            break;
        }
        __attribute__((fallthrough));
    case CHY_CR_IN_BINARY:
        chy_buf_add_span(der, text);
        good = true;
        break;
    default:
        return chy_fail(err, CHY_E_INVALIDARG, "flags: there is no encoding 0x%x",
                        (unsigned)(flags & CHY_CR_IN_ENCODEMASK));
    }
    if (good) return chy_buf_done(der, "request", err);
    return chy_fail(err, CHY_ERROR_INVALID_DATA, "the request is not of the encoding in flags");
}
