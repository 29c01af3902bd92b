/* Memory: the only door to malloc outside of `store`. Sizes are checked, contents are zero, failure is an error and
 * never an abort. A test can make the Nth allocation fail through `struct memory_trial`. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

void *mem_take(size_t count, size_t size); /* gives zeroed memory for count things of size bytes; NULL: no memory */
void *mem_grow(void *old, size_t count, size_t size); /* takes old; NULL: no memory, and old is still the caller's */
void mem_drop(void *taken);                /* takes; NULL is fine */
char *mem_text(struct bytes text);         /* gives a NUL-terminated copy; NULL: no memory, or an embedded NUL */
/* Gives whole free pages back to the system, in between others too. May take milliseconds, in which others who need
 * memory wait: for a thread of leisure. */
void mem_trim(void);
void mem_wipe(void *at, size_t len);       /* zeroes in a way that the compiler keeps */

#define MEM_NEW(type) ((type *)mem_take(1, sizeof(type)))

/* Fault injection for tests: the allocation numbered `fail_at` (from 1) on this thread fails, once. 0 ends the trial.
 * Returns how many allocations the previous trial saw. */
unsigned long mem_trial(unsigned long fail_at);

/* Secrets: bytes that are wiped when they are dropped. Owned; at most SECRET_MAX bytes. */
enum { SECRET_MAX = 512 };
struct secret {
    size_t len;
    uint8_t at[SECRET_MAX];
};
void secret_wipe(struct secret *s);              /* for SCOPED(secret_wipe) */
MUST err secret_set(struct secret *s, struct bytes from); /* ERR_TOO_LARGE over SECRET_MAX */
struct bytes secret_view(const struct secret *s); /* lends until the secret is wiped or set */
