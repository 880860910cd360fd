/* Names as text: RFC 4514, most specific part first; and the slash form of OpenSSL's tools. */
#include <string.h>

#include "base/text.h"
#include "pki/name.h"

static void add_escaped(struct chy_buf *out, struct chy_span v)
{
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];
        bool edge_blank = c == ' ' && (i == 0 || i + 1 == v.n);
        /* C1 controls too: terminals act on U+009B */
        bool c1 = (c == 0xc2 && i + 1 < v.n && v.p[i + 1] < 0xa0) ||
                  (c < 0xa0 && i > 0 && v.p[i - 1] == 0xc2);
        if (c < 0x20 || c == 0x7f || c1) {
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
    chy_buf_init(&value, 2 * a->value.n + 1);
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
    size_t oid_at, oid_n, value_at, value_n; /* in the reader's memory */
    uint8_t tag;                             /* of a value in hexadecimal; 0: by the type */
    bool joined;                             /* to the part before it, in one RDN */
};

struct reader {
    const char *p;
    bool slashes; /* "/C=DE/CN=x" */
    const char *fault;
    struct chy_buf mem;
    struct part part[CHY_NAME_MAX_ATTRS];
    size_t n;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_pair(const char *p)
{
    int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);
    return low < 0 ? -1 : high << 4 | low;
}

static bool at_end(const struct reader *r)
{
    return !*r->p || strchr(r->slashes ? "/+" : ",;+", *r->p);
}

static void skip_blanks(struct reader *r)
{
    while (*r->p == ' ')
        r->p++;
}

static bool read_escape(struct reader *r)
{
    int pair = hex_pair(++r->p);
    if (pair >= 0) {
        chy_buf_add_byte(&r->mem, (uint8_t)pair);
        r->p += 2;
        return true;
    }
    if (!*r->p || !strchr(",+\"\\<>; #=/", *r->p)) {
        r->fault = "behind \\ stands neither a special character nor two hexadecimal digits";
        return false;
    }
    chy_buf_add_byte(&r->mem, (uint8_t)*r->p++);
    return true;
}

/* RFC 2253's quotes, which RFC 4514 has dropped and people still write. */
static bool read_quoted(struct reader *r)
{
    r->p++;
    while (*r->p && *r->p != '"') {
        if (*r->p != '\\')
            chy_buf_add_byte(&r->mem, (uint8_t)*r->p++);
        else if (!read_escape(r))
            return false;
    }
    if (*r->p == '"') {
        r->p++;
        skip_blanks(r);
        if (at_end(r)) return true;
    }
    r->fault = "a value does not end with its closing quote";
    return false;
}

static bool read_plain(struct reader *r)
{
    size_t kept = r->mem.n; /* behind the last octet that is no trailing blank */
    while (!at_end(r)) {
        bool blank = *r->p == ' ';
        if (*r->p != '\\')
            chy_buf_add_byte(&r->mem, (uint8_t)*r->p++);
        else if (!read_escape(r))
            return false;
        if (!blank) kept = r->mem.n;
    }
    r->mem.n = kept;
    return true;
}

/* "#0C0161": the value's DER, which names its string type. */
static bool read_hex(struct reader *r, struct part *part)
{
    struct chy_tlv t;
    r->fault = "behind # stands not one value's DER in hexadecimal digits";
    for (r->p++; hex_pair(r->p) >= 0; r->p += 2)
        chy_buf_add_byte(&r->mem, (uint8_t)hex_pair(r->p));
    skip_blanks(r);
    struct chy_der d =
        chy_der_of(chy_span_of(r->mem.p + part->value_at, r->mem.n - part->value_at));
    if (r->mem.failed || !at_end(r) || !chy_der_read(&d, &t) || !chy_der_empty(&d)) return false;
    part->tag = t.tag;
    part->value_at = (size_t)(t.value.p - r->mem.p);
    r->fault = NULL;
    return true;
}

static bool read_type(struct reader *r, struct part *part)
{
    char type[128];
    skip_blanks(r);
    size_t n = strcspn(r->p, "="), whole = n;
    while (n && r->p[n - 1] == ' ')
        n--;
    r->fault =
        "parts are NAME=VALUE with known names (CN, O, OU, C, … or an OID), joined by commas";
    if (!n || n >= sizeof(type) || !r->p[whole]) return false;
    memcpy(type, r->p, n);
    type[n] = 0;
    part->oid_at = r->mem.n;
    int prop = chy_name_prop_find(type);
    if (prop >= 0)
        chy_buf_add_span(&r->mem, chy_name_props[prop].oid);
    else if (!chy_oid_from_name(type, &r->mem))
        return false;
    part->oid_n = r->mem.n - part->oid_at;
    r->p += whole + 1;
    r->fault = NULL;
    return true;
}

