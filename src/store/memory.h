/* The store port in memory, for tests and simulation: the same answers as SQLite, and nothing survives. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/store.h"

struct memory_store;

MUST err memory_store_open(struct memory_store **out); /* gives; close with memory_store_close */
void memory_store_close(struct memory_store *store);   /* takes; its writer and readers are closed by then. NULL is fine */

/* The one writer: lent for the store's life, its `close` does nothing. A batch is visible to readers after commit and
 * leaves no trace after rollback. From one thread. */
struct store_writer *memory_store_writer(struct memory_store *store);
/* Gives a reader, which may be used on a thread of its own; it waits while a batch is between begin and commit. */
MUST err memory_store_reader(struct memory_store *store, struct store_reader **out);
