/* The board port (core/board.h) over all loops: asks each by mail and waits until all have answered. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/board.h"

#include <pthread.h>

struct lobby;

struct floor_board {
    struct board board; /* hand this to the API */
    struct lobby *const *lobbies;
    size_t count;
    pthread_mutex_t lock; /* over the order: query threads give it and read it */
    struct drain_order order;
};

/* Borrows the lobbies, whose loops run while the board is asked. */
void floor_board_open(struct floor_board *b, struct lobby *const *lobbies, size_t count);
void floor_board_close(struct floor_board *b);
