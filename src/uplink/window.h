/* The window: which records are on their way, in order, and which of them are settled. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum { WINDOW_MAX = 256 };

/* A ring. A record's packet identifier is its slot plus one, so an acknowledgement finds it without a search. {0} is
 * empty. */
struct window {
    struct {
        uint64_t number;
        bool settled;
    } slots[WINDOW_MAX];
    uint16_t oldest, count;
};

/* Puts the record behind the others and gives its packet identifier. The window must hold less than WINDOW_MAX. */
uint16_t window_add(struct window *w, uint64_t number);
/* False: nothing with this identifier is on its way. */
bool window_number(const struct window *w, uint16_t packet_id, uint64_t *number_out);
void window_settle(struct window *w, uint16_t packet_id); /* of one that window_number knows */
/* Takes off what is settled from the oldest on; the last number of it, 0: nothing. */
uint64_t window_take_settled(struct window *w);
void window_clear(struct window *w);
