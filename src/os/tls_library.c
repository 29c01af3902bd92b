/* Connections that OpenSSL carries.
 *
 * Each call to OpenSSL starts with an empty error queue and ends in `outcome`, which alone knows what its answers mean.
 * After a failure the connection is broken: OpenSSL must not be asked to say goodbye on it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_library.h"

#include "base/text.h"
#include "os/tls_engine.h"
#include "os/tls_revoked.h"
#include "os/tls_verify.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

static const struct fault refused = {ERR_REFUSED, "tls: the handshake or a record was refused"};
static const struct fault no_certificate = {ERR_ABSENT, "tls: the peer showed no certificate"};

static err attach(struct tls_library *l)
{
    l->ssl = SSL_new(l->ctx->ssl);
    BIO *bio = tls_socket_over(l->ctx->socket, &l->socket);
    if (!l->ssl || !bio) {
        BIO_free(bio);
        return &tls_no_memory;
    }
    SSL_set_bio(l->ssl, bio, bio);
    SSL_set_app_data(l->ssl, l);
    if (SSL_is_server(l->ssl))
        SSL_set_accept_state(l->ssl);
    else
        SSL_set_connect_state(l->ssl);
    if (l->ctx->server_name && SSL_set_tlsext_host_name(l->ssl, l->ctx->server_name) != 1)
        return &tls_no_memory;
    return OK;
}

err library_open(struct tls_context *ctx, int fd, struct tls_library **out)
{
    ERR_clear_error();
    struct tls_library *l = MEM_NEW(struct tls_library);
    if (!l)
        return &tls_no_memory;
    l->ctx = tls_context_share(ctx);
    l->socket.fd = fd;
    l->wants = EPOLLIN;
    l->anchor = NO_ANCHOR;
    err e = attach(l);
    l->broken = e != OK;
    if (e)
        library_close(l);
    else
        *out = l;
    return e;
}

static void library_drop(struct tls_library *l)
{
    SSL_free(l->ssl);
    rest_drop(&l->early);
    tls_context_drop(l->ctx);
    ERR_clear_error();
    mem_wipe(l, sizeof *l);
    mem_drop(l);
}

void library_close(struct tls_library *l)
{
    ERR_clear_error();
    if (!l->broken && SSL_is_init_finished(l->ssl))
        (void)SSL_shutdown(l->ssl); /* one try: a peer that does not read gets no close_notify */
    library_drop(l);
}

/* ---- what OpenSSL's answers mean */

