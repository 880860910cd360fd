/* Two modules in one file, which say what they see: each property that has a value, as one line of
 * the log. */
#include <chancery/easy.h>
#include <stdio.h>

static const struct {
    int of;
    const char *name;
    chy_long type;
} properties[] = {
#define REQUEST(name, type)                                                                        \
    {                                                                                              \
        CHY_OF_REQUEST, name, CHY_PROPTYPE_##type                                                  \
    }
#define CERTIFICATE(name, type)                                                                    \
    {                                                                                              \
        CHY_OF_CERTIFICATE, name, CHY_PROPTYPE_##type                                              \
    }
    REQUEST("EventName", STRING),
    REQUEST("EventID", STRING),
    REQUEST("EventTime", DATE),
    REQUEST("EventAttempt", LONG),
    REQUEST("RequestID", LONG),
    REQUEST("RawRequest", BINARY),
    REQUEST("RequestAttributes", STRING),
    REQUEST("RequestType", LONG),
    REQUEST("RequestFlags", LONG),
    REQUEST("SubmittedWhen", DATE),
    REQUEST("RequesterName", STRING),
    REQUEST("CallerName", STRING),
    REQUEST("CommonName", STRING),
    REQUEST("DistinguishedName", STRING),
    REQUEST("Disposition", LONG),
    REQUEST("DispositionMessage", STRING),
    REQUEST("StatusCode", LONG),
    REQUEST("ResolvedWhen", DATE),
    REQUEST("RevokedWhen", DATE),
    REQUEST("RevokedReason", LONG),
    CERTIFICATE("CommonName", STRING),
    CERTIFICATE("NotBefore", DATE),
    CERTIFICATE("NotAfter", DATE),
    CERTIFICATE("PublicKeyAlgorithm", STRING),
    CERTIFICATE("PublicKeyLength", LONG),
    CERTIFICATE("SubjectKeyIdentifier", STRING),
    CERTIFICATE("GeneralFlags", LONG),
    CERTIFICATE("SerialNumber", STRING),
    CERTIFICATE("CertificateHash", STRING),
    CERTIFICATE("DistinguishedName", STRING),
    CERTIFICATE("RawCertificate", BINARY),
    CERTIFICATE("RequesterCAAccess", LONG),
    CERTIFICATE("CAType", LONG),
    CERTIFICATE("CertCount", LONG),
    CERTIFICATE("CertState", LONG),
    CERTIFICATE("MachineDNSName", STRING),
    CERTIFICATE("SanitizedCAName", STRING),
    CERTIFICATE("SanitizedShortName", STRING),
    CERTIFICATE("ModuleRegistryLocation", STRING),
    CERTIFICATE("ConfigurationDirectory", STRING),
    CERTIFICATE("RawCACertificate", BINARY),
};

static void say_one(chy_task *task, size_t i, const chy_variant *v)
{
    char text[600], when[CHY_TIME_TEXT];
    const char *of = properties[i].of == CHY_OF_REQUEST ? "request" : "certificate";
    if (v->vt == CHY_VT_LONG) {
        snprintf(text, sizeof text, "%s.%s=%d;", of, properties[i].name, (int)v->u.l);
    } else if (v->vt == CHY_VT_DATE) {
        chy_time_text(v->u.t, when);
        snprintf(text, sizeof text, "%s.%s=%s;", of, properties[i].name, when);
    } else if (v->vt == CHY_VT_BYTES) {
        snprintf(text, sizeof text, "%s.%s of %zu octets;", of, properties[i].name, v->u.b.n);
    } else {
        snprintf(text, sizeof text, "%s.%s=%.400s;", of, properties[i].name, v->u.s.p);
    }
    chy_say(task, CHY_LOG_INFO, text);
}

static void say_all(chy_task *task)
{
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        chy_variant v;
        if (CHY_FAILED(chy_get(task, properties[i].of, properties[i].name, properties[i].type, &v)))
            continue;
        say_one(task, i, &v);
        task->host->vt->variant_clear(&v);
    }
}

#if WITNESS_POLICY
static chy_hresult init(chy_task *task)
{
    (void)task;
    return CHY_S_OK;
}

static chy_long verify(chy_task *task)
{
    say_all(task);
    return task->is_new ? CHY_VR_PENDING : CHY_VR_INSTANT_OK;
}

CHY_POLICY_MODULE("witness-policy", "WitnessPolicy.Policy", "1.0", "Says what it sees", char, init,
                  verify);
#else
static chy_hresult init(chy_task *task, chy_long *events)
{
    (void)task;
    *events = 0x3ff;
    return CHY_S_OK;
}

/* With no request there is no context: the CA's own properties answer, the others are a refusal. */
static chy_hresult notify(chy_task *task, chy_long event)
{
    (void)event;
    say_all(task);
    return CHY_S_OK;
}

CHY_EXIT_MODULE("witness-exit", "WitnessExit.Exit", "1.0", "Says what it sees", char, init, notify);
#endif
