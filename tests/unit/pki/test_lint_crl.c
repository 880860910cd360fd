/* Every rule about CRLs with samples that break it and nothing else, and the stream itself: blocks,
 * lengths, and millions of entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/crl.h"
#include "unit/pki/lint_samples.h"

enum slot { END, RAW_HEAD, VERSION, ALG, ISSUER, THIS, NEXT, LIST, ENTRIES, TAIL, KEY_ID, SLOTS };

#define CRIT "0101ff"
#define EXT(oid, critical, value) "30{06{" oid "}" critical "04{" value "}}"
#define ECDSA_SHA256 "30{06{2a8648ce3d040302}}"
#define NAME(cn) "30{31{30{06{550403}0c{" cn "}}}}"
#define ISSUER_ID "a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4"
#define SERIAL "02{7f0102030405060708090a0b0c0d0e0f10111213}"
#define DATE "17{'260102030405Z'}"
#define REASON(value) EXT("551d15", "", value)
#define ENTRY(serial, date, ext) "30{" serial date ext "}"
#define WITH(ext) ENTRY(SERIAL, DATE, "30{" ext "}")
#define AKI EXT("551d23", "", "30{80{" ISSUER_ID "}}")
#define NUMBER(n) EXT("551d14", "", n)
#define DELTA(n) EXT("551d1b", CRIT, n)
#define IDP(value) EXT("551d1c", CRIT, value)
#define URL(u) "86{" u "}"
#define FRESHEST(critical, value) EXT("551d2e", critical, value)
#define POINT(names) "30{30{a0{a0{" names "}}}}"
#define TAILED(exts) "a0{30{" exts "}}"
#define BASIC AKI NUMBER("020107")

static const char *const sample[SLOTS] = {
    [VERSION] = "020101",
    [ALG] = ECDSA_SHA256,
    [ISSUER] = NAME("'CA'"),
    [THIS] = "17{'261121000000Z'}",
    [NEXT] = "17{'261128000000Z'}",
    [LIST] = "y", /* there is one */
    [ENTRIES] = ENTRY(SERIAL, DATE, "") ENTRY("02{01}", DATE, "30{" REASON("0a0101") "}"),
    [TAIL] = TAILED(BASIC),
    [KEY_ID] = ISSUER_ID,
};

