/* Every rule of lint with a sample that breaks it and nothing else, and samples that come close.
 * A sample is a certificate in a small notation, with one or a few of its parts exchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pki/lint.h"
#include "unit/pki/der_notation.h"

enum slot {
    END, /* of a list of patches */
    VERSION,
    SERIAL,
    SIG_ALG,
    ISSUER,
    VALIDITY,
    SUBJECT,
    SPKI,
    UNIQUE,
    BC,
    KU,
    EKU,
    SKI,
    AKI,
    SAN,
    CDP,
    AIA,
    CP,
    NC,
    OTHER,
    EXTENSIONS, /* the whole [3] */
    RAW,        /* the whole TBSCertificate */
    CA_NAME,
    CA_KEY_ID,
    CA_CONSTRAINTS,
    CA_PATH_LEN,
    CA_SIG_ALG,
    SLOTS
};

#define EXT(oid, critical, value) "30{06{" oid "}" critical "04{" value "}}"
#define CRIT "0101ff"
#define ATTR(oid, tag, value) "30{06{" oid "}" tag "{" value "}}"
#define RDN(oid, tag, value) "31{" ATTR(oid, tag, value) "}"
#define CN "550403"
#define COUNTRY "550406"
#define ORG "55040a"
#define UNIT "55040b"
#define WWW RDN(COUNTRY, "13", "'DE'") RDN(CN, "0c", "'www.example.com'")
#define NAME(rdns) "30{" rdns "}"
#define ECDSA_SHA256 "30{06{2a8648ce3d040302}}"
#define VALID(before, after) "30{" before after "}"
#define EC_KEY "06{2a8648ce3d0201}"
#define EC_POINT                                                                                   \
    "03{00043903ce11adbdced3ab5b99afd0871f8c698cc2019fd242d3b2aa3b0e521ae93e48f6b2a6a08c0f818ce5"  \
    "745266c15c39c95063fc2f0487b3d9d6e63bfa7d9c7a}"
#define P256 "30{30{" EC_KEY "06{2a8648ce3d030107}}" EC_POINT "}"
#define ED25519                                                                                    \
    "30{30{06{2b6570}}03{00ab7182a7ef56f5582ee2cd3baabb28eae298ef8ab7240075fcb4047957509144}}"
#define RSA_N                                                                                      \
    "a5cc5f29a2130b5c3282a27225952703a81f5ee610c060b133c40d1e72bdae07121769c3cdf7f4d9"             \
    "410ac819b39fe17d95cf33e17a4a36b6c777961c71829d87db6565d132545dfd8ba8303aedd39f54"             \
    "8e1175b555d19efc68b38a0982849e5c95c8b35d9f4050c254d56f4e3e8b107bb3f9ffd26a8593ab"             \
    "0c48c8720b4b485c19bc0da814318b019f2104b4437bd2a521d08c082c47ba24bcb72408bc2a291a"             \
    "b625284275e76253e5f9205409c51ea38a5c3dd7262f83c6d176966c8ac75ce75ff6f87cf12260a1"             \
    "942d110dbe84fe7098ba208037f6ca86caab5e0c4e28aafb74b7a64c40cfdd6d27f6de1dc3458799"             \
    "4aab827382d1ae57f9fe2449aa3735"
#define RSA_ALG "30{06{2a864886f70d010101}0500}"
#define RSA_KEY(n, e) "30{" RSA_ALG "03{0030{02{00" n "}02{" e "}}}}"
#define RSA2048 RSA_KEY(RSA_N "6f", "010001")
#define RSA3072 RSA_KEY(X8(X8("a5cc")) RSA_N "6f", "010001")
#define RSA1024                                                                                    \
    RSA_KEY("c17ea56f5596a9df3a8560f226b8fcd9b0eec94666cb0945ad8b80cf2c6a92d6e92ace988016146ffe"   \
            "158c004a49b82fcd90e2689e6b6a0129ec09b53fb272142176281a64cf574deb2f75fd3d47454fc55d"   \
            "270795e4455bca30c8f64e83b23a598dceca38ed7be88d91ff8d344429e44a9d61aca73d7ea4492bd0"   \
            "c325d39ffb",                                                                          \
            "010001")
