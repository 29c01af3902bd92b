/* A bounded mailbox: how threads talk. Many may post, the owner takes. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "base/mail.h"

struct mailbox;

MUST err mailbox_open(size_t max, struct mailbox **out); /* gives; close with mailbox_close */
void mailbox_close(struct mailbox *box);                 /* takes; mails still inside are opened first. NULL is fine */

/* From any thread. Takes the mail when OK. ERR_FULL: `max` mails are waiting, and the mail is still the caller's. */
MUST err mailbox_post(struct mailbox *box, struct mail *mail);
/* From any thread: mails that the caller gathered, linked by `next`, the last one's being NULL. Takes them all, past
 * `max` too: whoever gathers bounds how many. False when the box is full now; whoever hears it gathers no more and
 * posts one by one. */
bool mailbox_post_all(struct mailbox *box, struct mail *first);
/* From any thread: the answer to a mail that the owner of the box posted itself. Takes the mail, never fails and does
 * not count against `max`: there are never more answers than questions, and those were bounded where they went. */
void mailbox_answer(struct mailbox *box, struct mail *mail);
/* The same for several at once, linked by `next`, the last one's being NULL: the owner wakes up once and finds them
 * all. */
void mailbox_answer_all(struct mailbox *box, struct mail *first);

int mailbox_fd(const struct mailbox *box); /* lends an eventfd that is readable while mails wait */
/* Owner only. Opens all mails that wait now; returns how many. */
size_t mailbox_deliver(struct mailbox *box);
/* Owner only, or several workers on one box: waits up to wait_ms (-1: for ever) and takes one mail; NULL: none came. */
struct mail *mailbox_take(struct mailbox *box, int wait_ms);

struct mailbox_counts {
    uint64_t posted, refused; /* refused: posts that met a full box */
    size_t waiting, high_water;
};
void mailbox_read_counts(struct mailbox *box, struct mailbox_counts *out); /* from any thread */
