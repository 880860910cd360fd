/* ICertAdmin by name: the in parameters as declared, the retval as result. */
#include "client/objects.h"

#define VT (&chy_admin_table)
#define L(i) (a[i].u.l)
#define S(i) chy_arg_text(&a[i])
#define T(i) chy_arg_time(&a[i])

static chy_hresult i_is_valid(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long d = 0;
    chy_hresult hr = VT->is_valid_certificate(o, S(0), S(1), &d);
    return chy_result_long(r, hr, d);
}
static chy_hresult i_reason(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long v = 0;
    chy_hresult hr = VT->get_revocation_reason(o, &v);
    (void)a;
    return chy_result_long(r, hr, v);
}
static chy_hresult i_revoke(void *o, const chy_variant *a, chy_variant *r)
{
    (void)r;
    return VT->revoke_certificate(o, S(0), S(1), L(2), T(3));
}
static chy_hresult i_attributes(void *o, const chy_variant *a, chy_variant *r)
{
    (void)r;
    return VT->set_request_attributes(o, S(0), L(1), S(2));
}
/* Automation has texts alone: octets may come as one (reference: VARIANT). */
static chy_hresult i_extension(void *o, const chy_variant *a, chy_variant *r)
{
    chy_variant value = a[5];
    (void)r;
    if ((L(3) & CHY_PROPTYPE_MASK) == CHY_PROPTYPE_BINARY && value.vt == CHY_VT_STR) {
        value = (chy_variant){.vt = CHY_VT_BYTES};
        value.u.b = (chy_bytes){(uint8_t *)a[5].u.s.p, a[5].u.s.n};
    }
    return VT->set_certificate_extension(o, S(0), L(1), S(2), L(3), L(4), &value);
}
static chy_hresult i_deny(void *o, const chy_variant *a, chy_variant *r)
{
    (void)r;
    return VT->deny_request(o, S(0), L(1));
}
static chy_hresult i_resubmit(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long d = 0;
    chy_hresult hr = VT->resubmit_request(o, S(0), L(1), &d);
    return chy_result_long(r, hr, d);
}
static chy_hresult i_publish(void *o, const chy_variant *a, chy_variant *r)
{
    (void)r;
    return VT->publish_crl(o, S(0), T(1));
}
static chy_hresult i_publish2(void *o, const chy_variant *a, chy_variant *r)
{
    (void)r;
    return VT->publish_crls(o, S(0), T(1), L(2));
}
static chy_hresult i_crl(void *o, const chy_variant *a, chy_variant *r)
{
    chy_bytes b = {0};
    chy_hresult hr = VT->get_crl(o, S(0), L(1), &b);
    return chy_result_bytes(r, hr, b);
}

static const struct chy_method methods[] = {
    {"IsValidCertificate", "Ss", i_is_valid},
    {"GetRevocationReason", "", i_reason},
    {"RevokeCertificate", "Ssld", i_revoke},
    {"SetRequestAttributes", "SlS", i_attributes},
    {"SetCertificateExtension", "Slsllv", i_extension},
    {"DenyRequest", "Sl", i_deny},
    {"ResubmitRequest", "Sl", i_resubmit},
    {"PublishCRL", "Sd", i_publish},
    {"GetCRL", "Sl", i_crl},
    {"PublishCRLs", "Sdl", i_publish2},
    {"GetCAProperty", "Sllll", chy_invoke_ca_property},
    {"GetCAPropertyFlags", "Sl", chy_invoke_ca_property_flags},
    {"GetCAPropertyDisplayName", "Sl", chy_invoke_ca_property_name},
};

chy_hresult chy_admin_invoke(void *self, const char *method, const chy_variant *args,
                             uint32_t nargs, chy_variant *result, chy_excep *excep,
                             uint32_t *bad_arg)
{
    struct chy_admin_self *a = self;
    return chy_invoke(self, methods, CHY_ARRAY_LEN(methods), method, args, nargs, result, excep,
                      bad_arg, &a->r.err);
}
