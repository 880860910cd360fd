/* A policy that reads ten properties and sets two, and one that does nothing: what a call costs. */
#include <chancery/easy_module.h>

static chy_hresult ready(chy_task *task)
{
    (void)task;
    return CHY_S_OK;
}

#ifdef NOTHING
static chy_long verify(chy_task *task)
{
    (void)task;
    return CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE("bench-nothing", "BenchNothing.Policy", "1.0", "Says yes", char, ready, verify);
#else
static const struct {
    const char *name;
    chy_long type;
    int of_request;
} ten[] = {
    {"RequestID", CHY_PROPTYPE_LONG, 1},       {"RawRequest", CHY_PROPTYPE_BINARY, 1},
    {"RequesterName", CHY_PROPTYPE_STRING, 1}, {"SubmittedWhen", CHY_PROPTYPE_DATE, 1},
    {"CommonName", CHY_PROPTYPE_STRING, 1},    {"CommonName", CHY_PROPTYPE_STRING, 0},
    {"NotBefore", CHY_PROPTYPE_DATE, 0},       {"NotAfter", CHY_PROPTYPE_DATE, 0},
    {"PublicKeyLength", CHY_PROPTYPE_LONG, 0}, {"RawPublicKey", CHY_PROPTYPE_BINARY, 0},
};

static chy_long verify(chy_task *task)
{
    static uint8_t usage[] = {0x03, 0x02, 0x05, 0xa0};
    const chy_server_policy *s = &task->policy;
    chy_variant v = chy_variant_empty(), set = chy_variant_empty();
    chy_time end = 0;
    for (size_t i = 0; i < sizeof ten / sizeof ten[0]; i++) {
        chy_hresult hr =
            ten[i].of_request
                ? s->vt->get_request_property(s->self, ten[i].name, ten[i].type, &v)
                : s->vt->get_certificate_property(s->self, ten[i].name, ten[i].type, &v);
        if (hr != CHY_S_OK) return hr;
        if (i == 7) end = v.u.t;
        task->host->vt->variant_clear(&v);
    }
    set.vt = CHY_VT_DATE;
    set.u.t = end - 1000000;
    chy_hresult hr = s->vt->set_certificate_property(s->self, "NotAfter", CHY_PROPTYPE_DATE, &set);
    if (hr != CHY_S_OK) return hr;
    set.vt = CHY_VT_BYTES;
    set.u.b.p = usage;
    set.u.b.n = sizeof usage;
    hr = s->vt->set_certificate_extension(s->self, "2.5.29.15", CHY_PROPTYPE_BINARY, 0, &set);
    return hr == CHY_S_OK ? CHY_VR_INSTANT_OK : hr;
}

CHY_POLICY_MODULE("bench-ten-two", "BenchTenTwo.Policy", "1.0", "Reads ten, sets two", char, ready,
                  verify);
#endif
