/* `chancery module check`: a module file examined, without a daemon. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "module/examine.h"

struct findings {
    struct chy_cli *cli;
    struct chy_buf report; /* what the module is, as text */
    struct chy_buf list;   /* JSON members of an array */
    struct chy_json json;
    size_t failed, warnings, skipped;
};

static const char *name_of(enum chy_finding_kind kind)
{
    switch (kind) {
    case CHY_FINDING_PASSED: return "pass";
    case CHY_FINDING_WARNING: return "warn";
    case CHY_FINDING_FAILED: return "FAIL";
    case CHY_FINDING_SKIPPED: return "skip";
    case CHY_FINDING_SAYS: return "info";
    }
    return "";
}

static void print(struct chy_cli *cli, const struct chy_finding *f)
{
    struct chy_buf b;
    chy_buf_init(&b, 8192);
    chy_cli_add_plain(&b, f->text);
    const char *text = chy_buf_cstr(&b);
    const char *color = f->kind == CHY_FINDING_FAILED   ? "failed"
                        : f->kind == CHY_FINDING_PASSED ? "issued"
                                                        : "pending";
    if (strcmp(f->check, "identity") == 0)
        fprintf(cli->out, "%s\n", text ? text : "");
    else
        fprintf(cli->out, "%s%s%s  %-12s %s\n", chy_cli_color(cli, color), name_of(f->kind),
                chy_cli_color_end(cli), f->check, text ? text : "");
    fflush(cli->out);
    chy_buf_free(&b);
}

static void found(const struct chy_finding *f, void *arg)
{
    struct findings *all = arg;
    all->failed += f->kind == CHY_FINDING_FAILED;
    all->warnings += f->kind == CHY_FINDING_WARNING;
    all->skipped += f->kind == CHY_FINDING_SKIPPED;
    if (strcmp(f->check, "identity") == 0) chy_buf_addf(&all->report, "%s\n", f->text);
    if (!all->cli->json) {
        print(all->cli, f);
        return;
    }
    chy_json_object(&all->json, NULL);
    chy_json_add_str(&all->json, "check", f->check);
    chy_json_add_str(&all->json, "result",
                     f->kind == CHY_FINDING_FAILED ? "fail" : name_of(f->kind));
    chy_json_add_str(&all->json, "text", f->text);
    chy_json_end(&all->json, '}');
}

static void print_json(struct findings *all, chy_hresult hr, const struct chy_err *err)
{
    struct chy_buf b;
    struct chy_json j;
    struct chy_cli *cli = all->cli;
    chy_buf_init(&b, 2 << 20);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_str(&j, "path", cli->word[0]);
    chy_json_add_bool(&j, "loads", hr == CHY_S_OK);
    chy_json_add_bool(&j, "passed", hr == CHY_S_OK && !all->failed);
    chy_json_add_buf(&j, "report", &all->report);
    chy_json_add_str(&j, "error", hr == CHY_S_OK ? NULL : err->text);
    chy_json_end(&all->json, ']');
    const char *list = chy_buf_cstr(&all->list);
    chy_json_add_raw(&j, "findings", list ? list : "[]");
    chy_json_end(&j, '}');
    chy_buf_add_byte(&b, '\n');
    fwrite(b.p, 1, b.failed ? 0 : b.n, cli->out);
    chy_buf_free(&b);
}

static int read_options(struct chy_cli *cli, struct chy_examination *what, const char **settings)
{
    const char *calls = chy_cli_value(cli, "calls"), *seconds = chy_cli_value(cli, "seconds"), *s;
    long n = 0;
    size_t pos = 0, k = 0;
    if (calls && !chy_cli_number(calls, 10, 10000000, &n))
        return chy_cli_usage(cli, "--calls \"%.20s\": 10 to 10000000 is expected", calls);
    if (calls) what->calls = (unsigned)n;
    if (seconds && !chy_cli_number(seconds, 1, 3600, &n))
        return chy_cli_usage(cli, "--seconds \"%.20s\": 1 to 3600 is expected", seconds);
    if (seconds) what->seconds = (unsigned)n;
    while ((s = chy_cli_next(cli, "set", &pos)) != NULL && k < CHY_CLI_MAX_OPTIONS) {
        const char *equals = strchr(s, '=');
        if (!equals || equals == s)
            return chy_cli_usage(cli, "--set \"%.60s\": NAME=VALUE is expected", s);
        settings[k++] = s;
    }
    what->load_only = chy_cli_flag(cli, "load-only");
    what->settings = settings;
    return CHY_CLI_DONE;
}

static int conclude(struct findings *all, chy_hresult hr, struct chy_err *err)
{
    struct chy_cli *cli = all->cli;
    if (cli->json) print_json(all, hr, err);
    if (hr != CHY_S_OK) {
        if (err->code == CHY_E_ACCESSDENIED)
            err->code = CHY_E_FAIL; /* the file's mode: no daemon was asked */
        return chy_cli_fail(cli, err);
    }
    if (!cli->json && all->failed)
        fprintf(cli->out, "%zu checks failed\n", all->failed);
    else if (!cli->json && all->skipped && !chy_cli_flag(cli, "load-only"))
        fputs("nothing failed, but not everything could be tried\n", cli->out);
    else if (!cli->json)
        fputs("all is well\n", cli->out);
    return all->failed ? CHY_CLI_OTHER : CHY_CLI_DONE;
}

int chy_cmd_module_check(struct chy_cli *cli)
{
    const char *settings[CHY_CLI_MAX_OPTIONS + 1] = {NULL};
    char path[PATH_MAX];
    struct chy_err err = {0};
    struct findings all = {.cli = cli};
    /* A shell's user names a file from where he stands; what is no file is a name in the module
     * folder. */
    bool is_file = realpath(cli->word[0], path) != NULL;
    struct chy_examination what = {
        .path = is_file ? path : cli->word[0], .calls = 10000, .seconds = 20};
    int status = read_options(cli, &what, settings);
    if (status != CHY_CLI_DONE) return status;
    chy_buf_init(&all.report, 64 << 10);
    chy_buf_init(&all.list, 1 << 20);
    chy_json_begin(&all.json, &all.list);
    chy_json_array(&all.json, NULL);
    chy_hresult hr = chy_module_examine(&what, found, &all, &err);
    status = conclude(&all, hr, &err);
    chy_buf_free(&all.report);
    chy_buf_free(&all.list);
    return status;
}
