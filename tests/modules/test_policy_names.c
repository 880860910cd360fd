/* The default policy: subject and subject alternative names. */
#include "host.h"

static struct fake_request *rq;

static int reset(void **state)
{
    (void)state;
    fake_reset();
    rq = &fake.request[0];
    fake_attribute(rq, "CertificateTemplate", "tls-server");
    return 0;
}

static void expect_san(const char *names)
{
    uint8_t der[4900];
    size_t n = fake_san_der(der, names);
    const struct fake_ext *e = fake_ext(rq, OID_SAN);
    assert_non_null(e);
    assert_int_equal(e->flags & CHY_EXTENSION_DISABLE_FLAG, 0);
    assert_int_equal(e->n, n);
    assert_memory_equal(e->value, der, n);
}

static void asked_names_are_taken(void **state)
{
    (void)state;
    const char *names =
        "dns:localhost ip4:127.0.0.1 ip6:::1 dns:www.example.test dns:*.example.test";
    fake_attribute(rq, "CertificateTemplate", "tls-peer");
    fake_san(rq, FROM_REQUEST, names);
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    expect_san(names);
    assert_int_equal(fake_ext(rq, OID_SAN)->flags & CHY_EXTENSION_CRITICAL_FLAG, 1);
    assert_string_equal(fake_text(rq, "CertificateTemplate"), "tls-peer");
}

static void san_is_not_critical_beside_a_subject(void **state)
{
    (void)state;
    fake_cn(rq, "A.test");
    fake_san(rq, FROM_REQUEST, "dns:b.test dns:a.TEST");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    assert_int_equal(fake_ext(rq, OID_SAN)->flags, CHY_EXTENSION_ORIGIN_POLICY);
}

static void host_name_in_cn_becomes_the_san(void **state)
{
    (void)state;
    static const char *const t[][3] = {{"tls-server", "www.example.test", "dns:www.example.test"},
                                       {"tls-peer", "192.0.2.7", "ip4:192.0.2.7"},
                                       {"tls-peer", "2001:db8::1", "ip6:2001:db8::1"},
                                       {"tls-server", "*.example.test", "dns:*.example.test"}};
    for (size_t i = 0; i < 4; i++) {
        reset(NULL);
        fake_attribute(rq, "CertificateTemplate", t[i][0]);
        fake_cn(rq, t[i][1]);
        assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
        expect_san(t[i][2]);
    }
}

static void cn_that_is_no_host_name_is_no_san(void **state)
{
    (void)state;
    static const char *const t[] = {"My Server", "a..test",        "-a.test",       "a-.test",
                                    "a.test.",   "a.test\nb.test", "1.2.3.4.5",     "*",
                                    "*.*.test",  "a*.test",        "x\xc3\xa9.test"};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_cn(rq, t[i]);
        fake_denied(CHY_CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED, "requires a subject alternative name");
    }
}

static void cn_has_to_be_among_the_names(void **state)
{
    (void)state;
    fake_cn(rq, "evil.test");
    fake_san(rq, FROM_REQUEST, "dns:a.test");
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "common name evil.test is not among");
    fake_set_long("Profiles/tls-server/SanRequired", 0);
    fake_set_long("Profiles/tls-server/SanFromCn", 0);
    rq->n_ext = 0;
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "common name evil.test is not among");
}

static void long_or_cut_cn_is_refused(void **state)
{
    (void)state;
    char cn[300];
    memset(cn, 'a', sizeof cn - 1);
    cn[sizeof cn - 1] = 0;
    fake_cn(rq, cn);
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "the common name is too long");
    fake_property(rq, "CommonName", "a.test\0.evil.test", 17);
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "the common name is too long");
}

static void only_allowed_parts_of_the_subject_stay(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "Country",  "DeviceSerialNumber",  "DomainComponent", "EMail", "GivenName",     "Initials",
        "Locality", "Organization",        "OrgUnit",         "State", "StreetAddress", "SurName",
        "Title",    "UnstructuredAddress", "UnstructuredName"};
    const size_t n = sizeof parts / sizeof parts[0];
    fake_cn(rq, "a.test");
    for (size_t i = 0; i < n; i++)
        fake_property(rq, parts[i], "Google", 6);
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    for (size_t i = 0; i < n; i++)
        assert_null(fake_text(rq, parts[i]));
    assert_string_equal(fake_text(rq, "CommonName"), "a.test");
}

