/* What a module should not do, by name; each says what came of it where it comes back. */
#ifndef SIN_H
#define SIN_H

#include <chancery/easy.h>

/* False: it does not know that one. said takes a sentence. */
int sin_commit(chy_task *task, const char *sin, char *said, size_t cap);

#endif
