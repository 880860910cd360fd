/* What is answered for a foreign CA, over HTTP, judged by OpenSSL. */
#include "unit/ocsp/foreign_ca.h"
#include "unit/ocsp/responder.h"

static const uint8_t five[] = {5}, six[] = {6}, seven[] = {7};

struct foreign_fixture {
    struct fixture f; /* its issuer is the foreign CA */
    struct foreign_ca ca;
    X509 *own;
};

static struct chy_crl_entry entry(const struct foreign_fixture *x, const uint8_t *serial,
                                  int32_t reason)
{
    return revoked_at(serial, 1, x->ca.now - 3600 * CHY_US_PER_S, reason);
}

static bool is_loaded(struct foreign_fixture *x);

static void start_foreign(struct foreign_fixture *x)
{
    char dir[] = "/tmp/chancery-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    foreign_make(&x->ca, dir, "Root");
    const struct chy_crl_entry e[] = {entry(x, five, CHY_CRL_REASON_KEY_COMPROMISE),
                                      entry(x, six, CHY_CRL_REASON_CERTIFICATE_HOLD)};
    crl_write(&x->ca, &(struct listing){.entry = e, .n = 2, .number = 1});
    start_with(&x->f, x->ca.dir);
    x->own = x->f.issuer;
    x->f.issuer = x->ca.cert;
    X509_up_ref(x->f.issuer);
    EVENTUALLY(is_loaded(x));
}

static void end_foreign(struct foreign_fixture *x)
{
    end(&x->f);
    X509_free(x->own);
    chy_dir_remove(x->ca.dir);
    foreign_free(&x->ca);
}

static struct told ask_about(struct foreign_fixture *x, const uint8_t *serial)
{
    struct told t;
    send_request(&x->f, request_of(x->f.issuer, chy_span_of(serial, 1), EVP_sha1()), &t);
    return t;
}

static int response_to(struct foreign_fixture *x, const uint8_t *serial)
{
    return ask_about(x, serial).response;
}

/* -1: no status. */
static int status_to(struct foreign_fixture *x, const uint8_t *serial)
{
    struct told t = ask_about(x, serial);
    return t.response == OCSP_RESPONSE_STATUS_SUCCESSFUL ? t.status : -1;
}

static bool is_loaded(struct foreign_fixture *x)
{
    return status_to(x, five) == V_OCSP_CERTSTATUS_REVOKED;
}

