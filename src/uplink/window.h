/* The window: which records are on their way, in order, and which of them are settled. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum { WINDOW_MAX = 256 };

/* A ring. A record's packet identifier follows from its number, so an acknowledgement finds it without a search, and a
 * record that is sent again, also by another process, has the identifier that it had (MQTT 5.0, 4.4). {0} is empty. */
struct window {
    struct {
        uint64_t number;
        bool used, settled;
    } slots[WINDOW_MAX];
    uint64_t oldest; /* when count is not 0 */
    uint16_t count;
};

/* False: the number lies too far behind the oldest on its way; it may go when that is settled. An empty window takes
 * any number. */
bool window_takes(const struct window *w, uint64_t number);
/* Puts the record behind the others, whose numbers are lower, and gives its packet identifier. The window must take
 * it. */
uint16_t window_add(struct window *w, uint64_t number);
/* False: nothing with this identifier is on its way. */
bool window_number(const struct window *w, uint16_t packet_id, uint64_t *number_out);
void window_settle(struct window *w, uint16_t packet_id); /* of one that window_number knows */
/* Takes off what is settled from the oldest on; the last number of it, 0: nothing. */
uint64_t window_take_settled(struct window *w);
void window_clear(struct window *w);
