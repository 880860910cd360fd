/* Files that appear whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish.h"

enum { TRIES = 8, PATH_TEXT = 4096, READ_MAX = 64 << 20 };

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* A new file with a name that nobody can have waited with. */
static int temporary(int dir, char *name, size_t size)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t r;
        if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r) return -1;
        snprintf(name, size, ".publish-%016llx", (unsigned long long)r);
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

static bool fill(const struct settings *s, int fd, const struct kit_text *t)
{
    return write_all(fd, t->p, t->n) && (!s->chown || fchown(fd, s->owner, s->group) == 0) &&
           fchmod(fd, s->mode) == 0 && fsync(fd) == 0;
}

static chy_hresult trouble(int error)
{
    return error == ENOSPC || error == EDQUOT                      ? CHY_ERROR_DISK_FULL
           : error == EACCES || error == EPERM                     ? CHY_E_ACCESSDENIED
           : error == ENOENT || error == ENOTDIR || error == ELOOP ? CHY_ERROR_FILE_NOT_FOUND
                                                                   : CHY_ERROR_IO_DEVICE;
}

static int open_folder(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Only the last part of the path: what is above is there, or somebody forgot to mount it. */
static int make_folder(const struct settings *s, const char *path)
{
    char above[PATH_TEXT];
    const char *slash = strrchr(path, '/');
    snprintf(above, sizeof above, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int parent = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0) return -1;
    int fd = -1;
    if (mkdirat(parent, slash + 1, 0700) == 0 || errno == EEXIST) fd = open_folder(path);
    bool ok = fd >= 0 && (!s->chown || fchown(fd, s->owner, s->group) == 0) &&
              fchmod(fd, s->folder_mode) == 0 && fsync(parent) == 0;
    int error = errno;
    if (!ok && fd >= 0) {
        close(fd);
        unlinkat(parent, slash + 1, AT_REMOVEDIR);
    }
    close(parent);
    errno = error;
    return ok ? fd : -1;
}

static bool is_of_the_index(const struct settings *s, const char *folder)
{
    size_t n = s->folder ? strlen(s->folder) : 0;
    return n && strncmp(folder, s->folder, n) == 0 && strcmp(folder + n, "/index") == 0;
}

/* A reader sees the old file or the whole new one; rename replaces a link, it does not follow. */
static int replace(const struct settings *s, int dir, const char *name, const struct kit_text *t)
{
    char temp[64];
    int fd = temporary(dir, temp, sizeof temp);
    bool ok = fd >= 0 && fill(s, fd, t);
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && renameat(dir, temp, dir, name) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok && fd >= 0) unlinkat(dir, temp, 0);
    if (ok && fsync(dir) != 0) {
        ok = false;
        error = errno;
    }
    return ok ? 0 : error;
}

chy_hresult write_file(struct job *j, const char *folder, const char *name,
                       const struct kit_text *t)
{
    if (t->failed) return CHY_E_OUTOFMEMORY;
    int dir = open_folder(folder);
    if (dir < 0 && errno == ENOENT && (j->s->creates || is_of_the_index(j->s, folder)))
        dir = make_folder(j->s, folder);
    if (dir < 0) return trouble(errno);
    int error = replace(j->s, dir, name, t);
    close(dir);
    if (error) return trouble(error);
    kit_addf(&j->files, "%s/%s\n", folder, name);
    return CHY_S_OK;
}

static chy_hresult read_all(int fd, struct kit_text *out)
{
    struct stat st;
    char some[16384];
    if (fstat(fd, &st) != 0) return trouble(errno);
    if (!S_ISREG(st.st_mode) || st.st_size > READ_MAX) return CHY_ERROR_INVALID_DATA;
    while (!out->failed && out->n <= READ_MAX) {
        ssize_t k = read(fd, some, sizeof some);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return trouble(errno);
        if (k == 0) return CHY_S_OK;
        kit_add(out, some, (size_t)k);
    }
    return out->failed ? CHY_E_OUTOFMEMORY : CHY_ERROR_INVALID_DATA;
}

chy_hresult read_file(const char *folder, const char *name, struct kit_text *out)
{
    int dir = open_folder(folder);
    int fd =
        dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error = errno;
    if (dir >= 0) close(dir);
    if (fd < 0) return error == ENOENT ? CHY_S_FALSE : trouble(error);
    chy_hresult hr = read_all(fd, out);
    close(fd);
    return hr;
}

chy_hresult remove_file(struct job *j, const char *folder, const char *name)
{
    int dir = open_folder(folder);
    if (dir < 0) return trouble(errno);
    bool gone = unlinkat(dir, name, 0) == 0;
    bool ok = gone || errno == ENOENT;
    int error = errno;
    if (gone && fsync(dir) != 0) {
        ok = false;
        error = errno;
    }
    close(dir);
    if (gone) kit_addf(&j->removed, "%s/%s\n", folder, name);
    return ok ? CHY_S_OK : trouble(error);
}
