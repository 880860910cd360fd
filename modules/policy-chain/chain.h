/* What the files of the policy chain share: the libraries of the members, the members, the chain.
 */
#ifndef POLICY_CHAIN_CHAIN_H
#define POLICY_CHAIN_CHAIN_H

#include <chancery/easy_module.h>
#include <pthread.h>
#include <stdbool.h>

enum { MEMBERS_MAX = 16, WHY_SIZE = 512 };

/* Why something is refused, for the log. */
struct why {
    char text[WHY_SIZE];
};
/* Answers with code. */
chy_hresult refuse(struct why *why, chy_hresult code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A mapped file, for ever. */
struct library {
    const chy_module_info *info;
    char sha256[65];
};
/* name: one in the folder that the chain was loaded from, or an absolute path. */
chy_hresult library_load(const char *name, const struct library **out, struct why *why);
/* NULL, or what is wrong with the descriptor. */
const char *descriptor_wrong(const chy_module_info *info, struct why *buffer);
/* What is wrong with an object's table; late: it has to be called by name. */
enum binding { BINDING_AUTO, BINDING_DIRECT, BINDING_LATE };
const char *policy_table_wrong(const chy_object *o, enum binding binding, bool *late,
                               struct why *buffer);
const char *manage_table_wrong(const chy_object *o, bool *late, struct why *buffer);
/* Gives an object back as far as its table can be believed. */
void object_discard(const chy_object *o);

struct chain;

struct member {
    struct chain *chain;
    size_t index;
    const struct library *library;
    const char *name;
    chy_host_vtbl table; /* of what the member is lent: its self is the member */
    chy_host host;
    chy_object object;
    const char *class_name;
    bool late, concurrent, initialized;
    pthread_mutex_t gate; /* of a member that is not concurrent: one call at a time */
    pthread_cond_t gate_opens;
    bool occupied;
};

/* A VerifyRequest that runs, and what the members said of it. */
struct running {
    chy_long context;
    char *said[MEMBERS_MAX];
    struct running *next;
};

struct chain {
    chy_host host;
    bool up;
    enum binding binding;
    struct member *member[MEMBERS_MAX];
    size_t n;
    pthread_mutex_t lock; /* of running */
    struct running *running;
};

void say(const struct chain *c, chy_long severity, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

chy_hresult chain_start(struct chain *c, const char *config);
void chain_stop(struct chain *c);

chy_hresult member_open(struct chain *c, const struct library *lib, struct member **out,
                        struct why *why);
void member_close(struct member *m);
/* ERROR_TIMEOUT: another call held it until the deadline. */
chy_hresult member_enter(struct member *m);
void member_leave(struct member *m);
chy_hresult member_initialize(struct member *m, const char *config, struct why *why);
chy_hresult member_verify(struct member *m, const char *config, chy_long context, chy_long is_new,
                          chy_long flags, chy_long *disposition, struct why *why);
chy_hresult member_shut_down(struct member *m);

/* One call of a member's manage module. */
enum manage_verb { MANAGE_GET, MANAGE_SET, MANAGE_CONFIGURE };
struct manage_call {
    enum manage_verb verb;
    const char *config, *storage, *name;
    const chy_variant *value;
    chy_variant *out;
    chy_long flags;
};
chy_hresult member_manage(struct member *m, const struct manage_call *call);
/* By method name; a thrown error becomes its own number, and its text goes to why. */
chy_hresult late_call(const struct member *m, const chy_object *o, const char *method,
                      const chy_variant *args, uint32_t n, chy_variant *result, struct why *why);

/* What a member is lent: the chain's host, its settings from the sub-folder of its name. */
void host_of(struct member *m);
chy_hresult proxy_new(struct member *m, chy_server_policy *out);

/* What a member says joins what the others said of the same request. */
chy_hresult message_add(struct member *m, chy_long context, const char *text);
void message_begin(struct chain *c, struct running *r, chy_long context);
/* The words of the member at first stand in front, where the text may have to be cut. */
void message_tell(struct chain *c, struct running *r, size_t first);
bool message_has(struct chain *c, const struct running *r, size_t index);
void message_end(struct chain *c, struct running *r);

#endif
