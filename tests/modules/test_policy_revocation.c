/* The default policy: certificates that are over before anybody could revoke them (RFC 9608), and
 * the signer of OCSP answers. */
#include "host.h"

#define OID_CDP "2.5.29.31"
#define OID_FRESHEST "2.5.29.46"
#define OID_AIA "1.3.6.1.5.5.7.1.1"
#define OID_NRA "2.5.29.56"
#define OID_NOCHECK "1.3.6.1.5.5.7.48.1.5"
#define SERVER CHY_EXTENSION_ORIGIN_SERVER
#define ADMIN CHY_EXTENSION_ORIGIN_ADMIN

#define CDP "300e300ca00aa0088606687474703a2f"
#define OCSP "301206082b060105050730018606687474703a2f"
#define ISSUER "301206082b060105050730028606687474703a2f"
#define REPOSITORY "301206082b060105050730058606687474703a2f"

static struct fake_request *rq;

static int reset(void **state)
{
    (void)state;
    fake_reset();
    rq = &fake.request[0];
    fake_attribute(rq, "CertificateTemplate", "tls-short-lived");
    fake_cn(rq, "a.test");
    fake_set_ext_hex(rq, OID_CDP, SERVER, CDP);
    fake_set_ext_hex(rq, OID_FRESHEST, SERVER, CDP);
    fake_set_ext_hex(rq, OID_AIA, SERVER, "3028" OCSP ISSUER);
    return 0;
}

#define issued() assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK)
#define issued_again() assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK)

static void has_everything(void)
{
    assert_string_equal(fake_hex(rq, OID_NRA), "");
    assert_string_equal(fake_hex(rq, OID_CDP), CDP);
    assert_string_equal(fake_hex(rq, OID_FRESHEST), CDP);
    assert_string_equal(fake_hex(rq, OID_AIA), "3028" OCSP ISSUER);
}

static void has_nothing_but_the_issuer(void)
{
    assert_string_equal(fake_hex(rq, OID_CDP), "");
    assert_string_equal(fake_hex(rq, OID_FRESHEST), "");
    assert_string_equal(fake_hex(rq, OID_AIA), "3014" ISSUER);
}

static void none_says_so_and_takes_out_the_rest(void **state)
{
    (void)state;
    issued();
    assert_string_equal(fake_hex(rq, OID_NRA), "0500");
    assert_int_equal(fake_ext(rq, OID_NRA)->flags & CHY_EXTENSION_CRITICAL_FLAG, 0);
    has_nothing_but_the_issuer();
    assert_string_equal(rq->message, "");
    reset(NULL);
    fake_set_text("Profiles/tls-short-lived/Revocation", "Default");
    issued();
    has_everything();
}

static void a_certificate_of_which_the_server_says_nothing(void **state)
{
    (void)state;
    rq->n_ext = 0;
    issued();
    assert_string_equal(fake_hex(rq, OID_NRA), "0500");
    assert_null(fake_ext(rq, OID_CDP));
    assert_null(fake_ext(rq, OID_AIA));
}

static void authority_information_access(void **state)
{
    (void)state;
    static const char *const t[][2] = {{"3014" ISSUER, "3014" ISSUER},
                                       {"3014" OCSP, ""},
                                       {"3028" OCSP OCSP, ""},
                                       {"303c" ISSUER OCSP REPOSITORY, "3028" ISSUER REPOSITORY},
                                       /* what is no list of accesses says nothing that is known */
                                       {"3014" ISSUER "00", ""},
                                       {"0400", ""},
                                       {"3002" OCSP, ""},
                                       {"30020500", ""},
                                       {"300430020500", ""},
                                       {"30023000", ""}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        reset(NULL);
        fake_set_ext_hex(rq, OID_AIA, SERVER, t[i][0]);
        issued();
        if (strcmp(fake_hex(rq, OID_AIA), t[i][1]) != 0)
            fail_msg("case %zu: %s", i, fake_hex(rq, OID_AIA));
    }
    uint8_t big[4400] = {0x30, 0x82, 0x11, 0x2c, 0x30, 0x82, 0x11, 0x0f, 0x06, 8,    0x2b,
                         6,    1,    5,    5,    7,    0x30, 2,    0x86, 0x82, 0x11, 0x01};
    static const uint8_t ocsp[] = {0x30, 0x14 + 3, 0x06, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 0x86};
    memcpy(big + 8 + 0x110f, ocsp, sizeof ocsp);
    big[8 + 0x110f + sizeof ocsp] = 11;
    fake_set_ext(rq, OID_AIA, SERVER, big, sizeof big);
    assert_int_equal(fake_verify(SUBMITTED), CHY_E_INVALIDARG);
    assert_non_null(strstr(rq->message, "1.3.6.1.5.5.7.1.1 is too long"));
}

static void lasts(int64_t seconds, const char *message)
{
    chy_time start = rq->not_before;
    issued();
    assert_true(rq->not_after == start + (seconds - 1) * 1000000);
    if (strcmp(rq->message, message) != 0) fail_msg("%s", rq->message);
}

