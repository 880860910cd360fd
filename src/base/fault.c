/* Fault points: CHANCERY_FAULT=name:N:action[,…], where action is kill, fail or sleepMS and N
 * counts passes (0: every pass). Only in builds with CHY_FAULTS. */
#include "base/sys.h"

#ifdef CHY_FAULTS

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FAULTS = 16 };

static struct {
    char name[48];
    unsigned long at;
    char action[16];
    atomic_ulong passes;
} faults[MAX_FAULTS];
static size_t n_faults;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
    const char *p = getenv("CHANCERY_FAULT");
    while (p && *p && n_faults < MAX_FAULTS) {
        int used = 0;
        if (sscanf(p, "%47[^:,]:%lu:%15[a-z0-9]%n", faults[n_faults].name, &faults[n_faults].at,
                   faults[n_faults].action, &used) == 3) {
            n_faults++;
        }
        p = strchr(p, ',');
        if (p) p++;
    }
}

static bool act(const char *action)
{
    if (strcmp(action, "kill") == 0) raise(SIGKILL);
    if (strncmp(action, "sleep", 5) == 0) usleep((useconds_t)strtoul(action + 5, NULL, 10) * 1000);
    return strcmp(action, "fail") == 0;
}

bool chy_fault_hit(const char *name)
{
    bool fail = false;
    pthread_once(&once, read_environment);
    for (size_t i = 0; i < n_faults; i++) {
        if (strcmp(faults[i].name, name) != 0) continue;
        unsigned long pass = atomic_fetch_add(&faults[i].passes, 1) + 1;
        if (!faults[i].at || faults[i].at == pass) fail = act(faults[i].action) || fail;
    }
    return fail;
}

#else
typedef int chy_no_faults_in_this_build;
#endif
