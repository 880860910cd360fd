/* Any octets as a record of evidence, as a database file might have it: refused, or understood
 * within its bounds, shown as JSON, and written down again alike. */
#include <stdlib.h>

#include "ca/evidence_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static void check_json(const struct chy_evidence *e)
{
    struct chy_buf b;
    struct chy_json j;
    cJSON *v = NULL;
    chy_buf_init(&b, 64 << 20);
    chy_json_begin(&j, &b);
    chy_evidence_json(&j, NULL, e, 0, 0);
    must(!b.failed);
    must(chy_json_parse(chy_buf_span(&b), b.n, &v, NULL) == CHY_S_OK);
    cJSON_Delete(v);
    chy_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_evidence *e = chy_malloc(sizeof(*e)), *again = chy_malloc(sizeof(*again));
    struct chy_buf once, twice;
    must(e && again);
    chy_buf_init(&once, 1 << 20);
    chy_buf_init(&twice, 1 << 20);
    if (size <= CHY_EVIDENCE_MAX &&
        chy_evidence_unpack(chy_span_of(data, size), e, NULL) == CHY_S_OK) {
        must(e->n_changes <= CHY_EVIDENCE_CHANGES && e->n_lint <= CHY_EVIDENCE_LINT);
        check_json(e);
        chy_evidence_pack(e, &once);
        if (!once.failed) { /* a name may be longer than any that we write */
            must(chy_evidence_unpack(chy_buf_span(&once), again, NULL) == CHY_S_OK);
            chy_evidence_pack(again, &twice);
            must(chy_span_eq(chy_buf_span(&once), chy_buf_span(&twice)));
        }
    }
    chy_buf_free(&once);
    chy_buf_free(&twice);
    chy_free(e);
    chy_free(again);
    return 0;
}
