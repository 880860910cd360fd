/* Two decisions beside each other: the verdicts, and where both issue, the certificates. What the
 * engine itself adds is left out: it is as the CA's settings are now, whatever the candidate. */
#include <stdlib.h>
#include <string.h>

#include "ca/replay_internal.h"
#include "pki/cert.h"

/* The call came a moment before the time that was recorded. */
enum { TOLERANCE_US = 2000000 };

struct sides {
    struct chy_arena *a;
    struct chy_replay_result *r;
    struct chy_span was_packed, would_packed; /* extensions, with whose they are */
};

static void add_diff(struct sides *s, enum chy_change_kind kind, struct chy_span name,
                     struct chy_value was, struct chy_value would)
{
    if (s->r->n_diff == CHY_ARRAY_LEN(s->r->diff)) return;
    s->r->diff[s->r->n_diff++] = (struct chy_change){kind, 1, name, was, would};
}

static int32_t flags_in(struct chy_span packed, struct chy_span dotted)
{
    size_t pos = 0;
    uint32_t flags;
    struct chy_span name, value;
    while (chy_pack_next(packed, &pos, &flags, &name, &value)) {
        if (chy_span_eq(name, dotted)) return (int32_t)flags;
    }
    return 0;
}

static bool is_of_server(struct chy_span packed, struct chy_span dotted)
{
    return (flags_in(packed, dotted) & CHY_EXTENSION_ORIGIN_MASK) == CHY_EXTENSION_ORIGIN_SERVER;
}

static struct chy_value value_of(const struct chy_ext *e, struct chy_span packed,
                                 struct chy_span dotted)
{
    if (!e) return (struct chy_value){.form = CHY_VALUE_NONE};
    int32_t origin = flags_in(packed, dotted) & CHY_EXTENSION_ORIGIN_MASK;
    return chy_value_extension(origin | (e->critical ? CHY_EXTENSION_CRITICAL_FLAG : 0), e->value);
}

/* One of the two may be NULL. */
static void compare_ext(struct sides *s, const struct chy_ext *was, const struct chy_ext *would)
{
    char text[CHY_EXT_OID_TEXT];
    if (!chy_oid_to_text((was ? was : would)->oid, text, sizeof(text))) return;
    if (was && would && was->critical == would->critical && chy_span_eq(was->value, would->value))
        return;
    struct chy_span dotted = chy_span_cstr(text);
    if ((!was || is_of_server(s->was_packed, dotted)) &&
        (!would || is_of_server(s->would_packed, dotted)))
        return;
    struct chy_span name = chy_arena_dup(s->a, dotted);
    add_diff(s, CHY_CHANGE_EXTENSION, name, value_of(was, s->was_packed, dotted),
             value_of(would, s->would_packed, dotted));
}

static void compare_time(struct sides *s, const char *name, chy_time was, chy_time would)
{
    if (llabs((long long)(was - would)) <= TOLERANCE_US) return;
    add_diff(s, CHY_CHANGE_VALIDITY, chy_span_cstr(name), chy_value_number(was),
             chy_value_number(would));
}

static struct chy_span name_text(struct chy_arena *a, const struct chy_name *name)
{
    struct chy_buf b;
    chy_buf_init(&b, 64 << 10);
    chy_name_to_text(name, &b);
    struct chy_span text = chy_arena_dup(a, chy_buf_span(&b));
    chy_buf_free(&b);
    return text;
}

static void compare_certs(struct sides *s, const struct chy_cert *was, const struct chy_cert *would)
{
    if (!chy_span_eq(was->subject.der, would->subject.der))
        add_diff(s, CHY_CHANGE_SUBJECT, CHY_SPAN_STR("Subject"),
                 chy_value_text(name_text(s->a, &was->subject)),
                 chy_value_text(name_text(s->a, &would->subject)));
    compare_time(s, "NotBefore", was->not_before, would->not_before);
    compare_time(s, "NotAfter", was->not_after, would->not_after);
    for (size_t i = 0; i < was->n_ext; i++)
        compare_ext(s, &was->ext[i], chy_cert_find_ext(would, was->ext[i].oid));
    for (size_t i = 0; i < would->n_ext; i++) {
        if (!chy_cert_find_ext(was, would->ext[i].oid)) compare_ext(s, NULL, &would->ext[i]);
    }
}

void chy_replay_compare(const struct chy_row *row, struct chy_span extensions, struct chy_span tbs,
                        struct chy_arena *a, struct chy_replay_result *r)
{
    struct sides s = {a, r, row->extensions, extensions};
    r->n_diff = 0;
    r->outcome = CHY_REPLAY_DIFFERENT;
    if (r->was.disposition != r->would.disposition) return;
    if (r->was.disposition != CHY_DB_DISP_ISSUED || !row->raw_certificate.n) {
        r->outcome = CHY_REPLAY_SAME;
        return;
    }
    struct chy_cert *was = chy_arena_alloc(a, sizeof(*was));
    struct chy_cert *would = chy_arena_alloc(a, sizeof(*would));
    bool readable = was && would && chy_cert_parse(row->raw_certificate, was, NULL) == CHY_S_OK &&
                    chy_cert_parse_tbs(tbs, would, NULL) == CHY_S_OK;
    if (!readable) {
        r->outcome = CHY_REPLAY_SKIPPED;
        r->why = "one of the certificates cannot be read";
        return;
    }
    compare_certs(&s, was, would);
    if (!r->n_diff) r->outcome = CHY_REPLAY_SAME;
}
