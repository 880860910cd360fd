/* The command line: global options anywhere, a verb's own by its row in the table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

enum arity { UNKNOWN, FLAG, VALUE, MANY };

/* Looks `name` up in "out= attr=* chain". */
static enum arity in_spec(const char *spec, const char *name, size_t n)
{
    while (*spec) {
        size_t k = strcspn(spec, "= ");
        bool same = k == n && strncmp(spec, name, n) == 0;
        enum arity a = spec[k] != '=' ? FLAG : spec[k + 1] == '*' ? MANY : VALUE;
        if (same) return a;
        spec += strcspn(spec, " ");
        spec += strspn(spec, " ");
    }
    return UNKNOWN;
}

static const char global_spec[] =
    "socket= url= ca-cert= cert= key= token= ca= json no-color help version";

/* Before the verb is known: does this option of whoever take a value? */
static bool takes_value(const char *name, size_t n)
{
    enum arity a = in_spec(global_spec, name, n);
    for (size_t i = 0; i < chy_n_verbs && a == UNKNOWN; i++)
        a = in_spec(chy_verbs[i].options, name, n);
    return a == VALUE || a == MANY;
}

static void find_verb(struct chy_cli *cli, int argc, char **argv, const char **noun,
                      const char **verb)
{
    bool only_words = false;
    for (int i = 1; i < argc && !*verb; i++) {
        const char *a = argv[i];
        if (!only_words && strcmp(a, "--") == 0) {
            only_words = true;
        } else if (!only_words && strncmp(a, "--", 2) == 0) {
            if (!strchr(a, '=') && takes_value(a + 2, strlen(a + 2))) i++;
        } else if (!only_words && *a == '-' && a[1]) {
            continue;
        } else if (!*noun) {
            *noun = a;
        } else {
            *verb = a;
        }
    }
    for (size_t i = 0; i < chy_n_verbs && *verb; i++) {
        if (strcmp(chy_verbs[i].noun, *noun) == 0 && strcmp(chy_verbs[i].verb, *verb) == 0)
            cli->verb = &chy_verbs[i];
    }
}

static bool set_global(struct chy_cli *cli, const char *name, size_t n, const char *value)
{
    const struct {
        const char *name;
        const char **slot;
    } texts[] = {{"socket", &cli->client.socket},
                 {"url", &cli->client.url},
                 {"ca-cert", &cli->client.ca_cert_file},
                 {"cert", &cli->client.cert_file},
                 {"key", &cli->client.key_file},
                 {"token", &cli->client.token},
                 {"ca", &cli->ca}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++) {
        if (strlen(texts[i].name) != n || strncmp(texts[i].name, name, n) != 0) continue;
        *texts[i].slot = value;
        return true;
    }
    if (n == 4 && strncmp(name, "json", n) == 0) cli->json = true;
    if (n == 4 && strncmp(name, "help", n) == 0) cli->help = true;
    if (n == 8 && strncmp(name, "no-color", n) == 0) cli->color = false;
    if (n == 7 && strncmp(name, "version", n) == 0) cli->version = true;
    return true;
}

static bool named(const struct chy_cli_option *o, const char *name)
{
    return strlen(name) == o->n && strncmp(o->name, name, o->n) == 0;
}

static int add_option(struct chy_cli *cli, struct chy_cli_option o, enum arity arity)
{
    for (size_t i = 0; i < cli->n_options && arity == VALUE; i++) {
        if (cli->option[i].n == o.n && strncmp(cli->option[i].name, o.name, o.n) == 0)
            return chy_cli_usage(cli, "--%.*s is given twice", (int)o.n, o.name);
    }
    if (cli->n_options == CHY_CLI_MAX_OPTIONS)
        return chy_cli_usage(cli, "more than %d options", CHY_CLI_MAX_OPTIONS);
    cli->option[cli->n_options++] = o;
    return CHY_CLI_DONE;
}

/* argv[*i] begins with "--". */
static int read_option(struct chy_cli *cli, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    struct chy_cli_option o = {name, equals ? (size_t)(equals - name) : strlen(name),
                               equals ? equals + 1 : NULL};
    enum arity own = cli->verb ? in_spec(cli->verb->options, o.name, o.n) : UNKNOWN;
    enum arity a = own != UNKNOWN ? own : in_spec(global_spec, o.name, o.n);
    if (a == UNKNOWN && !cli->verb) return CHY_CLI_DONE; /* the verb is what is wrong */
    if (a == UNKNOWN) {
        return chy_cli_usage(cli, "--%.*s is no option of %s %s; see chancery %s %s --help",
                             (int)(o.n > 64 ? 64 : o.n), name, cli->verb->noun, cli->verb->verb,
                             cli->verb->noun, cli->verb->verb);
    }
    if (a == FLAG && o.value) return chy_cli_usage(cli, "--%.*s takes no value", (int)o.n, name);
    if (a != FLAG && !o.value) {
        if (*i + 1 >= argc) return chy_cli_usage(cli, "--%s: a value is missing", name);
        o.value = argv[++*i];
    }
    if (own != UNKNOWN) return add_option(cli, o, own);
    set_global(cli, o.name, o.n, o.value);
    return CHY_CLI_DONE;
}

int chy_cli_parse(struct chy_cli *cli, int argc, char **argv, const char **noun, const char **verb)
{
    bool only_words = false;
    size_t skip = 0;
    find_verb(cli, argc, argv, noun, verb);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        int status = CHY_CLI_DONE;
        if (!only_words && strcmp(a, "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(a, "-h") == 0) {
            cli->help = true;
        } else if (!only_words && strncmp(a, "--", 2) == 0) {
            status = read_option(cli, argc, argv, &i);
        } else if (!only_words && *a == '-' && a[1]) {
            status = chy_cli_usage(cli, "%s: options begin with two dashes", a);
        } else if (skip < 2) {
            skip++;
        } else if (cli->n_words == CHY_CLI_MAX_WORDS) {
            status = chy_cli_usage(cli, "more than %d arguments", CHY_CLI_MAX_WORDS);
        } else {
            cli->word[cli->n_words++] = a;
        }
        if (status != CHY_CLI_DONE) return status;
    }
    return CHY_CLI_DONE;
}

const char *chy_cli_next(const struct chy_cli *cli, const char *name, size_t *pos)
{
    while (*pos < cli->n_options) {
        const struct chy_cli_option *o = &cli->option[(*pos)++];
        if (named(o, name)) return o->value;
    }
    return NULL;
}

const char *chy_cli_value(const struct chy_cli *cli, const char *name)
{
    size_t pos = 0;
    return chy_cli_next(cli, name, &pos);
}

bool chy_cli_flag(const struct chy_cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->n_options; i++) {
        if (named(&cli->option[i], name)) return true;
    }
    return false;
}

bool chy_cli_number(const char *text, long min, long max, long *out)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (!*text || *end || errno || v < min || v > max) return false;
    *out = v;
    return true;
}

bool chy_cli_since(const char *text, chy_time now, chy_time *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char *end;
    if (strlen(text) > 1 && strspn(text, "0123456789") == strlen(text) - 1) {
        int64_t n = strtoll(text, &end, 10);
        for (size_t i = 0; i < CHY_ARRAY_LEN(units); i++) {
            if (*end != units[i].unit || n > 100000000) continue;
            *out = now - n * units[i].seconds * CHY_US_PER_S;
            return true;
        }
    }
    return chy_time_parse(text, out);
}
