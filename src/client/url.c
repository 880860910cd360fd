/* The daemon's address: scheme, host and port, and nothing else (RFC 3986). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/http_client.h"

static bool good_host(const char *p, size_t n, bool brackets)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (!isalnum(c) && c != '.' && c != '-' && !(brackets && c == ':')) return false;
    }
    return n > 0 && n < 256;
}

static bool good_port(const char *p)
{
    unsigned v = 0;
    size_t n = strlen(p);
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)p[i]) || n > 5) return false;
        v = v * 10 + (unsigned)(p[i] - '0');
    }
    return n > 0 && v > 0 && v <= 65535;
}

static bool parse(const char *rest, struct chy_httpc_url *out)
{
    char text[300];
    size_t n = strlen(rest);
    if (n && rest[n - 1] == '/') n--;
    if (n >= sizeof(text)) return false;
    memcpy(text, rest, n);
    text[n] = 0;
    bool brackets = text[0] == '[';
    char *host = text + brackets;
    size_t host_n = strcspn(host, brackets ? "]" : ":");
    if (!good_host(host, host_n, brackets)) return false;
    const char *tail = host + host_n;
    if (brackets && *tail++ != ']') return false;
    if (*tail && (*tail != ':' || !good_port(tail + 1))) return false;
    snprintf(out->port, sizeof(out->port), "%s", *tail ? tail + 1 : out->tls ? "443" : "80");
    snprintf(out->host, sizeof(out->host), "%.*s", (int)host_n, host);
    return true;
}

chy_hresult chy_httpc_url_parse(const char *text, struct chy_httpc_url *out, struct chy_err *err)
{
    static const char http[] = "http://", https[] = "https://";
    *out = (struct chy_httpc_url){.tls = strncasecmp(text, https, sizeof(https) - 1) == 0};
    size_t skip = out->tls                                         ? sizeof(https) - 1
                  : strncasecmp(text, http, sizeof(http) - 1) == 0 ? sizeof(http) - 1
                                                                   : 0;
    if (skip && parse(text + skip, out)) return CHY_S_OK;
    return chy_fail(err, CHY_E_INVALIDARG,
                    "URL \"%.100s\": https://HOST[:PORT] or http://HOST[:PORT] is expected", text);
}

bool chy_httpc_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}
