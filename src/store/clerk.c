/* The store thread.
 *
 *   sleep until a mail comes -> pile up all that wait -> commit the pile in batches -> sleep
 *
 * While one commit runs the next batch gathers in the mailbox, so batches grow with the load and a lonely write waits
 * for nobody. When a batch fails, each of its writes is answered with the fault and the state of `trouble` changes; the
 * next batch is the next try, and without one the clerk tries by itself with the notes that wait to be kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/clerk.h"

#include "base/list.h"
#include "base/memory.h"
#include "store/desk.h"
#include "store/trouble.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "clerk: no memory"};
static const struct fault no_thread = {ERR_IO, "clerk: the store thread cannot be started"};
static const struct fault many_recorders = {ERR_FULL, "clerk: no more recorders"};
static const struct fault closed = {ERR_CLOSED, "clerk: the store thread has ended"};

enum { PROBE_MS = 1000, NOTE_DETAIL_MAX = 512 };

struct stop {
    struct mail mail;
    bool wanted;
};

struct clerk {
    struct clerk_options how;
    pthread_t thread;
    struct intake intake;
    struct desk desks[CLERK_RECORDERS_MAX];
    size_t desk_count;

    /* The store thread's. */
    struct stop stop;
    struct trouble trouble;

    pthread_mutex_t lock; /* guards health, which the store thread writes once per batch */
    struct clerk_health health;
    struct latency commit_times;
};

static void answer_all(struct clerk *clerk, struct pile *errands)
{
    for (struct mail *mail; (mail = pile_take(errands));)
        desk_answer(errand_of(mail));
    answers_send(&clerk->intake);
}

/* --- a batch --- */

struct batch {
    struct pile errands;
    size_t writes; /* of all errands */
    struct note notes[TROUBLE_NOTES_MAX + 1];
    int64_t note_ids[TROUBLE_NOTES_MAX + 1];
    size_t note_count;
};

static struct moment moment_of(const struct clerk *clerk)
{
    return (struct moment){wall_us(clerk->how.clock), monotonic_ms(clerk->how.clock)};
}

/* Whether a fault is one write's own; all others spoil the batch (core/store.h). */
static bool is_own(enum fault_kind kind)
{
    return kind == ERR_REFUSED || kind == ERR_ABSENT || kind == ERR_EXISTS || kind == ERR_EXPIRED;
}

static err apply_notes(struct clerk *clerk, struct batch *batch)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = NOTE_DETAIL_MAX};
    struct store_writer *writer = clerk->how.writer;
    for (size_t i = 0; i < batch->note_count; i++) {
        struct write w = {.kind = WRITE_EVENT, .now_us = batch->notes[i].time_us};
        struct write_result result;
        TRY(note_event(&batch->notes[i], &detail, &w.as.event));
        TRY(writer->apply(writer, &w, &result));
        batch->note_ids[i] = result.id;
    }
    return OK;
}

/* The result of one write into that of its errand. */
static void add_result(struct write_result *total, const struct write_result *one)
{
    if (one->id)
        total->id = one->id;
    if (one->group[0])
        memcpy(total->group, one->group, sizeof total->group);
}

/* Applies an errand's writes up to the first that is refused: that one and those behind it are dropped, so what hangs
 * on the errand afterwards is what is kept. An event learns its id here. */
static err apply_errand(struct clerk *clerk, struct errand *errand)
{
    struct store_writer *writer = clerk->how.writer;
    for (struct write **at = &errand->write; *at; at = &(*at)->next) {
        struct write_result one = {.failed = OK};
        one.failed = writer->apply(writer, *at, &one);
        if (one.failed && !is_own(one.failed->kind))
            return one.failed;
        if (one.failed) {
            errand->result.failed = one.failed;
            write_drop(*at);
            *at = NULL;
            return OK;
        }
        if ((*at)->kind == WRITE_EVENT)
            (*at)->as.event.id = one.id;
        add_result(&errand->result, &one);
    }
    return OK;
}

static err apply_errands(struct clerk *clerk, struct batch *batch)
{
    for (struct mail *mail = batch->errands.first; mail; mail = mail->next)
        TRY(apply_errand(clerk, errand_of(mail)));
    return OK;
}

static err commit(struct clerk *clerk, struct batch *batch)
{
    struct store_writer *writer = clerk->how.writer;
    TRY(writer->begin(writer));
    err e = apply_notes(clerk, batch);
    if (!e)
        e = apply_errands(clerk, batch);
    if (!e)
        e = writer->commit(writer);
    if (e)
        writer->rollback(writer);
    return e;
}

