#include "host.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <locale.h>
#include <pthread.h>
#include <strings.h>
#include <wchar.h>

struct fake fake;

struct callback {
    struct fake_request *r;
    size_t next;
    chy_long last_flags;
};

static pthread_mutex_t setting_lock = PTHREAD_MUTEX_INITIALIZER;

static void variant_clear(chy_variant *v)
{
    if (v->vt == CHY_VT_STR) free(v->u.s.p);
    if (v->vt == CHY_VT_BYTES) free(v->u.b.p);
    for (size_t i = 0; v->vt == CHY_VT_STRV && i < v->u.sv.n; i++)
        free(v->u.sv.v[i].p);
    if (v->vt == CHY_VT_STRV) free(v->u.sv.v);
    v->vt = CHY_VT_EMPTY;
}

static chy_str str_of(const void *p, size_t n)
{
    char *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    copy[n] = 0;
    return (chy_str){copy, n};
}

static chy_variant text_variant(const void *p, size_t n)
{
    return (chy_variant){.vt = CHY_VT_STR, .u.s = str_of(p, n)};
}

static chy_variant copy_variant(const chy_variant *v)
{
    if (v->vt == CHY_VT_STR) return text_variant(v->u.s.p, v->u.s.n);
    chy_variant out = *v;
    if (v->vt == CHY_VT_STRV) {
        out.u.sv.v = calloc(v->u.sv.n + 1, sizeof(chy_str));
        assert_non_null(out.u.sv.v);
        for (size_t i = 0; i < v->u.sv.n; i++)
            out.u.sv.v[i] = str_of(v->u.sv.v[i].p, v->u.sv.v[i].n);
    }
    return out;
}

static bool failing(const char *name)
{
    return fake.fails && strcasecmp(fake.fails, name) == 0;
}

/* ---- the host's own table ---- */

static void log_text(void *h, chy_long severity, const char *text)
{
    (void)h, (void)severity;
    pthread_mutex_lock(&setting_lock);
    size_t n = strlen(fake.log);
    snprintf(fake.log + n, sizeof fake.log - n, "%s\n", text);
    pthread_mutex_unlock(&setting_lock);
}

static chy_hresult get_setting(void *h, const char *name, chy_variant *out)
{
    (void)h;
    chy_hresult hr = failing(name) ? fake.fail_code : CHY_CERTSRV_E_PROPERTY_EMPTY;
    pthread_mutex_lock(&setting_lock);
    for (size_t i = 0; i < fake.n_setting && hr == CHY_CERTSRV_E_PROPERTY_EMPTY; i++) {
        if (strcasecmp(fake.setting[i].name, name) != 0) continue;
        *out = copy_variant(&fake.setting[i].value);
        hr = CHY_S_OK;
    }
    pthread_mutex_unlock(&setting_lock);
    return hr;
}

static chy_hresult next_setting(void *h, const char *after, chy_str *out)
{
    (void)h;
    size_t at = 0;
    chy_hresult hr = CHY_S_FALSE;
    pthread_mutex_lock(&setting_lock);
    for (size_t i = 0; after && i < fake.n_setting; i++)
        if (strcasecmp(fake.setting[i].name, after) == 0) at = i + 1;
    if (at < fake.n_setting) {
        *out = str_of(fake.setting[at].name, strlen(fake.setting[at].name));
        hr = CHY_S_OK;
    }
    pthread_mutex_unlock(&setting_lock);
    return hr;
}

static chy_hresult time_left(void *h, chy_long *ms)
{
    (void)h;
    pthread_mutex_lock(&setting_lock);
    *ms = fake.time_left ? fake.time_left : INT32_MAX;
    if (fake.time_left > fake.time_step) fake.time_left -= fake.time_step;
    pthread_mutex_unlock(&setting_lock);
    return CHY_S_OK;
}

static bool is_utf8(const char *text)
{
    static const char none[] = "";
    wchar_t wide[2000];
    const char *at = text ? text : none;
    mbstate_t state = {0};
    locale_t c = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), was = uselocale(c);
    size_t n = mbsrtowcs(wide, &at, sizeof wide / sizeof wide[0], &state);
    uselocale(was);
    freelocale(c);
    return n != (size_t)-1;
}

