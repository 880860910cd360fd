/* Every rule about OCSP responses with samples that break it and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/ocsp.h"
#include "unit/pki/lint_samples.h"

enum slot {
    END,
    RAW,
    VERSION,
    RESPONDER,
    PRODUCED,
    CERT_ID,
    STATUS,
    THIS,
    NEXT,
    SINGLE_EXT,
    BEHIND, /* more singles, within the list */
    EXTENSIONS,
    NOW,
    SLOTS
};

#define X4(x) x x x x
#define HASH20 X4("0102030405")
#define HASH32 X4("0102030405060708")
#define ALG1 "30{06{2b0e03021a}0500}"
#define ALG256 "30{06{608648016503040201}0500}"
#define ID(alg, name, key, serial) "30{" alg "04{" name "}04{" key "}" serial "}"
#define GTIME(text) "18{'" text "'}"
#define CRIT "0101ff"
#define EXT(oid, critical, value) "30{06{" oid "}" critical "04{" value "}}"
#define NONCE(value) EXT("2b0601050507300102", "", value)
#define CUTOFF(value) "a1{30{" EXT("2b0601050507300106", "", value) "}}"
#define REVOKED(when, reason) "a1{" when reason "}"
#define LAST_YEAR GTIME("20251121000000Z")
#define LISTED(exts) "a1{30{" exts "}}"

static const char *const sample[SLOTS] = {
    [RESPONDER] = "a2{04{" HASH20 "}}",
    [PRODUCED] = GTIME("20261121000000Z"),
    [CERT_ID] = ID(ALG1, HASH20, HASH20, "02{7f01}"),
    [STATUS] = "8000",
    [THIS] = GTIME("20261121000000Z"),
    [NEXT] = "a0{" GTIME("20261122000000Z") "}",
    [NOW] = "2026-11-21",
};

