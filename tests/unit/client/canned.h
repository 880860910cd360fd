/* A server that says what it was told to: one Unix socket, one script of answers, in a thread. Each
 * answer is given to one request; the requests are kept. */
#ifndef TEST_CANNED_H
#define TEST_CANNED_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"

enum { CANNED_MAX = 32, CANNED_REQUEST = 64 << 10 };

struct canned {
    char dir[64], path[96];
    int fd;
    pthread_t thread;
    const char *answer[CANNED_MAX]; /* NULL: close without an answer */
    bool close_after[CANNED_MAX];
    size_t n;
    char *seen[CANNED_MAX];
    size_t n_seen, connections;
};

static inline size_t canned_length(const char *head)
{
    const char *h = strstr(head, "Content-Length: ");
    return h ? strtoul(h + 16, NULL, 10) : 0;
}

/* One request; false at the end of the connection. */
static inline bool canned_read(int c, char *buf)
{
    size_t n = 0;
    for (;;) {
        buf[n] = 0;
        const char *end = strstr(buf, "\r\n\r\n");
        if (end && n >= (size_t)(end + 4 - buf) + canned_length(buf)) return true;
        ssize_t k = n < CANNED_REQUEST - 1 ? read(c, buf + n, CANNED_REQUEST - 1 - n) : 0;
        if (k <= 0) return false;
        n += (size_t)k;
    }
}

static inline void *canned_run(void *arg)
{
    struct canned *s = arg;
    char *buf = malloc(CANNED_REQUEST);
    while (s->n_seen < s->n && buf) {
        int c = accept(s->fd, NULL, NULL);
        if (c < 0) break;
        s->connections++;
        while (s->n_seen < s->n && canned_read(c, buf)) {
            size_t i = s->n_seen;
            s->seen[i] = strdup(buf);
            s->n_seen++;
            if (!s->answer[i]) break;
            ssize_t ignored = send(c, s->answer[i], strlen(s->answer[i]), MSG_NOSIGNAL);
            (void)ignored;
            if (s->close_after[i]) break;
        }
        close(c);
    }
    free(buf);
    return NULL;
}

static inline void canned_start(struct canned *s)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(s->dir, sizeof(s->dir), "/tmp/chy-canned-XXXXXX");
    if (!mkdtemp(s->dir)) abort();
    snprintf(s->path, sizeof(s->path), "%s/chancery.sock", s->dir);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", s->path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(s->fd, 4) != 0)
        abort();
    if (pthread_create(&s->thread, NULL, canned_run, s) != 0) abort();
}

static inline void canned_stop(struct canned *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    unlink(s->path);
    rmdir(s->dir);
}

static inline void canned_free(struct canned *s)
{
    for (size_t i = 0; i < s->n_seen; i++)
        free(s->seen[i]);
}

#endif