static chy_hresult set_message(void *h, chy_long context, const char *text)
{
    (void)h;
    if (!is_utf8(text)) return CHY_E_INVALIDARG; /* as the engine does */
    snprintf(fake.request[context - 1].message, sizeof fake.request[0].message, "%s", text);
    return CHY_S_OK;
}

/* ---- callback objects ---- */

static void cb_release(void *self)
{
    free(self);
}

static chy_hresult cb_set_context(void *self, chy_long context)
{
    struct callback *c = self;
    if (context < 0 || context > 4) return CHY_E_HANDLE;
    c->r = context ? &fake.request[context - 1] : NULL;
    return CHY_S_OK;
}

static const struct fake_text *find(const struct fake_text *t, const char *name)
{
    for (size_t i = 0; i < FAKE_MAX; i++)
        if (t[i].name[0] && strcasecmp(t[i].name, name) == 0) return &t[i];
    return NULL;
}

static chy_hresult cb_attribute(void *self, const char *name, chy_str *out)
{
    struct callback *c = self;
    const struct fake_text *t = find(c->r->attribute, name);
    if (failing(name)) return fake.fail_code;
    if (!t) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    *out = str_of(t->value, t->n);
    return CHY_S_OK;
}

static chy_variant bytes_variant(const void *p, size_t n)
{
    chy_variant v = {.vt = CHY_VT_BYTES};
    v.u.b.n = n;
    v.u.b.p = malloc(n + 1);
    assert_non_null(v.u.b.p);
    memcpy(v.u.b.p, p, n);
    return v;
}

/* As the engine answers: a CRL that is not there is a file that is not there, and of an index that
 * is not there nothing is known. */
static chy_hresult ca_property(const char *name, chy_long type, chy_variant *out)
{
    const struct fake_text *t = find(fake.ca, name);
    const char *dot = strchr(name, '.');
    bool crl = !strncmp(name, "RawCRL", 6) || !strncmp(name, "RawDeltaCRL", 11);
    if (!t && crl && !(dot && strchr(dot + 1, '.'))) return CHY_ERROR_FILE_NOT_FOUND;
    if (!t) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (type == CHY_PROPTYPE_LONG)
        *out = (chy_variant){.vt = CHY_VT_LONG, .u.l = (chy_long)strtol(t->value, NULL, 10)};
    else
        *out = type == CHY_PROPTYPE_BINARY ? bytes_variant(t->value, t->n)
                                           : text_variant(t->value, t->n);
    return CHY_S_OK;
}

static chy_hresult cb_property(void *self, const char *name, chy_long type, chy_variant *out)
{
    struct callback *c = self;
    if (failing(name)) return fake.fail_code;
    if (!c->r) return ca_property(name, type, out);
    const struct fake_text *t = find(c->r->property, name);
    if (type == CHY_PROPTYPE_LONG) {
        chy_long v = !strcmp(name, "RequestID")           ? c->r->id
                     : !strcmp(name, "RequesterCAAccess") ? c->r->may_enrol
                     : !strcmp(name, "PublicKeyLength")   ? c->r->key_bits
                                                          : 0;
        *out = (chy_variant){.vt = CHY_VT_LONG, .u.l = v};
        return CHY_S_OK;
    }
    if (type == CHY_PROPTYPE_DATE) {
        chy_time v = strcmp(name, "NotAfter") ? c->r->not_before : c->r->not_after;
        *out = (chy_variant){.vt = CHY_VT_DATE, .u.t = v};
        return CHY_S_OK;
    }
    if (!t) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    *out =
        type == CHY_PROPTYPE_BINARY ? bytes_variant(t->value, t->n) : text_variant(t->value, t->n);
    return CHY_S_OK;
}

