/* Names: strict reading, the string types, upper bounds, the sixteen properties, writing.
 * RFC 5280 4.1.2.4, X.690 11.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "pki/name.h"

#define OCTETS(lit)                                                                                \
    {                                                                                              \
        (const uint8_t *)(lit), sizeof(lit) - 1                                                    \
    }
/* An attribute with a value of three octets. */
#define CN(value) "\x30\x08\x06\x03\x55\x04\x03" value
#define OU(value) "\x30\x08\x06\x03\x55\x04\x0b" value
#define X "\x0c\x01x"
#define Y "\x0c\x01y"

static chy_hresult parse(struct chy_span der, struct chy_name *name, struct chy_err *err)
{
    uint8_t *alone = malloc(der.n ? der.n : 1);
    assert_non_null(alone);
    memcpy(alone, der.p, der.n);
    chy_hresult hr = chy_name_parse(chy_span_of(alone, der.n), name, err);
    free(alone);
    return hr;
}

static void test_what_is_read(void **state)
{
    static const char two[] = "\x30\x22"
                              "\x31\x14" CN(X) OU(Y) "\x31\x0a" CN(Y);
    struct chy_span der = {(const uint8_t *)two, sizeof(two) - 1};
    struct chy_name name;
    struct chy_err err = {0};
    (void)state;
    assert_int_equal(chy_name_parse(der, &name, &err), CHY_S_OK);
    assert_int_equal(name.n, 3);
    assert_ptr_equal(name.der.p, der.p);
    assert_int_equal(name.der.n, der.n);
    assert_int_equal(name.attr[0].rdn, 0);
    assert_int_equal(name.attr[1].rdn, 0);
    assert_int_equal(name.attr[2].rdn, 1);
    assert_true(chy_span_eq(name.attr[1].oid, CHY_SPAN_STR("\x55\x04\x0b")));
    assert_int_equal(name.attr[2].tag, CHY_DER_UTF8);
    assert_true(chy_span_eq(name.attr[2].value, CHY_SPAN_STR("y")));
    assert_int_equal(chy_name_parse(CHY_SPAN_STR("\x30\x00"), &name, &err), CHY_S_OK);
    assert_int_equal(name.n, 0);
}

static void test_refusals(void **state)
{
    static const struct {
        struct chy_span der;
        const char *fault;
    } rows[] = {
        {OCTETS(""), "not one SEQUENCE"},
        {OCTETS("\x31\x00"), "not one SEQUENCE"},
        {OCTETS("\x30\x00\x00"), "not one SEQUENCE"},
        {OCTETS("\x30\x80\x00\x00"), "not one SEQUENCE"},
        {OCTETS("\x30\x0d\x31\x0a" CN(X)), "not one SEQUENCE"},
        {OCTETS("\x30\x0c\x30\x0a" CN(X)), "an RDN is no SET"},
        {OCTETS("\x30\x0c\x31\x0b" CN(X)), "an RDN is no SET"},
        {OCTETS("\x30\x02\x31\x00"), "an RDN is empty"},
        {OCTETS("\x30\x04\x31\x02\x31\x00"), "an attribute is no SEQUENCE"},
        {OCTETS("\x30\x04\x31\x02\x30\x01"), "an attribute is no SEQUENCE"},
        {OCTETS("\x30\x04\x31\x02\x30\x00"), "an attribute is not type and value"},
        {OCTETS("\x30\x09\x31\x07\x30\x05\x06\x00\x0c\x01x"), "an attribute is not type and value"},
        {OCTETS("\x30\x0a\x31\x08\x30\x06\x06\x01\x80\x0c\x01x"),
         "an attribute is not type and value"},
        {OCTETS("\x30\x09\x31\x07\x30\x05\x06\x03\x55\x04\x03"),
         "an attribute is not type and value"},
        {OCTETS("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03" X "\x05\x00"),
         "an attribute is not type and value"},
        {OCTETS("\x30\x0b\x31\x09\x30\x07\x06\x03\x55\x04\x03\x0c\x00"), "an attribute is empty"},
        {OCTETS("\x30\x16\x31\x14" OU(X) CN(X)), "not in DER order"},
        {OCTETS("\x30\x16\x31\x14" CN(Y) CN(X)), "not in DER order"},
        {OCTETS("\x30\x16\x31\x14" CN(X) CN(X)), "not in DER order"},
        {OCTETS("\x30\x16\x31\x14" CN(X) CN(Y)), "one attribute type twice"},
    };
    struct chy_name name;
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        chy_hresult hr = parse(rows[i].der, &name, &err);
        if (hr != CHY_CERTSRV_E_BAD_REQUESTSUBJECT || !strstr(err.text, rows[i].fault))
            fail_msg("row %zu: %d %s", i, (int)hr, err.text);
    }
}

