/* The engine as a whole, without a network: issuing, officers, settling, clock, configuration. */
#include "ca/revocation.h"
#include "engine.h"

static void test_issues_what_lint_saw(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    struct chy_err err = {0};
    struct chy_cert *c = malloc(sizeof(*c)), *issuer = malloc(sizeof(*issuer));
    engine_make(&e, "1");
    engine_open(&e);
    submit_to(e.ca, "www.example.test", "", &a);
    assert_int_equal(a.status, CHY_S_OK);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    must(chy_cert_parse(chy_buf_span(&a.cert), c, &err), &err);
    must(chy_cert_parse(chy_ca_cert_der(e.ca), issuer, &err), &err);
    assert_true(chy_span_eq(c->issuer.der, issuer->subject.der));
    assert_memory_equal(c->serial.p, a.serial, 20);
    /* P3, P4: the signed octets themselves pass lint */
    const struct chy_ext *ski = chy_cert_find_ext(issuer, chy_oid_subject_key_id);
    struct chy_lint_issuer li = {.subject = issuer->subject.der,
                                 .not_before = issuer->not_before,
                                 .not_after = issuer->not_after,
                                 .path_len = -1,
                                 .sig_alg = c->sig_alg_der};
    assert_true(chy_ski_parse(ski->value, &li.key_id));
    struct chy_lint_report report;
    chy_lint_tbs(c->tbs, &li, &report);
    assert_int_equal(report.errors, 0);
    struct chy_verifier *v = chy_verifier_new(&err);
    must(chy_verify(v, &issuer->key, c->sig_alg, c->tbs, c->signature, &err), &err);
    chy_verifier_free(v);
    answer_free(&a);
    engine_end(&e);
    free(c);
    free(issuer);
}

static void test_refuses_without_the_right_to_enrol(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    struct chy_buf der;
    engine_make(&e, "1");
    engine_open(&e);
    make_csr("www.example.test", &der);
    struct chy_submission s = {.caller = {"nobody", CHY_CA_ACCESS_READ},
                               .request = chy_buf_span(&der)};
    answer_init(&a);
    chy_ca_submit(e.ca, &s, answered, &a);
    answer_wait(&a);
    assert_int_equal(a.status, CHY_CERTSRV_E_ENROLL_DENIED);
    assert_int_equal(a.id, 0);
    chy_buf_free(&der);
    answer_free(&a);
    engine_end(&e);
}

typedef void (*verb)(struct chy_ca *ca, const struct chy_caller *caller, int32_t id,
                     chy_outcome_cb done, void *arg);

static void run_verb(struct engine *e, verb v, int32_t id, const struct chy_caller *who,
                     struct answer *a)
{
    answer_init(a);
    v(e->ca, who, id, answered, a);
    answer_wait(a);
}

static void test_officers_verbs_obey_the_states(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, b;
    const struct chy_caller manager = {"manager", CHY_CA_ACCESS_OFFICER};
    const struct chy_caller reader = {"reader", CHY_CA_ACCESS_READ};
    engine_make(&e, "257");
    engine_open(&e);
    submit_to(e.ca, "www.example.test", "", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_PENDING);
    run_verb(&e, chy_ca_resubmit, a.id, &reader, &b);
    assert_int_equal(b.status, CHY_E_ACCESSDENIED);
    answer_free(&b);
    run_verb(&e, chy_ca_deny, a.id, &manager, &b);
    assert_int_equal(b.disposition, CHY_DB_DISP_DENIED);
    assert_int_equal(b.request_status, CHY_CERTSRV_E_ADMIN_DENIED_REQUEST);
    assert_string_equal(b.message, "Denied by manager");
    answer_free(&b);
    run_verb(&e, chy_ca_deny, a.id, &manager, &b); /* pending only */
    assert_int_equal(b.status, CHY_CERTSRV_E_BAD_REQUESTSTATUS);
    answer_free(&b);
    run_verb(&e, chy_ca_resubmit, a.id, &manager, &b); /* denied: an administrator only */
    assert_int_equal(b.status, CHY_CERTSRV_E_BAD_REQUESTSTATUS);
    answer_free(&b);
    run_verb(&e, chy_ca_resubmit, a.id, &officer, &b);
    assert_int_equal(b.disposition, CHY_DB_DISP_ISSUED);
    answer_free(&b);
    run_verb(&e, chy_ca_resubmit, a.id, &officer, &b); /* issued is final */
    assert_int_equal(b.status, CHY_CERTSRV_E_BAD_REQUESTSTATUS);
    answer_free(&b);
    run_verb(&e, chy_ca_resubmit, 4711, &officer, &b);
    assert_int_equal(b.status, CHY_CERTSRV_E_PROPERTY_EMPTY);
    answer_free(&b);
    answer_free(&a);
    engine_end(&e);
}

