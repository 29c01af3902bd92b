/* The subscription tree. Every node is found by (parent, level) in one hash table, so a level with a million children
 * costs no more than one with two; "+" and "#" are levels like any other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/router.h"

#include "base/memory.h"
#include "core/limits.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "router: no memory for a subscription"};
static const struct fault full = {ERR_FULL, "router: the maximum number of subscriptions is reached"};

struct router_node {
    struct table_node place; /* key: the parent's number, then the level */
    struct router_node *parent;
    uint64_t number;
    size_t children;
    struct list subscriptions;
    uint8_t key[];
};

struct router {
    struct table nodes;
    struct router_node *root;
    uint64_t last_number;
    size_t count, max;
};

enum { NUMBER = sizeof(uint64_t) };

err router_open(size_t subscriptions_max, uint64_t seed, struct router **out)
{
    struct router *r = MEM_NEW(struct router);
    struct router_node *root = r ? MEM_NEW(struct router_node) : NULL;
    if (!root) {
        mem_drop(r);
        return &no_memory;
    }
    table_open(&r->nodes, subscriptions_max * TOPIC_LEVELS_MAX, seed);
    list_open(&root->subscriptions);
    r->root = root;
    r->max = subscriptions_max;
    *out = r;
    return OK;
}

void router_close(struct router *r)
{
    if (!r)
        return;
    for (struct table_node *node = table_next(&r->nodes, NULL), *next; node; node = next) {
        next = table_next(&r->nodes, node);
        table_remove(&r->nodes, node);
        mem_drop(CONTAINER(node, struct router_node, place));
    }
    table_close(&r->nodes);
    mem_drop(r->root);
    mem_drop(r);
}

static size_t make_key(uint8_t *key, const struct router_node *parent, struct bytes level)
{
    memcpy(key, &parent->number, NUMBER);
    if (level.len)
        memcpy(key + NUMBER, level.at, level.len);
    return NUMBER + level.len;
}

static struct router_node *child_find(const struct router *r, const struct router_node *parent, struct bytes level)
{
    uint8_t key[NUMBER + TOPIC_MAX];
    if (!parent->children || level.len > TOPIC_MAX) /* no filter has such a level */
        return NULL;
    struct table_node *found = table_find(&r->nodes, bytes_of(key, make_key(key, parent, level)));
    return found ? CONTAINER(found, struct router_node, place) : NULL;
}

static err child_make(struct router *r, struct router_node *parent, struct bytes level, struct router_node **out)
{
    struct router_node *node = mem_take(1, sizeof *node + NUMBER + level.len);
    if (!node)
        return &no_memory;
    size_t len = make_key(node->key, parent, level);
    err failed = table_add(&r->nodes, &node->place, bytes_of(node->key, len));
    if (failed) {
        mem_drop(node);
        return failed;
    }
    list_open(&node->subscriptions);
    node->parent = parent;
    node->number = ++r->last_number;
    parent->children++;
    *out = node;
    return OK;
}

/* Drops a node that holds nothing any more, and the parents that held only it. */
static void prune(struct router *r, struct router_node *node)
{
    while (node->parent && !node->children && list_empty(&node->subscriptions)) {
        struct router_node *parent = node->parent;
        table_remove(&r->nodes, &node->place);
        mem_drop(node);
        parent->children--;
        node = parent;
    }
}

err router_add(struct router *r, struct bytes filter, struct subscription *s)
{
    struct router_node *node = r->root;
    if (r->count >= r->max)
        return &full;
    for (struct bytes rest = filter; rest.at;) {
        struct bytes level = bytes_cut(&rest, '/');
        struct router_node *child = child_find(r, node, level);
        err failed = child ? OK : child_make(r, node, level, &child);
        if (failed) {
            prune(r, node);
            return failed;
        }
        node = child;
    }
    s->node = node;
    list_append(&node->subscriptions, &s->place);
    r->count++;
    return OK;
}

void router_remove(struct router *r, struct subscription *s)
{
    struct router_node *node = s->node;
    if (!node)
        return;
    list_remove(&s->place);
    s->node = NULL;
    r->count--;
    prune(r, node);
}

static size_t deliver_all(const struct router_node *node, struct message *message)
{
    size_t delivered = 0;
    list_each (at, &node->subscriptions) {
        struct subscription *s = CONTAINER(at, struct subscription, place);
        s->deliver(s, message);
        delivered++;
    }
    return delivered;
}

/* Depth-first over at most TOPIC_LEVELS_MAX levels, each of which forks at most once ("+"): an explicit stack, so that
 * no input decides how deep we recurse. */
size_t router_route(struct router *r, struct message *message)
{
    struct branch {
        const struct router_node *node;
        struct bytes rest;
    } stack[TOPIC_LEVELS_MAX + 2];
    size_t depth = 0, delivered = 0;
    bool system = message->topic.at[0] == '$';
    stack[depth++] = (struct branch){r->root, message->topic};
    while (depth) {
        struct branch at = stack[--depth];
        bool wildcards = !(system && at.node == r->root);
        const struct router_node *all = wildcards ? child_find(r, at.node, BYTES("#")) : NULL;
        if (all)
            delivered += deliver_all(all, message);
        if (!at.rest.at) {
            delivered += deliver_all(at.node, message);
            continue;
        }
        struct bytes level = bytes_cut(&at.rest, '/');
        const struct router_node *any = wildcards ? child_find(r, at.node, BYTES("+")) : NULL;
        const struct router_node *exact = child_find(r, at.node, level);
        if (any)
            stack[depth++] = (struct branch){any, at.rest};
        if (exact)
            stack[depth++] = (struct branch){exact, at.rest};
    }
    return delivered;
}

size_t router_count(const struct router *r)
{
    return r->count;
}