static const struct row rows[] = {
    {"ocsp-response-structure", {{RAW, ""}}, {{END, NULL}}},
    {"ocsp-response-structure", {{RAW, "30800000"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{RESPONDER, "a3{04{" HASH20 "}}"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{RESPONDER, NULL}}, {{END, NULL}}},
    {"ocsp-response-structure", {{RESPONDER, "a1{04{" HASH20 "}}"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{PRODUCED, NULL}}, {{END, NULL}}},
    {"ocsp-response-structure", {{THIS, NULL}}, {{END, NULL}}},
    {"ocsp-response-structure", {{CERT_ID, "31{}"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{NEXT, "a0{0500}"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{SINGLE_EXT, "a1{30{}}"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{SINGLE_EXT, "a10500"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{EXTENSIONS, "a1{30{}}"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{EXTENSIONS, "0500"}}, {{END, NULL}}},
    {"ocsp-response-structure", {{BEHIND, "0500"}}, {{END, NULL}}},
    {"ocsp-response-structure",
     {{EXTENSIONS, LISTED(EXT("2a03", "010100", "0500"))}},
     {{EXTENSIONS, LISTED(EXT("2a03", "", "0500"))}}},
    {"ocsp-response-version", {{VERSION, "a0{020100}"}}, {{END, NULL}}},
    {"ocsp-response-responder",
     {{RESPONDER, "a2{04{" HASH32 "}}"}},
     {{RESPONDER, "a1{30{31{30{06{550403}0c{'CA'}}}}}"}}},
    {"ocsp-response-responder", {{RESPONDER, "a1{30{}}"}}, {{END, NULL}}},
    {"ocsp-response-time-form", {{PRODUCED, "17{'261121000000Z'}"}}, {{END, NULL}}},
    {"ocsp-response-time-form", {{THIS, GTIME("20261121000000.5Z")}}, {{END, NULL}}},
    {"ocsp-response-time-form", {{THIS, "17{'261121000000Z'}"}}, {{END, NULL}}},
    {"ocsp-response-time-form", {{NEXT, "a0{" GTIME("202611220000Z") "}"}}, {{NEXT, NULL}}},
    {"ocsp-response-time-form", {{STATUS, REVOKED("17{'251121000000Z'}", "")}}, {{END, NULL}}},
    {"ocsp-response-produced", {{NOW, "2026-11-20T23:59:59Z"}}, {{NOW, "2026-11-21T00:00:00.5Z"}}},
    {"ocsp-response-not-empty", {{RAW, "no singles"}}, {{END, NULL}}},
    {"ocsp-response-cert-id",
     {{CERT_ID, ID(ALG1, HASH32, HASH20, "02{7f01}")}},
     {{CERT_ID, ID(ALG256, HASH32, HASH32, "02{7f01}")}}},
    {"ocsp-response-cert-id",
     {{CERT_ID, ID(ALG256, HASH20, HASH20, "02{7f01}")}},
     {{CERT_ID, ID("30{06{2b0e03021a}}", HASH20, HASH20, "02{80}")}}},
    {"ocsp-response-cert-id",
     {{CERT_ID, ID(ALG1, HASH20, "", "02{7f01}")}},
     {{CERT_ID, ID("30{06{2a03}}", "aa", "bbcc", "02{7f01}")}}},
    {"ocsp-response-cert-id", {{CERT_ID, ID(ALG1, HASH20, HASH20, "")}}, {{END, NULL}}},
    {"ocsp-response-cert-id", {{CERT_ID, ID(ALG1, HASH20, HASH20, "0201010500")}}, {{END, NULL}}},
    {"ocsp-response-status", {{STATUS, "830100"}}, {{STATUS, "8200"}}},
    {"ocsp-response-status", {{STATUS, "800100"}}, {{END, NULL}}},
    {"ocsp-response-status", {{STATUS, "a1{}"}}, {{STATUS, REVOKED(LAST_YEAR, "")}}},
    {"ocsp-response-status", {{STATUS, REVOKED(LAST_YEAR, "0500")}}, {{END, NULL}}},
    {"ocsp-response-reason",
     {{STATUS, REVOKED(LAST_YEAR, "a0{0a0100}")}},
     {{STATUS, REVOKED(LAST_YEAR, "a0{0a0101}")}}},
    {"ocsp-response-reason",
     {{STATUS, REVOKED(LAST_YEAR, "a0{0a0107}")}},
     {{STATUS, REVOKED(LAST_YEAR, "a0{0a0106}")}}},
    {"ocsp-response-reason",
     {{STATUS, REVOKED(LAST_YEAR, "a0{0a0108}")}},
     {{STATUS, REVOKED(LAST_YEAR, "a0{0a010a}")}}},
    {"ocsp-response-reason", {{STATUS, REVOKED(LAST_YEAR, "a0{0a010b}")}}, {{END, NULL}}},
    {"ocsp-response-reason", {{STATUS, REVOKED(LAST_YEAR, "a0{020101}")}}, {{END, NULL}}},
    {"ocsp-response-revoked",
     {{STATUS, REVOKED(GTIME("20261121000001Z"), "")}},
     {{STATUS, REVOKED(GTIME("20261121000000Z"), "")}}},
    {"ocsp-response-this-update",
     {{THIS, GTIME("20261121000001Z")}},
     {{THIS, GTIME("20261120000000Z")}}},
    {"ocsp-response-next-update",
     {{NEXT, "a0{" GTIME("20261121000000Z") "}"}},
     {{NEXT, "a0{" GTIME("20261121000001Z") "}"}}},
    {"ocsp-response-ext-duplicate",
     {{EXTENSIONS, LISTED(NONCE("04{aa}") NONCE("04{aa}"))}},
     {{END, NULL}}},
    {"ocsp-response-ext-critical",
     {{EXTENSIONS, LISTED(EXT("2a03", CRIT, "0500"))}},
     {{EXTENSIONS, LISTED(EXT("2b0601050507300102", CRIT, "04{aa}"))}}},
    {"ocsp-response-ext-critical",
     {{SINGLE_EXT, LISTED(EXT("2a03", CRIT, "0500"))}},
     {{SINGLE_EXT, LISTED(EXT("2a03", "", "0500"))}}},
    {"ocsp-response-nonce",
     {{EXTENSIONS, LISTED(NONCE("04{}"))}},
     {{EXTENSIONS, LISTED(NONCE("04{aa}"))}}},
    {"ocsp-response-nonce",
     {{EXTENSIONS, LISTED(NONCE("04{" HASH32 "aa}"))}},
     {{EXTENSIONS, LISTED(NONCE("04{" HASH32 "}"))}}},
    {"ocsp-response-nonce", {{EXTENSIONS, LISTED(NONCE(HASH20))}}, {{END, NULL}}},
    {"ocsp-response-archive-cutoff",
     {{SINGLE_EXT, CUTOFF("17{'201121000000Z'}")}},
     {{SINGLE_EXT, CUTOFF(GTIME("20201121000000Z"))}}},
    {"ocsp-response-archive-cutoff",
     {{SINGLE_EXT, CUTOFF(GTIME("20261121000001Z"))}},
     {{END, NULL}}},
};

static void build(struct chy_buf *b, const char *const *part)
{
    chy_buf_init(b, 1 << 16);
    bool empty = part[RAW] && part[RAW][0] == 'n';
    if (part[RAW] && !empty) {
        der(b, part[RAW]);
        return;
    }
    size_t whole = chy_der_open(b, CHY_DER_SEQUENCE);
    for (int i = VERSION; i <= PRODUCED; i++)
        der(b, part[i]);
    size_t list = chy_der_open(b, CHY_DER_SEQUENCE);
    if (!empty) {
        size_t single = chy_der_open(b, CHY_DER_SEQUENCE);
        for (int i = CERT_ID; i <= SINGLE_EXT; i++)
            der(b, part[i]);
        chy_der_close(b, single);
        der(b, part[BEHIND]);
    }
    chy_der_close(b, list);
    der(b, part[EXTENSIONS]);
    chy_der_close(b, whole);
}

static void lint_response(const struct patch *patches, struct chy_lint_report *out)
{
    const char *part[SLOTS];
    struct chy_buf b;
    memcpy(part, sample, sizeof part);
    apply(part, patches);
    build(&b, part);
    chy_lint_ocsp(chy_buf_span(&b), at(part[NOW]), out);
    chy_buf_free(&b);
}

static void test_samples_break_exactly_their_rule(void **state)
{
    (void)state;
    check_rows(rows, CHY_ARRAY_LEN(rows), lint_response);
}

static void test_every_rule_has_a_sample(void **state)
{
    (void)state;
    every_rule_has_a_row(rows, CHY_ARRAY_LEN(rows), "ocsp-response-");
}

static void test_what_we_build_passes(void **state)
{
    struct chy_buf id, out;
    struct chy_lint_report r;
    (void)state;
    chy_buf_init(&id, 4096);
    chy_buf_init(&out, 4096);
    der(&id, sample[CERT_ID]);
    const chy_time now = at("2026-11-21T12:00:00.5Z");
    struct chy_ocsp_single single[3];
    for (size_t i = 0; i < CHY_ARRAY_LEN(single); i++)
        single[i] = (struct chy_ocsp_single){.id = chy_buf_span(&id),
                                             .status = (enum chy_ocsp_cert_status)i,
                                             .revoked = now,
                                             .reason = CHY_CRL_REASON_CERTIFICATE_HOLD,
                                             .this_update = now,
                                             .next_update = now + CHY_US_PER_S,
                                             .archive_cutoff = at("2020-01-01")};
    const struct chy_ocsp_parts parts = {.key_hash = CHY_SPAN_STR("01234567890123456789"),
                                         .produced = now,
                                         .single = single,
                                         .n = CHY_ARRAY_LEN(single),
                                         .nonce = CHY_SPAN_STR("nonce")};
    assert_int_equal(chy_ocsp_build_tbs(&parts, &out, NULL), CHY_S_OK);
    chy_lint_ocsp(chy_buf_span(&out), now, &r);
    if (r.n) print_findings("none", "built", 0, &r);
    assert_int_equal(r.n, 0);
    chy_buf_free(&id);
    chy_buf_free(&out);
}

static void test_octets_changed_or_cut_never_break_lint(void **state)
{
    static const uint8_t xors[] = {0x01, 0x20, 0x80, 0xff};
    const char *part[SLOTS];
    struct chy_lint_report r;
    struct chy_buf b;
    (void)state;
    memcpy(part, sample, sizeof part);
    apply(part, (struct patch[4]){{EXTENSIONS, LISTED(NONCE("04{aa}"))},
                                  {STATUS, REVOKED(LAST_YEAR, "a0{0a0101}")},
                                  {SINGLE_EXT, CUTOFF(LAST_YEAR)}});
    build(&b, part);
    for (size_t i = 0; i < b.n * CHY_ARRAY_LEN(xors); i++) {
        uint8_t *octet = &b.p[i / CHY_ARRAY_LEN(xors)], kept = *octet;
        *octet ^= xors[i % CHY_ARRAY_LEN(xors)];
        chy_lint_ocsp(chy_buf_span(&b), at(sample[NOW]), &r);
        *octet = kept;
    }
    for (size_t n = 0; n < b.n; n++) {
        chy_lint_ocsp(chy_span_of(b.p, n), at(sample[NOW]), &r);
        assert_true(only(&r, "ocsp-response-structure"));
    }
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_break_exactly_their_rule),
        cmocka_unit_test(test_every_rule_has_a_sample),
        cmocka_unit_test(test_what_we_build_passes),
        cmocka_unit_test(test_octets_changed_or_cut_never_break_lint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
