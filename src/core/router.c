/* The subscription tree. Every node is found by (parent, level) in one hash table, so a level with a million children
 * costs no more than one with two; "+" and "#" are levels like any other. Devices publish to few topics again and
 * again, so what the walk found for a topic is remembered, until the tree gains or loses a node. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/router.h"

#include "base/memory.h"
#include "core/limits.h"
#include "core/router_group.h"
#include "core/topic.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "router: no memory for a subscription"};
static const struct fault elsewhere = {ERR_AGAIN, "router: the member of a share that was chosen left meanwhile"};
static const struct fault full = {ERR_FULL, "router: the maximum number of subscriptions is reached"};

struct router_node {
    struct table_node place; /* key: the parent's number, then the level */
    struct router_node *parent;
    uint64_t number;
    size_t children;
    struct list subscriptions;
    struct router_group *groups;
    uint8_t key[];
};

enum {
    NUMBER = sizeof(uint64_t),
    FINDS = 1024,    /* topics whose nodes are remembered: a power of two */
    FIND_NODES = 6,  /* more nodes are walked to each time */
    FIND_TOPIC = 96, /* longer topics, too */
};

/* What the walk found for a topic. */
struct find {
    uint64_t generation; /* of the tree; another one: forgotten. 0: never found */
    uint64_t hash;
    const struct router_node *nodes[FIND_NODES];
    uint8_t count, topic_len;
    uint8_t topic[FIND_TOPIC];
};

struct router {
    struct table nodes;
    struct router_node *root;
    struct interests *interests;
    uint64_t last_number, generation;
    size_t count, max;
    uint64_t offers; /* that were made here: the last one's number */
    size_t asked;    /* members of shares that are offered messages: they keep them, or are elsewhere */
    struct find *finds;
    struct route_end *end;
};

err router_open(size_t subscriptions_max, uint64_t seed, struct interests *interests, struct router **out)
{
    struct router *r = MEM_NEW(struct router);
    struct router_node *root = r ? MEM_NEW(struct router_node) : NULL;
    struct find *finds = root ? mem_take(FINDS, sizeof *finds) : NULL;
    if (!finds) {
        mem_drop(root);
        mem_drop(r);
        return &no_memory;
    }
    table_open(&r->nodes, subscriptions_max * TOPIC_LEVELS_MAX, seed);
    list_open(&root->subscriptions);
    r->root = root;
    r->max = subscriptions_max;
    r->interests = interests;
    r->generation = 1;
    r->finds = finds;
    *out = r;
    return OK;
}

static void node_drop(struct router_node *node)
{
    for (struct router_group *g = node->groups, *next; g; g = next) {
        next = g->next;
        mem_drop(g);
    }
    mem_drop(node);
}

void router_close(struct router *r)
{
    if (!r)
        return;
    for (struct table_node *node = table_next(&r->nodes, NULL), *next; node; node = next) {
        next = table_next(&r->nodes, node);
        node_drop(CONTAINER(node, struct router_node, place));
    }
    table_close(&r->nodes);
    node_drop(r->root);
    mem_drop(r->finds);
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
    r->generation++;
    *out = node;
    return OK;
}

/* Drops a node that holds nothing any more, and the parents that held only it. */
static void prune(struct router *r, struct router_node *node)
{
    while (node->parent && !node->children && !node->groups && list_empty(&node->subscriptions)) {
        struct router_node *parent = node->parent;
        table_remove(&r->nodes, &node->place);
        mem_drop(node);
        r->generation++;
        parent->children--;
        node = parent;
    }
}

/* ---- adding and removing */

static struct list *row_of(const struct subscription *s)
{
    if (!s->group)
        return &s->node->subscriptions;
    return s->flags & SUBSCRIPTION_AWAY ? &s->group->away : &s->group->present;
}

/* The filter behind any share, put together again from the nodes. */
static struct bytes filter_of(const struct router_node *node, uint8_t out[TOPIC_MAX])
{
    size_t at = TOPIC_MAX;
    for (; node->parent; node = node->parent) {
        size_t len = node->place.key.len - NUMBER;
        at -= len;
        if (len)
            memcpy(out + at, node->key + NUMBER, len);
        if (node->parent->parent)
            out[--at] = '/';
    }
    return bytes_of(out + at, TOPIC_MAX - at);
}

