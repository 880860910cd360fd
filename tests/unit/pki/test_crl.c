/* Revocation lists: written as a stream, judged by OpenSSL, and read back. RFC 5280 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "pki/crl.h"
#include "unit/pki/der_expected.h"

#define NAME(text) "30{31{30{06{550403}0c{" text "}}}}"
#define ED25519_ALG "30{06{2b6570}}"
#define BEFORE "17{'261121000000Z'}"
#define AFTER "17{'261128000000Z'}"
#define ENTRY "30{02{01}17{'260101000000Z'}}"
#define EXT(oid, critical, value) "30{06{" oid "}" critical "04{" value "}}"
#define EXT_NUMBER EXT("551d14", "", "020107")

enum { SMALL = 1 << 16, MANY = 200000, BLOCK = 60000 };

/* ---- exact octets ---- */

static const struct {
    const char *serial, *revoked, *invalid;
    int32_t reason;
    const char *der;
} entries[] = {
    {"01", "2026-01-01", NULL, 0, ENTRY},
    {"00ff", "2049-12-31T23:59:59Z", NULL, 1,
     "30{02{00ff}17{'491231235959Z'}30{30{06{551d15}04{0a0101}}}}"},
    {"7f0102030405060708090a0b0c0d0e0f10111213", "2050-01-01", NULL, 10,
     "30{02{7f0102030405060708090a0b0c0d0e0f10111213}18{'20500101000000Z'}"
     "30{30{06{551d15}04{0a010a}}}}"},
    {"02", "2026-01-01T01:02:03.9Z", "2025-12-31T23:59:59.5Z", 0,
     "30{02{02}17{'260101010203Z'}30{30{06{551d18}04{18{'20251231235959Z'}}}}}"},
    {"02", "1949-01-01", "2050-12-31", 8,
     "30{02{02}18{'19490101000000Z'}30{30{06{551d15}04{0a0108}}"
     "30{06{551d18}04{18{'20501231000000Z'}}}}}"},
};

static struct chy_crl_entry entry(size_t i, struct chy_buf *serial)
{
    chy_buf_reset(serial);
    der(serial, entries[i].serial);
    return (struct chy_crl_entry){.serial = chy_buf_span(serial),
                                  .revoked = at(entries[i].revoked),
                                  .reason = entries[i].reason,
                                  .invalid = entries[i].invalid ? at(entries[i].invalid)
                                                                : CHY_TIME_DEFAULT};
}

static void test_entries_octet_by_octet_and_back(void **state)
{
    struct chy_buf b, serial;
    (void)state;
    chy_buf_init(&b, SMALL);
    chy_buf_init(&serial, SMALL);
    for (size_t i = 0; i < CHY_ARRAY_LEN(entries); i++) {
        struct chy_crl_entry e = entry(i, &serial), back;
        size_t pos = 0;
        chy_buf_reset(&b);
        chy_crl_entry_add(&b, &e);
        same(&b, entries[i].der);
        assert_true(chy_crl_entry_next(chy_buf_span(&b), &pos, &back));
        assert_int_equal(pos, b.n);
        assert_true(chy_span_eq(back.serial, e.serial));
        assert_int_equal(back.reason, e.reason);
        assert_int_equal(back.revoked, e.revoked - e.revoked % CHY_US_PER_S);
        assert_int_equal(back.invalid, e.invalid == CHY_TIME_DEFAULT
                                           ? CHY_TIME_DEFAULT
                                           : e.invalid - e.invalid % CHY_US_PER_S);
        assert_false(chy_crl_entry_next(chy_buf_span(&b), &pos, &back));
    }
    chy_buf_free(&b);
    chy_buf_free(&serial);
}

