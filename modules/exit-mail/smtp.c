#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail.h"

enum { REMEMBERED = 256, REPLY_TEXT = 200, CONNECT_MS = 10000, MARGIN_MS = 2000 };

struct smtp {
    CURL *curl; /* keeps the connection for the next mail */
    const chy_host *host;
    const bool *stop;
    uint64_t done[REMEMBERED]; /* who got a mail that others are still owed */
    size_t n_done;
    bool over;
    bool secret; /* what was said last was not ours to say: the client authenticates */
    char verb[5], reply[REPLY_TEXT], error[CURL_ERROR_SIZE];
};

struct upload {
    const struct kit_text *t;
    size_t at;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void global_init(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct smtp *smtp_new(const chy_host *host, const bool *stop)
{
    struct smtp *c = calloc(1, sizeof *c);
    (void)pthread_once(&once, global_init);
    if (!c) return NULL;
    c->host = host;
    c->stop = stop;
    c->curl = curl_easy_init();
    if (c->curl) return c;
    free(c);
    return NULL;
}

void smtp_free(struct smtp *c)
{
    if (!c) return;
    curl_easy_cleanup(c->curl);
    free(c);
}

static size_t give(char *p, size_t size, size_t n, void *arg)
{
    struct upload *u = arg;
    size_t left = u->t->n - u->at, k = size * n < left ? size * n : left;
    if (k) memcpy(p, u->t->p + u->at, k);
    u->at += k;
    return k;
}

static int progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct smtp *s = arg;
    (void)a, (void)b, (void)c, (void)d;
    return s->stop && __atomic_load_n(s->stop, __ATOMIC_ACQUIRE);
}

static bool begins(const char *p, size_t n, const char *const *with, size_t count)
{
    for (size_t i = 0; n >= 4 && i < count; i++)
        if (!strncmp(p, with[i], 4)) return true;
    return false;
}

/* What libcurl's result does not tell: which command the server refused, and with what words. What
 * the client says while it authenticates is secret, and is no command of ours; the server may say
 * it again, so of its answers to that only the numbers are kept. */
static int listen_in(CURL *curl, curl_infotype type, char *p, size_t n, void *arg)
{
    static const char *const ours[] = {"RCPT", "MAIL", "DATA"}, *const open[] = {"EHLO", "STAR"};
    struct smtp *c = arg;
    (void)curl;
    if (c->over) return 0; /* the connection is being given up: what counts was said before */
    if (type == CURLINFO_HEADER_OUT) {
        bool known = begins(p, n, ours, 3);
        c->over = n >= 4 && !strncmp(p, "QUIT", 4);
        if (c->over) return 0;
        c->secret = !known && !begins(p, n, open, 2);
        snprintf(c->verb, sizeof c->verb, "%.4s", known ? p : "");
    }
    if (type == CURLINFO_HEADER_IN) {
        for (size_t i = 0; c->secret && i < n; i++)
            if (!memchr("0123456789.- ", p[i], 13)) n = i;
        while (n && strchr(" \r\n", p[n - 1]))
            n--;
        snprintf(c->reply, sizeof c->reply, "%.*s", (int)(n < REPLY_TEXT ? n : REPLY_TEXT - 1), p);
        (void)chy_text_one_line(c->reply);
    }
    return 0;
}

static bool set_text(CURL *c, CURLoption option, const char *v)
{
    return curl_easy_setopt(c, option, v) == CURLE_OK;
}

static bool set_long(CURL *c, CURLoption option, long v)
{
    return curl_easy_setopt(c, option, v) == CURLE_OK;
}

/* Certificate and name are checked wherever there is TLS; the environment's proxies are not asked.
 */
static bool set_transport(CURL *c, const struct settings *s)
{
    char url[800];
    bool v6 = strchr(s->server, ':') != NULL;
    snprintf(url, sizeof url, "%s://%s%s%s:%ld/%s", s->tls == TLS_IMPLICIT ? "smtps" : "smtp",
             v6 ? "[" : "", s->server, v6 ? "]" : "", s->port, s->helo);
    bool ok =
        set_text(c, CURLOPT_URL, url) && set_text(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps") &&
        set_text(c, CURLOPT_PROXY, "") && set_long(c, CURLOPT_NOSIGNAL, 1) &&
        set_long(c, CURLOPT_USE_SSL, s->tls == TLS_STARTTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE) &&
        set_long(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
        set_long(c, CURLOPT_SSL_VERIFYPEER, 1) && set_long(c, CURLOPT_SSL_VERIFYHOST, 2);
    if (ok && s->ca_file) /* libcurl would go on trusting the system's folder beside the file */
        ok = set_text(c, CURLOPT_CAINFO, s->ca_file) && set_text(c, CURLOPT_CAPATH, NULL);
    if (ok && s->authenticate)
        ok = set_text(c, CURLOPT_USERNAME, s->user) && set_text(c, CURLOPT_PASSWORD, s->password) &&
             set_text(c, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
    return ok;
}

static bool set_functions(struct smtp *c, struct upload *u, long ms)
{
    CURL *h = c->curl;
    return curl_easy_setopt(h, CURLOPT_READFUNCTION, give) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_READDATA, u) == CURLE_OK && set_long(h, CURLOPT_UPLOAD, 1) &&
           curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)u->t->n) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, progress) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_XFERINFODATA, c) == CURLE_OK &&
           set_long(h, CURLOPT_NOPROGRESS, 0) &&
           curl_easy_setopt(h, CURLOPT_DEBUGFUNCTION, listen_in) == CURLE_OK &&
           curl_easy_setopt(h, CURLOPT_DEBUGDATA, c) == CURLE_OK &&
           set_long(h, CURLOPT_VERBOSE, 1) &&
           curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->error) == CURLE_OK &&
           /* A resolver that hangs is left behind: waiting for it would outlast the call's
              deadline. */
           set_long(h, CURLOPT_QUICK_EXIT, 1) && set_long(h, CURLOPT_TIMEOUT_MS, ms) &&
           set_long(h, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms : CONNECT_MS);
}

