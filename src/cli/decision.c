/* One decision in words, as `request explain`, a dry run and a replay show it. */
#include <string.h>

#include "cli/cli.h"
#include "cli/decision.h"

const char *chy_cli_text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

void chy_cli_line(struct chy_cli *cli, unsigned indent, struct chy_buf *b)
{
    struct chy_buf plain;
    const char *text = chy_buf_cstr(b);
    chy_buf_init(&plain, 1 << 20);
    chy_cli_add_plain(&plain, text ? text : "");
    text = chy_buf_cstr(&plain);
    fprintf(cli->out, "%*s%s\n", (int)indent, "", text ? text : "");
    chy_buf_free(&plain);
    chy_buf_reset(b);
}

/* "2026-11-21 07:05:11.042" */
static void add_moment(struct chy_buf *b, const char *rfc3339)
{
    size_t n = rfc3339 ? strlen(rfc3339) : 0;
    if (n < 20 || rfc3339[10] != 'T') return;
    chy_buf_addf(b, "%.10s %.8s", rfc3339, rfc3339 + 11);
    if (rfc3339[19] == '.' && n > 23) chy_buf_addf(b, "%.4s", rfc3339 + 19);
}

void chy_cli_add_moment(struct chy_buf *b, const cJSON *obj, const char *key)
{
    add_moment(b, chy_cli_text_of(obj, key));
}

static bool is_true(const cJSON *obj, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, key));
}

/* What of an extension is not its value. */
static void add_state(struct chy_buf *b, const cJSON *v)
{
    const char *origin = chy_cli_text_of(v, "origin");
    if (!origin) return;
    if (is_true(v, "enabled")) {
        chy_buf_add_str(b, is_true(v, "critical") ? "granted, critical" : "granted");
    } else {
        chy_buf_add_str(b, strcmp(origin, "request") == 0 ? "asked for" : "left out");
    }
}

static void add_text(struct chy_buf *b, const cJSON *v)
{
    const char *text = chy_cli_text_of(v, "text"), *hash = chy_cli_text_of(v, "sha256");
    int64_t n = 0;
    if (hash) {
        (void)chy_json_int(v, "length", &n, NULL);
        chy_buf_addf(b, "%lld octets with SHA-256 %.16s…", (long long)n, hash);
    } else {
        chy_buf_add_str(b, text ? text : "?");
    }
}

static void add_value(struct chy_buf *b, const cJSON *v)
{
    if (!cJSON_IsObject(v)) {
        chy_buf_add_str(b, "none");
        return;
    }
    add_text(b, v);
    if (!chy_cli_text_of(v, "origin")) return;
    chy_buf_add_str(b, " (");
    add_state(b, v);
    chy_buf_add_str(b, ")");
}

static bool same_text(const cJSON *a, const cJSON *b, const char *key)
{
    const char *x = chy_cli_text_of(a, key), *y = chy_cli_text_of(b, key);
    return x && y && strcmp(x, y) == 0;
}

static void print_change(struct chy_cli *cli, const cJSON *c, unsigned indent)
{
    const cJSON *before = cJSON_GetObjectItemCaseSensitive(c, "before");
    const cJSON *after = cJSON_GetObjectItemCaseSensitive(c, "after");
    const char *what = chy_cli_text_of(c, "what"), *name = chy_cli_text_of(c, "name");
    int64_t times = 1;
    struct chy_buf b;
    chy_buf_init(&b, 1 << 20);
    if (what && strcmp(what, "attribute") == 0) chy_buf_add_str(&b, "attribute ");
    if (what && strcmp(what, "subject") == 0) chy_buf_add_str(&b, "subject ");
    chy_buf_addf(&b, "%s: ", name ? name : "?");
    if (same_text(before, after, "hex")) {
        add_text(&b, after);
        chy_buf_add_str(&b, ": ");
        add_state(&b, before);
        chy_buf_add_str(&b, " → ");
        add_state(&b, after);
    } else {
        add_value(&b, before);
        chy_buf_add_str(&b, " → ");
        add_value(&b, after);
    }
    if (chy_json_int(c, "times", &times, NULL) && times > 1)
        chy_buf_addf(&b, " (in %lld changes)", (long long)times);
    chy_cli_line(cli, indent, &b);
    chy_buf_free(&b);
}

void chy_cli_print_changes(struct chy_cli *cli, const cJSON *decision, unsigned indent)
{
    const cJSON *c;
    int64_t n = 0;
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(decision, "changes"))
    {
        print_change(cli, c, indent);
    }
    if (chy_json_int(decision, "changes_lost", &n, NULL) && n > 0)
        fprintf(cli->out, "%*s%lld more changes, of which nothing was kept\n", (int)indent, "",
                (long long)n);
}

