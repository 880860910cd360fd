/* Answers with a tag over real sockets, from memory and from files of any size. */
#include "tls_server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/text.h"

#define MODIFIED (INT64_C(784111777) * CHY_US_PER_S)
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define BIG ((uint64_t)300 << 20)
#define GET_FILE "GET /file HTTP/1.1\r\nHost: a\r\n\r\n"

struct store {
    char path[64];
    int fd;
    uint64_t size;
};

static void store_new(struct store *st, uint64_t size)
{
    snprintf(st->path, sizeof(st->path), "/tmp/chancery-test-file-XXXXXX");
    st->fd = mkstemp(st->path);
    assert_true(st->fd >= 0);
    st->size = size;
    assert_int_equal(ftruncate(st->fd, (off_t)size), 0);
}

static void store_free(struct store *st)
{
    close(st->fd);
    unlink(st->path);
}

/* Octet i of a file that was filled is i * 7 + i / 251. */
static uint8_t octet_at(uint64_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void fill(struct store *st)
{
    static uint8_t piece[65536];
    for (uint64_t at = 0; at < st->size; at += sizeof(piece)) {
        for (size_t i = 0; i < sizeof(piece); i++) {
            piece[i] = octet_at(at + i);
        }
        uint64_t n = st->size - at < sizeof(piece) ? st->size - at : sizeof(piece);
        assert_int_equal(pwrite(st->fd, piece, n, (off_t)at), (ssize_t)n);
    }
}

/* How many descriptors of it are open in this process. */
static unsigned open_count(const struct store *st)
{
    struct stat own, other;
    unsigned n = 0;
    char path[40];
    assert_int_equal(fstat(st->fd, &own), 0);
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (stat(path, &other) == 0 && own.st_dev == other.st_dev && own.st_ino == other.st_ino)
            n++;
    }
    return n;
}

static struct chy_net_file file_of(const struct store *st)
{
    return (struct chy_net_file){.fd = open(st->path, O_RDONLY | O_CLOEXEC),
                                 .size = st->size,
                                 .content_type = "application/pkix-crl",
                                 .etag = "\"f1\"",
                                 .modified = MODIFIED};
}

static void answer_file(struct chy_exchange *x, void *arg)
{
    struct chy_net_file file = file_of(arg);
    chy_exchange_set_header(x, "Cache-Control", "max-age=60");
    chy_exchange_reply_file(x, &file);
}

static void answer_file_twice(struct chy_exchange *x, void *arg)
{
    answer_file(x, arg);
    answer_file(x, arg);
}

static void answer_future(struct chy_exchange *x, void *arg)
{
    (void)arg;
    chy_time later = chy_now(&chy_system_clock) + 86400 * CHY_US_PER_S;
    chy_exchange_reply_tagged(x, "text/plain", NULL, later, CHY_SPAN_STR("future"));
}

static void answer_tagged(struct chy_exchange *x, void *arg)
{
    (void)arg;
    chy_exchange_set_header(x, "Cache-Control", "max-age=60");
    chy_exchange_reply_tagged(x, "text/plain", "\"t1\"", MODIFIED, CHY_SPAN_STR("0123456789"));
}

static void add_routes(struct chy_net *net, struct store *st)
{
    assert_int_equal(chy_net_route(net, "GET", "/file", 0, answer_file, st, NULL), 0);
    assert_int_equal(chy_net_route(net, "GET", "/twice", 0, answer_file_twice, st, NULL), 0);
    assert_int_equal(chy_net_route(net, "GET", "/tagged", 0, answer_tagged, NULL, NULL), 0);
    assert_int_equal(chy_net_route(net, "POST", "/tagged", 0, answer_tagged, NULL, NULL), 0);
    assert_int_equal(chy_net_route(net, "GET", "/future", 0, answer_future, NULL, NULL), 0);
}

static void start(struct server *s, struct store *st, const struct chy_net_limits *limits)
{
    server_new(s, limits);
    add_routes(s->net, st);
    server_start(s);
}

static const char *get(int fd, const char *method, const char *path, const char *fields,
                       const char *status)
{
    char text[1000];
    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, path, fields);
    return ask(fd, text, status);
}