static void test_an_entry_that_cannot_be_written_fails_the_buffer(void **state)
{
    static const uint8_t long_serial[49] = {1};
    const struct chy_span one = CHY_SPAN_STR("\x01");
    const struct chy_crl_entry bad[] = {
        {{NULL, 0}, 0, 0, CHY_TIME_DEFAULT},
        {CHY_SPAN(long_serial), 0, 0, CHY_TIME_DEFAULT},
        {one, 0, -1, CHY_TIME_DEFAULT},
        {one, 0, 128, CHY_TIME_DEFAULT},
        {one, INT64_C(8000) * 366 * 86400 * CHY_US_PER_S * 2, 0, CHY_TIME_DEFAULT},
        {one, 0, 0, INT64_C(8000) * 366 * 86400 * CHY_US_PER_S * 2},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        struct chy_buf b;
        chy_buf_init(&b, SMALL);
        chy_crl_entry_add(&b, &bad[i]);
        assert_true(b.failed && !chy_buf_starved(&b));
        chy_buf_free(&b);
    }
}

static const struct {
    uint64_t number;
    const char *der;
} numbers[] = {
    {0, "020100"},
    {127, "02017f"},
    {128, "02020080"},
    {INT64_MAX, "02087fffffffffffffff"},
    {UINT64_MAX, "020900ffffffffffffffff"},
};

static void test_numbers(void **state)
{
    static const char *const bad[] = {"",
                                      "02{}",
                                      "0201ff",
                                      "02020001",
                                      "02010100",
                                      "0a0101",
                                      "0209010000000000000000",
                                      "020a00ffffffffffffffffff"};
    struct chy_buf b;
    uint64_t back;
    (void)state;
    chy_buf_init(&b, SMALL);
    for (size_t i = 0; i < CHY_ARRAY_LEN(numbers); i++) {
        chy_buf_reset(&b);
        chy_crl_number_add(&b, numbers[i].number);
        same(&b, numbers[i].der);
        assert_true(chy_crl_number_parse(chy_buf_span(&b), &back));
        assert_int_equal(back, numbers[i].number);
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        chy_buf_reset(&b);
        der(&b, bad[i]);
        assert_false(chy_crl_number_parse(chy_buf_span(&b), &back));
    }
    chy_buf_free(&b);
}

static void test_issuing_distribution_points(void **state)
{
    static const char *const urls[] = {"http://a.test/1", "http://b.test/2"};
    struct chy_buf b;
    (void)state;
    chy_buf_init(&b, SMALL);
    chy_crl_idp_add(&b, &(struct chy_crl_idp){urls, 2, false, false});
    same(&b, "30{a0{a0{86{'http://a.test/1'}86{'http://b.test/2'}}}}");
    const unsigned char *p = b.p;
    ISSUING_DIST_POINT *idp = d2i_ISSUING_DIST_POINT(NULL, &p, (long)b.n);
    assert_non_null(idp);
    assert_int_equal(sk_GENERAL_NAME_num(idp->distpoint->name.fullname), 2);
    ISSUING_DIST_POINT_free(idp);
    chy_buf_reset(&b);
    chy_crl_idp_add(&b, &(struct chy_crl_idp){NULL, 0, true, false});
    same(&b, "30{8101ff}");
    chy_buf_reset(&b);
    chy_crl_idp_add(&b, &(struct chy_crl_idp){urls, 1, false, true});
    same(&b, "30{a0{a0{86{'http://a.test/1'}}}8201ff}");
    chy_buf_free(&b);
}

/* ---- whole lists, signed with Ed25519 and judged by OpenSSL ---- */

struct list {
    struct chy_buf head, tail, wrap_head, wrap_tail, whole;
    struct chy_buf name, number, ext_value;
    struct chy_ext ext[2];
    uint64_t entries_len;
};

static const uint8_t sig_alg[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};

static void list_init(struct list *l)
{
    struct chy_buf *bufs[] = {&l->head,      &l->tail, &l->wrap_head,
                              &l->wrap_tail, &l->name, &l->number};
    memset(l, 0, sizeof *l);
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_init(bufs[i], SMALL);
    chy_buf_init(&l->whole, 64 << 20);
    der(&l->name, NAME("'CA'"));
    chy_crl_number_add(&l->number, 7);
    l->ext[0] = (struct chy_ext){chy_oid_crl_number, false, chy_buf_span(&l->number)};
}