static void subject_from_none_and_from_san(void **state)
{
    (void)state;
    fake_cn(rq, "whatever it is");
    fake_san(rq, FROM_REQUEST, "ip4:192.0.2.1 dns:a.test dns:b.test");
    fake_set_text("Profiles/tls-server/SubjectFrom", "none");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    assert_null(fake_text(rq, "CommonName"));
    assert_int_equal(fake_ext(rq, OID_SAN)->flags & CHY_EXTENSION_CRITICAL_FLAG, 1);
    fake_set_text("Profiles/tls-server/SubjectFrom", "cn-from-san");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_text(rq, "CommonName"), "a.test");
}

/* Each pair: a name, and what its refusal says under tls-client, which allows the most types. */
static void each_bad_name_is_refused(void **state)
{
    (void)state;
    static const char *const t[][2] = {
        {"dns:a..test", "malformed"},
        {"dns:.a.test", "malformed"},
        {"dns:a.test.", "malformed"},
        {"dns:-a.test", "malformed"},
        {"dns:a-.test", "malformed"},
        {"dns:a.b-", "malformed"},
        {"dns:*", "malformed"},
        {"dns:a.*.test", "malformed"},
        {"dns:*.*.test", "malformed"},
        {"dns:a/b.test", "malformed"},
        {"dns:127.0.0.1", "malformed"},
        {"dns:\xc3\xa9.test", "malformed"},
        {"dns:", "malformed"},
        {"email:a.test", "malformed"},
        {"email:@a.test", "malformed"},
        {"email:a@b@c.test", "malformed"},
        {"email:a@*.test", "malformed"},
        {"email:a@", "malformed"},
        {"uri:nocolon", "malformed"},
        {"uri::x", "malformed"},
        {"upn:a", "malformed"},
        {"rid:x", "malformed or of an unknown type"},
        {"ip4:192.0.2.1", "SanTypes"},
        {"dir:x", "SanTypes"},
        {"dns:*.a.test", "WildcardAllowed"},
        {"dns:a.test dns:b..test", "malformed"},
    };
    fake_attribute(rq, "CertificateTemplate", "tls-client");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rq->n_ext = 0;
        fake_san(rq, FROM_REQUEST, t[i][0]);
        fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, t[i][1]);
        if (fake_hex(rq, OID_SAN)[0]) fail_msg("%s was enabled", t[i][0]);
    }
    char name[300] = "dns:";
    memset(name + 4, 'a', 64);
    strcpy(name + 68, ".test");
    fake_san(rq, FROM_REQUEST, name);
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "malformed");
    for (size_t i = 0; i < 260; i++)
        name[4 + i] = i % 4 == 3 ? '.' : 'a';
    name[4 + 255] = 0;
    fake_san(rq, FROM_REQUEST, name);
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "malformed");
}

static void each_bad_der_is_refused(void **state)
{
    (void)state;
    static const char *const t[] = {
        "",                               /* nothing */
        "30",                             /* no length */
        "3000",                           /* no name */
        "30088206612e74657374ff",         /* octets behind */
        "30098206612e74657374",           /* length beyond the end */
        "30078206612e74657374",           /* a name beyond the list */
        "3081088206612e74657374",         /* length not minimal */
        "308000008206612e746573740000",   /* indefinite length */
        "308500000000088206612e74657374", /* length of five octets */
        "30820000",                       /* length not minimal */
        "31088206612e74657374",           /* a SET */
        "0408820661612e746573",           /* an OCTET STRING */
        "30089f06612e74657374",           /* a long tag */
        "3007820661002e7465",             /* cut name */
        "3008820661002e746573",           /* NUL in a name */
        "3008820661202e746573",           /* a blank in a name */
        "30058703c00002",                 /* an address of three octets */
        "300a8708c0000201ffffff00",       /* an address with a mask */
        "3004a4023000",                   /* an empty directory name */
        "3006a40430023000",               /* a directory name whose part is no SET */
        "3002a000",                       /* an empty other name */
        "3008a00606012aa0010c",           /* an other name that is cut */
        "300ca00a06012aa0050c03612e62",   /* an other name that is no UPN */
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rq->n_ext = 0;
        fake_set_ext_hex(rq, OID_SAN, FROM_REQUEST, t[i]);
        chy_long answer = fake_verify(SUBMITTED);
        if (answer != CHY_CERTSRV_E_BAD_REQUESTSUBJECT) fail_msg("%s: %d", t[i], (int)answer);
        assert_string_equal(fake_hex(rq, OID_SAN), "");
    }
}