static void test_at_most_64_attributes(void **state)
{
    struct chy_name name;
    struct chy_err err = {0};
    struct chy_buf b;
    (void)state;
    for (size_t n = CHY_NAME_MAX_ATTRS; n <= CHY_NAME_MAX_ATTRS + 1; n++) {
        chy_buf_init(&b, 4096);
        size_t mark = chy_name_open(&b);
        for (size_t i = 0; i < n; i++)
            chy_name_add(&b, CHY_SPAN_STR("\x55\x04\x03"), CHY_DER_UTF8, CHY_SPAN_STR("x"));
        chy_name_close(&b, mark);
        chy_hresult hr = parse(chy_buf_span(&b), &name, &err);
        assert_int_equal(hr, n == 64 ? CHY_S_OK : CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
        assert_int_equal(name.n, 64);
        assert_int_equal(name.attr[63].rdn, 63);
        chy_buf_free(&b);
    }
    assert_non_null(strstr(err.text, "more than 64 attributes"));
}

static const struct string_row {
    uint8_t tag;
    struct chy_span value;
    const char *utf8; /* NULL: refused */
} strings[] = {
    {CHY_DER_UTF8, OCTETS("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"),
     "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"},
    {CHY_DER_UTF8, OCTETS("\xc3"), NULL},
    {CHY_DER_UTF8, OCTETS("a\0"), NULL},
    {CHY_DER_UTF8, OCTETS("\xc0\x80"), NULL},
    {CHY_DER_UTF8, OCTETS("\xed\xa0\x80"), NULL},
    {CHY_DER_PRINTABLE, OCTETS("aZ09 '()+,-./:=?"), "aZ09 '()+,-./:=?"},
    {CHY_DER_PRINTABLE, OCTETS("a*"), NULL},
    {CHY_DER_PRINTABLE, OCTETS("a@b"), NULL},
    {CHY_DER_PRINTABLE, OCTETS("a\0"), NULL},
    {CHY_DER_PRINTABLE, OCTETS("\xc3\xbc"), NULL},
    {CHY_DER_IA5, OCTETS("a@b*\x01"), "a@b*\x01"},
    {CHY_DER_IA5, OCTETS("a\0"), NULL},
    {CHY_DER_IA5, OCTETS("\x80"), NULL},
    {CHY_DER_NUMERIC, OCTETS("12 34"), "12 34"},
    {CHY_DER_NUMERIC, OCTETS("12a"), NULL},
    {CHY_DER_NUMERIC, OCTETS("1\0"), NULL},
    {CHY_DER_TELETEX, OCTETS("M\xfcller"), "M\xc3\xbcller"},
    {CHY_DER_TELETEX, OCTETS("M\0"), NULL},
    {CHY_DER_BMP, OCTETS("\0M\0\xfc\x20\xac"), "M\xc3\xbc\xe2\x82\xac"},
    {CHY_DER_BMP, OCTETS("\0Mx"), NULL},
    {CHY_DER_BMP, OCTETS("\0M\0\0"), NULL},
    {CHY_DER_BMP, OCTETS("\xd8\x3d\xde\0"), NULL},
    {CHY_DER_UNIVERSAL, OCTETS("\0\1\xf6\0\0\0\0M"), "\xf0\x9f\x98\x80M"},
    {CHY_DER_UNIVERSAL, OCTETS("\0\0M"), NULL},
    {CHY_DER_UNIVERSAL, OCTETS("\0\0\0\0"), NULL},
    {CHY_DER_UNIVERSAL, OCTETS("\0\x11\0\0"), NULL},
    {CHY_DER_UNIVERSAL, OCTETS("\0\0\xd8\0"), NULL},
    {CHY_DER_VISIBLE, OCTETS("abc"), NULL},
    {CHY_DER_OCTET_STRING, OCTETS("abc"), NULL},
    {CHY_DER_SEQUENCE, OCTETS("\5\0"), NULL},
};

static void check_string(const struct string_row *row)
{
    struct chy_name name;
    struct chy_err err = {0};
    struct chy_buf der, text;
    chy_buf_init(&der, 256);
    chy_buf_init(&text, 256);
    size_t seq = chy_name_open(&der), set = chy_der_open(&der, CHY_DER_SET),
           attr = chy_der_open(&der, CHY_DER_SEQUENCE);
    chy_der_add(&der, CHY_DER_OID, CHY_SPAN_STR("\x55\x04\x03"));
    chy_der_add(&der, row->tag, row->value);
    chy_der_close(&der, attr);
    chy_der_close(&der, set);
    chy_name_close(&der, seq);
    chy_hresult hr = chy_name_parse(chy_buf_span(&der), &name, &err);
    if (!row->utf8) {
        struct chy_name_attr bad = {.tag = row->tag, .value = row->value};
        assert_int_equal(hr, CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
        assert_non_null(strstr(err.text, "octets that its string type does not allow"));
        assert_false(chy_name_value_utf8(&bad, &text));
        assert_int_equal(text.n, 0);
    } else {
        assert_int_equal(hr, CHY_S_OK);
        assert_int_equal(name.attr[0].tag, row->tag);
        assert_true(chy_span_eq(name.attr[0].value, row->value));
        assert_true(chy_name_value_utf8(&name.attr[0], &text));
        assert_string_equal(chy_buf_cstr(&text), row->utf8);
    }
    chy_buf_free(&der);
    chy_buf_free(&text);
}

static void test_string_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(strings); i++)
        check_string(&strings[i]);
}

