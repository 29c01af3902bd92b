/* TLS 1.2 and 1.3 on non-blocking sockets. OpenSSL shakes hands; behind a TLS 1.3 handshake a server's connection goes
 * on with the record layer of our own (os/tls_record.h), which needs 0.2 KB where OpenSSL needs 24. A context is an
 * immutable snapshot that many connections of one or several loops share; a new certificate or revocation list is a new
 * context. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"

struct tls_context;
struct tls_engine;
struct tls_tickets;
struct tls;

/* Loads what OpenSSL would otherwise load on first use (its configuration, its texts). For the whole process; call it
 * before the sandbox. */
MUST err tls_prepare(void);

enum tls_peer {
    TLS_PEER_REQUIRED = 0, /* the other side must show a certificate that chains to `anchors` */
    TLS_PEER_ASKED,        /* servers only: one may be shown; one that does not chain still ends the handshake */
    TLS_PEER_ANONYMOUS,    /* servers only: none is asked for */
};

/* Who carries a server's TLS 1.3 connection on when the handshake is done. */
enum tls_record_layer {
    TLS_RECORDS_OWN = 0,
    TLS_RECORDS_OPENSSL,
};

/* What an engine reads and writes at once. A read with this much room never leaves more behind than a part of a record.
 */
enum { TLS_BATCH = 65536 };

struct tls_options {
    /* Own certificate first, then intermediates, which a server that trusts our issuer is not shown; empty: a client
     * without a certificate. */
    struct bytes chain_pem;
    struct bytes key_pem; /* PKCS#8 PEM; empty together with chain_pem */
    /* Roots to verify the peer with, and intermediates that a peer need not show; empty for TLS_PEER_ANONYMOUS. */
    struct bytes anchors_pem;
    /* Revocation lists of anchors; empty: none is asked. When one is given, each certificate needs a current list of
     * its issuer: without it, or behind its nextUpdate, the peer is refused. */
    struct bytes crl_pem;
    enum tls_peer peer;
    const char *server_name; /* clients: SNI, and the DNS name or IP address that the certificate must carry */
    const char *alpn; /* "" (or NULL) or one protocol name, e.g. "http/1.1"; servers choose it when it is offered,
                       * and end the handshake when others only are offered (RFC 7301, 3.2) */
    enum tls_record_layer records; /* servers */
    struct tls_tickets *tickets;   /* servers: shared with the context; NULL: no session is resumed */
    const char *ticket_scope;      /* servers with tickets: the listener. A ticket opens no listener of another scope */
    uint32_t ticket_life_s;        /* at most TICKET_LIFE_MAX_S, and never longer than the client's certificate */
};

enum {
    TICKET_LIFE_MAX_S = 7 * 86400, /* RFC 8446, 4.6.1 */
    TICKET_KEYS = 4,               /* the current one, and those before */
};

/* The keys that session tickets are sealed with (RFC 5077, 4: AES-256 and HMAC-SHA-256): the current one, and those
 * before, which still open. Contexts share them, so that tickets outlive a new certificate; they never leave memory,
 * so that tickets do not outlive the process. For any thread. TLS 1.3 only, always with a fresh key exchange. */
MUST err tls_tickets_open(const struct dice *dice, struct tls_tickets **out); /* borrows dice; gives */
/* A new current key; what the oldest sealed is void. With TICKET_KEYS - 1 rotations in a ticket's life each ticket
 * opens for all of it. */
void tls_tickets_rotate(struct tls_tickets *tickets, const struct dice *dice);
struct tls_tickets *tls_tickets_share(struct tls_tickets *tickets); /* one more holder; from any thread */
void tls_tickets_drop(struct tls_tickets *tickets); /* one holder less; wipes with the last. NULL is fine */

/* Both borrow options and give. ERR_MALFORMED: a PEM text is none, or lacks; ERR_REFUSED: the key does not belong to
 * the certificate, or OpenSSL finds one of them too weak. */
