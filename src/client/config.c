/* ICertConfig: the CAs that the daemon serves, one at a time. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "client/objects.h"

struct chy_config_self {
    struct chy_session *session;
    struct chy_err err;
    cJSON *list;
    int at; /* -1: before reset or behind the end */
};

chy_hresult chy_config_self_new(struct chy_session *s, void **out)
{
    struct chy_config_self *c = chy_calloc(1, sizeof(*c));
    if (!c) {
        chy_session_free(s);
        return CHY_E_OUTOFMEMORY;
    }
    c->session = s;
    c->at = -1;
    *out = c;
    return CHY_S_OK;
}

static void release(void *self)
{
    struct chy_config_self *c = self;
    if (!c) return;
    cJSON_Delete(c->list);
    chy_session_free(c->session);
    chy_free(c);
}

static const cJSON *cas(const struct chy_config_self *c)
{
    return cJSON_GetObjectItemCaseSensitive(c->list, "cas");
}

static chy_hresult load(struct chy_config_self *c)
{
    cJSON *v = NULL;
    chy_err_clear(&c->err);
    chy_hresult hr =
        chy_session_json(c->session, &(struct chy_ask){.path = "/api/v1/cas"}, &v, &c->err);
    if (hr != CHY_S_OK) return hr;
    cJSON_Delete(c->list);
    c->list = v;
    if (cJSON_IsArray(cas(c))) return CHY_S_OK;
    return chy_fail(&c->err, CHY_ERROR_INVALID_DATA, "the daemon's answer has no list of CAs");
}

static chy_hresult reset(void *self, chy_long index, chy_long *count)
{
    struct chy_config_self *c = self;
    if (!count) return CHY_E_POINTER;
    c->at = -1;
    chy_hresult hr = load(c);
    if (hr != CHY_S_OK) return hr;
    int n = cJSON_GetArraySize(cas(c));
    *count = n;
    if (index < 0 || (index >= n && n > 0))
        return chy_fail(&c->err, CHY_E_INVALIDARG, "CA %d: there are %d", index, n);
    c->at = n ? index : -1;
    return CHY_S_OK;
}

static chy_hresult next(void *self, chy_long *index)
{
    struct chy_config_self *c = self;
    if (!index) return CHY_E_POINTER;
    if (c->at >= 0 && c->at + 1 < cJSON_GetArraySize(cas(c))) {
        *index = ++c->at;
        return CHY_S_OK;
    }
    c->at = -1;
    *index = -1;
    return CHY_S_FALSE;
}

static chy_hresult text_out(chy_str *out, const char *text)
{
    if (!text || !*text) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    return chy_out_str(out, text, strlen(text));
}

static chy_hresult subject_field(const cJSON *ca, int nid, chy_str *out)
{
    static const char *const labels[] = {"CERTIFICATE", NULL};
    const char *pem = chy_json_str(ca, "certificate_chain", NULL);
    size_t pos = 0;
    struct chy_buf der;
    unsigned char *utf8 = NULL;
    X509 *x = NULL;
    chy_buf_init(&der, CHY_HTTPC_BODY_MAX);
    if (pem && chy_pem_next(chy_span_cstr(pem), labels, &pos, &der, NULL) == CHY_S_OK) {
        const uint8_t *p = der.p;
        x = d2i_X509(NULL, &p, (long)der.n);
    }
    const X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
    int i = name ? X509_NAME_get_index_by_NID(name, nid, -1) : -1, n = -1;
    if (i >= 0)
        n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
    chy_hresult hr = n > 0 ? chy_out_str(out, utf8, (size_t)n) : CHY_CERTSRV_E_PROPERTY_EMPTY;
    OPENSSL_free(utf8);
    X509_free(x);
    chy_buf_free(&der);
    ERR_clear_error();
    return hr;
}

