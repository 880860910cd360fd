/* What the tests of lint of CRLs and OCSP responses share: samples that break one rule. */
#ifndef CHY_TESTS_UNIT_PKI_LINT_SAMPLES_H
#define CHY_TESTS_UNIT_PKI_LINT_SAMPLES_H

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pki/lint_status.h"
#include "unit/pki/der_expected.h"

struct patch {
    int slot; /* 0 ends a list */
    const char *text;
};
struct row {
    const char *rule;
    struct patch bad[4];
    struct patch good[4]; /* none: the sample as it is */
};

static void apply(const char **part, const struct patch *patches)
{
    for (size_t i = 0; i < 4 && patches[i].slot; i++)
        part[patches[i].slot] = patches[i].text;
}

static bool only(const struct chy_lint_report *r, const char *rule)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->finding[i].rule->id, rule) != 0) return false;
    }
    return r->n > 0;
}

static void print_findings(const char *rule, const char *which, size_t row,
                           const struct chy_lint_report *r)
{
    print_message("rule %s, %s sample %zu: %zu findings\n", rule, which, row, r->n);
    for (size_t i = 0; i < r->n; i++)
        print_message("    %s: %s\n", r->finding[i].rule->id, r->finding[i].detail);
}

static void check_rows(const struct row *rows, size_t n,
                       void (*lint)(const struct patch *patches, struct chy_lint_report *out))
{
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        struct chy_lint_report r;
        lint(rows[i].bad, &r);
        if (!only(&r, rows[i].rule)) {
            print_findings(rows[i].rule, "bad", i, &r);
            wrong++;
        }
        lint(rows[i].good, &r);
        if (r.n) {
            print_findings(rows[i].rule, "good", i, &r);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void every_rule_has_a_row(const struct row *rows, size_t n, const char *prefix)
{
    size_t without = 0, of_family = 0;
    for (size_t k = 0; chy_lint_rules[k]; k++) {
        if (strncmp(chy_lint_rules[k]->id, prefix, strlen(prefix)) != 0) continue;
        bool found = false;
        for (size_t i = 0; i < n; i++)
            found = found || strcmp(rows[i].rule, chy_lint_rules[k]->id) == 0;
        if (!found) print_message("rule %s has no sample\n", chy_lint_rules[k]->id);
        without += !found;
        of_family++;
    }
    assert_true(of_family > 0);
    assert_int_equal(without, 0);
}

#endif
