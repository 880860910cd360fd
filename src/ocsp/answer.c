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

struct making {
    struct chy_ocsp *o;
    struct chy_worker *w;
    const struct chy_ocsp_request *q;
    struct chy_ocsp_answer *a;
    struct chy_ocsp_issuer issuer;
    struct chy_ocsp_foreign *foreign; /* instead of the issuer */
    struct chy_ca_ocsp_settings set;
    const struct chy_ocsp_signer *signer;
    struct chy_ocsp_single single[CHY_OCSP_MAX_IDS];
    chy_time now, produced; /* produced: in whole seconds, as it is written */
    struct chy_err err;
};

/* Times are written in whole seconds, and so compared. */
static chy_time second_of(chy_time t)
{
    return t - (t % CHY_US_PER_S + CHY_US_PER_S) % CHY_US_PER_S;
}

/* A flood of questions is no flood of lines. */
static void log_trouble(const struct making *m, const char *event)
{
    int64_t now = chy_monotonic(m->o->clock);
    int64_t last = atomic_load(&m->o->logged);
    if (last && now - last < LOG_EVERY_US) return;
    if (atomic_compare_exchange_strong(&m->o->logged, &last, now))
        chy_log(CHY_LOG_LEVEL_ERROR, event, "ca",
                m->foreign ? m->foreign->name : chy_ca_name(m->issuer.ca), "error", m->err.text,
                NULL);
}

/* What passes by itself is asked for again, what does not is said at once. */
static enum chy_ocsp_status trouble(const struct making *m, chy_hresult hr)
{
    log_trouble(m, "ocsp.failed");
    switch (hr) {
    case CHY_CERTSRV_E_SERVER_SUSPENDED:
    case CHY_E_OUTOFMEMORY:
    case CHY_ERROR_BUSY:
    case CHY_ERROR_DISK_FULL:
    case CHY_ERROR_IO_DEVICE: return CHY_OCSP_TRY_LATER;
    default: return CHY_OCSP_INTERNAL_ERROR;
    }
}

static enum chy_ocsp_status find_foreign(struct making *m)
{
    m->a->mark = chy_ocsp_cache_mark_foreign(m->o->cache);
    chy_hresult hr = chy_ocsp_foreigners_find(&m->o->foreign, &m->q->id[0], &m->foreign, &m->err);
    if (hr < CHY_S_OK) return CHY_OCSP_TRY_LATER;
    if (hr == CHY_S_FALSE || m->q->n > FOREIGN_IDS_MAX) return CHY_OCSP_UNAUTHORIZED;
    for (size_t i = 1; i < m->q->n; i++) {
        if (!chy_ocsp_foreign_is(m->foreign, &m->q->id[i])) return CHY_OCSP_UNAUTHORIZED;
    }
    m->set = (struct chy_ca_ocsp_settings){.nonce_max = FOREIGN_NONCE_MAX, .enabled = true};
    return chy_ocsp_clock_trouble(m->o, NULL) ? CHY_OCSP_TRY_LATER : CHY_OCSP_SUCCESSFUL;
}

/* All certificates asked about are of one issuer: one signer answers (RFC 6960 4.2.2.2). */
static enum chy_ocsp_status find_issuer(struct making *m)
{
    for (size_t i = 0; i < m->q->n; i++) {
        struct chy_ocsp_issuer issuer;
        chy_hresult hr = chy_ocsp_issuers_find(&m->o->issuers, &m->q->id[i], &issuer, &m->err);
        if (hr == CHY_S_FALSE) return i ? CHY_OCSP_UNAUTHORIZED : find_foreign(m);
        if (hr != CHY_S_OK) return CHY_OCSP_TRY_LATER;
        if (i && !chy_ocsp_same_issuer(&issuer, &m->issuer)) return CHY_OCSP_UNAUTHORIZED;
        m->issuer = issuer;
    }
    chy_ca_ocsp_settings(m->issuer.ca, &m->set);
    if (!m->set.enabled || m->q->n > m->set.max_ids) return CHY_OCSP_UNAUTHORIZED;
    /* P17 */
    return chy_ocsp_clock_trouble(m->o, m->issuer.ca) ? CHY_OCSP_TRY_LATER : CHY_OCSP_SUCCESSFUL;
}

static enum chy_ocsp_status not_now(struct making *m, const char *what)
{
    chy_fail(&m->err, CHY_CERTSRV_E_SERVER_SUSPENDED, "%s", what);
    log_trouble(m, "ocsp.foreign.silent");
    return CHY_OCSP_TRY_LATER;
}

