/* ICertRequest by name: the in parameters as declared, the retval as result. */
#include "client/objects.h"

#define VT (&chy_request_table)
#define L(i) (a[i].u.l)
#define S(i) chy_arg_text(&a[i])

static chy_bytes octets_of(const chy_variant *v)
{
    if (v->vt == CHY_VT_BYTES) return v->u.b;
    return (chy_bytes){(uint8_t *)v->u.s.p, v->u.s.n};
}

static chy_hresult i_submit(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long d = 0;
    chy_hresult hr = VT->submit(o, L(0), octets_of(&a[1]), S(2), S(3), &d);
    return chy_result_long(r, hr, d);
}
static chy_hresult i_retrieve(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long d = 0;
    chy_hresult hr = VT->retrieve_pending(o, L(0), S(1), &d);
    return chy_result_long(r, hr, d);
}
static chy_hresult i_status(void *o, const chy_variant *a, chy_variant *r)
{
    chy_hresult v = 0, hr = VT->get_last_status(o, &v);
    (void)a;
    return chy_result_long(r, hr, v);
}
static chy_hresult i_id(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long v = 0;
    chy_hresult hr = VT->get_request_id(o, &v);
    (void)a;
    return chy_result_long(r, hr, v);
}
static chy_hresult i_message(void *o, const chy_variant *a, chy_variant *r)
{
    chy_str s = {0};
    chy_hresult hr = VT->get_disposition_message(o, &s);
    (void)a;
    return chy_result_str(r, hr, s);
}
static chy_hresult i_ca_cert(void *o, const chy_variant *a, chy_variant *r)
{
    chy_bytes b = {0};
    chy_hresult hr = VT->get_ca_certificate(o, L(0), S(1), L(2), &b);
    return chy_result_bytes(r, hr, b);
}
static chy_hresult i_cert(void *o, const chy_variant *a, chy_variant *r)
{
    chy_bytes b = {0};
    chy_hresult hr = VT->get_certificate(o, L(0), &b);
    return chy_result_bytes(r, hr, b);
}
static chy_hresult i_issued(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long d = 0;
    chy_hresult hr = VT->get_issued_certificate(o, S(0), L(1), S(2), &d);
    return chy_result_long(r, hr, d);
}
static chy_hresult i_error_text(void *o, const chy_variant *a, chy_variant *r)
{
    chy_str s = {0};
    chy_hresult hr = VT->get_error_message_text(o, L(0), L(1), &s);
    return chy_result_str(r, hr, s);
}
static chy_hresult i_full_response(void *o, const chy_variant *a, chy_variant *r)
{
    return VT->get_full_response_property(o, L(0), L(1), L(2), L(3), r);
}
static chy_hresult i_credential(void *o, const chy_variant *a, chy_variant *r)
{
    (void)r;
    return VT->set_credential(o, L(0), L(1), S(2), S(3));
}
static chy_hresult i_id_string(void *o, const chy_variant *a, chy_variant *r)
{
    chy_str s = {0};
    chy_hresult hr = VT->get_request_id_string(o, &s);
    (void)a;
    return chy_result_str(r, hr, s);
}
static chy_hresult i_issued2(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long d = 0;
    chy_hresult hr = VT->get_issued_certificate2(o, S(0), S(1), S(2), &d);
    return chy_result_long(r, hr, d);
}
static chy_hresult i_refresh(void *o, const chy_variant *a, chy_variant *r)
{
    int v = 0;
    chy_hresult hr = VT->get_refresh_policy(o, &v);
    (void)a;
    chy_result_long(r, hr, v);
    if (hr == CHY_S_OK) r->vt = CHY_VT_BOOL;
    return hr;
}

static const struct chy_method methods[] = {
    {"Submit", "lbSS", i_submit},
    {"RetrievePending", "lS", i_retrieve},
    {"GetLastStatus", "", i_status},
    {"GetRequestId", "", i_id},
    {"GetDispositionMessage", "", i_message},
    {"GetCACertificate", "lSl", i_ca_cert},
    {"GetCertificate", "l", i_cert},
    {"GetIssuedCertificate", "SlS", i_issued},
    {"GetErrorMessageText", "ll", i_error_text},
    {"GetCAProperty", "Sllll", chy_invoke_ca_property},
    {"GetCAPropertyFlags", "Sl", chy_invoke_ca_property_flags},
    {"GetCAPropertyDisplayName", "Sl", chy_invoke_ca_property_name},
    {"GetFullResponseProperty", "llll", i_full_response},
    {"SetCredential", "llSS", i_credential},
    {"GetRequestIdString", "", i_id_string},
    {"GetIssuedCertificate2", "SSS", i_issued2},
    {"GetRefreshPolicy", "", i_refresh},
};

chy_hresult chy_request_invoke(void *self, const char *method, const chy_variant *args,
                               uint32_t nargs, chy_variant *result, chy_excep *excep,
                               uint32_t *bad_arg)
{
    struct chy_request_self *r = self;
    return chy_invoke(self, methods, CHY_ARRAY_LEN(methods), method, args, nargs, result, excep,
                      bad_arg, &r->err);
}
