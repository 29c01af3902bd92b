/* The keeper's end of the channel: one packet in, one packet out. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

enum { KEEPER_CHANNEL = 3 /* the descriptor that holdfastd hands down */ };

MUST err channel_check(int channel); /* OK: a SOCK_SEQPACKET socket */
/* Blocks for the next packet, which replaces what is in `in`. One over KEEPER_REQUEST_MAX comes cut to a byte more than
 * that, so that no decoder takes it. ERR_CLOSED: the server ended. */
MUST err channel_take(int channel, struct buffer *in);
MUST err channel_give(int channel, struct bytes packet); /* blocks; ERR_CLOSED: the server ended */
