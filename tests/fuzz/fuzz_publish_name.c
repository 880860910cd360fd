/* Any octets as the pattern of the publishing module's file names, a serial number and a common
 * name: a name stays inside its folder, has no octet that a shell or a reader would mind, and no
 * two requests share one. */
#include <chancery/easy_module.h>
#include <stdlib.h>

#include "base/base.h"

#include "../../modules/exit-publish/name.c"
#include "../../modules/exit-publish/pattern.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The properties that a name is made of; the callback object's self. */
struct certificate {
    char *serial, *common_name;
};

static void must(bool ok)
{
    if (!ok) abort();
}

static chy_hresult property(void *self, const char *name, chy_long type, chy_variant *out)
{
    const struct certificate *c = self;
    char *p = strcmp(name, "SerialNumber") == 0 ? c->serial : c->common_name;
    must(type == CHY_PROPTYPE_STRING);
    if (!*p) return CHY_CERTSRV_E_PROPERTY_EMPTY;
    *out = (chy_variant){.vt = CHY_VT_STR, .u.s = {p, strlen(p)}};
    return CHY_S_OK;
}

static void clear(chy_variant *v)
{
    *v = (chy_variant){0};
}

/* False: it is refused, as longer than a file's name may be. */
static bool name_of(const struct settings *s, struct certificate *c, chy_long id, struct name *out)
{
    static const chy_server_exit_vtbl exit_vt = {
        .h = {sizeof exit_vt, CHY_ABI_VERSION, CHY_IID_SERVER_EXIT, 0},
        .get_certificate_property = property};
    static const chy_host_vtbl host_vt = {.h = {sizeof host_vt, CHY_ABI_VERSION, CHY_IID_HOST, 0},
                                          .variant_clear = clear};
    const chy_host host = {&host_vt, NULL};
    const chy_server_exit cb = {&exit_vt, c};
    if (CHY_FAILED(file_name(&host, s, &cb, id, out))) return false;
    must(out->n == strlen(out->text) && out->n >= 1 && out->n <= CERT_NAME_MAX);
    must(out->text[0] != '.' && !strstr(out->text, "/"));
    for (const char *p = out->text; *p; p++)
        must(*p == '-' || *p == '_' || *p == '.' || (*p >= '0' && *p <= '9') ||
             (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'));
    return true;
}

/* Serial numbers are hexadecimal, all of one length, and no two are the same. */
static void check_apart(const struct settings *s, char *cn, char *other_cn)
{
    char first[] = "1f00000000000000000000000000000000000001";
    char second[] = "1f00000000000000000000000000000000000011";
    struct certificate a = {first, cn}, b = {second, other_cn};
    static const chy_long ids[] = {1, 2, 10, 12, 112, INT32_MAX};
    struct name x, y;
    for (size_t i = 0; i < CHY_ARRAY_LEN(ids); i++) {
        for (size_t k = 0; k < CHY_ARRAY_LEN(ids); k++) {
            if (i == k || !name_of(s, &a, ids[i], &x) || !name_of(s, &b, ids[k], &y)) continue;
            must(strcmp(x.text, y.text) != 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s = {.pattern = ""};
    if (size > 1024) return 0;
    char *text = strndup((const char *)data, size), *at = text;
    char nothing[1] = "";
    if (!text) return 0;
    char *pattern = strsep(&at, "\n"), *cn = strsep(&at, "\n"), *other = strsep(&at, "\n");
    const char *rule = pattern_normal(pattern, s.pattern, sizeof s.pattern);
    must(!rule || rule[0]);
    if (!rule) {
        char again[sizeof s.pattern];
        must(strlen(s.pattern) < sizeof s.pattern);
        must(strstr(s.pattern, "%i") || strstr(s.pattern, "%s"));
        if (strlen(s.pattern) <= 64 && !pattern_normal(s.pattern, again, sizeof again))
            must(strcmp(s.pattern, again) == 0);
        check_apart(&s, cn ? cn : nothing, other ? other : nothing);
    }
    free(text);
    return 0;
}
