/* Values against what is expected of them. */
#include <string.h>

#include "base/text.h"
#include "modtest/play.h"

enum op { EQ, NE, LT, LE, GT, GE, HAS, LACKS, NO_OP };

static enum op op_of(const char *text)
{
    static const char *const names[] = {"=", "!=", "<", "<=", ">", ">=", "has", "lacks"};
    for (size_t i = 0; i < CHY_ARRAY_LEN(names); i++) {
        if (strcmp(names[i], text) == 0) return (enum op)i;
    }
    return NO_OP;
}

static bool holds(enum op op, int64_t a, int64_t b)
{
    switch (op) {
    case EQ: return a == b;
    case NE: return a != b;
    case LT: return a < b;
    case LE: return a <= b;
    case GT: return a > b;
    case GE: return a >= b;
    default: return false;
    }
}

void chy_play_show(const chy_variant *v, struct chy_buf *out)
{
    char when[32];
    switch (v->vt) {
    case CHY_VT_LONG:
    case CHY_VT_BOOL: chy_buf_addf(out, "%d", v->u.l); break;
    case CHY_VT_DATE:
        chy_time_format(when, v->u.t);
        chy_buf_add_str(out, when);
        break;
    case CHY_VT_STR: chy_buf_add(out, v->u.s.p, v->u.s.n); break;
    case CHY_VT_BYTES:
        chy_buf_add_str(out, "hex:");
        chy_hex_add(out, chy_span_of(v->u.b.p, v->u.b.n));
        break;
    case CHY_VT_STRV:
        for (size_t i = 0; i < v->u.sv.n; i++)
            chy_buf_addf(out, "%s%s", i ? " " : "", v->u.sv.v[i].p);
        break;
    default: chy_buf_add_str(out, "none"); break;
    }
}

static chy_hresult compare_text(const chy_variant *v, enum op op, const char *wanted, bool *met,
                                struct chy_err *err)
{
    struct chy_buf text;
    chy_buf_init(&text, CHY_PLAY_FILE_MAX);
    chy_play_show(v, &text);
    const char *is = chy_buf_cstr(&text);
    chy_hresult hr = chy_buf_done(&text, "value", err);
    if (hr == CHY_S_OK && (op == HAS || op == LACKS))
        *met = (strstr(is, wanted) != NULL) == (op == HAS);
    else if (hr == CHY_S_OK && (op == EQ || op == NE))
        *met = (strcmp(is, wanted) == 0) == (op == EQ);
    else if (hr == CHY_S_OK)
        hr = chy_fail(err, CHY_E_INVALIDARG, "texts are compared by =, !=, has and lacks");
    chy_buf_free(&text);
    return hr;
}

chy_hresult chy_play_compare(struct chy_play *p, const chy_variant *v,
                             const struct chy_play_line *l, size_t at, bool *met,
                             struct chy_buf *why, struct chy_err *err)
{
    int64_t n;
    chy_time t;
    if (l->n == at + 1 && strcmp(l->word[at], "none") == 0) {
        *met = v->vt == CHY_VT_EMPTY;
    } else {
        enum op op = l->n == at + 2 ? op_of(l->word[at]) : NO_OP;
        if (op == NO_OP)
            return chy_fail(err, CHY_E_INVALIDARG,
                            "behind what is expected stands none, or one of = != < <= > >= has "
                            "lacks and one value");
        const char *wanted = l->word[at + 1];
        chy_hresult hr = CHY_S_OK;
        if (v->vt == CHY_VT_EMPTY)
            *met = op == NE || op == LACKS;
        else if (v->vt == CHY_VT_LONG && chy_play_number(wanted, &n))
            *met = holds(op, v->u.l, (chy_long)(uint32_t)n);
        else if (v->vt == CHY_VT_DATE && chy_play_time(p, wanted, &t))
            *met = holds(op, v->u.t, t - t % CHY_US_PER_S);
        else
            hr = compare_text(v, op, wanted, met, err);
        if (hr != CHY_S_OK) return hr;
    }
    if (!*met) {
        chy_buf_add_str(why, "it is ");
        chy_play_show(v, why);
    }
    return CHY_S_OK;
}

/* ---- extensions ---- */

static const struct chy_extension *extension(const struct chy_play *p, const char *oid,
                                             struct chy_err *err)
{
    struct chy_request *r = p->request ? p->request->made : NULL;
    if (!r) chy_fail(err, CHY_E_INVALIDARG, "there is no request yet");
    return r ? chy_request_find_extension(r, oid) : NULL;
}

static bool is_in(const struct chy_extension *e)
{
    return e && !(e->flags & CHY_EXTENSION_DISABLE_FLAG);
}

