/* The files of a foreign CA: what is taken from them, and each way in which they are refused. */
#include <time.h>

#include "unit/ocsp/foreign_ca.h"

struct fixture {
    struct foreign_ca ca;
    struct chy_verifier *v;
    struct chy_ocsp_foreign *held;
};

static const uint8_t five[] = {5}, six[] = {6}, seven[] = {7}, eight[] = {8};

static void start(struct fixture *f)
{
    char dir[] = "/tmp/chancery-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    memset(f, 0, sizeof(*f));
    foreign_make(&f->ca, dir, "Root");
    f->v = chy_verifier_new(NULL);
    assert_non_null(f->v);
}

static void end(struct fixture *f)
{
    chy_ocsp_foreign_unref(f->held);
    chy_verifier_free(f->v);
    chy_dir_remove(f->ca.dir);
    foreign_free(&f->ca);
}

static struct chy_ocsp_foreign *load(struct fixture *f)
{
    struct chy_err err = {0};
    struct chy_ocsp_foreign *out = NULL;
    chy_hresult hr = chy_ocsp_foreign_load(f->ca.dir, "Root", f->ca.now, f->held, f->v, &out, &err);
    if (hr != CHY_S_OK) fail_msg("0x%08x %s", (unsigned)hr, err.text);
    return out;
}

static void refused(struct fixture *f, const char *why)
{
    struct chy_err err = {0};
    struct chy_ocsp_foreign *out = NULL;
    chy_hresult hr = chy_ocsp_foreign_load(f->ca.dir, "Root", f->ca.now, f->held, f->v, &out, &err);
    if (!CHY_FAILED(hr)) fail_msg("loaded, and not: %s", why);
    if (!strstr(err.text, why)) fail_msg("%s, and not: %s", err.text, why);
    assert_non_null(strstr(err.text, "/Root"));
    assert_null(out);
}

static void entry(struct chy_crl_entry *e, struct fixture *f, const uint8_t *serial, int32_t reason)
{
    *e = revoked_at(serial, 1, f->ca.now - 3600 * CHY_US_PER_S, reason);
}

static void must_be(const struct chy_ocsp_foreign *f, const uint8_t *serial, int32_t reason)
{
    struct chy_crl_entry e;
    assert_true(chy_ocsp_foreign_revoked(f, chy_span_of(serial, 1), &e));
    assert_int_equal(e.reason, reason);
}

static void must_be_good(const struct chy_ocsp_foreign *f, const uint8_t *serial)
{
    struct chy_crl_entry e;
    assert_false(chy_ocsp_foreign_revoked(f, chy_span_of(serial, 1), &e));
}

/* ---- what is taken ---- */
static void what_is_on_the_list_is_revoked(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_crl_entry e[2];
    start(&f);
    entry(&e[0], &f, six, CHY_CRL_REASON_KEY_COMPROMISE);
    entry(&e[1], &f, five, CHY_CRL_REASON_CERTIFICATE_HOLD);
    for (int pem = 0; pem < 2; pem++) {
        crl_write(&f.ca, &(struct listing){.entry = e, .n = 2, .number = 3, .is_pem = pem});
        struct chy_ocsp_foreign *c = load(&f);
        must_be(c, six, CHY_CRL_REASON_KEY_COMPROMISE);
        must_be(c, five, CHY_CRL_REASON_CERTIFICATE_HOLD);
        must_be_good(c, seven);
        assert_int_equal(c->this_update, f.ca.now - 60 * CHY_US_PER_S);
        assert_int_equal(c->next_update, f.ca.now + DAY_US);
        assert_false(c->signer_revoked);
        chy_ocsp_foreign_unref(c);
    }
    end(&f);
}

static void an_empty_list_revokes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    crl_write(&f.ca, &(struct listing){.number = 1});
    struct chy_ocsp_foreign *c = load(&f);
    must_be_good(c, five);
    chy_ocsp_foreign_unref(c);
    end(&f);
}

