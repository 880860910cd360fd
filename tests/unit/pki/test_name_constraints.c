/* Name constraints, as tables: RFC 5280 4.2.1.10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "pki/ext.h"
#include "unit/pki/der_notation.h"

struct row {
    enum chy_gn_type type;
    const char *base, *name;
    bool permitted, excluded; /* passes when base is permitted; refused when base is excluded */
};

static void check_rows(const struct row *rows, size_t n)
{
    static struct chy_name_constraints nc;
    for (size_t i = 0; i < n; i++) {
        struct chy_err err = {0};
        struct chy_general_name base = {.type = rows[i].type, .value = chy_span_cstr(rows[i].base)};
        struct chy_general_name gn = {.type = rows[i].type, .value = chy_span_cstr(rows[i].name)};
        nc.permitted[0] = nc.excluded[0] = base;
        nc.n_permitted = 1;
        nc.n_excluded = 0;
        bool passes = chy_name_constraints_check(&nc, &gn, &err) == CHY_S_OK;
        nc.n_permitted = 0;
        nc.n_excluded = 1;
        bool refused = chy_name_constraints_check(&nc, &gn, &err) != CHY_S_OK;
        if (passes != rows[i].permitted || refused != rows[i].excluded)
            fail_msg("%s against %s: %d %d", rows[i].name, rows[i].base, passes, refused);
    }
}

static void test_text_forms(void **state)
{
    static const struct row rows[] = {
        {CHY_GN_DNS, "a.test", "a.test", true, true},
        {CHY_GN_DNS, "a.test", "A.TEST", true, true},
        {CHY_GN_DNS, "a.test", "www.a.test", true, true},
        {CHY_GN_DNS, "a.test", "ba.test", false, false},
        {CHY_GN_DNS, "a.test", "test", false, false},
        {CHY_GN_DNS, ".a.test", "a.test", false, false},
        {CHY_GN_DNS, ".a.test", "www.a.test", true, true},
        {CHY_GN_DNS, "", "a.test", true, true},
        {CHY_GN_DNS, "www.a.test", "*.a.test", false, true},
        {CHY_GN_DNS, "a.test", "*.a.test", true, true},
        {CHY_GN_EMAIL, "a.test", "x@a.test", true, true},
        {CHY_GN_EMAIL, "a.test", "x@b.a.test", false, false},
        {CHY_GN_EMAIL, ".a.test", "x@b.a.test", true, true},
        {CHY_GN_EMAIL, "x@a.test", "x@A.test", true, true},
        {CHY_GN_EMAIL, "x@a.test", "X@a.test", false, false},
        {CHY_GN_EMAIL, "", "x@a.test", false, true},
        {CHY_GN_URI, "a.test", "http://a.test/x", true, true},
        {CHY_GN_URI, "a.test", "http://a.test:80", true, true},
        {CHY_GN_URI, "a.test", "http://b.a.test/", false, false},
        {CHY_GN_URI, ".a.test", "http://b.a.test/", true, true},
        {CHY_GN_URI, "a.test", "http://a.test:x@b.test/", false, false},
        {CHY_GN_URI, "b.test", "http://a.test:x@b.test/", true, true},
        {CHY_GN_URI, "a.test", "x:http://a.test/", false, true},
        {CHY_GN_URI, "a.test", "urn:x", false, true},
        {CHY_GN_URI, "a.test", "http:///x", false, true},
        {CHY_GN_URI, "a.test", "http://10.0.0.1/", false, true},
        {CHY_GN_URI, "a.test", "http://[fd00::1]:80/", false, true},
        {CHY_GN_URI, "a.test", "http://10.test/", false, false},
        {CHY_GN_RID, "\x2a\x03", "\x2a\x03", true, true},
        {CHY_GN_RID, "\x2a\x03", "\x2a\x04", false, true},
        {CHY_GN_X400, "x", "y", false, true},
    };
    (void)state;
    check_rows(rows, CHY_ARRAY_LEN(rows));
}

static void check_ip(struct chy_span base, struct chy_span ip, chy_hresult want)
{
    static struct chy_name_constraints nc;
    struct chy_err err = {0};
    struct chy_general_name gn = {.type = CHY_GN_IP, .value = ip};
    nc.permitted[0] = (struct chy_general_name){.type = CHY_GN_IP, .value = base};
    nc.n_permitted = 1;
    assert_int_equal(chy_name_constraints_check(&nc, &gn, &err), want);
}

