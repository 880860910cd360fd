#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail.h"

static chy_hresult trouble(void)
{
    return errno == ENOSPC || errno == EDQUOT ? CHY_ERROR_DISK_FULL : CHY_ERROR_IO_DEVICE;
}

/* A line without its end was being written when the machine stopped: nobody was told that it is
 * there. */
static chy_hresult cut_last_line(struct journal *j)
{
    char buf[4096];
    off_t end = j->size;
    while (end > 0) {
        size_t n = end < (off_t)sizeof buf ? (size_t)end : sizeof buf;
        if (pread(j->fd, buf, n, end - (off_t)n) != (ssize_t)n) return CHY_ERROR_IO_DEVICE;
        const char *last = memrchr(buf, '\n', n);
        end -= (off_t)n;
        if (!last) continue;
        end += last - buf + 1;
        break;
    }
    if (end == j->size) return CHY_S_OK;
    j->size = end;
    return ftruncate(j->fd, end) == 0 ? CHY_S_OK : trouble();
}

chy_hresult journal_open(struct journal *j, int dir, const char *name)
{
    *j = (struct journal){.dir = dir, .name = name};
    j->fd = openat(dir, name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (j->fd < 0) return trouble();
    j->size = lseek(j->fd, 0, SEEK_END);
    chy_hresult hr = j->size < 0 ? trouble() : cut_last_line(j);
    if (!CHY_FAILED(hr) && fsync(dir) != 0) hr = trouble();
    if (CHY_FAILED(hr)) journal_close(j);
    return hr;
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0) close(j->fd);
    j->fd = -1;
}

chy_hresult journal_append(struct journal *j, struct kit_text *line)
{
    kit_add_str(line, "\n");
    if (line->failed) return CHY_E_OUTOFMEMORY;
    if (j->unnamed && fsync(j->dir) != 0) return trouble();
    j->unnamed = false;
    if (j->torn && write(j->fd, "\n", 1) != 1) return trouble();
    j->torn = false;
    j->size = lseek(j->fd, 0, SEEK_END);
    ssize_t n = write(j->fd, line->p, line->n);
    if (n == (ssize_t)line->n && fdatasync(j->fd) == 0) {
        j->size += n;
        return CHY_S_OK;
    }
    if (n >= 0 && n != (ssize_t)line->n) errno = ENOSPC;
    chy_hresult hr = trouble();
    j->torn = ftruncate(j->fd, j->size) != 0; /* then the next line gets an end in front of it */
    return hr;
}

int journal_fresh(struct journal *j, const char *temporary)
{
    (void)unlinkat(j->dir, temporary, 0);
    return openat(j->dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
                  0600);
}

chy_hresult journal_replace(struct journal *j, int fresh, const char *temporary)
{
    if (fsync(fresh) != 0 || renameat(j->dir, temporary, j->dir, j->name) != 0) {
        chy_hresult hr = trouble();
        close(fresh);
        return hr;
    }
    close(j->fd);
    j->fd = fresh;
    j->size = lseek(fresh, 0, SEEK_END);
    j->torn = false;
    j->unnamed = fsync(j->dir) != 0;
    return CHY_S_OK;
}

chy_hresult journal_empty(struct journal *j)
{
    if (ftruncate(j->fd, 0) != 0 || fsync(j->fd) != 0) return trouble();
    j->size = 0;
    j->torn = false;
    return CHY_S_OK;
}

void field_add(struct kit_text *line, const char *s)
{
    if (line->n) kit_add_str(line, " ");
    if (!*s) kit_add_str(line, "-");
    for (const char *p = s; *p; p++) {
        bool plain = (unsigned char)*p > 0x20 && *p != 0x7f && *p != '%' && strcmp(s, "-") != 0;
        if (plain)
            kit_add(line, p, 1);
        else
            kit_addf(line, "%%%02x", (unsigned char)*p);
    }
}

void field_addf(struct kit_text *line, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    field_add(line, text);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void unescape(char *s)
{
    char *out = s;
    if (strcmp(s, "-") == 0) s++;
    for (; *s; s++) {
        if (*s == '%' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
            *out++ = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
            s += 2;
        } else {
            *out++ = *s;
        }
    }
    *out = 0;
}

size_t fields_split(char *line, char **field, size_t max)
{
    size_t n = 0;
    line[strcspn(line, "\n")] = 0;
    while (n < max) {
        char *end = strchr(line, ' ');
        field[n++] = line;
        if (end) *end = 0;
        unescape(line);
        if (!end) break;
        line = end + 1;
    }
    return n;
}
