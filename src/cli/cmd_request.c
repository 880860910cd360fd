/* Verbs of `chancery request`, but for `new`. */
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"
#include "cli/cli.h"

enum { REQUEST_MAX = 128 << 10 };

/* NAME:VALUE as members of an open JSON object; a name that is said again is a mistake. */
static int add_attributes(struct chy_cli *cli, cJSON *obj, const char *text)
{
    char name[128];
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (!n || n >= sizeof(name))
        return chy_cli_usage(cli, "attribute \"%.64s\": NAME:VALUE is expected", text);
    memcpy(name, text, n);
    name[n] = 0;
    if (cJSON_GetObjectItemCaseSensitive(obj, name))
        return chy_cli_usage(cli, "attribute \"%s\" is given twice", name);
    cJSON_AddStringToObject(obj, name, colon + 1);
    return CHY_CLI_DONE;
}

static void add_pem_or_text(struct chy_buf *b, struct chy_span request)
{
    /* DER of a request begins with a SEQUENCE; neither PEM nor base64 begins with "0" and a length
     * octet that is no text. */
    bool der = request.n > 1 && request.p[0] == 0x30 && request.p[1] >= 0x80;
    if (der) {
        chy_pem_add(b, "CERTIFICATE REQUEST", request);
    } else {
        chy_buf_add_span(b, request);
    }
}

