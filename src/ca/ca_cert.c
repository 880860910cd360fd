/* Making a CA certificate (RFC 5280 4.2; CA version as MS-WCCE has it). What is signed was linted.
 */
#include "ca/ca_cert.h"

#include <stdio.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"
#include "key/request.h"

struct work {
    const struct chy_ca_cert_making *m;
    struct chy_buf exts, tbs, sig, request, subject_text;
    struct chy_authority *authority[CHY_CA_MAX_CERTS]; /* of the parent, the newest last */
    size_t n_authorities;
    const struct chy_authority *parent; /* NULL: self-signed */
    const struct chy_sig_alg *sig_alg;  /* of what is made */
    uint8_t serial[CHY_SERIAL_LEN];
    chy_time not_before, not_after;
};

static chy_hresult load_parent(struct work *w, struct chy_buf *chain, struct chy_err *err)
{
    char path[4096];
    const char *dir = w->m->parent_dir;
    chy_hresult hr = CHY_S_OK;
    w->sig_alg = w->m->sig_alg;
    if (!dir) return hr;
    for (int32_t i = 0; hr == CHY_S_OK && i < CHY_CA_MAX_CERTS; i++) {
        hr = chy_authority_path(dir, "ca", i, path, sizeof(path), err);
        if (hr != CHY_S_OK || (i && access(path, F_OK) != 0)) break;
        hr = chy_authority_load(dir, i, w->authority, w->n_authorities, NULL,
                                &w->authority[w->n_authorities], err);
        if (hr == CHY_S_OK) w->n_authorities++;
    }
    if (hr != CHY_S_OK) return hr;
    w->parent = w->authority[w->n_authorities - 1];
    chy_buf_add_span(chain, chy_buf_span(&w->parent->chain_pem));
    /* Its own certificate says what its key signs with, unless another key signed that. */
    bool is_root = chy_span_eq(w->parent->cert.issuer.der, w->parent->cert.subject.der);
    hr = chy_authority_set_alg(w->authority[w->n_authorities - 1],
                               is_root ? w->parent->cert.sig_alg->name : NULL, err);
    w->sig_alg = w->parent->sig_alg;
    return hr;
}

static void add_ext(struct work *w, struct chy_ext *ext, size_t *n, struct chy_span oid,
                    bool critical, size_t at)
{
    ext[(*n)++] = (struct chy_ext){oid, critical, {w->exts.p + at, w->exts.n - at}};
}

static chy_hresult make_extensions(struct work *w, struct chy_ext *ext, size_t *n,
                                   struct chy_err *err)
{
    uint8_t id[20];
    struct chy_buf *b = &w->exts;
    /* Spans point into the buffer: room for all of it first. */
    if (!chy_buf_reserve(b, 64 << 10)) return chy_fail_nomem(err, "CA extensions");
    size_t at = b->n;
    chy_basic_constraints_add(b, &(struct chy_basic_constraints){true, w->m->path_len});
    add_ext(w, ext, n, chy_oid_basic_constraints, true, at);
    at = b->n;
    chy_key_usage_add(b, CHY_KU_KEY_CERT_SIGN | CHY_KU_CRL_SIGN | CHY_KU_DIGITAL_SIGNATURE);
    add_ext(w, ext, n, chy_oid_key_usage, true, at);
    at = b->n;
    chy_hresult hr = chy_spki_key_id(chy_key_spki(w->m->key), id, err);
    if (hr != CHY_S_OK) return hr;
    chy_ski_add(b, CHY_SPAN(id));
    add_ext(w, ext, n, chy_oid_subject_key_id, false, at);
    if (w->parent && w->parent->key_id.n) {
        at = b->n;
        chy_aki_add(b, w->parent->key_id);
        add_ext(w, ext, n, chy_oid_authority_key_id, false, at);
    }
    at = b->n;
    chy_der_add_int(b, w->m->version);
    add_ext(w, ext, n, chy_oid_ms_ca_version, false, at);
    if (w->m->constraints.n)
        ext[(*n)++] = (struct chy_ext){chy_oid_name_constraints, true, w->m->constraints};
    return CHY_S_OK;
}

