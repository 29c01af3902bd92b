/* The clerk's desks: how errands come to the store thread, and how they go home. One desk is one recorder. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/recorder.h"
#include "os/loop.h"

/* Errands in order, linked by their mails, which no mailbox holds meanwhile. */
struct pile {
    struct mail *first, *last;
    size_t count;
};

void pile_add(struct pile *p, struct mail *mail);
struct mail *pile_take(struct pile *p); /* NULL: empty */

/* What all desks lead to. */
struct intake {
    struct mailbox *box;
    bool ended;            /* the store thread is over, and with it all that could post at the same time */
    struct pile pile;      /* the store thread's: what has arrived */
    struct desk *answered; /* the store thread's: those with answers */
};

struct desk {
    struct recorder port;
    struct intake *intake;
    struct mailbox *home; /* NULL: errands are done on the store thread */

    /* Of a loop's desk; its thread's. What is posted within a turn is handed over together at the turn's end, for one
     * lock and at most one wake-up. While the box is full nothing is gathered, so that a refusal is heard at once. */
    struct loop *loop;
    struct turn_end turn_end;
    struct pile gathered;
    bool crowded; /* the box was full */

    /* The store thread's. */
    struct pile answers; /* to be sent home together */
    struct desk *next;   /* another one with answers */
};

/* On the thread of the mailbox `home`, or with NULL on any. */
void desk_open(struct desk *desk, struct intake *intake, struct mailbox *home);
/* At home in a loop: posts from its thread alone are gathered. */
void desk_open_loop(struct desk *desk, struct intake *intake, struct loop *loop);
void desk_hand_over(struct desk *desk); /* what is gathered; an empty pile is fine */

/* On the store thread: takes the errand, whose result is final. answers_send then wakes each home once, so that a loop
 * hears of a whole batch together and answers each of its peers with one write. */
void desk_answer(struct errand *errand);
void answers_send(struct intake *intake);

struct errand *errand_of(struct mail *mail);
