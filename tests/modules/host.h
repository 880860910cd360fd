/* A small host for the tests of the modules: settings, requests, and what a module did to them. */
#ifndef TESTS_MODULES_HOST_H
#define TESTS_MODULES_HOST_H

#include <chancery/module.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FAKE_MAX = 40 };
enum { SUBMITTED = 1, RESUBMITTED = 0 };
#define OID_KU "2.5.29.15"
#define OID_SAN "2.5.29.17"
#define OID_BC "2.5.29.19"
#define OID_EKU "2.5.29.37"
#define FROM_REQUEST (CHY_EXTENSION_ORIGIN_REQUEST | CHY_EXTENSION_DISABLE_FLAG)
#define FAKE_DAY INT64_C(86400000000)

struct fake_text {
    char name[64];
    char value[5000];
    size_t n;
};

struct fake_ext {
    char oid[64];
    chy_long flags;
    uint8_t value[5000];
    size_t n;
};

/* One request; its context is its index and one. */
struct fake_request {
    chy_long id, may_enrol, key_bits;
    chy_time not_before, not_after;
    struct fake_text attribute[FAKE_MAX], property[FAKE_MAX]; /* of an empty name: free */
    struct fake_ext ext[FAKE_MAX];
    size_t n_ext;
    char message[700];
};

struct fake_setting {
    char name[96];
    chy_variant value;
};

struct fake {
    chy_host host;
    struct fake_request request[4];
    struct fake_text ca[FAKE_MAX]; /* properties at context 0 */
    struct fake_setting setting[FAKE_MAX];
    size_t n_setting;
    const char *fails; /* reading or setting this name fails with fail_code */
    chy_hresult fail_code;
    chy_long time_left; /* what the host says of it; 0: no end of time */
    chy_long time_step; /* so much less each time that it is asked */
    char log[8000];
};

extern struct fake fake;

/* An empty host whose request 1 has an RSA 2048 key and a year of proposed validity. */
void fake_reset(void);
void fake_key(struct fake_request *r, const char *algorithm_oid, chy_long bits);
void fake_curve(struct fake_request *r, const char *hex);
void fake_attribute(struct fake_request *r, const char *name, const char *value);
void fake_property(struct fake_request *r, const char *name, const void *value, size_t n);
void fake_cn(struct fake_request *r, const char *cn);
/* A property of the CA; a LONG is its decimal text. NULL: there is none. */
void fake_ca(const char *name, const char *value);
const char *fake_text(const struct fake_request *r, const char *name); /* property; NULL: none */
void fake_set_ext(struct fake_request *r, const char *oid, chy_long flags, const void *p, size_t n);
void fake_set_ext_hex(struct fake_request *r, const char *oid, chy_long flags, const char *hex);
const struct fake_ext *fake_ext(const struct fake_request *r, const char *oid);
/* The enabled extensions in lower-case hex: "" when it is absent or disabled. */
const char *fake_hex(const struct fake_request *r, const char *oid);
/* A SAN from the request: "dns:a.test ip4:192.0.2.1 email:a@b.test uri:… upn:… rid:". */
void fake_san(struct fake_request *r, chy_long flags, const char *names);
size_t fake_san_der(uint8_t *out, const char *names);

void fake_set_long(const char *name, chy_long value);
void fake_set_text(const char *name, const char *value);
void fake_set_list(const char *name, const char *comma_separated);
void fake_set_variant(const char *name, chy_variant value);
void fake_unset(const char *name);

/* While calls run on other threads. */
bool fake_logged(const char *text);
void fake_set_time_left(chy_long ms);

chy_object fake_create(const char *module, const char *class_name);
const chy_policy_vtbl *fake_policy_table(const chy_object *o);
const chy_exit_vtbl *fake_exit_table(const chy_object *o);
const chy_manage_module_vtbl *fake_manage_table(const chy_object *o);

/* One policy module over its whole life: Initialize, VerifyRequest of request 1, release. */
chy_long fake_verify(int is_new);
chy_hresult fake_initialize(void);
#define fake_denied(code, text)                                                                    \
    do {                                                                                           \
        assert_int_equal(fake_verify(SUBMITTED), code);                                            \
        if (!strstr(fake.request[0].message, text)) fail_msg("%s", fake.request[0].message);       \
    } while (0)
/* One exit module over its whole life; what it logs at its start is not kept before an event. */
chy_hresult fake_exit_initialize(const char *module, const char *class_name, chy_long *mask);
chy_hresult fake_exit_notify(const char *module, const char *class_name, chy_long event,
                             chy_long context);

/* A folder with all in it. */
int fake_remove(const char *folder);

#endif
