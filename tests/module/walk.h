/* Every callback, in order and out of order, with what each answers said aloud. */
#ifndef PROBE_WALK_H
#define PROBE_WALK_H

#include "face.h"

/* One line for the test: the engine hears it as the name of a setting. */
void say(const chy_host *host, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* stale: the number of a call that is over, or 0. */
void walk(const chy_host *host, struct face *f, chy_long context, chy_long stale);
/* Every callback once, with the context as it is. */
void walk_all_refused(const chy_host *host, struct face *f);
/* What the host lends beside the callbacks. */
void walk_host(const chy_host *host, chy_long context);
/* What only a late-bound caller can get wrong. */
void walk_invoke(const chy_host *host, struct face *f);
/* Twenty callbacks, as a policy makes them; 0 when each succeeded. */
int walk_quickly(const chy_host *host, struct face *f, chy_long context);

#endif
