/* ICertRequest: submitting and fetching. One object remembers the last answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/objects.h"

enum { REQUEST_MAX = 128 << 10 };

void chy_request_self_fini(struct chy_request_self *r)
{
    chy_session_free(r->session);
    chy_buf_free(&r->cert);
    chy_free(r->message);
    chy_free(r->ca);
}

static void release(void *self)
{
    struct chy_request_self *r = self;
    if (!r) return;
    chy_request_self_fini(r);
    chy_free(r);
}

/* What the object knew is of another request from here on; ca becomes the object's. */
static void forget(struct chy_request_self *r, char *ca)
{
    chy_err_clear(&r->err);
    chy_free(r->message);
    chy_free(r->ca);
    r->message = NULL;
    r->ca = ca;
    r->asked = false;
    r->id = 0;
    r->disposition = CHY_CR_DISP_INCOMPLETE;
    r->status = CHY_S_OK;
    chy_buf_reset(&r->cert);
}

/* reference: the server's Request.Disposition as the client's CR_DISP_*. */
static chy_long disposition_of(int64_t db)
{
    switch (db) {
    case CHY_DB_DISP_PENDING: return CHY_CR_DISP_UNDER_SUBMISSION;
    case CHY_DB_DISP_ISSUED: return CHY_CR_DISP_ISSUED;
    case CHY_DB_DISP_REVOKED: return CHY_CR_DISP_REVOKED;
    case CHY_DB_DISP_DENIED: return CHY_CR_DISP_DENIED;
    case CHY_DB_DISP_ERROR: return CHY_CR_DISP_ERROR;
    default: return CHY_CR_DISP_INCOMPLETE;
    }
}

static chy_hresult take_cert(struct chy_request_self *r, const char *pem)
{
    static const char *const labels[] = {"CERTIFICATE", NULL};
    size_t pos = 0;
    if (!pem) return CHY_S_OK;
    if (chy_pem_next(chy_span_cstr(pem), labels, &pos, &r->cert, NULL) == CHY_S_OK) return CHY_S_OK;
    return chy_fail(&r->err, CHY_ERROR_INVALID_DATA, "the daemon's certificate cannot be read");
}

static chy_hresult take_row(struct chy_request_self *r, const cJSON *v)
{
    int64_t id = 0, disposition = 0, status = 0;
    const char *message = chy_json_str(v, "message", NULL);
    if (!chy_json_int(v, "request_id", &id, NULL) ||
        !chy_json_int(v, "disposition_code", &disposition, NULL) || id < 0 || id > INT32_MAX)
        return chy_fail(&r->err, CHY_ERROR_INVALID_DATA, "the daemon's answer has no request");
    /* A problem document's own "status" is that of HTTP. */
    if (!chy_json_int(v, "hresult", &status, NULL)) (void)chy_json_int(v, "status", &status, NULL);
    r->asked = true;
    r->id = (chy_long)id;
    r->disposition = disposition_of(disposition);
    bool failed = r->disposition == CHY_CR_DISP_DENIED || r->disposition == CHY_CR_DISP_ERROR;
    if (status > INT32_MAX || status < INT32_MIN) status = CHY_E_FAIL;
    r->status = failed ? (chy_hresult)status : CHY_S_OK;
    r->message = chy_strdup(message ? message : "");
    if (!r->message) return chy_fail_nomem(&r->err, "message");
    return take_cert(r, chy_json_str(v, "certificate", NULL));
}

/* An answer with a request in it is one, whatever its HTTP status. */
static chy_hresult ask_row(struct chy_request_self *r, const struct chy_ask *ask)
{
    const struct chy_httpc_answer *a = NULL;
    cJSON *v = NULL;
    chy_hresult hr = chy_session_ask(r->session, ask, &a, &r->err);
    if (hr != CHY_S_OK) return hr;
    hr = chy_json_parse(chy_buf_span(&a->body), CHY_HTTPC_BODY_MAX, &v, NULL);
    bool row = hr == CHY_S_OK && cJSON_GetObjectItemCaseSensitive(v, "request_id");
    hr = row ? take_row(r, v) : chy_session_problem(a, &r->err);
    if (hr == CHY_S_OK && !row)
        hr = chy_fail(&r->err, CHY_ERROR_INVALID_DATA, "the daemon's answer has no request");
    cJSON_Delete(v);
    return hr;
}

static chy_hresult finish(struct chy_request_self *r, chy_hresult hr, chy_long *disposition)
{
    if (hr != CHY_S_OK) {
        r->status = hr;
        r->disposition = CHY_CR_DISP_ERROR;
    }
    *disposition = r->disposition;
    return hr;
}

