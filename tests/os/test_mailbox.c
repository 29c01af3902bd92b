/* The mailbox: its bound, its order, its wake-ups, with one owner and with several workers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "os/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

struct letter {
    struct mail mail;
    unsigned sender, number;
    struct desk *desk;
};

enum { SENDERS = 4, LETTERS = 2000, WORKERS = 2 };

/* Where letters are read; only its owner's thread touches it. */
struct desk {
    unsigned next[SENDERS];
    unsigned opened, out_of_order;
};

static void letter_open(struct mail *self)
{
    struct letter *letter = (struct letter *)self;
    letter->desk->opened++;
    letter->desk->out_of_order += letter->number != letter->desk->next[letter->sender];
    letter->desk->next[letter->sender] = letter->number + 1;
}

static struct letter letter_to(struct desk *desk, unsigned number)
{
    return (struct letter){.mail = {.open = letter_open}, .number = number, .desk = desk};
}

static int readable(const struct mailbox *box)
{
    struct pollfd p = {.fd = mailbox_fd(box), .events = POLLIN};
    return poll(&p, 1, 0);
}

static void a_full_box_refuses_posts_and_takes_answers(void **state)
{
    struct mailbox *box;
    struct mailbox_counts counts;
    struct desk desk = {0};
    struct letter a = letter_to(&desk, 0), b = letter_to(&desk, 1), c = letter_to(&desk, 2), d = letter_to(&desk, 2);
    assert_null(mailbox_open(2, &box));
    assert_int_equal(readable(box), 0);
    assert_null(mailbox_post(box, &a.mail));
    assert_null(mailbox_post(box, &b.mail));
    assert_true(err_is(mailbox_post(box, &c.mail), ERR_FULL));
    mailbox_answer(box, &d.mail);
    assert_int_equal(readable(box), 1);
    mailbox_read_counts(box, &counts);
    assert_int_equal(counts.posted, 2);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(counts.waiting, 3);
    assert_int_equal(counts.high_water, 3);
    assert_int_equal(mailbox_deliver(box), 3);
    assert_int_equal(desk.opened, 3);
    assert_int_equal(desk.out_of_order, 0);
    assert_int_equal(readable(box), 0);
    assert_int_equal(mailbox_deliver(box), 0);
    mailbox_close(box);
}

static void answers_that_are_taken_leave_no_room_behind(void **state)
{
    struct mailbox *box;
    struct desk desk = {0};
    struct letter post = letter_to(&desk, 0), answer = letter_to(&desk, 1), more = letter_to(&desk, 2);
    assert_null(mailbox_open(1, &box));
    mailbox_answer(box, &answer.mail);
    assert_null(mailbox_post(box, &post.mail));
    assert_ptr_equal(mailbox_take(box, 0), &answer.mail);
    assert_true(err_is(mailbox_post(box, &more.mail), ERR_FULL));
    assert_int_equal(readable(box), 1);
    assert_ptr_equal(mailbox_take(box, -1), &post.mail);
    assert_int_equal(readable(box), 0);
    assert_null(mailbox_post(box, &more.mail));
    assert_ptr_equal(mailbox_take(box, 1000), &more.mail);
    assert_null(mailbox_take(box, 0));
    assert_null(mailbox_take(box, 1));
    mailbox_close(box);
}

static void answers_that_come_together_keep_their_order_and_wake_once(void **state)
{
    struct mailbox *box;
    struct mailbox_counts counts;
    struct desk desk = {0};
    struct letter first = letter_to(&desk, 0), post = letter_to(&desk, 4), chain[3];
    uint64_t wakes;
    for (unsigned i = 0; i < 3; i++)
        chain[i] = letter_to(&desk, i + 1);
    chain[0].mail.next = &chain[1].mail;
    chain[1].mail.next = &chain[2].mail;
    assert_null(mailbox_open(1, &box));
    mailbox_answer(box, &first.mail);
    mailbox_answer_all(box, &chain[0].mail);
    assert_null(mailbox_post(box, &post.mail)); /* they do not count against the bound */
    assert_int_equal(read(mailbox_fd(box), &wakes, sizeof wakes), sizeof wakes);
    assert_int_equal(wakes, 1);
    mailbox_read_counts(box, &counts);
    assert_int_equal(counts.posted, 1);
    assert_int_equal(counts.waiting, 5);
    assert_int_equal(counts.high_water, 5);
    assert_int_equal(mailbox_deliver(box), 5);
    assert_int_equal(desk.opened, 5);
    assert_int_equal(desk.out_of_order, 0);
    mailbox_close(box);
}

struct relay {
    struct letter letter;
    struct mailbox *box;
    unsigned left;
};

static void mails_that_come_together_count_and_may_pass_the_bound(void **state)
{
    struct mailbox *box;
    struct mailbox_counts counts;
    struct desk desk = {0};
    struct letter letters[5];
    for (unsigned i = 0; i < 5; i++)
        letters[i] = letter_to(&desk, i);
    assert_null(mailbox_open(4, &box));
    letters[0].mail.next = NULL;
    assert_true(mailbox_post_all(box, &letters[0].mail)); /* there is room for more */
    for (unsigned i = 1; i < 4; i++)
        letters[i].mail.next = i < 3 ? &letters[i + 1].mail : NULL;
    assert_false(mailbox_post_all(box, &letters[1].mail)); /* four of four */
    assert_true(err_is(mailbox_post(box, &letters[4].mail), ERR_FULL));
    letters[4].mail.next = NULL;
    assert_false(mailbox_post_all(box, &letters[4].mail)); /* taken all the same */
    mailbox_read_counts(box, &counts);
    assert_int_equal(counts.posted, 5);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(counts.waiting, 5);
    assert_int_equal(mailbox_deliver(box), 5);
    assert_int_equal(desk.out_of_order, 0);
    letters[0] = letter_to(&desk, 5);
    assert_null(mailbox_post(box, &letters[0].mail)); /* and there is room again */
    mailbox_close(box);
}

