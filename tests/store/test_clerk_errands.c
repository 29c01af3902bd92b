/* Errands of several writes and of none, and those of a loop, which are handed over by turns. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/clerk_world.h"

#include "os/loop.h"

static struct write *chain(struct write *const *writes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_non_null(writes[i]);
        writes[i]->next = i + 1 < count ? writes[i + 1] : NULL;
    }
    return writes[0];
}

/* Posts a write that stops at its commit, so that what is posted next is one batch. */
static void hold_the_clerk(struct world *world, struct job *job)
{
    counter_add(&world->trial.gated, 1);
    assert_ok(post(world->recorder, job, sample_of(1000000)));
    (void)sem_wait(&world->trial.reached);
    counter_less(&world->trial.gated, 1);
}

static void the_writes_of_an_errand_are_kept_in_one_commit(void **state)
{
    struct world *world = *state;
    struct counter done = {0};
    struct job job = {.done = &done};
    struct clerk_health health;
    world_start(world, 100, 2); /* an errand is never split, whatever the bound of a batch */
    struct write token = token_write(1, 1, INT64_MAX), enrolment = enrolment_write(1, "e", 2000);
    struct write *const writes[] = {write_plain(&token), write_plain(&enrolment), event_of("first"),
                                    retained_write("t", "kept"), event_of("second"), retained_write("t", "")};
    assert_ok(post(world->recorder, &job, chain(writes, 6)));
    deliver_until(world->home, &done, 1);
    assert_ok(job.errand.result.failed);
    assert_string_equal(job.errand.result.group, "pumps");
    assert_int_equal(job.errand.result.id, world->sink.seen[1].id);
    assert_string_equal(world->sink.told, "event first\nretained kept\nevent second\nretained \n");
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.commits, 1);
    assert_int_equal(health.writes, 6);
    assert_int_equal(health.batch_high_water, 6);
}

static void an_errand_ends_at_its_first_refused_write(void **state)
{
    struct world *world = *state;
    struct counter done = {0};
    struct job job = {.done = &done}, other = {.done = &done};
    const struct sample s = integer("m", 1, 1);
    world_start(world, 100, 10);
    struct write *const writes[] = {event_of("before"), write_samples("deleted", (struct samples){&s, 1}, 1),
                                    event_of("behind"), retained_write("t", "behind")};
    assert_ok(post(world->recorder, &job, chain(writes, 4)));
    assert_ok(post(world->recorder, &other, event_of("another")));
    deliver_until(world->home, &done, 2);
    assert_kind(job.errand.result.failed, ERR_ABSENT);
    assert_int_equal(job.errand.result.id, world->sink.seen[0].id);
    assert_ok(other.errand.result.failed);
    assert_string_equal(world->sink.told, "event before\nevent another\n");
    assert_told(world->r, "nothing behind the refusal is kept", "");
}

struct ordered {
    struct job job;
    int *turn, place;
};

static void note_place(struct errand *errand)
{
    struct ordered *o = (struct ordered *)errand;
    o->place = ++*o->turn;
    counter_add(o->job.done, 1);
}

static void an_errand_of_no_writes_waits_for_those_before_it_alone(void **state)
{
    struct world *world = *state;
    struct counter done = {0};
    struct job first = {.done = &done}, held = {.done = &done};
    struct ordered all[4];
    struct clerk_health before, after;
    int turn = 0;
    world_start(world, 100, 10);
    assert_ok(post(world->recorder, &first, sample_of(1)));
    deliver_until(world->home, &done, 1);
    clerk_read_health(world->clerk, &before);
    for (int i = 0; i < 4; i++) {
        all[i] = (struct ordered){.job.done = &done, .turn = &turn};
        all[i].job.errand.done = note_place;
    }
    assert_ok(world->recorder->post(world->recorder, &all[0].job.errand));
    deliver_until(world->home, &done, 2); /* nothing came before it */
    clerk_read_health(world->clerk, &after);
    assert_int_equal(before.commits, after.commits);

    hold_the_clerk(world, &held);
    all[2].job.errand.write = sample_of(2);
    for (int i = 1; i < 4; i++)
        assert_ok(world->recorder->post(world->recorder, &all[i].job.errand));
    assert_int_equal(counter_read(&done), 2); /* it is behind the one that is held */
    (void)sem_post(&world->trial.open);
    deliver_until(world->home, &done, 6);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(all[i].place, i + 1);
        assert_ok(all[i].job.errand.result.failed);
    }
}

