/* An exit module whose work a program does. */
#include <chancery/easy.h>

#include "exec/exec.h"

struct state {
    struct exec *exec;
};

static chy_hresult init(chy_task *task, chy_long *events)
{
    struct state *s = task->state;
    return exec_start(task->host, "exit-exec", &s->exec, events);
}

static chy_hresult notify(chy_task *task, chy_long event)
{
    struct state *s = task->state;
    return exec_notify(s->exec, task, event);
}

static void done(const chy_host *host, void *state)
{
    struct state *s = state;
    (void)host;
    exec_stop(s->exec);
}

CHY_EXIT_MODULE_DONE("exit-exec", "ExitExec.Exit", CHY_VERSION,
                     "Chancery bridge: a program hears of certificates", struct state, init, notify,
                     done);
