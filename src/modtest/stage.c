/* What a module on the stage sees: its settings, the properties of a CA that is not there, and the
 * engine's own view of the request. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "ca/authority.h"
#include "ca/ca_cert.h"
#include "modtest/play.h"

static const struct chy_engine_ops *engine(void)
{
    return &chy_ca_engine_ops;
}

static struct chy_request *made_of(void *request)
{
    return ((struct chy_play *)request)->request->made;
}

static chy_hresult give_text(chy_variant *out, const char *s)
{
    return s && *s ? chy_variant_set_str(out, s, strlen(s)) : CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult copy_list(const chy_variant *from, chy_variant *out)
{
    chy_str *list = chy_module_alloc((from->u.sv.n ? from->u.sv.n : 1) * sizeof(*list));
    if (!list) return CHY_E_OUTOFMEMORY;
    *out = (chy_variant){.vt = CHY_VT_STRV};
    out->u.sv.v = list;
    for (size_t i = 0; i < from->u.sv.n; i++) {
        if (!chy_module_str(&list[i], from->u.sv.v[i].p, from->u.sv.v[i].n)) {
            chy_variant_clear(out);
            return CHY_E_OUTOFMEMORY;
        }
        out->u.sv.n++;
    }
    return CHY_S_OK;
}

static chy_hresult copy(const chy_variant *from, chy_variant *out)
{
    if (from->vt == CHY_VT_STRV) return copy_list(from, out);
    if (from->vt == CHY_VT_STR) return chy_variant_set_str(out, from->u.s.p, from->u.s.n);
    if (from->vt == CHY_VT_BYTES) return chy_variant_set_bytes(out, from->u.b.p, from->u.b.n);
    *out = *from;
    return CHY_S_OK;
}

static chy_long type_of(const chy_variant *v)
{
    return v->vt == CHY_VT_LONG    ? CHY_PROPTYPE_LONG
           : v->vt == CHY_VT_DATE  ? CHY_PROPTYPE_DATE
           : v->vt == CHY_VT_BYTES ? CHY_PROPTYPE_BINARY
                                   : CHY_PROPTYPE_STRING;
}

static const struct chy_play_value *find(const struct chy_play_value *list, size_t n,
                                         const char *name)
{
    for (size_t i = n; i-- > 0;) { /* the last one counts */
        if (strcasecmp(list[i].name, name) == 0) return &list[i];
    }
    return NULL;
}

/* ---- the event that an exit module is told of ---- */

static chy_hresult event_property(const struct chy_play *p, const char *name, chy_long type,
                                  chy_variant *out)
{
    static const char *const names[] = {"EventID", "EventTime", "EventAttempt", "EventName"};
    static const chy_long types[] = {CHY_PROPTYPE_STRING, CHY_PROPTYPE_DATE, CHY_PROPTYPE_LONG,
                                     CHY_PROPTYPE_STRING};
    size_t which = 0;
    while (which < CHY_ARRAY_LEN(names) && strcasecmp(names[which], name) != 0)
        which++;
    if (which == CHY_ARRAY_LEN(names) || !p->event) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if ((type & CHY_PROPTYPE_MASK) != types[which]) return CHY_E_INVALIDARG;
    char id[96];
    snprintf(id, sizeof(id), "play-%d-%s", p->request ? p->request->id : 0, p->event_name);
    switch (which) {
    case 0: return give_text(out, p->event_id ? p->event_id : id);
    case 1: return chy_variant_set_time(out, chy_play_now(p));
    case 2: return chy_variant_set_long(out, p->event_attempt);
    default: return give_text(out, p->event_name);
    }
}

/* ---- the engine's own view, with the event's in front ---- */