static void tell_notes(struct kept_sink *sink, const struct batch *batch)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = NOTE_DETAIL_MAX};
    for (size_t i = 0; i < batch->note_count; i++) {
        struct event event;
        if (note_event(&batch->notes[i], &detail, &event))
            continue; /* no memory: it is kept, and whoever resumes from an older id reads it */
        event.id = batch->note_ids[i];
        sink->event(sink, &event);
    }
}

static void tell_write(struct kept_sink *sink, const struct write *w)
{
    if (w->kind == WRITE_EVENT && sink->event)
        sink->event(sink, &w->as.event);
    if (w->kind == WRITE_RETAINED && sink->retained)
        sink->retained(sink, w->as.retained);
}

static void tell_kept(struct clerk *clerk, const struct batch *batch)
{
    struct kept_sink *sink = clerk->how.sink;
    if (!sink)
        return;
    if (sink->event)
        tell_notes(sink, batch);
    for (struct mail *mail = batch->errands.first; mail; mail = mail->next)
        for (const struct write *w = errand_of(mail)->write; w; w = w->next)
            tell_write(sink, w);
}

/* Nothing of a spoiled batch is kept, so no result of it means anything: a refusal neither. An errand that brought
 * nothing has nothing that could fail. */
static void fail_batch(struct batch *batch, err why)
{
    for (struct mail *mail = batch->errands.first; mail; mail = mail->next) {
        struct errand *errand = errand_of(mail);
        if (errand->write || errand->result.failed)
            errand->result = (struct write_result){.failed = why};
    }
}

static void publish_health(struct clerk *clerk, const struct batch *batch, int64_t took_us, err failed)
{
    (void)pthread_mutex_lock(&clerk->lock); /* fails on misuse only, as its sister */
    struct clerk_health *h = &clerk->health;
    h->state = clerk->trouble.state;
    h->failed = clerk->trouble.why;
    h->since_us = clerk->trouble.since_us;
    if (failed) {
        h->failed_batches++;
    } else {
        h->commits++;
        h->writes += batch->writes;
        h->commit_us = took_us > 0 ? took_us : 0; /* the wall clock may have been set back */
        latency_add(&clerk->commit_times, h->commit_us);
        if (h->commit_us > h->commit_us_max)
            h->commit_us_max = h->commit_us;
        if (batch->writes > h->batch_high_water)
            h->batch_high_water = batch->writes;
    }
    (void)pthread_mutex_unlock(&clerk->lock);
}

static void judge(struct clerk *clerk, const struct batch *batch, err failed)
{
    const struct log *log = &clerk->how.log;
    if (failed) {
        if (trouble_failed(&clerk->trouble, moment_of(clerk), failed, batch->writes))
            log_line(log, LOG_ERROR, "the store does not commit", "why=\"%s\"", failed->text);
    } else if (trouble_passed(&clerk->trouble, batch->notes, batch->note_count)) {
        log_line(log, LOG_WARN, "the store commits again", "refused=%llu",
                 (unsigned long long)batch->notes[batch->note_count - 1].refused);
    }
}

static void fill(struct batch *batch, struct pile *from, size_t writes_max)
{
    while (batch->writes < writes_max && from->first) {
        struct mail *mail = pile_take(from);
        struct errand *errand = errand_of(mail);
        errand->result = (struct write_result){.failed = OK};
        for (const struct write *w = errand->write; w; w = w->next)
            batch->writes++;
        pile_add(&batch->errands, mail);
    }
}

static void keep(struct clerk *clerk, struct batch *batch, struct moment start)
{
    err failed = commit(clerk, batch);
    judge(clerk, batch, failed);
    publish_health(clerk, batch, wall_us(clerk->how.clock) - start.wall_us, failed);
    if (failed)
        fail_batch(batch, failed);
    else
        tell_kept(clerk, batch);
}

static void run_batch(struct clerk *clerk)
{
    struct batch batch = {.note_count = 0};
    struct moment start = moment_of(clerk);
    fill(&batch, &clerk->intake.pile, clerk->how.batch_max);
    batch.note_count = trouble_notes(&clerk->trouble, start, batch.notes);
    if (batch.writes || batch.note_count || !batch.errands.first) /* else they came for the order alone */
        keep(clerk, &batch, start);
    answer_all(clerk, &batch.errands);
}

/* --- the thread --- */

