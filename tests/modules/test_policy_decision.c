/* The default policy: dispositions, resubmission and what an administrator set, and AD CS's
 * stand-alone way without a profile. */
#include "host.h"

static struct fake_request *rq;

static int reset(void **state)
{
    (void)state;
    fake_reset();
    rq = &fake.request[0];
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    fake_cn(rq, "a.test");
    return 0;
}

#define ADMIN CHY_EXTENSION_ORIGIN_ADMIN

static void dispositions(void **state)
{
    (void)state;
    static const struct {
        chy_long setting;
        const char *attribute;
        chy_long pending_profile, first, again;
    } t[] = {{0x000, NULL, 0, 0, 0},      {0x001, NULL, 0, 1, 1},    {0x002, NULL, 0, 2, 2},
             {0x003, NULL, 0, 1, 1},      {0x003, "deny", 0, 2, 2},  {0x003, "Pending", 0, 0, 0},
             {0x003, "Issue", 0, 1, 1},   {0x001, "Deny", 0, 1, 1},  {0x100, NULL, 0, 0, 0},
             {0x101, NULL, 0, 0, 1},      {0x102, NULL, 0, 0, 2},    {0x103, "Deny", 0, 0, 2},
             {0x103, "Pending", 0, 0, 0}, {0x001, NULL, 1, 0, 1},    {0x002, NULL, 1, 2, 2},
             {0x003, "Deny", 1, 2, 2},    {0x003, "Issue", 1, 0, 1}, {0x000, NULL, 1, 0, 0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        reset(NULL);
        fake_set_long("RequestDisposition", t[i].setting);
        fake_set_long("Profiles/tls-server/Pending", t[i].pending_profile);
        fake_attribute(rq, "Disposition", t[i].attribute);
        chy_long first = fake_verify(SUBMITTED), again = fake_verify(RESUBMITTED);
        if (first != t[i].first || again != t[i].again)
            fail_msg("case %zu: %d then %d", i, (int)first, (int)again);
    }
    reset(NULL);
    fake_unset("RequestDisposition");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_PENDING);
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    fake_set_long("RequestDisposition", 3);
    fake.fails = "Disposition";
    fake.fail_code = CHY_E_UNEXPECTED;
    assert_int_equal(fake_verify(SUBMITTED), CHY_E_UNEXPECTED);
}

static void an_administrators_san_wins(void **state)
{
    (void)state;
    fake_set_list("Profiles/tls-server/SanNames", "*.corp.example");
    fake_cn(rq, "x.corp.example");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    fake_san(rq, ADMIN, "dns:outside.test rid:x");
    struct fake_ext before = *fake_ext(rq, OID_SAN);
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_memory_equal(fake_ext(rq, OID_SAN), &before, sizeof before);

    fake_set_long("EditFlags", CHY_EDITF_ATTRIBUTESUBJECTALTNAME2);
    fake_attribute(rq, "SAN", "dns=evil.test");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_memory_equal(fake_ext(rq, OID_SAN), &before, sizeof before);

    fake_set_text("Profiles/tls-server/SubjectFrom", "cn-from-san");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_text(rq, "CommonName"), "outside.test");

    fake_san(rq, ADMIN | CHY_EXTENSION_DISABLE_FLAG, "dns:outside.test");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_SAN), "");
    assert_null(fake_text(rq, "CommonName"));
}

