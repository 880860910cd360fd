/* Stands between a program and the system: loaded before libc, it makes the n-th call of a kind
 * fail, or do less or other than it was asked, from the n-th to the last that was said, until that
 * is taken back. What to do lies in a file that the test and the program share (CHANCERY_DISTURB),
 * so that it changes while the program runs. Sockets, the files of chy_file_write and of the
 * publishing module, the signature of a key, memory and the names of users each have kinds of their
 * own: the database is left alone. CHANCERY_DISTURB_PATH: of the files, only those with this text
 * in their path. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    ACCEPT,
    READ,
    WRITE,
    FILE_OPEN,
    FILE_WRITE,
    FILE_SYNC,
    FILE_RENAME,
    FILE_CLOSE,
    SIGN,
    MEMORY,
    USER_NAME,
    KINDS
};
enum manner { FAIL, SHORT, END, WRONG, LATE }; /* LATE: by so many milliseconds as error says */

/* The shared file, as the test writes it. */
struct order {
    _Atomic uint32_t first, last, error, manner;
    _Atomic uint32_t passes, done;
};
static struct order *orders;
static pthread_once_t once = PTHREAD_ONCE_INIT;

enum { FDS = 4096 };
static _Thread_local bool renamed;
static _Atomic uint8_t is_saved[FDS]; /* descriptors of files that are written to be renamed */

static void open_orders(void)
{
    const char *path = getenv("CHANCERY_DISTURB");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED
                     : mmap(NULL, KINDS * sizeof(struct order), PROT_READ | PROT_WRITE, MAP_SHARED,
                            fd, 0);
    if (p != MAP_FAILED) orders = p;
    if (fd >= 0) close(fd);
}

/* What becomes of one call: taken down once, for the order may be taken back meanwhile. */
struct blow {
    bool hits;
    enum manner manner;
    int error;
};

static struct blow struck_now(enum kind kind)
{
    struct order *o = &orders[kind];
    struct blow b = {true, (enum manner)atomic_load(&o->manner), (int)atomic_load(&o->error)};
    uint32_t pass = atomic_fetch_add(&o->passes, 1) + 1;
    b.hits = pass >= atomic_load(&o->first) && pass <= atomic_load(&o->last) &&
             (b.manner != FAIL || b.error);
    if (b.hits) atomic_fetch_add(&o->done, 1);
    return b;
}

static struct blow struck(enum kind kind)
{
    pthread_once(&once, open_orders);
    return orders ? struck_now(kind) : (struct blow){false, FAIL, 0};
}

static bool fails(struct blow b)
{
    if (!b.hits || b.manner != FAIL) return false;
    errno = b.error;
    return true;
}

static bool is(struct blow b, enum manner manner)
{
    return b.hits && b.manner == manner;
}

static const struct blow none = {false, FAIL, 0};

static bool is_socket(int fd)
{
    struct stat st;
    int e = errno;
    bool yes = fd > 2 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    errno = e;
    return yes;
}

static bool saved(int fd)
{
    return fd >= 0 && fd < FDS && atomic_load(&is_saved[fd]);
}

/* The next one of that name behind this library. */
#define NEXT(type, name)                                                                           \
    static _Atomic(type) next;                                                                     \
    type real = atomic_load(&next);                                                                \
    if (!real) {                                                                                   \
        void *found = dlsym(RTLD_NEXT, name);                                                      \
        memcpy(&real, &found, sizeof real);                                                        \
        atomic_store(&next, real);                                                                 \
    }

typedef int (*accept4_fn)(int, struct sockaddr *, socklen_t *, int);
int accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
    NEXT(accept4_fn, "accept4");
    if (fails(struck(ACCEPT))) return -1;
    return real(fd, a, n, flags);
}

typedef ssize_t (*read_fn)(int, void *, size_t);
ssize_t read(int fd, void *p, size_t n)
{
    NEXT(read_fn, "read");
    struct blow b = is_socket(fd) ? struck(READ) : none;
    if (fails(b)) return -1;
    if (is(b, END)) return 0;
    return real(fd, p, is(b, SHORT) && n ? 1 : n);
}

typedef ssize_t (*write_fn)(int, const void *, size_t);
ssize_t write(int fd, const void *p, size_t n)
{
    NEXT(write_fn, "write");
    struct blow b = saved(fd) ? struck(FILE_WRITE) : is_socket(fd) ? struck(WRITE) : none;
    if (fails(b)) return -1;
    return real(fd, p, is(b, SHORT) && n ? 1 : n);
}

typedef ssize_t (*writev_fn)(int, const struct iovec *, int);
ssize_t writev(int fd, const struct iovec *v, int n)
{
    NEXT(writev_fn, "writev");
    struct blow b = is_socket(fd) ? struck(WRITE) : none;
    if (fails(b)) return -1;
    if (!is(b, SHORT) || n < 1 || v->iov_len == 0) return real(fd, v, n);
    struct iovec first = {v->iov_base, 1};
    return real(fd, &first, 1);
}

