/* The table of administrative routes. */
#include "admin/admin.h"

#include "admin/body.h"

enum { CONFIG_MAX = 128 << 10 };

const struct chy_api_route chy_admin_routes[] = {
    {"GET", "/openapi.json", false, false, 0, chy_admin_openapi, "This document"},
    {"GET", "/cas", false, false, 0, chy_admin_ca_list, "The CAs that this daemon serves"},
    {"GET", "/ca", false, false, 0, chy_admin_ca_show, "The default CA"},
    {"GET", "/ca/cert", false, false, 0, chy_admin_ca_cert,
     "Certificate of the default CA (PEM, DER or chain)"},
    {"GET", "/ca/:ca", false, false, 0, chy_admin_ca_show, "One CA"},
    {"GET", "/ca/:ca/cert", false, false, 0, chy_admin_ca_cert,
     "Certificate of a CA (PEM, DER or chain)"},
    {"POST", "/ca/renew", false, true, CHY_BODY_MAX, chy_admin_ca_renew,
     "A new certificate for the default CA, for its present key or a new one"},
    {"POST", "/ca/:ca/renew", false, true, CHY_BODY_MAX, chy_admin_ca_renew,
     "A new certificate for a CA"},
    {"GET", "/property/:id", true, true, 0, chy_admin_ca_property,
     "A CA property by its number (CR_PROP_*)"},
    {"GET", "/requests", true, true, 0, chy_admin_requests, "Requests: where, sort, limit, after"},
    {"GET", "/certificates", true, true, 0, chy_admin_certificates,
     "Certificates: where, sort, limit, after"},
    {"GET", "/certificates/:serial", true, true, 0, chy_admin_certificate,
     "One certificate by serial number"},
    {"GET", "/certificates/:serial/validity", true, true, 0, chy_admin_validity,
     "Was this certificate issued, and is it revoked?"},
    {"POST", "/certificates/:serial/revoke", true, false, CHY_BODY_MAX, chy_admin_revoke,
     "Officer: revoke a certificate: reason, effective_when, invalidity_when"},
    {"POST", "/certificates/:serial/release", true, false, CHY_BODY_MAX, chy_admin_release,
     "Officer: release a certificate from hold"},
    {"POST", "/requests/:id/revoke", true, false, CHY_BODY_MAX, chy_admin_revoke,
     "Officer: revoke the certificate of a request"},
    {"POST", "/requests/:id/release", true, false, CHY_BODY_MAX, chy_admin_release,
     "Officer: release the certificate of a request from hold"},
    {"POST", "/certificates/revoke", true, true, CHY_BODY_MAX, chy_admin_revoke_many,
     "Officer: revoke what a condition holds for, a slice per call: where, dry_run, after, limit"},
    {"GET", "/crl", true, true, 0, chy_admin_crl_list, "The current CRLs"},
    {"GET", "/crl/:name", true, true, 0, chy_admin_crl_get, "One of them, as a file"},
    {"POST", "/crl", true, false, CHY_BODY_MAX, chy_admin_crl_publish,
     "Administrator: publish CRLs: kind, shard, next_update, republish"},
    {"GET", "/modules", true, true, 0, chy_admin_modules, "The loaded modules"},
    {"GET", "/modules/:name/events", true, true, 0, chy_admin_events,
     "What an exit module is owed: failed, after, limit"},
    {"GET", "/events", true, true, 0, chy_admin_events,
     "What all exit modules are owed: failed, after, limit"},
    {"POST", "/modules/:name/replay", true, true, CHY_BODY_MAX, chy_admin_replay,
     "Administrator: owe an exit module events once more, a slice per call: failed, request_id, "
     "since, after, limit"},
    {"POST", "/modules/:name/reload", true, true, CHY_BODY_MAX, chy_admin_module_reload,
     "Administrator: a module's file as it is now, where it has a process of its own; else its "
     "settings again"},
    {"GET", "/config", true, true, 0, chy_admin_config_list, "All settings"},
    {"GET", "/config/*path", true, true, 0, chy_admin_config_get, "One setting"},
    {"PUT", "/config/*path", true, true, CONFIG_MAX, chy_admin_config_put, "Set a setting"},
    {"DELETE", "/config/*path", true, true, 0, chy_admin_config_delete, "Back to the default"},
};
const size_t chy_admin_n_routes = CHY_ARRAY_LEN(chy_admin_routes);

static const struct chy_api_route public_routes[] = {
    {"GET", "/healthz", false, false, 0, chy_admin_healthz, NULL},
    {"GET", "/readyz", false, false, 0, chy_admin_readyz, NULL},
    {"GET", "/metrics", false, false, 0, chy_admin_metrics, NULL},
    {"GET", "/aia/:file", false, false, 0, chy_admin_aia, NULL},
    {"GET", "/crl/:file", false, true, 0, chy_admin_crl_public, NULL},
};

chy_hresult chy_admin_register(struct chy_service *s, struct chy_err *err)
{
    chy_hresult hr = chy_service_routes(s, chy_admin_routes, chy_admin_n_routes, err);
    for (size_t i = 0; i < CHY_ARRAY_LEN(public_routes) && hr == CHY_S_OK; i++)
        hr = chy_service_route(s, &public_routes[i], public_routes[i].path, err);
    return hr;
}
