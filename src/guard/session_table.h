/* The signed-in operators, as one loop knows them: hash of the session's secret to name and expiry. Filled at start
 * from the store and kept true by the herald. Belongs to one loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/write.h"

enum { SESSIONS_MAX = 4096 };

struct session_table;
MUST err session_table_open(uint64_t seed, struct session_table **out); /* gives */
void session_table_close(struct session_table *t);                      /* takes; NULL is fine */
/* Copies. At SESSIONS_MAX the session that expires first goes. */
MUST err session_table_add(struct session_table *t, const struct session_record *session);
void session_table_remove(struct session_table *t, const uint8_t hash[TOKEN_HASH]);
/* Lends until the next change; NULL: unknown or expired. */
const struct session_record *session_table_find(struct session_table *t, const uint8_t hash[TOKEN_HASH], int64_t now_us);