/* The upper bound in characters, whatever number of octets they take. */
static void test_lengths(void **state)
{
    static const struct {
        uint8_t tag;
        size_t width; /* octets of a character */
        const char *character;
    } rows[] = {{CHY_DER_UTF8, 2, "\xc3\xbc"},
                {CHY_DER_BMP, 2, "\0x"},
                {CHY_DER_UNIVERSAL, 4, "\0\0\0x"},
                {CHY_DER_TELETEX, 1, "\xfc"}};
    static uint8_t octets[65 * 4];
    static struct chy_name name = {.n = 2};
    (void)state;
    name.attr[0].oid = CHY_SPAN_STR("\x55\x04\x7f"); /* of no known bound */
    name.attr[0].tag = CHY_DER_UTF8;
    name.attr[0].value = CHY_SPAN(octets);
    name.attr[1].oid = CHY_SPAN_STR("\x55\x04\x03");
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        struct chy_err err = {0};
        size_t width = rows[i].width;
        for (size_t k = 0; k < 65; k++)
            memcpy(octets + k * width, rows[i].character, width);
        name.attr[1].tag = rows[i].tag;
        name.attr[1].value = chy_span_of(octets, 64 * width);
        assert_int_equal(chy_name_check_lengths(&name, &err), CHY_S_OK);
        name.attr[1].value.n = 65 * width;
        assert_int_equal(chy_name_check_lengths(&name, &err), CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
        assert_string_equal(err.text, "subject: CommonName has 65 characters, X.520 allows 64");
    }
}

