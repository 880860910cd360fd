/* Renewing the CA (adcs: CA renewal): another certificate for the same key, or for a new one. It is
 * there for good once its file is; what is issued from then on carries it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ca/ca_cert.h"
#include "ca/ca_internal.h"

static int64_t days_of(const struct chy_authority *a)
{
    return (a->cert.not_after - a->cert.not_before + CHY_US_PER_S) / CHY_US_PER_S / 86400;
}

static chy_hresult make_key(struct chy_ca *ca, const struct chy_ca_renew *how, int32_t index,
                            struct chy_key **out, struct chy_err *err)
{
    char path[4096];
    const struct chy_authority *now = chy_ca_current(ca);
    if (!how->new_key) {
        *out = chy_key_ref(now->key);
        return CHY_S_OK;
    }
    chy_hresult hr = chy_authority_path(ca->dir, "key", index, path, sizeof(path), err);
    if (hr == CHY_S_OK)
        hr = chy_key_generate(how->key_alg ? how->key_alg : now->cert.key.name, out, err);
    return hr == CHY_S_OK ? chy_key_save(*out, path, err) : hr;
}

static chy_hresult make(struct chy_ca *ca, const struct chy_caller *caller,
                        const struct chy_ca_renew *how, int32_t index, struct chy_key *key,
                        struct chy_err *err)
{
    const struct chy_authority *now = chy_ca_current(ca);
    const struct chy_ext *nc = chy_cert_find_ext(&now->cert, chy_oid_name_constraints);
    int32_t key_index = how->new_key ? index : now->key_index;
    struct chy_ca_cert_making m = {
        .clock = ca->clock,
        .key = key,
        .sig_alg = how->new_key ? chy_key_sig_alg(key, NULL, err) : now->sig_alg,
        .subject = now->cert.subject.der,
        .days = how->days ? how->days : (int)days_of(now),
        .path_len = now->bc.path_len,
        .version = (int32_t)((uint32_t)key_index << 16 | (uint32_t)index),
        .constraints = nc ? nc->value : (struct chy_span){0},
        .parent_dir = how->parent ? how->parent->dir : how->parent_dir,
        .parent_store = how->parent ? how->parent->store : NULL,
        .author = caller->name};
    if (!m.sig_alg) return err->code;
    chy_buf_init(&m.cert, CHY_PEM_MAX);
    chy_buf_init(&m.parent_chain, CHY_PEM_MAX);
    chy_hresult hr = chy_ca_cert_make(&m, err);
    (void)CHY_FAULT("renew.before_file");
    if (hr == CHY_S_OK) hr = chy_ca_cert_write(&m, ca->dir, index, err);
    (void)CHY_FAULT("renew.after_file");
    chy_buf_free(&m.cert);
    chy_buf_free(&m.parent_chain);
    return hr;
}

static chy_hresult check(struct chy_ca *ca, const struct chy_caller *caller,
                         const struct chy_ca_renew *how, struct chy_err *err)
{
    const struct chy_authority *now = chy_ca_current(ca);
    bool is_root = chy_span_eq(now->cert.issuer.der, now->cert.subject.der);
    if (!(caller->access & CHY_CA_ACCESS_ADMIN))
        return chy_fail(err, CHY_E_ACCESSDENIED, "%s is no administrator of this CA", caller->name);
    bool has_parent = how->parent || how->parent_dir;
    if (!is_root && !has_parent)
        return chy_fail(err, CHY_E_INVALIDARG,
                        "renewal: this CA was signed by another: name the folder of that one");
    if (is_root && has_parent)
        return chy_fail(err, CHY_E_INVALIDARG, "renewal: this CA is a root: it has no parent");
    if (atomic_load(&ca->n_authorities) == CHY_CA_MAX_CERTS)
        return chy_fail(err, CHY_E_INVALIDARG, "renewal: a CA has at most %d certificates",
                        CHY_CA_MAX_CERTS);
    return CHY_S_OK;
}

/* A key file without its certificate is of a renewal that was cut off: nothing was signed with it.
 */
static void drop_leftover(const struct chy_ca *ca, int32_t index)
{
    char path[4096];
    if (chy_authority_path(ca->dir, "key", index, path, sizeof(path), NULL) == CHY_S_OK)
        (void)unlink(path);
}

/* It is renewed in any case: what could not be noted now is at the next start. */
static void note(struct chy_ca *ca)
{
    struct chy_err err = {0};
    if (chy_authority_note_count(ca->store, atomic_load(&ca->n_authorities), &err) != CHY_S_OK)
        chy_log(CHY_LOG_LEVEL_WARNING, "ca.not_noted", "error", err.text, NULL);
}

static chy_hresult renew(struct chy_ca *ca, const struct chy_caller *caller,
                         const struct chy_ca_renew *how, int32_t index, struct chy_err *err)
{
    struct chy_key *key = NULL;
    drop_leftover(ca, index);
    chy_hresult hr = make_key(ca, how, index, &key, err);
    if (hr == CHY_S_OK) hr = make(ca, caller, how, index, key, err);
    if (hr == CHY_S_OK) {
        hr = chy_ca_add_authority(ca, key, err); /* takes the key over */
        key = NULL;
    }
    chy_key_free(key);
    if (hr == CHY_S_OK) note(ca);
    return hr == CHY_S_OK ? chy_settings_remake(ca, err) : hr;
}

chy_hresult chy_ca_renew(struct chy_ca *ca, const struct chy_caller *caller,
                         const struct chy_ca_renew *how, int32_t *index, struct chy_err *err)
{
    char number[16];
    chy_hresult hr;
    pthread_mutex_lock(&ca->renew_lock);
    *index = (int32_t)atomic_load(&ca->n_authorities);
    hr = check(ca, caller, how, err);
    if (hr == CHY_S_OK) hr = renew(ca, caller, how, *index, err);
    pthread_mutex_unlock(&ca->renew_lock);
    if (hr != CHY_S_OK) return hr;
    snprintf(number, sizeof(number), "%d", *index);
    chy_log(CHY_LOG_LEVEL_WARNING, "ca.renewed", "ca", chy_ca_name(ca), "certificate", number, "by",
            caller->name, NULL);
    chy_publisher_poke(ca);
    chy_check_poke(ca);
    return CHY_S_OK;
}
