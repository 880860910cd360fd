/* The table of verbs, the help made of it, and the dispatch. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

#define LIST_HELP                                                                                  \
    "--where EXPR  COLUMN OP VALUE joined by and; OP is = != < <= > >= ~ (begins with)\n"          \
    "--sort COL    -COL for descending      --limit N      --after ID  the next page"
#define SUBMIT_HELP                                                                                \
    "--profile P   which kind of certificate      --attr NAME:VALUE  may be given again\n"         \
    "--out F       where the certificate goes (default: standard output)      --chain  with its "  \
    "issuers"

const struct chy_verb chy_verbs[] = {
    {"ca", "init", "--dir DIR --name CN", 0, 0,
     "dir= name= key= parent= days= subject= path-len= permit=* issue",
     "Make a CA in DIR/ca/NAME (no daemon is needed)\n"
     "--key ALG     p256 (default), p384, ed25519, rsa2048, rsa3072, rsa4096, …\n"
     "--parent P    a CA in DIR by its name, or the folder of one, that signs it (default: a "
     "root)\n"
     "--days N      validity (default 3650)      --subject DN  instead of CN=NAME\n"
     "--path-len N  CAs allowed below it (-1: any number)\n"
     "--permit K:V  name constraint dns:DOMAIN, ip:ADDRESS/BITS, email:DOMAIN, uri:HOST; again\n"
     "--issue       issue what the policy allows at once (default: an officer releases requests)",
     chy_cmd_ca_init},
    {"ca", "list", "", 0, 0, "", "The CAs that the daemon serves", chy_cmd_ca_list},
    {"ca", "show", "", 0, 0, "", "One CA: names, state, warnings", chy_cmd_ca_show},
    {"ca", "cert", "", 0, 0, "chain out=",
     "Its certificate in PEM\n--chain  with its issuers      --out F", chy_cmd_ca_cert},
    {"ca", "renew", "", 0, 0, "new-key key= days= parent=",
     "Administrator: a new certificate, from which on all are issued\n"
     "--new-key     for a new key      --key ALG  of which kind (default: as the present one)\n"
     "--days N      validity (default: as the present certificate)\n"
     "--parent P    the folder of the CA that signs it, where another one does",
     chy_cmd_ca_renew},
    {"request", "submit", "FILE|-", 1, 1, "profile= attr=* out= chain dry-run",
     "Submit a PKCS#10 request in PEM or DER\n" SUBMIT_HELP
     "\n--dry-run     nothing is stored or signed: say what would become of it, and why",
     chy_cmd_request_submit},
    {"request", "new", "--out-key F", 0, 0,
     "subject= dns=* ip=* email=* uri=* key= profile= attr=* out-key= out= chain",
     "Make a key and a request, and submit it\n"
     "--subject DN  such as CN=www.example.com,O=Example\n"
     "--dns NAME --ip ADDRESS --email A --uri U  names; each may be given again\n"
     "--key ALG     p256 (default), p384, ed25519, rsa2048, …      --out-key F  written with mode "
     "0600\n" SUBMIT_HELP,
     chy_cmd_request_new},
    {"request", "list", "", 0, 0,
     "where= sort= limit= after=", "Requests, the newest first\n" LIST_HELP, chy_cmd_request_list},
    {"request", "show", "ID", 1, 1, "", "One request in full", chy_cmd_request_show},
    {"request", "explain", "ID", 1, 1, "",
     "Why it came out as it did: who asked, what each module changed, who decided",
     chy_cmd_request_explain},
    {"request", "export", "ID", 1, 1, "out=",
     "A request as a play that chancery-modtest puts before a module again\n"
     "--out F       (default: standard output)",
     chy_cmd_request_export},
    {"request", "retrieve", "ID", 1, 1, "out= chain",
     "The certificate of a request\n--out F      --chain  with its issuers",
     chy_cmd_request_retrieve},
    {"request", "resubmit", "ID", 1, 1, "", "Officer: release a pending request",
     chy_cmd_request_resubmit},
    {"request", "deny", "ID", 1, 1, "", "Officer: deny a pending request", chy_cmd_request_deny},
    {"request", "set-attr", "ID NAME:VALUE…", 2, CHY_CLI_MAX_WORDS, "",
     "Officer: set attributes of a pending request", chy_cmd_request_set_attr},
    {"request", "set-ext", "ID OID", 2, 2, "critical disabled hex= file=",
     "Officer: set an extension of a pending request\n"
     "--hex H | --file F  its value in DER      --critical      --disabled  keep it out",
     chy_cmd_request_set_ext},
    {"cert", "list", "", 0, 0,
     "where= sort= limit= after=", "Certificates, the newest first\n" LIST_HELP, chy_cmd_cert_list},
    {"cert", "show", "SERIAL", 1, 1,
     "out=", "One certificate by its serial number\n--out F  also in PEM", chy_cmd_cert_show},
    {"cert", "revoke", "SERIAL | --where EXPR", 0, 1,
     "where= reason= date= invalidity= dry-run yes",
     "Officer: revoke a certificate, or all that EXPR holds for\n"
     "--reason R    unspecified (default), keyCompromise, affiliationChanged, superseded,\n"
     "              cessationOfOperation, certificateHold, privilegeWithdrawn, …, or a number\n"
     "--date T      as of when (default: now), past or future      --invalidity T  since when its "
     "key is lost\n"
     "--where EXPR  as in cert list; --dry-run only counts, --yes does not ask",
     chy_cmd_cert_revoke},
    {"cert", "release", "SERIAL", 1, 1, "", "Officer: release a certificate from hold",
     chy_cmd_cert_release},
    {"crl", "publish", "", 0, 0, "delta shard= next-update= republish",
     "Administrator: make new CRLs now\n"
     "--delta       delta CRLs only      --shard N  of this shard (default: those that changed or "
     "are due)\n"
     "--next-update T  their end      --republish  write the present ones to their places again",
     chy_cmd_crl_publish},
    {"crl", "show", "[NAME]", 0, 1, "", "The current CRLs, or one in full", chy_cmd_crl_show},
    {"crl", "get", "", 0, 0, "delta shard= key= out= pem",
     "A current CRL in DER\n"
     "--delta  the delta CRL      --shard N  (default 0)      --key N  (default: the newest)\n"
     "--out F      --pem",
     chy_cmd_crl_get},
    {"module", "list", "", 0, 0, "", "The policy module and the exit modules", chy_cmd_module_list},
    {"module", "show", "NAME", 1, 1, "", "One module: file, hash, calls", chy_cmd_module_show},
    {"module", "new", "NAME", 1, 1, "kind= lang= dir=",
     "Make a folder with a module that builds and tests itself (no daemon is needed)\n"
     "--kind policy|exit      --lang c|python  (default c)      --dir D  (default: NAME)",
     chy_cmd_module_new},
    {"module", "reload", "NAME", 1, 1, "",
     "Administrator: a module anew without a restart: its file, where it has a process of its own\n"
     "(Modules/NAME/Host = process); else its settings",
     chy_cmd_module_reload},
    {"module", "check", "FILE.so", 1, 1, "set=* calls= seconds= load-only",
     "Examine a module file: what it is, exports and links, and how it behaves (no daemon is "
     "needed)\n"
     "--set NAME=VALUE  a setting that it needs to start; may be given again\n"
     "--calls N     of the long run (default 10000)      --seconds N  for it at most (default 20)\n"
     "--load-only   would it load? nothing is called",
     chy_cmd_module_check},
    {"module", "events", "[NAME]", 0, 1, "failed limit=",
     "What an exit module, or all of them, are still to be told\n--failed      what was given up   "
     "   --limit N",
     chy_cmd_module_events},
    {"module", "replay", "NAME", 1, 1, "failed since= request=",
     "Administrator: tell an exit module once more\n"
     "--failed      what was given up      --request ID  all of a request      --since T  all "
     "since "
     "then",
     chy_cmd_module_replay},
    {"module", "pause", "NAME", 1, 1, "", "Administrator: let the events of an exit module wait",
     chy_cmd_module_pause},
    {"module", "resume", "NAME", 1, 1, "", "Administrator: go on with them", chy_cmd_module_resume},
    {"policy", "replay", "--module FILE.so", 0, 0, "module= since= dir= set=* deadline= verbose",
     "Would another policy module have decided otherwise? (reads only; no daemon is needed)\n"
     "--since T     requests as old as 30d (default), 12h, 2w, or since a time\n"
     "--dir DIR     of the daemon or of the CA (default /var/lib/chancery); --ca NAME picks one\n"
     "--set N=V     a setting of the candidate; may be given again (default: those of the CA)\n"
     "--deadline MS of one call      --verbose  the candidate's own words on standard error\n"
     "exit status 0 all the same, 1 something is different or failed, 2 it cannot be done",
     chy_cmd_policy_replay},
    {"config", "get", "PATH", 1, 1, "", "One setting", chy_cmd_config_get},
    {"config", "set", "PATH VALUE", 2, 2, "", "Set a setting; VALUE is JSON, or else a text",
     chy_cmd_config_set},
    {"config", "list", "[PREFIX]", 0, 1, "", "All settings; * marks those that were set",
     chy_cmd_config_list},
};
const size_t chy_n_verbs = CHY_ARRAY_LEN(chy_verbs);

static const char globals[] =
    "global options, anywhere:\n"
    "  --socket PATH                       the daemon's Unix socket\n"
    "  --url URL --ca-cert FILE            or its address and the CA that vouches for it,\n"
    "  --cert FILE --key FILE | --token T  with a client certificate or a token\n"
    "  --ca NAME     which CA (default: the daemon's first)\n"
    "  --json        the daemon's JSON instead of text      --no-color\n"
    "environment: CHANCERY_SOCKET, CHANCERY_URL, CHANCERY_CA_CERT, CHANCERY_TOKEN;\n"
    "else /run/chancery/chancery.sock\n"
    "exit status: 0 done, 2 usage, 3 denied, 4 pending, 5 not found, 6 not allowed,\n"
    "7 cannot reach the daemon, 1 anything else\n";

static void print_verb(FILE *to, const struct chy_verb *v, bool more)
{
    const char *end = strchr(v->help, '\n');
    size_t n = end ? (size_t)(end - v->help) : strlen(v->help);
    int used = fprintf(to, "  chancery %s %s %s", v->noun, v->verb, v->words);
    fprintf(to, "%*s %.*s\n", used < 44 ? 44 - used : 1, "", (int)n, v->help);
    while (more && end) {
        const char *line = end + 1;
        end = strchr(line, '\n');
        fprintf(to, "      %.*s\n", (int)(end ? (size_t)(end - line) : strlen(line)), line);
    }
}

void chy_cli_help(struct chy_cli *cli, FILE *to, const char *noun, const char *verb)
{
    (void)cli;
    fprintf(to, "usage: chancery NOUN VERB …%s\n\n",
            noun ? "" : "      (chancery NOUN --help tells more)");
    for (size_t i = 0; i < chy_n_verbs; i++) {
        const struct chy_verb *v = &chy_verbs[i];
        if (noun && strcmp(noun, v->noun) != 0) continue;
        if (verb && strcmp(verb, v->verb) != 0) continue;
        print_verb(to, v, noun != NULL);
    }
    fprintf(to, "\n%s", globals);
}

/* Names what there is, so that nobody has to guess. */
static int unknown(struct chy_cli *cli, const char *noun, const char *verb)
{
    bool known_noun = false;
    for (size_t i = 0; i < chy_n_verbs; i++)
        known_noun |= strcmp(chy_verbs[i].noun, noun) == 0;
    if (known_noun && verb) {
        fprintf(cli->err, "chancery: there is no verb \"%s %s\"; there are:", noun, verb);
    } else if (known_noun) {
        fprintf(cli->err, "chancery: %s: a verb is expected:", noun);
    } else {
        fprintf(cli->err, "chancery: there is nothing called \"%s\"; there are:", noun);
    }
    const char *last = "";
    for (size_t i = 0; i < chy_n_verbs; i++) {
        const struct chy_verb *v = &chy_verbs[i];
        if (known_noun && strcmp(v->noun, noun) == 0) fprintf(cli->err, " %s", v->verb);
        if (!known_noun && strcmp(v->noun, last) != 0) fprintf(cli->err, " %s", v->noun);
        last = v->noun;
    }
    fprintf(cli->err, "\n");
    return CHY_CLI_USAGE;
}

