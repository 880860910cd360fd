/* Verbs of `chancery crl`. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"

static const char *text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

static bool is_true(const cJSON *obj, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, key));
}

static int64_t number_of(const cJSON *obj, const char *key)
{
    int64_t n = 0;
    (void)chy_json_int(obj, key, &n, NULL);
    return n;
}

static void crl_path(struct chy_cli *cli, struct chy_buf *b)
{
    chy_cli_path(cli, b);
    chy_buf_add_str(b, "/crl");
}

/* *color as of a request's state. */
static const char *state_of(const cJSON *c, const char **color)
{
    *color = "issued";
    if (is_true(c, "key_expired")) {
        *color = "";
        return "key expired";
    }
    if (is_true(c, "overdue")) {
        *color = "failed";
        return "overdue";
    }
    if (number_of(c, "status") >= 0) return "current";
    *color = "pending";
    return "not everywhere";
}

static void add_row(struct chy_table *t, struct chy_cli *cli, const cJSON *c)
{
    char number[24], entries[24], size[24], from[32], until[32];
    const char *color;
    snprintf(number, sizeof(number), "%lld", (long long)number_of(c, "number"));
    snprintf(entries, sizeof(entries), "%lld", (long long)number_of(c, "entries"));
    snprintf(size, sizeof(size), "%lld", (long long)number_of(c, "size"));
    chy_cli_short_time(text_of(c, "this_update"), from, sizeof(from));
    chy_cli_short_time(text_of(c, "next_update"), until, sizeof(until));
    const char *state = state_of(c, &color);
    const char *cells[] = {text_of(c, "name"), number, entries, size, from, until, state};
    chy_table_row(t, cells, chy_cli_color(cli, color));
}

static void print_table(struct chy_cli *cli, const cJSON *v)
{
    static const char *const titles[] = {"NAME",        "NUMBER",      "ENTRIES", "SIZE",
                                         "THIS UPDATE", "NEXT UPDATE", "STATE",   NULL};
    const cJSON *c;
    struct chy_table *t = chy_table_new(titles);
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(v, "crls"))
    {
        add_row(t, cli, c);
    }
    chy_table_print(t, cli);
    chy_table_free(t);
    fflush(cli->out);
}

static int fetch_list(struct chy_cli *cli, bool quietly, cJSON **out)
{
    struct chy_buf path;
    crl_path(cli, &path);
    struct chy_ask ask = {.path = chy_buf_cstr(&path), .answer_max = CHY_CLI_LIST_MAX};
    int status = quietly ? chy_cli_get_quietly(cli, &ask, out) : chy_cli_get(cli, &ask, out);
    chy_buf_free(&path);
    return status;
}

static int none(struct chy_cli *cli, const char *what)
{
    struct chy_err err = {0};
    chy_fail(&err, CHY_ERROR_FILE_NOT_FOUND, "there is no CRL %.190s; see chancery crl show", what);
    return chy_cli_fail(cli, &err);
}

static void print_one(struct chy_cli *cli, const cJSON *c)
{
    static const char *const fields[][2] = {{"name", "name"},
                                            {"kind", "kind"},
                                            {"key", "key_index"},
                                            {"shard", "shard"},
                                            {"number", "number"},
                                            {"base number", "base_number"},
                                            {"entries", "entries"},
                                            {"size", "size"},
                                            {"error", "error"},
                                            {"overdue", "overdue"},
                                            {"key expired", "key_expired"},
                                            {"signed in ms", "sign_ms"}};
    static const char *const times[][2] = {{"this update", "this_update"},
                                           {"next update", "next_update"},
                                           {"published", "this_publish"},
                                           {"next publish", "next_publish"}};
    char when[32];
    for (size_t i = 0; i < CHY_ARRAY_LEN(fields); i++)
        chy_cli_print_json(cli, c, fields[i][0], fields[i][1]);
    for (size_t i = 0; i < CHY_ARRAY_LEN(times); i++) {
        chy_cli_short_time(text_of(c, times[i][1]), when, sizeof(when));
        chy_cli_print(cli, times[i][0], when);
    }
}

static int show_one(struct chy_cli *cli, const cJSON *v, const char *name)
{
    const cJSON *c, *found = NULL;
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(v, "crls"))
    {
        const char *own = text_of(c, "name");
        if (own && strcmp(own, name) == 0) found = c;
    }
    if (!found) return none(cli, name);
    if (!cli->json) {
        print_one(cli, found);
        return CHY_CLI_DONE;
    }
    char *text = cJSON_PrintUnformatted(found);
    fprintf(cli->out, "%s\n", text ? text : "");
    cJSON_free(text);
    return text ? CHY_CLI_DONE : CHY_CLI_OTHER;
}

int chy_cmd_crl_show(struct chy_cli *cli)
{
    const char *name = cli->n_words ? cli->word[0] : NULL;
    cJSON *v = NULL;
    int status = fetch_list(cli, name != NULL, &v);
    if (status == CHY_CLI_DONE && name) status = show_one(cli, v, name);
    if (status == CHY_CLI_DONE && !name && !cli->json) print_table(cli, v);
    cJSON_Delete(v);
    return status;
}

