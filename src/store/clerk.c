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
#include "store/trouble.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

static const struct fault no_memory = {ERR_MEMORY, "clerk: no memory"};
static const struct fault no_thread = {ERR_IO, "clerk: the store thread cannot be started"};
static const struct fault many_recorders = {ERR_FULL, "clerk: no more recorders"};
static const struct fault closed = {ERR_CLOSED, "clerk: the store thread has ended"};

enum { PROBE_MS = 1000, NOTE_DETAIL_MAX = 512 };

/* Errands in order, linked by their mails, which no mailbox holds meanwhile. */
struct pile {
    struct mail *first, *last;
    size_t count;
};

/* One recorder. */
struct desk {
    struct recorder port;
    struct clerk *clerk;
    struct mailbox *home; /* NULL: errands are done on the store thread */
    struct pile answers;  /* the store thread's: to be sent home together */
    struct desk *next;    /* the store thread's: another one with answers */
};

struct stop {
    struct mail mail;
    bool wanted;
};

struct clerk {
    struct clerk_options how;
    struct mailbox *box;
    pthread_t thread;
    bool ended; /* the thread is over, and with it all that could post at the same time: nothing more is taken */
    struct desk desks[CLERK_RECORDERS_MAX];
    size_t desk_count;
    struct desk own; /* the home of errands whose maker waits in record() */

    /* The store thread's. */
    struct pile pile;
    struct desk *answered; /* those with answers */
    struct stop stop;
    struct trouble trouble;

    pthread_mutex_t lock; /* guards health, which the store thread writes once per batch */
    struct clerk_health health;
};

/* --- errands on their way --- */

static struct errand *errand_of(struct mail *mail)
{
    return CONTAINER(mail, struct errand, mail);
}

static struct desk *desk_of(struct recorder *port)
{
    return CONTAINER(port, struct desk, port);
}

static void pile_add(struct pile *p, struct mail *mail)
{
    mail->next = NULL;
    if (p->last)
        p->last->next = mail;
    else
        p->first = mail;
    p->last = mail;
    p->count++;
}

static struct mail *pile_take(struct pile *p)
{
    struct mail *mail = p->first;
    if (!mail)
        return NULL;
    p->first = mail->next;
    if (!p->first)
        p->last = NULL;
    p->count--;
    return mail;
}

/* Runs on the store thread. */
static void errand_arrives(struct mail *mail)
{
    pile_add(&desk_of(errand_of(mail)->by)->clerk->pile, mail);
}

/* Runs on the thread of the errand's home. */
static void errand_returns(struct mail *mail)
{
    struct errand *errand = errand_of(mail);
    errand->done(errand);
}

static void answer(struct errand *errand)
{
    struct desk *desk = desk_of(errand->by);
    write_drop(errand->write);
    errand->write = NULL;
    errand->mail.open = errand_returns;
    if (!desk->home) {
        errand->done(errand);
        return;
    }
    if (!desk->answers.first) {
        desk->next = desk->clerk->answered;
        desk->clerk->answered = desk;
    }
    pile_add(&desk->answers, &errand->mail);
}

/* One wake-up for each home, so that a loop hears of a whole batch at once and answers each of its peers with one
 * write. */
static void answer_all(struct clerk *clerk, struct pile *errands)
{
    for (struct mail *mail; (mail = pile_take(errands));)
        answer(errand_of(mail));
    for (struct desk *desk; (desk = clerk->answered);) {
        struct mail *first = desk->answers.first;
        clerk->answered = desk->next;
        desk->answers = (struct pile){0};
        mailbox_answer_all(desk->home, first);
    }
}

static err post(struct recorder *port, struct errand *errand)
{
    struct clerk *clerk = desk_of(port)->clerk;
    errand->by = port;
    errand->mail.open = errand_arrives;
    return clerk->ended ? &closed : mailbox_post(clerk->box, &errand->mail);
}

struct waiter {
    struct errand errand;
    sem_t ready;
};

static void wake(struct errand *errand)
{
    (void)sem_post(&CONTAINER(errand, struct waiter, errand)->ready); /* fails for a count that is never reached */
}

static err wait_for(struct clerk *clerk, struct waiter *waiter)
{
    TRY(post(&clerk->own.port, &waiter->errand));
    while (sem_wait(&waiter->ready) && errno == EINTR)
        ;
    return waiter->errand.result.failed;
}

static err record(struct recorder *port, struct write *w, struct write_result *result)
{
    struct waiter waiter = {.errand = {.write = w, .done = wake}};
    if (sem_init(&waiter.ready, 0, 0))
        abort(); /* fails for a count that is too large only */
    err e = wait_for(desk_of(port)->clerk, &waiter);
    (void)sem_destroy(&waiter.ready);
    write_drop(waiter.errand.write); /* still ours when it could not be posted */
    if (result) {
        *result = waiter.errand.result;
        result->failed = e;
    }
    return e;
}

/* --- a batch --- */

struct batch {
    struct pile errands;
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

static err apply_errands(struct clerk *clerk, struct batch *batch)
{
    struct store_writer *writer = clerk->how.writer;
    for (struct mail *mail = batch->errands.first; mail; mail = mail->next) {
        struct errand *errand = errand_of(mail);
        errand->result.failed = writer->apply(writer, errand->write, &errand->result);
        if (errand->result.failed && !is_own(errand->result.failed->kind))
            return errand->result.failed;
    }
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

static void tell_notes(struct clerk *clerk, const struct batch *batch)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = NOTE_DETAIL_MAX};
    for (size_t i = 0; i < batch->note_count; i++) {
        struct event event;
        if (note_event(&batch->notes[i], &detail, &event))
            continue; /* no memory: it is kept, and whoever resumes from an older id reads it */
        event.id = batch->note_ids[i];
        clerk->how.sink->kept(clerk->how.sink, &event);
    }
}

