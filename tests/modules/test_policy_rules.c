/* Rules of policy-rules: what is let pass, what is refused and how that is said, what is changed.
 */
#include "host.h"

#define OID_CDP "2.5.29.31"
#define OID_AIA "1.3.6.1.5.5.7.1.1"
#define OID_NO_REV "2.5.29.56"
#define SERVER CHY_EXTENSION_ORIGIN_SERVER
#define POLICY CHY_EXTENSION_ORIGIN_POLICY

static struct fake_request *r;

static int reset(void **state)
{
    (void)state;
    fake_reset();
    fake_unset("RequestDisposition");
    r = &fake.request[0];
    fake_attribute(r, "CertificateTemplate", "web");
    fake_property(r, "RequesterName", "anna", 4);
    fake_cn(r, "www.corp.test");
    fake_san(r, POLICY, "dns:www.corp.test dns:corp.test ip4:10.1.2.3");
    return 0;
}

static chy_object start(void)
{
    chy_object o = fake_create("policy-rules", "PolicyRules.Policy");
    if (fake_policy_table(&o)->initialize(o.self, "host\\CA") != CHY_S_OK) fail_msg("%s", fake.log);
    return o;
}

static chy_long ask(const chy_object *o, int is_new)
{
    chy_long got = 4711;
    r->message[0] = 0;
    assert_int_equal(fake_policy_table(o)->verify_request(o->self, "c", 1, is_new, 0, &got),
                     CHY_S_OK);
    return got;
}

static chy_long decide(void)
{
    chy_object o = start();
    chy_long got = ask(&o, SUBMITTED);
    fake_policy_table(&o)->release(o.self);
    return got;
}

static void issued(void)
{
    chy_long got = decide();
    if (got != CHY_VR_INSTANT_OK) fail_msg("%d: %s", (int)got, r->message);
}

static void denied(chy_hresult code, const char *message)
{
    chy_long got = decide();
    if (got != code) fail_msg("0x%08x: %s", (unsigned)got, r->message);
    assert_string_equal(r->message, message);
}

#define NAMES CHY_CERTSRV_E_BAD_REQUESTSUBJECT

static void allowed_and_denied_names(void **state)
{
    (void)state;
    fake_set_list("Rules/web/San/dns/Allow", "*.corp.test,corp.test");
    fake_set_list("Rules/web/San/ip/Allow", "10.0.0.0/8,2001:db8::/32");
    issued();
    fake_set_list("Rules/web/San/ip/Deny", "10.1.0.0/16");
    denied(NAMES, "ip \"10.1.2.3\" is denied by \"10.1.0.0/16\" (Rules/web/San/ip/Deny)");
    fake_unset("Rules/web/San/ip/Deny");
    fake_san(r, POLICY, "dns:www.corp.test dns:evil.test ip6:2001:db9::1");
    denied(NAMES, "dns \"evil.test\" fits no pattern (Rules/web/San/dns/Allow); "
                  "ip \"2001:db9::1\" fits no pattern (Rules/web/San/ip/Allow)");
    fake_san(r, POLICY, "email:a@corp.test uri:https://corp.test/x upn:anna@corp.test");
    fake_set_list("Rules/web/San/email/Allow", "*@corp.test");
    fake_set_list("Rules/web/San/uri/Allow", "https://corp.test/*");
    fake_set_list("Rules/web/San/upn/Allow", "re:[a-z]+@corp\\.test");
    issued();
    fake_set_list("Rules/web/San/upn/Allow", "re:[b-z]+@corp\\.test");
    denied(NAMES, "upn \"anna@corp.test\" fits no pattern (Rules/web/San/upn/Allow)");
}

