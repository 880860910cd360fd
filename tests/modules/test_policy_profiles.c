/* The default policy: the ready profiles, the rules of a profile, and P6: nothing of a request
 * reaches the certificate unless policy says so. */
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

#define issued() assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK)

/* What an attacker asks for: CA:TRUE, keyCertSign and cRLSign, codeSigning, all of it critical. */
static void ask_for_everything(void)
{
    const chy_long critical = FROM_REQUEST | CHY_EXTENSION_CRITICAL_FLAG;
    fake_set_ext_hex(rq, OID_BC, critical, "30030101ff");
    fake_set_ext_hex(rq, OID_KU, critical, "03020106");
    fake_set_ext_hex(rq, OID_EKU, FROM_REQUEST, "300a06082b06010505070303");
    fake_set_ext_hex(rq, "2.5.29.30", critical, "3000");
    fake_set_ext_hex(rq, "2.5.29.32", FROM_REQUEST, "3008300606042a030405");
    fake_set_ext_hex(rq, "1.3.6.1.5.5.7.48.1.5", FROM_REQUEST, "0500");
    fake_set_ext_hex(rq, "1.3.6.1.4.1.311.25.2", FROM_REQUEST, "3000");
}

static void p6_nothing_is_copied(void **state)
{
    (void)state;
    ask_for_everything();
    fake_san(rq, FROM_REQUEST, "dns:a.test");
    issued();
    assert_string_equal(fake_hex(rq, OID_BC), "");
    assert_string_equal(fake_hex(rq, OID_KU), "030205a0");
    assert_string_equal(fake_hex(rq, OID_EKU), "300a06082b06010505070301");
    assert_string_equal(fake_hex(rq, "2.5.29.30"), "");
    assert_string_equal(fake_hex(rq, "2.5.29.32"), "");
    assert_string_equal(fake_hex(rq, "1.3.6.1.5.5.7.48.1.5"), "");
    assert_string_equal(fake_hex(rq, "1.3.6.1.4.1.311.25.2"), "");
    fake_set_list("Profiles/tls-server/SanNames", "*.corp.example");
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "a.test is not among SanNames");
}

static void p6_in_every_ready_profile(void **state)
{
    (void)state;
    static const char *const t[] = {"tls-server", "tls-client",   "tls-peer",       "code-signing",
                                    "email",      "ocsp-signing", "tls-short-lived"};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        reset(NULL);
        fake_attribute(rq, "CertificateTemplate", t[i]);
        ask_for_everything();
        fake_property(rq, "CommonName", NULL, 0);
        fake_san(rq, FROM_REQUEST, i == 4 ? "email:a@b.test" : "dns:a.test");
        rq->key_bits = 3072;
        if (i == 3 || i == 5) rq->n_ext--; /* they allow no names */
        chy_long answer = fake_verify(SUBMITTED);
        if (CHY_FAILED(answer)) fail_msg("%s: %s", t[i], rq->message);
        assert_string_equal(fake_hex(rq, OID_BC), "");
        assert_null(strstr(fake_hex(rq, OID_KU), "06"));
        assert_string_equal(fake_hex(rq, "2.5.29.30"), "");
        if (i != 3) assert_null(strstr(fake_hex(rq, OID_EKU), "2b06010505070303"));
    }
}

/* RequestExtensions cannot let in what the profile writes itself. */
static void request_extensions_let_in_what_they_name(void **state)
{
    (void)state;
    fake_set_list("Profiles/tls-server/RequestExtensions",
                  "2.5.29.19,2.5.29.15,2.5.29.17,2.5.29.37,1.3.6.1.5.5.7.1.24");
    ask_for_everything();
    fake_set_ext_hex(rq, "1.3.6.1.5.5.7.1.24", FROM_REQUEST | 1, "3003020105");
    issued();
    assert_string_equal(fake_hex(rq, OID_BC), "");
    assert_string_equal(fake_hex(rq, OID_KU), "030205a0");
    assert_string_equal(fake_hex(rq, OID_EKU), "300a06082b06010505070301");
    assert_string_equal(fake_hex(rq, "1.3.6.1.5.5.7.1.24"), "3003020105");
    assert_int_equal(fake_ext(rq, "1.3.6.1.5.5.7.1.24")->flags, CHY_EXTENSION_ORIGIN_POLICY | 1);
}