static void tell_events(struct clerk *clerk, const struct batch *batch)
{
    if (!clerk->how.sink)
        return;
    tell_notes(clerk, batch);
    for (const struct mail *mail = batch->errands.first; mail; mail = mail->next) {
        const struct errand *errand = (const struct errand *)mail;
        if (errand->write->kind != WRITE_EVENT || errand->result.failed)
            continue;
        struct event event = errand->write->as.event;
        event.id = errand->result.id;
        clerk->how.sink->kept(clerk->how.sink, &event);
    }
}

/* Nothing of a spoiled batch is kept, so no result of it means anything. */
static void fail_all(struct pile *errands, err why)
{
    for (struct mail *mail = errands->first; mail; mail = mail->next)
        errand_of(mail)->result = (struct write_result){.failed = why};
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
        h->writes += batch->errands.count;
        h->commit_us = took_us > 0 ? took_us : 0; /* the wall clock may have been set back */
        if (h->commit_us > h->commit_us_max)
            h->commit_us_max = h->commit_us;
        if (batch->errands.count > h->batch_high_water)
            h->batch_high_water = batch->errands.count;
    }
    (void)pthread_mutex_unlock(&clerk->lock);
}

static void judge(struct clerk *clerk, const struct batch *batch, err failed)
{
    const struct log *log = &clerk->how.log;
    if (failed) {
        if (trouble_failed(&clerk->trouble, moment_of(clerk), failed, batch->errands.count))
            log_line(log, LOG_ERROR, "the store does not commit", "why=\"%s\"", failed->text);
    } else if (trouble_passed(&clerk->trouble, batch->notes, batch->note_count)) {
        log_line(log, LOG_WARN, "the store commits again", "refused=%llu",
                 (unsigned long long)batch->notes[batch->note_count - 1].refused);
    }
}

static void run_batch(struct clerk *clerk)
{
    struct batch batch = {.note_count = 0};
    while (batch.errands.count < clerk->how.batch_max && clerk->pile.first)
        pile_add(&batch.errands, pile_take(&clerk->pile));
    struct moment start = moment_of(clerk);
    batch.note_count = trouble_notes(&clerk->trouble, start, batch.notes);

    err failed = commit(clerk, &batch);
    judge(clerk, &batch, failed);
    publish_health(clerk, &batch, wall_us(clerk->how.clock) - start.wall_us, failed);
    if (failed)
        fail_all(&batch.errands, failed);
    else
        tell_events(clerk, &batch);
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
    struct mail *mail = mailbox_take(clerk->box, clerk->stop.wanted ? 0 : sound ? -1 : PROBE_MS);
    if (!mail)
        return;
    mail->open(mail);
    (void)mailbox_deliver(clerk->box); /* how many does not matter */
}

static void *run(void *self)
{
    struct clerk *clerk = self;
    (void)pthread_setname_np(pthread_self(), "store"); /* for people who look at threads; nothing depends on it */
    for (;;) {
        gather(clerk);
        if (clerk->trouble.state != CLERK_OK && !clerk->pile.first)
            run_batch(clerk); /* of notes alone */
        while (clerk->pile.first)
            run_batch(clerk);
        if (clerk->stop.wanted && !mailbox_deliver(clerk->box))
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
    clerk->own = (struct desk){.port = {post, record}, .clerk = clerk};
    clerk->trouble.since_us = clerk->health.since_us = wall_us(options->clock);
    if (pthread_mutex_init(&clerk->lock, NULL)) {
        mem_drop(clerk);
        return &no_memory;
    }
    err e = mailbox_open(options->queue_max, &clerk->box);
    if (!e)
        e = start_thread(clerk);
    if (e) {
        clerk->ended = true; /* it never began */
        clerk_close(clerk);
        return e;
    }
    *out = clerk;
    return OK;
}

void clerk_stop(struct clerk *clerk)
{
    if (!clerk || clerk->ended)
        return;
    mailbox_answer(clerk->box, &clerk->stop.mail); /* there is room for it even when the box is full */
    (void)pthread_join(clerk->thread, NULL);
    clerk->ended = true;
    (void)mailbox_deliver(clerk->box); /* whoever posted too late learns it */
    fail_all(&clerk->pile, &closed);
    answer_all(clerk, &clerk->pile);
}

void clerk_close(struct clerk *clerk)
{
    if (!clerk)
        return;
    clerk_stop(clerk);
    mailbox_close(clerk->box);
    (void)pthread_mutex_destroy(&clerk->lock);
    mem_drop(clerk);
}

err clerk_recorder(struct clerk *clerk, struct mailbox *home, struct recorder **out)
{
    if (clerk->desk_count == CLERK_RECORDERS_MAX)
        return &many_recorders;
    struct desk *desk = &clerk->desks[clerk->desk_count++];
    *desk = (struct desk){.port = {post, record}, .clerk = clerk, .home = home};
    *out = &desk->port;
    return OK;
}

void clerk_read_health(struct clerk *clerk, struct clerk_health *out)
{
    (void)pthread_mutex_lock(&clerk->lock);
    *out = clerk->health;
    (void)pthread_mutex_unlock(&clerk->lock);
    mailbox_read_counts(clerk->box, &out->queue);
}
