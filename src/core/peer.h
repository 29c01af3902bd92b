/* Where a peer comes from, as the limits see it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

enum { PEER_NETWORK_TEXT = 48 };

/* The network of "192.0.2.7:41234" or "[2001:db8::1]:41234", with its NUL: an IPv4 address whole; of an IPv6 address the
 * first 64 bits, as hex, for the rest is free to choose for whoever has the network (RFC 4291, 2.5.1). Pure. */
void peer_network(const char *peer, char out[PEER_NETWORK_TEXT]);
