/* A bounded table of copied keys. It never evicts one by one: whoever keeps it forgets all of it when it is full. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/cache.h"

#include "base/list.h"
#include "base/memory.h"

#include <string.h>

void cache_open(struct cache *c, size_t max, uint64_t seed)
{
    c->max = max;
    table_open(&c->table, max, seed);
}

void cache_forget(struct cache *c)
{
    struct table_node *node = table_next(&c->table, NULL);
    while (node) {
        struct table_node *next = table_next(&c->table, node);
        mem_drop(CONTAINER(node, struct cache_entry, node));
        node = next;
    }
    table_close(&c->table);
}

struct cache_entry *cache_find(const struct cache *c, struct bytes key)
{
    struct table_node *node = table_find(&c->table, key);
    return node ? CONTAINER(node, struct cache_entry, node) : NULL;
}

bool cache_is_full(const struct cache *c)
{
    return c->table.count >= c->max;
}

struct cache_entry *cache_add(struct cache *c, struct bytes key)
{
    struct cache_entry *entry = mem_take(1, sizeof *entry + key.len);
    if (!entry)
        return NULL;
    uint8_t *copy = (uint8_t *)(entry + 1);
    if (key.len)
        memcpy(copy, key.at, key.len);
    if (table_add(&c->table, &entry->node, bytes_of(copy, key.len))) {
        mem_drop(entry);
        return NULL;
    }
    return entry;
}
