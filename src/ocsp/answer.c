/* One answer: whose certificates, how they stand, and the signature over exactly what lint saw. */
#include <string.h>

#include "base/text.h"
#include "ocsp/ocsp_int.h"
#include "pki/lint_status.h"

enum {
    TBS_MAX = 32768,
    SIGNATURE_MAX = 8192,
    LOG_EVERY_US = 1000000,
    FOREIGN_IDS_MAX = 16,
    FOREIGN_NONCE_MAX = 32
};

void chy_ocsp_answer_init(struct chy_ocsp_answer *a)
{
    memset(a, 0, sizeof(*a));
    chy_buf_init(&a->tbs, TBS_MAX);
    chy_buf_init(&a->signature, SIGNATURE_MAX);
    chy_buf_init(&a->der, CHY_OCSP_RESPONSE_MAX);
}

void chy_ocsp_answer_fini(struct chy_ocsp_answer *a)
{
    chy_buf_free(&a->tbs);
    chy_buf_free(&a->signature);
    chy_buf_free(&a->der);
}

/* Times are written in whole seconds, and so compared. */
static chy_time second_of(chy_time t)
{
    return t - (t % CHY_US_PER_S + CHY_US_PER_S) % CHY_US_PER_S;
}

/* A flood of questions is no flood of lines. */
static void log_trouble(const struct chy_ocsp_answer *a, const char *event)
{
    int64_t now = chy_monotonic(a->o->clock);
    int64_t last = atomic_load(&a->o->logged);
    if (last && now - last < LOG_EVERY_US) return;
    if (atomic_compare_exchange_strong(&a->o->logged, &last, now))
        chy_log(CHY_LOG_LEVEL_ERROR, event, "ca",
                a->foreign ? a->foreign->name : chy_ca_name(a->issuer.ca), "error", a->err.text,
                NULL);
}

/* What passes by itself is asked for again, what does not is said at once. */
static enum chy_ocsp_status trouble(const struct chy_ocsp_answer *a, chy_hresult hr)
{
    log_trouble(a, "ocsp.failed");
    switch (hr) {
    case CHY_CERTSRV_E_SERVER_SUSPENDED:
    case CHY_E_OUTOFMEMORY:
    case CHY_ERROR_BUSY:
    case CHY_ERROR_DISK_FULL:
    case CHY_ERROR_IO_DEVICE: return CHY_OCSP_TRY_LATER;
    default: return CHY_OCSP_INTERNAL_ERROR;
    }
}

static enum chy_ocsp_status find_foreign(struct chy_ocsp_answer *a)
{
    a->mark = chy_ocsp_cache_mark_foreign(a->o->cache);
    chy_hresult hr = chy_ocsp_foreigners_find(&a->o->foreign, &a->q->id[0], &a->foreign, &a->err);
    if (hr < CHY_S_OK) return CHY_OCSP_TRY_LATER;
    if (hr == CHY_S_FALSE || a->q->n > FOREIGN_IDS_MAX) return CHY_OCSP_UNAUTHORIZED;
    for (size_t i = 1; i < a->q->n; i++) {
        if (!chy_ocsp_foreign_is(a->foreign, &a->q->id[i])) return CHY_OCSP_UNAUTHORIZED;
    }
    a->set = (struct chy_ca_ocsp_settings){.nonce_max = FOREIGN_NONCE_MAX, .enabled = true};
    return chy_ocsp_clock_trouble(a->o, NULL) ? CHY_OCSP_TRY_LATER : CHY_OCSP_SUCCESSFUL;
}

