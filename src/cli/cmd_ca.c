/* Verbs of `chancery ca`. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"
#include "ca/ca.h"
#include "cli/cli.h"
#include "pki/cert.h"

enum { PATH_CAP = 4096, MAX_PERMIT = 64 };

/* DIR/ca/NAME, where NAME is safe for a file system whatever the CA is called. */
static bool ca_folder(const char *dir, const char *name, char *out, size_t cap)
{
    struct chy_buf b;
    chy_buf_init(&b, 512);
    chy_sanitize_short_name(&b, name);
    const char *safe = chy_buf_cstr(&b);
    int n = safe ? snprintf(out, cap, "%s/ca/%s", dir, safe) : -1;
    chy_buf_free(&b);
    return n > 0 && (size_t)n < cap;
}

static bool holds_ca(const char *dir)
{
    char path[PATH_CAP + 16];
    snprintf(path, sizeof(path), "%s/ca.pem", dir);
    return access(path, R_OK) == 0;
}

static int find_parent(struct chy_cli *cli, const char *dir, char *out, size_t cap)
{
    const char *parent = chy_cli_value(cli, "parent");
    struct chy_err err = {0};
    if (ca_folder(dir, parent, out, cap) && holds_ca(out)) return CHY_CLI_DONE;
    if (snprintf(out, cap, "%s", parent) < (int)cap && holds_ca(out)) return CHY_CLI_DONE;
    chy_fail(&err, CHY_ERROR_FILE_NOT_FOUND,
             "--parent %.200s: neither a CA's name in %.200s/ca nor a folder with a ca.pem", parent,
             dir);
    return chy_cli_fail(cli, &err);
}

static int read_numbers(struct chy_cli *cli, struct chy_ca_init *init)
{
    const char *days = chy_cli_value(cli, "days"), *path_len = chy_cli_value(cli, "path-len");
    long d = 3650, p = init->parent_dir ? 0 : -1;
    if (days && !chy_cli_number(days, 1, 36525, &d))
        return chy_cli_usage(cli, "--days %s: a number from 1 to 36525 is expected", days);
    if (path_len && !chy_cli_number(path_len, -1, 16, &p))
        return chy_cli_usage(cli, "--path-len %s: a number from -1 to 16 is expected", path_len);
    init->days = (int)d;
    init->path_len = (int)p;
    return CHY_CLI_DONE;
}

static void not_after_of(const char *path, char *out, size_t cap)
{
    static const char *const labels[] = {"CERTIFICATE", NULL};
    struct chy_buf pem, der;
    struct chy_err err = {0};
    size_t pos = 0;
    char text[32] = "";
    struct chy_cert *c = chy_calloc(1, sizeof(*c));
    chy_buf_init(&pem, 1 << 20);
    chy_buf_init(&der, 1 << 20);
    *out = 0;
    if (c && chy_file_read(path, 1 << 20, &pem, &err) == CHY_S_OK &&
        chy_pem_next(chy_buf_span(&pem), labels, &pos, &der, &err) == CHY_S_OK &&
        chy_cert_parse(chy_buf_span(&der), c, &err) == CHY_S_OK) {
        chy_time_format(text, c->not_after);
        snprintf(out, cap, "%s", text);
    }
    chy_buf_free(&pem);
    chy_buf_free(&der);
    chy_free(c);
}

static void report(struct chy_cli *cli, const struct chy_ca_init *init, const char *dir)
{
    char path[PATH_CAP + 16], not_after[32], when[32];
    snprintf(path, sizeof(path), "%s/ca.pem", init->dir);
    not_after_of(path, not_after, sizeof(not_after));
    if (cli->json) {
        struct chy_buf b;
        struct chy_json j;
        chy_buf_init(&b, 65536);
        chy_json_begin(&j, &b);
        chy_json_object(&j, NULL);
        chy_json_add_str(&j, "name", init->common_name);
        chy_json_add_str(&j, "dir", init->dir);
        chy_json_add_str(&j, "ca_cert", path);
        chy_json_add_str(&j, "not_after", not_after);
        chy_json_end(&j, '}');
        chy_buf_add_byte(&b, '\n');
        fwrite(b.p, 1, b.n, cli->out);
        chy_buf_free(&b);
        return;
    }
    chy_cli_short_time(not_after, when, sizeof(when));
    chy_cli_print(cli, init->parent_dir ? "made CA" : "made root CA", init->common_name);
    chy_cli_print(cli, "folder", init->dir);
    chy_cli_print(cli, "certificate", path);
    chy_cli_print(cli, "signed by", init->parent_dir);
    chy_cli_print(cli, "valid until", when);
    chy_cli_print(cli, "requests",
                  init->setting[0].path ? "issued when the policy allows them"
                                        : "wait for an officer (request resubmit)");
    fprintf(cli->out, "next: chanceryd --dir %s\n", dir);
}