static void what_has_nothing_to_keep_does_not_fail_with_the_disk(void **state)
{
    struct world *world = *state;
    struct counter done = {0};
    struct job held = {.done = &done}, none = {.done = &done}, some = {.done = &done}, refused = {.done = &done};
    const struct sample s = integer("m", 1, 1);
    world_start(world, 100, 10);
    hold_the_clerk(world, &held);
    assert_ok(post(world->recorder, &some, sample_of(1)));
    assert_ok(post(world->recorder, &refused, write_samples("deleted", (struct samples){&s, 1}, 1)));
    assert_ok(post(world->recorder, &none, NULL));
    world->trial.why = &disk_full;
    uint64_t calls = counter_read(&world->trial.calls);
    counter_add(&world->trial.fail_at, calls + 5); /* commit, begin, apply, apply: the second commit */
    counter_add(&world->trial.fail_until, calls + 6);
    (void)sem_post(&world->trial.open);
    deliver_until(world->home, &done, 4);
    assert_ok(held.errand.result.failed);
    assert_kind(some.errand.result.failed, ERR_FULL);
    assert_kind(refused.errand.result.failed, ERR_FULL); /* the reason to refuse may have been rolled back */
    assert_ok(none.errand.result.failed);
}

/* --- a loop's recorder --- */

struct busy_turn {
    struct timer timer;
    struct world *world;
    struct loop *loop;
    struct recorder *recorder;
    struct counter done;
    size_t jobs_count;
    struct job jobs[600];
    uint64_t posted_within; /* what the box had seen when the turn's last post was made */
};

static void busy_done(struct errand *errand)
{
    struct job *job = (struct job *)errand;
    struct busy_turn *b = (struct busy_turn *)((uint8_t *)job->done - offsetof(struct busy_turn, done));
    job_done(errand);
    if (counter_read(&b->done) == b->jobs_count)
        loop_stop(b->loop);
}

static void post_many(struct timer *timer)
{
    struct busy_turn *b = (struct busy_turn *)timer;
    struct clerk_health health;
    for (size_t i = 0; i < b->jobs_count; i++) {
        b->jobs[i].done = &b->done;
        b->jobs[i].errand.write = sample_of((int64_t)i);
        b->jobs[i].errand.done = busy_done;
        assert_ok(b->recorder->post(b->recorder, &b->jobs[i].errand));
    }
    clerk_read_health(b->world->clerk, &health);
    b->posted_within = health.queue.posted;
}

/* Posts so many in one turn of a loop, and runs it until all are answered. */
static void a_turn_of(struct world *world, struct busy_turn *b, size_t count)
{
    *b = (struct busy_turn){.timer.due = post_many, .world = world, .jobs_count = count};
    assert_ok(loop_open(machine_clock(), 1000, &b->loop));
    assert_ok(clerk_loop_recorder(world->clerk, b->loop, &b->recorder));
    assert_ok(loop_timer_set(b->loop, &b->timer, 0));
    assert_ok(loop_run(b->loop));
    for (size_t i = 0; i < count; i++) {
        assert_ok(b->jobs[i].errand.result.failed);
        assert_int_equal(b->jobs[i].answered, 1);
    }
}

static void what_a_loop_posts_in_a_turn_is_handed_over_together(void **state)
{
    struct world *world = *state;
    static struct busy_turn b;
    struct clerk_health health;
    world_start(world, 1000, 1000);
    a_turn_of(world, &b, 100);
    assert_int_equal(b.posted_within, 0);
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.queue.posted, 100);
    assert_int_equal(health.queue.high_water, 100);
    assert_int_equal(health.writes, 100);
    clerk_stop(world->clerk);
    loop_close(b.loop);
}

static void a_long_turn_hands_over_before_its_end(void **state)
{
    struct world *world = *state;
    static struct busy_turn b;
    world_start(world, 1000, 1000);
    a_turn_of(world, &b, 600);
    assert_int_equal(b.posted_within, 512);
    clerk_stop(world->clerk);
    loop_close(b.loop);
}

