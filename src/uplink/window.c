/* The ring of records on their way. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/window.h"

#include <assert.h>

uint16_t window_add(struct window *w, uint64_t number)
{
    assert(w->count < WINDOW_MAX);
    uint16_t slot = (uint16_t)((w->oldest + w->count++) % WINDOW_MAX);
    w->slots[slot].number = number;
    w->slots[slot].settled = false;
    return (uint16_t)(slot + 1);
}

bool window_number(const struct window *w, uint16_t packet_id, uint64_t *number_out)
{
    if (!packet_id || packet_id > WINDOW_MAX)
        return false;
    unsigned slot = packet_id - 1u;
    unsigned behind = (slot + WINDOW_MAX - w->oldest) % WINDOW_MAX;
    if (behind >= w->count || w->slots[slot].settled)
        return false;
    *number_out = w->slots[slot].number;
    return true;
}

void window_settle(struct window *w, uint16_t packet_id)
{
    w->slots[packet_id - 1].settled = true;
}

uint64_t window_take_settled(struct window *w)
{
    uint64_t last = 0;
    while (w->count && w->slots[w->oldest].settled) {
        last = w->slots[w->oldest].number;
        w->oldest = (uint16_t)((w->oldest + 1) % WINDOW_MAX);
        w->count--;
    }
    return last;
}

void window_clear(struct window *w)
{
    w->oldest = w->count = 0;
}
