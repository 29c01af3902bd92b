/* How OpenSSL seals and opens session tickets with our keys. For os/tls*.c only, everybody else sees os/tls.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/tls.h"

#include <openssl/ssl.h>

/* For SSL_CTX_set_tlsext_ticket_key_evp_cb, which passes no argument of ours: the caller finds the tickets by the SSL.
 * Returns what that callback returns. */
int tls_tickets_key(struct tls_tickets *tickets, uint8_t name[16], uint8_t *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int sealing);
