/* Requests as clients send them: any octets, in any transport form. */
#include <stdlib.h>

#include "pki/csr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_buf der;
    struct chy_csr csr;
    struct chy_err err = {0};
    chy_buf_init(&der, CHY_CSR_MAX);
    if (chy_csr_to_der(chy_span_of(data, size), &der, &err) == CHY_S_OK &&
        chy_csr_parse(chy_buf_span(&der), &csr, &err) == CHY_S_OK) {
        struct chy_verifier *v = chy_verifier_new(&err);
        if (!v) abort();
        /* Refusals are fine; what must not happen is a crash or one without a reason. */
        if (chy_spki_check_strength(&csr.key, &err) == CHY_S_OK &&
            CHY_FAILED(chy_csr_verify(v, &csr, &err)) && !err.text[0])
            abort();
        chy_verifier_free(v);
    } else if (!CHY_FAILED(err.code) || !err.text[0]) {
        abort();
    }
    chy_buf_free(&der);
    return 0;
}