/* RFC 5321 4.2: 5yz to RCPT is about this address and will not change. Not so where the server
 * objects to us: it wants to know who we are (530), or refuses by its policy (RFC 3463: 5.7.z), as
 * one does that does not relay for this machine. */
static enum sent verdict(const struct smtp *c)
{
    bool for_good = c->reply[0] == '5' && strncmp(c->reply, "530", 3) != 0 &&
                    strncmp(c->reply + 3, " 5.7.", 5) != 0 &&
                    strncmp(c->reply + 3, "-5.7.", 5) != 0;
    return for_good && !strcmp(c->verb, "RCPT") ? REFUSED : LATER;
}

static enum sent send_one(struct smtp *c, const struct settings *s, const char *from,
                          const char *to, const struct kit_text *message, long ms)
{
    char sender[ADDRESS_TEXT + 2], recipient[ADDRESS_TEXT + 2];
    struct upload u = {message, 0};
    c->verb[0] = c->reply[0] = c->error[0] = 0;
    c->over = c->secret = false;
    curl_easy_reset(c->curl);
    snprintf(sender, sizeof sender, "<%s>", from);
    snprintf(recipient, sizeof recipient, "<%s>", to);
    struct curl_slist *list = curl_slist_append(NULL, recipient);
    bool ok = list && set_transport(c->curl, s) && set_functions(c, &u, ms) &&
              set_text(c->curl, CURLOPT_MAIL_FROM, sender) &&
              curl_easy_setopt(c->curl, CURLOPT_MAIL_RCPT, list) == CURLE_OK;
    CURLcode code = ok ? curl_easy_perform(c->curl) : CURLE_OUT_OF_MEMORY;
    curl_slist_free_all(list);
    if (code == CURLE_OK) return SENT;
    if (!c->error[0]) snprintf(c->error, sizeof c->error, "%s", curl_easy_strerror(code));
    (void)chy_text_one_line(c->error);
    return verdict(c);
}

/* FNV-1a; only told apart are the mails of one module that wait. */
static uint64_t mark_of(const char *id, const char *to)
{
    uint64_t h = 14695981039346656037u;
    for (const char *p = id; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    for (const char *p = to; *p; p++)
        h = (h ^ ((unsigned char)*p | 0x100u)) * 1099511628211u;
    return h;
}

static bool has_it(const struct smtp *c, uint64_t mark)
{
    for (size_t i = 0; i < REMEMBERED && i < c->n_done; i++)
        if (c->done[i] == mark) return true;
    return false;
}

static long time_left(const struct smtp *c, const struct settings *s)
{
    chy_long ms = INT32_MAX;
    long most = s->timeout * 1000;
    if (CHY_FAILED(c->host->vt->time_left(c->host->self, &ms))) return most;
    return ms - MARGIN_MS < most ? ms - MARGIN_MS : most;
}

static enum sent to_one(struct smtp *c, const struct settings *s, const struct mail *m,
                        const char *to, const struct kit_text *message)
{
    uint64_t mark = mark_of(m->id, to);
    long ms = time_left(c, s);
    if (has_it(c, mark)) return SENT;
    if (ms <= 0) return LATER;
    enum sent sent = send_one(c, s, m->from.mail, to, message, ms);
    if (sent != LATER) c->done[c->n_done++ % REMEMBERED] = mark;
    if (sent != SENT)
        say(c->host, sent == REFUSED ? CHY_LOG_ERROR : CHY_LOG_WARNING,
            "exit-mail: %.100s to %.254s: %s %s:%ld %s: %.100s%s%.200s", m->id, to,
            sent == REFUSED ? "given up:" : "not sent yet:", s->server, s->port,
            c->verb[0] ? c->verb : "connection", c->error, c->reply[0] ? ", " : "", c->reply);
    return sent;
}

/* The next time that it comes, somebody wants it sent again. */
static void forget(struct smtp *c, const struct mail *m)
{
    for (size_t i = 0; i < m->to.n + m->cc.n; i++) {
        const struct address *a = i < m->to.n ? &m->to.v[i] : &m->cc.v[i - m->to.n];
        uint64_t mark = mark_of(m->id, a->mail);
        for (size_t k = 0; k < REMEMBERED; k++)
            if (c->done[k] == mark) c->done[k] = 0;
    }
}

/* One transaction for each, so that each has an answer of its own. */
chy_hresult smtp_deliver(struct smtp *c, struct settings *s, const struct mail *m)
{
    struct kit_text message = {0};
    chy_hresult hr = CHY_S_OK;
    message_build(&message, m);
    if (message.failed || m->title.failed || m->body.failed) {
        kit_text_free(&message);
        return CHY_E_OUTOFMEMORY;
    }
    for (size_t i = 0; i < m->to.n + m->cc.n; i++) {
        const struct address *a = i < m->to.n ? &m->to.v[i] : &m->cc.v[i - m->to.n];
        if (to_one(c, s, m, a->mail, &message) != LATER) continue;
        bool address = strcmp(c->verb, "RCPT") == 0;
        hr = address ? CHY_ERROR_BUSY : CHY_ERROR_SERVICE_NOT_ACTIVE;
        if (!address) break; /* the next fares no better */
    }
    kit_text_free(&message);
    if (hr == CHY_S_OK) forget(c, m);
    return hr;
}
