/* Intake: from octets to a decision. Steps as MS-WCCE's server takes them: enrol right, parsing,
 * proof of possession, the request as a value with its extensions disabled, the policy module. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ca/ca_internal.h"

static chy_hresult refuse_unless_enrol(struct chy_request *r)
{
    if (r->caller_access & CHY_CA_ACCESS_ENROLL) return CHY_S_OK;
    return chy_fail(
        &r->err, CHY_CERTSRV_E_ENROLL_DENIED,
        "%s may not request certificates from this CA: give a token or use the daemon's socket, "
        "or let the CA accept anonymous requests (AnonymousSubmit = 1)",
        r->caller_name);
}

static chy_hresult check_format(struct chy_request *r)
{
    int32_t format = r->flags & CHY_CR_IN_FORMATMASK;
    if (format == CHY_CR_IN_FORMATANY || format == CHY_CR_IN_PKCS10) return CHY_S_OK;
    return chy_fail(&r->err, CHY_CRYPT_E_INVALID_MSG_TYPE,
                    "request format 0x%x: this CA takes PKCS#10 (0x100)", (unsigned)format);
}

static chy_hresult check_blocked(struct chy_request *r, struct chy_worker *w,
                                 const struct chy_settings *s)
{
    uint8_t hash[32];
    if (!s->n_blocked) return CHY_S_OK;
    chy_hresult hr = chy_verifier_sha256(chy_worker_verifier(w), r->csr.key.der, hash, &r->err);
    for (size_t i = 0; i < s->n_blocked && hr == CHY_S_OK; i++) {
        if (memcmp(hash, s->blocked_spki[i], sizeof(hash)) == 0)
            hr = chy_fail(&r->err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
                          "its SubjectPublicKeyInfo is on this CA's KeyBlocklist");
    }
    return hr;
}

/* CHY_S_OK: the key is not in the file of compromised ones. */
static chy_hresult check_blocklist_file(struct chy_request *r, const struct chy_settings *s)
{
    if (!s->blocked_file) return CHY_S_OK;
    chy_hresult hr = chy_key_list_find(s->blocked_file, &r->csr.key, &r->err);
    if (hr == CHY_S_FALSE) return CHY_S_OK;
    if (hr != CHY_S_OK) return hr;
    return chy_fail(&r->err, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY,
                    "it is in this CA's KeyBlocklistFile");
}

/* What costs the request but is worth a row: it was well-formed, and somebody may ask about its id.
 * NULL when nothing is wrong with the key; else the message, with the reason in r->err. */
static const char *key_fault(struct chy_request *r, struct chy_worker *w,
                             const struct chy_settings *s)
{
    /* Strength first: it bounds what verification may cost. */
    if (chy_spki_check_strength(&r->csr.key, &r->err) != CHY_S_OK)
        return "Weak or compromised public key";
    if (chy_csr_verify(chy_worker_verifier(w), &r->csr, &r->err) != CHY_S_OK) {
        return "Error Verifying Request Signature or Signing Certificate";
    }
    if (check_blocked(r, w, s) != CHY_S_OK) return "Weak or compromised public key";
    if (check_blocklist_file(r, s) != CHY_S_OK) return "Weak or compromised public key";
    return NULL;
}

static chy_hresult set_server_extension(struct chy_request *r, const char *oid,
                                        struct chy_span value)
{
    /* An officer's or the policy's own choice from an earlier pass stays. */
    const struct chy_extension *e = chy_request_find_extension(r, oid);
    int32_t origin = e ? e->flags & CHY_EXTENSION_ORIGIN_MASK : 0;
    if (origin == CHY_EXTENSION_ORIGIN_ADMIN || origin == CHY_EXTENSION_ORIGIN_POLICY)
        return CHY_S_OK;
    return chy_request_set_extension(r, oid, CHY_EXTENSION_ORIGIN_SERVER, value, &r->err);
}

/* Which CRL will name it is fixed with the certificate: its distribution point says so. */
static chy_hresult add_cdp(struct chy_request *r, const struct chy_settings *s)
{
    struct chy_span cdp = chy_buf_span(&s->cdp_der);
    if (!r->ca->replays) r->shard = chy_publisher_shard(r->ca, s, r->id);
    if (r->shard) {
        chy_buf_reset(&r->scratch);
        chy_hresult hr = chy_settings_cdp(r->ca, s, r->authority, r->shard, &r->scratch, &r->err);
        if (hr != CHY_S_OK) return hr;
        cdp = chy_buf_span(&r->scratch);
    }
    return cdp.n ? set_server_extension(r, "2.5.29.31", cdp) : CHY_S_OK;
}

