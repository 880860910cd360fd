/* What the files of this folder share: the loop, a connection, its one exchange.
 * Thread: loop, unless a function says otherwise. */
#ifndef CHY_NET_NET_INTERNAL_H
#define CHY_NET_NET_INTERNAL_H

#include <stdatomic.h>
#include <uv.h>

#include "net/http_parse.h"
#include "net/http_write.h"
#include "net/net.h"
#include "net/router.h"
#include "net/tls.h"

/* What a connection waits for; each has its own time limit, so that each list is ordered by
 * deadline. */
enum chy_wait {
    CHY_WAIT_IDLE,
    CHY_WAIT_HEAD,
    CHY_WAIT_BODY,
    CHY_WAIT_WRITE,
    CHY_WAIT_LINGER,
    CHY_WAIT_TURN,    /* its next request has come already, but others go first */
    CHY_WAIT_REFUSAL, /* told that its request is malformed when the others have been */
    CHY_WAIT_NONE
};

struct chy_wait_list {
    struct chy_conn *first, *last;
    unsigned timeout_ms;
};

enum chy_net_conn_state {
    CHY_CONN_HEAD,    /* reading a head, or idle */
    CHY_CONN_BODY,    /* reading a body */
    CHY_CONN_BUSY,    /* a handler has the exchange */
    CHY_CONN_REFUSED, /* its answer waits: too many requests are malformed */
    CHY_CONN_WRITE,   /* an answer goes out */
    CHY_CONN_LINGER,  /* the last answer is out, unread octets are dropped (RFC 9112 9.6) */
    CHY_CONN_CLOSED
};

/* What of a file is still to be read; it is closed with the exchange. */
struct chy_file_rest {
    int fd; /* -1: none */
    uint64_t at, left;
};

struct chy_exchange {
    struct chy_conn *conn;
    struct chy_arena arena;
    struct chy_buf body;
    struct chy_match match;
    int status;
    char content_type[128];
    struct chy_buf extra;  /* header lines of the handler */
    struct chy_buf answer; /* or, of a file, the piece that goes out */
    uint64_t length;       /* of the body, whether it is sent or not */
    struct chy_file_rest file;
    bool own_cache; /* the handler said Cache-Control itself */
    bool held;
    bool answered;
    struct chy_node link; /* in the loop's list of answered exchanges */
};

struct chy_peer_key {
    uint64_t high, low;
};

struct chy_conn {
    struct chy_net *net;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uv_fs_t read;                 /* of the exchange's file */
    struct chy_conn *prev, *next; /* of the net's list */
    struct chy_conn *wait_prev, *wait_next;
    enum chy_wait wait;
    uint64_t deadline;
    struct chy_peer peer;
    struct chy_peer_key key;
    struct chy_tls tls;   /* ssl NULL: none */
    uint8_t *client_cert; /* owns peer.client_cert */
    char *in;             /* the head, then what is not yet parsed */
    size_t in_n, in_pos, in_cap;
    struct chy_http_parser parser;
    struct chy_exchange x;
    struct chy_buf head; /* of the answer */
    struct chy_buf wire; /* TLS records that the socket did not take at once */
    struct chy_span out[2];
    size_t write_n; /* octets of the uv_write under way */
    size_t charged; /* of the net's buffered octets */
    size_t owed;    /* what the client had not taken when its wait began */
    size_t lingered;
    enum chy_net_conn_state state;
    bool reading;
    bool eof;
    bool writing;     /* a uv_write is under way */
    bool filing;      /* a uv_fs_read is under way: file and buffer must stay */
    bool advancing;   /* chy_net_conn_advance is on the stack */
    bool close_after; /* this answer */
    bool linger;      /* the request was not read to its end */
    bool had_turn;    /* an answer was made since the loop came to this connection */
    bool handle_closed;
};

struct chy_listener {
    struct chy_net *net;
    uv_poll_t poll;
    uv_timer_t pause;
    int fd;
    enum chy_transport transport;
    char *path;   /* of a Unix socket that we made */
    bool open;    /* its handles and descriptor need closing */
    bool waits;   /* a connection came before the certificate */
    bool refused; /* the system did, when asked last */
    struct chy_listener *next;
};

struct chy_event {
    struct chy_net *net;
    union {
        uv_handle_t handle;
        uv_timer_t timer;
        uv_signal_t signal;
        uv_poll_t poll;
    } u;
    int fd, fd_flags; /* standard input, and what its flags were */
    void (*fn)(void *arg);
    void *arg;
    struct chy_event *next;
};

struct chy_post {
    struct chy_post *next;
    void (*fn)(void *arg);
    void *arg;
};

struct chy_net {
    uv_loop_t loop;
    uv_poll_t wake;
    int wake_fd; /* an eventfd */
    uv_timer_t tick;
    uv_timer_t drain;
    uv_idle_t turns; /* runs while connections wait for their turn */
    uv_timer_t pace; /* of refusals; runs while there are any */
    unsigned refusals_left;
    struct chy_net_limits limits;
    struct chy_http_limits http_limits;
    struct chy_clock clock;
    struct chy_router router;
    struct chy_listener *listeners;
    struct chy_event *events;
    struct chy_conn *conns; /* all that live, those too whose client is gone while held */
    struct chy_conn *spare; /* to be used again, buffers and all */
    unsigned conn_n, spare_n;
    struct chy_wait_list waits[CHY_WAIT_NONE];
    char date[CHY_HTTP_DATE_SIZE];
    uint64_t date_until; /* loop time at which the text is made anew */
    bool stopping;
    bool finished; /* the loop's own handles are closed or closing */
    bool drain_now;
    char scratch[65536];

