/* The responder over HTTP, of a CA that the test runs, judged by OpenSSL. */
#include "unit/ocsp/responder.h"

static void revoke_it(struct fixture *f, const struct answer *cert, int32_t reason, chy_time when)
{
    struct answer a;
    const struct chy_revoke what = {reason, when, CHY_TIME_DEFAULT};
    answer_init(&a);
    chy_ca_revoke(f->e.ca, &officer, CHY_SPAN(cert->serial), &what, answered, &a);
    answer_wait(&a);
    if (a.status != CHY_S_OK) fail_msg("reason %d: %s", reason, a.text);
    answer_free(&a);
}

static void set(struct fixture *f, const char *path, const char *json)
{
    struct chy_err err = {0};
    must(chy_ca_config_set(f->e.ca, &officer, path, json, &err), &err);
}

/* ---- standings ---- */
static void what_is_issued_is_good(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    start(&f);
    t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    assert_int_equal(t.next_update - t.this_update, 3600 * CHY_US_PER_S);
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha256()), &t);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha512()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    end(&f);
}

static void a_change_is_told_at_once(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    start(&f);
    for (int i = 0; i < 2; i++) /* the second one is kept */
        assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    revoke_it(&f, &f.cert, CHY_CRL_REASON_CERTIFICATE_HOLD, CHY_TIME_DEFAULT);
    t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_CERTIFICATEHOLD);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_REVOKED);
    revoke_it(&f, &f.cert, CHY_REVOKE_RELEASE, CHY_TIME_DEFAULT);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    chy_time before = chy_now(&f.e.clock) - 3600 * CHY_US_PER_S;
    revoke_it(&f, &f.cert, CHY_CRL_REASON_KEY_COMPROMISE, before);
    t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_KEYCOMPROMISE);
    assert_int_equal(t.revoked, before - before % CHY_US_PER_S);
    end(&f);
}

static void no_reason_is_told_where_there_is_none(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    revoke_it(&f, &f.cert, CHY_CRL_REASON_UNSPECIFIED, CHY_TIME_DEFAULT);
    struct told t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_NOSTATUS);
    end(&f);
}

static void a_date_ahead_ends_the_answer(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    chy_time when = chy_now(&f.e.clock) + 600 * CHY_US_PER_S;
    revoke_it(&f, &f.cert, CHY_CRL_REASON_SUPERSEDED, when);
    struct told t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    assert_int_equal(t.next_update, when - when % CHY_US_PER_S);
    f.e.wall_shift += 601 * CHY_US_PER_S;
    f.e.mono_shift += 601 * CHY_US_PER_S;
    t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.revoked, when - when % CHY_US_PER_S);
    end(&f);
}