/* What others may read of it. A member of a share that is published to from other loops is chosen there. */
static void show(struct router *r, const struct subscription *s, void (*change)(struct interest *, struct bytes))
{
    uint8_t text[TOPIC_MAX];
    struct bytes filter = filter_of(s->node, text);
    if (!s->group && !(s->flags & SUBSCRIPTION_PROXY))
        change(&r->interests->live, filter);
    if (s->flags & SUBSCRIPTION_KEEPS && !s->group)
        change(&r->interests->keeping, filter);
}

/* A loop elsewhere is asked for its member: nothing else would hold up whoever publishes faster than it delivers. */
static bool is_asked(const struct subscription *s)
{
    return s->group && s->flags & (SUBSCRIPTION_KEEPS | SUBSCRIPTION_PROXY);
}

static void enter(struct router *r, struct subscription *s)
{
    list_append(row_of(s), &s->place);
    r->asked += is_asked(s);
    show(r, s, interest_add);
}

static void leave(struct router *r, struct subscription *s)
{
    show(r, s, interest_remove);
    list_remove(&s->place);
    r->asked -= is_asked(s);
}

static err find_or_make(struct router *r, struct bytes filter, struct router_node **out)
{
    struct router_node *node = r->root;
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
    *out = node;
    return OK;
}

err router_add(struct router *r, struct bytes filter, struct subscription *s)
{
    struct topic_share share;
    struct router_node *node;
    if (r->count >= r->max)
        return &full;
    TRY(topic_share(filter, &share));
    TRY(find_or_make(r, share.filter, &node));
    struct router_group *group = share.name.len ? group_find(node->groups, share.name) : NULL;
    if (share.name.len && !group && !(group = group_make(&node->groups, share.name))) {
        prune(r, node);
        return &no_memory;
    }
    if (list_empty(&node->subscriptions) && (!group || !group->members))
        r->generation++; /* nobody looked for it here before */
    s->node = node;
    s->group = group;
    s->changed = 0;
    if (group)
        group->members++;
    enter(r, s);
    r->count++;
    return OK;
}

void router_remove(struct router *r, struct subscription *s)
{
    struct router_node *node = s->node;
    if (!node)
        return;
    leave(r, s);
    if (s->group) {
        s->group->members--;
        group_drop_empty(&node->groups, s->group);
    }
    s->node = NULL;
    s->group = NULL;
    r->count--;
    prune(r, node);
}

void router_mark(struct router *r, struct subscription *s, unsigned flags)
{
    if (!s->node || s->flags == flags)
        return;
    leave(r, s);
    if ((s->flags ^ flags) & SUBSCRIPTION_KEEPS)
        s->changed = r->offers + 1;
    s->flags = flags;
    enter(r, s);
}

/* ---- matching */

/* What is done with each node that a topic matches. */
struct visit {
    void (*node)(struct visit *self, const struct router_node *node);
};

/* Depth-first over at most TOPIC_LEVELS_MAX levels, each of which forks at most once ("+"): an explicit stack, so that
 * no input decides how deep we recurse. */
