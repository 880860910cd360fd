/* The subject of the certificate: sixteen name properties that the policy may change, and how they
 * become a Name. MS-WCCE 3.2.2.6.2.1.4 (SubjectTemplate); RFC 5280 4.1.2.6. */
#include <string.h>

#include "base/text.h"
#include "ca/ca_internal.h"

/* Without memory the arena says so at its end. */
static void append_value(struct chy_subject *s, int prop, struct chy_span text, struct chy_arena *a)
{
    struct chy_span old = s->value[prop];
    if (!old.n) {
        s->value[prop] = chy_arena_dup(a, text);
        return;
    }
    size_t n = old.n + 1 + text.n;
    char *p = chy_arena_alloc(a, n);
    if (!p) return;
    memcpy(p, old.p, old.n);
    p[old.n] = '\n';
    memcpy(p + old.n + 1, text.p, text.n);
    s->value[prop] = chy_span_of(p, n);
}

bool chy_subject_from_name(struct chy_subject *s, const struct chy_name *name, struct chy_arena *a)
{
    struct chy_buf text;
    bool starved = false;
    chy_buf_init(&text, 8192);
    for (size_t i = 0; i < name->n && !starved; i++) {
        int prop = chy_name_prop_by_oid(name->attr[i].oid);
        if (prop < 0) continue;
        chy_buf_reset(&text);
        if (chy_name_value_utf8(&name->attr[i], &text))
            append_value(s, prop, chy_buf_span(&text), a);
        starved = chy_buf_starved(&text) || a->failed;
    }
    chy_buf_free(&text);
    return !starved;
}

/* The request's own octets serve when the policy changed nothing, every attribute is one of the
 * sixteen (P6: what no policy could see is never copied) and each is in the template. */
static bool keeps_request_subject(const struct chy_request *r, const struct chy_settings *s)
{
    if (r->subject.changed) return false;
    for (size_t i = 0; i < r->csr.subject.n; i++) {
        int prop = chy_name_prop_by_oid(r->csr.subject.attr[i].oid);
        bool listed = !s || s->subject_as_requested; /* the default lists all */
        for (size_t k = 0; !listed && k < s->n_subject_order; k++)
            listed = s->subject_order[k] == prop;
        if (prop < 0 || !listed) return false;
    }
    return true;
}

static size_t count_chars(struct chy_span utf8)
{
    size_t n = 0;
    for (size_t i = 0; i < utf8.n; i++)
        n += (utf8.p[i] & 0xc0) != 0x80;
    return n;
}

static chy_hresult add_values(struct chy_buf *out, int prop, struct chy_span text, bool enforce,
                              struct chy_err *err)
{
    const struct chy_name_prop *p = &chy_name_props[prop];
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        struct chy_span one = {text.p, end ? (size_t)(end - text.p) : text.n};
        if (enforce && count_chars(one) > p->max_chars) {
            return chy_fail(err, CHY_CERTSRV_E_BAD_REQUESTSUBJECT,
                            "subject: %s has %zu characters, X.520 allows %zu", p->name,
                            count_chars(one), p->max_chars);
        }
        if (one.n) chy_name_add(out, p->oid, p->tag, one);
        size_t used = end ? one.n + 1 : one.n;
        text.p += used;
        text.n -= used;
    }
    return CHY_S_OK;
}

/* SubjectTemplate as it is where none is set (s NULL: there is no CA). */
static size_t order_of(const struct chy_settings *s, int out[CHY_NAME_PROPS])
{
    static const char *const by_default[CHY_NAME_PROPS] = {"EMail",
                                                           "CommonName",
                                                           "Title",
                                                           "GivenName",
                                                           "Initials",
                                                           "SurName",
                                                           "DeviceSerialNumber",
                                                           "UnstructuredName",
                                                           "UnstructuredAddress",
                                                           "OrgUnit",
                                                           "Organization",
                                                           "StreetAddress",
                                                           "Locality",
                                                           "State",
                                                           "DomainComponent",
                                                           "Country"};
    size_t n = s ? s->n_subject_order : CHY_NAME_PROPS;
    for (size_t i = 0; i < n; i++)
        out[i] = s ? s->subject_order[i] : chy_name_prop_find(by_default[i]);
    return n;
}

static chy_hresult rebuild(const struct chy_request *r, const struct chy_settings *s, bool enforce,
                           struct chy_buf *out, struct chy_err *err)
{
    int order[CHY_NAME_PROPS];
    chy_hresult hr = CHY_S_OK;
    size_t mark = chy_name_open(out);
    /* The template names the most specific part first; a Name is written from the root down. */
    for (size_t i = order_of(s, order); i-- > 0 && hr == CHY_S_OK;)
        hr = add_values(out, order[i], r->subject.value[order[i]], enforce, err);
    chy_name_close(out, mark);
    return hr;
}

chy_hresult chy_subject_build(struct chy_request *r, struct chy_buf *out, struct chy_err *err)
{
    struct chy_settings *s = r->ca ? chy_settings_get(r->ca) : NULL;
    bool enforce = !s || s->enforce_name_lengths;
    chy_hresult hr = CHY_S_OK;
    if (keeps_request_subject(r, s)) {
        if (enforce) hr = chy_name_check_lengths(&r->csr.subject, err);
        if (hr == CHY_S_OK) chy_buf_add_span(out, r->csr.subject.der);
    } else {
        hr = rebuild(r, s, enforce, out, err);
    }
    if (s) chy_settings_unref(s);
    return hr == CHY_S_OK ? chy_buf_done(out, "subject", err) : hr;
}
