/* The throwaway CA: made in a private folder, marked as what it is, gone at the end. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "daemon/serve.h"

static const char PREFIX[] = "chancery-throwaway-";

/* What a killed daemon of ours left behind: its folder names its process, and that is gone. */
static void sweep(const char *base)
{
    DIR *d = opendir(base);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        struct stat st;
        char *end, path[4600];
        if (strncmp(e->d_name, PREFIX, sizeof(PREFIX) - 1) != 0) continue;
        long pid = strtol(e->d_name + sizeof(PREFIX) - 1, &end, 10);
        if (pid <= 0 || *end != '-' || kill((pid_t)pid, 0) == 0 || errno != ESRCH) continue;
        snprintf(path, sizeof(path), "%s/%s", base, e->d_name);
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
            chy_dir_remove(path);
    }
    if (d) closedir(d);
}

/* Memory where the system offers it: nothing of a throwaway is worth a disk. */
static chy_hresult make_dir(char *dir, size_t cap, struct chy_err *err)
{
    const char *temp = getenv("TMPDIR");
    const char *bases[] = {"/dev/shm", temp && *temp ? temp : "/tmp"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(bases); i++) {
        if (access(bases[i], W_OK) != 0) continue;
        sweep(bases[i]);
        snprintf(dir, cap, "%s/%s%d-XXXXXX", bases[i], PREFIX, (int)getpid());
        if (mkdtemp(dir)) return CHY_S_OK;
    }
    return chy_fail_errno(err, "no temporary folder can be made in /dev/shm, $TMPDIR or /tmp");
}

static const char *const default_permit[] = {
    "dns:test",         "dns:localhost",     "dns:example",
    "dns:invalid",      "ip:127.0.0.0/8",    "ip:10.0.0.0/8",
    "ip:172.16.0.0/12", "ip:192.168.0.0/16", "ip:::1/128",
    "ip:fc00::/7",      "ip:fe80::/10",      "email:test",
    "email:.test",      "email:localhost",   "email:example",
    "email:.example",   "email:invalid",     "email:.invalid",
    "uri:test",         "uri:.test",         "uri:localhost",
    "uri:.localhost",   "uri:example",       "uri:.example",
    "uri:invalid",      "uri:.invalid",      NULL};

/* What was asked for, and the daemon itself: its own TLS certificate names loopback. A kind of name
 * that no constraint speaks of is free anyway (RFC 5280 4.2.1.10). */
static void choose_permit(const struct chy_options *o, const char **list)
{
    static const char *const own[] = {"dns:localhost", "ip:127.0.0.0/8", "ip:::1/128"};
    size_t n = 0;
    for (size_t i = 0; i < o->n_permit; i++)
        list[n++] = o->permit[i];
    for (size_t k = 0; k < CHY_ARRAY_LEN(own); k++) {
        size_t kind = strcspn(own[k], ":") + 1;
        bool spoken_of = false;
        for (size_t i = 0; i < o->n_permit && !spoken_of; i++)
            spoken_of = strncmp(o->permit[i], own[k], kind) == 0;
        if (spoken_of) list[n++] = own[k];
    }
    list[n] = NULL;
}

chy_hresult chy_throwaway_make(struct chy_daemon *d, char *dir, size_t cap, struct chy_err *err)
{
    struct chy_options *o = d->options;
    char ca_dir[4200], name[128];
    const char *permit[CHY_MAX_PERMIT + 4];
    uint8_t salt[4];
    char hex[9];
    chy_hresult hr = make_dir(dir, cap, err);
    if (hr != CHY_S_OK) return hr;
    /* Of the kernel: OpenSSL's generator would start here, and holds up the database then. */
    if (getentropy(salt, sizeof(salt)) != 0) return chy_fail_errno(err, "random octets");
    chy_hex_cstr(hex, CHY_SPAN(salt));
    snprintf(name, sizeof(name), "%.40s THROWAWAY %s", o->name ? o->name : "Chancery", hex);
    snprintf(ca_dir, sizeof(ca_dir), "%s/ca/throwaway", dir);
    choose_permit(o, permit);
    struct chy_ca_init init = {
        .dir = ca_dir,
        .common_name = name,
        .key_alg = o->key_alg ? o->key_alg : "p256",
        .days = 7,
        .path_len = -1,
        .made = &d->made,
        .clock = &chy_system_clock,
        .permitted = o->unconstrained ? NULL
                     : o->n_permit    ? permit
                                      : default_permit,
        .setting = {{"ValidityPeriod", "\"Days\""},
                    {"ValidityPeriodUnits", "7"},
                    {"PolicyModules/policy-default/RequestDisposition", "1"},
                    {"PolicyModules/policy-default/DefaultProfile", "\"tls-peer\""}}};
    return chy_ca_create(&init, err);
}

chy_hresult chy_throwaway_token(struct chy_daemon *d, struct chy_err *err)
{
    uint8_t secret[32];
    chy_hresult hr = chy_random(secret, sizeof(secret), err);
    if (hr == CHY_S_OK) chy_hex_cstr(d->service.token, CHY_SPAN(secret));
    chy_wipe(secret, sizeof(secret));
    return hr;
}

void chy_throwaway_announce(const struct chy_daemon *d)
{
    struct chy_buf b;
    struct chy_json j;
    char text[4300];
    const struct chy_ca *ca = d->service.ca[0];
    chy_buf_init(&b, 65536);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_bool(&j, "ready", true);
    chy_json_add_int(&j, "pid", getpid());
    snprintf(text, sizeof(text), "https://127.0.0.1:%d", d->https_port);
    chy_json_add_str(&j, "url", text);
    snprintf(text, sizeof(text), "http://127.0.0.1:%d", d->http_port);
    chy_json_add_str(&j, "http", text);
    chy_json_add_str(&j, "socket", d->socket);
    chy_json_add_str(&j, "dir", d->dir);
    chy_json_add_str(&j, "ca_name", chy_ca_name(ca));
    chy_json_add_str(&j, "config", chy_ca_config_string(ca));
    snprintf(text, sizeof(text), "%s/ca.pem", chy_ca_dir(ca));
    chy_json_add_str(&j, "ca_cert", text);
    chy_json_add_str(&j, "token", d->service.token);
    chy_json_end(&j, '}');
    chy_buf_add_byte(&b, '\n');
    ssize_t ignored = write(STDOUT_FILENO, b.p, b.n);
    (void)ignored;
    if (b.p) chy_wipe(b.p, b.n); /* the token stays in one place */
    chy_buf_free(&b);
}
