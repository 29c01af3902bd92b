/* A roll: how many sessions each of many holds on this loop, which is all it holds anywhere (lobby_home). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/table.h"

struct roll {
    struct table entries;
};

void roll_open(struct roll *roll, size_t devices_max, uint64_t seed);
void roll_close(struct roll *roll);
size_t roll_sessions(const struct roll *roll, const char *id); /* that it holds now */
MUST err roll_enter(struct roll *roll, const char *id);        /* one session more; ERR_FULL, ERR_MEMORY: not counted */
void roll_present(struct roll *roll, const char *id);          /* a session of it was remembered as its presence */
/* One session less. `present` is told to the last one only: the presence that is to be taken back, by whichever session
 * it was remembered. */
struct roll_left {
    size_t sessions;
    bool present;
};
struct roll_left roll_leave(struct roll *roll, const char *id);
