/* What the verbs of the command line share: arguments, the daemon, and ways to answer. */
#ifndef CHY_CLI_CLI_H
#define CHY_CLI_CLI_H

#include <stdio.h>

#include "client/session.h"

enum chy_cli_status {
    CHY_CLI_DONE = 0,
    CHY_CLI_OTHER = 1,
    CHY_CLI_USAGE = 2,
    CHY_CLI_DENIED = 3,
    CHY_CLI_PENDING = 4,
    CHY_CLI_NOT_FOUND = 5,
    CHY_CLI_NOT_ALLOWED = 6,
    CHY_CLI_UNREACHABLE = 7
};

enum { CHY_CLI_MAX_WORDS = 256, CHY_CLI_MAX_OPTIONS = 512, CHY_CLI_LIST_MAX = 32 << 20 };

struct chy_cli_option {
    const char *name;
    size_t n;          /* of name, which has no end of its own in "--out=F" */
    const char *value; /* NULL: a flag */
};

struct chy_verb;
struct chy_cli {
    const struct chy_verb *verb;
    const char *word[CHY_CLI_MAX_WORDS]; /* behind noun and verb */
    size_t n_words;
    struct chy_cli_option option[CHY_CLI_MAX_OPTIONS]; /* the verb's own */
    size_t n_options;
    chy_client_options client;
    const char *ca;
    bool json, color, help, version;
    unsigned width; /* of the terminal; 0: none */
    struct chy_session *session;
    FILE *out, *err;
};

/* One row per verb drives the parser, the help and the dispatch. */
struct chy_verb {
    const char *noun, *verb;
    const char *words;   /* for people: "ID NAME:VALUE…" */
    unsigned min, max;   /* words */
    const char *options; /* "out= attr=* chain": = takes a value, * may be given again */
    const char *help;    /* first line: what it does; more lines: its options */
    int (*run)(struct chy_cli *cli);
};
extern const struct chy_verb chy_verbs[];
extern const size_t chy_n_verbs;

/* verbs.c */
int chy_cli_run(int argc, char **argv, FILE *out, FILE *err);
void chy_cli_help(struct chy_cli *cli, FILE *to, const char *noun, const char *verb);

/* options.c: fills in what was said; CHY_CLI_DONE or CHY_CLI_USAGE after it said what is wrong */
int chy_cli_parse(struct chy_cli *cli, int argc, char **argv, const char **noun, const char **verb);
const char *chy_cli_value(const struct chy_cli *cli, const char *name); /* NULL: not given */
bool chy_cli_flag(const struct chy_cli *cli, const char *name);
/* The next value of a repeated option; start with *pos 0; NULL behind the last. */
const char *chy_cli_next(const struct chy_cli *cli, const char *name, size_t *pos);
bool chy_cli_number(const char *text, long min, long max, long *out);
/* "30d", "12h", or a time. */
bool chy_cli_since(const char *text, chy_time now, chy_time *out);

/* output.c */
int chy_cli_usage(struct chy_cli *cli, const char *fmt, ...) CHY_PRINTF(2, 3);
/* Says what failed and what to do; gives the exit status. */
int chy_cli_fail(struct chy_cli *cli, const struct chy_err *err);
/* Hostile text made harmless for a terminal: no control characters (C0, C1), only UTF-8. */
void chy_cli_add_plain(struct chy_buf *b, const char *text);
void chy_cli_print(struct chy_cli *cli, const char *label, const char *value); /* "label  value" */
void chy_cli_print_json(struct chy_cli *cli, const cJSON *obj, const char *label, const char *key);
void chy_cli_short_time(const char *rfc3339, char *out, size_t cap); /* "2026-11-21 07:05" */
const char *chy_cli_color(const struct chy_cli *cli, const char *disposition);
const char *chy_cli_color_end(const struct chy_cli *cli);
int chy_cli_write_out(struct chy_cli *cli, const char *path, struct chy_span data, unsigned mode);

/* call.c: the daemon */
int chy_cli_ask(struct chy_cli *cli, const struct chy_ask *ask,
                const struct chy_httpc_answer **answer); /* says why when not 0 */
