/* The table of administrative routes. */
#include "admin/admin.h"

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
    {"GET", "/property/:id", true, true, 0, chy_admin_ca_property,
     "A CA property by its number (CR_PROP_*)"},
    {"GET", "/requests", true, true, 0, chy_admin_requests, "Requests: where, sort, limit, after"},
    {"GET", "/certificates", true, true, 0, chy_admin_certificates,
     "Certificates: where, sort, limit, after"},
    {"GET", "/certificates/:serial", true, true, 0, chy_admin_certificate,
     "One certificate by serial number"},
    {"GET", "/modules", true, true, 0, chy_admin_modules, "The loaded modules"},
    {"GET", "/config", true, true, 0, chy_admin_config_list, "All settings"},
    {"GET", "/config/*path", true, true, 0, chy_admin_config_get, "One setting"},
    {"PUT", "/config/*path", true, true, CONFIG_MAX, chy_admin_config_put, "Set a setting"},
    {"DELETE", "/config/*path", true, true, 0, chy_admin_config_delete, "Back to the default"},
};
const size_t chy_admin_n_routes = CHY_ARRAY_LEN(chy_admin_routes);

chy_hresult chy_admin_register(struct chy_service *s, struct chy_err *err)
{
    static const struct {
        const char *path;
        chy_handler handler;
    } plain[] = {{"/healthz", chy_admin_healthz},
                 {"/readyz", chy_admin_readyz},
                 {"/metrics", chy_admin_metrics},
                 {"/aia/:file", chy_admin_aia}};
    chy_hresult hr = chy_service_routes(s, chy_admin_routes, chy_admin_n_routes, err);
    for (size_t i = 0; i < CHY_ARRAY_LEN(plain) && hr == CHY_S_OK; i++) {
        hr = chy_net_route(s->net, "GET", plain[i].path, 4096, plain[i].handler, s, err);
    }
    return hr;
}
