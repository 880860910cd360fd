/* What an exec module is told: which program, how it runs, and what it is given. */
#ifndef EXEC_SETTINGS_H
#define EXEC_SETTINGS_H

#include <chancery/module.h>

#include "exec/spawn.h"
#include "kit/text.h"

enum { EXEC_PROGRAMS_MAX = 64 };

struct exec_settings {
    struct spawn_plan plan;
    char *folder;
    chy_long concurrency;
    chy_long events;       /* exit: EventMask; 0: what the program answers */
    struct kit_text given; /* the members of "settings", without braces */
};

/* Fails for what cannot be; the log says what. */
chy_hresult exec_settings_read(const chy_host *host, const char *module, bool is_policy,
                               struct exec_settings *out);
void exec_settings_free(struct exec_settings *s);

/* The bit of "certissued" and the like; 0: there is none. */
chy_long exec_event(const char *name);
const char *exec_event_name(chy_long bit);

#endif
