/* The store thread: groups, homes, back-pressure, order of events, and a writer that fails at every call in turn. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/clerk_world.h"

static void what_gathers_during_a_commit_is_one_group(void **state)
{
    enum { JOBS = 50 };
    struct world *world = *state;
    struct job jobs[JOBS] = {0};
    struct counter done = {0};
    struct clerk_health health;
    world_start(world, 1000, 1000);
    counter_add(&world->trial.gated, 1);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].done = &done;
        assert_ok(post(world->recorder, &jobs[i], sample_of(i)));
        if (i == 0)
            (void)sem_wait(&world->trial.reached); /* the first one is at its commit */
    }
    counter_less(&world->trial.gated, 1);
    assert_int_equal(counter_read(&done), 0); /* nobody is answered before its commit */
    (void)sem_post(&world->trial.open);
    deliver_until(world->home, &done, JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_ok(jobs[i].errand.result.failed);
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.commits, 2);
    assert_int_equal(health.writes, JOBS);
    assert_int_equal(health.batch_high_water, JOBS - 1);
    assert_int_equal(health.state, CLERK_OK);
}

static void a_group_has_a_bound(void **state)
{
    enum { JOBS = 25 };
    struct world *world = *state;
    struct job jobs[JOBS] = {0};
    struct counter done = {0};
    struct clerk_health health;
    world_start(world, 1000, 8);
    counter_add(&world->trial.gated, 1);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].done = &done;
        assert_ok(post(world->recorder, &jobs[i], sample_of(i)));
        if (i == 0)
            (void)sem_wait(&world->trial.reached);
    }
    counter_less(&world->trial.gated, 1);
    (void)sem_post(&world->trial.open);
    deliver_until(world->home, &done, JOBS);
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.batch_high_water, 8);
    assert_int_equal(health.commits, 1 + 3);
}

static void a_full_queue_refuses_and_leaves_the_errand(void **state)
{
    enum { QUEUE = 4 };
    struct world *world = *state;
    struct job first = {0}, jobs[QUEUE] = {0}, extra = {0};
    struct counter done = {0};
    struct write_result result;
    struct clerk_health health;
    world_start(world, QUEUE, 10);
    counter_add(&world->trial.gated, 1);
    first.done = &done;
    assert_ok(post(world->recorder, &first, sample_of(0)));
    (void)sem_wait(&world->trial.reached);
    for (int i = 0; i < QUEUE; i++) {
        jobs[i].done = &done;
        assert_ok(post(world->recorder, &jobs[i], sample_of(1 + i)));
    }
    struct write *w = sample_of(99);
    assert_kind(post(world->recorder, &extra, w), ERR_FULL);
    assert_ptr_equal(extra.errand.write, w);
    write_drop(w);
    assert_kind(world->recorder->record(world->recorder, sample_of(99), &result), ERR_FULL);
    assert_kind(result.failed, ERR_FULL);
    counter_less(&world->trial.gated, 1);
    (void)sem_post(&world->trial.open);
    deliver_until(world->home, &done, 1 + QUEUE);
    assert_int_equal(extra.answered, 0);
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.queue.refused, 2);
    assert_int_equal(health.queue.high_water, QUEUE);
}

static void answers_go_home(void **state)
{
    struct world *world = *state;
    struct mailbox *other;
    struct recorder *recorder;
    struct job here = {0}, there = {0};
    struct counter done = {0}, done_there = {0};
    world_start(world, 100, 10);
    assert_ok(mailbox_open(10, &other));
    assert_ok(clerk_recorder(world->clerk, other, &recorder));
    here.done = &done;
    there.done = &done_there;
    assert_ok(post(world->recorder, &here, sample_of(1)));
    assert_ok(post(recorder, &there, sample_of(2)));
    deliver_until(world->home, &done, 1);
    assert_int_equal(there.answered, 0);
    deliver_until(other, &done_there, 1);
    assert_int_equal(here.answered + there.answered, 2);
    assert_true(pthread_equal(here.thread, pthread_self()) && pthread_equal(there.thread, pthread_self()));
    assert_null(here.errand.write);
    clerk_close(world->clerk);
    world->clerk = NULL;
    mailbox_close(other);
}

static void job_posts(struct errand *errand)
{
    job_done(errand);
    (void)sem_post((sem_t *)((struct job *)errand + 1));
}

static void without_a_home_it_is_done_on_the_store_thread(void **state)
{
    struct world *world = *state;
    struct recorder *recorder;
    struct {
        struct job job;
        sem_t ready;
    } waits = {0};
    world_start(world, 100, 10);
    assert_int_equal(sem_init(&waits.ready, 0, 0), 0);
    assert_ok(clerk_recorder(world->clerk, NULL, &recorder));
    waits.job.errand = (struct errand){.write = sample_of(1), .done = job_posts};
    assert_ok(recorder->post(recorder, &waits.job.errand));
    (void)sem_wait(&waits.ready);
    assert_false(pthread_equal(waits.job.thread, pthread_self()));
}