/* The engine's own: subject and authority key identifiers, CRL and issuer locations. */
static chy_hresult add_server_extensions(struct chy_request *r, struct chy_worker *w,
                                         const struct chy_settings *s)
{
    uint8_t key_id[20];
    struct chy_buf *b = &r->scratch;
    chy_hresult hr = chy_verifier_sha1(chy_worker_verifier(w), r->csr.key.bits, key_id, &r->err);
    if (hr != CHY_S_OK) return hr;
    chy_buf_reset(b);
    chy_ski_add(b, CHY_SPAN(key_id));
    hr = chy_buf_done(b, "subjectKeyIdentifier", &r->err);
    if (hr == CHY_S_OK) hr = set_server_extension(r, "2.5.29.14", chy_buf_span(b));
    if (hr == CHY_S_OK && r->authority->aki_der.n) {
        hr = set_server_extension(r, "2.5.29.35", chy_buf_span(&r->authority->aki_der));
    }
    if (hr == CHY_S_OK) hr = add_cdp(r, s);
    if (hr == CHY_S_OK && s->aia_der.n) {
        hr = set_server_extension(r, "1.3.6.1.5.5.7.1.1", chy_buf_span(&s->aia_der));
    }
    return hr;
}

static chy_hresult propose_validity(struct chy_request *r, const struct chy_settings *s)
{
    struct chy_validity_bounds b = {.now = chy_now(r->ca->clock),
                                    .backdate_s = s->clock_skew_s,
                                    .ca_not_before = r->authority->cert.not_before,
                                    .ca_not_after = r->authority->cert.not_after,
                                    .ca_period_s = s->validity_s,
                                    .policy_not_after = CHY_TIME_DEFAULT,
                                    .request_not_after = CHY_TIME_DEFAULT};
    struct chy_validity v;
    chy_hresult hr = chy_validity_choose(&b, &v, &r->err);
    if (hr != CHY_S_OK) return hr;
    r->not_before = v.not_before;
    r->not_after = v.not_after;
    r->not_after_why = v.why;
    return CHY_S_OK;
}

static void issue_or_say_why(struct chy_request *r, struct chy_settings *s)
{
    /* The CA itself stopped issuing while the policy was asked: that is no fault of the request,
     * which is not decided by it. */
    if (chy_health_may_issue(r->ca, &r->err) != CHY_S_OK) {
        chy_pipeline_refuse(r);
        return;
    }
    chy_hresult hr = chy_issue_build(r, s->gn_flags, chy_now(r->ca->clock));
    r->evidence.check_us = chy_evidence_lap(&r->evidence, chy_monotonic(r->ca->clock));
    if (hr == CHY_S_OK) {
        chy_issue_write_intent(r);
        return;
    }
    /* What the engine finds wrong with what was asked for is a denial; what it finds wrong with its
     * own work (lint) or its means is a failure. */
    bool ours = r->err.code == CHY_E_UNEXPECTED || r->err.code == CHY_E_OUTOFMEMORY ||
                r->err.code == CHY_E_FAIL;
    r->policy_message[0] = 0;
    snprintf(r->policy_message, sizeof(r->policy_message), "%s", r->err.text);
    chy_pipeline_conclude(r, ours ? CHY_DB_DISP_ERROR : CHY_DB_DISP_DENIED, r->err.code,
                          ours ? "Error Constructing Certificate" : "Denied");
    chy_pipeline_write_final(r);
}

/* Which module is asked, under which settings: noted before it is, for it may be replaced. */
static void begin_evidence(struct chy_request *r, const struct chy_settings *s)
{
    struct chy_evidence *e = &r->evidence;
    struct chy_instance_info info;
    chy_instance_info(r->ca->policy, &info);
    e->kind = CHY_EVIDENCE_POLICY;
    e->is_new = r->is_new;
    e->has_module = true;
    (void)chy_text_copy(e->module, sizeof(e->module), info.name);
    (void)chy_text_copy(e->version, sizeof(e->version), info.version ? info.version : "");
    memcpy(e->sha256, info.sha256_octets, sizeof(e->sha256));
    e->in_process = info.state != CHY_CHILD_NONE;
    memcpy(e->settings, s->fingerprint, sizeof(e->settings));
    e->mark = chy_monotonic(r->ca->clock);
}

static void policy_failed(struct chy_request *r, chy_hresult status, const struct chy_settings *s)
{
    chy_log(CHY_LOG_LEVEL_ERROR, "policy.failed", "ca", chy_ca_name(r->ca), "error", r->err.text,
            NULL);
    if (s->pend_on_policy_failure) {
        chy_pipeline_conclude(r, CHY_DB_DISP_PENDING, CHY_S_OK,
                              "Taken Under Submission: the policy module failed");
        return;
    }
    /* What the module said last is kept behind what happened to it. */
    chy_fail(&r->err, status, "it failed");
    char said[CHY_MESSAGE_MAX];
    snprintf(said, sizeof(said), "%s", r->policy_message);
    snprintf(r->policy_message, sizeof(r->policy_message), "%s%s%s", r->err.text,
             said[0] ? ": " : "", said);
    chy_pipeline_conclude(r, CHY_DB_DISP_ERROR, status, "The policy module failed");
}

