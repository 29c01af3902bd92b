/* The keeper's end of the channel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/keeper/channel.h"

#include "trust/keeper_protocol.h"

#include <errno.h>
#include <sys/socket.h>

static const struct fault no_channel = {
    ERR_ABSENT, "keeper: descriptor 3 is no SOCK_SEQPACKET socket; holdfastd starts this program"};
static const struct fault ended = {ERR_CLOSED, "keeper: the server ended"};
static const struct fault broken = {ERR_IO, "keeper: the channel failed"};

err channel_check(int channel)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(channel, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET ? OK : &no_channel;
}

err channel_take(int channel, struct buffer *in)
{
    buffer_clear(in);
    uint8_t *at = buffer_reserve(in, KEEPER_REQUEST_MAX + 1);
    if (!at)
        return buffer_finish(in);
    ssize_t got;
    do
        got = recv(channel, at, KEEPER_REQUEST_MAX + 1, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        buffer_filled(in, (size_t)got);
    return got > 0 ? OK : got == 0 || errno == ECONNRESET ? &ended : &broken;
}

err channel_give(int channel, struct bytes packet)
{
    ssize_t sent;
    do
        sent = send(channel, packet.at, packet.len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)packet.len)
        return OK;
    return sent < 0 && (errno == EPIPE || errno == ECONNRESET) ? &ended : &broken;
}
