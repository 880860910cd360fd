/* What the two sides of a replay share: the messages between them. Nothing outside ca/ includes
 * this. */
#ifndef CHY_CA_REPLAY_INTERNAL_H
#define CHY_CA_REPLAY_INTERNAL_H

#include "ca/ca_internal.h"
#include "ca/replay.h"

enum { CHY_REPLAY_MESSAGE_MAX = 2 << 20, CHY_REPLAY_EXPIRED = 75, CHY_REPLAY_MAX_RECORDS = 1024 };

/* Entries of a packed list (chy_pack_add), told apart by their flags. To the candidate's process:
 */
enum {
    CHY_JOB_HEAD, /* struct chy_replay_job */
    CHY_JOB_REQUESTER,
    CHY_JOB_CALLER,
    CHY_JOB_REQUEST, /* DER */
    CHY_JOB_ATTRIBUTES,
    CHY_JOB_EVIDENCE /* one per record; the name is its chy_time */
};
/* And back: */
enum {
    CHY_REPLY_ABOUT,  /* struct chy_replay_about: the first message */
    CHY_REPLY_ERROR,  /* text: it does not load, or the request cannot be played */
    CHY_REPLY_NUMBER, /* uint32_t: which of the records it is about */
    CHY_REPLY_EVIDENCE,
    CHY_REPLY_EXTENSIONS, /* packed, as in a row */
    CHY_REPLY_TBS
};
struct chy_replay_job {
    int32_t id, shard, issuer_index;
    chy_time submitted_when;
};

/* One message: its length, then so many octets. until: monotonic, of the system's clock.
 * CHY_ERROR_TIMEOUT; CHY_ERROR_BROKEN_PIPE when the other side is gone. */
CHY_MUST_USE chy_hresult chy_message_write(int fd, struct chy_span message);
CHY_MUST_USE chy_hresult chy_message_read(int fd, int64_t until, struct chy_buf *out);

/* replay_child.c: never returns */
void chy_replay_child(struct chy_ca *ca, const struct chy_replay_options *o, int fd);

/* replay_compare.c: r->was, r->would and the certificates to r->outcome and r->diff; what diff
 * borrows lives in the arena. */
void chy_replay_compare(const struct chy_row *row, struct chy_span extensions, struct chy_span tbs,
                        struct chy_arena *a, struct chy_replay_result *r);

#endif
