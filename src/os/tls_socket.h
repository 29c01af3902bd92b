/* How OpenSSL reaches a socket: as its own socket BIO, but it never waits and never raises SIGPIPE. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/bio.h>

BIO_METHOD *tls_socket_method(void); /* gives, for BIO_meth_free after its last BIO; NULL: no memory */
/* A BIO over *fd, which it borrows and never closes. Gives; NULL: no memory. */
BIO *tls_socket_over(const BIO_METHOD *method, int *fd);