/* ---- publish ---- */
static char *order_json(struct chy_cli *cli, long shard)
{
    const char *until = chy_cli_value(cli, "next-update");
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "kind", chy_cli_flag(cli, "delta") ? "delta" : "base");
    if (shard >= 0) cJSON_AddNumberToObject(body, "shard", (double)shard);
    if (until) cJSON_AddStringToObject(body, "next_update", until);
    if (chy_cli_flag(cli, "republish")) cJSON_AddBoolToObject(body, "republish", true);
    char *json = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return json;
}

static int read_index(struct chy_cli *cli, const char *name, long *out)
{
    const char *text = chy_cli_value(cli, name);
    if (!text || chy_cli_number(text, 0, 65535, out)) return CHY_CLI_DONE;
    return chy_cli_usage(cli, "--%s %s: a number from 0 to 65535 is expected", name, text);
}

int chy_cmd_crl_publish(struct chy_cli *cli)
{
    struct chy_buf path;
    cJSON *v = NULL;
    long shard = -1;
    int status = read_index(cli, "shard", &shard);
    if (status != CHY_CLI_DONE) return status;
    char *json = order_json(cli, shard);
    crl_path(cli, &path);
    struct chy_ask ask = {.method = "POST",
                          .path = chy_buf_cstr(&path),
                          .content_type = "application/json",
                          .body = chy_span_cstr(json ? json : "{}"),
                          .timeout_ms = CHY_ASK_LONG_MS,
                          .answer_max = CHY_CLI_LIST_MAX};
    status = json ? chy_cli_get(cli, &ask, &v) : CHY_CLI_OTHER;
    if (status == CHY_CLI_DONE && !cli->json) {
        long long number = (long long)number_of(v, "number"),
                  made = (long long)number_of(v, "made");
        if (number)
            fprintf(cli->out, "CRL number %lld: %lld made\n", number, made);
        else if (made)
            fprintf(cli->out, "%lld written again\n", made);
        else
            fputs("nothing was due\n", cli->out);
        if (made) print_table(cli, v);
    }
    cJSON_Delete(v);
    cJSON_free(json);
    chy_buf_free(&path);
    return status;
}

/* ---- get ---- */
/* key -1: the newest. */
static const char *find_name(const cJSON *v, bool is_delta, long shard, long key)
{
    const cJSON *c;
    const char *name = NULL;
    int64_t newest = -1;
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(v, "crls"))
    {
        const char *kind = text_of(c, "kind");
        int64_t k = number_of(c, "key_index");
        bool fits = kind && strcmp(kind, is_delta ? "delta" : "base") == 0 &&
                    number_of(c, "shard") == shard && (key < 0 ? k > newest : k == key);
        if (!fits) continue;
        newest = k;
        name = text_of(c, "name");
    }
    return name;
}

static int write_crl(struct chy_cli *cli, struct chy_span der)
{
    struct chy_buf pem;
    const char *out = chy_cli_value(cli, "out");
    int fd = fileno(cli->out);
    /* Octets would only upset a terminal. */
    bool as_text =
        chy_cli_flag(cli, "pem") || ((!out || strcmp(out, "-") == 0) && fd >= 0 && isatty(fd));
    if (!as_text) return chy_cli_write_out(cli, out, der, 0644);
    chy_buf_init(&pem, 2 * der.n + 4096);
    chy_pem_add(&pem, "X509 CRL", der);
    int status = pem.failed ? CHY_CLI_OTHER : chy_cli_write_out(cli, out, chy_buf_span(&pem), 0644);
    chy_buf_free(&pem);
    return status;
}

static int fetch_crl(struct chy_cli *cli, const char *name)
{
    const struct chy_httpc_answer *a = NULL;
    struct chy_err err = {0};
    struct chy_buf path;
    crl_path(cli, &path);
    chy_buf_add_byte(&path, '/');
    chy_path_add(&path, name);
    struct chy_ask ask = {.path = chy_buf_cstr(&path),
                          .accept = "application/pkix-crl",
                          .timeout_ms = CHY_ASK_LONG_MS,
                          .answer_max = CHY_ASK_CRL_MAX};
    int status = chy_cli_ask(cli, &ask, &a);
    if (status == CHY_CLI_DONE) {
        status = chy_session_problem(a, &err) == CHY_S_OK ? write_crl(cli, chy_buf_span(&a->body))
                                                          : chy_cli_fail(cli, &err);
    }
    chy_buf_free(&path);
    return status;
}

int chy_cmd_crl_get(struct chy_cli *cli)
{
    bool is_delta = chy_cli_flag(cli, "delta");
    long shard = 0, key = -1;
    char what[96];
    cJSON *v = NULL;
    int status = read_index(cli, "shard", &shard);
    if (status == CHY_CLI_DONE) status = read_index(cli, "key", &key);
    if (status == CHY_CLI_DONE) status = fetch_list(cli, true, &v);
    if (status == CHY_CLI_DONE) {
        const char *name = find_name(v, is_delta, shard, key);
        snprintf(what, sizeof(what), "(%s, shard %ld%s)", is_delta ? "delta" : "base", shard,
                 key < 0 ? "" : ", of that key");
        status = name ? fetch_crl(cli, name) : none(cli, what);
    }
    cJSON_Delete(v);
    return status;
}
