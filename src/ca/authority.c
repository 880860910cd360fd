/* Reading a CA certificate and its key. */
#include "ca/authority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"

chy_hresult chy_authority_path(const char *dir, const char *which, int32_t index, char *out,
                               size_t cap, struct chy_err *err)
{
    int n = index ? snprintf(out, cap, "%s/%s-%d.pem", dir, which, index)
                  : snprintf(out, cap, "%s/%s.pem", dir, which);
    if (n > 0 && (size_t)n < cap) return CHY_S_OK;
    return chy_fail(err, CHY_E_INVALIDARG, "folder %.64s…: the path is too long", dir);
}

static chy_hresult load_cert(struct chy_authority *a, const char *path, struct chy_err *err)
{
    const char *labels[] = {"CERTIFICATE", NULL};
    size_t pos = 0;
    chy_hresult hr = chy_file_read(path, CHY_PEM_MAX, &a->chain_pem, err);
    if (hr == CHY_S_OK)
        hr = chy_pem_next(chy_buf_span(&a->chain_pem), labels, &pos, &a->cert_der, err);
    if (hr == CHY_S_FALSE)
        hr = chy_fail(err, CHY_CERTSRV_E_INVALID_CA_CERTIFICATE, "%s: no certificate in it", path);
    return hr == CHY_S_OK ? chy_cert_parse(chy_buf_span(&a->cert_der), &a->cert, err) : hr;
}

static chy_hresult read_extensions(struct chy_authority *a, const char *path, struct chy_err *err)
{
    const struct chy_ext *ski = chy_cert_find_ext(&a->cert, chy_oid_subject_key_id);
    const struct chy_ext *bc = chy_cert_find_ext(&a->cert, chy_oid_basic_constraints);
    const struct chy_ext *nc = chy_cert_find_ext(&a->cert, chy_oid_name_constraints);
    if (!bc || !chy_basic_constraints_parse(bc->value, &a->bc) || !a->bc.ca) {
        return chy_fail(err, CHY_CERTSRV_E_INVALID_CA_CERTIFICATE,
                        "%s: not a CA certificate (RFC 5280 4.2.1.9)", path);
    }
    if (ski && chy_ski_parse(ski->value, &a->key_id)) chy_aki_add(&a->aki_der, a->key_id);
    chy_hresult hr = chy_buf_done(&a->aki_der, "authorityKeyIdentifier", err);
    if (hr != CHY_S_OK || !nc) return hr;
    a->constraints = chy_calloc(1, sizeof(*a->constraints));
    if (!a->constraints) return chy_fail_nomem(err, "name constraints");
    return chy_name_constraints_parse(nc->value, a->constraints, err);
}

static bool has_key(const struct chy_authority *a, const struct chy_key *key)
{
    return chy_span_eq(chy_key_spki(key)->der, a->cert.key.der);
}

/* A certificate renewed for the same key has no key file of its own. */
static chy_hresult find_key(struct chy_authority *a, const char *dir,
                            struct chy_authority *const *older, size_t n, struct chy_err *err)
{
    char path[4096];
    for (size_t i = 0; i < n && a->key_index == a->index; i++) {
        if (!has_key(a, older[i]->key)) continue;
        if (!a->key) a->key = chy_key_ref(older[i]->key);
        a->key_index = older[i]->key_index;
    }
    if (a->key && a->key_index != a->index) return CHY_S_OK;
    chy_hresult hr = chy_authority_path(dir, "key", a->index, path, sizeof(path), err);
    if (hr == CHY_S_OK && !a->key && access(path, F_OK) != 0 && errno == ENOENT)
        return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND,
                        "key file %s: it is lost, and what this CA signed with it needs its CRLs: "
                        "put it back from a backup",
                        path);
    if (hr == CHY_S_OK && !a->key) hr = chy_key_load(path, &a->key, err);
    if (hr != CHY_S_OK || has_key(a, a->key)) return hr;
    return chy_fail(
        err, CHY_CERTSRV_E_INVALID_CA_CERTIFICATE,
        "%s is not the key of the certificate beside it: one of them is from another CA", path);
}

