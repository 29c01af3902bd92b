/* When to renew, and what follows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/renewer.h"

#include "base/list.h"
#include "base/text.h"
#include "device/enrol.h"

#include <string.h>

enum {
    LOOK_MS_MIN = 1000, /* how often it is looked whether renewal is due: a hundredth of the certificate's life */
    LOOK_MS_MAX = 30000,
    RETRY_MS_MIN = 1000, /* between failed renewals: up to a fiftieth of the certificate's life */
    RETRY_MS_MAX = 600 * 1000,
};

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static int64_t life_ms(const struct renewer *r)
{
    return (r->credentials->facts.not_after_us - r->credentials->facts.not_before_us) / 1000;
}

static int64_t server_now_us(const struct renewer *r)
{
    return wall_us(r->clock) - r->ahead_us;
}

/* A new certificate: its own throw of the dice, and a back-off that fits its life. */
static void plan(struct renewer *r)
{
    uint32_t retry_ms = (uint32_t)within(life_ms(r) / 50, RETRY_MS_MIN, RETRY_MS_MAX);
    r->dice->fill(r->dice, (uint8_t *)&r->dice_roll, sizeof r->dice_roll);
    r->backoff = (struct backoff){.first_ms = within(retry_ms / 8, RETRY_MS_MIN, retry_ms), .max_ms = retry_ms};
    r->told_expired = false;
    r->said[0] = 0;
}

static void tell_expired(struct renewer *r)
{
    char until[TIME_TEXT];
    if (r->told_expired || server_now_us(r) <= r->credentials->facts.not_after_us)
        return;
    time_text(r->credentials->facts.not_after_us, until);
    log_line(r->log, LOG_ERROR, "the certificate has expired",
             "device=%s expired=%s hint=\"if the server does not renew it, holdfast-agent enrol --new-key with a new "
             "token does\"",
             r->credentials->id, until);
    r->told_expired = true;
}

/* On the worker: the folder's credentials are its own copy. */
static void renew(struct errand *self)
{
    struct renewal *n = CONTAINER(self, struct renewal, errand);
    const struct renew_order order = {.folder = n->folder, .now_us = n->now_us, .abandon = n->abandon};
    n->failed = credentials_load(n->folder, &n->fresh, n->why);
    if (!n->failed)
        n->failed = device_renew(&order, &n->fresh, n->why);
}

static void tell_failure(struct renewer *r)
{
    uint32_t wait_ms = backoff_next(&r->backoff, r->dice);
    bool news = strcmp(r->said, r->renewal.why) != 0;
    r->not_before_ms = monotonic_ms(r->clock) + wait_ms;
    memcpy(r->said, r->renewal.why, sizeof r->said);
    log_line(r->log, news ? LOG_WARN : LOG_DEBUG, "certificate not renewed", "why=\"%s\" again_in_ms=%u",
             r->renewal.why, wait_ms);
}

static void renewed(struct errand *self)
{
    struct renewal *n = CONTAINER(self, struct renewal, errand);
    struct renewer *r = CONTAINER(n, struct renewer, renewal);
    if (n->failed) {
        tell_failure(r);
        credentials_drop(&n->fresh);
        return;
    }
    struct credentials former = *r->credentials;
    char until[TIME_TEXT];
    *r->credentials = n->fresh;
    n->fresh = (struct credentials){.id = ""};
    credentials_drop(&former);
    plan(r);
    time_text(r->credentials->facts.not_after_us, until);
    log_line(r->log, LOG_INFO, "certificate renewed", "serial=%s until=%s", r->credentials->facts.serial, until);
    if (!counter_read(&r->abandon))
        r->renewed(r);
}

static void look(struct timer *self)
{
    struct renewer *r = CONTAINER(self, struct renewer, timer);
    /* Set before, so that the loop has room for it: it cannot fail. */
    IGNORE(loop_timer_set(r->loop, self, within(life_ms(r) / 100, LOOK_MS_MIN, LOOK_MS_MAX)));
    tell_expired(r);
    int64_t due_us =
        renewal_due_us(r->credentials->facts.not_before_us, r->credentials->facts.not_after_us, r->dice_roll);
    if (r->renewal.errand.away || server_now_us(r) < due_us || monotonic_ms(r->clock) < r->not_before_ms)
        return;
    r->renewal.now_us = server_now_us(r);
    IGNORE(worker_send(r->worker, &r->renewal.errand)); /* when its box is full, the next look sends it */
}

err renewer_start(struct renewer *r)
{
    r->timer.due = look;
    r->renewal.errand = (struct errand){.work = renew, .done = renewed};
    r->renewal.abandon = &r->abandon;
    TRY(text_copy(bytes_of_text(r->folder), r->renewal.folder, sizeof r->renewal.folder));
    plan(r);
    return loop_timer_set(r->loop, &r->timer, 0);
}

void renewer_stop(struct renewer *r)
{
    counter_add(&r->abandon, 1);
    if (r->loop)
        loop_timer_clear(r->loop, &r->timer);
}

void renewer_drop(struct renewer *r)
{
    credentials_drop(&r->renewal.fresh);
}
