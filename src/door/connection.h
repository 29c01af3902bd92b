/* A connection: one accepted socket, with TLS or in the clear, as a line. Owned by its lobby. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "door/line.h"
#include "door/lobby.h"
#include "os/socket.h"
#include "os/tls.h"

/* Makes the speaker of a new connection once its handshake is over. */
struct protocol {
    const char *name;
    err (*speak)(struct line *line, struct speaker **out) MUST; /* gives a speaker, which ends itself when lost */
};

/* A listening socket as one lobby sees it; several lobbies listen on the same one. Embedded; stays in place. */
struct listener {
    struct watcher watcher;
    struct timer rest; /* after the process ran out of descriptors */
    struct lobby *lobby;
    const struct protocol *protocol;
    struct tls_context *tls; /* held; replaced by listener_use_tls. NULL: a plain port */
};

/* Borrows fd and protocol; shares tls. Without one the port is plain: its lines are PRINCIPAL_ANONYMOUS. */
err listener_open(struct listener *l, struct lobby *lobby, int fd, const struct protocol *protocol,
                  struct tls_context *tls) MUST;
void listener_use_tls(struct listener *l, struct tls_context *tls); /* for connections from now on; shares tls */
void listener_close(struct listener *l);

/* For the listener: a new connection in its lobby, which owns fd when OK. */
err connection_open(const struct listener *l, int fd, const char peer[ADDRESS_TEXT]) MUST;

/* For the lobby: what all its connections share (door/connection_parts.h). */
err traffic_open(struct lobby *lobby, struct traffic **out) MUST; /* gives; borrows the lobby, which has its loop */
void traffic_close(struct traffic *traffic);                      /* takes, when no connection is left. NULL is fine */
err traffic_use_tls(struct traffic *traffic) MUST;                /* before its first listener with TLS */
void connection_sweep(struct lobby *lobby); /* writes what waits, reads what is left, buries the dead */
/* Ends every line whose peer's certificate the lists of ctx name, and from now on those that get through a handshake
 * under older ones. Shares ctx. */
void connection_end_revoked(struct lobby *lobby, struct tls_context *ctx);
void connection_close_all(struct lobby *lobby); /* ends every line once what is queued for it was written */
void connection_end_all(struct lobby *lobby);   /* ends and buries every line now */