/* P10 */
static void what_was_not_issued_is_never_good(void **state)
{
    (void)state;
    struct fixture f;
    struct answer never = {.serial = {0x49, 1, 2, 3}};
    struct told t;
    start(&f);
    for (int i = 0; i < 2; i++)
        assert_int_equal(status_of(&f, &never).status, V_OCSP_CERTSTATUS_UNKNOWN);
    set(&f, "OCSPUnknown", "\"unauthorized\"");
    send_request(&f, request_of(f.issuer, CHY_SPAN(never.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    end(&f);
}

static void another_key_of_the_ca_did_not_issue_it(void **state)
{
    (void)state;
    struct fixture f;
    struct chy_err err = {0};
    int32_t index;
    const struct chy_ca_renew new_key = {.new_key = true};
    start(&f);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    must(chy_ca_renew(f.e.ca, &officer, &new_key, &index, &err), &err);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    X509 *old = f.issuer;
    f.issuer = x509_of(chy_ca_cert_der(f.e.ca));
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_UNKNOWN);
    OCSP_REQUEST *q = request_of(old, CHY_SPAN(f.cert.serial), EVP_sha1());
    OCSP_request_add0_id(q, id_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()));
    struct told t;
    send_request(&f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    X509_free(old);
    end(&f);
}

static void several_are_answered_together(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    struct answer second;
    struct chy_span serial;
    start(&f);
    submit_to(f.e.ca, "second.test", "", &second);
    revoke_it(&f, &second, CHY_CRL_REASON_KEY_COMPROMISE, CHY_TIME_DEFAULT);
    OCSP_REQUEST *q = request_of(f.issuer, CHY_SPAN(second.serial), EVP_sha1());
    serial = CHY_SPAN(f.cert.serial);
    OCSP_request_add0_id(q, id_of(f.issuer, serial, EVP_sha1()));
    OCSP_request_add0_id(q, id_of(f.issuer, serial, EVP_sha256()));
    OCSP_request_add0_id(q, id_of(f.issuer, serial, EVP_sha1()));
    send_request(&f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_SUCCESSFUL);
    assert_int_equal(t.n, 4);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_non_null(strstr(t.http.head, "Cache-Control: no-store"));
    q = request_of(f.issuer, serial, EVP_sha1());
    for (int i = 0; i < 16; i++)
        OCSP_request_add0_id(q, id_of(f.issuer, serial, EVP_sha1()));
    send_request(&f, q, &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    answer_free(&second);
    end(&f);
}

static void an_issuer_of_others_is_not_ours(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    start(&f);
    X509 *other = x509_of(chy_buf_span(&f.cert.cert));
    send_request(&f, request_of(other, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    set(&f, "OCSPEnabled", "0");
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_UNAUTHORIZED);
    X509_free(other);
    end(&f);
}

/* ---- nonces ---- */
static struct told with_nonce(struct fixture *f, int octets)
{
    struct told t;
    unsigned char nonce[256];
    memset(nonce, octets, sizeof(nonce));
    OCSP_REQUEST *q = request_of(f->issuer, CHY_SPAN(f->cert.serial), EVP_sha1());
    assert_int_equal(OCSP_request_add1_nonce(q, nonce, octets), 1);
    send_request(f, q, &t);
    return t;
}

static void a_nonce_is_repeated(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    status_of(&f, &f.cert);
    assert_int_equal(with_nonce(&f, 1).nonce, 1);
    assert_int_equal(with_nonce(&f, 16).nonce, 1);
    struct told t = with_nonce(&f, 32);
    assert_int_equal(t.nonce, 1);
    assert_non_null(strstr(t.http.head, "Cache-Control: no-store"));
    assert_null(strstr(t.http.head, "ETag"));
    /* RFC 9654 2.1: passed over up to 128 octets, refused beyond. */
    assert_int_equal(with_nonce(&f, 33).nonce, -1);
    assert_int_equal(with_nonce(&f, 128).nonce, -1);
    assert_int_equal(with_nonce(&f, 129).response, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    set(&f, "OCSPNonceMax", "0");
    sleep_ms(1300); /* the settings of what is kept are looked at each second */
    t = with_nonce(&f, 32);
    assert_int_equal(t.nonce, -1);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
    assert_non_null(strstr(t.http.head, "Cache-Control: no-store"));
    struct chy_ocsp_counters before, after;
    chy_ocsp_counters(f.ocsp, &before);
    with_nonce(&f, 31);
    chy_ocsp_counters(f.ocsp, &after);
    assert_int_equal(after.good[CHY_OCSP_CACHED], before.good[CHY_OCSP_CACHED] + 1);
    assert_int_equal(after.good[CHY_OCSP_SIGNED], before.good[CHY_OCSP_SIGNED]);
    end(&f);
}

/* ---- HTTP ---- */
static void path_of(const struct fixture *f, bool escaped, char *out, size_t cap)
{
    struct chy_buf der, text;
    OCSP_REQUEST *q = request_of(f->issuer, CHY_SPAN(f->cert.serial), EVP_sha1());
    size_t n = (size_t)snprintf(out, cap, "/ocsp/");
    to_der(q, &der);
    chy_buf_init(&text, 65536);
    chy_base64_add(&text, chy_buf_span(&der), 0);
    for (size_t i = 0; i < text.n; i++) {
        bool special = strchr("+/=", text.p[i]) != NULL;
        n += (size_t)snprintf(out + n, cap - n, escaped && special ? "%%%02X" : "%c", text.p[i]);
    }
    chy_buf_free(&text);
    chy_buf_free(&der);
    OCSP_REQUEST_free(q);
}

static void get_has_what_caches_want(void **state)
{
    (void)state;
    struct fixture f;
    struct told t = {0};
    char path[2048], twice[2064], header[128];
    start(&f);
    for (int escaped = 0; escaped < 2; escaped++) {
        OCSP_REQUEST *q = request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1());
        path_of(&f, escaped, path, sizeof(path));
        get(f.s.port, "GET", path, "", &t.http);
        read_answer(&f, q, &t);
        assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
        snprintf(twice, sizeof(twice), "/ocsp//%s", path + 6); /* of an address ending in a slash */
        get(f.s.port, "GET", twice, "", &t.http);
        read_answer(&f, q, &t);
        assert_int_equal(t.status, V_OCSP_CERTSTATUS_GOOD);
        OCSP_REQUEST_free(q);
    }
    const char *age = strstr(t.http.head, "Cache-Control: max-age=");
    assert_non_null(age);
    int left = atoi(age + 23);
    assert_true(chy_now(&f.e.clock) + left * CHY_US_PER_S <= t.next_update + 5 * CHY_US_PER_S);
    assert_in_range(left, 3500, 3599);
    assert_non_null(strstr(age, ", public, no-transform, must-revalidate\r\n"));
    assert_non_null(strstr(t.http.head, "\r\nExpires: "));
    assert_non_null(strstr(t.http.head, "\r\nLast-Modified: "));
    const char *tag = strstr(t.http.head, "\r\nETag: \"");
    assert_non_null(tag);
    snprintf(header, sizeof(header), "If-None-Match: %.42s\r\n", tag + 8);
    get(f.s.port, "GET", path, header, &t.http);
    assert_int_equal(t.http.status, 304);
    get(f.s.port, "HEAD", path, "", &t.http);
    assert_int_equal(t.http.status, 200);
    assert_int_equal(t.http.n, 0);
    end(&f);
}

static void must_be_error(const struct reply *r, uint8_t status)
{
    const uint8_t der[5] = {0x30, 3, 0x0a, 1, status};
    assert_int_equal(r->status, 200);
    assert_int_equal(r->n, 5);
    assert_memory_equal(r->body, der, 5);
    assert_non_null(strstr(r->head, "Cache-Control: no-store"));
}

static void what_is_malformed_is_said_to_be(void **state)
{
    (void)state;
    struct fixture f;
    struct reply r;
    start(&f);
    post_as(f.s.port, "application/ocsp-request", CHY_SPAN_STR("no request"), &r);
    must_be_error(&r, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    post_as(f.s.port, "Application/OCSP-Request; charset=x", (struct chy_span){NULL, 0}, &r);
    must_be_error(&r, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    get(f.s.port, "GET", "/ocsp/no*base64", "", &r);
    must_be_error(&r, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    get(f.s.port, "GET", "/ocsp/MAA=", "", &r);
    must_be_error(&r, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    OCSP_REQUEST *q = request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1());
    X509_EXTENSION *ext =
        X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_key_identifier, "critical,0102");
    assert_non_null(ext);
    assert_int_equal(OCSP_REQUEST_add_ext(q, ext, -1), 1);
    X509_EXTENSION_free(ext);
    struct told t;
    send_request(&f, q, &t);
    must_be_error(&t.http, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
    post_as(f.s.port, "text/plain", CHY_SPAN_STR("0"), &r);
    assert_int_equal(r.status, 415);
    post_as(f.s.port, "application/ocsp-requests", CHY_SPAN_STR("0"), &r);
    assert_int_equal(r.status, 415);
    get(f.s.port, "GET", "/ocsp", "", &r);
    assert_int_equal(r.status, 405);
    static uint8_t large[16385];
    post_as(f.s.port, "application/ocsp-request", CHY_SPAN(large), &r);
    assert_int_equal(r.status, 413);
    end(&f);
}

/* ---- who signs, and when nobody does ---- */
static void a_delegate_signs(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    EVENTUALLY((set(&f, "OCSPValidityMinutes", "60"), with_nonce(&f, 8).certs == 1));
    struct told t = with_nonce(&f, 9);
    const unsigned char *p = t.http.body;
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)t.http.n);
    OCSP_BASICRESP *b = OCSP_response_get1_basic(r);
    X509 *signer = sk_X509_value(OCSP_resp_get0_certs(b), 0);
    assert_true(X509_get_ext_by_NID(signer, NID_id_pkix_OCSP_noCheck, -1) >= 0);
    assert_int_equal(X509_get_extended_key_usage(signer), XKU_OCSP_SIGN);
    OCSP_BASICRESP_free(b);
    OCSP_RESPONSE_free(r);
    set(&f, "OCSPSigner", "\"ca\"");
    assert_int_equal(with_nonce(&f, 8).certs, 0);
    end(&f);
}

static void serial_of_signer(const struct told *t, struct answer *out)
{
    const unsigned char *p = t->http.body;
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)t->http.n);
    OCSP_BASICRESP *b = OCSP_response_get1_basic(r);
    X509 *signer = sk_X509_value(OCSP_resp_get0_certs(b), 0);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(signer);
    assert_int_equal(ASN1_STRING_length(serial), (int)sizeof(out->serial));
    memcpy(out->serial, ASN1_STRING_get0_data(serial), sizeof(out->serial));
    OCSP_BASICRESP_free(b);
    OCSP_RESPONSE_free(r);
}

/* Nobody asks about a signer with nocheck: the CA itself has to stop. */
static void a_revoked_delegate_signs_no_more(void **state)
{
    (void)state;
    struct fixture f;
    struct answer first, second;
    start(&f);
    EVENTUALLY((set(&f, "OCSPValidityMinutes", "60"), with_nonce(&f, 8).certs == 1));
    struct told t = with_nonce(&f, 9);
    serial_of_signer(&t, &first);
    revoke_it(&f, &first, CHY_CRL_REASON_CERTIFICATE_HOLD, CHY_TIME_DEFAULT);
    assert_int_equal(with_nonce(&f, 8).certs, 0); /* nor is it read from its file again */
    f.e.wall_shift = f.e.mono_shift = 61 * CHY_US_PER_S;
    EVENTUALLY((set(&f, "OCSPValidityMinutes", "60"), with_nonce(&f, 8).certs == 1));
    t = with_nonce(&f, 9);
    serial_of_signer(&t, &second);
    assert_memory_not_equal(first.serial, second.serial, sizeof(first.serial));
    end(&f);
}

/* By less than is noticed. */
static void a_clock_set_back_makes_nothing_good(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    revoke_it(&f, &f.cert, CHY_CRL_REASON_KEY_COMPROMISE, CHY_TIME_DEFAULT);
    f.e.wall_shift = -200 * CHY_US_PER_S;
    struct told t = status_of(&f, &f.cert);
    assert_int_equal(t.status, V_OCSP_CERTSTATUS_REVOKED);
    assert_int_equal(t.reason, OCSP_REVOKED_STATUS_KEYCOMPROMISE);
    end(&f);
}

static void a_signer_outside_its_time_signs_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    start(&f);
    set(&f, "OCSPSigner", "\"ca\"");
    set(&f, "OCSPValidityMinutes", "525600");
    const struct told long_ago = status_of(&f, &f.cert);
    struct chy_ca_cert_info info;
    assert_true(chy_ca_cert_info(f.e.ca, -1, &info));
    assert_int_equal(long_ago.next_update, info.not_after);
    f.e.wall_shift = f.e.mono_shift = 31 * 86400 * CHY_US_PER_S;
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_TRYLATER);
    f.e.wall_shift = f.e.mono_shift = -86400 * CHY_US_PER_S;
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_TRYLATER);
    end(&f);
}