static chy_hresult cb_set_property(void *self, const char *name, chy_long type,
                                   const chy_variant *v)
{
    struct callback *c = self;
    if (failing(name)) return fake.fail_code;
    if (type == CHY_PROPTYPE_DATE) {
        bool from = !strcmp(name, "NotBefore");
        if (!from) assert_string_equal(name, "NotAfter");
        assert_true(from ? v->u.t < c->r->not_after : v->u.t <= c->r->not_after);
        assert_true(from ? v->u.t >= c->r->not_before : v->u.t > c->r->not_before);
        *(from ? &c->r->not_before : &c->r->not_after) = v->u.t;
        return CHY_S_OK;
    }
    assert_int_equal(type, CHY_PROPTYPE_STRING);
    if (v->vt == CHY_VT_STR) assert_int_equal(strlen(v->u.s.p), v->u.s.n);
    fake_property(c->r, name, v->vt == CHY_VT_STR ? v->u.s.p : NULL,
                  v->vt == CHY_VT_STR ? v->u.s.n : 0);
    return CHY_S_OK;
}

static chy_hresult cb_ext(void *self, const char *oid, chy_long type, chy_variant *out)
{
    struct callback *c = self;
    const struct fake_ext *e = fake_ext(c->r, oid);
    (void)type;
    if (failing(oid)) return fake.fail_code;
    if (!e) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    out->vt = CHY_VT_BYTES;
    out->u.b.n = e->n;
    out->u.b.p = malloc(e->n ? e->n : 1);
    assert_non_null(out->u.b.p);
    memcpy(out->u.b.p, e->value, e->n);
    c->last_flags = e->flags;
    return CHY_S_OK;
}

static chy_hresult cb_ext_flags(void *self, chy_long *flags)
{
    struct callback *c = self;
    *flags = c->last_flags;
    return CHY_S_OK;
}

static chy_hresult cb_set_ext(void *self, const char *oid, chy_long type, chy_long flags,
                              const chy_variant *v)
{
    struct callback *c = self;
    chy_long keep = CHY_EXTENSION_CRITICAL_FLAG | CHY_EXTENSION_DISABLE_FLAG | 0xff00;
    assert_int_equal(type, CHY_PROPTYPE_BINARY);
    assert_int_equal(v->vt, CHY_VT_BYTES);
    fake_set_ext(c->r, oid, (flags & keep) | CHY_EXTENSION_ORIGIN_POLICY, v->u.b.p, v->u.b.n);
    return CHY_S_OK;
}

static chy_hresult cb_each_setup(void *self, chy_long flags)
{
    struct callback *c = self;
    (void)flags;
    c->next = 0;
    return CHY_S_OK;
}

static chy_hresult cb_each(void *self, chy_str *oid)
{
    struct callback *c = self;
    if (c->next >= c->r->n_ext) return CHY_S_FALSE;
    const char *text = c->r->ext[c->next++].oid;
    *oid = str_of(text, strlen(text));
    return CHY_S_OK;
}

static chy_hresult cb_each_attribute(void *self, chy_str *name)
{
    struct callback *c = self;
    while (c->next < FAKE_MAX && !c->r->attribute[c->next].name[0])
        c->next++;
    if (c->next == FAKE_MAX) return CHY_S_FALSE;
    const char *text = c->r->attribute[c->next++].name;
    *name = str_of(text, strlen(text));
    return CHY_S_OK;
}

static chy_hresult cb_each_close(void *self)
{
    (void)self;
    return CHY_S_OK;
}

static const chy_server_policy_vtbl policy_callbacks = {
    .h = {sizeof policy_callbacks, CHY_ABI_VERSION, CHY_IID_SERVER_POLICY, 0},
    .release = cb_release,
    .set_context = cb_set_context,
    .get_request_property = cb_property,
    .get_request_attribute = cb_attribute,
    .get_certificate_property = cb_property,
    .set_certificate_property = cb_set_property,
    .get_certificate_extension = cb_ext,
    .get_certificate_extension_flags = cb_ext_flags,
    .set_certificate_extension = cb_set_ext,
    .enumerate_extensions_setup = cb_each_setup,
    .enumerate_extensions = cb_each,
    .enumerate_extensions_close = cb_each_close};