static void test_addresses(void **state)
{
    static const uint8_t v4[8] = {10, 0, 0, 0, 255, 0, 0, 0}, in4[4] = {10, 1, 2, 3};
    static const uint8_t out4[4] = {11, 1, 2, 3}, in6[16] = {0xfd, 9}, out6[16] = {0xfe};
    static const uint8_t v6[32] = {[0] = 0xfd, [16] = 0xff};
    (void)state;
    check_ip(CHY_SPAN(v4), CHY_SPAN(in4), CHY_S_OK);
    check_ip(CHY_SPAN(v4), CHY_SPAN(out4), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    check_ip(CHY_SPAN(v4), CHY_SPAN(in6), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    check_ip(CHY_SPAN(v6), CHY_SPAN(in6), CHY_S_OK);
    check_ip(CHY_SPAN(v6), CHY_SPAN(out6), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
}

#define CN "30{06{550403}0c{"
#define OU "30{06{55040b}0c{"
#define ORG(value) "31{30{06{55040a}" value "}}"

/* dirName: the RDNs of the base are the first ones of the name. */
static void test_directory_names(void **state)
{
    static const struct {
        const char *base, *name;
        bool permitted, excluded;
    } rows[] = {
        {"30{}", "30{" ORG("0c{'A'}") "}", true, true},
        {"30{" ORG("0c{'A'}") "}", "30{" ORG("0c{'A'}") "}", true, true},
        {"30{" ORG("0c{'A'}") "}", "30{" ORG("13{'a'}") "31{" CN "'x'}}}}", true, true},
        {"30{" ORG("0c{'A'}") "}", "30{" ORG("1e{0041}") "}", true, true},
        {"30{" ORG("0c{'A B'}") "}", "30{" ORG("0c{' a   b '}") "}", true, true},
        {"30{" ORG("0c{'A B'}") "}", "30{" ORG("0c{'ab'}") "}", false, false},
        {"30{" ORG("0c{'A'}") "}", "30{" ORG("0c{'B'}") "}", false, false},
        {"30{" ORG("0c{'A'}") "}", "30{}", false, false},
        {"30{" ORG("0c{'A'}") "}", "30{31{" CN "'A'}}}}", false, false},
        {"30{" ORG("0c{'A'}") "}", "30{31{" CN "'x'}}}" ORG("0c{'A'}") "}", false, false},
        {"30{" ORG("0c{'A'}") "31{" CN "'x'}}}}", "30{" ORG("0c{'A'}") "}", false, false},
        /* an RDN is the same only as a whole, and in any order */
        {"30{31{" CN "'x'}}}}", "30{31{" CN "'x'}}" OU "'y'}}}}", false, false},
        {"30{31{" CN "'x'}}" OU "'y'}}}}", "30{31{" CN "'x'}}}}", false, false},
        {"30{31{" CN "'x'}}" OU "'y'}}}}", "30{31{" CN "'x'}}" OU "'y'}}}}", true, true},
        {"30{31{" CN "'xx'}}" OU "'yyy'}}}}",
         "30{31{30{06{55040b}0c{'yyy'}}30{06{550403}1e{00780078}}}}", true, true},
        /* what is malformed is not permitted, and excluded to be safe */
        {"30{" ORG("0c{'A'}") "}", "30{31{}}", false, true},
    };
    static struct chy_name_constraints nc;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_buf base, name;
        chy_buf_init(&base, 256);
        chy_buf_init(&name, 256);
        der(&base, rows[i].base);
        der(&name, rows[i].name);
        struct chy_general_name gn = {.type = CHY_GN_DIR, .value = chy_buf_span(&name)};
        nc.permitted[0] = nc.excluded[0] =
            (struct chy_general_name){.type = CHY_GN_DIR, .value = chy_buf_span(&base)};
        nc.n_permitted = 1;
        nc.n_excluded = 0;
        bool passes = chy_name_constraints_check(&nc, &gn, &err) == CHY_S_OK;
        nc.n_permitted = 0;
        nc.n_excluded = 1;
        bool refused = chy_name_constraints_check(&nc, &gn, &err) != CHY_S_OK;
        if (passes != rows[i].permitted || refused != rows[i].excluded)
            fail_msg("%s against %s: %d %d", rows[i].name, rows[i].base, passes, refused);
        chy_buf_free(&base);
        chy_buf_free(&name);
    }
}

static void test_what_a_refusal_says(void **state)
{
    static struct chy_name_constraints nc;
    struct chy_err err = {0};
    struct chy_general_name gn = {.type = CHY_GN_DNS, .value = CHY_SPAN_STR("b.test")};
    (void)state;
    nc.permitted[0] = (struct chy_general_name){.type = CHY_GN_DNS, CHY_SPAN_STR("a.test")};
    nc.n_permitted = 1;
    assert_int_equal(chy_name_constraints_check(&nc, &gn, &err), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    assert_string_equal(err.text, "name dns:b.test: the CA's name constraints do not permit it "
                                  "(RFC 5280 4.2.1.10)");
    nc.permitted[0].value = nc.excluded[0].value = gn.value;
    nc.excluded[0].type = CHY_GN_DNS;
    nc.n_excluded = 1; /* outweighs what is permitted */
    err = (struct chy_err){0};
    assert_int_equal(chy_name_constraints_check(&nc, &gn, &err), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    assert_non_null(strstr(err.text, "name constraints exclude it"));
    gn.type = CHY_GN_EMAIL; /* a form without constraints */
    assert_int_equal(chy_name_constraints_check(&nc, &gn, &err), CHY_S_OK);
}

static void test_read_and_written_as_openssl_does(void **state)
{
    static const char *const rows[] = {
        "permitted;DNS:a.test",
        "excluded;IP:10.0.0.0/255.0.0.0",
        "permitted;DNS:a.test,permitted;DNS:.b.test,permitted;IP:fd00::/"
        "ff00::,excluded;email:x@a.b,"
        "excluded;URI:.a.test,excluded;otherName:1.2.3;UTF8:x",
    };
    static struct chy_name_constraints nc;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_buf b;
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_name_constraints, rows[i]);
        assert_non_null(ext);
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);
        struct chy_span theirs = {ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)};
        assert_int_equal(chy_name_constraints_parse(theirs, &nc, &err), CHY_S_OK);
        assert_int_equal(nc.n_permitted, i == 0 ? 1 : i == 1 ? 0 : 3);
        assert_int_equal(nc.n_excluded, i == 0 ? 0 : i == 1 ? 1 : 3);
        chy_buf_init(&b, 1024);
        chy_name_constraints_add(&b, &nc);
        assert_true(chy_span_eq(chy_buf_span(&b), theirs));
        chy_buf_free(&b);
        X509_EXTENSION_free(ext);
    }
    assert_int_equal(nc.permitted[2].type, CHY_GN_IP);
    assert_int_equal(nc.permitted[2].value.n, 32);
    assert_int_equal(nc.excluded[0].type, CHY_GN_EMAIL);
}

