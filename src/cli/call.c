/* Calls to the daemon, and what the answers mean for the exit status. */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

enum { PATH_MAX_OCTETS = 16384 };

/* Failures of the way to the daemon have one status, whatever went wrong on it. */
static int unreachable(struct chy_cli *cli, struct chy_err *err)
{
    bool way = err->code == CHY_ERROR_TIMEOUT || err->code == CHY_CERT_E_CHAINING ||
               err->code == CHY_ERROR_IO_DEVICE;
    if (way) err->code = CHY_ERROR_SERVICE_NOT_ACTIVE;
    int status = chy_cli_fail(cli, err);
    return err->code == CHY_E_INVALIDARG ? CHY_CLI_USAGE : status;
}

int chy_cli_ask(struct chy_cli *cli, const struct chy_ask *ask,
                const struct chy_httpc_answer **answer)
{
    struct chy_err err = {0};
    if (!cli->session && chy_session_new(&cli->client, &cli->session, &err) != CHY_S_OK)
        return unreachable(cli, &err);
    if (chy_session_ask(cli->session, ask, answer, &err) != CHY_S_OK) return unreachable(cli, &err);
    return CHY_CLI_DONE;
}

static int get(struct chy_cli *cli, const struct chy_ask *ask, bool print, cJSON **out)
{
    const struct chy_httpc_answer *a = NULL;
    struct chy_err err = {0};
    int status = chy_cli_ask(cli, ask, &a);
    if (status != CHY_CLI_DONE) return status;
    chy_hresult hr = chy_session_problem(a, &err);
    size_t max = ask->answer_max ? ask->answer_max : CHY_HTTPC_BODY_MAX;
    if (hr == CHY_S_OK) hr = chy_json_parse(chy_buf_span(&a->body), max, out, &err);
    if (cli->json && print && (hr == CHY_S_OK || a->status >= 300)) {
        fwrite(a->body.p, 1, a->body.n, cli->out);
        fputc('\n', cli->out);
    }
    if (hr == CHY_S_OK) return CHY_CLI_DONE;
    status = chy_cli_fail(cli, &err);
    return a->status == 404 ? CHY_CLI_NOT_FOUND : status;
}

int chy_cli_get(struct chy_cli *cli, const struct chy_ask *ask, cJSON **out)
{
    return get(cli, ask, true, out);
}

int chy_cli_get_quietly(struct chy_cli *cli, const struct chy_ask *ask, cJSON **out)
{
    return get(cli, ask, false, out);
}

void chy_cli_path(struct chy_cli *cli, struct chy_buf *b)
{
    chy_buf_init(b, PATH_MAX_OCTETS);
    chy_path_begin(b, cli->ca);
}

int chy_cli_list_path(struct chy_cli *cli, struct chy_buf *b, const char *what)
{
    static const char *const names[] = {"where", "sort", "limit", "after"};
    bool any = false;
    long v;
    chy_cli_path(cli, b);
    chy_buf_addf(b, "/%s", what);
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        const char *value = chy_cli_value(cli, names[i]);
        if (i >= 2 && value && !chy_cli_number(value, 1, i == 2 ? 1000 : INT32_MAX, &v))
            return chy_cli_usage(cli, "--%s %s: a number from 1 to %d is expected", names[i], value,
                                 i == 2 ? 1000 : INT32_MAX);
        if (i == 1 && !value) value = "-request_id";
        chy_path_query(b, &any, names[i], value);
    }
    return CHY_CLI_DONE;
}

static int write_json(struct chy_cli *cli, struct chy_span pem)
{
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, 2 * CHY_HTTPC_BODY_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_span(&j, "certificate", pem);
    chy_json_end(&j, '}');
    chy_buf_add_byte(&b, '\n');
    int status = chy_cli_write_out(cli, NULL, chy_buf_span(&b), 0);
    chy_buf_free(&b);
    return status;
}

int chy_cli_fetch(struct chy_cli *cli, const char *path)
{
    const struct chy_httpc_answer *a = NULL;
    struct chy_err err = {0};
    const char *out = chy_cli_value(cli, "out");
    bool chain = chy_cli_flag(cli, "chain");
    struct chy_ask ask = {.path = path,
                          .accept = chain ? "application/pem-certificate-chain"
                                          : "application/x-pem-file"};
    int status = chy_cli_ask(cli, &ask, &a);
    if (status != CHY_CLI_DONE) return status;
    if (chy_session_problem(a, &err) != CHY_S_OK) {
        if (cli->json) fprintf(cli->out, "%.*s\n", (int)a->body.n, (const char *)a->body.p);
        return chy_cli_fail(cli, &err);
    }
    if (cli->json && !out) return write_json(cli, chy_buf_span(&a->body));
    return chy_cli_write_out(cli, out, chy_buf_span(&a->body), 0644);
}
