/* A member for the tests of the policy chain. It does what its settings say, and logs that it was
 * called: Answer (a disposition, absent: none is written), Result, InitResult, Say, SetName. */
#include <chancery/easy_module.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int inside, settings_read;

struct member {
    chy_host host;
    chy_long init_result;
};

static void tell(const struct member *m, const char *what, const char *more)
{
    char line[300];
    snprintf(line, sizeof line, MEMBER_NAME ": %s%s", what, more);
    m->host.vt->log(m->host.self, CHY_LOG_INFO, line);
}

static chy_hresult initialize(void *self, const char *config)
{
    struct member *m = self;
    chy_long result = 0;
    (void)config;
    atomic_fetch_add(&settings_read, 1);
    chy_hresult hr = chy_setting_long(&m->host, "InitResult", 0, &result);
    tell(m, "initialize", "");
    return hr == CHY_S_OK ? result : hr;
}

static void list_settings(const struct member *m)
{
    chy_str at = {NULL, 0}, next = {NULL, 0};
    while (m->host.vt->next_setting(m->host.self, at.p, &next) == CHY_S_OK) {
        m->host.vt->free(at.p);
        at = next;
        tell(m, "setting ", at.p);
    }
    m->host.vt->free(at.p);
}

static void look(const struct member *m, const chy_server_policy *sp)
{
    const struct {
        const char *name, *what;
    } t[] = {{"CommonName", "sees "}, {"ModuleRegistryLocation", "lives in "}};
    for (size_t i = 0; i < 2; i++) {
        chy_variant v = chy_variant_empty(), w = chy_variant_empty();
        const chy_variant args[] = {chy_variant_of_text(t[i].name),
                                    chy_variant_of_long(CHY_PROPTYPE_STRING)};
        chy_hresult hr =
            sp->vt->get_certificate_property(sp->self, t[i].name, CHY_PROPTYPE_STRING, &v);
        tell(m, t[i].what, hr == CHY_S_OK ? v.u.s.p : "nothing");
        hr = sp->vt->invoke(sp->self, "GetCertificateProperty", args, 2, &w, NULL, NULL);
        if (hr == CHY_S_OK && (v.vt != CHY_VT_STR || strcmp(v.u.s.p, w.u.s.p) != 0)) abort();
        m->host.vt->variant_clear(&v);
        m->host.vt->variant_clear(&w);
    }
}

static chy_hresult act(struct member *m, chy_long context, chy_long *disposition)
{
    chy_task task = {.host = &m->host, .context = context};
    char text[100];
    chy_variant v = chy_variant_empty();
    chy_long result = 0, slow = 0;
    chy_hresult hr = m->host.vt->new_server_policy(m->host.self, &task.policy);
    if (hr != CHY_S_OK) return hr;
    hr = task.policy.vt->set_context(task.policy.self, context);
    look(m, &task.policy);
    if (chy_setting_text(&m->host, "SetName", "", text, sizeof text) == CHY_S_OK && text[0])
        (void)chy_set_text(&task, "CommonName", text);
    if (chy_setting_text(&m->host, "Say", "", text, sizeof text) == CHY_S_OK && text[0])
        (void)m->host.vt->set_message(m->host.self, context, text);
    task.policy.vt->release(task.policy.self);
    (void)chy_setting_long(&m->host, "Slow", 0, &slow);
    usleep((useconds_t)slow * 1000);
    if (hr == CHY_S_OK) hr = chy_setting_long(&m->host, "Result", 0, &result);
    if (hr != CHY_S_OK) return hr;
    if (m->host.vt->get_setting(m->host.self, "Answer", &v) == CHY_S_OK)
        (void)chy_variant_take_long(&m->host, &v, disposition);
    return result;
}

static chy_hresult verify_request(void *self, const char *config, chy_long context, chy_long is_new,
                                  chy_long flags, chy_long *disposition)
{
    struct member *m = self;
    (void)config, (void)flags;
    tell(m, is_new ? "verify new" : "verify again", "");
    list_settings(m);
    bool alone = atomic_fetch_add(&inside, 1) == 0;
    chy_hresult hr = act(m, context, disposition);
    if (MEMBER_SERIAL && (!alone || atomic_load(&inside) != 1)) tell(m, "OVERLAPS", "");
    atomic_fetch_sub(&inside, 1);
    return hr;
}

static chy_hresult get_description(void *self, chy_str *out)
{
    struct member *m = self;
    return chy_text_give(&m->host, MEMBER_NAME, out);
}

static chy_hresult shut_down(void *self)
{
    tell(self, "shut down", "");
    return CHY_S_OK;
}

static void release(void *self)
{
    free(self);
}