/* All certificates asked about are of one issuer: one signer answers (RFC 6960 4.2.2.2). */
static enum chy_ocsp_status find_issuer(struct chy_ocsp_answer *a)
{
    for (size_t i = 0; i < a->q->n; i++) {
        struct chy_ocsp_issuer issuer;
        chy_hresult hr = chy_ocsp_issuers_find(&a->o->issuers, &a->q->id[i], &issuer, &a->err);
        if (hr == CHY_S_FALSE) return i ? CHY_OCSP_UNAUTHORIZED : find_foreign(a);
        if (hr != CHY_S_OK) return CHY_OCSP_TRY_LATER;
        if (i && !chy_ocsp_same_issuer(&issuer, &a->issuer)) return CHY_OCSP_UNAUTHORIZED;
        a->issuer = issuer;
    }
    chy_ca_ocsp_settings(a->issuer.ca, &a->set);
    if (!a->set.enabled || a->q->n > a->set.max_ids) return CHY_OCSP_UNAUTHORIZED;
    /* P17 */
    return chy_ocsp_clock_trouble(a->o, a->issuer.ca) ? CHY_OCSP_TRY_LATER : CHY_OCSP_SUCCESSFUL;
}

static enum chy_ocsp_status not_now(struct chy_ocsp_answer *a, const char *what)
{
    chy_fail(&a->err, CHY_CERTSRV_E_SERVER_SUSPENDED, "%s", what);
    log_trouble(a, "ocsp.foreign.silent");
    return CHY_OCSP_TRY_LATER;
}

/* What the CRL tells is told while it holds. */
static enum chy_ocsp_status check_foreign(struct chy_ocsp_answer *a)
{
    const struct chy_ocsp_foreign *f = a->foreign;
    if (f->signer_revoked) return not_now(a, "the signer is revoked by the CRL");
    if (a->produced >= f->next_update) return not_now(a, "the CRL is past its nextUpdate");
    if (a->produced < f->this_update) return not_now(a, "the CRL's thisUpdate lies ahead");
    return CHY_OCSP_SUCCESSFUL;
}

static enum chy_ocsp_status find_signer(struct chy_ocsp_answer *a)
{
    chy_hresult hr = CHY_S_OK;
    if (a->foreign) {
        a->signer = &a->foreign->signer;
    } else {
        hr = chy_ca_ocsp_signer(a->issuer.ca, a->issuer.key_index, &a->signer, &a->err);
    }
    if (hr != CHY_S_OK) {
        a->signer = NULL;
        return trouble(a, hr);
    }
    /* At least a second is left to say something for. */
    bool holds = a->now >= a->signer->not_before && second_of(a->signer->not_after) > a->produced;
    if (!holds) return CHY_OCSP_TRY_LATER;
    return a->foreign ? check_foreign(a) : CHY_OCSP_SUCCESSFUL;
}

/* P10: only what the database knows as issued by this very key is good. */
static void stand(const struct chy_ocsp_answer *a, const struct chy_standing *s,
                  struct chy_ocsp_single *out)
{
    bool ours = (int32_t)((uint32_t)s->issuer_index >> 16) == a->issuer.key_index;
    out->status = CHY_OCSP_UNKNOWN;
    if (!ours) return;
    if (s->disposition == CHY_DB_DISP_ISSUED) {
        out->status = CHY_OCSP_GOOD;
    } else if (s->disposition == CHY_DB_DISP_REVOKED) {
        bool ahead = s->effective_when != CHY_TIME_DEFAULT &&
                     !chy_counts_by(second_of(s->effective_when), s->revoked_when, a->produced);
        bool is_told = s->effective_when != CHY_TIME_DEFAULT && s->effective_when < a->produced;
        out->status = ahead ? CHY_OCSP_GOOD : CHY_OCSP_REVOKED;
        out->revoked = is_told ? s->effective_when : a->produced;
        out->reason = s->reason;
        if (ahead && second_of(s->effective_when) < out->next_update)
            out->next_update = second_of(s->effective_when);
    }
}

