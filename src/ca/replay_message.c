/* Messages between the two processes of a replay. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ca/replay_internal.h"

static bool send_all(int fd, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

chy_hresult chy_message_write(int fd, struct chy_span message)
{
    uint32_t n = (uint32_t)message.n;
    if (message.n > CHY_REPLAY_MESSAGE_MAX) return CHY_CERTSRV_E_ENCODING_LENGTH;
    return send_all(fd, &n, sizeof(n)) && send_all(fd, message.p, message.n)
               ? CHY_S_OK
               : CHY_ERROR_SERVICE_NOT_ACTIVE;
}

static chy_hresult receive_all(int fd, int64_t until, uint8_t *p, size_t n)
{
    while (n) {
        int64_t left = until - chy_monotonic(&chy_system_clock);
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (left <= 0) return CHY_ERROR_TIMEOUT;
        int ready = poll(&wait, 1, left > 1000000000 ? 1000000 : (int)(left / 1000) + 1);
        if (ready < 0 && errno != EINTR) return CHY_E_FAIL;
        if (ready <= 0) continue;
        ssize_t k = recv(fd, p, n, 0);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return CHY_ERROR_SERVICE_NOT_ACTIVE;
        p += k;
        n -= (size_t)k;
    }
    return CHY_S_OK;
}

chy_hresult chy_message_read(int fd, int64_t until, struct chy_buf *out)
{
    uint32_t n = 0;
    chy_buf_reset(out);
    chy_hresult hr = receive_all(fd, until, (uint8_t *)&n, sizeof(n));
    if (hr != CHY_S_OK) return hr;
    if (n > CHY_REPLAY_MESSAGE_MAX) return CHY_ERROR_INVALID_DATA;
    if (!chy_buf_reserve(out, n)) return CHY_E_OUTOFMEMORY;
    hr = receive_all(fd, until, out->p, n);
    if (hr == CHY_S_OK) out->n = n;
    return hr;
}