static const chy_server_exit_vtbl exit_callbacks = {
    .h = {sizeof exit_callbacks, CHY_ABI_VERSION, CHY_IID_SERVER_EXIT, 0},
    .release = cb_release,
    .set_context = cb_set_context,
    .get_request_property = cb_property,
    .get_request_attribute = cb_attribute,
    .get_certificate_property = cb_property,
    .get_certificate_extension = cb_ext,
    .get_certificate_extension_flags = cb_ext_flags,
    .enumerate_attributes_setup = cb_each_setup,
    .enumerate_attributes = cb_each_attribute,
    .enumerate_attributes_close = cb_each_close};

static chy_hresult new_policy(void *h, chy_server_policy *out)
{
    (void)h;
    *out = (chy_server_policy){&policy_callbacks, calloc(1, sizeof(struct callback))};
    return CHY_S_OK;
}

static chy_hresult new_exit(void *h, chy_server_exit *out)
{
    (void)h;
    *out = (chy_server_exit){&exit_callbacks, calloc(1, sizeof(struct callback))};
    return CHY_S_OK;
}

static const chy_host_vtbl host_table = {.h = {sizeof host_table, CHY_ABI_VERSION, CHY_IID_HOST, 0},
                                         .alloc = malloc,
                                         .free = free,
                                         .variant_clear = variant_clear,
                                         .log = log_text,
                                         .new_server_policy = new_policy,
                                         .new_server_exit = new_exit,
                                         .get_setting = get_setting,
                                         .next_setting = next_setting,
                                         .time_left = time_left,
                                         .set_message = set_message};

/* ---- what the tests arrange and look at ---- */

void fake_reset(void)
{
    for (size_t i = 0; i < fake.n_setting; i++)
        variant_clear(&fake.setting[i].value);
    memset(&fake, 0, sizeof fake);
    fake.host = (chy_host){&host_table, &fake};
    for (int i = 0; i < 4; i++) {
        struct fake_request *r = &fake.request[i];
        r->id = 10 + i;
        r->may_enrol = 1;
        r->not_before = 20000 * FAKE_DAY;
        r->not_after = r->not_before + 365 * FAKE_DAY - 1000000;
        fake_key(r, "1.2.840.113549.1.1.1", 2048);
    }
    fake_set_long("RequestDisposition", CHY_REQDISP_ISSUE);
}

static void put(struct fake_text *t, const char *name, const void *value, size_t n)
{
    struct fake_text *at = NULL;
    for (size_t i = 0; i < FAKE_MAX; i++)
        if (strcasecmp(t[i].name, name) == 0) at = &t[i];
    for (size_t i = 0; i < FAKE_MAX && !at; i++)
        if (!t[i].name[0]) at = &t[i];
    assert_non_null(at);
    assert_true(n < sizeof at->value);
    if (!value) {
        at->name[0] = 0;
        return;
    }
    snprintf(at->name, sizeof at->name, "%s", name);
    memcpy(at->value, value, n);
    at->value[n] = 0;
    at->n = n;
}

void fake_attribute(struct fake_request *r, const char *name, const char *value)
{
    put(r->attribute, name, value, value ? strlen(value) : 0);
}

void fake_property(struct fake_request *r, const char *name, const void *value, size_t n)
{
    put(r->property, name, value, n);
}

void fake_cn(struct fake_request *r, const char *cn)
{
    fake_property(r, "CommonName", cn, strlen(cn));
}

void fake_ca(const char *name, const char *value)
{
    put(fake.ca, name, value, value ? strlen(value) : 0);
}

const char *fake_text(const struct fake_request *r, const char *name)
{
    const struct fake_text *t = find(r->property, name);
    return t ? t->value : NULL;
}

void fake_key(struct fake_request *r, const char *algorithm_oid, chy_long bits)
{
    fake_property(r, "PublicKeyAlgorithm", algorithm_oid, strlen(algorithm_oid));
    r->key_bits = bits;
}

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

void fake_curve(struct fake_request *r, const char *hex)
{
    uint8_t b[64];
    fake_key(r, "1.2.840.10045.2.1", 0);
    size_t n = from_hex(b, hex);
    fake_property(r, "RawPublicKeyAlgorithmParameters", b, n);
}

