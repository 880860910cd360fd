/* Host names and their A-labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/ext.h"
#include "pki/idna.h"

static void test_host_names(void **state)
{
    static const struct {
        const char *name, *fault; /* NULL: good */
        unsigned flags;
    } rows[] = {
        {"www.a.test", NULL, 0},
        {"xn--mnchen-3ya.test", NULL, 0},
        {"XN--MNCHEN-3YA.test", NULL, 0},
        {"*.a.test", NULL, CHY_GN_ALLOW_WILDCARD},
        {"a", NULL, CHY_GN_ALLOW_SINGLE_LABEL},
        {"_a.test", NULL, CHY_GN_ALLOW_UNDERSCORE},
        {"", "empty", 0},
        {"*.a.test", "a wildcard", 0},
        {"a.*.test", "a character other", CHY_GN_ALLOW_WILDCARD},
        {"a.test.", "a trailing dot", 0},
        {"a..test", "an empty label", 0},
        {"_a.test", "a character other", 0},
        {"-a.test", "a label that begins", 0},
        {"a-.test", "a label that begins", 0},
        {"ab--c.test", "a label with hyphens", 0},
        {"xn--a.test", "an xn-- label with a code point", 0},
        {"xn--abc-.test", "a label that begins", 0},
        {"xn--zzzzzzzz.test", "an xn-- label that does not decode", 0},
        {"10.0.0.1", "an address", 0},
        {"a", "a single label", 0},
    };
    (void)state;
    for (size_t i = 0; i < CHY_ARRAY_LEN(rows); i++) {
        const char *fault = chy_host_fault(chy_span_cstr(rows[i].name), rows[i].flags);
        bool same =
            rows[i].fault ? fault && !strncmp(fault, rows[i].fault, strlen(rows[i].fault)) : !fault;
        if (!same) fail_msg("%s: %s", rows[i].name, fault ? fault : "good");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_host_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
