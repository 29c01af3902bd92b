/* The intrusive hash table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include "base/memory.h"

#include <string.h>

static const struct fault exists = {ERR_EXISTS, "table: the key is there already"};
static const struct fault full = {ERR_FULL, "table: at its maximum"};
static const struct fault no_memory = {ERR_MEMORY, "table: no memory"};

enum { FIRST_ROOM = 16 };

void table_open(struct table *t, size_t max, uint64_t seed)
{
    *t = (struct table){.max = max, .seed = seed};
}

void table_close(struct table *t)
{
    mem_drop(t->buckets);
    *t = (struct table){.max = t->max, .seed = t->seed};
}

__extension__ typedef unsigned __int128 wide; /* gcc and clang have it on every 64-bit machine; ISO C has not */

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t table_hash(uint64_t seed, struct bytes key)
{
    uint64_t hash = seed ^ 0x9E3779B97F4A7C15u;
    for (; key.len > 8; key = bytes_from(key, 8)) {
        uint64_t word;
        memcpy(&word, key.at, 8);
        hash = mix(hash ^ word, 0xD6E8FEB86659FD93u);
    }
    uint64_t word = 0;
    if (key.len)
        memcpy(&word, key.at, key.len);
    return mix(hash ^ word, 0xA0761D6478BD642Fu ^ (uint64_t)key.len) ^ seed;
}

static struct table_node **bucket_of(const struct table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->room - 1)];
}

struct table_node *table_find(const struct table *t, struct bytes key)
{
    if (!t->room)
        return NULL;
    uint64_t hash = table_hash(t->seed, key);
    for (struct table_node *node = *bucket_of(t, hash); node; node = node->next)
        if (node->hash == hash && bytes_equal(node->key, key))
            return node;
    return NULL;
}

static err grow(struct table *t)
{
    size_t room = t->room ? t->room * 2 : FIRST_ROOM;
    struct table_node **buckets = mem_take(room, sizeof *buckets);
    if (!buckets)
        return &no_memory;
    for (size_t i = 0; i < t->room; i++)
        for (struct table_node *node = t->buckets[i], *next; node; node = next) {
            next = node->next;
            node->next = buckets[node->hash & (room - 1)];
            buckets[node->hash & (room - 1)] = node;
        }
    mem_drop(t->buckets);
    t->buckets = buckets;
    t->room = room;
    return OK;
}

err table_add(struct table *t, struct table_node *node, struct bytes key)
{
    if (table_find(t, key))
        return &exists;
    if (t->count >= t->max)
        return &full;
    if (t->count >= t->room)
        TRY(grow(t));
    node->key = key;
    node->hash = table_hash(t->seed, key);
    struct table_node **bucket = bucket_of(t, node->hash);
    node->next = *bucket;
    *bucket = node;
    t->count++;
    return OK;
}

void table_remove(struct table *t, struct table_node *node)
{
    for (struct table_node **at = bucket_of(t, node->hash); *at; at = &(*at)->next)
        if (*at == node) {
            *at = node->next;
            t->count--;
            return;
        }
}

struct table_node *table_next(const struct table *t, const struct table_node *after)
{
    if (after && after->next)
        return after->next;
    for (size_t i = after ? (after->hash & (t->room - 1)) + 1 : 0; i < t->room; i++)
        if (t->buckets[i])
            return t->buckets[i];
    return NULL;
}
