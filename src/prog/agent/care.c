/* The care: renewing the certificate in time, and knowing how wrong the clock is. Both are calls by HTTPS that block,
 * so that the worker makes them. What is known of the clock is allowed for when the certificate is renewed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/text.h"
#include "prog/agent/agent.h"

enum {
    LOOK_MS = 5000,
    CHECK_MS = 600 * 1000,
    CHECK_FAILED_MS = 30 * 1000, /* sooner than usual: the metric is missing meanwhile */
};

static void renewed(struct renewer *self)
{
    struct agent *a = CONTAINER(self, struct agent, care.renewer);
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
    a->care.renewer.ahead_us = c->failed ? 0 : c->ahead_us;
    if (c->failed)
        a->care.check_not_before_ms = monotonic_ms(a->clock) + CHECK_FAILED_MS;
    log_line(a->log, LOG_DEBUG, "clock checked", "ahead_us=%lld why=\"%s\"", (long long)c->ahead_us,
             c->failed ? c->why : "");
}

static void look(struct timer *self)
{
    struct agent *a = CONTAINER(self, struct agent, care.timer);
    struct clock_check *c = &a->care.clock_check;
    agent_again(a, self, LOOK_MS);
    if (!a->care.has_offset)
        a->care.renewer.ahead_us = 0; /* the clock jumped */
    if (c->errand.away || monotonic_ms(a->clock) < a->care.check_not_before_ms)
        return;
    if (!worker_send(a->worker, &c->errand))
        a->care.check_not_before_ms = monotonic_ms(a->clock) + CHECK_MS;
}

static err start_clock_check(struct agent *a)
{
    struct clock_check *c = &a->care.clock_check;
    c->abandon = &a->care.abandon;
    c->errand = (struct errand){.work = check_clock, .done = clock_checked};
    c->clock = a->clock;
    c->root_pem.max = CREDENTIALS_FILE_MAX;
    put_bytes(&c->root_pem, buffer_view(&a->credentials.root_pem));
    TRY(buffer_finish(&c->root_pem));
    TRY(text_copy(bytes_of_text(a->credentials.server.url), c->url, sizeof c->url));
    a->care.timer.due = look;
    return loop_timer_set(a->loop, &a->care.timer, 0);
}

err care_start(struct agent *a)
{
    a->care.renewer = (struct renewer){.loop = a->loop,
                                       .worker = a->worker,
                                       .clock = a->clock,
                                       .dice = a->dice,
                                       .log = a->log,
                                       .folder = a->settings->folder,
                                       .credentials = &a->credentials,
                                       .renewed = renewed};
    TRY(start_clock_check(a));
    return renewer_start(&a->care.renewer);
}

void care_stop(struct agent *a)
{
    if (a->loop)
        loop_timer_clear(a->loop, &a->care.timer);
    counter_add(&a->care.abandon, 1);
    renewer_stop(&a->care.renewer);
}

void care_drop(struct agent *a)
{
    renewer_drop(&a->care.renewer);
    buffer_drop(&a->care.clock_check.root_pem);
}