static bool is_end_of_stream(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* OpenSSL's words: constant texts of its tables, nothing that the peer chose. */
static void note_trouble(struct tls_library *l, unsigned long code)
{
    long verified = SSL_get_verify_result(l->ssl);
    bool from_peer = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET;
    const char *reason = ERR_reason_error_string(code);
    l->peer_refused = from_peer;
    snprintf(l->trouble, sizeof l->trouble, "%s%s%s%s", from_peer ? "the other side says: " : "",
             reason ? reason : "unknown", verified == X509_V_OK ? "" : ": ",
             verified == X509_V_OK ? "" : X509_verify_cert_error_string(verified));
}

static err failure(struct tls_library *l, err why)
{
    l->broken = true;
    snprintf(l->trouble, sizeof l->trouble, "%s", why->text);
    return why;
}

static err waits(struct tls_library *l, uint32_t events)
{
    l->wants = events;
    l->starved = events == EPOLLIN;
    return &tls_again;
}

/* `answer` is what an SSL function returned. */
static err outcome(struct tls_library *l, int answer)
{
    l->starved = false;
    if (answer == 1)
        return OK;
    unsigned long code = ERR_peek_error();
    switch (SSL_get_error(l->ssl, answer)) {
    case SSL_ERROR_WANT_READ:
        return waits(l, EPOLLIN);
    case SSL_ERROR_WANT_WRITE:
        return waits(l, EPOLLOUT);
    case SSL_ERROR_ZERO_RETURN:
        snprintf(l->trouble, sizeof l->trouble, "%s", tls_closed.text);
        return &tls_closed;
    case SSL_ERROR_SYSCALL:
        return failure(l, &tls_cut);
    default:
        if (is_end_of_stream(code))
            return failure(l, &tls_cut);
        l->broken = true;
        note_trouble(l, code);
        return &refused;
    }
}

/* Before each call: a left-over of another connection on this thread would be taken for this one's. */
static bool is_usable(struct tls_library *l)
{
    ERR_clear_error();
    if (!l->broken)
        l->trouble[0] = 0;
    return !l->broken;
}

/* ---- the handshake */

static void count_record(int sending, int version, int content, const void *at, size_t len, SSL *ssl, void *arg)
{
    struct tls_library *l = arg;
    if (sending && content == SSL3_RT_HEADER)
        l->records_sent++;
}

/* A ticket in a step of its own, so that all records which it takes are counted: they are the first under the server's
 * traffic secret. */
static err send_ticket(struct tls_library *l)
{
    if (!l->shaken && tls_verify_allows_ticket(l->ctx, l->ssl, l->anchor)) {
        SSL_set_msg_callback(l->ssl, count_record);
        SSL_set_msg_callback_arg(l->ssl, l);
        if (SSL_new_session_ticket(l->ssl) != 1)
            return failure(l, &tls_no_memory);
    }
    l->shaken = true;
    return SSL_in_init(l->ssl) ? outcome(l, SSL_do_handshake(l->ssl)) : OK;
}

static err shake(struct tls_library *l)
{
    err e = l->shaken ? OK : outcome(l, SSL_do_handshake(l->ssl));
    if (!e && SSL_is_server(l->ssl))
        e = send_ticket(l);
    tls_verify_end(l->ctx);
    return e;
}

/* OpenSSL then asks for what it needs and no more; the socket's bytes come in large pieces all the same. */
static void lend_room(struct tls_library *l, struct tls_engine *engine)
{
    struct bytes early = rest_view(l->early);
    SSL_set_read_ahead(l->ssl, 0);
    l->socket.room = engine->in;
    l->socket.room_len = RECORD_WIRE_MAX;
    l->socket.at = early.at;
    l->socket.len = early.len;
}

static err take_room_back(struct tls_library *l)
{
    struct bytes left = bytes_of(l->socket.at, l->socket.len);
    struct tls_rest *was = l->early;
    l->socket.room = NULL;
    l->early = NULL;
    err e = rest_set(&l->early, left, 0);
    rest_drop(&was);
    l->socket.at = rest_view(l->early).at;
    l->socket.len = e ? 0 : left.len;
    return e ? failure(l, e) : OK;
}

err library_handshake(struct tls *tls)
{
    struct tls_library *l = tls->library;
    if (!is_usable(l))
        return &tls_cut;
    if (!tls->engine)
        return shake(l);
    lend_room(l, tls->engine);
    err e = shake(l);
    err kept = take_room_back(l);
    return e && !err_is(e, ERR_AGAIN) ? e : kept ? kept : e;
}

/* ---- data */

/* A socket's bytes that were read early have gone to OpenSSL. */
static void forget_early(struct tls_library *l)
{
    if (l->early && !l->socket.len)
        rest_drop(&l->early);
}

err library_read(struct tls_library *l, uint8_t *out, size_t room, size_t *got)
{
    if (!is_usable(l))
        return &tls_cut;
    err e = outcome(l, SSL_read_ex(l->ssl, out, room, got));
    forget_early(l);
    return e;
}

err library_write(struct tls_library *l, struct bytes in, size_t *taken)
{
    return is_usable(l) ? outcome(l, SSL_write_ex(l->ssl, in.at, in.len, taken)) : &tls_cut;
}

bool library_has_pending(const struct tls_library *l)
{
    return !l->broken && (l->socket.len || (!l->starved && SSL_has_pending(l->ssl) == 1));
}

uint64_t library_peer_mark(const struct tls_library *l)
{
    const X509 *leaf = SSL_is_server(l->ssl) ? SSL_get0_peer_certificate(l->ssl) : NULL;
    return leaf ? tls_revoked_mark(leaf) : 0;
}

err library_peer_certificate(const struct tls_library *l, struct buffer *out)
{
    X509 *leaf = SSL_is_init_finished(l->ssl) ? SSL_get0_peer_certificate(l->ssl) : NULL;
    if (!leaf || SSL_get_verify_mode(l->ssl) == SSL_VERIFY_NONE || SSL_get_verify_result(l->ssl) != X509_V_OK)
        return &no_certificate;
    int len = i2d_X509(leaf, NULL);
    uint8_t *at = len > 0 ? buffer_reserve(out, (size_t)len) : NULL;
    if (!at)
        return len > 0 ? buffer_finish(out) : &tls_no_memory;
    (void)i2d_X509(leaf, &at);
    buffer_filled(out, (size_t)len);
    return OK;
}

/* ---- to our own record layer */

static bool is_of(const SSL *ssl, struct bytes random_hex)
{
    SCOPED(buffer_drop) struct buffer said = {.max = SSL3_RANDOM_SIZE};
    uint8_t random[SSL3_RANDOM_SIZE];
    return SSL_get_client_random(ssl, random, sizeof random) == sizeof random && !hex_decode(random_hex, &said) &&
           bytes_equal(buffer_view(&said), bytes_of(random, sizeof random));
}

static void keep_secret(struct tls_library *l, int side, struct bytes hex)
{
    SCOPED(buffer_wipe) struct buffer secret = {.max = RECORD_SECRET_MAX};
    if (hex_decode(hex, &secret) || !secret.len)
        return;
    memcpy(l->secrets[side], secret.at, secret.len);
    l->secret_len[side] = (uint8_t)secret.len;
}

/* "LABEL client-random secret" in hex, as NSS writes it. OpenSSL has no other way to ask. */
void library_note_secret(const SSL *ssl, const char *line)
{
    static const char *const labels[2] = {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"};
    struct tls_library *l = SSL_get_app_data(ssl);
    struct bytes secret = bytes_of_text(line), label = bytes_cut(&secret, ' '), random = bytes_cut(&secret, ' ');
    for (int side = 0; side < 2; side++)
        if (l && bytes_is(label, labels[side]) && is_of(ssl, random))
            keep_secret(l, side, secret);
}

static bool may_hand_over(const struct tls *tls)
{
    const struct tls_library *l = tls->library;
    return tls->engine && l->shaken && !l->broken && SSL_version(l->ssl) == TLS1_3_VERSION && l->secret_len[0] &&
           l->secret_len[1] && !SSL_has_pending(l->ssl);
}

/* No good-bye, and no memory of it in OpenSSL's cache of sessions. */
static void free_quietly(struct tls_library *l)
{
    SSL_set_shutdown(l->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    library_drop(l);
}

err library_hand_over(struct tls *tls)
{
    struct tls_library *l = tls->library;
    struct tls_stream *stream = NULL;
    struct stream_start start = {.client_secret = bytes_of(l->secrets[0], l->secret_len[0]),
                                 .server_secret = bytes_of(l->secrets[1], l->secret_len[1]),
                                 .server_records = l->records_sent,
                                 .early = rest_view(l->early)};
    if (!l->shaken)
        return OK;
    if (!may_hand_over(tls) ||
        record_suite_of(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(l->ssl)), &start.suite)) {
        tls->engine = NULL;
        SSL_set_read_ahead(l->ssl, 1);
        return OK;
    }
    TRY(stream_open(tls->engine, &start, &stream));
    free_quietly(l);
    tls->stream = stream;
    tls->carrier = CARRIED_BY_US;
    return OK;
}