static void parts_of_the_subject(void **state)
{
    (void)state;
    fake_set_list("Rules/web/Subject/CommonName/Allow", "*.corp.test");
    fake_set_list("Rules/web/Subject/Organization/Allow", "Corp Inc.");
    issued();
    fake_property(r, "Organization", "corp inc.", 9);
    issued();
    fake_property(r, "Organization", "Corp Inc.\nEvil Inc.", 19);
    denied(NAMES,
           "Organization \"Evil Inc.\" fits no pattern (Rules/web/Subject/Organization/Allow)");
    fake_property(r, "Organization", NULL, 0);
    fake_set_long("Rules/web/Subject/Organization/MinCount", 1);
    denied(NAMES, "there are 0 of Organization, at least 1 are expected "
                  "(Rules/web/Subject/Organization/MinCount)");
    fake_unset("Rules/web/Subject/Organization/MinCount");
    fake_set_long("Rules/web/Subject/OrgUnit/MaxCount", 0);
    fake_property(r, "OrgUnit", "IT", 2);
    denied(NAMES,
           "there are 1 of OrgUnit, at most 0 are allowed (Rules/web/Subject/OrgUnit/MaxCount)");
    fake_unset("Rules/web/Subject/OrgUnit/MaxCount");
    issued();
    fake_set_long("Rules/web/Subject/OnlyListed", 1);
    denied(NAMES, "there is no rule for OrgUnit (Rules/web/Subject/OnlyListed)");
    fake_set_long("Rules/web/Subject/OrgUnit/MinLength", 3);
    denied(NAMES, "OrgUnit \"IT\" has 2 characters, at least 3 are expected "
                  "(Rules/web/Subject/OrgUnit/MinLength)");
    fake_set_long("Rules/web/Subject/OrgUnit/MinLength", 0);
    fake_set_long("Rules/web/Subject/OrgUnit/MaxLength", 2);
    fake_property(r, "OrgUnit", "\xc3\xbc\xc3\xbc", 4);
    issued();
    fake_property(r, "OrgUnit", "\xff", 1);
    denied(NAMES, "OrgUnit \"?\" is no UTF-8 (Rules/web/Subject/OrgUnit/*)");
}

static void how_many_names(void **state)
{
    (void)state;
    fake_set_long("Rules/*/San/MaxCount", 3);
    issued();
    fake_set_long("Rules/*/San/MaxCount", 2);
    denied(NAMES, "there are 3 alternative names, at most 2 are allowed (Rules/*/San/MaxCount)");
    fake_unset("Rules/*/San/MaxCount");
    fake_set_long("Rules/*/San/MinCount", 4);
    denied(CHY_CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED,
           "there are 3 alternative names, at least 4 are expected (Rules/*/San/MinCount)");
    fake_unset("Rules/*/San/MinCount");
    fake_set_long("Rules/web/San/OnlyListed", 1);
    fake_set_list("Rules/web/San/dns/Allow", "*");
    denied(NAMES, "there is no rule for ip (Rules/web/San/OnlyListed)");
    fake_set_long("Rules/web/San/ip/MaxCount", 1);
    issued();
    fake_set_ext_hex(r, OID_SAN, POLICY, "3003820161ff");
    denied(NAMES, "the subject alternative names are not DER (RFC 5280 4.2.1.6)");
    fake_san(r, POLICY, "dns:www.corp.test rid:");
    denied(NAMES, "the subject alternative names have one that is malformed or of an unknown kind");
}

static void no_more_names_than_it_looks_at(void **state)
{
    (void)state;
    char names[6 * 513 + 1] = "";
    fake_set_list("Rules/*/Names/Deny", "b");
    for (int i = 0; i < 513; i++)
        memcpy(names + 6 * i, "dns:a ", 7);
    names[6 * 510 - 1] = 0; /* with the common name and the requester there are 512 */
    fake_san(r, POLICY, names);
    issued();
    names[6 * 510 - 1] = ' ';
    fake_san(r, POLICY, names);
    denied(NAMES, "the subject alternative names are more than 512 names");
}

static void rules_of_all_and_of_one_profile(void **state)
{
    (void)state;
    fake_set_list("Rules/*/San/dns/Allow", "*.corp.test,corp.test");
    fake_set_list("Rules/web/San/dns/Deny", "www.*");
    fake_set_list("Rules/other/San/dns/Deny", "*");
    denied(NAMES, "dns \"www.corp.test\" is denied by \"www.*\" (Rules/web/San/dns/Deny)");
    fake_attribute(r, "CertificateTemplate", "WEB");
    assert_int_equal(decide(), NAMES);
    fake_attribute(r, "CertificateTemplate", "free");
    issued();
    /* What a module in front says the profile is holds over what the request calls it. */
    fake_property(r, "CertificateTemplate", "other", 5);
    denied(NAMES, "dns \"www.corp.test\" is denied by \"*\" (Rules/other/San/dns/Deny); "
                  "dns \"corp.test\" is denied by \"*\" (Rules/other/San/dns/Deny)");
    fake_property(r, "CertificateTemplate", "*", 1);
    issued();
}

