/* The walk over the retained messages that a filter matches. It goes from node to node by child, sibling and parent, so
 * that no input decides how deep we recurse, and it can pause at any node, which then stays where it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "core/limits.h"
#include "session/retained_tree.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "retained: no memory for a walk"};

struct retained_walk {
    struct retained *retained;
    struct bytes levels[TOPIC_LEVELS_MAX]; /* of the filter, without a last "#" */
    size_t count;
    bool below; /* it ends with "#" */
    bool over;
    struct node *at;
    size_t depth; /* of `at`; the root's is 0 */
    int64_t now_us;
    struct retained_visitor *visitor;
    uint8_t filter[];
};

static struct retained_walk walk_over(struct retained *r, struct bytes filter)
{
    struct retained_walk w = {.retained = r, .at = r->root};
    for (struct bytes rest = filter; rest.at && !w.below && !w.over;) {
        struct bytes level = bytes_cut(&rest, '/');
        w.below = bytes_is(level, "#");
        w.over = !w.below && w.count == TOPIC_LEVELS_MAX; /* no topic is so deep */
        if (!w.below && !w.over)
            w.levels[w.count++] = level;
    }
    return w;
}

/* Is the filter's level that leads to nodes of this depth a wildcard? */
static bool is_wild(const struct retained_walk *w, size_t depth)
{
    return depth > w->count || bytes_is(w->levels[depth - 1], "+");
}

/* The first of node and its later siblings that a wildcard may lead to (4.7.2). */
static struct node *first_open(const struct retained_walk *w, struct node *node, size_t depth)
{
    while (node && depth == 1 && node->len && node->level[0] == '$')
        node = node->next;
    return node;
}

static struct node *way_down(const struct retained_walk *w)
{
    if (w->depth >= w->count && !w->below)
        return NULL;
    if (is_wild(w, w->depth + 1))
        return first_open(w, w->at->child, w->depth + 1);
    return tree_child(w->retained, w->at, w->levels[w->depth]);
}

/* Says the message of the node where the walk stands, if it is one that matches. False: the visitor did not take it. */
static bool say(struct retained_walk *w)
{
    struct message *message = w->at->message;
    if (!message || w->depth < w->count)
        return true;
    if (!message->expires_us || message->expires_us > w->now_us)
        return w->visitor->found(w->visitor, message);
    tree_hold(w->retained, w->at, NULL);
    return true;
}

/* On to the next node that can match: down, or else across, or else up and across. What became idle on the way goes.
 * False: that was all. */
static bool step(struct retained_walk *w)
{
    struct node *down = way_down(w);
    if (down) {
        w->at = down;
        w->depth++;
        return true;
    }
    while (w->depth) {
        struct node *left = w->at, *across = is_wild(w, w->depth) ? first_open(w, left->next, w->depth) : NULL;
        w->at = across ? across : left->parent;
        w->depth -= !across;
        if (tree_is_idle(left))
            tree_remove(w->retained, left);
        if (across)
            return true;
    }
    return false;
}

/* A message that the visitor does not take is where the walk goes on. */
static void go(struct retained_walk *w, size_t nodes)
{
    for (; nodes && !w->over && say(w); nodes--)
        w->over = !step(w);
}

void retained_match(struct retained *r, struct bytes filter, int64_t now_us, struct retained_visitor *visitor)
{
    struct retained_walk w = walk_over(r, filter);
    w.now_us = now_us;
    w.visitor = visitor;
    go(&w, SIZE_MAX);
    tree_prune(r, w.at);
}

err retained_walk_open(struct retained *r, struct bytes filter, struct retained_walk **out)
{
    struct retained_walk *w = mem_take(1, sizeof *w + filter.len);
    if (!w)
        return &no_memory;
    if (filter.len)
        memcpy(w->filter, filter.at, filter.len);
    *w = walk_over(r, bytes_of(w->filter, filter.len));
    w->at->pins++;
    *out = w;
    return OK;
}

bool retained_walk_on(struct retained_walk *w, int64_t now_us, size_t nodes, struct retained_visitor *visitor)
{
    w->now_us = now_us;
    w->visitor = visitor;
    w->at->pins--;
    go(w, nodes);
    w->at->pins++;
    return !w->over;
}

void retained_walk_close(struct retained_walk *w)
{
    if (!w)
        return;
    w->at->pins--;
    tree_prune(w->retained, w->at);
    mem_drop(w);
}
