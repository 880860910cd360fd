/* Outcomes as answers. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "enrol/rest/rest.h"
#include "enrol/row_json.h"

enum { ANSWER_MAX = 512 << 10 };

enum chy_accept chy_rest_accept(struct chy_exchange *x)
{
    const char *accept = chy_exchange_header(x, "Accept");
    if (!accept) return CHY_ACCEPT_JSON;
    if (strstr(accept, "application/pkix-cert")) return CHY_ACCEPT_DER;
    if (strstr(accept, "application/pem-certificate-chain")) return CHY_ACCEPT_CHAIN;
    return strstr(accept, "application/x-pem-file") ? CHY_ACCEPT_PEM : CHY_ACCEPT_JSON;
}

void chy_rest_certificate(struct chy_exchange *x, struct chy_ca *ca, enum chy_accept accept,
                          int status, struct chy_span der)
{
    struct chy_buf pem;
    if (accept == CHY_ACCEPT_DER) {
        chy_exchange_reply(x, status, "application/pkix-cert", der);
        return;
    }
    chy_buf_init(&pem, ANSWER_MAX);
    chy_pem_add(&pem, "CERTIFICATE", der);
    if (accept == CHY_ACCEPT_CHAIN) chy_buf_add_span(&pem, chy_ca_chain_pem(ca));
    chy_exchange_reply_buf(x, status,
                           accept == CHY_ACCEPT_CHAIN ? "application/pem-certificate-chain"
                                                      : "application/x-pem-file",
                           &pem);
    chy_buf_free(&pem);
}

struct chy_rest_call *chy_rest_hold(struct chy_exchange *x, struct chy_ca *ca)
{
    struct chy_rest_call *call = chy_arena_alloc(chy_exchange_arena(x), sizeof(*call));
    if (!call) {
        struct chy_err err = {0};
        chy_fail_nomem(&err, "request");
        chy_exchange_problem(x, &err);
        return NULL;
    }
    *call = (struct chy_rest_call){.x = x, .ca = ca, .accept = chy_rest_accept(x)};
    chy_exchange_hold(x);
    return call;
}

static void add_outcome(struct chy_json *j, const struct chy_outcome *o)
{
    char serial[129];
    chy_json_add_int(j, "request_id", o->request_id);
    chy_json_add_str(j, "disposition", chy_disposition_name(o->disposition));
    chy_json_add_int(j, "disposition_code", o->disposition);
    chy_json_add_span(j, "message", o->message);
    if (o->serial.n && o->serial.n <= 64) {
        chy_hex_cstr(serial, o->serial);
        chy_json_add_str(j, "serial", serial);
    }
}

static int http_status(const struct chy_outcome *o)
{
    switch (o->disposition) {
    case CHY_DB_DISP_ISSUED: return 201;
    case CHY_DB_DISP_PENDING: return 202;
    case CHY_DB_DISP_DENIED: return 403;
    default: return chy_code_info(o->request_status)->http_status >= 500 ? 500 : 400;
    }
}

/* RFC 9457 with the row's own fields as extension members. */
static void answer_refused_row(struct chy_exchange *x, const struct chy_outcome *o)
{
    const struct chy_code_info *info = chy_code_info(o->request_status);
    struct chy_buf b;
    struct chy_json j;
    char type[96];
    snprintf(type, sizeof(type), "urn:chancery:problem:%s", info->slug);
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_str(&j, "type", type);
    chy_json_add_str(&j, "title", info->text);
    chy_json_add_int(&j, "status", http_status(o));
    chy_json_add_span(&j, "detail", o->message);
    chy_json_add_str(&j, "code", info->slug);
    chy_json_add_int(&j, "hresult", o->request_status);
    add_outcome(&j, o);
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(x, http_status(o), "application/problem+json", &b);
    chy_buf_free(&b);
}

static void answer_json(struct chy_exchange *x, const struct chy_outcome *o)
{
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    add_outcome(&j, o);
    chy_json_add_int(&j, "status", o->request_status);
    if (o->certificate.n) chy_json_add_pem(&j, "certificate", "CERTIFICATE", o->certificate);
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(x, http_status(o), "application/json", &b);
    chy_buf_free(&b);
}

void chy_rest_outcome(const struct chy_outcome *o, void *arg)
{
    struct chy_rest_call *call = arg;
    struct chy_exchange *x = call->x;
    if (o->status != CHY_S_OK) {
        chy_exchange_problem(x, &o->err);
        return;
    }
    if (o->dry_run) {
        chy_rest_dry_run_answer(call, o);
        return;
    }
    char location[160];
    snprintf(location, sizeof(location), "/api/v1/requests/%d", o->request_id);
    chy_exchange_set_header(x, "Location", location);
    if (http_status(o) >= 400) {
        answer_refused_row(x, o);
    } else if (o->certificate.n && call->accept != CHY_ACCEPT_JSON) {
        chy_rest_certificate(x, call->ca, call->accept, http_status(o), o->certificate);
    } else {
        answer_json(x, o);
    }
}
