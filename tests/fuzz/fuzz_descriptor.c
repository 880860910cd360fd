/* A module's descriptor and its objects' tables, as a stranger may have filled them in: sizes,
 * versions, names without an end, members that are missing. Nothing is read behind the size that
 * was claimed, what is accepted can be driven, and what is refused says why. */
#include <stdlib.h>
#include <string.h>

#include "module/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bits {
    const uint8_t *p;
    size_t n;
};

static unsigned released;

static void must(bool ok)
{
    if (!ok) abort();
}

static void take(struct bits *b, void *out, size_t n)
{
    size_t k = b->n < n ? b->n : n;
    memset(out, 0, n);
    if (k) memcpy(out, b->p, k);
    b->p += k;
    b->n -= k;
}

static uint8_t byte(struct bits *b)
{
    uint8_t c;
    take(b, &c, 1);
    return c;
}

/* Mostly what is right, now and then anything. */
static uint32_t number(struct bits *b, uint32_t right, uint32_t near)
{
    uint32_t any;
    switch (byte(b) % 8) {
    case 0: take(b, &any, sizeof any); return any;
    case 1: return near;
    case 2: return right + byte(b);
    case 3: return right - byte(b);
    default: return right;
    }
}

static void release(void *self)
{
    must(self == &released);
    released++;
}

static chy_hresult create(const chy_host *host, const char *class_name, chy_object *out)
{
    (void)host, (void)class_name, (void)out;
    abort(); /* no code of a module runs while its descriptor is checked */
}

static bool good_name(const char *name)
{
    size_t n = strnlen(name, 33);
    return n && n <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* In a block of its size, or of what is always there: the sanitizer sees what is read behind. */
static void check_info(struct bits *b)
{
    static const char *const classes[] = {"A.Policy", NULL}, *const none[] = {NULL};
    char name[33]; /* no end within the bound where it is full */
    take(b, name, byte(b) % 34);
    chy_module_info info = {.magic = number(b, CHY_MODULE_MAGIC, 0),
                            .struct_size = number(b, sizeof info, 47),
                            .abi_version = number(b, CHY_ABI_VERSION, 2 << 16),
                            .name = byte(b) % 16 ? name : NULL,
                            .version = byte(b) % 16 ? "1" : NULL,
                            .create = byte(b) % 16 ? create : NULL};
    uint8_t k = byte(b) % 16;
    info.class_names = k == 0 ? NULL : k == 1 ? none : classes;
    struct chy_err err = {0};
    size_t n = info.struct_size < 16 ? 16 : info.struct_size;
    if (n > sizeof info) n = sizeof info;
    chy_module_info *there = malloc(n);
    must(there != NULL);
    memcpy(there, &info, n);
    chy_hresult hr = chy_descriptor_check(there, "/m.so", &err);
    must(hr == CHY_S_OK ? !err.text[0] : hr == err.code && strstr(err.text, "/m.so") != NULL);
    if (hr == CHY_S_OK) {
        must(info.magic == CHY_MODULE_MAGIC && info.abi_version >> 16 == CHY_ABI_MAJOR);
        must(info.struct_size >= 48 && info.name && good_name(info.name));
        must(info.version && info.class_names && info.class_names[0] && info.create);
    }
    free(there);
}

typedef void (*member)(void);

/* A table of so many octets: its header, then members that are there or not. */
static chy_hdr *table(struct bits *b, uint32_t iface, size_t whole, uint64_t *present)
{
    chy_hdr h = {number(b, (uint32_t)whole, 31), number(b, CHY_ABI_VERSION, 2 << 16),
                 number(b, iface, CHY_IID_HOST), byte(b) & 1};
    size_t n = h.struct_size < sizeof h ? sizeof h : h.struct_size > 5000 ? 5000 : h.struct_size;
    chy_hdr *t = calloc(1, n);
    must(t != NULL);
    memcpy(t, &h, sizeof h);
    take(b, present, sizeof *present);
    *present |= byte(b) & 1 ? 0 : UINT64_MAX;
    for (size_t i = 0, at = sizeof h; i < 64 && at + sizeof(member) <= n;
         i++, at += sizeof(member)) {
        void (*fn)(void *) = release;
        if (*present >> i & 1) memcpy((uint8_t *)t + at, &fn, sizeof fn);
    }
    return t;
}

static bool there(const chy_hdr *t, uint64_t present, size_t i)
{
    return t->struct_size >= sizeof *t + (i + 1) * sizeof(member) && (present >> i & 1);
}

/* The members of a table: release, invoke, and then the method's own. */
static void check_object(struct bits *b, uint32_t iface, size_t whole, size_t n_direct)
{
    uint64_t present;
    struct chy_err err = {0};
    bool late = false, direct = false, all = true;
    enum chy_binding binding = (enum chy_binding)(byte(b) % 3);
    chy_hdr *t = table(b, iface, whole, &present);
    chy_object o = {byte(b) % 32 ? t : NULL, &released};
    chy_hresult hr = iface == CHY_IID_POLICY ? chy_policy_table_check(&o, binding, &late, &err)
                     : iface == CHY_IID_EXIT ? chy_exit_table_check(&o, binding, &late, &err)
                                             : chy_manage_table_check(&o, &direct, &err);
    must(hr == CHY_S_OK ? !err.text[0] : hr == err.code && err.text[0]);
    for (size_t i = 2; i < 2 + n_direct; i++)
        all = all && there(t, present, i);
    if (iface == CHY_IID_MANAGE_MODULE) {
        late = !direct;
        binding = CHY_BINDING_AUTO;
    }
    if (hr == CHY_S_OK) {
        must(o.vt && t->iface_id == iface && t->abi_version >> 16 == CHY_ABI_MAJOR);
        must(there(t, present, 0) && (late ? there(t, present, 1) : all));
        must(binding != CHY_BINDING_LATE || late);
        must(binding != CHY_BINDING_DIRECT || !late);
        must(binding != CHY_BINDING_AUTO || late == !all);
    }
    released = 0;
    chy_object_discard(&o);
    must(released <= 1 && (!released || there(t, present, 0)));
    must(hr != CHY_S_OK || released == 1);
    free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bits b = {data, size};
    check_info(&b);
    check_object(&b, CHY_IID_POLICY, sizeof(chy_policy_vtbl), 4);
    check_object(&b, CHY_IID_EXIT, sizeof(chy_exit_vtbl), 3);
    check_object(&b, CHY_IID_MANAGE_MODULE, sizeof(chy_manage_module_vtbl), 3);
    return 0;
}
