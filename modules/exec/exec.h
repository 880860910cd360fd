/* A long-running program that does a module's work: each call goes to it as one line of JSON, its
 * callbacks and its answer come back as lines. docs/modules/exec.md is the wire. */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include <chancery/easy.h>
#include <cjson/cJSON.h>

#include "exec/settings.h"

struct exec;

/* Reads the settings, starts the first program and lets it answer Initialize. events: what an exit
 * listens to; NULL: a policy. */
chy_hresult exec_start(const chy_host *host, const char *module, struct exec **out,
                       chy_long *events);
void exec_stop(struct exec *e);

/* One request: the disposition, or a failure of the call itself. */
chy_hresult exec_verify(const struct exec *e, chy_task *task, chy_long flags,
                        chy_long *disposition);
chy_hresult exec_notify(const struct exec *e, chy_task *task, chy_long event);

#endif