static const struct row rows[] = {
    {"crl-structure", {{RAW_HEAD, "308003"}}, {{END, NULL}}},
    {"crl-structure", {{ALG, NULL}}, {{END, NULL}}},
    {"crl-structure", {{ISSUER, "31{}"}}, {{END, NULL}}},
    {"crl-structure", {{THIS, "04{'261121000000Z'}"}}, {{END, NULL}}},
    {"crl-structure", {{NEXT, "17{'261128000000Z'}0500"}}, {{END, NULL}}},
    {"crl-structure", {{VERSION, "02020001"}}, {{END, NULL}}},
    {"crl-structure", {{TAIL, TAILED("")}}, {{END, NULL}}},
    {"crl-structure", {{TAIL, "a1{30{" BASIC "}}"}}, {{END, NULL}}},
    {"crl-structure", {{TAIL, TAILED(BASIC) "0500"}}, {{END, NULL}}},
    {"crl-structure", {{TAIL, TAILED(AKI EXT("551d14", "010100", "020107"))}}, {{END, NULL}}},
    {"crl-lengths", {{RAW_HEAD, "+1"}}, {{END, NULL}}},
    {"crl-lengths", {{RAW_HEAD, "entries+1"}}, {{END, NULL}}},
    {"crl-version-2", {{VERSION, "020100"}}, {{END, NULL}}},
    {"crl-version-2", {{VERSION, NULL}}, {{END, NULL}}},
    {"crl-sig-alg-equals-issuer", {{ALG, "30{06{2a8648ce3d040303}}"}}, {{END, NULL}}},
    {"crl-issuer-equals-ca-subject", {{ISSUER, NAME("'CB'")}}, {{END, NULL}}},
    {"crl-time-form", {{THIS, "18{'20261121000000Z'}"}}, {{END, NULL}}},
    {"crl-time-form",
     {{NEXT, "17{'2611280000Z'}"}},
     {{THIS, "17{'491201000000Z'}"}, {NEXT, "18{'20500101000000Z'}"}}},
    {"crl-time-form", {{THIS, "17{'261121000000+0000'}"}}, {{END, NULL}}},
    {"crl-next-update", {{NEXT, NULL}}, {{END, NULL}}},
    {"crl-next-update", {{NEXT, "17{'261121000000Z'}"}}, {{NEXT, "17{'261121000001Z'}"}}},
    {"crl-within-a-year", {{NEXT, "17{'271122000001Z'}"}}, {{NEXT, "17{'271122000000Z'}"}}},
    {"crl-entries-not-empty", {{ENTRIES, NULL}}, {{ENTRIES, NULL}, {LIST, NULL}}},

    {"crl-entry-structure", {{ENTRIES, "31{" SERIAL DATE "}"}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, ENTRY(SERIAL, "", "")}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, ENTRY(SERIAL, "04{'260102030405Z'}", "")}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, ENTRY("02{007f}", DATE, "")}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, ENTRY("02{}", DATE, "")}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, ENTRY(SERIAL, DATE, "0500")}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, WITH(REASON("0a0101") "0500")}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, WITH(EXT("551d15", "010100", "0a0101"))}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, ENTRY(SERIAL, DATE, "") "30"}}, {{END, NULL}}},
    {"crl-entry-structure", {{ENTRIES, "3005020101"}}, {{END, NULL}}},
    {"crl-entry-serial", {{ENTRIES, ENTRY("02{00}", DATE, "")}}, {{END, NULL}}},
    {"crl-entry-serial",
     {{ENTRIES, ENTRY("02{80}", DATE, "")}},
     {{ENTRIES, ENTRY("02{0080}", DATE, "")}}},
    {"crl-entry-serial",
     {{ENTRIES, ENTRY("02{017f0102030405060708090a0b0c0d0e0f10111213}", DATE, "")}},
     {{END, NULL}}},
    {"crl-entry-time-form", {{ENTRIES, ENTRY(SERIAL, "17{'260132030405Z'}", "")}}, {{END, NULL}}},
    {"crl-entry-time-form", {{ENTRIES, ENTRY(SERIAL, "17{'2601020304Z'}", "")}}, {{END, NULL}}},
    {"crl-entry-time-form", {{ENTRIES, ENTRY(SERIAL, "17{'260002030405Z'}", "")}}, {{END, NULL}}},
    {"crl-entry-time-form", {{ENTRIES, ENTRY(SERIAL, "17{'26010203040xZ'}", "")}}, {{END, NULL}}},
    {"crl-entry-time-form",
     {{ENTRIES, ENTRY(SERIAL, "17{'250229030405Z'}", "")}},
     {{ENTRIES, ENTRY(SERIAL, "17{'240229030405Z'}", "")}}},
    {"crl-entry-time-form", {{ENTRIES, ENTRY(SERIAL, "18{'20260102030405Z'}", "")}}, {{END, NULL}}},
    {"crl-entry-time-range",
     {{ENTRIES, ENTRY(SERIAL, "17{'261128000001Z'}", "")}},
     {{ENTRIES, ENTRY(SERIAL, "17{'261128000000Z'}", "")}}},
    {"crl-entry-time-range",
     {{ENTRIES, ENTRY(SERIAL, "17{'691231235959Z'}", "")}},
     {{ENTRIES, ENTRY(SERIAL, "17{'700101000000Z'}", "")}}},
    {"crl-entry-time-range",
     {{ENTRIES, ENTRY(SERIAL, "18{'20500102030405Z'}", "")}},
     {{ENTRIES, ENTRY(SERIAL, "18{'20510101000000Z'}", "")},
      {THIS, "18{'20500101000000Z'}"},
      {NEXT, "18{'20510101000000Z'}"}}},
    {"crl-entry-ext-not-empty", {{ENTRIES, ENTRY(SERIAL, DATE, "30{}")}}, {{END, NULL}}},
    {"crl-entry-ext-duplicate",
     {{ENTRIES, WITH(REASON("0a0101") REASON("0a0102"))}},
     {{ENTRIES, WITH(REASON("0a0101") EXT("551d18", "", "18{'20251231000000Z'}"))}}},
    {"crl-entry-ext-not-critical", {{ENTRIES, WITH(EXT("551d15", CRIT, "0a0101"))}}, {{END, NULL}}},
    {"crl-entry-ext-not-critical",
     {{ENTRIES, WITH(EXT("551d1d", CRIT, "30{}"))}},
     {{ENTRIES, WITH(EXT("2a03", "", "30{}"))}}},
    {"crl-entry-reason", {{ENTRIES, WITH(REASON("0a0107"))}}, {{ENTRIES, WITH(REASON("0a010a"))}}},
    {"crl-entry-reason", {{ENTRIES, WITH(REASON("0a010b"))}}, {{ENTRIES, WITH(REASON("0a0106"))}}},
    {"crl-entry-reason", {{ENTRIES, WITH(REASON("020101"))}}, {{ENTRIES, WITH(REASON("0a0109"))}}},
    {"crl-entry-reason",
     {{ENTRIES, WITH(REASON("0a01ff"))}},
     {{ENTRIES, WITH(REASON("0a010a") EXT("551d18", "", "18{'20251231000000Z'}"))}}},
    {"crl-entry-reason-not-zero", {{ENTRIES, WITH(REASON("0a0100"))}}, {{END, NULL}}},
    {"crl-entry-remove-in-delta",
     {{ENTRIES, WITH(REASON("0a0108"))}},
     {{ENTRIES, WITH(REASON("0a0108"))}, {TAIL, TAILED(BASIC DELTA("020105"))}}},
    {"crl-entry-invalidity-date",
     {{ENTRIES, WITH(EXT("551d18", "", "17{'251231000000Z'}"))}},
     {{ENTRIES, WITH(EXT("551d18", "", "18{'20251231000000Z'}"))}}},
    {"crl-entry-invalidity-date",
     {{ENTRIES, WITH(EXT("551d18", "", "18{'202512310000Z'}"))}},
     {{END, NULL}}},

    {"crl-ext-duplicate", {{TAIL, TAILED(BASIC AKI)}}, {{END, NULL}}},
    {"crl-ext-unknown-critical",
     {{TAIL, TAILED(BASIC EXT("2a03", CRIT, "0500"))}},
     {{TAIL, TAILED(BASIC EXT("2a03", "", "0500"))}}},
    {"crl-ext-value-der", {{TAIL, TAILED(BASIC EXT("2a03", "", "05"))}}, {{END, NULL}}},
    {"crl-aki-present",
     {{TAIL, TAILED(NUMBER("020107"))}},
     {{TAIL, TAILED(NUMBER("020107"))}, {KEY_ID, NULL}}},
    {"crl-aki-equals-issuer",
     {{TAIL, TAILED(EXT("551d23", "", "30{80{aabb}}") NUMBER("020107"))}},
     {{END, NULL}}},
    {"crl-aki-equals-issuer",
     {{TAIL, TAILED(EXT("551d23", "", "30{}") NUMBER("020107"))}},
     {{END, NULL}}},
    {"crl-aki-key-id-only",
     {{TAIL, TAILED(EXT("551d23", "", "30{80{" ISSUER_ID "}a1{a4{" NAME("'CA'") "}}82{05}}")
                        NUMBER("020107"))}},
     {{END, NULL}}},
    {"crl-number-present", {{TAIL, TAILED(AKI)}}, {{END, NULL}}},
    {"crl-number-form",
     {{TAIL, TAILED(AKI NUMBER("0201ff"))}},
     {{TAIL, TAILED(AKI NUMBER("020200ff"))}}},
    {"crl-number-form", {{TAIL, TAILED(AKI NUMBER("02020001"))}}, {{END, NULL}}},
    {"crl-number-form",
     {{TAIL, TAILED(AKI NUMBER("02{017f0102030405060708090a0b0c0d0e0f10111213}"))}},
     {{TAIL, TAILED(AKI NUMBER(SERIAL))}}},
    {"crl-ext-not-critical", {{TAIL, TAILED(AKI EXT("551d14", CRIT, "020107"))}}, {{END, NULL}}},
    {"crl-ext-not-critical",
     {{TAIL, TAILED(EXT("551d23", CRIT, "30{80{" ISSUER_ID "}}") NUMBER("020107"))}},
     {{END, NULL}}},
    {"crl-ext-not-critical",
     {{TAIL, TAILED(BASIC FRESHEST(CRIT, POINT(URL("'http://a/d'"))))}},
     {{TAIL, TAILED(BASIC FRESHEST("", POINT(URL("'http://a/d'"))))}}},
    {"crl-ext-critical",
     {{TAIL, TAILED(BASIC EXT("551d1b", "", "020105"))}},
     {{TAIL, TAILED(BASIC DELTA("020105"))}}},
    {"crl-ext-critical", {{TAIL, TAILED(BASIC EXT("551d1c", "", "30{8101ff}"))}}, {{END, NULL}}},
    {"crl-delta-base",
     {{TAIL, TAILED(BASIC DELTA("020108"))}},
     {{TAIL, TAILED(BASIC DELTA("020107"))}}},
    {"crl-delta-base", {{TAIL, TAILED(BASIC DELTA("02020100"))}}, {{END, NULL}}},
    {"crl-delta-base", {{TAIL, TAILED(BASIC DELTA("0201ff"))}}, {{END, NULL}}},
    {"crl-idp-structure",
     {{TAIL, TAILED(BASIC IDP("30{}"))}},
     {{TAIL, TAILED(BASIC IDP("30{a0{a0{" URL("'http://a/1'") URL("'ldap://b/2'") "}}}"))}}},
    {"crl-idp-structure",
     {{TAIL, TAILED(BASIC IDP("30{810100}"))}},
     {{TAIL, TAILED(BASIC IDP("30{8101ff}"))}}},
    {"crl-idp-structure",
     {{TAIL, TAILED(BASIC IDP("30{82010181}"))}},
     {{TAIL, TAILED(BASIC IDP("30{8201ff}"))}}},
    {"crl-idp-structure", {{TAIL, TAILED(BASIC IDP("30{8201ff8101ff}"))}}, {{END, NULL}}},
    {"crl-idp-structure", {{TAIL, TAILED(BASIC IDP("30{a0{a0{}}}"))}}, {{END, NULL}}},
    {"crl-idp-structure", {{TAIL, TAILED(BASIC IDP("30{a0{a0{0500}}}"))}}, {{END, NULL}}},
    {"crl-idp-uri", {{TAIL, TAILED(BASIC IDP("30{a0{a0{" URL("'/1'") "}}}"))}}, {{END, NULL}}},
    {"crl-idp-uri", {{TAIL, TAILED(BASIC IDP("30{a0{a0{a4{3000}}}}"))}}, {{END, NULL}}},
    {"crl-idp-uri", {{TAIL, TAILED(BASIC IDP("30{a0{a1{30{}}}}"))}}, {{END, NULL}}},
    {"crl-idp-scope", {{TAIL, TAILED(BASIC IDP("30{8101ff8201ff}"))}}, {{END, NULL}}},
    {"crl-idp-scope", {{TAIL, TAILED(BASIC IDP("30{8401ff}"))}}, {{END, NULL}}},
    {"crl-idp-scope", {{TAIL, TAILED(BASIC IDP("30{8501ff}"))}}, {{END, NULL}}},
    {"crl-idp-scope", {{TAIL, TAILED(BASIC IDP("30{83020640}"))}}, {{END, NULL}}},
    {"crl-freshest-structure",
     {{TAIL, TAILED(BASIC FRESHEST("", POINT("a4{3000}")))}},
     {{END, NULL}}},
    {"crl-freshest-structure",
     {{TAIL, TAILED(BASIC FRESHEST("", POINT(URL("'x'"))))}},
     {{END, NULL}}},
    {"crl-freshest-on-base",
     {{TAIL, TAILED(BASIC DELTA("020105") FRESHEST("", POINT(URL("'http://a/d'"))))}},
     {{END, NULL}}},
};