static void without_rules(void **state)
{
    (void)state;
    denied(CHY_CERTSRV_E_TEMPLATE_DENIED,
           "there are no rules for profile \"web\": set Rules/web/… or Rules/*/…, or NoRules to "
           "pass");
    fake_set_text("NoRules", "pass");
    issued();
    r->may_enrol = 0;
    denied(CHY_CERTSRV_E_ENROLL_DENIED, "the requester may not enrol at this CA");
    fake_set_long("EnrollRight", 0);
    issued();
}

static void deny_lists(void **state)
{
    (void)state;
    char path[] = "/tmp/policy-rules-XXXXXX";
    fake_set_list("Rules/*/Names/Deny", "*.evil.test,10.0.0.0/24");
    issued();
    fake_property(r, "Title", "x.evil.test", 11);
    denied(NAMES, "Title \"x.evil.test\" is denied by \"*.evil.test\" (Rules/*/Names/Deny)");
    fake_property(r, "Title", "10.0.0.9", 8);
    denied(NAMES, "Title \"10.0.0.9\" is denied by \"10.0.0.0/24\" (Rules/*/Names/Deny)");
    fake_property(r, "Title", NULL, 0);
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    assert_true(fd >= 0 && f);
    fputs("# names of others\n\nCORP.test   # ours\r\n  *.other.test\n", f);
    fclose(f);
    fake_set_text("Rules/*/Names/DenyFile", path);
    denied(NAMES, "dns \"corp.test\" is denied by \"CORP.test\" (Rules/*/Names/Deny)");
    fake_san(r, POLICY, "dns:www.other.test");
    denied(NAMES, "dns \"www.other.test\" is denied by \"*.other.test\" (Rules/*/Names/Deny)");
    fake_set_list("Rules/*/Requester/Deny", "anna,bert");
    fake_unset("Rules/*/Names/DenyFile");
    denied(CHY_CERTSRV_E_ENROLL_DENIED,
           "Requester \"anna\" is denied by \"anna\" (Rules/*/Requester/Deny)");
    remove(path);
}

static void keys(void **state)
{
    (void)state;
    const chy_hresult code = CHY_CERTSRV_E_KEY_LENGTH;
    fake_set_list("Rules/web/Key/Allow", "rsa3072+,p256,p384");
    denied(code, "the key (rsa, 2048) is not listed (Rules/web/Key/Allow)");
    fake_key(r, "1.2.840.113549.1.1.1", 4096);
    issued();
    fake_set_long("Rules/web/Key/MaxRsaBits", 3072);
    denied(code, "the RSA key has 4096 bits, at most 3072 are allowed (Rules/web/Key/MaxRsaBits)");
    fake_set_long("Rules/web/Key/MinRsaBits", 3072);
    fake_key(r, "1.2.840.113549.1.1.1", 3072);
    issued();
    fake_curve(r, "06082a8648ce3d030107");
    issued();
    fake_set_list("Rules/*/Key/Deny", "p256");
    denied(code, "the key (elliptic curve, 256) is denied (Rules/*/Key/Deny)");
    fake_curve(r, "06052b81040023");
    denied(code, "the key (elliptic curve, 521) is not listed (Rules/web/Key/Allow)");
}

/* What is cut between the octets of a character is told all the same. */
static void reasons_are_text_whatever_is_cut(void **state)
{
    (void)state;
    char cn[200], template[60];
    fake_set_list("Rules/web/Subject/CommonName/Allow", "*.corp.test");
    for (int lead = 118; lead < 122; lead++) {
        memset(cn, 'a', (size_t)lead);
        snprintf(cn + lead, sizeof cn - (size_t)lead, "\xe2\x82\xac\xe2\x82\xac");
        fake_cn(r, cn);
        assert_true(CHY_FAILED(decide()));
        if (!strstr(r->message, "fits no pattern")) fail_msg("%d: %s", lead, r->message);
    }
    fake_unset("Rules/web/Subject/CommonName/Allow");
    memset(template, 'a', 57);
    memcpy(template + 57, "\xc3", 2);
    fake_attribute(r, "CertificateTemplate", template);
    assert_true(CHY_FAILED(decide()));
    assert_non_null(strstr(r->message, "there are no rules for profile"));
}

