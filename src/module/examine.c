/* The examination as its caller sees it: processes that are begun, heard and ended. */
#include "module/examine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "module/conform.h"
#include "module/elf.h"

enum { LOAD_SECONDS = 60, SCRIPT_SECONDS = 180, LINE = 2048 };

struct hearing {
    const struct chy_examination *what;
    chy_finding_fn each;
    void *arg;
    struct chy_err *err;
    char step[32];    /* begun last */
    bool late;        /* a call overran its deadline */
    chy_hresult code; /* of the loading */
};

static void find(const struct hearing *h, enum chy_finding_kind kind, const char *check,
                 const char *fmt, ...) CHY_PRINTF(4, 5);
static void find(const struct hearing *h, enum chy_finding_kind kind, const char *check,
                 const char *fmt, ...)
{
    struct chy_finding f = {.kind = kind};
    va_list args;
    snprintf(f.check, sizeof(f.check), "%s", check);
    va_start(args, fmt);
    vsnprintf(f.text, sizeof(f.text), fmt, args);
    va_end(args);
    h->each(&f, h->arg);
}

/* ---- what the child says ---- */

static void hear_line(struct hearing *h, char *line)
{
    char *check = strchr(line, '\t');
    char *text = check ? strchr(check + 1, '\t') : NULL;
    if (!text) return;
    *check++ = 0;
    *text++ = 0;
    switch (*line) {
    case 'B': snprintf(h->step, sizeof(h->step), "%s", check); break;
    case 'D': h->late = true; break;
    case 'X':
        h->code = (chy_hresult)(uint32_t)strtoul(check, NULL, 16);
        chy_fail(h->err, h->code, "%s", text);
        break;
    default: find(h, (enum chy_finding_kind) * line, check, "%s", text); break;
    }
}

static int64_t seconds_from_now(unsigned s)
{
    return chy_monotonic(&chy_system_clock) + (int64_t)s * 1000000;
}

/* False: the time was over before the child was. */
static bool hear(struct hearing *h, int fd, int64_t until)
{
    char line[LINE];
    size_t n = 0;
    for (;;) {
        int64_t left = (until - chy_monotonic(&chy_system_clock)) / 1000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0) return false;
        int rc = poll(&p, 1, left > 1000 ? 1000 : (int)left);
        if (rc < 0 && errno != EINTR) return true;
        if (rc <= 0) continue;
        ssize_t got = read(fd, line + n, sizeof(line) - 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return true;
        n += (size_t)got;
        char *end;
        while ((end = memchr(line, '\n', n)) != NULL) {
            *end = 0;
            hear_line(h, line);
            n -= (size_t)(end + 1 - line);
            memmove(line, end + 1, n);
        }
        if (n == sizeof(line) - 1) n = 0; /* no line of ours is as long */
    }
}

static void limit(int resource, rlim_t value)
{
    const struct rlimit l = {value, value};
    (void)!setrlimit((__rlimit_resource_t)resource, &l);
}

/* A sanitizer maps terabytes, of which it uses little: its builds have no limit on addresses. */
static void set_limits(void)
{
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, SCRIPT_SECONDS);
    limit(RLIMIT_FSIZE, 256 << 20);
    limit(RLIMIT_NOFILE, CHY_CONFORM_FILES);
    if (!chy_conform_is_sanitized()) limit(RLIMIT_AS, (rlim_t)8 << 30);
}

typedef void (*child_fn)(const struct chy_examination *what, int report);

/* How a child ended that did not come to its end. */
static void blame(struct hearing *h, bool in_time, int status)
{
    const char *step = h->step[0] ? h->step : "load";
    if (!in_time)
        find(h, CHY_FINDING_FAILED, step, "it did not come back, and was ended");
    else if (h->late)
        find(h, CHY_FINDING_FAILED, step,
             "a call took more than ten seconds: the daemon gives up on a module whose call "
             "overruns its deadline");
    else if (WIFSIGNALED(status))
        find(h, CHY_FINDING_FAILED, step,
             "it crashed (%s): chancery-modtest --valgrind shows where",
             strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        find(h, CHY_FINDING_FAILED, step,
             "it ended the process (status %d): a module never calls exit, and a sanitizer's "
             "report stands above",
             WEXITSTATUS(status));
}

static chy_hresult apart(struct hearing *h, child_fn fn, unsigned seconds)
{
    int fd[2], status = 0;
    if (pipe2(fd, O_CLOEXEC) != 0) return chy_fail_errno(h->err, "pipe");
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        close(fd[0]);
        close(fd[1]);
        return chy_fail_errno(h->err, "a process for the examination");
    }
    if (child == 0) {
        close(fd[0]);
        set_limits();
        fn(h->what, fd[1]);
        _exit(0);
    }
    close(fd[1]);
    bool in_time = hear(h, fd[0], seconds_from_now(seconds));
    close(fd[0]);
    if (!in_time) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (h->code != CHY_S_OK) return h->code;
    bool bad = !in_time || h->late || WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
    if (bad) blame(h, in_time, status);
    return CHY_S_OK;
}

/* ---- in the child ---- */