struct crl {
    struct chy_buf head, entries, tail, name, alg, key_id;
    struct chy_lint_issuer issuer;
};

static void drop(struct crl *c)
{
    struct chy_buf *bufs[] = {&c->head, &c->entries, &c->tail, &c->name, &c->alg, &c->key_id};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
}

/* RAW_HEAD is a head of its own, or says which of the two lengths is one too large. */
static void build_head(struct crl *c, const char *const *part)
{
    const char *raw = part[RAW_HEAD];
    struct chy_buf fields;
    if (raw && raw[0] == '3') {
        der(&c->head, raw);
        return;
    }
    chy_buf_init(&fields, 4096);
    for (int i = VERSION; i <= NEXT; i++)
        der(&fields, part[i]);
    if (part[LIST]) {
        size_t more = raw && raw[0] == 'e';
        chy_der_add_header(&fields, CHY_DER_SEQUENCE, c->entries.n + more);
    }
    size_t more = raw && raw[0] == '+';
    chy_der_add_header(&c->head, CHY_DER_SEQUENCE, fields.n + c->entries.n + c->tail.n + more);
    chy_buf_add_span(&c->head, chy_buf_span(&fields));
    chy_buf_free(&fields);
}

static void build(struct crl *c, const struct patch *patches)
{
    struct chy_buf *bufs[] = {&c->head, &c->entries, &c->tail, &c->name, &c->alg, &c->key_id};
    const char *part[SLOTS];
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], 1 << 16);
    memcpy(part, sample, sizeof part);
    apply(part, patches);
    der(&c->entries, part[ENTRIES]);
    der(&c->tail, part[TAIL]);
    der(&c->name, sample[ISSUER]);
    der(&c->alg, sample[ALG]);
    der(&c->key_id, part[KEY_ID]);
    build_head(c, part);
    c->issuer = (struct chy_lint_issuer){.subject = chy_buf_span(&c->name),
                                         .key_id = chy_buf_span(&c->key_id),
                                         .path_len = -1,
                                         .sig_alg = chy_buf_span(&c->alg)};
}