chy_hresult chy_authority_set_alg(struct chy_authority *a, const char *name, struct chy_err *err)
{
    a->sig_alg = chy_key_sig_alg(a->key, name && *name ? name : NULL, err);
    if (!a->sig_alg) return err->code;
    a->lint = (struct chy_lint_issuer){.subject = a->cert.subject.der,
                                       .key_id = a->key_id,
                                       .not_before = a->cert.not_before,
                                       .not_after = a->cert.not_after,
                                       .path_len = a->bc.path_len,
                                       .constraints = a->constraints,
                                       .sig_alg = a->sig_alg->der};
    return CHY_S_OK;
}

static chy_hresult load(const char *dir, int32_t index, struct chy_authority *const *older,
                        size_t n, struct chy_key *key, bool to_read, struct chy_authority **out,
                        struct chy_err *err)
{
    char path[4096];
    struct chy_authority *a = chy_calloc(1, sizeof(*a));
    if (!a) {
        chy_key_free(key);
        return chy_fail_nomem(err, "CA certificate");
    }
    a->index = a->key_index = index;
    a->key = key;
    chy_buf_init(&a->cert_der, CHY_PEM_MAX);
    chy_buf_init(&a->chain_pem, CHY_PEM_MAX);
    chy_buf_init(&a->aki_der, CHY_PEM_MAX);
    chy_hresult hr = chy_authority_path(dir, "ca", index, path, sizeof(path), err);
    if (hr == CHY_S_OK) hr = load_cert(a, path, err);
    if (hr == CHY_S_OK) hr = read_extensions(a, path, err);
    if (hr == CHY_S_OK && to_read) hr = chy_key_public(a->cert.key.der, &a->key, err);
    if (hr == CHY_S_OK) hr = find_key(a, dir, older, n, err);
    if (hr != CHY_S_OK) {
        chy_authority_free(a);
        return hr;
    }
    *out = a;
    return CHY_S_OK;
}

chy_hresult chy_authority_load(const char *dir, int32_t index, struct chy_authority *const *older,
                               size_t n, struct chy_key *key, struct chy_authority **out,
                               struct chy_err *err)
{
    return load(dir, index, older, n, key, false, out, err);
}

chy_hresult chy_authority_load_to_read(const char *dir, int32_t index,
                                       struct chy_authority *const *older, size_t n,
                                       struct chy_authority **out, struct chy_err *err)
{
    return load(dir, index, older, n, NULL, true, out, err);
}

void chy_authority_free(struct chy_authority *a)
{
    if (!a) return;
    chy_buf_free(&a->cert_der);
    chy_buf_free(&a->chain_pem);
    chy_buf_free(&a->aki_der);
    chy_key_free(a->key);
    chy_free(a->constraints);
    chy_free(a);
}

#define META_COUNT "ca/certificates"

/* A CA that was never renewed has said nothing. */
static chy_hresult known_count(struct chy_store *store, size_t *out, struct chy_err *err)
{
    struct chy_buf text;
    chy_buf_init(&text, 32);
    chy_hresult hr = store->ops->meta(store, META_COUNT, &text, err);
    const char *digits = text.n ? chy_buf_cstr(&text) : NULL;
    *out = digits ? strtoul(digits, NULL, 10) : 1;
    chy_buf_free(&text);
    return hr < CHY_S_OK ? hr : CHY_S_OK;
}

chy_hresult chy_authority_check_count(struct chy_store *store, const char *dir, size_t n,
                                      struct chy_err *err)
{
    size_t known;
    chy_hresult hr = known_count(store, &known, err);
    if (hr != CHY_S_OK || n >= known) return hr;
    return chy_fail(err, CHY_ERROR_FILE_NOT_FOUND,
                    "%s/ca-%zu.pem: it is lost: this CA has %zu certificates, and the newest one "
                    "issues: put it back, from a backup or from where it was given out (it is no "
                    "secret)",
                    dir, n, known);
}

chy_hresult chy_authority_note_count(struct chy_store *store, size_t n, struct chy_err *err)
{
    size_t known;
    char text[24];
    if (n <= 1) return CHY_S_OK;
    chy_hresult hr = known_count(store, &known, err);
    if (hr != CHY_S_OK || n <= known) return hr;
    snprintf(text, sizeof(text), "%zu", n);
    struct chy_write w = {.kind = CHY_WRITE_META, .path = META_COUNT, .value = chy_span_cstr(text)};
    return chy_store_write_wait(store, &w, err);
}
