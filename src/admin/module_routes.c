/* One module: taking it anew. */
#include "admin/admin.h"
#include "base/json.h"

enum { ANSWER_MAX = 64 << 10 };

static void reloaded(struct chy_exchange *x, const struct chy_instance_info *i, bool code)
{
    struct chy_buf b;
    struct chy_json j;
    chy_buf_init(&b, ANSWER_MAX);
    chy_json_begin(&j, &b);
    chy_json_object(&j, NULL);
    chy_json_add_str(&j, "name", i->name);
    chy_json_add_str(&j, "reloaded", code ? "code" : "settings");
    chy_json_add_str(&j, "version", i->version);
    chy_json_add_str(&j, "sha256", i->sha256);
    chy_json_add_str(&j, "path", i->path);
    chy_json_end(&j, '}');
    chy_exchange_reply_buf(x, 200, "application/json", &b);
    chy_buf_free(&b);
}

void chy_admin_module_reload(struct chy_exchange *x, void *arg)
{
    struct chy_service *s = arg;
    struct chy_ca *ca = chy_service_ca(s, x);
    struct chy_caller caller;
    struct chy_instance_info info;
    struct chy_err err = {0};
    bool code;
    if (!ca) return;
    chy_service_caller(s, x, ca, &caller);
    if (chy_ca_module_reload(ca, &caller, chy_exchange_param(x, "name"), &code, &info, &err) ==
        CHY_S_OK) {
        reloaded(x, &info, code);
    } else {
        chy_exchange_problem(x, &err);
    }
}
