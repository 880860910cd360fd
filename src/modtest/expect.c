/* What is expected of the last call, of the certificate to be, of the log and of files. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sys.h"
#include "modtest/play.h"

typedef chy_hresult (*expect_fn)(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                 struct chy_buf *why, struct chy_err *err);

static void show_code(struct chy_buf *why, chy_hresult hr)
{
    chy_buf_addf(why, "0x%08x", (unsigned)hr);
    const struct chy_code_info *known = chy_code_info(hr);
    if (known->code == hr) chy_buf_addf(why, " (%s)", known->name);
}

static void show_log(struct chy_play *p, struct chy_buf *why)
{
    size_t before = why->n;
    chy_buf_add_str(why, "; it says: ");
    size_t mark = why->n;
    chy_play_log_text(p, true, why);
    if (why->n == mark) why->n = before; /* nothing */
}

static void show_said(struct chy_play *p, struct chy_buf *why)
{
    const struct chy_request *r = p->request ? p->request->made : NULL;
    if (p->call == CHY_PLAY_VERIFY && r && r->policy_message[0])
        chy_buf_addf(why, ": \"%s\"", r->policy_message);
    else if (p->said.text[0])
        chy_buf_addf(why, ": %s", p->said.text);
    else
        show_log(p, why);
}

/* Behind deny and fail may stand a code. */
static chy_hresult code_matches(const struct chy_play *p, const struct chy_play_line *l, bool *met,
                                struct chy_err *err)
{
    chy_hresult code;
    if (l->n == 2) return CHY_S_OK;
    if (l->n > 3 || !chy_play_code(l->word[2], &code))
        return chy_fail(err, CHY_E_INVALIDARG,
                        "\"%.60s\" is no code: 0x80094004 or CERTSRV_E_PROPERTY_EMPTY is one",
                        l->word[2]);
    *met = *met && p->result == code;
    return CHY_S_OK;
}

static chy_hresult expect_verdict(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                  struct chy_buf *why, struct chy_err *err)
{
    static const char *const names[] = {"fail", "pend", "issue", "deny"};
    static const char *const did[] = {"it fails with ", "it pends", "it issues", "it denies with "};
    int wanted = -1;
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], l->word[1]) == 0) wanted = i;
    }
    if (p->call != CHY_PLAY_VERIFY || wanted < 0)
        return chy_fail(err, CHY_E_INVALIDARG,
                        "expect %s: a call that it can be said of must "
                        "stand in front",
                        l->word[1]);
    *met = (int)p->verdict == wanted && !(wanted == CHY_VERDICT_ISSUE && p->refused[0]);
    chy_hresult hr = code_matches(p, l, met, err);
    if (hr != CHY_S_OK || *met) return hr;
    if (p->refused[0]) {
        chy_buf_addf(why, "it issues, but the CA would not: %s", p->refused);
        return CHY_S_OK;
    }
    chy_buf_add_str(why, did[p->verdict]);
    if (p->verdict == CHY_VERDICT_FAILED || p->verdict == CHY_VERDICT_DENIED)
        show_code(why, p->result);
    show_said(p, why);
    return CHY_S_OK;
}

static chy_hresult expect_result(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                 struct chy_buf *why, struct chy_err *err)
{
    if (p->call == CHY_PLAY_VERIFY) return expect_verdict(p, l, met, why, err);
    bool ok = strcmp(l->word[1], "ok") == 0;
    if (p->call == CHY_PLAY_NOTHING)
        return chy_fail(err, CHY_E_INVALIDARG, "expect %s: no call was made yet", l->word[1]);
    *met = CHY_FAILED(p->result) != ok;
    chy_hresult hr = ok ? CHY_S_OK : code_matches(p, l, met, err);
    if (hr != CHY_S_OK || *met) return hr;
    chy_buf_add_str(why, CHY_FAILED(p->result) ? "it answers " : "it goes well: ");
    show_code(why, p->result);
    show_said(p, why);
    return CHY_S_OK;
}

