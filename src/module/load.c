/* From a name to a mapped library: found, owned by the right hands, hashed, opened, checked.
 * Libraries stay mapped for ever: a module may have left threads or keys behind. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "module/internal.h"

enum { MODULE_MAX = 256 << 20, NAME_OF_COPY = 249 };

static bool has_dotdot(const char *path)
{
    for (const char *p = path; (p = strstr(p, "..")) != NULL; p += 2) {
        bool starts = p == path || p[-1] == '/';
        if (starts && (p[2] == '/' || p[2] == 0)) return true;
    }
    return false;
}

static chy_hresult path_of(struct chy_modules *ms, const char *module, char *out, size_t cap,
                           struct chy_err *err)
{
    int n;
    if (has_dotdot(module)) {
        return chy_fail(err, CHY_E_INVALIDARG,
                        "module \"%.100s\": a path without \"..\" is expected", module);
    }
    if (module[0] == '/') {
        n = snprintf(out, cap, "%s", module);
    } else if (strchr(module, '/') || module[0] == '.' || !module[0] || !ms->folder[0]) {
        return chy_fail(
            err, CHY_E_INVALIDARG,
            "module \"%.100s\": a name in the module folder or an absolute path is expected",
            module);
    } else {
        size_t len = strlen(module);
        bool so = len > 3 && strcmp(module + len - 3, ".so") == 0;
        n = snprintf(out, cap, "%s/%s%s", ms->folder, module, so ? "" : ".so");
    }
    return n > 0 && (size_t)n < cap
               ? CHY_S_OK
               : chy_fail(err, CHY_E_INVALIDARG, "module %.100s…: path too long", module);
}

/* Who can write the file, or replace it in its folder, owns this daemon. */
static chy_hresult check_hands(const struct stat *st, const char *path, bool any_owner,
                               struct chy_err *err)
{
    if (!any_owner && st->st_uid != 0 && st->st_uid != geteuid()) {
        return chy_fail(err, CHY_E_ACCESSDENIED,
                        "%s: it belongs to user %u: root or the daemon's user is expected", path,
                        (unsigned)st->st_uid);
    }
    bool sticky_dir = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) && !sticky_dir) {
        return chy_fail(err, CHY_E_ACCESSDENIED,
                        "%s: others than its owner may write it (mode %04o): chmod go-w", path,
                        (unsigned)(st->st_mode & 07777));
    }
    return CHY_S_OK;
}

static chy_hresult check_folder(const char *path, bool any_owner, struct chy_err *err)
{
    char dir[4096];
    struct stat st;
    snprintf(dir, sizeof(dir), "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash) *slash = 0;
    if (stat(dir[0] ? dir : "/", &st) != 0) return chy_fail_errno(err, "%s", dir);
    return check_hands(&st, dir, any_owner, err);
}

static chy_hresult hash_file(int fd, const char *path, uint8_t hash[32], struct chy_err *err)
{
    uint8_t block[65536];
    unsigned n_hash = 0;
    off_t at = 0;
    ssize_t n = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    while (ok && (n = pread(fd, block, sizeof(block), at)) > 0) {
        ok = EVP_DigestUpdate(md, block, (size_t)n) == 1;
        at += n;
    }
    ok = ok && n == 0 && EVP_DigestFinal_ex(md, hash, &n_hash) == 1;
    EVP_MD_CTX_free(md);
    if (n < 0) return chy_fail_errno(err, "%s: it cannot be read", path);
    if (!ok) return chy_fail_openssl(err, CHY_E_OUTOFMEMORY, "%s: OpenSSL cannot digest it", path);
    return CHY_S_OK;
}

static chy_hresult open_file(const char *path, bool any_owner, int *out, struct chy_err *err)
{
    struct stat st;
    chy_hresult hr = check_folder(path, any_owner, err);
    if (hr != CHY_S_OK) return hr;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return errno == ELOOP
                   ? chy_fail(err, CHY_E_ACCESSDENIED, "%s: a link: name the file itself", path)
                   : chy_fail_errno(err, "module %s", path);
    }
    if (fstat(fd, &st) != 0) {
        hr = chy_fail_errno(err, "%s", path);
    } else if (!S_ISREG(st.st_mode) || st.st_size > MODULE_MAX) {
        hr = chy_fail(err, CHY_E_INVALIDARG, "%s: not a regular file of at most 256 MiB", path);
    } else {
        hr = check_hands(&st, path, any_owner, err);
    }
    if (hr != CHY_S_OK) {
        close(fd);
        return hr;
    }
    *out = fd;
    return CHY_S_OK;
}

