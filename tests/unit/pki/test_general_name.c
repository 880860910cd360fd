/* GeneralNames: octets in and out, the text form, and what a client may send. RFC 5280 4.2.1.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "pki/ext.h"

#define OCTETS(lit)                                                                                \
    {                                                                                              \
        (const uint8_t *)(lit), sizeof(lit) - 1                                                    \
    }

/* The octets stand alone in memory, so that the sanitizer sees a read past their end. */
static uint8_t *alone(struct chy_span s)
{
    uint8_t *p = malloc(s.n ? s.n : 1);
    assert_non_null(p);
    memcpy(p, s.p, s.n);
    return p;
}

static void assert_text(const struct chy_general_name *gn, const char *want)
{
    struct chy_buf text;
    chy_buf_init(&text, 4096);
    chy_general_name_to_text(gn, &text);
    assert_string_equal(chy_buf_cstr(&text), want);
    chy_buf_free(&text);
}

static const struct form {
    const char *conf; /* as OpenSSL's configuration writes it */
    enum chy_gn_type type;
    const char *text;
} forms[] = {
    {"DNS:www.a.test", CHY_GN_DNS, "dns:www.a.test"},
    {"IP:10.1.2.3", CHY_GN_IP, "ip:10.1.2.3"},
    {"IP:fd00::1", CHY_GN_IP, "ip:fd00::1"},
    {"email:x@a.test", CHY_GN_EMAIL, "email:x@a.test"},
    {"URI:https://a.test/x", CHY_GN_URI, "uri:https://a.test/x"},
    {"RID:1.2.840.10", CHY_GN_RID, "rid:1.2.840.10"},
    {"otherName:1.3.6.1.4.1.311.20.2.3;UTF8:x@a.test", CHY_GN_OTHER, "upn:x@a.test"},
    {"otherName:1.2.3;INTEGER:5", CHY_GN_OTHER, "other:1.2.3"},
};

static void check_form(const struct form *f)
{
    struct chy_general_name gn[2];
    struct chy_err err = {0};
    struct chy_buf b;
    size_t n = 2;
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, f->conf);
    assert_non_null(ext);
    const ASN1_OCTET_STRING *der = X509_EXTENSION_get_data(ext);
    struct chy_span theirs = {ASN1_STRING_get0_data(der), (size_t)ASN1_STRING_length(der)};
    assert_int_equal(chy_general_names_parse(theirs, gn, &n, &err), CHY_S_OK);
    assert_int_equal(n, 1);
    assert_int_equal(gn[0].type, f->type);
    assert_text(&gn[0], f->text);
    assert_int_equal(chy_general_name_check(&gn[0], 0, &err), CHY_S_OK);
    chy_buf_init(&b, 4096);
    size_t mark = chy_der_open(&b, CHY_DER_SEQUENCE);
    chy_general_name_add(&b, &gn[0]);
    chy_der_close(&b, mark);
    assert_true(chy_span_eq(chy_buf_span(&b), theirs));
    chy_buf_free(&b);
    X509_EXTENSION_free(ext);
}

static void test_forms_are_those_of_openssl(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(forms); i++)
        check_form(&forms[i]);
}

static const char directory[] = "\x30\x11\xa4\x0f\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c"
                                "\x02"
                                "ab";

static void test_directory_name_and_several(void **state)
{
    static const char two[] = "\x30\x0c\x82\x02"
                              "ab\x87\x04\x0a\x00\x00\x01\x88\x00";
    struct chy_general_name gn[2];
    struct chy_err err = {0};
    struct chy_buf b;
    size_t n = 2;
    (void)state;
    struct chy_span der = {(const uint8_t *)directory, sizeof(directory) - 1};
    assert_int_equal(chy_general_names_parse(der, gn, &n, &err), CHY_S_OK);
    assert_int_equal(gn[0].type, CHY_GN_DIR);
    assert_true(chy_span_eq(gn[0].value, chy_span_of(der.p + 4, 15)));
    assert_text(&gn[0], "dirname:CN=ab");
    assert_int_equal(chy_general_name_check(&gn[0], 0, &err), CHY_S_OK);
    chy_buf_init(&b, 64);
    chy_general_name_add(&b, &gn[0]);
    assert_true(chy_span_eq(chy_buf_span(&b), chy_span_of(der.p + 2, der.n - 2)));
    chy_buf_free(&b);
    n = 2; /* the third one has no content, but there is only room for two */
    assert_int_equal(chy_general_names_parse(chy_span_of(two, sizeof(two) - 1), gn, &n, &err),
                     CHY_CRYPT_E_ASN1_BADPDU);
    assert_non_null(strstr(err.text, "too many names"));
    assert_int_equal(n, 2);
    assert_int_equal(gn[1].type, CHY_GN_IP);
    assert_memory_equal(gn[1].value.p, "\x0a\x00\x00\x01", 4);
}

