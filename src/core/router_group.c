/* Members of shares, in turns. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/router_group.h"

#include "base/memory.h"

#include <string.h>

struct router_group *group_find(struct router_group *first, struct bytes name)
{
    for (struct router_group *g = first; g; g = g->next)
        if (bytes_equal(bytes_of(g->name, g->name_len), name))
            return g;
    return NULL;
}

struct router_group *group_make(struct router_group **first, struct bytes name)
{
    struct router_group *g = mem_take(1, sizeof *g + name.len);
    if (!g)
        return NULL;
    list_open(&g->present);
    list_open(&g->away);
    g->name_len = name.len;
    memcpy(g->name, name.at, name.len);
    g->next = *first;
    *first = g;
    return g;
}

void group_drop_empty(struct router_group **first, struct router_group *g)
{
    if (g->members)
        return;
    while (*first != g)
        first = &(*first)->next;
    *first = g->next;
    mem_drop(g);
}

/* In turns: whoever was chosen goes to the end of its row. */
struct subscription *group_choose(struct router_group *g)
{
    struct list *row = list_empty(&g->present) ? &g->away : &g->present;
    struct list *chosen = list_take(row);
    list_append(row, chosen);
    return CONTAINER(chosen, struct subscription, place);
}
