/* `chancery request new`: a key, a request made with it, a certificate for it. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "key/request.h"
#include "pki/name.h"

enum { MAX_NAMES = 100, NAME_MAX_OCTETS = 64 << 10 };

struct names {
    struct chy_general_name gn[MAX_NAMES];
    uint8_t address[MAX_NAMES][16];
    size_t n;
};

static bool set_address(struct names *names, const char *text, struct chy_general_name *gn)
{
    uint8_t *octets = names->address[names->n];
    bool v6 = strchr(text, ':') != NULL;
    gn->value = chy_span_of(octets, v6 ? 16 : 4);
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, octets) == 1;
}

static int add_names(struct chy_cli *cli, struct names *names, const char *option,
                     enum chy_gn_type type)
{
    size_t pos = 0;
    const char *text;
    while ((text = chy_cli_next(cli, option, &pos)) != NULL) {
        struct chy_general_name *gn = &names->gn[names->n];
        if (names->n == MAX_NAMES) return chy_cli_usage(cli, "more than %d names", MAX_NAMES);
        *gn = (struct chy_general_name){.type = type, .value = chy_span_cstr(text)};
        bool good = *text && (type != CHY_GN_IP || set_address(names, text, gn));
        for (const char *c = text; *c && good; c++)
            good = (unsigned char)*c > 0x20 && (unsigned char)*c < 0x7f;
        if (!good) return chy_cli_usage(cli, "--%s \"%.64s\": no such name", option, text);
        names->n++;
    }
    return CHY_CLI_DONE;
}

static int all_names(struct chy_cli *cli, struct names *names)
{
    static const struct {
        const char *option;
        enum chy_gn_type type;
    } kinds[] = {
        {"dns", CHY_GN_DNS}, {"ip", CHY_GN_IP}, {"email", CHY_GN_EMAIL}, {"uri", CHY_GN_URI}};
    int status = CHY_CLI_DONE;
    for (size_t i = 0; i < CHY_ARRAY_LEN(kinds) && status == CHY_CLI_DONE; i++)
        status = add_names(cli, names, kinds[i].option, kinds[i].type);
    if (status == CHY_CLI_DONE && !names->n && !chy_cli_value(cli, "subject"))
        status =
            chy_cli_usage(cli, "request new: --subject or a name (--dns, --ip, --email, --uri) "
                               "is expected");
    return status;
}

static chy_hresult make(struct chy_cli *cli, const struct names *names, struct chy_buf *der,
                        struct chy_err *err)
{
    const char *alg = chy_cli_value(cli, "key"), *subject = chy_cli_value(cli, "subject");
    struct chy_key *key = NULL;
    struct chy_buf name;
    chy_buf_init(&name, NAME_MAX_OCTETS);
    chy_hresult hr = CHY_S_OK;
    if (subject) {
        hr = chy_name_from_text(subject, &name, err);
    } else {
        chy_name_close(&name, chy_name_open(&name));
    }
    if (hr == CHY_S_OK) hr = chy_key_generate(alg ? alg : "p256", &key, err);
    if (hr == CHY_S_OK)
        hr = chy_key_request(key, chy_buf_span(&name), names->gn, names->n, der, err);
    /* The key is kept before anybody is asked: a certificate without its key would be lost. */
    if (hr == CHY_S_OK) hr = chy_key_save(key, chy_cli_value(cli, "out-key"), err);
    chy_key_free(key);
    chy_buf_free(&name);
    return hr;
}

int chy_cmd_request_new(struct chy_cli *cli)
{
    struct chy_err err = {0};
    struct chy_buf der;
    if (!chy_cli_value(cli, "out-key"))
        return chy_cli_usage(cli, "request new: --out-key F is expected");
    struct names *names = chy_calloc(1, sizeof(*names));
    if (!names) return CHY_CLI_OTHER;
    if (access(chy_cli_value(cli, "out-key"), F_OK) == 0) {
        chy_free(names);
        chy_fail(&err, CHY_ERROR_ALREADY_EXISTS,
                 "--out-key %.200s: it exists already, and a key is not written over",
                 chy_cli_value(cli, "out-key"));
        return chy_cli_fail(cli, &err);
    }
    chy_buf_init(&der, NAME_MAX_OCTETS);
    int status = all_names(cli, names);
    if (status == CHY_CLI_DONE && make(cli, names, &der, &err) != CHY_S_OK)
        status = chy_cli_fail(cli, &err);
    if (status == CHY_CLI_DONE) status = chy_cmd_submit_request(cli, chy_buf_span(&der));
    chy_buf_free(&der);
    chy_free(names);
    return status;
}