static void of_two_entries_the_one_that_revokes_counts(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_crl_entry e[3];
    start(&f);
    crl_write(&f.ca, &(struct listing){.number = 1});
    entry(&e[0], &f, six, CHY_CRL_REASON_REMOVE_FROM_CRL);
    entry(&e[1], &f, six, CHY_CRL_REASON_KEY_COMPROMISE);
    entry(&e[2], &f, six, CHY_CRL_REASON_REMOVE_FROM_CRL);
    crl_write(&f.ca, &(struct listing){
                         .entry = e, .n = 3, .number = 2, .is_delta = true, .base_number = 1});
    struct chy_ocsp_foreign *c = load(&f);
    must_be(c, six, CHY_CRL_REASON_KEY_COMPROMISE);
    chy_ocsp_foreign_unref(c);
    end(&f);
}

static void a_delta_goes_before_its_base(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_crl_entry base[2], delta[3];
    start(&f);
    entry(&base[0], &f, five, CHY_CRL_REASON_CERTIFICATE_HOLD);
    entry(&base[1], &f, six, CHY_CRL_REASON_CERTIFICATE_HOLD);
    entry(&delta[0], &f, five, CHY_CRL_REASON_REMOVE_FROM_CRL);
    entry(&delta[1], &f, six, CHY_CRL_REASON_KEY_COMPROMISE);
    entry(&delta[2], &f, seven, CHY_CRL_REASON_SUPERSEDED);
    struct listing b = {.entry = base, .n = 2, .number = 4};
    struct listing d = {.entry = delta,
                        .n = 3,
                        .number = 6,
                        .is_delta = true,
                        .base_number = 3,
                        .this_update = f.ca.now - 10 * CHY_US_PER_S,
                        .next_update = f.ca.now + 3600 * CHY_US_PER_S};
    crl_write(&f.ca, &b);
    crl_write(&f.ca, &d);
    struct chy_ocsp_foreign *c = load(&f);
    must_be_good(c, five);
    must_be(c, six, CHY_CRL_REASON_KEY_COMPROMISE);
    must_be(c, seven, CHY_CRL_REASON_SUPERSEDED);
    must_be_good(c, eight);
    assert_int_equal(c->this_update, d.this_update);
    assert_int_equal(c->next_update, d.next_update);
    chy_ocsp_foreign_unref(c);
    b.number = 6; /* what the delta told is in the base by now */
    crl_write(&f.ca, &b);
    c = load(&f);
    must_be(c, five, CHY_CRL_REASON_CERTIFICATE_HOLD);
    must_be_good(c, seven);
    assert_int_equal(c->next_update, f.ca.now + DAY_US);
    chy_ocsp_foreign_unref(c);
    end(&f);
}

static void a_revoked_signer_is_known_to_be(void **state)
{
    (void)state;
    struct fixture f;
    const uint8_t serial[] = {SIGNER_SERIAL};
    struct chy_crl_entry e;
    start(&f);
    entry(&e, &f, serial, CHY_CRL_REASON_KEY_COMPROMISE);
    crl_write(&f.ca, &(struct listing){.entry = &e, .n = 1, .number = 1});
    struct chy_ocsp_foreign *c = load(&f);
    assert_true(c->signer_revoked);
    chy_ocsp_foreign_unref(c);
    end(&f);
}

static void nothing_older_takes_the_place_of_what_holds(void **state)
{
    (void)state;
    struct fixture f;
    struct listing l = {.number = 2};
    start(&f);
    crl_write(&f.ca, &l);
    f.held = load(&f);
    l.this_update = f.ca.now - 120 * CHY_US_PER_S;
    crl_write(&f.ca, &l);
    refused(&f, "older than what is in use");
    f.ca.now += 2 * DAY_US; /* what is in use does not hold any more */
    chy_ocsp_foreign_unref(load(&f));
    end(&f);
}

/* ---- two hundred thousand ---- */
enum { MANY = 200000 };

