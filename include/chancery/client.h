/* libchancery: the counterparts of ICertConfig2, ICertRequest3 and ICertAdmin2 for programs that
 * want certificates or administer them. Link with -lchancery; method for method the interfaces of
 * AD CS, same numbers.
 *
 * An object is used by one thread at a time; two objects know nothing of each other. Texts and
 * octets that come out are freed with chy_client_free(x.p), variants with chy_client_variant_clear.
 */
#ifndef CHANCERY_CLIENT_H
#define CHANCERY_CLIENT_H

#include <chancery/codes.h>
#include <chancery/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CHY_CLIENT_API __attribute__((visibility("default")))
#else
#define CHY_CLIENT_API
#endif

/* How to reach the daemon. A member that is NULL (or behind struct_size) comes from the
 * environment: CHANCERY_SOCKET, CHANCERY_URL, CHANCERY_CA_CERT, CHANCERY_TOKEN; with neither socket
 * nor url the default socket /run/chancery/chancery.sock is used. */
typedef struct chy_client_options {
    uint32_t struct_size;
    uint32_t timeout_ms; /* of a call; 0: 30 s */
    const char *socket;
    const char *url;
    const char *ca_cert_file;
    const char *cert_file;
    const char *key_file;
    const char *token;
} chy_client_options;

/* ---- ICertConfig, ICertConfig2 ---- */
typedef struct chy_config_vtbl {
    chy_hdr h;
    void (*release)(void *self);
    chy_invoke_fn invoke;
    chy_hresult (*reset)(void *self, chy_long index, chy_long *count);
    chy_hresult (*next)(void *self, chy_long *index); /* S_FALSE and -1 at the end */
    /* CommonName, Authority, Config, Server, SanitizedName, SanitizedShortName, ShortName, Flags,
     * Country, State, Locality, Organization, OrgUnit, Description. */
    chy_hresult (*get_field)(void *self, const char *field, chy_str *out);
    chy_hresult (*get_config)(void *self, chy_long flags, chy_str *out); /* CHY_CC_* */
    /* The folder of a daemon (it holds chancery.sock); call before reset. */
    chy_hresult (*set_shared_folder)(void *self, const char *path);
} chy_config_vtbl;

typedef struct chy_config {
    const chy_config_vtbl *vt;
    void *self;
} chy_config;

/* ---- ICertRequest, ICertRequest2, ICertRequest3 ----
 * config is "Server\CA" ("/" is taken too); NULL or "" is the daemon's default CA. */
typedef struct chy_request_vtbl {
    chy_hdr h;
    void (*release)(void *self);
    chy_invoke_fn invoke;
    /* CHY_CR_IN_* encodings with CHY_CR_IN_PKCS10 or CHY_CR_IN_FORMATANY; attributes are lines of
     * "Name:Value" or NULL. S_OK for denied and pending too: see *disposition (CHY_CR_DISP_*). */
    chy_hresult (*submit)(void *self, chy_long flags, chy_bytes request, const char *attributes,
                          const char *config, chy_long *disposition);
    chy_hresult (*retrieve_pending)(void *self, chy_long id, const char *config,
                                    chy_long *disposition);
    chy_hresult (*get_last_status)(void *self, chy_hresult *status);
    chy_hresult (*get_request_id)(void *self, chy_long *id);
    /* The server's sentence; after a call that failed, why it did. */
    chy_hresult (*get_disposition_message)(void *self, chy_str *out);
    /* flags: CHY_CR_OUT_*. There is no exchange certificate: exchange is to be 0. */
    chy_hresult (*get_ca_certificate)(void *self, chy_long exchange, const char *config,
                                      chy_long flags, chy_bytes *out);
    chy_hresult (*get_certificate)(void *self, chy_long flags, chy_bytes *out);
    /* by id with serial NULL, or by serial with id -1 */
    chy_hresult (*get_issued_certificate)(void *self, const char *config, chy_long id,
                                          const char *serial, chy_long *disposition);
    chy_hresult (*get_error_message_text)(void *self, chy_hresult code, chy_long flags,
                                          chy_str *out);
    chy_hresult (*get_ca_property)(void *self, const char *config, chy_long id, chy_long index,
                                   chy_long type, chy_long flags, chy_variant *out);
    chy_hresult (*get_ca_property_flags)(void *self, const char *config, chy_long id,
                                         chy_long *flags);
    chy_hresult (*get_ca_property_display_name)(void *self, const char *config, chy_long id,
                                                chy_str *out);
    /* Full responses are of CMC, which is not spoken: CERTSRV_E_PROPERTY_EMPTY. */
    chy_hresult (*get_full_response_property)(void *self, chy_long id, chy_long index,
                                              chy_long type, chy_long flags, chy_variant *out);
    /* auth_type: CHY_AUTH_*; for a name, password is the bearer token; for a certificate,
     * credential is its PEM file and password its key's file (NULL: the same). */
    chy_hresult (*set_credential)(void *self, chy_long window, chy_long auth_type,
                                  const char *credential, const char *password);
    chy_hresult (*get_request_id_string)(void *self, chy_str *out);
    chy_hresult (*get_issued_certificate2)(void *self, const char *config, const char *id,
                                           const char *serial, chy_long *disposition);
    chy_hresult (*get_refresh_policy)(void *self, int *value);
} chy_request_vtbl;