static void the_crl_tells(void **state)
{
    (void)state;
    struct foreign_fixture x;
    start_foreign(&x);
    struct told t = ask_about(&x, five);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_KEYCOMPROMISE);
    assert_int_equal(t.revoked, x.ca.now - 3600 * CHY_US_PER_S);
    assert_int_equal(t.this_update, x.ca.now - 60 * CHY_US_PER_S);
    assert_int_equal(t.next_update, x.ca.now + DAY_US);
    assert_int_equal(t.certs, 1);
    t = ask_about(&x, six);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_CERTIFICATEHOLD);
    t = ask_about(&x, seven);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    assert_int_equal(t.this_update, x.ca.now - 60 * CHY_US_PER_S);
    send_request(&x.f, request_of(x.f.issuer, CHY_SPAN(five), EVP_sha256()), &t);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    X509 *foreign = x.f.issuer;
    x.f.issuer = x.own;
    assert_int_equal(status_of(&x.f, &x.f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    x.f.issuer = foreign;
    end_foreign(&x);
}

static void an_answer_is_kept_until_the_files_change(void **state)
{
    (void)state;
    struct foreign_fixture x;
    struct chy_ocsp_counters before, after;
    start_foreign(&x);
    assert_int_equal(status_to(&x, seven), V_OCSP_CERTSTATUS_GOOD);
    chy_ocsp_counters(x.f.ocsp, &before);
    struct told t = ask_about(&x, seven);
    assert_non_null(strstr(t.http.head, "Cache-Control: max-age="));
    chy_ocsp_counters(x.f.ocsp, &after);
    assert_int_equal(after.good[CHY_OCSP_CACHED], before.good[CHY_OCSP_CACHED] + 1);
    assert_int_equal(after.good[CHY_OCSP_SIGNED], before.good[CHY_OCSP_SIGNED]);
    const struct chy_crl_entry e = entry(&x, seven, CHY_CRL_REASON_SUPERSEDED);
    crl_write(&x.ca, &(struct listing){.entry = &e, .n = 1, .number = 2});
    EVENTUALLY(status_to(&x, seven) == V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(status_to(&x, five), V_OCSP_CERTSTATUS_GOOD);
    write_text(&x.ca, ".crl", CHY_SPAN_STR("broken"), 0644);
    sleep_ms(1300);
    assert_int_equal(status_to(&x, seven), V_OCSP_CERTSTATUS_REVOKED);
    end_foreign(&x);
}

static void a_nonce_is_repeated(void **state)
{
    (void)state;
    struct foreign_fixture x;
    struct told t;
    unsigned char nonce[16] = {1, 2, 3};
    start_foreign(&x);
    OCSP_REQUEST *q = request_of(x.f.issuer, CHY_SPAN(five), EVP_sha1());
    assert_int_equal(OCSP_request_add1_nonce(q, nonce, sizeof(nonce)), 1);
    send_request(&x.f, q, &t);
    assert_int_equal(t.nonce, 1);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    end_foreign(&x);
}

static void several_are_answered_together_of_one_ca(void **state)
{
    (void)state;
    struct foreign_fixture x;
    struct told t;
    start_foreign(&x);
    OCSP_REQUEST *q = request_of(x.f.issuer, CHY_SPAN(five), EVP_sha1());
    OCSP_request_add0_id(q, id_of(x.f.issuer, CHY_SPAN(seven), EVP_sha256()));
    send_request(&x.f, q, &t);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    q = request_of(x.f.issuer, CHY_SPAN(five), EVP_sha1());
    OCSP_request_add0_id(q, id_of(x.own, CHY_SPAN(x.f.cert.serial), EVP_sha1()));
    send_request(&x.f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    q = request_of(x.own, CHY_SPAN(x.f.cert.serial), EVP_sha1());
    OCSP_request_add0_id(q, id_of(x.f.issuer, CHY_SPAN(five), EVP_sha1()));
    send_request(&x.f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    q = request_of(x.f.issuer, CHY_SPAN(five), EVP_sha1());
    for (int i = 0; i < 16; i++)
        OCSP_request_add0_id(q, id_of(x.f.issuer, CHY_SPAN(five), EVP_sha1()));
    send_request(&x.f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    end_foreign(&x);
}

static void shift(struct foreign_fixture *x, int64_t seconds)
{
    x->f.e.wall_shift = x->f.e.mono_shift = seconds * CHY_US_PER_S;
}

static void a_crl_out_of_time_tells_nothing(void **state)
{
    (void)state;
    struct foreign_fixture x;
    start_foreign(&x);
    assert_int_equal(status_to(&x, seven), V_OCSP_CERTSTATUS_GOOD);
    shift(&x, 86400 + 1);
    assert_int_equal(response_to(&x, seven), OCSP_RESPONSE_STATUS_TRYLATER);
    assert_int_equal(response_to(&x, five), OCSP_RESPONSE_STATUS_TRYLATER);
    shift(&x, -300);
    assert_int_equal(response_to(&x, five), OCSP_RESPONSE_STATUS_TRYLATER);
    shift(&x, 0);
    assert_int_equal(status_to(&x, five), V_OCSP_CERTSTATUS_REVOKED);
    end_foreign(&x);
}

static void nothing_is_said_beyond_the_signer(void **state)
{
    (void)state;
    struct foreign_fixture x;
    start_foreign(&x);
    crl_write(&x.ca, &(struct listing){.number = 2, .next_update = x.ca.now + 25 * DAY_US});
    EVENTUALLY(status_to(&x, five) == V_OCSP_CERTSTATUS_GOOD);
    const chy_time end_of_signer = time_of(X509_get0_notAfter(x.ca.signer));
    assert_int_equal(ask_about(&x, five).next_update, end_of_signer);
    shift(&x, 21 * 86400);
    assert_int_equal(response_to(&x, five), OCSP_RESPONSE_STATUS_TRYLATER);
    end_foreign(&x);
}

static void a_revoked_signer_signs_nothing(void **state)
{
    (void)state;
    struct foreign_fixture x;
    const uint8_t serial[] = {SIGNER_SERIAL};
    start_foreign(&x);
    const struct chy_crl_entry e = entry(&x, serial, CHY_CRL_REASON_KEY_COMPROMISE);
    crl_write(&x.ca, &(struct listing){.entry = &e, .n = 1, .number = 2});
    EVENTUALLY(response_to(&x, five) == OCSP_RESPONSE_STATUS_TRYLATER);
    end_foreign(&x);
}

/* RFC 5280 5.3 lets a date lie ahead; an answer says since when it is revoked. */
static void a_date_ahead_is_revoked_now(void **state)
{
    (void)state;
    struct foreign_fixture x;
    start_foreign(&x);
    const struct chy_crl_entry e =
        revoked_at(seven, 1, x.ca.now + 600 * CHY_US_PER_S, CHY_CRL_REASON_UNSPECIFIED);
    crl_write(&x.ca, &(struct listing){.entry = &e, .n = 1, .number = 2});
    EVENTUALLY(status_to(&x, seven) == V_OCSP_CERTSTATUS_REVOKED);
    struct told t = ask_about(&x, seven);
    assert_in_range(t.revoked, x.ca.now, x.ca.now + 120 * CHY_US_PER_S);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_NOSTATUS);
    end_foreign(&x);
}

static void what_is_gone_is_not_ours(void **state)
{
    (void)state;
    struct foreign_fixture x;
    start_foreign(&x);
    chy_dir_remove(x.ca.dir);
    EVENTUALLY(response_to(&x, five) == OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    end_foreign(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_crl_tells),
        cmocka_unit_test(an_answer_is_kept_until_the_files_change),
        cmocka_unit_test(a_nonce_is_repeated),
        cmocka_unit_test(several_are_answered_together_of_one_ca),
        cmocka_unit_test(a_crl_out_of_time_tells_nothing),
        cmocka_unit_test(nothing_is_said_beyond_the_signer),
        cmocka_unit_test(a_revoked_signer_signs_nothing),
        cmocka_unit_test(a_date_ahead_is_revoked_now),
        cmocka_unit_test(what_is_gone_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