static const char *body_of(const char *answer)
{
    return strstr(answer, "\r\n\r\n") + 4;
}

static void assert_validators(const char *a, const char *etag)
{
    char line[64];
    snprintf(line, sizeof(line), "\r\nETag: %s\r\n", etag);
    assert_non_null(strstr(a, line));
    assert_non_null(strstr(a, "\r\nLast-Modified: " DATE "\r\n"));
    assert_non_null(strstr(a, "\r\nAccept-Ranges: bytes\r\n"));
    assert_non_null(strstr(a, "\r\nCache-Control: max-age=60\r\n"));
    assert_null(strstr(a, "no-store"));
}

static void head_only(int fd, const char *text, char *out, size_t max)
{
    size_t n = 0;
    say(fd, text);
    while (n < max - 1 && recv(fd, out + n, 1, 0) == 1) {
        out[++n] = 0;
        if (n >= 4 && strcmp(out + n - 4, "\r\n\r\n") == 0) return;
    }
    fail_msg("no whole head");
}

static void tagged_body_follows_the_conditions(void **state)
{
    (void)state;
    struct server s;
    struct store st;
    char a[2000];
    store_new(&st, 10);
    start(&s, &st, NULL);
    int fd = dial(s.port);
    const char *b = get(fd, "GET", "/tagged", "", "HTTP/1.1 200 OK");
    assert_validators(b, "\"t1\"");
    assert_string_equal(body_of(b), "0123456789");
    b = get(fd, "GET", "/tagged", "Range: bytes=2-4\r\n", "HTTP/1.1 206 Partial Content");
    assert_validators(b, "\"t1\"");
    assert_non_null(strstr(b, "\r\nContent-Range: bytes 2-4/10\r\n"));
    assert_non_null(strstr(b, "\r\nContent-Length: 3\r\n"));
    assert_string_equal(body_of(b), "234");
    b = get(fd, "GET", "/tagged", "If-None-Match: \"t1\"\r\n", "HTTP/1.1 304 Not Modified");
    assert_validators(b, "\"t1\"");
    assert_null(strstr(b, "Content-Length"));
    assert_null(strstr(b, "Content-Type:"));
    b = get(fd, "GET", "/tagged", "Range: bytes=10-\r\n", "HTTP/1.1 416 Range Not Satisfiable");
    assert_non_null(strstr(b, "\r\nContent-Range: bytes */10\r\n"));
    assert_null(strstr(b, "max-age"));
    assert_null(strstr(b, "ETag"));
    assert_non_null(strstr(b, "Cache-Control: no-store\r\n"));
    b = get(fd, "GET", "/tagged", "If-Match: \"x\"\r\n", "HTTP/1.1 412 Precondition Failed");
    assert_non_null(strstr(b, "Cache-Control: no-store\r\n"));
    assert_null(strstr(b, "max-age"));
    b = get(fd, "GET", "/tagged", "Range: bytes=0-1,4-5\r\n", "HTTP/1.1 200 OK");
    assert_string_equal(body_of(b), "0123456789");
    b = get(fd, "POST", "/tagged", "If-None-Match: *\r\nRange: bytes=0-1\r\n", "HTTP/1.1 200 OK");
    assert_string_equal(body_of(b), "0123456789");
    head_only(fd, "HEAD /tagged HTTP/1.1\r\nHost: a\r\n\r\n", a, sizeof(a));
    assert_validators(a, "\"t1\"");
    assert_non_null(strstr(a, "\r\nContent-Length: 10\r\n"));
    b = get(fd, "GET", "/future", "", "HTTP/1.1 200 OK");
    assert_null(strstr(b, "ETag"));
    /* Not after Date (RFC 9110 8.8.2.1). */
    assert_memory_equal(strstr(b, "Last-Modified: ") + 15, strstr(b, "Date: ") + 6, 16);
    ask(fd, GET_HELLO, " 200 OK");
    close(fd);
    server_stop(&s, 1000);
    store_free(&st);
}