static void load_in_child(const struct chy_examination *what, int report)
{
    struct chy_conform c = {.what = what, .report = report};
    struct chy_buf text;
    struct chy_err err = {0};
    chy_buf_init(&text, 64 << 10);
    chy_hresult hr = chy_module_check(what->path, &text, &err);
    char *line = (char *)(uintptr_t)chy_buf_cstr(&text);
    while (hr == CHY_S_OK && line && *line) {
        char *end = line + strcspn(line, "\n");
        if (*end) *end++ = 0;
        chy_conform_tell(&c, CHY_FINDING_SAYS, "identity", "%s", line);
        line = end;
    }
    if (hr != CHY_S_OK) {
        char code[16];
        snprintf(code, sizeof(code), "%08x", (unsigned)hr);
        chy_conform_tell(&c, (enum chy_finding_kind)'X', code, "%s", err.text);
    }
    chy_buf_free(&text);
}

static void script_in_child(const struct chy_examination *what, int report)
{
    struct chy_conform *c = chy_calloc(1, sizeof(*c));
    if (!c) _exit(1);
    c->what = what;
    c->report = report;
    chy_conform_remember(&c->before);
    chy_conform_run(c);
}

/* ---- what the file says of itself ---- */

static void list(char *out, size_t cap, const char *const *name, size_t n, const char *but)
{
    size_t used = 0, shown = 0;
    out[0] = 0;
    for (size_t i = 0; i < n && i < CHY_ELF_MAX_NAMES && used + 1 < cap; i++) {
        if (but && strcmp(name[i], but) == 0) continue;
        if (shown++ == 8) {
            snprintf(out + used, cap - used, ", …");
            return;
        }
        int k = snprintf(out + used, cap - used, "%s%.80s", used ? ", " : "", name[i]);
        used += k > 0 ? (size_t)k : 0;
    }
}

static void find_exports(const struct hearing *h, const struct chy_elf *e)
{
    char names[700];
    if (e->n_exported == 1 && strcmp(e->exported[0], "chy_module_entry") == 0) {
        find(h, CHY_FINDING_PASSED, "exports", "chy_module_entry and nothing else");
        return;
    }
    list(names, sizeof(names), e->exported, e->n_exported, "chy_module_entry");
    find(h, CHY_FINDING_FAILED, "exports",
         "%zu symbols besides chy_module_entry, which may get in the way of others': %s; compile "
         "with -fvisibility=hidden, link C++ with -Wl,--version-script (module.map)",
         e->n_exported - 1, names);
}

static void find_linkage(const struct hearing *h, const struct chy_elf *e)
{
    char names[700];
    list(names, sizeof(names), e->needed, e->n_needed, NULL);
    find(h, CHY_FINDING_SAYS, "linkage", "needs %s", names[0] ? names : "no library");
    bool good = true;
    if (e->runpath) {
        good = false;
        find(h, e->runpath[0] == '/' ? CHY_FINDING_WARNING : CHY_FINDING_FAILED, "linkage",
             "libraries are looked for in %.200s: who can write there owns the CA; link without "
             "-rpath",
             e->runpath);
    }
    if (e->stack_exec) {
        good = false;
        find(h, CHY_FINDING_FAILED, "linkage",
             "it wants an executable stack, which chanceryd's service does not grant: link with "
             "-Wl,-z,noexecstack");
    }
    if (e->writable_code) {
        good = false;
        find(h, CHY_FINDING_FAILED, "linkage",
             "it has code to be written to, which chanceryd's service does not grant: compile with "
             "-fPIC");
    }
    if (!e->relro || !e->bind_now) {
        good = false;
        find(h, CHY_FINDING_WARNING, "linkage",
             "its table of functions stays writable: link with -Wl,-z,relro,-z,now");
    }
    if (good)
        find(h, CHY_FINDING_PASSED, "linkage",
             "no search path of its own, no executable stack, full RELRO");
}

static void look_at_file(const struct hearing *h)
{
    struct chy_buf file;
    struct chy_elf *e = chy_calloc(1, sizeof(*e));
    struct chy_err err = {0};
    chy_buf_init(&file, CHY_ELF_MAX);
    chy_hresult hr = e ? chy_file_read(h->what->path, CHY_ELF_MAX, &file, &err)
                       : chy_fail_nomem(&err, "exports");
    if (hr == CHY_S_OK) hr = chy_elf_read(chy_buf_span(&file), e, &err);
    if (hr == CHY_S_OK) {
        find_exports(h, e);
        find_linkage(h, e);
    } else {
        find(h, CHY_FINDING_FAILED, "exports", "%s", err.text);
    }
    chy_buf_free(&file);
    chy_free(e);
}

chy_hresult chy_module_examine(const struct chy_examination *what, chy_finding_fn each, void *arg,
                               struct chy_err *err)
{
    struct chy_err own = {0};
    struct hearing h = {.what = what, .each = each, .arg = arg, .err = err ? err : &own};
    chy_hresult hr = apart(&h, load_in_child, LOAD_SECONDS);
    if (hr != CHY_S_OK) return hr;
    look_at_file(&h);
    return what->load_only ? hr : apart(&h, script_in_child, SCRIPT_SECONDS + what->seconds);
}