struct ready {
    const char *name, *ku, *ec_ku, *eku, *bc, *extra;
    int days;
    chy_long answer;
};
static const struct ready ready[] = {
    {"tls-server", "030205a0", "03020780", "300a06082b06010505070301", "", "", 90, 1},
    {"tls-short-lived", "030205a0", "03020780", "300a06082b06010505070301", "", "", 6, 1},
    {"tls-client", "03020780", "03020780", "300a06082b06010505070302", "", "", 90, 1},
    {"tls-peer", "030205a0", "03020780", "301406082b0601050507030106082b06010505070302", "", "", 90,
     1},
    {"sub-ca", "03020106", "03020106", "", "30060101ff020100", "", 365, 0},
    {"code-signing", "03020780", "03020780", "300a06082b06010505070303", "", "", 365, 0},
    {"email", "030205a0", "03020780", "300a06082b06010505070304", "", "", 365, 1},
    {"ocsp-signing", "03020780", "03020780", "300a06082b06010505070309", "", "0500", 14, 0}};

static void every_ready_profile(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof ready / sizeof ready[0]; i++) {
        const struct ready *t = &ready[i / 2];
        reset(NULL);
        fake_attribute(rq, "CertificateTemplate", t->name);
        rq->key_bits = 3072;
        if (i % 2) fake_curve(rq, "06082a8648ce3d030107");
        if (!strcmp(t->name, "email")) fake_san(rq, FROM_REQUEST, "email:a@b.test");
        chy_time start = rq->not_before;
        chy_long answer = fake_verify(SUBMITTED);
        if (answer != t->answer) fail_msg("%s: %d %s", t->name, (int)answer, rq->message);
        assert_string_equal(fake_hex(rq, OID_KU), i % 2 ? t->ec_ku : t->ku);
        assert_string_equal(fake_hex(rq, OID_EKU), t->eku);
        assert_string_equal(fake_hex(rq, OID_BC), t->bc);
        assert_string_equal(fake_hex(rq, "1.3.6.1.5.5.7.48.1.5"), t->extra);
        assert_int_equal(fake_ext(rq, OID_KU)->flags & 1, 1);
        if (*t->bc) assert_int_equal(fake_ext(rq, OID_BC)->flags & 1, 1);
        assert_true(rq->not_after == start + t->days * FAKE_DAY - 1000000);
        assert_string_equal(fake_text(rq, "CertificateTemplate"), t->name);
        assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    }
}

static void rules_of_the_ready_profiles(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "email");
    fake_denied(CHY_CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED, "profile email requires");
    fake_san(rq, FROM_REQUEST, "dns:a.test");
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "SanTypes");
    fake_attribute(rq, "CertificateTemplate", "code-signing");
    rq->key_bits = 3072;
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "SanTypes");
    rq->n_ext = 0;
    rq->key_bits = 3071;
    fake_denied(CHY_CERTSRV_E_KEY_LENGTH, "MinRsaBits 3072");
    fake_attribute(rq, "CertificateTemplate", "tls-client");
    fake_san(rq, FROM_REQUEST, "uri:spiffe://a.test/x upn:a@b.test email:a@b.test dns:x.test");
    issued();
}

static void policies_and_no_key_usage(void **state)
{
    (void)state;
    fake_set_list("Profiles/tls-server/CertificatePolicies", "1.2.3.4.5,2.23.140.1.2.1");
    fake_set_list("Profiles/tls-server/KeyUsage", "");
    fake_set_list("Profiles/tls-server/ExtendedKeyUsage", "");
    issued();
    assert_string_equal(fake_hex(rq, "2.5.29.32"), "3012300606042a0304053008060667810c010201");
    assert_string_equal(fake_hex(rq, OID_KU), "");
    assert_string_equal(fake_hex(rq, OID_EKU), "");
    fake_set_list("Profiles/tls-server/KeyUsage", "digitalSignature,decipherOnly");
    issued();
    assert_string_equal(fake_hex(rq, OID_KU), "0303078080");
    fake_curve(rq, "06052b81040022");
    fake_set_text("Profiles/tls-server/KeyUsage", "keyEncipherment");
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "no KeyUsage of profile");
}

static void usages_from_the_request(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "tls-peer");
    fake_attribute(rq, "CertificateUsage", "1.3.6.1.5.5.7.3.2");
    issued();
    assert_string_equal(fake_hex(rq, OID_EKU), "300a06082b06010505070302");
    fake_attribute(rq, "CertificateUsage", "1.3.6.1.5.5.7.3.2,1.3.6.1.5.5.7.3.3");
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "1.3.6.1.5.5.7.3.3 is not a usage");
    fake_attribute(rq, "CertificateUsage", NULL);
    fake_set_long("Profiles/tls-peer/EkuFromRequest", 1);
    fake_set_ext_hex(rq, OID_EKU, FROM_REQUEST, "301406082b0601050507030306082b06010505070301");
    issued();
    assert_string_equal(fake_hex(rq, OID_EKU), "300a06082b06010505070301");
    fake_set_ext_hex(rq, OID_EKU, FROM_REQUEST, "300a06082b06010505070303");
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "no extended key usage of the request");
    fake_set_ext_hex(rq, OID_EKU, FROM_REQUEST, "30ff");
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "no extended key usage of the request");
}

