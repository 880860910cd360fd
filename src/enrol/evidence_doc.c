/* The story of one request as a document: what was asked for, each decision, what became of the
 * certificate since. */
#include "enrol/evidence_doc.h"

#include <string.h>

#include "ca/events.h"
#include "ca/evidence_json.h"
#include "ca/revocation.h"
#include "enrol/row_json.h"
#include "pki/csr.h"

struct decisions {
    struct chy_json *j;
    struct chy_evidence *evidence;
    struct chy_err *err;
    chy_hresult hr;
};

static bool add_decision(const struct chy_evidence_row *row, void *arg)
{
    struct decisions *d = arg;
    d->hr = chy_evidence_unpack(row->packed, d->evidence, d->err);
    if (d->hr != CHY_S_OK) return false;
    chy_evidence_json(d->j, NULL, d->evidence, row->number, row->decided_when);
    return !d->j->out->failed;
}

static chy_hresult add_decisions(struct chy_json *j, struct chy_ca *ca,
                                 const struct chy_caller *caller, int32_t id, struct chy_err *err)
{
    struct decisions d = {.j = j, .err = err, .hr = CHY_S_OK};
    d.evidence = chy_malloc(sizeof(*d.evidence));
    if (!d.evidence) return chy_fail_nomem(err, "evidence");
    chy_json_array(j, "decisions");
    chy_hresult hr = chy_ca_evidence(ca, caller, id, add_decision, &d, err);
    chy_json_end(j, ']');
    chy_free(d.evidence);
    return hr == CHY_S_OK ? d.hr : hr;
}

void chy_json_add_extensions(struct chy_json *j, const struct chy_ext *ext, size_t n)
{
    chy_json_array(j, "extensions");
    for (size_t i = 0; i < n; i++) {
        chy_json_object(j, NULL);
        chy_json_add_ext_name(j, ext[i].oid);
        chy_json_add_bool(j, "critical", ext[i].critical);
        chy_json_add_ext(j, ext[i].oid, ext[i].value);
        chy_json_end(j, '}');
    }
    chy_json_end(j, ']');
}

static chy_hresult add_asked(struct chy_json *j, const struct chy_row *row, struct chy_err *err)
{
    struct chy_csr *csr = chy_malloc(sizeof(*csr));
    if (!csr) return chy_fail_nomem(err, "request");
    chy_json_object(j, "asked");
    if (chy_csr_parse(row->raw_request, csr, NULL) == CHY_S_OK) {
        chy_json_add_str(j, "key", csr->key.name);
        chy_json_add_extensions(j, csr->ext, csr->n_ext);
    }
    chy_json_add_span(j, "subject", row->request_subject);
    chy_json_add_span(j, "attributes", row->request_attributes);
    chy_json_end(j, '}');
    chy_free(csr);
    return CHY_S_OK;
}

static chy_hresult add_owed(struct chy_json *j, struct chy_ca *ca, const struct chy_caller *caller,
                            int32_t id, struct chy_err *err)
{
    chy_json_array(j, "owed");
    chy_hresult hr = chy_ca_events_of(ca, caller, id, chy_row_json_event, j, err);
    chy_json_end(j, ']');
    return hr;
}

chy_hresult chy_evidence_document(struct chy_json *j, struct chy_ca *ca,
                                  const struct chy_caller *caller, const struct chy_row *row,
                                  struct chy_err *err)
{
    chy_json_object(j, NULL);
    chy_row_json(j, "request", row, false);
    chy_hresult hr = add_asked(j, row, err);
    if (hr == CHY_S_OK) hr = add_decisions(j, ca, caller, row->id, err);
    if (hr == CHY_S_OK) hr = chy_row_json_history(j, ca, caller, row->id, err);
    if (hr == CHY_S_OK) hr = add_owed(j, ca, caller, row->id, err);
    chy_json_end(j, '}');
    return hr;
}
