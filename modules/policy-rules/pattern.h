/* What a name may look like: a glob ("*.corp.example", "web-[0-9]?.test"), a regular expression
 * ("re:web[0-9]{2}\.test"), or an address or network ("10.0.0.0/8", "2001:db8::/32").
 *
 * All of a name has to fit, ASCII letters without case, counted in characters of UTF-8. Every
 * expression becomes a program whose states are all followed at once: a match costs at most the
 * length of the name times that of the program, whatever the expression. */
#ifndef POLICY_RULES_PATTERN_H
#define POLICY_RULES_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kit/network.h"

enum { PATTERN_TEXT_MAX = 512, PROGRAM_MAX = 1024, NAME_CHARS_MAX = 1024 };

struct program;

struct pattern {
    char *text;
    bool is_network;
    struct kit_network network;
    struct program *program; /* of a network none */
};

/* A name as patterns see it. */
struct value {
    const char *text;
    uint32_t c[NAME_CHARS_MAX]; /* lower case where that is ASCII */
    size_t n;
    uint8_t ip[16]; /* where the name is an address */
    size_t ip_n;
};

/* NULL, or what is wrong with the text. */
const char *pattern_make(const char *text, struct pattern *out);
void pattern_free(struct pattern *p);
bool pattern_matches(const struct pattern *p, const struct value *v);
/* text[n] is NUL. NULL; or what is wrong: it is no UTF-8, or too long. */
const char *value_make(const char *text, size_t n, struct value *out);

/* Sorted for lists of many names: those without a wildcard are found by halves. */
struct patterns {
    struct pattern *v;
    size_t n;
    char **exact;
    size_t n_exact;
};
const char *patterns_add(struct patterns *l, const char *text);
void patterns_sort(struct patterns *l);
/* The text of the first that matches; or NULL. */
const char *patterns_find(const struct patterns *l, const struct value *v);
void patterns_free(struct patterns *l);

#endif
