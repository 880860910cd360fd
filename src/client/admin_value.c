/* Values of extensions as DER: INTEGER, UTCTime or GeneralizedTime (RFC 5280 4.1.2.5), IA5String,
 * or what is DER already. */
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <time.h>

#include "base/text.h"
#include "client/objects.h"

static int integer_der(chy_long v, unsigned char **der)
{
    ASN1_INTEGER *i = ASN1_INTEGER_new();
    int n = i && ASN1_INTEGER_set(i, v) == 1 ? i2d_ASN1_INTEGER(i, der) : 0;
    ASN1_INTEGER_free(i);
    return n;
}

static int time_der(chy_time v, unsigned char **der)
{
    chy_time s = v / CHY_US_PER_S - (v % CHY_US_PER_S < 0);
    ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)s);
    int n = t ? i2d_ASN1_TIME(t, der) : 0;
    ASN1_TIME_free(t);
    return n;
}

static int text_der(const chy_str *v, unsigned char **der)
{
    for (size_t i = 0; i < v->n; i++) {
        if ((unsigned char)v->p[i] > 0x7f) return 0;
    }
    ASN1_IA5STRING *s = ASN1_IA5STRING_new();
    bool good = s && v->n <= INT32_MAX && ASN1_STRING_set(s, v->p, (int)v->n) == 1;
    int n = good ? i2d_ASN1_IA5STRING(s, der) : 0;
    ASN1_IA5STRING_free(s);
    return n;
}

chy_hresult chy_value_der(chy_long type, const chy_variant *v, struct chy_buf *out,
                          struct chy_err *err)
{
    unsigned char *der = NULL;
    int n = 0;
    if (type == CHY_PROPTYPE_BINARY && v->vt == CHY_VT_BYTES) {
        chy_buf_add(out, v->u.b.p, v->u.b.n);
        n = v->u.b.n > 0;
    } else if (type == CHY_PROPTYPE_LONG && v->vt == CHY_VT_LONG) {
        n = integer_der(v->u.l, &der);
    } else if (type == CHY_PROPTYPE_DATE && v->vt == CHY_VT_DATE) {
        n = time_der(v->u.t, &der);
    } else if (type == CHY_PROPTYPE_STRING && v->vt == CHY_VT_STR) {
        n = text_der(&v->u.s, &der);
    }
    if (der && n > 0) chy_buf_add(out, der, (size_t)n);
    OPENSSL_free(der);
    ERR_clear_error();
    if (n > 0) return chy_buf_done(out, "extension value", err);
    return chy_fail(err, CHY_E_INVALIDARG,
                    "extension value: type %d does not go with a variant of tag %u, or not with "
                    "what it holds",
                    type, v->vt);
}
