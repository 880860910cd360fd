#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mail.h"

enum { VALUE_MAX = 2000, TITLE_VALUE_MAX = 200 };

/* The length of the well-formed UTF-8 character at p (RFC 3629 4), 0 if there is none. */
static size_t utf8_length(const unsigned char *p, size_t n, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80   ? 1
                 : p[0] < 0xc2 ? 0
                 : p[0] < 0xe0 ? 2
                 : p[0] < 0xf0 ? 3
                 : p[0] < 0xf5 ? 4
                               : 0;
    if (!len || len > n) return 0;
    *c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        *c = *c << 6 | (p[i] & 0x3f);
    }
    bool surrogate = *c >= 0xd800 && *c < 0xe000;
    return *c < least[len] || surrogate || *c > 0x10ffff ? 0 : len;
}

/* Control characters, line ends of Unicode, and those that turn the direction of what follows
 * (UAX #9): a subject of a certificate must not change how a mail reads. */
static bool is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200e && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void text_add_clean(struct kit_text *out, const char *s, size_t n, size_t max)
{
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        size_t len = utf8_length((const unsigned char *)s + i, n - i, &c);
        if (i + len > max) {
            kit_add_str(out, "\xe2\x80\xa6"); /* U+2026, an ellipsis */
            return;
        }
        if (!len || is_harmful(c))
            kit_add(out, "?", 1);
        else
            kit_add(out, s + i, len);
        i += len ? len : 1;
    }
}

void text_add_time(struct kit_text *out, chy_time t)
{
    char text[CHY_TIME_TEXT];
    chy_time_text(t, text);
    if (strlen(text) < 19) return;
    kit_addf(out, "%.10s %.8s UTC", text, text + 11);
}

const char *format_check(const char *format, size_t n_args)
{
    for (const char *p = format; (p = strchr(p, '%')) != NULL;) {
        size_t n = strspn(++p, "0123456789");
        unsigned number = 0;
        if (*p == '%') {
            p++;
            continue;
        }
        for (size_t i = 0; i < n && i < 3; i++)
            number = number * 10 + (unsigned)(p[i] - '0');
        if (!n || n > 2 || !number)
            return "has a % before what is neither a number from 1 to 99 nor %";
        if (number > n_args) return "has a number behind % for which there is no argument";
        p += n;
    }
    return NULL;
}

void format_add(struct kit_text *out, const char *format, const struct words *args, value_fn value,
                void *from, bool one_line)
{
    for (const char *p = format; *p;) {
        size_t plain = strcspn(p, "%"), number = 0;
        kit_add(out, p, plain);
        p += plain;
        if (!*p++) return;
        if (*p == '%') {
            kit_add(out, p++, 1);
            continue;
        }
        while (*p >= '0' && *p <= '9' && number < 100)
            number = number * 10 + (size_t)(*p++ - '0');
        bool there = number && number <= args->n && value(from, args->v[number - 1], one_line, out);
        if (!there) kit_add_str(out, "???"); /* as the SMTP exit module of AD CS prints it */
    }
}

static bool add_text(const chy_variant *v, bool one_line, struct kit_text *out)
{
    text_add_clean(out, v->u.s.p, v->u.s.n, one_line ? TITLE_VALUE_MAX : VALUE_MAX);
    return v->u.s.n > 0;
}

static bool add_long(const char *name, chy_long v, struct kit_text *out)
{
    /* RFC 5280 5.3.1 */
    static const char *const reason[] = {
        "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
        "superseded",    "cessationOfOperation", "certificateHold", NULL,
        "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};
    bool is_reason = strcasecmp(name, "RevokedReason") == 0;
    if (is_reason && v >= 0 && v <= 10 && reason[v])
        kit_addf(out, "%d (%s)", (int)v, reason[v]);
    else if (strcasecmp(name, "StatusCode") == 0)
        kit_addf(out, "0x%08x", (unsigned)v);
    else
        kit_addf(out, "%d", (int)v);
    return true;
}

static bool add_bytes(const char *name, const chy_bytes *b, bool one_line, struct kit_text *out)
{
    static const char *const labels[][2] = {{"RawCertificate", "CERTIFICATE"},
                                            {"RawCACertificate", "CERTIFICATE"},
                                            {"RawRequest", "CERTIFICATE REQUEST"},
                                            {"RawCRL", "X509 CRL"},
                                            {"RawDeltaCRL", "X509 CRL"}};
    const char *label = NULL;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (strcasecmp(labels[i][0], name) == 0) label = labels[i][1];
    if (one_line || !b->n || b->n > 20000) return false;
    if (label)
        kit_add_pem(out, label, b->p, b->n);
    else
        kit_add_base64(out, b->p, b->n);
    return true;
}

static bool add_variant(const char *name, const chy_variant *v, bool one_line, struct kit_text *out)
{
    size_t n = out->n;
    if (v->vt == CHY_VT_STR) return add_text(v, one_line, out);
    if (v->vt == CHY_VT_LONG || v->vt == CHY_VT_BOOL) return add_long(name, v->u.l, out);
    if (v->vt == CHY_VT_BYTES) return add_bytes(name, &v->u.b, one_line, out);
    if (v->vt == CHY_VT_DATE) text_add_time(out, v->u.t);
    return out->n > n;
}

/* The type is part of the question: each is tried until one fits. */
static bool property(chy_task *task, int of, const char *name, bool one_line, struct kit_text *out)
{
    static const chy_long types[] = {CHY_PROPTYPE_STRING, CHY_PROPTYPE_LONG, CHY_PROPTYPE_DATE,
                                     CHY_PROPTYPE_BINARY};
    const char *bare = strncasecmp(name, "Request.", 8) == 0 ? name + 8 : name;
    for (size_t i = 0; i < 4; i++) {
        chy_variant v;
        chy_hresult hr = chy_get(task, of, name, types[i], &v);
        if (hr == CHY_E_INVALIDARG || hr == CHY_DISP_E_TYPEMISMATCH) continue;
        if (CHY_FAILED(hr)) return false;
        bool there = add_variant(bare, &v, one_line, out);
        task->host->vt->variant_clear(&v);
        return there;
    }
    return false;
}

static bool attribute(chy_task *task, const char *name, bool one_line, struct kit_text *out)
{
    char text[1024];
    if (!task->context || CHY_FAILED(chy_attribute_text(task, name, "", text, sizeof text)))
        return false;
    text_add_clean(out, text, strlen(text), one_line ? TITLE_VALUE_MAX : VALUE_MAX);
    return text[0] != 0;
}

bool event_value(void *from, const char *name, bool one_line, struct kit_text *out)
{
    chy_task *task = from;
    if (strncasecmp(name, "Attribute.", 10) == 0) return attribute(task, name + 10, one_line, out);
    if (strncasecmp(name, "Request.", 8) != 0 &&
        property(task, CHY_OF_CERTIFICATE, name, one_line, out))
        return true;
    return task->context && property(task, CHY_OF_REQUEST, name, one_line, out);
}
