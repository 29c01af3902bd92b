/* A mail: what crosses from one thread to another. Embedded as the first member of whatever it carries, and says
 * itself what is to be done when it arrives; a mailbox (os/mailbox.h) knows none of its users. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct mail {
    struct mail *next;                /* the mailbox's own */
    void (*open)(struct mail *self);  /* runs on the receiver's thread and takes the mail */
    unsigned counted;                 /* the mailbox's own: 1 when it counts against the bound */
};
