/* chancery request submit --dry-run: what would become of a request. */
#include <string.h>

#include "cli/cli.h"
#include "cli/decision.h"

static void print_certificate(struct chy_cli *cli, const cJSON *c)
{
    static const char *const fields[][2] = {{"issuer", "issuer"},
                                            {"subject", "subject"},
                                            {"not before", "not_before"},
                                            {"not after", "not_after"},
                                            {"key", "key"}};
    const cJSON *e;
    struct chy_buf b;
    if (!cJSON_IsObject(c)) return;
    fprintf(cli->out, "the certificate would be:\n");
    chy_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < CHY_ARRAY_LEN(fields); i++) {
        const char *text = chy_cli_text_of(c, fields[i][1]);
        chy_buf_addf(&b, "%s: %s", fields[i][0], text ? text : "");
        chy_cli_line(cli, 4, &b);
    }
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(c, "extensions"))
    {
        const char *name = chy_cli_text_of(e, "name"), *text = chy_cli_text_of(e, "text");
        bool critical = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(e, "critical"));
        chy_buf_addf(&b, "%s%s: %s", name ? name : "?", critical ? " (critical)" : "",
                     text ? text : "");
        chy_cli_line(cli, 4, &b);
    }
    chy_buf_free(&b);
}

void chy_cmd_print_dry_run(struct chy_cli *cli, const cJSON *v)
{
    const cJSON *decision = cJSON_GetObjectItemCaseSensitive(v, "decision");
    fprintf(cli->out, "nothing was stored or signed; this would become of it:\n");
    if (cJSON_IsObject(decision)) {
        chy_cli_print_decision(cli, decision);
    } else {
        chy_cli_print_verdict(cli, v, 0);
    }
    print_certificate(cli, cJSON_GetObjectItemCaseSensitive(v, "certificate"));
}
