/* The file `head`: how far the spool has been emptied, kept in two slots so that one is good at any moment. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

struct spool_head {
    int fd;        /* -1: closed */
    unsigned slot; /* the one to write next */
};

/* Opens or makes the file; close the descriptor. *number_out is the first number that was not dropped, 0 when no slot
 * is readable. */
MUST err spool_head_open(int folder, struct spool_head *head, uint64_t *number_out);
MUST err spool_head_write(struct spool_head *head, uint64_t number); /* not synced */
