/* Verbs of `chancery cert`. */
#include "cli/cli.h"

int chy_cmd_cert_list(struct chy_cli *cli)
{
    return chy_cmd_list_rows(cli, "certificates");
}

int chy_cmd_cert_show(struct chy_cli *cli)
{
    struct chy_buf b;
    cJSON *v = NULL;
    if (!chy_cmd_serial_path(cli, &b, "")) return CHY_CLI_USAGE;
    int status = chy_cli_get(cli, &(struct chy_ask){.path = chy_buf_cstr(&b)}, &v);
    if (status == CHY_CLI_DONE && !cli->json) chy_cmd_print_row(cli, v);
    const char *out = chy_cli_value(cli, "out");
    const char *pem = status == CHY_CLI_DONE ? chy_json_str(v, "certificate", NULL) : NULL;
    if (out && pem) status = chy_cli_write_out(cli, out, chy_span_cstr(pem), 0644);
    cJSON_Delete(v);
    chy_buf_free(&b);
    return status;
}
