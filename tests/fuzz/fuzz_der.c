/* Whatever the strict reader takes is written back octet for octet. */
#include <stdlib.h>

#include "pki/der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_oid(struct chy_span oid, struct chy_buf *out)
{
    char text[128];
    size_t before = out->n;
    if (!chy_oid_to_text(oid, text, sizeof(text))) return;
    if (!chy_oid_from_text(text, out)) abort();
    if (!chy_span_eq(oid, chy_span_of(out->p + before, out->n - before))) abort();
    out->n = before;
}

static void copy(struct chy_span in, struct chy_buf *out)
{
    struct chy_der d = chy_der_of(in);
    struct chy_tlv t;
    while (chy_der_read(&d, &t)) {
        size_t mark = chy_der_open(out, t.tag);
        if (t.tag & 0x20)
            copy(t.value, out);
        else
            chy_buf_add_span(out, t.value);
        chy_der_close(out, mark);
        if (t.tag == CHY_DER_OID) check_oid(t.value, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_span in = {data, size};
    struct chy_buf out;
    chy_buf_init(&out, 2 * size + 16);
    if (chy_der_strict(in)) {
        copy(in, &out);
        if (!chy_span_eq(in, chy_buf_span(&out))) abort();
    }
    chy_buf_free(&out);
    return 0;
}
