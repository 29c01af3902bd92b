/* The pulse: measuring, at the interval, and the inventory, when it changed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "device/inventory.h"
#include "prog/agent/agent.h"

#include <string.h>

enum {
    JUMP_MS = 2000,          /* a clock that is slewed moves by less between two beats */
    DISK_RELIEF_PERCENT = 2, /* how far under its bound the disk must come before it is low again */
    INVENTORY_CHECK_MS = 600 * 1000,
    INVENTORY_LEAST_MS = 24 * 3600 * 1000, /* sent anew though nothing changed */
};

static void tell_trouble(struct agent *a, const struct probe_trouble *trouble)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = 1024};
    put_text(&detail, "\"probe\":");
    put_json_text(&detail, bytes_of_text(trouble->probe));
    put_text(&detail, ",\"why\":");
    put_json_text(&detail, bytes_of_text(trouble->why->text));
    report_event(&a->reporter, &(struct report){"probe.failed", SEVERITY_WARNING, buffer_view(&detail)});
}

static void watch_disk(struct agent *a, const struct measures *measures)
{
    double share = -1, bound = (double)a->settings->disk_low / 100;
    for (size_t i = 0; i < measures->count; i++)
        if (!strcmp(measures->at[i].metric, "disk.share"))
            share = measures->at[i].value;
    if (share < 0)
        return;
    if (share < bound - DISK_RELIEF_PERCENT / 100.0)
        a->pulse.disk_is_low = false;
    if (share < bound || a->pulse.disk_is_low)
        return;
    SCOPED(buffer_drop) struct buffer detail = {.max = 256};
    put_format(&detail, "\"share\":%.4g", share);
    report_event(&a->reporter, &(struct report){"disk.low", SEVERITY_WARNING, buffer_view(&detail)});
    a->pulse.disk_is_low = true;
}

/* The wall clock against the one that nobody sets. It also jumps over a sleep of the machine. */
static void watch_clock(struct agent *a)
{
    int64_t wall = wall_us(a->clock), monotonic = monotonic_ms(a->clock);
    int64_t moved_ms = (wall - a->pulse.wall_us) / 1000 - (monotonic - a->pulse.monotonic_ms);
    bool jumped = a->pulse.wall_us && (moved_ms > JUMP_MS || moved_ms < -JUMP_MS);
    a->pulse.wall_us = wall;
    a->pulse.monotonic_ms = monotonic;
    if (!jumped)
        return;
    SCOPED(buffer_drop) struct buffer detail = {.max = 256};
    put_format(&detail, "\"seconds\":%.3f", (double)moved_ms / 1000);
    report_event(&a->reporter, &(struct report){"clock.jumped", SEVERITY_WARNING, buffer_view(&detail)});
    a->care.has_offset = false;
    a->care.check_not_before_ms = 0;
}

static void add_own_measures(struct agent *a, struct measures *measures)
{
    struct spool_counts counts;
    spool_read_counts(a->spool, &counts);
    measures_add(measures, "agent.spooled", (double)counts.records, 0);
    if (a->care.has_offset)
        measures_add(measures, "clock.offset", (double)a->care.ahead_us / 1e6, 3);
}

/* While messages leave at once, flash is spared: what is acknowledged within moments needs no fsync before. */
static void make_durable(struct agent *a)
{
    if (a->outbound.state == LINK_CONNECTED)
        return;
    err e = spool_sync(a->spool);
    if (e)
        log_line(a->log, LOG_ERROR, "spool not synced", "why=\"%s\"", e->text);
}

static void beat(struct timer *self)
{
    struct agent *a = CONTAINER(self, struct agent, pulse.timer);
    struct probe_round round;
    agent_again(a, self, (int64_t)a->settings->interval * 1000);
    watch_clock(a);
    probes_run(&a->site, monotonic_ms(a->clock), &a->pulse.memory, &round);
    for (size_t i = 0; i < round.trouble_count; i++)
        tell_trouble(a, &round.trouble[i]);
    watch_disk(a, &round.measures);
    add_own_measures(a, &round.measures);
    report_measures(&a->reporter, &round.measures);
    make_durable(a);
    if (a->outbound.link)
        link_wake(a->outbound.link);
}

/* The same documents as the last time, sent less than a day ago, are not sent again. */
static bool is_news(struct agent *a, const struct inventory *inventory)
{
    uint8_t digest[2 * DIGEST_SHA256], now[DIGEST_SHA256];
    bool hashed = !digest_sha256(buffer_view(&inventory->inventory), digest) &&
                  !digest_sha256(buffer_view(&inventory->packages), digest + DIGEST_SHA256) &&
                  !digest_sha256(bytes_of(digest, sizeof digest), now);
    int64_t age_ms = monotonic_ms(a->clock) - a->pulse.inventory_sent_ms;
    if (hashed && a->pulse.inventory_sent_ms && age_ms < INVENTORY_LEAST_MS &&
        !memcmp(now, a->pulse.inventory_digest, sizeof now))
        return false;
    if (hashed)
        memcpy(a->pulse.inventory_digest, now, sizeof now);
    return true;
}

static void look_around(struct timer *self)
{
    struct agent *a = CONTAINER(self, struct agent, pulse.inventory_timer);
    SCOPED(inventory_drop) struct inventory inventory = {0};
    agent_again(a, self, INVENTORY_CHECK_MS);
    err e = inventory_make(&a->site, a->settings->packages ? INVENTORY_ALL : INVENTORY_WITHOUT_PACKAGES, &inventory);
    if (e) {
        log_line(a->log, LOG_WARN, "no inventory", "why=\"%s\"", e->text);
        return;
    }
    if (!is_news(a, &inventory))
        return;
    report_document(&a->reporter, buffer_view(&inventory.inventory));
    report_document(&a->reporter, buffer_view(&inventory.packages));
    a->pulse.inventory_sent_ms = monotonic_ms(a->clock);
    if (a->outbound.link)
        link_wake(a->outbound.link);
}

err pulse_start(struct agent *a)
{
    a->pulse.timer.due = beat;
    a->pulse.inventory_timer.due = look_around;
    TRY(loop_timer_set(a->loop, &a->pulse.inventory_timer, 0));
    return loop_timer_set(a->loop, &a->pulse.timer, 0);
}
