/* The administrative part of the REST interface: the CA itself, lists, configuration, modules;
 * health, metrics and the OpenAPI document. Thread: loop, and workers for what reads the disk. */
#ifndef CHY_ADMIN_ADMIN_H
#define CHY_ADMIN_ADMIN_H

#include "ca/revocation.h"
#include "enrol/service.h"

CHY_MUST_USE chy_hresult chy_admin_register(struct chy_service *s, struct chy_err *err);
extern const struct chy_api_route chy_admin_routes[];
extern const size_t chy_admin_n_routes;

/* ca_routes.c */
void chy_admin_ca_list(struct chy_exchange *x, void *service);
void chy_admin_ca_show(struct chy_exchange *x, void *service);
void chy_admin_ca_cert(struct chy_exchange *x, void *service);
void chy_admin_ca_property(struct chy_exchange *x, void *service);
void chy_admin_events(struct chy_exchange *x, void *service);
void chy_admin_replay(struct chy_exchange *x, void *service);
void chy_admin_module_reload(struct chy_exchange *x, void *service);
void chy_admin_modules(struct chy_exchange *x, void *service);
void chy_admin_ca_renew(struct chy_exchange *x, void *service);
void chy_admin_aia(struct chy_exchange *x, void *service);
/* list_routes.c */
void chy_admin_requests(struct chy_exchange *x, void *service);
void chy_admin_certificates(struct chy_exchange *x, void *service);
void chy_admin_certificate(struct chy_exchange *x, void *service);
/* The number that the path names as ":serial"; in the exchange's arena. */
CHY_MUST_USE chy_hresult chy_admin_serial(struct chy_exchange *x, struct chy_span *out,
                                          struct chy_err *err);
/* revoke_routes.c */
void chy_admin_revoke(struct chy_exchange *x, void *service);
void chy_admin_release(struct chy_exchange *x, void *service);
void chy_admin_revoke_many(struct chy_exchange *x, void *service);
void chy_admin_validity(struct chy_exchange *x, void *service);
/* crl_routes.c */
void chy_admin_crl_list(struct chy_exchange *x, void *service);
void chy_admin_crl_publish(struct chy_exchange *x, void *service);
void chy_admin_crl_get(struct chy_exchange *x, void *service);
void chy_admin_crl_public(struct chy_exchange *x, void *service);
/* The current CRLs: *out is the caller's to free. */
size_t chy_admin_crls(struct chy_ca *ca, struct chy_crl_info **out);
/* config_routes.c */
void chy_admin_config_list(struct chy_exchange *x, void *service);
void chy_admin_config_get(struct chy_exchange *x, void *service);
void chy_admin_config_put(struct chy_exchange *x, void *service);
void chy_admin_config_delete(struct chy_exchange *x, void *service);
/* status_routes.c */
void chy_admin_healthz(struct chy_exchange *x, void *service);
void chy_admin_readyz(struct chy_exchange *x, void *service);
void chy_admin_metrics(struct chy_exchange *x, void *service);
/* openapi.c */
void chy_admin_openapi(struct chy_exchange *x, void *service);

#endif
