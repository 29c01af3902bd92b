/* The authenticator port: proves who a client is by what it says rather than by its handshake (MQTT 5.0, 4.12). Filled
 * by prog/server. On the loop's own thread: it may not block. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/principal.h"

enum { AUTHENTICATOR_BADGE = 32 };

struct authenticator {
    /* OK: `who` is the one who was proved. ERR_UNSUPPORTED: no such method; ERR_REFUSED: the proof is none. `data` is
     * a secret. `badge` is what tells later whether the proof still holds (door/lobby.h, badges). */
    err (*prove)(struct authenticator *self, struct bytes method, struct bytes data, struct principal *who,
                 uint8_t badge[AUTHENTICATOR_BADGE]) MUST;
};
