/* Conditions on rows as people write them. Thread: any. */
#ifndef CHY_ADMIN_WHERE_H
#define CHY_ADMIN_WHERE_H

#include "store/store.h"

enum { CHY_WHERE_MAX = 8 };

struct chy_where {
    struct chy_filter filter[CHY_WHERE_MAX + 2];
    size_t n;
};

/* text NULL or blank: no condition. issued_only adds that there is a certificate. What comes out
 * lives in the arena. */
CHY_MUST_USE chy_hresult chy_where_parse(const char *text, bool issued_only, struct chy_arena *a,
                                         struct chy_where **out, struct chy_err *err);

#endif