static void lint_crl(const struct patch *patches, struct chy_lint_report *out)
{
    struct chy_lint_crl l;
    struct crl c;
    build(&c, patches);
    chy_lint_crl_begin(&l, chy_buf_span(&c.head), &c.issuer, out);
    chy_lint_crl_entries(&l, chy_buf_span(&c.entries));
    chy_lint_crl_end(&l, chy_buf_span(&c.tail));
    drop(&c);
}

static void test_samples_break_exactly_their_rule(void **state)
{
    (void)state;
    check_rows(rows, CHY_ARRAY_LEN(rows), lint_crl);
}

static void test_every_rule_has_a_sample(void **state)
{
    (void)state;
    every_rule_has_a_row(rows, CHY_ARRAY_LEN(rows), "crl-");
}

static void test_no_extensions_at_all(void **state)
{
    struct chy_lint_report r;
    const struct patch none[4] = {{TAIL, NULL}};
    (void)state;
    lint_crl(none, &r);
    assert_int_equal(r.errors, 2);
    assert_string_equal(r.finding[0].rule->id, "crl-aki-present");
    assert_string_equal(r.finding[1].rule->id, "crl-number-present");
}

static void test_more_extensions_than_anybody_writes(void **state)
{
    struct chy_lint_report r;
#define FOUR(n)                                                                                    \
    EXT("2a" n "1", "", "") EXT("2a" n "2", "", "") EXT("2a" n "3", "", "") EXT("2a" n "4", "", "")
    const struct patch many[4] = {{TAIL, TAILED(FOUR("0") FOUR("1") FOUR("2") FOUR("3") BASIC)}};
    (void)state;
    lint_crl(many, &r);
    assert_true(only(&r, "crl-structure"));
}

