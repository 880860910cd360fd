/* ICertAdmin: revocations, CRLs, and what officers do to pending requests. */
#include <string.h>

#include "base/text.h"
#include "client/objects.h"

enum { PATH_MAX_OCTETS = 4096, VALUE_MAX = 64 << 10, LIST_MAX = 32 << 20 };

static void release(void *self)
{
    struct chy_admin_self *a = self;
    if (!a) return;
    chy_request_self_fini(&a->r);
    chy_free(a);
}

/* ---- one call ---- */
static chy_hresult begin(struct chy_admin_self *a, const char *config, struct chy_buf *path)
{
    char *ca = NULL;
    chy_err_clear(&a->r.err);
    chy_buf_init(path, PATH_MAX_OCTETS);
    chy_hresult hr = chy_config_ca(config, &ca, &a->r.err);
    chy_path_begin(path, ca);
    chy_free(ca);
    return hr;
}

static chy_hresult begin_request(struct chy_admin_self *a, const char *config, chy_long id,
                                 const char *rest, struct chy_buf *path)
{
    chy_hresult hr = begin(a, config, path);
    chy_buf_addf(path, "/requests/%d%s", id, rest);
    if (hr == CHY_S_OK && id <= 0)
        hr = chy_fail(&a->r.err, CHY_E_INVALIDARG, "request id %d: a positive number is expected",
                      id);
    return hr == CHY_S_OK ? chy_buf_done(path, "path", &a->r.err) : hr;
}

static chy_hresult begin_serial(struct chy_admin_self *a, const char *config, const char *serial,
                                const char *rest, struct chy_buf *path)
{
    chy_hresult hr = begin(a, config, path);
    chy_buf_add_str(path, "/certificates/");
    chy_path_add(path, serial ? serial : "");
    chy_buf_add_str(path, rest);
    if (hr == CHY_S_OK && (!serial || !*serial))
        hr = chy_fail(&a->r.err, CHY_E_INVALIDARG, "a serial number is expected");
    return hr == CHY_S_OK ? chy_buf_done(path, "path", &a->r.err) : hr;
}

/* body is taken over; NULL: none. *out NULL: the answer itself is of no interest. */
static chy_hresult send(struct chy_admin_self *a, const char *method, struct chy_buf *path,
                        cJSON *body, cJSON **out)
{
    char *json = body ? cJSON_PrintUnformatted(body) : NULL;
    cJSON *v = NULL;
    struct chy_ask ask = {.method = method,
                          .path = chy_buf_cstr(path),
                          .content_type = json ? "application/json" : NULL,
                          .body = chy_span_cstr(json ? json : ""),
                          .timeout_ms = CHY_ASK_LONG_MS,
                          .answer_max = LIST_MAX};
    chy_hresult hr = body && !json ? chy_fail_nomem(&a->r.err, "request") : CHY_S_OK;
    const struct chy_httpc_answer *answer = NULL;
    if (hr == CHY_S_OK) hr = chy_session_ask(a->r.session, &ask, &answer, &a->r.err);
    if (hr == CHY_S_OK) hr = chy_session_problem(answer, &a->r.err);
    if (hr == CHY_S_OK) hr = chy_json_parse(chy_buf_span(&answer->body), LIST_MAX, &v, &a->r.err);
    cJSON_free(json);
    cJSON_Delete(body);
    if (out && hr == CHY_S_OK) {
        *out = v;
    } else {
        cJSON_Delete(v);
    }
    return hr;
}

static bool add_time(cJSON *body, const char *key, chy_time t)
{
    char text[32];
    if (t == CHY_TIME_DEFAULT) return true;
    chy_time_format(text, t);
    return cJSON_AddStringToObject(body, key, text) != NULL;
}

