/* An intrusive hash table over byte keys. The nodes and their keys belong to the user; the table owns its buckets only.
 * The seed is random, so that a peer that picks keys cannot pick collisions. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

struct table_node {
    struct table_node *next;
    uint64_t hash;
    struct bytes key; /* lives as long as the node is in a table */
};

struct table {
    struct table_node **buckets;
    size_t room; /* a power of two; 0 before the first node */
    size_t count;
    size_t max; /* nodes; more is ERR_FULL */
    uint64_t seed;
};

void table_open(struct table *t, size_t max, uint64_t seed);
void table_close(struct table *t); /* forgets the nodes; the user drops them */
uint64_t table_hash(uint64_t seed, struct bytes key);
struct table_node *table_find(const struct table *t, struct bytes key);             /* lends; NULL: not there */
MUST err table_add(struct table *t, struct table_node *node, struct bytes key);     /* ERR_EXISTS, ERR_FULL, ERR_MEMORY */
void table_remove(struct table *t, struct table_node *node);                        /* a node that is in the table */
/* Walks all nodes in no order: start with NULL, ends with NULL. The node given last may have been removed only if its
 * successor was asked for before. */
struct table_node *table_next(const struct table *t, const struct table_node *after);