static bool one_says(const struct chy_extension *e, const char *word, bool *known)
{
    *known = true;
    if (strcmp(word, "present") == 0) return is_in(e);
    if (strcmp(word, "absent") == 0) return !is_in(e);
    if (strcmp(word, "disabled") == 0) return e && !is_in(e);
    if (strcmp(word, "critical") == 0) return is_in(e) && e->flags & CHY_EXTENSION_CRITICAL_FLAG;
    if (strcmp(word, "uncritical") == 0)
        return is_in(e) && !(e->flags & CHY_EXTENSION_CRITICAL_FLAG);
    *known = false;
    return false;
}

/* expect extension OID [present|absent|disabled|critical|uncritical] [OCTETS] */
chy_hresult chy_play_expect_extension(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                      struct chy_buf *why, struct chy_err *err)
{
    const struct chy_extension *e = extension(p, l->word[2], err);
    struct chy_span octets;
    if (err->code != CHY_S_OK) return err->code;
    if (l->n < 4)
        return chy_fail(err, CHY_E_INVALIDARG,
                        "expect extension OID: present, absent, disabled, "
                        "critical, uncritical or hex:DIGITS is expected");
    *met = true;
    for (size_t i = 3; i < l->n && *met; i++) {
        bool known;
        *met = one_says(e, l->word[i], &known);
        if (known) continue;
        chy_hresult hr = chy_play_octets(p, l->word[i], &octets, err);
        if (hr != CHY_S_OK) return hr;
        *met = is_in(e) && chy_span_eq(e->value, octets);
    }
    if (*met) return CHY_S_OK;
    chy_buf_add_str(why, !e          ? "the certificate does not have it"
                         : !is_in(e) ? "it is disabled: "
                                     : "it is ");
    if (is_in(e) && e->flags & CHY_EXTENSION_CRITICAL_FLAG) chy_buf_add_str(why, "critical ");
    if (e) chy_hex_add(why, e->value);
    return CHY_S_OK;
}

/* expect [no] name KIND:VALUE…: of subjectAltName, as logs show them */
chy_hresult chy_play_expect_name(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                 struct chy_buf *why, struct chy_err *err)
{
    bool no = strcmp(l->word[1], "no") == 0;
    const struct chy_extension *e = extension(p, "2.5.29.17", err);
    size_t n = CHY_GN_MAX;
    if (err->code != CHY_S_OK) return err->code;
    struct chy_general_name *gn = chy_arena_alloc(&p->arena, sizeof(*gn) * CHY_GN_MAX);
    if (!gn) return chy_fail_nomem(err, "names");
    if (!is_in(e)) n = 0;
    if (n && chy_general_names_parse(e->value, gn, &n, err) != CHY_S_OK) return err->code;
    struct chy_buf text;
    chy_buf_init(&text, 256 << 10);
    for (size_t i = 0; i < n; i++) {
        chy_buf_add_byte(&text, ' ');
        chy_general_name_to_text(&gn[i], &text);
    }
    chy_buf_add_byte(&text, ' ');
    const char *all = chy_buf_cstr(&text);
    *met = all != NULL;
    for (size_t i = 2 + no; i < l->n && *met; i++) {
        const char *one = chy_arena_printf(&p->arena, " %s ", l->word[i]);
        *met = one && (strstr(all, one) != NULL) == !no;
    }
    if (!*met) chy_buf_addf(why, "the names are%s", n && all ? all : " none");
    chy_buf_free(&text);
    return CHY_S_OK;
}

/* expect [no] purpose OID… */
chy_hresult chy_play_expect_purpose(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                    struct chy_buf *why, struct chy_err *err)
{
    bool no = strcmp(l->word[1], "no") == 0;
    struct chy_span oid[64];
    size_t n = CHY_ARRAY_LEN(oid);
    const struct chy_extension *e = extension(p, "2.5.29.37", err);
    if (err->code != CHY_S_OK) return err->code;
    if (!is_in(e) || !chy_eku_parse(e->value, oid, &n)) n = 0;
    *met = true;
    chy_buf_add_str(why, "the purposes are");
    for (size_t i = 0; i < n; i++) {
        char text[CHY_EXT_OID_TEXT];
        if (chy_oid_to_text(oid[i], text, sizeof(text))) chy_buf_addf(why, " %s", text);
    }
    chy_buf_add_byte(why, ' ');
    const char *all = chy_buf_cstr(why);
    for (size_t i = 2 + no; i < l->n && *met; i++) {
        const char *one = chy_arena_printf(&p->arena, " %s ", l->word[i]);
        *met = one && all && (strstr(all, one) != NULL) == !no;
    }
    if (n == 0) chy_buf_add_str(why, "none");
    return CHY_S_OK;
}
