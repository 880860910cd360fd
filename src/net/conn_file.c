/* A file's way to the client: one piece at a time is read beside the loop and sent before the next
 * is read. A first piece that the kernel has at hand is taken at once: so a small file needs
 * neither another thread nor a second write. */
#include "net/net_internal.h"

#include <sys/uio.h>
#include <unistd.h>

void chy_file_close(struct chy_file_rest *file)
{
    if (file->fd >= 0) close(file->fd);
    *file = (struct chy_file_rest){.fd = -1};
}

static uv_buf_t room_for_piece(struct chy_exchange *x)
{
    size_t n = x->answer.cap < CHY_FILE_PIECE ? x->answer.cap : CHY_FILE_PIECE;
    if (n > x->file.left) n = (size_t)x->file.left;
    return uv_buf_init((char *)x->answer.p, (unsigned)n);
}

/* The length has been promised: what is missing cannot be made up for. */
static void file_broke(struct chy_conn *c, ssize_t n)
{
    chy_log(CHY_LOG_LEVEL_WARNING, "net.file", "error",
            n < 0 ? uv_strerror((int)n) : "shorter than it was when it was opened", NULL);
    chy_net_conn_close(c);
}

static void take_piece(struct chy_conn *c, size_t n)
{
    struct chy_exchange *x = &c->x;
    x->file.at += n;
    x->file.left -= n;
    if (!x->file.left) chy_file_close(&x->file);
    c->out[1] = chy_span_of(x->answer.p, n);
    chy_net_conn_join(c);
    chy_net_conn_push(c);
}

static void on_piece(uv_fs_t *req)
{
    struct chy_conn *c = req->data;
    ssize_t n = req->result;
    uv_fs_req_cleanup(req);
    c->filing = false;
    if (c->state == CHY_CONN_CLOSED) {
        if (c->handle_closed) chy_net_conn_retire(c);
        return;
    }
    if (n <= 0) {
        file_broke(c, n);
        return;
    }
    take_piece(c, (size_t)n);
    if (c->state == CHY_CONN_WRITE) chy_net_conn_wait_write(c);
    chy_net_conn_advance(c);
}

void chy_net_conn_next_piece(struct chy_conn *c)
{
    const struct chy_file_rest *file = &c->x.file;
    uv_buf_t buf = room_for_piece(&c->x);
    c->read.data = c;
    int e = uv_fs_read(&c->net->loop, &c->read, file->fd, &buf, 1, (int64_t)file->at, on_piece);
    if (e != 0) {
        file_broke(c, e);
        return;
    }
    c->filing = true;
}

void chy_net_conn_first_piece(struct chy_conn *c)
{
    uv_buf_t buf = room_for_piece(&c->x);
    struct iovec v = {.iov_base = buf.base, .iov_len = buf.len};
    ssize_t n = preadv2(c->x.file.fd, &v, 1, (off_t)c->x.file.at, RWF_NOWAIT);
    if (n > 0) {
        take_piece(c, (size_t)n);
    } else {
        chy_net_conn_next_piece(c);
    }
}
