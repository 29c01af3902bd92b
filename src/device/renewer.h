/* The renewer: keeps a device's certificate from running out. It looks now and then, and asks on a worker's thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/backoff.h"
#include "base/count.h"
#include "device/credentials.h"
#include "os/log.h"
#include "os/worker.h"

/* What crosses to the worker and back. It owns all it has. */
struct renewal {
    struct errand errand;
    const struct counter *abandon;
    char folder[256];
    int64_t now_us;
    struct credentials fresh; /* when failed is OK */
    err failed;
    char why[WHY_TEXT];
};

/* Embedded in its owner, who fills the first part; all pointers are borrowed until renewer_drop. */
struct renewer {
    struct loop *loop;
    struct worker *worker;
    const struct clock *clock;
    const struct dice *dice;
    const struct log *log;
    const char *folder;
    struct credentials *credentials; /* of the folder; replaced on the loop's thread when they are renewed */
    void (*renewed)(struct renewer *self);
    int64_t ahead_us; /* of this machine's clock over the server's, as far as it is known; may change at any time. The
                       * times in a certificate are the server's: a machine whose clock is years behind would otherwise
                       * never renew */

    struct timer timer;
    struct renewal renewal;
    struct counter abandon;
    uint32_t dice_roll;     /* for renewal_due_us, of this certificate */
    struct backoff backoff; /* of failed renewals */
    int64_t not_before_ms;  /* monotonic */
    bool told_expired;
    char said[WHY_TEXT]; /* why it was not renewed, as it was logged last: what lasts for days is said once */
};

MUST err renewer_start(struct renewer *r);
void renewer_stop(struct renewer *r); /* looks no more, and gives up what is under way */
void renewer_drop(struct renewer *r); /* after the worker was stopped and its answers were opened */