static void list_free(struct list *l)
{
    struct chy_buf *bufs[] = {&l->head, &l->tail,   &l->wrap_head, &l->wrap_tail,
                              &l->name, &l->number, &l->whole};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bufs); i++)
        chy_buf_free(bufs[i]);
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(key);
    return key;
}

static void sign(EVP_PKEY *key, struct chy_span tbs, uint8_t out[64])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 64;
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, out, &n, tbs.p, tbs.n), 1);
    EVP_MD_CTX_free(ctx);
}

/* Any entries between the two ends, and those between theirs. */
static void finish(struct list *l, struct chy_span all, EVP_PKEY *key, chy_time next)
{
    struct chy_err err = {0};
    const struct chy_crl_parts parts = {.sig_alg = CHY_SPAN(sig_alg),
                                        .issuer = chy_buf_span(&l->name),
                                        .this_update = at("2026-11-21"),
                                        .next_update = next,
                                        .ext = l->ext,
                                        .n_ext = 1};
    uint8_t signature[64];
    assert_int_equal(chy_crl_tbs(&parts, all.n, &l->head, &l->tail, &err), CHY_S_OK);
    chy_buf_add_span(&l->whole, chy_buf_span(&l->head));
    chy_buf_add_span(&l->whole, all);
    chy_buf_add_span(&l->whole, chy_buf_span(&l->tail));
    sign(key, chy_buf_span(&l->whole), signature);
    assert_int_equal(chy_crl_wrap(l->whole.n, CHY_SPAN(sig_alg), CHY_SPAN(signature), &l->wrap_head,
                                  &l->wrap_tail, &err),
                     CHY_S_OK);
    chy_buf_reset(&l->whole);
    chy_buf_add_span(&l->whole, chy_buf_span(&l->wrap_head));
    chy_buf_add_span(&l->whole, chy_buf_span(&l->head));
    chy_buf_add_span(&l->whole, all);
    chy_buf_add_span(&l->whole, chy_buf_span(&l->tail));
    chy_buf_add_span(&l->whole, chy_buf_span(&l->wrap_tail));
    assert_false(l->whole.failed);
}

static X509_CRL *judged(const struct list *l, EVP_PKEY *key)
{
    const unsigned char *p = l->whole.p;
    unsigned char *again = NULL;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)l->whole.n);
    assert_non_null(crl);
    assert_ptr_equal(p, l->whole.p + l->whole.n);
    assert_int_equal(X509_CRL_verify(crl, key), 1);
    assert_int_equal(X509_CRL_get_version(crl), 1);
    int n = i2d_re_X509_CRL_tbs(crl, &again);
    assert_true(n > 0);
    assert_memory_equal(again, l->whole.p + l->wrap_head.n, (size_t)n);
    OPENSSL_free(again);
    again = NULL;
    n = i2d_X509_CRL(crl, &again);
    assert_int_equal(n, l->whole.n);
    assert_memory_equal(again, l->whole.p, l->whole.n);
    OPENSSL_free(again);
    return crl;
}

static void test_a_list_without_entries(void **state)
{
    static struct chy_crl crl;
    struct list l;
    struct chy_err err = {0};
    (void)state;
    EVP_PKEY *key = new_key();
    list_init(&l);
    finish(&l, (struct chy_span){NULL, 0}, key, at("2026-11-28"));
    same(&l.head, "3047 020101" ED25519_ALG NAME("'CA'") BEFORE AFTER);
    same(&l.tail, "a0{30{" EXT_NUMBER "}}");
    X509_CRL *theirs = judged(&l, key);
    assert_null(X509_CRL_get_REVOKED(theirs));
    assert_int_equal(chy_crl_parse(chy_buf_span(&l.whole), &crl, &err), CHY_S_OK);
    assert_int_equal(crl.entries.n, 0);
    assert_true(crl.has_number && crl.number == 7 && !crl.is_delta);
    assert_int_equal(crl.this_update, at("2026-11-21"));
    assert_int_equal(crl.next_update, at("2026-11-28"));
    assert_string_equal(crl.sig_alg->name, "ed25519");
    assert_int_equal(crl.signature.n, 64);
    assert_true(chy_span_eq(crl.issuer.der, chy_buf_span(&l.name)));
    X509_CRL_free(theirs);
    list_free(&l);
    EVP_PKEY_free(key);
}