/* What a turn gathered is taken even when it is more than fits; the next post is refused at once. */
static void a_loop_hears_that_the_queue_is_full(void **state)
{
    struct world *world = *state;
    struct loop *loop;
    struct recorder *recorder;
    struct counter done = {0};
    struct job held = {.done = &done}, jobs[300] = {0}, extra = {0};
    world_start(world, 4, 1000);
    assert_ok(loop_open(machine_clock(), 1000, &loop));
    assert_ok(clerk_loop_recorder(world->clerk, loop, &recorder));
    hold_the_clerk(world, &held);
    for (int i = 0; i < 256; i++) {
        jobs[i].done = &done;
        assert_ok(post(recorder, &jobs[i], sample_of(i)));
    }
    struct write *w = sample_of(99);
    assert_kind(post(recorder, &extra, w), ERR_FULL);
    assert_ptr_equal(extra.errand.write, w);
    (void)sem_post(&world->trial.open);
    deliver_until(loop_mailbox(loop), &done, 256);
    extra.done = &done; /* there is room again: taken, and from the next one on gathered again */
    assert_ok(post(recorder, &extra, w));
    deliver_until(loop_mailbox(loop), &done, 257);
    assert_ok(extra.errand.result.failed);
    deliver_until(world->home, &done, 258);
    clerk_stop(world->clerk);
    loop_close(loop);
}

/* A loop that is over has no turn's end any more: the clerk takes what it gathered when it stops. */
static void what_a_loop_gathered_last_is_kept(void **state)
{
    struct world *world = *state;
    struct loop *loop;
    struct recorder *recorder;
    struct counter done = {0};
    struct job job = {.done = &done};
    world_start(world, 10, 10);
    assert_ok(loop_open(machine_clock(), 1000, &loop));
    assert_ok(clerk_loop_recorder(world->clerk, loop, &recorder));
    assert_ok(post(recorder, &job, sample_of(1)));
    clerk_stop(world->clerk);
    loop_close(loop);
    assert_int_equal(job.answered, 1);
    assert_ok(job.errand.result.failed);
}

/* For every N: the Nth call of the writer fails. An errand of two writes is kept whole or not at all. */
static void an_errand_is_never_half_kept(void **state)
{
    enum { JOBS = 6 };
    struct world *world = *state;
    bool failed_once = true;
    int64_t time_us = 0;
    world_start(world, 100, 5);
    for (uint64_t n = 1; failed_once; n++) {
        struct job jobs[JOBS] = {0};
        struct counter done = {0};
        int64_t first_us = time_us;
        uint64_t calls = counter_read(&world->trial.calls);
        world->trial.why = &disk_full;
        counter_add(&world->trial.fail_at, calls + n - counter_read(&world->trial.fail_at));
        counter_add(&world->trial.fail_until, calls + n + 1 - counter_read(&world->trial.fail_until));
        counter_add(&world->clock.ms, 2000);
        for (int i = 0; i < JOBS; i++, time_us++) {
            const struct sample s = integer("other", time_us, time_us);
            struct write *const writes[] = {sample_of(time_us), write_samples("d", (struct samples){&s, 1}, 9000)};
            jobs[i].done = &done;
            assert_ok(post(world->recorder, &jobs[i], chain(writes, 2)));
        }
        deliver_until(world->home, &done, JOBS);
        failed_once = false;
        for (int i = 0; i < JOBS; i++) {
            struct sample_seen seen = SAMPLE_SEEN;
            const struct series_query q = {BYTES("d"), BYTES("m"), first_us + i, first_us + i + 1, 2},
                                      p = {BYTES("d"), BYTES("other"), first_us + i, first_us + i + 1, 2};
            assert_ok(world->r->series(world->r, &q, &seen.rows));
            assert_ok(world->r->series(world->r, &p, &seen.rows));
            assert_int_equal(seen.count, jobs[i].errand.result.failed ? 0 : 2);
            failed_once |= jobs[i].errand.result.failed != OK;
        }
        assert_true(n < 200);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_writes_of_an_errand_are_kept_in_one_commit),
        TEST(an_errand_ends_at_its_first_refused_write),
        TEST(an_errand_of_no_writes_waits_for_those_before_it_alone),
        TEST(what_has_nothing_to_keep_does_not_fail_with_the_disk),
        TEST(what_a_loop_posts_in_a_turn_is_handed_over_together),
        TEST(a_long_turn_hands_over_before_its_end),
        TEST(a_loop_hears_that_the_queue_is_full),
        TEST(what_a_loop_gathered_last_is_kept),
        TEST(an_errand_is_never_half_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