    pthread_mutex_t lock; /* guards what follows, down to the atomics */
    SSL_CTX *tls;
    struct chy_node *done, **done_tail;
    struct chy_post *posts, **posts_tail;
    bool wake_open;

    atomic_int stop_asked; /* 0, or 1 */
    atomic_uint stop_ms;
    atomic_size_t buffered;
    atomic_uint held, open;
    atomic_ullong connections, requests, refused, evicted, handshakes;
    atomic_ullong status_class[6];
};

#define CHY_COUNT(counter) atomic_fetch_add_explicit(&(counter), 1, memory_order_relaxed)
#define CHY_UNCOUNT(counter) atomic_fetch_sub_explicit(&(counter), 1, memory_order_relaxed)

/* limits.c */
void chy_wait_arm(struct chy_conn *c, enum chy_wait wait);
void chy_wait_setup(struct chy_net *net);
void chy_wait_start(struct chy_net *net); /* the tick runs while there are connections */
void chy_wait_turn(struct chy_conn *c);
bool chy_wait_refusal(struct chy_conn *c);     /* false: its answer may go out now */
void chy_charge(struct chy_conn *c, size_t n); /* any thread that owns the exchange */
void chy_discharge(struct chy_conn *c);

/* room.c */
bool chy_room_for(struct chy_conn *c); /* who has just been accepted; may close another */
void chy_room_refuse(struct chy_conn *c);
void chy_room_descriptors(struct chy_net *net);
/* False when there is no room: nothing was charged. */
bool chy_room_for_body(struct chy_conn *c, size_t n);
void chy_room_for_answer(struct chy_conn *c); /* which its client has not taken whole */

/* conn.c */
struct chy_conn *chy_net_conn_new(struct chy_net *net, enum chy_transport transport);
void chy_net_conn_start(struct chy_conn *c, bool tls);
void chy_net_conn_advance(struct chy_conn *c);
void chy_net_conn_close(struct chy_conn *c);
void chy_net_conn_linger(struct chy_conn *c);
void chy_net_conn_timeout(struct chy_conn *c, enum chy_wait wait);
void chy_net_conn_answered(struct chy_conn *c); /* a held exchange came back */
void chy_net_conn_retire(struct chy_conn *c);   /* its handle is closed and nobody holds it */
void chy_net_conn_memory_free(struct chy_conn *c);

/* conn_write.c */
void chy_net_conn_send(struct chy_conn *c); /* the exchange's answer */
void chy_net_conn_send_interim(struct chy_conn *c);
void chy_net_conn_push(struct chy_conn *c);
bool chy_net_conn_flush_tls(struct chy_conn *c); /* false: closed */
void chy_net_conn_join(struct chy_conn *c);      /* head and body, where both are small */
void chy_net_conn_wait_write(struct chy_conn *c);
bool chy_net_conn_moves(struct chy_conn *c); /* the client took something since then */
void chy_net_conn_answer_done(struct chy_conn *c);

/* conn_file.c */
#define CHY_FILE_PIECE (128 * 1024)
#define CHY_FILE_PIECE_SMALL (16 * 1024)           /* when many are sent */
void chy_net_conn_first_piece(struct chy_conn *c); /* in front of it goes the head */
void chy_net_conn_next_piece(struct chy_conn *c);
void chy_file_close(struct chy_file_rest *file);

/* exchange.c */
void chy_net_conn_trim(struct chy_buf *b); /* empties; keeps the memory unless it is much */
void chy_exchange_reset(struct chy_exchange *x);
void chy_exchange_begin(struct chy_conn *c);    /* the head is there: routes, starts the body */
void chy_exchange_dispatch(struct chy_conn *c); /* the body is there */
void chy_exchange_refuse(struct chy_conn *c, int status, const char *why);
void chy_exchange_refuse_malformed(struct chy_conn *c); /* as the parser says */
/* The two ends of every reply; between them the answer is made. */
void chy_exchange_answer(struct chy_exchange *x, int status, const char *content_type);
void chy_exchange_answered(struct chy_exchange *x);
void chy_exchange_without_memory(struct chy_exchange *x); /* what there is for an answer then */

/* problem.c */
chy_hresult chy_problem_code(int status);

/* peer.c */
void chy_peer_fill(struct chy_conn *c, const struct sockaddr_storage *from);
unsigned chy_peer_count(const struct chy_net *net, const struct chy_peer_key *key);

/* listen.c */
void chy_listeners_close(struct chy_net *net);
void chy_listeners_resume(void *net); /* there is a certificate now */
void chy_listeners_free(struct chy_net *net);

/* events.c */
void chy_events_close(struct chy_net *net);
void chy_events_free(struct chy_net *net);

/* net.c */
void chy_net_hand_back(struct chy_net *net, struct chy_exchange *x); /* any thread */
void chy_net_check_drained(struct chy_net *net);
const char *chy_net_date(struct chy_net *net);
/* A libuv error number as ours. */
chy_hresult chy_fail_uv(struct chy_err *err, int e, const char *what);

#endif
