/* Where a peer comes from. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/peer.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <stdio.h>

void peer_network(const char *peer, char out[PEER_NETWORK_TEXT])
{
    char host[INET6_ADDRSTRLEN];
    uint8_t v6[16];
    bool bracket = peer[0] == '[';
    struct bytes rest = bytes_from(bytes_of_text(peer), bracket);
    struct bytes text = bytes_cut(&rest, bracket ? ']' : ':');
    snprintf(host, sizeof host, "%.*s", (int)(text.len < sizeof host ? text.len : sizeof host - 1),
             (const char *)text.at);
    if (bracket && inet_pton(AF_INET6, host, v6) == 1)
        snprintf(out, PEER_NETWORK_TEXT, "%02x%02x%02x%02x%02x%02x%02x%02x/64", v6[0], v6[1], v6[2], v6[3], v6[4],
                 v6[5], v6[6], v6[7]);
    else
        snprintf(out, PEER_NETWORK_TEXT, "%s", host);
}