static int64_t ms_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

/* 16 octets that look random: 0x4_, the number stirred, the number. */
static void serial_of(uint32_t i, uint8_t out[16])
{
    uint64_t stirred = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    memset(out, 0x41, 16);
    memcpy(out + 2, &stirred, 8);
    memcpy(out + 10, &i, 4);
}

static void each_of_many_is_found(void **state)
{
    (void)state;
    struct fixture f;
    struct timespec t;
    uint8_t(*serial)[16] = malloc(2 * MANY * sizeof(*serial));
    struct chy_crl_entry *list = calloc(MANY, sizeof(*list)), e;
    start(&f);
    for (uint32_t i = 0; i < 2 * MANY; i++)
        serial_of(i, serial[i]);
    for (uint32_t i = 0; i < MANY; i++)
        list[i] = revoked_at(serial[2 * i], 16, f.ca.now - (int64_t)i * CHY_US_PER_S,
                             i % 2 ? CHY_CRL_REASON_SUPERSEDED : CHY_CRL_REASON_UNSPECIFIED);
    crl_write(&f.ca, &(struct listing){.entry = list, .n = MANY, .number = 1});
    clock_gettime(CLOCK_MONOTONIC, &t);
    struct chy_ocsp_foreign *c = load(&f);
    print_message("%d entries of %zu octets read in %lld ms\n", MANY, c->base.der.n,
                  (long long)ms_since(&t));
    assert_int_equal(c->base.n, MANY);
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        bool found = chy_ocsp_foreign_revoked(c, chy_span_of(serial[i], 16), &e);
        assert_int_equal(found, i % 2 == 0);
        if (found) assert_int_equal(e.revoked, list[i / 2].revoked);
    }
    print_message("%d asked in %lld ms\n", 2 * MANY, (long long)ms_since(&t));
    chy_ocsp_foreign_unref(c);
    end(&f);
    free(serial);
    free(list);
}

/* ---- what is refused: the CRL ---- */
static void no_crl_of_this_ca(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    refused(&f, "Root.crl");
    X509 *other = cert_make("Other", 1, f.ca.key, NULL, f.ca.key, 0, 3600, ca_exts);
    crl_write(&f.ca, &(struct listing){.number = 1, .issuer = other});
    refused(&f, "its issuer is not this CA");
    X509_free(other);
    crl_write(&f.ca, &(struct listing){.number = 1, .by = f.ca.signer_key});
    refused(&f, "signature");
    static const uint8_t unknown[] = {0x30, 4, 6, 2, 0x2a, 3};
    crl_write(&f.ca, &(struct listing){.number = 1, .sig_alg = CHY_SPAN(unknown)});
    refused(&f, "its signature algorithm is not known");
    const uint8_t aki[] = {0x30, 3, 0x80, 1, 9};
    const struct chy_ext of_another = {chy_oid_authority_key_id, false, CHY_SPAN(aki)};
    crl_write(&f.ca, &(struct listing){.number = 1, .ext = &of_another, .n_ext = 1});
    refused(&f, "it is of another key");
    end(&f);
}

static void a_list_of_some(void **state)
{
    (void)state;
    static const struct {
        uint8_t value[8], n;
        const char *why;
    } idp[] = {{{0x30, 3, 0x81, 1, 0xff}, 5, "onlyContainsUserCerts"},
               {{0x30, 3, 0x82, 1, 0xff}, 5, "onlyContainsCACerts"},
               {{0x30, 4, 0x83, 2, 0, 0x80}, 6, "onlySomeReasons"},
               {{0x30, 3, 0x84, 1, 0xff}, 5, "indirectCRL"},
               {{0x30, 3, 0x85, 1, 0xff}, 5, "onlyContainsAttributeCerts"},
               {{0x30, 6, 0xa0, 4, 0xa0, 2, 0x86, 0}, 8, "a distribution point"},
               {{0x04, 0}, 2, "what is no issuingDistributionPoint"}};
    struct fixture f;
    start(&f);
    for (size_t i = 0; i < CHY_ARRAY_LEN(idp); i++) {
        const struct chy_ext ext = {chy_oid_issuing_distribution_point, true,
                                    chy_span_of(idp[i].value, idp[i].n)};
        crl_write(&f.ca, &(struct listing){.number = 1, .ext = &ext, .n_ext = 1});
        refused(&f, idp[i].why);
    }
    const struct chy_ext unknown = {chy_oid_freshest_crl, true, CHY_SPAN_STR("\x30")};
    crl_write(&f.ca, &(struct listing){.number = 1, .ext = &unknown, .n_ext = 1});
    refused(&f, "a critical extension that is not known");
    end(&f);
}

