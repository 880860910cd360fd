/* Invents the parts of a certificate: names in many scripts, alternative names of all kinds,
 * extensions in any order, times around the change from UTCTime to GeneralizedTime; then issues it.
 */
#include "oracle.h"

#include <string.h>
#include <time.h>

struct inventor {
    struct sample *s;
    struct rng *r;
    const struct authority *by;
    const struct chy_spki *key;
};

void sample_init(struct sample *s)
{
    memset(s, 0, sizeof *s);
    chy_buf_init(&s->subject, CHY_CERT_MAX);
    chy_buf_init(&s->tbs, CHY_CERT_MAX);
    chy_buf_init(&s->cert, CHY_CERT_MAX);
    for (size_t i = 0; i < SAMPLE_EXTS; i++)
        chy_buf_init(&s->value[i], CHY_CERT_MAX);
}

void sample_reset(struct sample *s)
{
    chy_buf_reset(&s->subject);
    chy_buf_reset(&s->tbs);
    chy_buf_reset(&s->cert);
    for (size_t i = 0; i < SAMPLE_EXTS; i++)
        chy_buf_reset(&s->value[i]);
    s->n_ext = 0;
    s->n_attrs = 0;
    s->n_alt_names = 0;
    s->is_ca = false;
}

void sample_free(struct sample *s)
{
    chy_buf_free(&s->subject);
    chy_buf_free(&s->tbs);
    chy_buf_free(&s->cert);
    for (size_t i = 0; i < SAMPLE_EXTS; i++)
        chy_buf_free(&s->value[i]);
}

/* ---- text ---- */

static void add_printable(struct rng *r, struct chy_buf *out, unsigned max)
{
    static const char set[] = "ABCXYZabcxyz0189 '()+,-./:=?";
    unsigned n = 1 + rng_below(r, max);
    for (unsigned i = 0; i < n; i++) {
        bool edge = i == 0 || i + 1 == n;
        chy_buf_add_byte(out, (uint8_t)set[rng_below(r, edge ? 16 : sizeof set - 1)]);
    }
}