static void the_bound_of_the_lifetime(void **state)
{
    (void)state;
    static const struct {
        chy_long days, hours;
        const char *count;
        int64_t seconds;
    } t[] = {{6, 0, NULL, 6 * 86400},    {7, 0, NULL, 7 * 86400}, {8, 0, NULL, 7 * 86400},
             {0, 0, NULL, 7 * 86400},    {90, 24, NULL, 86400},   {90, 24, "30", 86400},
             {6, 8760, NULL, 6 * 86400}, {90, 0, "3", 3 * 86400}, {6, 1, NULL, 3600}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char message[100] = "";
        reset(NULL);
        chy_long hours = t[i].hours ? t[i].hours : 168;
        bool cut = t[i].seconds == hours * 3600 && t[i].days != 7;
        if (t[i].hours) fake_set_long("MaxHoursWithoutRevocation", t[i].hours);
        fake_set_long("Profiles/tls-short-lived/ValidityDays", t[i].days);
        fake_attribute(rq, "ValidityPeriod", t[i].count ? "Days" : NULL);
        fake_attribute(rq, "ValidityPeriodUnits", t[i].count);
        if (cut)
            snprintf(message, sizeof message,
                     "the validity ends by MaxHoursWithoutRevocation (%d hours)", (int)hours);
        lasts(t[i].seconds, message);
    }
    reset(NULL);
    fake_set_long("MaxHoursWithoutRevocation", 1);
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    lasts(90 * 86400, "");
}

static void a_request_cannot_say_it(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    fake_set_ext_hex(rq, OID_NRA, FROM_REQUEST, "0500");
    issued();
    has_everything();
    fake_set_list("Profiles/tls-server/RequestExtensions", OID_NRA);
    issued();
    has_everything();
    fake_attribute(rq, "CertificateTemplate", NULL);
    fake_set_long("EditFlags", CHY_EDITF_ENABLEREQUESTEXTENSIONS);
    issued();
    has_everything();
}

static void a_request_cannot_bring_what_is_taken_out(void **state)
{
    (void)state;
    fake_set_list("Profiles/tls-short-lived/RequestExtensions", OID_CDP "," OID_AIA);
    fake_set_ext_hex(rq, OID_CDP, FROM_REQUEST, CDP);
    fake_set_ext_hex(rq, OID_AIA, FROM_REQUEST, "3028" OCSP ISSUER);
    issued();
    has_nothing_but_the_issuer();
    /* and what was taken from the request is not given back as if it were the server's */
    fake_attribute(rq, "CertificateTemplate", "tls-client");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_CERTSRV_E_BAD_REQUESTSTATUS);
    fake_set_ext_hex(rq, OID_AIA, SERVER, "3014" ISSUER);
    issued_again();
    assert_string_equal(fake_hex(rq, OID_CDP), "");
}

/* While it waits everything stays, so that any profile can decide at the end. */
static void another_profile_keeps_nothing_of_it(void **state)
{
    (void)state;
    fake_set_long("RequestDisposition", CHY_REQDISP_DEFAULT_STANDALONE);
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_PENDING);
    assert_string_equal(fake_hex(rq, OID_NRA), "0500");
    assert_string_equal(fake_hex(rq, OID_CDP), CDP);
    struct fake_request waiting = *rq;
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    issued_again();
    has_everything();
    *rq = waiting;
    issued_again();
    assert_string_equal(fake_hex(rq, OID_NRA), "0500");
    has_nothing_but_the_issuer();
    *rq = waiting;
    fake_attribute(rq, "CertificateTemplate", NULL);
    fake_set_long("EditFlags", CHY_EDITF_REQUESTEXTENSIONLIST);
    issued_again();
    has_everything();
}

/* The other way round: what waited as a web server's is issued as short-lived. */
static void another_profile_takes_out_at_last(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    issued();
    has_everything();
    fake_attribute(rq, "CertificateTemplate", "tls-short-lived");
    issued_again();
    assert_string_equal(fake_hex(rq, OID_NRA), "0500");
    has_nothing_but_the_issuer();
}

/* An approved request whose certificate could not be made is looked at again. */
static void after_a_failure_behind_the_policy(void **state)
{
    (void)state;
    issued();
    issued_again();
    assert_string_equal(fake_hex(rq, OID_NRA), "0500");
    has_nothing_but_the_issuer();
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_CERTSRV_E_BAD_REQUESTSTATUS);
    assert_non_null(strstr(rq->message, "has to be submitted anew"));
    reset(NULL);
    fake_set_ext_hex(rq, OID_AIA, SERVER, "3014" OCSP);
    issued();
    assert_string_equal(fake_hex(rq, OID_AIA), "");
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    issued_again();
    assert_string_equal(fake_hex(rq, OID_NRA), "");
    assert_string_equal(fake_hex(rq, OID_CDP), CDP);
    assert_string_equal(fake_hex(rq, OID_FRESHEST), CDP);
    assert_string_equal(fake_hex(rq, OID_AIA), "3014" OCSP);
    fake_attribute(rq, "CertificateTemplate", "tls-short-lived");
    issued_again();
    assert_string_equal(fake_hex(rq, OID_CDP), "");
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    issued_again();
    assert_string_equal(fake_hex(rq, OID_CDP), CDP);
}

