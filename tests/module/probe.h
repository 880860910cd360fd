/* A module that does what the text handed to Initialize or VerifyRequest says. Words of that text:
 *   walk            every callback, each answer said aloud; then issues
 *   quick           twenty callbacks; issues when all succeeded
 *   hang MS         sleeps inside the call, then tries every callback
 *   overlap MS      sleeps, counting how many do so at once (the description tells the most)
 *   answer HR DISP  returns HR with that disposition; DISP "none": leaves it unwritten
 *   raise CODE      DISP_E_EXCEPTION with that code inside (late-bound only)
 *   wrong-type      a text where a number is due (late-bound only) */
#ifndef PROBE_H
#define PROBE_H

#include <stdatomic.h>

#include "walk.h"

struct probe {
    const chy_host *host;
    bool late;
    chy_long stale; /* the context of the call before */
    char mode[64];  /* of an exit module */
    atomic_int inside, most;
};

/* probe.c: the work, whichever way it is called */
chy_hresult probe_initialize(struct probe *p, const char *config);
chy_hresult probe_verify(struct probe *p, const char *config, chy_long context,
                         chy_long *disposition);
chy_hresult probe_notify(struct probe *p, chy_long event, chy_long context);
chy_hresult probe_describe(struct probe *p, chy_str *out);
chy_hresult probe_text(const chy_host *host, const char *s, chy_str *out);
bool probe_word(const char *text, const char *word, const char **rest);

/* tables.c */
chy_hresult probe_policy_new(const chy_host *host, bool late, uint32_t flags, bool manage,
                             chy_object *out);
chy_hresult probe_exit_new(const chy_host *host, bool late, bool manage, chy_object *out);

/* manage.c */
chy_hresult probe_manage_new(const chy_host *host, bool late, chy_object *out);

#endif