int chy_cmd_ca_init(struct chy_cli *cli)
{
    char folder[PATH_CAP], parent[PATH_CAP];
    const char *permit[MAX_PERMIT + 1] = {NULL}, *one;
    const char *dir = chy_cli_value(cli, "dir"), *name = chy_cli_value(cli, "name");
    size_t n = 0, pos = 0;
    struct chy_err err = {0};
    struct chy_ca_init init = {.dir = folder,
                               .common_name = name,
                               .subject = chy_cli_value(cli, "subject"),
                               .key_alg = chy_cli_value(cli, "key"),
                               .clock = &chy_system_clock};
    if (!dir || !*dir || !name || !*name)
        return chy_cli_usage(cli, "ca init: --dir DIR and --name CN are expected");
    if (!ca_folder(dir, name, folder, sizeof(folder)))
        return chy_cli_usage(cli, "--dir: the path is too long");
    if (chy_cli_value(cli, "parent")) {
        int status = find_parent(cli, dir, parent, sizeof(parent));
        if (status != CHY_CLI_DONE) return status;
        init.parent_dir = parent;
    }
    int status = read_numbers(cli, &init);
    if (status != CHY_CLI_DONE) return status;
    while ((one = chy_cli_next(cli, "permit", &pos)) != NULL) {
        if (n == MAX_PERMIT) return chy_cli_usage(cli, "--permit: at most %d", MAX_PERMIT);
        permit[n++] = one;
    }
    if (n) init.permitted = permit;
    if (chy_cli_flag(cli, "issue")) {
        init.setting[0].path = "PolicyModules/policy-default/RequestDisposition";
        init.setting[0].json = "1";
    }
    if (chy_ca_create(&init, &err) != CHY_S_OK) return chy_cli_fail(cli, &err);
    report(cli, &init, dir);
    return CHY_CLI_DONE;
}

static const char *text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : "";
}

int chy_cmd_ca_list(struct chy_cli *cli)
{
    static const char *const titles[] = {"NAME", "READY", "CONFIG", "WARNINGS", NULL};
    cJSON *v = NULL;
    const cJSON *ca;
    int status = chy_cli_get(cli, &(struct chy_ask){.path = "/api/v1/cas"}, &v);
    struct chy_table *t = status == CHY_CLI_DONE && !cli->json ? chy_table_new(titles) : NULL;
    cJSON_ArrayForEach(ca, cJSON_GetObjectItemCaseSensitive(v, "cas"))
    {
        bool ready = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(ca, "ready"));
        const char *cells[] = {text_of(ca, "name"), ready ? "yes" : "no", text_of(ca, "config"),
                               text_of(ca, ready ? "warnings" : "trouble")};
        chy_table_row(t, cells, chy_cli_color(cli, ready ? "issued" : "failed"));
    }
    chy_table_print(t, cli);
    chy_table_free(t);
    cJSON_Delete(v);
    return status;
}

static void ca_path(struct chy_cli *cli, struct chy_buf *b)
{
    chy_cli_path(cli, b);
    if (!cli->ca) chy_buf_add_str(b, "/ca");
}

static void print_certs(struct chy_cli *cli, const cJSON *ca)
{
    static const char *const titles[] = {"CERTIFICATE", "FILE",        "KEY",
                                         "VALID FROM",  "VALID UNTIL", NULL};
    struct chy_table *t = chy_table_new(titles);
    const cJSON *c;
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(ca, "certificates"))
    {
        char index[24], key[64], from[32], until[32];
        int64_t i = 0, k = 0;
        (void)chy_json_int(c, "index", &i, NULL);
        (void)chy_json_int(c, "key_index", &k, NULL);
        snprintf(index, sizeof(index), "%lld", (long long)i);
        snprintf(key, sizeof(key), "%lld (%.32s)", (long long)k, text_of(c, "key"));
        chy_cli_short_time(text_of(c, "not_before"), from, sizeof(from));
        chy_cli_short_time(text_of(c, "not_after"), until, sizeof(until));
        const char *cells[] = {index, text_of(c, "file"), key, from, until};
        chy_table_row(t, cells, "");
    }
    chy_table_print(t, cli);
    chy_table_free(t);
}