static chy_hresult get_request_property(void *request, enum chy_asker asker, const char *name,
                                        chy_long type, chy_variant *out)
{
    if (strncasecmp(name, "Event", 5) == 0) return event_property(request, name, type, out);
    return engine()->get_request_property(made_of(request), asker, name, type, out);
}
static chy_hresult get_request_attribute(void *request, const char *name, chy_str *out)
{
    return engine()->get_request_attribute(made_of(request), name, out);
}
static chy_hresult get_certificate_property(void *request, enum chy_asker asker, const char *name,
                                            chy_long type, chy_variant *out)
{
    return engine()->get_certificate_property(made_of(request), asker, name, type, out);
}
static chy_hresult set_certificate_property(void *request, const char *name, chy_long type,
                                            const chy_variant *value)
{
    return engine()->set_certificate_property(made_of(request), name, type, value);
}
static chy_hresult get_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_variant *out, chy_long *flags)
{
    return engine()->get_certificate_extension(made_of(request), oid, type, out, flags);
}
static chy_hresult set_certificate_extension(void *request, const char *oid, chy_long type,
                                             chy_long flags, const chy_variant *value)
{
    return engine()->set_certificate_extension(made_of(request), oid, type, flags, value);
}
static chy_hresult extension_at(void *request, size_t index, chy_str *oid)
{
    return engine()->extension_at(made_of(request), index, oid);
}
static chy_hresult attribute_at(void *request, size_t index, chy_str *name)
{
    return engine()->attribute_at(made_of(request), index, name);
}
static chy_hresult set_message(void *request, const char *text)
{
    return engine()->set_message(made_of(request), text);
}

/* ---- a CA that is not there ---- */

static chy_hresult default_text(const struct chy_play *p, const char *location, const char *name,
                                chy_variant *out)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"ModuleRegistryLocation", location},
                 {"MachineDNSName", "localhost"},
                 {"SanitizedCAName", "Play CA"},
                 {"SanitizedShortName", "Play CA"},
                 {"ConfigurationDirectory", p->dir},
                 {"CertSuffix", ""},
                 {"CRLSuffix", ""}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(texts); i++) {
        if (strcasecmp(texts[i].name, name) == 0)
            return chy_variant_set_str(out, texts[i].value, strlen(texts[i].value));
    }
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult default_of(const struct chy_play *p, const char *location, const char *name,
                              chy_variant *out)
{
    const struct {
        const char *name;
        chy_long value;
    } numbers[] = {{"CAType", CHY_ENUM_STANDALONE_ROOTCA},
                   {"CertCount", 1},
                   {"CertState", CHY_CA_DISP_VALID},
                   {"CRLState", CHY_CA_DISP_VALID},
                   {"CRLIndex", 0},
                   {"CRLShards", 0},
                   {"fUseDS", 0},
                   {"fDeltaCRLsDisabled", 1},
                   {"RequesterCAAccess", p->request ? p->request->may_enrol : 0}};
    for (size_t i = 0; i < CHY_ARRAY_LEN(numbers); i++) {
        if (strcasecmp(numbers[i].name, name) == 0)
            return chy_variant_set_long(out, numbers[i].value);
    }
    if (strcasecmp(name, "RawCACertificate") == 0)
        return chy_variant_set_bytes(out, p->authority->cert_der.p, p->authority->cert_der.n);
    return default_text(p, location, name, out);
}

static chy_hresult get_ca_property(void *ca, void *request, const char *location, const char *name,
                                   chy_long type, chy_variant *out)
{
    const struct chy_play *p = ca;
    const struct chy_play_value *v = find(p->ca, p->n_ca, name);
    if (!request && strcasecmp(name, "RequesterCAAccess") == 0) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    chy_hresult hr = v ? copy(&v->v, out) : event_property(p, name, type, out);
    if (hr == CHY_CERTSRV_E_PROPERTY_EMPTY) hr = default_of(p, location, name, out);
    if (hr != CHY_S_OK || type_of(out) == (type & CHY_PROPTYPE_MASK)) return hr;
    chy_variant_clear(out);
    return CHY_E_INVALIDARG;
}

static chy_hresult get_setting(void *ca, const char *location, const char *name, chy_variant *out)
{
    const struct chy_play *p = ca;
    (void)location;
    const struct chy_play_value *v = find(p->setting, p->n_settings, name);
    return v && v->v.vt != CHY_VT_EMPTY ? copy(&v->v, out) : CHY_CERTSRV_E_PROPERTY_EMPTY;
}

/* In the order of their names, as the configuration has them; each name once. */
static chy_hresult next_setting(void *ca, const char *location, const char *after, chy_str *out)
{
    const struct chy_play *p = ca;
    const char *found = NULL;
    (void)location;
    for (size_t i = 0; i < p->n_settings; i++) {
        const char *name = p->setting[i].name;
        if (find(p->setting, p->n_settings, name)->v.vt == CHY_VT_EMPTY) continue;
        if ((!after || strcasecmp(name, after) > 0) && (!found || strcasecmp(name, found) < 0))
            found = name;
    }
    if (!found) return CHY_S_FALSE;
    return chy_module_str(out, found, strlen(found)) ? CHY_S_OK : CHY_E_OUTOFMEMORY;
}

