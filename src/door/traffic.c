/* What all connections of one loop share: the scratch that is read into, and a bounded pool of buffers for what waits.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/connection_parts.h"

#include "base/memory.h"

static const struct fault no_memory = {ERR_MEMORY, "door: no memory for what the connections of a loop share"};

static void sweep(struct turn_end *end)
{
    connection_sweep(CONTAINER(end, struct traffic, sweep)->lobby);
}

err traffic_open(struct lobby *lobby, struct traffic **out)
{
    struct traffic *t = MEM_NEW(struct traffic);
    if (!t)
        return &no_memory;
    t->lobby = lobby;
    t->sweep.over = sweep;
    admission_open(&t->admission);
    *out = t;
    return OK;
}

err traffic_use_tls(struct traffic *t)
{
    return t->engine ? OK : tls_engine_open(&t->engine);
}

void traffic_close(struct traffic *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->pooled; i++) {
        buffer_wipe(t->pool[i]);
        mem_drop(t->pool[i]);
    }
    tls_context_drop(t->lists);
    tls_engine_close(t->engine);
    mem_wipe(t->scratch, sizeof t->scratch);
    mem_drop(t);
}

struct buffer *traffic_take(struct traffic *t, size_t max)
{
    struct buffer *b = t->pooled ? t->pool[--t->pooled] : MEM_NEW(struct buffer);
    if (b)
        b->max = max;
    return b;
}

void traffic_give(struct traffic *t, struct buffer **b)
{
    struct buffer *given = *b;
    *b = NULL;
    if (!given)
        return;
    if (t->pooled < POOL_MAX && given->room <= POOL_ROOM_MAX) {
        buffer_clear(given);
        t->pool[t->pooled++] = given;
        return;
    }
    buffer_wipe(given);
    mem_drop(given);
}
