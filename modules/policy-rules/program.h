/* Expressions as programs: states that are followed all at once (K. Thompson, 1968). */
#ifndef POLICY_RULES_PROGRAM_H
#define POLICY_RULES_PROGRAM_H

#include "pattern.h"

enum op { OP_CHAR, OP_ANY, OP_CLASS, OP_SPLIT, OP_JUMP, OP_MATCH };

struct range {
    uint32_t low, high;
};

struct step {
    enum op op;
    bool negated; /* a class: what is in none of the ranges */
    uint32_t x;   /* the character; the first range; where to go on */
    uint32_t y;   /* how many ranges; where to go on, too */
};

struct program {
    struct range *range;
    size_t n_range, n;
    struct step step[];
};

/* What an expression says, before it becomes steps. */
enum node_kind { NODE_EMPTY, NODE_CHAR, NODE_ANY, NODE_CLASS, NODE_BOTH, NODE_EITHER, NODE_REPEAT };
struct node {
    enum node_kind kind;
    bool negated;
    uint32_t a, b; /* nodes; of a class its ranges, of a character itself */
    uint32_t min, max;
};
enum { NODES_MAX = 2 * PATTERN_TEXT_MAX + 2, RANGES_MAX = PATTERN_TEXT_MAX, DEPTH_MAX = 32 };
static const uint32_t REPEAT_MAX = 64, NO_END = UINT32_MAX;

struct tree {
    struct node node[NODES_MAX];
    struct range range[RANGES_MAX];
    size_t n, n_range;
};

/* Each answers NULL, or what is wrong; root is the node that stands for all. */
const char *tree_of_glob(struct tree *t, const char *text, uint32_t *root);
const char *tree_of_regex(struct tree *t, const char *text, uint32_t *root);
const char *program_make(const struct tree *t, uint32_t root, struct program **out);
void program_free(struct program *p);
bool program_matches(const struct program *p, const uint32_t *c, size_t n);

/* One character of UTF-8 at *s, which moves on; false: there is none. */
bool next_char(const char **s, const char *end, uint32_t *out);
/* Shared by both kinds of expression: what stands behind '['. */
const char *parse_class(struct tree *t, const char **s, uint32_t *out);
bool node_add(struct tree *t, struct node n, uint32_t *out);
uint32_t to_lower(uint32_t c);

#endif
