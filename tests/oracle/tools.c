/* A sample of the certificates in files, and what the tools of OpenSSL and GnuTLS say of them. */
#include "oracle.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TOOL_MAX = 512, BATCH = 50, PATH_LEN = 96 };

extern char **environ;

struct tools {
    char dir[64];
    char roots[PATH_LEN], between[PATH_LEN], log[PATH_LEN];
    struct {
        char path[PATH_LEN];
        bool holds_now;
    } file[TOOL_MAX];
    size_t n;
};

static void write_pem(const char *path, const char *mode, struct chy_span der)
{
    struct chy_buf pem;
    FILE *f = fopen(path, mode);
    MUST(f, "%s cannot be written", path);
    chy_buf_init(&pem, 2 * CHY_CERT_MAX);
    chy_pem_add(&pem, "CERTIFICATE", der);
    MUST(!pem.failed && fwrite(pem.p, 1, pem.n, f) == pem.n, "%s cannot be written", path);
    MUST(fclose(f) == 0, "%s cannot be written", path);
    chy_buf_free(&pem);
}

struct tools *tools_open(const struct authority *a)
{
    struct tools *t = chy_calloc(1, sizeof *t);
    MUST(t, "no memory");
    (void)snprintf(t->dir, sizeof t->dir, "/tmp/chancery-oracle-XXXXXX");
    MUST(mkdtemp(t->dir), "no temporary folder");
    (void)snprintf(t->roots, sizeof t->roots, "%s/roots.pem", t->dir);
    (void)snprintf(t->between, sizeof t->between, "%s/between.pem", t->dir);
    (void)snprintf(t->log, sizeof t->log, "%s/log", t->dir);
    for (size_t i = 0; i < CONSTRAINED; i++)
        write_pem(t->roots, "a", chy_buf_span(&a[i].cert));
    write_pem(t->between, "w", chy_buf_span(&a[CONSTRAINED].cert));
    return t;
}

void tools_add(struct tools *t, const struct sample *s, const struct authority *by)
{
    if (t->n == TOOL_MAX) return;
    chy_time now = chy_now(&chy_system_clock);
    char path[PATH_LEN];
    (void)snprintf(path, sizeof path, "%s/%zu.pem", t->dir, t->n);
    memcpy(t->file[t->n].path, path, sizeof path);
    write_pem(path, "w", chy_buf_span(&s->cert));
    if (by->constrained) write_pem(path, "a", chy_buf_span(&by->cert));
    t->file[t->n].holds_now = s->not_before <= now && now <= s->not_after;
    t->n++;
}

/* Runs a tool with its output in the log; its exit status. */
static int run(const struct tools *t, char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    MUST(posix_spawn_file_actions_init(&actions) == 0, "spawn");
    MUST(posix_spawn_file_actions_addopen(&actions, 1, t->log, O_CREAT | O_WRONLY | O_TRUNC,
                                          0600) == 0 &&
             posix_spawn_file_actions_adddup2(&actions, 1, 2) == 0,
         "spawn");
    MUST(posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) == 0,
         "%s does not start: is it installed?", argv[0]);
    (void)posix_spawn_file_actions_destroy(&actions);
    MUST(waitpid(pid, &status, 0) == pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void show_log_and_die(const struct tools *t, const char *tool, const char *file)
{
    struct chy_buf text;
    chy_buf_init(&text, 1 << 20);
    if (chy_file_read(t->log, 1 << 20, &text, NULL) == CHY_S_OK) {
        (void)fwrite(text.p, 1, text.n, stderr);
    }
    oracle_die("%s refuses %s (kept)", tool, file);
}

/* One process for many files; -no_check_time because many are not valid yet. */
static void verify_openssl(struct tools *t, size_t from, size_t to)
{
    char *argv[BATCH + 10];
    char verify[] = "verify", strict[] = "-x509_strict", no_time[] = "-no_check_time";
    char ca_file[] = "-CAfile", untrusted[] = "-untrusted", openssl[] = "openssl";
    char no_store[] = "-no-CAstore", no_path[] = "-no-CApath";
    size_t n = 0;
    argv[n++] = openssl;
    argv[n++] = verify;
    argv[n++] = strict;
    argv[n++] = no_time;
    argv[n++] = no_store;
    argv[n++] = no_path;
    argv[n++] = ca_file;
    argv[n++] = t->roots;
    argv[n++] = untrusted;
    argv[n++] = t->between;
    MUST(to - from <= BATCH - 1, "batch");
    for (size_t i = from; i < to; i++)
        argv[n++] = t->file[i].path;
    argv[n] = NULL;
    if (run(t, argv) != 0) show_log_and_die(t, "openssl verify -x509_strict", t->dir);
}

/* certtool takes one chain at a time and knows no time but now. */
static void verify_gnutls(struct tools *t, size_t i)
{
    char certtool[] = "certtool", verify[] = "--verify", load[] = "--load-ca-certificate";
    char infile[] = "--infile";
    char *argv[] = {certtool, verify, load, t->roots, infile, t->file[i].path, NULL};
    if (run(t, argv) != 0) show_log_and_die(t, "certtool --verify", t->file[i].path);
}

void tools_verify(struct tools *t)
{
    size_t now = 0;
    for (size_t i = 0; i < t->n; i += BATCH - 1)
        verify_openssl(t, i, i + BATCH - 1 < t->n ? i + BATCH - 1 : t->n);
    (void)printf("oracle: openssl verify -x509_strict agrees with %zu\n", t->n);
    for (size_t i = 0; i < t->n; i++) {
        if (!t->file[i].holds_now) continue;
        verify_gnutls(t, i);
        now++;
    }
    (void)printf("oracle: certtool --verify agrees with %zu\n", now);
}

void tools_close(struct tools *t)
{
    chy_dir_remove(t->dir);
    chy_free(t);
}