static void what_an_administrator_set_stays(void **state)
{
    (void)state;
    fake_set_ext_hex(rq, OID_CDP, ADMIN, CDP);
    fake_set_ext_hex(rq, OID_AIA, ADMIN, "3014" OCSP);
    fake_set_ext_hex(rq, OID_NRA, ADMIN | CHY_EXTENSION_DISABLE_FLAG, "0500");
    issued_again();
    assert_string_equal(fake_hex(rq, OID_NRA), "");
    assert_string_equal(fake_hex(rq, OID_CDP), CDP);
    assert_string_equal(fake_hex(rq, OID_AIA), "3014" OCSP);
}

static void an_administrators_ca_is_refused(void **state)
{
    (void)state;
    fake_set_ext_hex(rq, OID_BC, ADMIN | CHY_EXTENSION_CRITICAL_FLAG, "30030101ff");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE);
    assert_non_null(strstr(rq->message, "Revocation none of profile tls-short-lived"));
    fake_set_ext_hex(rq, OID_BC, ADMIN | CHY_EXTENSION_DISABLE_FLAG, "30030101ff");
    issued_again();
    fake_set_ext_hex(rq, OID_BC, ADMIN, "3000");
    issued_again();
}

static void failing_callbacks_deny(void **state)
{
    (void)state;
    static const char *const t[] = {OID_CDP, OID_FRESHEST, OID_AIA, OID_BC};
    fake.fail_code = CHY_E_ACCESSDENIED;
    for (size_t i = 0; i < 4; i++) {
        fake.fails = t[i];
        assert_int_equal(fake_verify(SUBMITTED), CHY_E_ACCESSDENIED);
        assert_int_equal(fake_verify(RESUBMITTED), CHY_E_ACCESSDENIED);
    }
}

/* What the CA asks for when it needs a signer of its own OCSP answers. */
static void the_ocsp_signer(void **state)
{
    (void)state;
    static const chy_long dispositions[] = {CHY_REQDISP_DEFAULT_STANDALONE, CHY_REQDISP_ISSUE};
    for (size_t i = 0; i < 2; i++) {
        reset(NULL);
        fake_set_long("RequestDisposition", dispositions[i]);
        fake_attribute(rq, "CertificateTemplate", "ocsp-signing");
        fake_curve(rq, "06082a8648ce3d030107");
        fake_cn(rq, "Test CA OCSP");
        fake_property(rq, "Organization", "Example", 7);
        fake_property(rq, "OrgUnit", "Unit", 4);
        fake_property(rq, "RequesterName", "chancery", 8);
        chy_time start = rq->not_before;
        assert_int_equal(fake_verify(SUBMITTED), CHY_VR_PENDING);
        rq->may_enrol = 0; /* who approves need not be one who may enrol */
        issued_again();
        assert_string_equal(fake_text(rq, "CertificateTemplate"), "ocsp-signing");
        assert_string_equal(fake_text(rq, "CommonName"), "Test CA OCSP");
        assert_string_equal(fake_text(rq, "Organization"), "Example");
        assert_null(fake_text(rq, "OrgUnit"));
        assert_true(rq->not_after == start + 14 * FAKE_DAY - 1000000);
        assert_string_equal(fake_hex(rq, OID_EKU), "300a06082b06010505070309");
        assert_string_equal(fake_hex(rq, OID_KU), "03020780");
        assert_int_equal(fake_ext(rq, OID_KU)->flags & CHY_EXTENSION_CRITICAL_FLAG, 1);
        assert_string_equal(fake_hex(rq, OID_NOCHECK), "0500");
        assert_int_equal(fake_ext(rq, OID_NOCHECK)->flags & CHY_EXTENSION_CRITICAL_FLAG, 0);
        assert_string_equal(fake_hex(rq, OID_NRA), "");
        assert_null(fake_ext(rq, OID_SAN));
        has_nothing_but_the_issuer();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(none_says_so_and_takes_out_the_rest, reset),
        cmocka_unit_test_setup(a_certificate_of_which_the_server_says_nothing, reset),
        cmocka_unit_test_setup(authority_information_access, reset),
        cmocka_unit_test_setup(the_bound_of_the_lifetime, reset),
        cmocka_unit_test_setup(a_request_cannot_say_it, reset),
        cmocka_unit_test_setup(a_request_cannot_bring_what_is_taken_out, reset),
        cmocka_unit_test_setup(another_profile_keeps_nothing_of_it, reset),
        cmocka_unit_test_setup(another_profile_takes_out_at_last, reset),
        cmocka_unit_test_setup(after_a_failure_behind_the_policy, reset),
        cmocka_unit_test_setup(what_an_administrator_set_stays, reset),
        cmocka_unit_test_setup(an_administrators_ca_is_refused, reset),
        cmocka_unit_test_setup(failing_callbacks_deny, reset),
        cmocka_unit_test_setup(the_ocsp_signer, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