static void test_a_list_that_does_not_end(void **state)
{
    static struct chy_crl crl;
    struct list l;
    struct chy_err err = {0};
    (void)state;
    EVP_PKEY *key = new_key();
    list_init(&l);
    finish(&l, (struct chy_span){NULL, 0}, key, CHY_TIME_DEFAULT);
    X509_CRL *theirs = judged(&l, key);
    assert_null(X509_CRL_get0_nextUpdate(theirs));
    assert_int_equal(chy_crl_parse(chy_buf_span(&l.whole), &crl, &err), CHY_S_OK);
    assert_int_equal(crl.next_update, CHY_TIME_DEFAULT);
    X509_CRL_free(theirs);
    list_free(&l);
    EVP_PKEY_free(key);
}

static void numbered(uint8_t serial[CHY_SERIAL_LEN], size_t i)
{
    memset(serial, 0x5a, CHY_SERIAL_LEN);
    for (size_t k = 0; k < 4; k++)
        serial[CHY_SERIAL_LEN - 1 - k] = (uint8_t)(i >> 8 * k);
}

/* Blocks of a fixed size, as a writer of a file has them. */
static void write_many(struct chy_buf *all)
{
    struct chy_buf block;
    chy_buf_init(&block, BLOCK);
    for (size_t i = 0; i < MANY; i++) {
        uint8_t serial[CHY_SERIAL_LEN];
        numbered(serial, i);
        const struct chy_crl_entry e = {CHY_SPAN(serial),
                                        at("2026-01-01") + (chy_time)i * CHY_US_PER_S,
                                        (int32_t)(i % 7), CHY_TIME_DEFAULT};
        if (block.n + 128 > BLOCK) {
            chy_buf_add_span(all, chy_buf_span(&block));
            chy_buf_reset(&block);
        }
        chy_crl_entry_add(&block, &e);
        assert_false(block.failed);
    }
    chy_buf_add_span(all, chy_buf_span(&block));
    chy_buf_free(&block);
}

static void check_many(struct chy_span all, X509_CRL *theirs)
{
    struct chy_crl_entry e;
    size_t pos = 0, n = 0;
    while (chy_crl_entry_next(all, &pos, &e)) {
        uint8_t serial[CHY_SERIAL_LEN];
        numbered(serial, n);
        assert_true(chy_span_eq(e.serial, CHY_SPAN(serial)));
        assert_int_equal(e.reason, n % 7);
        assert_int_equal(e.revoked, at("2026-01-01") + (chy_time)n * CHY_US_PER_S);
        n++;
    }
    assert_int_equal(pos, all.n);
    assert_int_equal(n, MANY);
    assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(theirs)), MANY);
}

static void test_a_long_list_in_blocks(void **state)
{
    static struct chy_crl crl;
    struct list l;
    struct chy_buf all;
    struct chy_err err = {0};
    (void)state;
    EVP_PKEY *key = new_key();
    list_init(&l);
    chy_buf_init(&all, 32 << 20);
    write_many(&all);
    finish(&l, chy_buf_span(&all), key, at("2026-11-28"));
    X509_CRL *theirs = judged(&l, key);
    assert_int_equal(chy_crl_parse(chy_buf_span(&l.whole), &crl, &err), CHY_S_OK);
    assert_true(chy_span_eq(crl.entries, chy_buf_span(&all)));
    check_many(crl.entries, theirs);
    X509_CRL_free(theirs);
    chy_buf_free(&all);
    list_free(&l);
    EVP_PKEY_free(key);
}

