/* Any octets as a pattern of policy-rules and as the name that it looks at: what is refused is
 * told, what is taken ends in bounded time, finds itself where it has no wildcard, and where it is
 * a network agrees with a count of bits. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/base.h"

#include "../../modules/policy-rules/parse.c"
#include "../../modules/policy-rules/pattern.c"
#include "../../modules/policy-rules/program.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) abort();
}

static bool in_network(const struct kit_network *net, const struct value *v)
{
    if (v->ip_n != net->n) return false;
    for (unsigned i = 0; i < net->bits; i++)
        if ((net->address[i / 8] ^ v->ip[i / 8]) & (0x80u >> (i % 8))) return false;
    return true;
}

static void look(const char *pattern, const struct value *v)
{
    struct pattern p;
    const char *rule = pattern_make(pattern, &p);
    if (rule) {
        must(rule[0] && !p.text && !p.program);
        return;
    }
    must(p.is_network == !p.program && (!p.program || p.program->n <= PROGRAM_MAX));
    bool yes = pattern_matches(&p, v);
    if (p.is_network) must(yes == in_network(&p.network, v));
    pattern_free(&p);
}

/* A list that has the name itself finds it, whatever else is in it. */
static void list(const char *pattern, const char *name, const struct value *v)
{
    struct patterns l = {0};
    bool taken = !patterns_add(&l, pattern), exact = is_exact(name) && !patterns_add(&l, name);
    patterns_sort(&l);
    const char *found = patterns_find(&l, v);
    must(!exact || !name[0] || found);
    must(taken || exact || !found);
    patterns_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value v;
    if (size > 4096) return 0;
    char *text = strndup((const char *)data, size), *name = text;
    if (!text) return 0;
    char *pattern = strsep(&name, "\n");
    if (!name) name = pattern;
    const char *rule = value_make(name, strlen(name), &v);
    must(!rule || rule[0]);
    if (!rule) {
        must(v.n <= NAME_CHARS_MAX && v.n <= strlen(name));
        look(pattern, &v);
        list(pattern, name, &v);
    }
    free(text);
    return 0;
}
