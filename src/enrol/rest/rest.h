/* The request part of the REST interface: submit, look, fetch, and what officers do to a pending
 * request. Thread: loop; completions come on engine threads. */
#ifndef CHY_ENROL_REST_REST_H
#define CHY_ENROL_REST_REST_H

#include "enrol/service.h"

CHY_MUST_USE chy_hresult chy_rest_register(struct chy_service *s, struct chy_err *err);
extern const struct chy_api_route chy_rest_routes[];
extern const size_t chy_rest_n_routes;
/* The number that the path names as ":id". */
CHY_MUST_USE chy_hresult chy_rest_id(struct chy_exchange *x, int32_t *id, struct chy_err *err);

/* answer.c: how an outcome goes back */
enum chy_accept { CHY_ACCEPT_JSON, CHY_ACCEPT_DER, CHY_ACCEPT_CHAIN, CHY_ACCEPT_PEM };
enum chy_accept chy_rest_accept(struct chy_exchange *x);
struct chy_rest_call { /* a held exchange and how to answer it; in its arena */
    struct chy_exchange *x;
    struct chy_ca *ca;
    enum chy_accept accept;
    bool sees_evidence; /* of a dry run: not only the verdict */
};
struct chy_rest_call *chy_rest_hold(struct chy_exchange *x,
                                    struct chy_ca *ca); /* NULL: answered already */
/* ?dry_run=1: any other value, and any other way to write it, is an error, for what was meant to be
 * tried must not be issued. */
CHY_MUST_USE chy_hresult chy_rest_dry_run(struct chy_exchange *x, bool *dry_run,
                                          struct chy_err *err);
void chy_rest_dry_run_answer(struct chy_rest_call *call, const struct chy_outcome *o);
void chy_rest_outcome(const struct chy_outcome *o, void *call);
void chy_rest_certificate(struct chy_exchange *x, struct chy_ca *ca, enum chy_accept accept,
                          int status, struct chy_span der);

/* parse.c: the two forms of a submission's body */
struct chy_rest_submission {
    struct chy_span request;
    struct chy_buf attributes, text;
};
CHY_MUST_USE chy_hresult chy_rest_read_submission(struct chy_exchange *x,
                                                  struct chy_rest_submission *out,
                                                  struct chy_err *err);
void chy_rest_submission_free(struct chy_rest_submission *s);
/* {"NAME": "VALUE", …} to lines. */
CHY_MUST_USE chy_hresult chy_rest_attribute_lines(const void *json_object, struct chy_buf *out,
                                                  struct chy_err *err);

#endif