static void purposes(void **state)
{
    (void)state;
    const chy_hresult code = CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE;
    const char *server = "300a06082b06010505070301";
    fake_set_ext_hex(r, OID_EKU, POLICY, server);
    fake_set_list("Rules/web/Eku/Allow", "1.3.6.1.5.5.7.3.1,1.3.6.1.5.5.7.3.2");
    issued();
    fake_set_list("Rules/web/Eku/Require", "1.3.6.1.5.5.7.3.2");
    denied(code, "extended key usage 1.3.6.1.5.5.7.3.2 is missing (Rules/web/Eku/Require)");
    fake_unset("Rules/web/Eku/Require");
    fake_set_list("Rules/web/Eku/Deny", "1.3.6.1.5.5.7.3.1");
    denied(code, "extended key usage 1.3.6.1.5.5.7.3.1 is denied (Rules/web/Eku/Deny)");
    fake_unset("Rules/web/Eku/Allow");
    fake_set_list("Rules/web/Eku/Deny", "1.3.6.1.5.5.7.3.3");
    issued();
    fake_set_ext_hex(r, OID_EKU, POLICY, "30060604551d2500");
    denied(code, "extended key usage 2.5.29.37.0 stands for every purpose, also those denied "
                 "(Rules/web/Eku/Deny)");
    fake_set_ext_hex(r, OID_EKU, POLICY, server);
    fake_unset("Rules/web/Eku/Deny");
    fake_set_list("Rules/web/Eku/Allow", "1.3.6.1.5.5.7.3.2");
    denied(code, "an extended key usage is not listed (Rules/web/Eku/Allow)");
    fake_set_ext_hex(r, OID_EKU, FROM_REQUEST, "300a06082b06010505070302");
    denied(code, "there is no extended key usage, which stands for every purpose "
                 "(Rules/web/Eku/Allow)");
    fake_set_list("Rules/web/Eku/Set", "1.3.6.1.5.5.7.3.2");
    issued();
    assert_string_equal(fake_hex(r, OID_EKU), "300a06082b06010505070302");
    fake_set_list("Rules/web/KeyUsage/Set", "digitalSignature,keyEncipherment");
    issued();
    assert_string_equal(fake_hex(r, OID_KU), "030205a0");
    fake_curve(r, "06082a8648ce3d030107");
    issued();
    assert_string_equal(fake_hex(r, OID_KU), "03020780");
    assert_int_equal(fake_ext(r, OID_KU)->flags & CHY_EXTENSION_CRITICAL_FLAG,
                     CHY_EXTENSION_CRITICAL_FLAG);
}

/* AIA of the server: ocsp http://o, issuers http://i */
static const char server_aia[] =
    "302c301406082b060105050730018608687474703a2f2f6f301406082b060105050730028608687474703a2f2f69";

static void where_to_look(void **state)
{
    (void)state;
    fake_set_ext_hex(r, OID_CDP, SERVER, "300f300da00ba0098607687474703a2f2f73");
    fake_set_ext_hex(r, OID_AIA, SERVER, server_aia);
    fake_set_list("Rules/web/Crl/Urls", "http://c");
    fake_set_list("Rules/web/Aia/Issuers", "http://n");
    issued();
    assert_string_equal(fake_hex(r, OID_CDP), "3010300ea00ca00a8608687474703a2f2f63");
    assert_string_equal(fake_hex(r, OID_AIA), "302c301406082b060105050730018608687474703a2f2f6f3014"
                                              "06082b060105050730028608687474703a2f2f6e");
    fake_set_list("Rules/web/Aia/Ocsp", "");
    fake_set_list("Rules/web/Crl/Urls", "");
    issued();
    assert_string_equal(fake_hex(r, OID_CDP), "");
    assert_string_equal(fake_hex(r, OID_AIA), "3016301406082b060105050730028608687474703a2f2f6e");
    /* Who said that nobody can revoke it (RFC 9608) is not contradicted. */
    fake_set_list("Rules/web/Crl/Urls", "http://c");
    fake_set_list("Rules/web/Aia/Ocsp", "http://p");
    fake_set_ext_hex(r, OID_NO_REV, POLICY, "0500");
    issued();
    assert_string_equal(fake_hex(r, OID_CDP), "");
    assert_string_equal(fake_hex(r, OID_AIA), "3016301406082b060105050730028608687474703a2f2f6e");
}