/* 2xx and JSON, or it says why. With --json the answer was printed. */
int chy_cli_get(struct chy_cli *cli, const struct chy_ask *ask, cJSON **out);
int chy_cli_get_quietly(struct chy_cli *cli, const struct chy_ask *ask, cJSON **out);
/* For --ca NAME; add the rest with chy_path_add. */
void chy_cli_path(struct chy_cli *cli, struct chy_buf *b);
int chy_cli_list_path(struct chy_cli *cli, struct chy_buf *b, const char *what);
/* GET of a certificate to --out or standard output; chain where --chain was given. */
int chy_cli_fetch(struct chy_cli *cli, const char *path);

/* table.c */
struct chy_table;
struct chy_table *chy_table_new(const char *const *titles); /* NULL-ended; NULL: no memory */
/* One cell per title; NULL is an empty one. color of the whole row or "". */
void chy_table_row(struct chy_table *t, const char *const *cells, const char *color);
/* Columns as wide as needed; where the terminal is too narrow, the widest are cut with "…". */
void chy_table_print(struct chy_table *t, struct chy_cli *cli);
void chy_table_free(struct chy_table *t);
size_t chy_table_rows(const struct chy_table *t);

/* cmd_*.c */
int chy_cmd_ca_init(struct chy_cli *cli);
int chy_cmd_ca_list(struct chy_cli *cli);
int chy_cmd_ca_show(struct chy_cli *cli);
int chy_cmd_ca_cert(struct chy_cli *cli);
int chy_cmd_ca_renew(struct chy_cli *cli);
int chy_cmd_request_submit(struct chy_cli *cli);
int chy_cmd_request_new(struct chy_cli *cli);
int chy_cmd_request_list(struct chy_cli *cli);
int chy_cmd_request_show(struct chy_cli *cli);
int chy_cmd_request_explain(struct chy_cli *cli);
int chy_cmd_request_export(struct chy_cli *cli);
int chy_cmd_request_retrieve(struct chy_cli *cli);
int chy_cmd_request_resubmit(struct chy_cli *cli);
int chy_cmd_request_deny(struct chy_cli *cli);
int chy_cmd_request_set_attr(struct chy_cli *cli);
int chy_cmd_request_set_ext(struct chy_cli *cli);
int chy_cmd_cert_list(struct chy_cli *cli);
int chy_cmd_cert_show(struct chy_cli *cli);
int chy_cmd_cert_revoke(struct chy_cli *cli);
int chy_cmd_cert_release(struct chy_cli *cli);
int chy_cmd_crl_publish(struct chy_cli *cli);
int chy_cmd_crl_show(struct chy_cli *cli);
int chy_cmd_crl_get(struct chy_cli *cli);
int chy_cmd_policy_replay(struct chy_cli *cli);
int chy_cmd_module_list(struct chy_cli *cli);
int chy_cmd_module_show(struct chy_cli *cli);
int chy_cmd_module_check(struct chy_cli *cli);
int chy_cmd_module_new(struct chy_cli *cli);
int chy_cmd_module_events(struct chy_cli *cli);
int chy_cmd_module_replay(struct chy_cli *cli);
int chy_cmd_module_pause(struct chy_cli *cli);
int chy_cmd_module_resume(struct chy_cli *cli);
int chy_cmd_module_reload(struct chy_cli *cli);
int chy_cmd_config_get(struct chy_cli *cli);
int chy_cmd_config_set(struct chy_cli *cli);
int chy_cmd_config_list(struct chy_cli *cli);

/* cmd_request.c, for request new: posts a PKCS#10 and reports what became of it */
int chy_cmd_submit_request(struct chy_cli *cli, struct chy_span request);
/* The path of the request whose id is the first word; false after it said what is wrong with it. */
bool chy_cmd_id_path(struct chy_cli *cli, struct chy_buf *b, const char *rest, int *status);
/* cmd_revoke.c: the path of the certificate that the first word names, false after it said what is
 * wrong with it; and what the options say of a revocation */
bool chy_cmd_serial_path(struct chy_cli *cli, struct chy_buf *b, const char *rest);
void chy_cmd_add_revocation(struct chy_cli *cli, cJSON *body);
/* cmd_revoke_many.c */
int chy_cmd_revoke_many(struct chy_cli *cli);
/* cmd_dry_run.c */
void chy_cmd_print_dry_run(struct chy_cli *cli, const cJSON *v);
/* cmd_rows.c: a row in full, and lists */
void chy_cmd_print_row(struct chy_cli *cli, const cJSON *row);
int chy_cmd_list_rows(struct chy_cli *cli, const char *what);

#endif
