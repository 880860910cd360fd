/* Recording what was decided and why, within bounds that no module can pass. */
#include "ca/evidence.h"

#include <string.h>

/* The changes are found by their number alone: they need no clearing. */
void chy_evidence_reset(struct chy_evidence *e)
{
    memset(e, 0, offsetof(struct chy_evidence, change));
    e->n_changes = 0;
}

static bool same_value(const struct chy_value *a, const struct chy_value *b)
{
    return a->form == b->form && a->flags == b->flags && a->number == b->number &&
           chy_span_eq(a->octets, b->octets);
}

static struct chy_change *newest_of(struct chy_evidence *e, enum chy_change_kind kind,
                                    struct chy_span name)
{
    for (size_t i = e->n_changes; i-- > CHY_EVIDENCE_ONE_BY_ONE;) {
        struct chy_change *c = &e->change[i];
        if (c->kind == kind && chy_span_eq(c->name, name)) return c;
    }
    return NULL;
}

void chy_evidence_change(struct chy_evidence *e, enum chy_change_kind kind, struct chy_span name,
                         const struct chy_value *before, const struct chy_value *after)
{
    if (same_value(before, after)) return;
    struct chy_change *c = newest_of(e, kind, name);
    if (c) {
        c->after = *after;
        if (c->times < UINT32_MAX) c->times++;
        e->merged++;
    } else if (e->n_changes < CHY_EVIDENCE_CHANGES) {
        e->change[e->n_changes++] = (struct chy_change){kind, 1, name, *before, *after};
    } else {
        e->lost++;
    }
}

struct chy_value chy_value_number(int64_t n)
{
    return (struct chy_value){.form = CHY_VALUE_NUMBER, .number = n};
}

struct chy_value chy_value_text(struct chy_span s)
{
    return (struct chy_value){.form = s.n ? CHY_VALUE_OCTETS : CHY_VALUE_NONE, .octets = s};
}

struct chy_value chy_value_extension(int32_t flags, struct chy_span der)
{
    return (struct chy_value){.form = CHY_VALUE_OCTETS, .flags = flags, .octets = der};
}

int64_t chy_evidence_lap(struct chy_evidence *e, int64_t now)
{
    int64_t spent = now - e->mark;
    e->mark = now;
    return spent > 0 ? spent : 0;
}