/* ---- certificates ---- */
static chy_hresult is_valid_certificate(void *self, const char *config, const char *serial,
                                        chy_long *disposition)
{
    struct chy_admin_self *a = self;
    struct chy_buf path;
    cJSON *v = NULL;
    int64_t d = 0, reason = 0;
    if (!disposition) return CHY_E_POINTER;
    *disposition = CHY_CA_DISP_INCOMPLETE;
    a->is_revoked = false;
    chy_hresult hr = begin_serial(a, config, serial, "/validity", &path);
    if (hr == CHY_S_OK) hr = send(a, "GET", &path, NULL, &v);
    if (hr == CHY_S_OK &&
        (!chy_json_int(v, "disposition", &d, NULL) || d < 0 || d > CHY_CA_DISP_UNDER_SUBMISSION))
        hr = chy_fail(&a->r.err, CHY_ERROR_INVALID_DATA, "the daemon's answer has no disposition");
    if (hr == CHY_S_OK) {
        *disposition = (chy_long)d;
        a->is_revoked =
            d == CHY_CA_DISP_REVOKED && chy_json_int(v, "reason", &reason, NULL) && reason < 256;
        a->reason = a->is_revoked ? (chy_long)reason : 0;
    }
    cJSON_Delete(v);
    chy_buf_free(&path);
    return hr;
}

static chy_hresult get_revocation_reason(void *self, chy_long *reason)
{
    struct chy_admin_self *a = self;
    if (!reason) return CHY_E_POINTER;
    *reason = 0;
    chy_err_clear(&a->r.err);
    if (!a->is_revoked)
        return chy_fail(&a->r.err, CHY_CERTSRV_E_PROPERTY_EMPTY,
                        "the certificate that was asked about last is not revoked");
    *reason = a->reason;
    return CHY_S_OK;
}

static chy_hresult revoke_certificate(void *self, const char *config, const char *serial,
                                      chy_long reason, chy_time date)
{
    struct chy_admin_self *a = self;
    struct chy_buf path;
    chy_hresult hr = begin_serial(a, config, serial, "/revoke", &path);
    if (hr == CHY_S_OK) {
        cJSON *body = cJSON_CreateObject();
        if (!cJSON_AddNumberToObject(body, "reason", reason) ||
            !add_time(body, "effective_when", date)) {
            hr = chy_fail_nomem(&a->r.err, "request");
            cJSON_Delete(body);
        } else {
            hr = send(a, "POST", &path, body, NULL);
        }
    }
    chy_buf_free(&path);
    return hr;
}

/* ---- pending requests ---- */
/* An answer with a request in it is one, whatever its HTTP status. */
static chy_hresult send_officer(struct chy_admin_self *a, const char *method, struct chy_buf *path,
                                const char *json, int64_t *disposition, chy_hresult *status)
{
    struct chy_ask ask = {.method = method,
                          .path = chy_buf_cstr(path),
                          .content_type = json ? "application/json" : NULL,
                          .body = chy_span_cstr(json ? json : "")};
    const struct chy_httpc_answer *answer = NULL;
    cJSON *v = NULL;
    int64_t code = 0;
    chy_hresult hr = chy_session_ask(a->r.session, &ask, &answer, &a->r.err);
    if (hr != CHY_S_OK) return hr;
    bool row =
        chy_json_parse(chy_buf_span(&answer->body), CHY_HTTPC_BODY_MAX, &v, NULL) == CHY_S_OK &&
        chy_json_int(v, "disposition_code", disposition, NULL);
    if (!row) {
        hr = chy_session_problem(answer, &a->r.err);
        if (hr == CHY_S_OK)
            hr = chy_fail(&a->r.err, CHY_ERROR_INVALID_DATA, "the daemon's answer has no request");
    } else if (chy_json_int(v, "hresult", &code, NULL) && code < 0 && code >= INT32_MIN) {
        *status = (chy_hresult)code;
    }
    cJSON_Delete(v);
    return hr;
}

