/* What a process has, before a module came and after. */
#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "module/conform.h"

/* Of a sanitizer, where one is linked in: it has a heap of its own. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

bool chy_conform_is_sanitized(void)
{
    return __sanitizer_get_current_allocated_bytes != NULL;
}

size_t chy_conform_heap(void)
{
    if (chy_conform_is_sanitized()) return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* Without a descriptor of its own: there may be none left. */
size_t chy_conform_files(void)
{
    size_t n = 0;
    for (int fd = 0; fd < CHY_CONFORM_FILES; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

size_t chy_conform_tasks(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/task");
    while (d && readdir(d))
        n++;
    if (d) closedir(d);
    return n;
}

void chy_conform_remember(struct chy_process_state *s)
{
    const char *locale = setlocale(LC_ALL, NULL);
    snprintf(s->locale, sizeof(s->locale), "%s", locale ? locale : "");
    if (!getcwd(s->folder, sizeof(s->folder))) s->folder[0] = 0;
    s->mask = umask(022);
    umask((mode_t)s->mask);
    for (int i = 1; i < CHY_CONFORM_SIGNALS; i++) {
        struct sigaction sa;
        s->handler[i] = sigaction(i, NULL, &sa) == 0 ? sa.sa_handler : SIG_DFL;
    }
}

void chy_conform_compare(struct chy_conform *c)
{
    struct chy_process_state now = {0};
    const struct chy_process_state *was = &c->before;
    const char *what = NULL;
    chy_conform_begin(c, "process");
    chy_conform_remember(&now);
    if (strcmp(now.locale, was->locale) != 0) what = "the locale (setlocale)";
    if (strcmp(now.folder, was->folder) != 0) what = "the working directory (chdir)";
    if (now.mask != was->mask) what = "the umask";
    for (int i = 1; i < CHY_CONFORM_SIGNALS; i++) {
        if (now.handler[i] != was->handler[i]) what = "what a signal does (signal, sigaction)";
    }
    if (!what)
        chy_conform_tell(c, CHY_FINDING_PASSED, "process",
                         "signals, locale, umask and working directory are as they were");
    else
        chy_conform_tell(c, CHY_FINDING_FAILED, "process",
                         "it changes %s: that belongs to the daemon; leave it alone", what);
}
