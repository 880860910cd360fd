/* Files: read whole and bounded, written whole or not at all. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/text.h"

static chy_hresult read_all(int fd, const char *path, size_t max, struct chy_buf *out,
                            struct chy_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return chy_fail_errno(err, "%s", path);
    if (!S_ISREG(st.st_mode))
        return chy_fail(err, CHY_E_INVALIDARG, "%s: not a regular file", path);
    if ((uint64_t)st.st_size > max) {
        return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH, "%s: %lld octets, at most %zu allowed",
                        path, (long long)st.st_size, max);
    }
    /* Room for all of it at once: a buffer that grows leaves copies of a key behind. */
    if (!chy_buf_reserve(out, (size_t)st.st_size + 4096)) return chy_fail_nomem(err, path);
    size_t total = 0;
    for (;;) {
        if (!chy_buf_reserve(out, 4096)) {
            /* The last octets of a full buffer: only the end of the file may follow. */
            if (out->n < out->max) return chy_fail_nomem(err, path);
            return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH, "%s: more than %zu octets", path,
                            max);
        }
        ssize_t n = read(fd, out->p + out->n, 4096);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return chy_fail_errno(err, "%s", path);
        if (n == 0) return CHY_S_OK;
        out->n += (size_t)n;
        total += (size_t)n;
        if (total > max)
            return chy_fail(err, CHY_CERTSRV_E_ENCODING_LENGTH, "%s: more than %zu octets", path,
                            max);
    }
}

chy_hresult chy_file_read(const char *path, size_t max, struct chy_buf *out, struct chy_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return chy_fail_errno(err, "%s", path);
    struct chy_buf all;
    chy_buf_init(&all, max + 8192);
    chy_hresult hr = read_all(fd, path, max, &all, err);
    if (hr == CHY_S_OK) {
        chy_buf_add_span(out, chy_buf_span(&all));
        hr = chy_buf_done(out, path, err);
    }
    if (all.p) chy_wipe(all.p, all.cap); /* it may have been a key */
    chy_buf_free(&all);
    close(fd);
    return hr;
}

