/* What the bridge tells of itself: a state for `status`, figures for Holdfast, and losses for the log. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/text.h"
#include "device/measure.h"
#include "os/file.h"
#include "prog/bridge/bridge.h"

#include <stdio.h>

enum { BEAT_MS = 1000, STATE_MS = 5000, LOSSES_MS = 60000, FIGURES_MAX = 4096 };

static const char *const state_names[] = {
    [LINK_WAITING] = "waiting", [LINK_CONNECTING] = "connecting", [LINK_CONNECTED] = "connected"};

/* What is to be told of one direction: `from` is the side where it is taken. */
struct figures {
    struct spool_counts queue;
    struct crossing_counts counts;
    struct link_counts source, sink;
    uint64_t forwarded, dropped;
};

static void read_figures(struct bridge *b, enum mapping_side from, struct figures *f)
{
    struct side *source = &b->sides[from], *sink = other_side(source);
    *f = (struct figures){.counts = source->crossing.counts};
    spool_read_counts(source->crossing.spool, &f->queue);
    if (source->link)
        link_read_counts(source->link, &f->source);
    if (sink->link)
        link_read_counts(sink->link, &f->sink);
    f->forwarded = f->sink.acknowledged + f->sink.unanswered;
    f->dropped = crossing_lost(&source->crossing) + f->source.oversized;
}

/* ---- The state */

static void put_side(struct buffer *b, const char *name, const struct side *s)
{
    char since[TIME_TEXT];
    time_text(s->since_us, since);
    put_format(b, "\"%s\":{\"state\":\"%s\",\"since\":\"%s\",\"mqtt\":\"%s\",\"filters\":%zu,\"filters_refused\":%zu,",
               name, state_names[s->note.state], since,
               s->note.state != LINK_CONNECTED ? ""
               : s->note.version == MQTT_5     ? "5"
                                               : "3.1.1",
               s->subscriptions.today.count, s->refused_filters);
    put_text(b, "\"why\":");
    put_json_text(b, bytes_of_text(s->why));
    put_text(b, "}");
}

