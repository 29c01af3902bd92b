/* Where the server is: "https://host:8443", taken apart once. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum { SERVER_HOST_MAX = 253, SERVER_URL_TEXT = 280 };

struct server_address {
    char url[SERVER_URL_TEXT];     /* "https://host:port", an IPv6 address in brackets, nothing behind the port */
    char host[SERVER_HOST_MAX + 1]; /* without brackets */
    uint16_t port;
};

/* Reads https://HOST[:PORT][/]; without a port: 8443. ERR_MALFORMED for everything else, http, user names and paths
 * included. */
MUST err server_address_read(struct bytes text, struct server_address *out);
/* Reads HOST:PORT or [ADDRESS]:PORT; url stays "". */
MUST err server_address_read_pair(struct bytes text, struct server_address *out);
