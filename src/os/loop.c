/* An event loop on epoll.
 *
 * One turn: wait for events or the first timer, read the clock once, tell the watchers, fire what is due, do what was
 * left for the turn's end. The mailbox and the stop signal are watchers like all others. A watcher that is unwatched in
 * a callback may be freed at once: what the same turn still holds for it is forgotten. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/loop.h"

#include "base/list.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct fault no_memory = {ERR_MEMORY, "loop: no memory"};
static const struct fault no_epoll = {ERR_IO, "loop: epoll failed"};
static const struct fault no_room = {ERR_FULL, "loop: the kernel watches no more descriptors for us"};
static const struct fault watched_twice = {ERR_EXISTS, "loop: the descriptor is watched already"};
static const struct fault not_watched = {ERR_ABSENT, "loop: the descriptor is not watched"};
static const struct fault not_watchable = {ERR_UNSUPPORTED, "loop: this kind of descriptor cannot be watched"};

enum { EVENTS_MAX = 256, HEAP_FIRST = 64, MS_US = 1000 };

/* A watcher of the loop's own: container of the loop, without a table. */
struct own_watcher {
    struct watcher watcher;
    struct loop *loop;
};

struct loop {
    const struct clock *clock;
    struct clock turn_clock;
    int epoll;
    struct mailbox *mailbox;
    struct own_watcher mail, stop;
    bool running;
    atomic_bool stopping; /* lock-free, so that a signal handler may set it */
    int64_t now_ms;       /* valid while running */
    int64_t wall_us;      /* of the present turn, once somebody asked; 0: nobody did */
    atomic_int_least64_t busy_since_ms;
    int64_t least_ms; /* the shortest time of a timer: 1 while timers fire, so that firing them ends */

    struct timer **heap; /* heap[0] is due first; a timer's place is its index + 1 */
    size_t timers, heap_room;

    struct latency turns; /* read by other threads */

    struct turn_end *ends; /* the last one asked for first: they are independent of each other */
    struct turn_end *next_ends;

    struct epoll_event events[EVENTS_MAX];
    int event_count, event_at; /* those behind event_at are still to be told */
};

static void mail_ready(struct watcher *self, uint32_t events)
{
    (void)mailbox_deliver(((struct own_watcher *)self)->loop->mailbox);
}

/* Only wakes the loop up; `stopping` tells it why. */
static void stop_ready(struct watcher *self, uint32_t events)
{
    uint64_t ignored;
    (void)!read(self->fd, &ignored, sizeof ignored);
}

static err open_parts(struct loop *loop, size_t mailbox_max)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->stop = (struct own_watcher){{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), stop_ready}, loop};
    if (loop->epoll < 0 || loop->stop.watcher.fd < 0)
        return &no_epoll;
    TRY(mailbox_open(mailbox_max, &loop->mailbox));
    loop->mail = (struct own_watcher){{mailbox_fd(loop->mailbox), mail_ready}, loop};
    TRY(loop_watch(loop, &loop->mail.watcher, EPOLLIN));
    return loop_watch(loop, &loop->stop.watcher, EPOLLIN);
}

static int64_t turn_wall_us(const struct clock *self)
{
    struct loop *loop = CONTAINER(self, struct loop, turn_clock);
    if (!loop->running)
        return wall_us(loop->clock);
    if (!loop->wall_us)
        loop->wall_us = wall_us(loop->clock);
    return loop->wall_us;
}

static int64_t turn_now_ms(const struct clock *self)
{
    return loop_now_ms(CONTAINER(self, struct loop, turn_clock));
}

err loop_open(const struct clock *clock, size_t mailbox_max, struct loop **out)
{
    struct loop *loop = MEM_NEW(struct loop);
    if (!loop)
        return &no_memory;
    loop->clock = clock;
    loop->turn_clock = (struct clock){turn_wall_us, turn_now_ms};
    atomic_init(&loop->stopping, false);
    atomic_init(&loop->busy_since_ms, 0);
    loop->epoll = loop->stop.watcher.fd = -1;
    err e = open_parts(loop, mailbox_max);
    if (e) {
        loop_close(loop);
        return e;
    }
    *out = loop;
    return OK;
}

