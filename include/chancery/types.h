/* Chancery module ABI: the types that cross the border between the daemon and a module.
 *
 * Fixed-width integers, counted UTF-8 text, counted bytes and one tagged union; nothing else
 * crosses. Every function answers with a chy_hresult: the same numbers that AD CS uses (codes.h).
 */
#ifndef CHANCERY_TYPES_H
#define CHANCERY_TYPES_H

#include <stddef.h>
#include <stdint.h>

#define CHY_ABI_MAJOR 1u
#define CHY_ABI_MINOR 0u
#define CHY_ABI_VERSION ((CHY_ABI_MAJOR << 16) | CHY_ABI_MINOR)

typedef int32_t chy_hresult; /* same numbers as HRESULT: negative means failed */
typedef int32_t chy_long;    /* counterpart of COM's LONG: flags, dispositions, contexts, ids */
typedef int64_t chy_time;    /* microseconds since 1970-01-01T00:00:00Z */

#define CHY_TIME_DEFAULT INT64_MIN /* stands for the DATE value 0.0: "default" or "now" */

#define CHY_FAILED(hr) ((hr) < 0)
#define CHY_SUCCEEDED(hr) ((hr) >= 0)

/* UTF-8 text of n octets; p[n] is NUL, so p is a C string where the text has no NUL of its own. */
typedef struct chy_str {
    char *p;
    size_t n;
} chy_str;

typedef struct chy_bytes {
    uint8_t *p;
    size_t n;
} chy_bytes;

/* The tag of a chy_variant. Numbers are those of VARENUM where there is one. */
enum {
    CHY_VT_EMPTY = 0,
    CHY_VT_NULL = 1,
    CHY_VT_LONG = 3,
    CHY_VT_DATE = 7,
    CHY_VT_STR = 8,
    CHY_VT_OBJECT = 9,
    CHY_VT_BOOL = 11,
    CHY_VT_STRV = 0x2008,
    CHY_VT_BYTES = 0x2011
};

typedef struct chy_object chy_object; /* any {table, self} pair below, seen through its header */

/* 32 octets, for ever. Who receives a filled variant clears it with the host's variant_clear. */
typedef struct chy_variant {
    uint32_t vt;
    uint32_t reserved; /* 0 */
    union {
        chy_long l; /* LONG, and BOOL as 0 or 1 */
        chy_time t;
        chy_str s;
        chy_bytes b;
        struct {
            chy_str *v;
            size_t n;
        } sv;
        chy_object *o;
        uint8_t pad[24];
    } u;
} chy_variant;

/* Every table starts with this header; struct_size is what the provider of the table compiled. */
typedef struct chy_hdr {
    uint32_t struct_size;
    uint32_t abi_version;
    uint32_t iface_id; /* CHY_IID_* */
    uint32_t flags;    /* CHY_IF_* */
} chy_hdr;

enum { CHY_IF_CONCURRENT = 1 }; /* calls may overlap; without it the daemon makes one at a time */

enum {
    CHY_IID_HOST = 1,
    CHY_IID_POLICY = 2,
    CHY_IID_EXIT = 3,
    CHY_IID_MANAGE_MODULE = 4,
    CHY_IID_SERVER_POLICY = 5,
    CHY_IID_SERVER_EXIT = 6,
    CHY_IID_CONFIG = 7,
    CHY_IID_REQUEST = 8,
    CHY_IID_ADMIN = 9
};

/* 1 when the provider's table is large enough to hold member m and the member is filled in. */
#define CHY_HAS(vt, type, m)                                                                       \
    ((vt)->h.struct_size >= offsetof(type, m) + sizeof((vt)->m) && (vt)->m != NULL)

/* Counterpart of EXCEPINFO: what a late-bound call that answers DISP_E_EXCEPTION went wrong with.
 */
typedef struct chy_excep {
    chy_hresult code;
    chy_str source;
    chy_str description;
} chy_excep;

/* Late-bound call, counterpart of IDispatch::Invoke. method is the COM name, compared without
 * case; args are the [in] parameters in declaration order; result takes the [out, retval] one and
 * may be NULL where the method has none. bad_arg, where not NULL, takes the index of the argument
 * that DISP_E_TYPEMISMATCH is about. */
typedef chy_hresult (*chy_invoke_fn)(void *self, const char *method, const chy_variant *args,
                                     uint32_t nargs, chy_variant *result, chy_excep *excep,
                                     uint32_t *bad_arg);

#endif
