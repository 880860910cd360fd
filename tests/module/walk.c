#include "walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SAN "2.5.29.17"
#define BC "2.5.29.19"

void say(const chy_host *host, const char *fmt, ...)
{
    char line[400] = "=";
    chy_variant none;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + 1, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    (void)host->vt->get_setting(host->self, line, &none);
}

static void show(const chy_variant *v, char *out, size_t cap)
{
    switch (v->vt) {
    case CHY_VT_EMPTY: snprintf(out, cap, "empty"); break;
    case CHY_VT_LONG: snprintf(out, cap, "long %d", v->u.l); break;
    case CHY_VT_DATE: snprintf(out, cap, "date %lld", (long long)v->u.t); break;
    case CHY_VT_STR: snprintf(out, cap, "text %s/%zu", v->u.s.p, v->u.s.n); break;
    case CHY_VT_BYTES: snprintf(out, cap, "octets %zu", v->u.b.n); break;
    default: snprintf(out, cap, "vt %u", v->vt);
    }
}

static void say_get(const chy_host *host, struct face *f, enum what what, const char *name,
                    chy_long type)
{
    static const char *const words[] = {"request", "certificate", "extension"};
    chy_variant v = {.vt = CHY_VT_EMPTY};
    char text[200];
    chy_hresult hr = face_get(f, what, name, type, &v);
    show(&v, text, sizeof(text));
    say(host, "get %s %s type %d: %08x %s", words[what], name ? name : "NULL", type, (unsigned)hr,
        text);
    host->vt->variant_clear(&v);
}

static void say_attribute(const chy_host *host, struct face *f, const char *name)
{
    chy_str s = {NULL, 0};
    chy_hresult hr = face_attribute(f, name, &s);
    say(host, "attribute %s: %08x \"%s\"/%zu", name ? name : "NULL", (unsigned)hr, s.p ? s.p : "",
        s.n);
    host->vt->free(s.p);
}

static void say_flags(const chy_host *host, struct face *f)
{
    chy_long flags = -1;
    chy_hresult hr = face_flags(f, &flags);
    say(host, "flags: %08x %d", (unsigned)hr, flags);
}

static chy_hresult say_next(const chy_host *host, struct face *f, enum list list, char oid[64])
{
    chy_str s = {NULL, 0};
    chy_hresult hr = face_next(f, list, &s);
    snprintf(oid, 64, "%s", s.p ? s.p : "");
    say(host, "next %s: %08x \"%s\"", list == EXTENSIONS ? "extension" : "attribute", (unsigned)hr,
        oid);
    host->vt->free(s.p);
    return hr;
}

static void say_set(const chy_host *host, struct face *f, const char *name, chy_long type,
                    const chy_variant *v)
{
    chy_hresult hr = face_set_property(f, name, type, v);
    say(host, "set %s type %d: %08x", name ? name : "NULL", type, (unsigned)hr);
}

static void say_set_extension(const chy_host *host, struct face *f, const char *oid, chy_long type,
                              chy_long flags, const chy_variant *v)
{
    chy_hresult hr = face_set_extension(f, oid, type, flags, v);
    say(host, "set extension %s type %d flags %d: %08x", oid ? oid : "NULL", type, flags,
        (unsigned)hr);
}

void walk_all_refused(const chy_host *host, struct face *f)
{
    char name[64];
    chy_variant v = text_arg("x");
    say_get(host, f, REQUEST, "CommonName", CHY_PROPTYPE_STRING);
    say_get(host, f, CERTIFICATE, "CommonName", CHY_PROPTYPE_STRING);
    say_get(host, f, CERTIFICATE, "CAType", CHY_PROPTYPE_LONG);
    say_get(host, f, EXTENSION, SAN, CHY_PROPTYPE_BINARY);
    say_attribute(host, f, "CertFile");
    say_flags(host, f);
    for (enum list list = EXTENSIONS; list <= ATTRIBUTES; list++) {
        say(host, "setup: %08x", (unsigned)face_setup(f, list, 0));
        say_next(host, f, list, name);
        say(host, "close: %08x", (unsigned)face_close(f, list));
    }
    if (!f->may_set) return;
    say_set(host, f, "CommonName", CHY_PROPTYPE_STRING, &v);
    say_set_extension(host, f, SAN, CHY_PROPTYPE_STRING, 0, &v);
}