static chy_hresult begin(struct chy_request_self *r, const char *config, struct chy_buf *path)
{
    char *ca = NULL;
    forget(r, NULL);
    chy_buf_init(path, 4096);
    chy_hresult hr = chy_config_ca(config, &ca, &r->err);
    r->ca = ca;
    chy_path_begin(path, ca);
    return hr;
}

static chy_hresult check_flags(struct chy_request_self *r, chy_long flags)
{
    chy_long format = flags & CHY_CR_IN_FORMATMASK;
    const chy_long no = CHY_CR_IN_ROBO | CHY_CR_IN_RETURNCHALLENGE | CHY_CR_IN_SCEPPOST |
                        CHY_CR_IN_CERTIFICATETRANSPARENCY;
    if (format != CHY_CR_IN_FORMATANY && format != CHY_CR_IN_PKCS10)
        return chy_fail(&r->err, CHY_CRYPT_E_INVALID_MSG_TYPE,
                        "flags: PKCS #10 is the only format of requests here");
    if (flags & no || (flags & CHY_CR_IN_HTTP) == CHY_CR_IN_SCEP)
        return chy_fail(&r->err, CHY_ERROR_NOT_SUPPORTED, "flags 0x%x: not supported",
                        (unsigned)flags);
    return CHY_S_OK;
}

static chy_hresult write_submission(struct chy_request_self *r, struct chy_span der,
                                    const char *attributes, char **json)
{
    struct chy_buf pem;
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddObjectToObject(root, "attributes");
    chy_buf_init(&pem, 2 * REQUEST_MAX);
    chy_pem_add(&pem, "CERTIFICATE REQUEST", der);
    const char *text = chy_buf_cstr(&pem);
    chy_hresult hr =
        list ? chy_attributes_json(attributes, list, &r->err) : chy_fail_nomem(&r->err, "request");
    if (hr == CHY_S_OK && text && cJSON_AddStringToObject(root, "request", text))
        *json = cJSON_PrintUnformatted(root);
    if (hr == CHY_S_OK && !*json) hr = chy_fail_nomem(&r->err, "request");
    cJSON_Delete(root);
    chy_buf_free(&pem);
    return hr;
}

static chy_hresult send_submission(struct chy_request_self *r, struct chy_buf *path, chy_long flags,
                                   chy_bytes request, const char *attributes)
{
    struct chy_buf der;
    char *json = NULL;
    chy_buf_init(&der, REQUEST_MAX);
    chy_hresult hr = chy_decode_in(flags, request, &der, &r->err);
    if (hr == CHY_S_OK) hr = write_submission(r, chy_buf_span(&der), attributes, &json);
    chy_buf_add_str(path, "/requests");
    if (hr == CHY_S_OK) {
        hr = ask_row(r, &(struct chy_ask){.method = "POST",
                                          .path = chy_buf_cstr(path),
                                          .content_type = "application/json",
                                          .body = chy_span_cstr(json)});
    }
    cJSON_free(json);
    chy_buf_free(&der);
    return hr;
}

static chy_hresult submit(void *self, chy_long flags, chy_bytes request, const char *attributes,
                          const char *config, chy_long *disposition)
{
    struct chy_request_self *r = self;
    struct chy_buf path;
    cJSON *v = NULL;
    if (!disposition) return CHY_E_POINTER;
    chy_hresult hr = begin(r, config, &path);
    if (hr == CHY_S_OK) hr = check_flags(r, flags);
    if (hr == CHY_S_OK && flags & CHY_CR_IN_CONNECTONLY) {
        if (!r->ca) chy_buf_add_str(&path, "/ca");
        hr = chy_session_json(r->session, &(struct chy_ask){.path = chy_buf_cstr(&path)}, &v,
                              &r->err);
        cJSON_Delete(v);
    } else if (hr == CHY_S_OK) {
        hr = send_submission(r, &path, flags, request, attributes);
    }
    chy_buf_free(&path);
    return finish(r, hr, disposition);
}

/* The certificate is fetched on a route of its own: that is what exit modules are told of
 * (EXITEVENT_CERTRETRIEVEPENDING). */
