/* What every layer shares: compiler words, borrowed spans, growable buffers, a per-request arena.
 * Thread: any (each value belongs to one thread at a time). */
#ifndef CHY_BASE_BASE_H
#define CHY_BASE_BASE_H

#include <chancery/codes.h>
#include <chancery/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CHY_MUST_USE __attribute__((warn_unused_result))
#define CHY_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Borrowed octets: valid as long as whoever lent them says. */
struct chy_span {
    const uint8_t *p;
    size_t n;
};

#define CHY_SPAN(arr) ((struct chy_span){(arr), sizeof(arr)})
#define CHY_SPAN_STR(lit) ((struct chy_span){(const uint8_t *)(lit), sizeof(lit) - 1})

static inline struct chy_span chy_span_of(const void *p, size_t n)
{
    return (struct chy_span){(const uint8_t *)p, n};
}
struct chy_span chy_span_cstr(const char *s); /* NULL gives the empty span */
bool chy_span_eq(struct chy_span a, struct chy_span b);
bool chy_span_eq_nocase(struct chy_span a, struct chy_span b); /* ASCII case only */

/* Owned octets that grow up to max. A failed append sets `failed` and every later one is a no-op,
 * so a builder checks once, at its end, with chy_buf_done. */
struct chy_buf {
    uint8_t *p;
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
    bool too_long; /* why it failed: over max, and not out of memory */
};

void chy_buf_init(struct chy_buf *b, size_t max);
void chy_buf_free(struct chy_buf *b);
void chy_buf_reset(struct chy_buf *b); /* empties, keeps the memory, clears `failed` */
bool chy_buf_reserve(struct chy_buf *b, size_t more);
void chy_buf_add(struct chy_buf *b, const void *p, size_t n);
void chy_buf_add_span(struct chy_buf *b, struct chy_span s);
void chy_buf_add_byte(struct chy_buf *b, uint8_t c);
void chy_buf_add_str(struct chy_buf *b, const char *s);
void chy_buf_addf(struct chy_buf *b, const char *fmt, ...) CHY_PRINTF(2, 3);
/* Adds a NUL that does not count in n. */
const char *chy_buf_cstr(struct chy_buf *b);
/* It failed for want of memory, not because of max. */
static inline bool chy_buf_starved(const struct chy_buf *b)
{
    return b->failed && !b->too_long;
}
CHY_MUST_USE chy_hresult chy_buf_done(const struct chy_buf *b, const char *what,
                                      struct chy_err *err);
static inline struct chy_span chy_buf_span(const struct chy_buf *b)
{
    return (struct chy_span){b->p, b->n};
}

/* A bump allocator: everything a request needs, freed at once; reset keeps the first block so that
 * a re-used arena allocates nothing. Bounded by max over all blocks. */
struct chy_arena_block;
struct chy_arena {
    struct chy_arena_block *head;
    size_t total;
    size_t max;
    bool failed, too_long; /* since the last reset: something was refused; because of max */
};

void chy_arena_init(struct chy_arena *a, size_t max);
void chy_arena_free(struct chy_arena *a);
void chy_arena_reset(struct chy_arena *a);
void *chy_arena_alloc(struct chy_arena *a, size_t n); /* zeroed, 16-aligned; NULL when over max */
char *chy_arena_strndup(struct chy_arena *a, const void *p, size_t n);
char *chy_arena_strdup(struct chy_arena *a, const char *s);
struct chy_span chy_arena_dup(struct chy_arena *a, struct chy_span s); /* {NULL,0} when over max */
char *chy_arena_printf(struct chy_arena *a, const char *fmt, ...) CHY_PRINTF(2, 3);
/* Whether all that was asked for was given: once, where nobody may go on with less. */
CHY_MUST_USE chy_hresult chy_arena_done(const struct chy_arena *a, const char *what,
                                        struct chy_err *err);

/* The malloc family, all of it behind these: NULL when memory is short. A program that runs for
 * years says so first: what was large and is free then goes back to the system. */
void chy_mem_for_years(void);
void *chy_malloc(size_t n);
void *chy_calloc(size_t n, size_t size);
void *chy_realloc(void *p, size_t n);
char *chy_strdup(const char *s);
char *chy_strndup(const char *s, size_t n);
void chy_free(void *p);

#endif