static void test_lengths_that_nobody_reads_are_refused(void **state)
{
    struct list l;
    struct chy_err err = {0};
    const uint64_t longest = UINT32_MAX;
    (void)state;
    list_init(&l);
    const struct chy_crl_parts parts = {.sig_alg = CHY_SPAN(sig_alg),
                                        .issuer = chy_buf_span(&l.name),
                                        .this_update = 0,
                                        .next_update = 1};
    assert_int_equal(chy_crl_tbs(&parts, longest, &l.head, &l.tail, &err),
                     CHY_CERTSRV_E_ENCODING_LENGTH);
    assert_non_null(strstr(err.text, "more than four octets"));
    assert_true(CHY_FAILED(chy_crl_tbs(&parts, longest - 70, &l.head, &l.tail, NULL)));
    chy_buf_reset(&l.head);
    assert_int_equal(chy_crl_tbs(&parts, longest - 200, &l.head, &l.tail, NULL), CHY_S_OK);
    const struct chy_span signature = CHY_SPAN_STR("x");
    assert_true(
        CHY_FAILED(chy_crl_wrap(longest, CHY_SPAN(sig_alg), signature, &l.head, &l.tail, NULL)));
    assert_true(CHY_FAILED(
        chy_crl_wrap(longest - 70, CHY_SPAN(sig_alg), signature, &l.head, &l.tail, NULL)));
    list_free(&l);
}

/* ---- refusals ---- */

enum slot { VERSION, ALG, ISSUER, TIMES, LIST, EXTENSIONS, OUTER, SIGNATURE, SLOTS };

static const char *const good[SLOTS] = {
    [VERSION] = "020101",   [ALG] = ED25519_ALG,        [ISSUER] = NAME("'CA'"),
    [TIMES] = BEFORE AFTER, [LIST] = "30{" ENTRY "}",   [EXTENSIONS] = "a0{30{" EXT_NUMBER "}}",
    [OUTER] = ED25519_ALG,  [SIGNATURE] = "03{00aabb}",
};

static const struct refusal {
    enum slot slot;
    const char *with, *fault;
} refusals[] = {
    {VERSION, "", "the version is not v2"},
    {VERSION, "020100", "the version is not v2"},
    {VERSION, "02020001", "the version is not v2"},
    {VERSION, "020102", "the version is not v2"},
    {ALG, "30{}", "malformed signature algorithm"},
    {ALG, "30{06{80}}", "malformed signature algorithm"},
    {ALG, "30{06{2a03}05000500}", "malformed signature algorithm"},
    {ALG, "31{06{2b6570}}", "malformed signature algorithm"},
    {ALG, "30{06{2b6571}}", "the two signature algorithms differ"},
    {OUTER, "30{06{2b6571}}", "the two signature algorithms differ"},
    {ISSUER, "0c{'CA'}", "name (RFC 5280 4.1.2.4): not one SEQUENCE"},
    {ISSUER, "30{31{}}", "an RDN is empty"},
    {TIMES, "", "malformed thisUpdate or nextUpdate"},
    {TIMES, "17{'2611210000Z'}", "malformed thisUpdate or nextUpdate"},
    {TIMES, BEFORE "17{'261128000000+0100'}", "malformed thisUpdate or nextUpdate"},
    {LIST, "30{}", "the list of entries is empty"},
    {LIST, "31{" ENTRY "}", "malformed extensions, or octets behind them"},
    {LIST, "3085", "malformed list of entries"},
    {EXTENSIONS, "a0{}", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "a1{30{" EXT_NUMBER "}}", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "a0{30{" EXT_NUMBER "}0500}", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "a0{30{" EXT_NUMBER "}}0500", "malformed extensions, or octets behind them"},
    {EXTENSIONS, "a0{30{}}", "extensions (RFC 5280 4.2): the list is empty"},
    {EXTENSIONS, "a0{30{" EXT_NUMBER EXT_NUMBER "}}", "one stands twice"},
    {EXTENSIONS, "a0{30{" EXT("551d14", "", "0201ff") "}}", "malformed CRL number"},
    {EXTENSIONS, "a0{30{" EXT("551d1b", "0101ff", "0a0101") "}}", "malformed CRL number"},
    {SIGNATURE, "04{00aabb}", "not tbsCertList, algorithm and signature"},
    {SIGNATURE, "03{00aabb}0500", "not tbsCertList, algorithm and signature"},
    {SIGNATURE, "03{04aab0}", "malformed signature"},
    {SIGNATURE, "03{}", "malformed signature"},
};