static void keep_log(void *ca, const char *module, chy_long severity, const char *text)
{
    struct chy_play *p = ca;
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)module;
    chy_play_tell(p, CHY_PLAY_LOG, names[severity], text);
    pthread_mutex_lock(&p->log_lock);
    if (p->n_logs < CHY_PLAY_MAX_LOGS && (p->log[p->n_logs] = chy_strdup(text)) != NULL)
        p->n_logs++;
    pthread_mutex_unlock(&p->log_lock);
}

void chy_play_log_clear(struct chy_play *p)
{
    pthread_mutex_lock(&p->log_lock);
    while (p->n_logs)
        chy_free(p->log[--p->n_logs]);
    pthread_mutex_unlock(&p->log_lock);
}

void chy_play_log_text(struct chy_play *p, bool last, struct chy_buf *out)
{
    pthread_mutex_lock(&p->log_lock);
    for (size_t i = last && p->n_logs ? p->n_logs - 1 : 0; i < p->n_logs; i++)
        chy_buf_addf(out, "%s%s", i && !last ? "\n" : "", p->log[i]);
    pthread_mutex_unlock(&p->log_lock);
}

const struct chy_engine_ops chy_play_ops = {
    .get_request_property = get_request_property,
    .get_request_attribute = get_request_attribute,
    .get_certificate_property = get_certificate_property,
    .set_certificate_property = set_certificate_property,
    .get_certificate_extension = get_certificate_extension,
    .set_certificate_extension = set_certificate_extension,
    .extension_at = extension_at,
    .attribute_at = attribute_at,
    .get_ca_property = get_ca_property,
    .get_setting = get_setting,
    .next_setting = next_setting,
    .set_message = set_message,
    .log = keep_log,
};

/* ---- values of a play: NAME VALUE…; several words are a list ---- */

static chy_hresult list_value(struct chy_play *p, const struct chy_play_line *l, chy_variant *v,
                              struct chy_err *err)
{
    size_t n = l->n - 2;
    chy_str *list = chy_arena_alloc(&p->arena, (n ? n : 1) * sizeof(*list));
    if (!list) return chy_fail_nomem(err, "play");
    for (size_t i = 0; i < n; i++)
        list[i] = (chy_str){(char *)(uintptr_t)l->word[i + 2], strlen(l->word[i + 2])};
    *v = (chy_variant){.vt = CHY_VT_STRV};
    v->u.sv.v = list;
    v->u.sv.n = n;
    return CHY_S_OK;
}

static chy_hresult one_value(struct chy_play *p, const struct chy_play_line *l, chy_variant *v,
                             struct chy_err *err)
{
    const char *text = l->word[2];
    int64_t n;
    struct chy_span octets;
    *v = (chy_variant){.vt = CHY_VT_STR};
    v->u.s = (chy_str){(char *)(uintptr_t)text, strlen(text)};
    if (l->quoted[2]) return CHY_S_OK;
    if (chy_play_number(text, &n) && n >= INT32_MIN && n <= UINT32_MAX) {
        *v = (chy_variant){.vt = CHY_VT_LONG};
        v->u.l = (chy_long)(uint32_t)n;
    } else if (strncmp(text, "hex:", 4) == 0 || strncmp(text, "file:", 5) == 0) {
        chy_hresult hr = chy_play_octets(p, text, &octets, err);
        if (hr != CHY_S_OK) return hr;
        *v = (chy_variant){.vt = CHY_VT_BYTES};
        v->u.b = (chy_bytes){(uint8_t *)(uintptr_t)octets.p, octets.n};
    }
    return CHY_S_OK;
}

chy_hresult chy_play_set_value(struct chy_play *p, struct chy_play_value *list, size_t *n,
                               const struct chy_play_line *l, struct chy_err *err)
{
    size_t len = strlen(l->word[1]);
    bool is_list = len > 2 && strcmp(l->word[1] + len - 2, "[]") == 0;
    if (*n == CHY_PLAY_MAX_VALUES)
        return chy_fail(err, CHY_E_INVALIDARG, "more than %d values", CHY_PLAY_MAX_VALUES);
    struct chy_play_value *v = &list[*n];
    v->name = is_list ? chy_arena_strndup(&p->arena, l->word[1], len - 2) : l->word[1];
    if (!v->name) return chy_fail_nomem(err, "play");
    chy_hresult hr = CHY_S_OK;
    if (is_list || l->n > 3)
        hr = list_value(p, l, &v->v, err);
    else if (l->n == 2)
        v->v = (chy_variant){.vt = CHY_VT_EMPTY}; /* not set any more */
    else
        hr = one_value(p, l, &v->v, err);
    if (hr == CHY_S_OK) (*n)++;
    return hr;
}

