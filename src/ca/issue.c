/* Issuing: the certificate's bytes from what the policy approved, lint on exactly those bytes (P3,
 * P4), the intent made durable (P2), the signature, the final row. */
#include <stdio.h>
#include <string.h>

#include "ca/ca_internal.h"
#include "pki/lint.h"

static chy_hresult check_names(struct chy_request *r, unsigned gn_flags, struct chy_span san)
{
    /* A name takes two octets at least: room for no more than there can be. */
    size_t n = san.n / 2 + 1 < CHY_GN_MAX ? san.n / 2 + 1 : CHY_GN_MAX;
    struct chy_general_name *gn = chy_arena_alloc(&r->arena, sizeof(*gn) * n);
    if (!gn) return chy_fail_nomem(&r->err, "subjectAltName");
    chy_hresult hr = chy_general_names_parse(san, gn, &n, &r->err);
    for (size_t i = 0; i < n && hr == CHY_S_OK; i++) {
        hr = chy_general_name_check(&gn[i], gn_flags, &r->err);
        if (hr == CHY_S_OK && r->authority->constraints) {
            hr = chy_name_constraints_check(r->authority->constraints, &gn[i], &r->err);
        }
    }
    return hr;
}

static chy_hresult check_subject(struct chy_request *r, struct chy_span subject, bool has_san)
{
    bool empty = subject.n <= 2;
    if (empty && !has_san) {
        return chy_fail(&r->err, CHY_CERTSRV_E_BAD_REQUESTSUBJECT,
                        "the certificate would have neither a subject nor a subjectAltName");
    }
    if (empty || !r->authority->constraints) return CHY_S_OK;
    struct chy_general_name dir = {.type = CHY_GN_DIR, .value = subject};
    return chy_name_constraints_check(r->authority->constraints, &dir, &r->err);
}

static size_t enabled_extensions(const struct chy_request *r, struct chy_ext *out)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_ext; i++) {
        const struct chy_extension *e = &r->ext[i];
        if (e->flags & CHY_EXTENSION_DISABLE_FLAG) continue;
        out[n++] =
            (struct chy_ext){e->oid, (e->flags & CHY_EXTENSION_CRITICAL_FLAG) != 0, e->value};
    }
    return n;
}

static chy_hresult lint(struct chy_request *r)
{
    struct chy_lint_report report;
    chy_lint_tbs(chy_buf_span(&r->tbs), &r->authority->lint, &report);
    struct chy_evidence *e = &r->evidence;
    for (size_t i = 0; i < report.n && e->n_lint < CHY_EVIDENCE_LINT; i++)
        e->lint[e->n_lint++] = chy_span_cstr(report.finding[i].rule->id);
    if (!report.errors) return CHY_S_OK;
    if (r->ca && !r->dry_run) atomic_fetch_add(&r->ca->lint_errors, 1);
    for (size_t i = 0; i < report.n; i++) {
        const struct chy_lint_rule *rule = report.finding[i].rule;
        if (rule->severity != CHY_LINT_ERROR) continue;
        return chy_fail(&r->err, CHY_E_UNEXPECTED, "lint %s (%s): %s: %s", rule->id, rule->section,
                        rule->text, report.finding[i].detail);
    }
    return chy_fail(&r->err, CHY_E_UNEXPECTED, "lint found %zu errors", report.errors);
}

static chy_hresult build(struct chy_request *r, struct chy_span subject, const struct chy_ext *ext,
                         size_t n, chy_time now)
{
    chy_hresult hr = chy_serial_make(now, r->serial, &r->err);
    if (hr != CHY_S_OK) return hr;
    r->has_serial = true;
    struct chy_cert_parts parts = {.serial = CHY_SPAN(r->serial),
                                   .sig_alg = r->authority->sig_alg->der,
                                   .issuer = r->authority->cert.subject.der,
                                   .not_before = r->not_before,
                                   .not_after = r->not_after,
                                   .subject = subject,
                                   .spki = r->csr.key.der,
                                   .ext = ext,
                                   .n_ext = n};
    chy_buf_reset(&r->tbs);
    hr = chy_cert_build_tbs(&parts, &r->tbs, &r->err);
    return hr == CHY_S_OK ? lint(r) : hr;
}

static chy_hresult subject_text(struct chy_request *r, struct chy_span subject)
{
    struct chy_name name;
    chy_hresult hr = chy_name_parse(subject, &name, &r->err);
    if (hr != CHY_S_OK) return hr;
    chy_buf_reset(&r->subject_text);
    chy_name_to_text(&name, &r->subject_text);
    return CHY_S_OK;
}