/* What the builder writes, in blocks of one entry, is without a finding. */
static void test_what_we_build_passes(void **state)
{
    static const char *const url[] = {"http://crl.example.com/ca.crl"};
    struct chy_lint_report r;
    struct chy_lint_crl l;
    struct crl c;
    struct chy_buf block, head, tail, number, aki, idp, freshest;
    struct chy_buf *bufs[] = {&block, &head, &tail, &number, &aki, &idp, &freshest};
    (void)state;
    build(&c, (struct patch[4]){{END, NULL}});
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], 4096);
    chy_crl_number_add(&number, 4711);
    chy_aki_add(&aki, c.issuer.key_id);
    chy_crl_idp_add(&idp, &(struct chy_crl_idp){url, 1, true, false});
    chy_cdp_add(&freshest, url, 1);
    const struct chy_ext ext[] = {
        {chy_oid_authority_key_id, false, chy_buf_span(&aki)},
        {chy_oid_crl_number, false, chy_buf_span(&number)},
        {chy_oid_issuing_distribution_point, true, chy_buf_span(&idp)},
        {chy_oid_freshest_crl, false, chy_buf_span(&freshest)},
    };
    const struct chy_crl_parts parts = {.sig_alg = c.issuer.sig_alg,
                                        .issuer = c.issuer.subject,
                                        .this_update = at("2049-12-30"),
                                        .next_update = at("2050-01-03"),
                                        .ext = ext,
                                        .n_ext = CHY_ARRAY_LEN(ext)};
    const struct chy_crl_entry entry = {CHY_SPAN_STR("\x00\xff"), at("2049-12-31"),
                                        CHY_CRL_REASON_KEY_COMPROMISE, at("2025-01-01")};
    chy_crl_entry_add(&block, &entry);
    assert_int_equal(chy_crl_tbs(&parts, 3 * block.n, &head, &tail, NULL), CHY_S_OK);
    chy_lint_crl_begin(&l, chy_buf_span(&head), &c.issuer, &r);
    for (int i = 0; i < 3; i++)
        chy_lint_crl_entries(&l, chy_buf_span(&block));
    chy_lint_crl_end(&l, chy_buf_span(&tail));
    if (r.n) print_findings("none", "built", 0, &r);
    assert_int_equal(r.n, 0);
    assert_int_equal(l.n_entries, 3);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
    drop(&c);
}

