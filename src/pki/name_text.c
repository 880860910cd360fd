/* Names as text: RFC 4514, most specific part first; and the slash form of OpenSSL's tools. */
#include <string.h>

#include "base/text.h"
#include "pki/name.h"

static void add_escaped(struct chy_buf *out, struct chy_span v)
{
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        bool edge_blank = c == ' ' && (i == 0 || i + 1 == v.n);
        if (c < 0x20 || c == 0x7f) {
            chy_buf_addf(out, "\\%02X", c);
            continue;
        }
        if (strchr(",+\"\\<>;", c) || edge_blank || (c == '#' && i == 0))
            chy_buf_add_byte(out, '\\');
        chy_buf_add_byte(out, c);
    }
}

static void add_attr(const struct chy_name_attr *a, struct chy_buf *out)
{
    char oid[128];
    const char *name = chy_oid_name(a->oid);
    struct chy_buf value;
    if (!name && chy_oid_to_text(a->oid, oid, sizeof(oid))) name = oid;
    chy_buf_addf(out, "%s=", name ? name : "?");
    chy_buf_init(&value, 65536);
    if (chy_name_value_utf8(a, &value)) add_escaped(out, chy_buf_span(&value));
    chy_buf_free(&value);
}

void chy_name_to_text(const struct chy_name *name, struct chy_buf *out)
{
    for (size_t end = name->n; end > 0;) {
        size_t start = end - 1;
        while (start > 0 && name->attr[start - 1].rdn == name->attr[end - 1].rdn)
            start--;
        if (end != name->n) chy_buf_add_byte(out, ',');
        for (size_t i = start; i < end; i++) {
            if (i > start) chy_buf_add_byte(out, '+');
            add_attr(&name->attr[i], out);
        }
        end = start;
    }
}

struct part {
    struct chy_span oid, value; /* into the scratch buffer's memory, by offset until the end */
    size_t oid_at, value_at;
};

static int hex_pair(const char *p)
{
    struct chy_buf b;
    int v = -1;
    if (!p[0] || !p[1]) return -1;
    chy_buf_init(&b, 2);
    if (chy_hex_decode(&b, chy_span_of(p, 2))) v = b.p[0];
    chy_buf_free(&b);
    return v;
}

static chy_hresult bad(struct chy_err *err, const char *text, const char *what)
{
    return chy_fail(err, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "subject \"%.80s\": %s", text, what);
}

/* One value up to a separator that is neither escaped nor quoted. */
static const char *read_value(const char *p, const char *separators, struct chy_buf *out)
{
    bool quoted = *p == '"';
    size_t kept = out->n; /* behind the last octet that is no trailing blank */
    if (quoted) p++;
    while (*p && (quoted ? *p != '"' : !strchr(separators, *p))) {
        if (*p == '\\') {
            int v = hex_pair(p + 1);
            if (v >= 0) {
                chy_buf_add_byte(out, (uint8_t)v);
                p += 3;
            } else if (p[1]) {
                chy_buf_add_byte(out, (uint8_t)p[1]);
                p += 2;
            } else {
                return NULL;
            }
            kept = out->n;
            continue;
        }
        if (*p != ' ' || quoted) kept = out->n + 1;
        chy_buf_add_byte(out, (uint8_t)*p++);
    }
    if (quoted) {
        if (*p++ != '"') return NULL;
        while (*p == ' ')
            p++;
        if (*p && !strchr(separators, *p)) return NULL;
    }
    out->n = kept > out->n ? out->n : kept;
    return p;
}

static const char *read_part(const char *p, const char *separators, struct part *part,
                             struct chy_buf *scratch, char *type, size_t cap)
{
    while (*p == ' ')
        p++;
    size_t n = strcspn(p, "=");
    while (n && p[n - 1] == ' ')
        n--;
    if (!n || n >= cap || !strchr(p, '=')) return NULL;
    memcpy(type, p, n);
    type[n] = 0;
    p = strchr(p, '=') + 1;
    while (*p == ' ')
        p++;
    part->oid_at = scratch->n;
    int prop = chy_name_prop_find(type);
    if (prop >= 0) {
        chy_buf_add_span(scratch, chy_name_props[prop].oid);
    } else if (!chy_oid_from_name(type, scratch)) {
        return NULL;
    }
    part->oid.n = scratch->n - part->oid_at;
    part->value_at = scratch->n;
    p = read_value(p, separators, scratch);
    part->value.n = scratch->n - part->value_at;
    return p;
}

static void write_parts(const struct part *part, size_t n, bool reverse, struct chy_buf *scratch,
                        struct chy_buf *out)
{
    size_t mark = chy_name_open(out);
    for (size_t i = 0; i < n; i++) {
        const struct part *q = &part[reverse ? n - 1 - i : i];
        struct chy_span oid = {scratch->p + q->oid_at, q->oid.n},
                        value = {scratch->p + q->value_at, q->value.n};
        int prop = chy_name_prop_by_oid(oid);
        chy_name_add(out, oid, prop >= 0 ? chy_name_props[prop].tag : CHY_DER_UTF8, value);
    }
    chy_name_close(out, mark);
}

chy_hresult chy_name_from_text(const char *text, struct chy_buf *out, struct chy_err *err)
{
    struct part part[CHY_NAME_MAX_ATTRS];
    struct chy_buf scratch;
    char type[128] = "";
    size_t n = 0;
    bool slashes = text[0] == '/';
    const char *separators = slashes ? "/" : ",;";
    const char *p = text + slashes;
    chy_hresult hr = CHY_S_OK;
    chy_buf_init(&scratch, 65536);
    while (*p && hr == CHY_S_OK) {
        if (n == CHY_NAME_MAX_ATTRS) {
            hr = bad(err, text, "more than 64 parts");
            break;
        }
        p = read_part(p, separators, &part[n], &scratch, type, sizeof(type));
        if (!p) {
            hr = bad(err, text,
                     "parts are NAME=VALUE with known names (CN, O, OU, C, … or an OID), joined by "
                     "commas");
        } else if (!part[n].value.n) {
            hr = bad(err, text, "a value is empty");
        } else if (!chy_utf8_valid(chy_span_of(scratch.p + part[n].value_at, part[n].value.n))) {
            hr = bad(err, text, "a value is not UTF-8");
        } else {
            n++;
            if (*p && !*++p) hr = bad(err, text, "it ends with a separator");
        }
    }
    if (hr == CHY_S_OK && !scratch.failed) write_parts(part, n, !slashes, &scratch, out);
    if (hr == CHY_S_OK && scratch.failed) hr = chy_buf_done(&scratch, "subject", err);
    chy_buf_free(&scratch);
    return hr == CHY_S_OK ? chy_buf_done(out, "subject", err) : hr;
}
