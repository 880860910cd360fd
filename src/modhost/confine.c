/* What the process gives up before any code of the module runs: memory and descriptors without
 * bound, the daemon's user, the network, the file system but for what is named, new programs. Each
 * is a wall of its own: where the system has no Landlock, the others stand. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "modhost/modhost.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0 /* their shadow is far beyond any limit of memory */
#endif

enum { MAX_FILES = 256, MAX_THREADS = 512, ROOM_MB = 1024 };

static bool limit(__rlimit_resource_t what, uint64_t value)
{
    struct rlimit l = {(rlim_t)value, (rlim_t)value};
    return setrlimit(what, &l) == 0;
}

/* RLIMIT_DATA counts what is private and writable, which is what a module asks for; the whole
 * address space is bounded with room for libraries and for what allocators only reserve. */
static bool limit_all(const struct chy_start *s)
{
    uint64_t memory = (uint64_t)s->memory_mb << 20, lanes = (uint64_t)s->lanes << 21;
    bool ok = limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, MAX_FILES) &&
              limit(RLIMIT_FSIZE, s->n_write ? memory * 4 : 0);
    if (SANITIZED) return ok;
    return ok && limit(RLIMIT_DATA, memory + lanes) &&
           limit(RLIMIT_AS, memory + lanes + ((uint64_t)ROOM_MB << 20));
}

static bool become(const struct chy_start *s)
{
    if (geteuid() != 0 || s->uid == 0) return true;
    return limit(RLIMIT_NPROC, MAX_THREADS) && setgroups(0, NULL) == 0 &&
           setresgid(s->gid, s->gid, s->gid) == 0 && setresuid(s->uid, s->uid, s->uid) == 0;
}

/* ---- Landlock (Linux 5.13): numbers of the kernel's interface, which newer headers name ---- */
enum {
    LL_CREATE = 444, /* the same on every architecture */
    LL_ADD = 445,
    LL_RESTRICT = 446,
    LL_VERSION = 1,
    LL_PATH_BENEATH = 1
};
enum {
    LL_WRITE_FILE = 1 << 1,
    LL_READ_FILE = 1 << 2,
    LL_READ_DIR = 1 << 3,
    LL_REMOVE = 1 << 4 | 1 << 5,
    LL_MAKE = 1 << 7 | 1 << 8 | 1 << 12, /* folders, files, links */
    LL_REFER = 1 << 13,
    LL_TRUNCATE = 1 << 14,
    LL_OF_FILES = 1 | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE
};
struct ll_ruleset {
    uint64_t fs, net, scoped;
};
struct ll_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static uint64_t fs_rights(long abi)
{
    return abi >= 5 ? 0xffff : abi >= 3 ? 0x7fff : abi == 2 ? 0x3fff : 0x1fff;
}

/* False: there is no such path, or it cannot be let in. */
static bool let_in(int ruleset, const char *path, uint64_t rights)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fstat(fd, &st) == 0;
    if (ok && !S_ISDIR(st.st_mode)) rights &= LL_OF_FILES;
    struct ll_beneath b = {rights, fd};
    ok = ok && syscall(LL_ADD, ruleset, LL_PATH_BENEATH, &b, 0) == 0;
    close(fd);
    return ok;
}

static const char *const readable[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/passwd",
    "/etc/group",
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
};
static const char *const readable_with_network[] = {
    "/etc/resolv.conf", "/etc/hosts",           "/etc/nsswitch.conf", "/etc/host.conf",
    "/etc/gai.conf",    "/etc/services",        "/etc/protocols",     "/etc/krb5.conf",
    "/etc/hostname",    "/run/systemd/resolve",
};

static chy_hresult let_in_configured(int ruleset, const struct chy_start *s, uint64_t reading,
                                     uint64_t writing, struct chy_err *err)
{
    for (size_t i = 0; i < s->n_read + s->n_write; i++) {
        bool reads = i < s->n_read;
        const char *path = reads ? s->read[i] : s->write[i - s->n_read];
        if (let_in(ruleset, path ? path : "", reads ? reading : reading | writing)) continue;
        return chy_fail_errno(err, "%s %.200s", reads ? "ReadPaths" : "WritePaths",
                              path ? path : "");
    }
    return CHY_S_OK;
}

/* S_FALSE: the system has none. */
static chy_hresult landlock(const struct chy_start *s, struct chy_err *err)
{
    long abi = syscall(LL_CREATE, NULL, 0, LL_VERSION);
    if (abi < 1) return CHY_S_FALSE;
    uint64_t all = fs_rights(abi), reading = all & (LL_READ_FILE | LL_READ_DIR),
             writing = all & (LL_WRITE_FILE | LL_REMOVE | LL_MAKE | LL_REFER | LL_TRUNCATE);
    struct ll_ruleset r = {all, s->network ? 0 : 3, 3};
    int fd = (int)syscall(LL_CREATE, &r, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
    if (fd < 0) return chy_fail_errno(err, "Landlock");
    for (size_t i = 0; i < CHY_ARRAY_LEN(readable); i++)
        (void)let_in(fd, readable[i], reading);
    (void)let_in(fd, "/dev/null", reading | LL_WRITE_FILE);
    for (size_t i = 0; i < CHY_ARRAY_LEN(readable_with_network) && s->network; i++)
        (void)let_in(fd, readable_with_network[i], reading);
    chy_hresult hr = let_in_configured(fd, s, reading, writing, err);
    if (hr == CHY_S_OK && syscall(LL_RESTRICT, fd, 0) != 0) hr = chy_fail_errno(err, "Landlock");
    close(fd);
    return hr;
}

chy_hresult confine(const struct chy_start *s, char *confined, size_t cap, struct chy_err *err)
{
    /* The supervisor's thread is the parent: gone with the daemon. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != (pid_t)s->parent) return chy_fail(err, CHY_E_ABORT, "the daemon has gone");
    (void)setsid();
    (void)umask(077);
    bool apart = !s->network && unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0;
    bool other = geteuid() == 0 && s->uid != 0;
    if (chdir("/") != 0 || !limit_all(s) || !become(s) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return chy_fail_errno(err, "its child process cannot give up its rights");
    }
    /* After a change of user: that sets it anew. */
    if (!SANITIZED) (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    chy_hresult hr = landlock(s, err);
    if (CHY_FAILED(hr)) return hr;
    if (!filter_system_calls(s->network)) return chy_fail_errno(err, "seccomp");
    snprintf(confined, cap, "seccomp%s%s%s", hr == CHY_S_OK ? " landlock" : "",
             other ? " user" : "",
             apart        ? " network"
             : s->network ? " (with network)"
                          : "");
    return CHY_S_OK;
}
