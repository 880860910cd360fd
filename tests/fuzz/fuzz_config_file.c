/* Any octets as the daemon's configuration file: what is accepted stays in its bounds and says the
 * same once it is written anew, the command line keeps the last word, and what is refused says why.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"

#include "../../src/daemon/config_file.c"
#include "../../src/daemon/options.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IN_MAX = 8192, TEXTS = 7 };

static void must(bool ok)
{
    if (!ok) abort();
}

static chy_hresult read_octets(struct chy_options *o, struct chy_span text, struct chy_err *err)
{
    char path[64];
    int fd = memfd_create("configuration", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    chy_hresult hr = chy_config_file_read(o, path, err);
    must(hr == CHY_S_OK ? !err->text[0] : CHY_FAILED(hr) && strstr(err->text, path) != NULL);
    close(fd);
    return hr;
}

static void texts_of(const struct chy_options *o, const char *name[TEXTS], const char *v[TEXTS])
{
    const char *const n[TEXTS] = {"dir",      "socket",  "module_dir",   "host",
                                  "tls_cert", "tls_key", "tls_client_ca"};
    const char *const t[TEXTS] = {o->dir,      o->socket,  o->module_dir,   o->host,
                                  o->tls_cert, o->tls_key, o->tls_client_ca};
    for (size_t i = 0; i < TEXTS; i++) {
        name[i] = n[i];
        v[i] = t[i];
    }
}

static void check_bounds(const struct chy_options *o)
{
    const char *name[TEXTS], *v[TEXTS];
    texts_of(o, name, v);
    for (size_t i = 0; i < TEXTS; i++)
        must(!v[i] || v[i][0]);
    must(o->n_http <= CHY_MAX_LISTEN && o->n_https <= CHY_MAX_LISTEN && o->n_permit == 0);
    must(o->workers <= 128 && o->socket_mode <= 0777 && o->drain_s <= 3600);
    must(o->cache_kib <= 1 << 22 && o->log_level <= CHY_LOG_LEVEL_DEBUG);
    must(!o->config && !o->throwaway && !o->unconstrained);
    for (size_t i = 0; i < o->n_http; i++)
        must(o->http[i][0] && !strpbrk(o->http[i], " \t,"));
}

/* An octet as it has to be written: what stands at an end would be cut off unless quoted. */
static void write_octet(struct chy_buf *b, char c)
{
    static const char named[] = "\nn\rr\tt\bb";
    for (const char *n = named; *n; n += 2) {
        if (*n != c) continue;
        chy_buf_addf(b, "\\%c", n[1]);
        return;
    }
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 (uint8_t)c >= 0x80;
    chy_buf_addf(b, c == ' ' ? "\"%c\"" : plain ? "%c" : "\\%c", c);
}

static void write_setting(struct chy_buf *b, const char *name, char *const *v, size_t n)
{
    chy_buf_addf(b, "%s = ", name);
    for (size_t i = 0; i < n; i++) {
        for (const char *p = v[i]; *p; p++)
            write_octet(b, *p);
        chy_buf_add_str(b, i + 1 < n ? " " : "");
    }
    chy_buf_add_str(b, "\n");
}

static void check_again(const struct chy_options *o)
{
    struct chy_options again = {.log_level = CHY_LOG_LEVEL_INFO};
    const char *name[TEXTS], *v[TEXTS], *w[TEXTS];
    struct chy_buf b;
    struct chy_err err = {0};
    chy_buf_init(&b, 1 << 20);
    chy_buf_add_str(&b, "[chanceryd]\n");
    texts_of(o, name, v);
    for (size_t i = 0; i < TEXTS; i++) {
        union {
            const char *in;
            char *out;
        } text = {.in = v[i]};
        if (v[i]) write_setting(&b, name[i], &text.out, 1);
    }
    if (o->n_http) write_setting(&b, "http", o->http, o->n_http);
    if (o->n_https) write_setting(&b, "https", o->https, o->n_https);
    chy_buf_addf(&b, "workers = %u\nsocket_mode = %o\ndrain = %u\n", o->workers, o->socket_mode,
                 o->drain_s);
    must(!b.failed && read_octets(&again, chy_buf_span(&b), &err) == CHY_S_OK);
    texts_of(&again, name, w);
    for (size_t i = 0; i < TEXTS; i++)
        must(!v[i] == !w[i] && (!v[i] || strcmp(v[i], w[i]) == 0));
    must(again.n_http == o->n_http && again.n_https == o->n_https);
    for (size_t i = 0; i < o->n_http; i++)
        must(strcmp(o->http[i], again.http[i]) == 0);
    must(again.workers == o->workers && again.socket_mode == o->socket_mode);
    must(again.drain_s == o->drain_s);
    chy_options_free(&again);
    chy_buf_free(&b);
}

static void check_command_line_wins(struct chy_span text)
{
    struct chy_options o = {.workers = 3};
    struct chy_err err = {0};
    must(chy_options_set(&o, "dir", "/first") && chy_options_set(&o, "http", "127.0.0.1:1"));
    (void)read_octets(&o, text, &err);
    must(strcmp(o.dir, "/first") == 0 && o.workers == 3);
    must(o.n_http == 1 && strcmp(o.http[0], "127.0.0.1:1") == 0);
    chy_options_free(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chy_options o = {.log_level = CHY_LOG_LEVEL_INFO};
    struct chy_span text = chy_span_of(data, size);
    struct chy_err err = {0};
    /* A file may include another: that is the file system's content, not this one's. */
    if (size > IN_MAX || memmem(data, size, ".include", 8)) return 0;
    if (read_octets(&o, text, &err) == CHY_S_OK) {
        check_bounds(&o);
        check_again(&o);
    }
    check_command_line_wins(text);
    chy_options_free(&o);
    return 0;
}