void fake_set_ext(struct fake_request *r, const char *oid, chy_long flags, const void *p, size_t n)
{
    struct fake_ext *e = NULL;
    for (size_t i = 0; i < r->n_ext; i++)
        if (strcmp(r->ext[i].oid, oid) == 0) e = &r->ext[i];
    if (!e) {
        assert_true(r->n_ext < FAKE_MAX);
        e = &r->ext[r->n_ext++];
    }
    assert_true(n <= sizeof e->value);
    snprintf(e->oid, sizeof e->oid, "%s", oid);
    e->flags = flags;
    memcpy(e->value, p, n);
    e->n = n;
}

void fake_set_ext_hex(struct fake_request *r, const char *oid, chy_long flags, const char *hex)
{
    uint8_t b[2000];
    assert_true(strlen(hex) / 2 <= sizeof b);
    fake_set_ext(r, oid, flags, b, from_hex(b, hex));
}

const struct fake_ext *fake_ext(const struct fake_request *r, const char *oid)
{
    for (size_t i = 0; i < r->n_ext; i++)
        if (strcmp(r->ext[i].oid, oid) == 0) return &r->ext[i];
    return NULL;
}

const char *fake_hex(const struct fake_request *r, const char *oid)
{
    static char text[10001];
    const struct fake_ext *e = fake_ext(r, oid);
    text[0] = 0;
    if (!e || (e->flags & CHY_EXTENSION_DISABLE_FLAG)) return text;
    for (size_t i = 0; i < e->n; i++)
        snprintf(text + 2 * i, 3, "%02x", e->value[i]);
    return text;
}

static size_t tlv(uint8_t *out, uint8_t tag, const void *p, size_t n)
{
    size_t head = 2;
    out[0] = tag;
    out[1] = (uint8_t)n;
    if (n >= 0x100) {
        out[1] = 0x82;
        out[2] = (uint8_t)(n >> 8);
        out[3] = (uint8_t)n;
        head = 4;
    } else if (n >= 0x80) {
        out[1] = 0x81;
        out[2] = (uint8_t)n;
        head = 3;
    }
    if (n) memmove(out + head, p, n);
    return head + n;
}

static size_t name_der(uint8_t *out, const char *kind, const char *value)
{
    static const uint8_t upn[] = {0x06, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3};
    static const uint8_t dir[] = {0x30, 9, 0x31, 7, 0x30, 5, 0x06, 1, 0x29, 0x0c, 0};
    uint8_t ip[16], utf8[300], box[400];
    if (!strcmp(kind, "dns")) return tlv(out, 0x82, value, strlen(value));
    if (!strcmp(kind, "email")) return tlv(out, 0x81, value, strlen(value));
    if (!strcmp(kind, "uri")) return tlv(out, 0x86, value, strlen(value));
    if (!strcmp(kind, "rid")) return tlv(out, 0x88, "\x2a\x03", 2);
    if (!strcmp(kind, "dir")) return tlv(out, 0xa4, dir, sizeof dir);
    if (!strcmp(kind, "ip4") && inet_pton(AF_INET, value, ip) == 1) return tlv(out, 0x87, ip, 4);
    if (!strcmp(kind, "ip6") && inet_pton(AF_INET6, value, ip) == 1) return tlv(out, 0x87, ip, 16);
    assert_string_equal(kind, "upn");
    size_t n = tlv(utf8, 0x0c, value, strlen(value));
    memcpy(box, upn, sizeof upn);
    n = sizeof upn + tlv(box + sizeof upn, 0xa0, utf8, n);
    return tlv(out, 0xa0, box, n);
}

