/* The configuration file: the openssl.cnf dialect, one section [chanceryd]. A repeated or unknown
 * name is refused; a list is one line with blanks between its values. */
#include <openssl/conf.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "daemon/options.h"

static const char SECTION[] = "chanceryd";
static const char *const lists[] = {"http", "https", NULL};

static bool is_list(const char *name)
{
    for (size_t i = 0; lists[i]; i++) {
        if (strcmp(lists[i], name) == 0) return true;
    }
    return false;
}

static bool set_list(struct chy_options *o, const char *name, const char *value)
{
    while (*value) {
        char one[256];
        value += strspn(value, " \t,");
        size_t n = strcspn(value, " \t,");
        if (!n) break;
        if (n >= sizeof(one)) return false;
        memcpy(one, value, n);
        one[n] = 0;
        if (!chy_options_set(o, name, one)) return false;
        value += n;
    }
    return true;
}

/* What the command line said is not said again by the file. */
static bool is_set(const struct chy_options *o, const char *name)
{
    const struct {
        const char *name;
        bool set;
    } known[] = {{"dir", o->dir},
                 {"socket", o->socket},
                 {"module_dir", o->module_dir},
                 {"host", o->host},
                 {"tls_cert", o->tls_cert},
                 {"tls_key", o->tls_key},
                 {"http", o->n_http > 0},
                 {"https", o->n_https > 0},
                 {"workers", o->workers > 0},
                 {"tls_client_ca", o->tls_client_ca},
                 {"ocsp_foreign", o->ocsp_foreign}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(known); i++) {
        if (strcmp(known[i].name, name) == 0) return known[i].set;
    }
    return false;
}

/* NCONF keeps the last of two equal names: they are told apart here, on the text. */
static chy_hresult refuse_repeated(const char *path, struct chy_span text, struct chy_err *err)
{
    char seen[64][64];
    size_t n = 0, line = 0;
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t len = end ? (size_t)(end - text.p) : text.n;
        const uint8_t *p = text.p, *stop = text.p + len;
        line++;
        while (p < stop && (*p == ' ' || *p == '\t'))
            p++;
        const uint8_t *name = p;
        while (p < stop && ((*p >= 'a' && *p <= 'z') || *p == '_'))
            p++;
        size_t name_len = (size_t)(p - name);
        while (p < stop && (*p == ' ' || *p == '\t'))
            p++;
        if (name_len && name_len < 64 && p < stop && *p == '=') {
            for (size_t i = 0; i < n; i++) {
                if (strlen(seen[i]) == name_len && memcmp(seen[i], name, name_len) == 0) {
                    return chy_fail(err, CHY_E_INVALIDARG, "%s:%zu: %s is set twice", path, line,
                                    seen[i]);
                }
            }
            if (n < 64) {
                memcpy(seen[n], name, name_len);
                seen[n++][name_len] = 0;
            }
        }
        text.p += len + (end != NULL);
        text.n -= len + (end != NULL);
    }
    return CHY_S_OK;
}

static chy_hresult apply(struct chy_options *o, CONF *conf, const char *path, struct chy_err *err)
{
    STACK_OF(CONF_VALUE) *values = NCONF_get_section(conf, SECTION);
    if (!values)
        return chy_fail(err, CHY_E_INVALIDARG, "%s: there is no section [%s]", path, SECTION);
    for (int i = 0; i < sk_CONF_VALUE_num(values); i++) {
        const CONF_VALUE *v = sk_CONF_VALUE_value(values, i);
        if (is_set(o, v->name)) continue;
        bool ok = is_list(v->name)
                      ? set_list(o, v->name, v->value)
                      : strcmp(v->name, "config") != 0 && strcmp(v->name, "permit") != 0 &&
                            chy_options_set(o, v->name, v->value);
        if (!ok) {
            return chy_fail(err, CHY_E_INVALIDARG,
                            "%s: [%s] %s = %s: unknown name, or no value for it", path, SECTION,
                            v->name, v->value);
        }
    }
    return CHY_S_OK;
}

chy_hresult chy_config_file_read(struct chy_options *o, const char *path, struct chy_err *err)
{
    struct chy_buf text;
    long line = 0;
    chy_buf_init(&text, 1 << 20);
    chy_hresult hr = chy_file_read(path, 1 << 20, &text, err);
    CONF *conf = hr == CHY_S_OK ? NCONF_new(NULL) : NULL;
    BIO *bio = conf ? BIO_new_mem_buf(text.p, (int)text.n) : NULL;
    if (hr == CHY_S_OK) hr = refuse_repeated(path, chy_buf_span(&text), err);
    if (hr == CHY_S_OK && (!bio || NCONF_load_bio(conf, bio, &line) <= 0)) {
        ERR_clear_error();
        hr = chy_fail(err, CHY_E_INVALIDARG, "%s:%ld: not readable as a configuration file", path,
                      line);
    }
    if (hr == CHY_S_OK) hr = apply(o, conf, path, err);
    BIO_free(bio);
    NCONF_free(conf);
    chy_buf_free(&text);
    return hr;
}