static void small_file_is_sent_whole_and_in_part(void **state)
{
    (void)state;
    struct server s;
    struct store st;
    char a[2000];
    store_new(&st, 5000);
    fill(&st);
    start(&s, &st, NULL);
    int fd = dial(s.port);
    for (int round = 0; round < 3; round++) {
        const char *b = ask(fd, GET_FILE, "HTTP/1.1 200 OK");
        assert_validators(b, "\"f1\"");
        assert_non_null(strstr(b, "\r\nContent-Type: application/pkix-crl\r\n"));
        assert_non_null(strstr(b, "\r\nContent-Length: 5000\r\n"));
        for (size_t i = 0; i < 5000; i++) {
            assert_int_equal((uint8_t)body_of(b)[i], octet_at(i));
        }
        b = get(fd, "GET", "/file", "If-Range: \"f1\"\r\nRange: bytes=-7\r\n", "HTTP/1.1 206 ");
        assert_validators(b, "\"f1\"");
        assert_non_null(strstr(b, "\r\nContent-Range: bytes 4993-4999/5000\r\n"));
        for (size_t i = 0; i < 7; i++) {
            assert_int_equal((uint8_t)body_of(b)[i], octet_at(4993 + i));
        }
        b = get(fd, "GET", "/file", "If-Modified-Since: " DATE "\r\n", "HTTP/1.1 304 ");
        assert_validators(b, "\"f1\"");
        get(fd, "GET", "/file", "If-Unmodified-Since: Sun Nov  6 08:49:36 1994\r\n", " 412 ");
        b = get(fd, "GET", "/file", "Range: bytes=5000-\r\n", "HTTP/1.1 416 ");
        assert_non_null(strstr(b, "\r\nContent-Range: bytes */5000\r\n"));
        head_only(fd, "HEAD /file HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n", a, sizeof(a));
        assert_non_null(strstr(a, "HTTP/1.1 200 OK"));
        assert_non_null(strstr(a, "\r\nContent-Length: 5000\r\n"));
        assert_validators(a, "\"f1\"");
        ask(fd, "GET /twice HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK");
        ask(fd, GET_HELLO, " 200 OK");
        EVENTUALLY(open_count(&st) == 1 && counters_of(&s).buffered == 0);
    }
    close(fd);
    server_stop(&s, 1000);
    store_free(&st);
}

static void empty_file_has_no_octets(void **state)
{
    (void)state;
    struct server s;
    struct store st;
    store_new(&st, 0);
    start(&s, &st, NULL);
    int fd = dial(s.port);
    ask(fd, GET_FILE, "\r\nContent-Length: 0\r\n");
    get(fd, "GET", "/file", "Range: bytes=0-\r\n", "\r\nContent-Range: bytes */0\r\n");
    ask(fd, GET_HELLO, " 200 OK");
    assert_int_equal(open_count(&st), 1);
    close(fd);
    server_stop(&s, 1000);
    store_free(&st);
}

static size_t memory_now(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
    fclose(f);
    return pages * 4096;
}

/* Markers far apart in a sparse file, the last octet among them. */
static const uint64_t marks[] = {0, 131071, 131072, 100000001, BIG - 1};

static void mark(const struct store *st)
{
    for (size_t i = 0; i < CHY_ARRAY_LEN(marks); i++) {
        assert_int_equal(pwrite(st->fd, "M", 1, (off_t)marks[i]), 1);
    }
}

static unsigned marks_in(const uint8_t *p, size_t n, uint64_t at)
{
    unsigned found = 0;
    for (size_t i = 0; i < CHY_ARRAY_LEN(marks); i++) {
        if (marks[i] >= at && marks[i] < at + n && p[marks[i] - at] == 'M') found++;
    }
    return found;
}

