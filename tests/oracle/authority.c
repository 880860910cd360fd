/* The certification authorities of the oracle: one root per kind of key, one constrained
 * intermediate. */
#include "oracle.h"

#include <string.h>

/* Slow signatures get few certificates. */
static const struct {
    const char *key, *sig;
    unsigned weight; /* percent */
} kinds[AUTHORITIES] = {
    {"p256", NULL, 40},   {"ed25519", NULL, 30},
    {"rsa2048", NULL, 4}, {"rsa2048", "rsa-pss-sha256", 3},
    {"p384", NULL, 4},    {"p521", NULL, 1},
    {"ed448", NULL, 3},   {"p256", NULL, 15},
};

static void name_of(struct chy_buf *out, const char *kind, size_t number)
{
    struct chy_buf cn;
    chy_buf_init(out, 1024);
    chy_buf_init(&cn, 128);
    chy_buf_addf(&cn, "Oracle CA %zu %s", number, kind);
    size_t mark = chy_name_open(out);
    chy_name_add(out, CHY_SPAN_STR("\x55\x04\x06"), CHY_DER_PRINTABLE, CHY_SPAN_STR("DE"));
    chy_name_add(out, CHY_SPAN_STR("\x55\x04\x0a"), CHY_DER_UTF8, CHY_SPAN_STR("Oracle"));
    chy_name_add(out, CHY_SPAN_STR("\x55\x04\x03"), CHY_DER_UTF8, chy_buf_span(&cn));
    chy_name_close(out, mark);
    MUST(!out->failed && !cn.failed, "no memory for a name");
    chy_buf_free(&cn);
}

static void make_key(struct authority *a, const char *alg, const char *sig)
{
    struct chy_err err = {.code = CHY_S_OK};
    MUST(chy_key_generate(alg, &a->key, &err) == CHY_S_OK, "%s: %s", alg, err.text);
    a->sig_alg = chy_key_sig_alg(a->key, sig, &err);
    MUST(a->sig_alg, "%s: %s", alg, err.text);
    MUST(chy_signer_new(a->key, a->sig_alg, &a->signer, &err) == CHY_S_OK, "%s", err.text);
    MUST(chy_spki_key_id(chy_key_spki(a->key), a->key_id, &err) == CHY_S_OK, "%s", err.text);
}

static struct chy_general_name gn(enum chy_gn_type type, struct chy_span value)
{
    return (struct chy_general_name){.type = type, .value = value};
}

static void fill_constraints(struct chy_name_constraints *nc)
{
    nc->n_permitted = 0;
    nc->permitted[nc->n_permitted++] = gn(CHY_GN_DNS, CHY_SPAN_STR("example.com"));
    nc->permitted[nc->n_permitted++] = gn(CHY_GN_EMAIL, CHY_SPAN_STR("example.com"));
    nc->permitted[nc->n_permitted++] = gn(CHY_GN_IP, CHY_SPAN_STR("\x0a\0\0\0\xff\0\0\0"));
    nc->n_excluded = 0;
    nc->excluded[nc->n_excluded++] = gn(CHY_GN_DNS, CHY_SPAN_STR("secret.example.com"));
}

static void add_ext(struct sample *s, struct chy_span oid, bool critical)
{
    s->ext[s->n_ext] = (struct chy_ext){oid, critical, chy_buf_span(&s->value[s->n_ext])};
    s->n_ext++;
}

static void invent_ca(struct sample *s, const struct authority *a, const struct authority *by)
{
    struct chy_basic_constraints bc = {.ca = true, .path_len = a == by ? -1 : 1};
    sample_reset(s);
    chy_buf_add_span(&s->subject, chy_buf_span(&a->name));
    MUST(chy_time_parse("2001-02-03", &s->not_before) &&
             chy_time_parse("2199-12-31", &s->not_after),
         "times");
    chy_basic_constraints_add(&s->value[s->n_ext], &bc);
    add_ext(s, chy_oid_basic_constraints, true);
    chy_key_usage_add(&s->value[s->n_ext], CHY_KU_KEY_CERT_SIGN | CHY_KU_CRL_SIGN);
    add_ext(s, chy_oid_key_usage, true);
    chy_ski_add(&s->value[s->n_ext], CHY_SPAN(a->key_id));
    add_ext(s, chy_oid_subject_key_id, false);
    chy_aki_add(&s->value[s->n_ext], CHY_SPAN(by->key_id));
    add_ext(s, chy_oid_authority_key_id, false);
    if (a->constrained) {
        chy_name_constraints_add(&s->value[s->n_ext], &a->constraints);
        add_ext(s, chy_oid_name_constraints, true);
    }
}

static void describe(struct authority *a, struct sample *s)
{
    a->lint = (struct chy_lint_issuer){
        .subject = chy_buf_span(&a->name),
        .key_id = CHY_SPAN(a->key_id),
        .not_before = s->not_before,
        .not_after = s->not_after,
        .path_len = a->constrained ? 1 : -1,
        .constraints = a->constrained ? &a->constraints : NULL,
        .sig_alg = a->sig_alg->der,
    };
}

void authorities_make(struct authority *list)
{
    struct sample s;
    sample_init(&s);
    memset(list, 0, AUTHORITIES * sizeof *list);
    for (size_t i = 0; i < AUTHORITIES; i++) {
        struct authority *a = &list[i], *by = i == CONSTRAINED ? &list[0] : a;
        a->constrained = i == CONSTRAINED;
        if (a->constrained) fill_constraints(&a->constraints);
        name_of(&a->name, kinds[i].key, i);
        make_key(a, kinds[i].key, kinds[i].sig);
        invent_ca(&s, a, by);
        describe(a, &s);
        sample_issue(&s, by, chy_key_spki(a->key));
        chy_buf_init(&a->cert, CHY_CERT_MAX);
        chy_buf_add_span(&a->cert, chy_buf_span(&s.cert));
        const unsigned char *p = a->cert.p;
        a->x509 = d2i_X509(NULL, &p, (long)a->cert.n);
        MUST(a->x509, "OpenSSL does not read the certificate of CA %zu", i);
    }
    sample_free(&s);
}

void authorities_free(struct authority *list)
{
    for (size_t i = 0; i < AUTHORITIES; i++) {
        chy_signer_free(list[i].signer);
        chy_key_free(list[i].key);
        chy_buf_free(&list[i].name);
        chy_buf_free(&list[i].cert);
        X509_free(list[i].x509);
    }
}

const struct authority *authority_pick(const struct authority *list, struct rng *r)
{
    unsigned at = rng_below(r, 100), i = 0;
    while (at >= kinds[i].weight)
        at -= kinds[i++].weight;
    return &list[i];
}