void loop_close(struct loop *loop)
{
    if (!loop)
        return;
    mailbox_close(loop->mailbox); /* first: the mails inside may still set timers */
    if (loop->epoll >= 0)
        (void)close(loop->epoll);
    if (loop->stop.watcher.fd >= 0)
        (void)close(loop->stop.watcher.fd);
    mem_drop(loop->heap);
    mem_drop(loop);
}

/* Nothing but what a signal handler may call; the errno of whom it interrupts is kept. */
void loop_stop(struct loop *loop)
{
    const uint64_t one = 1;
    int kept = errno;
    atomic_store(&loop->stopping, true);
    (void)!write(loop->stop.watcher.fd, &one, sizeof one);
    errno = kept;
}

int64_t loop_now_ms(const struct loop *loop)
{
    return loop->running ? loop->now_ms : monotonic_ms(loop->clock);
}

int64_t loop_turn_ms(const struct loop *loop)
{
    return loop->running ? monotonic_ms(loop->clock) - loop->now_ms : 0;
}

int64_t loop_busy_since_ms(const struct loop *loop)
{
    return atomic_load_explicit(&loop->busy_since_ms, memory_order_relaxed);
}

const struct latency *loop_turns(const struct loop *loop)
{
    return &loop->turns;
}

const struct clock *loop_clock(const struct loop *loop)
{
    return loop->clock;
}

const struct clock *loop_turn_clock(const struct loop *loop)
{
    return &loop->turn_clock;
}

struct mailbox *loop_mailbox(struct loop *loop)
{
    return loop->mailbox;
}

/* Watchers. */

static err fault_of(int code)
{
    switch (code) {
    case ENOMEM:
        return &no_memory;
    case ENOSPC:
        return &no_room;
    case EEXIST:
        return &watched_twice;
    case ENOENT:
        return &not_watched;
    case EPERM:
        return &not_watchable;
    default:
        return &no_epoll;
    }
}

static err control(struct loop *loop, int operation, struct watcher *w, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    return epoll_ctl(loop->epoll, operation, w->fd, &event) == 0 ? OK : fault_of(errno);
}

err loop_watch(struct loop *loop, struct watcher *w, uint32_t events)
{
    return control(loop, EPOLL_CTL_ADD, w, events);
}

err loop_rewatch(struct loop *loop, struct watcher *w, uint32_t events)
{
    return control(loop, EPOLL_CTL_MOD, w, events);
}

void loop_unwatch(struct loop *loop, struct watcher *w)
{
    IGNORE(control(loop, EPOLL_CTL_DEL, w, 0));
    for (int i = loop->event_at; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == w)
            loop->events[i].data.ptr = NULL;
}

/* Timers: a binary heap. */

static void heap_put(struct loop *loop, size_t at, struct timer *t)
{
    loop->heap[at] = t;
    t->place = at + 1;
}

/* Moves t, which is to stand at `at`, towards the top as long as its parent is due later. */
static size_t sift_up(struct loop *loop, size_t at, const struct timer *t)
{
    while (at > 0 && loop->heap[(at - 1) / 2]->due_ms > t->due_ms) {
        heap_put(loop, at, loop->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return at;
}

static size_t sift_down(struct loop *loop, size_t at, const struct timer *t)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= loop->timers)
            return at;
        if (child + 1 < loop->timers && loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
            child++;
        if (loop->heap[child]->due_ms >= t->due_ms)
            return at;
        heap_put(loop, at, loop->heap[child]);
        at = child;
    }
}

static void heap_settle(struct loop *loop, size_t at, struct timer *t)
{
    heap_put(loop, sift_down(loop, sift_up(loop, at, t), t), t);
}

