/* A TLS connection and its two carriers: OpenSSL (os/tls_library.c), and behind a TLS 1.3 handshake our own record
 * layer (os/tls_stream.c). For os/tls*.c and their tests, everybody else sees os/tls.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/tls.h"
#include "os/tls_record.h"

struct tls_library;
struct tls_stream;

enum tls_carrier { CARRIED_BY_OPENSSL = 0, CARRIED_BY_US };

struct tls {
    struct tls_engine *engine; /* NULL: OpenSSL carries it to its end */
    union {
        struct tls_library *library;
        struct tls_stream *stream;
    };
    int fd;
    enum tls_carrier carrier;
    uint64_t peer_mark; /* of its certificate: os/tls_revoked.h; 0: none was shown */
};

/* Said by both carriers. */
extern const struct fault tls_no_memory, tls_again, tls_closed, tls_cut;

/* Bytes that wait. */
struct tls_rest {
    uint32_t from, len, room; /* at[from] to at[len - 1] of room */
    uint32_t plain;           /* in: so many of them are opened. out: so many of the caller's bytes are in them */
    uint8_t at[];
};
struct bytes rest_view(const struct tls_rest *rest); /* empty for NULL */
void rest_drop(struct tls_rest **rest);              /* wipes */
/* Replaces *rest by a copy of `bytes`, which must not lie in it; an empty one drops it. room: what may come behind. */
MUST err rest_set(struct tls_rest **rest, struct bytes bytes, size_t room);

/* A stream behind a handshake: the secrets of the client (reading) and the server (writing), how many records the
 * server has sent under its own already, and what was read behind the client's Finished. */
struct stream_start {
    enum record_suite suite;
    struct bytes client_secret, server_secret;
    uint64_t server_records;
    struct bytes early;
};
MUST err stream_open(struct tls_engine *engine, const struct stream_start *start, struct tls_stream **out);

/* As the calls of os/tls.h, for a connection that we carry. */
void stream_close(struct tls *tls);
uint32_t stream_wants(const struct tls_stream *stream);
MUST err stream_read(struct tls *tls, uint8_t *out, size_t room, size_t *got);
MUST err stream_write(struct tls *tls, struct bytes in, size_t *taken);
bool stream_has_pending(const struct tls_stream *stream);
const char *stream_trouble(const struct tls_stream *stream);
bool stream_peer_refused(const struct tls_stream *stream);

/* The keys of one direction; lends. Public for tests, which let them wear out. */
enum stream_direction { STREAM_READING, STREAM_WRITING };
struct record_keys *stream_keys(struct tls_stream *stream, enum stream_direction direction);