static chy_hresult deny_request(void *self, const char *config, chy_long id)
{
    struct chy_admin_self *a = self;
    struct chy_buf path;
    int64_t d = 0;
    chy_hresult status = CHY_S_OK;
    chy_hresult hr = begin_request(a, config, id, "/deny", &path);
    if (hr == CHY_S_OK) hr = send_officer(a, "POST", &path, NULL, &d, &status);
    if (hr == CHY_S_OK && d != CHY_DB_DISP_DENIED)
        hr = chy_fail(&a->r.err, CHY_E_FAIL, "request %d is not denied", id);
    chy_buf_free(&path);
    return hr;
}

/* reference: a request that is not pending is told by the disposition, not as a failure. */
static chy_hresult resubmit_request(void *self, const char *config, chy_long id,
                                    chy_long *disposition)
{
    struct chy_admin_self *a = self;
    struct chy_buf path;
    int64_t d = 0;
    chy_hresult status = CHY_E_FAIL;
    if (!disposition) return CHY_E_POINTER;
    *disposition = 0;
    chy_hresult hr = begin_request(a, config, id, "/resubmit", &path);
    if (hr == CHY_S_OK) hr = send_officer(a, "POST", &path, NULL, &d, &status);
    if (hr == CHY_CERTSRV_E_BAD_REQUESTSTATUS) {
        *disposition = hr;
        hr = CHY_S_OK;
    } else if (hr == CHY_S_OK) {
        *disposition = d == CHY_DB_DISP_ISSUED    ? CHY_CR_DISP_ISSUED
                       : d == CHY_DB_DISP_PENDING ? CHY_CR_DISP_UNDER_SUBMISSION
                                                  : status;
    }
    chy_buf_free(&path);
    return hr;
}

/* root is taken over; the row stays as it is but for the change. */
static chy_hresult patch(struct chy_admin_self *a, const char *config, chy_long id, cJSON *root,
                         bool is_whole)
{
    struct chy_buf path;
    int64_t d = 0;
    chy_hresult status = CHY_S_OK;
    chy_hresult hr = begin_request(a, config, id, "", &path);
    char *json = is_whole ? cJSON_PrintUnformatted(root) : NULL;
    if (hr == CHY_S_OK && !json) hr = chy_fail_nomem(&a->r.err, "request");
    if (hr == CHY_S_OK) hr = send_officer(a, "PATCH", &path, json, &d, &status);
    cJSON_free(json);
    cJSON_Delete(root);
    chy_buf_free(&path);
    return hr;
}

static chy_hresult set_request_attributes(void *self, const char *config, chy_long id,
                                          const char *attributes)
{
    struct chy_admin_self *a = self;
    chy_err_clear(&a->r.err);
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddObjectToObject(root, "attributes");
    bool good = list && chy_attributes_json(attributes, list, NULL) == CHY_S_OK;
    return patch(a, config, id, root, good);
}

static chy_hresult set_certificate_extension(void *self, const char *config, chy_long id,
                                             const char *oid, chy_long type, chy_long flags,
                                             const chy_variant *value)
{
    struct chy_admin_self *a = self;
    struct chy_buf der, hex;
    if (!oid || !value) return CHY_E_POINTER;
    chy_err_clear(&a->r.err);
    chy_buf_init(&der, VALUE_MAX);
    chy_buf_init(&hex, 2 * VALUE_MAX + 1);
    chy_hresult hr = chy_value_der(type & CHY_PROPTYPE_MASK, value, &der, &a->r.err);
    if (hr == CHY_S_OK) {
        cJSON *root = cJSON_CreateObject(), *e = cJSON_AddObjectToObject(root, "extension");
        chy_hex_add(&hex, chy_buf_span(&der));
        const char *text = chy_buf_cstr(&hex);
        bool good = text && cJSON_AddStringToObject(e, "oid", oid) &&
                    cJSON_AddStringToObject(e, "hex", text) &&
                    cJSON_AddBoolToObject(e, "critical", flags & CHY_EXTENSION_CRITICAL_FLAG) &&
                    cJSON_AddBoolToObject(e, "disabled", flags & CHY_EXTENSION_DISABLE_FLAG);
        hr = patch(a, config, id, root, good);
    }
    chy_buf_free(&der);
    chy_buf_free(&hex);
    return hr;
}

