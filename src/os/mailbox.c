/* A bounded mailbox.
 *
 * The one mutex of the house stands here, around a list of pointers: it is never held while a mail is opened. The
 * eventfd is readable exactly while mails wait; it is written when the box stops being empty and read when it becomes
 * empty, both under the mutex, so a thousand mails that wait together cost one wake-up. An owner with an epoll watches
 * the eventfd; workers poll it, and whoever finds the box empty again goes back to wait. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mailbox.h"

#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static const struct fault full = {ERR_FULL, "mailbox: as many mails wait as it holds"};
static const struct fault no_memory = {ERR_MEMORY, "mailbox: no memory"};
static const struct fault no_event = {ERR_IO, "mailbox: no eventfd"};

struct mailbox {
    int fd;
    size_t max;
    pthread_mutex_t lock; /* guards all below */
    struct mail *first, *last;
    size_t waiting; /* all mails */
    size_t counted; /* those of them that were posted */
    uint64_t posted, refused;
    size_t high_water;
};

/* These fail only when the program is wrong, and a mailbox that guesses is worse than a restart. */
static void lock(struct mailbox *box)
{
    if (pthread_mutex_lock(&box->lock) != 0)
        abort();
}

static void unlock(struct mailbox *box)
{
    if (pthread_mutex_unlock(&box->lock) != 0)
        abort();
}

err mailbox_open(size_t max, struct mailbox **out)
{
    struct mailbox *box = MEM_NEW(struct mailbox);
    if (!box)
        return &no_memory;
    box->max = max;
    box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (box->fd < 0 || pthread_mutex_init(&box->lock, NULL) != 0) {
        if (box->fd >= 0)
            (void)close(box->fd);
        mem_drop(box);
        return &no_event;
    }
    *out = box;
    return OK;
}

void mailbox_close(struct mailbox *box)
{
    if (!box)
        return;
    while (mailbox_deliver(box) > 0) /* a mail that is opened may post another */
        ;
    (void)pthread_mutex_destroy(&box->lock);
    (void)close(box->fd);
    mem_drop(box);
}

static void signal_waiting(struct mailbox *box)
{
    const uint64_t one = 1;
    while (write(box->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void signal_empty(struct mailbox *box)
{
    uint64_t ignored;
    while (read(box->fd, &ignored, sizeof ignored) < 0 && errno == EINTR)
        ;
}

/* Mails that are linked by `next`, and how many they are. */
struct chain {
    struct mail *first, *last;
    size_t count;
};

static void append(struct mailbox *box, const struct chain *mails)
{
    bool was_empty = !box->first;
    if (was_empty)
        box->first = mails->first;
    else
        box->last->next = mails->first;
    box->last = mails->last;
    box->waiting += mails->count;
    if (box->waiting > box->high_water)
        box->high_water = box->waiting;
    if (was_empty)
        signal_waiting(box);
}

err mailbox_post(struct mailbox *box, struct mail *mail)
{
    lock(box);
    bool fits = box->counted < box->max;
    if (fits) {
        mail->next = NULL;
        mail->counted = 1;
        box->counted++;
        append(box, &(struct chain){mail, mail, 1});
    }
    *(fits ? &box->posted : &box->refused) += 1;
    unlock(box);
    return fits ? OK : &full;
}

static struct chain chain_of(struct mail *first, unsigned counted)
{
    struct chain mails = {first, first, 1};
    for (first->counted = counted; mails.last->next; mails.count++) {
        mails.last = mails.last->next;
        mails.last->counted = counted;
    }
    return mails;
}

bool mailbox_post_all(struct mailbox *box, struct mail *first)
{
    struct chain mails = chain_of(first, 1);
    lock(box);
    box->counted += mails.count;
    box->posted += mails.count;
    append(box, &mails);
    bool has_room = box->counted < box->max;
    unlock(box);
    return has_room;
}

void mailbox_answer(struct mailbox *box, struct mail *mail)
{
    mail->next = NULL;
    mailbox_answer_all(box, mail);
}

void mailbox_answer_all(struct mailbox *box, struct mail *first)
{
    struct chain mails = chain_of(first, 0);
    lock(box);
    append(box, &mails);
    unlock(box);
}

int mailbox_fd(const struct mailbox *box)
{
    return box->fd;
}

static struct mail *take_all(struct mailbox *box)
{
    lock(box);
    struct mail *first = box->first;
    box->first = box->last = NULL;
    box->waiting = box->counted = 0;
    if (first)
        signal_empty(box);
    unlock(box);
    return first;
}

static struct mail *take_first(struct mailbox *box)
{
    lock(box);
    struct mail *mail = box->first;
    if (mail) {
        box->first = mail->next;
        box->waiting--;
        box->counted -= mail->counted;
    }
    if (mail && !box->first) {
        box->last = NULL;
        signal_empty(box);
    }
    unlock(box);
    return mail;
}

size_t mailbox_deliver(struct mailbox *box)
{
    size_t count = 0;
    struct mail *next;
    for (struct mail *mail = take_all(box); mail; mail = next, count++) {
        next = mail->next; /* the mail is gone once it was opened */
        mail->open(mail);
    }
    return count;
}

static int64_t now_ms(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        abort();
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until a mail may wait or the time is over; -1 waits for ever. */
static void wait_for_mail(struct mailbox *box, int64_t wait_ms)
{
    struct pollfd waiting = {.fd = box->fd, .events = POLLIN};
    (void)poll(&waiting, 1, (int)wait_ms); /* interrupted or failed: the caller looks again */
}

struct mail *mailbox_take(struct mailbox *box, int wait_ms)
{
    struct mail *mail = take_first(box);
    if (mail || wait_ms == 0)
        return mail;
    const int64_t until = now_ms() + wait_ms;
    for (int64_t left = wait_ms; !mail && (wait_ms < 0 || left > 0); left = until - now_ms()) {
        wait_for_mail(box, wait_ms < 0 ? -1 : left);
        mail = take_first(box);
    }
    return mail;
}

void mailbox_read_counts(struct mailbox *box, struct mailbox_counts *out)
{
    lock(box);
    *out = (struct mailbox_counts){box->posted, box->refused, box->waiting, box->high_water};
    unlock(box);
}