static void test_properties(void **state)
{
    static const struct {
        const char *name, *prop; /* NULL: unknown */
    } rows[] = {
        {"CommonName", "CommonName"},
        {"commonname", "CommonName"},
        {"cn", "CommonName"},
        {"2.5.4.3", "CommonName"},
        {"Subject.CommonName", "CommonName"},
        {"subject.country", "Country"},
        {"Subject.CN", NULL},
        {"Subject.2.5.4.3", NULL},
        {"Email", "EMail"},
        {"E", "EMail"},
        {"S", "State"},
        {"ST", "State"},
        {"SN", "SurName"},
        {"OrganizationalUnit", "OrgUnit"},
        {"Org", "Organization"},
        {"DeviceSerialNumber", "DeviceSerialNumber"},
        {"UnstructuredAddress", "UnstructuredAddress"},
        {"0.9.2342.19200300.100.1.25", "DomainComponent"},
        {"", NULL},
        {"CNx", NULL},
        {"2.5.4.3.1", NULL},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        int p = chy_name_prop_find(rows[i].name);
        if (!rows[i].prop)
            assert_int_equal(p, -1);
        else if (p < 0 || strcmp(chy_name_props[p].name, rows[i].prop) != 0)
            fail_msg("%s: %d", rows[i].name, p);
    }
    assert_int_equal(chy_name_prop_by_oid(CHY_SPAN_STR("\x55\x04\x7f")), -1);
    assert_int_equal(chy_name_prop_by_oid((struct chy_span){NULL, 0}), -1);
}

static void test_the_table_agrees_with_itself(void **state)
{
    struct chy_buf oid;
    (void)state;
    for (int p = 0; p < CHY_NAME_PROPS; p++) {
        const struct chy_name_prop *prop = &chy_name_props[p];
        chy_buf_init(&oid, 64);
        assert_true(chy_oid_from_text(prop->oid_text, &oid));
        assert_true(chy_span_eq(chy_buf_span(&oid), prop->oid));
        chy_buf_free(&oid);
        assert_int_equal(chy_name_prop_by_oid(prop->oid), p);
        assert_int_equal(chy_name_prop_find(prop->name), p);
        assert_int_equal(chy_name_prop_find(prop->oid_text), p);
        for (size_t k = 0; prop->aliases[k]; k++)
            assert_int_equal(chy_name_prop_find(prop->aliases[k]), p);
    }
}

static void test_writing(void **state)
{
    struct chy_buf b;
    unsigned char *theirs = NULL;
    X509_NAME *name = X509_NAME_new();
    (void)state;
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "C", MBSTRING_UTF8,
                                                (const unsigned char *)"DE", -1, -1, 0),
                     1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", V_ASN1_UTF8STRING,
                                                (const unsigned char *)"\xc3\xbc", -1, -1, 0),
                     1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "DC", V_ASN1_IA5STRING,
                                                (const unsigned char *)"test", -1, -1, 0),
                     1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "serialNumber", V_ASN1_UTF8STRING,
                                                (const unsigned char *)"a*", -1, -1, 0),
                     1);
    int n = i2d_X509_NAME(name, &theirs);
    chy_buf_init(&b, 256);
    size_t mark = chy_name_open(&b);
    chy_name_add(&b, CHY_SPAN_STR("\x55\x04\x06"), CHY_DER_PRINTABLE, CHY_SPAN_STR("DE"));
    chy_name_add(&b, CHY_SPAN_STR("\x55\x04\x0a"), CHY_DER_UTF8, CHY_SPAN_STR("\xc3\xbc"));
    chy_name_add(&b, CHY_SPAN_STR("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), CHY_DER_IA5,
                 CHY_SPAN_STR("test"));
    /* what PrintableString cannot hold is a UTF8String */
    chy_name_add(&b, CHY_SPAN_STR("\x55\x04\x05"), CHY_DER_PRINTABLE, CHY_SPAN_STR("a*"));
    chy_name_close(&b, mark);
    assert_true(n > 0 && chy_span_eq(chy_buf_span(&b), chy_span_of(theirs, (size_t)n)));
    chy_buf_free(&b);
    OPENSSL_free(theirs);
    X509_NAME_free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_at_most_64_attributes),
        cmocka_unit_test(test_string_types),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_the_table_agrees_with_itself),
        cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