/* P4: whoever asks for it, octets that lint refuses meet no key. */
static void test_a_lint_error_stops_the_signature(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, b;
    uint8_t no_policies[] = {0x05, 0x00};
    chy_variant value = {.vt = CHY_VT_BYTES, .u.b = {no_policies, sizeof(no_policies)}};
    struct chy_ca_counters counters;
    engine_make(&e, "257");
    engine_open(&e);
    submit_to(e.ca, "www.example.test", "", &a);
    answer_init(&b);
    chy_ca_set_extension(e.ca, &officer, a.id, "2.5.29.32", CHY_PROPTYPE_BINARY, 0, &value,
                         answered, &b);
    answer_wait(&b);
    assert_int_equal(b.status, CHY_S_OK);
    answer_free(&b);
    run_verb(&e, chy_ca_resubmit, a.id, &officer, &b);
    assert_int_equal(b.disposition, CHY_DB_DISP_ERROR);
    assert_non_null(strstr(b.message, "lint "));
    assert_int_equal(b.cert.n, 0);
    chy_ca_counters(e.ca, &counters);
    assert_int_equal(counters.lint_errors, 1);
    answer_free(&b);
    answer_free(&a);
    engine_end(&e);
}

/* P17 */
static void test_a_clock_that_jumped_is_noticed_before_it_signs(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    struct chy_ca_health h;
    engine_make(&e, "1");
    engine_open(&e);
    submit_to(e.ca, "a.example.test", "", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    answer_free(&a);
    e.wall_shift = INT64_C(3600) * CHY_US_PER_S;
    submit_to(e.ca, "b.example.test", "", &a);
    assert_int_equal(a.status, CHY_CERTSRV_E_SERVER_SUSPENDED);
    assert_non_null(strstr(a.text, "clock"));
    answer_free(&a);
    chy_ca_health(e.ca, &h);
    assert_int_equal(h.trouble, CHY_TROUBLE_CLOCK);
    e.wall_shift = 0;
    submit_to(e.ca, "c.example.test", "", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    answer_free(&a);
    e.wall_shift = e.mono_shift = INT64_C(3600) * CHY_US_PER_S; /* time passed: no jump */
    submit_to(e.ca, "d.example.test", "", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    answer_free(&a);
    engine_shut(&e);
    e.wall_shift = e.mono_shift = 0; /* an hour before the newest row, found at the start */
    engine_open(&e);
    submit_to(e.ca, "e.example.test", "", &a);
    assert_int_equal(a.status, CHY_CERTSRV_E_SERVER_SUSPENDED);
    answer_free(&a);
    engine_end(&e);
}

/* A stop between intent and certificate: the intent is finished, octet for octet. */
static void test_an_intent_left_behind_is_finished_as_it_was_meant(void **state)
{
    (void)state;
    struct engine e;
    struct answer a, b;
    struct chy_err err = {0};
    struct chy_row row;
    struct chy_arena arena;
    struct chy_cert *c = malloc(sizeof(*c));
    struct chy_store *store = NULL;
    uint8_t serial[20], tbs[4096];
    engine_make(&e, "1");
    engine_open(&e);
    submit_to(e.ca, "www.example.test", "", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    must(chy_cert_parse(chy_buf_span(&a.cert), c, &err), &err);
    chy_arena_init(&arena, 1 << 20);
    must(chy_ca_request(e.ca, &officer, a.id, &arena, &row, &err), &err);
    engine_shut(&e);
    /* the same to-be-signed certificate under another serial, as if the daemon had died before
     * signing */
    assert_in_range(c->tbs.n, 1, sizeof(tbs));
    memcpy(tbs, c->tbs.p, c->tbs.n);
    size_t at = (size_t)(c->serial.p - c->tbs.p);
    tbs[at + 19] ^= 0x55;
    memcpy(serial, tbs + at, 20);
    row.id = a.id + 100;
    row.disposition = CHY_DB_DISP_ACTIVE;
    row.serial = CHY_SPAN(serial);
    row.raw_certificate = (struct chy_span){0};
    struct chy_write w = {.kind = CHY_WRITE_INTENT,
                          .row = &row,
                          .tbs = chy_span_of(tbs, c->tbs.n),
                          .when = chy_now(&e.clock)};
    must(chy_store_open_sqlite(e.dir, 1024, &store, &err), &err);
    must(chy_store_write_wait(store, &w, &err), &err);
    chy_store_close(store);
    struct chy_row done;
    e.wall_shift = INT64_C(-3600) * CHY_US_PER_S; /* nothing is signed, and nothing given up */
    engine_open(&e);
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    must(chy_ca_request(e.ca, &officer, a.id + 100, &arena, &done, &err), &err);
    assert_int_equal(done.disposition, CHY_DB_DISP_ACTIVE);
    engine_shut(&e);
    engine_open(&e);
    must(chy_ca_request(e.ca, &officer, a.id + 100, &arena, &done, &err), &err);
    assert_int_equal(done.disposition, CHY_DB_DISP_ACTIVE);
    e.wall_shift = 0;
    for (int i = 0; i < 400; i++) {
        must(chy_ca_request(e.ca, &officer, a.id + 100, &arena, &done, &err), &err);
        if (done.disposition != CHY_DB_DISP_ACTIVE) break;
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    assert_int_equal(done.disposition, CHY_DB_DISP_ISSUED);
    struct chy_cert *again = malloc(sizeof(*again));
    must(chy_cert_parse(done.raw_certificate, again, &err), &err);
    assert_int_equal(again->tbs.n, c->tbs.n);
    assert_memory_equal(again->tbs.p, tbs, c->tbs.n);
    submit_to(e.ca, "next.example.test", "", &b);
    assert_true(b.id > a.id + 100); /* ids are not reused */
    answer_free(&b);
    answer_free(&a);
    chy_arena_free(&arena);
    engine_end(&e);
    free(c);
    free(again);
}

static void test_rsa_pss_signatures_are_selectable(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    struct chy_err err = {0};
    struct chy_cert *c = malloc(sizeof(*c));
    engine_make(&e, "1");
    char dir[160];
    snprintf(dir, sizeof(dir), "%s/pss", e.base);
    struct chy_ca_init init = {
        .dir = dir,
        .common_name = "PSS CA",
        .key_alg = "rsa2048",
        .sig_alg = "rsa-pss-sha384",
        .days = 30,
        .path_len = -1,
        .clock = &e.clock,
        .setting = {{"SignatureAlgorithm", "\"rsa-pss-sha256\""},
                    {"PolicyModules/policy-default/RequestDisposition", "1"}}};
    must(chy_ca_create(&init, &err), &err);
    snprintf(e.dir, sizeof(e.dir), "%s", dir);
    engine_open(&e);
    submit_to(e.ca, "www.example.test", "CertificateTemplate:tls-server", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    must(chy_cert_parse(chy_buf_span(&a.cert), c, &err), &err);
    assert_string_equal(c->sig_alg->name, "rsa-pss-sha256");
    must(chy_cert_parse(chy_ca_cert_der(e.ca), c, &err), &err);
    assert_string_equal(c->sig_alg->name, "rsa-pss-sha384");
    answer_free(&a);
    engine_end(&e);
    free(c);
}

static void test_several_cas_share_the_workers(void **state)
{
    (void)state;
    struct engine e[3];
    struct answer a;
    engine_make(&e[0], "1");
    engine_open(&e[0]);
    for (int i = 1; i < 3; i++) {
        engine_make(&e[i], "1");
        chy_workers_free(e[i].workers);
        e[i].workers = e[0].workers;
        engine_open(&e[i]);
    }
    for (int i = 0; i < 9; i++) {
        submit_to(e[i % 3].ca, "www.example.test", "", &a);
        assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
        assert_int_equal(a.id, i / 3 + 1);
        answer_free(&a);
    }
    for (int i = 1; i < 3; i++) {
        engine_shut(&e[i]);
        chy_dir_remove(e[i].base);
    }
    engine_end(&e[0]);
}

static void test_settings_are_checked_and_count_at_once(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    struct chy_err err = {0};
    struct chy_cert *c = malloc(sizeof(*c));
    engine_make(&e, "1");
    engine_open(&e);
    assert_int_equal(chy_ca_config_set(e.ca, &officer, "ValidityPeriodUnits", "0", &err),
                     CHY_E_INVALIDARG);
    chy_err_clear(&err);
    assert_int_equal(chy_ca_config_set(e.ca, &officer, "NoSuchThing", "1", &err),
                     CHY_ERROR_FILE_NOT_FOUND);
    chy_err_clear(&err);
    assert_int_equal(chy_ca_config_set(e.ca, &officer, "SubjectTemplate", "[\"Nonsense\"]", &err),
                     CHY_E_INVALIDARG);
    chy_err_clear(&err);
    assert_true(CHY_FAILED(
        chy_ca_config_set(e.ca, &officer, "SignatureAlgorithm", "\"rsa-sha256\"", &err)));
    chy_err_clear(&err);
    const struct chy_caller reader = {"reader", CHY_CA_ACCESS_READ};
    assert_int_equal(chy_ca_config_set(e.ca, &reader, "ClockSkewMinutes", "1", &err),
                     CHY_E_ACCESSDENIED);
    chy_err_clear(&err);
    must(chy_ca_config_set(e.ca, &officer, "ValidityPeriod", "\"Days\"", &err), &err);
    must(chy_ca_config_set(e.ca, &officer, "ValidityPeriodUnits", "2", &err), &err);
    must(
        chy_ca_config_set(e.ca, &officer, "CRLPublicationURLs", "[\"http://%1/crl/%3.crl\"]", &err),
        &err);
    submit_to(e.ca, "www.example.test", "", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    must(chy_cert_parse(chy_buf_span(&a.cert), c, &err), &err);
    assert_int_equal((c->not_after - c->not_before) / CHY_US_PER_S, 2 * 86400 - 1); /* P5 */
    assert_non_null(chy_cert_find_ext(c, chy_oid_crl_distribution_points));
    assert_non_null(strstr(a.message, "ca-configuration"));
    answer_free(&a);
    engine_end(&e);
    free(c);
}

static void test_a_blocked_key_fails(void **state)
{
    (void)state;
    struct engine e;
    struct answer a;
    struct chy_buf der;
    struct chy_err err = {0};
    struct chy_csr *csr = malloc(sizeof(*csr));
    uint8_t hash[32];
    char hex[65], json[80];
    engine_make(&e, "1");
    engine_open(&e);
    make_csr("www.example.test", &der);
    must(chy_csr_parse(chy_buf_span(&der), csr, &err), &err);
    struct chy_verifier *v = chy_verifier_new(&err);
    must(chy_verifier_sha256(v, csr->key.der, hash, &err), &err);
    chy_verifier_free(v);
    chy_hex_cstr(hex, CHY_SPAN(hash));
    snprintf(json, sizeof(json), "[\"%s\"]", hex);
    must(chy_ca_config_set(e.ca, &officer, "KeyBlocklist", json, &err), &err);
    struct chy_submission s = {.caller = officer, .request = chy_buf_span(&der)};
    answer_init(&a);
    chy_ca_submit(e.ca, &s, answered, &a);
    answer_wait(&a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ERROR);
    assert_int_equal(a.request_status, CHY_CERTSRV_E_WEAK_SIGNATURE_OR_KEY);
    answer_free(&a);
    chy_buf_free(&der);
    engine_end(&e);
    free(csr);
}

static void test_ca_properties_by_number(void **state)
{
    (void)state;
    struct engine e;
    struct chy_err err = {0};
    chy_variant v = {0};
    engine_make(&e, "1");
    engine_open(&e);
    must(chy_ca_property(e.ca, CHY_CR_PROP_CANAME, 0, CHY_PROPTYPE_STRING, &v, &err), &err);
    assert_string_equal(v.u.s.p, "Test CA");
    chy_variant_clear(&v);
    must(chy_ca_property(e.ca, CHY_CR_PROP_CASIGCERT, -1, CHY_PROPTYPE_BINARY, &v, &err), &err);
    assert_int_equal(v.u.b.n, chy_ca_cert_der(e.ca).n);
    chy_variant_clear(&v);
    must(chy_ca_property(e.ca, CHY_CR_PROP_CATYPE, 0, CHY_PROPTYPE_LONG, &v, &err), &err);
    assert_int_equal(v.u.l, CHY_ENUM_STANDALONE_ROOTCA);
    assert_int_equal(chy_ca_property(e.ca, CHY_CR_PROP_CANAME, 0, CHY_PROPTYPE_LONG, &v, &err),
                     CHY_E_INVALIDARG);
    assert_int_equal(chy_ca_property(e.ca, CHY_CR_PROP_CANAME, 1, CHY_PROPTYPE_STRING, &v, &err),
                     CHY_E_INVALIDARG);
    assert_int_equal(chy_ca_property(e.ca, 4711, 0, CHY_PROPTYPE_STRING, &v, &err),
                     CHY_E_INVALIDARG);
    assert_true(chy_ca_name_matches(e.ca, "test ca"));
    assert_string_equal(chy_ca_config_string(e.ca), "host\\Test CA");
    engine_end(&e);
}

static void test_a_sub_ca_chains_to_its_parent(void **state)
{
    (void)state;
    struct engine root;
    struct answer a;
    struct chy_err err = {0};
    struct chy_cert *c = malloc(sizeof(*c));
    engine_make(&root, "1");
    char dir[160];
    snprintf(dir, sizeof(dir), "%s/sub", root.base);
    struct chy_ca_init init = {
        .dir = dir,
        .common_name = "Sub CA",
        .days = 3650,
        .path_len = 0,
        .clock = &root.clock,
        .parent_dir = root.dir,
        .setting = {{"PolicyModules/policy-default/RequestDisposition", "1"}}};
    must(chy_ca_create(&init, &err), &err);
    chy_hresult again = chy_ca_create(&init, &err);
    assert_int_equal(again, CHY_ERROR_ALREADY_EXISTS);
    struct engine sub = root;
    sub.clock.arg = &sub;
    snprintf(sub.dir, sizeof(sub.dir), "%s", dir);
    engine_open(&sub);
    must(chy_cert_parse(chy_ca_cert_der(sub.ca), c, &err), &err);
    assert_false(chy_span_eq(c->issuer.der, c->subject.der));
    submit_to(sub.ca, "www.example.test", "CertificateTemplate:tls-server", &a);
    assert_int_equal(a.disposition, CHY_DB_DISP_ISSUED);
    answer_free(&a);
    uint8_t serial[20];
    assert_int_equal(c->serial.n, sizeof(serial));
    memcpy(serial, c->serial.p, sizeof(serial));
    chy_ca_close(sub.ca);
    /* The root knows what it signed: it can be revoked like any other. */
    struct chy_row row;
    struct chy_arena arena;
    chy_arena_init(&arena, 1 << 20);
    engine_open(&root);
    must(chy_ca_certificate(root.ca, &officer, CHY_SPAN(serial), &arena, &row, &err), &err);
    assert_int_equal(row.disposition, CHY_DB_DISP_ISSUED);
    const struct chy_revoke what = {CHY_CRL_REASON_CA_COMPROMISE, CHY_TIME_DEFAULT,
                                    CHY_TIME_DEFAULT};
    answer_init(&a);
    chy_ca_revoke(root.ca, &officer, CHY_SPAN(serial), &what, answered, &a);
    answer_wait(&a);
    must(a.status, &err);
    answer_free(&a);
    chy_arena_free(&arena);
    engine_end(&root);
    free(c);
}

int main(void)
{
    chy_log_setup(CHY_LOG_LEVEL_ERROR, CHY_LOG_FORMAT_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issues_what_lint_saw),
        cmocka_unit_test(test_a_lint_error_stops_the_signature),
        cmocka_unit_test(test_refuses_without_the_right_to_enrol),
        cmocka_unit_test(test_officers_verbs_obey_the_states),
        cmocka_unit_test(test_a_clock_that_jumped_is_noticed_before_it_signs),
        cmocka_unit_test(test_an_intent_left_behind_is_finished_as_it_was_meant),
        cmocka_unit_test(test_rsa_pss_signatures_are_selectable),
        cmocka_unit_test(test_several_cas_share_the_workers),
        cmocka_unit_test(test_settings_are_checked_and_count_at_once),
        cmocka_unit_test(test_a_blocked_key_fails),
        cmocka_unit_test(test_ca_properties_by_number),
        cmocka_unit_test(test_a_sub_ca_chains_to_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