static void walk_tree(const struct router *r, struct bytes topic, struct visit *visit)
{
    struct branch {
        const struct router_node *node;
        struct bytes rest;
    } stack[TOPIC_LEVELS_MAX + 2];
    size_t depth = 0;
    bool system = topic.at[0] == '$';
    stack[depth++] = (struct branch){r->root, topic};
    while (depth) {
        struct branch at = stack[--depth];
        bool wildcards = !(system && at.node == r->root);
        const struct router_node *all = wildcards ? child_find(r, at.node, BYTES("#")) : NULL;
        if (all)
            visit->node(visit, all);
        if (!at.rest.at) {
            visit->node(visit, at.node);
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
}

struct gathering {
    struct visit visit;
    struct find *into;
    size_t count;
};

static void gather(struct visit *self, const struct router_node *node)
{
    struct gathering *g = CONTAINER(self, struct gathering, visit);
    if (list_empty(&node->subscriptions) && !node->groups)
        return;
    if (g->count < FIND_NODES)
        g->into->nodes[g->count] = node;
    g->count++;
}

/* The nodes of a topic, remembered or found now. NULL: it is too long or has too many to be remembered. */
static const struct find *find_nodes(struct router *r, struct bytes topic)
{
    if (topic.len > FIND_TOPIC)
        return NULL;
    uint64_t hash = table_hash(r->nodes.seed, topic);
    struct find *f = &r->finds[hash & (FINDS - 1)];
    if (f->generation == r->generation && f->hash == hash && bytes_equal(bytes_of(f->topic, f->topic_len), topic))
        return f;
    struct gathering gathering = {.visit = {gather}, .into = f};
    f->generation = 0;
    walk_tree(r, topic, &gathering.visit);
    if (gathering.count > FIND_NODES)
        return NULL;
    f->generation = r->generation;
    f->hash = hash;
    f->count = (uint8_t)gathering.count;
    f->topic_len = (uint8_t)topic.len;
    memcpy(f->topic, topic.at, topic.len);
    return f;
}

static void visit_nodes(struct router *r, struct bytes topic, struct visit *visit)
{
    const struct find *f = find_nodes(r, topic);
    if (!f) {
        walk_tree(r, topic, visit);
        return;
    }
    for (size_t i = 0; i < f->count; i++)
        visit->node(visit, f->nodes[i]);
}

/* A message that is routed, or an offer of it. */
struct routing {
    struct visit visit;
    struct message *message;
    struct offer *offer; /* NULL: routed */
    enum route route;
    uint64_t offered; /* ROUTE_OFFERED: the number of its offer here */
};

/* Who was asked when the message was offered is passed by now, whatever its flags have become since. */
static bool was_asked(const struct routing *routing, const struct subscription *s)
{
    bool keeps = s->flags & SUBSCRIPTION_KEEPS;
    return s->changed > routing->offered ? !keeps : keeps;
}

static void hand_to(const struct routing *routing, struct subscription *s)
{
    if (routing->offer)
        s->calls->offer(s, routing->offer);
    else
        s->calls->deliver(s, routing->message);
}

static void route_node(struct visit *self, const struct router_node *node)
{
    const struct routing *routing = CONTAINER(self, struct routing, visit);
    list_each (at, &node->subscriptions) {
        struct subscription *s = CONTAINER(at, struct subscription, place);
        if (routing->offer ? s->flags & SUBSCRIPTION_KEEPS : routing->route != ROUTE_OFFERED || !was_asked(routing, s))
            hand_to(routing, s);
    }
    for (struct router_group *g = routing->route == ROUTE_FRESH ? node->groups : NULL; g; g = g->next)
        hand_to(routing, group_choose(g));
}

static void route_all(struct router *r, struct routing *routing)
{
    if (!r->count)
        return;
    visit_nodes(r, routing->message->topic, &routing->visit);
    if (r->end)
        r->end->over(r->end);
}

void router_route(struct router *r, struct message *message, enum route route)
{
    route_all(r, &(struct routing){{route_node}, message, NULL, route, UINT64_MAX});
}

void router_route_offered(struct router *r, const struct offer *offer)
{
    route_all(r, &(struct routing){{route_node}, offer->message, NULL, ROUTE_OFFERED, offer->number});
}

void router_tell_end(struct router *r, struct route_end *end)
{
    r->end = end;
}

/* NULL: there is no such share here. */
static struct router_group *group_of(const struct router *r, struct bytes filter)
{
    struct topic_share share;
    const struct router_node *node = r->root;
    if (topic_share(filter, &share))
        return NULL;
    while (node && share.filter.at)
        node = child_find(r, node, bytes_cut(&share.filter, '/'));
    return node ? group_find(node->groups, share.name) : NULL;
}

void router_route_share(struct router *r, struct message *message, struct bytes filter)
{
    struct router_group *g = group_of(r, filter);
    struct subscription *s = g ? group_choose(g) : NULL;
    if (s)
        s->calls->deliver(s, message);
}

err router_offer_share(struct router *r, struct offer *offer, struct bytes filter)
{
    struct router_group *g = group_of(r, filter);
    for (size_t looked = 0; g && looked < g->members; looked++) {
        struct subscription *s = group_choose(g);
        if (s->flags & SUBSCRIPTION_PROXY)
            continue;
        s->calls->offer(s, offer);
        return OK;
    }
    return g ? &elsewhere : OK;
}

void router_offer(struct router *r, struct offer *offer, enum route route)
{
    struct routing routing = {{route_node}, offer->message, offer, route, 0};
    offer->number = ++r->offers;
    visit_nodes(r, offer->message->topic, &routing.visit);
}

bool router_may_keep(const struct router *r, struct bytes topic)
{
    return r->asked || interest_has(&r->interests->keeping, topic);
}

size_t router_count(const struct router *r)
{
    return r->count;
}
