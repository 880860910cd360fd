/* What the files behind chancery/client.h share. Thread: one at a time per object. */
#ifndef CHY_CLIENT_OBJECTS_H
#define CHY_CLIENT_OBJECTS_H

#include "client/session.h"

struct chy_request_self {
    struct chy_session *session;
    struct chy_err err; /* of the last call that failed */
    bool asked;         /* something below is of an answer */
    chy_long id, disposition;
    chy_hresult status;
    char *message, *ca;
    struct chy_buf cert; /* DER; empty: none was issued */
};

/* It asks for properties and certificates of the CA as a request does. */
struct chy_admin_self {
    struct chy_request_self r; /* first: its session and its error are this object's */
    bool is_revoked;           /* said is_valid_certificate of the last one */
    chy_long reason;
};
void chy_request_self_fini(struct chy_request_self *r);

/* client.c: memory that the caller frees */
CHY_MUST_USE chy_hresult chy_out_str(chy_str *out, const void *p, size_t n);
CHY_MUST_USE chy_hresult chy_out_bytes(chy_bytes *out, const void *p, size_t n);

/* encode.c */
CHY_MUST_USE chy_hresult chy_encode_out(chy_long flags, const char *label, struct chy_span der,
                                        chy_bytes *out, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_decode_in(chy_long flags, chy_bytes in, struct chy_buf *der,
                                       struct chy_err *err);

/* names.c: the CA part of "Server\CA"; *out NULL for the default CA */
CHY_MUST_USE chy_hresult chy_config_ca(const char *config, char **out, struct chy_err *err);
/* "Name:Value" lines to a JSON object, as the reference reads them: malformed ones are passed over,
 * the last of a name holds. */
CHY_MUST_USE chy_hresult chy_attributes_json(const char *lines, cJSON *object, struct chy_err *err);

/* pkcs7.c: certificates, first to last, as a certs-only SignedData (RFC 2315 9.1) */
CHY_MUST_USE chy_hresult chy_pkcs7_of_pem(struct chy_span first_der, struct chy_span pem,
                                          struct chy_buf *out, struct chy_err *err);

/* request_ca.c */
CHY_MUST_USE chy_hresult chy_fetch_chain(struct chy_request_self *r, const char *ca,
                                         struct chy_span first_der, struct chy_buf *out);
chy_hresult chy_request_get_ca_certificate(void *self, chy_long exchange, const char *config,
                                           chy_long flags, chy_bytes *out);
chy_hresult chy_request_get_ca_property(void *self, const char *config, chy_long id, chy_long index,
                                        chy_long type, chy_long flags, chy_variant *out);
chy_hresult chy_request_get_ca_property_flags(void *self, const char *config, chy_long id,
                                              chy_long *flags);
chy_hresult chy_request_get_ca_property_display_name(void *self, const char *config, chy_long id,
                                                     chy_str *out);

/* invoke.c: late binding by a table of names */
struct chy_method {
    const char *name;
    const char *args; /* l LONG, s text, S text or nothing, b octets or text, d DATE or nothing, v
                         anything */
    chy_hresult (*call)(void *self, const chy_variant *args, chy_variant *result);
};
chy_hresult chy_invoke(void *self, const struct chy_method *table, size_t n, const char *method,
                       const chy_variant *args, uint32_t nargs, chy_variant *result,
                       chy_excep *excep, uint32_t *bad_arg, const struct chy_err *why);
const char *chy_arg_text(const chy_variant *v); /* NULL for nothing */
chy_time chy_arg_time(const chy_variant *v);    /* CHY_TIME_DEFAULT for nothing */
/* The result of a call that went well; they return hr. */
chy_hresult chy_result_long(chy_variant *r, chy_hresult hr, chy_long v);
chy_hresult chy_result_str(chy_variant *r, chy_hresult hr, chy_str s);
chy_hresult chy_result_bytes(chy_variant *r, chy_hresult hr, chy_bytes b);
/* What requests and administration ask alike, for their tables. */
chy_hresult chy_invoke_ca_property(void *self, const chy_variant *a, chy_variant *r);
chy_hresult chy_invoke_ca_property_flags(void *self, const chy_variant *a, chy_variant *r);
chy_hresult chy_invoke_ca_property_name(void *self, const chy_variant *a, chy_variant *r);

extern const chy_config_vtbl chy_config_table;
extern const chy_request_vtbl chy_request_table;
extern const chy_admin_vtbl chy_admin_table;
chy_hresult chy_request_invoke(void *self, const char *method, const chy_variant *args,
                               uint32_t nargs, chy_variant *result, chy_excep *excep,
                               uint32_t *bad_arg);
/* admin_value.c: an extension's value as DER, by PROPTYPE_* */
CHY_MUST_USE chy_hresult chy_value_der(chy_long type, const chy_variant *v, struct chy_buf *out,
                                       struct chy_err *err);
chy_hresult chy_admin_invoke(void *self, const char *method, const chy_variant *args,
                             uint32_t nargs, chy_variant *result, chy_excep *excep,
                             uint32_t *bad_arg);
struct chy_config_self;
CHY_MUST_USE chy_hresult chy_config_self_new(struct chy_session *s, void **out);

#endif
