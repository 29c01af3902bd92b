/* TCP sockets: non-blocking, close-on-exec. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum { ADDRESS_TEXT = 64 }; /* "[2001:db8::1]:8883" with its NUL */

/* Listens on a numeric address ("127.0.0.1", "::", "0.0.0.0"); port 0 lets the kernel pick. SO_REUSEADDR. */
MUST err socket_listen(const char *address, uint16_t port, int *fd_out);
MUST err socket_port(int fd, uint16_t *out);           /* the bound port */
bool address_is_loopback(const char *address);         /* 127.0.0.0/8 or ::1 (or the former mapped); numeric text */
/* ERR_AGAIN: nobody waits. ERR_FULL: the process or machine is out of descriptors. */
MUST err socket_accept(int listener, int *fd_out, char peer[ADDRESS_TEXT]);
/* Resolves and starts a connect; writable means done, socket_connected tells how. Blocks in the resolver only. */
MUST err socket_connect(const char *host, uint16_t port, int *fd_out);
/* As socket_connect, to another of the host's addresses at each attempt (0, 1, 2 ... counted around), so that a retry
 * finds the address that works: "localhost" may be ::1 and 127.0.0.1. */
MUST err socket_connect_attempt(const char *host, uint16_t port, unsigned attempt, int *fd_out);
/* Never wait. Reading: OK with got > 0, ERR_AGAIN, or ERR_CLOSED: nothing more will come. Writing: OK with taken > 0,
 * ERR_AGAIN, or ERR_CLOSED. */
MUST err socket_read(int fd, uint8_t *out, size_t room, size_t *got);
MUST err socket_write(int fd, struct bytes in, size_t *taken);
void socket_finish(int fd); /* says that we send no more; what the other side still sends can be read */
/* Closing fd then throws away what the other side has not taken yet, and tells it so (RST). Otherwise the kernel keeps
 * that, megabytes of it, until a peer that does not read is given up for dead. */
void socket_abandon(int fd);
/* Throws away what came, at most room bytes. OK: there may be more, now or later. ERR_CLOSED: nothing more will come. */
MUST err socket_discard(int fd, size_t room);
MUST err socket_connected(int fd); /* OK, ERR_AGAIN: not yet, ERR_CLOSED: nobody there, or why the connect failed */