#define OID_KP "2b060105050703"
#define KP(n) "06{" OID_KP n "}"
#define ANY_EKU "06{551d2500}"
#define KEY_ID "a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4"
#define OWN_ID "c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4"
#define URL(u) "86{" u "}"
#define POINT(names) "30{a0{a0{" names "}}}"
#define EXT_BC(critical, value) EXT("551d13", critical, value)
#define EXT_KU(value) EXT("551d0f", CRIT, value)
#define EXT_EKU(purposes) EXT("551d25", "", "30{" purposes "}")
#define EXT_SKI(critical, value) EXT("551d0e", critical, value)
#define EXT_AKI(critical, value) EXT("551d23", critical, value)
#define EXT_SAN(names) EXT("551d11", "", "30{" names "}")
#define EXT_CDP(value) EXT("551d1f", "", value)
#define EXT_AIA(value) EXT("2b06010505070101", "", value)
#define EXT_CP(value) EXT("551d20", "", value)
#define EXT_NC(value) EXT("551d1e", CRIT, value)
#define NOCHECK EXT("2b0601050507300105", "", "0500")
#define ONE_YEAR VALID("17{'260101000000Z'}", "17{'261231235959Z'}")
#define ONE_WEEK VALID("17{'260101000000Z'}", "17{'260107235959Z'}")
#define SIX_YEARS VALID("17{'260101000000Z'}", "17{'311231235959Z'}")
#define CLIENT EXT_EKU(KP("02"))

static const char *const leaf[SLOTS] = {
    [VERSION] = "a0{020102}",
    [SERIAL] = "02{7f0102030405060708090a0b0c0d0e0f10111213}",
    [SIG_ALG] = ECDSA_SHA256,
    [ISSUER] = NAME(RDN(CN, "0c", "'CA'")),
    [VALIDITY] = ONE_YEAR,
    [SUBJECT] = NAME(WWW),
    [SPKI] = P256,
    [BC] = EXT_BC(CRIT, "30{}"),
    [KU] = EXT_KU("03{0780}"),
    [EKU] = EXT_EKU(KP("01") KP("02")),
    [SKI] = EXT_SKI("", "04{" OWN_ID "}"),
    [AKI] = EXT_AKI("", "30{80{" KEY_ID "}}"),
    [SAN] = EXT_SAN("82{'www.example.com'}82{'*.example.com'}87{7f000001}"),
    [CDP] = EXT_CDP("30{" POINT(URL("'http://crl.example.com/ca.crl'")) "}"),
    [AIA] = EXT_AIA("30{30{06{2b06010505073002}" URL(
        "'http://aia.example.com/ca.crt'") "}"
                                           "30{06{2b06010505073001}" URL(
                                               "'http://ocsp.example.com'") "}}"),
    [CP] =
        EXT_CP("30{30{06{2a0304}}30{06{2a0305}30{30{06{2b06010505070201}16{'https://a/cps'}}}}}"),
    [CA_NAME] = NAME(RDN(CN, "0c", "'CA'")),
    [CA_KEY_ID] = KEY_ID,
    [CA_SIG_ALG] = ECDSA_SHA256,
};

static const char *const signer[SLOTS] = {
    [VERSION] = "a0{020102}",
    [SERIAL] = "02{7f0102030405060708090a0b0c0d0e0f10111213}",
    [SIG_ALG] = ECDSA_SHA256,
    [ISSUER] = NAME(RDN(CN, "0c", "'CA'")),
    [VALIDITY] = ONE_YEAR,
    [SUBJECT] = NAME(RDN(CN, "0c", "'OCSP'")),
    [SPKI] = P256,
    [KU] = EXT_KU("03{0780}"),
    [EKU] = EXT_EKU(KP("09")),
    [SKI] = EXT_SKI("", "04{" OWN_ID "}"),
    [AKI] = EXT_AKI("", "30{80{" KEY_ID "}}"),
    [OTHER] = NOCHECK,
    [CA_NAME] = NAME(RDN(CN, "0c", "'CA'")),
    [CA_KEY_ID] = KEY_ID,
    [CA_SIG_ALG] = ECDSA_SHA256,
};

static const char *const ca[SLOTS] = {
    [VERSION] = "a0{020102}",
    [SERIAL] = "02{7f0102030405060708090a0b0c0d0e0f10111213}",
    [SIG_ALG] = ECDSA_SHA256,
    [ISSUER] = NAME(RDN(CN, "0c", "'CA'")),
    [VALIDITY] = VALID("17{'260101000000Z'}", "18{'20500630235959Z'}"),
    [SUBJECT] = NAME(RDN(CN, "0c", "'Issuing CA'")),
    [SPKI] = P256,
    [BC] = EXT_BC(CRIT, "30{0101ff020100}"),
    [KU] = EXT_KU("03{0106}"),
    [SKI] = EXT_SKI("", "04{" OWN_ID "}"),
    [AKI] = EXT_AKI("", "30{80{" KEY_ID "}}"),
    [CDP] = EXT_CDP("30{" POINT(URL("'http://crl.example.com/root.crl'")) "}"),
    [NC] = EXT_NC("30{a0{30{82{'example.com'}}}}"),
    [CA_NAME] = NAME(RDN(CN, "0c", "'CA'")),
    [CA_KEY_ID] = KEY_ID,
    [CA_SIG_ALG] = ECDSA_SHA256,
};

