/* The retained messages' own: the tree, which retained.c keeps and retained_walk.c walks. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "session/retained.h"

/* A million topics make about two million of these in each loop, so it is kept small. */
struct node {
    struct node *chain; /* the next in the same bucket */
    struct node *parent, *child, *next, *before;
    struct message *message; /* shared; NULL: it only leads to others */
    uint32_t hash;
    uint32_t pins; /* walks that paused here: it stays where it is */
    uint16_t len;
    uint8_t level[];
};

/* The table grows by linear hashing: each new node splits one bucket in two, so that no node pays for all. `low`
 * buckets were there when this round of splits began, the first `split` of them are split already. */
struct retained {
    struct retained_limits limits;
    struct node *root; /* of no level */
    struct node **buckets;
    size_t room, low, split;
    size_t nodes;
    size_t sweep; /* the bucket that retained_sweep looks at next */
    size_t count, bytes;
    uint64_t seed;
};

struct node *tree_child(const struct retained *r, const struct node *parent, struct bytes level); /* NULL: none */
void tree_hold(struct retained *r, struct node *node, struct message *message); /* in place of the former; NULL: none */
bool tree_is_idle(const struct node *node);              /* it holds nothing any more and leads nowhere */
void tree_remove(struct retained *r, struct node *node); /* an idle one */
void tree_prune(struct retained *r,
                struct node *node); /* removes it if it is idle, and the parents that held only it */