static chy_hresult lint(const struct work *w, struct chy_err *err)
{
    struct chy_lint_report report;
    chy_lint_tbs(chy_buf_span(&w->tbs), w->parent ? &w->parent->lint : NULL, &report);
    for (size_t i = 0; i < report.n; i++) {
        const struct chy_lint_rule *rule = report.finding[i].rule;
        if (rule->severity != CHY_LINT_ERROR) continue;
        return chy_fail(err, CHY_E_UNEXPECTED, "CA certificate: lint %s (%s): %s: %s", rule->id,
                        rule->section, rule->text, report.finding[i].detail);
    }
    return CHY_S_OK;
}

static chy_hresult choose_validity(struct work *w, struct chy_err *err)
{
    int64_t now_s = chy_now(w->m->clock) / CHY_US_PER_S;
    if (w->m->days < 1 || w->m->days > 36525)
        return chy_fail(err, CHY_E_INVALIDARG, "CA validity: 1 to 36525 days are expected");
    w->not_before = (now_s - 600) * CHY_US_PER_S;
    w->not_after = w->not_before + ((int64_t)w->m->days * 86400 - 1) * CHY_US_PER_S;
    if (w->parent && w->not_after > w->parent->cert.not_after)
        w->not_after = w->parent->cert.not_after;
    if (w->parent && w->not_before < w->parent->cert.not_before)
        w->not_before = w->parent->cert.not_before;
    return CHY_S_OK;
}

static chy_hresult build(struct work *w, struct chy_err *err)
{
    const struct chy_ca_cert_making *m = w->m;
    struct chy_ext ext[8];
    struct chy_cert_parts parts = {.serial = CHY_SPAN(w->serial),
                                   .sig_alg = w->sig_alg->der,
                                   .issuer = w->parent ? w->parent->cert.subject.der : m->subject,
                                   .subject = m->subject,
                                   .spki = chy_key_spki(m->key)->der,
                                   .ext = ext};
    chy_hresult hr = chy_serial_make(chy_now(m->clock), w->serial, err);
    if (hr == CHY_S_OK) hr = choose_validity(w, err);
    if (hr == CHY_S_OK) hr = make_extensions(w, ext, &parts.n_ext, err);
    parts.not_before = w->not_before;
    parts.not_after = w->not_after;
    if (hr == CHY_S_OK) hr = chy_cert_build_tbs(&parts, &w->tbs, err);
    return hr == CHY_S_OK ? lint(w, err) : hr;
}

static chy_hresult sign(struct work *w, struct chy_buf *cert, struct chy_err *err)
{
    struct chy_signer *signer = NULL;
    chy_hresult hr =
        chy_signer_new(w->parent ? w->parent->key : w->m->key, w->sig_alg, &signer, err);
    if (hr == CHY_S_OK) hr = chy_signer_sign(signer, chy_buf_span(&w->tbs), &w->sig, err);
    if (hr == CHY_S_OK)
        hr = chy_cert_assemble(chy_buf_span(&w->tbs), w->sig_alg->der, chy_buf_span(&w->sig), cert,
                               err);
    chy_signer_free(signer);
    return hr;
}

/* ---- the parent's record of it (P2) ---- */
static chy_hresult fill_row(struct work *w, struct chy_store *store, struct chy_row *row,
                            struct chy_err *err)
{
    const struct chy_ca_cert_making *m = w->m;
    struct chy_name name;
    chy_time now = chy_now(m->clock);
    chy_hresult hr = chy_key_request(m->key, m->subject, NULL, 0, &w->request, err);
    if (hr == CHY_S_OK) hr = chy_name_parse(m->subject, &name, err);
    if (hr == CHY_S_OK) chy_name_to_text(&name, &w->subject_text);
    if (hr == CHY_S_OK) hr = chy_buf_done(&w->subject_text, "CA subject", err);
    *row = (struct chy_row){.disposition = CHY_DB_DISP_ACTIVE,
                            .message = CHY_SPAN_STR("Issued"),
                            .submitted_when = now,
                            .resolved_when = now,
                            .requester_name = chy_span_cstr(m->author),
                            .caller_name = chy_span_cstr(m->author),
                            .request_type = CHY_CR_IN_PKCS10,
                            .raw_request = chy_buf_span(&w->request),
                            .request_subject = chy_buf_span(&w->subject_text),
                            .template_name = CHY_SPAN_STR("sub-ca"),
                            .serial = CHY_SPAN(w->serial),
                            .subject = chy_buf_span(&w->subject_text),
                            .not_before = w->not_before,
                            .not_after = w->not_after,
                            .issuer_index = chy_issuer_index(w->parent),
                            .revoked_when = CHY_TIME_DEFAULT,
                            .revoked_effective_when = CHY_TIME_DEFAULT,
                            .invalidity_when = CHY_TIME_DEFAULT};
    return hr == CHY_S_OK ? store->ops->reserve_ids(store, 1, &row->id, err) : hr;
}