static enum chy_ocsp_status tell(struct chy_ocsp_answer *a, size_t i,
                                 const struct chy_look_up *look)
{
    struct chy_ocsp_single *out = &a->single[i];
    chy_time end = a->produced + a->set.validity_s * CHY_US_PER_S;
    *out = (struct chy_ocsp_single){.id = a->q->id[i].der,
                                    .status = CHY_OCSP_UNKNOWN,
                                    .this_update = a->produced,
                                    .next_update = end,
                                    .archive_cutoff = CHY_TIME_DEFAULT};
    if (end > second_of(a->signer->not_after)) out->next_update = second_of(a->signer->not_after);
    if (a->set.archive_cutoff_s)
        out->archive_cutoff = a->produced - a->set.archive_cutoff_s * CHY_US_PER_S;
    if (look->found) stand(a, &look->standing, out);
    if (out->status == CHY_OCSP_UNKNOWN && a->set.unauthorized_for_unknown)
        return CHY_OCSP_UNAUTHORIZED;
    a->told[i] = (uint8_t)out->status;
    if (out->next_update < a->next_update) a->next_update = out->next_update;
    return CHY_OCSP_SUCCESSFUL;
}

/* All of one CA, and no more certificates than fit. */
static void look_up(struct chy_ocsp_answer *const some[], size_t n)
{
    struct chy_look_up look[CHY_OCSP_MAX_IDS];
    struct chy_err err = {.code = CHY_S_OK};
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < some[i]->q->n; j++)
            look[k++].serial = some[i]->q->id[j].serial;
    }
    chy_hresult hr = n ? chy_ca_look_up(some[0]->issuer.ca, look, k, &err) : CHY_S_OK;
    k = 0;
    for (size_t i = 0; i < n; i++) {
        struct chy_ocsp_answer *a = some[i];
        if (hr != CHY_S_OK) {
            a->err = err;
            log_trouble(a, "ocsp.failed");
            a->status = CHY_OCSP_TRY_LATER;
        }
        for (size_t j = 0; j < a->q->n; j++, k++)
            if (a->status == CHY_OCSP_SUCCESSFUL) a->status = tell(a, j, &look[k]);
    }
}

/* Nobody tells us what a foreign CA has issued: good is what its CRL does not revoke, as of then.
 */
static void tell_foreign(struct chy_ocsp_answer *a, size_t i)
{
    const struct chy_ocsp_foreign *f = a->foreign;
    const chy_time signer_end = second_of(a->signer->not_after);
    struct chy_crl_entry e;
    bool revoked = chy_ocsp_foreign_revoked(f, a->q->id[i].serial, &e);
    a->single[i] = (struct chy_ocsp_single){
        .id = a->q->id[i].der,
        .status = revoked ? CHY_OCSP_REVOKED : CHY_OCSP_GOOD,
        .this_update = f->this_update,
        .next_update = f->next_update < signer_end ? f->next_update : signer_end,
        .archive_cutoff = CHY_TIME_DEFAULT};
    if (revoked) {
        /* It is on the list, and so revoked by now, whatever date stands there. */
        a->single[i].revoked = e.revoked < a->produced ? e.revoked : a->produced;
        a->single[i].reason = e.reason;
    }
    a->told[i] = (uint8_t)a->single[i].status;
    a->this_update = a->single[i].this_update;
    a->next_update = a->single[i].next_update;
}

/* RFC 9654 2.1: a length that we do not repeat is passed over. */
static bool repeats_nonce(const struct chy_ocsp_answer *a)
{
    return a->q->has_nonce && a->q->nonce.n <= a->set.nonce_max;
}