static void directory_names_and_upn_where_allowed(void **state)
{
    (void)state;
    fake_set_text("Profiles/tls-server/SanTypes", "dirname upn");
    fake_san(rq, FROM_REQUEST, "dir:x upn:a@b.test");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    fake_set_list("Profiles/tls-server/SanNames", "*.test");
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "(directory name) is not among SanNames");
}

static void san_names_confine(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool ok;
    } t[] = {{"dns:a.corp.example", true},
             {"dns:a.b.corp.example", true},
             {"dns:corp.example", false},
             {"dns:evilcorp.example", false},
             {"dns:a.corp.example.evil", false},
             {"dns:one.test", true},
             {"dns:x.one.test", false},
             {"dns:*.corp.example", true},
             {"dns:*.example", false},
             {"ip4:10.1.255.3", true},
             {"ip4:10.2.0.1", false},
             {"ip6:2001:db8::5", true},
             {"ip6:2001:db9::5", false},
             {"ip4:192.0.2.9", true},
             {"ip4:192.0.2.8", false},
             {"ip6:::ffff:10.1.0.1", false},
             {"email:a@x.corp.example", true},
             {"email:a@corp.example", false},
             {"uri:https://w.corp.example/x", true},
             {"uri:https://w.corp.example:8443/x", true},
             {"uri:https://w.corp.example@evil.test/", false},
             {"uri:https://evil.test/w.corp.example", false},
             {"uri:https://evil.test\\.corp.example/", false},
             {"uri:https://evil.test%2f.corp.example/", false},
             {"uri:https://evil.test;.corp.example/", false},
             {"uri:https://evil.test?w.corp.example", false},
             {"uri:mailto:a@w.corp.example", false},
             {"uri:urn:x", false},
             {"upn:a@x.corp.example", true},
             {"upn:a@evil.test", false}};
    fake_set_text("Profiles/tls-server/SanTypes", "dns ip email uri upn");
    fake_set_list("Profiles/tls-server/SanNames",
                  "*.corp.example,one.test,10.1.0.0/16,2001:db8::/32,192.0.2.9");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        rq->n_ext = 0;
        fake_san(rq, FROM_REQUEST, t[i].name);
        chy_long answer = fake_verify(SUBMITTED);
        if ((answer == CHY_VR_INSTANT_OK) != t[i].ok) fail_msg("%s: %s", t[i].name, rq->message);
        if (!t[i].ok) assert_non_null(strstr(rq->message, "is not among SanNames"));
    }
}

static void max_names(void **state)
{
    (void)state;
    fake_set_long("Profiles/tls-server/MaxNames", 2);
    fake_san(rq, FROM_REQUEST, "dns:a.test dns:b.test");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    fake_san(rq, FROM_REQUEST, "dns:a.test dns:b.test dns:c.test");
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "MaxNames");
}

static void san_attribute_counts_only_with_its_flag(void **state)
{
    (void)state;
    fake_cn(rq, "a.test");
    fake_attribute(rq, "SAN", "dns=evil.test");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    expect_san("dns:a.test");

    fake_set_long("EditFlags", CHY_EDITF_ATTRIBUTESUBJECTALTNAME2);
    fake_set_text("Profiles/tls-server/SanTypes", "dns ip email uri upn");
    fake_set_list("Profiles/tls-server/SanNames", "*.test,a.test,192.0.2.0/24,2001:db8::/32");
    fake_attribute(rq, "SAN",
                   "DNS=a.test&dns=b.test&ip=192.0.2.1&ipaddress=2001:db8::1&email=x@m.test&"
                   "url=https://w.test/&upn=u@d.test");
    fake_san(rq, FROM_REQUEST, "dns:other.test");
    assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
    expect_san("dns:a.test dns:b.test ip4:192.0.2.1 ip6:2001:db8::1 email:x@m.test "
               "uri:https://w.test/ upn:u@d.test");
}

