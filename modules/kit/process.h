/* Runs a program from inside a process of many threads: no shell, no inherited descriptors or
 * signal settings, an environment of the caller's making, and an end. */
#ifndef KIT_PROCESS_H
#define KIT_PROCESS_H

#include "kit/text.h"

struct kit_process {
    const char *const *argv;        /* NULL-ended; the first is an absolute path */
    const char *const *environment; /* NULL-ended "NAME=value"; it is the whole of it */
    int timeout_ms;                 /* then the program and what it started are killed */
    size_t output_max;              /* of standard output and error together; the rest is dropped */
    const char *folder;             /* the working directory; NULL: "/" */
};

/* How it ended. */
struct kit_ended {
    int error;    /* errno: it could not be started */
    int status;   /* exit status, where it exited by itself; else -1 */
    int signal;   /* the signal that ended it, or 0 */
    bool late;    /* it was killed because its time was over */
    bool unknown; /* somebody else took how it ended: that counts as a failure */
};

/* Waits for its end. True: it exited with status 0 in time. What it wrote is added to `output`,
 * which may be NULL. Nothing of its group of processes is left running. */
bool kit_process_run(const struct kit_process *p, struct kit_text *output, struct kit_ended *out);
/* "exited with status 3: last line", for a log: one line, cut to fit. */
void kit_process_text(const struct kit_ended *e, const struct kit_text *output, char *out,
                      size_t size);

#endif