static void compose(struct chy_buf *b, enum slot slot, const char *other)
{
    chy_buf_init(b, SMALL);
    size_t whole = chy_der_open(b, CHY_DER_SEQUENCE), tbs = chy_der_open(b, CHY_DER_SEQUENCE);
    for (int i = 0; i < OUTER; i++)
        der(b, i == (int)slot ? other : good[i]);
    chy_der_close(b, tbs);
    for (int i = OUTER; i < SLOTS; i++)
        der(b, i == (int)slot ? other : good[i]);
    chy_der_close(b, whole);
}

static void test_refusals(void **state)
{
    static struct chy_crl crl;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(refusals); i++) {
        struct chy_err err = {0};
        struct chy_buf b;
        compose(&b, refusals[i].slot, refusals[i].with);
        chy_hresult hr = chy_crl_parse(chy_buf_span(&b), &crl, &err);
        if (hr == CHY_S_OK || hr != err.code || !strstr(err.text, refusals[i].fault))
            fail_msg("row %zu: %s", i, err.text);
        chy_buf_free(&b);
    }
}

static void test_cut_anywhere(void **state)
{
    static struct chy_crl crl;
    struct chy_buf b;
    struct chy_err err = {0};
    (void)state;
    compose(&b, SLOTS, NULL);
    assert_int_equal(chy_crl_parse(chy_buf_span(&b), &crl, &err), CHY_S_OK);
    for (size_t n = 0; n < b.n; n++) {
        assert_int_equal(chy_crl_parse(chy_span_of(b.p, n), &crl, &err), CHY_CRYPT_E_ASN1_BADPDU);
        assert_string_equal(err.text, "CRL (RFC 5280 5.1): not one SEQUENCE");
        chy_err_clear(&err);
    }
    chy_buf_add_byte(&b, 0);
    assert_int_equal(chy_crl_parse(chy_buf_span(&b), &crl, &err), CHY_CRYPT_E_ASN1_BADPDU);
    chy_buf_free(&b);
}

static void test_numbers_of_others_are_not_counted_with(void **state)
{
    static const struct {
        const char *ext;
        bool has_number, is_delta;
        uint64_t number, base;
    } rows[] = {
        {EXT_NUMBER, true, false, 7, 0},
        {EXT("551d1b", "0101ff", "020105") EXT_NUMBER, true, true, 7, 5},
        {EXT("551d14", "", "020a0102030405060708090a"), false, false, 0, 0},
        {EXT("551d1b", "0101ff", "020a0102030405060708090a"), false, true, 0, UINT64_MAX},
        {EXT("551d23", "", "30{80{aa}}"), false, false, 0, 0},
    };
    static struct chy_crl crl;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_buf b;
        char text[256];
        snprintf(text, sizeof text, "a0{30{%s}}", rows[i].ext);
        compose(&b, EXTENSIONS, text);
        assert_int_equal(chy_crl_parse(chy_buf_span(&b), &crl, NULL), CHY_S_OK);
        assert_int_equal(crl.has_number, rows[i].has_number);
        assert_int_equal(crl.is_delta, rows[i].is_delta);
        if (crl.has_number) assert_int_equal(crl.number, rows[i].number);
        if (crl.is_delta) assert_int_equal(crl.base_number, rows[i].base);
        chy_buf_free(&b);
    }
}

