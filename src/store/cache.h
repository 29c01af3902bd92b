/* What the writer remembers of rows, so that a message costs no look-up: key bytes -> the row's key and a stamp. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/table.h"

struct cache_entry {
    struct table_node node; /* the cache's own */
    int64_t row;
    int64_t stamp; /* what it means is said by who keeps the cache */
};

struct cache {
    struct table table;
    size_t max;
};

void cache_open(struct cache *c, size_t max, uint64_t seed); /* holds at most max entries */
void cache_forget(struct cache *c);                          /* drops all entries; closes it too */
struct cache_entry *cache_find(const struct cache *c, struct bytes key); /* lends until cache_forget; NULL: not known */
bool cache_is_full(const struct cache *c);
/* Copies the key; lends until cache_forget. NULL: no memory, or the cache is full. The key was not known before. */
struct cache_entry *cache_add(struct cache *c, struct bytes key);
