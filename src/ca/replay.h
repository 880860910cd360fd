/* Playing decisions again with another policy module: what would have come out differently?
 *
 * The CA's folder is read, beside a daemon or without one; nothing is written and no private key is
 * read. The candidate is loaded in a child process with limits, which gets one request at a time
 * and gives back what it made of it: a candidate that crashes or hangs costs that one answer.
 *
 * A request is played as it was lived: rebuilt from what was submitted, asked at the times at which
 * it was asked, with what officers changed in between, until the candidate's verdict is another
 * one. Thread: the caller's own; the process must have no other. */
#ifndef CHY_CA_REPLAY_H
#define CHY_CA_REPLAY_H

#include "ca/ca.h"
#include "ca/evidence.h"

enum { CHY_REPLAY_MAX_SET = 64 };

struct chy_replay_options {
    const char *dir;    /* of the CA */
    const char *module; /* the candidate: an absolute path */
    struct {
        const char *name, *json; /* below the candidate's folder of settings, over what is stored */
    } set[CHY_REPLAY_MAX_SET];
    size_t n_set;
    unsigned deadline_ms; /* of one call; 0: ModuleTimeoutMilliseconds */
    bool verbose;         /* the candidate's log goes to standard error */
};

enum chy_replay_outcome {
    CHY_REPLAY_SAME,
    CHY_REPLAY_DIFFERENT,
    CHY_REPLAY_FAILED,  /* the candidate crashed or overran its deadline */
    CHY_REPLAY_SKIPPED, /* no module was asked, or it cannot be rebuilt: why says so */
};
struct chy_replay_result {
    enum chy_replay_outcome outcome;
    int32_t request_id;
    uint32_t number; /* of the decision in the request's evidence */
    chy_time decided_when;
    const char *why;           /* SKIPPED */
    bool other_settings;       /* than when it was decided */
    struct chy_evidence was;   /* as recorded; borrows until the next request */
    struct chy_evidence would; /* of the candidate */
    struct chy_change
        diff[CHY_EVIDENCE_CHANGES]; /* of the certificates: as it was, as it would be */
    size_t n_diff;
    char text[480]; /* FAILED: what became of the candidate */
};

struct chy_replayer;
/* What the candidate cannot load for is an error here. */
CHY_MUST_USE chy_hresult chy_replay_open(const struct chy_replay_options *o,
                                         struct chy_replayer **out, struct chy_err *err);
void chy_replay_close(struct chy_replayer *p);
struct chy_replay_about { /* the candidate, as it introduced itself */
    char name[64], version[64], sha256[65];
};
const struct chy_replay_about *chy_replay_about(const struct chy_replayer *p);
/* How many requests were submitted at `since` or later. */
CHY_MUST_USE chy_hresult chy_replay_count(struct chy_replayer *p, chy_time since, int64_t *n,
                                          struct chy_err *err);
/* Each of them, oldest first; false from cb stops. An error: the database cannot be read, or the
 * candidate dies time after time. */
CHY_MUST_USE chy_hresult chy_replay_run(struct chy_replayer *p, chy_time since,
                                        bool (*cb)(const struct chy_replay_result *r, void *arg),
                                        void *arg, struct chy_err *err);

#endif
