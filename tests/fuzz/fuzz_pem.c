/* Any octets as PEM text and as the content of a block: the search ends, what it finds is found
 * again when it is written, and what is refused says why. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define OUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const labels[] = {"CERTIFICATE", "X509 CRL", "CERTIFICATE REQUEST", NULL};

/* One block around the octets, read back. */
static void check_round_trip(const char *label, struct chy_span octets)
{
    struct chy_buf text, back;
    size_t pos = 0;
    chy_buf_init(&text, 200 + 2 * octets.n);
    chy_buf_init(&back, octets.n);
    chy_pem_add(&text, label, octets);
    if (text.failed) abort();
    if (chy_pem_next(chy_buf_span(&text), labels, &pos, &back, NULL) != CHY_S_OK) abort();
    if (!chy_span_eq(chy_buf_span(&back), octets) || pos + 1 != text.n) abort();
    if (chy_pem_next(chy_buf_span(&text), labels, &pos, &back, NULL) != CHY_S_FALSE) abort();
    chy_buf_free(&text);
    chy_buf_free(&back);
}

static void check_every_block(struct chy_span text)
{
    struct chy_buf out;
    chy_hresult hr;
    size_t pos = 0;
    chy_buf_init(&out, OUT_MAX);
    do {
        struct chy_err err = {0};
        size_t before = pos;
        chy_buf_reset(&out);
        hr = chy_pem_next(text, labels, &pos, &out, &err);
        if (pos > text.n || (hr != CHY_S_FALSE && pos <= before)) abort();
        if (hr == CHY_S_OK) check_round_trip(labels[1], chy_buf_span(&out));
        if (CHY_FAILED(hr) && (err.code != hr || !err.text[0] || out.n)) abort();
        if (!CHY_FAILED(hr) && err.text[0]) abort();
    } while (hr != CHY_S_FALSE);
    chy_buf_free(&out);
}

/* Base64 alone: one spelling for each content, but for white space. */
static void check_base64(struct chy_span text)
{
    struct chy_buf out, again, dense;
    chy_buf_init(&out, text.n);
    chy_buf_init(&again, 2 * text.n + 4);
    chy_buf_init(&dense, text.n);
    if (chy_base64_decode(&out, text)) {
        for (size_t i = 0; i < text.n; i++) {
            if (!memchr(" \t\r\n", text.p[i], 4)) chy_buf_add_byte(&dense, text.p[i]);
        }
        chy_base64_add(&again, chy_buf_span(&out), 0);
        if (!chy_span_eq(chy_buf_span(&again), chy_buf_span(&dense))) abort();
    } else if (out.n || out.failed) {
        abort();
    }
    chy_buf_free(&out);
    chy_buf_free(&again);
    chy_buf_free(&dense);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_span in = chy_span_of(data, size);
    check_round_trip(labels[0], in);
    check_every_block(in);
    check_base64(in);
    return 0;
}
