/* The care: renewing the certificate in time, and knowing how wrong the clock is. Both are calls by HTTPS that block,
 * so that the worker makes them.
 *
 * The times in a certificate are the server's. Where the offset to its clock is known it is allowed for; a machine
 * whose clock is years behind would otherwise never renew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/text.h"
#include "device/enrol.h"
#include "prog/agent/agent.h"

enum {
    LOOK_MS_MIN = 1000, /* how often it is looked whether something is due: a hundredth of the certificate's life */
    LOOK_MS_MAX = 30000,
    CHECK_MS = 600 * 1000,
    RETRY_MS_MIN = 1000, /* between failed renewals: up to a fiftieth of the certificate's life */
    RETRY_MS_MAX = 600 * 1000,
};

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static int64_t life_ms(const struct agent *a)
{
    return (a->credentials.facts.not_after_us - a->credentials.facts.not_before_us) / 1000;
}

static int64_t server_now_us(const struct agent *a)
{
    return wall_us(a->clock) - (a->care.has_offset ? a->care.ahead_us : 0);
}

/* A new certificate: its own throw of the dice, and a back-off that fits its life. */
static void plan_renewal(struct agent *a)
{
    uint32_t retry_ms = (uint32_t)within(life_ms(a) / 50, RETRY_MS_MIN, RETRY_MS_MAX);
    a->dice->fill(a->dice, (uint8_t *)&a->care.dice_roll, sizeof a->care.dice_roll);
    a->care.backoff = (struct backoff){.first_ms = within(retry_ms / 8, RETRY_MS_MIN, retry_ms), .max_ms = retry_ms};
    a->care.told_expired = false;
    a->care.said[0] = 0;
}

static void tell_expired(struct agent *a)
{
    char until[TIME_TEXT];
    if (a->care.told_expired || server_now_us(a) <= a->credentials.facts.not_after_us)
        return;
    time_text(a->credentials.facts.not_after_us, until);
    log_line(a->log, LOG_ERROR, "the certificate has expired",
             "device=%s expired=%s hint=\"if the server does not renew it, holdfast-agent enrol --new-key with a new "
             "token does\"",
             a->credentials.id, until);
    a->care.told_expired = true;
}

/* On the worker: the folder's credentials are its own copy. */
static void renew(struct errand *self)
{
    struct renewal *r = CONTAINER(self, struct renewal, errand);
    const struct renew_order order = {.folder = r->folder, .now_us = r->now_us, .abandon = r->abandon};
    r->failed = credentials_load(r->folder, &r->fresh, r->why);
    if (!r->failed)
        r->failed = device_renew(&order, &r->fresh, r->why);
}

static void renewed(struct errand *self)
{
    struct renewal *r = CONTAINER(self, struct renewal, errand);
    struct agent *a = CONTAINER(r, struct agent, care.renewal);
    if (r->failed) {
        uint32_t wait_ms = backoff_next(&a->care.backoff, a->dice);
        a->care.renew_not_before_ms = monotonic_ms(a->clock) + wait_ms;
        log_line(a->log, agent_says_anew(a->care.said, r->why) ? LOG_WARN : LOG_DEBUG, "certificate not renewed",
                 "why=\"%s\" again_in_ms=%u", r->why, wait_ms);
        credentials_drop(&r->fresh);
        return;
    }
    struct credentials former = a->credentials;
    char until[TIME_TEXT];
    a->credentials = r->fresh;
    r->fresh = (struct credentials){.id = ""};
    credentials_drop(&former);
    plan_renewal(a);
    time_text(a->credentials.facts.not_after_us, until);
    log_line(a->log, LOG_INFO, "certificate renewed", "serial=%s until=%s", a->credentials.facts.serial, until);
    if (!a->stop_by_ms)
        outbound_use_credentials(a);
}

static void check_clock(struct errand *self)
{
    struct clock_check *c = CONTAINER(self, struct clock_check, errand);
    const struct est_server server = {.url = c->url, .anchors_pem = buffer_view(&c->root_pem), .abandon = c->abandon};
    c->failed = est_clock_offset(&server, c->clock, &c->ahead_us, c->why);
}

static void clock_checked(struct errand *self)
{
    struct clock_check *c = CONTAINER(self, struct clock_check, errand);
    struct agent *a = CONTAINER(c, struct agent, care.clock_check);
    a->care.has_offset = !c->failed;
    a->care.ahead_us = c->ahead_us;
    if (c->failed) /* sooner than usual: the metric is missing meanwhile */
        a->care.check_not_before_ms = monotonic_ms(a->clock) + LOOK_MS_MAX;
    log_line(a->log, LOG_DEBUG, "clock checked", "ahead_us=%lld why=\"%s\"", (long long)c->ahead_us,
             c->failed ? c->why : "");
}

static void send_renewal(struct agent *a)
{
    struct renewal *r = &a->care.renewal;
    int64_t due_us =
        renewal_due_us(a->credentials.facts.not_before_us, a->credentials.facts.not_after_us, a->care.dice_roll);
    if (r->errand.away || server_now_us(a) < due_us || monotonic_ms(a->clock) < a->care.renew_not_before_ms)
        return;
    r->now_us = server_now_us(a);
    IGNORE(worker_send(a->worker, &r->errand)); /* when its box is full, the next look sends it */
}

static void send_clock_check(struct agent *a)
{
    struct clock_check *c = &a->care.clock_check;
    if (c->errand.away || monotonic_ms(a->clock) < a->care.check_not_before_ms)
        return;
    if (!worker_send(a->worker, &c->errand))
        a->care.check_not_before_ms = monotonic_ms(a->clock) + CHECK_MS;
}

static void look(struct timer *self)
{
    struct agent *a = CONTAINER(self, struct agent, care.timer);
    agent_again(a, self, within(life_ms(a) / 100, LOOK_MS_MIN, LOOK_MS_MAX));
    tell_expired(a);
    send_clock_check(a);
    send_renewal(a);
}

err care_start(struct agent *a)
{
    struct care *care = &a->care;
    care->timer.due = look;
    care->renewal.errand = (struct errand){.work = renew, .done = renewed};
    care->renewal.abandon = care->clock_check.abandon = &care->abandon;
    care->clock_check.errand = (struct errand){.work = check_clock, .done = clock_checked};
    care->clock_check.clock = a->clock;
    care->clock_check.root_pem.max = CREDENTIALS_FILE_MAX;
    put_bytes(&care->clock_check.root_pem, buffer_view(&a->credentials.root_pem));
    TRY(buffer_finish(&care->clock_check.root_pem));
    TRY(text_copy(bytes_of_text(a->credentials.server.url), care->clock_check.url, sizeof care->clock_check.url));
    TRY(text_copy(bytes_of_text(a->settings->folder), care->renewal.folder, sizeof care->renewal.folder));
    plan_renewal(a);
    return loop_timer_set(a->loop, &care->timer, 0);
}

void care_drop(struct agent *a)
{
    credentials_drop(&a->care.renewal.fresh);
    buffer_drop(&a->care.clock_check.root_pem);
}