static chy_hresult sign_on_record(struct work *w, struct chy_store *store, struct chy_buf *cert,
                                  struct chy_err *err)
{
    struct chy_row row;
    chy_hresult hr = fill_row(w, store, &row, err);
    struct chy_write intent = {.kind = CHY_WRITE_INTENT,
                               .row = &row,
                               .tbs = chy_buf_span(&w->tbs),
                               .when = row.submitted_when};
    if (hr == CHY_S_OK) hr = chy_store_write_wait(store, &intent, err);
    if (hr == CHY_S_OK) hr = sign(w, cert, err);
    if (hr != CHY_S_OK) return hr;
    row.disposition = CHY_DB_DISP_ISSUED;
    row.raw_certificate = chy_buf_span(cert);
    struct chy_write final = {.kind = CHY_WRITE_FINAL, .row = &row, .when = row.submitted_when};
    return chy_store_write_wait(store, &final, err);
}

static chy_hresult sign_by_parent(struct work *w, struct chy_buf *cert, struct chy_err *err)
{
    struct chy_store *own = NULL;
    struct chy_store *store = w->m->parent_store;
    chy_hresult hr = CHY_S_OK;
    if (!store) {
        hr = chy_store_open_sqlite_again(w->m->parent_dir, 1024, &own, err);
        if (hr != CHY_S_OK) return chy_wrap(err, "the parent CA records what it signs");
        store = own;
    }
    hr = chy_authority_check_count(store, w->m->parent_dir, w->n_authorities, err);
    if (hr == CHY_S_OK) hr = sign_on_record(w, store, cert, err);
    if (own) chy_store_close(own);
    return hr;
}

chy_hresult chy_ca_cert_make(struct chy_ca_cert_making *m, struct chy_err *err)
{
    struct work w = {.m = m};
    struct chy_buf *bufs[] = {&w.exts, &w.tbs, &w.sig, &w.request, &w.subject_text};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], CHY_PEM_MAX);
    chy_hresult hr = load_parent(&w, &m->parent_chain, err);
    if (hr == CHY_S_OK) hr = build(&w, err);
    if (hr == CHY_S_OK) hr = w.parent ? sign_by_parent(&w, &m->cert, err) : sign(&w, &m->cert, err);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    for (size_t i = 0; i < w.n_authorities; i++)
        chy_authority_free(w.authority[i]);
    return hr;
}

chy_hresult chy_ca_cert_write(const struct chy_ca_cert_making *m, const char *dir, int32_t index,
                              struct chy_err *err)
{
    char path[4096];
    struct chy_buf pem;
    chy_buf_init(&pem, CHY_PEM_MAX);
    chy_pem_add(&pem, "CERTIFICATE", chy_buf_span(&m->cert));
    chy_buf_add_span(&pem, chy_buf_span(&m->parent_chain));
    chy_hresult hr = chy_buf_done(&pem, "CA certificate", err);
    if (hr == CHY_S_OK) hr = chy_authority_path(dir, "ca", index, path, sizeof(path), err);
    if (hr == CHY_S_OK) hr = chy_file_write(path, chy_buf_span(&pem), 0644, err);
    chy_buf_free(&pem);
    return hr;
}