static void test_upn_is_built(void **state)
{
    static const char want[] = "\xa0\x15\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03\xa0\x07"
                               "\x0c\x05"
                               "u@a.b";
    struct chy_buf b;
    (void)state;
    chy_buf_init(&b, 64);
    chy_general_name_add_upn(&b, "u@a.b");
    assert_true(chy_span_eq(chy_buf_span(&b), chy_span_of(want, sizeof(want) - 1)));
    chy_buf_free(&b);
    chy_buf_init(&b, 64);
    chy_general_name_add(&b, &(struct chy_general_name){.type = CHY_GN_X400});
    assert_true(b.failed);
    chy_buf_free(&b);
}

static void test_parser_refusals(void **state)
{
    static const struct {
        struct chy_span der;
        const char *fault;
    } rows[] = {
        {OCTETS(""), "not one SEQUENCE"},
        {OCTETS("\x31\x03\x82\x01"
                "a"),
         "not one SEQUENCE"},
        {OCTETS("\x30\x03\x82\x01"
                "a\x00"),
         "not one SEQUENCE"},
        {OCTETS("\x30\x00"), "no name in it"},
        {OCTETS("\x30\x03\x82\x02"
                "a"),
         "a name is not DER"},
        {OCTETS("\x30\x03\x89\x01"
                "a"),
         "a name of no known type"},
        {OCTETS("\x30\x03\xa2\x01"
                "a"),
         "a name of no known type"},
        {OCTETS("\x30\x02\x88\x00"), "malformed registeredID"},
        {OCTETS("\x30\x03\x88\x01\x80"), "malformed registeredID"},
        {OCTETS("\x30\x04\x88\x02\x2a\x80"), "malformed registeredID"},
        {OCTETS("\x30\x02\xa0\x00"), "malformed otherName"},
        {OCTETS("\x30\x08\xa0\x06\x06\x00\xa0\x02\x05\x00"), "malformed otherName"},
        {OCTETS("\x30\x09\xa0\x07\x06\x01\xaa\xa0\x02\x05\x00"), "malformed otherName"},
        {OCTETS("\x30\x07\xa0\x05\x06\x01\x2a\x05\x00"), "malformed otherName"},
        {OCTETS("\x30\x07\xa0\x05\x06\x01\x2a\xa0\x00"), "malformed otherName"},
        {OCTETS("\x30\x0b\xa0\x09\x06\x01\x2a\xa0\x04\x05\x00\x05\x00"), "malformed otherName"},
        {OCTETS("\x30\x0b\xa0\x09\x06\x01\x2a\xa0\x02\x05\x00\x05\x00"), "malformed otherName"},
        {OCTETS("\x30\x0a\xa0\x08\x06\x01\x2a\xa0\x03\x05\x01\x00"), "malformed otherName"},
        {OCTETS("\x30\x02\xa4\x00"), "malformed directoryName"},
        {OCTETS("\x30\x04\xa4\x02\x31\x00"), "malformed directoryName"},
        {OCTETS("\x30\x06\xa4\x04\x30\x00\x30\x00"), "malformed directoryName"},
    };
    struct chy_general_name gn[2];
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        size_t n = 2;
        uint8_t *der = alone(rows[i].der);
        chy_hresult hr = chy_general_names_parse(chy_span_of(der, rows[i].der.n), gn, &n, &err);
        if (hr != CHY_CRYPT_E_ASN1_BADPDU || !strstr(err.text, rows[i].fault) || n)
            fail_msg("row %zu: %s", i, err.text);
        free(der);
    }
}

struct content {
    enum chy_gn_type type;
    struct chy_span value;
    const char *fault; /* NULL: good */
};

static void check_content(const struct content *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct chy_err err = {0};
        uint8_t *p = alone(rows[i].value);
        struct chy_general_name gn = {.type = rows[i].type,
                                      .value = chy_span_of(p, rows[i].value.n)};
        chy_hresult hr = chy_general_name_check(&gn, 0, &err);
        bool same = rows[i].fault
                        ? hr == CHY_CERTSRV_E_BAD_REQUESTSUBJECT && strstr(err.text, rows[i].fault)
                        : hr == CHY_S_OK;
        if (!same) fail_msg("row %zu: %d %s", i, (int)hr, err.text);
        free(p);
    }
}

