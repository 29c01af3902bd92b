/* The server's end of the keeper's channel: fills the issuer port. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/issuer.h"

struct keeper_client;

/* Borrows the channel (one end of os/channel.h's pair) for its life, waits up to timeout_ms for the keeper's greeting,
 * and appends its chain (PEM, issuing then root). timeout_ms also bounds each later question. Gives. ERR_CLOSED: the
 * keeper ended, its log says why. ERR_AGAIN: it took too long. */
MUST err keeper_client_open(int channel, int timeout_ms, struct buffer *chain_pem, struct keeper_client **out);
void keeper_client_close(struct keeper_client *client); /* takes; NULL is fine */

/* Lends for the client's life. From several threads: one question is on its way at a time, the others wait. Besides the
 * port's errors: ERR_CLOSED and ERR_AGAIN as above; an answer that comes too late is thrown away. */
struct issuer *keeper_client_issuer(struct keeper_client *client);