static void record_waits_and_gives_the_result(void **state)
{
    struct world *world = *state;
    struct write_result result;
    struct write token = token_write(1, 1, 1000000000), enrolment = enrolment_write(1, "e", 2000);
    world_start(world, 100, 10);
    assert_ok(world->recorder->record(world->recorder, event_of("{}"), &result));
    assert_true(result.id > 0);
    assert_ok(world->recorder->record(world->recorder, write_plain(&token), NULL));
    assert_ok(world->recorder->record(world->recorder, write_plain(&enrolment), &result));
    assert_string_equal(result.group, "pumps");
    assert_kind(world->recorder->record(world->recorder, write_plain(&enrolment), &result), ERR_REFUSED);
    assert_kind(result.failed, ERR_REFUSED);
}

static void one_refused_write_does_not_spoil_its_group(void **state)
{
    struct world *world = *state;
    struct job jobs[4] = {0};
    struct counter done = {0};
    struct clerk_health health;
    world_start(world, 100, 10);
    counter_add(&world->trial.gated, 1);
    for (int i = 0; i < 4; i++) {
        const struct sample s = integer("m", i, i);
        jobs[i].done = &done;
        assert_ok(post(world->recorder, &jobs[i], write_samples(i == 2 ? "deleted" : "d", (struct samples){&s, 1}, 1)));
        if (i == 0)
            (void)sem_wait(&world->trial.reached);
    }
    counter_less(&world->trial.gated, 1);
    (void)sem_post(&world->trial.open);
    deliver_until(world->home, &done, 4);
    assert_ok(jobs[1].errand.result.failed);
    assert_kind(jobs[2].errand.result.failed, ERR_ABSENT);
    assert_ok(jobs[3].errand.result.failed);
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.state, CLERK_OK);
    assert_int_equal(health.failed_batches, 0);
}

static void events_are_told_in_order_after_their_commit(void **state)
{
    enum { JOBS = 20 };
    struct world *world = *state;
    struct job jobs[JOBS] = {0};
    struct counter done = {0};
    char detail[16];
    world_start(world, 100, 7);
    counter_add(&world->trial.gated, 1);
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(detail, sizeof detail, "{\"n\":%d}", i);
        jobs[i].done = &done;
        assert_ok(post(world->recorder, &jobs[i], event_of(detail)));
        if (i == 0)
            (void)sem_wait(&world->trial.reached);
    }
    assert_int_equal(world->sink.count, 0);
    counter_less(&world->trial.gated, 1);
    (void)sem_post(&world->trial.open);
    deliver_until(world->home, &done, JOBS);
    assert_int_equal(world->sink.count, JOBS);
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(detail, sizeof detail, "{\"n\":%d}", i);
        assert_string_equal(world->sink.seen[i].detail, detail);
        assert_int_equal(world->sink.seen[i].id, jobs[i].errand.result.id);
        assert_true(i == 0 || world->sink.seen[i].id > world->sink.seen[i - 1].id);
    }
}

static void stopping_commits_what_waits(void **state)
{
    enum { JOBS = 30 };
    struct world *world = *state;
    struct job jobs[JOBS] = {0}, late = {.done = NULL};
    struct counter done = {0};
    world_start(world, 100, 4);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].done = &done;
        assert_ok(post(world->recorder, &jobs[i], sample_of(i)));
    }
    clerk_stop(world->clerk);
    (void)mailbox_deliver(world->home);
    assert_int_equal(counter_read(&done), JOBS);
    /* Whoever opens an answer now, and wishes to write once more, hears that it is over. */
    assert_kind(post(world->recorder, &late, sample_of(JOBS)), ERR_CLOSED);
    write_drop(late.errand.write);
    assert_kind(world->recorder->record(world->recorder, sample_of(JOBS), NULL), ERR_CLOSED);
    for (int i = 0; i < JOBS; i++)
        assert_ok(jobs[i].errand.result.failed);
    struct store_counts counts;
    assert_ok(world->r->counts(world->r, &counts));
    assert_int_equal(counts.samples, JOBS);
}

