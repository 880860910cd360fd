/* An HTTP/1.1 answer, read from octets in pieces of any size: pure, bounded, strict (llhttp without
 * its lenient flags). RFC 9112. Thread: any. */
#ifndef CHY_CLIENT_HTTP_ANSWER_H
#define CHY_CLIENT_HTTP_ANSWER_H

#include <llhttp.h>

#include "base/base.h"

enum {
    CHY_HTTPC_HEAD_MAX = 32 << 10,
    CHY_HTTPC_BODY_MAX = 4 << 20,
    CHY_HTTPC_INTERIM_MAX = 8 /* 1xx answers in front of the real one */
};

struct chy_httpc_answer {
    int status;
    char content_type[128]; /* lower case, without parameters; "" when absent */
    struct chy_buf body;
    int64_t length; /* as Content-Length tells it, of a body that is not sent too; -1: untold */
    bool keep_alive;
};

enum chy_httpc_step { CHY_HTTPC_MORE, CHY_HTTPC_DONE, CHY_HTTPC_REFUSED };

struct chy_httpc_reader {
    llhttp_t parser;
    llhttp_settings_t settings;
    struct chy_httpc_answer *answer;
    size_t head_n;
    unsigned interim;
    char field[24];
    size_t field_n, value_n;
    bool is_head, done;
    const char *why; /* of a refusal */
};

void chy_httpc_answer_init(struct chy_httpc_answer *a);
void chy_httpc_answer_free(struct chy_httpc_answer *a);
/* is_head: of the answer to a HEAD, which ends with its head (RFC 9112 6.3). */
void chy_httpc_reader_start(struct chy_httpc_reader *r, bool is_head,
                            struct chy_httpc_answer *answer);
/* Octets behind the answer are a refusal: nothing was asked for yet that they could answer. */
enum chy_httpc_step chy_httpc_reader_feed(struct chy_httpc_reader *r, const void *p, size_t n);
/* The peer closed: the end of a body without a length, or a cut answer. */
enum chy_httpc_step chy_httpc_reader_eof(struct chy_httpc_reader *r);

#endif
