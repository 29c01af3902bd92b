/* The loop: timers under a clock that the test turns, watchers that go away in callbacks, mails, stopping. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/memory.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/signals.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

/* A clock that moves only when the test says so. */
struct hand_clock {
    struct clock clock;
    int64_t *now_ms;
};

static int64_t hand_monotonic_ms(const struct clock *self)
{
    const struct hand_clock *hand = (const struct hand_clock *)self;
    return *hand->now_ms;
}

static int64_t hand_wall_us(const struct clock *self)
{
    return 0;
}

struct alarm {
    struct timer timer;
    struct loop *loop;
    struct alarm *victim, *again;
    int64_t *journal;
    size_t *entries;
    unsigned rings;
};

static void alarm_due(struct timer *self)
{
    struct alarm *alarm = (struct alarm *)self;
    alarm->journal[(*alarm->entries)++] = loop_now_ms(alarm->loop) - self->due_ms;
    alarm->rings++;
    assert_int_equal(self->place, 0);
    if (alarm->victim)
        loop_timer_clear(alarm->loop, &alarm->victim->timer);
    if (alarm->again)
        assert_null(loop_timer_set(alarm->loop, &alarm->again->timer, 0));
}

static void stop_due(struct timer *self)
{
    loop_stop(((struct alarm *)self)->loop);
}

/* Always readable, so that no turn waits: each one moves the clock by a millisecond. */
struct sun {
    struct watcher watcher;
    int64_t *now_ms;
};

static void sun_moves(struct watcher *self, uint32_t events)
{
    (*((struct sun *)self)->now_ms)++;
}

