/* The roll: how many sessions each device holds on this loop, which is all it holds anywhere (lobby_home). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/table.h"

struct roll {
    struct table entries;
};

void roll_open(struct roll *roll, size_t devices_max, uint64_t seed);
void roll_close(struct roll *roll);
MUST err roll_enter(struct roll *roll, const char *id);  /* one session more; ERR_FULL, ERR_MEMORY: not counted */
size_t roll_leave(struct roll *roll, const char *id);    /* one session less; how many are left */
