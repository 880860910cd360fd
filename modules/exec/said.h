/* What programs say on standard error becomes lines of the log, bounded in length and number. */
#ifndef EXEC_SAID_H
#define EXEC_SAID_H

#include <chancery/module.h>
#include <stdbool.h>

struct program;

struct said {
    const chy_host *host;
    const char *module;
    int64_t window; /* the end of the ten seconds that are counted */
    unsigned lines, left_out;
};

/* False: nothing will come any more. */
bool said_read(struct said *s, struct program *p);
/* The last line, if it has no end. */
void said_end(struct said *s, struct program *p);

#endif