/* A new request cannot come with that origin; if it did, it would be looked at like any other. */
static void admin_origin_means_nothing_on_a_new_request(void **state)
{
    (void)state;
    fake_set_list("Profiles/tls-server/SanNames", "a.test");
    fake_san(rq, ADMIN, "dns:evil.test dns:a.test");
    assert_int_equal(fake_verify(SUBMITTED), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
}

static void the_policys_own_san_is_checked_again(void **state)
{
    (void)state;
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    fake_set_list("Profiles/tls-server/SanNames", "*.corp.example");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
}

static void an_administrators_extensions_win(void **state)
{
    (void)state;
    fake_verify(SUBMITTED);
    fake_set_ext_hex(rq, OID_KU, ADMIN, "03020780");
    fake_set_ext_hex(rq, OID_EKU, ADMIN | 1, "300a06082b06010505070303");
    fake_set_ext_hex(rq, OID_BC, ADMIN | 1, "30030101ff");
    fake_set_ext_hex(rq, "1.2.3.4", ADMIN, "0500");
    fake_set_long("Profiles/tls-server/EkuFromRequest", 1);
    fake_attribute(rq, "CertificateUsage", "1.2.3");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_KU), "03020780");
    assert_int_equal(fake_ext(rq, OID_KU)->flags, ADMIN);
    assert_string_equal(fake_hex(rq, OID_EKU), "300a06082b06010505070303");
    assert_int_equal(fake_ext(rq, OID_EKU)->flags, ADMIN | 1);
    assert_string_equal(fake_hex(rq, OID_BC), "30030101ff");
    assert_string_equal(fake_hex(rq, "1.2.3.4"), "0500");
}

/* A request that waited as sub-ca and is resubmitted as tls-server keeps nothing of the CA. */
static void another_profile_keeps_nothing_of_the_first(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "sub-ca");
    fake_set_list("Profiles/sub-ca/RequestExtensions", "1.3.6.1.5.5.7.1.24,2.5.29.30");
    fake_set_list("Profiles/tls-server/RequestExtensions", "1.3.6.1.5.5.7.1.24");
    fake_set_list("Profiles/sub-ca/CertificatePolicies", "1.2.3.4");
    fake_set_ext_hex(rq, "1.3.6.1.5.5.7.1.24", FROM_REQUEST, "3003020105");
    fake_set_ext_hex(rq, "2.5.29.30", FROM_REQUEST, "3000");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_PENDING);
    assert_string_equal(fake_hex(rq, OID_BC), "30060101ff020100");
    assert_string_equal(fake_hex(rq, "2.5.29.30"), "3000");
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_BC), "");
    assert_string_equal(fake_hex(rq, "2.5.29.30"), "");
    assert_string_equal(fake_hex(rq, "2.5.29.32"), "");
    assert_string_equal(fake_hex(rq, OID_KU), "030205a0");
    assert_string_equal(fake_hex(rq, "1.3.6.1.5.5.7.1.24"), "3003020105");
}

/* ---- without a profile ---- */

static int reset_standalone(void **state)
{
    reset(state);
    fake_attribute(rq, "CertificateTemplate", NULL);
    fake_set_long("EditFlags", CHY_EDITF_DEFAULT_STANDALONE);
    return 0;
}

static void standalone_enables_the_list(void **state)
{
    (void)state;
    fake_set_ext_hex(rq, OID_KU, FROM_REQUEST | 1, "03020780");
    fake_set_ext_hex(rq, OID_EKU, FROM_REQUEST, "300a06082b06010505070302");
    fake_set_ext_hex(rq, "1.2.3.4", FROM_REQUEST, "0500");
    fake_set_ext_hex(rq, OID_BC, FROM_REQUEST, "3000");
    fake_property(rq, "Organization", "Corp", 4);
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_KU), "03020780");
    assert_int_equal(fake_ext(rq, OID_KU)->flags & 1, 1);
    assert_string_equal(fake_hex(rq, OID_EKU), "300a06082b06010505070302");
    assert_string_equal(fake_hex(rq, "1.2.3.4"), "");
    assert_string_equal(fake_hex(rq, OID_BC), "");
    assert_string_equal(fake_text(rq, "Organization"), "Corp");
    assert_null(fake_text(rq, "CertificateTemplate"));
    fake_set_long("EditFlags", CHY_EDITF_ENABLEREQUESTEXTENSIONS);
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, "1.2.3.4"), "0500");
    assert_string_equal(fake_hex(rq, OID_BC), "");
}