/* ---- CRLs ---- */
static chy_hresult publish_crls(void *self, const char *config, chy_time date, chy_long flags)
{
    struct chy_admin_self *a = self;
    const chy_long both = CHY_CA_CRL_BASE | CHY_CA_CRL_DELTA;
    const char *kind = (flags & both) == both     ? "both"
                       : flags & CHY_CA_CRL_DELTA ? "delta"
                                                  : "base";
    struct chy_buf path;
    chy_hresult hr = begin(a, config, &path);
    if (hr == CHY_S_OK && (!(flags & both) || flags & ~(both | CHY_CA_CRL_REPUBLISH)))
        hr = chy_fail(&a->r.err, CHY_E_INVALIDARG,
                      "flags 0x%x: CA_CRL_BASE or CA_CRL_DELTA is expected", (unsigned)flags);
    chy_buf_add_str(&path, "/crl");
    if (hr == CHY_S_OK) {
        cJSON *body = cJSON_CreateObject();
        bool again = flags & CHY_CA_CRL_REPUBLISH;
        if (cJSON_AddStringToObject(body, "kind", kind) &&
            cJSON_AddBoolToObject(body, "republish", again) &&
            add_time(body, "next_update", again ? CHY_TIME_DEFAULT : date)) {
            hr = send(a, "POST", &path, body, NULL);
        } else {
            hr = chy_fail_nomem(&a->r.err, "request");
            cJSON_Delete(body);
        }
    }
    chy_buf_free(&path);
    return hr;
}

static chy_hresult publish_crl(void *self, const char *config, chy_time date)
{
    return publish_crls(self, config, date, CHY_CA_CRL_BASE);
}

/* The base of the newest key, and of its first shard. */
static const char *current_name(const cJSON *v)
{
    const cJSON *c;
    const char *name = NULL;
    int64_t newest = -1;
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(v, "crls"))
    {
        const char *kind = chy_json_str(c, "kind", NULL);
        int64_t key = 0, shard = 0;
        if (!kind || strcmp(kind, "base") != 0 || !chy_json_int(c, "key_index", &key, NULL) ||
            !chy_json_int(c, "shard", &shard, NULL) || shard != 0 || key <= newest)
            continue;
        newest = key;
        name = chy_json_str(c, "name", NULL);
    }
    return name;
}

static chy_hresult fetch_crl(struct chy_admin_self *a, struct chy_buf *path, const char *name,
                             chy_long flags, chy_bytes *out)
{
    const struct chy_httpc_answer *answer = NULL;
    chy_buf_add_byte(path, '/');
    chy_path_add(path, name);
    struct chy_ask ask = {.path = chy_buf_cstr(path),
                          .accept = "application/pkix-crl",
                          .timeout_ms = CHY_ASK_LONG_MS,
                          .answer_max = CHY_ASK_CRL_MAX};
    chy_hresult hr = chy_buf_done(path, "path", &a->r.err);
    if (hr == CHY_S_OK) hr = chy_session_ask(a->r.session, &ask, &answer, &a->r.err);
    if (hr == CHY_S_OK) hr = chy_session_problem(answer, &a->r.err);
    if (hr == CHY_S_OK)
        hr = chy_encode_out(flags, "X509 CRL", chy_buf_span(&answer->body), out, &a->r.err);
    return hr;
}

static chy_hresult get_crl(void *self, const char *config, chy_long flags, chy_bytes *out)
{
    struct chy_admin_self *a = self;
    struct chy_buf path;
    cJSON *v = NULL;
    if (!out) return CHY_E_POINTER;
    *out = (chy_bytes){0};
    chy_hresult hr = begin(a, config, &path);
    chy_buf_add_str(&path, "/crl");
    if (hr == CHY_S_OK) hr = send(a, "GET", &path, NULL, &v);
    const char *name = hr == CHY_S_OK ? current_name(v) : NULL;
    if (hr == CHY_S_OK) {
        hr = name ? fetch_crl(a, &path, name, flags, out)
                  : chy_fail(&a->r.err, CHY_ERROR_FILE_NOT_FOUND, "this CA has no CRL yet");
    }
    cJSON_Delete(v);
    chy_buf_free(&path);
    return hr;
}

