/* Errands on their way to the store thread and back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/desk.h"

#include "base/list.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

static const struct fault closed = {ERR_CLOSED, "clerk: the store thread has ended"};

/* More than this is handed over before the turn ends: the store thread may begin, and the box is passed by no more. */
enum { GATHERED_MAX = 256 };

void pile_add(struct pile *p, struct mail *mail)
{
    mail->next = NULL;
    if (p->last)
        p->last->next = mail;
    else
        p->first = mail;
    p->last = mail;
    p->count++;
}

struct mail *pile_take(struct pile *p)
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

struct errand *errand_of(struct mail *mail)
{
    return CONTAINER(mail, struct errand, mail);
}

static struct desk *desk_of(struct recorder *port)
{
    return CONTAINER(port, struct desk, port);
}

/* --- there --- */

/* Runs on the store thread. */
static void errand_arrives(struct mail *mail)
{
    pile_add(&desk_of(errand_of(mail)->by)->intake->pile, mail);
}

void desk_hand_over(struct desk *desk)
{
    struct mail *first = desk->gathered.first;
    desk->gathered = (struct pile){0};
    if (first)
        desk->crowded = !mailbox_post_all(desk->intake->box, first);
}

static void turn_is_over(struct turn_end *self)
{
    desk_hand_over(CONTAINER(self, struct desk, turn_end));
}

static err post_now(struct desk *desk, struct errand *errand)
{
    TRY(mailbox_post(desk->intake->box, &errand->mail));
    desk->crowded = false;
    return OK;
}

static void gather(struct desk *desk, struct errand *errand)
{
    pile_add(&desk->gathered, &errand->mail);
    if (desk->gathered.count == GATHERED_MAX)
        desk_hand_over(desk);
    else
        loop_at_turn_end(desk->loop, &desk->turn_end);
}

static err post(struct recorder *port, struct errand *errand)
{
    struct desk *desk = desk_of(port);
    if (desk->intake->ended)
        return &closed;
    errand->by = port;
    errand->mail.open = errand_arrives;
    if (!desk->loop || desk->crowded)
        return post_now(desk, errand);
    gather(desk, errand);
    return OK;
}

/* --- and back --- */

/* Runs on the thread of the errand's home. */
static void errand_returns(struct mail *mail)
{
    struct errand *errand = errand_of(mail);
    errand->done(errand);
}

void desk_answer(struct errand *errand)
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
        desk->next = desk->intake->answered;
        desk->intake->answered = desk;
    }
    pile_add(&desk->answers, &errand->mail);
}

void answers_send(struct intake *intake)
{
    for (struct desk *desk; (desk = intake->answered);) {
        struct mail *first = desk->answers.first;
        intake->answered = desk->next;
        desk->answers = (struct pile){0};
        mailbox_answer_all(desk->home, first);
    }
}

/* --- for threads that may wait --- */

struct waiter {
    struct desk desk; /* without a home, whatever the recorder's is: its errand is done on the store thread */
    struct errand errand;
    sem_t ready;
};

static void wake(struct errand *errand)
{
    (void)sem_post(&CONTAINER(errand, struct waiter, errand)->ready); /* fails for a count that is never reached */
}

static err wait_for(struct waiter *waiter)
{
    TRY(post(&waiter->desk.port, &waiter->errand));
    while (sem_wait(&waiter->ready) && errno == EINTR)
        ;
    return waiter->errand.result.failed;
}

static err record(struct recorder *port, struct write *w, struct write_result *result)
{
    struct waiter waiter = {.errand = {.write = w, .done = wake}};
    desk_open(&waiter.desk, desk_of(port)->intake, NULL);
    if (sem_init(&waiter.ready, 0, 0))
        abort(); /* fails for a count that is too large only */
    err e = wait_for(&waiter);
    (void)sem_destroy(&waiter.ready);
    write_drop(waiter.errand.write); /* still ours when it could not be posted */
    if (result) {
        *result = waiter.errand.result;
        result->failed = e;
    }
    return e;
}

void desk_open(struct desk *desk, struct intake *intake, struct mailbox *home)
{
    *desk = (struct desk){.port = {post, record}, .intake = intake, .home = home};
}

void desk_open_loop(struct desk *desk, struct intake *intake, struct loop *loop)
{
    desk_open(desk, intake, loop_mailbox(loop));
    desk->loop = loop;
    desk->turn_end.over = turn_is_over;
}