static void a_list_out_of_time(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    crl_write(&f.ca, &(struct listing){.number = 1, .has_no_end = true});
    refused(&f, "it has no nextUpdate");
    crl_write(&f.ca, &(struct listing){.number = 1, .next_update = f.ca.now - 60 * CHY_US_PER_S});
    refused(&f, "its nextUpdate is not behind its thisUpdate");
    crl_write(&f.ca, &(struct listing){.number = 1, .this_update = f.ca.now + CHY_US_PER_S});
    refused(&f, "its thisUpdate lies ahead");
    end(&f);
}

static void a_delta_that_does_not_fit(void **state)
{
    (void)state;
    struct fixture f;
    struct listing delta = {.number = 5, .is_delta = true, .base_number = 3};
    struct chy_buf der;
    start(&f);
    crl_make(&f.ca, &delta, &der);
    write_text(&f.ca, ".crl", chy_buf_span(&der), 0644);
    chy_buf_free(&der);
    refused(&f, "it is a delta CRL");
    crl_write(&f.ca, &(struct listing){.number = 2});
    crl_write(&f.ca, &delta);
    refused(&f, "it goes with a newer base");
    crl_write(&f.ca, &(struct listing){.has_no_number = true});
    refused(&f, "no CRL number");
    crl_write(&f.ca, &(struct listing){.number = 3});
    crl_make(&f.ca, &(struct listing){.number = 4}, &der);
    write_text(&f.ca, "+.crl", chy_buf_span(&der), 0644);
    chy_buf_free(&der);
    refused(&f, "it is no delta CRL");
    end(&f);
}

static void no_list_at_all(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_crl_entry e;
    char path[128];
    start(&f);
    write_text(&f.ca, ".crl", CHY_SPAN_STR("no list"), 0644);
    refused(&f, "neither DER nor a PEM block");
    write_text(&f.ca, ".crl", CHY_SPAN_STR("-----BEGIN X509 CRL-----\n*\n-----END X509 CRL-----"),
               0644);
    refused(&f, "not base64");
    write_text(&f.ca, ".crl", CHY_SPAN_STR("\x30\x80"), 0644);
    refused(&f, "not one SEQUENCE");
    entry(&e, &f, six, CHY_CRL_REASON_REMOVE_FROM_CRL);
    crl_write(&f.ca, &(struct listing){.entry = &e, .n = 1, .number = 1});
    refused(&f, "removeFromCRL, which is for delta CRLs alone");
    entry(&e, &f, six, 7); /* RFC 5280 5.3.1: no reason has this number */
    crl_write(&f.ca, &(struct listing){.entry = &e, .n = 1, .number = 1});
    refused(&f, "malformed entry");
    snprintf(path, sizeof(path), "%s/Root.crl", f.ca.dir);
    assert_int_equal(truncate(path, (off_t)CHY_OCSP_CRL_MAX + 1), 0);
    refused(&f, "it has more than 536870912 octets");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    refused(&f, "it is not a regular file");
    end(&f);
}

/* ---- what is refused: certificates and the key ---- */
static void replace_ca(struct fixture *f, const struct extension *exts)
{
    X509 *x = cert_make("Root", 1, f->ca.key, NULL, f->ca.key, 0, 3600, exts);
    write_cert(&f->ca, ".pem", x);
    X509_free(x);
}

