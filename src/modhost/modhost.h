/* chancery-modhost: the child process in which one module runs. It is given a module's checked copy
 * and sockets to the daemon, gives up every right it does not need, and then does for the module
 * what the daemon would: the same tables over the same code, on a copy of the request.
 *
 * Threads: the main one waits for the daemon's end; each lane has one. */
#ifndef CHY_MODHOST_MODHOST_H
#define CHY_MODHOST_MODHOST_H

#include <pthread.h>

#include "ca/packed.h"
#include "module/internal.h"

struct kept_setting;

struct host {
    struct chy_lane control, side;
    pthread_mutex_t side_lock;
    struct chy_start start;
    char confined[64];
    struct chy_modules *modules;
    struct chy_instance *instance;
    pthread_mutex_t kept_lock;
    uint32_t generation; /* of the settings that are kept */
    struct kept_setting *kept;
    size_t n_kept;
};

/* One lane, and the request of the call on it. It is what the module's tables know as the request.
 */
struct guest {
    struct host *host;
    struct chy_lane lane;
    uint8_t *spare; /* what the call was read into, while the module may ask */
    size_t cap_spare;
    pthread_mutex_t lock;      /* the lane: a module may ask from threads of its own */
    struct chy_request *local; /* NULL: everything is asked for */
    uint32_t call;             /* its number */
    struct chy_buf set;        /* what was set in it */
    uint32_t n_set;
};

/* confine.c, filter.c: until it returns the process may do what it was started with. confined says
 * what holds from then on. */
CHY_MUST_USE chy_hresult confine(const struct chy_start *s, char *confined, size_t cap,
                                 struct chy_err *err);
CHY_MUST_USE bool filter_system_calls(bool network);

/* ask.c */
extern const struct chy_engine_ops host_ops;
void host_settings_are_of(struct host *h, uint32_t generation);
void guest_is_current(struct guest *g); /* on this thread; NULL: no more */

/* serve.c */
void serve(struct guest *g); /* until the daemon has gone */
CHY_MUST_USE bool guest_init(struct guest *g, struct host *h, int fd);

#endif
