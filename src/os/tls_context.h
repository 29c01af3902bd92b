/* What a TLS context is made of: for os/tls*.c only, everybody else sees os/tls.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/tls.h"

#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

enum { ALPN_MAX = 32 };

struct tls_trust;
struct tls_revoked;

struct tls_context {
    atomic_uint holders;
    SSL_CTX *ssl;
    BIO_METHOD *socket;         /* os/tls_socket.h */
    char *server_name;          /* clients: the SNI; NULL for an IP address (RFC 6066, 3) and for servers */
    uint8_t alpn[ALPN_MAX + 1]; /* RFC 7301, 3.1: length and name */
    size_t alpn_len;            /* 0: none */
    enum tls_peer peer;
    struct tls_revoked *revoked; /* NULL: no lists */
    struct tls_trust *trust;     /* servers that ask for certificates: os/tls_verify.h */
    struct tls_tickets *tickets; /* held; NULL: none */
    uint32_t ticket_life_s;
    OSSL_LIB_CTX *blind;    /* contexts with tickets: a corner of OpenSSL that decodes no keys, see os/tls_verify.c */
    OSSL_PROVIDER *nothing; /* what is loaded into it: OpenSSL's empty provider */
};