static void add_code_point(struct chy_buf *out, unsigned c)
{
    if (c < 0x80) {
        chy_buf_add_byte(out, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        chy_buf_add_byte(out, (uint8_t)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        chy_buf_add_byte(out, (uint8_t)(0xe0 | c >> 12));
        chy_buf_add_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    } else {
        chy_buf_add_byte(out, (uint8_t)(0xf0 | c >> 18));
        chy_buf_add_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        chy_buf_add_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    }
    chy_buf_add_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
}

/* Latin, Greek, Cyrillic, Hebrew, CJK, emoji, and the punctuation that text tools trip over. */
static void add_utf8(struct rng *r, struct chy_buf *out, unsigned max)
{
    static const struct {
        unsigned from, count;
    } blocks[] = {{'a', 26},   {'A', 26},   {'0', 10},     {0xe0, 23},   {0x3b1, 25},
                  {0x430, 32}, {0x5d0, 27}, {0x4e00, 999}, {0x1f600, 64}};
    static const char special[] = " ,+\"\\<>;=#/@&*";
    unsigned n = 1 + rng_below(r, max);
    for (unsigned i = 0; i < n; i++) {
        bool edge = i == 0 || i + 1 == n;
        if (!edge && rng_chance(r, 10)) {
            chy_buf_add_byte(out, (uint8_t)special[rng_below(r, sizeof special - 1)]);
            continue;
        }
        unsigned b = rng_chance(r, 60) ? 0 : rng_below(r, CHY_ARRAY_LEN(blocks));
        add_code_point(out, blocks[b].from + rng_below(r, blocks[b].count));
    }
}

static void add_label(struct rng *r, struct chy_buf *out)
{
    static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char *const idn[] = {"xn--bcher-kva", "xn--mnchen-3ya", "xn--4gbrim"};
    if (rng_chance(r, 3)) {
        chy_buf_add_str(out, idn[rng_below(r, CHY_ARRAY_LEN(idn))]);
        return;
    }
    unsigned n = 1 + rng_below(r, rng_chance(r, 5) ? 63 : 12);
    for (unsigned i = 0; i < n; i++) {
        bool hyphen = i > 0 && i + 1 < n && i != 2 && i != 3 && rng_chance(r, 8);
        chy_buf_add_byte(out, (uint8_t)(hyphen ? '-' : set[rng_below(r, i ? 36 : 26)]));
    }
}

static void add_host(const struct inventor *v, struct chy_buf *out)
{
    unsigned labels = 1 + rng_below(v->r, 3);
    for (unsigned i = 0; i < labels; i++) {
        add_label(v->r, out);
        chy_buf_add_byte(out, '.');
    }
    chy_buf_add_str(out,
                    v->by->constrained || rng_chance(v->r, 50) ? "example.com" : "example.net");
}

/* ---- the subject ---- */

struct attr_kind {
    struct chy_span oid;
    uint8_t tag;
    unsigned max;
};
#define OID(lit)                                                                                   \
    {                                                                                              \
        (const uint8_t *)(lit), sizeof(lit) - 1                                                    \
    }
static const struct attr_kind attr_kinds[] = {
    {OID("\x55\x04\x0a"), CHY_DER_UTF8, 64},
    {OID("\x55\x04\x0b"), CHY_DER_UTF8, 64},
    {OID("\x55\x04\x07"), CHY_DER_UTF8, 128},
    {OID("\x55\x04\x08"), CHY_DER_UTF8, 128},
    {OID("\x55\x04\x0c"), CHY_DER_UTF8, 64},
    {OID("\x55\x04\x2a"), CHY_DER_UTF8, 16},
    {OID("\x55\x04\x04"), CHY_DER_UTF8, 40},
    {OID("\x55\x04\x09"), CHY_DER_UTF8, 30},
    {OID("\x55\x04\x05"), CHY_DER_PRINTABLE, 64},
    {OID("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), CHY_DER_IA5, 12},
    {OID("\x2b\x06\x01\x04\x01\x81\xad\x6f\x01"), CHY_DER_UTF8, 100},
};

static void add_value(const struct inventor *v, const struct attr_kind *k, struct chy_buf *out)
{
    if (k->tag == CHY_DER_UTF8) {
        add_utf8(v->r, out, k->max);
    } else if (k->tag == CHY_DER_PRINTABLE) {
        add_printable(v->r, out, k->max);
    } else {
        add_label(v->r, out);
    }
}

static void add_attr(const struct inventor *v, const struct attr_kind *k, struct chy_buf *out)
{
    struct chy_buf value;
    chy_buf_init(&value, 4096);
    add_value(v, k, &value);
    size_t mark = chy_der_open(out, CHY_DER_SEQUENCE);
    chy_der_add(out, CHY_DER_OID, k->oid);
    chy_der_add(out, k->tag, chy_buf_span(&value));
    chy_der_close(out, mark);
    chy_buf_free(&value);
    v->s->n_attrs++;
}

static int order(const struct chy_buf *a, const struct chy_buf *b)
{
    int c = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

/* Two attributes of different types, sorted as a SET OF has to be (X.690 11.6). */
static void add_pair(const struct inventor *v)
{
    struct chy_buf a, b;
    unsigned first = rng_below(v->r, CHY_ARRAY_LEN(attr_kinds) - 1);
    unsigned second = first + 1 + rng_below(v->r, (unsigned)CHY_ARRAY_LEN(attr_kinds) - 1 - first);
    chy_buf_init(&a, 4096);
    chy_buf_init(&b, 4096);
    add_attr(v, &attr_kinds[first], &a);
    add_attr(v, &attr_kinds[second], &b);
    size_t mark = chy_der_open(&v->s->subject, CHY_DER_SET);
    chy_buf_add_span(&v->s->subject, chy_buf_span(order(&a, &b) < 0 ? &a : &b));
    chy_buf_add_span(&v->s->subject, chy_buf_span(order(&a, &b) < 0 ? &b : &a));
    chy_der_close(&v->s->subject, mark);
    chy_buf_free(&a);
    chy_buf_free(&b);
}

static void invent_subject(const struct inventor *v)
{
    static const char *const countries[] = {"DE", "US", "CH", "JP", "ZA"};
    struct chy_buf *out = &v->s->subject, value;
    bool empty = !v->s->is_ca && rng_chance(v->r, 10);
    size_t mark = chy_name_open(out);
    unsigned n = empty ? 0 : rng_below(v->r, 6);
    if (!empty && rng_chance(v->r, 60)) {
        chy_name_add(out, CHY_SPAN_STR("\x55\x04\x06"), CHY_DER_PRINTABLE,
                     chy_span_cstr(countries[rng_below(v->r, 5)]));
        v->s->n_attrs++;
    }
    for (unsigned i = 0; i < n; i++) {
        if (rng_chance(v->r, 20)) {
            add_pair(v);
            continue;
        }
        size_t rdn = chy_der_open(out, CHY_DER_SET);
        add_attr(v, &attr_kinds[rng_below(v->r, CHY_ARRAY_LEN(attr_kinds))], out);
        chy_der_close(out, rdn);
    }
    if (!empty) {
        chy_buf_init(&value, 1024);
        add_utf8(v->r, &value, 64);
        chy_name_add(out, CHY_SPAN_STR("\x55\x04\x03"), CHY_DER_UTF8, chy_buf_span(&value));
        v->s->n_attrs++;
        chy_buf_free(&value);
    }
    chy_name_close(out, mark);
}

/* ---- extensions ---- */

static struct chy_buf *value_of(const struct inventor *v)
{
    return &v->s->value[v->s->n_ext];
}

static void add_ext(const struct inventor *v, struct chy_span oid, bool critical)
{
    struct sample *s = v->s;
    MUST(!s->value[s->n_ext].failed, "no memory for an extension");
    s->ext[s->n_ext] = (struct chy_ext){oid, critical, chy_buf_span(&s->value[s->n_ext])};
    s->n_ext++;
}

static void add_address(const struct inventor *v, struct chy_buf *text)
{
    unsigned n = !v->by->constrained && rng_chance(v->r, 40) ? 16 : 4;
    for (unsigned i = 0; i < n; i++)
        chy_buf_add_byte(text, (uint8_t)rng_next(v->r));
    if (v->by->constrained) text->p[0] = 10;
}

static void add_directory_name(struct rng *r, struct chy_buf *text)
{
    struct chy_buf value;
    chy_buf_init(&value, 1024);
    add_utf8(r, &value, 64);
    size_t mark = chy_name_open(text);
    chy_name_add(text, CHY_SPAN_STR("\x55\x04\x03"), CHY_DER_UTF8, chy_buf_span(&value));
    chy_name_close(text, mark);
    chy_buf_free(&value);
}

static void add_alt_name(const struct inventor *v, struct chy_buf *out, bool dns)
{
    static const enum chy_gn_type types[] = {CHY_GN_DNS, CHY_GN_DNS,   CHY_GN_DNS, CHY_GN_IP,
                                             CHY_GN_IP,  CHY_GN_EMAIL, CHY_GN_URI, CHY_GN_DIR,
                                             CHY_GN_RID, CHY_GN_OTHER};
    struct chy_general_name gn = {.type = types[rng_below(v->r, CHY_ARRAY_LEN(types))]};
    if (dns) gn.type = CHY_GN_DNS;
    struct chy_buf text;
    chy_buf_init(&text, 8192);
    if (gn.type == CHY_GN_DNS && rng_chance(v->r, 15)) chy_buf_add_str(&text, "*.");
    if (gn.type == CHY_GN_EMAIL || gn.type == CHY_GN_OTHER) {
        add_label(v->r, &text);
        chy_buf_add_byte(&text, '@');
        if (v->by->constrained) chy_buf_add_str(&text, "example.com");
    }
    if (gn.type == CHY_GN_URI) chy_buf_add_str(&text, "https://");
    bool host = gn.type == CHY_GN_DNS || gn.type == CHY_GN_URI;
    bool mail = gn.type == CHY_GN_EMAIL || gn.type == CHY_GN_OTHER;
    if (host || (mail && !v->by->constrained)) add_host(v, &text);
    if (gn.type == CHY_GN_URI) chy_buf_add_str(&text, "/a%20b?c=d#e");
    if (gn.type == CHY_GN_IP) add_address(v, &text);
    if (gn.type == CHY_GN_DIR) add_directory_name(v->r, &text);
    if (gn.type == CHY_GN_RID) chy_buf_add_str(&text, "\x2a\x03\x04");
    gn.value = chy_buf_span(&text);
    if (gn.type == CHY_GN_OTHER) {
        chy_general_name_add_upn(out, chy_buf_cstr(&text));
    } else {
        chy_general_name_add(out, &gn);
    }
    MUST(!text.failed, "no memory for a name");
    chy_buf_free(&text);
    v->s->n_alt_names++;
}

/* GnuTLS 3.7 takes any common name for a host name where no dNSName stands, and holds it against
 * the constraints of the CA: give such certificates a dNSName. */
static void invent_alt_names(const struct inventor *v)
{
    bool empty = v->s->n_attrs == 0, need_dns = v->by->constrained && !empty;
    if (!empty && !need_dns && rng_chance(v->r, 15)) return;
    unsigned n = 1 + rng_below(v->r, rng_chance(v->r, 5) ? 40 : 5);
    size_t mark = chy_der_open(value_of(v), CHY_DER_SEQUENCE);
    for (unsigned i = 0; i < n; i++)
        add_alt_name(v, value_of(v), need_dns && i == 0);
    chy_der_close(value_of(v), mark);
    add_ext(v, chy_oid_subject_alt_name, empty);
}

static unsigned invent_bits(const struct inventor *v)
{
    if (v->s->is_ca) {
        return CHY_KU_KEY_CERT_SIGN | CHY_KU_CRL_SIGN |
               (rng_chance(v->r, 30) ? CHY_KU_DIGITAL_SIGNATURE : 0u);
    }
    unsigned bits = CHY_KU_DIGITAL_SIGNATURE;
    if (rng_chance(v->r, 30)) bits |= CHY_KU_NON_REPUDIATION;
    if (v->key->kind == CHY_KEY_RSA && rng_chance(v->r, 60)) bits |= CHY_KU_KEY_ENCIPHERMENT;
    if (v->key->kind == CHY_KEY_RSA && rng_chance(v->r, 20)) bits |= CHY_KU_DATA_ENCIPHERMENT;
    if (v->key->kind == CHY_KEY_EC && rng_chance(v->r, 40)) {
        bits |= CHY_KU_KEY_AGREEMENT;
        if (rng_chance(v->r, 30)) bits |= CHY_KU_ENCIPHER_ONLY;
        if (rng_chance(v->r, 30)) bits |= CHY_KU_DECIPHER_ONLY;
    }
    return bits;
}

static void invent_usage(const struct inventor *v)
{
    struct chy_basic_constraints bc = {.ca = v->s->is_ca, .path_len = -1};
    if (bc.ca && (v->by->constrained || rng_chance(v->r, 50))) bc.path_len = 0;
    if (bc.ca || rng_chance(v->r, 60)) {
        chy_basic_constraints_add(value_of(v), &bc);
        add_ext(v, chy_oid_basic_constraints, bc.ca || rng_chance(v->r, 50));
    }
    if (bc.ca || rng_chance(v->r, 85)) {
        chy_key_usage_add(value_of(v), invent_bits(v));
        add_ext(v, chy_oid_key_usage, true);
    }
}

#define PKIX "\x2b\x06\x01\x05\x05\x07"
static void invent_purposes(const struct inventor *v)
{
    static const struct chy_span oids[] = {OID(PKIX "\x03\x01"),
                                           OID(PKIX "\x03\x02"),
                                           OID(PKIX "\x03\x03"),
                                           OID(PKIX "\x03\x04"),
                                           OID("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x02"),
                                           OID(PKIX "\x03\x11")};
    static const struct chy_span stamping[] = {OID(PKIX "\x03\x08")};
    static const struct chy_span ocsp[] = {OID(PKIX "\x03\x09")};
    struct chy_span list[CHY_ARRAY_LEN(oids)];
    unsigned kind = rng_below(v->r, 100);
    size_t n = 0;
    if (v->s->is_ca || kind < 20) return;
    if (kind < 25) {
        chy_eku_add(value_of(v), stamping, 1);
        add_ext(v, chy_oid_ext_key_usage, true);
    } else if (kind < 30) {
        chy_eku_add(value_of(v), ocsp, 1);
        add_ext(v, chy_oid_ext_key_usage, rng_chance(v->r, 30));
        chy_der_add_null(value_of(v));
        add_ext(v, chy_oid_ocsp_nocheck, false);
    } else {
        for (size_t i = 0; i < CHY_ARRAY_LEN(oids); i++) {
            if (n == 0 || rng_chance(v->r, 40)) list[n++] = oids[(i + kind) % CHY_ARRAY_LEN(oids)];
        }
        chy_eku_add(value_of(v), list, n);
        add_ext(v, chy_oid_ext_key_usage, rng_chance(v->r, 10));
    }
}

static void invent_pointers(const struct inventor *v)
{
    static const char *const crls[] = {"http://crl.example.com/ca.crl",
                                       "ldap:///CN=a%20b,C=DE?certificateRevocationList",
                                       "https://crl.example.net/crl/ca-1.crl"};
    static const char *const issuers[] = {"http://aia.example.com/ca.crt"};
    static const char *const ocsp[] = {"http://ocsp.example.com/ocsp", "http://[2001:db8::1]/ocsp"};
    static const struct chy_span policies[] = {OID("\x2a\x03\x04"),
                                               OID("\x67\x81\x0c\x01\x02\x01")};
    uint8_t id[20];
    if (v->s->is_ca || rng_chance(v->r, 90)) {
        MUST(chy_spki_key_id(v->key, id, NULL) == CHY_S_OK, "key identifier");
        chy_ski_add(value_of(v), CHY_SPAN(id));
        add_ext(v, chy_oid_subject_key_id, false);
    }
    chy_aki_add(value_of(v), CHY_SPAN(v->by->key_id));
    add_ext(v, chy_oid_authority_key_id, false);
    if (rng_chance(v->r, 70)) {
        chy_cdp_add(value_of(v), crls, 1 + rng_below(v->r, 3));
        add_ext(v, chy_oid_crl_distribution_points, false);
    }
    if (rng_chance(v->r, 70)) {
        chy_aia_add(value_of(v), issuers, 1, ocsp, rng_below(v->r, 3));
        add_ext(v, chy_oid_authority_info_access, false);
    }
    if (rng_chance(v->r, 40)) {
        chy_policies_add(value_of(v), policies, 1 + rng_below(v->r, 2));
        add_ext(v, chy_oid_certificate_policies, false);
    }
}

static void invent_others(const struct inventor *v)
{
    if (rng_chance(v->r, 20)) {
        chy_der_add(value_of(v), CHY_DER_BMP, CHY_SPAN_STR("\0W\0e\0b"));
        add_ext(v, chy_oid_ms_template_name, false);
    }
    if (rng_chance(v->r, 20)) {
        size_t mark = chy_der_open(value_of(v), CHY_DER_SEQUENCE);
        chy_der_add(value_of(v), CHY_DER_OID,
                    CHY_SPAN_STR("\x2b\x06\x01\x04\x01\x82\x37\x15\x08\x01"));
        chy_der_add_int(value_of(v), rng_below(v->r, 100000));
        chy_der_add_int(value_of(v), rng_below(v->r, 300));
        chy_der_close(value_of(v), mark);
        add_ext(v, chy_oid_ms_template_info, false);
    }
    if (rng_chance(v->r, 20)) {
        uint8_t octets[400];
        size_t n = rng_below(v->r, sizeof octets);
        for (size_t i = 0; i < n; i++)
            octets[i] = (uint8_t)rng_next(v->r);
        chy_der_add(value_of(v), CHY_DER_OCTET_STRING, chy_span_of(octets, n));
        add_ext(v, CHY_SPAN_STR("\x2b\x06\x01\x04\x01\x81\xad\x6f\x02"), false);
    }
}

static void shuffle(struct sample *s, struct rng *r)
{
    for (unsigned i = (unsigned)s->n_ext; i > 1; i--) {
        unsigned k = rng_below(r, i);
        struct chy_ext e = s->ext[i - 1];
        s->ext[i - 1] = s->ext[k];
        s->ext[k] = e;
    }
}

/* Two in three hold now, for the tools that know no other time; the rest lies around 2049/2050. */
static void invent_validity(const struct inventor *v)
{
    chy_time past, change;
    MUST(chy_time_parse("2002-01-01", &past) && chy_time_parse("2049-12-31T23:59:59Z", &change),
         "times");
    const int64_t day = 86400;
    if (rng_chance(v->r, 66)) {
        v->s->not_before = past + rng_below(v->r, 86400 * 8000u) * CHY_US_PER_S;
        v->s->not_after = change + ((int64_t)rng_below(v->r, 5) - 2) * CHY_US_PER_S;
    } else {
        v->s->not_before = change + ((int64_t)rng_below(v->r, 5) - 2) * CHY_US_PER_S;
        int64_t span = rng_chance(v->r, 20) ? rng_below(v->r, 3) : 1 + rng_below(v->r, 4000) * day;
        v->s->not_after = v->s->not_before + span * CHY_US_PER_S;
    }
}

void sample_invent(struct sample *s, struct rng *r, const struct authority *by,
                   const struct chy_spki *key)
{
    struct inventor v = {s, r, by, key};
    s->is_ca = rng_chance(r, 10);
    invent_validity(&v);
    invent_subject(&v);
    invent_alt_names(&v);
    invent_usage(&v);
    invent_purposes(&v);
    invent_pointers(&v);
    invent_others(&v);
    shuffle(s, r);
}

/* ---- as the product does it ---- */

static double cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void lint(struct sample *s, const struct authority *by)
{
    struct chy_lint_report report;
    bool self_signed = chy_span_eq(chy_buf_span(&s->subject), chy_buf_span(&by->name));
    double start = cpu_us();
    chy_lint_tbs(chy_buf_span(&s->tbs), self_signed ? NULL : &by->lint, &report);
    s->lint_us = cpu_us() - start;
    for (size_t i = 0; i < report.n; i++) {
        MUST(report.finding[i].rule->severity != CHY_LINT_ERROR, "lint: %s: %s",
             report.finding[i].rule->id, report.finding[i].detail);
    }
    MUST(report.errors == 0, "lint: errors beyond those kept");
}

void sample_issue(struct sample *s, const struct authority *by, const struct chy_spki *key)
{
    struct chy_err err = {.code = CHY_S_OK};
    struct chy_buf signature;
    MUST(chy_serial_make(chy_now(&chy_system_clock), s->serial, &err) == CHY_S_OK, "%s", err.text);
    struct chy_cert_parts parts = {
        .serial = CHY_SPAN(s->serial),
        .sig_alg = by->sig_alg->der,
        .issuer = chy_buf_span(&by->name),
        .not_before = s->not_before,
        .not_after = s->not_after,
        .subject = chy_buf_span(&s->subject),
        .spki = key->der,
        .ext = s->ext,
        .n_ext = s->n_ext,
    };
    MUST(chy_cert_build_tbs(&parts, &s->tbs, &err) == CHY_S_OK, "build: %s", err.text);
    lint(s, by);
    chy_buf_init(&signature, 8192);
    MUST(chy_signer_sign(by->signer, chy_buf_span(&s->tbs), &signature, &err) == CHY_S_OK,
         "sign: %s", err.text);
    MUST(chy_cert_assemble(chy_buf_span(&s->tbs), by->sig_alg->der, chy_buf_span(&signature),
                           &s->cert, &err) == CHY_S_OK,
         "assemble: %s", err.text);
    chy_buf_free(&signature);
}