#define L64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_dns_and_mail(void **state)
{
    static const struct content rows[] = {
        {CHY_GN_DNS, OCTETS("a.test"), NULL},
        {CHY_GN_DNS, OCTETS(""), "empty"},
        {CHY_GN_DNS, OCTETS("a\0b.test"), "a character other"},
        {CHY_GN_DNS, OCTETS("m\xc3\xbcnchen.test"), "a character other"},
        {CHY_GN_DNS, OCTETS("*.a.test"), "a wildcard"},
        {CHY_GN_DNS, OCTETS("a.test."), "a trailing dot"},
        {CHY_GN_EMAIL, OCTETS("x.y+z@a.test"), NULL},
        {CHY_GN_EMAIL, OCTETS("x@host"), NULL},
        {CHY_GN_EMAIL, OCTETS(""), "no mailbox"},
        {CHY_GN_EMAIL, OCTETS("a.test"), "no mailbox"},
        {CHY_GN_EMAIL, OCTETS("@a.test"), "a local part of 1 to 64"},
        {CHY_GN_EMAIL, OCTETS(L64 "@a.test"), NULL},
        {CHY_GN_EMAIL, OCTETS(L64 "a@a.test"), "a local part of 1 to 64"},
        {CHY_GN_EMAIL, OCTETS("x\0@a.test"), "a character that a local part may not have"},
        {CHY_GN_EMAIL, OCTETS("\xc3\xbc@a.test"), "a character that a local part may not have"},
        {CHY_GN_EMAIL, OCTETS("x@y@a.test"), "a character that a local part may not have"},
        {CHY_GN_EMAIL, OCTETS(".x@a.test"), "a misplaced dot"},
        {CHY_GN_EMAIL, OCTETS("x.@a.test"), "a misplaced dot"},
        {CHY_GN_EMAIL, OCTETS("x..y@a.test"), "a misplaced dot"},
        {CHY_GN_EMAIL, OCTETS("x@"), "empty"},
        {CHY_GN_EMAIL, OCTETS("x@a..test"), "an empty label"},
    };
    (void)state;
    check_content(rows, CHY_ARRAY_LEN(rows));
}

static void test_uris(void **state)
{
    static const struct content rows[] = {
        {CHY_GN_URI, OCTETS("http://a.test/x?y#z"), NULL},
        {CHY_GN_URI, OCTETS("https://a.test:8443/%7Ex"), NULL},
        {CHY_GN_URI, OCTETS("http://10.0.0.1:80/"), NULL},
        {CHY_GN_URI, OCTETS("http://[fd00::1]:80/"), NULL},
        {CHY_GN_URI, OCTETS("http://[fd00::1]"), NULL},
        {CHY_GN_URI, OCTETS("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"), NULL},
        {CHY_GN_URI, OCTETS("file:///x"), NULL},
        {CHY_GN_URI, OCTETS(""), "not an absolute URI"},
        {CHY_GN_URI, OCTETS("http:"), "not an absolute URI"},
        {CHY_GN_URI, OCTETS(":x"), "not an absolute URI"},
        {CHY_GN_URI, OCTETS("1x:y"), "not an absolute URI"},
        {CHY_GN_URI, OCTETS("a/b"), "not an absolute URI"},
        {CHY_GN_URI, OCTETS("http://a.test/\0"), "a character that a URI may not have"},
        {CHY_GN_URI, OCTETS("http://a.test/ x"), "a character that a URI may not have"},
        {CHY_GN_URI, OCTETS("http://\xc3\xbc.test/"), "a character that a URI may not have"},
        {CHY_GN_URI, OCTETS("http://a.test/%"), "a % without"},
        {CHY_GN_URI, OCTETS("http://a.test/%4g"), "a % without"},
        {CHY_GN_URI, OCTETS("http:a.test"), "no host"},
        {CHY_GN_URI, OCTETS("https:///x"), "no host"},
        {CHY_GN_URI, OCTETS("LDAP://?x"), "no host"},
        {CHY_GN_URI, OCTETS("http://:80/"), "no host"},
        {CHY_GN_URI, OCTETS("http://a.test:x@b.test/"), "user information"},
        {CHY_GN_URI, OCTETS("http://a..test/"), "an empty label"},
        {CHY_GN_URI, OCTETS("http://a.test:8x/"), "a character other"},
        {CHY_GN_URI, OCTETS("http://.../"), "a host that is no address"},
        {CHY_GN_URI, OCTETS("http://1.2.3.4.5/"), "a host that is no address"},
        {CHY_GN_URI, OCTETS("http://[::1/"), "a host that is no address"},
        {CHY_GN_URI, OCTETS("http://[]/"), "a host that is no address"},
        {CHY_GN_URI, OCTETS("http://[" L64 "]/"), "a host that is no address"},
        {CHY_GN_URI, OCTETS("http://[a.test]/"), "a host that is no address"},
    };
    (void)state;
    check_content(rows, CHY_ARRAY_LEN(rows));
}

