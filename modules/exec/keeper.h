/* The programs of one module, and the thread that starts them, hears what they say on standard
 * error and takes their ends. */
#ifndef EXEC_KEEPER_H
#define EXEC_KEEPER_H

#include "exec/settings.h"
#include "exec/wire.h"

/* One program: whoever has taken it owns its wire and group until it gives it back. */
struct program {
    struct spawned at;
    struct wire wire;
    bool greeted; /* it has answered Initialize */
    int64_t last_id;
    /* below: the keeper's, under its lock */
    bool busy, wanted, runs, of_no_use;
    unsigned failures; /* starts and ends since its last good answer */
    int64_t not_before;
    char said[1024]; /* a line of standard error that is not whole yet */
    size_t n_said;
};

struct keeper;

chy_hresult keeper_start(const chy_host *host, const char *module,
                         const struct exec_settings *settings, struct keeper **out);
/* The programs' standard input ends; those that have not ended a second later are killed. No call
 * may be under way. */
void keeper_stop(struct keeper *k);

/* A program that runs, for one call. */
chy_hresult keeper_take(struct keeper *k, int64_t deadline, struct program **out, const char **why);
/* good: the call ended as it should. One that did not costs the program its life. */
void keeper_give(struct keeper *k, struct program *p, bool good);

#endif
