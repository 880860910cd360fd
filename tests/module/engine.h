/* A small engine for the module layer: one kind of request, and a record of all that was asked. */
#ifndef TEST_MODULE_ENGINE_H
#define TEST_MODULE_ENGINE_H

#include <pthread.h>

#include "module/module.h"

struct engine {
    pthread_mutex_t lock;
    struct chy_buf record; /* a line for each question and each thing said */
    bool quiet;            /* answers without a record */
};

struct fake_extension {
    char oid[64];
    uint8_t value[64];
    size_t n;
    chy_long flags;
};

struct fake_request {
    struct engine *engine;
    char common_name[64]; /* empty: absent */
    chy_time not_after;
    chy_long general_flags;
    struct fake_extension ext[8];
    size_t n_ext;
    _Atomic int expired; /* how often the watch told of it */
};

void engine_init(struct engine *e);
void engine_fini(struct engine *e);
const char *engine_record(struct engine *e);
bool engine_heard(struct engine *e, const char *text); /* while others still speak */
void engine_forget(struct engine *e);
void fake_request_init(struct fake_request *r, struct engine *e);
void engine_expired(void *request, void *arg); /* for the watch; arg: the engine */
/* By tests that are run twice: where the modules that are opened below are to run. */
extern bool engine_in_child;
chy_hresult engine_open_policy(struct chy_modules *ms, const char *module, const char *class_name,
                               enum chy_binding binding, struct chy_instance **out,
                               struct chy_err *err);
chy_hresult engine_open_exit(struct chy_modules *ms, const char *module, const char *class_name,
                             enum chy_binding binding, struct chy_instance **out,
                             struct chy_err *err);
struct chy_modules *engine_modules(struct engine *e, const char *folder, unsigned timeout_ms);
extern const struct chy_engine_ops fake_ops;

#endif