/* What the CRL tells is told while it holds. */
static enum chy_ocsp_status check_foreign(struct making *m)
{
    const struct chy_ocsp_foreign *f = m->foreign;
    if (f->signer_revoked) return not_now(m, "the signer is revoked by the CRL");
    if (m->produced >= f->next_update) return not_now(m, "the CRL is past its nextUpdate");
    if (m->produced < f->this_update) return not_now(m, "the CRL's thisUpdate lies ahead");
    return CHY_OCSP_SUCCESSFUL;
}

static enum chy_ocsp_status find_signer(struct making *m)
{
    chy_hresult hr = CHY_S_OK;
    if (m->foreign) {
        m->signer = &m->foreign->signer;
    } else {
        hr = chy_ca_ocsp_signer(m->issuer.ca, m->issuer.key_index, &m->signer, &m->err);
    }
    if (hr != CHY_S_OK) {
        m->signer = NULL;
        return trouble(m, hr);
    }
    /* At least a second is left to say something for. */
    bool holds = m->now >= m->signer->not_before && second_of(m->signer->not_after) > m->produced;
    if (!holds) return CHY_OCSP_TRY_LATER;
    return m->foreign ? check_foreign(m) : CHY_OCSP_SUCCESSFUL;
}

/* P10: only what the database knows as issued by this very key is good. */
static void stand(const struct making *m, const struct chy_standing *s, struct chy_ocsp_single *out)
{
    bool ours = (int32_t)((uint32_t)s->issuer_index >> 16) == m->issuer.key_index;
    out->status = CHY_OCSP_UNKNOWN;
    if (!ours) return;
    if (s->disposition == CHY_DB_DISP_ISSUED) {
        out->status = CHY_OCSP_GOOD;
    } else if (s->disposition == CHY_DB_DISP_REVOKED) {
        bool ahead = s->effective_when != CHY_TIME_DEFAULT &&
                     !chy_counts_by(second_of(s->effective_when), s->revoked_when, m->produced);
        bool is_told = s->effective_when != CHY_TIME_DEFAULT && s->effective_when < m->produced;
        out->status = ahead ? CHY_OCSP_GOOD : CHY_OCSP_REVOKED;
        out->revoked = is_told ? s->effective_when : m->produced;
        out->reason = s->reason;
        if (ahead && second_of(s->effective_when) < out->next_update)
            out->next_update = second_of(s->effective_when);
    }
}

static enum chy_ocsp_status look_up(struct making *m, size_t i)
{
    struct chy_standing s;
    struct chy_ocsp_single *out = &m->single[i];
    chy_time end = m->produced + m->set.validity_s * CHY_US_PER_S;
    *out = (struct chy_ocsp_single){.id = m->q->id[i].der,
                                    .status = CHY_OCSP_UNKNOWN,
                                    .this_update = m->produced,
                                    .next_update = end,
                                    .archive_cutoff = CHY_TIME_DEFAULT};
    if (end > second_of(m->signer->not_after)) out->next_update = second_of(m->signer->not_after);
    if (m->set.archive_cutoff_s)
        out->archive_cutoff = m->produced - m->set.archive_cutoff_s * CHY_US_PER_S;
    chy_hresult hr = chy_ca_standing(m->issuer.ca, m->q->id[i].serial, &s, &m->err);
    if (hr < CHY_S_OK) {
        log_trouble(m, "ocsp.failed");
        return CHY_OCSP_TRY_LATER;
    }
    if (hr == CHY_S_OK) stand(m, &s, out);
    if (out->status == CHY_OCSP_UNKNOWN && m->set.unauthorized_for_unknown)
        return CHY_OCSP_UNAUTHORIZED;
    m->a->told[i] = (uint8_t)out->status;
    if (out->next_update < m->a->next_update) m->a->next_update = out->next_update;
    return CHY_OCSP_SUCCESSFUL;
}

/* Nobody tells us what a foreign CA has issued: good is what its CRL does not revoke, as of then.
 */
static void look_up_foreign(struct making *m, size_t i)
{
    const struct chy_ocsp_foreign *f = m->foreign;
    const chy_time signer_end = second_of(m->signer->not_after);
    struct chy_crl_entry e;
    bool revoked = chy_ocsp_foreign_revoked(f, m->q->id[i].serial, &e);
    m->single[i] = (struct chy_ocsp_single){
        .id = m->q->id[i].der,
        .status = revoked ? CHY_OCSP_REVOKED : CHY_OCSP_GOOD,
        .this_update = f->this_update,
        .next_update = f->next_update < signer_end ? f->next_update : signer_end,
        .archive_cutoff = CHY_TIME_DEFAULT};
    if (revoked) {
        /* It is on the list, and so revoked by now, whatever date stands there. */
        m->single[i].revoked = e.revoked < m->produced ? e.revoked : m->produced;
        m->single[i].reason = e.reason;
    }
    m->a->told[i] = (uint8_t)m->single[i].status;
    m->a->this_update = m->single[i].this_update;
    m->a->next_update = m->single[i].next_update;
}

