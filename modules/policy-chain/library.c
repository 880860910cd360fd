/* From a name to a mapped library, under the rules of the daemon: owned by root or the daemon's
 * user, writable by nobody else, in a folder of which the same holds. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "kit/sha256.h"

enum { FILE_MAX = 256 << 20, PATH_SIZE = 4096 };

/* Mapped once for each file, and never given back: the module may have left threads behind. */
struct mapped {
    struct library library;
    dev_t device;
    ino_t inode;
    struct mapped *next;
};
static pthread_mutex_t mapped_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mapped *all_mapped;

static bool has_dotdot(const char *path)
{
    for (const char *p = path; (p = strstr(p, "..")) != NULL; p += 2) {
        bool starts = p == path || p[-1] == '/';
        if (starts && (p[2] == '/' || !p[2])) return true;
    }
    return false;
}

/* What the daemon makes a process of its own load is a copy in memory, called as the file is. */
static void path_of_copy(char *path)
{
    static const char before[] = "/memfd:", after[] = " (deleted)";
    size_t n = strlen(path), head = sizeof before - 1, tail = sizeof after - 1;
    if (strncmp(path, before, head) != 0) return;
    if (n >= head + tail && !strcmp(path + n - tail, after)) n -= tail;
    memmove(path, path + head, n - head);
    path[n - head] = 0;
}

/* The folder that this very library was loaded from. The daemon opens what it checked through
 * /proc/self/fd and keeps the descriptor: the link says where that is. */
static bool own_folder(char out[PATH_SIZE])
{
    Dl_info info;
    const chy_module_entry_fn entry = chy_module_entry;
    void *symbol;
    memcpy(&symbol, &entry, sizeof symbol); /* ISO C has no cast from function to object */
    if (!dladdr(symbol, &info) || !info.dli_fname) return false;
    ssize_t n = -1;
    if (!strncmp(info.dli_fname, "/proc/", 6)) n = readlink(info.dli_fname, out, PATH_SIZE - 1);
    if (n < 0) {
        n = snprintf(out, PATH_SIZE, "%s", info.dli_fname);
        if (n >= PATH_SIZE) return false;
    }
    out[n] = 0;
    path_of_copy(out);
    char *slash = strrchr(out, '/');
    if (!slash || out[0] != '/') return false;
    *slash = 0;
    return true;
}

static chy_hresult path_of(const char *name, char out[PATH_SIZE], struct why *why)
{
    char folder[PATH_SIZE];
    int n;
    if (has_dotdot(name))
        return refuse(why, CHY_E_INVALIDARG, "%.100s: a path without \"..\" is expected", name);
    if (name[0] == '/') {
        n = snprintf(out, PATH_SIZE, "%s", name);
    } else if (!name[0] || name[0] == '.' || strchr(name, '/')) {
        return refuse(why, CHY_E_INVALIDARG,
                      "\"%.100s\": a name in the module folder or an absolute path is expected",
                      name);
    } else if (!own_folder(folder)) {
        return refuse(why, CHY_ERROR_FILE_NOT_FOUND,
                      "%.100s: the module folder is not known: give an absolute path", name);
    } else {
        size_t len = strlen(name);
        bool so = len > 3 && !strcmp(name + len - 3, ".so");
        n = snprintf(out, PATH_SIZE, "%s/%s%s", folder, name, so ? "" : ".so");
    }
    return n > 0 && n < PATH_SIZE ? CHY_S_OK
                                  : refuse(why, CHY_E_INVALIDARG, "%.100s…: too long", name);
}

/* Who can write the file, or replace it in its folder, owns the daemon. */
static chy_hresult check_hands(const struct stat *st, const char *path, struct why *why)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return refuse(why, CHY_E_ACCESSDENIED,
                      "%.300s: it belongs to user %u: root or the daemon's user is expected", path,
                      (unsigned)st->st_uid);
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) && !sticky)
        return refuse(why, CHY_E_ACCESSDENIED,
                      "%.300s: others than its owner may write it (mode %04o): chmod go-w", path,
                      (unsigned)(st->st_mode & 07777));
    return CHY_S_OK;
}

