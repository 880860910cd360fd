/* GeneralNames: structure, encoding and text. RFC 5280 4.2.1.6. */
#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"
#include "pki/ext.h"
#include "pki/name.h"

static const uint8_t upn_oid[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3};

static chy_hresult bad(struct chy_err *err, const char *what)
{
    return chy_fail(err, CHY_CRYPT_E_ASN1_BADPDU, "GeneralNames (RFC 5280 4.2.1.6): %s", what);
}

static bool read_other(const struct chy_tlv *t, struct chy_general_name *out)
{
    struct chy_der d = chy_der_of(t->value), explicit_value;
    struct chy_tlv value;
    out->value = t->whole;
    if (!chy_der_expect(&d, CHY_DER_OID, &out->other_oid) || !chy_oid_valid(out->other_oid))
        return false;
    if (!chy_der_enter(&d, CHY_DER_CTX_C(0), &explicit_value) || !chy_der_empty(&d)) return false;
    if (!chy_der_read(&explicit_value, &value) || !chy_der_empty(&explicit_value)) return false;
    out->other_value = value.whole;
    return chy_der_strict(value.whole);
}

static bool read_directory(const struct chy_tlv *t, struct chy_general_name *out)
{
    struct chy_der d = chy_der_of(t->value);
    struct chy_tlv name;
    if (!chy_der_read(&d, &name) || !chy_der_empty(&d) || name.tag != CHY_DER_SEQUENCE)
        return false;
    out->value = name.whole;
    return true;
}

static chy_hresult read_one(struct chy_der *list, struct chy_general_name *out, struct chy_err *err)
{
    struct chy_tlv t;
    *out = (struct chy_general_name){.type = CHY_GN_OTHER};
    if (!chy_der_read(list, &t)) return bad(err, "a name is not DER");
    out->value = t.value;
    switch (t.tag) {
    case 0xa0: return read_other(&t, out) ? CHY_S_OK : bad(err, "malformed otherName");
    case 0xa4:
        out->type = CHY_GN_DIR;
        return read_directory(&t, out) ? CHY_S_OK : bad(err, "malformed directoryName");
    case 0x81: out->type = CHY_GN_EMAIL; break;
    case 0x82: out->type = CHY_GN_DNS; break;
    case 0x86: out->type = CHY_GN_URI; break;
    case 0x87: out->type = CHY_GN_IP; return CHY_S_OK;
    case 0x88:
        out->type = CHY_GN_RID;
        return chy_oid_valid(t.value) ? CHY_S_OK : bad(err, "malformed registeredID");
    case 0xa3: out->type = CHY_GN_X400; return CHY_S_OK;
    case 0xa5: out->type = CHY_GN_EDI; return CHY_S_OK;
    default: return bad(err, "a name of no known type");
    }
    return CHY_S_OK; /* which characters it may have is a matter of content */
}

chy_hresult chy_general_names_parse(struct chy_span der, struct chy_general_name *out, size_t *n,
                                    struct chy_err *err)
{
    struct chy_der top = chy_der_of(der), list;
    size_t room = *n;
    *n = 0;
    if (!chy_der_enter(&top, CHY_DER_SEQUENCE, &list) || !chy_der_empty(&top))
        return bad(err, "not one SEQUENCE");
    if (chy_der_empty(&list)) return bad(err, "no name in it");
    while (!chy_der_empty(&list)) {
        if (*n == room) return bad(err, "too many names");
        chy_hresult hr = read_one(&list, &out[*n], err);
        if (hr != CHY_S_OK) return hr;
        (*n)++;
    }
    return CHY_S_OK;
}

void chy_general_name_add(struct chy_buf *out, const struct chy_general_name *gn)
{
    size_t mark;
    switch (gn->type) {
    case CHY_GN_OTHER: chy_buf_add_span(out, gn->value); break;
    case CHY_GN_DIR:
        mark = chy_der_open(out, CHY_DER_CTX_C(4));
        chy_buf_add_span(out, gn->value);
        chy_der_close(out, mark);
        break;
    case CHY_GN_EMAIL:
    case CHY_GN_DNS:
    case CHY_GN_URI:
    case CHY_GN_IP:
    case CHY_GN_RID: chy_der_add(out, (uint8_t)(0x80u | (unsigned)gn->type), gn->value); break;
    case CHY_GN_X400:
    case CHY_GN_EDI: out->failed = true; break;
    }
}

void chy_general_name_add_upn(struct chy_buf *out, const char *upn)
{
    size_t other = chy_der_open(out, CHY_DER_CTX_C(0));
    chy_der_add(out, CHY_DER_OID, CHY_SPAN(upn_oid));
    size_t value = chy_der_open(out, CHY_DER_CTX_C(0));
    chy_der_add(out, CHY_DER_UTF8, chy_span_cstr(upn));
    chy_der_close(out, value);
    chy_der_close(out, other);
}

static void add_ip(struct chy_span v, struct chy_buf *out)
{
    char text[INET6_ADDRSTRLEN];
    bool range = v.n == 8 || v.n == 32;
    size_t half = range ? v.n / 2 : v.n;
    if (half != 4 && half != 16) { /* no address: its octets */
        chy_hex_add(out, v);
        return;
    }
    int family = half == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, v.p, text, sizeof(text))) chy_buf_add_str(out, text);
    if (range && inet_ntop(family, v.p + half, text, sizeof(text))) chy_buf_addf(out, "/%s", text);
}

static void add_directory(struct chy_span der, struct chy_buf *out)
{
    struct chy_name *name = chy_malloc(sizeof(*name));
    if (name && chy_name_parse(der, name, NULL) == CHY_S_OK) chy_name_to_text(name, out);
    chy_free(name);
}

static void add_other(const struct chy_general_name *gn, struct chy_buf *out)
{
    char oid[128];
    struct chy_der d = chy_der_of(gn->other_value);
    struct chy_span text;
    if (chy_span_eq(gn->other_oid, CHY_SPAN(upn_oid)) && chy_der_expect(&d, CHY_DER_UTF8, &text)) {
        chy_buf_add_str(out, "upn:");
        chy_buf_add_span(out, text);
        return;
    }
    chy_buf_add_str(out, "other:");
    if (chy_oid_to_text(gn->other_oid, oid, sizeof(oid))) chy_buf_add_str(out, oid);
}

void chy_general_name_to_text(const struct chy_general_name *gn, struct chy_buf *out)
{
    char oid[128];
    switch (gn->type) {
    case CHY_GN_OTHER: add_other(gn, out); return;
    case CHY_GN_IP:
        chy_buf_add_str(out, "ip:");
        add_ip(gn->value, out);
        return;
    case CHY_GN_DIR:
        chy_buf_add_str(out, "dirname:");
        add_directory(gn->value, out);
        return;
    case CHY_GN_RID:
        chy_buf_add_str(out, "rid:");
        if (chy_oid_to_text(gn->value, oid, sizeof(oid))) chy_buf_add_str(out, oid);
        return;
    case CHY_GN_EMAIL: chy_buf_add_str(out, "email:"); break;
    case CHY_GN_DNS: chy_buf_add_str(out, "dns:"); break;
    case CHY_GN_URI: chy_buf_add_str(out, "uri:"); break;
    case CHY_GN_X400:
    case CHY_GN_EDI: chy_buf_add_str(out, "unsupported:"); return;
    }
    for (size_t i = 0; i < gn->value.n; i++) {
        uint8_t c = gn->value.p[i];
        chy_buf_add_byte(out, c < 0x20 || c >= 0x7f ? '?' : c);
    }
}