static void test_parser_refusals(void **state)
{
    static const struct {
        const char *value, *fault;
    } rows[] = {
        {"", "not one SEQUENCE"},
        {"31{}", "not one SEQUENCE"},
        {"30{a0{30{8201'a'}}}00", "not one SEQUENCE"},
        {"30{}", "neither permitted nor excluded subtrees, or more than them"},
        {"30{a2{30{8201'a'}}}", "neither permitted nor excluded subtrees, or more than them"},
        {"30{a0{30{8201'a'}}0500}", "neither permitted nor excluded subtrees, or more than them"},
        {"30{a1{30{8201'a'}}a0{30{8201'a'}}}", "or more than them"},
        {"30{a005}", "malformed"},
        {"30{a105}", "malformed"},
        {"30{a0{}}", "an empty list of subtrees"},
        {"30{a0{30{8201'a'}}a1{}}", "an empty list of subtrees"},
        {"30{a0{31{8201'a'}}}", "a subtree is no SEQUENCE"},
        {"30{a0{3005}}", "a subtree is no SEQUENCE"},
        {"30{a0{30{}}}", "a subtree that is not one name"},
        {"30{a0{30{8201'a'800101}}}", "a subtree that is not one name"},
        {"30{a0{30{8201'a'810105}}}", "a subtree that is not one name"},
        {"30{a0{30{87{0a000000}}}}", "an address range is not 8 or 32 octets long"},
        {"30{a1{30{87{0a000000ff}}}}", "an address range is not 8 or 32 octets long"},
        {"30{a1{30{8700}}}", "an address range is not 8 or 32 octets long"},
        {"30{a1{30{a4{30{31{}}}}}}", "a malformed directoryName"},
    };
    static struct chy_name_constraints nc;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_buf b;
        chy_buf_init(&b, 256);
        der(&b, rows[i].value);
        chy_hresult hr = chy_name_constraints_parse(chy_buf_span(&b), &nc, &err);
        if (hr != CHY_CRYPT_E_ASN1_BADPDU || !strstr(err.text, rows[i].fault))
            fail_msg("%s: %s", rows[i].value, err.text);
        chy_buf_free(&b);
    }
}

static void test_as_many_subtrees_as_there_is_room(void **state)
{
    static struct chy_name_constraints nc;
    const size_t room = CHY_ARRAY_LEN(nc.permitted);
    (void)state;
    for (size_t count = room; count <= room + 1; count++) {
        struct chy_err err = {0};
        struct chy_buf b;
        chy_buf_init(&b, 4096);
        size_t seq = chy_der_open(&b, CHY_DER_SEQUENCE), list = chy_der_open(&b, 0xa0);
        for (size_t i = 0; i < count; i++)
            der(&b, "30{8201'a'}");
        chy_der_close(&b, list);
        chy_der_close(&b, seq);
        chy_hresult hr = chy_name_constraints_parse(chy_buf_span(&b), &nc, &err);
        assert_int_equal(hr, count == room ? CHY_S_OK : CHY_CRYPT_E_ASN1_BADPDU);
        assert_int_equal(nc.n_permitted, room);
        if (hr != CHY_S_OK) assert_non_null(strstr(err.text, "too many subtrees"));
        chy_buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_forms),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_directory_names),
        cmocka_unit_test(test_what_a_refusal_says),
        cmocka_unit_test(test_read_and_written_as_openssl_does),
        cmocka_unit_test(test_parser_refusals),
        cmocka_unit_test(test_as_many_subtrees_as_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