static void no_ca(void **state)
{
    (void)state;
    static const struct extension leaf[] = {{NID_basic_constraints, "critical,CA:FALSE"},
                                            {0, NULL}};
    static const struct extension signs_no_crl[] = {{NID_basic_constraints, "critical,CA:TRUE"},
                                                    {NID_key_usage, "critical,keyCertSign"},
                                                    {0, NULL}};
    struct fixture f;
    start(&f);
    crl_write(&f.ca, &(struct listing){.number = 1});
    replace_ca(&f, leaf);
    refused(&f, "it is no CA's certificate");
    replace_ca(&f, signs_no_crl);
    refused(&f, "its key may not sign CRLs");
    write_text(&f.ca, ".pem", CHY_SPAN_STR("nothing"), 0644);
    refused(&f, "there is no PEM block \"CERTIFICATE\"");
    end(&f);
}

static void signer_of(struct fixture *f, X509 *issuer, EVP_PKEY *by, long from_s, long to_s,
                      const struct extension *exts, const char *why)
{
    X509 *x = cert_make("Signer", 8, f->ca.signer_key, issuer, by, from_s, to_s, exts);
    write_cert(&f->ca, ".ocsp.pem", x);
    X509_free(x);
    refused(f, why);
}

static void no_signer(void **state)
{
    (void)state;
    static const struct extension none[] = {{0, NULL}};
    static const struct extension client[] = {{NID_ext_key_usage, "clientAuth"}, {0, NULL}};
    static const struct extension enciphers[] = {
        {NID_key_usage, "critical,keyEncipherment"}, {NID_ext_key_usage, "OCSPSigning"}, {0, NULL}};
    struct fixture f;
    start(&f);
    crl_write(&f.ca, &(struct listing){.number = 1});
    signer_of(&f, f.ca.signer, f.ca.key, 0, 60, signer_exts, "its issuer is not this CA");
    signer_of(&f, f.ca.cert, f.ca.signer_key, 0, 60, signer_exts, "signature");
    signer_of(&f, f.ca.cert, f.ca.key, 0, 60, none, "it is not for OCSPSigning");
    signer_of(&f, f.ca.cert, f.ca.key, 0, 60, client, "it is not for OCSPSigning");
    signer_of(&f, f.ca.cert, f.ca.key, 0, 60, enciphers, "its key may not sign");
    signer_of(&f, f.ca.cert, f.ca.key, 60, 120, signer_exts, "it is not valid yet");
    signer_of(&f, f.ca.cert, f.ca.key, -120, -60, signer_exts, "it has expired");
    write_cert(&f.ca, ".ocsp.pem", f.ca.signer);
    write_key(&f.ca, f.ca.key, 0600);
    refused(&f, "it is not the key of the signer's certificate");
    write_key(&f.ca, f.ca.signer_key, 0644);
    refused(&f, "Root.ocsp.key.pem");
    write_key(&f.ca, f.ca.signer_key, 0600);
    chy_ocsp_foreign_unref(load(&f));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_on_the_list_is_revoked),
        cmocka_unit_test(an_empty_list_revokes_nothing),
        cmocka_unit_test(of_two_entries_the_one_that_revokes_counts),
        cmocka_unit_test(a_delta_goes_before_its_base),
        cmocka_unit_test(a_revoked_signer_is_known_to_be),
        cmocka_unit_test(nothing_older_takes_the_place_of_what_holds),
        cmocka_unit_test(each_of_many_is_found),
        cmocka_unit_test(no_crl_of_this_ca),
        cmocka_unit_test(a_list_of_some),
        cmocka_unit_test(a_list_out_of_time),
        cmocka_unit_test(a_delta_that_does_not_fit),
        cmocka_unit_test(no_list_at_all),
        cmocka_unit_test(no_ca),
        cmocka_unit_test(no_signer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