static void a_full_disk_is_told_once_and_its_end_too(void **state)
{
    struct world *world = *state;
    struct clerk_health health;
    world_start(world, 100, 10);
    world->trial.why = &disk_full;
    counter_add(&world->trial.fail_at, 1);
    counter_add(&world->trial.fail_until, UINT64_MAX);
    for (int i = 0; i < 5; i++)
        assert_kind(world->recorder->record(world->recorder, sample_of(i), NULL), ERR_FULL);
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.state, CLERK_FULL);
    assert_int_equal(health.since_us, 5000000);
    assert_int_equal(health.failed_batches, 5);
    assert_int_equal(health.commits, 0);
    assert_ptr_equal(health.failed, &disk_full);

    /* There is room again: writes pass at once, and the note that waited is kept with the time it had. */
    counter_less(&world->trial.fail_until, UINT64_MAX);
    assert_ok(world->recorder->record(world->recorder, sample_of(9), NULL));
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.state, CLERK_FULL); /* not for long enough yet */
    counter_add(&world->clock.ms, 2000);
    assert_ok(world->recorder->record(world->recorder, sample_of(10), NULL));
    clerk_read_health(world->clerk, &health);
    assert_int_equal(health.state, CLERK_OK);
    assert_null(health.failed);
    assert_int_equal(world->sink.count, 2);
    assert_int_equal(world->sink.seen[0].kind, EVENT_STORE_FULL);
    assert_string_equal(world->sink.seen[0].detail, "{\"why\":\"test: the disk has no room\"}");
    assert_int_equal(world->sink.seen[1].kind, EVENT_STORE_RECOVERED);
    assert_string_equal(world->sink.seen[1].detail, "{\"refused\":5}");

    struct words events = {.rows.events = {see_event}};
    const struct event_query all = {.limit = 10};
    assert_ok(world->r->list_events(world->r, &all, &events.rows.events));
    assert_int_equal(events.count, 2);
}

/* Nobody writes, and the store is found well again all the same. */
static void the_clerk_tries_by_itself(void **state)
{
    struct world *world = *state;
    world_start(world, 100, 10);
    world->trial.why = &broken;
    counter_add(&world->trial.fail_at, 1);
    counter_add(&world->trial.fail_until, UINT64_MAX);
    assert_kind(world->recorder->record(world->recorder, sample_of(1), NULL), ERR_IO);
    counter_add(&world->clock.ms, 2000);
    counter_less(&world->trial.fail_until, UINT64_MAX);
    (void)sem_wait(&world->sink.kept);
    (void)sem_wait(&world->sink.kept);
    clerk_close(world->clerk);
    world->clerk = NULL;
    assert_int_equal(world->sink.seen[0].kind, EVENT_STORE_FAILED);
    assert_int_equal(world->sink.seen[1].kind, EVENT_STORE_RECOVERED);
}

/* For every N: the Nth call of the writer fails. What was acknowledged is there, what was not is not. */
static void what_is_acknowledged_is_kept_whichever_call_fails(void **state)
{
    enum { JOBS = 12 };
    struct world *world = *state;
    int64_t time_us = 0;
    bool failed_once = true;
    world_start(world, 100, 5);
    for (uint64_t n = 1; failed_once; n++) {
        struct job jobs[JOBS] = {0};
        struct counter done = {0};
        uint64_t calls = counter_read(&world->trial.calls);
        int64_t first_us = time_us;
        world->trial.why = n % 2 ? &disk_full : &broken;
        counter_add(&world->trial.fail_at, calls + n - counter_read(&world->trial.fail_at));
        counter_add(&world->trial.fail_until, calls + n + 1 - counter_read(&world->trial.fail_until));
        counter_add(&world->clock.ms, 2000);
        for (int i = 0; i < JOBS; i++) {
            jobs[i].done = &done;
            assert_ok(post(world->recorder, &jobs[i], sample_of(time_us++)));
        }
        deliver_until(world->home, &done, JOBS);
        failed_once = false;
        for (int i = 0; i < JOBS; i++) {
            struct sample_seen seen = SAMPLE_SEEN;
            const struct series_query q = {BYTES("d"), BYTES("m"), first_us + i, first_us + i + 1, 2};
            assert_ok(world->r->series(world->r, &q, &seen.rows));
            assert_int_equal(seen.count, jobs[i].errand.result.failed ? 0 : 1);
            assert_int_equal(jobs[i].answered, 1);
            failed_once |= jobs[i].errand.result.failed != OK;
        }
        assert_true(n < 200);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_gathers_during_a_commit_is_one_group),
        TEST(a_group_has_a_bound),
        TEST(a_full_queue_refuses_and_leaves_the_errand),
        TEST(answers_go_home),
        TEST(without_a_home_it_is_done_on_the_store_thread),
        TEST(record_waits_and_gives_the_result),
        TEST(one_refused_write_does_not_spoil_its_group),
        TEST(events_are_told_in_order_after_their_commit),
        TEST(stopping_commits_what_waits),
        TEST(a_full_disk_is_told_once_and_its_end_too),
        TEST(the_clerk_tries_by_itself),
        TEST(what_is_acknowledged_is_kept_whichever_call_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