size_t fake_san_der(uint8_t *out, const char *names)
{
    uint8_t all[4800];
    char copy[5000], *save = NULL;
    size_t n = 0;
    snprintf(copy, sizeof copy, "%s", names);
    for (char *one = strtok_r(copy, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
        char *colon = strchr(one, ':');
        assert_non_null(colon);
        *colon = 0;
        n += name_der(all + n, one, colon + 1);
    }
    return tlv(out, 0x30, all, n);
}

void fake_san(struct fake_request *r, chy_long flags, const char *names)
{
    uint8_t der[4900];
    fake_set_ext(r, OID_SAN, flags, der, fake_san_der(der, names));
}

void fake_set_variant(const char *name, chy_variant value)
{
    pthread_mutex_lock(&setting_lock);
    size_t i = 0;
    while (i < fake.n_setting && strcasecmp(fake.setting[i].name, name) != 0)
        i++;
    assert_true(i < FAKE_MAX);
    if (i == fake.n_setting)
        fake.n_setting++;
    else
        variant_clear(&fake.setting[i].value);
    snprintf(fake.setting[i].name, sizeof fake.setting[i].name, "%s", name);
    fake.setting[i].value = value;
    pthread_mutex_unlock(&setting_lock);
}

void fake_unset(const char *name)
{
    for (size_t i = 0; i < fake.n_setting; i++) {
        if (strcasecmp(fake.setting[i].name, name) != 0) continue;
        variant_clear(&fake.setting[i].value);
        fake.setting[i] = fake.setting[--fake.n_setting];
    }
}

void fake_set_long(const char *name, chy_long value)
{
    fake_set_variant(name, (chy_variant){.vt = CHY_VT_LONG, .u.l = value});
}

void fake_set_text(const char *name, const char *value)
{
    fake_set_variant(name, text_variant(value, strlen(value)));
}

void fake_set_list(const char *name, const char *comma_separated)
{
    chy_variant v = {.vt = CHY_VT_STRV};
    v.u.sv.v = calloc(FAKE_MAX, sizeof(chy_str));
    assert_non_null(v.u.sv.v);
    for (const char *p = comma_separated; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        v.u.sv.v[v.u.sv.n++] = str_of(p, n);
        p += n;
    }
    fake_set_variant(name, v);
}

bool fake_logged(const char *text)
{
    pthread_mutex_lock(&setting_lock);
    bool yes = strstr(fake.log, text) != NULL;
    pthread_mutex_unlock(&setting_lock);
    return yes;
}

void fake_set_time_left(chy_long ms)
{
    pthread_mutex_lock(&setting_lock);
    fake.time_left = ms;
    pthread_mutex_unlock(&setting_lock);
}

chy_object fake_create(const char *module, const char *class_name)
{
    char path[512];
    chy_object o = {NULL, NULL};
    chy_module_entry_fn entry;
    snprintf(path, sizeof path, "%s/%s.so", TEST_MODULES, module);
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!lib) fail_msg("%s", dlerror());
    void *sym = dlsym(lib, "chy_module_entry");
    assert_non_null(sym);
    memcpy(&entry, &sym, sizeof entry);
    assert_int_equal(entry()->create(&fake.host, class_name, &o), CHY_S_OK);
    return o;
}

const chy_policy_vtbl *fake_policy_table(const chy_object *o)
{
    const void *t = o->vt;
    return t;
}

const chy_exit_vtbl *fake_exit_table(const chy_object *o)
{
    const void *t = o->vt;
    return t;
}

const chy_manage_module_vtbl *fake_manage_table(const chy_object *o)
{
    const void *t = o->vt;
    return t;
}

chy_hresult fake_initialize(void)
{
    chy_object o = fake_create("policy-default", "PolicyDefault.Policy");
    const chy_policy_vtbl *p = fake_policy_table(&o);
    chy_hresult hr = p->initialize(o.self, "host\\CA");
    p->release(o.self);
    return hr;
}

chy_long fake_verify(int is_new)
{
    chy_long answer = 77;
    chy_object o = fake_create("policy-default", "PolicyDefault.Policy");
    const chy_policy_vtbl *p = fake_policy_table(&o);
    fake.request[0].message[0] = 0;
    if (p->initialize(o.self, "host\\CA") != CHY_S_OK) fail_msg("%s", fake.log);
    chy_hresult hr = p->verify_request(o.self, "host\\CA", 1, is_new, 0, &answer);
    assert_int_equal(p->shut_down(o.self), CHY_S_OK);
    p->release(o.self);
    /* Without memory it did not look, and decides nothing. */
    assert_int_equal(hr, answer == CHY_VR_INSTANT_BAD && fake.fail_code == CHY_E_OUTOFMEMORY
                             ? CHY_E_OUTOFMEMORY
                             : CHY_S_OK);
    return CHY_FAILED(hr) ? hr : answer;
}
