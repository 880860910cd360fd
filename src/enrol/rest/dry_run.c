/* What would become of a request: the verdict, the certificate in words, and why. A certificate
 * that nobody signed is never given out as octets: it could be mistaken for one. */
#include <string.h>

#include "ca/evidence_json.h"
#include "enrol/evidence_doc.h"
#include "enrol/rest/rest.h"
#include "enrol/row_json.h"
#include "pki/cert.h"

enum { ANSWER_MAX = 4 << 20 };

chy_hresult chy_rest_dry_run(struct chy_exchange *x, bool *dry_run, struct chy_err *err)
{
    static const char *const others[] = {"dryrun", "dry-run", "dryRun", "DryRun", "DRY_RUN"};
    const char *value = chy_exchange_query(x, "dry_run");
    *dry_run = false;
    for (size_t i = 0; i < CHY_ARRAY_LEN(others); i++) {
        if (chy_exchange_query(x, others[i]))
            return chy_fail(err, CHY_E_INVALIDARG, "%s: the parameter is called dry_run",
                            others[i]);
    }
    if (!value || strcmp(value, "0") == 0 || strcmp(value, "false") == 0) return CHY_S_OK;
    *dry_run = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    if (*dry_run) return CHY_S_OK;
    return chy_fail(err, CHY_E_INVALIDARG, "dry_run=%.32s: 1 or 0 is expected", value);
}

static void add_name(struct chy_json *j, const char *key, const struct chy_name *name)
{
    struct chy_buf b;
    chy_buf_init(&b, 64 << 10);
    chy_name_to_text(name, &b);
    chy_json_add_buf(j, key, &b);
    chy_buf_free(&b);
}

static chy_hresult add_certificate(struct chy_json *j, struct chy_span tbs, struct chy_err *err)
{
    if (!tbs.n) {
        chy_json_add_null(j, "certificate");
        return CHY_S_OK;
    }
    struct chy_cert *c = chy_malloc(sizeof(*c));
    if (!c) return chy_fail_nomem(err, "certificate");
    chy_hresult hr = chy_cert_parse_tbs(tbs, c, err);
    if (hr == CHY_S_OK) {
        chy_json_object(j, "certificate");
        add_name(j, "issuer", &c->issuer);
        add_name(j, "subject", &c->subject);
        chy_json_add_time(j, "not_before", c->not_before);
        chy_json_add_time(j, "not_after", c->not_after);
        chy_json_add_str(j, "key", c->key.name);
        chy_json_add_extensions(j, c->ext, c->n_ext);
        chy_json_end(j, '}');
    }
    chy_free(c);
    return hr;
}

void chy_rest_dry_run_answer(struct chy_rest_call *call, const struct chy_outcome *o)
{
    struct chy_buf b;
    struct chy_json j;
    struct chy_err err = {0};
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_bool(&j, "dry_run", true);
    chy_json_add_str(&j, "disposition", chy_disposition_name(o->disposition));
    chy_json_add_int(&j, "disposition_code", o->disposition);
    chy_json_add_int(&j, "status", o->request_status);
    chy_json_add_span(&j, "message", o->message);
    chy_hresult hr = add_certificate(&j, o->tbs, &err);
    if (call->sees_evidence) chy_evidence_json(&j, "decision", o->evidence, 0, o->decided_when);
    chy_json_end(&j, '}');
    if (hr == CHY_S_OK) {
        chy_exchange_reply_buf(call->x, 200, "application/json", &b);
    } else {
        chy_exchange_problem(call->x, &err);
    }
    chy_buf_free(&b);
}