static void test_addresses_and_the_rest(void **state)
{
    static const struct content rows[] = {
        {CHY_GN_IP, OCTETS("\x0a\0\0\1"), NULL},
        {CHY_GN_IP, OCTETS("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), NULL},
        {CHY_GN_IP, OCTETS(""), "name ip: (RFC 5280 4.2.1.6): 4 or 16 octets"},
        {CHY_GN_IP, OCTETS("\x0a\0\1"), "name ip:0a0001 (RFC 5280 4.2.1.6): 4 or 16 octets"},
        {CHY_GN_IP, OCTETS("\x0a\0\0\1\5"), "name ip:0a00000105 (RFC"},
        {CHY_GN_IP, OCTETS("\x0a\0\0\0\xff\0\0\0"), "name ip:10.0.0.0/255.0.0.0 (RFC"},
        {CHY_GN_IP, OCTETS("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\2"), "4 or 16 octets"},
        {CHY_GN_RID, OCTETS("\x2a\x03"), NULL},
        {CHY_GN_X400, OCTETS("x"), "a type that is not supported"},
        {CHY_GN_EDI, OCTETS("x"), "a type that is not supported"},
        {CHY_GN_DIR, OCTETS("\x30\x00"), "a malformed or empty Name"},
        {CHY_GN_DIR, OCTETS("\x30\x02\x31\x00"), "a malformed or empty Name"},
        {CHY_GN_DNS, OCTETS("a\nb"), "name dns:a?b "},
    };
    (void)state;
    check_content(rows, CHY_ARRAY_LEN(rows));
}

static void test_upns(void **state)
{
    static const struct {
        struct chy_span value; /* the whole TLV */
        const char *fault;
    } rows[] = {
        {OCTETS("\x0c\x03"
                "u@b"),
         NULL},
        {OCTETS("\x0c\x04\xc3\xbc@b"), NULL},
        {OCTETS("\x16\x03"
                "u@b"),
         "a UPN that is no UTF8String"},
        {OCTETS("\x0c\x00"), "a UPN that is no UTF8String"},
        {OCTETS("\x0c\x03u\0b"), "a UPN that is no UTF8String"},
        {OCTETS("\x0c\x03\xc3@b"), "a UPN that is no UTF8String"},
        {OCTETS("\x0c\x03"
                "usr"),
         "a UPN is USER@SUFFIX"},
        {OCTETS("\x0c\x02@b"), "a UPN is USER@SUFFIX"},
        {OCTETS("\x0c\x02u@"), "a UPN is USER@SUFFIX"},
        {OCTETS("\x0c\x05u@v@b"), "a UPN is USER@SUFFIX"},
        {OCTETS("\x0c\x04u @b"), "a UPN is USER@SUFFIX"},
        {OCTETS("\x0c\x04u\x7f@b"), "a UPN is USER@SUFFIX"},
    };
    static const uint8_t oid[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3};
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_general_name gn = {
            .type = CHY_GN_OTHER, .other_oid = CHY_SPAN(oid), .other_value = rows[i].value};
        chy_hresult hr = chy_general_name_check(&gn, 0, &err);
        bool same = rows[i].fault
                        ? hr == CHY_CERTSRV_E_BAD_REQUESTSUBJECT && strstr(err.text, rows[i].fault)
                        : hr == CHY_S_OK;
        if (!same) fail_msg("row %zu: %d %s", i, (int)hr, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_are_those_of_openssl),
        cmocka_unit_test(test_directory_name_and_several),
        cmocka_unit_test(test_upn_is_built),
        cmocka_unit_test(test_parser_refusals),
        cmocka_unit_test(test_dns_and_mail),
        cmocka_unit_test(test_uris),
        cmocka_unit_test(test_addresses_and_the_rest),
        cmocka_unit_test(test_upns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