static void each_bad_san_attribute_is_refused(void **state)
{
    (void)state;
    static const char *const t[][2] = {{"dns", "type=value"},
                                       {"dns=", "type=value"},
                                       {"&", "type=value"},
                                       {"guid=00", "names a type"},
                                       {"=a", "names a type"},
                                       {"ip=a.test", "no address"},
                                       {"dns=a.test&dns=evil.example", "SanNames"},
                                       {"dns=a b", "malformed"},
                                       {"email=a@a.test", "SanTypes"}};
    static char big[5000];
    fake_cn(rq, "a.test");
    fake_set_long("EditFlags", CHY_EDITF_ATTRIBUTESUBJECTALTNAME2);
    fake_set_list("Profiles/tls-server/SanNames", "a.test");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        fake_attribute(rq, "SAN", t[i][0]);
        fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, t[i][1]);
    }
    memset(big, 'a', 1100);
    memcpy(big, "dns=", 4);
    fake_attribute(rq, "SAN", big);
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "too long");
    for (size_t i = 0; i < 4900; i += 10)
        memcpy(big + i, "dns=aaaaa&", 11);
    fake_attribute(rq, "SAN", big);
    fake_unset("Profiles/tls-server/SanNames");
    fake_denied(CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "MaxNames");
}

static void a_failing_read_denies(void **state)
{
    (void)state;
    static const char *const names[] = {"CommonName",
                                        OID_SAN,
                                        "CertificateTemplate",
                                        "SAN",
                                        "NotBefore",
                                        "NotAfter",
                                        "PublicKeyAlgorithm",
                                        "PublicKeyLength",
                                        "RequesterCAAccess",
                                        "ExpirationDate",
                                        "ValidityPeriod",
                                        "CertificateUsage",
                                        "1.3.6.1.4.1.311.20.2",
                                        "Country"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        reset(NULL);
        fake_cn(rq, "a.test");
        fake_set_long("EditFlags",
                      CHY_EDITF_DEFAULT_STANDALONE | CHY_EDITF_ATTRIBUTESUBJECTALTNAME2);
        assert_int_equal(fake_verify(SUBMITTED), CHY_VR_INSTANT_OK);
        fake.fails = names[i];
        fake.fail_code = CHY_E_OUTOFMEMORY;
        if (fake_verify(SUBMITTED) != CHY_E_OUTOFMEMORY) fail_msg("%s", names[i]);
        fake.fails = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(asked_names_are_taken, reset),
        cmocka_unit_test_setup(san_is_not_critical_beside_a_subject, reset),
        cmocka_unit_test_setup(host_name_in_cn_becomes_the_san, reset),
        cmocka_unit_test_setup(cn_that_is_no_host_name_is_no_san, reset),
        cmocka_unit_test_setup(cn_has_to_be_among_the_names, reset),
        cmocka_unit_test_setup(long_or_cut_cn_is_refused, reset),
        cmocka_unit_test_setup(only_allowed_parts_of_the_subject_stay, reset),
        cmocka_unit_test_setup(subject_from_none_and_from_san, reset),
        cmocka_unit_test_setup(each_bad_name_is_refused, reset),
        cmocka_unit_test_setup(each_bad_der_is_refused, reset),
        cmocka_unit_test_setup(directory_names_and_upn_where_allowed, reset),
        cmocka_unit_test_setup(san_names_confine, reset),
        cmocka_unit_test_setup(max_names, reset),
        cmocka_unit_test_setup(san_attribute_counts_only_with_its_flag, reset),
        cmocka_unit_test_setup(each_bad_san_attribute_is_refused, reset),
        cmocka_unit_test_setup(a_failing_read_denies, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
