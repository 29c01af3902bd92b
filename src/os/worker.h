/* The worker: one thread for calls that block, so that the loop never does. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/loop.h"

struct worker;

/* A piece of blocking work, embedded in its owner, which leaves it alone while it is away: the loop hands it over, the
 * worker does it, and it comes back to the loop. */
struct errand {
    struct mail mail;
    void (*work)(struct errand *self); /* on the worker's thread; touches the errand alone */
    void (*done)(struct errand *self); /* on the loop's thread */
    struct mailbox *home;
    bool away;
};

MUST err worker_start(struct loop *home, struct worker **out); /* borrows the loop; gives */
/* Takes; waits for the errand that is being done. Answers wait in the loop's mailbox. NULL is fine. */
void worker_stop(struct worker *worker);
/* ERR_AGAIN: the errand is away already. */
MUST err worker_send(struct worker *worker, struct errand *errand);
