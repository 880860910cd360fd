/* Options: the same names on the command line (with dashes) and in the file (with underscores). */
#include "daemon/options.h"

#include <stdio.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char chy_options_usage[] =
    "usage: chanceryd [--config FILE | --dir DIR | --throwaway] [options]\n"
    "\n"
    "  --config FILE       settings from FILE (default: DIR/chancery.conf, "
    "/etc/chancery/chancery.conf)\n"
    "  --dir DIR           serve the CAs in DIR (made by `chancery ca init --dir DIR --name CN`)\n"
    "  --throwaway         a fresh CA in a private temporary folder, gone at the end\n"
    "\n"
    "  --socket PATH       Unix socket (default DIR/chancery.sock)\n"
    "  --http HOST:PORT    listen in the clear; may be given again\n"
    "  --https HOST:PORT   listen with TLS; may be given again\n"
    "  --tls-cert FILE --tls-key FILE   its certificate (default: one of the default CA)\n"
    "  --tls-client-ca FILE  who may sign client certificates\n"
    "  --module-dir DIR    where modules are found by name\n"
    "  --ocsp-foreign DIR  certificates and CRLs of other CAs to answer OCSP for (default "
    "DIR/foreign)\n"
    "  --host NAME         the host part of config strings (default: the machine's name)\n"
    "  --workers N         threads for parsing, policy and signing (default: the processors)\n"
    "  --log-level error|warning|info|debug   --log-format text|json|journal\n"
    "  --drain SECONDS     how long a stop waits for what runs (default 10)\n"
    "\n"
    "with --throwaway:\n"
    "  --name CN  --key ALG  the CA's name and key      --exit-on-eof  stop when standard input "
    "closes\n"
    "  --permit dns:DOMAIN|ip:ADDR/BITS|email:DOMAIN|uri:HOST   name constraints instead of the "
    "default\n"
    "  --unconstrained     no name constraints\n"
    "\n"
    "exit status: 0 clean stop, 2 usage, 3 configuration, 4 start failed\n";

static bool set_text(char **slot, const char *value)
{
    if (!*value) return false;
    chy_free(*slot);
    *slot = chy_strdup(value);
    return *slot != NULL;
}

static bool add_text(char **list, size_t *n, size_t max, const char *value)
{
    if (*n == max || !*value) return false;
    list[*n] = chy_strdup(value);
    return list[*n] && ++*n;
}

static bool set_number(unsigned *slot, const char *value, int base, unsigned long max)
{
    char *end;
    unsigned long v = strtoul(value, &end, base);
    if (!*value || *value == '-' || *end || v > max) return false;
    *slot = (unsigned)v;
    return true;
}

static bool set_choice(const char *value, const char *const *names, int *out)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], value) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool set_log(struct chy_options *o, const char *name, const char *value)
{
    static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
    static const char *const formats[] = {"text", "json", "journal", NULL};
    bool level = strcmp(name, "log_level") == 0;
    int v = 0;
    if (!set_choice(value, level ? levels : formats, &v)) return false;
    if (level) {
        o->log_level = (enum chy_log_level)v;
    } else {
        o->log_format = (enum chy_log_format)v;
    }
    return true;
}

bool chy_options_set(struct chy_options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        char **slot;
    } texts[] = {{"dir", &o->dir},
                 {"socket", &o->socket},
                 {"module_dir", &o->module_dir},
                 {"host", &o->host},
                 {"name", &o->name},
                 {"key", &o->key_alg},
                 {"tls_cert", &o->tls_cert},
                 {"tls_key", &o->tls_key},
                 {"tls_client_ca", &o->tls_client_ca},
                 {"config", &o->config},
                 {"ocsp_foreign", &o->ocsp_foreign}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++) {
        if (strcmp(texts[i].name, name) == 0) return set_text(texts[i].slot, value);
    }
    if (strcmp(name, "http") == 0) return add_text(o->http, &o->n_http, CHY_MAX_LISTEN, value);
    if (strcmp(name, "https") == 0) return add_text(o->https, &o->n_https, CHY_MAX_LISTEN, value);
    if (strcmp(name, "permit") == 0)
        return add_text(o->permit, &o->n_permit, CHY_MAX_PERMIT - 1, value);
    if (strcmp(name, "workers") == 0) return set_number(&o->workers, value, 10, 128);
    if (strcmp(name, "cache_kib") == 0) return set_number(&o->cache_kib, value, 10, 1 << 22);
    if (strcmp(name, "drain") == 0) return set_number(&o->drain_s, value, 10, 3600);
    if (strcmp(name, "socket_mode") == 0) return set_number(&o->socket_mode, value, 8, 0777);
    if (strncmp(name, "log_", 4) == 0) return set_log(o, name, value);
    return false;
}

static bool *flag_of(struct chy_options *o, const char *name)
{
    if (strcmp(name, "throwaway") == 0) return &o->throwaway;
    if (strcmp(name, "exit_on_eof") == 0) return &o->exit_on_eof;
    if (strcmp(name, "unconstrained") == 0) return &o->unconstrained;
    if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0) return &o->help;
    return strcmp(name, "version") == 0 ? &o->version : NULL;
}