static void walk_contexts(const chy_host *host, struct face *f, chy_long context, chy_long stale)
{
    say(host, "a fresh object, then context 0, then wrong ones");
    walk_all_refused(host, f);
    say(host, "context 0: %08x", (unsigned)face_set_context(f, 0));
    say_get(host, f, CERTIFICATE, "ModuleRegistryLocation", CHY_PROPTYPE_STRING);
    say(host, "context -1: %08x", (unsigned)face_set_context(f, -1));
    say(host, "context %x: %08x", 0x7fffffff, (unsigned)face_set_context(f, 0x7fffffff));
    if (stale) say(host, "stale context: %08x", (unsigned)face_set_context(f, stale));
    say(host, "another context: %08x", (unsigned)face_set_context(f, context ^ 0x200));
    say(host, "context: %08x", (unsigned)face_set_context(f, context));
}

static void walk_properties(const chy_host *host, struct face *f)
{
    say_get(host, f, REQUEST, "RequestID", CHY_PROPTYPE_LONG);
    say_get(host, f, REQUEST, "CommonName", CHY_PROPTYPE_STRING);
    say_get(host, f, REQUEST, "SubmittedWhen", CHY_PROPTYPE_DATE);
    say_get(host, f, REQUEST, "RawRequest", CHY_PROPTYPE_BINARY);
    say_get(host, f, REQUEST, "RequestID", CHY_PROPTYPE_STRING);
    say_get(host, f, REQUEST, "NoSuchThing", CHY_PROPTYPE_STRING);
    say_get(host, f, REQUEST, NULL, CHY_PROPTYPE_STRING);
    say(host, "get request into nothing: %08x",
        (unsigned)face_get(f, REQUEST, "RequestID", CHY_PROPTYPE_LONG, NULL));
    say_get(host, f, CERTIFICATE, "NotAfter", CHY_PROPTYPE_DATE);
    say_get(host, f, CERTIFICATE, "NotAfter", CHY_PROPTYPE_LONG);
    say_get(host, f, CERTIFICATE, "RawCertificate", CHY_PROPTYPE_BINARY);
    say_get(host, f, CERTIFICATE, "CAType", CHY_PROPTYPE_LONG);
    say_get(host, f, CERTIFICATE, "ModuleRegistryLocation", CHY_PROPTYPE_STRING);
    say_get(host, f, CERTIFICATE, "NoSuchThing", CHY_PROPTYPE_LONG);
    say_get(host, f, CERTIFICATE, NULL, CHY_PROPTYPE_LONG);
    say(host, "get certificate into nothing: %08x",
        (unsigned)face_get(f, CERTIFICATE, "CAType", CHY_PROPTYPE_LONG, NULL));
    say_attribute(host, f, "CertFile");
    say_attribute(host, f, "Empty");
    say_attribute(host, f, "NoSuchThing");
    say_attribute(host, f, NULL);
    say(host, "attribute into nothing: %08x", (unsigned)face_attribute(f, "CertFile", NULL));
}

static void walk_order(const chy_host *host, struct face *f)
{
    char name[64];
    say(host, "out of order");
    say_flags(host, f);
    say(host, "flags into nothing: %08x", (unsigned)face_flags(f, NULL));
    for (enum list list = EXTENSIONS; list <= ATTRIBUTES; list++) {
        say_next(host, f, list, name);
        say(host, "close: %08x", (unsigned)face_close(f, list));
        say(host, "setup flags 2: %08x", (unsigned)face_setup(f, list, 2));
        say(host, "setup flags 1: %08x", (unsigned)face_setup(f, list, CHY_ENUMEXT_OBJECTID));
        say(host, "setup: %08x", (unsigned)face_setup(f, list, 0));
        say(host, "next into nothing: %08x", (unsigned)face_next(f, list, NULL));
        say(host, "close: %08x", (unsigned)face_close(f, list));
        say(host, "close: %08x", (unsigned)face_close(f, list));
        say_next(host, f, list, name);
    }
}