static void an_administrators_choice_stays_and_is_checked(void **state)
{
    (void)state;
    fake_set_list("Rules/web/Eku/Set", "1.3.6.1.5.5.7.3.1");
    fake_set_ext_hex(r, OID_EKU, CHY_EXTENSION_ORIGIN_ADMIN, "300a06082b06010505070302");
    fake_set_list("Rules/web/San/dns/Allow", "*.corp.test");
    fake_san(r, CHY_EXTENSION_ORIGIN_ADMIN, "dns:www.corp.test");
    chy_object o = start();
    assert_int_equal(ask(&o, RESUBMITTED), CHY_VR_INSTANT_OK);
    assert_string_equal(fake_hex(r, OID_EKU), "300a06082b06010505070302");
    fake_san(r, CHY_EXTENSION_ORIGIN_ADMIN, "dns:evil.test");
    assert_int_equal(ask(&o, RESUBMITTED), NAMES);
    fake_policy_table(&o)->release(o.self);
}

static void derived_parts(void **state)
{
    (void)state;
    fake_attribute(r, "Cost-Center", "4711");
    fake_set_text("Rules/web/Subject/Organization/Set", "Corp Inc.");
    fake_set_text("Rules/web/Subject/OrgUnit/Set", "{Requester}/{Profile}/{Attribute:Cost-Center}");
    fake_set_text("Rules/web/Subject/Title/Set", "{dns} {ip}");
    fake_set_text("Rules/web/Subject/Locality/Set", "");
    fake_property(r, "Locality", "Nowhere", 7);
    fake_set_long("Rules/*/Subject/Organization/MinCount", 1);
    issued();
    assert_string_equal(fake_text(r, "Organization"), "Corp Inc.");
    assert_string_equal(fake_text(r, "OrgUnit"), "anna/web/4711");
    assert_string_equal(fake_text(r, "Title"), "www.corp.test 10.1.2.3");
    assert_null(fake_text(r, "Locality"));
    assert_string_equal(fake_text(r, "CommonName"), "www.corp.test");
    fake_set_text("Rules/web/Subject/Title/Set", "{email}");
    denied(NAMES, "Title cannot be set: the request has no {email} (Rules/web/Subject/Title/Set)");
    fake_set_text("Rules/web/Subject/Title/Set", "{Attribute:Cost-Center}");
    fake_set_list("Rules/web/Subject/Title/Allow", "re:[0-9]{3}");
    denied(NAMES, "Title \"4711\" fits no pattern (Rules/web/Subject/Title/Allow)");
}

static void alone_it_takes_names_from_the_request(void **state)
{
    (void)state;
    fake_san(r, FROM_REQUEST, "dns:www.corp.test");
    fake_set_list("Rules/web/San/dns/Allow", "*.corp.test");
    issued();
    assert_string_equal(fake_hex(r, OID_SAN), "");
    fake_set_long("Rules/web/San/FromRequest", 1);
    issued();
    assert_string_equal(fake_hex(r, OID_SAN), "300f820d7777772e636f72702e74657374");
    assert_int_equal(fake_ext(r, OID_SAN)->flags & CHY_EXTENSION_CRITICAL_FLAG, 0);
    fake_san(r, FROM_REQUEST, "dns:evil.test");
    assert_int_equal(decide(), NAMES);
    assert_string_equal(fake_hex(r, OID_SAN), "");
    fake_san(r, FROM_REQUEST, "dns:www.corp.test");
    fake_property(r, "CommonName", NULL, 0);
    issued();
    assert_true(fake_ext(r, OID_SAN)->flags & CHY_EXTENSION_CRITICAL_FLAG);
    fake_set_long("Rules/web/Pend", 1);
    assert_int_equal(decide(), CHY_VR_PENDING);
    chy_object o = start();
    assert_int_equal(ask(&o, RESUBMITTED), CHY_VR_INSTANT_OK);
    fake_policy_table(&o)->release(o.self);
}

#define HOUR INT64_C(3600000000)

