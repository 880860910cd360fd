/* Name constraints, as tables: RFC 5280 4.2.1.10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/ext.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_forms),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