static chy_hresult compare_cstr(struct chy_play *p, const char *text, const struct chy_play_line *l,
                                size_t at, bool *met, struct chy_buf *why, struct chy_err *err)
{
    chy_variant v = {.vt = text && *text ? CHY_VT_STR : CHY_VT_EMPTY};
    v.u.s = (chy_str){(char *)(uintptr_t)text, text ? strlen(text) : 0};
    return chy_play_compare(p, &v, l, at, met, why, err);
}

static chy_hresult expect_message(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                  struct chy_buf *why, struct chy_err *err)
{
    const struct chy_request *r = p->request ? p->request->made : NULL;
    return compare_cstr(p, r ? r->policy_message : NULL, l, 2, met, why, err);
}

static chy_hresult expect_log(struct chy_play *p, const struct chy_play_line *l, bool *met,
                              struct chy_buf *why, struct chy_err *err)
{
    struct chy_buf all;
    chy_buf_init(&all, 1 << 20);
    chy_play_log_text(p, false, &all);
    const char *text = chy_buf_cstr(&all);
    chy_hresult hr = text ? compare_cstr(p, text, l, 2, met, why, err) : chy_fail_nomem(err, "log");
    chy_buf_free(&all);
    return hr;
}

/* A property of whatever type it is. */
static chy_hresult get_property(struct chy_play *p, bool of_request, const char *name,
                                chy_variant *out, struct chy_err *err)
{
    static const chy_long types[] = {CHY_PROPTYPE_STRING, CHY_PROPTYPE_LONG, CHY_PROPTYPE_DATE,
                                     CHY_PROPTYPE_BINARY};
    const struct chy_engine_ops *ops = &chy_play_ops;
    struct chy_request *r = p->request ? p->request->made : NULL;
    if (!r) return chy_fail(err, CHY_E_INVALIDARG, "there is no request yet");
    *out = (chy_variant){.vt = CHY_VT_EMPTY};
    chy_hresult hr = CHY_E_INVALIDARG;
    for (size_t i = 0; i < CHY_ARRAY_LEN(types) && hr == CHY_E_INVALIDARG; i++)
        hr = of_request ? ops->get_request_property(p, CHY_ASKER_EXIT, name, types[i], out)
                        : ops->get_certificate_property(p, CHY_ASKER_EXIT, name, types[i], out);
    return hr == CHY_E_OUTOFMEMORY ? chy_fail_nomem(err, name) : CHY_S_OK;
}

static chy_hresult expect_property(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                   struct chy_buf *why, struct chy_err *err)
{
    chy_variant v;
    if (l->n < 4) return chy_fail(err, CHY_E_INVALIDARG, "expect %s NAME OP VALUE", l->word[1]);
    chy_hresult hr = get_property(p, strcmp(l->word[1], "request") == 0, l->word[2], &v, err);
    if (hr == CHY_S_OK) hr = chy_play_compare(p, &v, l, 3, met, why, err);
    chy_variant_clear(&v);
    return hr;
}

static chy_hresult expect_manage(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                 struct chy_buf *why, struct chy_err *err)
{
    chy_variant v;
    if (!p->instance) return chy_fail(err, CHY_E_INVALIDARG, "the module was not started");
    if (l->n < 4) return chy_fail(err, CHY_E_INVALIDARG, "expect manage NAME OP VALUE");
    chy_hresult hr =
        chy_manage_get_property(p->instance, "localhost\\Play CA", l->word[2], &v, err);
    if (CHY_FAILED(hr)) return hr;
    hr = chy_play_compare(p, &v, l, 3, met, why, err);
    chy_variant_clear(&v);
    return hr;
}