static void stop_arrives(struct mail *mail)
{
    CONTAINER(mail, struct stop, mail)->wanted = true;
}

/* Waits for a mail, or in trouble a while; then takes all that wait. */
static void gather(struct clerk *clerk)
{
    bool sound = clerk->trouble.state == CLERK_OK;
    struct mail *mail = mailbox_take(clerk->intake.box, clerk->stop.wanted ? 0 : sound ? -1 : PROBE_MS);
    if (!mail)
        return;
    mail->open(mail);
    (void)mailbox_deliver(clerk->intake.box); /* how many does not matter */
}

static void *run(void *self)
{
    struct clerk *clerk = self;
    (void)pthread_setname_np(pthread_self(), "store"); /* for people who look at threads; nothing depends on it */
    for (;;) {
        gather(clerk);
        if (clerk->trouble.state != CLERK_OK && !clerk->intake.pile.first)
            run_batch(clerk); /* of notes alone */
        while (clerk->intake.pile.first)
            run_batch(clerk);
        if (clerk->stop.wanted && !mailbox_deliver(clerk->intake.box))
            return NULL;
    }
}

/* Signals are for the main thread. */
static err start_thread(struct clerk *clerk)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_BLOCK, &all, &before))
        return &no_thread;
    int failed = pthread_create(&clerk->thread, NULL, run, clerk);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return &no_thread;
    return OK;
}

err clerk_start(const struct clerk_options *options, struct clerk **out)
{
    struct clerk *clerk = MEM_NEW(struct clerk);
    if (!clerk)
        return &no_memory;
    clerk->how = *options;
    clerk->stop.mail.open = stop_arrives;
    clerk->trouble.since_us = clerk->health.since_us = wall_us(options->clock);
    if (pthread_mutex_init(&clerk->lock, NULL)) {
        mem_drop(clerk);
        return &no_memory;
    }
    err e = mailbox_open(options->queue_max, &clerk->intake.box);
    if (!e)
        e = start_thread(clerk);
    if (e) {
        clerk->intake.ended = true; /* it never began */
        clerk_close(clerk);
        return e;
    }
    *out = clerk;
    return OK;
}

/* What was posted too late to be taken up. */
static void refuse_late(struct clerk *clerk)
{
    (void)mailbox_deliver(clerk->intake.box); /* how many does not matter */
    for (struct mail *mail = clerk->intake.pile.first; mail; mail = mail->next)
        errand_of(mail)->result = (struct write_result){.failed = &closed};
    answer_all(clerk, &clerk->intake.pile);
}

void clerk_stop(struct clerk *clerk)
{
    if (!clerk || clerk->intake.ended)
        return;
    for (size_t i = 0; i < clerk->desk_count; i++)
        desk_hand_over(&clerk->desks[i]);                 /* of loops whose last turn is over */
    mailbox_answer(clerk->intake.box, &clerk->stop.mail); /* there is room for it even when the box is full */
    (void)pthread_join(clerk->thread, NULL);
    clerk->intake.ended = true;
    refuse_late(clerk);
}

void clerk_close(struct clerk *clerk)
{
    if (!clerk)
        return;
    clerk_stop(clerk);
    mailbox_close(clerk->intake.box);
    (void)pthread_mutex_destroy(&clerk->lock);
    mem_drop(clerk);
}

static err new_desk(struct clerk *clerk, struct desk **out)
{
    if (clerk->desk_count == CLERK_RECORDERS_MAX)
        return &many_recorders;
    *out = &clerk->desks[clerk->desk_count++];
    return OK;
}

err clerk_recorder(struct clerk *clerk, struct mailbox *home, struct recorder **out)
{
    struct desk *desk;
    TRY(new_desk(clerk, &desk));
    desk_open(desk, &clerk->intake, home);
    *out = &desk->port;
    return OK;
}

err clerk_loop_recorder(struct clerk *clerk, struct loop *loop, struct recorder **out)
{
    struct desk *desk;
    TRY(new_desk(clerk, &desk));
    desk_open_loop(desk, &clerk->intake, loop);
    *out = &desk->port;
    return OK;
}

void clerk_read_health(struct clerk *clerk, struct clerk_health *out)
{
    (void)pthread_mutex_lock(&clerk->lock);
    *out = clerk->health;
    latency_sum_add(&out->commit_times, &clerk->commit_times);
    (void)pthread_mutex_unlock(&clerk->lock);
    mailbox_read_counts(clerk->intake.box, &out->queue);
}
