/* A connection that OpenSSL carries: each handshake, TLS 1.2, clients. For os/tls*.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/tls_connection.h"
#include "os/tls_context.h"
#include "os/tls_socket.h"

enum { TROUBLE_TEXT = 160 };

struct tls_library {
    struct tls_context *ctx; /* held */
    SSL *ssl;
    struct tls_socket socket;
    struct tls_rest *early; /* what was read and OpenSSL did not ask for, between two calls */
    uint32_t wants;
    bool starved; /* what is buffered inside is no whole record: only the network brings more */
    bool broken;
    bool peer_refused;
    bool shaken;                           /* the handshake is done */
    uint8_t records_sent;                  /* under the server's traffic secret, while tickets are sent */
    int anchor;                            /* what the fast verification found: os/tls_verify.h; -1: nothing */
    uint8_t secrets[2][RECORD_SECRET_MAX]; /* the client's and the server's traffic secret */
    uint8_t secret_len[2];
    char trouble[TROUBLE_TEXT];
};

MUST err library_open(struct tls_context *ctx, int fd, struct tls_library **out);
void library_close(struct tls_library *library); /* takes; says good-bye when it can */

/* As the calls of os/tls.h. */
MUST err library_handshake(struct tls *tls);
MUST err library_read(struct tls_library *library, uint8_t *out, size_t room, size_t *got);
MUST err library_write(struct tls_library *library, struct bytes in, size_t *taken);
bool library_has_pending(const struct tls_library *library);
uint64_t library_peer_mark(const struct tls_library *library); /* os/tls_revoked.h; 0: a server's, or none was shown */
MUST err library_peer_certificate(const struct tls_library *library, struct buffer *out);

/* From OpenSSL to us, when the handshake is done and it may be: a TLS 1.3 server with an engine. Otherwise OpenSSL goes
 * on. */
MUST err library_hand_over(struct tls *tls);
/* For SSL_CTX_set_keylog_callback. */
void library_note_secret(const SSL *ssl, const char *line);