static void test_octets_changed_at_random_never_break_lint(void **state)
{
    static const uint8_t xors[] = {0x01, 0x20, 0x80, 0xff};
    struct crl c;
    (void)state;
    build(&c, (struct patch[4]){{TAIL, TAILED(BASIC IDP("30{a0{a0{" URL("'http://a/1'") "}}}"))}});
    struct chy_buf *bufs[] = {&c.head, &c.entries, &c.tail};
    for (size_t k = 0; k < CHY_ARRAY_LEN(bufs); k++) {
        for (size_t i = 0; i < bufs[k]->n * CHY_ARRAY_LEN(xors); i++) {
            struct chy_lint_report r;
            struct chy_lint_crl l;
            uint8_t *octet = &bufs[k]->p[i / CHY_ARRAY_LEN(xors)], kept = *octet;
            *octet ^= xors[i % CHY_ARRAY_LEN(xors)];
            chy_lint_crl_begin(&l, chy_buf_span(&c.head), &c.issuer, &r);
            chy_lint_crl_entries(&l, chy_buf_span(&c.entries));
            chy_lint_crl_end(&l, chy_buf_span(&c.tail));
            *octet = kept;
        }
    }
    drop(&c);
}

static void test_ends_cut_anywhere_are_errors(void **state)
{
    struct crl c;
    (void)state;
    build(&c, (struct patch[4]){{END, NULL}});
    for (size_t n = 0; n < c.head.n + c.entries.n + c.tail.n; n++) {
        struct chy_lint_report r;
        struct chy_lint_crl l;
        size_t head = n < c.head.n ? n : c.head.n;
        size_t entries = n - head < c.entries.n ? n - head : c.entries.n;
        chy_lint_crl_begin(&l, chy_span_of(c.head.p, head), &c.issuer, &r);
        chy_lint_crl_entries(&l, chy_span_of(c.entries.p, entries));
        chy_lint_crl_end(&l, chy_span_of(c.tail.p, n - head - entries));
        assert_true(r.errors > 0);
    }
    drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_break_exactly_their_rule),
        cmocka_unit_test(test_every_rule_has_a_sample),
        cmocka_unit_test(test_no_extensions_at_all),
        cmocka_unit_test(test_more_extensions_than_anybody_writes),
        cmocka_unit_test(test_what_we_build_passes),
        cmocka_unit_test(test_octets_changed_at_random_never_break_lint),
        cmocka_unit_test(test_ends_cut_anywhere_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