static bool read_part(struct reader *r)
{
    struct part *part = &r->part[r->n];
    if (!read_type(r, part)) return false;
    skip_blanks(r);
    part->value_at = r->mem.n;
    part->tag = 0;
    bool read = *r->p == '"' ? read_quoted(r) : *r->p == '#' ? read_hex(r, part) : read_plain(r);
    if (!read) return false;
    part->value_n = r->mem.n - part->value_at;
    if (!part->value_n)
        r->fault = "a value is empty";
    else if (!part->tag && !chy_utf8_valid(chy_span_of(r->mem.p + part->value_at, part->value_n)))
        r->fault = "a value is not UTF-8";
    r->n++;
    return !r->fault;
}

static bool read_parts(struct reader *r)
{
    bool joined = false;
    while (*r->p) {
        if (r->n == CHY_NAME_MAX_ATTRS) {
            r->fault = "more than 64 parts";
            return false;
        }
        r->part[r->n].joined = joined;
        if (!read_part(r)) return false;
        if (!*r->p) break;
        joined = *r->p++ == '+';
        if (!*r->p) r->fault = "it ends with a separator";
    }
    return !r->fault;
}

static void add_part(struct chy_buf *out, const struct reader *r, const struct part *part)
{
    struct chy_span oid = {r->mem.p + part->oid_at, part->oid_n},
                    value = {r->mem.p + part->value_at, part->value_n};
    int prop = chy_name_prop_by_oid(oid);
    uint8_t usual = prop >= 0 ? chy_name_props[prop].tag : CHY_DER_UTF8;
    chy_name_add_member(out, oid, part->tag ? part->tag : chy_name_tag_for(usual, value), value);
}

/* The members of an RDN in DER order (X.690 11.6): the smallest that is left, again and again. */
static void write_rdn(const struct reader *r, size_t from, size_t to, struct chy_buf *out)
{
    struct chy_span member[CHY_NAME_MAX_ATTRS];
    size_t end[CHY_NAME_MAX_ATTRS], n = to - from;
    struct chy_buf b;
    chy_buf_init(&b, 131072);
    for (size_t i = 0; i < n; i++) {
        add_part(&b, r, &r->part[from + i]);
        end[i] = b.n;
    }
    for (size_t i = 0; i < n; i++) {
        size_t start = i ? end[i - 1] : 0;
        member[i] = chy_span_of(b.p + start, end[i] - start);
    }
    size_t set = chy_der_open(out, CHY_DER_SET);
    for (; n && !b.failed; n--) {
        size_t least = 0;
        for (size_t i = 1; i < n; i++) {
            if (chy_der_compare(member[i], member[least]) < 0) least = i;
        }
        chy_buf_add_span(out, member[least]);
        member[least] = member[n - 1];
    }
    chy_der_close(out, set);
    out->failed = out->failed || b.failed;
    chy_buf_free(&b);
}

static void write_parts(const struct reader *r, struct chy_buf *out)
{
    size_t mark = chy_name_open(out);
    for (size_t done = 0; done < r->n;) {
        size_t from = r->slashes ? done : r->n - done - 1, to = from + 1;
        while (!r->slashes && r->part[from].joined)
            from--;
        while (r->slashes && to < r->n && r->part[to].joined)
            to++;
        write_rdn(r, from, to, out);
        done += to - from;
    }
    chy_name_close(out, mark);
}

chy_hresult chy_name_from_text(const char *text, struct chy_buf *out, struct chy_err *err)
{
    struct reader r = {.slashes = text[0] == '/'};
    struct chy_name name;
    size_t start = out->n;
    chy_hresult hr;
    r.p = text + r.slashes;
    chy_buf_init(&r.mem, 65536);
    bool read = read_parts(&r);
    if (r.mem.failed) {
        hr = chy_buf_done(&r.mem, "subject", err);
    } else if (!read) {
        hr =
            chy_fail(err, CHY_CERTSRV_E_BAD_REQUESTSUBJECT, "subject \"%.80s\": %s", text, r.fault);
    } else {
        write_parts(&r, out);
        hr = chy_buf_done(out, "subject", err);
    }
    /* What a name must be besides is the reader's to say. */
    if (hr == CHY_S_OK)
        hr = chy_name_parse(chy_span_of(out->p + start, out->n - start), &name, err);
    chy_buf_free(&r.mem);
    return hr;
}