static void print_crls(struct chy_cli *cli, const cJSON *ca)
{
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(ca, "crls");
    int64_t n = 0, overdue = 0, failed = 0;
    char until[32], text[160];
    if (!chy_json_int(c, "count", &n, NULL)) return;
    (void)chy_json_int(c, "overdue", &overdue, NULL);
    (void)chy_json_int(c, "failed", &failed, NULL);
    chy_cli_short_time(text_of(c, "next_update"), until, sizeof(until));
    snprintf(text, sizeof(text), "%lld, the first lapses at %s%s%s", (long long)n, until,
             overdue ? ", overdue" : "", failed ? ", not everywhere" : "");
    chy_cli_print(cli, "CRLs", n ? text : "none");
}

int chy_cmd_ca_show(struct chy_cli *cli)
{
    static const char *const fields[][2] = {{"name", "name"},
                                            {"config", "config"},
                                            {"sanitized", "sanitized_name"},
                                            {"short name", "sanitized_short_name"},
                                            {"ready", "ready"},
                                            {"trouble", "trouble"},
                                            {"warnings", "warnings"},
                                            {"issued", "issued_since_start"}};
    struct chy_buf b;
    cJSON *v = NULL;
    ca_path(cli, &b);
    int status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    for (size_t i = 0; i < CHY_ARRAY_LEN(fields) && status == CHY_CLI_DONE && !cli->json; i++)
        chy_cli_print_json(cli, v, fields[i][0], fields[i][1]);
    if (status == CHY_CLI_DONE && !cli->json) print_crls(cli, v);
    if (status == CHY_CLI_DONE && !cli->json) print_certs(cli, v);
    cJSON_Delete(v);
    chy_buf_free(&b);
    return status;
}

int chy_cmd_ca_cert(struct chy_cli *cli)
{
    struct chy_buf b;
    ca_path(cli, &b);
    chy_buf_add_str(&b, "/cert");
    int status = chy_cli_fetch(cli, chy_buf_cstr(&b));
    chy_buf_free(&b);
    return status;
}

/* ---- renew ---- */
/* The daemon has another working folder than who names a parent here. */
static void add_parent(cJSON *body, const char *parent)
{
    char *whole = realpath(parent, NULL);
    cJSON_AddStringToObject(body, "parent_dir", whole ? whole : parent);
    free(whole);
}

static int renewal_json(struct chy_cli *cli, char **out)
{
    const char *key = chy_cli_value(cli, "key"), *days = chy_cli_value(cli, "days");
    const char *parent = chy_cli_value(cli, "parent");
    bool new_key = chy_cli_flag(cli, "new-key");
    long d = 0;
    if (key && !new_key) return chy_cli_usage(cli, "ca renew: --key goes with --new-key");
    if (days && !chy_cli_number(days, 1, 36525, &d))
        return chy_cli_usage(cli, "--days %s: a number from 1 to 36525 is expected", days);
    cJSON *body = cJSON_CreateObject();
    cJSON_AddBoolToObject(body, "new_key", new_key);
    if (key) cJSON_AddStringToObject(body, "key", key);
    if (days) cJSON_AddNumberToObject(body, "days", (double)d);
    if (parent) add_parent(body, parent);
    *out = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return *out ? CHY_CLI_DONE : CHY_CLI_OTHER;
}

int chy_cmd_ca_renew(struct chy_cli *cli)
{
    static const char *const fields[][2] = {
        {"certificate", "index"}, {"key", "key_index"}, {"algorithm", "key"}, {"file", "file"}};
    struct chy_buf path;
    cJSON *v = NULL;
    char *json = NULL, when[32];
    int status = renewal_json(cli, &json);
    if (status != CHY_CLI_DONE) return status;
    ca_path(cli, &path);
    chy_buf_add_str(&path, "/renew");
    struct chy_ask ask = {.method = "POST",
                          .path = chy_buf_cstr(&path),
                          .content_type = "application/json",
                          .body = chy_span_cstr(json),
                          .timeout_ms = CHY_ASK_LONG_MS};
    status = chy_cli_get(cli, &ask, &v);
    if (status == CHY_CLI_DONE && !cli->json) {
        for (size_t i = 0; i < CHY_ARRAY_LEN(fields); i++)
            chy_cli_print_json(cli, v, fields[i][0], fields[i][1]);
        chy_cli_short_time(text_of(v, "not_after"), when, sizeof(when));
        chy_cli_print(cli, "valid until", when);
    }
    cJSON_Delete(v);
    cJSON_free(json);
    chy_buf_free(&path);
    return status;
}
