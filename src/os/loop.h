/* An event loop: one thread, one epoll, a heap of timers, a mailbox. Nothing in it may be touched by another thread
 * but the mailbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "base/latency.h"
#include "os/mailbox.h"

struct loop;

/* A file descriptor that is watched. Embedded in its owner; the loop borrows it until loop_unwatch. */
struct watcher {
    int fd;
    void (*ready)(struct watcher *self, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
};

/* A one-shot timer. Embedded in its owner; zero is an unset timer. Setting a set timer moves it. */
struct timer {
    int64_t due_ms; /* by the loop's monotonic clock */
    size_t place;   /* the loop's own; 0: unset */
    void (*due)(struct timer *self);
};

/* What is to be done once when a turn is over: after all its watchers, mails and timers, before the loop sleeps.
 * Embedded in its owner; zero is unset. */
struct turn_end {
    struct turn_end *next; /* the loop's own, as the next */
    bool set;
    void (*over)(struct turn_end *self);
};

MUST err loop_open(const struct clock *clock, size_t mailbox_max, struct loop **out); /* borrows clock; gives */
/* Takes; after loop_run returned. Watchers, timers and what was left for a turn's end are forgotten. NULL is fine. */
void loop_close(struct loop *loop);

MUST err loop_run(struct loop *loop); /* until loop_stop; ERR_IO when epoll itself fails */
void loop_stop(struct loop *loop);    /* after the current turn; from any thread, and from a signal handler */

MUST err loop_watch(struct loop *loop, struct watcher *w, uint32_t events);
MUST err loop_rewatch(struct loop *loop, struct watcher *w, uint32_t events);
void loop_unwatch(struct loop *loop, struct watcher *w); /* before its fd is closed; safe inside any callback */

/* Due after_ms from loop_now_ms. 0: at the end of this turn, when all watchers and mails that were ready have been
 * told; set by a timer that fires, it is one millisecond at the earliest. ERR_MEMORY when the heap can't grow; a timer
 * that is set already moves without needing memory. */
MUST err loop_timer_set(struct loop *loop, struct timer *t, int64_t after_ms);
void loop_timer_clear(struct loop *loop, struct timer *t); /* an unset timer is fine; safe inside any callback */

/* At the end of this turn, once, however often it is asked for. Asked for by another one that runs: at this turn's end
 * too. The loop borrows it until then; loop_close forgets it. */
void loop_at_turn_end(struct loop *loop, struct turn_end *t);
/* At the end of the next turn, which does not sleep: for what has work left and lets the others have their turn first.
 */
void loop_at_next_turn_end(struct loop *loop, struct turn_end *t);

int64_t loop_now_ms(const struct loop *loop);  /* monotonic; read once per wake-up, so it is cheap */
int64_t loop_turn_ms(const struct loop *loop); /* how long the present turn takes by now */
/* From any thread: since when the loop has been in its present turn, by its clock; 0 while it sleeps or does not run. A
 * turn that does not end is a watcher that blocks. */
int64_t loop_busy_since_ms(const struct loop *loop);
/* From any thread: how long its turns took, from waking up to the end, in whole milliseconds. Lends for the loop's
 * life. */
const struct latency *loop_turns(const struct loop *loop);
const struct clock *loop_clock(const struct loop *loop);
/* Its times are read once per turn: for what asks often. For the loop's own thread; lends. */
const struct clock *loop_turn_clock(const struct loop *loop);
struct mailbox *loop_mailbox(struct loop *loop); /* lends for the loop's life */