static void add_module(struct chy_buf *b, const cJSON *d)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(d, "module");
    const char *name = chy_cli_text_of(m, "name"), *version = chy_cli_text_of(m, "version");
    const char *hash = chy_cli_text_of(m, "sha256"), *host = chy_cli_text_of(m, "host");
    bool apart = host && strcmp(host, "process") == 0;
    chy_buf_addf(b, "%s %s (SHA-256 %.16s…%s)", name ? name : "a module", version ? version : "",
                 hash ? hash : "?", apart ? ", in a process of its own" : "");
}

/* Who did what. */
static void add_actor(struct chy_buf *b, const cJSON *d)
{
    const char *kind = chy_cli_text_of(d, "kind"), *by = chy_cli_text_of(d, "by");
    if (!kind) kind = "";
    if (!by) by = "an officer";
    if (strcmp(kind, "policy") == 0) {
        if (!is_true(d, "new")) chy_buf_addf(b, "%s released it, and ", by);
        add_module(b, d);
        chy_buf_add_str(b, " was asked");
    } else if (strcmp(kind, "engine") == 0) {
        chy_buf_add_str(b, "the engine refused it before any module was asked");
    } else if (strcmp(kind, "denied") == 0) {
        chy_buf_addf(b, "%s denied it", by);
    } else if (strcmp(kind, "changed") == 0) {
        chy_buf_addf(b, "%s changed it", by);
    } else if (strcmp(kind, "settled") == 0) {
        chy_buf_add_str(b, "signed after a restart, as it had been decided");
    } else {
        chy_buf_add_str(b, "something that this program does not know");
    }
}

static void print_times(struct chy_cli *cli, const cJSON *d, unsigned indent)
{
    static const char *const names[][2] = {{"queue_us", "waited"},
                                           {"policy_us", "in the module"},
                                           {"check_us", "building and checking"}};
    const char *kind = chy_cli_text_of(d, "kind");
    struct chy_buf b;
    if (!kind || strcmp(kind, "policy") != 0) return;
    chy_buf_init(&b, 4096);
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        int64_t us = 0;
        if (!chy_json_int(d, names[i][0], &us, NULL) || us <= 0) continue;
        chy_buf_addf(&b, "%s%s %lld.%03lld ms", b.n ? ", " : "took: ", names[i][1],
                     (long long)(us / 1000), (long long)(us % 1000));
    }
    if (b.n) chy_cli_line(cli, indent, &b);
    chy_buf_free(&b);
}

static void print_lint(struct chy_cli *cli, const cJSON *d, unsigned indent)
{
    const cJSON *l;
    struct chy_buf b;
    chy_buf_init(&b, 4096);
    cJSON_ArrayForEach(l, cJSON_GetObjectItemCaseSensitive(d, "lint"))
    {
        chy_buf_addf(&b, "%s%s",
                     b.n ? ", " : "lint noticed: ", cJSON_IsString(l) ? l->valuestring : "?");
    }
    if (b.n) chy_cli_line(cli, indent, &b);
    chy_buf_free(&b);
}

void chy_cli_print_verdict(struct chy_cli *cli, const cJSON *d, unsigned indent)
{
    const char *state = chy_cli_text_of(d, "disposition"), *message = chy_cli_text_of(d, "message");
    const char *code = chy_cli_text_of(d, "status_name");
    int64_t status = 0;
    struct chy_buf b;
    if (!state) return;
    chy_buf_init(&b, 8192);
    (void)chy_json_int(d, "status", &status, NULL);
    chy_buf_add_str(&b, message ? ": " : "");
    chy_buf_add_str(&b, message ? message : "");
    if (status) chy_buf_addf(&b, " (0x%08x %s)", (unsigned)status, code ? code : "");
    fprintf(cli->out, "%*s→ %s%s%s", (int)indent, "", chy_cli_color(cli, state), state,
            chy_cli_color_end(cli));
    chy_cli_line(cli, 0, &b);
    chy_buf_free(&b);
}

void chy_cli_print_decision(struct chy_cli *cli, const cJSON *d)
{
    struct chy_buf b;
    chy_buf_init(&b, 8192);
    chy_cli_add_moment(&b, d, "decided_when");
    if (b.n) chy_buf_add_str(&b, "  ");
    add_actor(&b, d);
    chy_cli_line(cli, 0, &b);
    chy_cli_print_changes(cli, d, 4);
    print_lint(cli, d, 4);
    chy_cli_print_verdict(cli, d, 4);
    print_times(cli, d, 4);
    chy_buf_free(&b);
}
