/* What became of the plays: a table for people, TAP, or JSON. Thread: one. */
#ifndef CHY_MODTEST_REPORT_H
#define CHY_MODTEST_REPORT_H

#include <stdio.h>

#include "base/json.h"

enum chy_report_format { CHY_REPORT_TEXT, CHY_REPORT_TAP, CHY_REPORT_JSON };

struct chy_report {
    enum chy_report_format format;
    bool verbose;
    FILE *out;
    size_t met, not_met; /* over all plays */
    bool wrong;          /* a play could not be run */
    const char *file;    /* the present one */
    size_t met_here, failed_here;
    size_t line; /* that was begun last */
    char *begun;
    struct chy_buf text; /* JSON, or what is wrong with the present play */
    struct chy_json json;
};

void chy_report_begin(struct chy_report *r);
void chy_report_play(struct chy_report *r, const char *file, const char *binding);
/* One line of the pipe, without its end. */
void chy_report_line(struct chy_report *r, char *line);
/* status: of waitpid. late: nothing more was said because a call overran its deadline. */
void chy_report_play_end(struct chy_report *r, int status);
int chy_report_end(struct chy_report *r); /* the exit status */

#endif
