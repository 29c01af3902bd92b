/* The watchdog: looks at each loop's pulse. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/watchdog.h"

#include "base/list.h"

static const struct fault too_many = {ERR_TOO_LARGE, "watchdog: more loops than one watchdog watches"};

enum { LOOKS_PER_STALL = 4, LOOK_MS_MIN = 10 };

static void look_at(struct watchdog *w, size_t number, int64_t now_ms)
{
    int64_t since_ms = loop_busy_since_ms(w->watched[number]);
    int64_t told_ms = w->since_ms[number];
    if (told_ms && since_ms != told_ms) {
        w->since_ms[number] = 0;
        w->resumed(w, number, now_ms - told_ms);
    }
    if (since_ms && since_ms != told_ms && now_ms - since_ms >= w->stall_ms) {
        w->since_ms[number] = since_ms;
        w->stalled(w, number, now_ms - since_ms);
    }
}

static void look_again(struct watchdog *w)
{
    int64_t every_ms = w->stall_ms / LOOKS_PER_STALL;
    IGNORE(loop_timer_set(w->loop, &w->look, every_ms < LOOK_MS_MIN ? LOOK_MS_MIN : every_ms)); /* its place is there */
}

static void look(struct timer *timer)
{
    struct watchdog *w = CONTAINER(timer, struct watchdog, look);
    for (size_t i = 0; i < w->count; i++)
        look_at(w, i, loop_now_ms(w->loop));
    look_again(w);
}

err watchdog_open(struct watchdog *w, struct loop *loop, struct loop *const *watched, size_t count)
{
    if (count > WATCHDOG_LOOPS_MAX)
        return &too_many;
    w->loop = loop;
    w->look.due = look;
    for (w->count = 0; w->count < count; w->count++)
        w->watched[w->count] = watched[w->count];
    return loop_timer_set(loop, &w->look, 1);
}

void watchdog_close(struct watchdog *w)
{
    if (w->loop)
        loop_timer_clear(w->loop, &w->look);
    w->loop = NULL;
}