/* P3, P4: the octets that lint has passed are those that are signed. */
static chy_hresult sign(struct chy_ocsp_answer *a, struct chy_worker *w)
{
    struct chy_lint_report lint;
    struct chy_signer *signer = NULL;
    const struct chy_ocsp_parts parts = {.key_hash = CHY_SPAN(a->signer->key_hash),
                                         .produced = a->produced,
                                         .single = a->single,
                                         .n = a->q->n,
                                         .nonce = repeats_nonce(a) ? a->q->nonce
                                                                   : (struct chy_span){NULL, 0}};
    chy_hresult hr = chy_ocsp_build_tbs(&parts, &a->tbs, &a->err);
    if (hr != CHY_S_OK) return hr;
    chy_lint_ocsp(chy_buf_span(&a->tbs), a->now, &lint);
    if (lint.errors)
        return chy_fail(&a->err, CHY_ERROR_INVALID_DATA, "lint: %s: %s",
                        lint.n ? lint.finding[0].rule->id : "",
                        lint.n ? lint.finding[0].detail : "");
    hr = chy_worker_signer(w, a->signer->key, a->signer->sig_alg, &signer, &a->err);
    if (hr != CHY_S_OK) return hr;
    hr = chy_signer_sign(signer, chy_buf_span(&a->tbs), &a->signature, &a->err);
    /* What is kept is given to many: a signature that came out wrong would outlive its cause. */
    if (hr == CHY_S_OK && a->may_keep)
        hr = chy_verify(chy_worker_verifier(w), chy_key_spki(a->signer->key), a->signer->sig_alg,
                        chy_buf_span(&a->tbs), chy_buf_span(&a->signature), &a->err);
    if (hr != CHY_S_OK) {
        chy_worker_drop_signer(w, signer);
        return hr;
    }
    return chy_ocsp_assemble(chy_buf_span(&a->tbs), a->signer->sig_alg->der,
                             chy_buf_span(&a->signature), a->signer->cert, &a->der, &a->err);
}

void chy_ocsp_answer_begin(struct chy_ocsp_answer *a, struct chy_ocsp *o,
                           const struct chy_ocsp_request *q)
{
    chy_buf_reset(&a->tbs);
    chy_buf_reset(&a->signature);
    chy_buf_reset(&a->der);
    a->o = o;
    a->q = q;
    a->foreign = NULL;
    a->signer = NULL;
    a->err.code = CHY_S_OK;
    a->n = 0;
    a->may_keep = false;
    /* Before anything is read: what changes from here on makes the answer void. */
    a->mark = chy_ocsp_cache_mark(o->cache, q->id[0].serial);
    a->now = chy_now(o->clock);
    a->produced = a->this_update = second_of(a->now);
    a->next_update = INT64_MAX;
    a->status = find_issuer(a);
    if (a->status == CHY_OCSP_SUCCESSFUL) a->status = find_signer(a);
    if (!a->foreign) return;
    for (size_t i = 0; i < q->n && a->status == CHY_OCSP_SUCCESSFUL; i++)
        tell_foreign(a, i);
}

void chy_ocsp_answers_look_up(struct chy_ocsp_answer *const all[], size_t n)
{
    struct chy_ocsp_answer *some[CHY_OCSP_AT_ONCE];
    size_t n_some = 0, n_ids = 0;
    for (size_t i = 0; i < n; i++) {
        struct chy_ocsp_answer *a = all[i];
        if (a->foreign || a->status != CHY_OCSP_SUCCESSFUL) continue;
        bool fits = n_ids + a->q->n <= CHY_OCSP_MAX_IDS;
        if (n_some && (!fits || a->issuer.ca != some[0]->issuer.ca)) {
            look_up(some, n_some);
            n_some = n_ids = 0;
        }
        some[n_some++] = a;
        n_ids += a->q->n;
    }
    look_up(some, n_some);
}

void chy_ocsp_answer_sign(struct chy_ocsp_answer *a, struct chy_worker *w)
{
    if (a->status != CHY_OCSP_SUCCESSFUL) return;
    a->n = a->q->n;
    a->fresh_until =
        a->foreign ? a->next_update : a->this_update + (a->next_update - a->this_update) / 2;
    /* What is not known may be issued at any time, and whoever likes can ask for it. */
    a->may_keep = a->n == 1 && a->single[0].status != CHY_OCSP_UNKNOWN && !repeats_nonce(a);
    a->nonce_max = a->set.nonce_max;
    chy_hresult hr = sign(a, w);
    if (hr != CHY_S_OK) a->status = trouble(a, hr);
}

void chy_ocsp_answer_end(struct chy_ocsp_answer *a)
{
    if (a->foreign) {
        chy_ocsp_foreign_unref(a->foreign);
    } else if (a->signer) {
        chy_ca_ocsp_signer_unref(a->signer);
    }
    a->foreign = NULL;
    a->signer = NULL;
}
