/* The machine's clocks. CLOCK_BOOTTIME goes on while the machine sleeps: only a step of the wall
 * clock sets the two apart. */
#include <time.h>

#include "base/sys.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static chy_time wall(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_REALTIME);
}

static int64_t monotonic(void *arg)
{
    (void)arg;
    return read_clock(CLOCK_BOOTTIME);
}

const struct chy_clock chy_system_clock = {wall, monotonic, NULL};
