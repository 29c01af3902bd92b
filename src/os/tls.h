/* TLS 1.2 and 1.3 on non-blocking sockets, a lid on OpenSSL. A context is an immutable snapshot that many connections
 * of one or several loops share; a new certificate is a new context. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "base/memory.h"

struct tls_context;
struct tls;

/* Loads what OpenSSL would otherwise load on first use (its configuration, its texts). For the whole process; call it
 * before the sandbox. */
MUST err tls_prepare(void);

enum tls_peer {
    TLS_PEER_REQUIRED = 0, /* the other side must show a certificate that chains to `anchors` */
    TLS_PEER_ASKED,        /* servers only: one may be shown; one that does not chain still ends the handshake */
    TLS_PEER_ANONYMOUS,    /* servers only: none is asked for */
};

struct tls_options {
    struct bytes chain_pem;   /* own certificate first, then intermediates; empty: a client without a certificate */
    struct bytes key_pem;     /* PKCS#8 PEM; empty together with chain_pem */
    struct bytes anchors_pem; /* one or more self-signed roots to verify the peer with; empty for TLS_PEER_ANONYMOUS */
    enum tls_peer peer;
    const char *server_name;  /* clients: SNI, and the DNS name or IP address that the certificate must carry */
    const char *alpn;         /* "" (or NULL) or one protocol name, e.g. "http/1.1"; servers choose it when it is offered,
                               * and end the handshake when others only are offered (RFC 7301, 3.2) */
};

/* Both borrow options and give. ERR_MALFORMED: a PEM text is none, or lacks; ERR_REFUSED: the key does not belong to the
 * certificate, or OpenSSL finds one of them too weak. */
MUST err tls_context_server(const struct tls_options *options, struct tls_context **out);
MUST err tls_context_client(const struct tls_options *options, struct tls_context **out);
struct tls_context *tls_context_share(struct tls_context *ctx); /* one more holder; from any thread */
void tls_context_drop(struct tls_context *ctx);                 /* one holder less; NULL is fine */

/* A connection over fd, which it borrows (the owner closes it after tls_close). Holds the context. */
MUST err tls_open(struct tls_context *ctx, int fd, struct tls **out);
void tls_close(struct tls *tls); /* takes; sends close_notify when it can without waiting. NULL is fine */

/* After ERR_AGAIN, the event to wait for: EPOLLIN or EPOLLOUT. */
uint32_t tls_wants(const struct tls *tls);

/* OK, ERR_AGAIN, ERR_CLOSED (orderly or not), or ERR_REFUSED for a failed handshake or verification. tls_trouble then
 * says what was wrong in OpenSSL's words (no secrets; safe to log); lends until the next call. */
MUST err tls_handshake(struct tls *tls);
MUST err tls_read(struct tls *tls, uint8_t *out, size_t room, size_t *got); /* OK: got > 0 */
/* OK: taken > 0 (0 for an empty view); may be less than in.len. After ERR_AGAIN the same bytes must be offered again,
 * from wherever they are by then; more may stand behind them. */
MUST err tls_write(struct tls *tls, struct bytes in, size_t *taken);
/* Bytes wait inside, of which epoll will not tell. Ask after a handshake and after each read that was OK, or read until
 * ERR_AGAIN. */
bool tls_has_pending(const struct tls *tls);
const char *tls_trouble(const struct tls *tls);
bool tls_peer_refused(const struct tls *tls); /* that fault was an alert of the other side: it refused us */

/* The peer's verified leaf certificate in DER, appended to out. ERR_ABSENT: it showed none. */
MUST err tls_peer_certificate(const struct tls *tls, struct buffer *out);
const char *tls_version(const struct tls *tls); /* "TLSv1.3" */
