/* Sessions and retained messages at the start, as the store kept them. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/store.h"
#include "door/lobby.h"

struct mqtt_restored {
    size_t sessions, subscriptions, deliveries, retained;
    size_t left_out; /* what could not be restored: no memory, or over a limit that was lowered */
};

/* Before the loops run: `lobbies` are open, and this thread may touch them all. Sets what numbers new sessions get.
 * Errors as the reader's, and ERR_MEMORY. */
MUST err mqtt_restore(struct store_reader *reader, struct lobby *const *lobbies, size_t count,
                      struct mqtt_restored *out);
