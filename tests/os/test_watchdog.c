/* The watchdog: a loop that is stalled on purpose is told once, and told again when it goes on; one that only sleeps or
 * only works much is left alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "os/clock.h"
#include "os/watchdog.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum { STALL_MS = 60 };

/* A loop on a thread of its own. Its watcher blocks until the test lets it go. */
struct patient {
    struct loop *loop;
    struct watcher watcher;
    struct timer busy;
    pthread_t thread;
    int release;
    unsigned turns;
};

static void block(struct watcher *self, uint32_t events)
{
    uint64_t word;
    struct patient *p = CONTAINER(self, struct patient, watcher);
    assert_int_equal(read(self->fd, &word, sizeof word), sizeof word);
    assert_int_equal(read(p->release, &word, sizeof word), sizeof word);
}

/* Many short turns. */
static void work(struct timer *timer)
{
    struct patient *p = CONTAINER(timer, struct patient, busy);
    p->turns++;
    assert_null(loop_timer_set(p->loop, timer, 0));
}

static void *run(void *self)
{
    assert_null(loop_run(((struct patient *)self)->loop));
    return NULL;
}

static void patient_open(struct patient *p)
{
    *p = (struct patient){.release = eventfd(0, EFD_CLOEXEC)};
    p->watcher = (struct watcher){eventfd(0, EFD_CLOEXEC), block};
    p->busy.due = work;
    assert_null(loop_open(machine_clock(), 16, &p->loop));
    assert_null(loop_watch(p->loop, &p->watcher, EPOLLIN));
}

static void patient_close(struct patient *p)
{
    loop_stop(p->loop);
    pthread_join(p->thread, NULL);
    loop_close(p->loop);
    close(p->watcher.fd);
    close(p->release);
}

static void poke(int fd)
{
    const uint64_t one = 1;
    assert_int_equal(write(fd, &one, sizeof one), sizeof one);
}

struct play {
    struct watchdog dog;
    struct loop *loop;
    struct patient asleep, busy, ill;
    unsigned stalls, resumes, looks;
};

static void stalled(struct watchdog *self, size_t number, int64_t for_ms)
{
    struct play *p = CONTAINER(self, struct play, dog);
    assert_int_equal(number, 2);
    assert_true(for_ms >= STALL_MS);
    p->stalls++;
}

static void resumed(struct watchdog *self, size_t number, int64_t for_ms)
{
    struct play *p = CONTAINER(self, struct play, dog);
    assert_int_equal(number, 2);
    assert_true(for_ms >= STALL_MS);
    p->resumes++;
    loop_stop(p->loop);
}

/* After the stall was told the dog looks on for a while, and must not tell it again. */
static void let_go(struct timer *timer)
{
    struct play *p = CONTAINER(timer, struct play, asleep.busy);
    if (p->stalls && ++p->looks == 10)
        poke(p->ill.release);
    assert_null(loop_timer_set(p->loop, timer, STALL_MS / 4));
}

static void a_loop_that_is_stalled_on_purpose_is_told_once(void **state)
{
    struct play p = {.dog = {.stall_ms = STALL_MS, .stalled = stalled, .resumed = resumed}};
    struct patient *all[] = {&p.asleep, &p.busy, &p.ill};
    struct loop *loops[3];
    assert_null(loop_open(machine_clock(), 16, &p.loop));
    for (size_t i = 0; i < 3; i++) {
        patient_open(all[i]);
        loops[i] = all[i]->loop;
    }
    assert_null(loop_timer_set(p.busy.loop, &p.busy.busy, 0));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&all[i]->thread, NULL, run, all[i]), 0);
    p.asleep.busy.due = let_go; /* on our own loop */
    assert_null(loop_timer_set(p.loop, &p.asleep.busy, 1));
    assert_null(watchdog_open(&p.dog, p.loop, loops, 3));
    poke(p.ill.watcher.fd);
    assert_null(loop_run(p.loop));
    assert_int_equal(p.stalls, 1);
    assert_int_equal(p.resumes, 1);
    watchdog_close(&p.dog);
    for (size_t i = 0; i < 3; i++)
        patient_close(all[i]);
    assert_true(p.busy.turns > 10);
    loop_close(p.loop);
}

static void there_is_a_bound(void **state)
{
    struct watchdog dog = {.stall_ms = STALL_MS};
    struct loop *loops[WATCHDOG_LOOPS_MAX + 1] = {NULL};
    assert_true(err_is(watchdog_open(&dog, NULL, loops, WATCHDOG_LOOPS_MAX + 1), ERR_TOO_LARGE));
    watchdog_close(&dog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_is_stalled_on_purpose_is_told_once),
        cmocka_unit_test(there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