/* The loop of a policy: each extension is read and, where it may, set again while it is listed; the
 * attributes are listed at the same time. */
static void walk_loops(const chy_host *host, struct face *f)
{
    char oid[64], name[64];
    chy_long flags = 0;
    say(host, "loops");
    say(host, "setup both: %08x %08x", (unsigned)face_setup(f, EXTENSIONS, 0),
        (unsigned)face_setup(f, ATTRIBUTES, 0));
    for (int i = 0; i < 8 && say_next(host, f, EXTENSIONS, oid) == CHY_S_OK; i++) {
        chy_variant v = {.vt = CHY_VT_EMPTY};
        chy_hresult hr = face_get(f, EXTENSION, oid, CHY_PROPTYPE_BINARY, &v);
        say(host, "read %s: %08x %zu", oid, (unsigned)hr, v.u.b.n);
        say_flags(host, f);
        (void)face_flags(f, &flags);
        if (f->may_set) say_set_extension(host, f, oid, CHY_PROPTYPE_BINARY, flags & 1, &v);
        host->vt->variant_clear(&v);
        say_next(host, f, ATTRIBUTES, name);
    }
    say_next(host, f, EXTENSIONS, oid);
    say_next(host, f, ATTRIBUTES, name);
    say(host, "rewound: %08x", (unsigned)face_setup(f, EXTENSIONS, 0));
    say_next(host, f, EXTENSIONS, oid);
    say(host, "close both: %08x %08x", (unsigned)face_close(f, EXTENSIONS),
        (unsigned)face_close(f, ATTRIBUTES));
    say(host, "flags are those of the extension read last; a failed read leaves none");
    say_get(host, f, EXTENSION, BC, CHY_PROPTYPE_BINARY);
    say_flags(host, f);
    say_get(host, f, EXTENSION, SAN, CHY_PROPTYPE_LONG);
    say_flags(host, f);
    say_get(host, f, EXTENSION, "1.2.3", CHY_PROPTYPE_BINARY);
    say_flags(host, f);
    say_get(host, f, EXTENSION, NULL, CHY_PROPTYPE_BINARY);
    say(host, "extension into nothing: %08x",
        (unsigned)face_get(f, EXTENSION, SAN, CHY_PROPTYPE_BINARY, NULL));
}

static void walk_set_properties(const chy_host *host, struct face *f)
{
    chy_variant text = text_arg("new.example"), number = long_arg(0x400),
                null = {.vt = CHY_VT_NULL}, date = {.vt = CHY_VT_DATE}, strange = {.vt = 77},
                no_text = text_arg(NULL), many = {.vt = CHY_VT_STRV};
    date.u.t = 1000;
    say(host, "setters");
    say_set(host, f, "CommonName", CHY_PROPTYPE_STRING, &text);
    say_get(host, f, CERTIFICATE, "CommonName", CHY_PROPTYPE_STRING);
    say_set(host, f, "CommonName", CHY_PROPTYPE_STRING, &null);
    say_get(host, f, CERTIFICATE, "CommonName", CHY_PROPTYPE_STRING);
    say_set(host, f, "NotAfter", CHY_PROPTYPE_DATE, &date);
    say_get(host, f, CERTIFICATE, "NotAfter", CHY_PROPTYPE_DATE);
    say_set(host, f, "GeneralFlags", CHY_PROPTYPE_LONG, &number);
    say_get(host, f, CERTIFICATE, "GeneralFlags", CHY_PROPTYPE_LONG);
    say_set(host, f, "NotAfter", CHY_PROPTYPE_DATE, &text);
    say_set(host, f, "SerialNumber", CHY_PROPTYPE_STRING, &text);
    say_set(host, f, "CommonName", CHY_PROPTYPE_STRING, &strange);
    say_set(host, f, "CommonName", CHY_PROPTYPE_STRING, &many);
    say_set(host, f, "CommonName", CHY_PROPTYPE_STRING, &no_text);
    say_set(host, f, "CommonName", CHY_PROPTYPE_STRING, NULL);
    say_set(host, f, NULL, CHY_PROPTYPE_STRING, &text);
}

