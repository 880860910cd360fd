/* Globs and regular expressions, read into one kind of tree. */
#include <string.h>

#include "program.h"

static const char too_long[] = "is too long";

bool node_add(struct tree *t, struct node n, uint32_t *out)
{
    if (t->n == NODES_MAX) return false;
    t->node[t->n] = n;
    *out = (uint32_t)t->n++;
    return true;
}

static bool add_both(struct tree *t, uint32_t a, uint32_t *into)
{
    if (t->node[*into].kind != NODE_EMPTY)
        return node_add(t, (struct node){.kind = NODE_BOTH, .a = *into, .b = a}, into);
    *into = a;
    return true;
}

static bool add_range(struct tree *t, uint32_t low, uint32_t high)
{
    if (t->n_range == RANGES_MAX) return false;
    t->range[t->n_range++] = (struct range){low, high};
    return true;
}

static bool is_letter(uint32_t c)
{
    return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

/* Names come in lower case: of a range, both cases of its letters are looked for. */
static bool add_folded(struct tree *t, uint32_t low, uint32_t high)
{
    uint32_t a = low < 'A' ? 'A' : low, z = high > 'Z' ? 'Z' : high;
    return add_range(t, low, high) && (a > z || add_range(t, to_lower(a), to_lower(z)));
}

static bool take(const char **s, uint32_t *c)
{
    return next_char(s, *s + strlen(*s), c);
}

/* d, w and s as everybody knows them. */
static const char *named_class(struct tree *t, uint32_t c)
{
    bool ok = false;
    if (c == 'd') ok = add_range(t, '0', '9');
    if (c == 's') ok = add_range(t, '\t', '\r') && add_range(t, ' ', ' ');
    if (c == 'w') ok = add_range(t, '0', '9') && add_range(t, 'a', 'z') && add_range(t, '_', '_');
    if (c != 'd' && c != 's' && c != 'w')
        return "has an unknown escape: \\d, \\w, \\s and marks have one";
    return ok ? NULL : too_long;
}

static const char *class_member(struct tree *t, const char **s)
{
    uint32_t low, high;
    static const char bad[] = "has a class with a range that ends before it starts";
    if (!take(s, &low)) return "has a class without its \"]\"";
    if (low == '\\') {
        if (!take(s, &low)) return "ends in a backslash";
        if (is_letter(low)) return named_class(t, low);
    }
    high = low;
    if (**s == '-' && (*s)[1] && (*s)[1] != ']') {
        (*s)++;
        if (!take(s, &high)) return "is no UTF-8";
        if (high == '\\' && !take(s, &high)) return "ends in a backslash";
    }
    if (high < low) return bad;
    return add_folded(t, low, high) ? NULL : too_long;
}

const char *parse_class(struct tree *t, const char **s, uint32_t *out)
{
    struct node n = {.kind = NODE_CLASS, .a = (uint32_t)t->n_range};
    n.negated = **s == '^' || **s == '!';
    if (n.negated) (*s)++;
    do {
        const char *rule = class_member(t, s);
        if (rule) return rule;
    } while (**s != ']');
    (*s)++;
    n.b = (uint32_t)t->n_range - n.a;
    return node_add(t, n, out) ? NULL : too_long;
}

static const char *glob_one(struct tree *t, const char **s, uint32_t *one)
{
    uint32_t c;
    struct node n = {.kind = NODE_CHAR};
    if (!take(s, &c)) return "is no UTF-8";
    if (c == '[') return parse_class(t, s, one);
    if (c == '*' || c == '?') n.kind = NODE_ANY;
    bool any = c == '*';
    if (c == '\\' && !take(s, &c)) return "ends in a backslash";
    n.a = to_lower(c);
    if (!node_add(t, n, one)) return too_long;
    n = (struct node){.kind = NODE_REPEAT, .a = *one, .max = NO_END};
    return !any || node_add(t, n, one) ? NULL : too_long;
}

const char *tree_of_glob(struct tree *t, const char *text, uint32_t *root)
{
    if (!node_add(t, (struct node){.kind = NODE_EMPTY}, root)) return too_long;
    for (const char *s = text; *s;) {
        uint32_t one;
        const char *rule = glob_one(t, &s, &one);
        if (rule) return rule;
        if (!add_both(t, one, root)) return too_long;
    }
    return NULL;
}

/* ---- regular expressions ---- */

struct regex {
    struct tree *t;
    const char *s;
    unsigned depth;
};

static const char *either(struct regex *r, uint32_t *out);

static const char *escape(struct regex *r, uint32_t *out)
{
    uint32_t c;
    if (!take(&r->s, &c)) return "ends in a backslash";
    if (!is_letter(c))
        return node_add(r->t, (struct node){.kind = NODE_CHAR, .a = c}, out) ? NULL : too_long;
    struct node n = {.kind = NODE_CLASS, .a = (uint32_t)r->t->n_range};
    n.negated = c != to_lower(c);
    const char *rule = named_class(r->t, to_lower(c));
    n.b = (uint32_t)r->t->n_range - n.a;
    return rule || node_add(r->t, n, out) ? rule : too_long;
}

static const char *group(struct regex *r, uint32_t *out)
{
    if (++r->depth > DEPTH_MAX) return "is nested too deep";
    if (!strncmp(r->s, "?:", 2)) r->s += 2;
    if (*r->s == '?') return "has a group with a \"?\": there is no looking around";
    const char *rule = either(r, out);
    if (rule) return rule;
    if (*r->s != ')') return "has a \"(\" without its \")\"";
    r->s++;
    r->depth--;
    return NULL;
}

static const char *atom(struct regex *r, uint32_t *out)
{
    uint32_t c;
    if (!take(&r->s, &c)) return "is no UTF-8";
    if (c == '(') return group(r, out);
    if (c == '[') return parse_class(r->t, &r->s, out);
    if (c == '\\') return escape(r, out);
    if (c == '*' || c == '+' || c == '?' || c == '{') return "has nothing to repeat";
    if (c == '^' || c == '$') return "has ^ or $ inside: all of a name has to fit anyway";
    struct node n = {.kind = c == '.' ? NODE_ANY : NODE_CHAR, .a = to_lower(c)};
    return node_add(r->t, n, out) ? NULL : too_long;
}

static bool small_number(const char **s, uint32_t *out)
{
    const char *start = *s;
    for (*out = 0; **s >= '0' && **s <= '9' && *out <= REPEAT_MAX; (*s)++)
        *out = *out * 10 + (uint32_t)(**s - '0');
    return *s > start && *out <= REPEAT_MAX;
}

/* {2}, {2,} or {2,5} */
static const char *braces(struct regex *r, struct node *n)
{
    static const char bad[] = "has a repetition that is none of {2}, {2,} and {2,5} up to 64";
    r->s++;
    if (!small_number(&r->s, &n->min)) return bad;
    n->max = n->min;
    if (*r->s == ',') {
        r->s++;
        n->max = NO_END;
        if (*r->s != '}' && !small_number(&r->s, &n->max)) return bad;
    }
    if (*r->s != '}' || n->max < n->min) return bad;
    r->s++;
    return NULL;
}

static const char *repeated(struct regex *r, uint32_t *out)
{
    const char *rule = atom(r, out);
    while (!rule && *r->s && strchr("*+?{", *r->s)) {
        struct node n = {.kind = NODE_REPEAT, .a = *out, .max = NO_END};
        if (*r->s == '{') {
            rule = braces(r, &n);
        } else {
            n.min = *r->s == '+';
            if (*r->s == '?') n.max = 1;
            r->s++;
        }
        if (!rule && !node_add(r->t, n, out)) rule = too_long;
    }
    return rule;
}

static const char *sequence(struct regex *r, uint32_t *out)
{
    if (!node_add(r->t, (struct node){.kind = NODE_EMPTY}, out)) return too_long;
    while (*r->s && *r->s != '|' && *r->s != ')') {
        uint32_t one;
        if (*r->s == '$' && !r->s[1] && r->depth == 0) break;
        const char *rule = repeated(r, &one);
        if (rule) return rule;
        if (!add_both(r->t, one, out)) return too_long;
    }
    return NULL;
}

static const char *either(struct regex *r, uint32_t *out)
{
    const char *rule = sequence(r, out);
    while (!rule && *r->s == '|') {
        uint32_t other;
        r->s++;
        rule = sequence(r, &other);
        struct node n = {.kind = NODE_EITHER, .a = *out, .b = other};
        if (!rule && !node_add(r->t, n, out)) rule = too_long;
    }
    return rule;
}

const char *tree_of_regex(struct tree *t, const char *text, uint32_t *root)
{
    struct regex r = {.t = t, .s = text + (*text == '^')};
    const char *rule = either(&r, root);
    if (rule) return rule;
    bool anchored = *text == '^' || *r.s == '$';
    if (anchored && t->node[*root].kind == NODE_EITHER)
        return "has ^ or $ beside \"|\": put the alternatives into ( )";
    if (*r.s == '$' && !r.s[1]) r.s++;
    return *r.s ? "has a \")\" without its \"(\"" : NULL;
}
