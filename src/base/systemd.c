/* What is said to systemd. Its library brings six others with it, which cost every start of every
 * program a millisecond: it is loaded where systemd is there to listen, and nowhere else. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sys.h"

static struct {
    int (*notify)(int unset_environment, const char *state);
    int (*journal)(const struct iovec *v, int n);
} systemd;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    /* ISO C has no cast from object to function pointer */
    void *notify = dlsym(library, "sd_notify"), *journal = dlsym(library, "sd_journal_sendv");
    memcpy(&systemd.notify, &notify, sizeof(notify));
    memcpy(&systemd.journal, &journal, sizeof(journal));
}

bool chy_systemd_notify(const char *state)
{
    if (!getenv("NOTIFY_SOCKET")) return false;
    pthread_once(&once, load);
    return systemd.notify && systemd.notify(0, state) > 0;
}

bool chy_systemd_journal(const struct iovec *v, int n)
{
    /* Where there is no journal sd_journal_sendv sends nothing and answers that all is well. */
    if (access("/run/systemd/journal/socket", W_OK) != 0) return false;
    pthread_once(&once, load);
    return systemd.journal && systemd.journal(v, n) == 0;
}