static void walk_set_extensions(const chy_host *host, struct face *f)
{
    uint8_t der[] = {5, 0};
    chy_variant text = text_arg("ia5"), number = long_arg(-129), date = {.vt = CHY_VT_DATE},
                octets = {.vt = CHY_VT_BYTES}, none = {.vt = CHY_VT_BYTES}, strange = {.vt = 77};
    octets.u.b.p = der;
    octets.u.b.n = sizeof(der);
    none.u.b.n = 7;
    date.u.t = 2000;
    say_set_extension(host, f, "2.999.1", CHY_PROPTYPE_BINARY, CHY_EXTENSION_CRITICAL_FLAG,
                      &octets);
    say_get(host, f, EXTENSION, "2.999.1", CHY_PROPTYPE_BINARY);
    say_flags(host, f);
    say_set_extension(host, f, "2.999.1", CHY_PROPTYPE_BINARY, CHY_EXTENSION_DISABLE_FLAG, &octets);
    say_get(host, f, EXTENSION, "2.999.1", CHY_PROPTYPE_BINARY);
    say_flags(host, f);
    say_set_extension(host, f, "2.999.2", CHY_PROPTYPE_LONG, 0, &number);
    say_set_extension(host, f, "2.999.3", CHY_PROPTYPE_DATE, 0, &date);
    say_set_extension(host, f, "2.999.4", CHY_PROPTYPE_STRING, 0, &text);
    say_set_extension(host, f, "2.999.4", CHY_PROPTYPE_BINARY, 0, &text);
    say_set_extension(host, f, "not an oid", CHY_PROPTYPE_BINARY, 0, &octets);
    say_set_extension(host, f, "2.999.5", CHY_PROPTYPE_BINARY, 0, &strange);
    say_set_extension(host, f, "2.999.5", CHY_PROPTYPE_BINARY, 0, &none);
    say_set_extension(host, f, "2.999.5", CHY_PROPTYPE_BINARY, 0, NULL);
    say_set_extension(host, f, NULL, CHY_PROPTYPE_BINARY, 0, &octets);
}

void walk(const chy_host *host, struct face *f, chy_long context, chy_long stale)
{
    walk_contexts(host, f, context, stale);
    walk_properties(host, f);
    walk_order(host, f);
    walk_loops(host, f);
    if (f->may_set) walk_set_properties(host, f);
    if (f->may_set) walk_set_extensions(host, f);
    say(host, "a wrong context leaves the object as it was: %08x",
        (unsigned)face_set_context(f, -1));
    say_get(host, f, REQUEST, "RequestID", CHY_PROPTYPE_LONG);
    say(host, "back at context 0: %08x", (unsigned)face_set_context(f, 0));
    walk_all_refused(host, f);
    say(host, "the context anew forgets the flags: %08x", (unsigned)face_set_context(f, context));
    say_flags(host, f);
}