static chy_hresult fetch_retrieved(struct chy_request_self *r, struct chy_buf *path)
{
    const struct chy_httpc_answer *a = NULL;
    chy_buf_add_str(path, "/certificate");
    struct chy_ask ask = {.path = chy_buf_cstr(path), .accept = "application/pkix-cert"};
    chy_hresult hr = chy_session_ask(r->session, &ask, &a, &r->err);
    if (hr == CHY_S_OK) hr = chy_session_problem(a, &r->err);
    if (hr != CHY_S_OK) return hr;
    chy_buf_reset(&r->cert);
    chy_buf_add_span(&r->cert, chy_buf_span(&a->body));
    return chy_buf_done(&r->cert, "certificate", &r->err);
}

static chy_hresult retrieve_pending(void *self, chy_long id, const char *config,
                                    chy_long *disposition)
{
    struct chy_request_self *r = self;
    struct chy_buf path;
    if (!disposition) return CHY_E_POINTER;
    chy_hresult hr = begin(r, config, &path);
    if (hr == CHY_S_OK && id <= 0)
        hr =
            chy_fail(&r->err, CHY_E_INVALIDARG, "request id %d: a positive number is expected", id);
    chy_buf_addf(&path, "/requests/%d", id);
    if (hr == CHY_S_OK) hr = ask_row(r, &(struct chy_ask){.path = chy_buf_cstr(&path)});
    if (hr == CHY_S_OK && r->disposition == CHY_CR_DISP_ISSUED) hr = fetch_retrieved(r, &path);
    chy_buf_free(&path);
    return finish(r, hr, disposition);
}

static chy_hresult get_issued(struct chy_request_self *r, const char *config, chy_long id,
                              const char *serial, chy_long *disposition)
{
    struct chy_buf path;
    if (!disposition) return CHY_E_POINTER;
    chy_hresult hr = begin(r, config, &path);
    bool by_id = id > 0, by_serial = serial && *serial;
    if (hr == CHY_S_OK && (by_id == by_serial || id < -1))
        hr = chy_fail(&r->err, CHY_E_INVALIDARG,
                      "either a request id or a serial number is expected");
    if (by_id) {
        chy_buf_addf(&path, "/requests/%d", id);
    } else {
        chy_buf_add_str(&path, "/certificates/");
        chy_path_add(&path, serial ? serial : "");
    }
    if (hr == CHY_S_OK) hr = ask_row(r, &(struct chy_ask){.path = chy_buf_cstr(&path)});
    chy_buf_free(&path);
    return finish(r, hr, disposition);
}

static chy_hresult get_issued_certificate(void *self, const char *config, chy_long id,
                                          const char *serial, chy_long *disposition)
{
    return get_issued(self, config, id, serial, disposition);
}

static chy_hresult get_issued_certificate2(void *self, const char *config, const char *id,
                                           const char *serial, chy_long *disposition)
{
    struct chy_request_self *r = self;
    char *end = NULL;
    long v = id && *id ? strtol(id, &end, 10) : -1;
    if (end && (*end || v <= 0 || v > INT32_MAX)) {
        chy_err_clear(&r->err);
        return chy_fail(&r->err, CHY_CERTSRV_E_INVALID_REQUESTID,
                        "request id \"%.32s\": a positive number is expected", id);
    }
    return get_issued(r, config, (chy_long)v, serial, disposition);
}

static chy_hresult get_last_status(void *self, chy_hresult *status)
{
    const struct chy_request_self *r = self;
    if (!status) return CHY_E_POINTER;
    *status = r->status;
    return CHY_S_OK;
}

static chy_hresult get_request_id(void *self, chy_long *id)
{
    const struct chy_request_self *r = self;
    if (!id) return CHY_E_POINTER;
    *id = r->id;
    return r->asked ? CHY_S_OK : CHY_CERTSRV_E_PROPERTY_EMPTY;
}

static chy_hresult get_request_id_string(void *self, chy_str *out)
{
    const struct chy_request_self *r = self;
    char text[16];
    if (!out) return CHY_E_POINTER;
    if (!r->asked) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    int n = snprintf(text, sizeof(text), "%d", r->id);
    return chy_out_str(out, text, (size_t)n);
}

static chy_hresult get_disposition_message(void *self, chy_str *out)
{
    const struct chy_request_self *r = self;
    if (!out) return CHY_E_POINTER;
    const char *text = r->err.code ? r->err.text : r->message ? r->message : "";
    return chy_out_str(out, text, strlen(text));
}

