#include "exec/said.h"

#include <chancery/easy.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exec/keeper.h"

enum { LINES_MAX = 200, WINDOW = 10000, READS_MAX = 64 };

/* True: this line may be written. */
static bool counted(struct said *s)
{
    int64_t now = wire_now();
    if (now >= s->window) {
        char text[120];
        if (s->left_out) {
            snprintf(text, sizeof text, "%s: the program said %u lines more, which are left out",
                     s->module, s->left_out);
            s->host->vt->log(s->host->self, CHY_LOG_WARNING, text);
        }
        s->window = now + WINDOW;
        s->lines = s->left_out = 0;
    }
    if (s->lines < LINES_MAX) return ++s->lines;
    s->left_out++;
    return false;
}

/* "<3>" in front of a line is its severity, as syslog and journald number them. */
static chy_long severity_of(const char **line)
{
    const char *s = *line;
    if (s[0] != '<' || s[1] < '0' || s[1] > '7' || s[2] != '>') return CHY_LOG_INFO;
    *line += 3;
    return s[1] <= '3'   ? CHY_LOG_ERROR
           : s[1] == '4' ? CHY_LOG_WARNING
           : s[1] == '7' ? CHY_LOG_DEBUG
                         : CHY_LOG_INFO;
}

void said_end(struct said *s, struct program *p)
{
    p->said[p->n_said] = 0;
    const char *line = chy_text_one_line(p->said);
    chy_long severity = severity_of(&line);
    if (line[0] && counted(s)) s->host->vt->log(s->host->self, severity, line);
    p->n_said = 0;
}

static void add(struct said *s, struct program *p, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n') {
            said_end(s, p);
        } else if (p->n_said < sizeof p->said - 1) {
            p->said[p->n_said++] = text[i] ? text[i] : '?';
        }
    }
}

/* A few blocks at a time: one program that never ends talking must not keep the keeper. */
bool said_read(struct said *s, struct program *p)
{
    char block[4096];
    if (p->at.err < 0) return false;
    for (int i = 0; i < READS_MAX; i++) {
        struct pollfd there = {p->at.err, POLLIN, 0};
        if (poll(&there, 1, 0) <= 0) return true;
        ssize_t n = read(p->at.err, block, sizeof block);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return false;
        if (n > 0) add(s, p, block, (size_t)n);
    }
    return true;
}