/* ---- the module on the stage ---- */

static void expired(void *request, void *arg)
{
    struct chy_play *p = arg;
    (void)request;
    char text[64];
    snprintf(text, sizeof(text), "%u", p->timeout_ms);
    chy_play_tell(p, CHY_PLAY_LATE, text, NULL);
    _exit(1); /* the thread that made the call is inside the module for good */
}

static chy_time wall(void *arg)
{
    return chy_play_now(arg);
}
static int64_t monotonic(void *arg)
{
    (void)arg;
    return chy_monotonic(&chy_system_clock);
}

static chy_time long_ago(void *arg)
{
    return chy_play_now(arg) - INT64_C(20) * 365 * 86400 * CHY_US_PER_S;
}

/* A throwaway authority whose key never leaves this process; valid whatever a play makes of its
 * clock. */
static chy_hresult make_authority(struct chy_play *p, struct chy_err *err)
{
    const struct chy_clock clock = {long_ago, monotonic, p};
    struct chy_ca_cert_making m = {.clock = &clock, .days = 36525, .path_len = -1};
    struct chy_buf subject;
    chy_buf_init(&subject, 256);
    chy_buf_init(&m.cert, CHY_CERT_MAX);
    chy_buf_init(&m.parent_chain, CHY_PEM_MAX);
    chy_hresult hr = chy_name_from_text("CN=Play CA", &subject, err);
    if (hr == CHY_S_OK) hr = chy_key_generate("p256", &m.key, err);
    m.subject = chy_buf_span(&subject);
    if (hr == CHY_S_OK && !(m.sig_alg = chy_key_sig_alg(m.key, NULL, err))) hr = CHY_E_FAIL;
    if (hr == CHY_S_OK) hr = chy_ca_cert_make(&m, err);
    if (hr == CHY_S_OK) hr = chy_ca_cert_write(&m, p->dir, 0, err);
    if (hr == CHY_S_OK) {
        struct chy_key *key = m.key;
        m.key = NULL;
        hr = chy_authority_load(p->dir, 0, NULL, 0, key, &p->authority, err);
    }
    if (hr == CHY_S_OK) hr = chy_authority_set_alg(p->authority, NULL, err);
    chy_key_free(m.key);
    chy_buf_free(&subject);
    chy_buf_free(&m.cert);
    chy_buf_free(&m.parent_chain);
    return hr;
}

chy_hresult chy_play_open(struct chy_play *p, struct chy_err *err)
{
    p->clock = (struct chy_clock){wall, monotonic, p};
    const struct chy_modules_config config = {.ops = &chy_play_ops,
                                              .ca = p,
                                              .clock = &p->clock,
                                              .call_timeout_ms = p->timeout_ms,
                                              .any_owner = true};
    chy_hresult hr = p->authority ? CHY_S_OK : make_authority(p, err);
    if (hr == CHY_S_OK) hr = chy_modules_new(&config, &p->modules, err);
    if (hr != CHY_S_OK) return hr;
    chy_modules_watch(p->modules, &(struct chy_watch){expired, p});
    /* A module is of one kind nearly always; one of both says which by the class it is asked for.
     */
    struct chy_err other = {0};
    hr = chy_policy_open(p->modules, p->module, NULL, p->binding, &p->instance, &other);
    p->is_policy = hr == CHY_S_OK;
    if (hr == CHY_REGDB_E_CLASSNOTREG)
        return chy_exit_open(p->modules, p->module, NULL, p->binding, &p->instance, err);
    return hr == CHY_S_OK ? hr : chy_fail(err, hr, "%s", other.text);
}

void chy_play_close(struct chy_play *p)
{
    if (p->instance) chy_instance_free(p->instance);
    p->instance = NULL;
    if (p->modules) chy_modules_free(p->modules);
    p->modules = NULL;
}
