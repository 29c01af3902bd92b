/* The recorder port: hands writes to the thread that owns the store, which commits them in batches. Filled by
 * store/clerk.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/mail.h"
#include "core/write.h"

/* A write on its way. Embedded in whatever waits for it, which stays alive until `done` ran. */
struct errand {
    struct mail mail;    /* the recorder's own, as the next */
    struct recorder *by;
    /* Owned; dropped by the recorder before `done`. One, or several linked by `next`: they are applied in order up to the
     * first that is refused, and all that were applied become durable in one commit. None at all: it is done when all
     * that was posted before is, and has cost no commit. */
    struct write *write;
    struct write_result result;
    void (*done)(struct errand *self); /* runs on the thread of the recorder that took it, once, when result is final */
};

struct recorder {
    /* Takes the errand when OK; its `done` is called later, never from inside this call. ERR_FULL: the queue has no
     * room; ERR_CLOSED: it has ended. The errand and its write are still the caller's then. */
    err (*post)(struct recorder *self, struct errand *errand) MUST;
    /* Waits until the write is durable or has failed; for threads that may block, never for a loop. Takes w in every
     * case. ERR_FULL: the queue or the disk has no room. The result is filled when it is not NULL. */
    err (*record)(struct recorder *self, struct write *w, struct write_result *result) MUST;
};

/* What was kept, said on the store thread after the commit, in the order of the commits and before the errands return. */
struct kept_sink {
    void (*event)(struct kept_sink *self, const struct event *event); /* borrows the event, with its id */
    void (*retained)(struct kept_sink *self, struct message *message); /* borrows; an empty payload: deleted */
};