void walk_host(const chy_host *host, chy_long context)
{
    const chy_host_vtbl *vt = host->vt;
    chy_variant v = {.vt = CHY_VT_EMPTY};
    chy_str name = {NULL, 0};
    char after[64] = "", text[200];
    chy_long ms = -1;
    say(host, "the host");
    chy_hresult hr = vt->get_setting(host->self, "Colour", &v);
    show(&v, text, sizeof(text));
    say(host, "setting: %08x %s", (unsigned)hr, text);
    vt->variant_clear(&v);
    say(host, "no setting: %08x", (unsigned)vt->get_setting(host->self, "Nothing", &v));
    say(host, "setting NULL: %08x %08x", (unsigned)vt->get_setting(host->self, NULL, &v),
        (unsigned)vt->get_setting(host->self, "Colour", NULL));
    while (vt->next_setting(host->self, after[0] ? after : NULL, &name) == CHY_S_OK) {
        snprintf(after, sizeof(after), "%s", name.p);
        vt->free(name.p);
        say(host, "setting named %s", after);
    }
    say(host, "next into nothing: %08x", (unsigned)vt->next_setting(host->self, NULL, NULL));
    hr = vt->time_left(host->self, &ms);
    say(host, "time left: %08x %s", (unsigned)hr, ms > 0 && ms < 60000 ? "some" : "wrong");
    say(host, "time left into nothing: %08x", (unsigned)vt->time_left(host->self, NULL));
    say(host, "message: %08x", (unsigned)vt->set_message(host->self, context, "because"));
    say(host, "message of context 0: %08x", (unsigned)vt->set_message(host->self, 0, "because"));
    say(host, "message of another: %08x",
        (unsigned)vt->set_message(host->self, context ^ 0x200, "because"));
    say(host, "message NULL: %08x", (unsigned)vt->set_message(host->self, context, NULL));
    say(host, "objects into nothing: %08x %08x", (unsigned)vt->new_server_policy(host->self, NULL),
        (unsigned)vt->new_server_exit(host->self, NULL));
}

void walk_invoke(const chy_host *host, struct face *f)
{
    static const chy_variant flag = {.vt = CHY_VT_BOOL};
    chy_variant out = {.vt = CHY_VT_EMPTY}, args[] = {text_arg("CAType"), long_arg(1), flag, flag};
    uint32_t bad = 99;
    say(host, "by name");
    say(host, "any case: %08x", (unsigned)face_invoke(f, "setCONTEXT", &flag, 1, NULL, &bad));
    chy_hresult hr = face_invoke(f, "getcertificateproperty", args, 2, &out, &bad);
    say(host, "property: %08x vt %u", (unsigned)hr, out.vt);
    say(host, "unknown: %08x", (unsigned)face_invoke(f, "Release", NULL, 0, &out, &bad));
    say(host, "no name: %08x", (unsigned)face_invoke(f, NULL, NULL, 0, &out, &bad));
    say(host, "too few: %08x", (unsigned)face_invoke(f, "SetContext", args, 0, NULL, &bad));
    say(host, "too many: %08x",
        (unsigned)face_invoke(f, "EnumerateExtensions", args, 1, &out, &bad));
    say(host, "no arguments: %08x", (unsigned)face_invoke(f, "SetContext", NULL, 1, NULL, &bad));
    say(host, "none is wrong yet: %u", bad);
    hr = face_invoke(f, "SetContext", args, 1, NULL, &bad);
    say(host, "text for a number: %08x at %u", (unsigned)hr, bad);
    args[1] = args[0];
    hr = face_invoke(f, "GetCertificateProperty", args, 2, &out, &bad);
    say(host, "text for a type: %08x at %u", (unsigned)hr, bad);
    hr = face_invoke(f, "GetCertificateProperty", args, 2, &out, NULL);
    say(host, "the same, nobody asks where: %08x vt %u", (unsigned)hr, out.vt);
    args[1] = long_arg(CHY_PROPTYPE_STRING);
    args[2] = text_arg("x");
    hr = face_invoke(f, "SetCertificateProperty", args, 3, NULL, &bad);
    say(host, "a setter: %08x", (unsigned)hr);
    args[1] = args[2] = long_arg(0);
    args[3] = text_arg("x");
    hr = face_invoke(f, "SetCertificateExtension", args, 4, NULL, &bad);
    say(host, "a setter: %08x", (unsigned)hr);
}

int walk_quickly(const chy_host *host, struct face *f, chy_long context)
{
    int wrong = face_set_context(f, context) != CHY_S_OK;
    for (int i = 0; i < 18; i++) {
        chy_variant v = {.vt = CHY_VT_EMPTY};
        wrong += face_get(f, REQUEST, "RequestID", CHY_PROPTYPE_LONG, &v) != CHY_S_OK;
        host->vt->variant_clear(&v);
    }
    chy_variant date = {.vt = CHY_VT_DATE};
    date.u.t = 1000;
    wrong += face_set_property(f, "NotAfter", CHY_PROPTYPE_DATE, &date) != CHY_S_OK;
    return wrong;
}
