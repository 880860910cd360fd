/* Making a CA certificate (RFC 5280 4.2; CA version as MS-WCCE has it). What is signed was linted.
 */
#include "ca/ca_cert.h"

#include <stdio.h>

#include "base/sys.h"
#include "base/text.h"

struct work {
    const struct chy_ca_cert_making *m;
    struct chy_buf exts, tbs, sig, parent_der;
    struct chy_cert *parent;
    struct chy_key *parent_key;
    const struct chy_sig_alg *parent_sig_alg;
};

static chy_hresult load_parent(struct work *w, struct chy_buf *chain, struct chy_err *err)
{
    char path[4096];
    const char *labels[] = {"CERTIFICATE", NULL};
    const char *dir = w->m->parent_dir;
    size_t pos = 0;
    if (!dir) return CHY_S_OK;
    chy_hresult hr = chy_authority_path(dir, "ca", 0, path, sizeof(path), err);
    if (hr == CHY_S_OK) hr = chy_file_read(path, CHY_PEM_MAX, chain, err);
    if (hr == CHY_S_OK) hr = chy_pem_next(chy_buf_span(chain), labels, &pos, &w->parent_der, err);
    if (hr != CHY_S_OK)
        return hr == CHY_S_FALSE ? chy_fail(err, CHY_E_INVALIDARG, "%s: no certificate", path) : hr;
    w->parent = chy_calloc(1, sizeof(*w->parent));
    if (!w->parent) return chy_fail_nomem(err, "parent CA");
    hr = chy_cert_parse(chy_buf_span(&w->parent_der), w->parent, err);
    if (hr == CHY_S_OK) hr = chy_authority_path(dir, "key", 0, path, sizeof(path), err);
    if (hr == CHY_S_OK) hr = chy_key_load(path, &w->parent_key, err);
    if (hr == CHY_S_OK) w->parent_sig_alg = w->parent->sig_alg;
    if (hr == CHY_S_OK && !chy_span_eq(w->parent->issuer.der, w->parent->subject.der)) {
        /* its own certificate was signed by another key: use its key's default */
        w->parent_sig_alg = chy_key_sig_alg(w->parent_key, NULL, err);
        if (!w->parent_sig_alg) hr = err->code;
    }
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
    if (w->parent) {
        const struct chy_ext *ski = chy_cert_find_ext(w->parent, chy_oid_subject_key_id);
        struct chy_span parent_id;
        at = b->n;
        if (ski && chy_ski_parse(ski->value, &parent_id)) {
            chy_aki_add(b, parent_id);
            add_ext(w, ext, n, chy_oid_authority_key_id, false, at);
        }
    }
    at = b->n;
    chy_der_add_int(b, w->m->version);
    add_ext(w, ext, n, chy_oid_ms_ca_version, false, at);
    if (w->m->constraints.n)
        ext[(*n)++] = (struct chy_ext){chy_oid_name_constraints, true, w->m->constraints};
    return CHY_S_OK;
}

static void lint_issuer_of_parent(const struct work *w, struct chy_lint_issuer *out)
{
    const struct chy_ext *ski = chy_cert_find_ext(w->parent, chy_oid_subject_key_id);
    const struct chy_ext *bc = chy_cert_find_ext(w->parent, chy_oid_basic_constraints);
    struct chy_basic_constraints limits = {.path_len = -1};
    *out = (struct chy_lint_issuer){.subject = w->parent->subject.der,
                                    .not_before = w->parent->not_before,
                                    .not_after = w->parent->not_after,
                                    .sig_alg = w->parent_sig_alg->der};
    if (ski) (void)chy_ski_parse(ski->value, &out->key_id);
    if (bc) (void)chy_basic_constraints_parse(bc->value, &limits);
    out->path_len = limits.path_len;
}

static chy_hresult lint(const struct work *w, struct chy_err *err)
{
    struct chy_lint_issuer issuer;
    struct chy_lint_report report;
    if (w->parent) lint_issuer_of_parent(w, &issuer);
    chy_lint_tbs(chy_buf_span(&w->tbs), w->parent ? &issuer : NULL, &report);
    for (size_t i = 0; i < report.n; i++) {
        const struct chy_lint_rule *rule = report.finding[i].rule;
        if (rule->severity != CHY_LINT_ERROR) continue;
        return chy_fail(err, CHY_E_UNEXPECTED, "CA certificate: lint %s (%s): %s: %s", rule->id,
                        rule->section, rule->text, report.finding[i].detail);
    }
    return CHY_S_OK;
}

static chy_hresult validity(const struct work *w, struct chy_cert_parts *parts, struct chy_err *err)
{
    int64_t now_s = chy_now(w->m->clock) / CHY_US_PER_S;
    parts->not_before = (now_s - 600) * CHY_US_PER_S;
    parts->not_after = parts->not_before + ((int64_t)w->m->days * 86400 - 1) * CHY_US_PER_S;
    if (w->m->days < 1 || w->m->days > 36525)
        return chy_fail(err, CHY_E_INVALIDARG, "CA validity: 1 to 36525 days are expected");
    if (w->parent && parts->not_after > w->parent->not_after)
        parts->not_after = w->parent->not_after;
    if (w->parent && parts->not_before < w->parent->not_before)
        parts->not_before = w->parent->not_before;
    return CHY_S_OK;
}

static chy_hresult make(struct work *w, struct chy_buf *cert, struct chy_err *err)
{
    const struct chy_ca_cert_making *m = w->m;
    struct chy_ext ext[8];
    uint8_t serial[CHY_SERIAL_LEN];
    struct chy_signer *signer = NULL;
    const struct chy_sig_alg *alg = w->parent ? w->parent_sig_alg : m->sig_alg;
    struct chy_cert_parts parts = {.serial = CHY_SPAN(serial),
                                   .sig_alg = alg->der,
                                   .issuer = w->parent ? w->parent->subject.der : m->subject,
                                   .subject = m->subject,
                                   .spki = chy_key_spki(m->key)->der,
                                   .ext = ext};
    chy_hresult hr = chy_serial_make(chy_now(m->clock), serial, err);
    if (hr == CHY_S_OK) hr = validity(w, &parts, err);
    if (hr == CHY_S_OK) hr = make_extensions(w, ext, &parts.n_ext, err);
    if (hr == CHY_S_OK) hr = chy_cert_build_tbs(&parts, &w->tbs, err);
    if (hr == CHY_S_OK) hr = lint(w, err);
    if (hr == CHY_S_OK) hr = chy_signer_new(w->parent ? w->parent_key : m->key, alg, &signer, err);
    if (hr == CHY_S_OK) hr = chy_signer_sign(signer, chy_buf_span(&w->tbs), &w->sig, err);
    if (hr == CHY_S_OK)
        hr = chy_cert_assemble(chy_buf_span(&w->tbs), alg->der, chy_buf_span(&w->sig), cert, err);
    chy_signer_free(signer);
    return hr;
}

chy_hresult chy_ca_cert_make(struct chy_ca_cert_making *m, struct chy_err *err)
{
    struct work w = {.m = m};
    struct chy_buf *bufs[] = {&w.exts, &w.tbs, &w.sig, &w.parent_der};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], CHY_PEM_MAX);
    chy_hresult hr = load_parent(&w, &m->parent_chain, err);
    if (hr == CHY_S_OK) hr = make(&w, &m->cert, err);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    chy_key_free(w.parent_key);
    chy_free(w.parent);
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
