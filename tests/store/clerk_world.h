/* What the tests of the clerk share: a clock, a sink and a writer that do what the test says, and errands that count. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "store/clients.h"

#include "base/count.h"
#include "base/list.h"
#include "os/clock.h"
#include "os/mailbox.h"
#include "store/clerk.h"

#include <pthread.h>
#include <semaphore.h>

enum { EVENTS_SEEN = 64 };

/* --- a clock that the test moves --- */

struct fake_clock {
    struct clock port;
    struct counter ms;
};

static inline int64_t fake_wall_us(const struct clock *c)
{
    return (int64_t)counter_read(&((const struct fake_clock *)c)->ms) * 1000;
}

static inline int64_t fake_monotonic_ms(const struct clock *c)
{
    return (int64_t)counter_read(&((const struct fake_clock *)c)->ms);
}

/* --- a sink that remembers --- */

struct sink {
    struct kept_sink port;
    size_t count;
    struct {
        int64_t id;
        enum event_kind kind;
        char detail[128];
    } seen[EVENTS_SEEN];
    char told[1024]; /* events and retained messages in the order they were told */
    sem_t kept;
};

static inline void sink_tell(struct sink *sink, const char *what, struct bytes text)
{
    size_t used = strlen(sink->told);
    (void)snprintf(sink->told + used, sizeof sink->told - used, "%s %.*s\n", what, (int)text.len, (const char *)text.at);
}

static inline void sink_retained(struct kept_sink *port, struct message *message)
{
    sink_tell((struct sink *)port, "retained", message->payload);
}

static inline void sink_kept(struct kept_sink *port, const struct event *event)
{
    struct sink *sink = (struct sink *)port;
    if (sink->count < EVENTS_SEEN) {
        sink->seen[sink->count].id = event->id;
        sink->seen[sink->count].kind = event->kind;
        (void)snprintf(sink->seen[sink->count].detail, sizeof sink->seen[0].detail, "%.*s", (int)event->detail.len,
                       (const char *)event->detail.at);
    }
    sink->count++;
    sink_tell(sink, "event", event->detail);
    (void)sem_post(&sink->kept);
}

/* --- a writer between the clerk and the real one, which fails and waits when it is told to --- */

enum point { AT_BEGIN, AT_APPLY, AT_COMMIT };
static const struct fault disk_full = {ERR_FULL, "test: the disk has no room"};
static const struct fault broken = {ERR_IO, "test: the disk broke"};

struct trial {
    struct store_writer port;
    struct store_writer *real;
    struct counter calls;
    struct counter fail_at, fail_until; /* the calls from fail_at to fail_until fail; 0: none */
    err why;
    struct counter gated; /* commits say `reached` and wait for `open` */
    sem_t reached, open;
};

static inline err trial_point(struct trial *t)
{
    counter_add(&t->calls, 1);
    uint64_t call = counter_read(&t->calls);
    return call >= counter_read(&t->fail_at) && call < counter_read(&t->fail_until) ? t->why : OK;
}

static inline err trial_begin(struct store_writer *port)
{
    struct trial *t = (struct trial *)port;
    TRY(trial_point(t));
    return t->real->begin(t->real);
}

static inline err trial_apply(struct store_writer *port, const struct write *w, struct write_result *result)
{
    struct trial *t = (struct trial *)port;
    TRY(trial_point(t));
    return t->real->apply(t->real, w, result);
}

static inline err trial_commit(struct store_writer *port)
{
    struct trial *t = (struct trial *)port;
    if (counter_read(&t->gated)) {
        (void)sem_post(&t->reached);
        (void)sem_wait(&t->open);
    }
    TRY(trial_point(t));
    return t->real->commit(t->real);
}

static inline void trial_rollback(struct store_writer *port)
{
    struct trial *t = (struct trial *)port;
    t->real->rollback(t->real);
}

/* --- the world --- */

struct world {
    struct folder folder;
    struct fake_clock clock;
    struct sink sink;
    struct trial trial;
    struct store_writer *w;
    struct store_reader *r;
    struct clerk *clerk;
    struct mailbox *home;
    struct recorder *recorder;
};

static inline void world_start(struct world *world, size_t queue_max, size_t batch_max)
{
    const struct clerk_options options = {.writer = &world->trial.port,
                                          .clock = &world->clock.port,
                                          .sink = &world->sink.port,
                                          .queue_max = queue_max,
                                          .batch_max = batch_max};
    assert_ok(clerk_start(&options, &world->clerk));
    assert_ok(clerk_recorder(world->clerk, world->home, &world->recorder));
}

static inline int world_open(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct sqlite_options options = {.folder = world->folder.path};
    folder_open(&world->folder);
    assert_ok(sqlite_writer_open(&options, &world->w));
    assert_ok(sqlite_reader_open(&options, &world->r));
    enrol(world->w, "d");
    world->clock.port = (struct clock){fake_wall_us, fake_monotonic_ms};
    counter_add(&world->clock.ms, 5000);
    world->sink.port = (struct kept_sink){sink_kept, sink_retained};
    world->trial = (struct trial){{trial_begin, trial_apply, trial_commit, trial_rollback, NULL}, .real = world->w};
    assert_int_equal(sem_init(&world->sink.kept, 0, 0) | sem_init(&world->trial.reached, 0, 0) |
                         sem_init(&world->trial.open, 0, 0),
                     0);
    assert_ok(mailbox_open(10000, &world->home));
    *state = world;
    return 0;
}

static inline int world_close(void **state)
{
    struct world *world = *state;
    clerk_close(world->clerk);
    mailbox_close(world->home);
    assert_ok(sqlite_writer_check(world->w));
    world->r->close(world->r);
    world->w->close(world->w);
    folder_drop(&world->folder);
    free(world);
    return 0;
}

/* An errand that counts itself. */
struct job {
    struct errand errand;
    struct counter *done;
    pthread_t thread;
    int answered;
};

static inline void job_done(struct errand *errand)
{
    struct job *job = (struct job *)errand;
    job->answered++;
    job->thread = pthread_self();
    if (job->done)
        counter_add(job->done, 1);
}

static inline struct write *sample_of(int64_t time_us)
{
    const struct sample s = integer("m", time_us, time_us);
    return write_samples("d", (struct samples){&s, 1}, 9000);
}

static inline err post(struct recorder *recorder, struct job *job, struct write *w)
{
    job->errand.write = w;
    job->errand.done = job_done;
    return recorder->post(recorder, &job->errand);
}

static inline void deliver_until(struct mailbox *home, struct counter *done, uint64_t count)
{
    while (counter_read(done) < count) {
        struct mail *mail = mailbox_take(home, -1);
        if (mail)
            mail->open(mail);
    }
}

static inline struct write *event_of(const char *detail)
{
    const struct event event = {.time_us = 5, .kind = EVENT_DEVICE_EVENT, .detail = bytes_of_text(detail)};
    return write_event(&event);
}