static chy_hresult expect_description(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                      struct chy_buf *why, struct chy_err *err)
{
    struct chy_buf text;
    if (!p->instance) return chy_fail(err, CHY_E_INVALIDARG, "the module was not started");
    chy_buf_init(&text, 4096);
    chy_hresult hr = chy_instance_description(p->instance, &text, err);
    const char *s = chy_buf_cstr(&text);
    if (hr == CHY_S_OK) hr = compare_cstr(p, s, l, 2, met, why, err);
    chy_buf_free(&text);
    return hr;
}

static chy_hresult expect_events(struct chy_play *p, const struct chy_play_line *l, bool *met,
                                 struct chy_buf *why, struct chy_err *err)
{
    chy_long wanted = 0;
    for (size_t i = 2; i < l->n; i++) {
        chy_long bit = chy_play_event(l->word[i]);
        if (!bit)
            return chy_fail(err, CHY_E_INVALIDARG, "events: there is no \"%.40s\"", l->word[i]);
        wanted |= bit;
    }
    *met = p->events == wanted;
    if (!*met)
        chy_buf_addf(why, "its mask is 0x%x, not 0x%x", (unsigned)p->events, (unsigned)wanted);
    return CHY_S_OK;
}

/* expect file PATH absent | lines N | OP TEXT */
static chy_hresult expect_file(struct chy_play *p, const struct chy_play_line *l, bool *met,
                               struct chy_buf *why, struct chy_err *err)
{
    struct chy_buf text;
    struct stat st;
    int64_t wanted = 0, lines = 0;
    if (l->n < 4)
        return chy_fail(err, CHY_E_INVALIDARG, "expect file PATH absent, lines N, or has TEXT");
    bool there = stat(l->word[2], &st) == 0;
    if (l->n == 4 && strcmp(l->word[3], "absent") == 0) {
        *met = !there;
        if (there) chy_buf_add_str(why, "it is there");
        return CHY_S_OK;
    }
    chy_buf_init(&text, CHY_PLAY_FILE_MAX);
    chy_hresult hr = there ? chy_file_read(l->word[2], CHY_PLAY_FILE_MAX, &text, err) : CHY_S_OK;
    const char *all = chy_buf_cstr(&text);
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    if (hr == CHY_S_OK && strcmp(l->word[3], "lines") == 0 && l->n == 5 &&
        chy_play_number(l->word[4], &wanted)) {
        *met = lines == wanted;
        if (!*met) chy_buf_addf(why, "it has %lld", (long long)lines);
    } else if (hr == CHY_S_OK) {
        hr = compare_cstr(p, all, l, 3, met, why, err);
    }
    chy_buf_free(&text);
    return hr;
}

static const struct {
    const char *name;
    expect_fn fn;
} table[] = {
    {"issue", expect_verdict},
    {"pend", expect_verdict},
    {"deny", expect_verdict},
    {"fail", expect_result},
    {"ok", expect_result},
    {"message", expect_message},
    {"log", expect_log},
    {"property", expect_property},
    {"request", expect_property},
    {"extension", chy_play_expect_extension},
    {"name", chy_play_expect_name},
    {"purpose", chy_play_expect_purpose},
    {"manage", expect_manage},
    {"description", expect_description},
    {"events", expect_events},
    {"file", expect_file},
};

chy_hresult chy_play_expect(struct chy_play *p, const struct chy_play_line *l, bool *met,
                            struct chy_buf *why, struct chy_err *err)
{
    *met = false;
    if (l->n < 2) return chy_fail(err, CHY_E_INVALIDARG, "expect: what?");
    bool no = strcmp(l->word[1], "no") == 0;
    const char *what = no && l->n > 2 ? l->word[2] : l->word[1];
    for (size_t i = 0; i < CHY_ARRAY_LEN(table); i++) {
        bool negates =
            table[i].fn == chy_play_expect_name || table[i].fn == chy_play_expect_purpose;
        if (strcmp(table[i].name, what) == 0 && (!no || negates))
            return table[i].fn(p, l, met, why, err);
    }
    return chy_fail(err, CHY_E_INVALIDARG, "expect \"%.40s\": there is nothing of that name", what);
}