static void put_count(struct buffer *b, const char *name, uint64_t value)
{
    put_format(b, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void put_direction(struct buffer *b, const char *name, struct bridge *bridge, enum mapping_side from)
{
    struct figures f;
    read_figures(bridge, from, &f);
    put_format(b, "\"%s\":{\"queued\":%llu", name, (unsigned long long)f.queue.records);
    put_count(b, "queued_bytes", f.queue.bytes);
    put_count(b, "queue_bytes_max", bridge->sides[from].crossing.spool_max);
    put_count(b, "taken", f.counts.taken);
    put_count(b, "forwarded", f.forwarded);
    put_count(b, "dropped", f.dropped);
    put_format(b, ",\"stopped\":%s,\"dropped_because\":{\"queue_full\":%llu",
               bridge->sides[from].crossing.stopped ? "true" : "false", (unsigned long long)f.queue.overflowed);
    put_count(b, "disk_damage", f.queue.damaged);
    put_count(b, "qos_0_while_away", f.counts.absent);
    put_count(b, "no_mapping", f.counts.unmapped);
    put_count(b, "too_large", f.counts.unfit + f.source.oversized);
    put_count(b, "expired", f.counts.expired);
    put_count(b, "refused", f.counts.refused);
    put_format(b, "},\"sessions_lost\":%llu}", (unsigned long long)f.source.sessions_lost);
}

static void leave_state(struct bridge *b)
{
    SCOPED(buffer_drop) struct buffer text = {.max = STATE_MAX};
    char path[512];
    put_text(&text, "{\"device\":");
    put_json_text(&text, bytes_of_text(b->credentials.id));
    put_text(&text, ",");
    put_side(&text, "local", &b->sides[MAPPING_LOCAL]);
    put_text(&text, ",");
    put_side(&text, "remote", &b->sides[MAPPING_REMOTE]);
    put_text(&text, ",");
    put_direction(&text, "out", b, MAPPING_LOCAL);
    put_text(&text, ",");
    put_direction(&text, "in", b, MAPPING_REMOTE);
    put_text(&text, "}\n");
    if (buffer_finish(&text) || bytes_equal(buffer_view(&text), buffer_view(&b->reporting.state)))
        return; /* nothing changed: flash is spared */
    snprintf(path, sizeof path, "%s/" STATE_FILE, b->plan->set.folder);
    IGNORE(file_replace(path, buffer_view(&text), 0600)); /* a later one may succeed */
    buffer_clear(&b->reporting.state);
    put_bytes(&b->reporting.state, buffer_view(&text));
}

/* ---- The figures */

static void add_direction(struct measures *m, struct bridge *b, enum mapping_side from)
{
    static const char *const metrics[][4] = {
        [MAPPING_LOCAL] = {"bridge.out.queued", "bridge.out.queued.bytes", "bridge.out.forwarded",
                           "bridge.out.dropped"},
        [MAPPING_REMOTE] = {"bridge.in.queued", "bridge.in.queued.bytes", "bridge.in.forwarded", "bridge.in.dropped"},
    };
    struct figures f;
    read_figures(b, from, &f);
    measures_add(m, metrics[from][0], (double)f.queue.records, 0);
    measures_add(m, metrics[from][1], (double)f.queue.bytes, 0);
    measures_add(m, metrics[from][2], (double)f.forwarded, 0);
    measures_add(m, metrics[from][3], (double)f.dropped, 0);
}

/* As a remark, and not through the queue: figures of an hour ago are worth nothing. */
static void send_figures(struct bridge *b)
{
    SCOPED(buffer_drop) struct buffer json = {.max = FIGURES_MAX};
    struct measures m = {.count = 0};
    char topic[DEVICE_ID_MAX + 32];
    measures_add(&m, "bridge.remote.connected", b->sides[MAPPING_REMOTE].note.state == LINK_CONNECTED, 0);
    add_direction(&m, b, MAPPING_LOCAL);
    add_direction(&m, b, MAPPING_REMOTE);
    measures_put_json(&json, &m, wall_us(b->clock));
    int len = snprintf(topic, sizeof topic, "devices/%s/telemetry", b->credentials.id);
    if (!buffer_finish(&json))
        link_remark(b->sides[MAPPING_LOCAL].link, bytes_of(topic, (size_t)len), buffer_view(&json));
}

/* ---- The losses */

static void tell_losses(struct bridge *b)
{
    for (unsigned from = MAPPING_LOCAL; from <= MAPPING_REMOTE; from++) {
        struct figures f;
        read_figures(b, (enum mapping_side)from, &f);
        if (f.dropped <= b->reporting.told_lost[from])
            continue;
        log_line(b->log, LOG_WARN, "messages were dropped",
                 "direction=%s count=%llu since_start=%llu queue_full=%llu hint=\"holdfast-bridge status says why\"",
                 from == MAPPING_LOCAL ? "out" : "in", (unsigned long long)(f.dropped - b->reporting.told_lost[from]),
                 (unsigned long long)f.dropped, (unsigned long long)f.queue.overflowed);
        b->reporting.told_lost[from] = f.dropped;
    }
}

/* ---- The beat */

static bool is_due(struct bridge *b, int64_t *at_ms, int64_t period_ms)
{
    int64_t now = monotonic_ms(b->clock);
    if (now < *at_ms)
        return false;
    *at_ms = now + period_ms;
    return true;
}

static void beat(struct timer *self)
{
    struct bridge *b = CONTAINER(self, struct bridge, reporting.beat);
    IGNORE(loop_timer_set(b->loop, self, BEAT_MS)); /* it was set before, so that there is room for it */
    side_resume(&b->sides[MAPPING_LOCAL]);
    side_resume(&b->sides[MAPPING_REMOTE]);
    if (is_due(b, &b->reporting.figures_at_ms, (int64_t)b->plan->set.report_interval * 1000))
        send_figures(b);
    if (is_due(b, &b->reporting.losses_at_ms, LOSSES_MS))
        tell_losses(b);
    if (is_due(b, &b->reporting.state_at_ms, STATE_MS))
        leave_state(b);
}

err report_start(struct bridge *b)
{
    b->reporting.beat.due = beat;
    b->reporting.state.max = STATE_MAX;
    return loop_timer_set(b->loop, &b->reporting.beat, 0);
}

void report_last(struct bridge *b)
{
    for (unsigned i = MAPPING_LOCAL; i <= MAPPING_REMOTE; i++) {
        struct side *s = &b->sides[i];
        s->note.state = LINK_WAITING;
        s->since_us = wall_us(b->clock);
        why_say(s->why, "the bridge was stopped");
    }
    tell_losses(b);
    leave_state(b);
}

void report_drop(struct bridge *b)
{
    buffer_drop(&b->reporting.state);
}