static void timers_fire_in_order_and_never_early(void **state)
{
    enum { COUNT = 500 };
    int64_t now = 1000, journal[COUNT];
    size_t entries = 0;
    struct hand_clock hand = {{hand_wall_us, hand_monotonic_ms}, &now};
    struct loop *loop;
    struct alarm *alarms = mem_take(COUNT, sizeof *alarms);
    assert_null(loop_open(&hand.clock, 4, &loop));
    for (unsigned i = 0; i < COUNT; i++) {
        alarms[i] = (struct alarm){{.due = alarm_due}, loop, NULL, NULL, journal, &entries, 0};
        assert_null(loop_timer_set(loop, &alarms[i].timer, (int64_t)(i * 7919 % 1009)));
    }
    for (unsigned i = 0; i < COUNT; i += 3)
        loop_timer_clear(loop, &alarms[i].timer);
    for (unsigned i = 1; i < COUNT; i += 3) /* moves, both ways */
        assert_null(loop_timer_set(loop, &alarms[i].timer, (int64_t)(i * 104729 % 1501)));
    struct alarm end = {{.due = stop_due}, loop, NULL, NULL, NULL, NULL, 0};
    struct sun sun = {{eventfd(1, EFD_CLOEXEC), sun_moves}, &now};
    assert_null(loop_watch(loop, &sun.watcher, EPOLLIN));
    assert_null(loop_timer_set(loop, &end.timer, 4000));
    assert_null(loop_run(loop));
    loop_unwatch(loop, &sun.watcher);
    assert_int_equal(close(sun.watcher.fd), 0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(alarms[i].rings, i % 3 != 0);
    for (size_t i = 0; i < entries; i++)
        assert_in_range(journal[i], 0, 1); /* never before its time; the clock was read before the sun moved it */
    loop_close(loop);
    mem_drop(alarms);
}

static void timers_of_one_turn_fire_sorted(void **state)
{
    int64_t now = 0, journal[16];
    size_t entries = 0;
    struct hand_clock hand = {{hand_wall_us, hand_monotonic_ms}, &now};
    struct loop *loop;
    struct alarm a[8];
    assert_null(loop_open(&hand.clock, 4, &loop));
    for (int i = 0; i < 8; i++) {
        a[i] = (struct alarm){{.due = alarm_due}, loop, NULL, NULL, journal, &entries, 0};
        assert_null(loop_timer_set(loop, &a[i].timer, 100 - i));
    }
    struct alarm end = {{.due = stop_due}, loop, NULL, NULL, NULL, NULL, 0};
    assert_null(loop_timer_set(loop, &end.timer, 200));
    now = 1000;
    assert_null(loop_run(loop));
    assert_int_equal(entries, 8);
    for (size_t i = 1; i < entries; i++)
        assert_true(journal[i] < journal[i - 1]); /* due earlier, so late by more */
    loop_close(loop);
}

static void a_callback_may_clear_and_set_timers(void **state)
{
    int64_t now = 0, journal[16];
    size_t entries = 0;
    struct hand_clock hand = {{hand_wall_us, hand_monotonic_ms}, &now};
    struct loop *loop;
    assert_null(loop_open(&hand.clock, 4, &loop));
    struct alarm again = {{.due = alarm_due}, loop, NULL, NULL, journal, &entries, 0};
    struct alarm victim = {{.due = alarm_due}, loop, NULL, NULL, journal, &entries, 0};
    struct alarm first = {{.due = alarm_due}, loop, &victim, &again, journal, &entries, 0};
    struct alarm end = {{.due = stop_due}, loop, NULL, NULL, NULL, NULL, 0};
    assert_null(loop_timer_set(loop, &first.timer, 10));
    assert_null(loop_timer_set(loop, &victim.timer, 20));
    assert_null(loop_timer_set(loop, &end.timer, 30));
    now = 50;
    assert_null(loop_run(loop)); /* the clock stands: what was set in the turn is not due in it */
    assert_int_equal(first.rings, 1);
    assert_int_equal(victim.rings, 0);
    assert_int_equal(again.rings, 0);
    assert_int_equal(again.timer.due_ms, 51);
    loop_timer_clear(loop, &victim.timer);
    loop_close(loop);
}

/* Sets the timer of an alarm for the end of the turn, and twice, as a burst of mails would. */
struct nudge {
    struct mail mail;
    struct alarm *alarm;
};

static void nudge_open(struct mail *self)
{
    struct alarm *alarm = ((struct nudge *)self)->alarm;
    assert_int_equal(alarm->rings, 0);
    assert_null(loop_timer_set(alarm->loop, &alarm->timer, 0));
}

static void a_timer_without_delay_fires_at_the_end_of_its_turn(void **state)
{
    int64_t now = 7, journal[4];
    size_t entries = 0;
    struct hand_clock hand = {{hand_wall_us, hand_monotonic_ms}, &now};
    struct loop *loop;
    assert_null(loop_open(&hand.clock, 4, &loop));
    struct alarm again = {{.due = alarm_due}, loop, NULL, NULL, journal, &entries, 0};
    struct alarm end = {{.due = stop_due}, loop, NULL, NULL, NULL, NULL, 0};
    struct alarm swept = {{.due = alarm_due}, loop, NULL, &again, journal, &entries, 0};
    struct nudge one = {{.open = nudge_open}, &swept}, two = {{.open = nudge_open}, &swept};
    assert_null(mailbox_post(loop_mailbox(loop), &one.mail));
    assert_null(mailbox_post(loop_mailbox(loop), &two.mail));
    struct sun sun = {{eventfd(1, EFD_CLOEXEC), sun_moves}, &now};
    assert_null(loop_watch(loop, &sun.watcher, EPOLLIN));
    assert_null(loop_timer_set(loop, &end.timer, 1));
    assert_null(loop_run(loop));
    assert_int_equal(swept.rings, 1);
    assert_int_equal(journal[0], 0); /* in the very millisecond */
    assert_int_equal(again.timer.due_ms, swept.timer.due_ms + 1);
    loop_unwatch(loop, &sun.watcher);
    assert_int_equal(close(sun.watcher.fd), 0);
    loop_close(loop);
}

/* What is left for the end of a turn: a letter in the order of what happens. */
struct last_act {
    struct turn_end end;
    struct loop *loop;
    struct last_act *another; /* asked for by this one */
    char *story, letter;
};

static void tell(char *story, char letter)
{
    story[strlen(story)] = letter;
}

static void last_act_over(struct turn_end *self)
{
    struct last_act *act = (struct last_act *)self;
    tell(act->story, act->letter);
    if (act->another)
        loop_at_turn_end(act->loop, &act->another->end);
}

struct first_act {
    struct timer timer;
    struct loop *loop;
    struct last_act *acts[2];
    char *story;
};

static void first_act_due(struct timer *self)
{
    struct first_act *act = (struct first_act *)self;
    for (int times = 0; times < 3; times++)
        loop_at_turn_end(act->loop, &act->acts[0]->end);
    loop_at_turn_end(act->loop, &act->acts[1]->end);
    tell(act->story, 't');
    loop_stop(act->loop);
}

static void what_is_left_for_the_end_of_a_turn_is_done_once_and_last(void **state)
{
    char story[16] = "";
    struct loop *loop;
    assert_null(loop_open(machine_clock(), 4, &loop));
    struct last_act third = {{.over = last_act_over}, loop, NULL, story, 'c'},
                    first = {{.over = last_act_over}, loop, NULL, story, 'a'},
                    second = {{.over = last_act_over}, loop, &third, story, 'b'};
    struct first_act due = {{.due = first_act_due}, loop, {&first, &second}, story};
    assert_null(loop_timer_set(loop, &due.timer, 0));
    loop_at_turn_end(loop, &first.end); /* before the first turn */
    assert_null(loop_run(loop));
    assert_string_equal(story, "atbca");
    assert_null(loop_timer_set(loop, &due.timer, 0)); /* and again in a later turn */
    second.another = NULL;
    assert_null(loop_run(loop));
    assert_string_equal(story, "atbcatba");
    loop_at_turn_end(loop, &third.end); /* a loop that is closed forgets it */
    loop_close(loop);
    assert_string_equal(story, "atbcatba");
}

static void a_heap_that_cannot_grow_is_an_error(void **state)
{
    struct loop *loop;
    struct timer t = {.due = stop_due};
    assert_null(loop_open(machine_clock(), 4, &loop));
    (void)mem_trial(1);
    assert_true(err_is(loop_timer_set(loop, &t, 1), ERR_MEMORY));
    (void)mem_trial(0);
    assert_int_equal(t.place, 0);
    loop_close(loop);
    for (unsigned long n = 1; n <= 2; n++) {
        (void)mem_trial(n);
        assert_true(err_is(loop_open(machine_clock(), 4, &loop), ERR_MEMORY));
    }
    (void)mem_trial(0);
    loop_close(NULL);
}

/* Two pipes that are readable in one turn: whoever is told first removes the other. */
struct pair_end {
    struct watcher watcher;
    struct loop *loop;
    struct pair_end **other;
    unsigned *told;
};

static void remove_other(struct watcher *self, uint32_t events)
{
    struct pair_end *end = (struct pair_end *)self;
    (*end->told)++;
    struct pair_end *other = *end->other;
    loop_unwatch(end->loop, &other->watcher);
    assert_int_equal(close(other->watcher.fd), 0);
    mem_drop(other); /* a sanitizer sees any later touch */
    loop_stop(end->loop);
}

static void a_watcher_that_is_unwatched_is_not_told(void **state)
{
    struct loop *loop;
    struct pair_end *ends[2];
    int pipes[2][2];
    unsigned told = 0;
    assert_null(loop_open(machine_clock(), 4, &loop));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        assert_int_equal(write(pipes[i][1], "x", 1), 1);
        ends[i] = MEM_NEW(struct pair_end);
        *ends[i] = (struct pair_end){{pipes[i][0], remove_other}, loop, &ends[1 - i], &told};
        assert_null(loop_watch(loop, &ends[i]->watcher, EPOLLIN));
        assert_true(err_is(loop_watch(loop, &ends[i]->watcher, EPOLLIN), ERR_EXISTS));
    }
    assert_null(loop_run(loop));
    assert_int_equal(told, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(close(pipes[i][1]), 0);
    /* One end is left; which one is epoll's choice. */
    for (int i = 0; i < 2; i++)
        if (close(pipes[i][0]) == 0)
            mem_drop(ends[i]);
    loop_close(loop);
}

struct note {
    struct mail mail;
    struct loop *loop;
    pthread_t opened_by;
};

static void note_open(struct mail *self)
{
    struct note *note = (struct note *)self;
    note->opened_by = pthread_self();
    loop_stop(note->loop);
}

static void *run_loop(void *arg)
{
    assert_null(loop_run(arg));
    return NULL;
}

static void mails_are_opened_on_the_loops_thread(void **state)
{
    struct loop *loop;
    pthread_t thread;
    assert_null(loop_open(machine_clock(), 4, &loop));
    struct note note = {.mail.open = note_open, .loop = loop};
    assert_int_equal(pthread_create(&thread, NULL, run_loop, loop), 0);
    assert_null(mailbox_post(loop_mailbox(loop), &note.mail));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(pthread_equal(note.opened_by, thread));
    loop_stop(loop); /* before it runs: it ends at once, and can run again */
    assert_null(loop_run(loop));
    loop_close(loop);
}

struct caught {
    struct signals signals;
    int last;
};

static void note_signal(struct signals *self, int signal)
{
    ((struct caught *)self)->last = signal;
    loop_stop(self->loop);
    if (signal == SIGHUP)
        signals_close(self);
}

static void signals_arrive_as_events(void **state)
{
    static const int sent[] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP};
    struct loop *loop;
    struct caught caught = {.signals.caught = note_signal};
    assert_null(signals_hold());
    assert_null(loop_open(machine_clock(), 4, &loop));
    assert_null(signals_open(&caught.signals, loop));
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        assert_int_equal(kill(getpid(), sent[i]), 0);
        assert_null(loop_run(loop));
        assert_int_equal(caught.last, sent[i]);
    }
    signals_close(&caught.signals); /* twice is fine */
    loop_close(loop);
}

