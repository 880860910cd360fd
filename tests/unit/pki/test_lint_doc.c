/* docs/lint.md lists every rule as the code has it, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "pki/lint.h"

enum { LINE = 400 };

static FILE *open_doc(void)
{
    char path[1024];
    snprintf(path, sizeof path, "%.*s../docs/lint.md", (int)(strlen(TEST_DATA) - strlen("data")),
             TEST_DATA);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    return f;
}

static size_t count_rules(void)
{
    size_t n = 0;
    while (chy_lint_rules[n])
        n++;
    return n;
}

static void line_of(const struct chy_lint_rule *r, char out[LINE])
{
    static const char *const severities[] = {"notice", "warning", "error"};
    snprintf(out, LINE, "| `%s` | %s | %s | %s |\n", r->id, severities[r->severity], r->section,
             r->text);
}

static void test_each_line_is_a_rule_and_each_rule_a_line(void **state)
{
    (void)state;
    FILE *f = open_doc();
    char line[LINE], expected[LINE];
    size_t n = 0, wrong = 0;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "| `", 3) != 0) continue;
        assert_non_null(chy_lint_rules[n]);
        line_of(chy_lint_rules[n++], expected);
        if (strcmp(line, expected) == 0) continue;
        print_message("docs/lint.md has  %sthe code has      %s", line, expected);
        wrong++;
    }
    fclose(f);
    assert_int_equal(wrong, 0);
    assert_int_equal(n, count_rules());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_line_is_a_rule_and_each_rule_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
