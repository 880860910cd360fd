/* Error answers: problem documents with our code and the AD CS number (RFC 9457). */
#include <stdio.h>

#include "base/json.h"
#include "net/net_internal.h"

#define DOCUMENT_MAX 4096
#define RETRY_SECONDS "1"

chy_hresult chy_problem_code(int status)
{
    switch (status) {
    case 404: return CHY_ERROR_FILE_NOT_FOUND;
    case 405:
    case 501:
    case 505: return CHY_E_NOTIMPL;
    case 408: return CHY_ERROR_TIMEOUT;
    case 503: return CHY_ERROR_BUSY;
    default: return CHY_E_INVALIDARG;
    }
}

static void write_document(struct chy_buf *out, int status, const struct chy_err *err)
{
    const struct chy_code_info *info = chy_code_info(err->code);
    char type[96];
    snprintf(type, sizeof(type), "urn:chancery:problem:%s", info->slug);
    struct chy_json j;
    chy_json_begin(&j, out);
    chy_json_object(&j, NULL);
    chy_json_add_str(&j, "type", type);
    chy_json_add_str(&j, "title", info->text);
    chy_json_add_int(&j, "status", status);
    chy_json_add_str(&j, "detail", err->text);
    chy_json_add_str(&j, "code", info->slug);
    chy_json_add_int(&j, "hresult", err->code);
    chy_json_end(&j, '}');
}

void chy_exchange_problem_status(struct chy_exchange *x, int status, const struct chy_err *err)
{
    if (x->answered) return;
    struct chy_buf document;
    chy_buf_init(&document, DOCUMENT_MAX);
    write_document(&document, status, err);
    if (status == 503) chy_exchange_set_header(x, "Retry-After", RETRY_SECONDS);
    struct chy_span body = chy_buf_span(&document);
    if (document.failed) body = CHY_SPAN_STR("{}");
    chy_exchange_reply(x, status, "application/problem+json", body);
    chy_buf_free(&document);
}

void chy_exchange_problem(struct chy_exchange *x, const struct chy_err *err)
{
    chy_exchange_problem_status(x, chy_code_info(err->code)->http_status, err);
}
