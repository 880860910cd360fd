/* What the daemon was told: command line first, then the configuration file, then defaults.
 * Thread: main, before the loop. */
#ifndef CHY_DAEMON_OPTIONS_H
#define CHY_DAEMON_OPTIONS_H

#include "base/base.h"
#include "base/sys.h"

enum { CHY_MAX_LISTEN = 8, CHY_MAX_PERMIT = 32 };

enum chy_exit_status {
    CHY_EXIT_OK = 0,
    CHY_EXIT_USAGE = 2,
    CHY_EXIT_CONFIG = 3,
    CHY_EXIT_START = 4
};

struct chy_options {
    char *config, *dir, *socket, *module_dir, *modhost, *host, *name, *key_alg;
    char *http[CHY_MAX_LISTEN], *https[CHY_MAX_LISTEN]; /* HOST:PORT */
    size_t n_http, n_https;
    char *tls_cert, *tls_key, *tls_client_ca; /* NULL: a certificate of the default CA */
    char *ocsp_foreign;                       /* NULL: "foreign" in the folder of the CAs */
    char *permit[CHY_MAX_PERMIT];             /* throwaway: name constraints */
    size_t n_permit;
    bool throwaway, exit_on_eof, unconstrained, help, version;
    unsigned socket_mode, workers, cache_kib, drain_s;
    enum chy_log_level log_level;
    enum chy_log_format log_format;
};

/* 0, or one of enum chy_exit_status with the reason in err. */
int chy_options_read(struct chy_options *o, int argc, char **argv, struct chy_err *err);
void chy_options_free(struct chy_options *o);
extern const char chy_options_usage[];

/* config_file.c: sets what the command line left open. */
CHY_MUST_USE chy_hresult chy_config_file_read(struct chy_options *o, const char *path,
                                              struct chy_err *err);
/* One setting by its name in the file: "http", "log_level" …; false: unknown or not valid. */
bool chy_options_set(struct chy_options *o, const char *name, const char *value);

#endif