static void what_cannot_be_watched_is_an_error(void **state)
{
    struct loop *loop;
    char name[] = "/tmp/holdfast-loop-XXXXXX";
    assert_null(loop_open(machine_clock(), 4, &loop));
    struct watcher file = {.fd = mkstemp(name)}, nothing = {.fd = -1}, unwatched = {.fd = eventfd(0, EFD_CLOEXEC)};
    assert_true(err_is(loop_watch(loop, &file, EPOLLIN), ERR_UNSUPPORTED));
    assert_true(err_is(loop_rewatch(loop, &unwatched, EPOLLIN), ERR_ABSENT));
    loop_unwatch(loop, &unwatched);
    assert_int_equal(close(unwatched.fd), 0);
    assert_true(err_is(loop_watch(loop, &nothing, EPOLLIN), ERR_IO));
    assert_int_equal(close(file.fd), 0);
    assert_int_equal(unlink(name), 0);
    loop_close(loop);
}

/* ---- the ends of turns */

struct finale {
    struct turn_end end;
    struct watcher other; /* always readable */
    struct loop *loop;
    unsigned overs, others;
};

static void other_ready(struct watcher *self, uint32_t events)
{
    CONTAINER(self, struct finale, other)->others++;
}

static void over(struct turn_end *self)
{
    struct finale *f = CONTAINER(self, struct finale, end);
    assert_true(loop_busy_since_ms(f->loop) > 0);
    if (++f->overs == 5)
        loop_stop(f->loop);
    else
        loop_at_next_turn_end(f->loop, self);
    loop_at_next_turn_end(f->loop, self); /* twice is once */
}

