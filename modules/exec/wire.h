/* Lines in both directions, each with a deadline and a bound. */
#ifndef EXEC_WIRE_H
#define EXEC_WIRE_H

#include <chancery/module.h>
#include <cjson/cJSON.h>

enum { WIRE_LINE_MAX = 1 << 20, WIRE_DEPTH_MAX = 32, WIRE_VALUES_MAX = 20000 };

struct wire {
    int in, out, pidfd;
    char *p; /* what was read: `used` octets of it are lines that were taken */
    size_t n, used, cap;
};

/* Milliseconds that only go up. */
int64_t wire_now(void);
/* p ends with its newline. Every failure means that the program is of no more use. */
chy_hresult wire_write(struct wire *w, const char *p, size_t n, int64_t deadline, const char **why);
/* The next line as one JSON object, to be given to cJSON_Delete. */
chy_hresult wire_read(struct wire *w, int64_t deadline, cJSON **out, const char **why);
/* Gives back what an unusually long line needed. */
void wire_trim(struct wire *w);
void wire_free(struct wire *w);

/* NULL, or why the octets are no line that is believed. */
const char *wire_parse(const char *p, size_t n, cJSON **out);

#endif
