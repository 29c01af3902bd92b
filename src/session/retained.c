/* The retained messages: a tree of topic levels. A node is found by (parent, level) in one hash table, so an exact
 * topic costs its levels and no more; a node knows its children, so a wildcard visits only what can match. The walks go
 * from node to node by child, sibling and parent, so that no input decides how deep we recurse. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "session/retained_tree.h"

#include "base/memory.h"
#include "base/table.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "retained: no memory for a message"};
static const struct fault many = {ERR_FULL, "retained: the maximum number of retained messages is reached"};
static const struct fault much = {ERR_FULL, "retained: the maximum size of retained messages is reached"};

enum { BUCKETS_FIRST = 16 };

/* ---- the table */

static uint32_t hash_of(const struct retained *r, const struct node *parent, struct bytes level)
{
    uint64_t hash = table_hash(r->seed ^ (uintptr_t)parent * 0x9E3779B97F4A7C15u, level);
    return (uint32_t)(hash ^ hash >> 32);
}

static struct node **bucket_of(const struct retained *r, uint32_t hash)
{
    size_t at = hash & (r->low - 1);
    if (at < r->split)
        at = hash & (2 * r->low - 1);
    return &r->buckets[at];
}

struct node *tree_child(const struct retained *r, const struct node *parent, struct bytes level)
{
    if (!parent->child)
        return NULL;
    uint32_t hash = hash_of(r, parent, level);
    for (struct node *node = *bucket_of(r, hash); node; node = node->chain)
        if (node->hash == hash && node->parent == parent && bytes_equal(bytes_of(node->level, node->len), level))
            return node;
    return NULL;
}

/* Those beyond the ones in use are not looked at, and so need no clearing: a large table is made larger in no time. */
static err buckets_make(struct retained *r, size_t room)
{
    struct node **buckets = mem_grow(r->buckets, room, sizeof *buckets);
    if (!buckets)
        return &no_memory;
    r->buckets = buckets;
    r->room = room;
    return OK;
}

/* A table without nodes starts again. */
static err buckets_reset(struct retained *r)
{
    if (r->room != BUCKETS_FIRST)
        TRY(buckets_make(r, BUCKETS_FIRST));
    memset(r->buckets, 0, BUCKETS_FIRST * sizeof *r->buckets);
    r->low = BUCKETS_FIRST;
    r->split = r->sweep = 0;
    return OK;
}

/* One bucket becomes two. Without memory for it, the chains grow a little longer. */
static void split_one(struct retained *r)
{
    if (r->low + r->split >= r->room && buckets_make(r, r->room * 2))
        return;
    struct node *node = r->buckets[r->split], *next, **low = &r->buckets[r->split], **high = low + r->low;
    *low = *high = NULL;
    for (; node; node = next) {
        next = node->chain;
        struct node **to = node->hash & r->low ? high : low;
        node->chain = *to;
        *to = node;
    }
    if (++r->split < r->low)
        return;
    r->low *= 2;
    r->split = 0;
}

/* ---- the tree */

static err child_make(struct retained *r, struct node *parent, struct bytes level, struct node **out)
{
    struct node *node = mem_take(1, sizeof *node + level.len);
    if (!node)
        return &no_memory;
    if (r->nodes >= r->low + r->split)
        split_one(r);
    node->hash = hash_of(r, parent, level);
    node->len = (uint16_t)level.len;
    if (level.len)
        memcpy(node->level, level.at, level.len);
    struct node **bucket = bucket_of(r, node->hash);
    node->chain = *bucket;
    *bucket = node;
    node->parent = parent;
    node->next = parent->child;
    if (node->next)
        node->next->before = node;
    parent->child = node;
    r->nodes++;
    *out = node;
    return OK;
}

void tree_remove(struct retained *r, struct node *node)
{
    struct node **at = bucket_of(r, node->hash);
    while (*at != node)
        at = &(*at)->chain;
    *at = node->chain;
    if (node->next)
        node->next->before = node->before;
    if (node->before)
        node->before->next = node->next;
    else
        node->parent->child = node->next;
    r->nodes--;
    mem_drop(node);
}

