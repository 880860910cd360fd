#include "pattern.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "program.h"

enum { LIST_MAX = 20000 };

static const char *make_program(const char *text, struct program **out)
{
    struct tree *t = calloc(1, sizeof *t);
    uint32_t root = 0;
    if (!t) return "needs more memory than there is";
    const char *rule = !strncasecmp(text, "re:", 3) ? tree_of_regex(t, text + 3, &root)
                                                    : tree_of_glob(t, text, &root);
    if (!rule) rule = program_make(t, root, out);
    free(t);
    return rule;
}

const char *pattern_make(const char *text, struct pattern *out)
{
    *out = (struct pattern){0};
    if (!*text) return "is empty";
    if (strlen(text) > PATTERN_TEXT_MAX) return "is longer than 512 octets";
    out->is_network = kit_network_parse(text, &out->network);
    const char *rule = out->is_network ? NULL : make_program(text, &out->program);
    if (!rule && !(out->text = strdup(text))) rule = "needs more memory than there is";
    if (rule) pattern_free(out);
    return rule;
}

void pattern_free(struct pattern *p)
{
    free(p->text);
    program_free(p->program);
    *p = (struct pattern){0};
}

bool pattern_matches(const struct pattern *p, const struct value *v)
{
    if (p->is_network) return v->ip_n && kit_network_has(&p->network, v->ip, v->ip_n);
    return program_matches(p->program, v->c, v->n);
}

const char *value_make(const char *text, size_t n, struct value *out)
{
    const char *s = text, *end = text + n;
    out->text = text;
    out->n = 0;
    out->ip_n = 0;
    if (strnlen(text, n) != n) return "has a NUL inside";
    while (s < end) {
        uint32_t c;
        if (out->n == NAME_CHARS_MAX) return "is longer than 1024 characters";
        if (!next_char(&s, end, &c)) return "is no UTF-8";
        out->c[out->n++] = to_lower(c);
    }
    if (n >= INET6_ADDRSTRLEN) return NULL;
    out->ip_n = inet_pton(AF_INET, text, out->ip) == 1    ? 4
                : inet_pton(AF_INET6, text, out->ip) == 1 ? 16
                                                          : 0;
    return NULL;
}

static bool is_exact(const char *text)
{
    struct kit_network net;
    return strncasecmp(text, "re:", 3) != 0 && !strpbrk(text, "*?[\\") &&
           !kit_network_parse(text, &net);
}

static const char *add_exact(struct patterns *l, const char *text)
{
    struct value v;
    if (strlen(text) > PATTERN_TEXT_MAX) return "is longer than 512 octets";
    const char *rule = value_make(text, strlen(text), &v);
    if (rule) return rule;
    char **more = realloc(l->exact, (l->n_exact + 1) * sizeof *more);
    if (more) l->exact = more;
    char *copy = more ? strdup(text) : NULL;
    if (!copy) return "needs more memory than there is";
    l->exact[l->n_exact++] = copy;
    return NULL;
}

const char *patterns_add(struct patterns *l, const char *text)
{
    if (l->n + l->n_exact >= LIST_MAX) return "is one of more than 20000";
    if (!*text) return "is empty";
    if (is_exact(text)) return add_exact(l, text);
    struct pattern p;
    const char *rule = pattern_make(text, &p);
    if (rule) return rule;
    struct pattern *more = realloc(l->v, (l->n + 1) * sizeof *more);
    if (!more) {
        pattern_free(&p);
        return "needs more memory than there is";
    }
    l->v = more;
    l->v[l->n++] = p;
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;
    return strcasecmp(*x, *y);
}

void patterns_sort(struct patterns *l)
{
    if (l->n_exact) qsort(l->exact, l->n_exact, sizeof *l->exact, by_text);
}

const char *patterns_find(const struct patterns *l, const struct value *v)
{
    size_t low = 0, high = l->n_exact;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcasecmp(l->exact[middle], v->text);
        if (order == 0) return l->exact[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = 0; i < l->n; i++)
        if (pattern_matches(&l->v[i], v)) return l->v[i].text;
    return NULL;
}

void patterns_free(struct patterns *l)
{
    for (size_t i = 0; i < l->n; i++)
        pattern_free(&l->v[i]);
    for (size_t i = 0; i < l->n_exact; i++)
        free(l->exact[i]);
    free(l->v);
    free(l->exact);
    *l = (struct patterns){0};
}
