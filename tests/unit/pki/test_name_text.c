/* Names as text, both ways. RFC 4514. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "pki/name.h"

static void der_of(const char *text, struct chy_buf *der)
{
    struct chy_err err = {0};
    chy_buf_init(der, 65536);
    chy_hresult hr = chy_name_from_text(text, der, &err);
    if (hr != CHY_S_OK) fail_msg("%s: %s", text, err.text);
}

static void text_of(struct chy_span der, struct chy_buf *text)
{
    struct chy_name name;
    struct chy_err err = {0};
    chy_buf_init(text, 65536);
    assert_int_equal(chy_name_parse(der, &name, &err), CHY_S_OK);
    chy_name_to_text(&name, text);
}

/* What each text says in DER, and how that reads. */
static void test_text_to_der(void **state)
{
    static const struct {
        const char *text, *der, *again;
    } rows[] = {
        {"", "3000", ""},
        {"CN=x", "300c310a300806035504030c0178", "CN=x"},
        {"  cn = x  ", "300c310a300806035504030c0178", "CN=x"},
        {"2.5.4.3=x", "300c310a300806035504030c0178", "CN=x"},
        {"commonName=x", "300c310a300806035504030c0178", "CN=x"},
        {"1.2.3=x", "300b3109300706022a030c0178", "1.2.3=x"},
        {"C=DE", "300d310b3009060355040613024445", "C=DE"},
        /* most specific part first in text, last in DER; the slash form is in DER's order */
        {"CN=x,C=DE", "3019310b3009060355040613024445310a300806035504030c0178", "CN=x,C=DE"},
        {"CN=x;C=DE", "3019310b3009060355040613024445310a300806035504030c0178", "CN=x,C=DE"},
        {"/C=DE/CN=x", "3019310b3009060355040613024445310a300806035504030c0178", "CN=x,C=DE"},
        {"/CN=a,b;c", "3010310e300c06035504030c05612c623b63", "CN=a\\,b\\;c"},
        {"/CN=a\\/b", "300e310c300a06035504030c03612f62", "CN=a/b"},
        /* the members of one RDN, in DER order whatever the text's */
        {"CN=x+OU=y", "30163114300806035504030c01783008060355040b0c0179", "CN=x+OU=y"},
        {"OU=y+CN=x", "30163114300806035504030c01783008060355040b0c0179", "CN=x+OU=y"},
        {"/OU=y+CN=x", "30163114300806035504030c01783008060355040b0c0179", "CN=x+OU=y"},
        {"CN=x+OU=y,O=z",
         "3022310a3008060355040a0c017a3114300806035504030c01783008060355040b0c0179",
         "CN=x+OU=y,O=z"},
        {"/O=z/OU=y+CN=x",
         "3022310a3008060355040a0c017a3114300806035504030c01783008060355040b0c0179",
         "CN=x+OU=y,O=z"},
        /* escapes */
        {"CN=\\,\\+\\\"\\\\\\<\\>\\;", "30123110300e06035504030c072c2b225c3c3e3b",
         "CN=\\,\\+\\\"\\\\\\<\\>\\;"},
        {"CN=\\ x\\ ", "300e310c300a06035504030c03207820", "CN=\\ x\\ "},
        {"CN=\\ ", "300c310a300806035504030c0120", "CN=\\ "},
        {"CN=a b", "300e310c300a06035504030c03612062", "CN=a b"},
        {"CN=\\#x", "300d310b300906035504030c022378", "CN=\\#x"},
        {"CN=x#", "300d310b300906035504030c027823", "CN=x#"},
        {"CN=a\\=b=c", "3010310e300c06035504030c05613d623d63", "CN=a=b=c"},
        {"CN=\\C3\\bc", "300d310b300906035504030c02c3bc", "CN=\xc3\xbc"},
        {"CN=x\\0Ay", "300e310c300a06035504030c03780a79", "CN=x\\0Ay"},
        {"CN=\\7F", "300c310a300806035504030c017f", "CN=\\7F"},
        {"CN=\xc2\x9b\xc2\xa0", "300f310d300b06035504030c04c29bc2a0", "CN=\\C2\\9B\xc2\xa0"},
        {"CN=\"a, \\\"b \" ", "3011310f300d06035504030c06612c20226220", "CN=a\\, \\\"b\\ "},
        {"CN=a\"b", "300e310c300a06035504030c03612262", "CN=a\\\"b"},
        /* a value's DER: the string type is as written there */
        {"CN=#130178", "300c310a30080603550403130178", "CN=x"},
        {"CN=#1e0400780079 ,C=#0c024445",
         "301c310b300906035504060c024445310d300b06035504031e0400780079", "CN=xy,C=DE"},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_buf der, hex, again;
        der_of(rows[i].text, &der);
        chy_buf_init(&hex, 4096);
        chy_hex_add(&hex, chy_buf_span(&der));
        if (strcmp(chy_buf_cstr(&hex), rows[i].der) != 0)
            fail_msg("%s: %s", rows[i].text, chy_buf_cstr(&hex));
        text_of(chy_buf_span(&der), &again);
        assert_string_equal(chy_buf_cstr(&again), rows[i].again);
        chy_buf_free(&der);
        chy_buf_free(&hex);
        chy_buf_free(&again);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *fault;
    } rows[] = {
        {"CN", "parts are NAME=VALUE"},
        {"=x", "parts are NAME=VALUE"},
        {"XYZ=x", "parts are NAME=VALUE"},
        {"1.=x", "parts are NAME=VALUE"},
        {"3.1=x", "parts are NAME=VALUE"},
        {"CN=x,y", "parts are NAME=VALUE"},
        {"CN=x+y", "parts are NAME=VALUE"},
        {"CN=x,,C=DE", "parts are NAME=VALUE"},
        {"Subject.CN=x", "parts are NAME=VALUE"},
        {"CN=", "a value is empty"},
        {"CN= ,C=DE", "a value is empty"},
        {"CN=\"\"", "a value is empty"},
        {"CN=\xff", "a value is not UTF-8"},
        {"CN=\\ff", "a value is not UTF-8"},
        {"CN=x\\00", "a value is not UTF-8"},
        {"CN=x,", "it ends with a separator"},
        {"CN=x+", "it ends with a separator"},
        {"/CN=x/", "it ends with a separator"},
        {"CN=x\\", "behind \\ stands neither"},
        {"CN=DOMAIN\\user", "behind \\ stands neither"},
        {"CN=x\\4", "behind \\ stands neither"},
        {"CN=\"x\\y\"", "behind \\ stands neither"},
        {"CN=\"x", "a value does not end with its closing quote"},
        {"CN=\"x\"y", "a value does not end with its closing quote"},
        {"CN=#", "behind # stands not"},
        {"CN=#0c01", "behind # stands not"},
        {"CN=#0c01780", "behind # stands not"},
        {"CN=#0c017800", "behind # stands not"},
        {"CN=#0c0178 x", "behind # stands not"},
        {"CN=#0c810178", "behind # stands not"},
        {"CN=#0c00", "a value is empty"},
        {"CN=#020101", "octets that its string type does not allow"},
        {"CN=#13012a", "octets that its string type does not allow"},
        {"CN=x+CN=y", "one attribute type twice"},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        struct chy_buf der;
        chy_buf_init(&der, 4096);
        chy_hresult hr = chy_name_from_text(rows[i].text, &der, &err);
        if (hr != CHY_CERTSRV_E_BAD_REQUESTSUBJECT || !strstr(err.text, rows[i].fault))
            fail_msg("%s: %d %s", rows[i].text, (int)hr, err.text);
        chy_buf_free(&der);
    }
}

