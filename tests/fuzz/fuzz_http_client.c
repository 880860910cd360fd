/* Any octets as an answer: the whole at once and in pieces must be judged alike. The first octet
 * chooses the size of the pieces, and whether a HEAD was asked. */
#include <stdlib.h>
#include <string.h>

#include "client/http_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum chy_httpc_step run(const uint8_t *data, size_t n, bool is_head, size_t piece,
                               struct chy_httpc_answer *a)
{
    struct chy_httpc_reader r;
    enum chy_httpc_step step = CHY_HTTPC_MORE;
    chy_httpc_reader_start(&r, is_head, a);
    for (size_t at = 0; at < n && step != CHY_HTTPC_REFUSED; at += piece)
        step = chy_httpc_reader_feed(&r, data + at, n - at < piece ? n - at : piece);
    if (step == CHY_HTTPC_MORE) step = chy_httpc_reader_eof(&r);
    if (step == CHY_HTTPC_REFUSED && !r.why) abort();
    if (step == CHY_HTTPC_DONE && is_head && a->body.n) abort();
    if (step == CHY_HTTPC_DONE && (a->status < 200 || a->body.n > CHY_HTTPC_BODY_MAX)) abort();
    return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct chy_httpc_answer whole, parts;
    if (n < 1) return 0;
    chy_httpc_answer_init(&whole);
    chy_httpc_answer_init(&parts);
    enum chy_httpc_step a = run(data + 1, n - 1, data[0] & 0x80, n, &whole);
    enum chy_httpc_step b = run(data + 1, n - 1, data[0] & 0x80, data[0] ? data[0] : 1, &parts);
    if (a != b ||
        (a == CHY_HTTPC_DONE && (whole.body.n != parts.body.n || whole.length != parts.length)))
        abort();
    chy_httpc_answer_free(&whole);
    chy_httpc_answer_free(&parts);
    return 0;
}