static int read_line(struct chy_options *o, int argc, char **argv, struct chy_err *err)
{
    for (int i = 1; i < argc; i++) {
        char name[64];
        const char *arg = argv[i], *equals = strchr(arg, '=');
        size_t skip = strncmp(arg, "--", 2) == 0 ? 2 : *arg == '-' ? 1 : 0;
        size_t n = equals ? (size_t)(equals - arg) : strlen(arg);
        if (!skip || n - skip >= sizeof(name)) {
            chy_fail(err, CHY_E_INVALIDARG, "%s: an option is expected here; see chanceryd --help",
                     arg);
            return CHY_EXIT_USAGE;
        }
        memcpy(name, arg + skip, n - skip);
        name[n - skip] = 0;
        for (char *c = name; *c; c++)
            *c = *c == '-' ? '_' : *c;
        bool *flag = equals ? NULL : flag_of(o, name);
        if (flag) {
            *flag = true;
            continue;
        }
        const char *value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : "";
        if (!chy_options_set(o, name, value)) {
            chy_fail(err, CHY_E_INVALIDARG,
                     "%s: unknown option, or \"%s\" is no value for it; see chanceryd --help", arg,
                     value);
            return CHY_EXIT_USAGE;
        }
    }
    return CHY_EXIT_OK;
}

static int read_file(struct chy_options *o, struct chy_err *err)
{
    char path[4096];
    if (o->config)
        return chy_config_file_read(o, o->config, err) == CHY_S_OK ? CHY_EXIT_OK : CHY_EXIT_CONFIG;
    if (o->throwaway) return CHY_EXIT_OK;
    if (o->dir) {
        int n = snprintf(path, sizeof(path), "%s/chancery.conf", o->dir);
        if (n < 0 || (size_t)n >= sizeof(path) || access(path, F_OK) != 0) return CHY_EXIT_OK;
        return chy_config_file_read(o, path, err) == CHY_S_OK ? CHY_EXIT_OK : CHY_EXIT_CONFIG;
    }
    if (access("/etc/chancery/chancery.conf", F_OK) == 0) {
        return chy_config_file_read(o, "/etc/chancery/chancery.conf", err) == CHY_S_OK
                   ? CHY_EXIT_OK
                   : CHY_EXIT_CONFIG;
    }
    return CHY_EXIT_OK;
}

static int check(struct chy_options *o, struct chy_err *err)
{
    if (!o->throwaway && !o->dir) {
        chy_fail(err, CHY_E_INVALIDARG,
                 "say which CAs to serve: --dir DIR, --config FILE or --throwaway; see chanceryd "
                 "--help");
        return CHY_EXIT_USAGE;
    }
    if (o->throwaway && (o->dir || o->config)) {
        chy_fail(err, CHY_E_INVALIDARG,
                 "--throwaway makes its own folder: it goes with neither --dir nor --config");
        return CHY_EXIT_USAGE;
    }
    if (!o->tls_cert != !o->tls_key) {
        chy_fail(err, CHY_E_INVALIDARG, "tls_cert and tls_key go together");
        return CHY_EXIT_CONFIG;
    }
    return CHY_EXIT_OK;
}

static bool set_defaults(struct chy_options *o)
{
    char host[256] = "localhost";
    if (!o->throwaway && !o->host && gethostname(host, sizeof(host) - 1) != 0) return false;
    if (!o->host) o->host = chy_strdup(host);
    if (!o->workers) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        o->workers = n < 2 ? 2 : n > 64 ? 64 : (unsigned)n;
    }
    return o->host != NULL;
}

int chy_options_read(struct chy_options *o, int argc, char **argv, struct chy_err *err)
{
    *o = (struct chy_options){.socket_mode = 0660,
                              .cache_kib = 8192,
                              .drain_s = 10,
                              .log_level = CHY_LOG_LEVEL_INFO,
                              .log_format = getenv("JOURNAL_STREAM") ? CHY_LOG_FORMAT_JOURNAL
                                                                     : CHY_LOG_FORMAT_TEXT};
    int rc = read_line(o, argc, argv, err);
    if (rc != CHY_EXIT_OK || o->help || o->version) return rc;
    rc = read_file(o, err);
    if (rc == CHY_EXIT_OK) rc = check(o, err);
    if (rc == CHY_EXIT_OK && !set_defaults(o)) {
        chy_fail_nomem(err, "options");
        rc = CHY_EXIT_START;
    }
    return rc;
}

void chy_options_free(struct chy_options *o)
{
    char *texts[] = {o->config,   o->dir,     o->socket,        o->module_dir,
                     o->modhost,  o->host,    o->name,          o->key_alg,
                     o->tls_cert, o->tls_key, o->tls_client_ca, o->ocsp_foreign};
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++)
        chy_free(texts[i]);
    for (size_t i = 0; i < o->n_http; i++)
        chy_free(o->http[i]);
    for (size_t i = 0; i < o->n_https; i++)
        chy_free(o->https[i]);
    for (size_t i = 0; i < o->n_permit; i++)
        chy_free(o->permit[i]);
}
