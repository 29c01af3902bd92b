/* TLS connections: what each call does depends on who carries the connection. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls.h"

#include "os/tls_connection.h"
#include "os/tls_library.h"
#include "os/tls_revoked.h"

#include <string.h>
#include <sys/socket.h>

const struct fault tls_no_memory = {ERR_MEMORY, "tls: no memory"};
const struct fault tls_again = {ERR_AGAIN, "tls: waits for the network"};
const struct fault tls_closed = {ERR_CLOSED, "tls: the other side closed the connection"};
const struct fault tls_cut = {ERR_CLOSED, "tls: the connection was cut"};
static const struct fault no_certificate = {ERR_ABSENT, "tls: the peer's certificate is no more kept"};

/* ---- bytes that wait */

struct bytes rest_view(const struct tls_rest *rest)
{
    return rest ? bytes_of(rest->at + rest->from, rest->len - rest->from) : bytes_of(NULL, 0);
}

void rest_drop(struct tls_rest **rest)
{
    if (*rest)
        mem_wipe((*rest)->at, (*rest)->room);
    mem_drop(*rest);
    *rest = NULL;
}

err rest_set(struct tls_rest **rest, struct bytes bytes, size_t room)
{
    size_t needs = bytes.len > room ? bytes.len : room;
    if (!bytes.len || (*rest && (*rest)->room < needs))
        rest_drop(rest);
    if (!bytes.len)
        return OK;
    if (!*rest) {
        *rest = mem_take(1, sizeof **rest + needs);
        if (!*rest)
            return &tls_no_memory;
        (*rest)->room = (uint32_t)needs;
    }
    memcpy((*rest)->at, bytes.at, bytes.len);
    (*rest)->from = 0;
    (*rest)->len = (uint32_t)bytes.len;
    (*rest)->plain = 0;
    return OK;
}

/* ---- connections */

err tls_open(struct tls_context *ctx, int fd, struct tls **out)
{
    return tls_accept(ctx, NULL, fd, out);
}

err tls_accept(struct tls_context *ctx, struct tls_engine *engine, int fd, struct tls **out)
{
    struct tls *tls = MEM_NEW(struct tls);
    if (!tls)
        return &tls_no_memory;
    tls->engine = engine;
    tls->fd = fd;
    err e = library_open(ctx, fd, &tls->library);
    if (e)
        mem_drop(tls);
    else
        *out = tls;
    return e;
}

void tls_move(struct tls *tls, struct tls_engine *engine)
{
    if (tls->engine)
        tls->engine = engine;
}

/* The head is what goes before a ServerHello (RFC 8446, 5.1). What the client said is thrown away, since a socket that
 * is closed with unread bytes takes back what was sent. */
void tls_refuse(int fd)
{
    static const uint8_t internal_error[] = {21, 3, 3, 0, 2, 2, 80};
    (void)send(fd, internal_error, sizeof internal_error, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    (void)recv(fd, NULL, TLS_BATCH, MSG_TRUNC | MSG_DONTWAIT);
}

void tls_close(struct tls *tls)
{
    if (!tls)
        return;
    if (tls->carrier == CARRIED_BY_US)
        stream_close(tls);
    else
        library_close(tls->library);
    mem_drop(tls);
}

uint32_t tls_wants(const struct tls *tls)
{
    return tls->carrier == CARRIED_BY_US ? stream_wants(tls->stream) : tls->library->wants;
}

err tls_handshake(struct tls *tls)
{
    if (tls->carrier == CARRIED_BY_US)
        return OK;
    TRY(library_handshake(tls));
    tls->peer_mark = library_peer_mark(tls->library);
    return OK;
}

bool tls_peer_is_revoked(const struct tls *tls, const struct tls_context *ctx)
{
    return tls_revoked_names(ctx->revoked, tls->peer_mark);
}

/* The first transfer behind the handshake: until then the certificate is at hand. */
static err settle(struct tls *tls)
{
    return tls->carrier == CARRIED_BY_OPENSSL && tls->engine ? library_hand_over(tls) : OK;
}

err tls_read(struct tls *tls, uint8_t *out, size_t room, size_t *got)
{
    *got = 0;
    TRY(settle(tls));
    return tls->carrier == CARRIED_BY_US ? stream_read(tls, out, room, got)
                                         : library_read(tls->library, out, room, got);
}

err tls_write(struct tls *tls, struct bytes in, size_t *taken)
{
    *taken = 0;
    TRY(settle(tls));
    if (!in.len)
        return OK;
    return tls->carrier == CARRIED_BY_US ? stream_write(tls, in, taken) : library_write(tls->library, in, taken);
}

bool tls_has_pending(const struct tls *tls)
{
    return tls->carrier == CARRIED_BY_US ? stream_has_pending(tls->stream) : library_has_pending(tls->library);
}

const char *tls_trouble(const struct tls *tls)
{
    return tls->carrier == CARRIED_BY_US ? stream_trouble(tls->stream) : tls->library->trouble;
}

bool tls_peer_refused(const struct tls *tls)
{
    return tls->carrier == CARRIED_BY_US ? stream_peer_refused(tls->stream) : tls->library->peer_refused;
}

err tls_peer_certificate(const struct tls *tls, struct buffer *out)
{
    return tls->carrier == CARRIED_BY_US ? &no_certificate : library_peer_certificate(tls->library, out);
}

bool tls_resumed(const struct tls *tls)
{
    return tls->carrier == CARRIED_BY_OPENSSL && SSL_session_reused(tls->library->ssl) == 1;
}

const char *tls_version(const struct tls *tls)
{
    return tls->carrier == CARRIED_BY_US ? "TLSv1.3" : SSL_get_version(tls->library->ssl);
}