static chy_hresult check_folder(const char *path, struct why *why)
{
    char folder[PATH_SIZE];
    struct stat st;
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    if (stat(folder[0] ? folder : "/", &st) != 0)
        return refuse(why, CHY_ERROR_FILE_NOT_FOUND, "%.300s: %s", folder, strerror(errno));
    return check_hands(&st, folder, why);
}

static chy_hresult open_file(const char *path, int *out, struct stat *st, struct why *why)
{
    chy_hresult hr = check_folder(path, why);
    if (CHY_FAILED(hr)) return hr;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        bool link = errno == ELOOP;
        return refuse(why, link ? CHY_E_ACCESSDENIED : CHY_ERROR_FILE_NOT_FOUND, "%.300s: %s", path,
                      link ? "a link: name the file itself" : strerror(errno));
    }
    if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode) || st->st_size > FILE_MAX)
        hr = refuse(why, CHY_E_INVALIDARG, "%.300s: not a regular file of at most 256 MiB", path);
    else
        hr = check_hands(st, path, why);
    if (CHY_FAILED(hr))
        close(fd);
    else
        *out = fd;
    return hr;
}

static bool hash(int fd, char out[65])
{
    uint8_t block[32768], digest[KIT_SHA256];
    struct kit_sha256 sha;
    off_t at = 0;
    ssize_t n;
    kit_sha256_start(&sha);
    while ((n = pread(fd, block, sizeof block, at)) > 0) {
        kit_sha256_add(&sha, block, (size_t)n);
        at += n;
    }
    kit_sha256_done(&sha, digest);
    for (size_t i = 0; i < KIT_SHA256; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return n == 0;
}

/* The very file that was checked, whatever its name leads to by now. The descriptor stays open as
 * long as the library is mapped, also where it is refused below: the loader knows a library by the
 * name it was opened with, and this name must not come to mean another file. */
static chy_hresult map(int fd, const char *path, struct library *out, struct why *why)
{
    char self[64];
    chy_module_entry_fn entry;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    void *handle = dlopen(self, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        close(fd);
        return refuse(why, CHY_E_NOINTERFACE, "%.200s: %.200s", path, dlerror());
    }
    void *symbol = dlsym(handle, "chy_module_entry");
    if (!symbol)
        return refuse(why, CHY_E_NOINTERFACE, "%.300s: it exports no chy_module_entry", path);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from object to function */
    struct why wrong = {""};
    out->info = entry();
    const char *rule = descriptor_wrong(out->info, &wrong);
    return rule ? refuse(why, CHY_E_NOINTERFACE, "%.250s: %.250s", path, rule) : CHY_S_OK;
}

static struct mapped *find(const struct stat *st)
{
    struct mapped *m = all_mapped;
    while (m && (m->device != st->st_dev || m->inode != st->st_ino))
        m = m->next;
    return m;
}

chy_hresult library_load(const char *name, const struct library **out, struct why *why)
{
    char path[PATH_SIZE];
    struct stat st;
    int fd = -1;
    chy_hresult hr = path_of(name, path, why);
    if (!CHY_FAILED(hr)) hr = open_file(path, &fd, &st, why);
    if (CHY_FAILED(hr)) return hr;
    pthread_mutex_lock(&mapped_lock);
    struct mapped *m = find(&st);
    if (m) {
        close(fd);
    } else if (!(m = calloc(1, sizeof *m)) || !hash(fd, m->library.sha256)) {
        close(fd);
        hr = refuse(why, CHY_E_OUTOFMEMORY, "%.300s: it could not be read", path);
    } else {
        hr = map(fd, path, &m->library, why);
    }
    if (CHY_FAILED(hr)) {
        free(m);
    } else if (!m->inode) {
        m->device = st.st_dev;
        m->inode = st.st_ino;
        m->next = all_mapped;
        all_mapped = m;
    }
    pthread_mutex_unlock(&mapped_lock);
    if (!CHY_FAILED(hr)) *out = &m->library;
    return hr;
}
