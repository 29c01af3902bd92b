/* How OpenSSL reaches a socket: as its own socket BIO, but it never waits and never raises SIGPIPE, and it can read
 * more at once than OpenSSL asks for: a handshake then needs few calls, and what came behind it is not lost in OpenSSL.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

#include <openssl/bio.h>

struct tls_socket {
    int fd;
    const uint8_t *at; /* what was read and OpenSSL did not yet ask for */
    size_t len;
    uint8_t *room; /* borrowed, for the present call alone; NULL: OpenSSL reads no more than it asks for */
    size_t room_len;
};

BIO_METHOD *tls_socket_method(void); /* gives, for BIO_meth_free after its last BIO; NULL: no memory */
/* A BIO over the socket, which it borrows; it never closes it. Gives; NULL: no memory. */
BIO *tls_socket_over(const BIO_METHOD *method, struct tls_socket *socket);