static chy_hresult server_field(const cJSON *ca, chy_str *out)
{
    const char *config = chy_json_str(ca, "config", NULL);
    const char *cut = config ? strchr(config, '\\') : NULL;
    return cut ? chy_out_str(out, config, (size_t)(cut - config)) : CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult get_field(void *self, const char *field, chy_str *out)
{
    static const struct {
        const char *name, *key;
        int nid;
    } fields[] = {{"CommonName", "name", 0},
                  {"Authority", "name", 0},
                  {"Config", "config", 0},
                  {"SanitizedName", "sanitized_name", 0},
                  {"SanitizedShortName", "sanitized_short_name", 0},
                  {"ShortName", "sanitized_short_name", 0},
                  {"Country", NULL, NID_countryName},
                  {"State", NULL, NID_stateOrProvinceName},
                  {"Locality", NULL, NID_localityName},
                  {"Organization", NULL, NID_organizationName},
                  {"OrgUnit", NULL, NID_organizationalUnitName},
                  {"Description", NULL, NID_description},
                  {"Comment", NULL, NID_description}};
    struct chy_config_self *c = self;
    char flags[16];
    if (!field || !out) return CHY_E_POINTER;
    *out = (chy_str){0};
    const cJSON *ca = c->at >= 0 ? cJSON_GetArrayItem(cas(c), c->at) : NULL;
    if (!ca) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    if (strcasecmp(field, "Server") == 0) return server_field(ca, out);
    if (strcasecmp(field, "Flags") == 0) {
        bool local = chy_session_is_local(c->session);
        snprintf(flags, sizeof(flags), "%d", CHY_CAIF_REGISTRY | (local ? CHY_CAIF_LOCAL : 0));
        return text_out(out, flags);
    }
    for (size_t i = 0; i < CHY_ARRAY_LEN(fields); i++) {
        if (strcasecmp(field, fields[i].name) != 0) continue;
        return fields[i].key ? text_out(out, chy_json_str(ca, fields[i].key, NULL))
                             : subject_field(ca, fields[i].nid, out);
    }
    return CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult get_config(void *self, chy_long flags, chy_str *out)
{
    struct chy_config_self *c = self;
    if (!out) return CHY_E_POINTER;
    *out = (chy_str){0};
    chy_err_clear(&c->err);
    if (flags == CHY_CC_UIPICKCONFIG || flags == CHY_CC_UIPICKCONFIGSKIPLOCALCA)
        return chy_fail(&c->err, CHY_ERROR_NOT_SUPPORTED, "there is nobody to ask for a CA here");
    if (flags < CHY_CC_DEFAULTCONFIG || flags > CHY_CC_UIPICKCONFIGSKIPLOCALCA)
        return chy_fail(&c->err, CHY_E_INVALIDARG, "flags %d: 0 to 5 is expected", flags);
    bool local = flags == CHY_CC_LOCALCONFIG || flags == CHY_CC_LOCALACTIVECONFIG;
    cJSON *before = c->list;
    c->list = NULL;
    chy_hresult hr = load(c);
    const cJSON *ca, *found = NULL;
    cJSON_ArrayForEach(ca, cas(c))
    {
        bool ready = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(ca, "ready"));
        if (!found && (ready || flags != CHY_CC_LOCALACTIVECONFIG)) found = ca;
    }
    if (local && !chy_session_is_local(c->session)) found = NULL;
    if (hr == CHY_S_OK)
        hr = found ? text_out(out, chy_json_str(found, "config", NULL))
                   : chy_fail(&c->err, CHY_CRYPT_E_NOT_FOUND, "there is no such CA");
    /* Asking for a config string does not move the enumeration. */
    cJSON_Delete(c->list);
    c->list = before;
    return hr;
}

static chy_hresult set_shared_folder(void *self, const char *path)
{
    struct chy_config_self *c = self;
    struct chy_buf b;
    chy_err_clear(&c->err);
    if (!path || !*path) return CHY_E_INVALIDARG;
    chy_buf_init(&b, 4096);
    chy_buf_addf(&b, "%s/chancery.sock", path);
    const char *socket = chy_buf_cstr(&b);
    chy_hresult hr = socket ? chy_session_set_socket(c->session, socket, &c->err)
                            : chy_fail_nomem(&c->err, "folder");
    chy_buf_free(&b);
    return hr;
}

static chy_hresult give_long(chy_variant *r, chy_hresult hr, chy_long v)
{
    if (CHY_SUCCEEDED(hr)) *r = (chy_variant){.vt = CHY_VT_LONG, .u.l = v};
    return hr;
}

static chy_hresult give_str(chy_variant *r, chy_hresult hr, chy_str s)
{
    if (CHY_SUCCEEDED(hr)) *r = (chy_variant){.vt = CHY_VT_STR, .u.s = s};
    return hr;
}

static chy_hresult i_reset(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long n = 0;
    chy_hresult hr = reset(o, a[0].u.l, &n);
    return give_long(r, hr, n);
}
static chy_hresult i_next(void *o, const chy_variant *a, chy_variant *r)
{
    chy_long i = -1;
    chy_hresult hr = next(o, &i);
    (void)a;
    return give_long(r, hr, i);
}
static chy_hresult i_field(void *o, const chy_variant *a, chy_variant *r)
{
    chy_str s = {0};
    chy_hresult hr = get_field(o, chy_arg_text(&a[0]), &s);
    return give_str(r, hr, s);
}
static chy_hresult i_config(void *o, const chy_variant *a, chy_variant *r)
{
    chy_str s = {0};
    chy_hresult hr = get_config(o, a[0].u.l, &s);
    return give_str(r, hr, s);
}
static chy_hresult i_folder(void *o, const chy_variant *a, chy_variant *r)
{
    (void)r;
    return set_shared_folder(o, chy_arg_text(&a[0]));
}

static const struct chy_method methods[] = {{"Reset", "l", i_reset},
                                            {"Next", "", i_next},
                                            {"GetField", "s", i_field},
                                            {"GetConfig", "l", i_config},
                                            {"SetSharedFolder", "s", i_folder}};

static chy_hresult invoke(void *self, const char *method, const chy_variant *args, uint32_t nargs,
                          chy_variant *result, chy_excep *excep, uint32_t *bad_arg)
{
    struct chy_config_self *c = self;
    return chy_invoke(self, methods, CHY_ARRAY_LEN(methods), method, args, nargs, result, excep,
                      bad_arg, &c->err);
}

const chy_config_vtbl chy_config_table = {
    .h = {sizeof(chy_config_vtbl), CHY_ABI_VERSION, CHY_IID_CONFIG, 0},
    .release = release,
    .invoke = invoke,
    .reset = reset,
    .next = next,
    .get_field = get_field,
    .get_config = get_config,
    .set_shared_folder = set_shared_folder,
};