/* What the engine switched off stays off, and basic constraints are written, never taken over. */
static void standalone_takes_only_from_the_request(void **state)
{
    (void)state;
    const chy_long server = CHY_EXTENSION_ORIGIN_SERVER | CHY_EXTENSION_DISABLE_FLAG;
    fake_set_long("EditFlags", CHY_EDITF_ENABLEREQUESTEXTENSIONS | CHY_EDITF_BASICCONSTRAINTSCA);
    fake_set_ext_hex(rq, "2.5.29.31", server, "3000");
    fake_set_ext_hex(rq, OID_BC, FROM_REQUEST, "3000");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    assert_int_equal(fake_ext(rq, "2.5.29.31")->flags, server);
    assert_string_equal(fake_hex(rq, OID_BC), "");
}

static void standalone_leaves_flags_alone_on_resubmission(void **state)
{
    (void)state;
    fake_set_list("EnableRequestExtensionList", "1.2.3.4");
    fake_set_ext_hex(rq, "1.2.3.4", FROM_REQUEST, "0500");
    fake_set_ext_hex(rq, "1.2.3.5", ADMIN, "0500");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, "1.2.3.4"), "");
    assert_string_equal(fake_hex(rq, "1.2.3.5"), "0500");
}

static void standalone_key_usage(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *given;
        chy_long flags, answer;
    } t[] = {{NULL, "030205a0", CHY_EDITF_DEFAULT_STANDALONE, 1},
             {NULL, "", CHY_EDITF_REQUESTEXTENSIONLIST, 1},
             {"03020186", "03020780", CHY_EDITF_DEFAULT_STANDALONE, 1},
             {"03020106", "", CHY_EDITF_DEFAULT_STANDALONE, 1},
             {"03020006", "", CHY_EDITF_DEFAULT_STANDALONE, 1},
             {"0303078080", "0303078080", CHY_EDITF_DEFAULT_STANDALONE, 1},
             {"030100", "", CHY_EDITF_DEFAULT_STANDALONE, CHY_CRYPT_E_ASN1_BADTAG},
             {"0302ff80", "", CHY_EDITF_DEFAULT_STANDALONE, CHY_CRYPT_E_ASN1_BADTAG},
             {"0402078000", "", CHY_EDITF_DEFAULT_STANDALONE, CHY_CRYPT_E_ASN1_BADTAG}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        reset_standalone(NULL);
        fake_set_long("EditFlags", t[i].flags);
        if (t[i].asked) fake_set_ext_hex(rq, OID_KU, FROM_REQUEST, t[i].asked);
        chy_long answer = fake_verify(SUBMITTED);
        if (answer != t[i].answer) fail_msg("case %zu: %d", i, (int)answer);
        if (answer == 1 && strcmp(fake_hex(rq, OID_KU), t[i].given) != 0)
            fail_msg("case %zu: %s", i, fake_hex(rq, OID_KU));
    }
}

static void standalone_ca_waits_for_an_administrator(void **state)
{
    (void)state;
    fake_set_ext_hex(rq, OID_BC, FROM_REQUEST, "30060101ff020109");
    fake_set_ext_hex(rq, OID_KU, FROM_REQUEST, "03020780");
    fake_set_long("CAPathLength", 2);
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_PENDING);
    assert_string_equal(fake_hex(rq, OID_BC), "30060101ff020102");
    assert_int_equal(fake_ext(rq, OID_BC)->flags & 1, 1);
    assert_string_equal(fake_hex(rq, OID_KU), "03020186");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_BC), "30060101ff020102");

    fake_set_long("EditFlags", CHY_EDITF_REQUESTEXTENSIONLIST | CHY_EDITF_BASICCONSTRAINTSCA);
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_int_equal(fake_ext(rq, OID_BC)->flags & 1, 0);
    assert_string_equal(fake_hex(rq, OID_KU), "03020106");

    fake_set_long("EditFlags", CHY_EDITF_REQUESTEXTENSIONLIST);
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_BC), "");
    assert_string_equal(fake_hex(rq, OID_KU), "");
}