static const char *const self[SLOTS] = {
    [VERSION] = "a0{020102}",
    [SERIAL] = "02{7f0102030405060708090a0b0c0d0e0f10111213}",
    [SIG_ALG] = "30{06{2b6570}}",
    [ISSUER] = NAME(RDN(CN, "0c", "'Root'")),
    [VALIDITY] = VALID("17{'260101000000Z'}", "18{'99991231235959Z'}"),
    [SUBJECT] = NAME(RDN(CN, "0c", "'Root'")),
    [SPKI] = ED25519,
    [BC] = EXT_BC(CRIT, "30{0101ff}"),
    [KU] = EXT_KU("03{0106}"),
    [SKI] = EXT_SKI("", "04{" OWN_ID "}"),
};

struct patch {
    enum slot slot;
    const char *text; /* NULL takes the part away */
};
struct row {
    const char *rule;
    const char *const *base;
    struct patch bad[5];
    struct patch good[5]; /* none: the base itself */
};

#include "test_lint_rows.h"

struct sample {
    struct chy_buf tbs;
    const char *part[SLOTS];
    struct chy_buf name, key_id, sig_alg, nc_der;
    struct chy_name_constraints nc;
    struct chy_lint_issuer issuer;
};

static void build_tbs(struct sample *s)
{
    struct chy_buf *b = &s->tbs;
    if (s->part[RAW]) {
        der(b, s->part[RAW]);
        return;
    }
    size_t whole = chy_der_open(b, CHY_DER_SEQUENCE);
    for (int i = VERSION; i <= UNIQUE; i++)
        der(b, s->part[i]);
    if (s->part[EXTENSIONS]) {
        der(b, s->part[EXTENSIONS]);
    } else {
        size_t tag = chy_der_open(b, CHY_DER_CTX_C(3)), list = chy_der_open(b, CHY_DER_SEQUENCE);
        for (int i = BC; i <= OTHER; i++)
            der(b, s->part[i]);
        chy_der_close(b, list);
        chy_der_close(b, tag);
    }
    chy_der_close(b, whole);
    assert_false(b->failed);
}

static void build_issuer(struct sample *s)
{
    der(&s->name, s->part[CA_NAME]);
    der(&s->key_id, s->part[CA_KEY_ID]);
    der(&s->sig_alg, s->part[CA_SIG_ALG]);
    der(&s->nc_der, s->part[CA_CONSTRAINTS]);
    if (s->part[CA_CONSTRAINTS]) {
        assert_int_equal(chy_name_constraints_parse(chy_buf_span(&s->nc_der), &s->nc, NULL),
                         CHY_S_OK);
    }
    s->issuer = (struct chy_lint_issuer){
        .subject = chy_buf_span(&s->name),
        .key_id = chy_buf_span(&s->key_id),
        .sig_alg = chy_buf_span(&s->sig_alg),
        .path_len = s->part[CA_PATH_LEN] ? hex_octet(s->part[CA_PATH_LEN]) : -1,
        .constraints = s->part[CA_CONSTRAINTS] ? &s->nc : NULL,
    };
    assert_true(chy_time_parse("2020-01-01", &s->issuer.not_before));
    assert_true(chy_time_parse("2059-12-31", &s->issuer.not_after));
}

static void build(struct sample *s, const char *const *base, const struct patch *patches)
{
    struct chy_buf *bufs[] = {&s->tbs, &s->name, &s->key_id, &s->sig_alg, &s->nc_der};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], CHY_CERT_MAX);
    memcpy(s->part, base, sizeof s->part);
    for (size_t i = 0; i < 5 && patches[i].slot != END; i++)
        s->part[patches[i].slot] = patches[i].text;
    build_tbs(s);
    build_issuer(s);
}

static void drop(struct sample *s)
{
    struct chy_buf *bufs[] = {&s->tbs, &s->name, &s->key_id, &s->sig_alg, &s->nc_der};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
}

static void lint(const char *const *base, const struct patch *patches, struct chy_lint_report *out)
{
    struct sample s;
    build(&s, base, patches);
    chy_lint_tbs(chy_buf_span(&s.tbs), base == self ? NULL : &s.issuer, out);
    drop(&s);
}

static void print_findings(const struct row *row, const char *which,
                           const struct chy_lint_report *r)
{
    print_message("rule %s, %s sample %zu: %zu findings\n", row->rule, which, (size_t)(row - rows),
                  r->n);
    for (size_t i = 0; i < r->n; i++)
        print_message("    %s: %s\n", r->finding[i].rule->id, r->finding[i].detail);
}