static chy_hresult get_certificate(void *self, chy_long flags, chy_bytes *out)
{
    struct chy_request_self *r = self;
    struct chy_buf p7;
    bool chain = flags & CHY_CR_OUT_CHAIN;
    chy_err_clear(&r->err);
    if (!out) return CHY_E_POINTER;
    *out = (chy_bytes){0};
    if (!r->cert.n)
        return chy_fail(&r->err, CHY_CERTSRV_E_PROPERTY_EMPTY, "no certificate was issued");
    if (flags & CHY_CR_OUT_CRLS)
        return chy_fail(&r->err, CHY_ERROR_NOT_SUPPORTED,
                        "CRLs do not come with a certificate here");
    if (!chain) return chy_encode_out(flags, "CERTIFICATE", chy_buf_span(&r->cert), out, &r->err);
    chy_buf_init(&p7, CHY_HTTPC_BODY_MAX);
    chy_hresult hr = chy_fetch_chain(r, r->ca, chy_buf_span(&r->cert), &p7);
    if (hr == CHY_S_OK) hr = chy_encode_out(flags, "PKCS7", chy_buf_span(&p7), out, &r->err);
    chy_buf_free(&p7);
    return hr;
}

static chy_hresult get_error_message_text(void *self, chy_hresult code, chy_long flags,
                                          chy_str *out)
{
    const struct chy_code_info *info = chy_code_info(code);
    char text[320];
    (void)self;
    if (!out) return CHY_E_POINTER;
    if (flags & CHY_CR_GEMT_HTTP_ERROR) {
        snprintf(text, sizeof(text), "HTTP status %d", code);
    } else if (flags & CHY_CR_GEMT_HRESULT_STRING) {
        snprintf(text, sizeof(text), "%s. 0x%08x (%d %s)", info->text, (unsigned)code, code,
                 info->code == code ? info->name : "unknown");
    } else {
        snprintf(text, sizeof(text), "%s.", info->text);
    }
    return chy_out_str(out, text, strlen(text));
}

static chy_hresult get_full_response_property(void *self, chy_long id, chy_long index,
                                              chy_long type, chy_long flags, chy_variant *out)
{
    struct chy_request_self *r = self;
    (void)index;
    (void)type;
    (void)flags;
    chy_err_clear(&r->err);
    if (out) *out = (chy_variant){0};
    return chy_fail(&r->err, CHY_CERTSRV_E_PROPERTY_EMPTY,
                    "full response property %d: there is no full response", id);
}

static chy_hresult set_credential(void *self, chy_long window, chy_long auth_type,
                                  const char *credential, const char *password)
{
    struct chy_request_self *r = self;
    (void)window;
    chy_err_clear(&r->err);
    switch (auth_type) {
    case CHY_AUTH_NONE:
    case CHY_AUTH_ANONYMOUS: {
        chy_hresult hr = chy_session_set_token(r->session, NULL, &r->err);
        return hr == CHY_S_OK ? chy_session_set_identity(r->session, NULL, NULL, &r->err) : hr;
    }
    case CHY_AUTH_USERNAME:
        if (!password || !*password)
            return chy_fail(&r->err, CHY_E_INVALIDARG, "a token is expected as password");
        return chy_session_set_token(r->session, password, &r->err);
    case CHY_AUTH_CERTIFICATE:
        if (!credential || !*credential)
            return chy_fail(&r->err, CHY_E_INVALIDARG, "a certificate's file is expected");
        return chy_session_set_identity(r->session, credential, password, &r->err);
    default:
        return chy_fail(&r->err, CHY_ERROR_NOT_SUPPORTED, "authentication %d: not supported",
                        auth_type);
    }
}

static chy_hresult get_refresh_policy(void *self, int *value)
{
    (void)self;
    if (!value) return CHY_E_POINTER;
    *value = 0;
    return CHY_S_OK;
}

const chy_request_vtbl chy_request_table = {
    .h = {sizeof(chy_request_vtbl), CHY_ABI_VERSION, CHY_IID_REQUEST, 0},
    .release = release,
    .invoke = chy_request_invoke,
    .submit = submit,
    .retrieve_pending = retrieve_pending,
    .get_last_status = get_last_status,
    .get_request_id = get_request_id,
    .get_disposition_message = get_disposition_message,
    .get_ca_certificate = chy_request_get_ca_certificate,
    .get_certificate = get_certificate,
    .get_issued_certificate = get_issued_certificate,
    .get_error_message_text = get_error_message_text,
    .get_ca_property = chy_request_get_ca_property,
    .get_ca_property_flags = chy_request_get_ca_property_flags,
    .get_ca_property_display_name = chy_request_get_ca_property_display_name,
    .get_full_response_property = get_full_response_property,
    .set_credential = set_credential,
    .get_request_id_string = get_request_id_string,
    .get_issued_certificate2 = get_issued_certificate2,
    .get_refresh_policy = get_refresh_policy,
};
