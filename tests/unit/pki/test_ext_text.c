/* Extensions in words: each kind that is known, and octets for all that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/text.h"
#include "pki/ext.h"

static void expect(const char *oid, const char *hex, const char *name, const char *text)
{
    struct chy_buf o, v, out;
    chy_buf_init(&o, 64);
    chy_buf_init(&v, 4096);
    chy_buf_init(&out, 1 << 16);
    assert_true(chy_oid_from_text(oid, &o));
    assert_true(chy_hex_decode(&v, chy_span_cstr(hex)));
    chy_ext_name(chy_buf_span(&o), &out);
    assert_string_equal(chy_buf_cstr(&out), name);
    chy_buf_reset(&out);
    chy_ext_to_text(chy_buf_span(&o), chy_buf_span(&v), &out);
    assert_string_equal(chy_buf_cstr(&out), text);
    chy_buf_free(&o);
    chy_buf_free(&v);
    chy_buf_free(&out);
}

static void test_known_ones(void **state)
{
    (void)state;
    expect("2.5.29.17", "3010820a7777772e612e7465737487027f01", "subjectAltName",
           "dns:www.a.test, ip:7f01");
    expect("2.5.29.15", "030205a0", "keyUsage", "digitalSignature, keyEncipherment");
    expect("2.5.29.37", "301106082b0601050507030106052a030405ff06", "extKeyUsage",
           "301106082b0601050507030106052a030405ff06");
    expect("2.5.29.37", "301006082b0601050507030106042a030405", "extKeyUsage",
           "serverAuth, 1.2.3.4.5");
    expect("2.5.29.19", "30060101ff020100", "basicConstraints", "CA, 0 CAs at most below it");
    expect("2.5.29.19", "3000", "basicConstraints", "no CA");
    expect("2.5.29.14", "0402abcd", "subjectKeyIdentifier", "abcd");
    expect("2.5.29.35", "30048002abcd", "authorityKeyIdentifier", "abcd");
    expect("2.5.29.32", "300a3008060667810c010201", "certificatePolicies", "domainValidated");
    expect("2.5.29.31", "301b3019a017a0158613687474703a2f2f612e746573742f632e63726c",
           "cRLDistributionPoints", "uri:http://a.test/c.crl");
    expect("1.3.6.1.5.5.7.1.1",
           "303a301b06082b06010505073001860f687474703a2f2f612e746573742f6f301b06082b060105050730028"
           "60f687474703a2f2f612e746573742f69",
           "authorityInfoAccess", "ocsp uri:http://a.test/o, caIssuers uri:http://a.test/i");
    expect("1.3.6.1.4.1.311.20.2", "1e06005700650062", "msCertificateTemplateName", "Web");
}

static void test_others_are_octets(void **state)
{
    (void)state;
    expect("1.2.3.4", "0500", "1.2.3.4", "0500");
    expect("2.5.29.15", "0500", "keyUsage", "0500");
    expect("2.5.29.17", "30820102", "subjectAltName", "30820102");
    expect("1.2.3.4",
           "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"
           "000102030405060708090a0b0c0d0e0f00",
           "1.2.3.4",
           "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"
           "000102030405060708090a0b0c0d0e0f… (49 octets)");
    /* a UPN with a line break, and one that is no UTF-8: nothing of it reaches a terminal */
    expect("2.5.29.17", "3017a015060a2b060104018237140203a0070c05610a406262", "subjectAltName",
           "3017a015060a2b060104018237140203a0070c05610a406262");
    expect("2.5.29.17", "3017a015060a2b060104018237140203a0070c0561ff406262", "subjectAltName",
           "3017a015060a2b060104018237140203a0070c0561ff406262");
    expect("2.5.29.17", "3017a015060a2b060104018237140203a0070c056162406262", "subjectAltName",
           "upn:ab@bb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_ones),
        cmocka_unit_test(test_others_are_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
