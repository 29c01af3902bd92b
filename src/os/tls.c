/* TLS connections.
 *
 * Each call to OpenSSL starts with an empty error queue and ends in `outcome`, which alone knows what its answers mean.
 * After a failure the connection is broken: OpenSSL must not be asked to say goodbye on it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls.h"

#include "os/tls_context.h"
#include "os/tls_socket.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static const struct fault no_memory = {ERR_MEMORY, "tls: no memory"};
static const struct fault again = {ERR_AGAIN, "tls: waits for the network"};
static const struct fault closed = {ERR_CLOSED, "tls: the other side closed the connection"};
static const struct fault cut = {ERR_CLOSED, "tls: the connection was cut"};
static const struct fault refused = {ERR_REFUSED, "tls: the handshake or a record was refused"};
static const struct fault no_certificate = {ERR_ABSENT, "tls: the peer showed no certificate"};

enum { TROUBLE_TEXT = 160 };

struct tls {
    struct tls_engine *engine;
    struct tls_context *ctx;
    SSL *ssl;
    int fd;
    uint32_t wants;
    bool starved; /* what is buffered inside is no whole record: only the network brings more */
    bool broken;
    char trouble[TROUBLE_TEXT];
    bool peer_refused;
};

static err tls_attach(struct tls *tls)
{
    tls->ssl = SSL_new(tls->ctx->ssl);
    BIO *bio = tls_socket_over(tls->ctx->socket, &tls->fd);
    if (!tls->ssl || !bio) {
        BIO_free(bio);
        return &no_memory;
    }
    SSL_set_bio(tls->ssl, bio, bio);
    if (SSL_is_server(tls->ssl))
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    if (tls->ctx->server_name && SSL_set_tlsext_host_name(tls->ssl, tls->ctx->server_name) != 1)
        return &no_memory;
    return OK;
}

err tls_open(struct tls_context *ctx, int fd, struct tls **out)
{
    ERR_clear_error();
    struct tls *tls = MEM_NEW(struct tls);
    if (!tls)
        return &no_memory;
    tls->ctx = tls_context_share(ctx);
    tls->fd = fd;
    err e = tls_attach(tls);
    if (e) {
        tls->broken = true;
        tls_close(tls);
        return e;
    }
    *out = tls;
    return OK;
}

err tls_accept(struct tls_context *ctx, struct tls_engine *engine, int fd, struct tls **out)
{
    TRY(tls_open(ctx, fd, out));
    (*out)->engine = engine;
    return OK;
}

void tls_move(struct tls *tls, struct tls_engine *engine)
{
    tls->engine = engine;
}

/* The head is what goes before a ServerHello (RFC 8446, 5.1). What the client said is thrown away, since a socket that is
 * closed with unread bytes takes back what was sent. */
void tls_refuse(int fd)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 80};
    (void)send(fd, alert, sizeof alert, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    (void)recv(fd, NULL, TLS_BATCH, MSG_TRUNC | MSG_DONTWAIT);
}

void tls_close(struct tls *tls)
{
    if (!tls)
        return;
    ERR_clear_error();
    if (!tls->broken && SSL_is_init_finished(tls->ssl))
        (void)SSL_shutdown(tls->ssl); /* one try: a peer that does not read gets no close_notify */
    SSL_free(tls->ssl);
    tls_context_drop(tls->ctx);
    ERR_clear_error();
    mem_drop(tls);
}

uint32_t tls_wants(const struct tls *tls)
{
    return tls->wants;
}

static bool is_end_of_stream(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* OpenSSL's words: constant texts of its tables, nothing that the peer chose. */
static void note_trouble(struct tls *tls, unsigned long code)
{
    long verified = SSL_get_verify_result(tls->ssl);
    bool from_peer = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
    const char *reason = ERR_reason_error_string(code);
    tls->peer_refused = from_peer;
    snprintf(tls->trouble, sizeof tls->trouble, "%s%s%s%s", from_peer ? "the other side says: " : "",
             reason ? reason : "unknown", verified == X509_V_OK ? "" : ": ",
             verified == X509_V_OK ? "" : X509_verify_cert_error_string(verified));
}

static err failure(struct tls *tls, err why)
{
    tls->broken = true;
    snprintf(tls->trouble, sizeof tls->trouble, "%s", why->text);
    return why;
}

static err waits(struct tls *tls, uint32_t events)
{
    tls->wants = events;
    tls->starved = events == EPOLLIN;
    return &again;
}

/* `answer` is what an SSL function returned. */
static err outcome(struct tls *tls, int answer)
{
    tls->starved = false;
    if (answer == 1)
        return OK;
    unsigned long code = ERR_peek_error();
    switch (SSL_get_error(tls->ssl, answer)) {
    case SSL_ERROR_WANT_READ:
        return waits(tls, EPOLLIN);
    case SSL_ERROR_WANT_WRITE:
        return waits(tls, EPOLLOUT);
    case SSL_ERROR_ZERO_RETURN:
        snprintf(tls->trouble, sizeof tls->trouble, "%s", closed.text);
        return &closed;
    case SSL_ERROR_SYSCALL:
        return failure(tls, &cut);
    default:
        if (is_end_of_stream(code))
            return failure(tls, &cut);
        tls->broken = true;
        note_trouble(tls, code);
        return &refused;
    }
}

/* Before each call: a left-over of another connection on this thread would be taken for this one's. */
static bool is_usable(struct tls *tls)
{
    ERR_clear_error();
    if (!tls->broken)
        tls->trouble[0] = 0;
    return !tls->broken;
}

err tls_handshake(struct tls *tls)
{
    return is_usable(tls) ? outcome(tls, SSL_do_handshake(tls->ssl)) : &cut;
}

err tls_read(struct tls *tls, uint8_t *out, size_t room, size_t *got)
{
    *got = 0;
    return is_usable(tls) ? outcome(tls, SSL_read_ex(tls->ssl, out, room, got)) : &cut;
}

err tls_write(struct tls *tls, struct bytes in, size_t *taken)
{
    *taken = 0;
    if (!in.len)
        return OK;
    return is_usable(tls) ? outcome(tls, SSL_write_ex(tls->ssl, in.at, in.len, taken)) : &cut;
}

bool tls_has_pending(const struct tls *tls)
{
    return !tls->broken && !tls->starved && SSL_has_pending(tls->ssl) == 1;
}

bool tls_peer_refused(const struct tls *tls)
{
    return tls->peer_refused;
}

const char *tls_trouble(const struct tls *tls)
{
    return tls->trouble;
}

err tls_peer_certificate(const struct tls *tls, struct buffer *out)
{
    X509 *leaf = SSL_is_init_finished(tls->ssl) ? SSL_get0_peer_certificate(tls->ssl) : NULL;
    if (!leaf || SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_NONE || SSL_get_verify_result(tls->ssl) != X509_V_OK)
        return &no_certificate;
    int len = i2d_X509(leaf, NULL);
    uint8_t *at = len > 0 ? buffer_reserve(out, (size_t)len) : NULL;
    if (!at)
        return len > 0 ? buffer_finish(out) : &no_memory;
    (void)i2d_X509(leaf, &at);
    buffer_filled(out, (size_t)len);
    return OK;
}

bool tls_resumed(const struct tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}
