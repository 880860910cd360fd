/* One decision in words: what `request explain`, a dry run and a replay have in common. */
#ifndef CHY_CLI_DECISION_H
#define CHY_CLI_DECISION_H

#include "base/json.h"
#include "cli/cli.h"

const char *chy_cli_text_of(const cJSON *obj, const char *key); /* NULL: no text of that name */
/* One line, harmless for a terminal; b is empty afterwards. */
void chy_cli_line(struct chy_cli *cli, unsigned indent, struct chy_buf *b);
/* "2026-11-21 07:05:11.042" */
void chy_cli_add_moment(struct chy_buf *b, const cJSON *obj, const char *key);
void chy_cli_print_changes(struct chy_cli *cli, const cJSON *decision, unsigned indent);
void chy_cli_print_verdict(struct chy_cli *cli, const cJSON *decision, unsigned indent);
void chy_cli_print_decision(struct chy_cli *cli, const cJSON *decision);

#endif
