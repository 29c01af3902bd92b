/* Messages over a SOCK_SEQPACKET pair. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/channel.h"

#include "os/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static const struct fault no_pair = {ERR_IO, "channel: no socket pair"};
static const struct fault empty = {ERR_MALFORMED, "channel: an empty message would read as the end"};
static const struct fault too_large = {ERR_TOO_LARGE, "channel: the message is over its bound"};
static const struct fault no_memory = {ERR_MEMORY, "channel: no memory"};
static const struct fault waited = {ERR_AGAIN, "channel: the other side does not answer in time"};
static const struct fault closed = {ERR_CLOSED, "channel: the other side is gone"};
static const struct fault failed = {ERR_IO, "channel: the operating system reported an error"};

err channel_pair(int *one_out, int *other_out)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return &no_pair;
    *one_out = pair[0];
    *other_out = pair[1];
    return OK;
}

static err fault_of(int code)
{
    switch (code) {
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return &closed;
    case EMSGSIZE:
        return &too_large;
    default:
        return &failed;
    }
}

/* A time until which to wait. */
struct patience {
    int64_t until_ms; /* -1: for ever */
};

static struct patience patience_of(int wait_ms)
{
    return (struct patience){wait_ms < 0 ? -1 : monotonic_ms(machine_clock()) + wait_ms};
}

/* OK: try again, something has happened. */
static err wait_until(int fd, short events, struct patience p)
{
    int64_t left = p.until_ms < 0 ? -1 : p.until_ms - monotonic_ms(machine_clock());
    if (p.until_ms >= 0 && left <= 0)
        return &waited;
    struct pollfd waiting = {.fd = fd, .events = events};
    if (poll(&waiting, 1, (int)left) < 0 && errno != EINTR)
        return &failed;
    return OK;
}

static bool may_pass(ssize_t done)
{
    return done < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS);
}

err channel_send(int fd, struct bytes message, int wait_ms)
{
    if (!message.len || message.len > CHANNEL_MESSAGE_MAX)
        return message.len ? &too_large : &empty;
    struct patience p = patience_of(wait_ms);
    for (;;) {
        ssize_t done = send(fd, message.at, message.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done >= 0)
            return OK; /* whole or not at all: that is SOCK_SEQPACKET */
        if (!may_pass(done))
            return fault_of(errno);
        TRY(wait_until(fd, POLLOUT, p));
    }
}

/* The length of the next message; *len 0 is the end. */
static err next_length(int fd, struct patience p, size_t *len)
{
    for (;;) {
        uint8_t byte;
        ssize_t found = recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
        if (found >= 0) {
            *len = (size_t)found;
            return OK;
        }
        if (!may_pass(found))
            return fault_of(errno);
        TRY(wait_until(fd, POLLIN, p));
    }
}

static void throw_away(int fd)
{
    uint8_t byte;
    (void)!recv(fd, &byte, sizeof byte, MSG_DONTWAIT);
}

err channel_receive(int fd, struct buffer *out, int wait_ms)
{
    size_t len;
    TRY(next_length(fd, patience_of(wait_ms), &len));
    if (!len)
        return &closed;
    uint8_t *at = len > CHANNEL_MESSAGE_MAX ? NULL : buffer_reserve(out, len);
    if (!at) {
        throw_away(fd);
        return len <= CHANNEL_MESSAGE_MAX && len <= out->max - out->len ? &no_memory : &too_large;
    }
    ssize_t got = recv(fd, at, len, MSG_DONTWAIT);
    if (got <= 0)
        return got ? fault_of(errno) : &closed;
    buffer_filled(out, (size_t)got);
    return OK;
}