typedef struct chy_request {
    const chy_request_vtbl *vt;
    void *self;
} chy_request;

/* X509EnrollmentAuthFlags */
enum {
    CHY_AUTH_NONE = 0,
    CHY_AUTH_ANONYMOUS = 1,
    CHY_AUTH_KERBEROS = 2,
    CHY_AUTH_USERNAME = 4,
    CHY_AUTH_CERTIFICATE = 8
};

/* ---- ICertAdmin, ICertAdmin2 ----
 * One object per CA. What is not implemented answers E_NOTIMPL. Times are UTC;
 * CHY_TIME_DEFAULT stands for now, or for the configured period. */
typedef struct chy_admin_vtbl {
    chy_hdr h;
    void (*release)(void *self);
    chy_invoke_fn invoke;
    /* CHY_CA_DISP_INVALID, _VALID or _REVOKED; revoked ahead of time is still valid. */
    chy_hresult (*is_valid_certificate)(void *self, const char *config, const char *serial,
                                        chy_long *disposition);
    /* After is_valid_certificate on the same object said CHY_CA_DISP_REVOKED. */
    chy_hresult (*get_revocation_reason)(void *self, chy_long *reason);
    /* reason: CHY_CRL_REASON_*, -1 to release from hold, -2 to keep it on CRLs after it has
     * expired, -3 not to. */
    chy_hresult (*revoke_certificate)(void *self, const char *config, const char *serial,
                                      chy_long reason, chy_time date);
    chy_hresult (*set_request_attributes)(void *self, const char *config, chy_long id,
                                          const char *attributes);
    /* type: CHY_PROPTYPE_*; BINARY is the value's DER. */
    chy_hresult (*set_certificate_extension)(void *self, const char *config, chy_long id,
                                             const char *oid, chy_long type, chy_long flags,
                                             const chy_variant *value);
    chy_hresult (*deny_request)(void *self, const char *config, chy_long id);
    /* CHY_CR_DISP_ISSUED, _UNDER_SUBMISSION, or the code of what went wrong. */
    chy_hresult (*resubmit_request)(void *self, const char *config, chy_long id,
                                    chy_long *disposition);
    chy_hresult (*publish_crl)(void *self, const char *config, chy_time date);
    /* The current base CRL of the newest key; flags: CHY_CR_OUT_*. */
    chy_hresult (*get_crl)(void *self, const char *config, chy_long flags, chy_bytes *out);
    chy_hresult (*import_certificate)(void *self, const char *config, chy_bytes cert,
                                      chy_long flags, chy_long *id);
    /* flags: CHY_CA_CRL_*. */
    chy_hresult (*publish_crls)(void *self, const char *config, chy_time date, chy_long flags);
    chy_hresult (*get_ca_property)(void *self, const char *config, chy_long id, chy_long index,
                                   chy_long type, chy_long flags, chy_variant *out);
    chy_hresult (*set_ca_property)(void *self, const char *config, chy_long id, chy_long index,
                                   chy_long type, const chy_variant *value);
    chy_hresult (*get_ca_property_flags)(void *self, const char *config, chy_long id,
                                         chy_long *flags);
    chy_hresult (*get_ca_property_display_name)(void *self, const char *config, chy_long id,
                                                chy_str *out);
    chy_hresult (*get_archived_key)(void *self, const char *config, chy_long id, chy_long flags,
                                    chy_bytes *out);
    chy_hresult (*get_config_entry)(void *self, const char *config, const char *node,
                                    const char *entry, chy_variant *out);
    chy_hresult (*set_config_entry)(void *self, const char *config, const char *node,
                                    const char *entry, const chy_variant *value);
    chy_hresult (*import_key)(void *self, const char *config, chy_long id, const char *cert_hash,
                              chy_long flags, chy_bytes key);
    chy_hresult (*get_my_roles)(void *self, const char *config, chy_long *roles);
    chy_hresult (*delete_row)(void *self, const char *config, chy_long flags, chy_time date,
                              chy_long table, chy_long row, chy_long *deleted);
} chy_admin_vtbl;

typedef struct chy_admin {
    const chy_admin_vtbl *vt;
    void *self;
} chy_admin;

/* options NULL: the environment. Give the object back with out->vt->release(out->self). */
CHY_CLIENT_API chy_hresult chy_client_new_config(const chy_client_options *options,
                                                 chy_config *out);
CHY_CLIENT_API chy_hresult chy_client_new_request(const chy_client_options *options,
                                                  chy_request *out);
CHY_CLIENT_API chy_hresult chy_client_new_admin(const chy_client_options *options, chy_admin *out);
CHY_CLIENT_API void chy_client_free(void *p);
CHY_CLIENT_API void chy_client_variant_clear(chy_variant *v);

#ifdef __cplusplus
}
#endif

#endif
