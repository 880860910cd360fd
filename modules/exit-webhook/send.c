/* The post itself, and what the answer means. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "webhook.h"

enum {
    HEAD_MAX = 65536,
    BODY_MAX = 65536,
    MARGIN_MS = 1000, /* what is left of the call's time for its end */
    LEAST_MS = 200,
    BUDGET_MS = 600000 /* of a call that has no deadline */
};

struct answer {
    size_t head, body;
    int status; /* of the last status line */
    bool whole; /* its head is complete */
};

/* An answer of which the head says "accepted" is one, whatever becomes of its body. */
static size_t take_head(char *p, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    n *= size;
    a->head += n;
    if (a->head > HEAD_MAX) return 0;
    if (n > 12 && !strncmp(p, "HTTP/", 5)) {
        const char *blank = memchr(p, ' ', n);
        a->status = 0;
        a->whole = false;
        for (size_t i = 1; blank && i < 4 && blank + i < p + n; i++)
            a->status = blank[i] >= '0' && blank[i] <= '9' ? 10 * a->status + (blank[i] - '0') : 0;
    }
    if ((n == 2 && p[0] == '\r' && p[1] == '\n') || (n == 1 && p[0] == '\n')) a->whole = true;
    return n;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    (void)p;
    a->body += size * n;
    return a->body > BODY_MAX ? 0 : size * n;
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, a, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, a, sizeof in6);
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    }
    return false;
}

/* A name that means this host today may mean another tomorrow: the address itself is looked at. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    const struct settings *s = arg;
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    if (s->plain && !is_loopback(&a->addr)) return CURL_SOCKET_BAD;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static bool set_tls(CURL *c, const struct settings *s)
{
    bool ok = curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    if (ok && s->ca_file)
        ok = curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK;
    /* Without a password of the caller's, OpenSSL would ask for one on the terminal. */
    if (ok && s->cert_file)
        ok = curl_easy_setopt(c, CURLOPT_SSLCERT, s->cert_file) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_SSLKEY, s->key_file) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_KEYPASSWD, "") == CURLE_OK;
    return ok;
}

/* Whether a proxy is used is for the settings alone to say: texts that are empty, and not absent,
 * keep libcurl from asking the environment. */
static bool set_way(CURL *c, const struct settings *s)
{
    return curl_easy_setopt(c, CURLOPT_URL, s->url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROXY, s->proxy ? s->proxy : "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROXY, "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, s->plain ? "http" : "https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, (void *)(uintptr_t)s) == CURLE_OK;
}

static bool set_http(CURL *c)
{
    return curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* A resolver that hangs is left behind: to wait for it would outlast the call. */
           curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "chancery-webhook/" CHY_VERSION) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_MAXCONNECTS, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
}

CURL *sender_new(const struct settings *s)
{
    CURL *c = curl_easy_init();
    if (!c) return NULL;
    if (set_http(c) && set_way(c, s) && set_tls(c, s)) return c;
    curl_easy_cleanup(c);
    return NULL;
}

static void say(const chy_task *task, chy_long severity, const struct settings *s,
                const struct event *e, const char *what)
{
    char text[600];
    snprintf(text, sizeof text, "exit-webhook: %s %s: %s: %.300s", e->name, e->id, s->host, what);
    chy_say(task, severity, chy_text_one_line(text));
}

static long long milliseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One exchange. */
static CURLcode post(CURL *c, const struct kit_text *body, struct curl_slist *head, long long ms,
                     struct answer *a, char error[CURL_ERROR_SIZE])
{
    *a = (struct answer){.status = 0};
    error[0] = 0;
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, head);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->n);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body->p);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ms);
    CURLcode rc = curl_easy_perform(c);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, NULL);
    return rc;
}

static bool for_later(int status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

/* RFC 9110 15: an answer that will be the same next time is told as such; so is a redirect, which
 * is not followed: where events go is for the settings to say. */
static chy_hresult judge(const chy_task *task, const struct settings *s, const struct event *e,
                         CURLcode rc, const struct answer *a, const char *error)
{
    char text[400];
    bool answered = a->whole && a->status >= 200 && a->status <= 599;
    if (answered && a->status < 300) return CHY_S_OK;
    if (!answered) {
        snprintf(text, sizeof text, "%s", error[0] ? error : curl_easy_strerror(rc));
        say(task, CHY_LOG_WARNING, s, e, rc == CURLE_OK ? "what it answered is no HTTP" : text);
        return rc == CURLE_OPERATION_TIMEDOUT ? CHY_ERROR_TIMEOUT
               : rc == CURLE_OUT_OF_MEMORY    ? CHY_E_OUTOFMEMORY
                                              : CHY_ERROR_SERVICE_NOT_ACTIVE;
    }
    bool later = for_later(a->status);
    snprintf(text, sizeof text, "it answered %d%s", a->status,
             later             ? ""
             : a->status < 400 ? ": redirects are not followed, set URL to where it is"
             : s->drop_refused ? ": refused, and dropped (Refused is drop)"
                               : ": refused");
    say(task, later ? CHY_LOG_WARNING : CHY_LOG_ERROR, s, e, text);
    if (!later && a->status >= 400 && s->drop_refused) return CHY_S_OK;
    return later ? CHY_ERROR_BUSY : CHY_ERROR_INVALID_DATA;
}

/* RFC 9110 10.2.3, while the call has time for it. */
static bool wait_as_told(CURL *c, const struct answer *a, long long until)
{
    curl_off_t seconds = 0;
    if (!a->whole || (a->status != 429 && a->status != 503)) return false;
    if (curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds < 1)
        return false;
    long long left = until - milliseconds(CLOCK_MONOTONIC);
    if (seconds > left / 1000 || left - seconds * 1000 < LEAST_MS) return false;
    struct timespec t = {.tv_sec = (time_t)seconds};
    while (nanosleep(&t, &t) != 0) {
    }
    return true;
}

static long long end_of_call(const chy_task *task)
{
    chy_long left = BUDGET_MS;
    if (CHY_FAILED(task->host->vt->time_left(task->host->self, &left)) || left > BUDGET_MS)
        left = BUDGET_MS;
    return milliseconds(CLOCK_MONOTONIC) + left - MARGIN_MS;
}

static chy_hresult send_body(const chy_task *task, CURL *c, const struct settings *s,
                             const struct event *e, const struct kit_text *body)
{
    long long until = end_of_call(task);
    for (;;) {
        char error[CURL_ERROR_SIZE];
        struct answer a;
        struct curl_slist *head = NULL;
        long long left = until - milliseconds(CLOCK_MONOTONIC);
        if (left < LEAST_MS) return CHY_ERROR_TIMEOUT;
        const char *rule = head_of(s, e, body, milliseconds(CLOCK_REALTIME) / 1000, &head);
        if (rule) {
            char text[200];
            snprintf(text, sizeof text, "setting SecretFile or BearerFile %s", rule);
            say(task, CHY_LOG_ERROR, s, e, text);
            return CHY_E_ACCESSDENIED;
        }
        CURLcode rc =
            post(c, body, head, left < s->timeout * 1000LL ? left : s->timeout * 1000LL, &a, error);
        curl_slist_free_all(head);
        if (!wait_as_told(c, &a, until)) return judge(task, s, e, rc, &a, error);
    }
}

chy_hresult send_event(const chy_task *task, CURL *curl, const struct settings *s,
                       const struct event *e)
{
    struct kit_text body = {.n = 0};
    body_of(s, e, &body);
    chy_hresult hr = body.failed ? CHY_E_OUTOFMEMORY : send_body(task, curl, s, e, &body);
    kit_text_free(&body);
    return hr;
}