static void test_bounds(void **state)
{
    struct chy_err err = {0};
    struct chy_buf text, der, again;
    (void)state;
    chy_buf_init(&text, 200000);
    chy_buf_init(&der, 200000);
    for (int i = 0; i < 64; i++)
        chy_buf_add_str(&text, i ? ",OU=x" : "OU=x");
    assert_int_equal(chy_name_from_text(chy_buf_cstr(&text), &der, &err), CHY_S_OK);
    text_of(chy_buf_span(&der), &again);
    assert_string_equal(chy_buf_cstr(&again), chy_buf_cstr(&text));
    chy_buf_free(&again);
    chy_buf_add_str(&text, "+CN=x");
    assert_int_equal(chy_name_from_text(chy_buf_cstr(&text), &der, &err),
                     CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    assert_non_null(strstr(err.text, "more than 64 parts"));
    chy_buf_reset(&text);
    chy_buf_add_str(&text, "CN=");
    for (int i = 0; i < 70000; i++)
        chy_buf_add_byte(&text, 'x');
    err = (struct chy_err){0};
    assert_int_not_equal(chy_name_from_text(chy_buf_cstr(&text), &der, &err), CHY_S_OK);
    assert_non_null(strstr(err.text, "subject"));
    chy_buf_free(&text);
    chy_buf_free(&der);
}

/* A value that grows when it is written as UTF-8 is not cut, and other types are read as text. */
static void test_other_string_types(void **state)
{
    struct chy_buf der, text;
    (void)state;
    chy_buf_init(&der, 200000);
    chy_buf_init(&text, 200000);
    for (int i = 0; i < 40000; i++)
        chy_buf_add_byte(&text, 0xfc);
    size_t seq = chy_name_open(&der), set = chy_der_open(&der, CHY_DER_SET);
    chy_name_add_member(&der, CHY_SPAN_STR("\x55\x04\x03"), CHY_DER_TELETEX, chy_buf_span(&text));
    chy_der_close(&der, set);
    chy_name_close(&der, seq);
    chy_buf_free(&text);
    struct chy_name name;
    struct chy_err err = {0};
    assert_int_equal(chy_name_parse(chy_buf_span(&der), &name, &err), CHY_S_OK);
    chy_buf_init(&text, 200000);
    chy_name_to_text(&name, &text);
    assert_int_equal(text.n, 3 + 80000);
    assert_memory_equal(text.p, "CN=\xc3\xbc\xc3\xbc", 7);
    chy_buf_free(&der);
    chy_buf_free(&text);
}

/* OpenSSL prints names by RFC 2253, which writes these in the same way. */
static void test_openssl_prints_the_same(void **state)
{
    static const char *const rows[] = {
        "CN=x,C=DE",
        "CN=a\\, b,O=\\#c,DC=test",
        "CN=\\ x\\ ",
        "CN=a\\+b\\;c\\<",
        "CN=\xc3\xbc\xe2\x82\xac",
        "CN=x\\0Ay",
        "UID=u,street=s,ST=n,L=l",
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_buf der, ours;
        char *theirs = NULL;
        der_of(rows[i], &der);
        text_of(chy_buf_span(&der), &ours);
        const unsigned char *p = der.p;
        X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)der.n);
        assert_non_null(name);
        BIO *bio = BIO_new(BIO_s_mem());
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
        long n = BIO_get_mem_data(bio, &theirs);
        assert_int_equal(ours.n, n);
        assert_memory_equal(ours.p, theirs, ours.n);
        BIO_free(bio);
        X509_NAME_free(name);
        chy_buf_free(&der);
        chy_buf_free(&ours);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_to_der),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_other_string_types),
        cmocka_unit_test(test_openssl_prints_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
