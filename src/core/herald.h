/* The herald port: tells every loop that something changed, and returns when all of them know. For threads that may
 * block, never for a loop. Filled by prog/server. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/write.h"

struct herald {
    void (*session_made)(struct herald *self, const struct session_record *session);
    void (*session_ended)(struct herald *self, const uint8_t hash[TOKEN_HASH]);
    void (*device_gone)(struct herald *self, const char *device_id); /* ends every live session of the device */
};