static void standalone_ca_by_an_administrator(void **state)
{
    (void)state;
    fake_set_long("EditFlags", CHY_EDITF_REQUESTEXTENSIONLIST);
    fake_set_ext_hex(rq, OID_BC, ADMIN | 1, "30030101ff");
    fake_set_ext_hex(rq, OID_KU, ADMIN | 1, "03020106");
    fake_set_ext_hex(rq, "1.2.3", ADMIN, "0500");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_BC), "30030101ff");
    assert_string_equal(fake_hex(rq, OID_KU), "03020106");
    fake_set_ext_hex(rq, OID_BC, ADMIN, "3000");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_KU), "03020106");
}

static void standalone_attributes(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateUsage", "1.3.6.1.5.5.7.3.1, 1.3.6.1.5.5.7.3.2");
    fake_attribute(rq, "SAN", "dns=b.test");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_EKU), "301406082b0601050507030106082b06010505070302");
    assert_null(fake_ext(rq, OID_SAN));
    fake_set_long("EditFlags", CHY_EDITF_DEFAULT_STANDALONE | CHY_EDITF_ATTRIBUTESUBJECTALTNAME2);
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(rq, OID_SAN), "30088206622e74657374");
    fake_san(rq, ADMIN, "dns:admin.test");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_int_equal(fake_ext(rq, OID_SAN)->flags, ADMIN);
    fake_attribute(rq, "SAN", "dns=b test");
    assert_int_equal(fake_verify(SUBMITTED), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    fake_attribute(rq, "SAN", NULL);
    fake_attribute(rq, "CertificateUsage", "serverAuth");
    assert_int_equal(fake_verify(SUBMITTED), CHY_CRYPT_E_OID_FORMAT);
}

/* An answer is asked for in a place that is there, and by a policy that is ready. */
static void calls_out_of_order(void **state)
{
    (void)state;
    chy_long answer = CHY_VR_INSTANT_OK;
    chy_object o = fake_create("policy-default", "PolicyDefault.Policy");
    const chy_policy_vtbl *p = fake_policy_table(&o);
    assert_int_equal(p->verify_request(o.self, "c", 1, 1, 0, &answer), CHY_E_UNEXPECTED);
    assert_int_equal(answer, CHY_VR_INSTANT_BAD);
    assert_int_equal(p->initialize(o.self, "c"), CHY_S_OK);
    assert_int_equal(p->verify_request(o.self, "c", 1, 1, 0, NULL), CHY_E_POINTER);
    assert_int_equal(p->verify_request(o.self, "c", 9, 1, 0, &answer), CHY_E_HANDLE);
    assert_int_equal(answer, CHY_VR_INSTANT_BAD);
    p->release(o.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(dispositions, reset),
        cmocka_unit_test_setup(an_administrators_san_wins, reset),
        cmocka_unit_test_setup(admin_origin_means_nothing_on_a_new_request, reset),
        cmocka_unit_test_setup(the_policys_own_san_is_checked_again, reset),
        cmocka_unit_test_setup(an_administrators_extensions_win, reset),
        cmocka_unit_test_setup(another_profile_keeps_nothing_of_the_first, reset),
        cmocka_unit_test_setup(standalone_enables_the_list, reset_standalone),
        cmocka_unit_test_setup(standalone_takes_only_from_the_request, reset_standalone),
        cmocka_unit_test_setup(standalone_leaves_flags_alone_on_resubmission, reset_standalone),
        cmocka_unit_test_setup(standalone_key_usage, reset_standalone),
        cmocka_unit_test_setup(standalone_ca_waits_for_an_administrator, reset_standalone),
        cmocka_unit_test_setup(standalone_ca_by_an_administrator, reset_standalone),
        cmocka_unit_test_setup(standalone_attributes, reset_standalone),
        cmocka_unit_test_setup(calls_out_of_order, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