static err heap_room_for_one(struct loop *loop)
{
    if (loop->timers < loop->heap_room)
        return OK;
    size_t room = loop->heap_room ? loop->heap_room * 2 : HEAP_FIRST;
    struct timer **grown = mem_grow(loop->heap, room, sizeof(struct timer *));
    if (!grown)
        return &no_memory;
    loop->heap = grown;
    loop->heap_room = room;
    return OK;
}

err loop_timer_set(struct loop *loop, struct timer *t, int64_t after_ms)
{
    int64_t due_ms;
    if (!t->place)
        TRY(heap_room_for_one(loop));
    if (__builtin_add_overflow(loop_now_ms(loop), after_ms < loop->least_ms ? loop->least_ms : after_ms, &due_ms))
        due_ms = INT64_MAX;
    size_t at = t->place ? t->place - 1 : loop->timers++;
    t->due_ms = due_ms;
    heap_settle(loop, at, t);
    return OK;
}

void loop_timer_clear(struct loop *loop, struct timer *t)
{
    if (!t->place)
        return;
    size_t hole = t->place - 1;
    t->place = 0;
    struct timer *last = loop->heap[--loop->timers];
    if (last != t)
        heap_settle(loop, hole, last);
}

static void fire_timers(struct loop *loop)
{
    loop->least_ms = 1;
    while (loop->timers && loop->heap[0]->due_ms <= loop->now_ms) {
        struct timer *t = loop->heap[0];
        loop_timer_clear(loop, t);
        t->due(t);
    }
    loop->least_ms = 0;
}

/* The turn. */

static int wait_ms(struct loop *loop)
{
    if (loop->next_ends)
        return 0;
    if (!loop->timers)
        return -1;
    int64_t left = loop->heap[0]->due_ms - monotonic_ms(loop->clock);
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void tell_watchers(struct loop *loop)
{
    while (loop->event_at < loop->event_count) {
        const struct epoll_event *event = &loop->events[loop->event_at++];
        struct watcher *w = event->data.ptr;
        if (w)
            w->ready(w, event->events);
    }
    loop->event_at = loop->event_count = 0;
}

void loop_at_turn_end(struct loop *loop, struct turn_end *t)
{
    if (t->set)
        return;
    t->set = true;
    t->next = loop->ends;
    loop->ends = t;
}

void loop_at_next_turn_end(struct loop *loop, struct turn_end *t)
{
    if (t->set)
        return;
    t->set = true;
    t->next = loop->next_ends;
    loop->next_ends = t;
}

/* What the last turn left for this one joins what this one left. */
static void begin_turn(struct loop *loop)
{
    struct turn_end *last = loop->next_ends;
    if (!last)
        return;
    while (last->next)
        last = last->next;
    last->next = loop->ends;
    loop->ends = loop->next_ends;
    loop->next_ends = NULL;
}

static void end_turn(struct loop *loop)
{
    for (struct turn_end *t; (t = loop->ends);) {
        loop->ends = t->next;
        t->set = false;
        t->over(t);
    }
}

static err turn(struct loop *loop)
{
    int count = epoll_wait(loop->epoll, loop->events, EVENTS_MAX, wait_ms(loop));
    if (count < 0 && errno != EINTR)
        return &no_epoll;
    loop->now_ms = monotonic_ms(loop->clock);
    loop->wall_us = 0;
    atomic_store_explicit(&loop->busy_since_ms, loop->now_ms, memory_order_relaxed);
    loop->event_count = count < 0 ? 0 : count;
    begin_turn(loop);
    tell_watchers(loop);
    fire_timers(loop);
    end_turn(loop);
    atomic_store_explicit(&loop->busy_since_ms, 0, memory_order_relaxed);
    latency_add(&loop->turns, (monotonic_ms(loop->clock) - loop->now_ms) * MS_US);
    return OK;
}

err loop_run(struct loop *loop)
{
    err e = OK;
    loop->now_ms = monotonic_ms(loop->clock);
    loop->running = true;
    end_turn(loop); /* what was asked for before the first turn */
    while (!e && !atomic_exchange(&loop->stopping, false))
        e = turn(loop);
    loop->running = false;
    return e;
}
