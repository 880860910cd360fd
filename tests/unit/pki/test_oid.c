/* Object identifiers against OpenSSL's table, and the texts that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/objects.h>

#include "pki/der.h"

static struct chy_span content(const ASN1_OBJECT *o)
{
    return chy_span_of(OBJ_get0_data(o), OBJ_length(o));
}

static void test_text_agrees_with_openssl_both_ways(void **state)
{
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    size_t seen = 0, named = 0;
    for (int nid = 1; nid < 1400; nid++) {
        char ours[128], theirs[128];
        const ASN1_OBJECT *o = OBJ_nid2obj(nid);
        if (!o || OBJ_length(o) == 0) continue;
        assert_true(OBJ_obj2txt(theirs, sizeof(theirs), o, 1) > 0);
        assert_true(chy_oid_to_text(content(o), ours, sizeof(ours)));
        /* OpenSSL gives a top arc alone as one number. */
        if (strchr(theirs, '.')) assert_string_equal(ours, theirs);
        chy_buf_reset(&b);
        assert_true(chy_oid_from_text(ours, &b));
        assert_true(chy_span_eq(chy_buf_span(&b), content(o)));
        const char *name = chy_oid_name(content(o));
        seen++;
        if (!name) continue;
        chy_buf_reset(&b);
        assert_true(chy_oid_from_name(name, &b));
        assert_true(chy_span_eq(chy_buf_span(&b), content(o)));
        named++;
    }
    assert_true(seen > 900);
    assert_true(named > 140);
    chy_buf_free(&b);
}

static void test_names_that_we_promise(void **state)
{
    static const struct {
        const char *name, *dotted;
    } cases[] = {
        {"CN", "2.5.4.3"},
        {"dc", "0.9.2342.19200300.100.1.25"},
        {"E", "1.2.840.113549.1.9.1"},
        {"serverAuth", "1.3.6.1.5.5.7.3.1"},
        {"SERVERAUTH", "1.3.6.1.5.5.7.3.1"},
        {"clientAuth", "1.3.6.1.5.5.7.3.2"},
        {"codeSigning", "1.3.6.1.5.5.7.3.3"},
        {"emailProtection", "1.3.6.1.5.5.7.3.4"},
        {"timeStamping", "1.3.6.1.5.5.7.3.8"},
        {"OCSPSigning", "1.3.6.1.5.5.7.3.9"},
        {"anyExtendedKeyUsage", "2.5.29.37.0"},
        {"smartcardLogon", "1.3.6.1.4.1.311.20.2.2"},
        {"msSecurityIdentifier", "1.3.6.1.4.1.311.25.2"},
        {"subjectAltName", "2.5.29.17"},
        {"sha256WithRSAEncryption", "1.2.840.113549.1.1.11"},
        {"1.2.3", "1.2.3"},
        {"ML-DSA-65", "2.16.840.1.101.3.4.3.18"},
    };
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    for (size_t i = 0; i < CHY_ARRAY_LEN(cases); i++) {
        char text[64];
        chy_buf_reset(&b);
        assert_true(chy_oid_from_name(cases[i].name, &b));
        assert_true(chy_oid_to_text(chy_buf_span(&b), text, sizeof(text)));
        assert_string_equal(text, cases[i].dotted);
    }
    assert_false(chy_oid_from_name("noSuchName", &b));
    assert_false(chy_oid_from_name("", &b));
    assert_false(chy_oid_from_name(NULL, &b));
    assert_null(chy_oid_name(CHY_SPAN_STR("\x2a\x03")));
    chy_buf_free(&b);
}

static void test_text_refusals_leave_the_buffer(void **state)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "1.",
                                      ".1",
                                      "1..2",
                                      "1.2.",
                                      "3.1",
                                      "1.40",
                                      "0.40",
                                      "01.2",
                                      "1.02",
                                      "1.2x",
                                      "1.2.x",
                                      " 1.2",
                                      "1.2 ",
                                      "-1.2",
                                      "1.-2",
                                      "1.2.99999999999999999999",
                                      "2.18446744073709551615",
                                      "a.b"};
    (void)state;
    struct chy_buf b;
    chy_buf_init(&b, 100);
    chy_buf_add_str(&b, "kept");
    for (size_t i = 0; i < CHY_ARRAY_LEN(bad); i++) {
        if (chy_oid_from_text(bad[i], &b)) fail_msg("accepted \"%s\"", bad[i]);
        assert_int_equal(b.n, 4);
    }
    assert_false(chy_oid_from_text(NULL, &b));
    chy_buf_free(&b);
}

static void test_content_refusals(void **state)
{
    (void)state;
    char text[64];
    assert_false(chy_oid_to_text(CHY_SPAN_STR(""), text, sizeof(text)));
    assert_false(chy_oid_to_text(CHY_SPAN_STR("\x2a\x80\x01"), text, sizeof(text)));
    assert_false(chy_oid_to_text(CHY_SPAN_STR("\x2a\x81"), text, sizeof(text)));
    assert_false(chy_oid_to_text(CHY_SPAN_STR("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
                                 text, sizeof(text)));
    assert_false(chy_oid_to_text(CHY_SPAN_STR("\x2a\x03\x04"), text, 7));
    assert_true(chy_oid_to_text(CHY_SPAN_STR("\x2a\x03\x04"), text, 8));
    assert_true(chy_oid_to_text(CHY_SPAN_STR("\x88\x37"), text, sizeof(text)));
    assert_string_equal(text, "2.999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_agrees_with_openssl_both_ways),
        cmocka_unit_test(test_names_that_we_promise),
        cmocka_unit_test(test_text_refusals_leave_the_buffer),
        cmocka_unit_test(test_content_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
