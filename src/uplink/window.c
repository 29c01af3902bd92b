/* The ring of records on their way. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/window.h"

#include <assert.h>

bool window_takes(const struct window *w, uint64_t number)
{
    return !w->count || number - w->oldest < WINDOW_MAX;
}

uint16_t window_add(struct window *w, uint64_t number)
{
    assert(window_takes(w, number));
    unsigned slot = number % WINDOW_MAX;
    assert(!w->slots[slot].used);
    w->slots[slot].number = number;
    w->slots[slot].used = true;
    w->slots[slot].settled = false;
    if (!w->count++)
        w->oldest = number;
    return (uint16_t)(slot + 1);
}

bool window_number(const struct window *w, uint16_t packet_id, uint64_t *number_out)
{
    if (!packet_id || packet_id > WINDOW_MAX)
        return false;
    unsigned slot = packet_id - 1u;
    if (!w->slots[slot].used || w->slots[slot].settled)
        return false;
    *number_out = w->slots[slot].number;
    return true;
}

void window_settle(struct window *w, uint16_t packet_id)
{
    w->slots[packet_id - 1].settled = true;
}

/* Numbers may be missing between those on their way: their slots are free. */
uint64_t window_take_settled(struct window *w)
{
    uint64_t last = 0;
    while (w->count) {
        unsigned slot = w->oldest % WINDOW_MAX;
        if (w->slots[slot].used && !w->slots[slot].settled)
            break;
        if (w->slots[slot].used) {
            last = w->oldest;
            w->slots[slot].used = false;
            w->count--;
        }
        w->oldest++;
    }
    return last;
}

void window_clear(struct window *w)
{
    *w = (struct window){.count = 0};
}
