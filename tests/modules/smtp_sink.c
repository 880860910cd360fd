#include "smtp_sink.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAILS = 64, LINE = 2000, CONNECTIONS = 200 };

static struct {
    pthread_mutex_t lock;
    pthread_t thread, talker[CONNECTIONS];
    FILE *connection[CONNECTIONS];
    size_t n_connections;
    int listener, port;
    bool running;
    size_t n;
    struct sink_mail *mail;
    const char *refuse_data;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1};

static void answer(FILE *f, const char *text)
{
    fprintf(f, "%s\r\n", text);
    fflush(f);
}

static void between(char *out, size_t size, const char *line)
{
    const char *open = strchr(line, '<'), *close = strchr(line, '>');
    out[0] = 0;
    if (open && close > open) snprintf(out, size, "%.*s", (int)(close - open - 1), open + 1);
}

static void take_data(FILE *f, struct sink_mail *m)
{
    char line[LINE];
    size_t n = 0;
    while (fgets(line, sizeof line, f) && strcmp(line, ".\r\n") != 0) {
        const char *p = line[0] == '.' ? line + 1 : line;
        size_t len = strlen(p);
        if (n + len + 1 > sizeof m->data) continue;
        memcpy(m->data + n, p, len);
        n += len;
    }
    m->data[n] = 0;
    pthread_mutex_lock(&sink.lock);
    const char *refuse = sink.refuse_data;
    if (!refuse && sink.n < MAILS) sink.mail[sink.n++] = *m;
    pthread_mutex_unlock(&sink.lock);
    answer(f, refuse ? refuse : "250 2.0.0 taken");
}

static const char *answer_to_rcpt(const char *to)
{
    return !strncmp(to, "nobody", 6)   ? "550 5.1.1 no such mailbox"
           : !strncmp(to, "later", 5)  ? "451 4.2.0 come back later"
           : !strncmp(to, "policy", 6) ? "550 5.7.1 relaying denied"
                                       : "250 2.1.5 ok";
}

static void *talk(void *arg)
{
    FILE *f = arg;
    char line[LINE];
    struct sink_mail *m = calloc(1, sizeof *m);
    answer(f, "220 sink.test ESMTP");
    while (m && fgets(line, sizeof line, f)) {
        if (!strncasecmp(line, "EHLO", 4)) {
            answer(f, "250-sink.test\r\n250 SIZE 1000000");
        } else if (!strncasecmp(line, "MAIL", 4)) {
            between(m->from, sizeof m->from, line);
            answer(f, strncmp(m->from, "stranger", 8) ? "250 2.1.0 ok" : "550 5.1.8 bad sender");
        } else if (!strncasecmp(line, "RCPT", 4)) {
            between(m->to, sizeof m->to, line);
            answer(f, answer_to_rcpt(m->to));
        } else if (!strncasecmp(line, "DATA", 4)) {
            answer(f, "354 go on");
            take_data(f, m);
        } else if (!strncasecmp(line, "QUIT", 4)) {
            answer(f, "221 bye");
            break;
        } else {
            answer(f, "250 ok");
        }
    }
    free(m);
    shutdown(fileno(f), SHUT_RDWR);
    return NULL;
}

static void *run(void *arg)
{
    int fd;
    (void)arg;
    while ((fd = accept(sink.listener, NULL, NULL)) >= 0) {
        size_t i = sink.n_connections;
        FILE *f = i < CONNECTIONS ? fdopen(fd, "r+") : NULL;
        if (!f) break;
        setvbuf(f, NULL, _IONBF, 0);
        sink.connection[i] = f;
        if (pthread_create(&sink.talker[i], NULL, talk, f) != 0) break;
        sink.n_connections++;
    }
    return NULL;
}

void sink_start(void)
{
    int one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)sink.port)};
    socklen_t n = sizeof a;
    assert_false(sink.running);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!sink.mail) sink.mail = calloc(MAILS, sizeof *sink.mail);
    assert_non_null(sink.mail);
    sink.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(sink.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(sink.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(sink.listener, 8), 0);
    assert_int_equal(getsockname(sink.listener, (struct sockaddr *)&a, &n), 0);
    sink.port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&sink.thread, NULL, run, NULL), 0);
    sink.running = true;
}

void sink_stop(void)
{
    if (!sink.running) return;
    shutdown(sink.listener, SHUT_RDWR);
    pthread_join(sink.thread, NULL);
    for (size_t i = 0; i < sink.n_connections; i++) {
        shutdown(fileno(sink.connection[i]), SHUT_RDWR);
        pthread_join(sink.talker[i], NULL);
        fclose(sink.connection[i]);
    }
    sink.n_connections = 0;
    close(sink.listener);
    sink.running = false;
}

int sink_port(void)
{
    return sink.port;
}

size_t sink_count(void)
{
    pthread_mutex_lock(&sink.lock);
    size_t n = sink.n;
    pthread_mutex_unlock(&sink.lock);
    return n;
}

const struct sink_mail *sink_mail(size_t i)
{
    assert_true(i < sink_count());
    return &sink.mail[i];
}

bool sink_wait(size_t count, int seconds)
{
    for (int i = 0; i < seconds * 50 && sink_count() < count; i++)
        usleep(20000);
    return sink_count() >= count;
}

void sink_forget(void)
{
    pthread_mutex_lock(&sink.lock);
    sink.n = 0;
    sink.refuse_data = NULL;
    pthread_mutex_unlock(&sink.lock);
}

void sink_refuse_data(const char *text)
{
    pthread_mutex_lock(&sink.lock);
    sink.refuse_data = text;
    pthread_mutex_unlock(&sink.lock);
}
