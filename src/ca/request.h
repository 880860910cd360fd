/* One request on its way through the engine: what was asked for, what the policy made of it, and
 * what becomes of it. Re-used from a free list; all it needs lives in its arena. Thread: one at a
 * time (worker, writer, dispatcher), handed on through queues. */
#ifndef CHY_CA_REQUEST_H
#define CHY_CA_REQUEST_H

#include <stdatomic.h>

#include "ca/ca.h"
#include "ca/evidence.h"
#include "ca/exit.h"
#include "ca/worker.h"
#include "pki/cert.h"
#include "pki/csr.h"

enum {
    CHY_REQUEST_MAX_ATTRS = 128,
    CHY_REQUEST_MAX_EXTS = 64,
    CHY_REQUEST_MAX_OWED = 16,
    CHY_ATTR_NAME_MAX = 127,
    CHY_ATTR_VALUE_MAX = 4096,
    CHY_MESSAGE_MAX = 480
};

struct chy_attribute {
    const char *name, *value; /* arena; name as it came, compared by chy_attribute_same */
};

struct chy_extension {
    const char *oid_text;
    struct chy_span oid; /* content octets */
    int32_t flags;       /* CHY_EXTENSION_*: critical, disable, private byte, origin */
    struct chy_span value;
};

/* Properties that the policy may set and that are kept with the row. */
struct chy_subject {
    struct chy_span
        value[CHY_NAME_PROPS]; /* UTF-8, several values separated by '\n'; empty: absent */
    bool changed;              /* by the policy: the subject is built anew */
};

enum chy_stage {
    CHY_STAGE_INTAKE,
    CHY_STAGE_RESUBMIT,
    CHY_STAGE_SIGN,
    CHY_STAGE_DENY,
    CHY_STAGE_SET_ATTRIBUTES,
    CHY_STAGE_SET_EXTENSION
};

struct chy_request {
    struct chy_job job; /* first: the pool hands it back */
    struct chy_request *next_free;
    struct chy_ca *ca;
    const struct chy_authority *authority; /* that issues it */
    struct chy_arena arena;
    enum chy_stage stage;
    struct chy_worker *worker; /* whose thread is inside the policy module */
    atomic_uint refs;          /* the pipeline, and the dispatcher while exit events are owed */

    /* intake */
    struct chy_span input; /* as submitted */
    const char *caller_name;
    uint32_t caller_access;
    int32_t flags;
    struct chy_span attribute_text;
    chy_outcome_cb done;
    void *done_arg;

    /* the request */
    int32_t id;
    bool is_new;
    bool dry_run;   /* nothing is to remain of it */
    bool on_worker; /* an exit module is told of it by a worker, not by the dispatcher */
    bool has_row;   /* resubmission: the row exists */
    chy_time submitted_when;
    struct chy_csr csr; /* spans into csr.der (arena) */
    const char *requester_name;
    struct chy_attribute attr[CHY_REQUEST_MAX_ATTRS];
    size_t n_attr;
    struct chy_extension ext[CHY_REQUEST_MAX_EXTS];
    size_t n_ext;

    /* the certificate to be */
    struct chy_subject subject;
    chy_time not_before, not_after;
    const char *not_after_why;
    int32_t general_flags;
    const char *template_name;
    char policy_message[CHY_MESSAGE_MAX];

    /* the outcome */
    int32_t disposition;
    chy_hresult status;
    struct chy_err err;
    char message[CHY_MESSAGE_MAX];
    chy_time resolved_when;
    chy_time revoked_when, revoked_effective_when;
    int32_t revoked_reason, shard;
    uint8_t serial[CHY_SERIAL_LEN];
    bool has_serial;
    struct chy_buf tbs; /* kept between uses */
    struct chy_buf certificate;
    struct chy_buf scratch;
    struct chy_buf packed_attrs, packed_exts, packed_props, subject_text, request_subject_text;
    struct chy_span common_name;

    /* why */
    int64_t received; /* monotonic */
    struct chy_evidence evidence;
    struct chy_buf packed_evidence;

    /* writing */
    bool is_packed; /* at the intent: the final row differs in its outcome only */
    struct chy_row row;
    struct chy_write write;
    struct chy_owed owed[CHY_REQUEST_MAX_OWED];
    size_t n_owed;
    int32_t event;             /* CHY_EXITEVENT_* that the final row fires; 0: none */
    struct chy_node exit_node; /* the dispatcher's queue */
    int64_t first_seq;         /* outbox number of owed[0]; the others follow */
    int64_t live_seq;          /* which of them its dispatcher tells from memory */
    struct chy_told told;      /* what it is being told of */
    atomic_uint held;          /* by how many synchronous exit modules, and by the pipeline */
    void (*release)(struct chy_request *r); /* once nobody holds it */

