/* Names of local users, as the system has them. To ask it may take as long as the directory behind
 * it does: what it said stays good for a minute, and who must not wait has it asked on a thread of
 * its own, where nobody stands behind but others who are not known yet. Thread: any. */
#ifndef CHY_ENROL_USERS_H
#define CHY_ENROL_USERS_H

#include <limits.h>

#include "base/base.h"
#include "base/sys.h"

enum { CHY_USERS_KEPT = 32, CHY_USERS_GOOD_FOR_S = 60 };

struct chy_users;
CHY_MUST_USE chy_hresult chy_users_new(const struct chy_clock *clock, struct chy_users **out,
                                       struct chy_err *err);
void chy_users_free(struct chy_users *u); /* after chy_users_stop */
bool chy_users_knows(struct chy_users *u, uint32_t uid);
/* Calls then on that thread when the user is known, or not at all after chy_users_stop. False: it
 * was too much to ask. */
bool chy_users_learn(struct chy_users *u, uint32_t uid, void (*then)(void *arg), void *arg);
/* Nobody is called any more once it returns. A question that the system still has not answered
 * keeps nobody: its thread is left behind. */
void chy_users_stop(struct chy_users *u);
/* "uid:1000" where the system knows nobody of that number. Waits for the system, unless the name is
 * known. */
void chy_users_name(struct chy_users *u, uint32_t uid, char out[static LOGIN_NAME_MAX]);

#endif
