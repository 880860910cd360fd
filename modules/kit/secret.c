#include "kit/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void kit_wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}

/* O_NONBLOCK: a FIFO would keep us waiting before fstat could tell what it is. */
static const char *open_secret(const char *path, int *fd)
{
    struct stat st;
    const char *rule = NULL;
    if (path[0] != '/') return "is not an absolute path";
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*fd < 0) return errno == ENOENT ? "names a file that is not there" : "cannot be opened";
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
        rule = "names what is no regular file";
    else if (st.st_uid != 0 && st.st_uid != geteuid())
        rule = "names a file that belongs to somebody else";
    else if (st.st_mode & 077)
        rule = "names a file that others may read: chmod 0600 it";
    if (!rule) return NULL;
    close(*fd);
    return rule;
}

const char *kit_secret_check(const char *path)
{
    int fd;
    const char *rule = open_secret(path, &fd);
    if (!rule) close(fd);
    return rule;
}

static const char *read_all(int fd, char *out, size_t size, size_t *n)
{
    *n = 0;
    while (*n < size) {
        ssize_t k = read(fd, out + *n, size - *n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return "cannot be read";
        if (k == 0) return NULL;
        *n += (size_t)k;
    }
    return "names a file that is too long for a secret";
}

const char *kit_secret_read(const char *path, char *out, size_t size, size_t *n)
{
    int fd;
    size_t got = 0;
    const char *rule = open_secret(path, &fd);
    if (rule) return rule;
    rule = read_all(fd, out, size, &got);
    close(fd);
    if (!rule && got && out[got - 1] == '\n') got--;
    if (!rule && !got) rule = "names an empty file";
    if (!rule && memchr(out, 0, got)) rule = "names a file with a NUL in it";
    if (rule) {
        kit_wipe(out, size);
        return rule;
    }
    out[got] = 0;
    if (n) *n = got;
    return NULL;
}