static void what_is_left_for_the_next_turn_lets_the_others_have_theirs(void **state)
{
    struct finale f = {.end.over = over, .other = {eventfd(1, EFD_NONBLOCK), other_ready}};
    assert_null(loop_open(machine_clock(), 16, &f.loop));
    assert_null(loop_watch(f.loop, &f.other, EPOLLIN));
    assert_int_equal(loop_busy_since_ms(f.loop), 0);
    loop_at_next_turn_end(f.loop, &f.end);
    assert_null(loop_run(f.loop));
    assert_int_equal(f.overs, 5);
    assert_int_equal(f.others, 5); /* one turn between each two */
    assert_int_equal(loop_busy_since_ms(f.loop), 0);
    loop_close(f.loop);
    close(f.other.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_for_the_next_turn_lets_the_others_have_theirs),
        cmocka_unit_test(timers_fire_in_order_and_never_early),
        cmocka_unit_test(timers_of_one_turn_fire_sorted),
        cmocka_unit_test(a_callback_may_clear_and_set_timers),
        cmocka_unit_test(a_timer_without_delay_fires_at_the_end_of_its_turn),
        cmocka_unit_test(what_is_left_for_the_end_of_a_turn_is_done_once_and_last),
        cmocka_unit_test(a_heap_that_cannot_grow_is_an_error),
        cmocka_unit_test(a_watcher_that_is_unwatched_is_not_told),
        cmocka_unit_test(mails_are_opened_on_the_loops_thread),
        cmocka_unit_test(signals_arrive_as_events),
        cmocka_unit_test(what_cannot_be_watched_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