MUST err tls_context_server(const struct tls_options *options, struct tls_context **out);
MUST err tls_context_client(const struct tls_options *options, struct tls_context **out);
/* Whether its revocation lists do what they are for. ERR_REFUSED: one of them is signed by none of the anchors.
 * ERR_EXPIRED: one is over, or not valid yet. Peers are refused with either. */
MUST err tls_context_judge_lists(const struct tls_context *ctx);
struct tls_context *tls_context_share(struct tls_context *ctx); /* one more holder; from any thread */
void tls_context_drop(struct tls_context *ctx);                 /* one holder less; NULL is fine */

/* What the connections of one thread share: ciphers that are keyed anew for each record, and room for a batch of
 * records (2 * 64 KiB). One for each loop, used by its thread alone. It outlives its connections. */
MUST err tls_engine_open(struct tls_engine **out); /* gives; before the sandbox or inside it */
void tls_engine_close(struct tls_engine *engine);  /* takes; NULL is fine */

/* A connection over fd, which it borrows (the owner closes it after tls_close). Holds the context while it needs it. */
MUST err tls_open(struct tls_context *ctx, int fd,
                  struct tls **out); /* a client's; or a server's that OpenSSL carries */
/* A server's, of the engine's thread. It borrows the engine. */
MUST err tls_accept(struct tls_context *ctx, struct tls_engine *engine, int fd, struct tls **out);
/* To another thread with another engine: the last call of the old thread or the first of the new one. */
void tls_move(struct tls *tls, struct tls_engine *engine);
/* Instead of a connection: tells a client that it is not admitted now (a fatal internal_error in the clear, RFC
 * 8446, 6.2), without a look at what it said. Never waits, takes no memory; the owner closes fd. */
void tls_refuse(int fd);
void tls_close(struct tls *tls); /* takes; sends close_notify when it can without waiting. NULL is fine */

/* After ERR_AGAIN, the event to wait for: EPOLLIN or EPOLLOUT. */
uint32_t tls_wants(const struct tls *tls);

/* OK, ERR_AGAIN, ERR_CLOSED (orderly or not), or ERR_REFUSED for a failed handshake, verification or record.
 * tls_trouble then says what was wrong in constant words (no secrets; safe to log); lends until the next call. */
MUST err tls_handshake(struct tls *tls);
/* OK: got > 0. ERR_AGAIN: the socket has no more. It stops at the first read of the socket that brings something: with
 * a room of TLS_BATCH, lent by the loop to all its connections, that is many records at once, and nothing stays behind
 * but a part of one. */
MUST err tls_read(struct tls *tls, uint8_t *out, size_t room, size_t *got);
/* OK: taken > 0 (0 for an empty view); may be less than in.len. A long view becomes many records and one write. After
 * ERR_AGAIN the same bytes must be offered again, from wherever they are by then; more may stand behind them. */
MUST err tls_write(struct tls *tls, struct bytes in, size_t *taken);
/* Bytes wait inside, of which epoll will not tell. Ask after a handshake and after each read that was OK, or read until
 * ERR_AGAIN. */
bool tls_has_pending(const struct tls *tls);
const char *tls_trouble(const struct tls *tls);
bool tls_peer_refused(const struct tls *tls); /* that fault was an alert of the other side: it refused us */

/* The peer's verified leaf certificate in DER, appended to out; the one of the full handshake when the session was
 * resumed. ERR_ABSENT: it showed none, or it is no more kept. Ask when the handshake is done, before the first read or
 * write. */
MUST err tls_peer_certificate(const struct tls *tls, struct buffer *out);
bool tls_resumed(const struct tls *tls); /* by a ticket; ask at the same time */
/* Whether the lists of ctx, which need not be the connection's own, name the certificate that a server's peer has
 * shown. At any time behind the handshake. False for a peer that showed none. */
bool tls_peer_is_revoked(const struct tls *tls, const struct tls_context *ctx);
const char *tls_version(const struct tls *tls); /* "TLSv1.3" */