static int opened(int fd)
{
    if (fd >= 0 && fd < FDS) atomic_store(&is_saved[fd], 1);
    return fd;
}

static bool is_temporary(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *only = getenv("CHANCERY_DISTURB_PATH");
    size_t n = strlen(name);
    if (only && !strstr(path, only)) return false;
    return (n > 4 && strcmp(name + n - 4, ".tmp") == 0) || strncmp(name, ".publish-", 9) == 0;
}

typedef int (*open_fn)(const char *, int, ...);
int open(const char *path, int flags, ...)
{
    NEXT(open_fn, "open");
    mode_t mode = 0;
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {
        __builtin_va_list ap;
        __builtin_va_start(ap, flags);
        mode = (mode_t) __builtin_va_arg(ap, unsigned);
        __builtin_va_end(ap);
    }
    if (!(flags & O_CREAT) || !is_temporary(path)) return real(path, flags, mode);
    return fails(struck(FILE_OPEN)) ? -1 : opened(real(path, flags, mode));
}

typedef int (*openat_fn)(int, const char *, int, ...);
int openat(int dir, const char *path, int flags, ...)
{
    NEXT(openat_fn, "openat");
    mode_t mode = 0;
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {
        __builtin_va_list ap;
        __builtin_va_start(ap, flags);
        mode = (mode_t) __builtin_va_arg(ap, unsigned);
        __builtin_va_end(ap);
    }
    if (!(flags & O_CREAT) || !is_temporary(path)) return real(dir, path, flags, mode);
    return fails(struck(FILE_OPEN)) ? -1 : opened(real(dir, path, flags, mode));
}

/* Of such a file, and of the folder in which it has just got its name. */
typedef int (*fsync_fn)(int);
int fsync(int fd)
{
    NEXT(fsync_fn, "fsync");
    bool ours = saved(fd) || renamed;
    renamed = false;
    return ours && fails(struck(FILE_SYNC)) ? -1 : real(fd);
}

typedef int (*close_fn)(int);
int close(int fd)
{
    NEXT(close_fn, "close");
    if (!saved(fd)) return real(fd);
    atomic_store(&is_saved[fd], 0);
    struct blow b = struck(FILE_CLOSE);
    int result = real(fd); /* it is closed, whatever it says (close(2)) */
    return fails(b) ? -1 : result;
}

typedef int (*rename_fn)(const char *, const char *);
int rename(const char *from, const char *to)
{
    NEXT(rename_fn, "rename");
    if (!is_temporary(from)) return real(from, to);
    if (fails(struck(FILE_RENAME))) return -1;
    renamed = true;
    return real(from, to);
}

typedef int (*renameat_fn)(int, const char *, int, const char *);
int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    NEXT(renameat_fn, "renameat");
    if (!is_temporary(from)) return real(from_dir, from, to_dir, to);
    if (fails(struck(FILE_RENAME))) return -1;
    renamed = true;
    return real(from_dir, from, to_dir, to);
}

/* libcrypto's: what the key answers with. */
typedef int (*sign_fn)(void *, unsigned char *, size_t *, const unsigned char *, size_t);
int EVP_PKEY_sign(void *ctx, unsigned char *sig, size_t *n, const unsigned char *tbs, size_t tbs_n);
int EVP_PKEY_sign(void *ctx, unsigned char *sig, size_t *n, const unsigned char *tbs, size_t tbs_n)
{
    NEXT(sign_fn, "EVP_PKEY_sign");
    struct blow b = struck(SIGN);
    if (fails(b)) return 0;
    int result = real(ctx, sig, n, tbs, tbs_n);
    if (is(b, END)) *n = 0;
    if (is(b, WRONG) && result == 1 && *n) sig[*n - 1] ^= 1;
    return result;
}

typedef int (*getpwuid_fn)(uid_t, struct passwd *, char *, size_t, struct passwd **);
int getpwuid_r(uid_t uid, struct passwd *pw, char *space, size_t n, struct passwd **found)
{
    NEXT(getpwuid_fn, "getpwuid_r");
    struct blow b = struck(USER_NAME);
    if (is(b, LATE)) usleep((useconds_t)b.error * 1000);
    if (!fails(b)) return real(uid, pw, space, n, found);
    *found = NULL;
    return b.error;
}

/* The sanitizer's allocator where there is one, else that of the C library: looking them up would
 * take memory. Nothing fails before main. */
void *__interceptor_malloc(size_t n) __attribute__((weak));
void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *p, size_t n) __attribute__((weak));
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static atomic_bool awake;
__attribute__((constructor)) static void wake(void)
{
    pthread_once(&once, open_orders);
    atomic_store(&awake, orders != NULL);
}

static bool is_starved(void)
{
    return atomic_load(&awake) && fails(struck_now(MEMORY));
}

void *malloc(size_t n)
{
    if (is_starved()) return NULL;
    return __interceptor_malloc ? __interceptor_malloc(n) : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    if (is_starved()) return NULL;
    return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    if (is_starved()) return NULL;
    return __interceptor_realloc ? __interceptor_realloc(p, n) : __libc_realloc(p, n);
}