void chy_intake_decide(struct chy_request *r, struct chy_worker *w)
{
    struct chy_ca *ca = r->ca;
    struct chy_settings *s = chy_settings_get(ca);
    chy_hresult status = CHY_S_OK;
    bool abandoned = false;
    if (!r->ca->replays) r->authority = s->authority;
    if (propose_validity(r, s) != CHY_S_OK || add_server_extensions(r, w, s) != CHY_S_OK) {
        chy_pipeline_conclude(r, CHY_DB_DISP_ERROR, r->err.code, r->err.text);
        chy_pipeline_write_final(r);
        goto out;
    }
    begin_evidence(r, s);
    r->worker = w;
    enum chy_verdict v = chy_policy_verify(ca->policy, ca->config_string, r, r->is_new, &status,
                                           &abandoned, &r->err);
    if (abandoned) goto out; /* the deadline settled it: not ours to touch */
    r->worker = NULL;
    r->evidence.policy_us = chy_evidence_lap(&r->evidence, chy_monotonic(ca->clock));
    (void)CHY_FAULT("intake.after_policy");
    switch (v) {
    case CHY_VERDICT_ISSUE: issue_or_say_why(r, s); goto out;
    case CHY_VERDICT_PENDING:
        chy_pipeline_conclude(r, CHY_DB_DISP_PENDING, CHY_S_OK, "Taken Under Submission");
        break;
    case CHY_VERDICT_DENIED:
        chy_pipeline_conclude(r, CHY_DB_DISP_DENIED, status, "Denied by Policy Module");
        break;
    case CHY_VERDICT_FAILED: policy_failed(r, status, s); break;
    }
    chy_pipeline_write_final(r);
out:
    chy_settings_unref(s);
}

/* Thread: the modules' deadline thread. The thread that made the call is lost to the module;
 * another takes its place, and the request is settled here. */
void chy_intake_expired(void *request, void *arg)
{
    struct chy_request *r = request;
    struct chy_ca *ca = arg;
    chy_health_check_policy(ca);
    if (!r || r->on_worker) { /* a call that nothing waits for: it may have been a worker's */
        chy_workers_replace(ca->workers);
        return;
    }
    if (!r->worker) return; /* an exit module's dispatcher: the event stays owed */
    chy_worker_retire(r->worker);
    chy_workers_replace(ca->workers);
    r->worker = NULL;
    r->evidence.policy_us = chy_evidence_lap(&r->evidence, chy_monotonic(ca->clock));
    struct chy_settings *s = chy_settings_get(ca);
    struct chy_instance_info info;
    chy_instance_info(ca->policy, &info);
    chy_fail(&r->err, CHY_ERROR_TIMEOUT,
             "policy module: VerifyRequest overran its deadline of %u ms", info.deadline_ms);
    policy_failed(r, CHY_ERROR_TIMEOUT, s);
    chy_pipeline_write_final(r);
    chy_settings_unref(s);
}

static chy_hresult take_id(struct chy_request *r)
{
    if (r->dry_run) return CHY_S_OK;
    chy_hresult hr = chy_ids_take(r->ca, &r->id, &r->err);
    if (hr != CHY_S_OK) return hr;
    (void)chy_ids_lock(r->ca, r->id);
    atomic_fetch_add(&r->ca->submitted, 1);
    return CHY_S_OK;
}

void chy_intake_run(struct chy_request *r, struct chy_worker *w)
{
    struct chy_settings *s = NULL;
    if (refuse_unless_enrol(r) != CHY_S_OK || check_format(r) != CHY_S_OK ||
        chy_request_parse(r) != CHY_S_OK || chy_health_may_issue(r->ca, &r->err) != CHY_S_OK ||
        take_id(r) != CHY_S_OK) {
        chy_pipeline_refuse(r);
        return;
    }
    (void)CHY_FAULT("intake.after_id");
    r->is_new = true;
    r->submitted_when = chy_now(r->ca->clock);
    r->requester_name = r->caller_name;
    s = chy_settings_get(r->ca);
    r->evidence.kind = CHY_EVIDENCE_ENGINE;
    r->evidence.mark = r->received;
    r->evidence.queue_us = chy_evidence_lap(&r->evidence, chy_monotonic(r->ca->clock));
    const char *fault = key_fault(r, w, s);
    if (fault) {
        snprintf(r->policy_message, sizeof(r->policy_message), "%s", r->err.text);
        chy_pipeline_conclude(r, CHY_DB_DISP_ERROR, r->err.code, fault);
        chy_pipeline_write_final(r);
    } else if (chy_request_take(r) != CHY_S_OK) {
        bool ours = r->err.code == CHY_E_OUTOFMEMORY;
        chy_pipeline_conclude(r, ours ? CHY_DB_DISP_ERROR : CHY_DB_DISP_DENIED, r->err.code,
                              r->err.text);
        chy_pipeline_write_final(r);
    } else {
        chy_intake_decide(r, w);
    }
    chy_settings_unref(s);
}
