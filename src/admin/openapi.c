/* The OpenAPI document, made from the same tables that register the routes. */
#include <string.h>

#include "admin/admin.h"
#include "admin/body.h"
#include "base/json.h"
#include "enrol/rest/rest.h"

enum { DOCUMENT_MAX = 1 << 20 };

/* "/requests/:id" to "/api/v1/requests/{id}". */
static void add_path(struct chy_buf *out, const char *prefix, const char *path)
{
    chy_buf_reset(out);
    chy_buf_add_str(out, prefix);
    for (const char *p = path; *p; p++) {
        bool param = *p == ':' || *p == '*';
        if (!param) {
            chy_buf_add_byte(out, (uint8_t)*p);
            continue;
        }
        size_t n = strcspn(++p, "/");
        chy_buf_addf(out, "{%.*s}", (int)n, p);
        p += n - 1;
    }
}

static void lower(char *out, const char *method)
{
    while (*method)
        *out++ = (char)(*method++ | 0x20);
    *out = 0;
}

static void add_dry_run(struct chy_json *j)
{
    chy_json_object(j, NULL);
    chy_json_add_str(j, "name", "dry_run");
    chy_json_add_str(j, "in", "query");
    chy_json_add_bool(j, "required", false);
    chy_json_add_str(j, "description",
                     "1: nothing is stored or signed; the answer is 200 with what would become of "
                     "the request");
    chy_json_add_raw(j, "schema", "{\"type\":\"string\",\"enum\":[\"0\",\"1\"]}");
    chy_json_end(j, '}');
}

static void add_parameters(struct chy_json *j, const struct chy_api_route *r, const char *path)
{
    chy_json_array(j, "parameters");
    for (const char *p = strchr(path, '{'); p; p = strchr(p + 1, '{')) {
        size_t n = strcspn(p + 1, "}");
        chy_json_object(j, NULL);
        chy_json_add_span(j, "name", chy_span_of(p + 1, n));
        chy_json_add_str(j, "in", "path");
        chy_json_add_bool(j, "required", true);
        chy_json_add_raw(j, "schema", "{\"type\":\"string\"}");
        chy_json_end(j, '}');
    }
    if (strcmp(r->path, "/requests") == 0 && r->body_max) add_dry_run(j);
    chy_json_end(j, ']');
}

static void add_operation(struct chy_json *j, const struct chy_api_route *r, const char *path)
{
    char method[16];
    lower(method, r->method);
    chy_json_object(j, method);
    chy_json_add_str(j, "summary", r->summary);
    add_parameters(j, r, path);
    if (r->body_max) {
        chy_json_add_raw(j, "requestBody",
                         strcmp(r->path, "/requests") == 0
                             ? "{\"required\":true,\"content\":{\"application/"
                               "pkcs10\":{},\"application/x-pem-file\":{},"
                               "\"application/json\":{}}}"
                         : r->body_max == CHY_BODY_MAX
                             ? "{\"required\":false,\"content\":{\"application/json\":{}}}"
                             : "{\"required\":true,\"content\":{\"application/json\":{}}}");
    }
    chy_json_add_raw(j, "responses",
                     "{\"2XX\":{\"description\":\"done\"},\"default\":{\"description\":\"problem "
                     "document (RFC 9457)\","
                     "\"content\":{\"application/problem+json\":{}}}}");
    chy_json_end(j, '}');
}

struct route_set {
    const struct chy_api_route *route[64];
    size_t n;
};

static void collect(struct route_set *set, const struct chy_api_route *table, size_t n)
{
    for (size_t i = 0; i < n && set->n < CHY_ARRAY_LEN(set->route); i++)
        set->route[set->n++] = &table[i];
}

static bool is_first(const struct route_set *set, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(set->route[k]->path, set->route[i]->path) == 0) return false;
    }
    return true;
}

static void add_paths(struct chy_json *j, const struct route_set *set, const char *prefix,
                      bool per_ca_only)
{
    struct chy_buf path;
    chy_buf_init(&path, 512);
    for (size_t i = 0; i < set->n; i++) {
        if (!is_first(set, i) || (per_ca_only && !set->route[i]->per_ca)) continue;
        add_path(&path, prefix, set->route[i]->path);
        const char *text = chy_buf_cstr(&path);
        if (!text) break;
        chy_json_object(j, text);
        for (size_t k = i; k < set->n; k++) {
            if (strcmp(set->route[k]->path, set->route[i]->path) == 0)
                add_operation(j, set->route[k], text);
        }
        chy_json_end(j, '}');
    }
    chy_buf_free(&path);
}

static void make_document(struct chy_buf *b)
{
    struct route_set set = {.n = 0};
    struct chy_json j;
    collect(&set, chy_rest_routes, chy_rest_n_routes);
    collect(&set, chy_admin_routes, chy_admin_n_routes);
    chy_buf_init(b, DOCUMENT_MAX);
    chy_json_begin(&j, b);
    chy_json_object(&j, NULL);
    chy_json_add_str(&j, "openapi", "3.1.0");
    chy_json_add_raw(&j, "info", "{\"title\":\"Chancery\",\"version\":\"" CHY_VERSION "\"}");
    chy_json_object(&j, "paths");
    add_paths(&j, &set, "/api/v1", false);
    add_paths(&j, &set, "/api/v1/ca/{ca}", true);
    chy_json_end(&j, '}');
    chy_json_end(&j, '}');
}

/* Made for the first who asks: the routes stay what they are. */
void chy_admin_openapi(struct chy_exchange *x, void *service)
{
    struct chy_service *s = service;
    struct chy_err err = {0};
    if (!s->openapi.n) make_document(&s->openapi);
    if (chy_buf_done(&s->openapi, "OpenAPI document", &err) == CHY_S_OK) {
        chy_exchange_reply(x, 200, "application/json", chy_buf_span(&s->openapi));
        return;
    }
    chy_exchange_problem(x, &err);
    chy_buf_free(&s->openapi);
}