static chy_hresult write_all(int fd, const char *path, struct chy_span data, struct chy_err *err)
{
    while (data.n) {
        ssize_t n = write(fd, data.p, data.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return chy_fail_errno(err, "%s", path);
        data.p += n;
        data.n -= (size_t)n;
    }
    return CHY_S_OK;
}

static void folder_of(const char *path, char dir[4096])
{
    const char *slash = strrchr(path, '/');
    snprintf(dir, 4096, "%.*s", slash ? (int)(slash - path + (slash == path)) : 1,
             slash ? path : ".");
}

static chy_hresult sync_folder(const char *path, struct chy_err *err)
{
    char dir[4096];
    folder_of(path, dir);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return chy_fail_errno(err, "%s", dir);
    chy_hresult hr = fsync(fd) == 0 ? CHY_S_OK : chy_fail_errno(err, "%s", dir);
    close(fd);
    return hr;
}

chy_hresult chy_file_begin(struct chy_file_out *f, const char *path, unsigned mode,
                           struct chy_err *err)
{
    uint32_t salt;
    f->fd = -1;
    chy_hresult hr = chy_random(&salt, sizeof(salt), err);
    if (hr != CHY_S_OK) return hr;
    int m = snprintf(f->path, sizeof(f->path), "%s", path);
    int n = snprintf(f->temp, sizeof(f->temp), "%s.%08x.tmp", path, salt);
    if (m < 0 || n < 0 || (size_t)m >= sizeof(f->path) || (size_t)n >= sizeof(f->temp))
        return chy_fail(err, CHY_E_INVALIDARG, "%.64s…: path too long", path);
    f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (f->fd < 0) return chy_fail_errno(err, "%s", f->temp);
    if (fchmod(f->fd, (mode_t)mode) == 0) return CHY_S_OK;
    hr = chy_fail_errno(err, "%s", f->temp);
    chy_file_drop(f);
    return hr;
}

chy_hresult chy_file_more(struct chy_file_out *f, struct chy_span data, struct chy_err *err)
{
    return write_all(f->fd, f->temp, data, err);
}

void chy_file_drop(struct chy_file_out *f)
{
    if (f->fd < 0) return;
    close(f->fd);
    f->fd = -1;
    unlink(f->temp);
}

chy_hresult chy_file_end(struct chy_file_out *f, struct chy_err *err)
{
    chy_hresult hr = fsync(f->fd) == 0 ? CHY_S_OK : chy_fail_errno(err, "%s", f->temp);
    int rc = close(f->fd);
    f->fd = -1;
    if (rc != 0 && hr == CHY_S_OK) hr = chy_fail_errno(err, "%s", f->temp);
    if (hr == CHY_S_OK && rename(f->temp, f->path) != 0) hr = chy_fail_errno(err, "%s", f->path);
    if (hr != CHY_S_OK) {
        unlink(f->temp);
        return hr;
    }
    return sync_folder(f->path, err);
}

chy_hresult chy_file_write(const char *path, struct chy_span data, unsigned mode,
                           struct chy_err *err)
{
    struct chy_file_out f;
    chy_hresult hr = chy_file_begin(&f, path, mode, err);
    if (hr != CHY_S_OK) return hr;
    hr = chy_file_more(&f, data, err);
    if (hr == CHY_S_OK) return chy_file_end(&f, err);
    chy_file_drop(&f);
    return hr;
}

/* As chy_file_begin names them: NAME, a dot, eight digits, ".tmp". */
static size_t stem_length(const char *name)
{
    static const char digits[] = "0123456789abcdef", end[] = ".tmp";
    enum { TAIL = 1 + 8 + sizeof(end) - 1 };
    size_t n = strlen(name);
    if (n <= TAIL) return 0;
    const char *tail = name + n - TAIL;
    bool is_temp = *tail == '.' && strspn(tail + 1, digits) == 8 && strcmp(tail + 9, end) == 0;
    return is_temp ? n - TAIL : 0;
}

static bool is_left_over(int dir, const char *name, chy_time before)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    chy_time written = (chy_time)st.st_mtim.tv_sec * CHY_US_PER_S + st.st_mtim.tv_nsec / 1000;
    return S_ISREG(st.st_mode) && st.st_uid == geteuid() && written < before;
}

size_t chy_file_sweep(const char *path, chy_time before)
{
    char folder[4096];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t others = 0;
    struct dirent *e;
    folder_of(path, folder);
    DIR *d = opendir(folder);
    while (d && (e = readdir(d)) != NULL) {
        size_t n = stem_length(e->d_name);
        if (!n || !is_left_over(dirfd(d), e->d_name, before)) continue;
        if (n == strlen(name) && memcmp(name, e->d_name, n) == 0)
            (void)unlinkat(dirfd(d), e->d_name, 0);
        else
            others++;
    }
    if (d) closedir(d);
    return others;
}

static chy_hresult make_one(const char *path, unsigned mode, struct chy_err *err)
{
    struct stat st;
    if (mkdir(path, (mode_t)mode) == 0) return CHY_S_OK;
    int e = errno;
    if (e == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return CHY_S_OK;
    errno = e; /* a dangling link exists, too */
    return chy_fail_errno(err, "%s", path);
}

chy_hresult chy_dir_make(const char *path, unsigned mode, struct chy_err *err)
{
    char part[4096];
    size_t n = strlen(path);
    if (!n || n >= sizeof(part))
        return chy_fail(err, CHY_E_INVALIDARG, "%.64s…: not a usable folder name", path);
    for (size_t i = 1; i < n; i++) {
        if (path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = 0;
        chy_hresult hr = make_one(part, mode | 0100, err);
        if (hr != CHY_S_OK) return hr;
    }
    return make_one(path, mode, err);
}

enum { MAX_DEPTH = 32 };

static void remove_below(int dir, unsigned depth)
{
    DIR *d = fdopendir(dir);
    if (!d) {
        close(dir);
        return;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        int sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0 && depth) {
            remove_below(sub, depth - 1);
            unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
        } else {
            if (sub >= 0) close(sub);
            unlinkat(dirfd(d), e->d_name, 0);
        }
    }
    closedir(d);
}

void chy_dir_remove(const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0) remove_below(dir, MAX_DEPTH);
    rmdir(path);
}
