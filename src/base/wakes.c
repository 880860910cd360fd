/* Wakes put off until a batch is handed over. */
#include "base/sys.h"

enum { MOST = 4 };

static _Thread_local struct {
    bool holds;
    size_t n;
    struct {
        void (*wake)(void *arg);
        void *arg;
    } later[MOST];
} wakes;

void chy_wakes_hold(void)
{
    wakes.holds = true;
}

bool chy_wake_later(void (*wake)(void *arg), void *arg)
{
    if (!wakes.holds) return false;
    for (size_t i = 0; i < wakes.n; i++) {
        if (wakes.later[i].wake == wake && wakes.later[i].arg == arg) return true;
    }
    if (wakes.n == MOST) return false;
    wakes.later[wakes.n].wake = wake;
    wakes.later[wakes.n++].arg = arg;
    return true;
}

void chy_wakes_let_go(void)
{
    wakes.holds = false;
    for (size_t i = 0; i < wakes.n; i++)
        wakes.later[i].wake(wakes.later[i].arg);
    wakes.n = 0;
}
