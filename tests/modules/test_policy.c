#include <chancery/module.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One request: an RSA key, a CN, a SAN, and what the policy set. */
static struct {
    const char *cn, *template_name;
    const uint8_t *san;
    size_t san_n;
    char set[512];
} rq;
static const char *so;

static void vclear(chy_variant *v)
{
    if (v->vt == CHY_VT_STR) free(v->u.s.p);
    if (v->vt == CHY_VT_BYTES) free(v->u.b.p);
    v->vt = 0;
}
static chy_hresult str(chy_str *o, const char *s)
{
    if (!s) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    o->p = strdup(s);
    o->n = strlen(s);
    return CHY_S_OK;
}
static void hlog(void *h, chy_long s, const char *t)
{
    (void)h, (void)s, (void)t;
}
static chy_hresult get_setting(void *h, const char *n, chy_variant *o)
{
    (void)h, (void)n;
    o->vt = CHY_VT_LONG;
    o->u.l = 1;
    return CHY_S_OK;
}
static chy_hresult next_setting(void *h, const char *after, chy_str *o)
{
    (void)h;
    return after ? CHY_S_FALSE : str(o, "RequestDisposition");
}
static chy_hresult message(void *h, chy_long c, const char *t)
{
    (void)h, (void)c, (void)t;
    return CHY_S_OK;
}
static void release(void *s)
{
    (void)s;
}
static chy_hresult context(void *s, chy_long c)
{
    (void)s, (void)c;
    return CHY_S_OK;
}
static chy_hresult attr(void *s, const char *n, chy_str *o)
{
    (void)s;
    return str(o, strcmp(n, "CertificateTemplate") ? NULL : rq.template_name);
}
static chy_hresult prop(void *s, const char *n, chy_long t, chy_variant *o)
{
    (void)s;
    if (t == CHY_PROPTYPE_LONG) {
        o->vt = CHY_VT_LONG;
        o->u.l = strcmp(n, "PublicKeyLength") ? 1 : 2048;
        return CHY_S_OK;
    }
    if (t == CHY_PROPTYPE_DATE) {
        o->vt = CHY_VT_DATE;
        o->u.t = strcmp(n, "NotAfter") ? 0 : INT64_C(31536000000000);
        return CHY_S_OK;
    }
    o->vt = CHY_VT_STR;
    if (!strcmp(n, "PublicKeyAlgorithm")) return str(&o->u.s, "1.2.840.113549.1.1.1");
    return str(&o->u.s, strcmp(n, "CommonName") ? NULL : rq.cn);
}
static chy_hresult set_prop(void *s, const char *n, chy_long t, const chy_variant *v)
{
    (void)s, (void)n, (void)t, (void)v;
    return CHY_S_OK;
}
static chy_hresult ext(void *s, const char *oid, chy_long t, chy_variant *o)
{
    (void)s, (void)t;
    if (strcmp(oid, "2.5.29.17") || !rq.san) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    o->vt = CHY_VT_BYTES;
    o->u.b.p = malloc(rq.san_n);
    memcpy(o->u.b.p, rq.san, rq.san_n);
    o->u.b.n = rq.san_n;
    return CHY_S_OK;
}
static chy_hresult set_ext(void *s, const char *oid, chy_long t, chy_long f, const chy_variant *v)
{
    (void)s, (void)t, (void)f, (void)v;
    size_t n = strlen(rq.set);
    snprintf(rq.set + n, sizeof rq.set - n, "%s ", oid);
    return CHY_S_OK;
}
static const chy_server_policy_vtbl spv = {.h = {sizeof spv, CHY_ABI_VERSION, 5, 0},
                                           .release = release,
                                           .set_context = context,
                                           .get_request_attribute = attr,
                                           .get_certificate_property = prop,
                                           .set_certificate_property = set_prop,
                                           .get_certificate_extension = ext,
                                           .set_certificate_extension = set_ext};
static chy_hresult new_policy(void *h, chy_server_policy *o)
{
    (void)h;
    *o = (chy_server_policy){&spv, NULL};
    return CHY_S_OK;
}
static const chy_host_vtbl hv = {.h = {sizeof hv, CHY_ABI_VERSION, 1, 0},
                                 .alloc = malloc,
                                 .free = free,
                                 .variant_clear = vclear,
                                 .log = hlog,
                                 .new_server_policy = new_policy,
                                 .get_setting = get_setting,
                                 .next_setting = next_setting,
                                 .set_message = message};

static chy_long run(const char *name, const char *cn, const char *san, size_t n)
{
    void *lib = dlopen(so, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(lib);
    chy_module_entry_fn entry;
    void *sym = dlsym(lib, "chy_module_entry");
    memcpy(&entry, &sym, sizeof entry);
    chy_host host = {&hv, NULL};
    chy_object o;
    assert_int_equal(entry()->create(&host, "PolicyDefault.Policy", &o), 0);
    const void *t = o.vt;
    const chy_policy_vtbl *p = t;
    memset(&rq, 0, sizeof rq);
    rq.template_name = name;
    rq.cn = cn;
    rq.san = (const void *)san;
    rq.san_n = n;
    chy_long d;
    assert_int_equal(p->initialize(o.self, "c"), 0);
    assert_int_equal(p->verify_request(o.self, "c", 1, 1, 0, &d), 0);
    p->release(o.self);
    return d;
}

static void verdicts(void **s)
{
    (void)s;
    assert_int_equal(run("tls-server", "a.test",
                         "\x30\x08\x82\x06"
                         "a.test",
                         10),
                     1);
    assert_string_equal(rq.set, "2.5.29.17 2.5.29.15 2.5.29.37 ");
    assert_int_equal(run("tls-server", "a.test", NULL, 0), 1);
    assert_int_equal(run("tls-server", "evil.test",
                         "\x30\x08\x82\x06"
                         "a.test",
                         10),
                     CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    assert_int_equal(run("tls-server", "a.test",
                         "\x30\x09\x82\x06"
                         "a.test",
                         10),
                     CHY_CERTSRV_E_BAD_REQUESTSUBJECT);
    assert_int_equal(run("nope", "a.test", NULL, 0), CHY_CERTSRV_E_UNSUPPORTED_CERT_TYPE);
    assert_int_equal(run("email", "a b", NULL, 0), CHY_CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED);
    assert_int_equal(run("sub-ca", "CA", NULL, 0), CHY_VR_PENDING);
    assert_string_equal(rq.set, "2.5.29.19 2.5.29.15 ");
}

int main(int argc, char **argv)
{
    so = argc > 1 ? argv[1] : "policy-default.so";
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