static void key_types(void **state)
{
    (void)state;
    static const struct {
        const char *types, *oid, *curve;
        chy_long bits;
        bool ok;
    } t[] = {{"rsa", "1.2.840.113549.1.1.1", NULL, 2048, true},
             {"rsa2048", "1.2.840.113549.1.1.1", NULL, 3072, false},
             {"rsa2048+", "1.2.840.113549.1.1.1", NULL, 3072, true},
             {"rsa3072+", "1.2.840.113549.1.1.1", NULL, 2048, false},
             {"p256,rsa4096", "1.2.840.113549.1.1.1", NULL, 4096, true},
             {"p256", "x", "06082a8648ce3d030107", 0, true},
             {"P384", "x", "06082a8648ce3d030107", 0, false},
             {"p256+", "x", "06052b81040023", 0, true},
             {"p384+", "x", "06082a8648ce3d030107", 0, false},
             {"p256+", "x", "06052b8104000a", 0, false}, /* secp256k1 */
             {"p256", "1.2.840.113549.1.1.1", NULL, 2048, false},
             {"ed25519", "1.3.101.112", NULL, 0, true},
             {"ed25519", "1.3.101.113", NULL, 0, false},
             {"ed448", "1.3.101.113", NULL, 0, true},
             {"rsa", "1.2.840.10040.4.1", NULL, 2048, false}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        reset(NULL);
        fake_set_list("Profiles/tls-server/KeyTypes", t[i].types);
        if (t[i].curve)
            fake_curve(rq, t[i].curve);
        else
            fake_key(rq, t[i].oid, t[i].bits);
        chy_long answer = fake_verify(SUBMITTED);
        if (answer != (t[i].ok ? 1 : CHY_CERTSRV_E_KEY_LENGTH))
            fail_msg("%s, case %zu: %s", t[i].types, i, rq->message);
    }
    reset(NULL);
    rq->key_bits = 2047;
    fake_denied(CHY_CERTSRV_E_KEY_LENGTH, "2047 bits is shorter than MinRsaBits 2048");
    fake_set_long("Profiles/tls-server/MinRsaBits", 1024);
    issued();
}

static void template_names(uint8_t tag, const char *text, chy_long code, const char *message)
{
    uint8_t der[200];
    size_t n = strlen(text), step = tag == 0x1e ? 2 : 1;
    der[0] = tag;
    der[1] = (uint8_t)(n * step);
    for (size_t i = 0; i < n; i++) {
        der[2 + i * step] = 0;
        der[1 + (i + 1) * step] = (uint8_t)text[i];
    }
    fake_set_ext(rq, "1.3.6.1.4.1.311.20.2", FROM_REQUEST, der, 2 + n * step);
    assert_int_equal(fake_verify(SUBMITTED), code);
    if (!strstr(rq->message, message)) fail_msg("%s", rq->message);
}

static void choosing_the_profile(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "nope");
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE,
                "unknown profile nope; the known ones are tls-server");
    char cut[70];
    memset(cut, 'a', 63);
    memcpy(cut + 63, "\xc3\xbc", 3); /* one character, of which half is told */
    fake_attribute(rq, "CertificateTemplate", cut);
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "a?; the known ones are tls-server");
    fake_attribute(rq, "CertificateTemplate", "WEBSERVER");
    issued();
    assert_string_equal(fake_text(rq, "CertificateTemplate"), "tls-server");
    fake_attribute(rq, "CertificateTemplate", NULL);
    fake_set_text("DefaultProfile", "tls-client");
    issued();
    assert_string_equal(fake_text(rq, "CertificateTemplate"), "tls-client");
    template_names(0x1e, "tls-peer", CHY_VR_INSTANT_OK, "");
    assert_string_equal(fake_text(rq, "CertificateTemplate"), "tls-peer");
    template_names(0x0c, "WebServer", CHY_VR_INSTANT_OK, "");
    template_names(0x0c, "tls-peer", CHY_VR_INSTANT_OK, "");
    fake_attribute(rq, "CertificateTemplate", "tls-client");
    template_names(0x1e, "tls-peer", CHY_CERTSRV_E_TEMPLATE_CONFLICT, "tls-client and tls-peer");
    template_names(0x1e, "", CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "holds no name");
    template_names(0x04, "tls-client", CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "holds no name");
    template_names(0x0c, "tls client", CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "holds no name");
    fake_set_ext_hex(rq, "1.3.6.1.4.1.311.20.2", FROM_REQUEST, "1e03007400");
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "holds no name");
    fake_set_ext_hex(rq, "1.3.6.1.4.1.311.20.2", FROM_REQUEST, "1e0401740065");
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "holds no name");
}