/* Takes fd over: closes it, or keeps it where the loader goes on knowing it. */
static chy_hresult map(int fd, struct chy_library *lib, struct chy_err *err)
{
    char self[64];
    /* The very file that was checked, whatever its name leads to by now. The descriptor stays open
     * as long as the library is mapped, which is for ever, also where it is refused below: the
     * loader knows a library by the name it was opened with, and this name must not come to mean
     * another file. */
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    void *handle = dlopen(self, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) {
        close(fd);
        return chy_fail(err, CHY_E_NOINTERFACE, "module %.200s: %.200s", lib->path, dlerror());
    }
    chy_module_entry_fn entry;
    void *symbol = dlsym(handle, "chy_module_entry");
    if (!symbol)
        return chy_fail(err, CHY_E_NOINTERFACE, "module %.200s: it exports no chy_module_entry",
                        lib->path);
    memcpy(&entry, &symbol, sizeof(entry)); /* ISO C has no cast from object to function pointer */
    lib->info = entry();
    return chy_descriptor_check(lib->info, lib->path, err);
}

static struct chy_library *known(struct chy_modules *ms, const char *path)
{
    struct chy_library *found = NULL;
    pthread_mutex_lock(&ms->lock);
    for (struct chy_library *l = ms->libraries; l && !found; l = l->next) {
        if (strcmp(l->path, path) == 0) found = l;
    }
    pthread_mutex_unlock(&ms->lock);
    return found;
}

/* Adopts fd: the library it holds, under the path that it is known by. */
chy_hresult chy_library_map(struct chy_modules *ms, int fd, const char *path,
                            struct chy_library **out, struct chy_err *err)
{
    struct chy_library *lib = chy_calloc(1, sizeof(*lib));
    if (!lib || !(lib->path = chy_strdup(path))) {
        chy_free(lib);
        close(fd);
        return chy_fail_nomem(err, "module");
    }
    chy_hresult hr = hash_file(fd, path, lib->sha256_octets, err);
    if (hr != CHY_S_OK) close(fd);
    if (hr == CHY_S_OK) chy_hex_cstr(lib->sha256, CHY_SPAN(lib->sha256_octets));
    if (hr == CHY_S_OK) hr = map(fd, lib, err);
    if (hr != CHY_S_OK) {
        chy_free(lib->path);
        chy_free(lib);
        return hr;
    }
    pthread_mutex_lock(&ms->lock);
    lib->next = ms->libraries;
    ms->libraries = lib;
    pthread_mutex_unlock(&ms->lock);
    *out = lib;
    return CHY_S_OK;
}

chy_hresult chy_library_load(struct chy_modules *ms, const char *module, struct chy_library **out,
                             struct chy_err *err)
{
    char path[4096];
    int fd = -1;
    chy_hresult hr = path_of(ms, module, path, sizeof(path), err);
    if (hr != CHY_S_OK) return hr;
    if ((*out = known(ms, path)) != NULL) return CHY_S_OK;
    hr = open_file(path, ms->config.any_owner, &fd, err);
    return hr == CHY_S_OK ? chy_library_map(ms, fd, path, out, err) : hr;
}

static chy_hresult copy_all(int from, int to, const char *path, struct chy_err *err)
{
    uint8_t block[65536];
    off_t at = 0;
    ssize_t n;
    while ((n = pread(from, block, sizeof(block), at)) > 0) {
        if (at + n > MODULE_MAX || pwrite(to, block, (size_t)n, at) != n)
            return chy_fail(err, CHY_E_OUTOFMEMORY, "%s: no memory for a copy of it", path);
        at += n;
    }
    return n == 0 ? CHY_S_OK : chy_fail_errno(err, "%s: it cannot be read", path);
}

/* In memory that nobody can write any more: whatever becomes of the file, what runs is what was
 * hashed, also where the child's user could not read the file itself. */
chy_hresult chy_library_copy(struct chy_modules *ms, const char *module, struct chy_file *out,
                             struct chy_err *err)
{
    char path[4096];
    int fd = -1;
    *out = (struct chy_file){.fd = -1};
    chy_hresult hr = path_of(ms, module, path, sizeof(path), err);
    if (hr == CHY_S_OK) hr = open_file(path, ms->config.any_owner, &fd, err);
    if (hr != CHY_S_OK) return hr;
    out->path = chy_strdup(path);
    /* It is called what it is a copy of, as far as the kernel takes so long a name (249 octets): a
     * module may look for the folder that it came from. */
    out->fd = memfd_create(strlen(path) <= NAME_OF_COPY ? path : "module",
                           MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (!out->path || out->fd < 0) hr = chy_fail_nomem(err, "module");
    if (hr == CHY_S_OK) hr = copy_all(fd, out->fd, path, err);
    close(fd);
    int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (hr == CHY_S_OK && fcntl(out->fd, F_ADD_SEALS, seals) != 0)
        hr = chy_fail_errno(err, "%s: its copy cannot be sealed", path);
    if (hr == CHY_S_OK) hr = hash_file(out->fd, path, out->sha256, err);
    if (hr != CHY_S_OK) chy_file_drop_copy(out);
    return hr;
}
