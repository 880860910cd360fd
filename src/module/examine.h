/* A module examined without a CA: what the file says of itself, what it exports and links, and how
 * it bears a host that is not kind. Its code runs in a child process with limits and a deadline, so
 * that nothing it does reaches the caller. Thread: the caller's process has no other. */
#ifndef CHY_MODULE_EXAMINE_H
#define CHY_MODULE_EXAMINE_H

#include "module/module.h"

enum chy_finding_kind {
    CHY_FINDING_SAYS = 'I', /* a fact about the module */
    CHY_FINDING_PASSED = 'P',
    CHY_FINDING_WARNING = 'W', /* it works, and could be better */
    CHY_FINDING_FAILED = 'F',
    CHY_FINDING_SKIPPED = 'S' /* could not be tried, and why */
};

struct chy_finding {
    enum chy_finding_kind kind;
    char check[32];  /* "exports" */
    char text[1024]; /* what was found, and the remedy where there is one to be found */
};

struct chy_examination {
    const char *path;            /* absolute */
    const char *const *settings; /* NAME=VALUE, NULL-ended; NULL: none */
    unsigned calls;              /* of the long run */
    unsigned seconds;            /* for the long run at most */
    bool load_only;              /* no conformance script */
};

typedef void (*chy_finding_fn)(const struct chy_finding *f, void *arg);
/* A failure: it would not load. What it does wrong once loaded is a finding. */
CHY_MUST_USE chy_hresult chy_module_examine(const struct chy_examination *what, chy_finding_fn each,
                                            void *arg, struct chy_err *err);

#endif