    /* officers' changes */
    const char *new_ext_oid;
    chy_long new_ext_type, new_ext_flags;
    chy_variant new_ext_value; /* spans in the arena */
};

struct chy_request *chy_request_new(struct chy_ca *ca); /* from the free list; NULL: no memory */
void chy_request_unref(struct chy_request *r);
void chy_request_free(struct chy_request *r);  /* for good: the CA is closing */
void chy_request_clear(struct chy_request *r); /* one that is alone is empty again */

/* attributes.c */
bool chy_attribute_same(const char *a, const char *b); /* spaces, hyphens and case ignored */
const char *chy_request_attribute(const struct chy_request *r, const char *name); /* NULL: absent */
bool chy_request_set_attribute(struct chy_request *r, struct chy_span name, struct chy_span value);
/* "Name:Value" lines; malformed ones are ignored as AD CS does. signed_only names are skipped. */
void chy_request_parse_attributes(struct chy_request *r, struct chy_span text, bool is_signed);

/* extensions.c */
struct chy_extension *chy_request_find_extension(struct chy_request *r, const char *oid_text);
/* Adds or replaces; flags hold the origin. E_INVALIDARG for a bad OID, ENCODING_LENGTH when over
 * the limits. */
CHY_MUST_USE chy_hresult chy_request_set_extension(struct chy_request *r, const char *oid_text,
                                                   int32_t flags, struct chy_span value,
                                                   struct chy_err *err);
/* The same as a change that is evidence: what an officer or the policy module does. */
CHY_MUST_USE chy_hresult chy_request_change_extension(struct chy_request *r, const char *oid_text,
                                                      int32_t flags, struct chy_span value,
                                                      struct chy_err *err);
/* PROPTYPE_* to DER and back: INTEGER, time, IA5String, or DER as it is. */
CHY_MUST_USE chy_hresult chy_extension_encode(chy_long type, const chy_variant *value,
                                              struct chy_buf *out, struct chy_err *err);
chy_hresult chy_extension_decode(chy_long type, struct chy_span der, chy_variant *out);

/* subject.c */
/* False: not enough memory. */
CHY_MUST_USE bool chy_subject_from_name(struct chy_subject *s, const struct chy_name *name,
                                        struct chy_arena *a);
/* The certificate's Name DER: the request's own bytes while nothing was changed and everything in
 * it is known, else rebuilt by the CA's SubjectTemplate. */
CHY_MUST_USE chy_hresult chy_subject_build(struct chy_request *r, struct chy_buf *out,
                                           struct chy_err *err);

/* value.c: r->input as submitted becomes r->csr; then the subject, attributes and extensions that
 * it asks for. What is wrong stands in r->err. */
CHY_MUST_USE chy_hresult chy_request_parse(struct chy_request *r);
CHY_MUST_USE chy_hresult chy_request_take(struct chy_request *r);

/* alone.c: a request of no CA, for who hosts a module without one. Settings have their defaults;
 * chy_ca_engine_ops serve but for CA properties and module settings, which are the host's own to
 * answer. authority NULL: there is none. Freed with chy_request_free. NULL: no memory. */
struct chy_request *chy_request_alone(const struct chy_authority *authority);
/* What a CA proposes to its policy module: validity within the bounds, key identifiers. */
CHY_MUST_USE chy_hresult chy_request_propose(struct chy_request *r,
                                             const struct chy_validity_bounds *bounds);
/* The certificate that a CA would issue for it: the same checks, the same lint, then signed by the
 * authority. */
CHY_MUST_USE chy_hresult chy_request_certify(struct chy_request *r, chy_time now);

/* request.c: between the value and its row */
/* Fails when something of the request was lost to want of memory, or is too large for a row: what
 * is incomplete is neither stored nor signed. */
CHY_MUST_USE chy_hresult chy_request_to_row(struct chy_request *r, struct chy_err *err);
CHY_MUST_USE chy_hresult chy_request_from_row(struct chy_request *r, const struct chy_row *row,
                                              struct chy_err *err);

/* props.c, props_ca.c: what modules see */
extern const struct chy_engine_ops chy_ca_engine_ops;

#endif