bool tree_is_idle(const struct node *node)
{
    return node->parent && !node->message && !node->child && !node->pins;
}

/* Drops a node that holds nothing any more, and the parents that held only it. */
void tree_prune(struct retained *r, struct node *node)
{
    while (tree_is_idle(node)) {
        struct node *parent = node->parent;
        tree_remove(r, node);
        node = parent;
    }
}

static struct node *topic_find(const struct retained *r, struct bytes topic)
{
    const struct node *node = r->root;
    struct node *child = NULL;
    for (struct bytes rest = topic; node && rest.at; node = child)
        child = tree_child(r, node, bytes_cut(&rest, '/'));
    return child;
}

static err topic_make(struct retained *r, struct bytes topic, struct node **out)
{
    struct node *node = r->root;
    for (struct bytes rest = topic; rest.at;) {
        struct bytes level = bytes_cut(&rest, '/');
        struct node *child = tree_child(r, node, level);
        err failed = child ? OK : child_make(r, node, level, &child);
        if (failed) {
            tree_prune(r, node);
            return failed;
        }
        node = child;
    }
    *out = node;
    return OK;
}

/* ---- what is held */

static size_t size_of(const struct message *m)
{
    return m ? m->topic.len + m->payload.len + m->properties.len : 0;
}

/* The message at a node, or none, in place of the former one. */
void tree_hold(struct retained *r, struct node *node, struct message *message)
{
    struct message *former = node->message;
    r->count += (message != NULL) - (former != NULL);
    r->bytes += size_of(message) - size_of(former);
    node->message = message ? message_share(message) : NULL;
    message_drop(former);
}

err retained_open(const struct retained_limits *limits, uint64_t seed, struct retained **out)
{
    struct retained *r = MEM_NEW(struct retained);
    if (!r)
        return &no_memory;
    r->limits = *limits;
    r->seed = seed;
    r->root = MEM_NEW(struct node);
    if (!r->root || buckets_reset(r)) {
        mem_drop(r->root);
        mem_drop(r);
        return &no_memory;
    }
    *out = r;
    return OK;
}

void retained_close(struct retained *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->low + r->split; i++)
        for (struct node *node = r->buckets[i], *next; node; node = next) {
            next = node->chain;
            message_drop(node->message);
            mem_drop(node);
        }
    mem_drop(r->buckets);
    mem_drop(r->root);
    mem_drop(r);
}

err retained_admits(const struct retained *r, const struct message *message)
{
    if (!message->payload.len)
        return OK;
    const struct node *node = topic_find(r, message->topic);
    const struct message *former = node ? node->message : NULL;
    size_t size = size_of(message), others = r->bytes - size_of(former);
    if (!former && r->count >= r->limits.messages_max)
        return &many;
    if (size > size_of(former) && (others > r->limits.bytes_max || size > r->limits.bytes_max - others))
        return &much;
    return OK;
}

err retained_put(struct retained *r, struct message *message)
{
    struct node *node;
    if (message->payload.len) {
        TRY(topic_make(r, message->topic, &node));
        tree_hold(r, node, message);
        return OK;
    }
    node = topic_find(r, message->topic);
    if (node) {
        tree_hold(r, node, NULL);
        tree_prune(r, node);
    }
    return OK;
}

size_t retained_count(const struct retained *r)
{
    return r->count;
}

size_t retained_bytes(const struct retained *r)
{
    return r->bytes;
}

/* ---- what has expired */

size_t retained_sweep(struct retained *r, int64_t now_us, size_t buckets)
{
    size_t before = r->count;
    if (!r->nodes)
        IGNORE(buckets_reset(r));
    for (; buckets; buckets--) {
        if (r->sweep >= r->low + r->split)
            r->sweep = 0;
        for (struct node *node = r->buckets[r->sweep], *next; node; node = next) {
            next = node->chain;
            if (!node->message || !node->message->expires_us || node->message->expires_us > now_us)
                continue;
            tree_hold(r, node, NULL);
            tree_prune(r, node);
            next = r->buckets[r->sweep]; /* a pruned parent may have stood in the same bucket */
        }
        r->sweep++;
    }
    return before - r->count;
}