static void big_file_needs_little_memory(void **state)
{
    (void)state;
    static uint8_t piece[65536];
    struct server s;
    struct store st;
    char head[2000];
    store_new(&st, BIG);
    mark(&st);
    start(&s, &st, NULL);
    int fd = dial(s.port), other = dial(s.port);
    size_t before = memory_now(), most = 0, held = 0;
    unsigned found = 0;
    uint64_t at = 0;
    head_only(fd, GET_FILE, head, sizeof(head));
    assert_non_null(strstr(head, "\r\nContent-Length: 314572800\r\n"));
    for (unsigned i = 0; at < BIG; i++) {
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        assert_true(n > 0);
        found += marks_in(piece, (size_t)n, at);
        at += (uint64_t)n;
        if (i % 256) continue;
        ask(other, GET_HELLO, " 200 OK"); /* others are served meanwhile */
        size_t now = memory_now(), buffered = counters_of(&s).buffered;
        most = now > most ? now : most;
        held = buffered > held ? buffered : held;
    }
    assert_int_equal(at, BIG);
    assert_int_equal(found, CHY_ARRAY_LEN(marks));
    assert_in_range(held, 128 * 1024, 128 * 1024 + 5); /* one piece, and a hello */
    assert_true(most < before + ((size_t)16 << 20));
    const char *b = get(fd, "GET", "/file", "Range: bytes=100000000-100000002\r\n", " 206 ");
    assert_memory_equal(body_of(b), "\0M\0", 3);
    ask(fd, GET_HELLO, " 200 OK");
    EVENTUALLY(open_count(&st) == 1 && counters_of(&s).buffered == 0);
    close(fd);
    close(other);
    server_stop(&s, 1000);
    store_free(&st);
}

/* One reader whatever the transport. */
struct reader {
    int fd;
    SSL *ssl;
};

static ssize_t take(const struct reader *r, void *p, size_t n)
{
    return r->ssl ? SSL_read(r->ssl, p, (int)n) : recv(r->fd, p, n, 0);
}

/* How many octets of the body came, each of which was right. */
static uint64_t read_all(const struct reader *r, size_t step, long pause_ms, uint64_t max)
{
    static uint8_t piece[65536];
    size_t in_head = 0;
    uint64_t at = 0;
    while (in_head < 4 && take(r, piece, 1) == 1) {
        in_head = piece[0] == "\r\n\r\n"[in_head] ? in_head + 1 : piece[0] == '\r';
    }
    while (at < max) {
        ssize_t n = take(r, piece, max - at < step ? (size_t)(max - at) : step);
        if (n <= 0) break;
        for (ssize_t i = 0; i < n; i++, at++) {
            if (piece[i] != octet_at(at)) fail_msg("octet %llu", (unsigned long long)at);
        }
        if (pause_ms) sleep_ms(pause_ms);
    }
    return at;
}

static int dial_with_buffer(const struct sockaddr *to, socklen_t n, int size)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {10, 0};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    assert_int_equal(connect(fd, to, n), 0);
    return fd;
}

static int dial_slow(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return dial_with_buffer((const struct sockaddr *)&a, sizeof(a), 16384);
}

static void unix_socket_and_tls_send_files(void **state)
{
    (void)state;
    struct fixture f;
    struct store st;
    struct client c;
    char path[64];
    store_new(&st, 3000001);
    fill(&st);
    snprintf(path, sizeof(path), "/tmp/chancery-test-sock-%d", (int)getpid());
    fixture_make(&f, NULL);
    add_routes(f.s.net, &st);
    assert_int_equal(chy_net_listen_unix(f.s.net, path, 0600, NULL), CHY_S_OK);
    server_start(&f.s);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path));
    int fd = dial_with_buffer((const struct sockaddr *)&a, sizeof(a), 65536);
    client_new(&c, NULL);
    assert_true(client_dial(&c, f.tls_port));
    for (int round = 0; round < 3; round++) {
        struct reader plain = {.fd = fd}, tls = {.ssl = c.ssl};
        say(fd, GET_FILE);
        assert_int_equal(read_all(&plain, 65536, 0, st.size), st.size);
        assert_true(SSL_write(c.ssl, GET_FILE, sizeof(GET_FILE) - 1) > 0);
        assert_int_equal(read_all(&tls, 16384, 0, st.size), st.size);
    }
    close(fd);
    client_free(&c);
    fixture_free(&f);
    assert_int_equal(open_count(&st), 1);
    store_free(&st);
}