/* P17 */
static void a_clock_that_jumped_signs_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    struct answer refused;
    start(&f);
    assert_int_equal(status_of(&f, &f.cert).status, V_OCSP_CERTSTATUS_GOOD);
    f.e.wall_shift = 86400 * CHY_US_PER_S;
    submit_to(f.e.ca, "late.test", "", &refused); /* the engine notices */
    assert_int_not_equal(refused.status, CHY_S_OK);
    answer_free(&refused);
    sleep_ms(1300);
    send_request(&f, request_of(f.issuer, CHY_SPAN(f.cert.serial), EVP_sha1()), &t);
    assert_int_equal(t.response, OCSP_RESPONSE_STATUS_TRYLATER);
    end(&f);
}

/* ---- a change among many questions ---- */
struct asker {
    struct fixture *f;
    const struct answer *cert;
    _Atomic int acknowledged, wrong, over;
};

static void *keep_asking(void *arg)
{
    struct asker *a = arg;
    while (!a->over) {
        bool revoked = a->acknowledged;
        struct told t = status_of(a->f, a->cert);
        if (revoked && t.status != V_OCSP_CERTSTATUS_REVOKED) a->wrong++;
    }
    return NULL;
}

static void nobody_is_told_good_after_the_acknowledgement(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (int i = 0; i < 8; i++) {
        struct answer cert;
        pthread_t thread[3];
        submit_to(f.e.ca, "race.test", "", &cert);
        struct asker a = {.f = &f, .cert = &cert};
        for (size_t k = 0; k < CHY_ARRAY_LEN(thread); k++)
            assert_int_equal(pthread_create(&thread[k], NULL, keep_asking, &a), 0);
        sleep_ms(i);
        revoke_it(&f, &cert, CHY_CRL_REASON_KEY_COMPROMISE, CHY_TIME_DEFAULT);
        a.acknowledged = 1;
        sleep_ms(10);
        a.over = 1;
        for (size_t k = 0; k < CHY_ARRAY_LEN(thread); k++)
            pthread_join(thread[k], NULL);
        assert_int_equal(a.wrong, 0);
        answer_free(&cert);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_issued_is_good),
        cmocka_unit_test(a_change_is_told_at_once),
        cmocka_unit_test(no_reason_is_told_where_there_is_none),
        cmocka_unit_test(a_date_ahead_ends_the_answer),
        cmocka_unit_test(what_was_not_issued_is_never_good),
        cmocka_unit_test(another_key_of_the_ca_did_not_issue_it),
        cmocka_unit_test(several_are_answered_together),
        cmocka_unit_test(an_issuer_of_others_is_not_ours),
        cmocka_unit_test(a_nonce_is_repeated),
        cmocka_unit_test(get_has_what_caches_want),
        cmocka_unit_test(what_is_malformed_is_said_to_be),
        cmocka_unit_test(a_delegate_signs),
        cmocka_unit_test(a_revoked_delegate_signs_no_more),
        cmocka_unit_test(a_clock_set_back_makes_nothing_good),
        cmocka_unit_test(a_signer_outside_its_time_signs_nothing),
        cmocka_unit_test(a_clock_that_jumped_signs_nothing),
        cmocka_unit_test(nobody_is_told_good_after_the_acknowledgement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
