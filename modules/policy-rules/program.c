#include "program.h"

#include <stdlib.h>
#include <string.h>

uint32_t to_lower(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* RFC 3629 4: nothing longer than it needs to be, no surrogates, nothing beyond U+10FFFF. */
bool next_char(const char **s, const char *end, uint32_t *out)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const uint8_t *p = (const uint8_t *)*s;
    if (*s >= end) return false;
    size_t more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
    if (p[0] > 0xf4 || (p[0] >= 0x80 && p[0] < 0xc2) || more >= (size_t)(end - *s)) return false;
    uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) return false;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return false;
    *s += more + 1;
    *out = c;
    return true;
}

struct maker {
    const struct tree *tree;
    struct step step[PROGRAM_MAX];
    size_t n, work;
    bool full;
};

/* What repeats nothing makes no steps, but takes its time all the same. */
enum { WORK_MAX = 16 * PROGRAM_MAX };

static uint32_t put(struct maker *m, enum op op, uint32_t x, uint32_t y)
{
    if (m->n == PROGRAM_MAX) {
        m->full = true;
        return 0;
    }
    m->step[m->n] = (struct step){.op = op, .x = x, .y = y};
    return (uint32_t)m->n++;
}

static void emit(struct maker *m, uint32_t at);

static void emit_either(struct maker *m, const struct node *n)
{
    uint32_t split = put(m, OP_SPLIT, 0, 0);
    m->step[split].x = (uint32_t)m->n;
    emit(m, n->a);
    uint32_t jump = put(m, OP_JUMP, 0, 0);
    m->step[split].y = (uint32_t)m->n;
    emit(m, n->b);
    m->step[jump].x = (uint32_t)m->n;
}

static void emit_maybe(struct maker *m, uint32_t node, bool again)
{
    uint32_t split = put(m, OP_SPLIT, 0, 0);
    m->step[split].x = (uint32_t)m->n;
    emit(m, node);
    if (again) put(m, OP_JUMP, split, 0);
    m->step[split].y = (uint32_t)m->n;
}

static void emit_repeat(struct maker *m, const struct node *n)
{
    for (uint32_t i = 0; i < n->min && !m->full; i++)
        emit(m, n->a);
    if (n->max == NO_END) emit_maybe(m, n->a, true);
    for (uint32_t i = n->min; n->max != NO_END && i < n->max && !m->full; i++)
        emit_maybe(m, n->a, false);
}

/* As deep as the tree is: both of its makers bound that. */
static void emit(struct maker *m, uint32_t at)
{
    const struct node *n = &m->tree->node[at];
    m->full = m->full || ++m->work > WORK_MAX;
    if (m->full) return;
    switch (n->kind) {
    case NODE_EMPTY: break;
    case NODE_CHAR: put(m, OP_CHAR, n->a, 0); break;
    case NODE_ANY: put(m, OP_ANY, 0, 0); break;
    case NODE_CLASS: {
        uint32_t step = put(m, OP_CLASS, n->a, n->b);
        if (!m->full) m->step[step].negated = n->negated;
        break;
    }
    case NODE_BOTH:
        emit(m, n->a);
        emit(m, n->b);
        break;
    case NODE_EITHER: emit_either(m, n); break;
    case NODE_REPEAT: emit_repeat(m, n); break;
    }
}

const char *program_make(const struct tree *t, uint32_t root, struct program **out)
{
    struct maker *m = calloc(1, sizeof *m);
    if (!m) return "needs more memory than there is";
    m->tree = t;
    emit(m, root);
    put(m, OP_MATCH, 0, 0);
    const char *rule = m->full ? "is too large: fewer or smaller repetitions" : NULL;
    struct program *p = NULL;
    size_t steps = m->n * sizeof *p->step, ranges = t->n_range * sizeof *p->range;
    if (!rule && !(p = calloc(1, sizeof *p + steps))) rule = "needs more memory than there is";
    if (!rule && ranges && !(p->range = malloc(ranges))) rule = "needs more memory than there is";
    if (!rule) {
        p->n = m->n;
        p->n_range = t->n_range;
        memcpy(p->step, m->step, steps);
        if (ranges) memcpy(p->range, t->range, ranges);
    }
    free(m);
    if (rule) {
        free(p);
        return rule;
    }
    *out = p;
    return NULL;
}

void program_free(struct program *p)
{
    if (p) free(p->range);
    free(p);
}

/* The states that are alive, each once. */
struct states {
    uint16_t list[PROGRAM_MAX];
    size_t n;
    uint64_t has[PROGRAM_MAX / 64];
};

static void states_clear(struct states *s, size_t steps)
{
    s->n = 0;
    memset(s->has, 0, (steps + 63) / 64 * sizeof *s->has);
}

static bool new_to(struct states *s, uint32_t at)
{
    uint64_t bit = UINT64_C(1) << (at % 64);
    bool is_new = !(s->has[at / 64] & bit);
    s->has[at / 64] |= bit;
    return is_new;
}

/* Follows what needs no character; each step is taken once, so the stack holds them all. */
static void follow(const struct program *p, struct states *s, uint32_t from)
{
    uint16_t stack[PROGRAM_MAX];
    size_t n = 0;
    if (new_to(s, from)) stack[n++] = (uint16_t)from;
    while (n) {
        uint32_t at = stack[--n];
        const struct step *step = &p->step[at];
        if (step->op != OP_SPLIT && step->op != OP_JUMP) {
            s->list[s->n++] = (uint16_t)at;
            continue;
        }
        if (new_to(s, step->x)) stack[n++] = (uint16_t)step->x;
        if (step->op == OP_SPLIT && new_to(s, step->y)) stack[n++] = (uint16_t)step->y;
    }
}

static bool takes(const struct program *p, const struct step *s, uint32_t c)
{
    if (s->op == OP_CHAR) return s->x == c;
    if (s->op != OP_CLASS) return s->op == OP_ANY;
    for (uint32_t i = s->x; i < s->x + s->y; i++)
        if (c >= p->range[i].low && c <= p->range[i].high) return !s->negated;
    return s->negated;
}

bool program_matches(const struct program *p, const uint32_t *c, size_t n)
{
    struct states a, b, *now = &a, *next = &b;
    states_clear(now, p->n);
    follow(p, now, 0);
    for (size_t i = 0; i < n && now->n; i++) {
        states_clear(next, p->n);
        for (size_t k = 0; k < now->n; k++)
            if (takes(p, &p->step[now->list[k]], c[i])) follow(p, next, now->list[k] + 1u);
        struct states *swap = now;
        now = next;
        next = swap;
    }
    for (size_t k = 0; k < now->n; k++)
        if (p->step[now->list[k]].op == OP_MATCH) return true;
    return false;
}