static struct chy_net_limits impatient(void)
{
    struct chy_net_limits l = chy_net_limits_default;
    l.write_timeout_ms = 400;
    return l;
}

/* A piece takes him longer than the write timeout, and each part of it less. */
static void slow_but_steady_client_has_it_all(void **state)
{
    (void)state;
    struct fixture f;
    struct store st;
    struct client c;
    struct chy_net_limits l = impatient();
    store_new(&st, 500000);
    fill(&st);
    fixture_make(&f, &l);
    add_routes(f.s.net, &st);
    server_start(&f.s);
    struct reader plain = {.fd = dial_slow(f.s.port)}, tls = {.fd = -1};
    say(plain.fd, GET_FILE);
    assert_int_equal(read_all(&plain, 4096, 20, st.size), st.size);
    ask(plain.fd, GET_HELLO, " 200 OK");
    close(plain.fd);
    client_new(&c, NULL);
    c.fd = dial_slow(f.tls_port);
    SSL_set_fd(c.ssl, c.fd);
    assert_int_equal(SSL_connect(c.ssl), 1);
    tls.ssl = c.ssl;
    assert_true(SSL_write(c.ssl, GET_FILE, sizeof(GET_FILE) - 1) > 0);
    assert_int_equal(read_all(&tls, 4096, 20, st.size), st.size);
    client_free(&c);
    fixture_free(&f);
    assert_int_equal(open_count(&st), 1);
    store_free(&st);
}

static void client_that_stands_still_is_closed(void **state)
{
    (void)state;
    struct server s;
    struct store st;
    struct chy_net_limits l = impatient();
    store_new(&st, BIG);
    start(&s, &st, &l);
    int fd = dial_slow(s.port);
    say(fd, GET_FILE);
    EVENTUALLY(counters_of(&s).status_class[2] == 1);
    assert_int_equal(counters_of(&s).open_connections, 1);
    EVENTUALLY(counters_of(&s).open_connections == 0 && open_count(&st) == 1);
    assert_int_equal(counters_of(&s).refused, 1);
    EVENTUALLY(counters_of(&s).buffered == 0);
    close(fd);
    server_stop(&s, 1000);
    store_free(&st);
}

static void client_gone_in_the_middle_costs_nothing(void **state)
{
    (void)state;
    static char piece[65536];
    struct server s;
    struct store st;
    struct linger reset = {1, 0};
    store_new(&st, BIG);
    start(&s, &st, NULL);
    for (int round = 0; round < 20; round++) {
        int fd = dial(s.port);
        say(fd, GET_FILE);
        for (int i = 0; i < round; i++) {
            assert_true(recv(fd, piece, sizeof(piece), 0) > 0);
        }
        if (round % 2) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
    }
    EVENTUALLY(open_count(&st) == 1 && counters_of(&s).open_connections == 0);
    EVENTUALLY(counters_of(&s).buffered == 0);
    server_stop(&s, 1000);
    store_free(&st);
}

static void shrunken_file_ends_the_connection(void **state)
{
    (void)state;
    struct server s;
    struct store st;
    store_new(&st, 8 << 20);
    fill(&st);
    start(&s, &st, NULL);
    struct reader r = {.fd = dial(s.port)};
    say(r.fd, GET_FILE);
    assert_int_equal(read_all(&r, 65536, 0, 65536), 65536);
    assert_int_equal(ftruncate(st.fd, 4 << 20), 0);
    uint64_t at = 65536;
    static uint8_t piece[65536];
    for (ssize_t n; (n = recv(r.fd, piece, sizeof(piece), 0)) > 0;) {
        for (ssize_t i = 0; i < n; i++, at++) {
            if (piece[i] != octet_at(at)) fail_msg("octet %llu", (unsigned long long)at);
        }
    }
    assert_int_equal(at, 4 << 20);
    close(r.fd);
    /* Shorter from the start: there is nothing to begin with. */
    assert_int_equal(ftruncate(st.fd, 0), 0);
    int fd = dial(s.port);
    say(fd, GET_FILE);
    assert_true(at_end(fd));
    close(fd);
    fd = dial(s.port);
    ask(fd, GET_HELLO, " 200 OK");
    close(fd);
    EVENTUALLY(open_count(&st) == 1 && counters_of(&s).buffered == 0);
    server_stop(&s, 1000);
    store_free(&st);
}

