/* Host names and their A-labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pki/ext.h"
#include "pki/idna.h"

#define L56 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L61 L56 "aaaaa"
#define L63 L61 "aa"

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
        {"xn--bcher-kva.test", NULL, 0},
        {"xn--hxarsa0b.test", NULL, 0},
        {"xn--h1alffa9f.test", NULL, 0},
        {"xn--wgv71a119e.test", NULL, 0},
        {"xn--fa-hia.test", NULL, 0},
        {"xn--a-t17s.test", NULL, 0},
        {L63 ".test", NULL, 0},
        {L63 "." L63 "." L63 "." L61, NULL, 0},
        {L63 "." L63 "." L63 "." L61 "a", "longer than 253 characters", 0},
        {L63 "a.test", "a label of more than 63 characters", 0},
        {"", "empty", 0},
        {".", "a trailing dot", 0},
        {".a.test", "an empty label", 0},
        {"*.", "a trailing dot", 0},
        {"*.", "a trailing dot", CHY_GN_ALLOW_WILDCARD},
        {"*", "a character other", CHY_GN_ALLOW_WILDCARD},
        {"*a.test", "a character other", CHY_GN_ALLOW_WILDCARD},
        {"*.test", "a single label", CHY_GN_ALLOW_WILDCARD},
        {"*.*.a.test", "a character other", CHY_GN_ALLOW_WILDCARD},
        {"a b.test", "a character other", 0},
        {"m\xc3\xbcnchen.test", "a character other", 0},
        {"a.test\n", "a character other", 0},
        {"1.2", "an address or number", 0},
        {"a.1", "an address or number", 0},
        {"xn--", "a label that begins", CHY_GN_ALLOW_SINGLE_LABEL},
        {"xn--a_b.test", "an xn-- label that does not decode", CHY_GN_ALLOW_UNDERSCORE},
        {"xn--99999999.test", "an xn-- label that does not decode", 0},
        {"xn--a" L56 ".test", "an xn-- label", 0},
        {"xn---e28h.test", "an xn-- label that is not in its one form", 0},
        {"xn--caf-pia.test", "an xn-- label with a code point", 0},
        {"xn--ab-g1t.test", "an xn-- label with a code point", 0},
        {"xn--a-ein.test", "an xn-- label with a code point", 0},
        {"xn--a-so7g.test", "an xn-- label with a code point", 0},
        {"xn--a-s10i.test", "an xn-- label with a code point", 0},
        {"xn--c0a0k.test", "an xn-- label with a code point", 0},
        {"xn--a-3ga.test", "an xn-- label with a code point", 0},
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

/* A NUL does not end a name: what is behind it counts. */
static void test_nul_inside(void **state)
{
    (void)state;
    const char *fault = chy_host_fault(CHY_SPAN_STR("a.test\0.b.test"), 0);
    assert_non_null(fault);
    assert_non_null(strstr(fault, "a character other"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_names),
        cmocka_unit_test(test_nul_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