static bool only(const struct chy_lint_report *r, const char *rule)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->finding[i].rule->id, rule) != 0) return false;
    }
    return r->n > 0;
}

static void test_bad_samples_break_exactly_their_rule(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_lint_report r;
        lint(rows[i].base, rows[i].bad, &r);
        if (only(&r, rows[i].rule)) continue;
        print_findings(&rows[i], "bad", &r);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void test_good_samples_break_no_rule(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_lint_report r;
        lint(rows[i].base, rows[i].good, &r);
        if (r.n == 0) continue;
        print_findings(&rows[i], "good", &r);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* Rules about CRLs and OCSP responses have their samples in tests of their own. */
static bool is_of_status(const struct chy_lint_rule *rule)
{
    return strncmp(rule->id, "crl-", 4) == 0 || strncmp(rule->id, "ocsp-response-", 14) == 0;
}

static void test_every_rule_has_a_bad_sample_and_says_what_it_is(void **state)
{
    (void)state;
    size_t without = 0;
    for (size_t k = 0; chy_lint_rules[k]; k++) {
        const struct chy_lint_rule *rule = chy_lint_rules[k];
        assert_true(rule->id[0] && rule->section[0] && rule->text[0]);
        bool found = is_of_status(rule);
        for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++)
            found = found || strcmp(rows[i].rule, rule->id) == 0;
        if (!found) {
            print_message("rule %s has no sample\n", rule->id);
            without++;
        }
        for (size_t i = 0; i < k; i++)
            assert_string_not_equal(chy_lint_rules[i]->id, rule->id);
    }
    assert_int_equal(without, 0);
}

static void test_severities_are_counted(void **state)
{
    (void)state;
    struct chy_lint_report r;
    const struct patch error[2] = {{SERIAL, "02{00}"}};
    lint(leaf, error, &r);
    assert_int_equal(r.errors, 1);
    assert_int_equal(r.warnings, 0);
    const struct patch warning[2] = {{SERIAL, "02{7f01020304050607}"}};
    lint(leaf, warning, &r);
    assert_int_equal(r.errors, 0);
    assert_int_equal(r.warnings, 1);
}

static void test_report_counts_more_errors_than_it_keeps(void **state)
{
    (void)state;
    struct chy_lint_report r;
    const struct patch p[2] = {{SUBJECT, NAME(X8(X8(RDN(ORG, "0c", ""))))}};
    lint(leaf, p, &r);
    assert_int_equal(r.n, CHY_ARRAY_LEN(r.finding));
    assert_true(r.errors >= 64);
}

static void test_detail_prints_whatever_the_certificate_holds(void **state)
{
    (void)state;
    struct chy_lint_report r;
    const struct patch p[2] = {{SUBJECT, NAME(WWW RDN(ORG, "0c", "'a'0a1b5b'31mb'ff"))}};
    lint(leaf, p, &r);
    assert_true(r.n > 0);
    for (const char *c = r.finding[0].detail; *c; c++)
        assert_in_range(*c, ' ', '~');
}

static void test_octets_changed_at_random_never_break_lint(void **state)
{
    (void)state;
    static const uint8_t xors[] = {0x01, 0x20, 0x80, 0xff};
    const char *const *bases[] = {leaf, ca, self};
    const struct patch none[1] = {{END, NULL}};
    for (size_t k = 0; k < CHY_ARRAY_LEN(bases); k++) {
        struct sample s;
        struct chy_lint_report r;
        build(&s, bases[k], none);
        for (size_t i = 0; i < s.tbs.n * CHY_ARRAY_LEN(xors); i++) {
            uint8_t *octet = &s.tbs.p[i / CHY_ARRAY_LEN(xors)];
            uint8_t kept = *octet;
            *octet ^= xors[i % CHY_ARRAY_LEN(xors)];
            chy_lint_tbs(chy_buf_span(&s.tbs), k == 2 ? NULL : &s.issuer, &r);
            *octet = kept;
        }
        for (size_t n = 0; n < s.tbs.n; n++) {
            chy_lint_tbs(chy_span_of(s.tbs.p, n), &s.issuer, &r);
            assert_int_equal(r.errors, 1);
        }
        drop(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_samples_break_exactly_their_rule),
        cmocka_unit_test(test_good_samples_break_no_rule),
        cmocka_unit_test(test_every_rule_has_a_bad_sample_and_says_what_it_is),
        cmocka_unit_test(test_severities_are_counted),
        cmocka_unit_test(test_report_counts_more_errors_than_it_keeps),
        cmocka_unit_test(test_detail_prints_whatever_the_certificate_holds),
        cmocka_unit_test(test_octets_changed_at_random_never_break_lint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