static const char *text_of(const cJSON *obj, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* What a state means for scripts. */
static int status_of(const cJSON *v)
{
    int64_t code = 0;
    (void)chy_json_int(v, "disposition_code", &code, NULL);
    if (code == CHY_DB_DISP_DENIED) return CHY_CLI_DENIED;
    if (code == CHY_DB_DISP_PENDING || code == CHY_DB_DISP_ACTIVE) return CHY_CLI_PENDING;
    return code == CHY_DB_DISP_ERROR ? CHY_CLI_OTHER : CHY_CLI_DONE;
}

static void say_outcome(struct chy_cli *cli, const cJSON *v, FILE *to)
{
    const char *state = text_of(v, "disposition"), *message = text_of(v, "message");
    const char *serial = text_of(v, "serial");
    int64_t id = 0;
    struct chy_buf b;
    chy_buf_init(&b, 8192);
    (void)chy_json_int(v, "request_id", &id, NULL);
    if (message) chy_cli_add_plain(&b, message);
    const char *plain = chy_buf_cstr(&b);
    fprintf(to, "request %d: %s%s%s%s%s%s%s\n", (int)id, chy_cli_color(cli, state),
            state ? state : "unknown", chy_cli_color_end(cli), serial ? ", serial " : "",
            serial ? serial : "", plain && *plain ? ": " : "", plain ? plain : "");
    if (status_of(v) == CHY_CLI_PENDING) {
        fprintf(to,
                "an officer decides (request resubmit %d); then: chancery request retrieve %d\n",
                (int)id, (int)id);
    }
    chy_buf_free(&b);
}

/* Submissions and officers' changes answer alike: an outcome with a request id, or a problem. */
static int take_outcome(struct chy_cli *cli, const struct chy_ask *ask, cJSON **out)
{
    const struct chy_httpc_answer *a = NULL;
    struct chy_err err = {0};
    int status = chy_cli_ask(cli, ask, &a);
    if (status != CHY_CLI_DONE) return status;
    if (cli->json) fprintf(cli->out, "%.*s\n", (int)a->body.n, (const char *)a->body.p);
    chy_hresult hr = chy_json_parse(chy_buf_span(&a->body), CHY_HTTPC_BODY_MAX, out, &err);
    if (hr == CHY_S_OK && cJSON_GetObjectItemCaseSensitive(*out, "request_id"))
        return status_of(*out);
    chy_err_clear(&err);
    if (chy_session_problem(a, &err) == CHY_S_OK)
        chy_fail(&err, CHY_ERROR_INVALID_DATA, "the daemon's answer says nothing of a request");
    return chy_cli_fail(cli, &err);
}

/* The certificate as the answer has it, or, for a chain, fetched. */
static int deliver(struct chy_cli *cli, const cJSON *v)
{
    const char *pem = text_of(v, "certificate");
    int64_t id = 0;
    struct chy_buf b;
    if (!chy_cli_flag(cli, "chain")) {
        if (!pem || (cli->json && !chy_cli_value(cli, "out"))) return CHY_CLI_DONE;
        return chy_cli_write_out(cli, chy_cli_value(cli, "out"), chy_span_cstr(pem), 0644);
    }
    if (cli->json && !chy_cli_value(cli, "out")) return CHY_CLI_DONE;
    (void)chy_json_int(v, "request_id", &id, NULL);
    chy_cli_path(cli, &b);
    chy_buf_addf(&b, "/requests/%d/certificate", (int)id);
    int status = chy_cli_fetch(cli, chy_buf_cstr(&b));
    chy_buf_free(&b);
    return status;
}

static int submission_json(struct chy_cli *cli, struct chy_span request, char **out)
{
    struct chy_buf text;
    const char *profile = chy_cli_value(cli, "profile"), *attr;
    cJSON *root = cJSON_CreateObject();
    cJSON *attributes = cJSON_AddObjectToObject(root, "attributes");
    size_t pos = 0;
    int status = CHY_CLI_DONE;
    chy_buf_init(&text, 2 * REQUEST_MAX);
    add_pem_or_text(&text, request);
    const char *pem = chy_buf_cstr(&text);
    if (!pem || strlen(pem) != text.n || !chy_utf8_valid(chy_buf_span(&text)))
        status = chy_cli_usage(cli, "the request is neither PEM nor base64 nor DER of a PKCS#10");
    if (pem && status == CHY_CLI_DONE) cJSON_AddStringToObject(root, "request", pem);
    if (profile) cJSON_AddStringToObject(attributes, "CertificateTemplate", profile);
    while (status == CHY_CLI_DONE && (attr = chy_cli_next(cli, "attr", &pos)) != NULL)
        status = add_attributes(cli, attributes, attr);
    *out = status == CHY_CLI_DONE ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    chy_buf_free(&text);
    return status;
}

static int try_out(struct chy_cli *cli, const struct chy_ask *ask, cJSON **out)
{
    int status = chy_cli_get(cli, ask, out);
    if (status != CHY_CLI_DONE) return status;
    if (!cli->json) chy_cmd_print_dry_run(cli, *out);
    return status_of(*out);
}

int chy_cmd_submit_request(struct chy_cli *cli, struct chy_span request)
{
    struct chy_buf path;
    cJSON *v = NULL;
    char *json = NULL;
    int status = submission_json(cli, request, &json);
    if (!json) return status == CHY_CLI_DONE ? CHY_CLI_OTHER : status;
    bool dry = chy_cli_flag(cli, "dry-run");
    chy_cli_path(cli, &path);
    chy_buf_addf(&path, "/requests%s", dry ? "?dry_run=1" : "");
    struct chy_ask ask = {.method = "POST",
                          .path = chy_buf_cstr(&path),
                          .content_type = "application/json",
                          .body = chy_span_cstr(json)};
    status = dry ? try_out(cli, &ask, &v) : take_outcome(cli, &ask, &v);
    if (!dry && v && cJSON_GetObjectItemCaseSensitive(v, "request_id")) {
        if (!cli->json) say_outcome(cli, v, cli->err);
        if (status == CHY_CLI_DONE) status = deliver(cli, v);
    }
    cJSON_Delete(v);
    cJSON_free(json);
    chy_buf_free(&path);
    return status;
}

static chy_hresult read_stdin(struct chy_buf *b, struct chy_err *err)
{
    uint8_t piece[4096];
    ssize_t n;
    while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
        chy_buf_add(b, piece, (size_t)n);
    if (n < 0) return chy_fail_errno(err, "standard input");
    return chy_buf_done(b, "standard input", err);
}

int chy_cmd_request_submit(struct chy_cli *cli)
{
    struct chy_buf request;
    struct chy_err err = {0};
    if (chy_cli_flag(cli, "dry-run") && (chy_cli_value(cli, "out") || chy_cli_flag(cli, "chain")))
        return chy_cli_usage(cli, "--dry-run makes no certificate: leave --out and --chain away");
    chy_buf_init(&request, REQUEST_MAX);
    chy_hresult hr = strcmp(cli->word[0], "-") == 0
                         ? read_stdin(&request, &err)
                         : chy_file_read(cli->word[0], REQUEST_MAX, &request, &err);
    int status = hr == CHY_S_OK ? chy_cmd_submit_request(cli, chy_buf_span(&request))
                                : chy_cli_fail(cli, &err);
    chy_buf_free(&request);
    return status;
}

bool chy_cmd_id_path(struct chy_cli *cli, struct chy_buf *b, const char *rest, int *status)
{
    long id;
    if (!chy_cli_number(cli->word[0], 1, INT32_MAX, &id)) {
        *status =
            chy_cli_usage(cli, "request id \"%.32s\": a positive number is expected", cli->word[0]);
        return false;
    }
    chy_cli_path(cli, b);
    chy_buf_addf(b, "/requests/%ld%s", id, rest);
    return true;
}

int chy_cmd_request_list(struct chy_cli *cli)
{
    return chy_cmd_list_rows(cli, "requests");
}

int chy_cmd_request_show(struct chy_cli *cli)
{
    struct chy_buf b;
    cJSON *v = NULL;
    int status = CHY_CLI_DONE;
    if (!chy_cmd_id_path(cli, &b, "", &status)) return status;
    status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    if (status == CHY_CLI_DONE && !cli->json) chy_cmd_print_row(cli, v);
    cJSON_Delete(v);
    chy_buf_free(&b);
    return status;
}

/* Pending and denied have statuses of their own here, so the state is asked for first. */
int chy_cmd_request_retrieve(struct chy_cli *cli)
{
    struct chy_buf b;
    cJSON *v = NULL;
    int status = CHY_CLI_DONE;
    bool json = cli->json;
    if (!chy_cmd_id_path(cli, &b, "", &status)) return status;
    cli->json = false;
    status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    cli->json = json;
    if (status == CHY_CLI_DONE) status = status_of(v);
    if (status != CHY_CLI_DONE && v && json) {
        char *text = cJSON_PrintUnformatted(v);
        fprintf(cli->out, "%s\n", text ? text : "");
        cJSON_free(text);
    } else if (status != CHY_CLI_DONE && v) {
        say_outcome(cli, v, cli->err);
    }
    if (status == CHY_CLI_DONE) {
        chy_buf_add_str(&b, "/certificate");
        status = chy_cli_fetch(cli, chy_buf_cstr(&b));
    }
    cJSON_Delete(v);
    chy_buf_free(&b);
    return status;
}

/* The exit status tells whether the change was made, not what the request then is. */
static int officer(struct chy_cli *cli, const char *method, const char *rest, const char *json,
                   bool state_counts)
{
    struct chy_buf b;
    cJSON *v = NULL;
    int status = CHY_CLI_DONE;
    if (!chy_cmd_id_path(cli, &b, rest, &status)) return status;
    struct chy_ask ask = {.method = method,
                          .path = chy_buf_cstr(&b),
                          .content_type = json ? "application/json" : NULL,
                          .body = chy_span_cstr(json)};
    status = take_outcome(cli, &ask, &v);
    if (v && cJSON_GetObjectItemCaseSensitive(v, "request_id")) {
        if (!cli->json) say_outcome(cli, v, cli->out);
        if (!state_counts) status = CHY_CLI_DONE;
    }
    cJSON_Delete(v);
    chy_buf_free(&b);
    return status;
}

int chy_cmd_request_resubmit(struct chy_cli *cli)
{
    return officer(cli, "POST", "/resubmit", NULL, true);
}

int chy_cmd_request_deny(struct chy_cli *cli)
{
    return officer(cli, "POST", "/deny", NULL, false);
}

int chy_cmd_request_set_attr(struct chy_cli *cli)
{
    cJSON *root = cJSON_CreateObject(), *attributes = cJSON_AddObjectToObject(root, "attributes");
    int status = CHY_CLI_DONE;
    for (size_t i = 1; i < cli->n_words && status == CHY_CLI_DONE; i++)
        status = add_attributes(cli, attributes, cli->word[i]);
    char *json = status == CHY_CLI_DONE ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    if (json) status = officer(cli, "PATCH", "", json, false);
    cJSON_free(json);
    return status;
}

static int extension_value(struct chy_cli *cli, struct chy_buf *hex)
{
    const char *text = chy_cli_value(cli, "hex"), *file = chy_cli_value(cli, "file");
    struct chy_buf der;
    struct chy_err err = {0};
    if (!text == !file)
        return chy_cli_usage(cli, "request set-ext: either --hex H or --file F is expected");
    chy_buf_init(&der, REQUEST_MAX / 4);
    int status = CHY_CLI_DONE;
    if (text && !chy_hex_decode(&der, chy_span_cstr(text)))
        status = chy_cli_usage(cli, "--hex: an even number of hexadecimal digits is expected");
    if (file && chy_file_read(file, REQUEST_MAX / 4, &der, &err) != CHY_S_OK)
        status = chy_cli_fail(cli, &err);
    chy_hex_add(hex, chy_buf_span(&der));
    chy_buf_free(&der);
    return status;
}

int chy_cmd_request_set_ext(struct chy_cli *cli)
{
    struct chy_buf hex, json;
    struct chy_json j;
    chy_buf_init(&hex, REQUEST_MAX);
    chy_buf_init(&json, REQUEST_MAX);
    int status = extension_value(cli, &hex);
    chy_json_begin(&j, &json);
    chy_json_object(&j, NULL);
    chy_json_object(&j, "extension");
    chy_json_add_str(&j, "oid", cli->word[1]);
    chy_json_add_bool(&j, "critical", chy_cli_flag(cli, "critical"));
    chy_json_add_bool(&j, "disabled", chy_cli_flag(cli, "disabled"));
    chy_json_add_span(&j, "hex", chy_buf_span(&hex));
    chy_json_end(&j, '}');
    chy_json_end(&j, '}');
    const char *text = chy_buf_cstr(&json);
    if (status == CHY_CLI_DONE && text) status = officer(cli, "PATCH", "", text, false);
    chy_buf_free(&hex);
    chy_buf_free(&json);
    return status;
}
