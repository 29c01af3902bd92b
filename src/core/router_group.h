/* The members of one shared subscription at one node of the router's tree (MQTT 5.0, 4.8.2). For core/router.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/router.h"

/* The members of one share at one node: those present first in turn, then those away. */
struct router_group {
    struct router_group *next;
    struct list present, away;
    size_t members;
    size_t name_len;
    uint8_t name[];
};

struct router_group *group_find(struct router_group *first, struct bytes name);  /* NULL: none */
struct router_group *group_make(struct router_group **first, struct bytes name); /* NULL: no memory */
void group_drop_empty(struct router_group **first, struct router_group *g);      /* one that has members stays */
struct subscription *group_choose(struct router_group *g);                       /* of one that has members */