/* ---- not there yet ---- */
static chy_hresult not_implemented(void *self, const char *method)
{
    struct chy_admin_self *a = self;
    chy_err_clear(&a->r.err);
    return chy_fail(&a->r.err, CHY_E_NOTIMPL, "%s is not implemented", method);
}

static chy_hresult import_certificate(void *self, const char *config, chy_bytes cert,
                                      chy_long flags, chy_long *id)
{
    (void)config;
    (void)cert;
    (void)flags;
    if (id) *id = 0;
    return not_implemented(self, "ImportCertificate");
}

static chy_hresult set_ca_property(void *self, const char *config, chy_long id, chy_long index,
                                   chy_long type, const chy_variant *value)
{
    (void)config;
    (void)id;
    (void)index;
    (void)type;
    (void)value;
    return not_implemented(self, "SetCAProperty");
}

static chy_hresult get_archived_key(void *self, const char *config, chy_long id, chy_long flags,
                                    chy_bytes *out)
{
    (void)config;
    (void)id;
    (void)flags;
    if (out) *out = (chy_bytes){0};
    return not_implemented(self, "GetArchivedKey");
}

static chy_hresult get_config_entry(void *self, const char *config, const char *node,
                                    const char *entry, chy_variant *out)
{
    (void)config;
    (void)node;
    (void)entry;
    if (out) *out = (chy_variant){0};
    return not_implemented(self, "GetConfigEntry");
}

static chy_hresult set_config_entry(void *self, const char *config, const char *node,
                                    const char *entry, const chy_variant *value)
{
    (void)config;
    (void)node;
    (void)entry;
    (void)value;
    return not_implemented(self, "SetConfigEntry");
}

static chy_hresult import_key(void *self, const char *config, chy_long id, const char *cert_hash,
                              chy_long flags, chy_bytes key)
{
    (void)config;
    (void)id;
    (void)cert_hash;
    (void)flags;
    (void)key;
    return not_implemented(self, "ImportKey");
}

static chy_hresult get_my_roles(void *self, const char *config, chy_long *roles)
{
    (void)config;
    if (roles) *roles = 0;
    return not_implemented(self, "GetMyRoles");
}

static chy_hresult delete_row(void *self, const char *config, chy_long flags, chy_time date,
                              chy_long table, chy_long row, chy_long *deleted)
{
    (void)config;
    (void)flags;
    (void)date;
    (void)table;
    (void)row;
    if (deleted) *deleted = 0;
    return not_implemented(self, "DeleteRow");
}

const chy_admin_vtbl chy_admin_table = {
    .h = {sizeof(chy_admin_vtbl), CHY_ABI_VERSION, CHY_IID_ADMIN, 0},
    .release = release,
    .invoke = chy_admin_invoke,
    .is_valid_certificate = is_valid_certificate,
    .get_revocation_reason = get_revocation_reason,
    .revoke_certificate = revoke_certificate,
    .set_request_attributes = set_request_attributes,
    .set_certificate_extension = set_certificate_extension,
    .deny_request = deny_request,
    .resubmit_request = resubmit_request,
    .publish_crl = publish_crl,
    .get_crl = get_crl,
    .import_certificate = import_certificate,
    .publish_crls = publish_crls,
    .get_ca_property = chy_request_get_ca_property,
    .set_ca_property = set_ca_property,
    .get_ca_property_flags = chy_request_get_ca_property_flags,
    .get_ca_property_display_name = chy_request_get_ca_property_display_name,
    .get_archived_key = get_archived_key,
    .get_config_entry = get_config_entry,
    .set_config_entry = set_config_entry,
    .import_key = import_key,
    .get_my_roles = get_my_roles,
    .delete_row = delete_row,
};
