/* Why a request came out as it did: who decided, with which module, what that module changed, and
 * how long it took. One record per decision, written in the transaction that makes the decision
 * durable, and never changed afterwards: a request that is decided again gets another record.
 *
 * What a record says of the request's inputs is what may change later: each change that an officer
 * makes to a pending request is a record of its own. The rest stands in the row.
 * Thread: a value belongs to one thread at a time; recording needs no memory. */
#ifndef CHY_CA_EVIDENCE_H
#define CHY_CA_EVIDENCE_H

#include "base/base.h"

enum chy_evidence_kind {
    CHY_EVIDENCE_NONE,
    CHY_EVIDENCE_POLICY,  /* the policy module was asked */
    CHY_EVIDENCE_ENGINE,  /* the engine refused before the module was asked */
    CHY_EVIDENCE_DENIED,  /* by an officer */
    CHY_EVIDENCE_CHANGED, /* an officer changed a pending request */
    CHY_EVIDENCE_SETTLED  /* a restart finished what had been decided */
};

enum chy_change_kind {
    CHY_CHANGE_SUBJECT = 1,
    CHY_CHANGE_VALIDITY,
    CHY_CHANGE_TEMPLATE,
    CHY_CHANGE_FLAGS,
    CHY_CHANGE_EXTENSION,
    CHY_CHANGE_ATTRIBUTE
};

enum chy_value_form {
    CHY_VALUE_NONE, /* absent */
    CHY_VALUE_NUMBER,
    CHY_VALUE_OCTETS, /* text or DER */
    CHY_VALUE_HASH    /* too long to be kept: SHA-256, and the length as the number */
};
struct chy_value {
    enum chy_value_form form;
    int32_t flags; /* of an extension: CHY_EXTENSION_* */
    int64_t number;
    struct chy_span octets; /* borrowed */
};
struct chy_change {
    enum chy_change_kind kind;
    uint32_t times;       /* how many changes it stands for */
    struct chy_span name; /* property, attribute, or OID in dotted form; borrowed */
    struct chy_value before, after;
};

/* The first changes are kept one by one. Behind them a property has one more line, from what it was
 * to what it became: so whatever a module does, nothing that it changed is missing. */
enum {
    CHY_EVIDENCE_ONE_BY_ONE = 32,
    CHY_EVIDENCE_CHANGES = 128,
    CHY_EVIDENCE_LINT = 8,
    CHY_EVIDENCE_WHOLE = 512, /* a value of more octets is kept as its hash */
    CHY_EVIDENCE_MAX = 64 << 10
};

struct chy_evidence {
    enum chy_evidence_kind kind; /* NONE: nothing to be written */
    bool is_new;                 /* as VerifyRequest was told */
    bool in_process;             /* the module ran in a child process */
    bool has_module;
    int32_t disposition;
    chy_hresult status;
    struct chy_span message, author; /* borrowed */
    char module[33], version[33];
    uint8_t sha256[32];    /* of the module's file */
    uint8_t settings[8];   /* a fingerprint of the CA's configuration */
    int64_t queue_us;      /* from the call to its turn */
    int64_t policy_us;     /* in the module */
    int64_t check_us;      /* names, certificate, lint */
    int64_t mark;          /* monotonic: where the next of these begins */
    uint64_t merged, lost; /* changes that have no line of their own, or none at all */
    struct chy_span lint[CHY_EVIDENCE_LINT]; /* ids of rules that found something; borrowed */
    size_t n_lint;
    struct chy_change change[CHY_EVIDENCE_CHANGES];
    size_t n_changes;
};

void chy_evidence_reset(struct chy_evidence *e);
/* What it borrows must live as long as e is used. Nothing where before and after are the same. */
void chy_evidence_change(struct chy_evidence *e, enum chy_change_kind kind, struct chy_span name,
                         const struct chy_value *before, const struct chy_value *after);
struct chy_value chy_value_number(int64_t n);
struct chy_value chy_value_text(struct chy_span s); /* empty: absent */
struct chy_value chy_value_extension(int32_t flags, struct chy_span der);
/* Microseconds since e->mark, which moves to now. */
int64_t chy_evidence_lap(struct chy_evidence *e, int64_t now);

/* As the database has it. */
void chy_evidence_pack(const struct chy_evidence *e, struct chy_buf *out);
/* out borrows from packed. What a newer version added is skipped. */
CHY_MUST_USE chy_hresult chy_evidence_unpack(struct chy_span packed, struct chy_evidence *out,
                                             struct chy_err *err);

#endif