static unsigned terminal_width(FILE *out)
{
    struct winsize w;
    int fd = fileno(out);
    if (fd < 0 || !isatty(fd)) return 0;
    return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

static int dispatch(struct chy_cli *cli, const char *noun, const char *verb)
{
    if (cli->version) {
        fprintf(cli->out, "chancery %s\n", CHY_VERSION);
        return CHY_CLI_DONE;
    }
    if (!noun && !cli->help) {
        chy_cli_help(cli, cli->err, NULL, NULL);
        return CHY_CLI_USAGE;
    }
    if (cli->help && (!noun || !verb || cli->verb)) {
        chy_cli_help(cli, cli->out, noun, verb);
        return CHY_CLI_DONE;
    }
    if (!cli->verb) return unknown(cli, noun, verb);
    const struct chy_verb *v = cli->verb;
    if (cli->n_words < v->min || cli->n_words > v->max)
        return chy_cli_usage(cli, "%s %s %s is expected", v->noun, v->verb, v->words);
    return v->run(cli);
}

int chy_cli_run(int argc, char **argv, FILE *out, FILE *err)
{
    const char *noun = NULL, *verb = NULL;
    const char *no_color = getenv("NO_COLOR");
    struct chy_cli *cli = chy_calloc(1, sizeof(*cli));
    if (!cli) return CHY_CLI_OTHER;
    cli->out = out;
    cli->err = err;
    cli->client.struct_size = sizeof(cli->client);
    cli->width = terminal_width(out);
    cli->color = cli->width && !(no_color && *no_color);
    int status = chy_cli_parse(cli, argc, argv, &noun, &verb);
    if (status == CHY_CLI_DONE) status = dispatch(cli, noun, verb);
    /* What could not be written was not done: a full disk must not look like success. */
    if (fflush(out) != 0 && status == CHY_CLI_DONE) {
        fprintf(err, "chancery: standard output cannot be written\n");
        status = CHY_CLI_OTHER;
    }
    chy_session_free(cli->session);
    chy_free(cli);
    return status;
}