#define FOUR_EXT(n)                                                                                \
    EXT("2a" n "1", "", "")                                                                        \
    EXT("2a" n "2", "", "") EXT("2a" n "3", "", "") EXT("2a" n "4", "", "")
#define DATED "02{01}17{'260101000000Z'}"
static const char *const bad_entries[] = {
    "31{" DATED "}",
    "30{02{}17{'260101000000Z'}}",
    "30{02{0001}17{'260101000000Z'}}",
    "30{02{01}}",
    "30{02{01}17{'261301000000Z'}}",
    "30{02{01}04{'260101000000Z'}}",
    "30{" DATED "0500}",
    "30{" DATED "30{}}",
    "30{" DATED "30{0500}}",
    "30{" DATED "30{30{06{551d15}04{0a0101}}}0500}",
    "30{" DATED "30{30{06{80}04{0a0101}}}}",
    "30{" DATED "30{30{06{551d15}010100 04{0a0101}}}}",
    "30{" DATED "30{30{06{551d15}04{0a0107}}}}",
    "30{" DATED "30{30{06{551d15}04{0a010b}}}}",
    "30{" DATED "30{30{06{551d15}04{0a020001}}}}",
    "30{" DATED "30{30{06{551d15}04{020101}}}}",
    "30{" DATED "30{30{06{551d15}04{0a01010500}}}}",
    "30{" DATED "30{30{06{551d15}04{0a0101}}30{06{551d15}04{0a0101}}}}",
    "30{" DATED "30{30{06{551d18}04{17{'260101000000Z'}}}}}",
    "30{" DATED "30{30{06{551d18}04{18{'2026010100000Z'}}}}}",
    /* certificateIssuer: the entry would be another issuer's */
    "30{" DATED "30{30{06{551d1d}0101ff04{30{a4{3000}}}}}}",
    "30{" DATED "30{" FOUR_EXT("0") FOUR_EXT("1") FOUR_EXT("2") FOUR_EXT("3")
        EXT("2a41", "", "") "}}",
};

static void test_entries_that_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad_entries); i++) {
        struct chy_crl_entry e;
        struct chy_buf b;
        size_t pos = 0;
        chy_buf_init(&b, SMALL);
        der(&b, ENTRY);
        size_t first = b.n;
        der(&b, bad_entries[i]);
        assert_true(chy_crl_entry_next(chy_buf_span(&b), &pos, &e));
        if (chy_crl_entry_next(chy_buf_span(&b), &pos, &e)) fail_msg("row %zu", i);
        assert_int_equal(pos, first);
        chy_buf_free(&b);
    }
}

/* Reason 0 should have been left out; a foreign extension that is not critical is passed over. */
static void test_entries_that_others_write(void **state)
{
    struct chy_crl_entry e;
    struct chy_buf b;
    size_t pos = 0;
    (void)state;
    chy_buf_init(&b, SMALL);
    der(&b, "30{" DATED "30{30{06{551d15}04{0a0100}}30{06{2a03}04{}}}}");
    assert_true(chy_crl_entry_next(chy_buf_span(&b), &pos, &e));
    assert_int_equal(e.reason, CHY_CRL_REASON_UNSPECIFIED);
    for (size_t n = 1; n < b.n; n++) {
        pos = 0;
        assert_false(chy_crl_entry_next(chy_span_of(b.p, n), &pos, &e));
        assert_int_equal(pos, 0);
    }
    chy_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_octet_by_octet_and_back),
        cmocka_unit_test(test_an_entry_that_cannot_be_written_fails_the_buffer),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_issuing_distribution_points),
        cmocka_unit_test(test_a_list_without_entries),
        cmocka_unit_test(test_a_list_that_does_not_end),
        cmocka_unit_test(test_a_long_list_in_blocks),
        cmocka_unit_test(test_lengths_that_nobody_reads_are_refused),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_numbers_of_others_are_not_counted_with),
        cmocka_unit_test(test_entries_that_are_refused),
        cmocka_unit_test(test_entries_that_others_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
