/* What became of the plays. */
#include "modtest/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "modtest/play.h"

enum { REPORT_MAX = 64 << 20, VALGRIND_ERRORS = 99 };

void chy_report_begin(struct chy_report *r)
{
    chy_buf_init(&r->text, REPORT_MAX);
    if (r->format == CHY_REPORT_TAP) fputs("TAP version 13\n", r->out);
    if (r->format != CHY_REPORT_JSON) return;
    chy_json_begin(&r->json, &r->text);
    chy_json_object(&r->json, NULL);
    chy_json_array(&r->json, "plays");
}

void chy_report_play(struct chy_report *r, const char *file, const char *binding)
{
    r->file = file;
    r->met_here = r->failed_here = r->line = 0;
    if (r->format == CHY_REPORT_TAP) fprintf(r->out, "# %s (%s)\n", file, binding);
    if (r->format == CHY_REPORT_TEXT) chy_buf_reset(&r->text);
    if (r->format != CHY_REPORT_JSON) return;
    chy_json_object(&r->json, NULL);
    chy_json_add_str(&r->json, "file", file);
    chy_json_add_str(&r->json, "binding", binding);
    chy_json_array(&r->json, "results");
}

static void begun(struct chy_report *r, size_t line, const char *text)
{
    r->line = line;
    chy_free(r->begun);
    r->begun = chy_strdup(text);
    if (r->verbose && r->format == CHY_REPORT_TEXT)
        fprintf(r->out, "%s:%zu: %s\n", r->file, line, text);
}

static void result(struct chy_report *r, size_t line, bool ok, const char *text, const char *detail)
{
    if (ok)
        r->met++, r->met_here++;
    else
        r->not_met++, r->failed_here++;
    switch (r->format) {
    case CHY_REPORT_TAP:
        fprintf(r->out, "%s %zu - %s:%zu: %s\n", ok ? "ok" : "not ok", r->met + r->not_met, r->file,
                line, text);
        if (!ok) fprintf(r->out, "# %s\n", detail);
        break;
    case CHY_REPORT_TEXT:
        if (!ok) chy_buf_addf(&r->text, "%s:%zu: %s\n    %s\n", r->file, line, text, detail);
        break;
    case CHY_REPORT_JSON:
        chy_json_object(&r->json, NULL);
        chy_json_add_int(&r->json, "line", (int64_t)line);
        chy_json_add_str(&r->json, "text", text);
        chy_json_add_bool(&r->json, "ok", ok);
        if (!ok) chy_json_add_str(&r->json, "detail", detail);
        chy_json_end(&r->json, '}');
        break;
    }
}

static void module_log(struct chy_report *r, const char *severity, const char *text)
{
    if (r->format == CHY_REPORT_TAP) fprintf(r->out, "# %s: %s\n", severity, text);
    if (r->format == CHY_REPORT_TEXT && r->verbose) fprintf(r->out, "    %s: %s\n", severity, text);
}

static char *cut(char **rest)
{
    char *start = *rest, *tab = strchr(start, '\t');
    *rest = tab ? tab + 1 : start + strlen(start);
    if (tab) *tab = 0;
    return start;
}

void chy_report_line(struct chy_report *r, char *line)
{
    char *rest = line, detail[128];
    const char *event = cut(&rest), *number = cut(&rest), *text = cut(&rest);
    size_t n = (size_t)strtoul(number, NULL, 10);
    switch (*event) {
    case CHY_PLAY_AT: begun(r, n, text); break;
    case CHY_PLAY_MET: result(r, n, true, text, NULL); break;
    case CHY_PLAY_NOT_MET: result(r, n, false, text, rest); break;
    case CHY_PLAY_LOG: module_log(r, text, rest); break;
    case CHY_PLAY_WRONG:
        r->wrong = true;
        result(r, n, false, r->begun ? r->begun : "", text);
        break;
    case CHY_PLAY_LATE:
        snprintf(detail, sizeof(detail), "the call overran its deadline of %s ms", text);
        result(r, n, false, r->begun ? r->begun : "", detail);
        break;
    default: break;
    }
}

/* How the process that ran the play ended, where that is news. */
static void ended(struct chy_report *r, int status)
{
    char detail[128];
    const char *at = r->begun ? r->begun : "start";
    if (WIFSIGNALED(status)) {
        snprintf(detail, sizeof(detail), "the module crashed: %s", strsignal(WTERMSIG(status)));
        result(r, r->line, false, at, detail);
    } else if (WEXITSTATUS(status) == VALGRIND_ERRORS) {
        result(r, r->line, false, at, "valgrind found errors: see above");
    } else if (WEXITSTATUS(status) > 2 || (WEXITSTATUS(status) && !r->failed_here)) {
        snprintf(detail, sizeof(detail),
                 "the process ended with status %d: the module left it, or a sanitizer found an "
                 "error (see above)",
                 WEXITSTATUS(status));
        result(r, r->line, false, at, detail);
    }
}

void chy_report_play_end(struct chy_report *r, int status)
{
    ended(r, status);
    if (r->format == CHY_REPORT_TEXT) {
        fprintf(r->out, "%s %s: %zu of %zu expectations met\n", r->failed_here ? "FAIL" : "ok  ",
                r->file, r->met_here, r->met_here + r->failed_here);
        fwrite(r->text.p ? r->text.p : (const uint8_t *)"", 1, r->text.n, r->out);
    }
    fflush(r->out);
    chy_free(r->begun);
    r->begun = NULL;
    if (r->format != CHY_REPORT_JSON) return;
    chy_json_end(&r->json, ']');
    chy_json_end(&r->json, '}');
}

int chy_report_end(struct chy_report *r)
{
    if (r->format == CHY_REPORT_TAP) fprintf(r->out, "1..%zu\n", r->met + r->not_met);
    if (r->format == CHY_REPORT_JSON) {
        chy_json_end(&r->json, ']');
        chy_json_add_int(&r->json, "met", (int64_t)r->met);
        chy_json_add_int(&r->json, "not_met", (int64_t)r->not_met);
        chy_json_end(&r->json, '}');
        chy_buf_add_byte(&r->text, '\n');
        fwrite(r->text.p, 1, r->text.failed ? 0 : r->text.n, r->out);
    }
    chy_buf_free(&r->text);
    if (r->wrong) return 2;
    return r->not_met ? 1 : 0;
}