static void relay_open(struct mail *self)
{
    struct relay *relay = (struct relay *)self;
    if (relay->left-- > 1)
        assert_null(mailbox_post(relay->box, self));
}

static void closing_opens_what_is_inside_and_what_that_posts(void **state)
{
    struct relay relay = {.letter.mail.open = relay_open, .left = 5};
    assert_null(mailbox_open(8, &relay.box));
    assert_null(mailbox_post(relay.box, &relay.letter.mail));
    mailbox_close(relay.box);
    assert_int_equal(relay.left, 0);
    mailbox_close(NULL);
}

static void allocation_failures_are_errors(void **state)
{
    struct mailbox *box;
    (void)mem_trial(1);
    assert_true(err_is(mailbox_open(1, &box), ERR_MEMORY));
    (void)mem_trial(0);
}

struct sender {
    pthread_t thread;
    struct mailbox *box;
    struct letter letters[LETTERS];
};

static void *send_all(void *arg)
{
    struct sender *sender = arg;
    for (unsigned i = 0; i < LETTERS; i++)
        while (mailbox_post(sender->box, &sender->letters[i].mail))
            sched_yield();
    return NULL;
}

static struct sender *start_senders(struct mailbox *box, struct desk *desk)
{
    struct sender *senders = mem_take(SENDERS, sizeof *senders);
    assert_non_null(senders);
    for (unsigned s = 0; s < SENDERS; s++) {
        senders[s].box = box;
        for (unsigned i = 0; i < LETTERS; i++) {
            senders[s].letters[i] = letter_to(desk, i);
            senders[s].letters[i].sender = s;
        }
        assert_int_equal(pthread_create(&senders[s].thread, NULL, send_all, &senders[s]), 0);
    }
    return senders;
}

/* Their letters are theirs: they are dropped when the last one was opened, which may be later. */
static void join_senders(struct sender *senders)
{
    for (unsigned s = 0; s < SENDERS; s++)
        assert_int_equal(pthread_join(senders[s].thread, NULL), 0);
}

static void each_sender_keeps_its_order(void **state)
{
    struct mailbox *box;
    struct desk desk = {0};
    assert_null(mailbox_open(64, &box));
    struct sender *senders = start_senders(box, &desk);
    while (desk.opened < SENDERS * LETTERS) {
        struct pollfd p = {.fd = mailbox_fd(box), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 60000), 1);
        (void)mailbox_deliver(box);
    }
    assert_int_equal(desk.out_of_order, 0);
    assert_int_equal(readable(box), 0);
    join_senders(senders);
    mem_drop(senders);
    mailbox_close(box);
}

struct worker {
    pthread_t thread;
    struct mailbox *box;
    struct desk desk;
};

/* A letter without a desk sends the worker home. */
static void *work(void *arg)
{
    struct worker *worker = arg;
    for (;;) {
        struct letter *letter = (struct letter *)mailbox_take(worker->box, -1);
        if (!letter->desk)
            return NULL;
        worker->desk.opened++;
        worker->desk.out_of_order += letter->number < worker->desk.next[letter->sender];
        worker->desk.next[letter->sender] = letter->number;
    }
}

static void several_workers_share_a_box(void **state)
{
    struct mailbox *box;
    struct desk desk = {0};
    struct worker workers[WORKERS] = {0};
    struct letter home[WORKERS] = {0};
    unsigned opened = 0, out_of_order = 0;
    assert_null(mailbox_open(16, &box));
    for (unsigned w = 0; w < WORKERS; w++) {
        workers[w].box = box;
        assert_int_equal(pthread_create(&workers[w].thread, NULL, work, &workers[w]), 0);
    }
    struct sender *senders = start_senders(box, &desk);
    join_senders(senders);
    for (unsigned w = 0; w < WORKERS; w++)
        mailbox_answer(box, &home[w].mail);
    for (unsigned w = 0; w < WORKERS; w++) {
        assert_int_equal(pthread_join(workers[w].thread, NULL), 0);
        opened += workers[w].desk.opened;
        out_of_order += workers[w].desk.out_of_order;
    }
    mem_drop(senders);
    assert_int_equal(opened, SENDERS * LETTERS);
    assert_int_equal(out_of_order, 0);
    mailbox_close(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_box_refuses_posts_and_takes_answers),
        cmocka_unit_test(answers_that_are_taken_leave_no_room_behind),
        cmocka_unit_test(answers_that_come_together_keep_their_order_and_wake_once),
        cmocka_unit_test(mails_that_come_together_count_and_may_pass_the_bound),
        cmocka_unit_test(closing_opens_what_is_inside_and_what_that_posts),
        cmocka_unit_test(allocation_failures_are_errors),
        cmocka_unit_test(each_sender_keeps_its_order),
        cmocka_unit_test(several_workers_share_a_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