/* RFC 9654 2.1: a length that we do not repeat is passed over. */
static bool repeats_nonce(const struct making *m)
{
    return m->q->has_nonce && m->q->nonce.n <= m->set.nonce_max;
}

/* P3, P4: the octets that lint has passed are those that are signed. */
static chy_hresult sign(struct making *m)
{
    struct chy_ocsp_answer *a = m->a;
    struct chy_lint_report lint;
    struct chy_signer *signer = NULL;
    const struct chy_ocsp_parts parts = {.key_hash = CHY_SPAN(m->signer->key_hash),
                                         .produced = m->produced,
                                         .single = m->single,
                                         .n = m->q->n,
                                         .nonce = repeats_nonce(m) ? m->q->nonce
                                                                   : (struct chy_span){NULL, 0}};
    chy_hresult hr = chy_ocsp_build_tbs(&parts, &a->tbs, &m->err);
    if (hr != CHY_S_OK) return hr;
    chy_lint_ocsp(chy_buf_span(&a->tbs), m->now, &lint);
    if (lint.errors)
        return chy_fail(&m->err, CHY_ERROR_INVALID_DATA, "lint: %s: %s",
                        lint.n ? lint.finding[0].rule->id : "",
                        lint.n ? lint.finding[0].detail : "");
    hr = chy_worker_signer(m->w, m->signer->key, m->signer->sig_alg, &signer, &m->err);
    if (hr != CHY_S_OK) return hr;
    hr = chy_signer_sign(signer, chy_buf_span(&a->tbs), &a->signature, &m->err);
    /* What is kept is given to many: a signature that came out wrong would outlive its cause. */
    if (hr == CHY_S_OK && a->may_keep)
        hr = chy_verify(chy_worker_verifier(m->w), chy_key_spki(m->signer->key), m->signer->sig_alg,
                        chy_buf_span(&a->tbs), chy_buf_span(&a->signature), &m->err);
    if (hr != CHY_S_OK) {
        chy_worker_drop_signer(m->w, signer);
        return hr;
    }
    return chy_ocsp_assemble(chy_buf_span(&a->tbs), m->signer->sig_alg->der,
                             chy_buf_span(&a->signature), m->signer->cert, &a->der, &m->err);
}

static enum chy_ocsp_status make(struct making *m)
{
    struct chy_ocsp_answer *a = m->a;
    enum chy_ocsp_status status = find_issuer(m);
    if (status == CHY_OCSP_SUCCESSFUL) status = find_signer(m);
    a->this_update = m->produced;
    a->next_update = INT64_MAX;
    for (size_t i = 0; i < m->q->n && status == CHY_OCSP_SUCCESSFUL; i++) {
        if (m->foreign) {
            look_up_foreign(m, i);
        } else {
            status = look_up(m, i);
        }
    }
    if (status != CHY_OCSP_SUCCESSFUL) return status;
    a->n = m->q->n;
    a->fresh_until =
        m->foreign ? a->next_update : a->this_update + (a->next_update - a->this_update) / 2;
    /* What is not known may be issued at any time, and whoever likes can ask for it. */
    a->may_keep = m->q->n == 1 && m->single[0].status != CHY_OCSP_UNKNOWN && !repeats_nonce(m);
    a->nonce_max = m->set.nonce_max;
    chy_hresult hr = sign(m);
    return hr == CHY_S_OK ? CHY_OCSP_SUCCESSFUL : trouble(m, hr);
}

void chy_ocsp_make_answer(struct chy_ocsp *o, const struct chy_ocsp_request *q,
                          struct chy_worker *w, struct chy_ocsp_answer *a)
{
    struct making m = {.o = o, .w = w, .q = q, .a = a, .err.code = CHY_S_OK};
    chy_buf_reset(&a->tbs);
    chy_buf_reset(&a->signature);
    chy_buf_reset(&a->der);
    a->n = 0;
    a->may_keep = false;
    /* Before anything is read: what changes from here on makes the answer void. */
    a->mark = chy_ocsp_cache_mark(o->cache, q->id[0].serial);
    m.now = chy_now(o->clock);
    m.produced = second_of(m.now);
    a->status = make(&m);
    if (m.foreign) {
        chy_ocsp_foreign_unref(m.foreign);
    } else if (m.signer) {
        chy_ca_ocsp_signer_unref(m.signer);
    }
}