static void how_long(void **state)
{
    (void)state;
    const chy_time from = r->not_before, end = r->not_after; /* Thursday, 2024-10-04 is a Friday */
    fake_set_long("Rules/*/Validity/MaxDays", 30);
    issued();
    assert_true(r->not_after == from + 30 * FAKE_DAY - 1000000);
    fake_set_long("Rules/web/Validity/MaxHours", 8);
    issued();
    assert_true(r->not_after == from + 8 * HOUR - 1000000 && r->not_before == from);
    r->not_after = end;
    fake_set_long("Rules/web/Validity/StartDelayMinutes", 90);
    issued();
    assert_true(r->not_before == from + 90 * INT64_C(60000000));
    assert_true(r->not_after == r->not_before + 8 * HOUR - 1000000);
    r->not_before = from;
    r->not_after = end;
    fake_set_text("Rules/web/Validity/End", "2024-10-04T04:00:00Z");
    issued();
    assert_true(r->not_after == from + 4 * HOUR);
    fake_set_text("Rules/web/Validity/End", "2024-10-04T01:00:00Z");
    r->not_before = from;
    r->not_after = end;
    denied(CHY_E_INVALIDARG, "the validity would start at 2024-10-04T01:30:00Z and end at "
                             "2024-10-04T01:00:00Z (Rules/web/Validity/End)");
    assert_true(r->not_before == from && r->not_after == end);
}

static void ends_lie_in_working_hours(void **state)
{
    (void)state;
    const chy_time from = r->not_before; /* 2024-10-04T00:00:00Z, a Friday */
    fake_set_list("Rules/web/Validity/WorkDays", "mon,tue,wed,thu,fri");
    fake_set_text("Rules/web/Validity/WorkHours", "09:00-16:30");
    r->not_after = from + 10 * FAKE_DAY + 12 * HOUR; /* Monday noon stays */
    issued();
    assert_true(r->not_after == from + 10 * FAKE_DAY + 12 * HOUR);
    r->not_after = from + 10 * FAKE_DAY + 8 * HOUR; /* Monday morning: Friday evening */
    issued();
    assert_true(r->not_after == from + 7 * FAKE_DAY + 16 * HOUR + HOUR / 2 - 1000000);
    r->not_after = from + 9 * FAKE_DAY; /* Sunday */
    issued();
    assert_true(r->not_after == from + 7 * FAKE_DAY + 16 * HOUR + HOUR / 2 - 1000000);
    fake_set_long("Rules/web/Validity/UtcOffsetMinutes", 120);
    r->not_after = from + 9 * FAKE_DAY;
    issued();
    assert_true(r->not_after == from + 7 * FAKE_DAY + 14 * HOUR + HOUR / 2 - 1000000);
    r->not_after = from + 5 * HOUR; /* never at work: it stays */
    issued();
    assert_true(r->not_after == from + 5 * HOUR);
}

static void audit_only_tells_and_changes_nothing(void **state)
{
    (void)state;
    fake_set_long("AuditOnly", 1);
    fake_set_list("Rules/web/San/dns/Allow", "*.corp.test");
    fake_set_list("Rules/*/Key/Deny", "rsa");
    fake_set_text("Rules/web/Subject/Organization/Set", "Corp Inc.");
    fake_set_long("Rules/web/Subject/Organization/MinCount", 1);
    fake_set_long("Rules/web/Validity/MaxDays", 1);
    fake_set_long("Rules/web/Pend", 1);
    const chy_time end = r->not_after;
    issued();
    assert_string_equal(r->message,
                        "audit only, would be denied: dns \"corp.test\" fits no pattern "
                        "(Rules/web/San/dns/Allow); the key (rsa, 2048) is denied "
                        "(Rules/*/Key/Deny)");
    assert_non_null(strstr(fake.log, "policy-rules: request 10 of anna would be denied: dns"));
    assert_null(fake_text(r, "Organization"));
    assert_true(r->not_after == end);
    fake_unset("AuditOnly");
    fake_set_long("Rules/web/AuditOnly", 1);
    denied(CHY_CERTSRV_E_KEY_LENGTH, "the key (rsa, 2048) is denied (Rules/*/Key/Deny)");
    fake_unset("Rules/*/Key/Deny");
    issued();
    assert_string_equal(r->message,
                        "audit only, would be denied: dns \"corp.test\" fits no pattern "
                        "(Rules/web/San/dns/Allow)");
}