static chy_hresult get_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, chy_variant *out)
{
    struct member *m = self;
    char text[200];
    (void)config, (void)flags;
    snprintf(text, sizeof text, "%s of %s", name, storage);
    return chy_variant_give_text(&m->host, text, out);
}

static chy_hresult set_property(void *self, const char *config, const char *storage,
                                const char *name, chy_long flags, const chy_variant *value)
{
    (void)config, (void)storage, (void)flags;
    tell(self, name, value->vt == CHY_VT_STR ? value->u.s.p : "");
    return CHY_S_OK;
}

static chy_hresult configure(void *self, const char *config, const char *storage, chy_long flags)
{
    tell(self, "refresh in ", storage);
    return flags == CHY_CMM_REFRESHONLY ? initialize(self, config) : CHY_E_INVALIDARG;
}

static chy_hresult manage_invoke(void *self, const char *method, const chy_variant *args,
                                 uint32_t nargs, chy_variant *result, chy_excep *excep,
                                 uint32_t *bad)
{
    chy_late c = chy_late_begin(method, args, nargs, result, bad);
    struct member *m = self;
    const chy_module_class cls = {.name = MEMBER_NAME};
    const chy_module_object o = {.cls = &cls, .host = m->host};
    chy_hresult hr = CHY_S_OK;
    if (chy_late_is(&c, "GetProperty", "sssl>"))
        hr = get_property(m, args[0].u.s.p, args[1].u.s.p, args[2].u.s.p, args[3].u.l, result);
    else if (chy_late_is(&c, "SetProperty", "ssslv"))
        hr = set_property(m, args[0].u.s.p, args[1].u.s.p, args[2].u.s.p, args[3].u.l, &args[4]);
    else if (chy_late_is(&c, "Configure", "ssl"))
        hr = configure(m, args[0].u.s.p, args[1].u.s.p, args[2].u.l);
    return chy_late_end(&o, &c, hr, excep);
}

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad)
{
    chy_late c = chy_late_begin(method, args, nargs, result, bad);
    struct member *m = self;
    const chy_module_class cls = {.name = MEMBER_NAME};
    const chy_module_object o = {.cls = &cls, .host = m->host};
    chy_hresult hr = CHY_S_OK;
    chy_long answer = 0x7ead0000;
    if (chy_late_is(&c, "Initialize", "s")) {
        hr = initialize(m, args[0].u.s.p);
    } else if (chy_late_is(&c, "VerifyRequest", "slll>")) {
        hr = verify_request(m, args[0].u.s.p, args[1].u.l, args[2].u.l, args[3].u.l, &answer);
        hr = answer == 0x7ead0000 ? hr : chy_late_long(result, hr, answer);
    } else if (chy_late_is(&c, "ShutDown", "")) {
        hr = shut_down(m);
    } else if (chy_late_is(&c, "GetDescription", ">")) {
        hr = chy_variant_give_text(&m->host, MEMBER_NAME, result);
    }
    return chy_late_end(&o, &c, hr, excep);
}

#define HEADER(type, iface, flags)                                                                 \
    {                                                                                              \
        sizeof(type), CHY_ABI_VERSION, iface, flags                                                \
    }

static const chy_policy_vtbl table = {
    .h = HEADER(chy_policy_vtbl, CHY_IID_POLICY, MEMBER_SERIAL ? 0 : CHY_IF_CONCURRENT),
    .release = release,
    .invoke = invoke,
    .initialize = MEMBER_LATE ? NULL : initialize,
    .verify_request = MEMBER_LATE ? NULL : verify_request,
    .get_description = MEMBER_LATE ? NULL : get_description,
    .shut_down = MEMBER_LATE ? NULL : shut_down};

static const chy_manage_module_vtbl manage_table = {
    .h = HEADER(chy_manage_module_vtbl, CHY_IID_MANAGE_MODULE, CHY_IF_CONCURRENT),
    .release = release,
    .invoke = manage_invoke,
    .get_property = get_property,
    .set_property = set_property,
    .configure = configure};

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    struct member *m = calloc(1, sizeof *m);
    if (!m) return CHY_E_OUTOFMEMORY;
    m->host = *host;
    bool manage = strcmp(class_name, "Member.PolicyManage") == 0;
    *out = (chy_object){manage ? &manage_table.h : &table.h, m};
    return CHY_S_OK;
}

static const char *const classes[] = {"Member.Policy", "Member.PolicyManage", NULL};
static const chy_module_info info = {CHY_MODULE_MAGIC, sizeof info, CHY_ABI_VERSION, 0,
                                     MEMBER_NAME,      "1.0",       classes,         create};

const chy_module_info *chy_module_entry(void)
{
    return &info;
}