static void stop_lets_a_file_out(void **state)
{
    (void)state;
    struct server s;
    struct store st;
    store_new(&st, 4 << 20);
    fill(&st);
    start(&s, &st, NULL);
    struct reader r = {.fd = dial_slow(s.port)};
    say(r.fd, GET_FILE);
    EVENTUALLY(counters_of(&s).status_class[2] == 1);
    chy_net_stop(s.net, 10000);
    sleep_ms(50);
    assert_int_equal(read_all(&r, 65536, 0, st.size), st.size);
    assert_true(at_end(r.fd));
    close(r.fd);
    server_stop(&s, 10000);
    assert_int_equal(open_count(&st), 1);
    /* And not for ever. */
    start(&s, &st, NULL);
    r.fd = dial_slow(s.port);
    say(r.fd, GET_FILE);
    EVENTUALLY(counters_of(&s).status_class[2] == 1);
    server_stop(&s, 100);
    assert_int_equal(open_count(&st), 1);
    close(r.fd);
    store_free(&st);
}

static void held_exchange_sends_a_file_or_closes_it(void **state)
{
    (void)state;
    struct server s;
    struct store st;
    store_new(&st, 1 << 20);
    fill(&st);
    start(&s, &st, NULL);
    struct reader r = {.fd = dial(s.port)};
    for (int round = 0; round < 2; round++) {
        say(r.fd, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
        struct chy_exchange *x = wait_held(&s);
        if (round == 1) { /* the client goes first */
            struct linger reset = {1, 0};
            setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            close(r.fd);
            EVENTUALLY(counters_of(&s).open_connections == 0);
        }
        answer_file(x, &st);
        if (round == 0) assert_int_equal(read_all(&r, 65536, 0, st.size), st.size);
    }
    EVENTUALLY(open_count(&st) == 1 && counters_of(&s).buffered == 0);
    server_stop(&s, 1000);
    store_free(&st);
}

/* Many files at once take small pieces: nobody is sent away for want of room. */
static void many_files_stay_within_the_memory(void **state)
{
    (void)state;
    enum { CLIENTS = 40 };
    struct server s;
    struct store st;
    struct chy_net_limits l = chy_net_limits_default;
    struct reader r[CLIENTS];
    l.buffered_max = 2 << 20;
    store_new(&st, 400000);
    fill(&st);
    start(&s, &st, &l);
    for (int i = 0; i < CLIENTS; i++) {
        r[i] = (struct reader){.fd = dial_slow(s.port)};
        say(r[i].fd, GET_FILE);
    }
    EVENTUALLY(counters_of(&s).status_class[2] == CLIENTS);
    assert_in_range(counters_of(&s).buffered, 500000, l.buffered_max);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(read_all(&r[i], 65536, 0, st.size), st.size);
        close(r[i].fd);
    }
    assert_int_equal(counters_of(&s).evicted, 0);
    EVENTUALLY(open_count(&st) == 1 && counters_of(&s).buffered == 0);
    server_stop(&s, 1000);
    store_free(&st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tagged_body_follows_the_conditions),
        cmocka_unit_test(small_file_is_sent_whole_and_in_part),
        cmocka_unit_test(empty_file_has_no_octets),
        cmocka_unit_test(big_file_needs_little_memory),
        cmocka_unit_test(unix_socket_and_tls_send_files),
        cmocka_unit_test(slow_but_steady_client_has_it_all),
        cmocka_unit_test(client_that_stands_still_is_closed),
        cmocka_unit_test(client_gone_in_the_middle_costs_nothing),
        cmocka_unit_test(shrunken_file_ends_the_connection),
        cmocka_unit_test(stop_lets_a_file_out),
        cmocka_unit_test(held_exchange_sends_a_file_or_closes_it),
        cmocka_unit_test(many_files_stay_within_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