static void long_messages_are_cut_in_the_answer_not_in_the_log(void **state)
{
    (void)state;
    char names[600] = "";
    for (int i = 0; i < 20; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), " dns:host%02d.evil.test", i);
    fake_san(r, POLICY, names + 1);
    fake_set_list("Rules/web/San/dns/Allow", "*.corp.test");
    assert_int_equal(decide(), NAMES);
    assert_true(strlen(r->message) < 460);
    assert_non_null(strstr(r->message, "host00.evil.test"));
    assert_non_null(strstr(r->message, "…"));
    assert_non_null(strstr(fake.log, "host19.evil.test"));
}

static void what_cannot_be_read_is_no_decision(void **state)
{
    (void)state;
    static const char *const names[] = {"RequesterName",     "CommonName", "PublicKeyAlgorithm",
                                        "RequesterCAAccess", OID_EKU,      OID_SAN};
    fake_set_list("Rules/web/San/dns/Allow", "*");
    chy_object o = start();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        chy_long got = 4711;
        fake.fails = names[i];
        fake.fail_code = CHY_E_FAIL;
        assert_int_equal(fake_policy_table(&o)->verify_request(o.self, "c", 1, 1, 0, &got),
                         CHY_E_FAIL);
        assert_int_equal(got, CHY_VR_INSTANT_BAD);
        assert_non_null(strstr(r->message, "could not be read or set (0x80004005)"));
    }
    fake.fails = NULL;
    for (int i = 0; i < 2; i++) { /* no time that a certificate could have */
        chy_long got = 4711;
        r->not_after = i ? INT64_MAX : INT64_MIN;
        assert_int_equal(fake_policy_table(&o)->verify_request(o.self, "c", 1, 1, 0, &got),
                         CHY_E_UNEXPECTED);
        assert_int_equal(got, CHY_VR_INSTANT_BAD);
    }
    fake_policy_table(&o)->release(o.self);
}

static void many_names_fail_before_the_deadline(void **state)
{
    (void)state;
    chy_long got = 4711;
    fake_set_list("Rules/*/Names/Deny", "*.evil.test");
    chy_object o = start();
    fake.time_left = 1000;
    fake.time_step = 300;
    assert_int_equal(fake_policy_table(&o)->verify_request(o.self, "c", 1, SUBMITTED, 0, &got),
                     CHY_ERROR_TIMEOUT);
    assert_string_equal(r->message, "to compare all its names with all patterns takes longer than "
                                    "the call may");
    fake.time_step = 0;
    assert_int_equal(ask(&o, SUBMITTED), CHY_VR_INSTANT_OK);
    fake_policy_table(&o)->release(o.self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(allowed_and_denied_names, reset),
        cmocka_unit_test_setup(parts_of_the_subject, reset),
        cmocka_unit_test_setup(how_many_names, reset),
        cmocka_unit_test_setup(no_more_names_than_it_looks_at, reset),
        cmocka_unit_test_setup(rules_of_all_and_of_one_profile, reset),
        cmocka_unit_test_setup(without_rules, reset),
        cmocka_unit_test_setup(deny_lists, reset),
        cmocka_unit_test_setup(keys, reset),
        cmocka_unit_test_setup(reasons_are_text_whatever_is_cut, reset),
        cmocka_unit_test_setup(purposes, reset),
        cmocka_unit_test_setup(where_to_look, reset),
        cmocka_unit_test_setup(an_administrators_choice_stays_and_is_checked, reset),
        cmocka_unit_test_setup(derived_parts, reset),
        cmocka_unit_test_setup(alone_it_takes_names_from_the_request, reset),
        cmocka_unit_test_setup(how_long, reset),
        cmocka_unit_test_setup(ends_lie_in_working_hours, reset),
        cmocka_unit_test_setup(audit_only_tells_and_changes_nothing, reset),
        cmocka_unit_test_setup(long_messages_are_cut_in_the_answer_not_in_the_log, reset),
        cmocka_unit_test_setup(what_cannot_be_read_is_no_decision, reset),
        cmocka_unit_test_setup(many_names_fail_before_the_deadline, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