static void subca_alias_needs_its_flag(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "SubCA");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_PENDING);
    assert_string_equal(fake_text(rq, "CertificateTemplate"), "sub-ca");
    fake_set_long("EditFlags", CHY_EDITF_DEFAULT_STANDALONE & ~CHY_EDITF_ATTRIBUTECA);
    fake_denied(CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE, "unknown profile SubCA");
}

static void ca_path_length(void **state)
{
    (void)state;
    fake_attribute(rq, "CertificateTemplate", "sub-ca");
    fake_set_long("CAPathLength", 3);
    fake_verify(SUBMITTED);
    assert_string_equal(fake_hex(rq, OID_BC), "30060101ff020103");
    fake_set_long("CAPathLength", -1);
    fake_verify(SUBMITTED);
    assert_string_equal(fake_hex(rq, OID_BC), "30030101ff");
    fake_set_long("Profiles/sub-ca/PathLength", 1);
    fake_verify(SUBMITTED);
    assert_string_equal(fake_hex(rq, OID_BC), "30060101ff020101");
}

static void access_is_checked(void **state)
{
    (void)state;
    rq->may_enrol = 0;
    fake_denied(CHY_CERTSRV_E_ENROLL_DENIED, "may not enrol at this CA");
    assert_int_equal(fake_verify(RESUBMITTED), CHY_VR_INSTANT_OK);
    fake_set_long("EditFlags", CHY_EDITF_IGNOREREQUESTERGROUP);
    issued();
    rq->may_enrol = 1;
    fake_set_list("EnrollAllowed", "CORP\\alice,bob");
    fake_denied(CHY_CERTSRV_E_ENROLL_DENIED, "may not enrol for tls-server");
    fake_property(rq, "RequesterName", "bobby", 5);
    fake_denied(CHY_CERTSRV_E_ENROLL_DENIED, "may not enrol for tls-server");
    fake_property(rq, "RequesterName", "bob\0x", 5);
    fake_denied(CHY_CERTSRV_E_ENROLL_DENIED, "may not enrol for tls-server");
    fake_property(rq, "RequesterName", "corp\\Alice", 10);
    issued();
    fake_set_list("Profiles/tls-server/Requesters", "carol");
    fake_denied(CHY_CERTSRV_E_ENROLL_DENIED, "may not enrol for tls-server");
    fake_set_list("Profiles/tls-server/Requesters", "*");
    issued();
    fake.fails = "RequesterName";
    fake.fail_code = CHY_E_UNEXPECTED;
    fake_set_list("Profiles/tls-server/Requesters", "carol");
    fake_denied(CHY_E_UNEXPECTED, "RequesterName could not be read");
}

static void a_closed_profile(void **state)
{
    (void)state;
    fake_set_long("Profiles/tls-server/Deny", 1);
    fake_denied(CHY_CERTSRV_E_TEMPLATE_DENIED, "profile tls-server is closed");
}

static void a_new_profile_starts_from_little(void **state)
{
    (void)state;
    fake_set_long("Profiles/web/ValidityDays", 7);
    fake_set_list("Profiles/web/SanTypes", "dns");
    fake_attribute(rq, "CertificateTemplate", "Web");
    fake_san(rq, FROM_REQUEST, "dns:a.test");
    chy_time start = rq->not_before;
    issued();
    assert_null(fake_text(rq, "CommonName"));
    assert_string_equal(fake_hex(rq, OID_KU), "03020780");
    assert_string_equal(fake_hex(rq, OID_EKU), "");
    assert_true(rq->not_after == start + 7 * FAKE_DAY - 1000000);
}

struct period {
    const char *expiration, *unit, *count;
    int64_t seconds; /* 0: refused */
};