chy_hresult chy_issue_build(struct chy_request *r, unsigned gn_flags, chy_time now)
{
    struct chy_ext ext[CHY_REQUEST_MAX_EXTS];
    struct chy_buf *subject = &r->scratch;
    const struct chy_extension *san = chy_request_find_extension(r, "2.5.29.17");
    bool has_san = san && !(san->flags & CHY_EXTENSION_DISABLE_FLAG);
    chy_hresult hr = has_san ? check_names(r, gn_flags, san->value) : CHY_S_OK;
    chy_buf_reset(subject);
    if (hr == CHY_S_OK) hr = chy_subject_build(r, subject, &r->err);
    if (hr == CHY_S_OK) hr = check_subject(r, chy_buf_span(subject), has_san);
    if (hr == CHY_S_OK) hr = subject_text(r, chy_buf_span(subject));
    if (hr == CHY_S_OK) hr = build(r, chy_buf_span(subject), ext, enabled_extensions(r, ext), now);
    return hr;
}

/* Thread: writer. */
static void intent_done(struct chy_write *w, void *arg)
{
    struct chy_request *r = arg;
    if (w->result != CHY_S_OK) {
        chy_health_store_failed(r->ca, &w->err);
        chy_err_clear(&r->err);
        chy_fail(&r->err, w->result,
                 "request %d: its intent could not be stored, nothing was signed: %s", r->id,
                 w->err.text);
        chy_pipeline_refuse(r);
        return;
    }
    r->evidence.kind = CHY_EVIDENCE_NONE; /* it was written with the intent */
    (void)CHY_FAULT("intent.after_commit");
    r->stage = CHY_STAGE_SIGN;
    chy_workers_continue(r->ca->workers, &r->job);
}

void chy_issue_say(struct chy_request *r)
{
    /* The validity was cut by something else than the policy's own wish: the requester is told. */
    const char *why = r->not_after_why;
    char text[96] = "Issued";
    if (why && strcmp(why, "policy") != 0)
        snprintf(text, sizeof(text), "Issued (validity ends by %s)", why);
    chy_pipeline_conclude(r, CHY_DB_DISP_ISSUED, CHY_S_OK, text);
}

void chy_issue_write_intent(struct chy_request *r)
{
    r->disposition = CHY_DB_DISP_ACTIVE;
    r->status = CHY_S_OK;
    r->resolved_when = CHY_TIME_DEFAULT;
    if (r->dry_run) {
        chy_dry_run_end(r);
        return;
    }
    if (chy_request_to_row(r, &r->err) != CHY_S_OK) {
        chy_pipeline_refuse(r);
        return;
    }
    r->write = (struct chy_write){.kind = CHY_WRITE_INTENT,
                                  .row = &r->row,
                                  .tbs = chy_buf_span(&r->tbs),
                                  .evidence = chy_buf_span(&r->packed_evidence),
                                  .when = chy_now(r->ca->clock),
                                  .done = intent_done,
                                  .soon = chy_workers_others(r->ca->workers),
                                  .arg = r};
    (void)CHY_FAULT("intent.before_write");
    chy_store_write(r->ca->store, &r->write);
}

static chy_hresult sign_once(struct chy_request *r, struct chy_worker *w)
{
    struct chy_signer *signer = NULL;
    chy_hresult hr =
        chy_worker_signer(w, r->authority->key, r->authority->sig_alg, &signer, &r->err);
    chy_buf_reset(&r->scratch);
    if (hr == CHY_S_OK) hr = chy_signer_sign(signer, chy_buf_span(&r->tbs), &r->scratch, &r->err);
    if (hr != CHY_S_OK && signer) chy_worker_drop_signer(w, signer);
    return hr;
}

static chy_hresult sign(struct chy_request *r, struct chy_worker *w)
{
    (void)CHY_FAULT("sign.before");
    chy_hresult hr = sign_once(r, w);
    if (hr != CHY_S_OK) {
        chy_err_clear(&r->err);
        hr = sign_once(r, w);
    }
    (void)CHY_FAULT("sign.after");
    if (hr != CHY_S_OK) return hr;
    chy_buf_reset(&r->certificate);
    return chy_cert_assemble(chy_buf_span(&r->tbs), r->authority->sig_alg->der,
                             chy_buf_span(&r->scratch), &r->certificate, &r->err);
}

/* What was approved is not lost for a clock, a disk or a key: the intent stays and is finished
 * later. */
static void put_off(struct chy_request *r)
{
    atomic_store(&r->ca->unsettled, true);
    chy_pipeline_refuse(r);
}

void chy_issue_sign(struct chy_request *r, struct chy_worker *w)
{
    if (chy_health_may_issue(r->ca, &r->err) != CHY_S_OK) {
        put_off(r);
        return;
    }
    chy_hresult hr = sign(r, w);
    if (hr == CHY_S_OK) {
        chy_issue_say(r);
        chy_pipeline_write_final(r);
        return;
    }
    const struct chy_err why = r->err;
    chy_health_key_failed(r->ca, &why);
    chy_err_clear(&r->err);
    chy_fail(&r->err, hr == CHY_E_OUTOFMEMORY ? hr : CHY_CERTSRV_E_SERVER_SUSPENDED,
             "request %d is approved and is signed once the CA's key works again: %s", r->id,
             why.text);
    put_off(r);
}
