/* The thread for blocking calls. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/worker.h"

#include "base/list.h"
#include "base/memory.h"

#include <pthread.h>

static const struct fault no_memory = {ERR_MEMORY, "worker: no memory"};
static const struct fault no_thread = {ERR_IO, "worker: the thread cannot be started"};
static const struct fault away = {ERR_AGAIN, "worker: the errand is away"};

enum { WAITING_MAX = 8, STACK_BYTES = 512 * 1024 };

struct worker {
    pthread_t thread;
    struct mailbox *box, *home;
    struct mail stop;
    bool stopping; /* the worker thread's own */
};

static void take_stop(struct mail *self)
{
    CONTAINER(self, struct worker, stop)->stopping = true;
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    while (!worker->stopping) {
        struct mail *mail = mailbox_take(worker->box, -1);
        if (mail)
            mail->open(mail);
    }
    return NULL;
}

static err start_thread(struct worker *worker)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes))
        return &no_thread;
    /* The usual 8 MiB are address space only, but they count where a service has a limit on it. */
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int failed = pthread_create(&worker->thread, &attributes, run, worker);
    pthread_attr_destroy(&attributes);
    return failed ? &no_thread : OK;
}

err worker_start(struct loop *home, struct worker **out)
{
    struct worker *worker = MEM_NEW(struct worker);
    if (!worker)
        return &no_memory;
    worker->home = loop_mailbox(home);
    worker->stop.open = take_stop;
    err e = mailbox_open(WAITING_MAX, &worker->box);
    if (!e)
        e = start_thread(worker);
    if (e) {
        mailbox_close(worker->box);
        mem_drop(worker);
        return e;
    }
    *out = worker;
    return OK;
}

void worker_stop(struct worker *worker)
{
    if (!worker)
        return;
    mailbox_answer(worker->box, &worker->stop); /* cannot be refused: there is one of it */
    pthread_join(worker->thread, NULL);
    mailbox_close(worker->box);
    mem_drop(worker);
}

static void come_home(struct mail *self)
{
    struct errand *errand = CONTAINER(self, struct errand, mail);
    errand->away = false;
    errand->done(errand);
}

static void go(struct mail *self)
{
    struct errand *errand = CONTAINER(self, struct errand, mail);
    errand->work(errand);
    errand->mail.open = come_home;
    mailbox_answer(errand->home, &errand->mail);
}

err worker_send(struct worker *worker, struct errand *errand)
{
    if (errand->away)
        return &away;
    errand->home = worker->home;
    errand->mail.open = go;
    TRY(mailbox_post(worker->box, &errand->mail));
    errand->away = true;
    return OK;
}