static void validity_attributes(void **state)
{
    (void)state;
    static const struct period t[] = {{NULL, "Days", "2", 2 * 86400 - 1},
                                      {NULL, "hours", "1", 3599},
                                      {NULL, "Minutes", "10", 599},
                                      {NULL, "Seconds", "60", 59},
                                      {NULL, "Weeks", "1", 7 * 86400 - 1},
                                      {NULL, "Months", "1", 30 * 86400 - 1},
                                      {NULL, "Years", "99999", 90 * 86400 - 1},
                                      {NULL, "Days", NULL, 90 * 86400 - 1},
                                      {NULL, NULL, "2", 90 * 86400 - 1},
                                      {NULL, "Days", "0", 0},
                                      {NULL, "Days", "-1", 0},
                                      {NULL, "Days", "1x", 0},
                                      {NULL, "Days", "999999", 0},
                                      {NULL, "Fortnights", "1", 0},
                                      {NULL, "Seconds", "1", 0},
                                      {"Fri, 04 Oct 2024 00:00:30 GMT", "Days", "9", 30},
                                      {"Sun, 01 Jan 2040 00:00:00 GMT", NULL, NULL, 90 * 86400 - 1},
                                      {"Thu, 03 Oct 2024 00:00:00 GMT", NULL, NULL, 0},
                                      {"Fri, 04 Oct 2024 00:00:30", NULL, NULL, 0},
                                      {"Fri, 31 Nov 2024 00:00:30 GMT", NULL, NULL, 0},
                                      {"Fri, 04 Oct 2024 00:00:60 GMT", NULL, NULL, 0},
                                      {"2024-10-05", NULL, NULL, 0}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        reset(NULL); /* 20000 days after 1970 is 2024-10-04 */
        chy_time start = rq->not_before;
        fake_attribute(rq, "ExpirationDate", t[i].expiration);
        fake_attribute(rq, "ValidityPeriod", t[i].unit);
        fake_attribute(rq, "ValidityPeriodUnits", t[i].count);
        chy_long answer = fake_verify(SUBMITTED);
        if (answer != (t[i].seconds ? 1 : CHY_E_INVALIDARG)) fail_msg("%zu: %s", i, rq->message);
        if (t[i].seconds) assert_true(rq->not_after == start + t[i].seconds * 1000000);
    }
    reset(NULL);
    chy_time start = rq->not_before;
    fake_set_long("EditFlags", CHY_EDITF_DEFAULT_STANDALONE & ~CHY_EDITF_ATTRIBUTEENDDATE);
    fake_attribute(rq, "ExpirationDate", "nonsense");
    issued();
    assert_true(rq->not_after == start + 90 * FAKE_DAY - 1000000);
}

static void a_failing_setter_denies(void **state)
{
    (void)state;
    fake.fail_code = CHY_E_ACCESSDENIED;
    static const char *const names[] = {"Organization", "NotAfter", "CertificateTemplate"};
    for (size_t i = 0; i < 3; i++) {
        fake.fails = names[i];
        assert_int_equal(fake_verify(SUBMITTED), CHY_E_ACCESSDENIED);
    }
}

static void disable_extension_list(void **state)
{
    (void)state;
    fake_set_list("DisableExtensionList", "2.5.29.37,2.5.29.99");
    issued();
    assert_string_equal(fake_hex(rq, OID_EKU), "");
    assert_string_equal(fake_hex(rq, OID_KU), "030205a0");
    fake_set_long("EditFlags", CHY_EDITF_DEFAULT_STANDALONE & ~CHY_EDITF_DISABLEEXTENSIONLIST);
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    issued();
    assert_string_not_equal(fake_hex(rq, OID_EKU), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(p6_nothing_is_copied, reset),
        cmocka_unit_test_setup(p6_in_every_ready_profile, reset),
        cmocka_unit_test_setup(request_extensions_let_in_what_they_name, reset),
        cmocka_unit_test_setup(every_ready_profile, reset),
        cmocka_unit_test_setup(rules_of_the_ready_profiles, reset),
        cmocka_unit_test_setup(policies_and_no_key_usage, reset),
        cmocka_unit_test_setup(usages_from_the_request, reset),
        cmocka_unit_test_setup(key_types, reset),
        cmocka_unit_test_setup(choosing_the_profile, reset),
        cmocka_unit_test_setup(subca_alias_needs_its_flag, reset),
        cmocka_unit_test_setup(ca_path_length, reset),
        cmocka_unit_test_setup(access_is_checked, reset),
        cmocka_unit_test_setup(a_closed_profile, reset),
        cmocka_unit_test_setup(a_new_profile_starts_from_little, reset),
        cmocka_unit_test_setup(validity_attributes, reset),
        cmocka_unit_test_setup(a_failing_setter_denies, reset),
        cmocka_unit_test_setup(disable_extension_list, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
